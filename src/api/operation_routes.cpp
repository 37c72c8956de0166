// Nodes, settings, audit log, certificates and trust as resources (README section 5, "Operation" and "Certificate, trust").
#include "api/resources.hpp"
#include "exchange/store.hpp"

namespace schakel::api {
namespace {

using http::Response;

OrderedJson shown(const exchange::Node& node) {
  return {{"id", node.name}, {"epoch", node.epoch}, {"heartbeatAt", to_rfc3339(node.heartbeat_at)}, {"draining", node.draining}};
}

InTransaction list_nodes(const Visit& visit, Faults& faults) {
  Query query(visit.request, faults);
  const Page page = read_page(query);
  return [&visit, page](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto nodes, exchange::nodes(tx));
    std::vector<OrderedJson> out;
    for (const auto& node : nodes) out.push_back(shown(node));
    return paged(visit, page, out);
  };
}

// A node sees the wish at its next heartbeat.
InTransaction drain(const Office& office, const Visit& visit, Faults& faults) {
  Members members(visit.json, "", faults);
  const bool draining = members.boolean("draining", Need::required).value_or(false);
  members.end();
  return [&office, &visit, draining](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const bool known, exchange::set_draining(tx, visit.path[0], draining));
    if (!known) return not_found();
    SCHAKEL_CHECK(audit(tx, office, visit, draining ? "node.drain" : "node.resume", visit.path[0], nullptr, {{"draining", draining}}));
    SCHAKEL_TRY(const auto nodes, exchange::nodes(tx));
    for (const auto& node : nodes) {
      if (node.name == visit.path[0]) return json_response(200, shown(node));
    }
    return not_found();
  };
}

// An append-only list goes on after an opaque cursor (REST-068).
InTransaction list_audit(const Visit& visit, Faults& faults) {
  Query query(visit.request, faults);
  const std::int64_t limit = query.integer("limit", 1, 100, 20);
  std::int64_t after = 0;
  if (const auto cursor = query.text("cursor", 64); !cursor.empty()) {
    const auto text = from_base64url(cursor);
    const auto number = text && text->starts_with("a:") ? read_digits(std::string_view(*text).substr(2)) : std::nullopt;
    if (!number) query.fault("cursor", "format", "geen cursor van deze lijst");
    after = number.value_or(0);
  }
  return [&visit, limit, after](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto records, exchange::audit_events(tx, visit.tenant(), after, limit));
    auto list = OrderedJson::array();
    std::int64_t last = after;
    for (const auto& text : records) {
      auto record = OrderedJson::parse(text, nullptr, false);
      if (!record.is_object()) return Refusal("internal", "een auditregel is onleesbaar");
      last = record.value("seq", last);
      list.push_back(std::move(record));
    }
    OrderedJson body{{"events", std::move(list)}};
    if (std::cmp_equal(records.size(), limit)) body["nextCursor"] = to_base64url("a:" + std::to_string(last));
    return json_response(200, body);
  };
}

// A list that the composition root gives, as a page.
Plan view(const std::function<OrderedJson(std::string_view)>& source) {
  return [&source](const Visit& visit, Faults& faults) -> InTransaction {
    Query query(visit.request, faults);
    const Page page = read_page(query);
    return [&source, &visit, page](sql::Transaction&) -> Answer<Response> {
      std::vector<OrderedJson> all;
      if (source) {
        for (auto& one : source(visit.tenant())) all.push_back(std::move(one));
      }
      return paged(visit, page, all);
    };
  };
}

// SEC-078. The document takes the key out of use on every node; `configuration_changed` lets this one see it now.
http::Awaitable<Answer<Response>> rotate_in_emergency(const Office& office, Visit& visit, Faults faults) {
  Members members(visit.json, "", faults);
  const auto reason = read_reason(members);
  members.end();
  if (auto verdict = judge(std::move(faults)); !verdict) co_return verdict.error();
  if (!office.dependencies.emergency_plan) co_return not_found();
  auto plan = co_await office.dependencies.emergency_plan(visit.tenant(), visit.path[0]);
  if (!plan) co_return plan.error().code == "notFound" ? not_found() : Refusal(plan.error());
  const Instant now = office.now();
  exchange::Document document;
  document.id = office.new_id();
  document.tenant = visit.tenant();
  document.kind = "compromisedKey";
  document.key = plan->at("publicKeySha256").get<std::string>();
  document.body = OrderedJson{{"certificate", visit.path[0]}, {"reason", reason}, {"at", to_rfc3339(now)}}.dump();
  document.changed_at = now;
  co_return co_await in_unit(office.dependencies.database, Access::write, [&](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_CHECK(exchange::put_document(tx, document));
    SCHAKEL_CHECK(audit(tx, office, visit, "certificate.emergencyRotate", visit.path[0], nullptr,
                        {{"reason", reason}, {"publicKeySha256", document.key}}));
    return json_response(200, *plan);
  });
}

// security.md 3.5. Never earlier than now: the predecessor decrypts for 30 days from then.
InTransaction activate_certificate(const Office& office, const Visit& visit, Faults& faults) {
  Members members(visit.json, "", faults);
  const auto at = std::max(members.instant("at").value_or(office.now()), office.now());
  members.end();
  return [&office, &visit, at](sql::Transaction& tx) -> Answer<Response> {
    const auto& activate = office.dependencies.activate_certificate;
    const auto done = activate ? activate(tx, visit.tenant(), visit.path[0], at) : fail("notFound", "no such certificate");
    if (!done) return done.error().code == "notFound" ? not_found() : Refusal(done.error());
    const OrderedJson activated{{"sha256", visit.path[0]}, {"activeFromAt", to_rfc3339(at)}};
    SCHAKEL_CHECK(audit(tx, office, visit, "certificate.activate", visit.path[0], nullptr, activated));
    return json_response(200, activated);
  };
}

}  // namespace

void add_operation_routes(std::vector<Route>& routes, const Office& office) {
  const auto& known = office.dependencies;
  const auto plan = [&office](auto function) {
    return Plan([&office, function](const Visit& visit, Faults& faults) { return function(office, visit, faults); });
  };
  const std::vector<std::string_view> pages = {"page", "perPage"};
  routes.push_back({"GET", "/nodes", "node.read", false, Body::none, pages, Access::read, Plan(list_nodes)});
  routes.push_back({"PATCH", "/nodes/{id}", "node.act", false, Body::merge_patch, {}, Access::write, plan(drain)});
  routes.push_back({"GET", "/audit-events", "audit.read", false, Body::none, {"limit", "cursor"}, Access::read, Plan(list_audit)});
  routes.push_back({"GET", "/certificates", "certificate.read", false, Body::none, pages, Access::read, view(known.certificates)});
  routes.push_back(
      {"POST", "/certificates/{id}/_activate", "certificate.act", false, Body::json, {}, Access::write, plan(activate_certificate)});
  routes.push_back({"POST",
                    "/certificates/{id}/_rotate",
                    "key.act",
                    false,
                    Body::json,
                    {},
                    Access::write,
                    Streaming([&office](Visit& visit, Faults faults) { return rotate_in_emergency(office, visit, std::move(faults)); })});
  routes.push_back({"GET", "/trust-anchors", "certificate.read", false, Body::none, pages, Access::read, view(known.trust_anchors)});
  routes.push_back({"GET", "/crls", "certificate.read", false, Body::none, pages, Access::read, view(known.crls)});
  routes.push_back(
      {"GET", "/settings", "config.read", false, Body::none, {}, Access::read, Plan([&known](const Visit&, Faults&) -> InTransaction {
         return [&known](sql::Transaction&) -> Answer<Response> {
           return json_response(200, known.settings ? known.settings() : OrderedJson::array());
         };
       })});
}

}  // namespace schakel::api
