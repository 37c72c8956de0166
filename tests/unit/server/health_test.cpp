#include "server/health.hpp"
#include "base/json_library.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace schakel::server {
namespace {

using namespace std::chrono_literals;
using Status = HealthCheck::Status;

nlohmann::json body_of(const http::Response& response) {
  return nlohmann::json::parse(response.body);
}

// ADP-601
TEST(Health, PassesWhenEveryCheckPasses) {
  const auto response = health_response({{.name = "database"}, {.name = "clock"}}, "1.2.3");
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.headers.find("Content-Type"), "application/health+json");
  EXPECT_EQ(body_of(response)["status"], "pass");
  EXPECT_EQ(body_of(response)["checks"]["database"][0]["status"], "pass");
  EXPECT_EQ(body_of(response)["releaseId"], "1.2.3");
}

// ADP-601
TEST(Health, IsReadyWithAWarningAndNotWithAFailure) {
  const auto warned = health_response({{.name = "keys", .status = Status::warn, .output = "expires"}, {.name = "database"}}, "1");
  EXPECT_EQ(warned.status, 200U);
  EXPECT_EQ(body_of(warned)["status"], "warn");
  const auto failed = health_response(
      {{.name = "database", .status = Status::fail, .output = "lost"}, {.name = "keys", .status = Status::warn, .output = "x"}}, "1");
  EXPECT_EQ(failed.status, 503U);
  EXPECT_EQ(body_of(failed)["status"], "fail");
  EXPECT_EQ(body_of(failed)["checks"]["database"][0]["output"], "lost");
}

class ClockWatchTest : public testing::Test {
 protected:
  std::chrono::system_clock::time_point own_{1000h};
  std::chrono::steady_clock::time_point steady_{1h};
  ClockWatch watch_;
};

// SEC-100, ADP-504
TEST_F(ClockWatchTest, WarnsAboveOneSecondAndIsNotReadyAboveThirty) {
  watch_.observe(own_, steady_, own_ - 1s);
  EXPECT_EQ(watch_.check().status, Status::pass);
  watch_.observe(own_, steady_, own_ + 1500ms);
  EXPECT_EQ(watch_.check().status, Status::warn);
  watch_.observe(own_, steady_, own_ - 30s);
  EXPECT_EQ(watch_.check().status, Status::warn);
  watch_.observe(own_, steady_, own_ - 31s);
  EXPECT_EQ(watch_.check().status, Status::fail);
  EXPECT_DOUBLE_EQ(watch_.offset_seconds(), 31);
}

TEST_F(ClockWatchTest, KeepsTheLastOffsetWhenTheDatabaseIsNotAsked) {
  watch_.observe(own_, steady_, own_ - 31s);
  watch_.observe(own_ + 1s, steady_ + 1s, std::nullopt);
  EXPECT_EQ(watch_.check().status, Status::fail);
}

// SEC-100
TEST_F(ClockWatchTest, NoticesAJumpBackOfMoreThanThirtySeconds) {
  EXPECT_FALSE(watch_.observe(own_, steady_, std::nullopt));
  EXPECT_FALSE(watch_.observe(own_ + 10s, steady_ + 10s, std::nullopt));
  EXPECT_FALSE(watch_.observe(own_ - 10s, steady_ + 20s, std::nullopt)) << "30 s is allowed";
  EXPECT_TRUE(watch_.observe(own_ - 40s, steady_ + 30s, std::nullopt));
}

}  // namespace
}  // namespace schakel::server
