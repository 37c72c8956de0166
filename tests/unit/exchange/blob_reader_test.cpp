#include "exchange/blob_reader.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include "base/limits.hpp"
#include "exchange/blob.hpp"
#include "exchange/store.hpp"
#include "http/run.hpp"
#include "support/database.hpp"

namespace schakel::exchange {
namespace {

const Instant now = Instant(std::chrono::seconds(1'772'442'900));

class PiecesTest : public schakel::testing::DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(sql::migrate(*database, migrations()));
    const auto stored = database->commit([](sql::Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(write_chunk(tx, "blob", 0, std::string(limits::blob_chunk_bytes, 'a'), now));
      SCHAKEL_CHECK(write_chunk(tx, "blob", 1, "end", now));
      return {};
    });
    ASSERT_TRUE(stored);
  }
  Result<std::string> whole(const std::vector<Piece>& pieces) {
    const auto reader = read_pieces(*database, pieces);
    return boost::asio::co_spawn(io_.executor(), http::read_all(*reader, 10 * limits::MiB), boost::asio::use_future).get();
  }
  static Piece octets(std::string text) { return {.octets = std::move(text), .blob = {}, .size = 0}; }
  http::IoThreads io_{1};  // outlives the database (exchange/commit.hpp)

  static Piece blob(std::int64_t size) { return {.octets = {}, .blob = "blob", .size = size}; }
};

// EB-031, EB-102
TEST_P(PiecesTest, AreReadInOrderWithTheirBlobs) {
  const auto body = std::string(limits::blob_chunk_bytes, 'a') + "end";
  const auto size = static_cast<std::int64_t>(body.size());
  EXPECT_EQ(*whole({octets("<head>"), blob(size), octets(""), octets("--"), blob(size), octets("<tail>")}),
            "<head>" + body + "--" + body + "<tail>");
  EXPECT_EQ(*whole({}), "");
}

TEST_P(PiecesTest, ABlobThatIsNotOfItsSizeIsAnError) {
  const auto size = static_cast<std::int64_t>(limits::blob_chunk_bytes) + 3;
  for (const std::int64_t wrong : {std::int64_t{7}, size - 1, size + 1})
    EXPECT_EQ(whole({octets("<head>"), blob(wrong)}).error().code, "storage.failed") << wrong;
}

TEST_P(PiecesTest, APartOfABlobIsReadFromWhereItBegins) {
  const auto part = [&](std::int64_t first, std::int64_t bytes) {
    const auto reader = read_blob(*database, "blob", first, bytes);
    return boost::asio::co_spawn(io_.executor(), http::read_all(*reader, limits::MiB), boost::asio::use_future).get();
  };
  const auto full = static_cast<std::int64_t>(limits::blob_chunk_bytes);
  EXPECT_EQ(*part(full - 2, 4), "aaen");
  EXPECT_EQ(*part(full, 3), "end");
  EXPECT_EQ(*part(1, 2), "aa");
  EXPECT_EQ(*part(0, 0), "");
  EXPECT_EQ(part(full, 4).error().code, "storage.failed");
}

SCHAKEL_ON_BOTH_DATABASES(PiecesTest);

}  // namespace
}  // namespace schakel::exchange
