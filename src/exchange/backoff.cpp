#include "exchange/backoff.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace schakel::exchange {
namespace {

using namespace std::chrono_literals;

enum class After { stop, repeat_last };

struct Steps {
  std::span<const Duration> delays;  // after the first failure, the second, …
  After after;
  int jitter_percent;     // how far a delay is moved at most
  bool jitter_both_ways;  // else only later
};

constexpr std::array<Duration, 3> signal_delays = {1min, 5min, 15min};
// The first attempt is at once: it is not a delay after a failure.
constexpr std::array<Duration, 9> webhook_delays = {5s, 5min, 30min, 2h, 5h, 10h, 14h, 20h, 24h};
constexpr std::array<Duration, 5> dai_delays = {5s, 30s, 120s, 600s, 30min};
constexpr std::array<Duration, 7> event_delays = {15s, 60s, 240s, 960s, 3840s, 15360s, 6h};
constexpr std::array<Duration, 10> fsc_delays = {1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s};
constexpr std::array<Duration, 5> file_fast_delays = {1s, 5s, 15s, 30s, 60s};
constexpr std::array<Duration, 5> file_slow_delays = {1min, 5min, 15min, 30min, 60min};
constexpr std::array<Duration, 7> report_delays = {60s, 120s, 240s, 480s, 960s, 1920s, 1h};
constexpr std::array<Duration, 5> crl_delays = {1min, 2min, 4min, 8min, 15min};
constexpr std::array<Duration, 6> oin_register_delays = {30s, 60s, 120s, 240s, 480s, 15min};
constexpr std::array<Duration, 4> mail_delays = {1min, 5min, 15min, 60min};
constexpr std::array<Duration, 2> wus_delays = {1s, 5s};

Steps steps_of(RetryPolicy policy) {
  switch (policy) {
    case RetryPolicy::signal:
      return {signal_delays, After::stop, 0, false};
    case RetryPolicy::webhook:
      return {webhook_delays, After::stop, 20, false};
    case RetryPolicy::dai:
      return {dai_delays, After::repeat_last, 0, false};
    case RetryPolicy::event:
      return {event_delays, After::repeat_last, 10, true};
    case RetryPolicy::fsc_distribution:
      return {fsc_delays, After::repeat_last, 0, false};
    case RetryPolicy::file_fast:
      return {file_fast_delays, After::repeat_last, 20, true};
    case RetryPolicy::file_slow:
      return {file_slow_delays, After::repeat_last, 20, true};
    case RetryPolicy::report:
      return {report_delays, After::repeat_last, 0, false};
    case RetryPolicy::crl:
      return {crl_delays, After::repeat_last, 0, false};
    case RetryPolicy::oin_register:
      return {oin_register_delays, After::repeat_last, 0, false};
    case RetryPolicy::mail:
      return {mail_delays, After::repeat_last, 0, false};
    case RetryPolicy::wus_idempotent:
      return {wus_delays, After::stop, 0, false};
  }
  return {signal_delays, After::stop, 0, false};
}

Duration jittered(Duration delay, const Steps& steps, Random& random) {
  const std::int64_t span = delay.count() * steps.jitter_percent / 100;
  if (span == 0) return delay;
  const std::int64_t width = steps.jitter_both_ways ? 2 * span : span;
  const auto moved = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(width) + 1));
  return delay + Duration(steps.jitter_both_ways ? moved - span : moved);
}

}  // namespace

std::optional<Duration> delay_after(RetryPolicy policy, std::int64_t failures, Random& random) {
  const Steps steps = steps_of(policy);
  const auto count = static_cast<std::int64_t>(steps.delays.size());
  if (failures > count && steps.after == After::stop) return std::nullopt;
  const auto index = static_cast<std::size_t>(std::clamp<std::int64_t>(failures, 1, count) - 1);
  return jittered(steps.delays[index], steps, random);
}

std::optional<Duration> reliable_delay(Duration retry_interval, std::int64_t attempts, std::int64_t retries_max) {
  if (attempts > retries_max) return std::nullopt;
  return retry_interval;
}

Duration honour_retry_after(Duration delay, std::optional<Duration> retry_after, Duration cap) {
  return retry_after ? std::max(delay, std::min(*retry_after, cap)) : delay;
}

}  // namespace schakel::exchange
