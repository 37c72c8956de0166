#include "http/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>

namespace schakel::http {
namespace {

constexpr unsigned v4_offset_bits = 96;
constexpr std::array<unsigned char, 12> v4_mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct Range {
  std::string_view network;
  AddressKind kind;
};

// The first range that holds an address decides (IANA special-purpose registries).
constexpr Range ranges[] = {
    {"0.0.0.0/8", AddressKind::forbidden},      {"10.0.0.0/8", AddressKind::private_},      {"100.64.0.0/10", AddressKind::private_},
    {"127.0.0.0/8", AddressKind::loopback},     {"169.254.0.0/16", AddressKind::forbidden}, {"172.16.0.0/12", AddressKind::private_},
    {"192.0.0.0/24", AddressKind::forbidden},   {"192.0.2.0/24", AddressKind::forbidden},   {"192.88.99.0/24", AddressKind::forbidden},
    {"192.168.0.0/16", AddressKind::private_},  {"198.18.0.0/15", AddressKind::forbidden},  {"198.51.100.0/24", AddressKind::forbidden},
    {"203.0.113.0/24", AddressKind::forbidden}, {"224.0.0.0/3", AddressKind::forbidden},    {"::1/128", AddressKind::loopback},
    {"::/96", AddressKind::forbidden},          {"64:ff9b::/96", AddressKind::forbidden},   {"64:ff9b:1::/48", AddressKind::forbidden},
    {"100::/64", AddressKind::forbidden},       {"2001::/23", AddressKind::forbidden},      {"2001:db8::/32", AddressKind::forbidden},
    {"2002::/16", AddressKind::forbidden},      {"3fff::/20", AddressKind::forbidden},      {"5f00::/16", AddressKind::forbidden},
    {"fc00::/7", AddressKind::private_},        {"fe80::/10", AddressKind::forbidden},      {"fec0::/10", AddressKind::forbidden},
    {"ff00::/8", AddressKind::forbidden},
};

struct ParsedRange {
  Network network;
  AddressKind kind;
};

const auto& parsed_ranges() {
  static const auto all = [] {
    std::array<ParsedRange, std::size(ranges)> out{};
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = {parse_network(ranges[i].network).value(), ranges[i].kind};
    return out;
  }();
  return all;
}

}  // namespace

bool Address::is_v4() const {
  return std::equal(v4_mapped.begin(), v4_mapped.end(), octets.begin());
}

std::optional<Address> parse_address(std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN) return std::nullopt;
  const std::string terminated(text);
  Address out;
  if (in_addr v4{}; inet_pton(AF_INET, terminated.c_str(), &v4) == 1) {
    std::copy(v4_mapped.begin(), v4_mapped.end(), out.octets.begin());
    std::memcpy(out.octets.data() + v4_mapped.size(), &v4, sizeof v4);
    return out;
  }
  if (inet_pton(AF_INET6, terminated.c_str(), out.octets.data()) == 1) return out;
  return std::nullopt;
}

bool Network::holds(const Address& other) const {
  for (unsigned bit = 0; bit < prefix_bits; ++bit) {
    const unsigned mask = 0x80U >> (bit % 8);
    if ((address.octets[bit / 8] & mask) != (other.octets[bit / 8] & mask)) return false;
  }
  return true;
}

std::optional<Network> parse_network(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return Network{*address, 128};
  const auto digits = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  // An IPv4-mapped address written as IPv6 counts its bits from the start of the 128.
  const bool dotted = text.substr(0, slash).find(':') == std::string_view::npos;
  if (error != std::errc{} || end != digits.data() + digits.size() || digits.empty() || bits > (dotted ? 32U : 128U)) return std::nullopt;
  return Network{*address, dotted ? bits + v4_offset_bits : bits};
}

bool is_in_networks(std::string_view address, std::span<const std::string> networks) {
  const auto parsed = parse_address(address);
  if (!parsed) return false;
  return std::any_of(networks.begin(), networks.end(), [&](const std::string& text) {
    const auto network = parse_network(text);
    return network && network->holds(*parsed);
  });
}

AddressKind kind_of(const Address& address) {
  for (const auto& range : parsed_ranges())
    if (range.network.holds(address)) return range.kind;
  return AddressKind::open;
}

bool may_connect(const Address& address, std::span<const std::string> allowed_networks) {
  const auto kind = kind_of(address);
  if (kind == AddressKind::open) return true;
  if (kind == AddressKind::forbidden) return false;
  return std::any_of(allowed_networks.begin(), allowed_networks.end(), [&](const std::string& text) {
    const auto network = parse_network(text);
    return network && network->holds(address);
  });
}

}  // namespace schakel::http
