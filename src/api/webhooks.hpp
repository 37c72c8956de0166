// Webhooks: events and inbound messages pushed to applications by the rules of Standard Webhooks 1.0.0 (adapter.md 2.2, ADP-106..109).
//
// Two kinds of work end here. `message.offer` (subject: a Message) picks the target of an inbound message: the webhook that fits best, else
// the queue `default`. `webhook.call` is first the fan-out of one application event (subject: the event), which makes one row per webhook
// that wants it, and then such a row (subject: the Message, parameters: webhook and event), which is one call with its retries. Like the
// protocol core this part makes no call itself: `prepare` gives the request as a value, the work loop posts it, `conclude` judges the
// outcome; both run inside a transaction.
//
// One webhook is the *target* of an inbound message: its answers move the Message (RECEIVED, OFFERED, PROCESSED, DEAD). Others that want
// `message.received` are told too, without effect on the state.
//
// Threads: Webhooks has no state but its dependencies; every function is safe from every thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "exchange/message.hpp"
#include "exchange/store.hpp"
#include "http/message.hpp"
#include "sql/database.hpp"

namespace schakel::api {

// --- signing ---------------------------------------------------------------------------------------------------------------------

// "whsec_" + base64 of 32 random octets.
std::string make_webhook_secret(Random&);
// "v1," + base64(HMAC-SHA256(secret, "{id}.{timestamp}.{body}")). Error "webhook.secretInvalid": not `whsec_` + base64 of 24 to 64 octets.
Result<std::string> webhook_signature(std::string_view secret, std::string_view id, std::int64_t timestamp, std::string_view body);

struct WebhookSecret {
  std::string text;
  Instant created_at;
  std::optional<Instant> expires_at;  // set when a newer one took its place: signs along until then
};
inline constexpr Duration webhook_secret_overlap = std::chrono::hours(24);

// The value of `webhook-signature`: one signature per secret that is still valid, newest first.
std::string webhook_signatures(const std::vector<WebhookSecret>&, std::string_view id, Instant now, std::string_view body);

// What a receiver does, for the sample receivers of the console and for tests: any signature fits and the timestamp is at most five minutes
// off.
bool webhook_is_genuine(std::string_view secret, const http::Headers&, std::string_view body, Instant now);

// --- retries (ADP-107) -------------------------------------------------------------------------------------------------------------
inline constexpr std::int64_t webhook_attempts_max = 10;
inline constexpr Duration webhook_retry_after_max = std::chrono::hours(24);
// When to try again after `attempts` failed ones (1 and up); nullopt: that was the last. A Retry-After of the receiver only ever delays.
std::optional<Instant> next_webhook_attempt(std::int64_t attempts, Instant now, std::optional<Duration> retry_after, Random&);

// --- a webhook -------------------------------------------------------------------------------------------------------------------
enum class PayloadMode { thin, inlined };
enum class Confirm { on_accept, explicit_ };

// Empty criteria fit everything (EB-215).
struct WebhookFilter {
  std::string contract_id, cpa_id, from_oin, to_oin, service, action;
  bool fits(const exchange::Message&) const;
  int criteria() const;
};

struct Webhook {
  std::string id, tenant;
  std::string owner;  // the API key that made it: an integrator sees its own only
  std::string url, description;
  std::vector<std::string> types;  // of the closed list below
  WebhookFilter filter;
  PayloadMode payload_mode = PayloadMode::thin;
  Confirm confirm = Confirm::on_accept;
  Duration visibility = std::chrono::minutes(15);
  std::string tls = "oneSided";  // none | oneSided | twoSided (ADP-113)
  bool enabled = true;
  std::string disabled_reason;         // "gone": answered 410
  std::vector<WebhookSecret> secrets;  // newest first
  Instant created_at, changed_at;
  std::int64_t version = 1;

  bool wants(std::string_view type, const exchange::Message&) const;
};
inline constexpr std::string_view webhook_types[] = {
    "message.received",      "message.delivered", "message.failed",        "message.expired",       "message.late_acknowledged",
    "message.dead_lettered", "message.warning",   "message.order_blocked", "file.completed",        "file.fetched",
    "file.failed",           "file.expired",      "file.quarantined",      "report.status_changed", "contract.expiring",
    "certificate.expiring",  "notice.published",  "webhook.test"};
bool is_webhook_type(std::string_view);

Result<Webhook> webhook_from(const exchange::Document&);
exchange::Document to_document(const Webhook&);

// A tenant as far as the API needs it.
struct Tenant {
  std::string slug;
  std::string environment = "test";  // test | production
  std::vector<std::string> oins;
};

// --- calls -----------------------------------------------------------------------------------------------------------------------
inline constexpr std::size_t webhook_inline_bytes_max = 256 * 1024;   // ADP-109
inline constexpr std::size_t webhook_thin_bytes_max = 20'000;         // ADP-109
inline constexpr std::size_t webhook_response_bytes_max = 64 * 1024;  // what is read of an answer (adapter.md section 4)

// One request to make. The driver posts it with these limits and reports the outcome.
struct WebhookCall {
  exchange::Work work;
  std::string webhook;
  std::string message;  // empty: an event without a message
  std::string event;
  std::string tenant;
  std::string tls;
  std::string url;
  http::Headers headers;
  std::string body;
  std::vector<std::string> allowed_networks;  // exceptions to the address guard (ADP-108); loopback only for a tenant of environment test
};

struct WebhookOutcome {
  unsigned status = 0;  // 0: no answer
  std::optional<Duration> retry_after;
  std::string error_code, error_detail;  // transport.* when there was no answer
  Duration took{0};
};

// The parsed value of Retry-After: seconds or an HTTP date; nullopt when it is neither.
std::optional<Duration> read_retry_after(std::string_view, Instant now);

class Webhooks {
 public:
  struct Settings {
    std::string node = "a";
    std::vector<std::string> allowed_networks;
    Duration delivery_age_max = std::chrono::hours(24 * 5);
  };
  struct Dependencies {
    const Clock& clock;
    Random& random;
    Log& log;
    Metrics& metrics;
    std::function<std::optional<Tenant>(std::string_view slug)> tenant;
  };
  Webhooks(Settings, Dependencies);

  // Work `message.offer`: finishes the row; makes rows `webhook.call` or puts the message in the queue.
  Result<> offer(sql::Transaction&, const exchange::Claimer&, const exchange::Work&) const;
  // Work `webhook.call`: the request to make, or nullopt when nothing is to be posted now (fanned out, finished, waits for an earlier
  // event).
  Result<std::optional<WebhookCall>> prepare(sql::Transaction&, const exchange::Claimer&, const exchange::Work&) const;
  Result<> conclude(sql::Transaction&, const exchange::Claimer&, const WebhookCall&, const WebhookOutcome&) const;

  // A call of type webhook.test, outside all work: for POST /webhooks/{id}/_test.
  WebhookCall test_call(const Webhook&) const;
  // `allowed_networks` as they hold for this tenant.
  std::vector<std::string> networks_for(std::string_view tenant) const;

 private:
  struct Delivery;
  Result<> fan_out(sql::Transaction&, const exchange::Claimer&, const exchange::Work&) const;
  Result<std::optional<WebhookCall>> call(sql::Transaction&, const exchange::Claimer&, const exchange::Work&, const Delivery&) const;
  Result<> add_delivery(sql::Transaction&, const exchange::ApplicationEvent&, const Webhook&, bool target, bool replay) const;
  Result<> succeeded(sql::Transaction&, const exchange::Claimer&, const WebhookCall&, const Delivery&) const;
  Result<> failed(sql::Transaction&, const exchange::Claimer&, const WebhookCall&, const Delivery&, const WebhookOutcome&) const;
  Result<> bury(sql::Transaction&, const exchange::Claimer&, const WebhookCall&, const Delivery&, const std::string& code) const;
  Result<> disable(sql::Transaction&, const WebhookCall&) const;
  Result<> offer_elsewhere(sql::Transaction&, const exchange::Claimer&, const exchange::Work&, const Delivery&) const;
  std::string new_id() const { return uuid_v7(dependencies_.random, dependencies_.clock.now()); }

  Settings settings_;
  Dependencies dependencies_;
};

}  // namespace schakel::api
