// The pull queue (adapter.md 2.4.1) and the events that nobody has processed yet (EB-210, EB-214).
#include "api/confirmation.hpp"
#include "api/descriptor.hpp"
#include "api/resources.hpp"
#include "exchange/commit.hpp"
#include "exchange/delivery.hpp"
#include "http/run.hpp"

namespace schakel::api {
namespace {

using exchange::Lease;
using exchange::State;
using http::Awaitable;
using http::Response;

constexpr std::int64_t deliveries_max = 10;
constexpr std::size_t items_max = 100;

struct Poll {
  std::int64_t max = 10, wait_seconds = 0, lease_seconds = 60;
};

Poll read_poll(const Visit& visit, Faults& faults) {
  Query query(visit.request, faults);
  Poll poll;
  poll.max = query.integer("max", 1, 100, poll.max);
  poll.wait_seconds = query.integer("waitSeconds", 0, 60, poll.wait_seconds);
  poll.lease_seconds = query.integer("leaseSeconds", 10, 900, poll.lease_seconds);
  return poll;
}

// One leased message as the application gets it; nullopt: it is no longer for the application, or has been offered too often.
Result<std::optional<OrderedJson>> offer(sql::Transaction& tx, const Office& office, const Visit& visit, const Lease& lease) {
  const Instant now = office.now();
  SCHAKEL_TRY(auto message, exchange::find_message(tx, visit.tenant(), lease.message));
  // Whoever confirms a message takes it out of the queue; a decided one is there to be replayed.
  const bool replay = message && may_be_replayed(*message);
  if (!message || !(replay || waits_for_application(*message)) || (replay && lease.deliveries > deliveries_max)) {
    SCHAKEL_CHECK(exchange::dequeue(tx, visit.tenant(), lease.message));
    return std::optional<OrderedJson>{};
  }
  if (lease.deliveries > deliveries_max) {
    SCHAKEL_CHECK(dead_letter(tx, office.settings.node, *message, "queue.maxDeliveries", "aangeboden en nooit bevestigd", office.new_id(),
                              office.new_id(), now));
    return std::optional<OrderedJson>{};
  }
  if (!replay) message->state = State::offered;
  message->offered_at = now;
  ++message->delivery_attempt;
  SCHAKEL_CHECK(exchange::update_message(tx, *message));
  SCHAKEL_CHECK(
      add_trail(tx, office.settings.node, *message, "offered", "apiKey:" + visit.principal.id, now, {}, "queue " + visit.path[0]));
  SCHAKEL_TRY(const auto payloads, exchange::payloads_of(tx, message->id));
  OrderedJson item{{"receipt", lease.receipt}, {"deliveryAttempt", message->delivery_attempt}};
  if (replay) item["replay"] = true;
  item["message"] = descriptor(*message, payloads, office.environment_of(message->tenant));
  return std::optional(std::move(item));
}

Answer<Response> take(sql::Transaction& tx, const Office& office, const Visit& visit, const Poll& poll) {
  const Instant now = office.now();
  const Instant until = now + std::chrono::seconds(poll.lease_seconds);
  const auto make_receipt = [&] { return uuid_v4(office.dependencies.random); };
  auto list = OrderedJson::array();
  SCHAKEL_TRY(const auto leases, exchange::lease(tx, visit.tenant(), visit.path[0], now, until, poll.max, make_receipt));
  for (const auto& lease : leases) {
    SCHAKEL_TRY(auto item, offer(tx, office, visit, lease));
    if (item) list.push_back(std::move(*item));
  }
  return json_response(200, OrderedJson{{"messages", std::move(list)}});
}

Awaitable<Result<bool>> something_waits(const Office& office, const Visit& visit) {
  bool found = false;
  const Instant now = office.now();
  const auto read = co_await exchange::read(office.dependencies.database, [&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_TRY(found, exchange::has_available(tx, visit.tenant(), visit.path[0], now));
    return {};
  });
  if (!read) co_return read.error();
  co_return found;
}

// A long poll looks with cheap reads; only what is there is leased.
Awaitable<Answer<Response>> pull(const Office& office, Visit& visit, Faults faults) {
  const Poll poll = read_poll(visit, faults);
  if (auto verdict = judge(std::move(faults)); !verdict) co_return verdict.error();
  if (visit.path[0] != default_queue) co_return not_found();
  // HEAD is safe: it takes nothing.
  if (visit.request.method == "HEAD") co_return json_response(200, OrderedJson{{"messages", OrderedJson::array()}});
  Duration left = std::chrono::seconds(poll.wait_seconds);
  for (;;) {
    const auto waits = co_await something_waits(office, visit);
    if (!waits) co_return Refusal(waits.error());
    if (*waits) {
      auto answer = co_await in_unit(office.dependencies.database, Access::write,
                                     [&](sql::Transaction& tx) { return take(tx, office, visit, poll); });
      // Another consumer may have been faster.
      if (!answer || left <= Duration(0) || answer->body != R"({"messages":[]})") co_return answer;
    }
    if (left <= Duration(0)) break;
    const Duration pause = std::min(left, office.settings.poll_interval);
    co_await http::sleep(pause);
    left -= pause;
  }
  co_return json_response(200, OrderedJson{{"messages", OrderedJson::array()}});
}

// --- acknowledgements --------------------------------------------------------------------------------------------------------------

struct Item {
  std::string receipt, result, code, detail;
  std::int64_t delay_seconds = 0, lease_seconds = 60;
};

std::vector<Item> read_items(const Visit& visit, Faults& faults) {
  std::vector<Item> items;
  Members members(visit.json, "", faults);
  const Json* list = members.array("items", items_max, Need::required);
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    Members one((*list)[i], members.pointer("items") + "/" + std::to_string(i), faults);
    Item item;
    item.receipt = one.text("receipt", Need::required, 64).value_or("");
    item.result = one.choice("result", {"processed", "rejected", "retry", "extend"}, Need::required).value_or("");
    item.code = one.text("code", Need::optional, 64).value_or("");
    item.detail = one.text("detail", Need::optional, 500).value_or("");
    item.delay_seconds = one.integer("delaySeconds", 0, 86'400).value_or(0);
    item.lease_seconds = one.integer("leaseSeconds", 10, 900).value_or(60);
    one.end();
    items.push_back(std::move(item));
  }
  members.end();
  return items;
}

// "ok", or "leaseExpired": the receipt is not, or no longer, the one that holds the message; nothing changes.
Result<std::string> settle(sql::Transaction& tx, const Office& office, const Visit& visit, const Item& item) {
  const Instant now = office.now();
  const std::string& queue = visit.path[0];
  SCHAKEL_TRY(const auto lease, exchange::find_lease(tx, visit.tenant(), queue, item.receipt));
  if (!lease || lease->until <= now) return std::string("leaseExpired");
  if (item.result == "extend") {
    SCHAKEL_CHECK(exchange::extend_lease(tx, visit.tenant(), queue, item.receipt, now + std::chrono::seconds(item.lease_seconds)));
    return std::string("ok");
  }
  SCHAKEL_TRY(auto message, exchange::find_message(tx, visit.tenant(), lease->message));
  const bool replay = message && may_be_replayed(*message);
  if (!message || !(replay || waits_for_application(*message))) return std::string("leaseExpired");
  if (replay && item.result != "retry") {
    SCHAKEL_CHECK(exchange::dequeue(tx, visit.tenant(), message->id));
    return std::string("ok");
  }
  if (item.result == "retry") {
    SCHAKEL_CHECK(exchange::end_lease(tx, visit.tenant(), queue, item.receipt, now + std::chrono::seconds(item.delay_seconds)));
    SCHAKEL_CHECK(
        add_trail(tx, office.settings.node, *message, "offerFailed", "apiKey:" + visit.principal.id, now, item.code, item.detail));
    return std::string("ok");
  }
  const Verdict verdict = item.result == "rejected" ? Verdict::rejected : Verdict::processed;
  SCHAKEL_CHECK(confirm(tx, office.settings.node, *message, {verdict, item.code, item.detail, "apiKey:" + visit.principal.id}, now));
  return std::string("ok");
}

InTransaction acknowledge(const Office& office, const Visit& visit, Faults& faults) {
  return [&office, &visit, items = read_items(visit, faults)](sql::Transaction& tx) -> Answer<Response> {
    if (visit.path[0] != default_queue) return not_found();
    auto results = OrderedJson::array();
    for (const auto& item : items) {
      SCHAKEL_TRY(const auto result, settle(tx, office, visit, item));
      results.push_back({{"receipt", item.receipt}, {"result", result}});
    }
    return json_response(200, OrderedJson{{"items", std::move(results)}});
  };
}

// --- application events ------------------------------------------------------------------------------------------------------------

OrderedJson event_json(const exchange::ApplicationEvent& event, const std::optional<exchange::Message>& message) {
  OrderedJson out{{"id", event.id}, {"type", event.type}, {"at", to_rfc3339(event.at)}};
  if (message) {
    out["message"] = message->id;
    out["messageId"] = message->message_id;
    out["href"] = message_href(message->id);
  }
  const auto particulars = OrderedJson::parse(event.data, nullptr, false);
  if (particulars.is_object() && !particulars.empty() && event.type != "message.received") out["error"] = particulars;
  return out;
}

InTransaction list_events(const Visit& visit, Faults& faults) {
  Query query(visit.request, faults);
  const std::int64_t limit = query.integer("limit", 1, 100, 20);
  return [&visit, limit](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto events, exchange::unprocessed_events(tx, visit.tenant(), limit));
    auto list = OrderedJson::array();
    for (const auto& event : events) {
      std::optional<exchange::Message> message;
      if (!event.message.empty()) {
        SCHAKEL_TRY(message, exchange::find_message(tx, visit.tenant(), event.message));
      }
      list.push_back(event_json(event, message));
    }
    return json_response(200, list);
  };
}

InTransaction process_event(const Visit& visit, Faults&) {
  return [&visit](sql::Transaction& tx) -> Answer<Response> {
    if (!is_uuid(visit.path[0])) return not_found();
    SCHAKEL_TRY(const auto event, exchange::find_event(tx, visit.tenant(), visit.path[0]));
    if (!event) return not_found();
    SCHAKEL_CHECK(exchange::mark_event_processed(tx, visit.tenant(), event->id));
    return no_content();
  };
}

}  // namespace

void add_queue_routes(std::vector<Route>& routes, const Office& office) {
  routes.push_back({"GET",
                    "/queues/{name}/messages",
                    "queue.act",  // it lends messages out, so whoever only watches may not
                    true,
                    Body::none,
                    {"max", "waitSeconds", "leaseSeconds"},
                    Access::write,
                    Streaming([&office](Visit& visit, Faults faults) { return pull(office, visit, std::move(faults)); })});
  routes.push_back({"POST",
                    "/queues/{name}/acknowledgements",
                    "queue.act",
                    true,
                    Body::json,
                    {},
                    Access::write,
                    Plan([&office](const Visit& visit, Faults& faults) { return acknowledge(office, visit, faults); })});
  routes.push_back({"GET", "/message-events", "message.read", true, Body::none, {"limit"}, Access::read, Plan(list_events)});
  routes.push_back({"POST", "/message-events/{id}/_process", "message.update", true, Body::none, {}, Access::write, Plan(process_event)});
}

}  // namespace schakel::api
