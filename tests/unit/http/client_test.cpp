#include "http/client.hpp"

#include <gmock/gmock.h>

#include <future>
#include <thread>

#include "base/bytes.hpp"
#include "listening.hpp"

using namespace schakel;
using namespace schakel::http;
using namespace schakel::http::testing;
using namespace std::chrono_literals;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

namespace {

// A server that does what a test says with each connection, one after the other, on a thread of its own.
class ScriptedServer {
 public:
  using Script = std::function<void(asio::ip::tcp::socket&)>;

  explicit ScriptedServer(Script script)
      : acceptor_(context_, {asio::ip::address_v4::loopback(), 0}), script_(std::move(script)), thread_([this] { run(); }) {}
  ~ScriptedServer() {
    ended_ = true;
    // Wakes the acceptor.
    boost::system::error_code ignored;
    asio::io_context context;
    asio::ip::tcp::socket knock(context);
    knock.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }
  unsigned short port() const { return acceptor_.local_endpoint().port(); }
  int connections() const { return connections_; }

  // Reads up to the end of a head and what came with it.
  static std::string read_head(asio::ip::tcp::socket& socket) {
    std::string received;
    boost::system::error_code problem;
    while (received.find("\r\n\r\n") == std::string::npos && !problem) {
      std::array<char, 1024> step;
      const auto count = socket.read_some(asio::buffer(step), problem);
      received.append(step.data(), count);
    }
    return received;
  }
  static void write(asio::ip::tcp::socket& socket, std::string_view octets) {
    boost::system::error_code ignored;
    asio::write(socket, asio::buffer(octets), ignored);
  }

 private:
  void run() {
    for (;;) {
      asio::ip::tcp::socket socket(context_);
      boost::system::error_code problem;
      acceptor_.accept(socket, problem);
      if (ended_ || problem) return;
      ++connections_;
      script_(socket);
    }
  }
  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_;
  Script script_;
  std::atomic<bool> ended_ = false;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

// Answers every connection once with these octets and closes it.
ScriptedServer::Script answers(std::string octets) {
  return [octets = std::move(octets)](asio::ip::tcp::socket& socket) {
    ScriptedServer::read_head(socket);
    ScriptedServer::write(socket, octets);
  };
}

class ClientTest : public Listening {
 protected:
  static std::string at(unsigned short port, std::string_view path = "/") {
    return "http://127.0.0.1:" + std::to_string(port) + std::string(path);
  }
  // The code of the error of a POST, and where it happened.
  std::string failure_of(ClientRequest request) {
    const auto answer = send(std::move(request));
    return answer ? "status " + std::to_string(answer->status) : answer.error().code + " " + answer.error().location;
  }
};

TEST_F(ClientTest, a_request_comes_back_with_its_answer) {
  const auto answer = send({.url = at(serve(echo), "/in?a=b"), .headers = {{"X-A", "b"}}, .body = "hello"});
  ASSERT_TRUE(answer) << answer.error().detail;
  EXPECT_EQ(answer->status, 200U);
  EXPECT_EQ(answer->headers.find("content-type"), "text/plain");
  EXPECT_EQ(answer->body, "POST /in hello");
}

TEST_F(ClientTest, the_request_on_the_wire_is_plain) {
  std::promise<std::string> seen;
  ScriptedServer peer([&](auto& socket) {
    seen.set_value(ScriptedServer::read_head(socket));
    ScriptedServer::write(socket, "HTTP/1.1 204 No Content\r\n\r\n");
  });
  EXPECT_TRUE(send(
      {.url = at(peer.port(), "/ebms"), .headers = {{"SOAPAction", "\"ebXML\""}, {"Host", "evil"}, {"Content-Length", "9"}}, .body = "x"}));
  EXPECT_EQ(seen.get_future().get(), "POST /ebms HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(peer.port()) +
                                         "\r\nSOAPAction: \"ebXML\"\r\nContent-Length: 1\r\n\r\nx");
}

TEST_F(ClientTest, a_header_cannot_split_the_request) {
  EXPECT_EQ(failure_of({.url = at(1), .headers = {{"X", "a\r\nY: b"}}}), "transport.invalid before");
  EXPECT_EQ(failure_of({.url = at(1), .headers = {{"X:", "a"}}}), "transport.invalid before");
  EXPECT_EQ(failure_of({.method = "GET /x", .url = at(1)}), "transport.invalid before");
  EXPECT_EQ(failure_of({.url = "http://user@a.test/"}), "transport.invalid before");
  EXPECT_EQ(failure_of({.url = "https://a.test/"}), "transport.invalid before") << "TLS without an identity";
}

// EB-104: connections are kept and used again.
TEST_F(ClientTest, requests_one_after_the_other_share_a_connection) {
  const auto port = serve(echo);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(send({.url = at(port)}));
  EXPECT_EQ(server->connections(), 1U);
  EXPECT_THAT(metrics.text(), HasSubstr("schakel_http_client_reuses_total 4"));
}

TEST_F(ClientTest, an_idle_connection_is_closed_after_its_time_and_an_old_one_is_not_used) {
  client({.idle_timeout = 40ms});
  const auto port = serve(echo);
  EXPECT_TRUE(send({.url = at(port)}));
  for (int i = 0; i < 200 && server->connections() > 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(server->connections(), 0U);
}

TEST_F(ClientTest, a_connection_over_its_age_is_not_used_again) {
  client({.connection_age_max = 0s});
  const auto port = serve(echo);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(send({.url = at(port)}));
  EXPECT_THAT(metrics.text(), HasSubstr("schakel_http_client_connections_total 3"));
}

// EB-104
TEST_F(ClientTest, a_kept_connection_that_was_closed_meanwhile_is_replaced) {
  ScriptedServer peer(answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(send({.url = at(peer.port()), .body = "m"})->body, "ok");
    std::this_thread::sleep_for(30ms);
  }
  EXPECT_EQ(peer.connections(), 3);
}

// EB-104: whatever was written may have been delivered, so nothing is sent twice.
TEST_F(ClientTest, a_connection_that_is_closed_after_the_request_is_not_replaced) {
  ScriptedServer peer([](auto& socket) { ScriptedServer::read_head(socket); });
  EXPECT_EQ(failure_of({.url = at(peer.port()), .body = "m"}), "transport.closed after");
  EXPECT_EQ(peer.connections(), 1);
  // The same on a kept-alive connection: the first answer keeps it, the second request is read and dropped.
  ScriptedServer second([](auto& socket) {
    ScriptedServer::read_head(socket);
    ScriptedServer::write(socket, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ScriptedServer::read_head(socket);
  });
  EXPECT_TRUE(send({.url = at(second.port()), .body = "m"}));
  EXPECT_EQ(failure_of({.url = at(second.port()), .body = "m"}), "transport.closed after");
  EXPECT_EQ(second.connections(), 1);
}

TEST_F(ClientTest, a_refused_connection_is_before) {
  unsigned short port = 0;
  {
    ScriptedServer gone(answers(""));
    port = gone.port();
  }
  EXPECT_EQ(failure_of({.url = at(port)}), "transport.connect before");
}

TEST_F(ClientTest, a_name_that_does_not_exist_is_before) {
  EXPECT_THAT(failure_of({.url = "http://no-such-host.invalid/", .connect_timeout = 2000ms}),
              AnyOf("transport.dns before", "transport.timeout before"));
}

// EB-013
TEST_F(ClientTest, no_answer_in_time_is_after) {
  std::promise<void> done;
  ScriptedServer peer([&, waiting = done.get_future().share()](auto& socket) {
    ScriptedServer::read_head(socket);
    ScriptedServer::write(socket, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    waiting.wait();
  });
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(failure_of({.url = at(peer.port()), .body = "m", .response_timeout = 100ms}), "transport.timeout after");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  done.set_value();
}

// EB-012
TEST_F(ClientTest, a_redirect_is_an_answer_and_is_not_followed) {
  ScriptedServer target(answers("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  ScriptedServer peer(answers("HTTP/1.1 307 Temporary Redirect\r\nLocation: " + at(target.port()) + "\r\nContent-Length: 0\r\n\r\n"));
  const auto answer = send({.url = at(peer.port()), .body = "m"});
  EXPECT_EQ(answer->status, 307U);
  EXPECT_EQ(answer->headers.find("Location"), at(target.port()));
  EXPECT_EQ(target.connections(), 0);
}

TEST_F(ClientTest, every_form_of_answer_is_read) {
  const auto body_of = [&](std::string octets, std::string method = "POST") {
    ScriptedServer peer(answers(std::move(octets)));
    const auto answer = send({.method = std::move(method), .url = at(peer.port())});
    return answer ? std::to_string(answer->status) + " " + answer->body : answer.error().code + " " + answer.error().location;
  };
  EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), "200 abc");
  EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\n\r\nuntil the end"), "200 until the end");
  EXPECT_EQ(body_of("HTTP/1.0 200 OK\r\n\r\nold"), "200 old");
  EXPECT_EQ(body_of("HTTP/1.1 204 No Content\r\n\r\n"), "204 ");
  EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD"), "200 ");
  EXPECT_EQ(body_of("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny"), "200 y");
  EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"), "transport.closed after");
  EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"), "transport.closed after");
  EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), "transport.invalid after");
  EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), "transport.invalid after");
  EXPECT_EQ(body_of("HTTP/1.1 101 Switching Protocols\r\n\r\n"), "transport.invalid after");
  EXPECT_EQ(body_of("SSH-2.0-OpenSSH\r\n"), "transport.closed after");
  EXPECT_EQ(body_of("nonsense\n"), "transport.invalid after");
  EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\nX: " + std::string(40'000, 'a')), "transport.invalid after");
  std::string endless;
  for (int i = 0; i < 20; ++i) endless += "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_EQ(body_of(endless), "transport.invalid after");
}

// SEC-119: an answer has a limit, with and without an announced length.
TEST_F(ClientTest, an_answer_over_the_limit_is_refused_or_cut) {
  for (const std::string& head : {std::string("Content-Length: 100\r\n"), std::string()}) {
    ScriptedServer peer(answers("HTTP/1.1 200 OK\r\n" + head + "\r\n" + std::string(100, 'x')));
    EXPECT_EQ(failure_of({.url = at(peer.port()), .response_bytes_max = 99}), "transport.tooLarge after");
    EXPECT_EQ(send({.url = at(peer.port()), .response_bytes_max = 100})->body.size(), 100U);
    EXPECT_EQ(send({.url = at(peer.port()), .response_bytes_max = 64, .cut_response = true})->body.size(), 64U);
  }
}

TEST_F(ClientTest, a_body_is_streamed_with_its_length) {
  const auto port = serve([](Request& request) -> Awaitable<Response> {
    auto body = co_await read_all(*request.body, 10 << 20);
    if (!body) co_return text(400, body.error().code);
    co_return text(200, std::to_string(request.content_length.value_or(0)) + " " + std::to_string(body->size()));
  });
  ClientRequest request{.url = at(port)};
  request.stream = [] { return std::make_unique<StringReader>(std::string(3'000'000, 'x')); };
  request.stream_bytes = 3'000'000;
  EXPECT_EQ(send(request)->body, "3000000 3000000");
  request.stream_bytes = 2'999'999;
  EXPECT_EQ(failure_of(request), "transport.invalid before");
  request.stream_bytes = 3'000'001;
  EXPECT_EQ(failure_of(request), "transport.invalid before");
}

// RFC 9112 7.1: what has no known length goes in chunks, as many as it is read in, and none at all
TEST_F(ClientTest, a_body_of_unknown_length_is_sent_in_chunks) {
  const auto port = serve([](Request& request) -> Awaitable<Response> {
    auto body = co_await read_all(*request.body, 10 << 20);
    if (!body) co_return text(400, body.error().code);
    co_return text(200,
                   std::string(request.content_length ? "sized " : "chunked ") + std::to_string(body->size()) + " " + sha256_hex(*body));
  });
  ClientRequest request{.url = at(port)};
  for (const std::size_t size : {0U, 1U, 65'536U, 300'001U}) {
    const std::string octets(size, 'x');
    request.stream = [&] { return std::make_unique<StringReader>(octets); };
    EXPECT_EQ(send(request)->body, "chunked " + std::to_string(size) + " " + sha256_hex(octets));
  }
}

class FailingReader final : public BodyReader {
 public:
  Awaitable<Result<std::size_t>> read(std::span<char>) override { co_return fail("storage.unavailable", "gone"); }
};

TEST_F(ClientTest, a_body_that_cannot_be_read_is_before) {
  ClientRequest request{.url = at(serve(echo)), .stream_bytes = 5};
  request.stream = [] { return std::make_unique<FailingReader>(); };
  EXPECT_EQ(failure_of(request), "storage.unavailable before");
}

TEST_F(ClientTest, an_answer_that_comes_before_the_request_is_complete_is_heard) {
  auto chosen = options();
  chosen.body_bytes_max = 1000;
  const auto port = serve(std::move(chosen), echo);
  EXPECT_EQ(send({.url = at(port), .body = std::string(30'000'000, 'x')})->status, 413U);
}

TEST_F(ClientTest, a_peer_that_breaks_off_while_we_send_is_before) {
  ScriptedServer peer([](auto& socket) {
    ScriptedServer::read_head(socket);
    const linger reset{1, 0};
    ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  });
  EXPECT_EQ(failure_of({.url = at(peer.port()), .body = std::string(30'000'000, 'x')}), "transport.closed before");
}

TEST_F(ClientTest, a_peer_that_takes_nothing_is_a_timeout_before) {
  std::promise<void> done;
  ScriptedServer peer([waiting = done.get_future().share()](auto&) { waiting.wait(); });
  EXPECT_EQ(failure_of({.url = at(peer.port()), .body = std::string(30'000'000, 'x'), .response_timeout = 100ms}),
            "transport.timeout before");
  done.set_value();
}

// ADP-108, SEC-119: no TCP connection is made.
TEST_F(ClientTest, a_guarded_request_reaches_no_special_address) {
  const auto port = serve(echo);
  const auto guarded = [&](std::string host, std::vector<std::string> allowed = {}) {
    return failure_of(
        {.url = "http://" + host + ":" + std::to_string(port) + "/", .guard_address = true, .allowed_networks = std::move(allowed)});
  };
  for (const auto* host : {"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "10.0.0.1", "192.168.1.1",
                           "[fe80::1]", "[fd00::1]"})
    EXPECT_EQ(guarded(host), "transport.blockedAddress before") << host;
  for (const auto* host : {"2130706433", "0x7f.1", "0177.0.0.1", "127.1"}) EXPECT_EQ(guarded(host), "transport.invalid before") << host;
  EXPECT_EQ(server->connections(), 0U);
  EXPECT_EQ(guarded("127.0.0.1", {"127.0.0.0/8"}), "status 200");
  // The kept-alive connection of an allowed request does not serve one that is not allowed.
  EXPECT_EQ(guarded("127.0.0.1"), "transport.blockedAddress before");
}

// ADP-908
TEST_F(ClientTest, a_proxy_is_asked_to_connect_but_not_for_excepted_hosts) {
  std::promise<std::string> asked, sent;
  ScriptedServer proxy([&](auto& socket) {
    asked.set_value(ScriptedServer::read_head(socket));
    ScriptedServer::write(socket, "HTTP/1.1 200 Connection established\r\n\r\n");
    sent.set_value(ScriptedServer::read_head(socket));
    ScriptedServer::write(socket, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy");
  });
  client({.proxy = "http://127.0.0.1:" + std::to_string(proxy.port()), .no_proxy = {"127.0.0.0/8", ".intern.test"}});
  EXPECT_EQ(send({.url = "http://partner.test/ebms", .body = "m"})->body, "proxy");
  EXPECT_THAT(asked.get_future().get(), StartsWith("CONNECT partner.test:80 HTTP/1.1\r\nHost: partner.test:80\r\n"));
  EXPECT_THAT(sent.get_future().get(), StartsWith("POST /ebms HTTP/1.1\r\nHost: partner.test\r\n"));
  EXPECT_EQ(send({.url = at(serve(echo), "/direct")})->body, "POST /direct ");
  EXPECT_EQ(proxy.connections(), 1);
}

// ADP-908: adapter.md 2.12 writes suffixes with a star.
TEST_F(ClientTest, a_suffix_may_be_written_with_a_star) {
  ScriptedServer proxy(answers("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
  client({.proxy = "http://127.0.0.1:" + std::to_string(proxy.port()), .no_proxy = {"*.localhost"}});
  EXPECT_EQ(failure_of({.url = "http://partner.test/"}), "transport.proxy before");
  EXPECT_EQ(proxy.connections(), 1);
  const auto direct = failure_of({.url = "http://app.localhost:1/"});
  EXPECT_NE(direct, "transport.proxy before");
  EXPECT_EQ(proxy.connections(), 1) << "not asked of the proxy";
}

// SEC-024: a proxy that tunnels to port 443 only still gives CRLs.
TEST_F(ClientTest, a_public_file_is_asked_of_the_proxy_itself) {
  std::promise<std::string> asked;
  ScriptedServer proxy([&](auto& socket) {
    asked.set_value(ScriptedServer::read_head(socket));
    ScriptedServer::write(socket, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ncrl");
  });
  const auto via = "http://127.0.0.1:" + std::to_string(proxy.port());
  EXPECT_EQ(send({.method = "GET", .url = "http://crl.test:8080/x.crl", .proxy = via, .proxy_forwards = true})->body, "crl");
  EXPECT_THAT(asked.get_future().get(), StartsWith("GET http://crl.test:8080/x.crl HTTP/1.1\r\nHost: crl.test:8080\r\n"));
}

// ADP-908
TEST_F(ClientTest, a_proxy_that_refuses_is_before) {
  ScriptedServer proxy(answers("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
  const auto via = "http://127.0.0.1:" + std::to_string(proxy.port());
  EXPECT_EQ(failure_of({.url = "http://partner.test/", .proxy = via}), "transport.proxy before");
  EXPECT_EQ(failure_of({.url = "http://partner.test/", .proxy = "https://proxy.test"}), "transport.invalid before");
  // A guarded request through a proxy is judged here and names the address that was judged.
  EXPECT_EQ(failure_of({.url = "http://127.0.0.1/", .guard_address = true, .proxy = via}), "transport.blockedAddress before");
}

TEST_F(ClientTest, many_requests_at_the_same_time_all_come_back) {
  const auto port = serve(echo);
  std::vector<std::future<Result<ClientResponse>>> running;
  for (int i = 0; i < 200; ++i)
    running.push_back(asio::co_spawn(threads.executor(), client().send({.url = at(port, "/" + std::to_string(i))}), asio::use_future));
  for (int i = 0; i < 200; ++i) {
    const auto answer = running[static_cast<std::size_t>(i)].get();
    ASSERT_TRUE(answer) << answer.error().code << " " << answer.error().detail;
    EXPECT_EQ(answer->body, "POST /" + std::to_string(i) + " ");
  }
}

}  // namespace
