// When to try again: the one implementation of back-off (requirements README section 7). Pure: no clock, no database.
//
// A policy counts failures: `delay_after(policy, 1, …)` is how long to wait after the first failed attempt.
#pragma once

#include <cstdint>
#include <optional>

#include "base/random.hpp"
#include "base/time.hpp"

namespace schakel::exchange {

enum class RetryPolicy {
  signal,            // ebMS2 asynchronous signal: 1, 5, 15 min (EB-113)
  webhook,           // application webhook: ten attempts over four days, jitter up to 20 % (ADP-107)
  dai,               // DAI delivery: 5, 30, 120, 600 s, then every 30 min
  event,             // event delivery: 15 s x 4^n up to 6 h, +-10 %
  fsc_distribution,  // 1, 2, 4 ... 300 s
  file_fast,         // Grote Berichten: 1, 5, 15, 30, 60 s, then every 60 s, +-20 %
  file_slow,         // Grote Berichten: 1, 5, 15, 30, 60 min, then every 60 min, +-20 %
  report,            // 60 s x 2^n up to 1 h
  crl,               // 1, 2, 4, 8, 15 min, then every 15 min
  oin_register,      // 30 s doubling to 15 min
  mail,              // 1, 5, 15, 60 min, then hourly
  wus_idempotent,    // 1 s, 5 s
};

// nullopt: no attempt is left. Where a row of the table also ends in time (5 days, a TimeToLive), the caller looks at the clock. `failures`
// is at least 1.
std::optional<Duration> delay_after(RetryPolicy, std::int64_t failures, Random&);

// An ebMS2 reliable message: the contract's RetryInterval, while attempts are left (1 + retries_max in all, EB-103).
std::optional<Duration> reliable_delay(Duration retry_interval, std::int64_t attempts, std::int64_t retries_max);

// Retry-After is obeyed everywhere, up to a cap: 24 h, FSC 300 s. Never shortens a delay.
inline constexpr std::chrono::hours retry_after_max{24};
inline constexpr std::chrono::seconds fsc_retry_after_max{300};
Duration honour_retry_after(Duration delay, std::optional<Duration> retry_after, Duration cap = retry_after_max);

}  // namespace schakel::exchange
