#include "wus/service_json.hpp"

#include <algorithm>
#include <charconv>

#include "base/oin.hpp"
#include "http/url.hpp"
#include "wus/addressing.hpp"
#include "wus/members.hpp"

namespace schakel::wus {
namespace {

using namespace std::chrono_literals;
using xmlsecurity::ContentCipher;
using xmlsecurity::DigestMethod;
using xmlsecurity::SignatureMethod;
using Json = nlohmann::json;

constexpr std::size_t list_max = 100;
constexpr std::size_t grants_max = 10'000;
constexpr std::size_t partners_max = 1000;
constexpr std::size_t path_bytes_max = 255;
constexpr std::size_t oin_bytes = 20;
constexpr std::size_t pem_bytes_max = security::certificate_bytes_max * 3 / 2;

// What may differ from partner to partner of one service: what its software can read, and exceptions for what it makes.
template <class Archive, class Value>
void partner_settings_members(Archive& a, Value& s) {
  a.choice("signatureAlgorithm", s.signature_algorithm,
           {{SignatureMethod::rsa_sha256, "rsa-sha256"},
            {SignatureMethod::rsa_sha384, "rsa-sha384"},
            {SignatureMethod::rsa_sha512, "rsa-sha512"}});
  a.choice("digestAlgorithm", s.digest_algorithm,
           {{DigestMethod::sha256, "sha256"}, {DigestMethod::sha384, "sha384"}, {DigestMethod::sha512, "sha512"}});
  a.choice("encryptionAlgorithm", s.encryption_algorithm,
           {{ContentCipher::aes256_gcm, "aes256-gcm"},
            {ContentCipher::aes128_gcm, "aes128-gcm"},
            {ContentCipher::aes256_cbc, "aes256-cbc"},
            {ContentCipher::aes128_cbc, "aes128-cbc"}});
  a.choice("oaepDigest", s.oaep_digest,
           {{DigestMethod::sha256, "sha256"}, {DigestMethod::sha384, "sha384"}, {DigestMethod::sha512, "sha512"}, {std::nullopt, "sha1"}});
  a.choice("keyRef", s.key_ref,
           {{KeyReference::issuer_serial, "issuerserial"},
            {KeyReference::ski, "ski"},
            {KeyReference::thumbprint, "thumbprint"},
            {KeyReference::bst, "bst"}});
  a.flag("inclusivePrefixes", s.inclusive_prefixes);
  a.flag("acceptIndirectToken", s.accept_indirect_token);
  a.flag("allowMissingKeyEncipherment", s.allow_missing_key_encipherment);
  a.choice("securityInBe", s.ignore_security_in_be, {{false, "reject"}, {true, "ignore"}});
  a.choice("legacyCbc", s.legacy_cbc, {{LegacyCbc::off, "off"}, {LegacyCbc::decrypt, "decrypt"}, {LegacyCbc::both, "both"}});
  a.instant("legacyCbcUntil", s.legacy_cbc_until);
  a.choice("legacy3des", s.legacy_3des, {{false, "off"}, {true, "decrypt"}});
  a.instant("legacy3desUntil", s.legacy_3des_until);
}

// wus.md 4.6.
template <class Archive, class Value>
void settings_members(Archive& a, Value& s) {
  a.choice("profile", s.profile, {{Profile::be, "2W-be"}, {Profile::be_s, "2W-be-S"}, {Profile::be_se, "2W-be-SE"}});
  a.choice("dispatch", s.dispatch, {{Dispatch::action, "action"}, {Dispatch::body, "body"}});
  a.choice("validate", s.validate,
           {{Validate::both, "both"}, {Validate::request, "request"}, {Validate::response, "response"}, {Validate::off, "off"}});
  a.choice("mtom", s.mtom, {{Mtom::off, "off"}, {Mtom::optional, "optional"}, {Mtom::required, "required"}});
  a.number("mtomThreshold", s.mtom_threshold, 0, message_bytes_ceiling);
  a.choice("soapAction", s.soap_action_of_action, {{false, "empty"}, {true, "action"}});
  a.flag("toOin", s.to_oin);
  a.choice("toCheck", s.to_check, {{true, "on"}, {false, "off"}});
  a.flag("requireFrom", s.require_from);
  a.flag("replyToPassthrough", s.reply_to_passthrough);
  a.flag("evidencePlain", s.evidence_plain);
  a.choice("duplicates", s.duplicates, {{Duplicates::pass, "pass"}, {Duplicates::reject, "reject"}, {Duplicates::replay, "replay"}});
  a.duration("duplicateWindow", s.duplicate_window, 1s, 30 * 24h);
  a.seconds("timestampTtl", s.timestamp_ttl, 30s, 3600s);
  a.seconds("skewFuture", s.skew_future, 0s, 600s);
  a.seconds("skewPast", s.skew_past, 0s, 600s);
  partner_settings_members(a, s);
  a.choice("messageIdFormat", s.message_id_format,
           {{MessageIdFormat::urn_uuid, "urn-uuid"},
            {MessageIdFormat::uuid_at_uri, "uuid-at-uri"},
            {MessageIdFormat::custom_uuid_at_uri, "custom-uuid-at-uri"}});
  a.choice("signatureConfirmation", s.accept_missing_confirmation, {{false, "require"}, {true, "accept-missing"}});
  a.flag("passUnsecuredDetail", s.pass_unsecured_detail);
  a.duration("backendTimeout", s.backend_timeout, 1s, 600s);
  a.duration("timeout", s.timeout, 1s, 600s);
  a.choice("retry", s.retry_idempotent, {{false, "none"}, {true, "idempotent"}});
  a.number("maxSize", s.max_size, limits::KiB, message_bytes_ceiling);
}

template <class Archive, class Value>
void provider_members(Archive& a, Value& terms) {
  a.text("path", terms.path, path_bytes_max);
  a.object("backend", [&](auto& inner) {
    inner.text("url", terms.backend_url);
    inner.choice("mode", terms.settings.backend_mode, {{BackendMode::xml, "xml"}, {BackendMode::soap, "soap"}, {BackendMode::dai, "dai"}});
    inner.flag("mtom", terms.settings.backend_mtom);
    inner.text("daiAddress", terms.backend_dai_address);
  });
}

template <class Archive, class Value>
void partner_members(Archive& a, Value& terms) {
  a.text("endpoint", terms.endpoint);
  a.text("toAddress", terms.to_address);
  a.text("fromAddress", terms.from_address);
  a.text("oin", terms.partner_oin);
  a.text("daiAddress", terms.partner_dai_address);
  a.texts("serverOins", terms.server_oins, list_max);
  a.texts("signerOins", terms.signer_oins, list_max);
}

template <class Archive, class Value>
void common_members(Archive& a, Value& terms) {
  a.choice("role", terms.role, {{Role::provider, "provider"}, {Role::consumer, "consumer"}});
  a.text("ownOin", terms.own_oin);
  a.instant("validFrom", terms.valid_from);
  a.texts("addresses", terms.addresses, list_max);
  settings_members(a, terms.settings);
}

void check_oin(MemberReader& members, std::string_view name, std::string_view oin) {
  if (!oin.empty() && (oin.size() != oin_bytes || !is_oin(oin))) members.fault(name, "must be an OIN");
}

void check_dai_address(MemberReader& members, const std::string& address) {
  if (!address.empty() && !is_iri(address)) members.fault("daiAddress", "must be an IRI");
}

void check_url(MemberReader& members, std::string_view name, const std::string& url, bool tls) {
  if (url.empty()) return;
  const auto parsed = http::parse_url(url);
  if (!parsed)
    members.fault(name, "must be an absolute URL");
  else if (tls && !parsed->is_tls())
    members.fault(name, "must be an https URL");
}

// "{namespace}local"
void read_extra_headers(MemberReader& members, std::vector<ExpandedName>& headers) {
  std::vector<std::string> texts;
  members.texts("extraHeaders", texts, list_max);
  for (const auto& text : texts) {
    const auto close = text.find('}');
    if (!text.starts_with('{') || close == std::string::npos || close < 2 || close + 1 == text.size()) {
      members.fault("extraHeaders", "must hold names like {urn:voorbeeld}Kenmerk");
      return;
    }
    headers.push_back({text.substr(1, close - 1), text.substr(close + 1)});
  }
}

void read_operations(MemberReader& members, std::vector<Error>& faults, std::vector<std::string>& idempotent) {
  members.each("operations", list_max, [&](const Json& json, const std::string& pointer) {
    MemberReader operation(json, pointer, faults);
    std::string name;
    bool is_idempotent = false;
    operation.require("name");
    operation.text("name", name);
    operation.flag("idempotent", is_idempotent);
    operation.end();
    if (is_idempotent) idempotent.push_back(std::move(name));
  });
}

void read_grants(MemberReader& members, std::vector<Error>& faults, std::vector<Grant>& grants) {
  members.each("grants", grants_max, [&](const Json& json, const std::string& pointer) {
    MemberReader reader(json, pointer, faults);
    Grant grant;
    reader.require("oin");
    reader.text("oin", grant.oin);
    check_oin(reader, "oin", grant.oin);
    reader.texts("operations", grant.operations, list_max);
    reader.text("daiAddress", grant.dai_address);
    check_dai_address(reader, grant.dai_address);
    reader.end();
    grants.push_back(std::move(grant));
  });
}

void read_certificate(MemberReader& partner, const Settings& settings, std::optional<security::Certificate>& certificate) {
  std::string pem;
  partner.text("certificate", pem, pem_bytes_max);
  if (settings.profile == Profile::be_se) partner.require("certificate");
  if (pem.empty()) return;
  auto read = security::Certificate::from_pem(pem);
  if (!read) return partner.fault("certificate", "must be a certificate in PEM");
  const auto& fields = read->fields();
  // WUS-148, WUS-149
  if (fields.key.type != security::KeyType::rsa) return partner.fault("certificate", "must hold an RSA key: it is encrypted for");
  const bool may_encipher = !fields.has_key_usage || (fields.key_usage & security::key_encipherment) != 0;
  if (!may_encipher && !settings.allow_missing_key_encipherment)
    return partner.fault("certificate", "must have keyEncipherment in its key usage");
  certificate = std::move(*read);
}

void check_exception(MemberReader& members, const char* name, bool used, const std::optional<Instant>& until,
                     const std::optional<Offered>& offered) {
  if (!used || members.has(name) != until.has_value()) return;  // a time that cannot be read is told of already
  if (!until) return members.fault(name, "is missing: an exception needs an end");
  if (offered && *until > offered->now + legacy_exception_max) members.fault(name, "is more than a year ahead");
}

void check_settings(MemberReader& members, const Settings& settings, const std::optional<Offered>& offered) {
  check_exception(members, "legacyCbcUntil", settings.legacy_cbc != LegacyCbc::off, settings.legacy_cbc_until, offered);
  check_exception(members, "legacy3desUntil", settings.legacy_3des, settings.legacy_3des_until, offered);
  if (!xmlsecurity::is_gcm(settings.encryption_algorithm) && settings.legacy_cbc != LegacyCbc::both)
    members.fault("encryptionAlgorithm", "CBC is made only with legacyCbc both");
}

// A path of the external listener (README section 5).
bool is_service_path(std::string_view path) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~/").find(c) != std::string_view::npos;
  };
  return path.starts_with("/wus/") && path.size() > 5 && !path.ends_with('/') && path.find("//") == std::string_view::npos &&
         path.find("/.") == std::string_view::npos && std::ranges::all_of(path, is_plain);
}

void read_from_addresses(MemberReader& members, std::vector<Error>& faults, std::vector<FromAddress>& addresses) {
  members.each("fromAddresses", list_max, [&](const Json& json, const std::string& pointer) {
    MemberReader reader(json, pointer, faults);
    FromAddress one;
    for (const auto& [name, field] : {std::pair{"address", &one.address}, std::pair{"shownAs", &one.shown_as}}) {
      reader.require(name);
      reader.text(name, *field);
      check_url(reader, name, *field, false);
    }
    reader.end();
    addresses.push_back(std::move(one));
  });
}

void read_partners(MemberReader& members, std::vector<Error>& faults, const std::optional<Offered>& offered, ServiceTerms& terms) {
  members.each_member("partners", partners_max, [&](const std::string& oin, const Json& json, const std::string& pointer) {
    if (oin.size() != oin_bytes || !is_oin(oin)) faults.push_back(fail("contract.settings", "must be named by an OIN", pointer));
    MemberReader partner(json, pointer, faults);
    auto settings = terms.settings;
    partner_settings_members(partner, settings);
    check_settings(partner, settings, offered);
    partner.end();
    terms.partners.emplace(oin, ServiceTerms::OfPartner{json, std::move(settings)});
  });
}

void read_provider(MemberReader& members, std::vector<Error>& faults, const std::optional<Offered>& offered, ServiceTerms& terms) {
  members.require("path");
  members.require("backend");
  provider_members(members, terms);
  if (!terms.path.empty() && !is_service_path(terms.path)) members.fault("path", "must be a path below /wus/");
  if (members.has("backend") && terms.backend_url.empty()) members.fault("backend", "has no url");
  if (!terms.backend_url.empty() && !http::parse_url(terms.backend_url)) members.fault("backend", "must have an absolute URL");
  if (!terms.backend_dai_address.empty() && !is_iri(terms.backend_dai_address)) members.fault("backend", "must have an IRI as daiAddress");
  read_grants(members, faults, terms.grants);
  read_from_addresses(members, faults, terms.from_addresses);
  read_partners(members, faults, offered, terms);
}

void read_consumer(MemberReader& members, const std::optional<Offered>& offered, ServiceTerms& terms) {
  members.require("partner");
  members.object("partner", [&](MemberReader& partner) {
    partner.require("oin");
    partner_members(partner, terms);
    check_url(partner, "endpoint", terms.endpoint, offered && offered->production);
    check_url(partner, "toAddress", terms.to_address, false);
    check_url(partner, "fromAddress", terms.from_address, false);
    check_oin(partner, "oin", terms.partner_oin);
    check_dai_address(partner, terms.partner_dai_address);
    for (const auto& oin : terms.server_oins) check_oin(partner, "serverOins", oin);
    for (const auto& oin : terms.signer_oins) check_oin(partner, "signerOins", oin);
    read_certificate(partner, terms.settings, terms.partner_certificate);
  });
}

}  // namespace

std::optional<ServiceTerms> read_terms(const Json& json, const std::string& pointer, const std::optional<Offered>& offered,
                                       std::vector<Error>& faults) {
  const auto before = faults.size();
  MemberReader members(json, pointer, faults);
  ServiceTerms terms;
  members.require("role");
  members.require("ownOin");
  members.require("profile");
  common_members(members, terms);
  check_oin(members, "ownOin", terms.own_oin);
  if (offered && offered->production && is_test_oin(terms.own_oin)) members.fault("ownOin", "is one for tests (OIN-010)");
  for (const auto& address : terms.addresses) check_url(members, "addresses", address, false);
  read_extra_headers(members, terms.settings.extra_headers);
  read_operations(members, faults, terms.idempotent);
  check_settings(members, terms.settings, offered);
  if (terms.role == Role::provider)
    read_provider(members, faults, offered, terms);
  else
    read_consumer(members, offered, terms);
  members.end();
  if (faults.size() > before) return std::nullopt;
  return terms;
}

std::optional<ServiceTerms> read_terms(std::string_view text, const std::optional<Offered>& offered, std::vector<Error>& faults) {
  std::vector<JsonFault> syntax;
  const auto json = read_strict_json(text, syntax);
  if (json) return read_terms(*json, "", offered, faults);
  for (const auto& fault : syntax) faults.push_back(fail("contract.settings", describe(fault), fault.pointer));
  return std::nullopt;
}

Json terms_json(const ServiceTerms& terms) {
  MemberWriter out;
  common_members(out, terms);
  auto headers = Json::array();
  for (const auto& header : terms.settings.extra_headers) headers.push_back("{" + header.namespace_uri + "}" + header.name);
  out.put("extraHeaders", std::move(headers));
  auto operations = Json::array();
  for (const auto& name : terms.idempotent) operations.push_back({{"name", name}, {"idempotent", true}});
  out.put("operations", std::move(operations));
  if (terms.role == Role::provider) {
    provider_members(out, terms);
    auto grants = Json::array();
    for (const auto& grant : terms.grants) {
      Json one{{"oin", grant.oin}, {"operations", grant.operations}};
      if (!grant.dai_address.empty()) one["daiAddress"] = grant.dai_address;
      grants.push_back(std::move(one));
    }
    out.put("grants", std::move(grants));
    auto addresses = Json::array();
    for (const auto& one : terms.from_addresses) addresses.push_back({{"address", one.address}, {"shownAs", one.shown_as}});
    if (!addresses.empty()) out.put("fromAddresses", std::move(addresses));
    auto partners = Json::object();
    for (const auto& [oin, partner] : terms.partners) partners[oin] = partner.said;
    if (!partners.empty()) out.put("partners", std::move(partners));
  } else {
    out.object("partner", [&](MemberWriter& partner) {
      partner_members(partner, terms);
      if (terms.partner_certificate) partner.text("certificate", terms.partner_certificate->pem());
    });
  }
  return out.take();
}

std::vector<LegacyException> exceptions_of(const ServiceTerms& terms) {
  std::vector<LegacyException> out;
  const auto add = [&out](const Settings& settings, const std::string& oin) {
    if (settings.legacy_cbc != LegacyCbc::off) out.push_back({"legacyCbc", oin, settings.legacy_cbc_until});
    if (settings.legacy_3des) out.push_back({"legacy3des", oin, settings.legacy_3des_until});
  };
  add(terms.settings, terms.partner_oin);
  for (const auto& [oin, partner] : terms.partners) add(partner.settings, oin);
  return out;
}

}  // namespace schakel::wus
