// JSON from outside: RFC 8259 and I-JSON, strict (SEC-115).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/json_library.hpp"
#include "base/limits.hpp"

namespace schakel {

struct JsonFault {
  enum class Kind {
    charset,          // octets that are no UTF-8
    byte_order_mark,  // RFC 8259 8.1
    syntax,           // also a lone surrogate, and data behind the value
    number,           // outside IEEE double
    depth,            // above the limit
    duplicate_name,   // I-JSON 2.3: readers differ in which one they take
  };
  Kind kind = Kind::syntax;
  std::string pointer;    // JSON Pointer of a repeated name, or of the container that is too deep
  std::size_t octet = 0;  // where syntax or number is wrong
};
// A sentence for an operator.
std::string describe(const JsonFault&);

// The value in `text`; nullopt: `faults` say why, every repeated name at once.
std::optional<nlohmann::json> read_strict_json(BytesView text, std::vector<JsonFault>& faults,
                                               std::size_t depth_max = limits::json_depth_max);

// A member name as a JSON Pointer writes it (RFC 6901 section 3).
std::string escape_pointer(std::string_view name);

}  // namespace schakel
