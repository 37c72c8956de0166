#include "http/server.hpp"

#include <gmock/gmock.h>

#include "listening.hpp"

using namespace schakel;
using namespace schakel::http;
using namespace schakel::http::testing;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

class ServerTest : public Listening {};

TEST_F(ServerTest, a_request_gets_the_handlers_answer) {
  RawClient raw(serve(echo));
  raw.send("POST /a%20b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  const auto response = raw.receive_response();
  EXPECT_THAT(response, HasSubstr("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(response, HasSubstr("Content-Length: 15\r\n"));
  EXPECT_THAT(response, HasSubstr("\r\n\r\nPOST /a b hello"));
}

}  // namespace
