#include "server/node_lease.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "http/run.hpp"
#include "support/database.hpp"

namespace schakel::server {
namespace {

using namespace std::chrono_literals;

class NodeLeaseTest : public schakel::testing::DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(sql::migrate(*database, exchange::migrations()));
  }
  NodeLease make(std::string name = "a") {
    return {*database, clock_, silent_log(), metrics, {.node = std::move(name), .heartbeat = 100ms, .lease = 400ms}};
  }
  std::vector<exchange::Node> nodes() {
    std::vector<exchange::Node> found;
    EXPECT_TRUE(database->read([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(found, exchange::nodes(tx));
      return {};
    }));
    return found;
  }

  SystemClock clock_;
  http::IoThreads io_{1};  // outlives the database (exchange/commit.hpp)
};

// adapter.md 3.11.1
TEST_P(NodeLeaseTest, ASecondProcessWithALiveNameIsRefused) {
  auto first = make(), second = make();
  ASSERT_TRUE(first.take(false));
  first.start(io_.executor());
  EXPECT_EQ(second.take(false).error().code, "node.nameInUse");
  EXPECT_FALSE(second.claimer());
  EXPECT_TRUE(make("b").take(false));
  first.stop();
}

// The lease of the configuration, not one of the store's own.
TEST_P(NodeLeaseTest, TheNameOfADeadProcessIsFreeAfterTheConfiguredLease) {
  auto killed = make(), next = make();
  ASSERT_TRUE(killed.take(false));
  const auto began = std::chrono::steady_clock::now();
  ASSERT_TRUE(next.take(false));
  const auto waited = std::chrono::steady_clock::now() - began;
  EXPECT_GE(waited, 300ms);
  EXPECT_LT(waited, 5s);
}

TEST_P(NodeLeaseTest, AReleasedNameIsFreeAtOnceUnderANewEpoch) {
  auto first = make(), second = make();
  ASSERT_TRUE(first.take(false));
  const auto epoch = first.claimer()->epoch;
  ASSERT_TRUE(first.release());
  EXPECT_FALSE(first.claimer());
  ASSERT_TRUE(second.take(false));
  EXPECT_GT(second.claimer()->epoch, epoch);
}

TEST_P(NodeLeaseTest, TheNameOfAProcessThatIsKnownToBeDeadIsTakenAtOnce) {
  auto killed = make();
  ASSERT_TRUE(killed.take(false));
  auto next = make();
  ASSERT_TRUE(next.take(true));
  EXPECT_GT(next.claimer()->epoch, killed.claimer()->epoch);
}

// ADP-901: fencing is decided on a clock that nobody can set back.
TEST_P(NodeLeaseTest, IsNotValidLongerThanItsLastRenewalAllows) {
  auto lease = make();
  ASSERT_TRUE(lease.take(false));
  EXPECT_TRUE(lease.claimer());
  std::this_thread::sleep_for(350ms);  // lease minus one heartbeat is 300 ms
  EXPECT_FALSE(lease.claimer());
}

TEST_P(NodeLeaseTest, HeartbeatsKeepIt) {
  auto lease = make();
  ASSERT_TRUE(lease.take(false));
  const auto taken_at = nodes().at(0).heartbeat_at;
  lease.start(io_.executor());
  for (int i = 0; i < 8; ++i) {
    std::this_thread::sleep_for(100ms);
    EXPECT_TRUE(lease.claimer());
  }
  lease.stop();
  EXPECT_GT(nodes().at(0).heartbeat_at, taken_at);
}

TEST_P(NodeLeaseTest, AHeartbeatSeesThatTheNodeIsAskedToDrainAndToResume) {
  auto lease = make();
  ASSERT_TRUE(lease.take(false));
  lease.start(io_.executor());
  for (const bool asked : {true, false}) {
    ASSERT_TRUE(database->commit([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(exchange::set_draining(tx, "a", asked));
      return {};
    }));
    for (int i = 0; i < 100 && lease.draining() != asked; ++i) std::this_thread::sleep_for(20ms);
    EXPECT_EQ(lease.draining(), asked);
  }
  lease.stop();
}

SCHAKEL_ON_BOTH_DATABASES(NodeLeaseTest);

TEST(FileLock, IsHeldByOneProcessAtATime) {
  const auto path = (std::filesystem::temp_directory_path() / ("schakel-lock-" + std::to_string(::getpid()))).string();
  auto first = FileLock::take(path);
  ASSERT_TRUE(first);
  EXPECT_EQ(FileLock::take(path).error().code, "node.nameInUse");
  first->reset();
  EXPECT_TRUE(FileLock::take(path));
  EXPECT_EQ(FileLock::take("/absent/lock").error().code, "storage.unavailable");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace schakel::server
