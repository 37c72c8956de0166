#include "load_net.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

namespace schakel::bench {
namespace {

void send_at_once(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

Loop::Loop() : epoll_(epoll_create1(0)) {}

Loop::~Loop() {
  ::close(epoll_);
}

Connection& Loop::add(int fd, SSL* ssl, bool connecting) {
  auto connection = std::make_unique<Connection>(*this, fd, ssl, connecting);
  auto& out = *connection;
  connections_[fd] = std::move(connection);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT;
  event.data.fd = fd;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  return out;
}

void Loop::change(int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

void Loop::listen(unsigned short port, SSL_CTX* context, std::function<void(Connection&, Http)> on_message) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listener, 256) != 0) stop("cannot listen");
  listeners_[listener] = {context, std::move(on_message)};
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, listener, &event);
}

void Loop::run(const std::function<bool()>& done, Clock::time_point deadline) {
  std::array<epoll_event, 128> events{};
  while (!done() && Clock::now() < deadline) {
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (const auto listener = listeners_.find(fd); listener != listeners_.end()) {
        accept_all(fd, listener->second);
      } else if (const auto found = connections_.find(fd); found != connections_.end()) {
        found->second->step();
      }
    }
    for (const int fd : gone_) connections_.erase(fd);
    gone_.clear();
  }
}

void Loop::accept_all(int listener, const Listener& on) {
  for (;;) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
    if (fd < 0) return;
    send_at_once(fd);
    SSL* ssl = on.context != nullptr ? SSL_new(on.context) : nullptr;
    if (ssl != nullptr) {
      SSL_set_fd(ssl, fd);
      SSL_set_accept_state(ssl);
    }
    add(fd, ssl, false).on_message = on.on_message;
  }
}

void Connection::want(std::uint32_t events) {
  if (events == wanted_) return;
  wanted_ = events;
  loop_.change(fd_, events);
}

// The node may end a connection that nobody uses.
void Connection::closed(const char* what) {
  if (connecting_ && !idle) {
    ERR_print_errors_fp(stderr);
    stop(std::string("a connection to the node ended: ") + what);
  }
  loop_.remove(fd_);
}

bool Connection::handshake() {
  if (ssl_ == nullptr || SSL_is_init_finished(ssl_)) return true;
  ERR_clear_error();  // SSL_get_error looks at what earlier calls, for other connections too, left behind
  const int code = SSL_do_handshake(ssl_);
  if (code == 1) return true;
  const int error = SSL_get_error(ssl_, code);
  if (error == SSL_ERROR_WANT_READ) {
    want(EPOLLIN);
  } else if (error == SSL_ERROR_WANT_WRITE) {
    want(EPOLLIN | EPOLLOUT);
  } else {
    closed("handshake failed");
  }
  return false;
}

void Connection::step() {
  if (!handshake()) return;
  if (!ready_) {
    ready_ = true;
    want(EPOLLIN);
    if (on_ready) on_ready(*this);
  }
  flush();
  receive();
}

void Connection::flush() {
  while (written_ < out_.size()) {
    const auto left = out_.size() - written_;
    if (ssl_ != nullptr) {
      std::size_t count = 0;
      ERR_clear_error();
      if (SSL_write_ex(ssl_, out_.data() + written_, left, &count) != 1) {
        const int error = SSL_get_error(ssl_, 0);
        if (error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ) return closed("write failed");
        return want(EPOLLIN | EPOLLOUT);
      }
      written_ += count;
    } else {
      const auto count = ::send(fd_, out_.data() + written_, left, MSG_NOSIGNAL);
      if (count < 0) {
        if (errno != EAGAIN) return closed("write failed");
        return want(EPOLLIN | EPOLLOUT);
      }
      written_ += static_cast<std::size_t>(count);
    }
  }
  out_.clear();
  written_ = 0;
  if (ready_) want(EPOLLIN);
}

void Connection::receive() {
  std::array<char, 32768> buffer;  // not cleared: this is done for every few octets
  for (;;) {
    std::size_t count = 0;
    if (ssl_ != nullptr) {
      ERR_clear_error();
      if (SSL_read_ex(ssl_, buffer.data(), buffer.size(), &count) != 1) {
        const int error = SSL_get_error(ssl_, 0);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) break;
        return closed("read failed");
      }
    } else {
      const auto got = ::recv(fd_, buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EAGAIN) break;
      if (got <= 0) return closed("read failed");
      count = static_cast<std::size_t>(got);
    }
    in_.append(buffer.data(), count);
  }
  deliver();
}

std::string_view field(std::string_view head, std::string_view name) {
  const auto lower = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
  for (std::size_t at = head.find("\r\n"); at != head.npos; at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    if (line.size() > name.size() && std::equal(name.begin(), name.end(), line.begin(), [&](char n, char l) { return lower(l, n); }))
      return line.substr(name.size());
  }
  return {};
}

namespace {

// A chunked body that begins at `at`, and where it ends; nullopt: not all of it is here. Other implementations send their signals so.
std::optional<std::pair<std::string, std::size_t>> chunked(const std::string& in, std::size_t at) {
  std::string body;
  for (;;) {
    const auto line_end = in.find("\r\n", at);
    if (line_end == std::string::npos) return {};
    const std::size_t size = std::strtoul(in.c_str() + at, nullptr, 16);
    if (in.size() < line_end + 4 + size) return {};
    body.append(in, line_end + 2, size);
    at = line_end + 4 + size;
    if (size == 0) return std::pair(std::move(body), at);
  }
}

}  // namespace

void Connection::deliver() {
  for (;;) {
    const auto end = in_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    Http message{in_.substr(0, end), {}};
    std::size_t next = end + 4;
    if (field(message.head, "transfer-encoding:").find("chunked") != std::string_view::npos) {
      auto read = chunked(in_, next);
      if (!read) return;
      message.body = std::move(read->first);
      next = read->second;
    } else {
      const std::size_t length = std::strtoul(std::string(field(message.head, "content-length:")).c_str(), nullptr, 10);
      if (in_.size() < next + length) return;
      message.body = in_.substr(next, length);
      next += length;
    }
    in_.erase(0, next);
    if (on_message) on_message(*this, std::move(message));
  }
}

int connect_to(unsigned short port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) stop("cannot connect to port " + std::to_string(port));
  send_at_once(fd);
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

SSL_CTX* make_context(const SSL_METHOD* method, const Options& options) {
  SSL_CTX* context = SSL_CTX_new(method);
  if (SSL_CTX_use_certificate_chain_file(context, options.at("chain").c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, options.at("key").c_str(), SSL_FILETYPE_PEM) != 1) {
    stop("cannot load our certificate and key");
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);  // a load generator measures; it does not judge the node's certificate
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

}  // namespace schakel::bench
