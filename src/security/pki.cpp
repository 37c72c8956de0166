#include "security/pki.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/json_library.hpp"
#include "base/oin.hpp"
#include "security/pki_state.hpp"

namespace schakel::security {
namespace {

using nlohmann::json;

constexpr std::string_view qc_statements_hex = "3017301506082b06010505070b023009060704008bec490102";  // id-etsi-qcs-SemanticsId-Legal
constexpr std::array<std::string_view, 3> g4_tls_names = {"Schakel TEST - G4 Root Priv G-TLS - 2026",
                                                          "Schakel TEST - G4 Intm Priv G-TLS SYS - 2026",
                                                          "Schakel TEST TSP - G4 PKIo Priv G-TLS SYS - 2026"};
constexpr std::array<std::string_view, 3> g4_other_names = {"Schakel TEST - G4 Root Priv G-Other - 2026",
                                                            "Schakel TEST - G4 Intm Priv G-Other LP - 2026",
                                                            "Schakel TEST TSP - G4 PKIo Priv G-Other LP - 2026"};
constexpr std::array<std::string_view, 3> g1_names = {"Schakel TEST - Private Root CA - G1", "Schakel TEST - Private Services CA - G1",
                                                      "Schakel TEST TSP - Private Services CA - G1"};
constexpr std::array<std::string_view, 3> levels = {"root", "domain", "tsp"};

constexpr std::string_view policy_tls = "2.16.528.1.1003.1.2.41.15.35.11", policy_sign = "2.16.528.1.1003.1.2.41.16.25.4",
                           policy_enc = "2.16.528.1.1003.1.2.41.16.25.7", policy_auth = "2.16.528.1.1003.1.2.41.16.25.8";
constexpr std::string_view policy_ncp = "0.4.0.2042.1.1";
constexpr std::string_view ca_policies_tls = "0.4.0.2042.1.1,0.4.0.2042.1.2,2.16.528.1.1003.1.2.41.15.35.11";
constexpr std::string_view ca_policies_other =
    "0.4.0.2042.1.1,0.4.0.2042.1.2,2.16.528.1.1003.1.2.41.16.25.4,2.16.528.1.1003.1.2.41.16.25.7,2.16.528.1.1003.1.2.41.16.25.8";
constexpr std::string_view ca_policies_g1 = "2.16.528.1.1003.1.2.8.4,2.16.528.1.1003.1.2.8.5,2.16.528.1.1003.1.2.8.6";
constexpr std::string_view ca_usages_other = "1.3.6.1.4.1.311.10.3.4,1.3.6.1.4.1.311.10.3.12,clientAuth,1.3.6.1.5.5.7.3.36";

Instant whole_seconds(Instant at) {
  return std::chrono::floor<std::chrono::seconds>(at);
}

Instant years_later(Instant from, int years) {
  const auto day = std::chrono::floor<std::chrono::days>(from);
  const std::chrono::year_month_day date(day);
  auto later = std::chrono::year_month_day(date.year() + std::chrono::years(years), date.month(), date.day());
  if (!later.ok()) later = later.year() / later.month() / std::chrono::last;
  return Instant(std::chrono::sys_days(later)) + (from - day);
}

Result<> check_base_url(const std::string& url) {
  const bool plain = std::ranges::all_of(url, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(":/.-_[]").find(c) != std::string_view::npos;
  });
  if (!url.starts_with("http://") || url.ends_with('/') || !plain)
    return invalid_pki("the base URL is plain http, without a slash at the end: " + for_log(url));
  return {};
}

std::string extended_usage_of_authority(std::string_view id) {
  return std::string(id.starts_with("g4-tls") ? "clientAuth,serverAuth" : ca_usages_other);
}
std::string policies_of_authority(std::string_view id) {
  return std::string(id.starts_with("g4-tls") ? ca_policies_tls : id.starts_with("g4-other") ? ca_policies_other : ca_policies_g1);
}

Result<> write_public_file(const std::filesystem::path& path, BytesView bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  return out ? Result<>{} : Result<>(invalid_pki(path.string() + " cannot be written"));
}

Result<Bytes> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return invalid_pki(path.string() + " cannot be read");
  Bytes bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  return bytes;
}

// Folders with keys are for their owner only (SEC-071).
Result<> make_folder(const std::filesystem::path& path, bool is_private) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error && is_private) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  if (error) return invalid_pki(path.string() + ": " + error.message());
  return {};
}

Result<Bytes> pkcs12(const Issued& issued, std::string_view passphrase) {
  const X509StackPtr chain(sk_X509_new_null());
  for (const auto& certificate : issued.chain) sk_X509_push(chain.get(), certificate.native());
  std::string secret(passphrase);
  const Pkcs12Ptr p12(
      PKCS12_create(secret.c_str(), issued.name.c_str(), issued.key_pair->key(), issued.certificate.native(), chain.get(), 0, 0, 0, 0, 0));
  OPENSSL_cleanse(secret.data(), secret.size());
  if (p12 == nullptr) return invalid_pki("PKCS#12 cannot be made: " + openssl_error());
  return der_of(p12.get(), i2d_PKCS12);
}

json index_json(const TestPki::State& state) {
  json document{{"generation", state.options.generation == PkiGeneration::g4   ? "g4"
                               : state.options.generation == PkiGeneration::g1 ? "g1"
                                                                               : "both"},
                {"baseUrl", state.options.base_url},
                {"fast", state.options.fast},
                {"authorities", json::array()},
                {"certificates", json::array()}};
  for (const auto& authority : state.authorities) {
    json revoked = json::array();
    for (const auto& entry : authority.revoked)
      revoked.push_back({{"serial", entry.serial}, {"at", entry.at.time_since_epoch().count()}, {"reason", entry.reason}});
    document["authorities"].push_back({{"id", authority.id},
                                       {"issuer", authority.issuer_id},
                                       {"serial", authority.certificate->serial},
                                       {"subject", authority.certificate->subject},
                                       {"crlNumber", authority.crl_number},
                                       {"listed", authority.listed},
                                       {"revoked", revoked}});
  }
  for (const auto& record : state.index) {
    document["certificates"].push_back({{"name", record.name},
                                        {"serial", record.serial},
                                        {"subject", record.subject},
                                        {"profile", record.profile},
                                        {"oin", record.oin},
                                        {"issuer", record.issuer},
                                        {"status", record.status},
                                        {"notAfter", to_rfc3339(record.not_after)}});
  }
  return document;
}

Result<TestAuthority> read_authority(const json& entry, const std::filesystem::path& folder) {
  const std::string id = entry.at("id");
  if (id.empty() || !std::ranges::all_of(id, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }))
    return invalid_pki("index.json names a CA " + for_log(id));
  SCHAKEL_TRY(auto pem, read_file(folder / "ca" / (id + ".pem")));
  SCHAKEL_TRY(auto certificate, Certificate::from_pem(pem));
  SCHAKEL_TRY(auto key_text, read_private_file((folder / "ca" / (id + ".key")).string()));
  SCHAKEL_TRY(auto key, parse_private_key(key_text));
  OPENSSL_cleanse(key_text.data(), key_text.size());
  if (!matches(key.get(), certificate)) return fail("SEC.SLEUTEL.MISMATCH", "the key of " + id + " does not belong to its certificate");
  Bytes crl;
  if (const auto path = folder / "crl" / (id + ".crl"); std::filesystem::exists(path)) {
    SCHAKEL_TRY(crl, read_file(path));
  }
  TestAuthority authority{.id = id,
                          .issuer_id = entry.at("issuer"),
                          .certificate = std::move(certificate),
                          .key = std::move(key),
                          .scheme = id.starts_with("g1") ? SigningScheme::pkcs1_sha256 : SigningScheme::pss_sha512,
                          .crl_number = entry.at("crlNumber"),
                          .revoked = {},
                          .crl = std::move(crl),
                          .listed = entry.at("listed")};
  for (const auto& item : entry.at("revoked"))
    authority.revoked.push_back({item.at("serial"), Instant(Duration(item.at("at").get<std::int64_t>())), item.at("reason")});
  return authority;
}

Result<std::unique_ptr<TestPki::State>> read_state(const json& document, const std::filesystem::path& folder) {
  auto state = std::make_unique<TestPki::State>();
  SCHAKEL_TRY(state->options.generation, parse_pki_generation(document.at("generation").get<std::string>()));
  state->options.base_url = document.at("baseUrl");
  state->options.fast = document.at("fast");
  for (const auto& entry : document.at("authorities")) {
    SCHAKEL_TRY(auto authority, read_authority(entry, folder));
    state->authorities.push_back(std::move(authority));
  }
  for (const auto& entry : document.at("certificates")) {
    SCHAKEL_TRY(const auto not_after, parse_datetime(entry.at("notAfter").get<std::string>()));
    state->index.push_back({.name = entry.at("name"),
                            .serial = entry.at("serial"),
                            .subject = entry.at("subject"),
                            .profile = entry.at("profile"),
                            .oin = entry.at("oin"),
                            .issuer = entry.at("issuer"),
                            .status = entry.at("status"),
                            .not_after = not_after.instant});
  }
  return state;
}

}  // namespace

Error invalid_pki(std::string detail) {
  return fail("pki.invalid", std::move(detail));
}

Result<PkiGeneration> parse_pki_generation(std::string_view text) {
  if (text == "g4") return PkiGeneration::g4;
  if (text == "g1") return PkiGeneration::g1;
  if (text == "both") return PkiGeneration::both;
  return invalid_pki("generation is g4, g1 or both");
}

Result<PkiProfile> parse_pki_profile(std::string_view text) {
  for (const auto profile : {PkiProfile::tls, PkiProfile::auth, PkiProfile::sign, PkiProfile::enc, PkiProfile::g1_server}) {
    if (text == to_string(profile)) return profile;
  }
  return invalid_pki("profile is tls, auth, sign, enc or g1-server");
}

std::string_view to_string(PkiProfile profile) {
  switch (profile) {
    case PkiProfile::tls:
      return "tls";
    case PkiProfile::auth:
      return "auth";
    case PkiProfile::sign:
      return "sign";
    case PkiProfile::enc:
      return "enc";
    case PkiProfile::g1_server:
      break;
  }
  return "g1-server";
}

Result<int> parse_revocation_reason(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, int>, 6> reasons = {{{"keyCompromise", 1},
                                                                        {"cACompromise", 2},
                                                                        {"affiliationChanged", 3},
                                                                        {"superseded", 4},
                                                                        {"cessationOfOperation", 5},
                                                                        {"privilegeWithdrawn", 9}}};
  for (const auto& [name, number] : reasons) {
    if (name == text) return number;
  }
  return invalid_pki("reason is keyCompromise, cACompromise, affiliationChanged, superseded, cessationOfOperation or privilegeWithdrawn");
}

std::string_view issuing_authority(PkiProfile profile) {
  switch (profile) {
    case PkiProfile::tls:
      return "g4-tls-tsp";
    case PkiProfile::auth:
    case PkiProfile::sign:
    case PkiProfile::enc:
      return "g4-other-tsp";
    case PkiProfile::g1_server:
      break;
  }
  return "g1-tsp";
}

// --- CAs -------------------------------------------------------------------------------------------------------------------------------

TestAuthority* TestPki::State::find(std::string_view id) {
  const auto found = std::ranges::find(authorities, id, &TestAuthority::id);
  return found == authorities.end() ? nullptr : &*found;
}

Result<> TestPki::State::add_issuer_extensions(Extensions& extensions, const TestAuthority& issuer) const {
  SCHAKEL_CHECK(extensions.add_authority_key_id(issuer.certificate->subject_key_id));
  SCHAKEL_CHECK(extensions.add(NID_info_access, "caIssuers;URI:" + options.base_url + "/certs/" + issuer.id + ".cer"));
  return extensions.add(NID_crl_distribution_points, "URI:" + options.base_url + "/crl/" + issuer.id + ".crl");
}

Result<TestAuthority> TestPki::State::make_authority(const std::string& id, const std::string& name, const TestAuthority* issuer,
                                                     Instant now, PrivateKey key) const {
  const bool g1 = id.starts_with("g1"), is_tsp = id.find("-tsp") != std::string::npos;
  if (key == nullptr) {
    SCHAKEL_TRY(key, new_key(authority_bits()));
  }
  CertificatePlan plan;
  plan.subject = {{"C", "NL", V_ASN1_PRINTABLESTRING},
                  {"O", is_tsp ? "Schakel TEST TSP - not for Production use" : "Schakel TEST PKI - not for Production use"}};
  if (is_tsp) plan.subject.push_back({"2.5.4.97", "NTRNL-99999990"});
  plan.subject.push_back({"CN", name});
  plan.public_key = key.get();
  plan.not_before = whole_seconds(now);
  plan.not_after = issuer == nullptr ? years_later(whole_seconds(now), 13) : issuer->certificate->not_after - std::chrono::days(1);
  auto& extensions = plan.extensions;
  SCHAKEL_CHECK(extensions.add(NID_basic_constraints, is_tsp ? "critical,CA:TRUE,pathlen:0" : "critical,CA:TRUE"));
  SCHAKEL_CHECK(extensions.add(NID_key_usage, g1 ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature,keyCertSign,cRLSign"));
  SCHAKEL_CHECK(extensions.add_subject_key_id(key.get()));
  const auto scheme = g1 ? SigningScheme::pkcs1_sha256 : SigningScheme::pss_sha512;
  if (issuer == nullptr) {
    SCHAKEL_CHECK(extensions.add_authority_key_id(key_id(key.get())));
  } else {
    plan.issuer_der = issuer->certificate->subject_der;
    SCHAKEL_CHECK(add_issuer_extensions(extensions, *issuer));
    if (!g1) SCHAKEL_CHECK(extensions.add(NID_ext_key_usage, extended_usage_of_authority(id)));
    SCHAKEL_CHECK(extensions.add_policies(policies_of_authority(id)));
    if (is_tsp && !g1) SCHAKEL_CHECK(extensions.add_der("1.3.6.1.5.5.7.1.3", false, *from_hex(qc_statements_hex)));
  }
  SCHAKEL_TRY(auto certificate, issue_certificate(plan, issuer == nullptr ? key.get() : issuer->key.get(), scheme));
  return TestAuthority{.id = id,
                       .issuer_id = issuer == nullptr ? id : issuer->id,
                       .certificate = std::move(certificate),
                       .key = std::move(key),
                       .scheme = scheme};
}

Result<> TestPki::State::add_tree(std::string_view generation, std::span<const std::string_view, 3> names, Instant now) {
  for (std::size_t level = 0; level < levels.size(); ++level) {
    const auto id = std::string(generation) + "-" + std::string(levels[level]);
    const TestAuthority* issuer = level == 0 ? nullptr : &authorities.back();
    SCHAKEL_TRY(auto authority, make_authority(id, std::string(names[level]), issuer, now));
    authorities.push_back(std::move(authority));
  }
  return {};
}

Result<> TestPki::State::sign_crl(TestAuthority& authority, Instant now, Duration life) const {
  const CrlPlan plan{.issuer_der = authority.certificate->subject_der,
                     .authority_key_id = authority.certificate->subject_key_id,
                     .this_update = whole_seconds(now),
                     .next_update = whole_seconds(now) + life,
                     .number = authority.crl_number + 1,
                     .entries = authority.revoked};
  SCHAKEL_TRY(authority.crl, issue_crl(plan, authority.key.get(), authority.scheme));
  ++authority.crl_number;
  return {};
}

std::vector<Certificate> TestPki::State::chain_above(const TestAuthority& issuer) const {
  std::vector<Certificate> chain;
  for (const TestAuthority* at = &issuer; at != nullptr && at->issuer_id != at->id; at = find(at->issuer_id))
    chain.push_back(at->certificate);
  return chain;
}

TestPki::TestPki(std::unique_ptr<State> state) : state_(std::move(state)) {}
TestPki::TestPki(TestPki&&) noexcept = default;
TestPki& TestPki::operator=(TestPki&&) noexcept = default;
TestPki::~TestPki() = default;

Result<TestPki> TestPki::init(TestPkiOptions options, Instant now) {
  SCHAKEL_CHECK(check_base_url(options.base_url));
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  if (state->options.generation != PkiGeneration::g1) {
    SCHAKEL_CHECK(state->add_tree("g4-tls", g4_tls_names, now));
    SCHAKEL_CHECK(state->add_tree("g4-other", g4_other_names, now));
  }
  if (state->options.generation != PkiGeneration::g4) SCHAKEL_CHECK(state->add_tree("g1", g1_names, now));
  TestPki pki(std::move(state));
  SCHAKEL_CHECK(pki.renew_crls(now));
  return pki;
}

Result<> TestPki::renew_crls(Instant now, Duration life, std::string_view authority) {
  bool found = authority.empty();
  for (auto& candidate : state_->authorities) {
    // The lists of the bad set are bad on purpose.
    if (authority.empty() ? !candidate.listed : candidate.id != authority) continue;
    found = true;
    SCHAKEL_CHECK(state_->sign_crl(candidate, now, life));
  }
  return found ? Result<>{} : Result<>(fail("pki.unknown", "no CA " + for_log(authority)));
}

// --- leaves ----------------------------------------------------------------------------------------------------------------------------

Result<LeafPlan> plan_leaf(const IssueRequest& request) {
  if (!is_oin(request.oin)) return invalid_pki(for_log(request.oin) + " is no OIN");
  if (request.organisation.empty() || request.organisation.size() > 64)
    return invalid_pki("the organisation's name has 1 to 64 characters");
  if (request.kvk.size() != 8 || request.kvk.find_first_not_of("0123456789") != std::string::npos)
    return invalid_pki("the KVK number has 8 digits");
  const bool server = request.profile == PkiProfile::tls || request.profile == PkiProfile::g1_server;
  if (server == request.hosts.empty())
    return invalid_pki(server ? "a TLS certificate needs a host name" : "only TLS certificates carry host names");
  for (const auto& host : request.hosts) {
    if (!is_host_name(host)) return invalid_pki(for_log(host) + " is no host name");
  }
  auto common_name = !request.common_name.empty()               ? request.common_name
                     : request.profile == PkiProfile::g1_server ? request.hosts.front()
                                                                : request.organisation;
  LeafPlan plan{.subject = {{"C", "NL", V_ASN1_PRINTABLESTRING}, {"O", request.organisation}},
                .key_usage = "critical,digitalSignature",
                .extended_key_usage = {},
                .policies = std::string(policy_ncp) + ",",
                .hosts = request.hosts};
  if (!request.organisational_unit.empty()) plan.subject.push_back({"OU", request.organisational_unit});
  plan.subject.push_back({"CN", std::move(common_name)});
  plan.subject.push_back({"2.5.4.97", "NTRNL-" + request.kvk});
  plan.subject.push_back({"serialNumber", request.oin, V_ASN1_PRINTABLESTRING});
  switch (request.profile) {
    case PkiProfile::tls:
      plan.key_usage += ",keyEncipherment";
      plan.extended_key_usage = "serverAuth,clientAuth";
      plan.policies += policy_tls;
      break;
    case PkiProfile::auth:
      plan.extended_key_usage = "clientAuth";
      plan.policies += policy_auth;
      break;
    case PkiProfile::sign:
      plan.extended_key_usage = "1.3.6.1.5.5.7.3.36,1.3.6.1.4.1.311.10.3.12";
      plan.policies += policy_sign;
      break;
    case PkiProfile::enc:
      plan.key_usage = "critical,keyEncipherment,dataEncipherment";
      plan.extended_key_usage = "1.3.6.1.4.1.311.10.3.4";
      plan.policies += policy_enc;
      break;
    case PkiProfile::g1_server:
      plan.key_usage += ",keyEncipherment";
      plan.extended_key_usage = "serverAuth,clientAuth";
      plan.policies = "2.16.528.1.1003.1.2.8.6";
      plan.qc_statements = false;
      break;
  }
  return plan;
}

Result<Certificate> issue_leaf(const TestPki::State& state, const TestAuthority& issuer, const LeafPlan& leaf, EVP_PKEY* key, Instant from,
                               Instant until, const std::function<Result<>(Extensions&)>& more) {
  CertificatePlan plan;
  plan.subject = leaf.subject;
  plan.issuer_der = issuer.certificate->subject_der;
  plan.public_key = key;
  plan.not_before = whole_seconds(from);
  plan.not_after = std::min(whole_seconds(until), issuer.certificate->not_after - std::chrono::days(1));
  auto& extensions = plan.extensions;
  SCHAKEL_CHECK(extensions.add(NID_basic_constraints, "critical,CA:FALSE"));
  SCHAKEL_CHECK(extensions.add(NID_key_usage, leaf.key_usage));
  if (!leaf.extended_key_usage.empty()) SCHAKEL_CHECK(extensions.add(NID_ext_key_usage, leaf.extended_key_usage));
  if (!leaf.policies.empty()) SCHAKEL_CHECK(extensions.add_policies(leaf.policies));
  if (leaf.qc_statements) SCHAKEL_CHECK(extensions.add_der("1.3.6.1.5.5.7.1.3", false, *from_hex(qc_statements_hex)));
  SCHAKEL_CHECK(extensions.add_subject_key_id(key));
  SCHAKEL_CHECK(state.add_issuer_extensions(extensions, issuer));
  if (!leaf.hosts.empty()) SCHAKEL_CHECK(extensions.add_host_names(leaf.hosts));
  if (more) SCHAKEL_CHECK(more(extensions));
  return issue_certificate(plan, issuer.key.get(), issuer.scheme);
}

Result<Issued> TestPki::issue(const IssueRequest& request, Instant now) {
  const auto* issuer = state_->find(issuing_authority(request.profile));
  if (issuer == nullptr) return invalid_pki("this PKI has no CA for profile " + std::string(to_string(request.profile)));
  SCHAKEL_TRY(const auto plan, plan_leaf(request));
  PrivateKey key;
  if (request.certificate_request.empty()) {
    SCHAKEL_TRY(key, state_->new_key(3072));
  } else {
    SCHAKEL_TRY(key, public_key_of_request(request.certificate_request));
  }
  const int days = request.days > 0 ? request.days : request.profile == PkiProfile::g1_server ? 1095 : 397;
  SCHAKEL_TRY(auto certificate, issue_leaf(*state_, *issuer, plan, key.get(), now, now + std::chrono::days(days)));

  std::string name = std::string(to_string(request.profile)) + "-" + request.oin;
  const auto taken = [&](const std::string& candidate) {
    return std::ranges::find(state_->index, candidate, &Record::name) != state_->index.end();
  };
  for (int next = 2; taken(name); ++next) name = std::string(to_string(request.profile)) + "-" + request.oin + "-" + std::to_string(next);
  state_->index.push_back({.name = name,
                           .serial = certificate->serial,
                           .subject = certificate->subject,
                           .profile = std::string(to_string(request.profile)),
                           .oin = request.oin,
                           .issuer = issuer->id,
                           .status = "valid",
                           .not_after = certificate->not_after});
  Issued issued{.name = std::move(name), .certificate = certificate, .chain = state_->chain_above(*issuer), .key_pair = nullptr};
  if (request.certificate_request.empty()) {
    SCHAKEL_TRY(issued.key_pair, KeyPair::make(std::move(key), certificate, issued.chain));
  }
  return issued;
}

Result<> TestPki::revoke(std::string_view serial, int reason, Instant now) {
  std::string issuer_id;
  const auto record = std::ranges::find(state_->index, serial, &Record::serial);
  if (record != state_->index.end()) {
    issuer_id = record->issuer;
  } else {
    for (const auto& authority : state_->authorities) {
      if (authority.certificate->serial == serial && authority.issuer_id != authority.id) issuer_id = authority.issuer_id;
    }
  }
  if (issuer_id.empty()) return fail("pki.unknown", "no certificate with serial number " + for_log(serial));
  auto& issuer = *state_->find(issuer_id);
  if (std::ranges::find(issuer.revoked, serial, &RevokedEntry::serial) == issuer.revoked.end())
    issuer.revoked.push_back({.serial = std::string(serial), .at = whole_seconds(now), .reason = reason});
  if (record != state_->index.end()) record->status = "revoked";
  return state_->sign_crl(issuer, now, crl_life);
}

// --- what there is -----------------------------------------------------------------------------------------------------------------------

std::map<std::string, Bytes> TestPki::crls() const {
  std::map<std::string, Bytes> lists;
  for (const auto& authority : state_->authorities) {
    if (!authority.crl.empty()) lists.emplace(authority.id, authority.crl);
  }
  return lists;
}

const Certificate& TestPki::authority(std::string_view id) const {
  const auto* found = state_->find(id);
  if (found == nullptr) throw std::logic_error("no CA " + std::string(id));
  return found->certificate;
}

std::vector<std::string> TestPki::authorities() const {
  std::vector<std::string> ids;
  for (const auto& authority : state_->authorities) ids.push_back(authority.id);
  return ids;
}

std::string TestPki::anchors_pem() const {
  std::string pem;
  for (const auto& authority : state_->authorities) {
    if (authority.listed && authority.issuer_id == authority.id) pem += authority.certificate.pem();
  }
  return pem;
}

std::string TestPki::intermediates_pem() const {
  std::string pem;
  for (const auto& authority : state_->authorities) {
    if (authority.listed && authority.issuer_id != authority.id) pem += authority.certificate.pem();
  }
  return pem;
}

const std::string& TestPki::base_url() const {
  return state_->options.base_url;
}
const std::vector<TestPki::Record>& TestPki::index() const {
  return state_->index;
}

std::optional<TestPki::Served> TestPki::serve(std::string_view path) const {
  const auto named = [&](std::string_view folder, std::string_view ending) -> const TestAuthority* {
    if (!path.starts_with(folder) || !path.ends_with(ending) || path.size() < folder.size() + ending.size()) return nullptr;
    return state_->find(path.substr(folder.size(), path.size() - folder.size() - ending.size()));
  };
  if (const auto* authority = named("/crl/", ".crl"); authority != nullptr && !authority->crl.empty())
    return Served{"application/pkix-crl", authority->crl};
  if (const auto* authority = named("/certs/", ".cer")) return Served{"application/pkix-cert", authority->certificate->der};
  return std::nullopt;
}

Result<std::shared_ptr<TrustStore>> TestPki::trust_store(Instant now, TrustStore::Options options) const {
  SCHAKEL_TRY(auto trust, TrustStore::make(std::move(options), anchors_pem(), intermediates_pem()));
  for (const auto& authority : state_->authorities) {
    if (authority.listed) SCHAKEL_CHECK(trust->install_crl(authority.crl, now));
  }
  return trust;
}

// --- files -------------------------------------------------------------------------------------------------------------------------------

Result<> TestPki::save(const std::string& directory) const {
  const std::filesystem::path folder(directory);
  SCHAKEL_CHECK(make_folder(folder / "ca", true));
  SCHAKEL_CHECK(make_folder(folder / "ee", true));
  SCHAKEL_CHECK(make_folder(folder / "crl", false));
  for (const auto& authority : state_->authorities) {
    const auto base = (folder / "ca" / authority.id).string();
    SCHAKEL_TRY(const auto key, private_key_pem(authority.key.get()));
    SCHAKEL_CHECK(write_private_file(base + ".key", key));
    SCHAKEL_CHECK(write_public_file(base + ".cer", authority.certificate->der));
    SCHAKEL_CHECK(write_public_file(base + ".pem", authority.certificate.pem()));
    if (!authority.crl.empty()) SCHAKEL_CHECK(write_public_file(folder / "crl" / (authority.id + ".crl"), authority.crl));
  }
  SCHAKEL_CHECK(write_public_file(folder / "anchors.pem", anchors_pem()));
  SCHAKEL_CHECK(write_public_file(folder / "intermediates.pem", intermediates_pem()));
  return write_public_file(folder / "index.json", index_json(*state_).dump(2) + "\n");
}

Result<> TestPki::save(const Issued& issued, const std::string& directory, std::string_view p12_passphrase) {
  const auto folder = std::filesystem::path(directory) / "ee";
  SCHAKEL_CHECK(make_folder(folder, true));
  const auto base = (folder / issued.name).string();
  std::vector<Certificate> all{issued.certificate};
  all.insert(all.end(), issued.chain.begin(), issued.chain.end());
  SCHAKEL_CHECK(write_public_file(base + ".pem", issued.certificate.pem()));
  SCHAKEL_CHECK(write_public_file(base + ".chain.pem", to_pem(all)));
  if (issued.key_pair == nullptr) return {};
  SCHAKEL_TRY(auto key, private_key_pem(issued.key_pair->key()));
  auto written_key = write_private_file(base + ".key", key);
  OPENSSL_cleanse(key.data(), key.size());
  if (!written_key || p12_passphrase.empty()) return written_key;
  SCHAKEL_TRY(const auto p12, pkcs12(issued, p12_passphrase));
  return write_private_file(base + ".p12", p12);
}

Result<> TestPki::save(const std::vector<NegativeCase>& cases, const std::string& directory) {
  const auto folder = std::filesystem::path(directory) / "negative";
  SCHAKEL_CHECK(make_folder(folder, true));
  json list = json::array();
  for (const auto& item : cases) {
    const auto base = (folder / item.id).string();
    SCHAKEL_TRY(const auto key, private_key_pem(item.key.get()));
    SCHAKEL_CHECK(write_private_file(base + ".key", key));
    SCHAKEL_CHECK(write_public_file(base + ".pem", item.chain.front().pem()));
    SCHAKEL_CHECK(write_public_file(base + ".chain.pem", to_pem(item.chain)));
    for (const auto& [name, crl] : item.crls) SCHAKEL_CHECK(write_public_file(folder / name, crl));
    list.push_back({{"id", item.id},
                    {"description", item.description},
                    {"expected", item.expected},
                    {"usage", to_string(item.usage)},
                    {"host", item.host},
                    {"serial", item.chain.front()->serial}});
  }
  return write_public_file(folder / "index.json", list.dump(2) + "\n");
}

Result<TestPki> TestPki::open(const std::string& directory, std::function<Result<PrivateKey>(int bits)> make_key) {
  const std::filesystem::path folder(directory);
  SCHAKEL_TRY(const auto text, read_file(folder / "index.json"));
  const auto document = json::parse(text, nullptr, false);
  if (document.is_discarded()) return invalid_pki("index.json is no JSON");
  try {
    SCHAKEL_TRY(auto state, read_state(document, folder));
    state->options.make_key = std::move(make_key);
    return TestPki(std::move(state));
  } catch (const json::exception& error) {
    return invalid_pki(std::string("index.json: ") + error.what());
  }
}

}  // namespace schakel::security
