#include "server/own_listeners.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "http/url.hpp"

namespace schakel::server {
namespace {

constexpr unsigned short published_port = 443;

bool is_any(std::string_view address) {
  return address == "0.0.0.0" || address == "::";
}

}  // namespace

std::vector<std::string> local_addresses() {
  std::vector<std::string> addresses;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return addresses;
  for (const auto* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    const auto family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    char text[NI_MAXHOST] = {};
    const socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if (::getnameinfo(entry->ifa_addr, size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) continue;
    const std::string_view address = text;
    addresses.emplace_back(address.substr(0, address.find('%')));  // without the zone of a link-local one
  }
  ::freeifaddrs(list);
  return addresses;
}

bool leads_to_listener(std::string_view url, std::span<const OwnListener> listeners, std::span<const std::string> local) {
  const auto parsed = http::parse_url(url);
  if (!parsed) return false;
  return std::ranges::any_of(listeners, [&](const OwnListener& listener) {
    const bool named =
        std::ranges::any_of(listener.names, [&](const std::string& name) { return equals_ignoring_case(name, parsed->host); });
    if (named && (parsed->port == listener.port || parsed->port == published_port)) return true;
    if (parsed->port != listener.port) return false;
    return parsed->host == listener.address || parsed->host == "localhost" ||
           (is_any(listener.address) && std::ranges::find(local, parsed->host) != local.end());
  });
}

}  // namespace schakel::server
