// The HTTP client: keep-alive connections per (scheme, host, port, client identity), TLS with our own checks before the first octet, no
// redirects.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.hpp"
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
  std::string url{};  // absolute, http or https
  Headers headers{};
  std::string body{};                                     // when `stream` is empty
  std::function<std::unique_ptr<BodyReader>()> stream{};  // made anew for each connection attempt
  std::optional<std::uint64_t> stream_bytes{};            // its length; empty: not known, and sent with chunked coding
  std::shared_ptr<security::TlsClient> tls{};             // identity, anchors and checks; required for https
  std::string expected_oin{};                             // SEC-016; empty: any
  std::chrono::milliseconds connect_timeout{30'000};      // name, connection and TLS handshake together
  std::chrono::milliseconds response_timeout{30'000};     // from the last octet of the request to the last of the answer
  std::size_t response_bytes_max = 1024 * 1024;
  bool cut_response = false;                    // a longer answer is cut at response_bytes_max instead of "transport.tooLarge"
  bool guard_address = false;                   // ADP-108: refuse private and special addresses after resolution
  std::vector<std::string> allowed_networks{};  // exceptions to guard_address, CIDR
  std::optional<std::string> proxy{};           // instead of Options::proxy; "" for none
  // Plain http through a proxy: asked of the proxy itself in absolute form (RFC 9112 3.2.2), not tunnelled. For public files such as CRLs:
  // proxies often tunnel to port 443 only. Not with guard_address.
  bool proxy_forwards = false;
};

struct ClientResponse {
  unsigned status = 0;
  Headers headers;
  std::string body;
  std::shared_ptr<const security::PeerIdentity> peer{};  // who answered, as checked; null without TLS
};

// Errors: code "transport.dns|connect|tls|timeout|closed|invalid|blockedAddress|tooLarge|proxy", or what the request's stream gave.
// `location` is "after" when the whole request was written (possibly delivered, ebms.md 3.3) and "before" when it was not, so that the
// other side cannot have all of it. TLS refusals begin `detail` with the SEC… reason; permanent ones (SEC.PKI.VERLOPEN, INGETROKKEN,
// SEC.TLS.HOSTNAAM, SEC.OIN.…) have code "transport.tlsRefused".
class Client {
 public:
  struct Options {
    // As many as may be in use at once: a connection that is not kept costs a handshake, far more than a message.
    std::size_t idle_connections_per_destination = limits::work_in_flight_per_destination_max;
    std::chrono::milliseconds idle_timeout{50'000};  // below the keep-alive time of common servers, our own included
    std::chrono::seconds connection_age_max{3600};
    std::string proxy{};                  // ADP-908: "http://host:port", reached with CONNECT; empty: none
    std::vector<std::string> no_proxy{};  // hosts, ".suffixes" (also "*.suffix"), networks
  };
  Client(asio::any_io_executor, Options, const Clock&, Log&, Metrics&);
  ~Client();  // closes idle connections; running requests go on
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // A kept-alive connection that turns out closed before any octet was written is replaced once (EB-104); nothing else is retried. Safe
  // from every thread; goes on on the caller's executor.
  Awaitable<Result<ClientResponse>> send(ClientRequest);
  // The addresses that a request to this host would choose from, as texts. Errors: "transport.dns", "transport.timeout".
  Awaitable<Result<std::vector<std::string>>> addresses_of(std::string host, std::chrono::milliseconds timeout);
  void close_idle();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace schakel::http
