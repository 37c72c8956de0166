// Messages: submit, search, read, trail, acknowledgement, operator actions (adapter.md 2.1.2-2.1.4, 3.3).
#include <mutex>
#include <set>

#include "api/confirmation.hpp"
#include "api/descriptor.hpp"
#include "api/message_filter.hpp"
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

std::vector<std::string_view> search_keys() {
  std::vector<std::string_view> keys(std::begin(message_filter_keys), std::end(message_filter_keys));
  keys.insert(keys.end(), {"sort", "page", "perPage"});
  return keys;
}

InTransaction search(const Office& office, const Visit& visit, Faults& faults) {
  Query query(visit.request, faults);
  const Page page = read_page(query);
  auto filter = read_message_filter(query);
  filter.oldest_first = query.choice("sort", {"createdAt", "-createdAt"}) == "createdAt";
  filter.offset = page.offset();
  filter.limit = page.per_page;
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
  const auto [action, reason, force] = read_operator_action(members, faults);
  members.end();
  return [&office, &visit, action = action, reason = reason, force = force](sql::Transaction& tx) -> Answer<Response> {
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
  routes.push_back({"GET", "/messages", "message.read", true, Body::none, search_keys(), Access::read, plan(search)});
  routes.push_back({"POST", "/messages", "message.create", true, Body::stream, {}, Access::write, make_submit(office)});
  routes.push_back({"GET", "/messages/{id}", "message.read", true, Body::none, {}, Access::read, plan(show)});
  routes.push_back({"GET", "/messages/{id}/events", "message.read", true, Body::none, {}, Access::read, Plan(show_trail)});
  routes.push_back({"POST", "/messages/{id}/acknowledgement", "message.update", true, Body::json, {}, Access::write, plan(acknowledge)});
  routes.push_back({"POST", "/messages/{id}/actions", "message.act", true, Body::json, {}, Access::write, plan(act)});
}

}  // namespace schakel::api
