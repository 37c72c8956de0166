#include "api/routing_json.hpp"

namespace schakel::api {
namespace {

using exchange::Route;

exchange::RouteMatch read_match(const Json& json, const std::string& pointer, Faults& faults) {
  Members members(json, pointer, faults);
  exchange::RouteMatch match;
  match.protocol = members.text("protocol").value_or("");
  match.contract_id = members.text("contractId").value_or("");
  match.to_oin = members.text("toOin", Need::optional, 64).value_or("");
  match.from_oin = members.text("fromOin", Need::optional, 64).value_or("");
  match.service = members.text("service").value_or("");
  match.action = members.text("action").value_or("");
  match.path_prefix = members.text("pathPrefix").value_or("");
  members.end();
  return match;
}

exchange::RouteTarget read_target(const Json& json, const std::string& pointer, Faults& faults) {
  Members members(json, pointer, faults);
  exchange::RouteTarget target;
  const auto kind = members.choice(
      "kind", {"webhook", "queue", "stream", "spool", "dai", "amqp", "kafka", "partner", "intermediary", "refuse"}, Need::required);
  if (kind) target.kind = exchange::target_kind_from(*kind).value();
  target.ref = members.text("ref").value_or("");
  target.url = members.text("url", Need::optional, 1024).value_or("");
  target.oin = members.text("oin", Need::optional, 64).value_or("");
  members.end();
  return target;
}

Route read_route(const Json& json, const std::string& pointer, Faults& faults) {
  Members members(json, pointer, faults);
  Route route;
  route.id = members.text("id", Need::required).value_or("");
  route.priority = members.integer("priority", -1'000'000, 1'000'000).value_or(0);
  if (const auto direction = members.choice("direction", {"inbound", "outbound"}, Need::required))
    route.direction = exchange::direction_from(*direction);
  if (const Json* match = members.object("match")) route.match = read_match(*match, members.pointer("match"), faults);
  if (const auto mode = members.choice("mode", {"endpoint", "transparent", "storeForward"}))
    route.mode = exchange::route_mode_from(*mode).value();
  if (const Json* target = members.object("target", Need::required)) route.target = read_target(*target, members.pointer("target"), faults);
  route.party_visible = members.choice("visibility", {"party", "intermediary"}).value_or("party") == "party";
  route.trusted = members.choice("trust", {"trusted", "untrusted"}).value_or("trusted") == "trusted";
  route.valid_from = members.instant("validFrom");
  route.valid_to = members.instant("validTo");
  members.end();
  return route;
}

}  // namespace

std::vector<Route> read_routes(Members& members, Faults& faults) {
  std::vector<Route> routes;
  const Json* list = members.array("routes", exchange::routes_max, Need::required);
  if (list == nullptr) return routes;
  for (std::size_t i = 0; i < list->size(); ++i)
    routes.push_back(read_route((*list)[i], members.pointer("routes") + "/" + std::to_string(i), faults));
  return routes;
}

OrderedJson route_json(const Route& route) {
  const auto given = [](std::initializer_list<std::pair<const char*, const std::string*>> members) {
    OrderedJson out = OrderedJson::object();
    for (const auto& [name, value] : members)
      if (!value->empty()) out[name] = *value;
    return out;
  };
  const auto& match = route.match;
  const std::string kind(to_string(route.target.kind));
  OrderedJson out{{"id", route.id}, {"priority", route.priority}, {"direction", to_string(route.direction)}};
  out["match"] = given({{"protocol", &match.protocol},
                        {"contractId", &match.contract_id},
                        {"toOin", &match.to_oin},
                        {"fromOin", &match.from_oin},
                        {"service", &match.service},
                        {"action", &match.action},
                        {"pathPrefix", &match.path_prefix}});
  out["mode"] = to_string(route.mode);
  out["target"] = given({{"kind", &kind}, {"ref", &route.target.ref}, {"url", &route.target.url}, {"oin", &route.target.oin}});
  out["visibility"] = route.party_visible ? "party" : "intermediary";
  out["trust"] = route.trusted ? "trusted" : "untrusted";
  if (route.valid_from) out["validFrom"] = to_rfc3339(*route.valid_from);
  if (route.valid_to) out["validTo"] = to_rfc3339(*route.valid_to);
  return out;
}

OrderedJson routes_json(const std::vector<Route>& routes) {
  auto out = OrderedJson::array();
  for (const auto& route : routes) out.push_back(route_json(route));
  return out;
}

Result<std::vector<Route>> stored_routes(BytesView document) {
  const Json json = Json::parse(document, nullptr, false);
  Faults faults;
  Members members(json, "", faults);
  auto routes = read_routes(members, faults);
  if (!faults.empty()) return fail("configuration.unreadable", faults.front().location + ": " + faults.front().detail);
  return routes;
}

}  // namespace schakel::api
