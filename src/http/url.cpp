#include "http/url.hpp"

#include <algorithm>
#include <charconv>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "http/address.hpp"

namespace schakel::http {
namespace {

constexpr std::size_t host_bytes_max = 253;
constexpr std::size_t label_bytes_max = 63;

Error invalid(const char* detail) {
  return fail("transport.invalid", detail);
}

unsigned short default_port(std::string_view scheme) {
  return scheme == "https" ? 443 : 80;
}

bool is_label_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// Resolvers read "0x7f.1" and "2130706433" as addresses, so a name may not end in a number.
bool ends_in_number(std::string_view host) {
  const auto dot = host.rfind('.');
  const auto last = dot == std::string_view::npos ? host : host.substr(dot + 1);
  if (last.starts_with("0x")) return last.find_first_not_of("0123456789abcdef", 2) == std::string_view::npos;
  return last.find_first_not_of("0123456789") == std::string_view::npos;
}

Result<> check_name(std::string_view host) {
  if (host.empty() || host.size() > host_bytes_max) return invalid("The host of the URL is not valid.");
  const auto written = host;
  if (host.back() == '.') host.remove_suffix(1);
  if (ends_in_number(host)) {
    if (parse_address(written)) return {};
    return invalid("The host of the URL is a number that is no strict IPv4 address.");
  }
  while (true) {
    const auto dot = host.find('.');
    const auto label = host.substr(0, dot);
    if (label.empty() || label.size() > label_bytes_max || label.front() == '-' || label.back() == '-' ||
        !std::all_of(label.begin(), label.end(), is_label_character))
      return invalid("The host of the URL is not valid.");
    if (dot == std::string_view::npos) return {};
    host.remove_prefix(dot + 1);
  }
}

Result<> take_port(std::string_view text, Url& url) {
  if (text.empty()) return {};
  unsigned number = 0;
  const auto [end, problem] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
  if (text.front() != ':' || text.size() < 2 || problem != std::errc{} || end != text.data() + text.size() || number == 0 || number > 65535)
    return invalid("The port of the URL is not valid.");
  url.port = static_cast<unsigned short>(number);
  url.port_written = url.port != default_port(url.scheme);
  return {};
}

Result<> take_authority(std::string_view authority, Url& url) {
  if (authority.find('@') != std::string_view::npos) return invalid("The URL holds user information.");
  if (authority.starts_with('[')) {
    const auto bracket = authority.find(']');
    if (bracket == std::string_view::npos) return invalid("The host of the URL is not valid.");
    url.host = to_lower(authority.substr(1, bracket - 1));
    if (url.host.find(':') == std::string::npos || !parse_address(url.host)) return invalid("The host of the URL is no IPv6 address.");
    return take_port(authority.substr(bracket + 1), url);
  }
  const auto colon = authority.find(':');
  url.host = to_lower(authority.substr(0, colon));
  SCHAKEL_CHECK(check_name(url.host));
  return take_port(colon == std::string_view::npos ? std::string_view{} : authority.substr(colon), url);
}

}  // namespace

std::string Url::host_header() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port_written) text += ":" + std::to_string(port);
  return text;
}

Result<Url> parse_url(std::string_view text) {
  if (text.size() > limits::http_uri_bytes_max) return invalid("The URL is longer than 8 KiB.");
  if (std::any_of(text.begin(), text.end(), [](char c) { return c <= 0x20 || c == 0x7f || c == '\\'; }))
    return invalid("The URL holds a character that must be encoded.");
  if (text.find('#') != std::string_view::npos) return invalid("The URL holds a fragment.");
  const auto separator = text.find("://");
  if (separator == std::string_view::npos) return invalid("The URL is not absolute.");
  Url url;
  url.scheme = to_lower(text.substr(0, separator));
  if (url.scheme != "http" && url.scheme != "https") return invalid("The scheme of the URL is not http or https.");
  url.port = default_port(url.scheme);
  const auto rest = text.substr(separator + 3);
  const auto path = std::min(rest.find_first_of("/?"), rest.size());
  SCHAKEL_CHECK(take_authority(rest.substr(0, path), url));
  url.target = rest.substr(path);
  if (url.target.empty() || url.target.front() != '/') url.target.insert(0, 1, '/');
  return url;
}

Result<Url> check_target_url(std::string_view text, bool allow_http, std::span<const std::string> allowed_networks) {
  auto url = parse_url(text);
  if (!url) return fail("webhook.targetRefused", url.error().detail);
  if (!url->is_tls() && !allow_http) return fail("webhook.targetRefused", "The URL is not https.");
  const auto literal = parse_address(url->host);
  if (literal && !may_connect(*literal, allowed_networks))
    return fail("webhook.targetRefused", "The address of the URL may not be reached.");
  return url;
}

}  // namespace schakel::http
