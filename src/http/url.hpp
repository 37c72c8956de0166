// Absolute http and https URLs as clients and webhook registrations take them. Strict and pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace schakel::http {

struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; an IPv6 address without brackets
  unsigned short port = 0;
  bool port_written = false;  // and not the scheme's own: then it belongs in Host
  std::string target;         // path and query, at least "/"

  bool is_tls() const { return scheme == "https"; }
  // Host as a header carries it: brackets around IPv6, the port only when it is not the scheme's own.
  std::string host_header() const;
};

// Refuses user information, a fragment, port 0, empty and malformed hosts, spaces and control characters, and every host that ends in a
// number but is no strict IPv4 address ("127.1", "0x7f000001", "2130706433", "0177.0.0.1"). Error "transport.invalid".
Result<Url> parse_url(std::string_view);

// What a registration checks (adapter.md section 4): https unless `allow_http`, and an address literal that the guard lets pass. A name is
// judged at every connect, after resolution. Error "webhook.targetRefused".
Result<Url> check_target_url(std::string_view url, bool allow_http, std::span<const std::string> allowed_networks);

}  // namespace schakel::http
