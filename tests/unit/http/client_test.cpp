#include "http/client.hpp"

#include <gmock/gmock.h>

#include "listening.hpp"
#include "support/pki.hpp"

using namespace schakel;
using namespace schakel::http;
using namespace schakel::http::testing;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

namespace {

class ClientTest : public Listening {
 protected:
  static std::string local(unsigned short port, std::string_view path = "/") {
    return "http://127.0.0.1:" + std::to_string(port) + std::string(path);
  }
};

TEST_F(ClientTest, a_request_comes_back_with_its_answer) {
  const auto answer = send({.url = local(serve(echo), "/in"), .body = "hello"});
  ASSERT_TRUE(answer) << answer.error().detail;
  EXPECT_EQ(answer->status, 200U);
  EXPECT_EQ(answer->body, "POST /in hello");
}

class TlsTest : public ClientTest {
 protected:
  std::shared_ptr<security::TlsServer> tls_server() {
    const auto own = test::pki().tls("00000099000000001000", "Gemeente Voorbeeldstad", {"localhost"});
    return security::TlsServer::make({}, {{.key_pair = own.key_pair, .trust = test::pki().trust()}}, clock).value();
  }
  std::shared_ptr<security::TlsClient> tls_client() {
    const auto own = test::pki().tls("00000099000000002000", "Waterschap Voorbeeld", {"localhost"});
    return security::TlsClient::make({}, own.key_pair, test::pki().trust(), false, clock).value();
  }
  unsigned short serve_tls(Handler handler) {
    auto chosen = options();
    chosen.tls = tls_server();
    return serve(std::move(chosen), std::move(handler));
  }
  static std::string secure(unsigned short port) { return "https://localhost:" + std::to_string(port) + "/"; }
};

Awaitable<Response> tell_peer(Request& request) {
  co_return text(200, request.peer == nullptr ? "nobody" : request.peer->oin);
}

TEST_F(TlsTest, the_handler_sees_who_is_at_the_other_side) {
  const auto port = serve_tls(tell_peer);
  const auto answer = send({.url = secure(port), .tls = tls_client()});
  ASSERT_TRUE(answer) << answer.error().code << " " << answer.error().detail;
  EXPECT_EQ(answer->body, "00000099000000002000");
}

}  // namespace
