// Listeners: TLS or plain, strict HTTP/1.1, limits, drain.
//
// What goes wrong before a handler exists for it is answered here, with an empty body or a problem (ListenerOptions::problem_bodies):
// 400, 413, 414, 415, 417, 421, 431, 405 for TRACE and CONNECT, 408, 505. A body that breaks, is too large or too slow while a handler
// reads it is answered here as well, whatever the handler makes of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "http/message.hpp"

namespace schakel::security {
class TlsServer;  // security/tls.hpp
}

namespace schakel::http {

// Something for the audit log (SEC-103): a handshake or a request that was refused before it had a handler.
struct SecurityEvent {
  std::string reason;  // "SEC.TLS.…", "SEC.PKI.…", "SEC.HTTP.SYNTAX", "SEC.HTTP.TRAAG", "SEC.HTTP.HEADER_VERWIJDERD", …
  std::string listener;
  std::string address;
  std::string detail;  // for an operator
  std::string tls_version, sni;
  const security::PeerIdentity* peer = nullptr;  // during the call only
  std::uint64_t count = 1;                       // of this reason from this address since the last event (SEC-105)
};

// The client certificate that a TLS-terminating proxy passed on (SEC-050), not verified.
struct OffloadedCertificate {
  std::string der;
  std::vector<std::string> chain;
};

struct ListenerOptions {
  std::string name;  // "external", "internal", "admin", "ops"
  std::string address = "127.0.0.1";
  unsigned short port = 0;                                      // 0: any free port
  std::shared_ptr<security::TlsServer> tls;                     // empty: plain HTTP
  std::vector<std::string> hosts;                               // accepted Host names; empty: all. Another one: 421 on TLS, 400 on plain
  std::size_t body_bytes_max = limits::ebms_request_bytes_max;  // 413 above it
  std::chrono::seconds connection_age_max{3600};                // SEC-038
  bool offload = false;                                         // SEC-051: the client certificate comes in a header
  // Verifies what the proxy passed; needed on an offload listener. An error answers 403, as does its absence. `host`: of the request, in
  // lower case; it stands in for the TLS server name, also in Request::sni.
  std::function<Result<security::PeerIdentity>(const OffloadedCertificate&, std::string_view host)> verify_offloaded;
  // On a TLS offload listener: SHA-256 (lower-case hex) of the proxies' own certificates. A plain one binds to loopback only.
  std::vector<std::string> proxy_certificates;
  std::vector<std::string> allowed_networks;  // SEC-066: addresses that may connect, CIDR; empty: all
  bool problem_bodies = false;                // own refusals carry application/problem+json: listeners that serve only our own APIs
  // Allow of the 405 that TRACE and CONNECT get here, before any handler: what the resources of this listener take (EB-003).
  std::string allowed_methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
  // Called on I/O threads; must not block.
  std::function<void(const SecurityEvent&)> audit;

  std::size_t connections_max = limits::http_connections_max;
  std::size_t connections_per_address_max = limits::http_connections_per_address_max;
  std::chrono::milliseconds handshake_timeout = limits::tls_handshake_timeout;
  std::chrono::milliseconds header_timeout = limits::http_header_timeout;
  std::chrono::milliseconds body_idle_timeout = limits::http_body_idle_timeout;
  std::chrono::milliseconds keep_alive_timeout = limits::http_keep_alive_timeout;
  std::chrono::milliseconds revocation_check_interval{15'000};  // SEC-028 asks for at most 60 s
};

struct Environment {
  const Clock& clock;
  Random& random;
  Log& log;
  Metrics& metrics;
};

// One listening socket. Connections run on `executor`'s threads, each on a strand of its own. What Environment and the handler refer to
// must outlive the executor's threads. All members are safe from every thread.
class Server {
 public:
  Server(asio::any_io_executor executor, ListenerOptions, Handler, Environment);
  ~Server();  // close()
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  Result<> start();             // binds; "listener.bind" when it cannot
  unsigned short port() const;  // the bound one
  void stop_accepting();        // drain: no new connection; running requests are answered with Connection: close
  std::size_t requests_in_flight() const;
  std::size_t connections() const;
  // Ends the connections that were made with this certificate of ours (SHA-256, hex): idle ones now, others after the answer that they wait
  // for (SEC-078).
  void end_connections_of(const std::string& own_certificate_sha256);
  void close();  // ends every connection

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace schakel::http
