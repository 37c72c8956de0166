#include "http/stream.hpp"

#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

#include "base/limits.hpp"

namespace schakel::http {
namespace {

constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds linger_timeout{2};
constexpr std::size_t linger_bytes_max = 4 * limits::MiB;
// A small answer goes out as one TLS record; larger ones are not worth the copy.
constexpr std::size_t joined_bytes_max = 16 * limits::KiB;

// A BIO on a socket that never raises SIGPIPE.
int socket_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int bio_write(BIO* bio, const char* bytes, int count) {
  BIO_clear_retry_flags(bio);
  const auto sent = ::send(socket_of(bio), bytes, static_cast<std::size_t>(count), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* bytes, int count) {
  BIO_clear_retry_flags(bio);
  const auto received = ::recv(socket_of(bio), bytes, static_cast<std::size_t>(count), 0);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  if (received == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(received);
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return 0;
}

BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "socket without SIGPIPE");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

}  // namespace

Stream::Stream(asio::ip::tcp::socket socket) : socket_(std::move(socket)), timer_(socket_.get_executor()) {
  if (socket_.is_open()) {
    boost::system::error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  }
}

Stream::~Stream() {
  SSL_free(ssl_);
}

bool Stream::attach_tls(std::shared_ptr<SSL_CTX> context, Role role) {
  context_ = std::move(context);
  ssl_ = SSL_new(context_.get());
  BIO* bio = BIO_new(socket_method());
  if (ssl_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    return false;
  }
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket_.native_handle())));
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_mode(ssl_, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_set_read_ahead(ssl_, 1);
  if (role == Role::server) {
    SSL_set_accept_state(ssl_);
  } else {
    SSL_set_connect_state(ssl_);
  }
  return true;
}

// The timer is armed for the earliest deadline that was waited for and looks at the current one when it fires, so a request that moves
// its deadline costs one store and no timer operation.
void Stream::arm_timer() {
  if (deadline_ == Time::max() || (timer_armed_ && armed_for_ <= deadline_)) return;
  timer_armed_ = true;
  armed_for_ = deadline_;
  timer_.expires_at(deadline_);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& problem) {
    const auto self = weak.lock();
    if (!self || problem) return;
    self->timer_armed_ = false;
    if (!self->waiting_) return;
    if (std::chrono::steady_clock::now() < self->deadline_) return self->arm_timer();
    self->expired_ = true;
    boost::system::error_code ignored;
    self->socket_.cancel(ignored);
  });
}

Awaitable<Io> Stream::wait(Need need) {
  expired_ = false;
  waiting_ = true;
  arm_timer();
  const auto what = need == Need::read ? asio::ip::tcp::socket::wait_read : asio::ip::tcp::socket::wait_write;
  const auto [problem] = co_await socket_.async_wait(what, use_tuple);
  waiting_ = false;
  if (expired_) co_return Io::timeout;
  co_return problem ? Io::failed : Io::ok;
}

Awaitable<Io> Stream::connect(asio::ip::tcp::endpoint endpoint) {
  boost::system::error_code problem;
  socket_.open(endpoint.protocol(), problem);
  if (problem) co_return Io::failed;
  socket_.non_blocking(true, problem);
  socket_.set_option(asio::ip::tcp::no_delay(true), problem);
  expired_ = false;
  waiting_ = true;
  arm_timer();
  const auto [outcome] = co_await socket_.async_connect(endpoint, use_tuple);
  waiting_ = false;
  if (expired_) co_return Io::timeout;
  co_return outcome ? Io::failed : Io::ok;
}

Stream::Attempt Stream::tls_outcome(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return {{}, Need::read};
    case SSL_ERROR_WANT_WRITE:
      return {{}, Need::write};
    case SSL_ERROR_ZERO_RETURN:
      return {{Io::closed, 0}, Need::nothing};
    default:
      break;
  }
  tls_broken_ = true;
  const auto code = ERR_peek_last_error();
  alert_received_ = ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET;
  return {{Io::failed, 0}, Need::nothing};
}

Stream::Attempt Stream::try_handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  return result == 1 ? Attempt{} : tls_outcome(result);
}

Stream::Attempt Stream::try_read(std::span<char> buffer) {
  if (ssl_ != nullptr) {
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_read_ex(ssl_, buffer.data(), buffer.size(), &count);
    return result == 1 ? Attempt{{Io::ok, count}, Need::nothing} : tls_outcome(result);
  }
  for (;;) {
    const auto count = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), 0);
    if (count > 0) return {{Io::ok, static_cast<std::size_t>(count)}, Need::nothing};
    if (count == 0) return {{Io::closed, 0}, Need::nothing};
    if (errno == EAGAIN) return {{}, Need::read};
    if (errno != EINTR) return {{Io::failed, 0}, Need::nothing};
  }
}

Stream::Attempt Stream::try_write(BytesView first, BytesView second) {
  if (ssl_ != nullptr) {
    const BytesView bytes = first.empty() ? second : first;
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &count);
    return result == 1 ? Attempt{{Io::ok, count}, Need::nothing} : tls_outcome(result);
  }
  std::array<iovec, 2> parts{};
  std::size_t parts_count = 0;
  for (const BytesView part : {first, second})
    if (!part.empty()) parts[parts_count++] = {const_cast<char*>(part.data()), part.size()};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts_count;
  for (;;) {
    const auto count = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL);
    if (count >= 0) return {{Io::ok, static_cast<std::size_t>(count)}, Need::nothing};
    if (errno == EAGAIN) return {{}, Need::write};
    if (errno != EINTR) return {{Io::failed, 0}, Need::nothing};
  }
}

Awaitable<Io> Stream::handshake() {
  for (;;) {
    const auto attempt = try_handshake();
    if (attempt.need == Need::nothing) co_return attempt.transfer.status;
    if (const Io waited = co_await wait(attempt.need); waited != Io::ok) co_return waited;
  }
}

Awaitable<Transfer> Stream::read_some(std::span<char> buffer) {
  for (;;) {
    const auto attempt = try_read(buffer);
    if (attempt.need == Need::nothing) co_return attempt.transfer;
    if (const Io waited = co_await wait(attempt.need); waited != Io::ok) co_return Transfer{waited, 0};
  }
}

Awaitable<Io> Stream::write(BytesView first, BytesView second, std::chrono::milliseconds idle) {
  std::string joined;
  if (ssl_ != nullptr && !first.empty() && !second.empty() && first.size() + second.size() <= joined_bytes_max) {
    joined.reserve(first.size() + second.size());
    joined.append(first).append(second);
    first = joined;
    second = {};
  }
  std::chrono::steady_clock::duration waited{0};
  std::uint64_t written = 0;
  while (!first.empty() || !second.empty()) {
    const auto attempt = try_write(first, second);
    if (attempt.need != Need::nothing) {
      if (is_below_minimum_rate(written, waited)) co_return Io::timeout;
      const auto begin = std::chrono::steady_clock::now();
      set_deadline(begin + idle);
      if (const Io outcome = co_await wait(attempt.need); outcome != Io::ok) co_return outcome;
      waited += std::chrono::steady_clock::now() - begin;
      continue;
    }
    if (attempt.transfer.status != Io::ok) co_return Io::failed;
    const std::size_t from_first = std::min(first.size(), attempt.transfer.bytes);
    first.remove_prefix(from_first);
    second.remove_prefix(attempt.transfer.bytes - from_first);
    written += attempt.transfer.bytes;
    bytes_written_ += attempt.transfer.bytes;
  }
  co_return Io::ok;
}

bool is_below_minimum_rate(std::uint64_t bytes, std::chrono::steady_clock::duration waited) {
  if (waited < limits::http_body_rate_grace) return false;
  const auto seconds = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(waited).count());
  return bytes < seconds * limits::http_body_bytes_per_second_min;
}

std::uint64_t Stream::tls_bytes_received() const {
  return ssl_ == nullptr ? 0 : BIO_number_read(SSL_get_rbio(ssl_));
}

Awaitable<Io> Stream::wait_readable() {
  if (ssl_ != nullptr && SSL_has_pending(ssl_) == 1) co_return Io::ok;
  co_return co_await wait(Need::read);
}

bool Stream::is_stale() {
  char octet = 0;
  if (ssl_ != nullptr) {
    // Reads pending TLS records (a session ticket is no application data) without taking application octets.
    ERR_clear_error();
    std::size_t count = 0;
    if (SSL_peek_ex(ssl_, &octet, 1, &count) == 1) return true;
    return tls_outcome(0).need != Need::read;
  }
  return ::recv(socket_.native_handle(), &octet, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

void Stream::shutdown() {
  if (!socket_.is_open()) return;
  if (ssl_ != nullptr && !tls_broken_ && SSL_is_init_finished(ssl_) == 1) {
    ERR_clear_error();
    SSL_shutdown(ssl_);
  }
  boost::system::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

Awaitable<> Stream::linger() {
  shutdown();
  set_deadline(std::chrono::steady_clock::now() + linger_timeout);
  std::array<char, 4096> discarded;
  std::size_t total = 0;
  while (socket_.is_open() && total < linger_bytes_max) {
    // Below TLS: nobody reads it.
    const auto count = ::recv(socket_.native_handle(), discarded.data(), discarded.size(), MSG_DONTWAIT);
    if (count > 0) {
      total += static_cast<std::size_t>(count);
      continue;
    }
    if (count == 0 || errno != EAGAIN) break;
    if (const Io outcome = co_await wait(Need::read); outcome != Io::ok) break;
  }
}

void Stream::close() {
  timer_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace schakel::http
