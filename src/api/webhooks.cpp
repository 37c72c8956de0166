#include "api/webhooks.hpp"

#include <tuple>

#include "api/confirmation.hpp"
#include "api/descriptor.hpp"
#include "base/limits.hpp"
#include "exchange/blob.hpp"
#include "exchange/delivery.hpp"
#include "exchange/order.hpp"

namespace schakel::api {
namespace {

using exchange::ApplicationEvent;
using exchange::Claimer;
using exchange::Message;
using exchange::State;
using exchange::Work;

constexpr std::string_view call_kind = "webhook.call", offer_kind = "message.offer";
// How long an event waits before it looks again whether an earlier one of its message has gone (EB-214).
constexpr Duration order_wait = std::chrono::seconds(1);

OrderedJson secrets_to_json(const std::vector<WebhookSecret>& secrets) {
  auto list = OrderedJson::array();
  for (const auto& secret : secrets) {
    OrderedJson one{{"text", secret.text}, {"createdAt", to_rfc3339(secret.created_at)}};
    if (secret.expires_at) one["expiresAt"] = to_rfc3339(*secret.expires_at);
    list.push_back(std::move(one));
  }
  return list;
}

Result<Instant> instant_of(const Json& body, const char* name) {
  SCHAKEL_TRY(const auto parsed, parse_datetime(body.value(name, std::string())));
  return parsed.instant;
}

Result<std::vector<WebhookSecret>> secrets_from(const Json& list) {
  std::vector<WebhookSecret> out;
  for (const auto& one : list) {
    WebhookSecret secret;
    secret.text = one.value("text", std::string());
    SCHAKEL_TRY(secret.created_at, instant_of(one, "createdAt"));
    if (one.contains("expiresAt")) {
      SCHAKEL_TRY(secret.expires_at, instant_of(one, "expiresAt"));
    }
    out.push_back(std::move(secret));
  }
  return out;
}

bool is_loopback_network(std::string_view network) {
  return network.starts_with("127.") || network.starts_with("::1");
}

std::string event_body(std::string_view type, Instant at, const OrderedJson& data) {
  OrderedJson body;
  body["type"] = type;
  body["timestamp"] = to_rfc3339(at);
  body["data"] = data;
  return body.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

Result<Bytes> octets_of(sql::Transaction& tx, const exchange::Payload& payload) {
  Bytes out;
  for (std::int64_t chunk = 0; std::cmp_less(out.size(), payload.size); ++chunk) {
    SCHAKEL_TRY(const Bytes octets, exchange::read_chunk(tx, payload.blob, chunk));
    if (octets.empty()) return fail("storage.failed", "een payload is korter dan zijn maat");
    out += octets;
  }
  return out;
}

// Adds `data` in base64 to the payloads, as long as all of them together stay under the limit (ADP-109).
Result<> inline_payloads(sql::Transaction& tx, const std::vector<exchange::Payload>& payloads, OrderedJson& list) {
  std::size_t left = webhook_inline_bytes_max;
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const auto& payload = payloads[i];
    if (payload.purged || std::cmp_greater(payload.size, left)) continue;
    SCHAKEL_TRY(const Bytes octets, octets_of(tx, payload));
    left -= octets.size();
    list[i]["data"] = to_base64(octets);
  }
  return {};
}

// An event with very many payloads names the first ones only, so that it stays thin.
void keep_thin(OrderedJson& data) {
  constexpr std::size_t shown = 20;
  if (data.dump(-1, ' ', false, OrderedJson::error_handler_t::replace).size() < webhook_thin_bytes_max || data["payloads"].size() <= shown)
    return;
  auto& payloads = data["payloads"];
  data["payloadsTotal"] = payloads.size();
  payloads.erase(payloads.begin() + static_cast<std::ptrdiff_t>(shown), payloads.end());
}

}  // namespace

bool is_webhook_type(std::string_view type) {
  return std::find(std::begin(webhook_types), std::end(webhook_types), type) != std::end(webhook_types);
}

bool WebhookFilter::fits(const Message& message) const {
  const auto agrees = [](const std::string& wanted, const std::string& found) { return wanted.empty() || wanted == found; };
  return agrees(contract_id, message.contract_id) && agrees(cpa_id, message.cpa_id) && agrees(from_oin, message.from.oin) &&
         agrees(to_oin, message.to.oin) && agrees(service, message.service) && agrees(action, message.action);
}

int WebhookFilter::criteria() const {
  int count = 0;
  for (const auto* one : {&contract_id, &cpa_id, &from_oin, &to_oin, &service, &action}) count += one->empty() ? 0 : 1;
  return count;
}

bool Webhook::wants(std::string_view type, const Message& message) const {
  return enabled && std::find(types.begin(), types.end(), type) != types.end() && filter.fits(message);
}

Result<Webhook> webhook_from(const exchange::Document& document) {
  const Json body = Json::parse(document.body, nullptr, false);
  if (!body.is_object()) return fail("storage.failed", "een webhook is onleesbaar: " + document.id);
  Webhook hook;
  hook.id = document.id;
  hook.tenant = document.tenant;
  hook.version = document.version;
  hook.changed_at = document.changed_at;
  hook.owner = body.value("owner", "");
  hook.url = body.value("url", "");
  hook.description = body.value("description", "");
  hook.types = body.value("types", std::vector<std::string>{});
  const Json filter = body.value("filter", Json::object());
  hook.filter = {filter.value("contractId", ""), filter.value("cpaId", ""),   filter.value("fromOin", ""),
                 filter.value("toOin", ""),      filter.value("service", ""), filter.value("action", "")};
  hook.payload_mode = body.value("payloadMode", "thin") == "inline" ? PayloadMode::inlined : PayloadMode::thin;
  hook.confirm = body.value("confirm", "onAccept") == "explicit" ? Confirm::explicit_ : Confirm::on_accept;
  hook.visibility = std::chrono::seconds(body.value("visibilitySeconds", std::int64_t{900}));
  hook.tls = body.value("tls", "oneSided");
  hook.enabled = body.value("enabled", true);
  hook.disabled_reason = body.value("disabledReason", "");
  SCHAKEL_TRY(hook.created_at, instant_of(body, "createdAt"));
  SCHAKEL_TRY(hook.secrets, secrets_from(body.value("secrets", Json::array())));
  return hook;
}

exchange::Document to_document(const Webhook& hook) {
  OrderedJson filter = OrderedJson::object();
  const auto put = [&](const char* name, const std::string& text) {
    if (!text.empty()) filter[name] = text;
  };
  put("contractId", hook.filter.contract_id);
  put("cpaId", hook.filter.cpa_id);
  put("fromOin", hook.filter.from_oin);
  put("toOin", hook.filter.to_oin);
  put("service", hook.filter.service);
  put("action", hook.filter.action);
  const OrderedJson body{{"owner", hook.owner},
                         {"url", hook.url},
                         {"description", hook.description},
                         {"types", hook.types},
                         {"filter", filter},
                         {"payloadMode", hook.payload_mode == PayloadMode::inlined ? "inline" : "thin"},
                         {"confirm", hook.confirm == Confirm::explicit_ ? "explicit" : "onAccept"},
                         {"visibilitySeconds", std::chrono::duration_cast<std::chrono::seconds>(hook.visibility).count()},
                         {"tls", hook.tls},
                         {"enabled", hook.enabled},
                         {"disabledReason", hook.disabled_reason},
                         {"createdAt", to_rfc3339(hook.created_at)},
                         {"secrets", secrets_to_json(hook.secrets)}};
  exchange::Document document;
  document.id = hook.id;
  document.tenant = hook.tenant;
  document.kind = "webhook";
  document.key = hook.id;
  document.body = body.dump();
  document.version = hook.version;
  document.changed_at = hook.changed_at;
  return document;
}

// The parameters of a row `webhook.call` that is one delivery.
struct Webhooks::Delivery {
  std::string webhook, event;
  std::int64_t at = 0;     // of the event, in microseconds
  std::int64_t place = 0;  // among the deliveries of this message to this webhook
  bool target = false, replay = false;

  static std::optional<Delivery> from(const std::string& parameters) {
    const Json body = Json::parse(parameters, nullptr, false);
    if (!body.is_object() || !body.contains("webhook")) return std::nullopt;
    Delivery out;
    out.webhook = body.value("webhook", "");
    out.event = body.value("event", "");
    out.at = body.value("at", std::int64_t{0});
    out.place = body.value("place", std::int64_t{0});
    out.target = body.value("target", false);
    out.replay = body.value("replay", false);
    return out;
  }
  std::string text() const {
    return OrderedJson{{"webhook", webhook}, {"event", event}, {"at", at}, {"place", place}, {"target", target}, {"replay", replay}}.dump();
  }
  bool before(const Delivery& other) const { return webhook == other.webhook && place < other.place; }
};

namespace {

Result<std::vector<Webhook>> webhooks_of(sql::Transaction& tx, std::string_view tenant) {
  SCHAKEL_TRY(const auto documents, exchange::documents(tx, tenant, "webhook"));
  std::vector<Webhook> out;
  for (const auto& document : documents) {
    SCHAKEL_TRY(auto hook, webhook_from(document));
    out.push_back(std::move(hook));
  }
  return out;
}

Result<std::optional<Webhook>> find_webhook(sql::Transaction& tx, std::string_view tenant, std::string_view id) {
  SCHAKEL_TRY(const auto document, exchange::find_document(tx, tenant, "webhook", id));
  if (!document) return std::optional<Webhook>{};
  SCHAKEL_TRY(auto hook, webhook_from(*document));
  return std::optional(std::move(hook));
}

// The most criteria win; then the oldest.
const Webhook* best_target(const std::vector<Webhook>& hooks, const Message& message) {
  const Webhook* best = nullptr;
  for (const auto& hook : hooks) {
    if (!hook.wants("message.received", message)) continue;
    if (best == nullptr || std::make_tuple(-hook.filter.criteria(), hook.created_at, std::cref(hook.id)) <
                               std::make_tuple(-best->filter.criteria(), best->created_at, std::cref(best->id))) {
      best = &hook;
    }
  }
  return best;
}

// A target's call is still wanted: the application has not spoken, or it is to hear again what it decided.
bool is_to_be_offered(const Message& message, bool replay) {
  return waits_for_application(message) || (replay && may_be_replayed(message));
}

// A row that waits again: not an attempt.
Result<> wait_until(sql::Transaction& tx, const Claimer& claimer, Work work, Instant due) {
  work.due = due;
  return exchange::reschedule_work(tx, claimer, work);
}

}  // namespace

Webhooks::Webhooks(Settings settings, Dependencies dependencies) : settings_(std::move(settings)), dependencies_(std::move(dependencies)) {}

std::vector<std::string> Webhooks::networks_for(std::string_view tenant) const {
  const auto found = dependencies_.tenant(tenant);
  std::vector<std::string> out;
  for (const auto& network : settings_.allowed_networks) {
    if (!is_loopback_network(network) || (found && found->environment == "test")) out.push_back(network);
  }
  return out;
}

Result<> Webhooks::add_delivery(sql::Transaction& tx, const ApplicationEvent& event, const Webhook& hook, bool target, bool replay) const {
  Work work;
  work.id = new_id();
  work.tenant = event.tenant;
  work.kind = call_kind;
  work.subject = event.message.empty() ? event.id : event.message;
  work.destination = "webhook:" + hook.id;
  work.due = dependencies_.clock.now();
  Delivery delivery;
  delivery.webhook = hook.id;
  delivery.event = event.id;
  delivery.at = event.at.time_since_epoch().count();
  delivery.target = target;
  delivery.replay = replay;
  SCHAKEL_TRY(const auto rows, exchange::work_of(tx, call_kind, work.subject));
  for (const auto& row : rows) {
    const auto other = Delivery::from(row.parameters);
    if (other && other->webhook == hook.id) delivery.place = std::max(delivery.place, other->place + 1);
  }
  work.parameters = delivery.text();
  return exchange::add_work(tx, work);
}

Result<> Webhooks::offer(sql::Transaction& tx, const Claimer& claimer, const Work& work) const {
  SCHAKEL_TRY(auto message, exchange::find_message(tx, work.tenant, work.subject));
  const Json parameters = Json::parse(work.parameters, nullptr, false);
  const bool replay = parameters.is_object() && parameters.value("replay", false);
  if (!message || !is_to_be_offered(*message, replay)) return exchange::finish_work(tx, claimer, work.id);
  const Instant now = dependencies_.clock.now();
  SCHAKEL_TRY(const auto hooks, webhooks_of(tx, work.tenant));
  const Webhook* target = best_target(hooks, *message);
  // A queue keeps its order by itself; calls that run at the same time do not.
  if (target != nullptr && !replay) {
    SCHAKEL_TRY(const bool early, exchange::predecessor_unanswered(tx, message->id));
    if (early) return wait_until(tx, claimer, work, now + order_wait);
  }
  SCHAKEL_CHECK(exchange::finish_work(tx, claimer, work.id));
  if (target == nullptr) return exchange::enqueue(tx, work.tenant, default_queue, message->id, now);

  const bool again = replay || message->offered_at || (parameters.is_object() && parameters.value("again", false));
  SCHAKEL_TRY(const auto events, exchange::events_of(tx, work.tenant, message->id));
  const auto received = std::find_if(events.rbegin(), events.rend(), [](const auto& event) { return event.type == "message.received"; });
  ApplicationEvent event;
  if (received != events.rend()) {
    event = *received;
  } else {
    // A replay is a new event: its receiver must not take it for a repetition of the first.
    event = {new_id(), work.tenant, message->id, "message.received", now, "{}"};
    SCHAKEL_CHECK(exchange::insert_event(tx, event));
  }
  for (const auto& hook : hooks) {
    const bool is_target = &hook == target;
    if (is_target || (!again && hook.wants("message.received", *message))) SCHAKEL_CHECK(add_delivery(tx, event, hook, is_target, replay));
  }
  return {};
}

Result<> Webhooks::fan_out(sql::Transaction& tx, const Claimer& claimer, const Work& work) const {
  SCHAKEL_TRY(const auto event, exchange::find_event(tx, work.tenant, work.subject));
  // Inbound messages reach their applications by message.offer.
  if (!event || event->type == "message.received") return exchange::finish_work(tx, claimer, work.id);
  Message message;
  if (!event->message.empty()) {
    SCHAKEL_TRY(const auto events, exchange::events_of(tx, work.tenant, event->message));
    const auto ours = std::find_if(events.begin(), events.end(), [&](const auto& one) { return one.id == event->id; });
    // Processed already: the application pulled it.
    if (ours == events.end()) return exchange::finish_work(tx, claimer, work.id);
    for (auto earlier = events.begin(); earlier != ours; ++earlier) {
      SCHAKEL_TRY(const auto waiting, exchange::work_of(tx, call_kind, earlier->id));
      if (!waiting.empty()) return wait_until(tx, claimer, work, dependencies_.clock.now() + order_wait);
    }
    SCHAKEL_TRY(auto found, exchange::find_message(tx, work.tenant, event->message));
    if (found) message = std::move(*found);
  }
  SCHAKEL_CHECK(exchange::finish_work(tx, claimer, work.id));
  SCHAKEL_TRY(const auto hooks, webhooks_of(tx, work.tenant));
  for (const auto& hook : hooks) {
    if (hook.wants(event->type, message)) SCHAKEL_CHECK(add_delivery(tx, *event, hook, false, false));
  }
  return {};
}

Result<std::optional<WebhookCall>> Webhooks::prepare(sql::Transaction& tx, const Claimer& claimer, const Work& work) const {
  if (const auto delivery = Delivery::from(work.parameters)) return call(tx, claimer, work, *delivery);
  SCHAKEL_CHECK(fan_out(tx, claimer, work));
  return std::optional<WebhookCall>{};
}

Result<> Webhooks::offer_elsewhere(sql::Transaction& tx, const Claimer& claimer, const Work& work, const Delivery& delivery) const {
  SCHAKEL_CHECK(exchange::finish_work(tx, claimer, work.id));
  if (!delivery.target) return {};
  Work offer;
  offer.id = new_id();
  offer.tenant = work.tenant;
  offer.kind = offer_kind;
  offer.subject = work.subject;
  offer.due = dependencies_.clock.now();
  offer.parameters = delivery.replay ? R"({"again":true,"replay":true})" : R"({"again":true})";
  return exchange::add_work(tx, offer);
}

namespace {

// SEC-052: who brought the message, as TLS proved it.
Result<> add_peer(sql::Transaction& tx, const Message& message, http::Headers& headers) {
  SCHAKEL_TRY(const auto trail, exchange::trail_of(tx, message.tenant, message.id));
  const auto received = std::find_if(trail.begin(), trail.end(), [](const auto& sealed) { return sealed.event.type == "received"; });
  if (received == trail.end() || received->event.peer_oin.empty()) return {};
  headers.add("Schakel-Peer-Oin", received->event.peer_oin);
  if (!received->event.peer_certificate_sha256.empty()) headers.add("Schakel-Peer-Cert-Sha256", received->event.peer_certificate_sha256);
  return {};
}

}  // namespace

Result<std::optional<WebhookCall>> Webhooks::call(sql::Transaction& tx, const Claimer& claimer, const Work& work,
                                                  const Delivery& delivery) const {
  const std::optional<WebhookCall> nothing;
  const Instant now = dependencies_.clock.now();
  SCHAKEL_TRY(const auto event, exchange::find_event(tx, work.tenant, delivery.event));
  std::optional<Message> message;
  if (event && !event->message.empty()) {
    SCHAKEL_TRY(message, exchange::find_message(tx, work.tenant, event->message));
  }
  if (!event || (delivery.target && (!message || !is_to_be_offered(*message, delivery.replay)))) {
    SCHAKEL_CHECK(exchange::finish_work(tx, claimer, work.id));
    return nothing;
  }
  SCHAKEL_TRY(const auto hook, find_webhook(tx, work.tenant, delivery.webhook));
  if (!hook || !hook->enabled) {
    SCHAKEL_CHECK(offer_elsewhere(tx, claimer, work, delivery));
    return nothing;
  }
  SCHAKEL_TRY(const auto rows, exchange::work_of(tx, call_kind, work.subject));
  for (const auto& row : rows) {
    const auto other = Delivery::from(row.parameters);
    if (other && other->before(delivery)) {
      SCHAKEL_CHECK(wait_until(tx, claimer, work, std::max(row.due, now) + order_wait));
      return nothing;
    }
  }
  WebhookCall out;
  out.work = work;
  out.webhook = hook->id;
  out.event = event->id;
  out.tenant = work.tenant;
  out.message = message ? message->id : "";
  if (work.attempts >= webhook_attempts_max || event->at + settings_.delivery_age_max < now) {
    SCHAKEL_CHECK(bury(tx, claimer, out, delivery, "webhook.notConfirmed"));
    return nothing;
  }
  if (delivery.target) {
    if (waits_for_application(*message)) message->state = State::offered;
    message->offered_at = now;
    ++message->delivery_attempt;
    SCHAKEL_CHECK(exchange::update_message(tx, *message));
    SCHAKEL_CHECK(add_trail(tx, settings_.node, *message, "offered", "schakel", now, {}, "webhook " + hook->id));
  }
  OrderedJson data = OrderedJson::object();
  if (message) {
    SCHAKEL_TRY(const auto payloads, exchange::payloads_of(tx, message->id));
    data = descriptor_subset(*message, payloads);
    keep_thin(data);
    if (delivery.target && delivery.replay) data["replay"] = true;
    if (hook->payload_mode == PayloadMode::inlined && event->type == "message.received")
      SCHAKEL_CHECK(inline_payloads(tx, payloads, data["payloads"]));
  }
  const auto particulars = OrderedJson::parse(event->data, nullptr, false);
  // What message.received would add is in the descriptor already.
  const bool adds = particulars.is_object() && !particulars.empty() && event->type != "message.received";
  if (adds) data[message ? "error" : "particulars"] = particulars;
  out.body = event_body(event->type, event->at, data);
  out.url = hook->url;
  out.tls = hook->tls;
  out.allowed_networks = networks_for(work.tenant);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  out.headers = {{"Content-Type", "application/json"},
                 {"webhook-id", event->id},
                 {"webhook-timestamp", std::to_string(seconds)},
                 {"webhook-signature", webhook_signatures(hook->secrets, event->id, now, out.body)}};
  if (message && event->type == "message.received") SCHAKEL_CHECK(add_peer(tx, *message, out.headers));
  return std::optional(std::move(out));
}

WebhookCall Webhooks::test_call(const Webhook& hook) const {
  const Instant now = dependencies_.clock.now();
  WebhookCall out;
  out.webhook = hook.id;
  out.event = new_id();
  out.tenant = hook.tenant;
  out.tls = hook.tls;
  out.url = hook.url;
  out.body = event_body("webhook.test", now, OrderedJson{{"tenant", hook.tenant}, {"webhook", hook.id}});
  out.allowed_networks = networks_for(hook.tenant);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  out.headers = {{"Content-Type", "application/json"},
                 {"webhook-id", out.event},
                 {"webhook-timestamp", std::to_string(seconds)},
                 {"webhook-signature", webhook_signatures(hook.secrets, out.event, now, out.body)}};
  return out;
}

Result<> Webhooks::conclude(sql::Transaction& tx, const Claimer& claimer, const WebhookCall& call, const WebhookOutcome& outcome) const {
  const auto delivery = Delivery::from(call.work.parameters);
  if (!delivery) return fail("storage.failed", "een rij webhook.call zonder webhook");
  const bool accepted = outcome.status >= 200 && outcome.status < 300;
  dependencies_.log.info("webhook.called", {{"messageId", call.message},
                                            {"webhook", call.webhook},
                                            {"event", call.event},
                                            {"status", std::int64_t{outcome.status}},
                                            {"error", outcome.error_code},
                                            {"attempt", call.work.attempts + 1}});
  dependencies_.metrics
      .counter("webhook_attempts_total", "Calls of webhooks by result.",
               {{"tenant", call.tenant}, {"endpoint", call.webhook}, {"result", accepted ? "ok" : "failed"}})
      .add();
  return accepted ? succeeded(tx, claimer, call, *delivery) : failed(tx, claimer, call, *delivery, outcome);
}

Result<> Webhooks::succeeded(sql::Transaction& tx, const Claimer& claimer, const WebhookCall& call, const Delivery& delivery) const {
  const Instant now = dependencies_.clock.now();
  if (!delivery.target) {
    SCHAKEL_CHECK(exchange::mark_event_processed(tx, call.tenant, call.event));
    return exchange::finish_work(tx, claimer, call.work.id);
  }
  SCHAKEL_TRY(auto message, exchange::find_message(tx, call.tenant, call.message));
  SCHAKEL_TRY(const auto hook, find_webhook(tx, call.tenant, call.webhook));
  const bool waits = message && waits_for_application(*message);
  if (waits && hook && hook->confirm == Confirm::explicit_) {
    // Offered again when the acknowledgement does not come in time (adapter.md 2.2).
    Work row = call.work;
    ++row.attempts;
    row.due = now + hook->visibility;
    return exchange::reschedule_work(tx, claimer, row);
  }
  SCHAKEL_CHECK(exchange::finish_work(tx, claimer, call.work.id));
  if (!waits) return {};
  return confirm(tx, settings_.node, *message, {Verdict::processed, {}, {}, "webhook:" + call.webhook}, now);
}

Result<> Webhooks::failed(sql::Transaction& tx, const Claimer& claimer, const WebhookCall& call, const Delivery& delivery,
                          const WebhookOutcome& outcome) const {
  const Instant now = dependencies_.clock.now();
  const bool blocked = outcome.error_code == "transport.blockedAddress";
  const std::string code = outcome.status != 0 ? "webhook." + std::to_string(outcome.status)
                           : blocked           ? "webhook.blockedAddress"
                                               : outcome.error_code;
  if (delivery.target) {
    SCHAKEL_TRY(const auto message, exchange::find_message(tx, call.tenant, call.message));
    if (message) SCHAKEL_CHECK(add_trail(tx, settings_.node, *message, "offerFailed", "schakel", now, code, outcome.error_detail));
  }
  if (outcome.status == 410) {
    SCHAKEL_CHECK(disable(tx, call));
    return offer_elsewhere(tx, claimer, call.work, delivery);
  }
  const bool may_say_when = outcome.status == 429 || outcome.status == 502 || outcome.status == 503 || outcome.status == 504;
  Work row = call.work;
  ++row.attempts;
  const auto due = next_webhook_attempt(row.attempts, now, may_say_when ? outcome.retry_after : std::nullopt, dependencies_.random);
  const Instant last = Instant(Duration(delivery.at)) + settings_.delivery_age_max;
  if (!due || *due > last) return bury(tx, claimer, call, delivery, code);
  row.due = *due;
  return exchange::reschedule_work(tx, claimer, row);
}

Result<> Webhooks::bury(sql::Transaction& tx, const Claimer& claimer, const WebhookCall& call, const Delivery& delivery,
                        const std::string& code) const {
  const Instant now = dependencies_.clock.now();
  SCHAKEL_CHECK(exchange::finish_work(tx, claimer, call.work.id));
  dependencies_.log.error("webhook.deadLettered",
                          {{"messageId", call.message}, {"webhook", call.webhook}, {"event", call.event}, {"code", code}});
  dependencies_.metrics.counter("webhook_dead_total", "Deliveries given up.", {{"tenant", call.tenant}, {"endpoint", call.webhook}}).add();
  if (call.message.empty()) return {};
  SCHAKEL_TRY(auto message, exchange::find_message(tx, call.tenant, call.message));
  if (!message) return {};
  const std::string detail = "afgegeven aan webhook " + call.webhook + " is opgegeven";
  if (!delivery.target) return add_trail(tx, settings_.node, *message, "warned", "schakel", now, code, detail);
  if (!waits_for_application(*message)) return {};
  return dead_letter(tx, settings_.node, *message, code, detail, new_id(), new_id(), now);
}

Result<> Webhooks::disable(sql::Transaction& tx, const WebhookCall& call) const {
  SCHAKEL_TRY(auto hook, find_webhook(tx, call.tenant, call.webhook));
  if (!hook || !hook->enabled) return {};
  hook->enabled = false;
  hook->disabled_reason = "gone";
  hook->changed_at = dependencies_.clock.now();
  ++hook->version;
  dependencies_.log.warning("webhook.disabled", {{"webhook", call.webhook}, {"reason", "gone"}});
  return exchange::put_document(tx, to_document(*hook));
}

}  // namespace schakel::api
