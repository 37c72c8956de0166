#include "base/time.hpp"

#include <array>
#include <cstdio>
#include <limits>

namespace schakel {
namespace {

using namespace std::chrono;

struct Civil {
  year_month_day date;
  hh_mm_ss<microseconds> time;
};

Civil civil(Instant instant) {
  const auto day = floor<days>(instant);
  return {year_month_day(day), hh_mm_ss<microseconds>(instant - day)};
}

std::string to_text(Instant instant, bool with_milliseconds) {
  const auto [date, time] = civil(instant);
  std::array<char, 40> out{};
  const int year = static_cast<int>(date.year());
  const auto month = static_cast<unsigned>(date.month()), day = static_cast<unsigned>(date.day());
  const auto hours = static_cast<int>(time.hours().count()), minutes = static_cast<int>(time.minutes().count());
  const auto seconds = static_cast<int>(time.seconds().count());
  int length = 0;
  if (with_milliseconds) {
    length = std::snprintf(out.data(), out.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", year, month, day, hours, minutes, seconds,
                           static_cast<int>(time.subseconds().count() / 1000));
  } else {
    length = std::snprintf(out.data(), out.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", year, month, day, hours, minutes, seconds);
  }
  return {out.data(), static_cast<std::size_t>(length)};
}

// Reads digits from the front of a text.
class Digits {
 public:
  explicit Digits(std::string_view text) : text_(text) {}

  bool empty() const { return text_.empty(); }
  char peek() const { return text_.empty() ? '\0' : text_.front(); }
  bool skip(char c) {
    if (peek() != c || text_.empty()) return false;
    text_.remove_prefix(1);
    return true;
  }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  // Exactly `count` digits.
  std::optional<int> fixed(std::size_t count) {
    if (text_.size() < count) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!is_digit(text_[i])) return std::nullopt;
      value = value * 10 + (text_[i] - '0');
    }
    text_.remove_prefix(count);
    return value;
  }
  // One or more digits, at most 12 (no overflow in microseconds of any sane duration).
  std::optional<std::int64_t> number() {
    std::int64_t value = 0;
    std::size_t count = 0;
    while (is_digit(peek()) && !text_.empty()) {
      if (++count > 12) return std::nullopt;
      value = value * 10 + (text_.front() - '0');
      text_.remove_prefix(1);
    }
    if (count == 0) return std::nullopt;
    return value;
  }
  // Digits of a fraction as microseconds; further digits are cut.
  std::optional<std::int64_t> fraction() {
    std::int64_t value = 0;
    std::size_t count = 0;
    while (is_digit(peek()) && !text_.empty()) {
      if (count < 6) value = value * 10 + (text_.front() - '0');
      ++count;
      text_.remove_prefix(1);
    }
    if (count == 0) return std::nullopt;
    for (; count < 6; ++count) value *= 10;
    return value;
  }

 private:
  std::string_view text_;
};

Error bad_time(std::string_view text) {
  return fail("time.invalid", "not a date-time: '" + std::string(text.substr(0, 40)) + "'");
}
Error bad_duration(std::string_view text) {
  return fail("duration.invalid", "not a duration: '" + std::string(text.substr(0, 40)) + "'");
}

}  // namespace

Instant SystemClock::now() const {
  return floor<microseconds>(system_clock::now());
}

std::string to_rfc3339(Instant instant) {
  return to_text(instant, true);
}

std::string to_xs_datetime(Instant instant) {
  return to_text(instant, floor<milliseconds>(instant) != time_point_cast<milliseconds>(floor<seconds>(instant)));
}

Result<ParsedTime> parse_datetime(std::string_view text) {
  Digits in(text);
  const auto y = in.fixed(4);
  if (!y || !in.skip('-')) return bad_time(text);
  const auto mo = in.fixed(2);
  if (!mo || !in.skip('-')) return bad_time(text);
  const auto d = in.fixed(2);
  if (!d || !(in.skip('T') || in.skip('t'))) return bad_time(text);
  const auto h = in.fixed(2);
  if (!h || !in.skip(':')) return bad_time(text);
  const auto mi = in.fixed(2);
  if (!mi || !in.skip(':')) return bad_time(text);
  const auto s = in.fixed(2);
  if (!s) return bad_time(text);
  std::int64_t micros = 0;
  if (in.skip('.')) {
    const auto fraction = in.fraction();
    if (!fraction) return bad_time(text);
    micros = *fraction;
  }
  const year_month_day date{year{*y}, month{static_cast<unsigned>(*mo)}, day{static_cast<unsigned>(*d)}};
  const bool end_of_day = *h == 24 && *mi == 0 && *s == 0 && micros == 0;
  if (!date.ok() || (*h > 23 && !end_of_day) || *mi > 59 || *s > 59) return bad_time(text);
  Instant instant = sys_days(date) + hours(*h) + minutes(*mi) + seconds(*s) + microseconds(micros);
  if (in.empty()) return ParsedTime{instant, false};
  if (in.skip('Z') || in.skip('z')) return in.empty() ? Result<ParsedTime>(ParsedTime{instant, true}) : bad_time(text);
  const int sign = in.skip('+') ? -1 : (in.skip('-') ? 1 : 0);
  const auto oh = in.fixed(2);
  if (sign == 0 || !oh || !in.skip(':')) return bad_time(text);
  const auto om = in.fixed(2);
  if (!om || *oh > 14 || *om > 59 || !in.empty()) return bad_time(text);
  instant += sign * (hours(*oh) + minutes(*om));
  return ParsedTime{instant, true};
}

Instant CalendarDuration::after(Instant from) const {
  const int sign = negative ? -1 : 1;
  if (months != 0) {
    const auto day = floor<days>(from);
    auto date = year_month_day(day) + std::chrono::months(sign * months);
    if (!date.ok()) date = date.year() / date.month() / last;
    from = sys_days(date) + (from - day);
  }
  return from + sign * rest;
}

Result<CalendarDuration> parse_xs_duration(std::string_view text) {
  CalendarDuration out;
  Digits in(text);
  out.negative = in.skip('-');
  if (!in.skip('P') || in.empty()) return bad_duration(text);
  // Each unit at most once and in this order; T opens the time part.
  constexpr std::string_view date_units = "YMD", time_units = "HMS";
  std::size_t unit = 0;
  bool in_time = false, any = false;
  while (!in.empty()) {
    if (in.skip('T')) {
      if (in_time || in.empty()) return bad_duration(text);
      in_time = true;
      unit = 0;
      continue;
    }
    const auto value = in.number();
    if (!value) return bad_duration(text);
    std::int64_t micros = 0;
    bool has_fraction = false;
    if (in.skip('.')) {
      const auto fraction = in.fraction();
      if (!fraction || in.peek() != 'S') return bad_duration(text);
      micros = *fraction;
      has_fraction = true;
    }
    const auto units = in_time ? time_units : date_units;
    const auto at = units.find(in.peek(), unit);
    if (in.empty() || at == std::string_view::npos || (has_fraction && units[at] != 'S')) return bad_duration(text);
    const char letter = units[at];
    unit = at + 1;
    in.skip(letter);
    any = true;
    constexpr std::int64_t seconds_max = std::int64_t{100} * 366 * 86400;  // a century: more is no agreement between organisations
    std::int64_t seconds_each = 0;
    if (!in_time && letter == 'Y') {
      if (*value > 100) return bad_duration(text);
      out.months += static_cast<int>(*value) * 12;
    } else if (!in_time && letter == 'M') {
      if (*value > 1200) return bad_duration(text);
      out.months += static_cast<int>(*value);
    } else {
      seconds_each = letter == 'D' ? 86400 : (letter == 'H' ? 3600 : (letter == 'M' ? 60 : 1));
      if (*value > seconds_max / seconds_each) return bad_duration(text);
      out.rest += seconds(*value * seconds_each) + microseconds(micros);
    }
  }
  if (!any) return bad_duration(text);
  return out;
}

std::string to_xs_duration(Duration duration) {
  std::string out = duration < Duration::zero() ? "-P" : "P";
  const auto total = duration < Duration::zero() ? -duration : duration;
  const auto d = duration_cast<days>(total).count();
  const hh_mm_ss<microseconds> time(total - days(d));
  if (d != 0) out += std::to_string(d) + 'D';
  std::string part;
  if (time.hours().count() != 0) part += std::to_string(time.hours().count()) + 'H';
  if (time.minutes().count() != 0) part += std::to_string(time.minutes().count()) + 'M';
  if (time.seconds().count() != 0 || time.subseconds().count() != 0) {
    part += std::to_string(time.seconds().count());
    if (time.subseconds().count() != 0) {
      auto fraction = std::to_string(1'000'000 + time.subseconds().count()).substr(1);
      fraction.erase(fraction.find_last_not_of('0') + 1);
      part += '.' + fraction;
    }
    part += 'S';
  }
  if (!part.empty()) out += 'T' + part;
  return d == 0 && part.empty() ? "PT0S" : out;
}

Result<Duration> parse_duration(std::string_view text) {
  Digits in(text);
  const auto value = in.number();
  if (!value) return bad_duration(text);
  struct Unit {
    std::string_view name;
    std::int64_t micros;
  };
  constexpr std::array units{Unit{"ms", 1000},         Unit{"s", 1'000'000},      Unit{"m", 60'000'000},
                             Unit{"h", 3'600'000'000}, Unit{"d", 86'400'000'000}, Unit{"y", 365 * 86'400'000'000}};
  const auto digits = text.find_first_not_of("0123456789");
  const auto name = digits == std::string_view::npos ? std::string_view() : text.substr(digits);
  for (const auto& unit : units) {
    if (unit.name != name) continue;
    if (*value > std::numeric_limits<std::int64_t>::max() / unit.micros) return bad_duration(text);
    return Duration(*value * unit.micros);
  }
  return bad_duration(text);
}

}  // namespace schakel
