#include "server/tenants.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "base/bytes.hpp"
#include "base/oin.hpp"
#include "security/pkcs11.hpp"

namespace schakel::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view document_kind = "tenant";
constexpr std::array<std::string_view, 4> all_purposes{"tls-server", "tls-client", "signing", "encryption"};

bool is_slug(std::string_view slug) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_end = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); };
  return slug.size() >= 3 && slug.size() <= 40 && is_letter(slug.front()) && is_end(slug.back()) &&
         std::ranges::all_of(slug, [&](char c) { return is_end(c) || c == '-'; });
}

bool is_host(std::string_view host) {
  return !host.empty() && host.size() <= 253 && host.front() != '.' && host.back() != '.' &&
         std::ranges::all_of(host, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; });
}

Error invalid(std::string detail, std::string pointer) {
  return fail("request.invalid", std::move(detail), std::move(pointer));
}

// Reads the members of one object; the first fault wins.
class Reader {
 public:
  Reader(const Json& object, std::string pointer, std::set<std::string> known) : object_(object), pointer_(std::move(pointer)) {
    if (!object_.is_object()) {
      fault("an object is expected", "");
      return;
    }
    for (const auto& member : object_.items())
      if (!known.contains(member.key())) fault("unknown member", member.key());
  }

  void text(const std::string& name, std::string& into) {
    if (const auto* value = find(name)) value->is_string() ? void(into = value->get<std::string>()) : fault("a text is expected", name);
  }
  void texts(const std::string& name, std::vector<std::string>& into) {
    const auto* value = find(name);
    if (!value) return;
    if (!value->is_array() || !std::ranges::all_of(*value, [](const Json& item) { return item.is_string(); }))
      return fault("a list of texts is expected", name);
    into = value->get<std::vector<std::string>>();
  }
  const Json* find(const std::string& name) const {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  void fault(std::string detail, const std::string& name) {
    if (!fault_) fault_ = invalid(std::move(detail), pointer_ + (name.empty() ? "" : "/" + name));
  }
  std::optional<Error> first_fault() const { return fault_; }

 private:
  const Json& object_;
  std::string pointer_;
  std::optional<Error> fault_;
};

Result<OwnCertificate> certificate_from(const Json& object, const std::string& pointer) {
  OwnCertificate certificate;
  Reader reader(object, pointer, {"certificates", "key", "passphrase", "purposes", "activeFromAt"});
  reader.text("certificates", certificate.certificates);
  reader.text("key", certificate.key);
  reader.text("passphrase", certificate.passphrase.reference);
  reader.texts("purposes", certificate.purposes);
  std::string active_from;
  reader.text("activeFromAt", active_from);
  if (!active_from.empty()) {
    if (const auto at = parse_datetime(active_from))
      certificate.active_from = at->instant;
    else
      reader.fault("a date and time of RFC 3339 is expected", "activeFromAt");
  }
  if (auto fault = reader.first_fault()) return *fault;
  return certificate;
}

}  // namespace

bool OwnCertificate::serves(std::string_view purpose) const {
  return std::ranges::find(purposes, purpose) != purposes.end();
}

Result<Tenant> tenant_from_json(std::string_view text) {
  const auto json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return invalid("no JSON", "");
  Tenant tenant;
  Reader reader(json, "", {"slug", "name", "environment", "oins", "hosts", "certificates"});
  reader.text("slug", tenant.slug);
  reader.text("name", tenant.name);
  reader.text("environment", tenant.environment);
  reader.texts("oins", tenant.oins);
  reader.texts("hosts", tenant.hosts);
  if (const auto* certificates = reader.find("certificates")) {
    if (!certificates->is_array()) reader.fault("a list is expected", "certificates");
    for (std::size_t i = 0; certificates->is_array() && i < certificates->size(); ++i) {
      SCHAKEL_TRY(auto certificate, certificate_from((*certificates)[i], "/certificates/" + std::to_string(i)));
      tenant.certificates.push_back(std::move(certificate));
    }
  }
  if (auto fault = reader.first_fault()) return *fault;
  return tenant;
}

std::string to_json(const Tenant& tenant) {
  Json json{
      {"slug", tenant.slug}, {"name", tenant.name}, {"environment", tenant.environment}, {"oins", tenant.oins}, {"hosts", tenant.hosts}};
  json["certificates"] = Json::array();
  for (const auto& certificate : tenant.certificates) {
    Json entry{{"certificates", certificate.certificates}, {"key", certificate.key}};
    if (certificate.passphrase.given()) entry["passphrase"] = certificate.passphrase.reference;
    entry["purposes"] = certificate.purposes;
    if (certificate.active_from) entry["activeFromAt"] = to_rfc3339(*certificate.active_from);
    json["certificates"].push_back(std::move(entry));
  }
  return json.dump();
}

std::vector<Error> check(const Tenant& tenant) {
  std::vector<Error> faults;
  const auto fault = [&](std::string detail, std::string pointer) { faults.push_back(invalid(std::move(detail), std::move(pointer))); };
  if (!is_slug(tenant.slug)) fault("3 to 40 of a-z, 0-9 and -; begins with a letter", "/slug");
  if (tenant.name.empty() || tenant.name.size() > 200 || !is_valid_utf8(tenant.name)) fault("1 to 200 octets of UTF-8", "/name");
  if (tenant.environment != "test" && tenant.environment != "production") fault("test or production", "/environment");
  if (tenant.oins.empty()) fault("at least one OIN", "/oins");
  for (std::size_t i = 0; i < tenant.oins.size(); ++i) {
    const auto& oin = tenant.oins[i];
    if (!is_oin(oin))
      fault("no OIN", "/oins/" + std::to_string(i));
    else if (is_test_oin(oin) && tenant.environment == "production")
      fault("a test OIN has no place in production", "/oins/" + std::to_string(i));
  }
  for (std::size_t i = 0; i < tenant.hosts.size(); ++i)
    if (!is_host(tenant.hosts[i])) fault("no host name in lower case", "/hosts/" + std::to_string(i));
  for (std::size_t i = 0; i < tenant.certificates.size(); ++i) {
    const auto pointer = "/certificates/" + std::to_string(i);
    const auto& certificate = tenant.certificates[i];
    if (certificate.key.empty()) fault("the file of the key is missing", pointer + "/key");
    if (security::is_pkcs11_uri(certificate.key))
      if (const auto good = security::check_pkcs11_uri(certificate.key); !good) fault(good.error().detail, pointer + "/key");
    const auto& passphrase = certificate.passphrase.reference;
    if (!passphrase.empty() && !passphrase.starts_with("file:") && !passphrase.starts_with("env:"))
      fault("a secret is given as file: or env:", pointer + "/passphrase");
    for (const auto& purpose : certificate.purposes)
      if (std::ranges::find(all_purposes, purpose) == all_purposes.end())
        fault("tls-server, tls-client, signing or encryption", pointer + "/purposes");
  }
  return faults;
}

Result<std::vector<Tenant>> load_tenants(sql::Transaction& transaction) {
  SCHAKEL_TRY(const auto documents, exchange::all_documents(transaction, document_kind));
  std::vector<Tenant> tenants;
  for (const auto& document : documents) {
    SCHAKEL_TRY(auto tenant, tenant_from_json(document.body));
    tenants.push_back(std::move(tenant));
  }
  return tenants;
}

Result<Put> put_tenant(sql::Transaction& transaction, const Tenant& tenant, Instant now) {
  if (const auto faults = check(tenant); !faults.empty()) return faults.front();
  SCHAKEL_TRY(const auto documents, exchange::all_documents(transaction, document_kind));
  const exchange::Document* former = nullptr;
  for (const auto& document : documents) {
    SCHAKEL_TRY(const auto other, tenant_from_json(document.body));
    if (other.slug == tenant.slug) {
      former = &document;
      if (other == tenant) return Put::same;
      if (other.environment != tenant.environment)
        return fail("tenant.mismatch", "the environment of a tenant never changes", "/environment");
      continue;
    }
    if (other.environment != tenant.environment) continue;
    for (const auto& oin : tenant.oins)
      if (std::ranges::find(other.oins, oin) != other.oins.end())
        return fail("oin.inUse", "another tenant of this environment has the OIN " + oin, "/oins");
  }
  exchange::Document document{.id = tenant.slug,
                              .tenant = tenant.slug,
                              .kind = std::string(document_kind),
                              .key = tenant.slug,
                              .body = to_json(tenant),
                              .version = former ? former->version + 1 : 1,
                              .changed_at = now};
  SCHAKEL_CHECK(exchange::put_document(transaction, document));
  return former ? Put::changed : Put::created;
}

Result<> activate_certificate(sql::Transaction& transaction, std::string_view slug, const OwnCertificate& certificate, Instant at,
                              Instant now) {
  SCHAKEL_TRY(auto tenants, load_tenants(transaction));
  for (auto& tenant : tenants) {
    const auto found = std::ranges::find(tenant.certificates, certificate);
    if (tenant.slug != slug || found == tenant.certificates.end()) continue;
    found->active_from = at;
    SCHAKEL_CHECK(put_tenant(transaction, tenant, now));
    return {};
  }
  return fail("notFound", "the tenant no longer has this certificate");
}

}  // namespace schakel::server
