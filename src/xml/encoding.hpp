// Documents of our own side (back-ends, applications) in whatever encoding they declare, made UTF-8. Documents of partners never come here:
// theirs must be UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace schakel::xml {

// `octets` as UTF-8 without an encoding declaration: by their byte order mark, else by the XML declaration, else by `charset` (of a
// Content-Type; may be empty), else as UTF-8 (wus.md 3.7). Errors: "xml.encoding" (an encoding that is not known here, octets that are none
// of it), "xml.limit" (more than `bytes_max` octets before or after).
Result<std::string> to_utf8(std::string_view octets, std::string_view charset, std::size_t bytes_max);

}  // namespace schakel::xml
