// Values of single header fields, pure: dates, Retry-After, Range.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/time.hpp"
#include "http/message.hpp"

namespace schakel::http {

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string to_http_date(Instant);
// The three forms of RFC 9110 5.6.7.
std::optional<Instant> parse_http_date(std::string_view);

// Seconds or a date (README section 7); at most 24 hours, not negative. Nothing when the header is absent, repeated or malformed.
std::optional<std::chrono::seconds> retry_after(const Headers&, Instant now);

// "Range: bytes=" for a resource of `size` octets (adapter.md 2.1.3 and section 4). Several ranges, other units and malformed ones are
// answered with the whole resource, as RFC 9110 14.2 allows.
struct ByteRange {
  std::uint64_t first = 0, last = 0;  // inclusive
  std::uint64_t bytes() const { return last - first + 1; }
};
struct WholeResource {};
struct RangeNotSatisfiable {};  // 416 with Content-Range: bytes */size
using RangeChoice = std::variant<WholeResource, ByteRange, RangeNotSatisfiable>;
RangeChoice choose_range(const Headers&, std::uint64_t size);
// "bytes 0-99/1000", "bytes */1000"
std::string content_range(const ByteRange&, std::uint64_t size);
std::string unsatisfied_content_range(std::uint64_t size);

// A media type: "type/subtype" in lower case, and its parameters with lower-case names and unquoted values.
struct MediaType {
  std::string type;
  std::vector<std::pair<std::string, std::string>> parameters;
  std::optional<std::string_view> parameter(std::string_view name) const;
};
// What a value without quotes may be: RFC 9110 wants tokens, and some clients write boundaries and media types as they are.
enum class Unquoted { tokens, anything };
// Nothing when malformed or when a parameter is repeated.
std::optional<MediaType> parse_media_type(std::string_view, Unquoted = Unquoted::tokens);
// The parameters of a value as Content-Disposition has them: `type` is the token in front ("form-data").
std::optional<MediaType> parse_parameterised(std::string_view, Unquoted = Unquoted::tokens);

}  // namespace schakel::http
