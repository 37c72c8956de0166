// The strict grammar of HTTP/1.1 as pure functions: request and response heads, request targets, chunked bodies (SEC-116, ADP-115).
//
// There is one parser: what is refused here is never seen by a handler, and what a handler sees was parsed here, so two readings of one
// message cannot differ. Errors have the code that the problem table (http/problem.cpp) gives a status: "request.invalid" 400,
// "request.uriTooLong" 414, "request.headersTooLarge" 431, "request.methodNotAllowed" 405, "request.mediaType" 415,
// "request.expectation" 417, "request.version" 505, "notFound" 404. Every one of them ends the connection.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace schakel::http {

// Where the head ends: the position after the empty line, or nothing yet. Looks only at octets from `from` on (give the size of the part
// that was searched before). A line that ends in a bare LF is refused at once, so that such a client does not wait for its time-out.
struct HeadScan {
  std::size_t searched = 0;  // everything before it needs no second look
  std::optional<std::size_t> end;
};
Result<HeadScan> scan_head(BytesView received, std::size_t from);
// Limits that show before the head is complete.
Result<> check_partial_head(BytesView received);

struct FieldView {
  std::string_view name, value;
};

// Views into the octets that were parsed.
struct RequestHead {
  std::string_view method;
  std::string_view target;
  std::string_view host;  // without port, as written
  int minor_version = 1;
  std::vector<FieldView> fields;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;
};
// `head` includes the empty line at its end.
Result<RequestHead> parse_request_head(BytesView head);
Result<> check_request_head(BytesView head);

struct ResponseHead {
  unsigned status = 0;
  int minor_version = 1;
  std::vector<FieldView> fields;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
};
// Error "transport.invalid".
Result<ResponseHead> parse_response_head(BytesView head);

// Header lines up to and with the empty line that ends them, nothing after it. Errors as for a request head.
Result<std::vector<FieldView>> parse_header_block(BytesView);

// A request target in origin form, decoded. Path tricks never reach a handler: dot segments, empty segments, encoded slashes and
// back-slashes are "notFound"; another form, bad percent-encoding, control characters and invalid UTF-8 are "request.invalid".
struct Target {
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;
};
Result<Target> parse_target(std::string_view target);

// "Connection"-like lists: is `token` one of the comma-separated members? ASCII case is ignored.
bool has_token(std::string_view list, std::string_view token);
bool is_token(std::string_view);        // RFC 9110 5.6.2
bool is_field_value(std::string_view);  // no control characters except HTAB

// The chunked coding, strictly: hexadecimal sizes, CRLF everywhere, extensions and trailers are checked and dropped.
// Feed it octets as they come; it turns them into body octets in place.
class ChunkedDecoder {
 public:
  struct Step {
    std::size_t body_bytes = 0;  // at the front of the buffer now
    std::size_t used = 0;        // octets of the input that belong to this body; less than given only when done
  };
  // Error "http.bodyInvalid". All input is used until the body ends.
  Result<Step> decode(std::span<char> octets);
  bool done() const { return state_ == State::done; }

 private:
  enum class State { size, extension, size_lf, data, data_cr, data_lf, trailer_start, trailer, trailer_lf, end_lf, done };
  Result<> structure(char octet);

  State state_ = State::size;
  std::uint64_t remaining_ = 0;
  unsigned digits_ = 0;
  std::size_t overhead_ = 0;  // octets of extensions and trailers, limited
};

}  // namespace schakel::http
