// One time type: UTC, microseconds. The clock is an interface, so that tests and the simulator own time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace schakel {

using Duration = std::chrono::microseconds;
using Instant = std::chrono::sys_time<Duration>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
};

// The host's clock. Safe from every thread.
class SystemClock final : public Clock {
 public:
  Instant now() const override;
};

// RFC 3339 with Z and milliseconds: "2026-03-02T09:15:00.123Z" (README section 16).
std::string to_rfc3339(Instant);
// xs:dateTime in UTC with Z and whole seconds, or milliseconds when there are any: what ebMS2 headers carry (EB-068).
std::string to_xs_datetime(Instant);

struct ParsedTime {
  Instant instant;
  bool has_zone;  // false: no zone was written, read as UTC
};
// xs:dateTime or RFC 3339: Z, no zone (UTC), any offset, any number of fraction digits (cut to microseconds). Error "time.invalid".
Result<ParsedTime> parse_datetime(std::string_view);

// xs:duration. Years and months have no fixed length: they are kept apart and added calendar-wise (CPA V29b).
struct CalendarDuration {
  int months = 0;
  Duration rest{0};
  bool negative = false;

  bool has_calendar_part() const { return months != 0; }
  // `from` moved by this duration; days of the month are clipped to the month's end.
  Instant after(Instant from) const;
  // The fixed length when counted from `from`.
  Duration length_from(Instant from) const { return after(from) - from; }
  friend bool operator==(const CalendarDuration&, const CalendarDuration&) = default;
};
Result<CalendarDuration> parse_xs_duration(std::string_view);
std::string to_xs_duration(Duration);

// Configuration durations: number + unit of ms s m h d wd mo y (README section 10); "wd" and "mo" are not fixed lengths and are refused
// here.
Result<Duration> parse_duration(std::string_view);

}  // namespace schakel
