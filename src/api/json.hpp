// JSON from outside: RFC 8259 and I-JSON, strict (SEC-115), and a reader of objects that collects every fault with its JSON Pointer
// (REST-038, REST-065).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/refusal.hpp"
#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "base/time.hpp"

namespace schakel::api {

// The value in `text`. Refused: octets that are no UTF-8 (request.unsupportedCharset); a byte order mark, repeated member names, depth
// above `depth_max`, numbers outside IEEE double, lone surrogates, trailing data (request.invalid, repeated names all at once).
Answer<Json> read_json(BytesView text, std::size_t depth_max = limits::json_depth_max);

enum class Need { optional, required };

// One object being read member by member; what was not asked for is unknown and a fault. Values of the wrong type count as absent and leave
// a fault. Borrows the object and the faults.
class Members {
 public:
  Members(const Json& object, std::string pointer, Faults&);

  bool has(std::string_view name);
  // Lengths are counted in octets of UTF-8.
  std::optional<std::string> text(std::string_view name, Need = Need::optional, std::size_t bytes_max = 255, std::size_t bytes_min = 1);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max, Need = Need::optional);
  std::optional<bool> boolean(std::string_view name, Need = Need::optional);
  std::optional<Instant> instant(std::string_view name, Need = Need::optional);
  std::optional<std::string> choice(std::string_view name, std::initializer_list<std::string_view> values, Need = Need::optional);
  std::optional<std::vector<std::string>> texts(std::string_view name, std::size_t count_max, Need = Need::optional,
                                                std::size_t bytes_max = 255);
  // The array or object itself, for a nested Members; `nullptr` when absent.
  const Json* array(std::string_view name, std::size_t count_max, Need = Need::optional);
  const Json* object(std::string_view name, Need = Need::optional);
  const Json* any(std::string_view name);

  void fault(std::string_view name, std::string code, std::string detail);
  std::string pointer(std::string_view name) const;
  // Members that nobody asked for. Call once, last.
  void end();

 private:
  const Json* find(std::string_view name, Need);

  const Json& object_;
  bool is_object_;
  std::string pointer_;
  Faults& faults_;
  std::set<std::string, std::less<>> known_;
};

// RFC 3339 as REST-066 wants it: upper-case T and Z, an offset, not -00:00. Error "time.invalid".
Result<Instant> read_instant(std::string_view);

// Whole number from 0 without sign, point or exponent (query keys, headers). nullopt: something else.
std::optional<std::int64_t> read_digits(std::string_view);

}  // namespace schakel::api
