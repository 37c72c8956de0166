// The routing table as a resource (ADP-402, ADP-412, ADP-413): one document per tenant, every version of it kept for a while.
#include <algorithm>

#include "api/resources.hpp"
#include "api/routing_json.hpp"
#include "exchange/store.hpp"

namespace schakel::api {
namespace {

using exchange::Document;
using http::Response;

constexpr std::string_view version_document = "routesVersion";
constexpr std::size_t versions_max = 100;

struct Stored {
  std::int64_t version = 0;  // 0: there was never a table
  Instant changed_at{};
  std::string actor;
  std::vector<exchange::Route> routes;
};

Result<Stored> read_stored(const Document& document, std::int64_t version) {
  Stored stored{.version = version, .changed_at = document.changed_at, .actor = {}, .routes = {}};
  SCHAKEL_TRY(stored.routes, stored_routes(document.body));
  stored.actor = Json::parse(document.body).value("actor", "");
  return stored;
}

Result<Stored> current_table(sql::Transaction& tx, std::string_view tenant) {
  SCHAKEL_TRY(const auto documents, exchange::documents(tx, tenant, exchange::routes_document));
  if (documents.empty()) return Stored{};
  return read_stored(documents.front(), documents.front().version);
}

// The number of a version is the key of its document.
std::int64_t version_of(const Document& document) {
  return read_digits(document.key).value_or(0);
}

Answer<Stored> former_table(sql::Transaction& tx, const Visit& visit, std::int64_t version) {
  SCHAKEL_TRY(const auto documents, exchange::documents(tx, visit.tenant(), version_document));
  const auto found = std::ranges::find(documents, version, version_of);
  if (found == documents.end()) return not_found();
  SCHAKEL_TRY(auto stored, read_stored(*found, version));
  return stored;
}

OrderedJson shown(const Stored& stored) {
  OrderedJson out{{"version", stored.version}};
  if (stored.version > 0) {
    out["changedAt"] = to_rfc3339(stored.changed_at);
    out["actor"] = stored.actor;
  }
  out["routes"] = routes_json(stored.routes);
  return out;
}

Response answer(const Stored& stored) {
  auto response = json_response(200, shown(stored));
  response.headers.set("ETag", etag(stored.version));
  return response;
}

// --- changing ------------------------------------------------------------------------------------------------------------------------

// 400 with every fault; a loop or a duplicate among rows that are right by themselves has its own code (adapter.md section 4).
Answer<> judge_table(const Office& office, const Visit& visit, const std::vector<exchange::Route>& routes) {
  const auto tenant = office.dependencies.tenant(visit.tenant());
  const auto oins = tenant ? tenant->oins : std::vector<std::string>();
  const auto found = exchange::check_routes(routes, {.production = office.environment_of(visit.tenant()) == "production", .oins = oins});
  if (found.empty()) return {};
  Faults faults;
  for (const auto& fault : found) add_fault(faults, "body", "/routes" + fault.location, fault.code, fault.detail);
  Refusal refusal = judge(std::move(faults)).error();
  for (const std::string_view code : {"routing.loop", "route.duplicate"}) {
    if (!std::ranges::all_of(found, [&](const Error& fault) { return fault.code == code; })) continue;
    refusal.code = code;
    refusal.detail = found.front().detail;
  }
  return refusal;
}

// What changed, by the ids of the rows; the rows themselves are in the versions.
OrderedJson difference(const std::vector<exchange::Route>& before, const std::vector<exchange::Route>& after) {
  auto added = OrderedJson::array(), removed = OrderedJson::array(), changed = OrderedJson::array();
  for (const auto& route : after) {
    const auto former = std::ranges::find(before, route.id, &exchange::Route::id);
    if (former == before.end())
      added.push_back(route.id);
    else if (*former != route)
      changed.push_back(route.id);
  }
  for (const auto& route : before)
    if (std::ranges::find(after, route.id, &exchange::Route::id) == after.end()) removed.push_back(route.id);
  return {{"added", added}, {"changed", changed}, {"removed", removed}};
}

Result<> keep_version(sql::Transaction& tx, const Office& office, const Visit& visit, const Stored& stored, const std::string& body) {
  Document document;
  document.id = office.new_id();
  document.tenant = visit.tenant();
  document.kind = version_document;
  document.key = std::to_string(stored.version);
  document.body = body;
  document.changed_at = stored.changed_at;
  SCHAKEL_CHECK(exchange::put_document(tx, document));
  SCHAKEL_TRY(auto versions, exchange::documents(tx, visit.tenant(), version_document));
  std::ranges::sort(versions, {}, version_of);
  for (std::size_t i = 0; i + versions_max < versions.size(); ++i)
    SCHAKEL_CHECK(exchange::delete_document(tx, visit.tenant(), version_document, versions[i].id));
  return {};
}

// The table becomes `routes`, as the version after the one that If-Match names.
Answer<Response> replace(sql::Transaction& tx, const Office& office, const Visit& visit, std::vector<exchange::Route> routes,
                         std::string_view action, Json note) {
  SCHAKEL_TRY(const auto before, current_table(tx, visit.tenant()));
  SCHAKEL_CHECK(check_if_match(visit.request, before.version));
  Stored after{
      .version = before.version + 1, .changed_at = office.now(), .actor = "apiKey:" + visit.principal.id, .routes = std::move(routes)};
  Document document;
  document.id = std::string(exchange::routes_document) + "-" + visit.tenant();
  document.tenant = visit.tenant();
  document.kind = exchange::routes_document;
  document.key = "current";
  document.body = OrderedJson{{"routes", routes_json(after.routes)}, {"actor", after.actor}}.dump();
  document.changed_at = after.changed_at;
  SCHAKEL_CHECK(exchange::put_document(tx, document));
  // Whoever wrote at the same moment had the same version in mind: the later one of the two finds the other's here.
  SCHAKEL_TRY(const auto written, current_table(tx, visit.tenant()));
  if (written.version != after.version) return Refusal("version.conflict", "De routetabel is intussen gewijzigd.");
  SCHAKEL_CHECK(keep_version(tx, office, visit, after, document.body));
  note["version"] = after.version;
  note.update(Json(difference(before.routes, after.routes)));
  SCHAKEL_CHECK(audit(tx, office, visit, action, "routes", {{"version", before.version}}, note));
  return answer(after);
}

InTransaction put_table(const Office& office, const Visit& visit, Faults& faults) {
  Members members(visit.json, "", faults);
  auto routes = read_routes(members, faults);
  members.end();
  return [&office, &visit, routes](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_CHECK(judge_table(office, visit, routes));
    return replace(tx, office, visit, routes, "routes.put", Json::object());
  };
}

// ADP-413. The former table is judged anew: what it was allowed to say may have changed with the tenant.
InTransaction roll_back(const Office& office, const Visit& visit, Faults& faults) {
  Members members(visit.json, "", faults);
  const auto version = members.integer("version", 1, 1'000'000'000, Need::required).value_or(0);
  members.end();
  return [&office, &visit, version](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(auto former, former_table(tx, visit, version));
    SCHAKEL_CHECK(judge_table(office, visit, former.routes));
    return replace(tx, office, visit, std::move(former.routes), "routes.rollback", {{"of", version}});
  };
}

// --- reading -------------------------------------------------------------------------------------------------------------------------

InTransaction show_table(const Visit& visit, Faults&) {
  return [&visit](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto stored, current_table(tx, visit.tenant()));
    return answer(stored);
  };
}

InTransaction list_versions(const Visit& visit, Faults& faults) {
  Query query(visit.request, faults);
  const Page page = read_page(query);
  return [&visit, page](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(auto versions, exchange::documents(tx, visit.tenant(), version_document));
    std::ranges::sort(versions, std::ranges::greater(), version_of);
    std::vector<OrderedJson> all;
    for (const auto& document : versions) {
      SCHAKEL_TRY(const auto stored, read_stored(document, version_of(document)));
      all.push_back({{"version", stored.version},
                     {"changedAt", to_rfc3339(stored.changed_at)},
                     {"actor", stored.actor},
                     {"rows", stored.routes.size()}});
    }
    return paged(visit, page, all);
  };
}

InTransaction show_version(const Visit& visit, Faults&) {
  return [&visit](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto stored, former_table(tx, visit, read_digits(visit.path[0]).value_or(0)));
    return json_response(200, shown(stored));
  };
}

struct Question {
  std::string direction, protocol, contract_id, cpa_id, to_oin, from_oin, service, action, path;
  Instant at{};

  exchange::RouteQuery query() const {
    return {exchange::direction_from(direction), protocol, contract_id, cpa_id, to_oin, from_oin, service, action, path};
  }
};

InTransaction evaluate(const Office& office, const Visit& visit, Faults& faults) {
  Members members(visit.json, "", faults);
  const auto text = [&](const char* name) { return members.text(name).value_or(""); };
  Question question;
  question.direction = members.choice("direction", {"inbound", "outbound"}, Need::required).value_or("outbound");
  question.protocol = members.text("protocol").value_or("ebms");
  question.contract_id = text("contractId");
  question.cpa_id = text("cpaId");
  question.to_oin = read_oin(members, "toOin");
  question.from_oin = read_oin(members, "fromOin");
  question.service = text("service");
  question.action = text("action");
  question.path = text("path");
  question.at = members.instant("at").value_or(office.now());
  members.end();
  return [&visit, question](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(auto stored, current_table(tx, visit.tenant()));
    const exchange::RoutingTable table(std::move(stored.routes));
    const auto* chosen = table.select(question.query(), question.at);
    OrderedJson out{{"version", stored.version}, {"route", chosen ? route_json(*chosen) : OrderedJson(nullptr)}};
    if (chosen) {
      if (const auto hop = table.resolve(*chosen, question.at))
        out["nextHop"] = {{"url", hop->url}, {"serverOin", hop->server_oin}, {"through", hop->through}, {"trusted", hop->trusted}};
      else
        out["problem"] = {{"code", hop.error().code}, {"detail", hop.error().detail}};
    }
    auto& others = out["others"] = OrderedJson::array();
    for (const auto& [route, reason] : table.rejected(question.query(), chosen, question.at))
      others.push_back({{"id", route->id}, {"reason", reason}});
    return json_response(200, out);
  };
}

}  // namespace

void add_routing_routes(std::vector<Route>& routes, const Office& office) {
  const auto plan = [&office](auto function) {
    return Plan([&office, function](const Visit& visit, Faults& faults) { return function(office, visit, faults); });
  };
  routes.push_back({"GET", "/routes", "route.read", false, Body::none, {}, Access::read, Plan(show_table)});
  routes.push_back({"PUT", "/routes", "route.update", false, Body::json, {}, Access::write, plan(put_table)});
  routes.push_back({"POST", "/routes/_evaluate", "route.read", false, Body::json, {}, Access::read, plan(evaluate)});
  routes.push_back({"POST", "/routes/_rollback", "route.update", false, Body::json, {}, Access::write, plan(roll_back)});
  routes.push_back({"GET", "/routes/versions", "route.read", false, Body::none, {"page", "perPage"}, Access::read, Plan(list_versions)});
  routes.push_back({"GET", "/routes/versions/{version}", "route.read", false, Body::none, {}, Access::read, Plan(show_version)});
}

}  // namespace schakel::api
