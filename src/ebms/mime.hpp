// MIME of ebMS2 (ebms.md 1.2, 2.1): a reader that is fed octets while they arrive, and the byte layout of what we send.
//
// The reader holds a bounded window: the root part (at most root_max), each payload up to in_memory_max, and one chunk of the payload that
// is being read. A payload that grows larger goes to a PartSink chunk by chunk. Digests are made on the way (EB-031).
//
// Errors are the tokens of the SOAP faults (ebms.md 2.8): "CONTENT_TYPE_INVALID" (415), "MIME_INVALID", "XML_INVALID" (root part too
// large), and "http.bodyTooLarge" (413). `refusal` in msh.hpp makes the answer of them. After an error the reader is dead: feed it no more.
//
// Threads: one reader belongs to one request.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "ebms/msh.hpp"
#include "exchange/message.hpp"

namespace schakel::ebms {

// A media type with its parameters: names in lower case, values without quotes.
struct MediaType {
  std::string type;  // lower case, "multipart/related"
  std::vector<std::pair<std::string, std::string>> parameters;

  std::optional<std::string_view> parameter(std::string_view name) const;
};
// RFC 2045 5.1: token or quoted values, white space around separators, comments not. Error "CONTENT_TYPE_INVALID".
Result<MediaType> parse_media_type(std::string_view);

// Where octets go that are too many for memory. The driver writes them to the store and applies back-pressure between two calls of `feed`.
class PartSink {
 public:
  virtual ~PartSink() = default;
  // The id of a new blob.
  virtual std::string open() = 0;
  // Chunk 0, 1, 2 … of limits::blob_chunk_bytes octets, the last one shorter.
  virtual void append(const std::string& blob, std::int64_t chunk, Bytes octets) = 0;
  virtual void close(const std::string& blob) = 0;
};

struct MimeLimits {
  std::size_t request_max = limits::ebms_request_bytes_max;
  std::size_t root_max = limits::ebms_root_bytes_max;
  std::size_t parts_max = limits::ebms_parts_max;  // root included
  std::size_t part_header_max = limits::ebms_part_header_bytes_max;
  std::size_t in_memory_max = limits::payload_in_memory_max;
};

class MimeReader {
 public:
  using Limits = MimeLimits;

  // `content_type`: the value of the HTTP header. Plain text/xml is a request of the root part alone (EB-020). The sink must outlive the
  // reader.
  static Result<MimeReader> open(std::string_view content_type, PartSink& sink, const Limits& = {});
  MimeReader(MimeReader&&) noexcept;
  MimeReader& operator=(MimeReader&&) noexcept;
  ~MimeReader();

  Result<> feed(BytesView octets);
  // The root part as soon as it is complete, while the body still arrives; null before. For who passes the message on.
  const ReceivedRequest* root() const;
  bool root_is_first() const;  // of the parts; once the root part has begun
  // After the last octet of the body. Fails when the closing delimiter or the root part is missing.
  Result<ReceivedRequest> finish();
  // The blobs opened so far; what to delete when the request is refused before it is stored.
  const std::vector<std::string>& blobs() const;

 private:
  struct State;
  explicit MimeReader(std::unique_ptr<State>);
  std::unique_ptr<State> state_;
};

// EB-027: brackets and surrounding white space stripped.
std::string_view without_brackets(std::string_view content_id);
// Percent-decoding of a `cid:` URL's path; a malformed escape stays as it is.
std::string percent_decoded(std::string_view);

// EB-028: printable ASCII without `"` and `\`; everything else becomes `_`, one per character.
std::string wire_file_name(std::string_view);
// EB-026: `x@host` of the characters A-Z a-z 0-9 . _ - @, at most 255.
bool is_wire_content_id(std::string_view);

// A boundary of 128 random bits: occurs in no part (EB-021).
std::string make_boundary(Random&);
// EB-021: the HTTP Content-Type of a request with payloads.
std::string multipart_content_type(std::string_view boundary, std::string_view root_content_id);

// The body of a request as pieces (2.1): delimiters, headers and the root as octets, payloads as their blobs between them. Without
// payloads: the root alone. `octets_of(i)`: the octets of payload i when they are at hand, empty otherwise.
std::vector<exchange::Piece> multipart_body(std::string_view boundary, std::string_view root_content_id, Bytes root,
                                            const std::vector<exchange::Payload>& payloads, std::vector<Bytes> octets);
std::uint64_t body_bytes(const std::vector<exchange::Piece>&);

}  // namespace schakel::ebms
