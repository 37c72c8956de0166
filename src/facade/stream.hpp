// Answers that are made while they leave, so that memory does not grow with them: messages with their payloads, and lists of any length.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "exchange/message.hpp"
#include "http/message.hpp"
#include "sql/database.hpp"

namespace schakel::facade {

// Gives out what `next` makes, until that is empty.
class TextReader : public http::BodyReader {
 public:
  http::Awaitable<Result<std::size_t>> read(std::span<char> buffer) final;

 protected:
  virtual http::Awaitable<Result<std::string>> next() = 0;

 private:
  std::string text_;
  std::size_t position_ = 0;
  bool ended_ = false;
};

// Text, then the octets of a blob, as they are or in base64.
struct Piece {
  std::string text;
  std::string blob;  // empty: text only
  std::int64_t bytes = 0;
  bool base64 = false;
};
// The header of a payload's part, and the empty line after it. `disposition`: before the file name. `content_id`: without brackets; empty:
// none.
std::string part_headers(const exchange::Payload&, const std::string& content_id, const std::string& disposition);

std::uint64_t bytes_of(const std::vector<Piece>&);

// The pieces one after the other; the last one is text alone, and not empty. `before_last` runs before it is given: when that fails, the
// other side sees an answer that is cut off, and knows that nothing was done. The database outlives the reader. Errors: those of
// exchange::read_blob and of `before_last`.
std::unique_ptr<http::BodyReader> read_pieces(sql::Database&, std::vector<Piece>,
                                              std::function<http::Awaitable<Result<>>()> before_last = {});

}  // namespace schakel::facade
