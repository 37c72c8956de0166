// Signing and retries of webhooks: pure functions.
#include <charconv>

#include "api/json.hpp"
#include "api/webhooks.hpp"
#include "base/bytes.hpp"

namespace schakel::api {
namespace {

constexpr std::string_view secret_prefix = "whsec_";
constexpr std::size_t secret_octets_min = 24, secret_octets_max = 64;
constexpr Duration timestamp_tolerance = std::chrono::minutes(5);

Result<Bytes> key_of(std::string_view secret) {
  const Error invalid = fail("webhook.secretInvalid", "een webhookgeheim is whsec_ met base64 van 24 tot 64 octetten");
  if (!secret.starts_with(secret_prefix)) return invalid;
  auto key = from_base64(secret.substr(secret_prefix.size()));
  if (!key || key->size() < secret_octets_min || key->size() > secret_octets_max) return invalid;
  return key;
}

std::int64_t unix_seconds(Instant at) {
  return std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
}

}  // namespace

std::string make_webhook_secret(Random& random) {
  std::array<unsigned char, 32> octets{};
  random.fill(octets);
  return std::string(secret_prefix) + to_base64({reinterpret_cast<const char*>(octets.data()), octets.size()});
}

Result<std::string> webhook_signature(std::string_view secret, std::string_view id, std::int64_t timestamp, std::string_view body) {
  SCHAKEL_TRY(const Bytes key, key_of(secret));
  std::string text;
  text.reserve(id.size() + body.size() + 24);
  text.append(id).append(".").append(std::to_string(timestamp)).append(".").append(body);
  return "v1," + to_base64(hmac_sha256(key, text));
}

std::string webhook_signatures(const std::vector<WebhookSecret>& secrets, std::string_view id, Instant now, std::string_view body) {
  std::string out;
  for (const auto& secret : secrets) {
    if (secret.expires_at && *secret.expires_at <= now) continue;
    const auto signature = webhook_signature(secret.text, id, unix_seconds(now), body);
    if (!signature) continue;
    if (!out.empty()) out += ' ';
    out += *signature;
  }
  return out;
}

bool webhook_is_genuine(std::string_view secret, const http::Headers& headers, std::string_view body, Instant now) {
  const auto id = headers.find("webhook-id"), timestamp = headers.find("webhook-timestamp"), signatures = headers.find("webhook-signature");
  if (!id || !timestamp || !signatures) return false;
  const auto seconds = read_digits(*timestamp);
  if (!seconds) return false;
  const Instant sent{std::chrono::seconds(*seconds)};
  if (std::chrono::abs(now - sent) > timestamp_tolerance) return false;
  const auto expected = webhook_signature(secret, *id, *seconds, body);
  if (!expected) return false;
  std::string_view rest = *signatures;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(' '), rest.size());
    if (constant_time_equal(rest.substr(0, end), *expected)) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

std::optional<Instant> next_webhook_attempt(std::int64_t attempts, Instant now, std::optional<Duration> retry_after, Random& random) {
  using namespace std::chrono;
  static constexpr Duration delays[webhook_attempts_max] = {0s, 5s, 5min, 30min, 2h, 5h, 10h, 14h, 20h, 24h};
  if (attempts < 1 || attempts >= webhook_attempts_max) return std::nullopt;
  const Duration delay = delays[attempts];
  const auto jitter = Duration(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(delay.count() / 5) + 1)));
  const Duration asked = retry_after ? std::clamp(*retry_after, Duration(0), webhook_retry_after_max) : Duration(0);
  return now + std::max(delay + jitter, asked);
}

std::optional<Duration> read_retry_after(std::string_view text, Instant now) {
  text = trim(text);
  if (const auto seconds = read_digits(text)) return std::chrono::seconds(std::min<std::int64_t>(*seconds, 86'400));
  // "Wed, 21 Oct 2026 07:28:00 GMT"
  static constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || !text.ends_with(" GMT") || text[3] != ',') return std::nullopt;
  const auto month = months.find(text.substr(8, 3));
  if (month == std::string_view::npos || month % 3 != 0) return std::nullopt;
  std::string two = std::to_string(month / 3 + 1);
  if (two.size() == 1) two.insert(0, "0");
  const auto at = parse_datetime(std::string(text.substr(12, 4)) + "-" + two + "-" + std::string(text.substr(5, 2)) + "T" +
                                 std::string(text.substr(17, 8)) + "Z");
  if (!at) return std::nullopt;
  return std::max(at->instant - now, Duration(0));
}

}  // namespace schakel::api
