// Listeners: TLS or plain, strict HTTP/1.1, limits, drain.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "http/message.hpp"

namespace schakel::security {
class TlsServer;  // security/tls.hpp
}

namespace schakel::http {

struct ListenerOptions {
  std::string name;  // "external", "internal", "admin", "ops"
  std::string address = "127.0.0.1";
  unsigned short port = 0;                        // 0: any free port
  std::shared_ptr<security::TlsServer> tls;       // empty: plain HTTP
  std::vector<std::string> hosts;                 // accepted Host names; empty: all. Another one: 421 on TLS, 400 on plain
  std::size_t body_bytes_max;                     // 413 above it
  std::chrono::seconds connection_age_max{3600};  // SEC-038
  bool offload = false;                           // SEC-051: the client certificate comes in a header
};

struct Environment {
  const Clock& clock;
  Random& random;
  Log& log;
  Metrics& metrics;
};

// One listening socket. Connections run on `executor`'s threads, each on a strand of its own.
class Server {
 public:
  Server(asio::any_io_executor executor, ListenerOptions, Handler, Environment);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  Result<> start();             // binds; "listener.bind" when it cannot
  unsigned short port() const;  // the bound one
  void stop_accepting();        // drain: no new connection; running requests are answered with Connection: close
  std::size_t requests_in_flight() const;
  std::size_t connections() const;
  void close();  // ends every connection

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace schakel::http
