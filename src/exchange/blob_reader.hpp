// Stored blobs as streams. Chunks are read one at a time, so memory does not grow with the blob. The database outlives every reader.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "http/message.hpp"
#include "sql/database.hpp"

namespace schakel::exchange {

// A part of a body: octets, or a whole blob.
struct Piece {
  Bytes octets;
  std::string blob;
  std::int64_t size = 0;  // octets of the blob
};

// `bytes` octets of a blob from `first` on. Error "storage.failed": the blob is shorter.
std::unique_ptr<http::BodyReader> read_blob(sql::Database&, std::string blob, std::int64_t first, std::int64_t bytes);
// One piece after the other; `pieces` outlive the reader. Error "storage.failed": a blob is not of its size.
std::unique_ptr<http::BodyReader> read_pieces(sql::Database&, std::span<const Piece> pieces);

}  // namespace schakel::exchange
