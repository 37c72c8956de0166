#include "api/zip.hpp"

#include <algorithm>
#include <boost/crc.hpp>
#include <chrono>
#include <limits>

#include "base/limits.hpp"
#include "exchange/blob_reader.hpp"

namespace schakel::api {
namespace {

using http::Awaitable;

constexpr std::uint64_t bytes_max = std::numeric_limits<std::uint32_t>::max() - std::uint64_t{1};
constexpr std::size_t members_max = std::numeric_limits<std::uint16_t>::max() - std::size_t{1};
constexpr std::uint32_t local_signature = 0x04034b50, central_signature = 0x02014b50, end_signature = 0x06054b50;
constexpr std::uint16_t version = 20, utf8_names = 0x0800, stored = 0;

void put16(Bytes& out, std::uint64_t value) {
  out += static_cast<char>(value & 0xFFU);
  out += static_cast<char>(value >> 8U & 0xFFU);
}
void put32(Bytes& out, std::uint64_t value) {
  put16(out, value & 0xFFFFU);
  put16(out, value >> 16U & 0xFFFFU);
}

// Date and time as MS-DOS wrote them; the format has no zone, so UTC.
std::uint32_t dos_time(Instant at) {
  using namespace std::chrono;
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss time(floor<seconds>(at - day));
  const int years = std::clamp(static_cast<int>(date.year()) - 1980, 0, 127);
  const std::uint32_t dated =
      static_cast<std::uint32_t>(years) << 9U | static_cast<unsigned>(date.month()) << 5U | static_cast<unsigned>(date.day());
  const auto timed = static_cast<std::uint32_t>(time.hours().count()) << 11U | static_cast<std::uint32_t>(time.minutes().count()) << 5U |
                     static_cast<std::uint32_t>(time.seconds().count() / 2);
  return dated << 16U | timed;
}

std::uint64_t size_of(const ZipMember& member) {
  return member.blob.empty() ? member.octets.size() : static_cast<std::uint64_t>(member.size);
}

// What the local header and the central directory say alike.
void put_common(Bytes& out, const ZipMember& member, std::uint32_t time) {
  put16(out, version);
  put16(out, utf8_names);
  put16(out, stored);
  put32(out, time);
  put32(out, member.blob.empty() ? zip_crc(member.octets) : member.crc);
  put32(out, size_of(member));
  put32(out, size_of(member));
  put16(out, member.name.size());
  put16(out, 0);  // extra field
}

Bytes local_header(const ZipMember& member, std::uint32_t time) {
  Bytes out;
  put32(out, local_signature);
  put_common(out, member, time);
  return out + member.name;
}

Bytes central_header(const ZipMember& member, std::uint32_t time, std::uint64_t offset) {
  Bytes out;
  put32(out, central_signature);
  put16(out, version);  // made by
  put_common(out, member, time);
  put16(out, 0);  // comment
  put16(out, 0);  // disk
  put16(out, 0);  // internal attributes
  put32(out, 0);  // external attributes
  put32(out, offset);
  return out + member.name;
}

Bytes end_record(std::size_t members, std::uint64_t directory_bytes, std::uint64_t directory_offset) {
  Bytes out;
  put32(out, end_signature);
  put32(out, 0);  // disks
  put16(out, members);
  put16(out, members);
  put32(out, directory_bytes);
  put32(out, directory_offset);
  put16(out, 0);  // comment
  return out;
}

class Archive final : public http::BodyReader {
 public:
  Archive(sql::Database& database, std::vector<exchange::Piece> pieces)
      : pieces_(std::move(pieces)), reader_(exchange::read_pieces(database, pieces_)) {}

  Awaitable<Result<std::size_t>> read(std::span<char> buffer) override { return reader_->read(buffer); }

 private:
  std::vector<exchange::Piece> pieces_;
  std::unique_ptr<http::BodyReader> reader_;
};

}  // namespace

std::uint32_t zip_crc(BytesView octets) {
  boost::crc_32_type crc;
  crc.process_bytes(octets.data(), octets.size());
  return crc.checksum();
}

Awaitable<Result<BlobSums>> sums_of_blob(sql::Database& database, std::string blob, std::int64_t size) {
  const auto reader = exchange::read_blob(database, std::move(blob), 0, size);
  boost::crc_32_type crc;
  Sha256 hash;
  std::string buffer(limits::blob_chunk_bytes, '\0');
  for (;;) {
    const auto count = co_await reader->read(buffer);
    if (!count) co_return count.error();
    if (*count == 0) break;
    crc.process_bytes(buffer.data(), *count);
    hash.update(BytesView(buffer).substr(0, *count));
  }
  co_return BlobSums{crc.checksum(), to_hex(hash.finish())};
}

Result<ZipArchive> make_zip(sql::Database& database, std::vector<ZipMember> members, Instant at) {
  if (members.size() > members_max) return fail("message.tooLarge", "too many members for one archive");
  const auto time = dos_time(at);
  std::vector<exchange::Piece> pieces;
  Bytes directory;
  std::uint64_t offset = 0;
  for (auto& member : members) {
    directory += central_header(member, time, offset);
    auto header = local_header(member, time);
    offset += header.size() + size_of(member);
    pieces.push_back({std::move(header), {}, 0});
    pieces.push_back({std::move(member.octets), std::move(member.blob), member.size});
  }
  const auto end = end_record(members.size(), directory.size(), offset);
  const std::uint64_t bytes = offset + directory.size() + end.size();
  if (bytes > bytes_max) return fail("message.tooLarge", "too large for one archive");
  pieces.push_back({directory + end, {}, 0});
  return ZipArchive{std::make_unique<Archive>(database, std::move(pieces)), bytes};
}

}  // namespace schakel::api
