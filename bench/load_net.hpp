// The sockets of schakel-load: one thread, epoll and OpenSSL, and just enough HTTP/1.1 to hand on whole messages.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "load_text.hpp"

namespace schakel::bench {

struct Http {
  std::string head, body;
};

class Loop;

// One connection: plain or TLS, client or server; hands whole HTTP messages to `on_message`.
class Connection {
 public:
  Connection(Loop& loop, int fd, SSL* ssl, bool connecting) : loop_(loop), fd_(fd), ssl_(ssl), connecting_(connecting) {}
  ~Connection() {
    if (ssl_ != nullptr) SSL_free(ssl_);
    ::close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  std::function<void(Connection&, Http)> on_message;
  std::function<void(Connection&)> on_ready;
  Clock::time_point began;  // of what is asked now
  std::string asked;        // its id

  int fd() const { return fd_; }
  void send(std::string octets) {
    if (out_.empty()) {
      out_ = std::move(octets);
    } else {
      out_ += octets;
    }
    flush();
  }
  void step();
  bool idle = false;  // nothing is asked and nothing will be: its end matters to nobody

 private:
  bool handshake();
  void flush();
  void receive();
  void deliver();
  void want(std::uint32_t events);
  void closed(const char* what);

  Loop& loop_;
  int fd_;
  SSL* ssl_;
  bool connecting_;
  bool ready_ = false;
  std::string in_, out_;
  std::size_t written_ = 0;
  std::uint32_t wanted_ = 0;
};

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  Connection& add(int fd, SSL*, bool connecting);
  void change(int fd, std::uint32_t events);
  void remove(int fd) { gone_.push_back(fd); }

  // `context` null: plain HTTP.
  void listen(unsigned short port, SSL_CTX* context, std::function<void(Connection&, Http)> on_message);

  // Runs until `done` or the deadline.
  void run(const std::function<bool()>& done, Clock::time_point deadline);

 private:
  struct Listener {
    SSL_CTX* context;
    std::function<void(Connection&, Http)> on_message;
  };
  void accept_all(int fd, const Listener&);

  int epoll_;
  std::map<int, Listener> listeners_;
  std::map<int, std::unique_ptr<Connection>> connections_;
  std::vector<int> gone_;
};

// The value of a header field, not trimmed; empty when absent. `name` in lower case, with its colon.
std::string_view field(std::string_view head, std::string_view name);

// Of this machine; stops when nobody listens.
int connect_to(unsigned short port);
// With the certificate and key of the options `chain` and `key`.
SSL_CTX* make_context(const SSL_METHOD*, const Options&);

}  // namespace schakel::bench
