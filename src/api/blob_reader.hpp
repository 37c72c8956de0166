// A stored blob as a stream.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "http/message.hpp"
#include "sql/database.hpp"

namespace schakel::api {

// `bytes` octets of a blob from `first` on. Chunks are read one at a time, so memory does not grow with the blob. The database outlives the
// reader. Error "storage.failed": the blob is shorter.
std::unique_ptr<http::BodyReader> read_blob(sql::Database&, std::string blob, std::int64_t first, std::int64_t bytes);

}  // namespace schakel::api
