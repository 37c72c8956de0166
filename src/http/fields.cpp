#include "http/fields.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "base/bytes.hpp"
#include "http/syntax.hpp"

namespace schakel::http {
namespace {

using namespace std::chrono;

constexpr std::array<std::string_view, 7> day_names{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> month_names{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr seconds retry_after_max = hours(24);

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<unsigned> month_of(std::string_view name) {
  const auto found = std::find(month_names.begin(), month_names.end(), name);
  if (found == month_names.end()) return std::nullopt;
  return static_cast<unsigned>(found - month_names.begin()) + 1;
}

void put_two_digits(std::string& out, std::size_t position, unsigned value) {
  out[position] = static_cast<char>('0' + value / 10);
  out[position + 1] = static_cast<char>('0' + value % 10);
}

// "08:49:37"
std::optional<seconds> time_of_day(std::string_view text) {
  if (text.size() != 8 || text[2] != ':' || text[5] != ':') return std::nullopt;
  const auto h = number_in<unsigned>(text.substr(0, 2)), m = number_in<unsigned>(text.substr(3, 2)),
             s = number_in<unsigned>(text.substr(6, 2));
  if (!h || !m || !s || *h > 23 || *m > 59 || *s > 60) return std::nullopt;
  return hours(*h) + minutes(*m) + seconds(*s);
}

std::optional<Instant> instant_of(std::optional<int> year, std::optional<unsigned> month, std::optional<unsigned> day,
                                  std::string_view time) {
  const auto clock = time_of_day(time);
  if (!year || !month || !day || !clock) return std::nullopt;
  const year_month_day date{std::chrono::year(*year), std::chrono::month(*month), std::chrono::day(*day)};
  if (!date.ok()) return std::nullopt;
  return Instant(sys_days(date)) + *clock;
}

}  // namespace

std::string to_http_date(Instant instant) {
  const auto days_part = floor<days>(instant);
  const year_month_day date(days_part);
  const auto time = duration_cast<seconds>(instant - days_part).count();
  std::string text = "Day, 00 Mon 0000 00:00:00 GMT";
  text.replace(0, 3, day_names[weekday(days_part).c_encoding()]);
  put_two_digits(text, 5, static_cast<unsigned>(date.day()));
  text.replace(8, 3, month_names[static_cast<unsigned>(date.month()) - 1]);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  put_two_digits(text, 12, year / 100 % 100);
  put_two_digits(text, 14, year % 100);
  put_two_digits(text, 17, static_cast<unsigned>(time / 3600));
  put_two_digits(text, 20, static_cast<unsigned>(time / 60 % 60));
  put_two_digits(text, 23, static_cast<unsigned>(time % 60));
  return text;
}

std::optional<Instant> parse_http_date(std::string_view text) {
  const auto comma = text.find(',');
  // "Sun, 06 Nov 1994 08:49:37 GMT"
  if (comma == 3 && text.size() == 29 && text.ends_with(" GMT"))
    return instant_of(number_in<int>(text.substr(12, 4)), month_of(text.substr(8, 3)), number_in<unsigned>(text.substr(5, 2)),
                      text.substr(17, 8));
  // "Sunday, 06-Nov-94 08:49:37 GMT": years are of this century below 70
  if (comma != std::string_view::npos && text.size() == comma + 24 && text.ends_with(" GMT")) {
    const auto rest = text.substr(comma + 2);
    auto year = number_in<int>(rest.substr(7, 2));
    if (year) *year += *year < 70 ? 2000 : 1900;
    return instant_of(year, month_of(rest.substr(3, 3)), number_in<unsigned>(rest.substr(0, 2)), rest.substr(10, 8));
  }
  // "Sun Nov  6 08:49:37 1994"
  if (comma == std::string_view::npos && text.size() == 24) {
    const auto day = text[8] == ' ' ? text.substr(9, 1) : text.substr(8, 2);
    return instant_of(number_in<int>(text.substr(20, 4)), month_of(text.substr(4, 3)), number_in<unsigned>(day), text.substr(11, 8));
  }
  return std::nullopt;
}

std::optional<seconds> retry_after(const Headers& headers, Instant now) {
  const auto value = headers.find("Retry-After");
  if (!value || headers.count("Retry-After") != 1) return std::nullopt;
  if (value->find_first_not_of("0123456789") == std::string_view::npos && !value->empty()) {
    const auto count = number_in<std::uint32_t>(*value);
    return count ? std::min(seconds(*count), retry_after_max) : retry_after_max;
  }
  const auto date = parse_http_date(*value);
  if (!date) return std::nullopt;
  return std::clamp(ceil<seconds>(*date - now), seconds(0), retry_after_max);
}

RangeChoice choose_range(const Headers& headers, std::uint64_t size) {
  const auto value = headers.find("Range");
  if (!value || headers.count("Range") != 1 || value->size() < 6 || !equals_ignoring_case(value->substr(0, 6), "bytes="))
    return WholeResource{};
  const auto spec = trim(value->substr(6));
  const auto dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return WholeResource{};
  const auto left = spec.substr(0, dash), right = spec.substr(dash + 1);
  if (left.empty()) {
    const auto suffix = number_in<std::uint64_t>(right);
    if (!suffix) return WholeResource{};
    if (*suffix == 0 || size == 0) return RangeNotSatisfiable{};
    return ByteRange{size - std::min(*suffix, size), size - 1};
  }
  const auto first = number_in<std::uint64_t>(left);
  const auto last = right.empty() ? std::optional<std::uint64_t>(UINT64_MAX) : number_in<std::uint64_t>(right);
  if (!first || !last) return WholeResource{};
  if (*first >= size || *last < *first) return RangeNotSatisfiable{};
  return ByteRange{*first, std::min(*last, size - 1)};
}

std::string content_range(const ByteRange& range, std::uint64_t size) {
  return "bytes " + std::to_string(range.first) + "-" + std::to_string(range.last) + "/" + std::to_string(size);
}

std::string unsatisfied_content_range(std::uint64_t size) {
  return "bytes */" + std::to_string(size);
}

std::optional<std::string_view> MediaType::parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters)
    if (key == name) return value;
  return std::nullopt;
}

namespace {

// A token or a quoted string at the front of `rest`.
std::optional<std::string> take_parameter_value(std::string_view& rest, Unquoted unquoted) {
  if (rest.empty() || rest.front() != '"') {
    const auto end = std::min(rest.find_first_of("; \t"), rest.size());
    const std::string value(rest.substr(0, end));
    rest.remove_prefix(end);
    if (unquoted == Unquoted::tokens ? !is_token(value) : value.empty() || value.find('"') != std::string::npos) return std::nullopt;
    return value;
  }
  std::string value;
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      return value;
    }
    // Browsers write %22 and never an escape; RFC 9110 writes a back-slash before a quote or a back-slash.
    if (rest[i] == '\\' && i + 1 < rest.size() && (rest[i + 1] == '"' || rest[i + 1] == '\\')) ++i;
    value.push_back(rest[i]);
  }
  return std::nullopt;
}

}  // namespace

std::optional<MediaType> parse_parameterised(std::string_view text, Unquoted unquoted) {
  MediaType parsed;
  const auto semicolon = text.find(';');
  parsed.type = to_lower(trim(text.substr(0, semicolon)));
  std::string_view rest = semicolon == std::string_view::npos ? std::string_view{} : text.substr(semicolon);
  while (!(rest = trim(rest)).empty()) {
    if (rest.front() != ';') return std::nullopt;
    rest = trim(rest.substr(1));
    if (rest.empty()) break;
    const auto equals = rest.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const auto name = to_lower(rest.substr(0, equals));
    rest.remove_prefix(equals + 1);
    auto value = take_parameter_value(rest, unquoted);
    if (!is_token(name) || !value || parsed.parameter(name)) return std::nullopt;
    parsed.parameters.emplace_back(name, std::move(*value));
  }
  return parsed;
}

std::optional<MediaType> parse_media_type(std::string_view text, Unquoted unquoted) {
  auto parsed = parse_parameterised(text, unquoted);
  if (!parsed) return std::nullopt;
  const std::string_view type = parsed->type;
  const auto slash = type.find('/');
  if (slash == std::string_view::npos || !is_token(type.substr(0, slash)) || !is_token(type.substr(slash + 1))) return std::nullopt;
  return parsed;
}

}  // namespace schakel::http
