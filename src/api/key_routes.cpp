// API keys and roles as resources (ADP-800, ADP-802).
#include "api/resources.hpp"
#include "exchange/store.hpp"
#include "http/address.hpp"

namespace schakel::api {
namespace {

using http::Response;

constexpr std::string_view kind = "apiKey";

// Never the token or its hash.
OrderedJson shown(const ApiKey& key) {
  OrderedJson out;
  out["id"] = key.id;
  out["name"] = key.name;
  out["tenant"] = key.tenant;
  out["environment"] = key.environment;
  out["roles"] = key.roles;
  out["permissions"] = key.permissions;
  out["sourceNetworks"] = key.source_networks;
  out["createdAt"] = to_rfc3339(key.created_at);
  out["createdBy"] = key.created_by;
  if (key.expires_at) out["expiresAt"] = to_rfc3339(*key.expires_at);
  if (key.revoked_at) out["revokedAt"] = to_rfc3339(*key.revoked_at);
  return out;
}

Json for_audit(const ApiKey& key) {
  return Json::parse(shown(key).dump());
}

Response answer(unsigned status, const ApiKey& key, const std::string& token = {}) {
  OrderedJson body = shown(key);
  if (!token.empty()) body["token"] = token;
  return versioned_response(status, body, key.version);
}

Answer<ApiKey> found(sql::Transaction& tx, const Visit& visit) {
  SCHAKEL_TRY(const auto document, exchange::find_document(tx, visit.tenant(), kind, visit.path[0]));
  if (!document) return not_found();
  SCHAKEL_TRY(auto key, api_key_from(*document));
  return key;
}

void read_roles(Members& members, Faults& faults, const Principal& giver, ApiKey& key) {
  key.roles = members.texts("roles", 16).value_or(std::vector<std::string>());
  const bool gives_platform =
      std::any_of(giver.roles.begin(), giver.roles.end(), [](const auto& role) { return role == "platform-admin"; });
  for (std::size_t i = 0; i < key.roles.size(); ++i) {
    const std::string at = members.pointer("roles") + "/" + std::to_string(i);
    if (!is_role(key.roles[i])) add_fault(faults, "body", at, "enum", "geen rol");
    if (is_platform_role(key.roles[i]) && !gives_platform)
      add_fault(faults, "body", at, "forbidden", "deze rol kan alleen een platform-admin geven");
  }
  key.permissions = members.texts("permissions", 64).value_or(std::vector<std::string>());
  for (std::size_t i = 0; i < key.permissions.size(); ++i) {
    const auto& permission = key.permissions[i];
    const std::string at = members.pointer("permissions") + "/" + std::to_string(i);
    if (!is_permission(permission)) {
      add_fault(faults, "body", at, "enum", "geen recht");
    } else if (permission != "payload.read" && !giver.may(permission)) {
      // Nobody gives what they do not have; payload.read is in no role, and who manages the keys of a tenant may add it (adapter.md 2.9).
      add_fault(faults, "body", at, "forbidden", "dit recht heeft de gever zelf niet");
    }
  }
  if (key.roles.empty() && key.permissions.empty()) members.fault("roles", "required", "noem ten minste een rol of recht");
}

InTransaction list(const Visit& visit, Faults& faults) {
  Query query(visit.request, faults);
  const Page page = read_page(query);
  return [&visit, page](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto documents, exchange::documents(tx, visit.tenant(), kind));
    std::vector<OrderedJson> all;
    for (const auto& document : documents) {
      SCHAKEL_TRY(const auto key, api_key_from(document));
      all.push_back(shown(key));
    }
    return paged(visit, page, all);
  };
}

InTransaction show(const Visit& visit, Faults&) {
  return [&visit](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto key, found(tx, visit));
    return answer(200, key);
  };
}

InTransaction create(const Office& office, const Visit& visit, Faults& faults) {
  ApiKey key;
  Members members(visit.json, "", faults);
  key.name = members.text("name", Need::required, 100).value_or("");
  read_roles(members, faults, visit.principal, key);
  key.source_networks = members.texts("sourceNetworks", 64, Need::optional, 64).value_or(std::vector<std::string>());
  for (std::size_t i = 0; i < key.source_networks.size(); ++i) {
    if (!http::parse_network(key.source_networks[i]))
      add_fault(faults, "body", members.pointer("sourceNetworks") + "/" + std::to_string(i), "format", "geen netwerk (CIDR)");
  }
  key.expires_at = members.instant("expiresAt");
  if (key.expires_at && *key.expires_at <= office.now()) members.fault("expiresAt", "range", "moet in de toekomst liggen");
  members.end();
  key.id = office.new_id();
  key.tenant = visit.tenant();
  key.environment = office.environment_of(visit.tenant());
  key.created_by = "apiKey:" + visit.principal.id;
  key.created_at = office.now();
  const std::string token = make_token(office.dependencies.random, key.environment);
  key.hash = sha256_hex(token);
  return [&office, &visit, key, token](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_CHECK(exchange::put_document(tx, to_document(key)));
    SCHAKEL_CHECK(audit(tx, office, visit, "apiKey.create", key.id, nullptr, for_audit(key)));
    auto response = answer(201, key, token);
    response.headers.set("Location", std::string(base_path) + "/api-keys/" + key.id);
    return response;
  };
}

// A revoked key stays in the list, so that the audit log keeps its meaning.
InTransaction revoke(const Office& office, const Visit& visit, Faults&) {
  return [&office, &visit](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(auto key, found(tx, visit));
    SCHAKEL_CHECK(check_if_match(visit.request, key.version));
    if (key.revoked_at) return no_content();
    const Json before = for_audit(key);
    key.revoked_at = office.now();
    SCHAKEL_CHECK(exchange::put_document(tx, to_document(key)));
    SCHAKEL_CHECK(audit(tx, office, visit, "apiKey.revoke", key.id, before, for_audit(key)));
    return no_content();
  };
}

InTransaction list_roles(const Visit&, Faults&) {
  return [](sql::Transaction&) -> Answer<Response> {
    auto out = OrderedJson::array();
    for (const auto name : {"platform-admin", "platform-operator", "tenant-admin", "tenant-operator", "security-officer",
                            "contract-manager", "integrator", "auditor", "viewer", "billing"}) {
      out.push_back({{"name", name}, {"scope", is_platform_role(name) ? "installation" : "tenant"}, {"permissions", permissions_of(name)}});
    }
    return json_response(200, out);
  };
}

}  // namespace

void add_key_routes(std::vector<Route>& routes, const Office& office) {
  const auto plan = [&office](auto function) {
    return Plan([&office, function](const Visit& visit, Faults& faults) { return function(office, visit, faults); });
  };
  routes.push_back({"GET", "/api-keys", "apiKey.read", false, Body::none, {"page", "perPage"}, Access::read, Plan(list)});
  routes.push_back({"POST", "/api-keys", "apiKey.create", false, Body::json, {}, Access::write, plan(create)});
  routes.push_back({"GET", "/api-keys/{id}", "apiKey.read", false, Body::none, {}, Access::read, Plan(show)});
  routes.push_back({"DELETE", "/api-keys/{id}", "apiKey.delete", false, Body::none, {}, Access::write, plan(revoke)});
  routes.push_back({"GET", "/roles", "apiKey.read", false, Body::none, {}, Access::read, Plan(list_roles)});
}

}  // namespace schakel::api
