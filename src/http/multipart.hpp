// multipart/form-data (RFC 7578) and multipart/related (RFC 2387) as a stream: parts come one after the other, in the order of the body,
// and nothing is held but a window of a few KiB.
//
//   SCHAKEL_CO_TRY(auto form, MultipartReader::make(content_type, *request.body));
//   for (;;) {
//     SCHAKEL_CO_TRY(auto part, co_await form->next());
//     if (!part) break;
//     … co_await form->read(buffer) until it gives 0 …
//   }
//
// Errors: "request.mediaType" for another media type, "request.invalid" for what is not well formed or over a limit, and those of the body.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/base64_decoder.hpp"
#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "http/message.hpp"

namespace schakel::http {

struct PartHead {
  std::string name;                      // of a form
  std::optional<std::string> file_name;  // as the other side wrote it: never a path for us
  std::string content_type;              // "text/plain" when absent (RFC 7578 4.4)
  Headers headers;
};

enum class MultipartKind {
  form_data,
  // The same from clients older than RFC 7578: parts may have the Content-Transfer-Encoding base64, and parameters need no quotes.
  form_data_of_old,
  related,  // parts have no names; Content-Transfer-Encoding as above
};

// Reads one body, which outlives it. Not safe from several coroutines.
class MultipartReader final : public BodyReader {
 public:
  struct Limits {
    std::size_t parts_max = limits::ebms_parts_max + 1;  // the message and its payloads
    std::size_t part_header_bytes_max = limits::ebms_part_header_bytes_max;
  };
  static Result<std::unique_ptr<MultipartReader>> make(std::string_view content_type, BodyReader& body) {
    return make(content_type, body, Limits());
  }
  static Result<std::unique_ptr<MultipartReader>> make(std::string_view content_type, BodyReader& body, Limits limits,
                                                       MultipartKind = MultipartKind::form_data);

  // The next part, after what was not read of the present one; nothing after the last. What follows the last part is read and dropped.
  Awaitable<Result<std::optional<PartHead>>> next();
  // The content of the present part, its transfer encoding undone; 0 at its end.
  Awaitable<Result<std::size_t>> read(std::span<char> buffer) override;

 private:
  MultipartReader(BodyReader& body, Limits limits, std::string_view boundary, MultipartKind kind);

  enum class Place { preamble, content, part_end, end };
  BytesView window() const { return BytesView(buffer_).substr(begin_); }
  Awaitable<Result<>> fill();
  Awaitable<Result<std::size_t>> read_octets(std::span<char> buffer);
  Awaitable<Result<std::size_t>> read_base64(std::span<char> buffer);
  Awaitable<Result<>> skip_content();
  Awaitable<Result<bool>> read_delimiter();
  Awaitable<Result<PartHead>> read_head();
  Awaitable<Result<>> skip_epilogue();

  BodyReader& body_;
  const Limits limits_;
  const MultipartKind kind_;
  const std::string delimiter_;  // CR LF -- boundary
  std::string buffer_ = "\r\n";  // so that a delimiter at the very start is like every other
  std::size_t begin_ = 0;
  std::size_t parts_ = 0;
  Place place_ = Place::preamble;
  std::optional<Base64Decoder> base64_;  // of the present part
  Bytes decoded_;                        // of it, not asked for yet
};

}  // namespace schakel::http
