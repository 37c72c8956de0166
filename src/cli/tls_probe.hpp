// A look at a TLS server: what it negotiates with a client that takes everything, and which certificates it shows (SEC-132).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "http/url.hpp"
#include "security/keys.hpp"
#include "security/tls.hpp"

namespace schakel::cli {

struct Probe {
  security::HandshakeResult handshake;  // `peer` stays empty: nothing is trusted here; `peer_chain` as the server sent it
  bool asks_client_certificate = false;
  bool finished = false;                  // false: the server ended the handshake, most often for want of a client certificate
  std::vector<std::string> old_versions;  // TLS 1.0, TLS 1.1: those that it accepts
};

// Blocks; at most `timeout_s` seconds per connection. Errors: "transport.dns", "transport.connect", "transport.tls" when not even a
// certificate came.
Result<Probe> probe_tls(const http::Url&, const std::shared_ptr<const security::KeyPair>& identity, int timeout_s);

}  // namespace schakel::cli
