// Whether an address leads back to this node (ADP-412). Pure but for `local_addresses`.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace schakel::server {

struct OwnListener {
  std::string address;  // bound: "127.0.0.1", "0.0.0.0", "::"
  unsigned short port = 0;
  std::vector<std::string> names;  // host names that partners use for it
};

// The addresses of this host's network interfaces, as texts. Empty when they cannot be asked for.
std::vector<std::string> local_addresses();

// A URL whose host is a name or address of a listener, and whose port is the listener's or the published 443 (README section 12).
bool leads_to_listener(std::string_view url, std::span<const OwnListener>, std::span<const std::string> local_addresses);

}  // namespace schakel::server
