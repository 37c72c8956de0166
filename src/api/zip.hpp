// A ZIP archive as a stream (PKWARE APPNOTE 6.3): members are stored, not compressed, and every size is known before the first octet
// leaves, so there is a Content-Length and no reader meets a data descriptor.
//
// Octets of a member are in memory or in a blob of the store, which is read a chunk at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "http/message.hpp"
#include "sql/database.hpp"

namespace schakel::api {

struct ZipMember {
  std::string name;  // with '/' between folders; no '..', not absolute
  Bytes octets{};
  std::string blob{};     // else: of a payload
  std::int64_t size = 0;  // of the blob
  std::uint32_t crc = 0;  // of the blob
};

std::uint32_t zip_crc(BytesView);
// CRC-32 and SHA-256 (hex) of a blob.
struct BlobSums {
  std::uint32_t crc = 0;
  std::string sha256;
};
http::Awaitable<Result<BlobSums>> sums_of_blob(sql::Database&, std::string blob, std::int64_t size);

struct ZipArchive {
  std::unique_ptr<http::BodyReader> stream;
  std::uint64_t bytes = 0;
};
// `at`: the time that every member gets. The database outlives the stream. Error "message.tooLarge" above what the format holds without
// ZIP64: 4 GiB or 65535 members.
Result<ZipArchive> make_zip(sql::Database&, std::vector<ZipMember>, Instant at);

}  // namespace schakel::api
