// URL and certificate mappings (cpa.md 2.7, 3.6), mandates (ADP-207) and algorithm exceptions (SEC-083) as resources.
#include "api/resources.hpp"
#include "cpa/store.hpp"
#include "exchange/store.hpp"
#include "security/certificate.hpp"
#include "security/keys.hpp"

namespace schakel::api {
namespace {

using exchange::Document;
using http::Response;

Json body_of(const Document& document) {
  Json body = Json::parse(document.body, nullptr, false);
  return body.is_object() ? body : Json::object();
}

// The stored members in the order given, behind the id.
OrderedJson shown(const Document& document, std::initializer_list<const char*> names) {
  const Json body = body_of(document);
  OrderedJson out{{"id", document.id}};
  for (const auto* name : names) {
    if (body.contains(name) && body[name] != "") out[name] = body[name];
  }
  out["changedAt"] = to_rfc3339(document.changed_at);
  return out;
}

Response answer(unsigned status, const Document& document, std::initializer_list<const char*> names) {
  return versioned_response(status, shown(document, names), document.version);
}

// One kind of document with its members and its place in the API.
struct Shelf {
  std::string_view kind, path;
  std::initializer_list<const char*> members;
};

constexpr auto url_members = {"source", "destination", "cpaId"};
constexpr auto certificate_members = {"issuer", "serial", "cpaId", "source", "destination"};
constexpr auto mandate_members = {"mandatorOin", "mandataryOin", "scope", "direction", "validFrom", "validTo", "status", "evidence"};
constexpr Shelf url_mappings{"urlMapping", "url-mappings", url_members};
constexpr Shelf certificate_mappings{"certificateMapping", "certificate-mappings", certificate_members};
constexpr auto exception_members = {"partnerOin", "protocol", "algorithm", "reason", "from", "until"};
constexpr Shelf mandates{"mandate", "mandates", mandate_members};
constexpr Shelf algorithm_exceptions{"algorithmException", "algorithm-exceptions", exception_members};

Answer<Document> found(sql::Transaction& tx, const Visit& visit, const Shelf& shelf) {
  SCHAKEL_TRY(auto document, exchange::find_document(tx, visit.tenant(), shelf.kind, visit.path[0]));
  if (!document) return not_found();
  return std::move(*document);
}

Plan list(const Shelf& shelf) {
  return [&shelf](const Visit& visit, Faults& faults) -> InTransaction {
    Query query(visit.request, faults);
    const Page page = read_page(query);
    return [&shelf, &visit, page](sql::Transaction& tx) -> Answer<Response> {
      SCHAKEL_TRY(const auto documents, exchange::documents(tx, visit.tenant(), shelf.kind));
      std::vector<OrderedJson> all;
      for (const auto& document : documents) all.push_back(shown(document, shelf.members));
      return paged(visit, page, all);
    };
  };
}

Plan show(const Shelf& shelf) {
  return [&shelf](const Visit& visit, Faults&) -> InTransaction {
    return [&shelf, &visit](sql::Transaction& tx) -> Answer<Response> {
      SCHAKEL_TRY(const auto document, found(tx, visit, shelf));
      return answer(200, document, shelf.members);
    };
  };
}

Plan remove(const Office& office, const Shelf& shelf) {
  return [&office, &shelf](const Visit& visit, Faults&) -> InTransaction {
    return [&office, &shelf, &visit](sql::Transaction& tx) -> Answer<Response> {
      SCHAKEL_TRY(const auto document, found(tx, visit, shelf));
      SCHAKEL_CHECK(check_if_match(visit.request, document.version));
      SCHAKEL_CHECK(exchange::delete_document(tx, visit.tenant(), shelf.kind, document.id));
      SCHAKEL_CHECK(audit(tx, office, visit, std::string(shelf.kind) + ".delete", document.id, body_of(document), nullptr));
      return no_content();
    };
  };
}

// POST with an existing key replaces (cpa.md 3.6): 200; a new one 201.
InTransaction put(const Office& office, const Visit& visit, const Shelf& shelf, std::string key, const OrderedJson& body) {
  Document document;
  document.id = office.new_id();
  document.tenant = visit.tenant();
  document.kind = shelf.kind;
  document.key = std::move(key);
  document.body = body.dump();
  document.changed_at = office.now();
  return [&office, &visit, &shelf, document](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto present, exchange::documents(tx, visit.tenant(), shelf.kind));
    Document stored = document;
    Json before;
    for (const auto& one : present) {
      if (one.key != document.key) continue;
      stored.id = one.id;
      stored.version = one.version + 1;
      before = body_of(one);
    }
    SCHAKEL_CHECK(exchange::put_document(tx, stored));
    SCHAKEL_CHECK(audit(tx, office, visit, std::string(shelf.kind) + ".put", stored.id, before, body_of(stored)));
    auto response = answer(before.is_null() ? 201 : 200, stored, shelf.members);
    response.headers.set("Location", std::string(base_path) + "/" + std::string(shelf.path) + "/" + stored.id);
    return response;
  };
}

InTransaction put_url_mapping(const Office& office, const Visit& visit, Faults& faults) {
  Members members(visit.json, "", faults);
  const std::string source = members.text("source", Need::required, 1024).value_or("");
  const std::string destination = members.text("destination", Need::required, 1024).value_or("");
  const std::string cpa_id = members.text("cpaId").value_or("");
  members.end();
  const auto verdict =
      cpa::check_mapping({visit.tenant(), source, destination, cpa_id}, office.environment_of(visit.tenant()) == "production");
  if (!verdict && !source.empty() && !destination.empty()) members.fault("destination", verdict.error().code, verdict.error().detail);
  return put(office, visit, url_mappings, cpa_id + "\n" + source, {{"source", source}, {"destination", destination}, {"cpaId", cpa_id}});
}

std::optional<security::Certificate> read_certificate(Members& members, std::string_view name) {
  const auto text = members.text(name, Need::required, 128 * limits::KiB);
  if (!text) return std::nullopt;
  const auto der = from_base64_lenient(*text);
  if (security::holds_private_key(*text) || (der && security::holds_private_key(*der))) {
    members.fault(name, "certificate.privateKeyRefused", "een privésleutel wordt hier niet aangenomen");
    return std::nullopt;
  }
  if (der) {
    if (auto certificate = security::Certificate::from_der(*der)) return std::move(*certificate);
  }
  members.fault(name, "format", "geen certificaat (DER in base64)");
  return std::nullopt;
}

InTransaction put_certificate_mapping(const Office& office, const Visit& visit, Faults& faults) {
  Members members(visit.json, "", faults);
  const auto source = read_certificate(members, "source"), destination = read_certificate(members, "destination");
  const std::string cpa_id = members.text("cpaId").value_or("");
  members.end();
  if (!source || !destination) return {};
  const auto& from = (*source)->der;
  const auto& to = (*destination)->der;
  const auto mapping = cpa::make_mapping(visit.tenant(), from, to, cpa_id, office.now());
  if (!mapping) {
    members.fault("destination", mapping.error().code, mapping.error().detail);
    return {};
  }
  const OrderedJson body{{"issuer", mapping->issuer},
                         {"serial", mapping->serial},
                         {"cpaId", cpa_id},
                         {"source", to_base64(from)},
                         {"destination", to_base64(to)}};
  return put(office, visit, certificate_mappings, cpa_id + "\n" + mapping->issuer + "\n" + mapping->serial, body);
}

// --- mandates ----------------------------------------------------------------------------------------------------------------------

InTransaction create_mandate(const Office& office, const Visit& visit, Faults& faults) {
  Members members(visit.json, "", faults);
  const std::string mandator = read_oin(members, "mandatorOin", Need::required),
                    mandatary = read_oin(members, "mandataryOin", Need::required);
  const std::string scope = members.text("scope", Need::required).value_or("");
  const std::string direction = members.choice("direction", {"inbound", "outbound", "both"}).value_or("both");
  const auto from = members.instant("validFrom", Need::required);
  const auto to = members.instant("validTo");
  const std::string evidence = members.text("evidence", Need::optional, 1000).value_or("");
  if (from && to && *to <= *from) members.fault("validTo", "range", "moet na validFrom liggen");
  if (!mandator.empty() && mandator == mandatary) members.fault("mandataryOin", "format", "een organisatie machtigt zichzelf niet");
  members.end();
  OrderedJson body{{"mandatorOin", mandator}, {"mandataryOin", mandatary}, {"scope", scope}, {"direction", direction}};
  if (from) body["validFrom"] = to_rfc3339(*from);
  if (to) body["validTo"] = to_rfc3339(*to);
  body["status"] = "active";
  if (!evidence.empty()) body["evidence"] = evidence;
  return put(office, visit, mandates, office.new_id(), body);
}

// A mandate is revoked or given another end; who may act for whom never changes under one id.
InTransaction change_mandate(const Office& office, const Visit& visit, Faults& faults) {
  Members members(visit.json, "", faults);
  const auto status = members.choice("status", {"active", "revoked"});
  const auto to = members.instant("validTo");
  const auto evidence = members.text("evidence", Need::optional, 1000);
  members.end();
  return [&office, &visit, status, to, evidence](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(auto document, found(tx, visit, mandates));
    SCHAKEL_CHECK(check_if_match(visit.request, document.version));
    const Json before = body_of(document);
    Json after = before;
    if (before.value("status", "") == "revoked" && status == "active")
      return Refusal("state.conflict", "Een ingetrokken machtiging wordt niet weer geldig.");
    if (status) after["status"] = *status;
    if (to) after["validTo"] = to_rfc3339(*to);
    if (evidence) after["evidence"] = *evidence;
    document.body = after.dump();
    document.changed_at = office.now();
    ++document.version;
    SCHAKEL_CHECK(exchange::put_document(tx, document));
    SCHAKEL_CHECK(audit(tx, office, visit, "mandate.update", document.id, before, after));
    return answer(200, document, mandates.members);
  };
}

// --- algorithm exceptions --------------------------------------------------------------------------------------------------------------

// SEC-083: what a partner's messages may be encrypted with beside the closed list. rsa-1_5 never in production (EB-173).
constexpr std::string_view rsa_1_5 = "http://www.w3.org/2001/04/xmlenc#rsa-1_5";

InTransaction put_algorithm_exception(const Office& office, const Visit& visit, Faults& faults) {
  Members members(visit.json, "", faults);
  const std::string partner = read_oin(members, "partnerOin", Need::required);
  const std::string protocol = members.choice("protocol", {"ebms"}, Need::required).value_or("");
  const std::string algorithm = members
                                    .choice("algorithm",
                                            {"http://www.w3.org/2001/04/xmlenc#aes128-cbc", "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
                                             "http://www.w3.org/2001/04/xmlenc#tripledes-cbc", rsa_1_5},
                                            Need::required)
                                    .value_or("");
  const std::string reason = members.text("reason", Need::required, 500).value_or("");
  const auto until = members.instant("until", Need::required);
  members.end();
  const Instant from = office.now();
  if (algorithm == rsa_1_5 && office.environment_of(visit.tenant()) == "production")
    members.fault("algorithm", "notAllowed", "rsa-1_5 wordt in productie nooit aanvaard");
  if (until && (*until <= from || *until > from + cpa::algorithm_exception_max))
    members.fault("until", "range", "moet in de toekomst liggen, ten hoogste een jaar vooruit");
  OrderedJson body{
      {"partnerOin", partner}, {"protocol", protocol}, {"algorithm", algorithm}, {"reason", reason}, {"from", to_rfc3339(from)}};
  if (until) body["until"] = to_rfc3339(*until);
  return put(office, visit, algorithm_exceptions, partner + "\n" + protocol + "\n" + algorithm, body);
}

}  // namespace

void add_mapping_routes(std::vector<Route>& routes, const Office& office) {
  const auto plan = [&office](auto function) {
    return Plan([&office, function](const Visit& visit, Faults& faults) { return function(office, visit, faults); });
  };
  const std::vector<std::string_view> pages = {"page", "perPage"};
  routes.push_back({"GET", "/url-mappings", "contract.read", false, Body::none, pages, Access::read, list(url_mappings)});
  routes.push_back({"POST", "/url-mappings", "contract.update", false, Body::json, {}, Access::write, plan(put_url_mapping)});
  routes.push_back({"GET", "/url-mappings/{id}", "contract.read", false, Body::none, {}, Access::read, show(url_mappings)});
  routes.push_back({"DELETE", "/url-mappings/{id}", "contract.update", false, Body::none, {}, Access::write, remove(office, url_mappings)});
  routes.push_back({"GET", "/certificate-mappings", "contract.read", false, Body::none, pages, Access::read, list(certificate_mappings)});
  routes.push_back(
      {"POST", "/certificate-mappings", "contract.update", false, Body::json, {}, Access::write, plan(put_certificate_mapping)});
  routes.push_back({"GET", "/certificate-mappings/{id}", "contract.read", false, Body::none, {}, Access::read, show(certificate_mappings)});
  routes.push_back({"DELETE",
                    "/certificate-mappings/{id}",
                    "contract.update",
                    false,
                    Body::none,
                    {},
                    Access::write,
                    remove(office, certificate_mappings)});
  routes.push_back({"GET", "/mandates", "mandate.read", false, Body::none, pages, Access::read, list(mandates)});
  routes.push_back({"POST", "/mandates", "mandate.create", false, Body::json, {}, Access::write, plan(create_mandate)});
  routes.push_back({"GET", "/mandates/{id}", "mandate.read", false, Body::none, {}, Access::read, show(mandates)});
  routes.push_back({"PATCH", "/mandates/{id}", "mandate.update", false, Body::merge_patch, {}, Access::write, plan(change_mandate)});
  routes.push_back(
      {"GET", "/algorithm-exceptions", "certificate.read", false, Body::none, pages, Access::read, list(algorithm_exceptions)});
  routes.push_back({"POST", "/algorithm-exceptions", "key.update", false, Body::json, {}, Access::write, plan(put_algorithm_exception)});
  routes.push_back(
      {"GET", "/algorithm-exceptions/{id}", "certificate.read", false, Body::none, {}, Access::read, show(algorithm_exceptions)});
  routes.push_back(
      {"DELETE", "/algorithm-exceptions/{id}", "key.update", false, Body::none, {}, Access::write, remove(office, algorithm_exceptions)});
}

}  // namespace schakel::api
