#include "wus/service_json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/pki.hpp"

namespace schakel::wus {
namespace {

using namespace std::chrono_literals;
using schakel::test::pki;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Json = nlohmann::json;

const Instant now = parse_datetime("2026-03-02T12:00:00Z").value().instant;

Json provider() {
  return {{"role", "provider"},
          {"ownOin", "00000001800000002000"},
          {"profile", "2W-be-S"},
          {"path", "/wus/inschrijving/v1"},
          {"backend", {{"url", "http://127.0.0.1:9000/inschrijving"}}}};
}
Json consumer() {
  return {{"role", "consumer"},
          {"ownOin", "00000001800000001000"},
          {"profile", "2W-be"},
          {"partner", {{"endpoint", "https://wus.aanbieder.example/diensten/inschrijving/v1"}, {"oin", "00000001800000002000"}}}};
}
Json with(Json json, const char* pointer, Json value) {
  json[Json::json_pointer(pointer)] = std::move(value);
  return json;
}

ServiceTerms terms_of(const Json& json) {
  std::vector<Error> faults;
  auto terms = read_terms(json, "", Offered{now}, faults);
  EXPECT_TRUE(terms) << (faults.empty() ? "" : faults.front().location + " " + faults.front().detail);
  return terms.value_or(ServiceTerms());
}
// Where it is wrong.
std::vector<std::string> faults_of(const Json& json, Offered offered = {now}) {
  std::vector<Error> faults;
  const auto terms = read_terms(json, "", offered, faults);
  EXPECT_EQ(terms.has_value(), faults.empty());
  std::vector<std::string> out;
  for (const auto& fault : faults) {
    EXPECT_EQ(fault.code, "contract.settings");
    out.push_back(fault.location);
  }
  return out;
}

// wus.md 4.6
TEST(ServiceJson, HasTheDefaultsOfTheTable) {
  EXPECT_EQ(terms_json(terms_of(provider())), Json::parse(R"({
    "role": "provider", "ownOin": "00000001800000002000", "profile": "2W-be-S", "operations": [], "dispatch": "action",
    "validate": "both", "mtom": "off", "mtomThreshold": 1024, "soapAction": "empty", "toOin": true, "toCheck": "on", "requireFrom": false,
    "replyToPassthrough": false, "evidencePlain": false, "extraHeaders": [], "duplicates": "pass", "duplicateWindow": "24h", "timestampTtl": 300,
    "skewFuture": 300, "skewPast": 60, "signatureAlgorithm": "rsa-sha256", "digestAlgorithm": "sha256",
    "encryptionAlgorithm": "aes256-gcm", "oaepDigest": "sha256", "keyRef": "issuerserial", "inclusivePrefixes": false,
    "messageIdFormat": "urn-uuid", "signatureConfirmation": "require", "acceptIndirectToken": false,
    "allowMissingKeyEncipherment": false, "securityInBe": "reject", "passUnsecuredDetail": false, "legacyCbc": "off",
    "legacy3des": "off", "backendTimeout": "30s", "timeout": "60s", "retry": "none", "maxSize": 33554432,
    "path": "/wus/inschrijving/v1", "backend": {"url": "http://127.0.0.1:9000/inschrijving", "mode": "xml", "mtom": false},
    "grants": []})"));
}

// WUS-322: what is written is read again as the same, whatever is set.
TEST(ServiceJson, GoesThereAndBack) {
  auto json = provider();
  const auto others = Json::parse(R"({"profile": "2W-be-SE", "addresses": ["https://a.example/x"], "dispatch": "body",
    "operations": [{"name": "vraag", "idempotent": true}], "validate": "request", "mtom": "required", "mtomThreshold": 0,
    "soapAction": "action", "toOin": false, "toCheck": "off", "requireFrom": true, "replyToPassthrough": true, "evidencePlain": true,
    "extraHeaders": ["{urn:x}Kenmerk"], "duplicates": "replay", "duplicateWindow": "1500s", "timestampTtl": 30, "skewFuture": 0,
    "skewPast": 600, "signatureAlgorithm": "rsa-sha512", "digestAlgorithm": "sha384", "encryptionAlgorithm": "aes128-cbc",
    "oaepDigest": "sha1", "keyRef": "thumbprint", "inclusivePrefixes": true, "messageIdFormat": "custom-uuid-at-uri",
    "signatureConfirmation": "accept-missing", "acceptIndirectToken": true, "allowMissingKeyEncipherment": true,
    "securityInBe": "ignore", "passUnsecuredDetail": true, "legacyCbc": "both", "legacyCbcUntil": "2026-12-31T00:00:00.000Z",
    "legacy3des": "decrypt", "legacy3desUntil": "2026-06-30T00:00:00.000Z", "backendTimeout": "1s", "timeout": "600s",
    "retry": "idempotent", "maxSize": 1024, "backend": {"url": "http://b/", "mode": "dai", "mtom": true,
    "daiAddress": "urn:dkintern:0999:ZAAK:"}, "grants": [{"oin": "00000001800000001000", "operations": ["vraag"],
    "daiAddress": "urn:dkintern:wrdkmr"}], "validFrom": "2026-05-01T00:00:00.000Z",
    "fromAddresses": [{"address": "http://intern.example/a", "shownAs": "https://buiten.example/a"}],
    "partners": {"00000001800000001000": {"oaepDigest": "sha256", "acceptIndirectToken": false},
                 "00000001800000003000": {"legacy3des": "off"}}})");
  for (const auto& [name, value] : others.items()) json[name] = value;
  const auto terms = terms_of(json);
  EXPECT_EQ(terms_json(terms), json);
  EXPECT_EQ(terms.settings.oaep_digest, std::nullopt);
  EXPECT_EQ(terms.settings.duplicate_window, 1500s);
  EXPECT_THAT(terms.settings.extra_headers, ElementsAre(ExpandedName{"urn:x", "Kenmerk"}));
  EXPECT_EQ(terms_json(terms_of(terms_json(terms_of(consumer())))), terms_json(terms_of(consumer())));
}

// adapter.md 2.5: logical addresses are IRIs.
TEST(ServiceJson, KnowsLogicalAddresses) {
  const auto named = terms_of(with(consumer(), "/partner/daiAddress", "urn:dkintern:wrdkmr"));
  EXPECT_EQ(named.partner_dai_address, "urn:dkintern:wrdkmr");
  EXPECT_EQ(terms_json(named)["partner"]["daiAddress"], "urn:dkintern:wrdkmr");
  EXPECT_THAT(faults_of(with(consumer(), "/partner/daiAddress", "wrdkmr")), ElementsAre("/partner/daiAddress"));
  EXPECT_THAT(faults_of(with(provider(), "/backend/daiAddress", "wrdkmr")), ElementsAre("/backend"));
  EXPECT_THAT(faults_of(with(provider(), "/grants", Json::array({{{"oin", "00000001800000001000"}, {"daiAddress", "a b"}}}))),
              ElementsAre("/grants/0/daiAddress"));
}

// WUS-102: the ranges of the table, at their borders.
TEST(ServiceJson, KeepsRanges) {
  const auto ok = [](const char* name, Json value) { EXPECT_THAT(faults_of(with(provider(), name, value)), IsEmpty()) << name << value; };
  const auto wrong = [](const char* name, Json value) {
    EXPECT_THAT(faults_of(with(provider(), name, value)), ElementsAre(name)) << name << value;
  };
  for (const auto& [name, low, high] : {std::tuple("/timestampTtl", 30, 3600), std::tuple("/skewFuture", 0, 600),
                                        std::tuple("/skewPast", 0, 600), std::tuple("/maxSize", 1024, 67108864)}) {
    ok(name, low);
    ok(name, high);
    wrong(name, low - 1);
    wrong(name, high + 1);
    wrong(name, std::to_string(low));
    wrong(name, low + 0.5);
    wrong(name, nullptr);
  }
  wrong("/timestampTtl", 1e300);
  ok("/timeout", "600s");
  for (const auto& bad : {Json("601s"), Json("999ms"), Json("x"), Json(60), Json("PT60S")}) wrong("/timeout", bad);
  for (const auto* name : {"/profile", "/dispatch", "/validate", "/mtom", "/soapAction", "/toCheck", "/duplicates", "/signatureAlgorithm",
                           "/digestAlgorithm", "/encryptionAlgorithm", "/oaepDigest", "/keyRef", "/messageIdFormat",
                           "/signatureConfirmation", "/securityInBe", "/legacyCbc", "/legacy3des", "/retry"}) {
    wrong(name, "anders");
    wrong(name, true);
  }
  wrong("/signatureAlgorithm", "rsa-sha1");
  wrong("/toOin", "true");
  wrong("/toOin", 1);
}

// WUS-172, WUS-322: an exception ends, within a year; one that has ended stays readable.
TEST(ServiceJson, DemandsAnEndOfExceptions) {
  const auto exception = [](const char* name, const char* value, const char* until) {
    auto json = with(provider(), (std::string("/") + name).c_str(), value);
    if (until) json[std::string(name) + "Until"] = until;
    return faults_of(json);
  };
  for (const auto* name : {"legacyCbc", "legacy3des"}) {
    const auto member = "/" + std::string(name) + "Until";
    EXPECT_THAT(exception(name, "decrypt", nullptr), ElementsAre(member));
    EXPECT_THAT(exception(name, "decrypt", "2027-03-03T12:00:00Z"), IsEmpty());
    EXPECT_THAT(exception(name, "decrypt", "2027-03-03T12:00:01Z"), ElementsAre(member));
    EXPECT_THAT(exception(name, "decrypt", "2026-12-31"), ElementsAre(member));
    EXPECT_THAT(exception(name, "decrypt", "2026-01-01T00:00:00Z"), IsEmpty()) << "it has ended";
    EXPECT_THAT(exception(name, "off", nullptr), IsEmpty());
  }
  std::vector<Error> faults;
  auto stored = with(with(provider(), "/legacyCbc", "decrypt"), "/legacyCbcUntil", "2031-01-01T00:00:00Z");
  EXPECT_TRUE(read_terms(stored, "", std::nullopt, faults)) << "a stored contract is read without a time";
  EXPECT_THAT(faults_of(with(provider(), "/encryptionAlgorithm", "aes256-cbc")), ElementsAre("/encryptionAlgorithm"));
}

// WUS-108, WUS-149, WUS-172, WUS-173, WUS-322: what one of several partners needs, beside what counts for all.
TEST(ServiceJson, HoldsSettingsOfOnePartner) {
  auto json = with(provider(), "/profile", "2W-be-SE");
  json["keyRef"] = "ski";
  json["partners"] = Json::parse(R"({"00000001800000001000": {"acceptIndirectToken": true, "allowMissingKeyEncipherment": true,
      "securityInBe": "ignore", "oaepDigest": "sha1", "legacyCbc": "both", "legacyCbcUntil": "2026-12-31T00:00:00Z",
      "legacy3des": "decrypt", "legacy3desUntil": "2026-06-30T00:00:00Z", "encryptionAlgorithm": "aes128-cbc", "digestAlgorithm": "sha512",
      "signatureAlgorithm": "rsa-sha512", "inclusivePrefixes": true}, "00000001800000003000": {"keyRef": "bst"}})");
  const auto terms = terms_of(json);
  ASSERT_EQ(terms.partners.size(), 2U);
  EXPECT_EQ(terms.settings.oaep_digest, xmlsecurity::DigestMethod::sha256);
  EXPECT_FALSE(terms.settings.accept_indirect_token);
  const auto& one = terms.partners.at("00000001800000001000").settings;
  EXPECT_TRUE(one.accept_indirect_token && one.allow_missing_key_encipherment && one.ignore_security_in_be && one.inclusive_prefixes);
  EXPECT_EQ(one.profile, Profile::be_se) << "what it does not name is the service's";
  EXPECT_EQ(one.key_ref, KeyReference::ski);
  EXPECT_EQ(one.oaep_digest, std::nullopt);
  EXPECT_EQ(one.legacy_cbc, LegacyCbc::both);
  EXPECT_EQ(one.encryption_algorithm, xmlsecurity::ContentCipher::aes128_cbc);
  EXPECT_EQ(terms.partners.at("00000001800000003000").settings.key_ref, KeyReference::bst);
  EXPECT_EQ(terms_json(terms)["partners"], json["partners"]) << "and what it does not name stays the service's, whatever that becomes";

  std::vector<std::string> exceptions;
  for (const auto& exception : exceptions_of(terms))
    exceptions.push_back(exception.setting + " " + exception.partner_oin + " " + to_rfc3339(exception.until.value()));
  EXPECT_THAT(exceptions, ElementsAre("legacyCbc 00000001800000001000 2026-12-31T00:00:00.000Z",
                                      "legacy3des 00000001800000001000 2026-06-30T00:00:00.000Z"));
  EXPECT_THAT(exceptions_of(terms_of(provider())), IsEmpty());
  auto calling = with(with(consumer(), "/legacyCbc", "decrypt"), "/legacyCbcUntil", "2026-12-31T00:00:00Z");
  EXPECT_EQ(exceptions_of(terms_of(calling)).at(0).partner_oin, "00000001800000002000");
}

TEST(ServiceJson, RefusesOtherSettingsOfOnePartner) {
  const auto wrong = [](const char* partner, const Json& settings) {
    auto json = provider();
    json["partners"][partner] = settings;
    return faults_of(json);
  };
  constexpr const char* oin = "00000001800000001000";
  EXPECT_THAT(wrong(oin, Json::object()), IsEmpty());
  EXPECT_THAT(wrong("123", Json::object()), ElementsAre("/partners/123"));
  EXPECT_THAT(wrong("a/b", Json::object()), ElementsAre("/partners/a~1b"));
  EXPECT_THAT(wrong(oin, 5), ElementsAre("/partners/00000001800000001000"));
  for (const auto* name : {"profile", "validate", "maxSize", "timestampTtl", "duplicates", "signatureConfirmation", "onbekend"})
    EXPECT_THAT(wrong(oin, {{name, 1}}), ElementsAre("/partners/00000001800000001000/" + std::string(name)));
  EXPECT_THAT(wrong(oin, {{"oaepDigest", "md5"}}), ElementsAre("/partners/00000001800000001000/oaepDigest"));
  EXPECT_THAT(wrong(oin, {{"legacyCbc", "decrypt"}}), ElementsAre("/partners/00000001800000001000/legacyCbcUntil"));
  EXPECT_THAT(wrong(oin, {{"legacy3des", "decrypt"}, {"legacy3desUntil", "2027-03-03T12:00:01Z"}}),
              ElementsAre("/partners/00000001800000001000/legacy3desUntil"));
  EXPECT_THAT(wrong(oin, {{"encryptionAlgorithm", "aes256-cbc"}}), ElementsAre("/partners/00000001800000001000/encryptionAlgorithm"));
  EXPECT_THAT(faults_of(with(provider(), "/partners", Json::array())), ElementsAre("/partners"));
  EXPECT_THAT(faults_of(with(consumer(), "/partners", Json::object())), ElementsAre("/partners")) << "it has one partner";
}

// WUS-284
TEST(ServiceJson, HoldsHowFromAddressesAreShown) {
  const auto wrong = [](const Json& addresses) { return faults_of(with(provider(), "/fromAddresses", addresses)); };
  EXPECT_THAT(wrong(Json::array()), IsEmpty());
  EXPECT_THAT(wrong({{{"address", "x"}, {"shownAs", "https://a.example/"}}}), ElementsAre("/fromAddresses/0/address"));
  EXPECT_THAT(wrong({{{"address", "https://a.example/"}}}), ElementsAre("/fromAddresses/0/shownAs"));
  EXPECT_THAT(wrong({{{"address", "https://a.example/"}, {"shownAs", "https://b.example/"}, {"x", 1}}}), ElementsAre("/fromAddresses/0/x"));
}

// README section 8: all faults at once, each with its pointer.
TEST(ServiceJson, TellsEveryFault) {
  auto json = provider();
  json.erase("ownOin");
  json["profile"] = "2W-R";
  json["timestampTtl"] = 5;
  json["onbekend/e"] = 1;
  json["backend"] = {{"url", "http://b/"}, {"poort", 1}};
  json["grants"] = Json::array({Json{{"oin", "123"}}, Json{{"operations", "x"}}, 5});
  json["operations"] = Json::array({Json{{"idempotent", "ja"}}});
  EXPECT_THAT(faults_of(json), ::testing::UnorderedElementsAre("/ownOin", "/profile", "/timestampTtl", "/onbekend~1e", "/backend/poort",
                                                               "/grants/0/oin", "/grants/1/oin", "/grants/1/operations", "/grants/2",
                                                               "/grants/2/oin", "/operations/0/name", "/operations/0/idempotent"));
  EXPECT_THAT(faults_of(Json::array()), Contains(""));
  std::vector<Error> faults;
  EXPECT_FALSE(read_terms(R"({"role": "provider", "role": "consumer"})", Offered{now}, faults));
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].location, "/role");
  EXPECT_FALSE(read_terms("", Offered{now}, faults));
}

// README section 5; WUS-241
TEST(ServiceJson, KnowsPathsBelowWus) {
  for (const auto* path : {"/wus/a", "/wus/a/b-1_2.3~"}) EXPECT_THAT(faults_of(with(provider(), "/path", path)), IsEmpty()) << path;
  for (const auto* path : {"", "/", "/wus", "/wus/", "/ebms", "wus/a", "/wus/a/", "/wus//a", "/wus/../ebms", "/wus/.", "/wus/a?b",
                           "/wus/a b", "/wus/%41", "/wusa/b"})
    EXPECT_THAT(faults_of(with(provider(), "/path", path)), ElementsAre("/path")) << path;
}

TEST(ServiceJson, KnowsTheMembersOfEachRole) {
  EXPECT_THAT(faults_of(with(provider(), "/partner", Json::object())), ElementsAre("/partner"));
  EXPECT_THAT(faults_of(with(consumer(), "/path", "/wus/a")), ElementsAre("/path"));
  EXPECT_THAT(faults_of(with(consumer(), "/grants", Json::array())), ElementsAre("/grants"));
  EXPECT_THAT(faults_of(with(consumer(), "/partner/oin", "0000000180000000200")), ElementsAre("/partner/oin"));
  EXPECT_THAT(faults_of(with(consumer(), "/partner/serverOins", Json::array({"x"}))), ElementsAre("/partner/serverOins"));
  EXPECT_THAT(faults_of(with(consumer(), "/partner/endpoint", "geen url")), ElementsAre("/partner/endpoint"));
  const auto plain = with(consumer(), "/partner/endpoint", "http://127.0.0.1:1/x");
  EXPECT_THAT(faults_of(plain), IsEmpty());
  EXPECT_THAT(faults_of(plain, {now, true}), ElementsAre("/partner/endpoint")) << "https in production";
  EXPECT_THAT(faults_of(with(consumer(), "/ownOin", "00000099000000010000"), {now, true}), ElementsAre("/ownOin"));
  EXPECT_THAT(faults_of(with(provider(), "/backend/url", "ftp://x")), ElementsAre("/backend"));
}

// WUS-148, WUS-149
TEST(ServiceJson, DemandsACertificateToEncryptFor) {
  EXPECT_THAT(faults_of(with(consumer(), "/profile", "2W-be-SE")), ElementsAre("/partner/certificate"));
  EXPECT_THAT(faults_of(with(consumer(), "/partner/certificate", "geen pem")), ElementsAre("/partner/certificate"));
  const auto encrypted = [&](security::PkiProfile profile, std::vector<std::string> hosts = {}) {
    const auto issued =
        pki().issue({.profile = profile, .oin = "00000099000000002000", .organisation = "Aanbieder", .kvk = "90000001", .hosts = hosts});
    return with(with(consumer(), "/profile", "2W-be-SE"), "/partner/certificate", issued.certificate.pem());
  };
  const auto good = encrypted(security::PkiProfile::tls, {"localhost"});
  EXPECT_THAT(faults_of(good), IsEmpty());
  EXPECT_EQ(terms_json(terms_of(good))["partner"]["certificate"], good["partner"]["certificate"]);
  auto signing = encrypted(security::PkiProfile::sign);
  EXPECT_THAT(faults_of(signing), ElementsAre("/partner/certificate")) << "no keyEncipherment";
  signing["allowMissingKeyEncipherment"] = true;
  EXPECT_THAT(faults_of(signing), IsEmpty());
}

}  // namespace
}  // namespace schakel::wus
