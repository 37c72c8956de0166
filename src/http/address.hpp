// Addresses of the network: parsing, networks in CIDR, and the guard against server-side request forgery (ADP-108, SEC-119). Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace schakel::http {

// An IPv4 or IPv6 address as 16 octets; IPv4 in its IPv6-mapped form, so that ::ffff:127.0.0.1 and 127.0.0.1 are one.
struct Address {
  std::array<unsigned char, 16> octets{};
  bool is_v4() const;
  friend bool operator==(const Address&, const Address&) = default;
};
// Strict text forms: four decimal numbers without leading zeros, or RFC 4291. No octal, no hexadecimal IPv4, no zone.
std::optional<Address> parse_address(std::string_view);

// "10.0.0.0/8", "fd00::/8", or one address. nullopt: neither.
struct Network {
  Address address;
  unsigned prefix_bits = 128;  // of the 16 octets
  bool holds(const Address&) const;
};
std::optional<Network> parse_network(std::string_view);

// True when one of the networks holds the address; texts that are no address or network hold nothing.
bool is_in_networks(std::string_view address, std::span<const std::string> networks);

enum class AddressKind {
  open,       // the internet
  private_,   // RFC 1918, unique local, shared (100.64/10): only when listed
  loopback,   // only when listed
  forbidden,  // unspecified, link-local (metadata services), multicast, reserved, documentation, translated: never
};
AddressKind kind_of(const Address&);

// The guard: may a connection go to this address, with these exceptions?
bool may_connect(const Address&, std::span<const std::string> allowed_networks);

}  // namespace schakel::http
