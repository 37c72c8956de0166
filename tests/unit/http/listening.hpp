// A server, a client and raw sockets on loopback for the tests of http/.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <mutex>
#include <string>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "http/client.hpp"
#include "http/run.hpp"
#include "http/server.hpp"

namespace schakel::http::testing {

template <class T>
T run(IoThreads& threads, Awaitable<T> task) {
  return asio::co_spawn(threads.executor(), std::move(task), asio::use_future).get();
}

// A blocking client that sends exactly the octets that a test wants.
class RawClient {
 public:
  explicit RawClient(unsigned short port) : socket_(context_) {
    socket_.connect({asio::ip::address_v4::loopback(), port});
    const timeval patience{10, 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  // False when the other side has closed.
  bool send(std::string_view octets) {
    boost::system::error_code problem;
    asio::write(socket_, asio::buffer(octets), problem);
    return !problem;
  }
  // Up to the end of one response with Content-Length or without body; empty when the connection ended.
  std::string receive_response() {
    while (received_.find("\r\n\r\n") == std::string::npos)
      if (!receive_some()) return {};
    const auto head_size = received_.find("\r\n\r\n") + 4;
    std::size_t body_size = 0;
    if (const auto field = received_.find("Content-Length: "); field < head_size) body_size = std::stoul(received_.substr(field + 16));
    while (received_.size() < head_size + body_size)
      if (!receive_some()) return {};
    auto response = received_.substr(0, head_size + body_size);
    received_.erase(0, response.size());
    return response;
  }
  std::string receive_until_closed() {
    while (receive_some()) {
    }
    return std::exchange(received_, {});
  }
  bool receive_some() {
    std::array<char, 4096> step;
    boost::system::error_code problem;
    const auto count = socket_.read_some(asio::buffer(step), problem);
    received_.append(step.data(), count);
    return !problem;
  }
  // The other side closes within the patience, and sends nothing more.
  bool is_closed() { return !receive_some() && received_.empty(); }
  void close() { socket_.close(); }
  asio::ip::tcp::socket& socket() { return socket_; }

 private:
  asio::io_context context_;
  asio::ip::tcp::socket socket_;
  std::string received_;
};

inline unsigned status_of_response(std::string_view response) {
  return response.size() < 12 ? 0 : static_cast<unsigned>(std::stoul(std::string(response.substr(9, 3))));
}

// What the audit hook was told.
class Events {
 public:
  void add(const SecurityEvent& event) {
    const std::lock_guard lock(mutex_);
    reasons_.push_back(event.reason);
    counts_.push_back(event.count);
  }
  std::vector<std::string> reasons() const {
    const std::lock_guard lock(mutex_);
    return reasons_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> reasons_;
  std::vector<std::uint64_t> counts_;
};

// Owns what a server and a client need. `serve` starts a listener; the handler is the test's.
class Listening : public ::testing::Test {
 protected:
  ListenerOptions options() {
    ListenerOptions made;
    made.name = "external";
    made.audit = [this](const SecurityEvent& event) { events.add(event); };
    return made;
  }
  unsigned short serve(Handler handler) { return serve(options(), std::move(handler)); }
  unsigned short serve(ListenerOptions chosen, Handler handler) {
    server.emplace(threads.executor(), std::move(chosen), std::move(handler), Environment{clock, random, silent_log(), metrics});
    const auto started = server->start();
    EXPECT_TRUE(started) << (started ? "" : started.error().detail);
    return server->port();
  }
  Client& client(Client::Options chosen = {}) {
    if (!client_) client_.emplace(threads.executor(), std::move(chosen), clock, silent_log(), metrics);
    return *client_;
  }
  Result<ClientResponse> send(ClientRequest request) { return run(threads, client().send(std::move(request))); }

  SystemClock clock;
  SystemRandom random;
  Metrics metrics;
  Events events;
  IoThreads threads{2};
  std::optional<Server> server;
  std::optional<Client> client_;
};

inline Response text(unsigned status, std::string body) {
  Response response;
  response.status = status;
  response.headers.add("Content-Type", "text/plain");
  response.body = std::move(body);
  return response;
}

// Answers with "METHOD path body".
inline Awaitable<Response> echo(Request& request) {
  auto body = co_await read_all(*request.body, 1 << 20);
  if (!body) co_return text(500, body.error().code);
  co_return text(200, request.method + " " + request.path + " " + *body);
}

}  // namespace schakel::http::testing
