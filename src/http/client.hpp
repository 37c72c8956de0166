// The HTTP client: keep-alive connections per (scheme, host, port, client identity), TLS with our own checks before the first octet, no
// redirects.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/time.hpp"
#include "http/message.hpp"

namespace schakel::security {
class TlsClient;  // security/tls.hpp
}

namespace schakel::http {

struct ClientRequest {
  std::string method = "POST";
  std::string url;  // absolute, http or https
  Headers headers;
  std::string body;                                     // when `stream` is empty
  std::function<std::unique_ptr<BodyReader>()> stream;  // made anew for each connection attempt
  std::uint64_t stream_bytes = 0;
  std::shared_ptr<security::TlsClient> tls;  // identity, anchors and checks; required for https
  std::string expected_oin;                  // SEC-016; empty: any
  std::chrono::milliseconds connect_timeout{30'000};
  std::chrono::milliseconds response_timeout{30'000};
  std::size_t response_bytes_max = 1024 * 1024;
  bool guard_address = false;                 // ADP-108: refuse private and special addresses after resolution
  std::vector<std::string> allowed_networks;  // exceptions to guard_address, CIDR
};

struct ClientResponse {
  unsigned status = 0;
  Headers headers;
  std::string body;
};

// Errors: code "transport.dns|connect|tls|timeout|closed|invalid|blockedAddress|tooLarge"; `location` is "before" when no octet of the
// request body was written yet and "after" when the whole request was (possibly delivered, EB ebms.md 3.3). TLS refusals carry the SEC…
// code in `detail`; permanent ones (SEC.PKI.VERLOPEN, INGETROKKEN, SEC.TLS.HOSTNAAM, SEC.OIN.…) have code "transport.tlsRefused".
class Client {
 public:
  struct Options {
    std::size_t idle_connections_per_destination = 8;
    std::chrono::seconds idle_timeout{50};
    std::chrono::seconds connection_age_max{3600};
  };
  Client(asio::any_io_executor, Options, const Clock&, Log&, Metrics&);
  ~Client();

  // A kept-alive connection that turns out closed before any octet was written is replaced once (EB-104); nothing else is retried.
  Awaitable<Result<ClientResponse>> send(ClientRequest);
  void close_idle();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace schakel::http
