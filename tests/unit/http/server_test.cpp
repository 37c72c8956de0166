#include "http/server.hpp"

#include <gmock/gmock.h>

#include <boost/asio/use_awaitable.hpp>
#include <future>
#include <thread>

#include "base/json_library.hpp"
#include "http/stream.hpp"
#include "listening.hpp"

using namespace schakel;
using namespace schakel::http;
using namespace schakel::http::testing;
using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

namespace {

class ServerTest : public Listening {
 protected:
  // A handler that says that it ran.
  Handler counting(Handler inner = echo) {
    return [this, inner](Request& request) {
      ++handled;
      return inner(request);
    };
  }
  // The status of the one answer to these octets; the connection must end after it.
  unsigned refused(std::string_view octets) {
    RawClient raw(server->port());
    raw.send(octets);
    const auto response = raw.receive_until_closed();
    EXPECT_THAT(response, HasSubstr("Connection: close\r\n")) << octets;
    return status_of_response(response);
  }
  template <class Condition>
  static bool soon(Condition condition) {
    for (int i = 0; i < 500 && !condition(); ++i) std::this_thread::sleep_for(10ms);
    return condition();
  }
  std::atomic<int> handled = 0;
};

const std::string get = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

TEST_F(ServerTest, a_request_gets_the_handlers_answer) {
  RawClient raw(serve(echo));
  raw.send("POST /a%20b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  const auto response = raw.receive_response();
  EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\nDate: "));
  EXPECT_THAT(response, HasSubstr("Content-Length: 15\r\n"));
  EXPECT_THAT(response, HasSubstr("\r\n\r\nPOST /a b hello"));
}

// EB-006: keep-alive, and requests that come before their turn.
TEST_F(ServerTest, one_connection_carries_many_requests) {
  RawClient raw(serve(echo));
  for (int i = 0; i < 3; ++i) {
    raw.send(get);
    EXPECT_THAT(raw.receive_response(), HasSubstr("GET /x "));
  }
  raw.send(
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nAPOST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
      "chunked\r\n\r\n1\r\nB\r\n0\r\n\r\nGET /3 "
      "HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(raw.receive_response(), HasSubstr("POST /1 A"));
  EXPECT_THAT(raw.receive_response(), HasSubstr("POST /2 B"));
  EXPECT_THAT(raw.receive_response(), HasSubstr("GET /3 "));
  EXPECT_EQ(server->connections(), 1U);
}

// EB-006
TEST_F(ServerTest, a_body_comes_chunked_and_in_any_pieces) {
  RawClient raw(serve(echo));
  const std::string request =
      "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: u\r\n\r\n";
  for (const char octet : request) {
    raw.send(std::string_view(&octet, 1));
    std::this_thread::sleep_for(200us);
  }
  EXPECT_THAT(raw.receive_response(), HasSubstr("POST /c abcdefg"));
  raw.send(get);
  EXPECT_THAT(raw.receive_response(), HasSubstr("GET /x "));
}

// EB-006
TEST_F(ServerTest, a_client_that_expects_100_is_told_to_go_on) {
  RawClient raw(serve(echo));
  raw.send("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(raw.receive_response(), "HTTP/1.1 100 Continue\r\n\r\n");
  raw.send("body");
  EXPECT_THAT(raw.receive_response(), HasSubstr("POST /e body"));
}

TEST_F(ServerTest, a_body_that_is_already_there_needs_no_100) {
  RawClient raw(serve(echo));
  raw.send("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody");
  EXPECT_THAT(raw.receive_response(), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, a_handler_that_refuses_before_the_body_asks_for_none) {
  RawClient raw(serve([](Request&) -> Awaitable<Response> { co_return text(403, ""); }));
  raw.send("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  const auto response = raw.receive_until_closed();
  EXPECT_THAT(response, StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(response, HasSubstr("Connection: close"));
}

// EB-006: what EC's client sends on cleartext.
TEST_F(ServerTest, an_upgrade_to_h2c_is_ignored) {
  RawClient raw(serve(echo));
  raw.send(
      "POST /ebms HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
      "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
      "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
  EXPECT_THAT(raw.receive_response(), HasSubstr("POST /ebms hi"));
  raw.send(get);
  EXPECT_THAT(raw.receive_response(), HasSubstr("GET /x "));
}

// SEC-116, SEC-117, SEC-103
TEST_F(ServerTest, what_is_not_strict_http_gets_its_status_and_an_end_and_no_handler) {
  serve(counting());
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(refused(head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
            400U);
  EXPECT_EQ(refused(head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), 400U);
  EXPECT_EQ(refused(head + "X: a\r\n folded\r\n\r\n"), 400U);
  EXPECT_EQ(refused(head + "X : a\r\n\r\n"), 400U);
  EXPECT_EQ(refused("GET / HTTP/1.1\nHost: a\n\n"), 400U);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\n\r\n"), 400U);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400U);
  EXPECT_EQ(refused("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), 400U) << "TLS on a plain port";
  EXPECT_EQ(refused("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"), 414U);
  EXPECT_EQ(refused("GET /" + std::string(20'000, 'a')), 414U) << "without waiting for its end";
  EXPECT_EQ(refused(head + "X: " + std::string(9000, 'a') + "\r\n\r\n"), 431U);
  EXPECT_EQ(refused(head + "X: " + std::string(40'000, 'a')), 431U);
  EXPECT_EQ(refused("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"), 405U);
  EXPECT_EQ(refused("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"), 405U);
  EXPECT_EQ(refused(head + "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"), 415U);
  EXPECT_EQ(refused(head + "Expect: miracles\r\n\r\n"), 417U);
  EXPECT_EQ(refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505U);
  EXPECT_EQ(handled, 0);
  EXPECT_THAT(events.reasons(), Contains("SEC.HTTP.SYNTAX"));
}

// ADP-115: only 404 and 400, and no handler.
TEST_F(ServerTest, path_tricks_reach_no_handler) {
  serve(counting());
  for (const std::string target :
       {"//api/v1/messages", "/ebms/../api/v1/messages", "/%2e%2e/api/v1", "/ebms%2f..%2fapi", "/./api/v1", "/ebms/..;/../api"})
    EXPECT_EQ(refused("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"), 404U) << target;
  for (const std::string target : {"http://admin.test/api/v1", "*", "/%00", "/%"})
    EXPECT_EQ(refused("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"), 400U) << target;
  EXPECT_EQ(handled, 0);
}

// SEC-116: a bad chunk inside a body that a handler reads.
TEST_F(ServerTest, a_bad_chunk_is_400_and_the_end_whatever_the_handler_says) {
  serve([](Request& request) -> Awaitable<Response> {
    (void)co_await read_all(*request.body, 1000);
    co_return text(200, "fine");
  });
  EXPECT_EQ(refused("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n"), 400U);
  EXPECT_EQ(refused("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), 400U);
}

// SEC-117
TEST_F(ServerTest, a_body_over_the_limit_is_413_and_the_end) {
  auto chosen = options();
  chosen.body_bytes_max = 1000;
  serve(std::move(chosen), counting());
  EXPECT_EQ(refused("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n"), 413U) << "before any of it";
  EXPECT_EQ(refused("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n"), 413U);
  EXPECT_EQ(handled, 0);
  EXPECT_EQ(refused("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n"),
            413U)
      << "while it comes";
  RawClient raw(server->port());
  raw.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x'));
  EXPECT_EQ(status_of_response(raw.receive_response()), 200U);
}

// SEC-117: slowloris.
TEST_F(ServerTest, a_slow_head_is_408_and_the_end) {
  auto chosen = options();
  chosen.header_timeout = 100ms;
  serve(std::move(chosen), counting());
  RawClient raw(server->port());
  const auto begin = std::chrono::steady_clock::now();
  std::jthread drip([&](const std::stop_token& stop) {
    raw.send("GET / HTTP/1.1\r\n");
    while (!stop.stop_requested() && raw.send("X: y\r\n")) std::this_thread::sleep_for(20ms);
  });
  const auto response = raw.receive_until_closed();
  drip.request_stop();
  EXPECT_EQ(status_of_response(response), 408U);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_EQ(handled, 0);
  EXPECT_THAT(events.reasons(), ElementsAre("SEC.HTTP.TRAAG"));
}

// SEC-117
TEST_F(ServerTest, a_connection_that_never_asks_is_closed) {
  auto chosen = options();
  chosen.header_timeout = 50ms;
  RawClient raw(serve(std::move(chosen), echo));
  EXPECT_TRUE(raw.is_closed());
}

TEST_F(ServerTest, a_kept_alive_connection_is_closed_after_its_time) {
  auto chosen = options();
  chosen.keep_alive_timeout = 100ms;
  RawClient raw(serve(std::move(chosen), echo));
  raw.send(get);
  EXPECT_EQ(status_of_response(raw.receive_response()), 200U);
  EXPECT_TRUE(raw.is_closed());
}

// SEC-117
TEST_F(ServerTest, a_stalled_body_is_408_and_the_end) {
  auto chosen = options();
  chosen.body_idle_timeout = 100ms;
  serve(std::move(chosen), echo);
  EXPECT_EQ(refused("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"), 408U);
  EXPECT_THAT(events.reasons(), ElementsAre("SEC.HTTP.TRAAG"));
}

// SEC-117
TEST_F(ServerTest, a_body_that_keeps_coming_is_not_stalled) {
  auto chosen = options();
  chosen.body_idle_timeout = 300ms;
  RawClient raw(serve(std::move(chosen), echo));
  raw.send("POST /s HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n");
  for (const std::string_view octet : {"a", "b", "c", "d", "e", "f"}) {
    std::this_thread::sleep_for(100ms);
    raw.send(octet);
  }
  EXPECT_THAT(raw.receive_response(), HasSubstr("POST /s abcdef"));
}

// SEC-117
TEST(MinimumRate, holds_after_the_grace_and_over_the_waiting_time) {
  EXPECT_FALSE(is_below_minimum_rate(0, 29s));
  EXPECT_TRUE(is_below_minimum_rate(30 * 1024 - 1, 30s));
  EXPECT_FALSE(is_below_minimum_rate(30 * 1024, 30s));
  EXPECT_TRUE(is_below_minimum_rate(60'000, 60s));
}

TEST_F(ServerTest, a_body_that_breaks_off_is_told_to_the_handler) {
  std::promise<std::string> told;
  serve([&](Request& request) -> Awaitable<Response> {
    auto body = co_await read_all(*request.body, 1000);
    told.set_value(body ? "complete" : body.error().code);
    co_return text(200, "");
  });
  {
    RawClient raw(server->port());
    raw.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
  }
  EXPECT_EQ(told.get_future().get(), "http.bodyTruncated");
}

TEST_F(ServerTest, a_client_that_reads_nothing_does_not_hold_its_connection) {
  auto chosen = options();
  chosen.body_idle_timeout = 100ms;
  RawClient raw(serve(std::move(chosen), [](Request&) -> Awaitable<Response> { co_return text(200, std::string(64 << 20, 'x')); }));
  raw.send(get);
  EXPECT_TRUE(soon([&] { return server->connections() == 0; }));
}

TEST_F(ServerTest, head_and_204_have_no_body) {
  RawClient raw(serve([](Request& request) -> Awaitable<Response> { co_return text(request.path == "/204" ? 204 : 200, "content"); }));
  raw.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /204 HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const auto all = raw.receive_until_closed();
  const auto second = all.find("HTTP/1.1 204"), third = all.find("HTTP/1.1 200", 1);
  ASSERT_NE(second, std::string::npos);
  EXPECT_THAT(all.substr(0, second), HasSubstr("Content-Length: 7\r\n"));
  EXPECT_TRUE(all.substr(0, second).ends_with("\r\n\r\n"));
  EXPECT_THAT(all.substr(second, third - second), Not(HasSubstr("Content-Length")));
  EXPECT_TRUE(all.ends_with("\r\n\r\ncontent"));
}

TEST_F(ServerTest, a_streamed_answer_has_its_length_or_is_chunked) {
  RawClient raw(serve([](Request& request) -> Awaitable<Response> {
    Response response;
    response.stream = std::make_unique<StringReader>("streamed");
    if (request.path == "/sized") response.stream_bytes = 8;
    co_return response;
  }));
  raw.send("GET /sized HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(raw.receive_response().ends_with("Content-Length: 8\r\n\r\nstreamed"));
  raw.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(raw.receive_until_closed(), HasSubstr("Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n8\r\nstreamed\r\n0\r\n\r\n"));
}

TEST_F(ServerTest, an_http_1_0_client_gets_a_stream_that_ends_with_the_connection) {
  RawClient raw(serve([](Request&) -> Awaitable<Response> {
    Response response;
    response.stream = std::make_unique<StringReader>("streamed");
    co_return response;
  }));
  raw.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
  const auto response = raw.receive_until_closed();
  EXPECT_TRUE(response.ends_with("\r\n\r\nstreamed"));
  EXPECT_THAT(response, Not(HasSubstr("chunked")));
}

class BrokenReader final : public BodyReader {
 public:
  Awaitable<Result<std::size_t>> read(std::span<char> buffer) override {
    if (std::exchange(given_, true)) co_return fail("storage.unavailable", "gone");
    buffer[0] = 'x';
    co_return std::size_t{1};
  }

 private:
  bool given_ = false;
};

TEST_F(ServerTest, a_stream_that_fails_is_not_taken_for_complete) {
  RawClient raw(serve([](Request&) -> Awaitable<Response> {
    Response response;
    response.stream = std::make_unique<BrokenReader>();
    co_return response;
  }));
  raw.send(get);
  EXPECT_TRUE(raw.receive_until_closed().ends_with("1\r\nx\r\n")) << "no last chunk";
}

TEST_F(ServerTest, a_handler_that_throws_is_500_without_its_text) {
  serve([](Request&) -> Awaitable<Response> {
    throw std::runtime_error("secret");
    co_return Response();
  });
  RawClient raw(server->port());
  raw.send(get);
  const auto response = raw.receive_until_closed();
  EXPECT_EQ(status_of_response(response), 500U);
  EXPECT_THAT(response, Not(HasSubstr("secret")));
}

TEST_F(ServerTest, a_header_of_a_handler_cannot_split_the_answer) {
  RawClient raw(serve([](Request&) -> Awaitable<Response> {
    auto response = text(200, "ok");
    response.headers.add("X-Bad", "a\r\nSet-Cookie: b");
    response.headers.add("X Y", "c");
    response.headers.add("Content-Length", "999");
    response.headers.add("Transfer-Encoding", "chunked");
    co_return response;
  }));
  raw.send(get);
  const auto response = raw.receive_response();
  EXPECT_THAT(response, Not(HasSubstr("Set-Cookie")));
  EXPECT_THAT(response, Not(HasSubstr("X Y")));
  EXPECT_THAT(response, Not(HasSubstr("chunked")));
  EXPECT_THAT(response, HasSubstr("Content-Length: 2\r\n"));
}

TEST_F(ServerTest, a_small_body_that_nobody_read_does_not_end_the_connection_and_a_large_one_does) {
  RawClient raw(serve([](Request&) -> Awaitable<Response> { co_return text(200, "unread"); }));
  raw.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_THAT(raw.receive_response(), HasSubstr("unread"));
  raw.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  EXPECT_THAT(raw.receive_response(), HasSubstr("unread"));
  raw.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + std::string(100'000, 'x'));
  const auto response = raw.receive_until_closed();
  EXPECT_THAT(response, HasSubstr("Connection: close"));
  EXPECT_THAT(response, HasSubstr("unread"));
}

// SEC-117
TEST_F(ServerTest, connections_are_limited_in_total_and_per_address) {
  for (const bool total : {true, false}) {
    auto chosen = options();
    (total ? chosen.connections_max : chosen.connections_per_address_max) = 2;
    const auto port = serve(std::move(chosen), echo);
    RawClient first(port);
    auto second = std::make_unique<RawClient>(port);
    ASSERT_TRUE(soon([&] { return server->connections() == 2; }));
    RawClient third(port);
    EXPECT_TRUE(third.is_closed());
    second.reset();
    ASSERT_TRUE(soon([&] { return server->connections() == 1; }));
    RawClient fourth(port);
    fourth.send(get);
    EXPECT_EQ(status_of_response(fourth.receive_response()), 200U) << "who leaves makes room";
  }
  EXPECT_THAT(metrics.text(), HasSubstr("schakel_http_connections_refused_total{listener=\"external\",reason=\"address\"} 1"));
}

// SEC-038, WUS-004
TEST_F(ServerTest, a_connection_that_is_too_old_ends_with_its_answer) {
  auto chosen = options();
  chosen.connection_age_max = 0s;
  RawClient raw(serve(std::move(chosen), echo));
  raw.send(get);
  const auto response = raw.receive_until_closed();
  EXPECT_EQ(status_of_response(response), 200U);
  EXPECT_THAT(response, HasSubstr("Connection: close"));
}

TEST_F(ServerTest, draining_answers_what_runs_and_takes_nothing_new) {
  std::promise<void> arrived;
  serve([&](Request&) -> Awaitable<Response> {
    arrived.set_value();
    co_await sleep(200ms);
    co_return text(200, "done");
  });
  const auto port = server->port();
  RawClient running(port);
  running.send(get);
  arrived.get_future().get();
  EXPECT_EQ(server->requests_in_flight(), 1U);
  server->stop_accepting();
  const auto response = running.receive_until_closed();
  EXPECT_THAT(response, HasSubstr("done"));
  EXPECT_THAT(response, HasSubstr("Connection: close"));
  EXPECT_TRUE(soon([&] { return server->requests_in_flight() == 0; }));
  EXPECT_ANY_THROW(RawClient{port});
}

TEST_F(ServerTest, closing_ends_every_connection) {
  const auto port = serve(echo);
  RawClient idle(port), used(port);
  used.send(get);
  EXPECT_EQ(status_of_response(used.receive_response()), 200U);
  ASSERT_TRUE(soon([&] { return server->connections() == 2; }));
  server->close();
  EXPECT_TRUE(idle.is_closed());
  EXPECT_TRUE(used.is_closed());
  EXPECT_TRUE(soon([&] { return server->connections() == 0; }));
}

TEST_F(ServerTest, a_listener_that_cannot_bind_says_so) {
  const auto port = serve(echo);
  for (const auto& [address, taken] : {std::pair{"127.0.0.1", port}, std::pair{"no address", static_cast<unsigned short>(0)}}) {
    auto chosen = options();
    chosen.address = address;
    chosen.port = taken;
    Server second(threads.executor(), std::move(chosen), echo, Environment{clock, random, silent_log(), metrics});
    EXPECT_EQ(second.start().error().code, "listener.bind") << address;
  }
}

TEST_F(ServerTest, a_host_that_is_not_served_is_400_on_plain_http) {
  auto chosen = options();
  chosen.hosts = {"dk.voorbeeldstad.test"};
  serve(std::move(chosen), echo);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n"), 400U);
  RawClient raw(server->port());
  raw.send("GET / HTTP/1.1\r\nHost: DK.Voorbeeldstad.test:8080\r\n\r\n");
  EXPECT_EQ(status_of_response(raw.receive_response()), 200U);
}

TEST_F(ServerTest, a_request_has_the_callers_id_when_it_is_a_good_one_and_else_its_own) {
  RawClient raw(serve([](Request& request) -> Awaitable<Response> { co_return text(200, request.request_id); }));
  const auto id_for = [&](const std::string& field) {
    raw.send("GET / HTTP/1.1\r\nHost: a\r\n" + field + "\r\n");
    const auto response = raw.receive_response();
    return response.substr(response.find("\r\n\r\n") + 4);
  };
  EXPECT_EQ(id_for("X-Request-Id: zaak_17.a-B\r\n"), "zaak_17.a-B");
  EXPECT_TRUE(is_uuid(id_for("")));
  EXPECT_TRUE(is_uuid(id_for("X-Request-Id: a b\r\n")));
  EXPECT_TRUE(is_uuid(id_for("X-Request-Id: " + std::string(65, 'a') + "\r\n")));
}

// SEC-051, SEC-052, ADP-907
TEST_F(ServerTest, headers_that_only_a_proxy_or_we_may_set_are_removed) {
  RawClient raw(serve([](Request& request) -> Awaitable<Response> {
    std::string names;
    for (const auto& [name, value] : request.headers) names += name + " ";
    co_return text(200, names + (request.peer == nullptr ? "nobody" : "somebody"));
  }));
  raw.send(
      "GET / HTTP/1.1\r\nHost: a\r\nClient-Cert: :TGVhZg==:\r\nclient-cert-chain: :TGVhZg==:\r\nX-SSL-Client-Cert: x\r\nSchakel-Peer-Oin: "
      "00000099000000001000\r\nschakel-anything: y\r\nX-Other: z\r\n\r\n");
  EXPECT_TRUE(raw.receive_response().ends_with("\r\n\r\nHost X-Other nobody"));
  EXPECT_THAT(events.reasons(), ElementsAre("SEC.HTTP.HEADER_VERWIJDERD"));
}

TEST_F(ServerTest, own_apis_get_problems_for_what_the_server_refuses_and_others_get_nothing) {
  serve(echo);
  RawClient plain(server->port());
  plain.send("GET //x HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(plain.receive_until_closed().ends_with("\r\n\r\n"));
  auto chosen = options();
  chosen.problem_bodies = true;
  RawClient api(serve(std::move(chosen), echo));
  api.send("GET //x HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto response = api.receive_until_closed();
  EXPECT_THAT(response, HasSubstr("Content-Type: application/problem+json"));
  EXPECT_EQ(nlohmann::json::parse(response.substr(response.find("\r\n\r\n") + 4))["code"], "notFound");
}

TEST_F(ServerTest, requests_are_counted_by_listener_method_and_status) {
  RawClient raw(serve(echo));
  for (int i = 0; i < 2; ++i) {
    raw.send(get);
    raw.receive_response();
  }
  raw.send("BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n");
  raw.receive_response();
  raw.send("bad\r\n\r\n");
  raw.receive_until_closed();
  const auto text = metrics.text();
  EXPECT_THAT(text, HasSubstr("schakel_http_requests_total{listener=\"external\",method=\"GET\",status=\"200\"} 2"));
  EXPECT_THAT(text, HasSubstr("schakel_http_requests_total{listener=\"external\",method=\"other\",status=\"200\"} 1"));
  EXPECT_THAT(text, HasSubstr("schakel_http_requests_total{listener=\"external\",method=\"other\",status=\"400\"} 1"));
  EXPECT_THAT(text, HasSubstr("schakel_http_request_seconds_count{listener=\"external\"} 4"));
}

// SEC-050, SEC-051, ADP-907: the certificate comes from the proxy and is verified here.
class OffloadTest : public ServerTest {
 protected:
  ListenerOptions offload() {
    auto chosen = options();
    chosen.offload = true;
    chosen.verify_offloaded = [](const OffloadedCertificate& certificate, std::string_view) -> Result<security::PeerIdentity> {
      if (certificate.der != "Leaf") return fail("SEC.PKI.INGETROKKEN", "revoked");
      security::PeerIdentity peer;
      peer.oin = "00000099000000002000";
      return peer;
    };
    return chosen;
  }
};

Awaitable<Response> tell_oin(Request& request) {
  co_return text(200, request.peer == nullptr ? "nobody" : request.peer->oin);
}

TEST_F(OffloadTest, a_verified_header_is_the_identity_and_the_handler_does_not_see_it) {
  RawClient raw(serve(offload(), [](Request& request) -> Awaitable<Response> {
    co_return text(200, request.peer->oin + (request.headers.find("Client-Cert") ? " leaked" : ""));
  }));
  raw.send("GET / HTTP/1.1\r\nHost: a\r\nClient-Cert: :TGVhZg==:\r\n\r\n");
  EXPECT_TRUE(raw.receive_response().ends_with("\r\n\r\n00000099000000002000"));
}

TEST_F(OffloadTest, without_a_header_or_with_one_that_fails_the_answer_is_403_and_empty) {
  RawClient raw(serve(offload(), counting(tell_oin)));
  for (const std::string field :
       {"", "Client-Cert: :T3RoZXI=:\r\n", "Client-Cert: nonsense\r\n", "Schakel-Peer-Oin: 00000099000000002000\r\n"}) {
    raw.send("GET / HTTP/1.1\r\nHost: a\r\n" + field + "\r\n");
    const auto response = raw.receive_response();
    EXPECT_EQ(status_of_response(response), 403U) << field;
    EXPECT_TRUE(response.ends_with("\r\n\r\n")) << field;
  }
  EXPECT_EQ(handled, 0);
  EXPECT_THAT(events.reasons(), ElementsAre("SEC.TLS.GEEN_CERT", "SEC.PKI.INGETROKKEN"));
}

TEST_F(OffloadTest, one_request_never_has_the_identity_of_another_on_the_same_connection) {
  RawClient raw(serve(offload(), tell_oin));
  raw.send("GET / HTTP/1.1\r\nHost: a\r\nClient-Cert: :TGVhZg==:\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(status_of_response(raw.receive_response()), 200U);
  EXPECT_EQ(status_of_response(raw.receive_response()), 403U);
}

// SEC-005: the Host name stands in for the server name that the proxy saw.
TEST_F(OffloadTest, the_host_of_the_request_says_whose_it_is) {
  auto chosen = offload();
  std::string asked;
  chosen.verify_offloaded = [&](const OffloadedCertificate&, std::string_view host) -> Result<security::PeerIdentity> {
    asked = host;
    return security::PeerIdentity{};
  };
  RawClient raw(serve(std::move(chosen), [](Request& request) -> Awaitable<Response> { co_return text(200, request.sni); }));
  raw.send("GET / HTTP/1.1\r\nHost: Stad.Test:443\r\nClient-Cert: :TGVhZg==:\r\n\r\n");
  EXPECT_TRUE(raw.receive_response().ends_with("\r\n\r\nstad.test"));
  EXPECT_EQ(asked, "stad.test");
}

// SEC-066
TEST_F(ServerTest, an_address_outside_the_allowed_networks_gets_no_connection) {
  auto chosen = options();
  chosen.allowed_networks = {"10.0.0.0/8"};
  RawClient outside(serve(chosen, echo));
  outside.send(get);
  EXPECT_TRUE(outside.is_closed());
  EXPECT_THAT(events.reasons(), ElementsAre("SEC.HTTP.NETWERK"));
  chosen.allowed_networks = {"10.0.0.0/8", "127.0.0.0/8"};
  RawClient inside(serve(chosen, echo));
  inside.send(get);
  EXPECT_EQ(status_of_response(inside.receive_response()), 200U);
}

TEST_F(OffloadTest, a_listener_that_anybody_can_reach_does_not_start) {
  auto everywhere = offload();
  everywhere.address = "0.0.0.0";
  auto blind = offload();
  blind.verify_offloaded = nullptr;
  for (auto* chosen : {&everywhere, &blind}) {
    Server unsafe(threads.executor(), *chosen, tell_oin, Environment{clock, random, silent_log(), metrics});
    EXPECT_EQ(unsafe.start().error().code, "listener.bind");
  }
}

}  // namespace
