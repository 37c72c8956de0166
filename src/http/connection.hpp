// One connection of a listener: handshake, then request after request. Private to http/.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "http/body.hpp"
#include "http/failure_log.hpp"
#include "http/server.hpp"
#include "http/stream.hpp"
#include "security/tls.hpp"

namespace schakel::http {

// The series of one listener, looked up once. Methods outside the list count as "other", so that labels stay bounded.
class RequestMetrics {
 public:
  RequestMetrics(Metrics&, std::string listener);
  void count(std::string_view method, unsigned status, double seconds);
  void count_handshake(double seconds) { handshake_seconds_.observe(seconds); }
  void count_handshake_failure(const std::string& reason);
  void count_refused_connection(const std::string& reason);

 private:
  static constexpr std::size_t statuses = 600;
  Metrics& metrics_;
  std::string listener_;
  Histogram& seconds_;
  Histogram& handshake_seconds_;
  std::array<std::array<std::atomic<Counter*>, statuses>, 8> requests_{};
};

// What all connections of a listener share. Immutable but for the atomics and what the mutex guards.
struct Listener {
  Listener(ListenerOptions, Handler, Environment);

  // Logs a refusal and hands it to the audit log, aggregated.
  void report(SecurityEvent event);

  const ListenerOptions options;
  const Handler handler;
  const Environment env;
  RequestMetrics metrics;
  std::atomic<bool> draining = false;
  std::atomic<std::size_t> requests_in_flight = 0;

 private:
  std::mutex mutex_;
  FailureLog failures_;
};

class Connection {
 public:
  Connection(std::shared_ptr<Listener> listener, asio::ip::tcp::socket socket, std::string address);

  // Until the connection ends.
  Awaitable<> run();
  // On the connection's strand.
  void abort();
  void check_revocation();                                           // SEC-028
  void end_if_made_with(const std::string& own_certificate_sha256);  // SEC-078

 private:
  struct Exchange;  // one request and what is known about it

  Awaitable<bool> handshake();
  Awaitable<Result<std::optional<std::size_t>>> receive_head();
  Awaitable<bool> serve_one();
  Awaitable<bool> refuse(Exchange&, const Error&);
  Awaitable<bool> finish(Exchange&, IncomingBody&, Response);
  Awaitable<Io> send(Exchange&, Response&, bool close);
  Awaitable<Io> send_stream(Response&, bool chunked);
  Awaitable<Response> answer(Request&);
  Result<> accept_head(Exchange&, BytesView head);
  Result<> accept_host(std::string_view host);
  Result<> take_identity(Exchange&);
  void take_headers(Exchange&, const std::vector<FieldView>& fields);
  Response refusal(const Exchange&, std::string_view code, std::string_view detail) const;
  void report(std::string_view reason, std::string_view detail);
  void record(const Exchange&, unsigned status);
  void log_refusal(const Exchange&, std::string_view code);
  bool is_too_old() const;

  const std::shared_ptr<Listener> listener_;
  const std::shared_ptr<Stream> stream_;
  const std::string address_;
  const Stream::Time begin_;
  security::HandshakeResult tls_;
  InputBuffer input_;
  std::string served_host_;  // the last Host that was found to be ours
  bool first_ = true;
  bool idle_ = false;
  bool revoked_ = false;
  bool ending_ = false;  // no request after the one that runs
};

}  // namespace schakel::http
