// Lexical forms of the XML Schema types (Type in grammar.hpp).
#include <libxml/uri.h>

#include <algorithm>
#include <cstdint>

#include "xml/grammar.hpp"

namespace schakel::xml {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct Range {
  std::uint32_t first, last;
};

// Productions NameStartChar and NameChar of XML 1.0 (4th edition's letters are nearly these; names of real documents are ASCII).
bool is_name_start(std::uint32_t c) {
  constexpr Range ranges[] = {{0xC0, 0xD6},     {0xD8, 0xF6},     {0xF8, 0x2FF},    {0x370, 0x37D},   {0x37F, 0x1FFF},  {0x200C, 0x200D},
                              {0x2070, 0x218F}, {0x2C00, 0x2FEF}, {0x3001, 0xD7FF}, {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF}};
  if (c < 0x80) return is_alpha(static_cast<char>(c)) || c == '_' || c == ':';
  return std::any_of(std::begin(ranges), std::end(ranges), [c](Range r) { return c >= r.first && c <= r.last; });
}
bool is_name_char(std::uint32_t c) {
  if (c < 0x80) return is_name_start(c) || is_digit(static_cast<char>(c)) || c == '-' || c == '.';
  return is_name_start(c) || c == 0xB7 || (c >= 0x300 && c <= 0x36F) || (c >= 0x203F && c <= 0x2040);
}

// The next character of valid UTF-8.
std::uint32_t take_char(std::string_view& text) {
  const auto at = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = at(0);
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  std::uint32_t c = length == 1 ? lead : lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length && i < text.size(); ++i) c = c << 6 | (at(i) & 63);
  text.remove_prefix(std::min(length, text.size()));
  return c;
}

enum class FirstChar { name_start, any_name_char };
enum class Colon { allowed, refused };

bool is_name(std::string_view text, FirstChar first, Colon colon) {
  if (text.empty()) return false;
  if (colon == Colon::refused && text.find(':') != std::string_view::npos) return false;
  if (first == FirstChar::name_start) {
    if (!is_name_start(take_char(text))) return false;
  }
  while (!text.empty()) {
    if (!is_name_char(take_char(text))) return false;
  }
  return true;
}

bool take_digits(std::string_view& text, std::size_t min, std::size_t max) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  if (count < min || count > max) return false;
  text.remove_prefix(count);
  return true;
}
bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}
int take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits || !std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(digits), is_digit)) return -1;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) value = value * 10 + (text[i] - '0');
  text.remove_prefix(digits);
  return value;
}

bool is_date_time(std::string_view text) {
  take(text, '-');
  const auto year_digits = static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
  if (year_digits < 4 || year_digits > 12 || (year_digits > 4 && text.front() == '0')) return false;
  std::int64_t year = 0;
  for (std::size_t i = 0; i < year_digits; ++i) year = year * 10 + (text[i] - '0');
  text.remove_prefix(year_digits);
  if (year == 0 || !take(text, '-')) return false;
  const int month = take_number(text, 2);
  if (month < 1 || month > 12 || !take(text, '-')) return false;
  constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  const int day = take_number(text, 2);
  if (day < 1 || day > days[month - 1] + (leap && month == 2 ? 1 : 0) || !take(text, 'T')) return false;
  const int hour = take_number(text, 2);
  if (hour < 0 || hour > 24 || !take(text, ':')) return false;
  const int minute = take_number(text, 2);
  if (minute < 0 || minute > 59 || !take(text, ':')) return false;
  const int second = take_number(text, 2);
  if (second < 0 || second > 59) return false;
  bool fraction_is_zero = true;
  if (take(text, '.')) {
    const auto digits = static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
    if (digits == 0) return false;
    fraction_is_zero = text.substr(0, digits).find_first_not_of('0') == std::string_view::npos;
    text.remove_prefix(digits);
  }
  if (hour == 24 && (minute != 0 || second != 0 || !fraction_is_zero)) return false;
  if (text.empty() || text == "Z") return true;
  if (!take(text, '+') && !take(text, '-')) return false;
  const int zone_hours = take_number(text, 2);
  if (zone_hours < 0 || zone_hours > 14 || !take(text, ':')) return false;
  const int zone_minutes = take_number(text, 2);
  return zone_minutes >= 0 && zone_minutes <= (zone_hours == 14 ? 0 : 59) && text.empty();
}

bool is_duration(std::string_view text) {
  constexpr std::size_t digits_max = 18;
  take(text, '-');
  if (!take(text, 'P') || text.empty()) return false;
  std::string_view units = "YMD";
  bool in_time = false;
  while (!text.empty()) {
    if (take(text, 'T')) {
      if (in_time || text.empty()) return false;
      in_time = true;
      units = "HMS";
      continue;
    }
    if (!take_digits(text, 1, digits_max)) return false;
    const bool fraction = take(text, '.');
    if (fraction && !take_digits(text, 1, digits_max)) return false;
    if (text.empty()) return false;
    const auto unit = units.find(text.front());
    if (unit == std::string_view::npos || (fraction && text.front() != 'S')) return false;
    units.remove_prefix(unit + 1);
    text.remove_prefix(1);
  }
  return true;
}

bool is_integer(std::string_view text) {
  if (!take(text, '-')) take(text, '+');
  return take_digits(text, 1, 24) && text.empty();
}

bool is_int32(std::string_view text) {
  if (!is_integer(text)) return false;
  const bool negative = take(text, '-');
  take(text, '+');
  while (text.size() > 1 && text.front() == '0') text.remove_prefix(1);
  if (text.size() > 10) return false;
  std::int64_t value = 0;
  for (const char c : text) value = value * 10 + (c - '0');
  return negative ? value <= 2'147'483'648 : value <= 2'147'483'647;
}

bool is_non_negative_integer(std::string_view text) {
  if (!is_integer(text)) return false;
  return !text.starts_with('-') || text.find_first_not_of('0', 1) == std::string_view::npos;
}

// scheme ":" letters, as nearly all of ours: urn:osb:oin, uuids. Others are judged by the parser of RFC 3986 in libxml2, after the
// characters that XML Schema escapes are set aside.
bool is_plain_uri(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || !is_alpha(text.front())) return false;
  const auto plain = [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == ':' || c == '_'; };
  return text.substr(0, colon).find_first_of("_") == std::string_view::npos && std::all_of(text.begin(), text.end(), plain);
}

bool is_uri(std::string_view text) {
  if (text.empty() || is_plain_uri(text)) return true;
  std::string tamed(text);
  for (char& c : tamed) {
    if (c <= 32 || c == 127 || std::string_view("<>\"{}|\\^`").find(c) != std::string_view::npos) c = '_';
  }
  const xmlURIPtr uri = xmlParseURI(tamed.c_str());
  if (uri == nullptr) return false;
  xmlFreeURI(uri);
  return true;
}

bool is_language(std::string_view text) {
  bool first = true;
  while (true) {
    std::size_t length = 0;
    while (length < text.size() && (is_alpha(text[length]) || (!first && is_digit(text[length])))) ++length;
    if (length < 1 || length > 8) return false;
    text.remove_prefix(length);
    if (text.empty()) return true;
    if (!take(text, '-')) return false;
    first = false;
  }
}

}  // namespace

std::string collapsed(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : trim(text)) {
    if (!is_space(c)) {
      out += c;
    } else if (out.back() != ' ') {
      out += ' ';
    }
  }
  return out;
}

bool matches(Type type, std::string_view text) {
  const auto value = trim(text);
  switch (type) {
    case Type::none:
      return value.empty();
    case Type::string:
    case Type::token:
    case Type::enumeration:
    case Type::anything:
      return true;
    case Type::non_empty_string:
      return !text.empty();
    case Type::nmtoken:
      return is_name(value, FirstChar::any_name_char, Colon::allowed);
    case Type::name:
      return is_name(value, FirstChar::name_start, Colon::allowed);
    case Type::ncname:
    case Type::id:
    case Type::idref:
      return is_name(value, FirstChar::name_start, Colon::refused);
    case Type::any_uri:
      return is_uri(value);
    case Type::date_time:
      return is_date_time(value);
    case Type::duration:
      return is_duration(value);
    case Type::integer:
      return is_integer(value);
    case Type::int32:
      return is_int32(value);
    case Type::non_negative_integer:
      return is_non_negative_integer(value);
    case Type::boolean:
      return value == "true" || value == "false" || value == "1" || value == "0";
    case Type::base64:
      return from_base64_lenient(text).has_value();
    case Type::language:
      return is_language(value);
  }
  return false;
}

}  // namespace schakel::xml
