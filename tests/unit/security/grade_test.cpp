#include "security/grade.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/json_library.hpp"
#include "own_authority.hpp"
#include "security/keys.hpp"

namespace schakel {
namespace {

using security::Finding;
using security::Grade;
using security::TrustProfile;
using security::Usage;
using test::pki;

const Instant now = test::start();
constexpr auto stad = "00000099000000001000";

std::vector<security::Certificate> chain_of(const security::Issued& issued) {
  std::vector<security::Certificate> chain{issued.certificate};
  chain.insert(chain.end(), issued.chain.begin(), issued.chain.end());
  return chain;
}
const security::Issued& own() {
  static const auto issued = pki().tls(stad, "Gemeente Voorbeeldstad", {"localhost", "dk.voorbeeldstad.test"});
  return issued;
}
const Finding* find(const std::vector<Finding>& findings, std::string_view rule) {
  const auto found = std::ranges::find(findings, rule, &Finding::rule);
  return found == findings.end() ? nullptr : &*found;
}
Grade grade_of(const std::vector<Finding>& findings, std::string_view rule) {
  const auto* finding = find(findings, rule);
  return finding == nullptr ? Grade::error : finding->grade;
}

// SEC-132
TEST(Grade, AGoodChainIsAtLeastSufficientOnEveryRule) {
  const auto findings = security::grade_chain(chain_of(own()), Usage::tls_server, *pki().trust(), now);
  for (const auto* rule : {"SEC-007", "SEC-008", "SEC-010", "SEC-011", "SEC-012", "SEC-013", "SEC-014", "SEC-015"})
    EXPECT_LE(grade_of(findings, rule), Grade::sufficient) << rule;
  EXPECT_EQ(security::overall(findings), Grade::sufficient);
  EXPECT_EQ(security::report_word(findings), "ok");
}

// SEC-132: every bad certificate shows its reason under the rule that it breaks.
TEST(Grade, ABadCertificateShowsItsReason) {
  test::Pki made("http://127.0.0.1:8089", security::PkiGeneration::g4);
  const auto cases = made.authority().negative(now).value();
  const auto trust = made.trust();
  for (const auto& [id, rule] : std::initializer_list<std::pair<std::string_view, std::string_view>>{{"N01", "SEC-008"},
                                                                                                     {"N03", "SEC-020"},
                                                                                                     {"N05", "SEC-002"},
                                                                                                     {"N07", "SEC-007"},
                                                                                                     {"N10", "SEC-007"},
                                                                                                     {"N14", "SEC-012"},
                                                                                                     {"N15", "SEC-014"},
                                                                                                     {"N16", "SEC-013"},
                                                                                                     {"N22", "SEC-011"},
                                                                                                     {"N24", "SEC-010"},
                                                                                                     {"N29", "SEC-021"},
                                                                                                     {"N32", "SEC-012"}}) {
    const auto item = std::ranges::find(cases, id, &security::NegativeCase::id);
    const auto findings = security::grade_chain(item->chain, item->usage, *trust, now);
    const auto* finding = find(findings, rule);
    ASSERT_NE(finding, nullptr) << id;
    EXPECT_EQ(finding->reason, item->expected) << id;
    EXPECT_GE(finding->grade, Grade::insufficient) << id;
    EXPECT_EQ(security::report_word(findings), "error") << id;
  }
  EXPECT_EQ(security::grade_chain({}, Usage::tls_client, *trust, now).front().reason, "SEC.TLS.GEEN_CERT");
}

// SEC-011: RSA-2048 is to be phased out, a warning for an own certificate.
TEST(Grade, AKeyOf2048BitsIsToBePhasedOut) {
  const test::OwnAuthority root({.name = "Root TEST"});
  const auto findings = security::grade_certificate(root.leaf({}, test::rsa(2048).get()), Usage::tls_client, TrustProfile::test);
  EXPECT_EQ(grade_of(findings, "SEC-011"), Grade::phase_out);
  EXPECT_EQ(security::report_word(findings), "warning");
  EXPECT_EQ(grade_of(security::grade_certificate(root.leaf(), Usage::tls_client, TrustProfile::test), "SEC-011"), Grade::sufficient);
}

// SEC-067
TEST(Grade, ATestNumberIsAnErrorInProduction) {
  EXPECT_EQ(find(security::grade_certificate(own().certificate, Usage::tls_client, TrustProfile::production), "SEC-067")->reason,
            "SEC.OIN.TEST");
}

// SEC-030, SEC-031, SEC-032, SEC-033, SEC-035, SEC-015
TEST(Grade, AHandshakeIsJudgedPerRule) {
  security::HandshakeResult good{.peer = {},
                                 .version = "TLSv1.3",
                                 .cipher = "TLS_AES_256_GCM_SHA384",
                                 .group = "X25519",
                                 .sni = {},
                                 .signature = "rsassaPss SHA256",
                                 .peer_chain = chain_of(own())};
  auto findings = security::grade_handshake(good, "dk.voorbeeldstad.test");
  EXPECT_EQ(security::overall(findings), Grade::sufficient);
  EXPECT_EQ(grade_of(findings, "SEC-030"), Grade::good);
  EXPECT_EQ(grade_of(findings, "SEC-031"), Grade::good);
  EXPECT_EQ(grade_of(findings, "SEC-032"), Grade::sufficient);

  security::HandshakeResult bad{.peer = {},
                                .version = "TLSv1.1",
                                .cipher = "TLS_RSA_WITH_AES_128_CBC_SHA",
                                .group = "",
                                .sni = {},
                                .signature = "rsaEncryption SHA1",
                                .extended_master_secret = false,
                                .peer_chain = chain_of(own())};
  findings = security::grade_handshake(bad, "elders.test");
  for (const auto* rule : {"SEC-030", "SEC-031", "SEC-032", "SEC-033", "SEC-035"})
    EXPECT_EQ(grade_of(findings, rule), Grade::insufficient) << rule;
  EXPECT_EQ(find(findings, "SEC-015")->reason, "SEC.TLS.HOSTNAAM");
  good.cipher = "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384";
  good.group = "ffdhe3072";
  findings = security::grade_handshake(good, "");
  EXPECT_EQ(grade_of(findings, "SEC-031"), Grade::phase_out);
  EXPECT_EQ(grade_of(findings, "SEC-032"), Grade::phase_out);
}

// SEC-031, SEC-032: the tables in the program are those of the guideline.
TEST(Grade, AgreesWithTheGuideline) {
  std::ifstream in(SCHAKEL_SOURCE_DIR "/../shared/standards/security/ncsc-tls-2025-05.json");
  if (!in) GTEST_SKIP() << "the official data are not here";
  const auto data = nlohmann::json::parse(in);
  std::size_t allowed = 0;
  for (const auto& suite : data.at("cipher_suites")) {
    const auto grade = suite.at("ncsc").get<std::string>();
    EXPECT_EQ(security::to_string(security::grade_of_suite(suite.at("iana").get<std::string>())), grade) << suite.at("iana");
    if (suite.at("openssl").is_string()) {
      EXPECT_EQ(security::to_string(security::grade_of_suite(suite.at("openssl").get<std::string>())), grade) << suite.at("openssl");
    }
    allowed += suite.at("digikoppeling") == "toegestaan" ? 1 : 0;
  }
  EXPECT_EQ(allowed, security::cipher_suites().size());
  for (const auto* unlisted : {"TLS_RSA_WITH_AES_256_GCM_SHA384", "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_AES_128_CCM_8_SHA256",
                               "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES256-CCM8", "TLS_DH_anon_WITH_AES_128_GCM_SHA256",
                               "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256", "NULL-SHA256", "RC4-MD5", ""})
    EXPECT_EQ(security::grade_of_suite(unlisted), Grade::insufficient) << unlisted;
  for (const auto& [grade, names] : data.at("key_exchange_groups").items()) {
    for (const auto& name : names) EXPECT_EQ(security::to_string(security::grade_of_group(name.get<std::string>())), grade) << name;
  }
}

// SEC-017, SEC-076: A24
TEST(OwnCertificate, IsReportedWithWhatIsPublished) {
  const auto trust = pki().trust();
  const std::vector<std::string> published{"localhost"}, more{"localhost", "nieuw.voorbeeldstad.test"};
  EXPECT_EQ(security::report_word(security::check_own(*own().key_pair, published, Usage::tls_server, *trust, now)), "ok");
  const auto missing = security::check_own(*own().key_pair, more, Usage::tls_server, *trust, now);
  EXPECT_EQ(security::report_word(missing), "error");
  EXPECT_EQ(find(missing, "SEC-017")->reason, "SEC.TLS.HOSTNAAM");

  const auto soon = own().certificate->not_after - std::chrono::days(20);
  test::Pki later("http://127.0.0.1:8089", security::PkiGeneration::g4);
  const auto short_lived = later.issue({.profile = security::PkiProfile::tls,
                                        .oin = stad,
                                        .organisation = "Gemeente",
                                        .kvk = "90000001",
                                        .hosts = {"localhost"},
                                        .days = 20});
  const auto expiring = security::check_own(*short_lived.key_pair, published, Usage::tls_server, *later.trust(), now);
  EXPECT_EQ(security::report_word(expiring), "warning");
  ASSERT_NE(find(expiring, "SEC-076"), nullptr);
  EXPECT_NE(find(expiring, "SEC-076")->detail.find("30 days"), std::string::npos);

  // Its lists are unreachable, or it expired.
  const auto without_lists = security::TrustStore::make({}, pki().authority().anchors_pem(), pki().authority().intermediates_pem()).value();
  EXPECT_EQ(find(security::check_own(*own().key_pair, published, Usage::tls_server, *without_lists, now), "SEC-021")->reason,
            "SEC.CRL.GEEN");
  EXPECT_EQ(
      find(security::check_own(*own().key_pair, published, Usage::tls_server, *trust, soon + std::chrono::days(21)), "SEC-008")->reason,
      "SEC.PKI.VERLOPEN");
}

}  // namespace
}  // namespace schakel
