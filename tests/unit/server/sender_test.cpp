#include "ebms/sender.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include "base/limits.hpp"
#include "exchange/blob.hpp"
#include "exchange/store.hpp"
#include "http/run.hpp"
#include "support/database.hpp"

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;

const Instant now = Instant(std::chrono::seconds(1'772'442'900));  // Mon, 02 Mar 2026 09:15:00 GMT

// README section 7: obeyed everywhere, at most 24 h.
TEST(RetryAfter, IsSecondsOrADate) {
  EXPECT_EQ(retry_after("120", now), Duration(120s));
  EXPECT_EQ(retry_after("0", now), Duration(0));
  EXPECT_EQ(retry_after("999999999999", now), Duration(24h));
  EXPECT_EQ(retry_after("Mon, 02 Mar 2026 09:20:00 GMT", now), Duration(5min));
  EXPECT_EQ(retry_after("Mon, 02 Mar 2026 09:00:00 GMT", now), Duration(0)) << "past";
  EXPECT_EQ(retry_after("Tue, 02 Mar 2027 09:00:00 GMT", now), Duration(24h));
  for (const char* wrong : {"", "-1", "soon", "120s", "Mon, 02 Mar 2026"}) EXPECT_EQ(retry_after(wrong, now), std::nullopt) << wrong;
}

class PiecesTest : public schakel::testing::DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(sql::migrate(*database, exchange::migrations()));
    const auto stored = database->commit([](sql::Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(exchange::write_chunk(tx, "blob", 0, std::string(limits::blob_chunk_bytes, 'a'), now));
      SCHAKEL_CHECK(exchange::write_chunk(tx, "blob", 1, "end", now));
      return {};
    });
    ASSERT_TRUE(stored);
  }
  Result<std::string> whole(const std::vector<Attempt::Piece>& pieces) {
    const auto reader = read_pieces(pieces, *database);
    return boost::asio::co_spawn(io_.executor(), http::read_all(*reader, 10 * limits::MiB), boost::asio::use_future).get();
  }
  static Attempt::Piece octets(std::string text) { return {.octets = std::move(text), .blob = {}, .size = 0}; }
  http::IoThreads io_{1};  // outlives the database (exchange/commit.hpp)

  static Attempt::Piece blob(std::int64_t size) { return {.octets = {}, .blob = "blob", .size = size}; }
};

// EB-031, EB-102
TEST_P(PiecesTest, AreReadInOrderWithTheirBlobs) {
  const auto body = std::string(limits::blob_chunk_bytes, 'a') + "end";
  const auto size = static_cast<std::int64_t>(body.size());
  EXPECT_EQ(*whole({octets("<head>"), blob(size), octets(""), octets("--"), blob(size), octets("<tail>")}),
            "<head>" + body + "--" + body + "<tail>");
  EXPECT_EQ(*whole({}), "");
}

TEST_P(PiecesTest, APayloadThatIsNotWholeIsAnError) {
  EXPECT_EQ(whole({octets("<head>"), blob(7)}).error().code, "storage.failed");
}

SCHAKEL_ON_BOTH_DATABASES(PiecesTest);

}  // namespace
}  // namespace schakel::ebms
