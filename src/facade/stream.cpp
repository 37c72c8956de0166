#include "facade/stream.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "ebms/mime.hpp"
#include "exchange/blob_reader.hpp"

namespace schakel::facade {
namespace {

using http::Awaitable;

class Pieces final : public TextReader {
 public:
  Pieces(sql::Database& database, std::vector<Piece> pieces, std::function<Awaitable<Result<>>()> before_last)
      : database_(database), pieces_(std::move(pieces)), before_last_(std::move(before_last)) {}

 private:
  Awaitable<Result<std::string>> next() override {
    std::string out;
    while (out.empty() && (blob_ || at_ < pieces_.size())) {
      if (blob_) {
        SCHAKEL_CO_TRY(out, co_await next_of_blob());
      } else {
        SCHAKEL_CO_TRY(out, co_await next_text());
      }
    }
    co_return out;
  }

  Awaitable<Result<std::string>> next_text() {
    Piece& piece = pieces_[at_++];
    const bool is_last = at_ == pieces_.size();
    if (is_last && before_last_) SCHAKEL_CO_CHECK(co_await before_last_());
    if (!piece.blob.empty()) {
      blob_ = exchange::read_blob(database_, std::move(piece.blob), 0, piece.bytes);
      base64_ = piece.base64;
    }
    co_return std::move(piece.text);
  }

  Awaitable<Result<std::string>> next_of_blob() {
    std::string octets(group_bytes, '\0');
    std::size_t filled = 0;
    // Whole groups of three but at the end, because base64 pads what is not.
    while (filled < octets.size()) {
      SCHAKEL_CO_TRY(const std::size_t count, co_await blob_->read({octets.data() + filled, octets.size() - filled}));
      if (count == 0) break;
      filled += count;
    }
    if (filled < octets.size()) blob_.reset();
    octets.resize(filled);
    co_return base64_ ? to_base64(octets) : std::move(octets);
  }

  static constexpr std::size_t group_bytes = limits::blob_chunk_bytes / 3 * 3;

  sql::Database& database_;
  std::vector<Piece> pieces_;
  std::function<Awaitable<Result<>>()> before_last_;
  std::size_t at_ = 0;
  std::unique_ptr<http::BodyReader> blob_;
  bool base64_ = false;
};

}  // namespace

Awaitable<Result<std::size_t>> TextReader::read(std::span<char> buffer) {
  while (position_ == text_.size() && !ended_) {
    SCHAKEL_CO_TRY(text_, co_await next());
    position_ = 0;
    ended_ = text_.empty();
  }
  const std::size_t count = std::min(buffer.size(), text_.size() - position_);
  std::copy_n(text_.data() + position_, count, buffer.data());
  position_ += count;
  co_return count;
}

std::uint64_t bytes_of(const std::vector<Piece>& pieces) {
  std::uint64_t sum = 0;
  for (const auto& piece : pieces) {
    const auto bytes = static_cast<std::uint64_t>(piece.bytes);
    sum += piece.text.size() + (piece.base64 ? (bytes + 2) / 3 * 4 : bytes);
  }
  return sum;
}

std::string part_headers(const exchange::Payload& payload, const std::string& content_id, const std::string& disposition) {
  const bool is_clean = std::none_of(payload.content_type.begin(), payload.content_type.end(),
                                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  std::string out =
      "Content-Type: " + (is_clean && !payload.content_type.empty() ? payload.content_type : "application/octet-stream") + "\r\n";
  if (!content_id.empty()) out += "Content-ID: <" + ebms::wire_file_name(content_id) + ">\r\n";
  out += "Content-Disposition: " + disposition;
  if (!payload.file_name.empty()) out += "; filename=\"" + ebms::wire_file_name(payload.file_name) + "\"";
  return out + "\r\n\r\n";
}

std::unique_ptr<http::BodyReader> read_pieces(sql::Database& database, std::vector<Piece> pieces,
                                              std::function<Awaitable<Result<>>()> before_last) {
  return std::make_unique<Pieces>(database, std::move(pieces), std::move(before_last));
}

}  // namespace schakel::facade
