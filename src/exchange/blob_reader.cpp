#include "exchange/blob_reader.hpp"

#include <algorithm>

#include "base/limits.hpp"
#include "exchange/blob.hpp"
#include "exchange/commit.hpp"

namespace schakel::exchange {
namespace {

using http::Awaitable;

class BlobReader final : public http::BodyReader {
 public:
  enum class Extent { part, whole };  // whole: nothing may follow

  BlobReader(sql::Database& database, std::string blob, std::int64_t first, std::int64_t bytes, Extent extent)
      : database_(database), blob_(std::move(blob)), extent_(extent), left_(bytes), skip_(first) {}

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
      SCHAKEL_TRY(octets, read_chunk(tx, blob_, number_));
      return {};
    }));
    const bool longer = extent_ == Extent::whole && static_cast<std::int64_t>(octets.size()) > left_;
    if (octets.empty() || longer) co_return fail("storage.failed", "a stored payload is not of its size");
    ++number_;
    chunk_ = std::move(octets);
    position_ = std::min(static_cast<std::size_t>(skip_), chunk_.size());
    skip_ = 0;
    co_return Result<>{};
  }

  sql::Database& database_;
  std::string blob_;
  Extent extent_;
  std::int64_t left_, skip_;
  std::int64_t number_ = 0;
  Bytes chunk_;
  std::size_t position_ = 0;
};

class PiecesReader final : public http::BodyReader {
 public:
  PiecesReader(sql::Database& database, std::span<const Piece> pieces) : database_(database), pieces_(pieces) {}

  Awaitable<Result<std::size_t>> read(std::span<char> buffer) override {
    for (; !pieces_.empty(); pieces_ = pieces_.subspan(1)) {
      if (!reader_) reader_ = open(pieces_.front());
      const auto count = co_await reader_->read(buffer);
      if (!count || *count > 0) co_return count;
      reader_.reset();
    }
    co_return std::size_t{0};
  }

 private:
  std::unique_ptr<http::BodyReader> open(const Piece& piece) {
    if (piece.blob.empty()) return std::make_unique<http::StringReader>(piece.octets);
    return std::make_unique<BlobReader>(database_, piece.blob, 0, piece.size, BlobReader::Extent::whole);
  }

  sql::Database& database_;
  std::span<const Piece> pieces_;
  std::unique_ptr<http::BodyReader> reader_;
};

}  // namespace

std::unique_ptr<http::BodyReader> read_blob(sql::Database& database, std::string blob, std::int64_t first, std::int64_t bytes) {
  return std::make_unique<BlobReader>(database, std::move(blob), first, bytes, BlobReader::Extent::part);
}

std::unique_ptr<http::BodyReader> read_pieces(sql::Database& database, std::span<const Piece> pieces) {
  return std::make_unique<PiecesReader>(database, pieces);
}

}  // namespace schakel::exchange
