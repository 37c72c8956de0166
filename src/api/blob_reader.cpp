#include "api/blob_reader.hpp"

#include <algorithm>

#include "base/limits.hpp"
#include "exchange/blob.hpp"
#include "exchange/commit.hpp"

namespace schakel::api {
namespace {

using http::Awaitable;

class BlobReader final : public http::BodyReader {
 public:
  BlobReader(sql::Database& database, std::string blob, std::int64_t first, std::int64_t bytes)
      : database_(database), blob_(std::move(blob)), left_(bytes), skip_(first) {}

  Awaitable<Result<std::size_t>> read(std::span<char> buffer) override {
    if (left_ <= 0) co_return std::size_t{0};
    while (position_ == chunk_.size()) SCHAKEL_CO_CHECK(co_await next_chunk());
    const std::size_t count = std::min({buffer.size(), chunk_.size() - position_, static_cast<std::size_t>(left_)});
    std::copy_n(chunk_.data() + position_, count, buffer.data());
    position_ += count;
    left_ -= static_cast<std::int64_t>(count);
    co_return count;
  }

 private:
  Awaitable<Result<>> next_chunk() {
    // All chunks but the last are full (exchange/blob.hpp), so an offset is found without reading what comes before it.
    const auto full = static_cast<std::int64_t>(limits::blob_chunk_bytes);
    number_ += skip_ / full;
    skip_ %= full;
    Bytes octets;
    SCHAKEL_CO_CHECK(co_await exchange::read(database_, [&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(octets, exchange::read_chunk(tx, blob_, number_));
      return {};
    }));
    if (octets.empty()) co_return fail("storage.failed", "een payload is korter dan zijn maat");
    ++number_;
    chunk_ = std::move(octets);
    position_ = std::min(static_cast<std::size_t>(skip_), chunk_.size());
    skip_ = 0;
    co_return Result<>{};
  }

  sql::Database& database_;
  std::string blob_;
  std::int64_t left_, skip_;
  std::int64_t number_ = 0;
  Bytes chunk_;
  std::size_t position_ = 0;
};

}  // namespace

std::unique_ptr<http::BodyReader> read_blob(sql::Database& database, std::string blob, std::int64_t first, std::int64_t bytes) {
  return std::make_unique<BlobReader>(database, std::move(blob), first, bytes);
}

}  // namespace schakel::api
