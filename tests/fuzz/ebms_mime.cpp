// The MIME reader: the first line of the input is the Content-Type, the rest the body, fed in pieces of uneven size. The result must not
// depend on the pieces.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ebms/mime.hpp"

using namespace schakel;

namespace {

class Sink final : public ebms::PartSink {
 public:
  std::string open() override { return "blob-" + std::to_string(blobs_++); }
  void append(const std::string&, std::int64_t, Bytes octets) override { octets_ += octets.size(); }
  void close(const std::string&) override {}

 private:
  int blobs_ = 0;
  std::size_t octets_ = 0;
};

Result<ebms::ReceivedRequest> read(std::string_view type, std::string_view body, std::size_t piece) {
  Sink sink;
  ebms::MimeLimits limits;
  limits.in_memory_max = 64;
  auto reader = ebms::MimeReader::open(type, sink, limits);
  if (!reader) return reader.error();
  for (std::size_t at = 0; at < body.size(); at += piece) SCHAKEL_CHECK(reader->feed(body.substr(at, piece)));
  return reader->finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(octets), size);
  const auto line = input.find('\n');
  if (line == std::string_view::npos) return 0;
  const auto type = input.substr(0, line), body = input.substr(line + 1);
  const auto whole = read(type, body, body.size() + 1), pieces = read(type, body, 7);
  if (whole.has_value() != pieces.has_value()) std::abort();
  if (whole && (whole->root != pieces->root || whole->parts.size() != pieces->parts.size())) std::abort();
  if (whole) {
    for (std::size_t i = 0; i < whole->parts.size(); ++i) {
      if (whole->parts[i].sha256 != pieces->parts[i].sha256 || whole->parts[i].content_id != pieces->parts[i].content_id) std::abort();
    }
  }
  return 0;
}
