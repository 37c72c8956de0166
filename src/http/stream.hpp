// One TCP connection, plain or TLS, as both server and client use it. Private to http/.
//
// OpenSSL works directly on the socket: no pair of memory BIOs and no fixed buffers, so that an idle TLS connection costs what OpenSSL
// itself keeps. All calls come from one strand.
#pragma once

#include <openssl/ssl.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <span>

#include "base/bytes.hpp"
#include "http/asio.hpp"

namespace schakel::http {

enum class Io {
  ok,
  closed,   // the other side ended in an orderly way
  timeout,  // the deadline passed
  failed    // reset, TLS failure, aborted
};

struct Transfer {
  Io status = Io::ok;
  std::size_t bytes = 0;
};

// SEC-117: 1 KiB/s, after a grace period, over the time that we waited for the other side.
bool is_below_minimum_rate(std::uint64_t bytes, std::chrono::steady_clock::duration waited);

class Stream : public std::enable_shared_from_this<Stream> {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Stream(asio::ip::tcp::socket socket);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  enum class Role { server, client };
  // False when memory is short. `context` is kept as long as the stream.
  bool attach_tls(std::shared_ptr<SSL_CTX> context, Role role);
  SSL* ssl() const { return ssl_; }
  asio::ip::tcp::socket& socket() { return socket_; }

  // Waits end with Io::timeout at `deadline`; operations that need no wait never fail on it.
  void set_deadline(Time deadline) { deadline_ = deadline; }

  Awaitable<Io> connect(asio::ip::tcp::endpoint);
  Awaitable<Io> handshake();
  // At least one octet, or another status than ok.
  Awaitable<Transfer> read_some(std::span<char> buffer);
  // Waits at most `idle` for the other side to take something, and not at all for one that takes less than the minimum rate of SEC-117.
  Awaitable<Io> write(BytesView first, BytesView second, std::chrono::milliseconds idle);
  // Until there is something to read; needs no buffer.
  Awaitable<Io> wait_readable();
  std::uint64_t bytes_written() const { return bytes_written_; }
  // Octets that came in so far, TLS only.
  std::uint64_t tls_bytes_received() const;
  // True when the other side closed or sent something unasked: an idle client connection that is no longer usable.
  bool is_stale();

  // Says goodbye (TLS close_notify, FIN) without waiting.
  void shutdown();
  // The same, and then reads what still comes, so that the other side sees our last answer instead of a reset.
  Awaitable<> linger();
  void close();
  // The reason of a TLS failure was an alert that the other side sent.
  bool alert_received() const { return alert_received_; }

 private:
  enum class Need { nothing, read, write };
  struct Attempt {
    Transfer transfer;
    Need need = Need::nothing;
  };
  Attempt try_read(std::span<char>);
  Attempt try_write(BytesView first, BytesView second);
  Attempt try_handshake();
  Attempt tls_outcome(int result);
  Awaitable<Io> wait(Need);
  void arm_timer();

  asio::ip::tcp::socket socket_;
  asio::steady_timer timer_;
  std::shared_ptr<SSL_CTX> context_;
  SSL* ssl_ = nullptr;
  Time deadline_ = Time::max();
  Time armed_for_ = Time::max();
  std::uint64_t bytes_written_ = 0;
  bool timer_armed_ = false;
  bool waiting_ = false;
  bool expired_ = false;
  bool alert_received_ = false;
  bool tls_broken_ = false;  // after a fatal TLS error SSL_shutdown may not be called
};

}  // namespace schakel::http
