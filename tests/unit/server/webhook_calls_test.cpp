#include "server/webhook_calls.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <thread>

#include "base/limits.hpp"
#include "http/run.hpp"
#include "sql/inline.hpp"

namespace schakel::server {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;

// Answers one call with a head and then as much body as the caller will take, up to `body_bytes`.
class Receiver {
 public:
  Receiver(std::string head, std::size_t body_bytes)
      : acceptor_(context_, {asio::ip::address_v4::loopback(), 0}), thread_([this, head, body_bytes] { answer(head, body_bytes); }) {}
  ~Receiver() { thread_.join(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/hook"; }
  // Octets of the body that left before the caller closed.
  std::size_t sent() const { return sent_; }
  bool was_closed() const { return closed_; }
  void wait() {
    for (int i = 0; i < 500 && !ended_; ++i) std::this_thread::sleep_for(10ms);
  }

 private:
  void answer(const std::string& head, std::size_t body_bytes) {
    asio::ip::tcp::socket socket(context_);
    acceptor_.accept(socket);
    std::string received;
    std::array<char, 1024> step;
    while (received.find("\r\n\r\n{}") == std::string::npos) received.append(step.data(), socket.read_some(asio::buffer(step)));
    boost::system::error_code problem;
    asio::write(socket, asio::buffer(head), problem);
    const std::string piece(16 * 1024, 'x');
    while (!problem && sent_ < body_bytes) sent_ += asio::write(socket, asio::buffer(piece), problem);
    if (!problem) socket.read_some(asio::buffer(step), problem);
    closed_ = static_cast<bool>(problem);
    ended_ = true;
  }

  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_;
  std::atomic<std::size_t> sent_{0};
  std::atomic<bool> closed_{false}, ended_{false};
  std::thread thread_;
};

class WebhookCallsTest : public ::testing::Test {
 protected:
  api::WebhookOutcome post(const std::string& url, std::vector<std::string> allowed = {"127.0.0.0/8"}) {
    api::WebhookCall call;
    call.tenant = "stad";
    call.url = url;
    call.headers.add("Content-Type", "application/json");
    call.body = "{}";
    call.allowed_networks = std::move(allowed);
    return asio::co_spawn(threads_.executor(), calls_.post(std::move(call)), asio::use_future).get();
  }

  SystemClock clock_;
  SystemRandom random_;
  Metrics metrics_;
  std::unique_ptr<sql::Database> database_ = sql::open_inline(":memory:").value();
  api::Webhooks webhooks_{{"a", {}, 120h}, {clock_, random_, silent_log(), metrics_, [](std::string_view) { return std::nullopt; }}};
  http::IoThreads threads_{1};
  http::Client client_{threads_.executor(), {}, clock_, silent_log(), metrics_};
  WebhookCalls calls_{webhooks_, *database_, client_, [](const api::WebhookCall&) { return fail("transport.tls", "none"); }, clock_, 5s};
};

// adapter.md section 4: 200 with an endless body: 64 KiB are read, the connection is closed, and the 2xx counts
TEST_F(WebhookCallsTest, AnEndlessAnswerIsCutAndCounts) {
  Receiver receiver("HTTP/1.1 200 OK\r\n\r\n", 512 * limits::MiB);
  const auto outcome = post(receiver.url());
  EXPECT_EQ(outcome.status, 200U);
  EXPECT_EQ(outcome.error_code, "");
  receiver.wait();
  EXPECT_TRUE(receiver.was_closed());
  EXPECT_LT(receiver.sent(), 64 * limits::MiB) << "more than the socket's buffers was taken";
}

// The same for an answer that announces its length: what is left of it is not waited for.
TEST_F(WebhookCallsTest, ALongAnswerIsCutAndCounts) {
  Receiver receiver("HTTP/1.1 202 Accepted\r\nContent-Length: 1073741824\r\n\r\n", 100 * 1024);
  const auto outcome = post(receiver.url());
  EXPECT_EQ(outcome.status, 202U);
  EXPECT_EQ(outcome.error_code, "");
  receiver.wait();
  EXPECT_TRUE(receiver.was_closed());
}

// ADP-107: never followed, and no success
TEST_F(WebhookCallsTest, ARedirectIsAnAnswerLikeAnother) {
  Receiver receiver("HTTP/1.1 301 Moved Permanently\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 0);
  EXPECT_EQ(post(receiver.url()).status, 301U);
  client_.close_idle();
}

// ADP-108: at every connect
TEST_F(WebhookCallsTest, AnAddressThatIsNotAllowedIsNotConnectedTo) {
  Receiver receiver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0);
  EXPECT_EQ(post(receiver.url(), {}).error_code, "transport.blockedAddress");
  EXPECT_EQ(post(receiver.url()).status, 200U) << "the first connection was the allowed one";
  client_.close_idle();
}

}  // namespace
}  // namespace schakel::server
