// Messages: submit, search, read, trail, acknowledgement, operator actions (adapter.md 2.1.2-2.1.4, 3.3).
#include <mutex>
#include <set>

#include "api/confirmation.hpp"
#include "api/descriptor.hpp"
#include "api/resources.hpp"
#include "api/submit.hpp"
#include "exchange/commit.hpp"
#include "exchange/delivery.hpp"

namespace schakel::api {
namespace {

using exchange::Message;
using http::Response;

Answer<Message> found(sql::Transaction& tx, const std::string& tenant, const std::string& id) {
  if (!is_uuid(id)) return not_found();
  SCHAKEL_TRY(auto message, exchange::find_message(tx, tenant, id));
  if (!message) return not_found();
  return std::move(*message);
}

Answer<Response> describe(sql::Transaction& tx, const Office& office, unsigned status, const Message& message) {
  SCHAKEL_TRY(const auto payloads, exchange::payloads_of(tx, message.id));
  return json_response(status, descriptor(message, payloads, office.environment_of(message.tenant)));
}

// --- search ----------------------------------------------------------------------------------------------------------------------

constexpr std::string_view search_keys[] = {"direction", "protocol",     "state",         "contractId", "cpaId",          "fromOin",
                                            "toOin",     "service",      "action",        "messageId",  "conversationId", "refToMessageId",
                                            "sort",      "receivedFrom", "receivedUntil", "errorCode",  "page",           "perPage"};

std::vector<exchange::State> read_states(Query& query) {
  std::vector<exchange::State> states;
  const std::string text = query.text("state");
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto state = exchange::state_from(rest.substr(0, comma));
    if (state) {
      states.push_back(*state);
    } else {
      query.fault("state", "enum", "geen toestand van een bericht");
    }
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return states;
}

exchange::MessageFilter read_filter(Query& query, const Page& page) {
  exchange::MessageFilter filter;
  const std::string direction = query.choice("direction", {"inbound", "outbound"});
  if (!direction.empty()) filter.direction = exchange::direction_from(direction);
  filter.states = read_states(query);
  filter.protocol = query.choice("protocol", {"ebms", "wus", "rest", "gb", "event", "report"});
  filter.contract_id = query.text("contractId");
  filter.cpa_id = query.text("cpaId");
  filter.from_oin = query.text("fromOin");
  filter.to_oin = query.text("toOin");
  filter.service = query.text("service");
  filter.action = query.text("action");
  filter.message_id = query.text("messageId");
  filter.conversation_id = query.text("conversationId");
  filter.ref_to_message_id = query.text("refToMessageId");
  filter.error_code = query.text("errorCode");
  filter.received_from = query.instant("receivedFrom");
  filter.received_until = query.instant("receivedUntil");
  filter.oldest_first = query.choice("sort", {"createdAt", "-createdAt"}) == "createdAt";
  filter.offset = page.offset();
  filter.limit = page.per_page;
  return filter;
}

InTransaction search(const Office& office, const Visit& visit, Faults& faults) {
  Query query(visit.request, faults);
  const Page page = read_page(query);
  auto filter = read_filter(query, page);
  return [&office, &visit, page, filter = std::move(filter)](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto result, exchange::search_messages(tx, visit.tenant(), filter));
    const std::string environment = office.environment_of(visit.tenant());
    auto list = OrderedJson::array();
    for (const auto& message : result.messages) {
      SCHAKEL_TRY(const auto payloads, exchange::payloads_of(tx, message.id));
      list.push_back(descriptor(message, payloads, environment));
    }
    auto response = json_response(200, list);
    add_page_headers(response, visit.request, page, result.total);
    return response;
  };
}

// --- one message -----------------------------------------------------------------------------------------------------------------

InTransaction show(const Office& office, const Visit& visit, Faults&) {
  return [&office, &visit](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto message, found(tx, visit.tenant(), visit.path[0]));
    return describe(tx, office, 200, message);
  };
}

InTransaction show_trail(const Visit& visit, Faults&) {
  return [&visit](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto message, found(tx, visit.tenant(), visit.path[0]));
    SCHAKEL_TRY(const auto trail, exchange::trail_of(tx, visit.tenant(), message.id));
    auto list = OrderedJson::array();
    for (const auto& event : trail) list.push_back(trail_event(event, visit.tenant()));
    return json_response(200, list);
  };
}

// --- acknowledgement by the application --------------------------------------------------------------------------------------------

InTransaction acknowledge(const Office& office, const Visit& visit, Faults& faults) {
  Members members(visit.json, "", faults);
  Confirmation confirmation;
  confirmation.verdict =
      members.choice("result", {"processed", "rejected"}, Need::required) == "rejected" ? Verdict::rejected : Verdict::processed;
  confirmation.code = members.text("code", Need::optional, 64).value_or("");
  confirmation.detail = members.text("detail", Need::optional, 500).value_or("");
  if (confirmation.verdict == Verdict::processed && members.has("code")) members.fault("code", "unknown", "hoort alleen bij rejected");
  members.end();
  confirmation.actor = "apiKey:" + visit.principal.id;
  return [&office, &visit, confirmation](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(auto message, found(tx, visit.tenant(), visit.path[0]));
    SCHAKEL_CHECK(confirm(tx, office.settings.node, message, confirmation, office.now()));
    return no_content();
  };
}

// --- operator actions (3.3) --------------------------------------------------------------------------------------------------------

InTransaction act(const Office& office, const Visit& visit, Faults& faults) {
  Members members(visit.json, "", faults);
  const std::string action =
      members
          .choice("action", {"retryNow", "resend", "cancel", "release", "replay", "requeue", "markProcessed", "purgePayload"},
                  Need::required)
          .value_or("");
  const std::string reason = read_reason(members);
  bool force = false;
  if (const Json* given = members.object("parameters")) {
    Members parameters(*given, members.pointer("parameters"), faults);
    force = parameters.boolean("force").value_or(false);
    parameters.end();
  }
  members.end();
  return [&office, &visit, action, reason, force](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto before, found(tx, visit.tenant(), visit.path[0]));
    const std::string actor = "apiKey:" + visit.principal.id;
    SCHAKEL_TRY(const auto after, office.dependencies.msh.act(tx, visit.tenant(), before.id, action, reason, actor, force));
    SCHAKEL_CHECK(audit(tx, office, visit, "message." + action, before.id, {{"state", to_string(before.state)}},
                        {{"state", to_string(after.state)}, {"message", after.id}, {"reason", for_log(reason)}}));
    OrderedJson record{{"id", office.new_id()}, {"at", to_rfc3339(office.now())}, {"action", action}, {"reason", reason}, {"actor", actor},
                       {"message", before.id},  {"state", to_string(after.state)}};
    if (after.id != before.id) record["copy"] = after.id;
    auto response = json_response(202, record);
    response.headers.set("Location", message_href(after.id));
    return response;
  };
}

}  // namespace

void add_message_routes(std::vector<Route>& routes, const Office& office) {
  const auto plan = [&office](auto function) {
    return Plan([&office, function](const Visit& visit, Faults& faults) { return function(office, visit, faults); });
  };
  const std::vector<std::string_view> keys(std::begin(search_keys), std::end(search_keys));
  routes.push_back({"GET", "/messages", "message.read", true, Body::none, keys, Access::read, plan(search)});
  routes.push_back({"POST", "/messages", "message.create", true, Body::stream, {}, Access::write, make_submit(office)});
  routes.push_back({"GET", "/messages/{id}", "message.read", true, Body::none, {}, Access::read, plan(show)});
  routes.push_back({"GET", "/messages/{id}/events", "message.read", true, Body::none, {}, Access::read, Plan(show_trail)});
  routes.push_back({"POST", "/messages/{id}/acknowledgement", "message.update", true, Body::json, {}, Access::write, plan(acknowledge)});
  routes.push_back({"POST", "/messages/{id}/actions", "message.act", true, Body::json, {}, Access::write, plan(act)});
}

}  // namespace schakel::api
