#include "security/trust.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "own_authority.hpp"

namespace schakel {
namespace {

using security::Certificate;
using security::CrlState;
using security::TrustProfile;
using security::TrustStore;
using security::Usage;
using security::Verdict;
using test::OwnAuthority;
using test::pki;

const Instant now = test::start();
constexpr auto stad = "00000099000000001000";

std::string code_of(const auto& result) {
  return result ? std::string("accepted") : result.error().code;
}

std::vector<Certificate> chain_of(const security::Issued& issued) {
  std::vector<Certificate> chain{issued.certificate};
  chain.insert(chain.end(), issued.chain.begin(), issued.chain.end());
  return chain;
}
const security::Issued& g4() {
  static const auto issued = pki().tls(stad, "Gemeente Voorbeeldstad");
  return issued;
}
const security::Issued& g1() {
  static const auto issued = pki().g1(stad, "Gemeente Voorbeeldstad");
  return issued;
}

std::string official_anchors() {
  std::ifstream in(SCHAKEL_SOURCE_DIR "/../shared/standards/security/pkioverheid-anchors.pem");
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// A two-level store of a test's own.
std::shared_ptr<TrustStore> trust_in(const OwnAuthority& root, TrustStore::Options options = {}) {
  auto trust = TrustStore::make(std::move(options), root.certificate.pem(), "").value();
  trust->install_crl(root.crl(), now).value();
  return trust;
}

class MemoryArchive final : public security::CrlArchive {
 public:
  Result<> save(const security::StoredCrl& crl) override {
    kept[crl.issuer_id] = crl;
    return {};
  }
  Result<std::vector<security::StoredCrl>> load() override {
    std::vector<security::StoredCrl> list;
    for (const auto& [id, crl] : kept) list.push_back(crl);
    return list;
  }
  std::map<std::string, security::StoredCrl> kept;
};

security::CrlFetch serve_from(security::TestPki& served, int* calls = nullptr) {
  return [&served, calls](const std::string& url, std::chrono::milliseconds) -> Result<Bytes> {
    if (calls != nullptr) ++*calls;
    if (auto found = served.serve(url.substr(served.base_url().size()))) return found->body;
    return fail("http.404", "not found");
  };
}

// SEC-004, SEC-008, SEC-010, SEC-020: four levels, both generations, every use.
TEST(Path, FourLevelsOfBothGenerationsVerify) {
  const auto trust = pki().trust();
  for (const auto* issued : {&g4(), &g1()}) {
    for (const auto usage : {Usage::tls_client, Usage::tls_server, Usage::signing, Usage::encryption}) {
      const auto verdict = trust->verify_path(chain_of(*issued), usage, now);
      EXPECT_TRUE(verdict.ok()) << verdict.reason << " " << verdict.detail;
      EXPECT_EQ(verdict.path.size(), 4U);
      EXPECT_EQ(verdict.policy, issued == &g4() ? "2.16.528.1.1003.1.2.41.15.35.11" : "2.16.528.1.1003.1.2.8.6");
    }
  }
}

// SEC-104, WUS-321
TEST(Path, AVerdictSaysWhatItRestsOn) {
  const auto verdict = pki().trust()->verify_path(chain_of(g4()), Usage::signing, now);
  ASSERT_EQ(verdict.path.size(), 4U);
  EXPECT_EQ(verdict.crls.size(), 3U) << "one for each certificate below the anchor";
  const auto text = security::basis_text(verdict);
  EXPECT_LT(text.size(), 500U) << "more does not fit into the detail of a trail event";
  const auto path = security::path_of_basis(text);
  ASSERT_EQ(path.size(), 4U);
  for (std::size_t i = 0; i < path.size(); ++i) EXPECT_EQ(path[i], verdict.path[i]->sha256);
  for (const auto& crl : verdict.crls) EXPECT_NE(text.find(crl), std::string::npos);
  EXPECT_EQ(security::basis_text({}), "");
  EXPECT_TRUE(security::path_of_basis("signed by certificate 00").empty());
  EXPECT_EQ(security::path_of_basis("path=aa"), std::vector<std::string>{"aa"});
  EXPECT_TRUE(security::path_of_basis("path=").empty());
}

// SEC-012, SEC-013, SEC-014: certificates for one use.
TEST(Path, ACertificateServesItsOwnUseOnly) {
  const auto trust = pki().trust();
  const auto reason = [&](security::PkiProfile profile, Usage usage) {
    static std::map<security::PkiProfile, security::Issued> made;
    if (!made.contains(profile))
      made.emplace(profile, pki().issue({.profile = profile, .oin = stad, .organisation = "Gemeente TEST", .kvk = "90000001"}));
    return trust->verify_path(chain_of(made.at(profile)), usage, now).reason;
  };
  using enum security::PkiProfile;
  EXPECT_EQ(reason(auth, Usage::tls_client), "");
  EXPECT_EQ(reason(auth, Usage::tls_server), "SEC.PKI.GEBRUIK");
  EXPECT_EQ(reason(auth, Usage::signing), "SEC.PKI.POLICY");
  EXPECT_EQ(reason(auth, Usage::encryption), "SEC.PKI.GEBRUIK");
  EXPECT_EQ(reason(sign, Usage::signing), "");
  EXPECT_EQ(reason(sign, Usage::tls_client), "SEC.PKI.GEBRUIK");
  EXPECT_EQ(reason(sign, Usage::encryption), "SEC.PKI.GEBRUIK");
  EXPECT_EQ(reason(enc, Usage::encryption), "");
  EXPECT_EQ(reason(enc, Usage::signing), "SEC.PKI.GEBRUIK");
}

// SEC-009: what the peer leaves out is completed from the configuration; what nobody has is not fetched.
TEST(Path, MissingIntermediatesComeFromTheConfigurationOnly) {
  const std::vector leaf_only{g4().certificate};
  EXPECT_TRUE(pki().trust()->verify_path(leaf_only, Usage::tls_client, now).ok());
  const auto without = TrustStore::make({}, pki().authority().anchors_pem(), "").value();
  EXPECT_EQ(without->verify_path(leaf_only, Usage::tls_client, now).reason, "SEC.PKI.ONBEKENDE_CA");
  EXPECT_EQ(without->verify_path(chain_of(g4()), Usage::tls_client, now).reason, "SEC.CRL.GEEN");
  // The order of what was presented does not matter.
  auto chain = chain_of(g4());
  std::swap(chain[1], chain[2]);
  EXPECT_EQ(without->verify_path(chain, Usage::tls_client, now).reason, "SEC.CRL.GEEN");
}

// SEC-008
TEST(Path, ValidityIsThatOfTheTimeGiven) {
  const auto trust = pki().trust();
  EXPECT_EQ(trust->verify_path(chain_of(g4()), Usage::tls_client, g4().certificate->not_after + std::chrono::seconds(1)).reason,
            "SEC.PKI.VERLOPEN");
  EXPECT_EQ(trust->verify_path(chain_of(g4()), Usage::tls_client, g4().certificate->not_before - std::chrono::seconds(1)).reason,
            "SEC.PKI.NOG_NIET_GELDIG");
}

// SEC-008: at most six certificates; pathLen; name constraints.
TEST(Path, LengthAndConstraintsAreKept) {
  const OwnAuthority root({.name = "Root TEST"});
  std::vector<std::unique_ptr<OwnAuthority>> levels;
  const OwnAuthority* above = &root;
  std::vector<Certificate> authorities;
  const auto trust = trust_in(root);
  for (int level = 0; level < 5; ++level) {
    levels.push_back(std::make_unique<OwnAuthority>(test::AuthorityPlan{.name = "Level TEST " + std::to_string(level)}, above));
    above = levels.back().get();
    authorities.insert(authorities.begin(), above->certificate);
    auto chain = authorities;
    chain.insert(chain.begin(), above->leaf());
    const auto verdict = trust->verify_path_without_revocation(chain, Usage::tls_client, now);
    EXPECT_EQ(verdict.reason, level <= 3 ? "" : "SEC.PKI.PAD") << level << verdict.detail;  // leaf, 4 CAs, root: six
  }
  std::vector<Certificate> crowd(11, levels[0]->leaf());
  EXPECT_EQ(trust->verify_path(crowd, Usage::tls_client, now).reason, "SEC.PKI.PAD");
  EXPECT_EQ(trust->verify_path({}, Usage::tls_client, now).reason, "SEC.TLS.GEEN_CERT");

  const OwnAuthority narrow({.name = "Narrow TEST", .raw_extension = "critical,permitted;DNS:voorbeeld.test"}, &root);
  const auto reason = [&](const std::string& host) {
    return trust->verify_path_without_revocation(std::vector{narrow.leaf({.hosts = {host}}), narrow.certificate}, Usage::tls_server, now)
        .reason;
  };
  EXPECT_EQ(reason("dk.voorbeeld.test"), "");
  EXPECT_EQ(reason("dk.elders.test"), "SEC.PKI.PAD");
}

// SEC-013: the usage of a CA restricts what is below it; anyExtendedKeyUsage does not count; absent means no restriction.
TEST(Path, ExtendedKeyUsageHoldsForTheWholePath) {
  const OwnAuthority root({.name = "Root TEST"});
  const auto trust = trust_in(root);
  const OwnAuthority servers({.name = "Servers TEST", .extended_key_usage = "serverAuth"}, &root);
  const std::vector chain{servers.leaf(), servers.certificate};
  EXPECT_EQ(trust->verify_path_without_revocation(chain, Usage::tls_server, now).reason, "");
  EXPECT_EQ(trust->verify_path_without_revocation(chain, Usage::tls_client, now).reason, "SEC.PKI.GEBRUIK");
  EXPECT_EQ(trust->verify_path_without_revocation(std::vector{root.leaf({.extended_key_usage = ""})}, Usage::tls_client, now).reason, "");
  EXPECT_EQ(
      trust->verify_path_without_revocation(std::vector{root.leaf({.extended_key_usage = "anyExtendedKeyUsage"})}, Usage::tls_client, now)
          .reason,
      "SEC.PKI.GEBRUIK");
}

// SEC-012
TEST(Path, KeyUsageMustBePresentCriticalAndFit) {
  const OwnAuthority root({.name = "Root TEST"});
  const auto trust = trust_in(root);
  const auto reason = [&](const std::string& usage) {
    return trust->verify_path(std::vector{root.leaf({.key_usage = usage})}, Usage::tls_client, now).reason;
  };
  EXPECT_EQ(reason("critical,digitalSignature"), "");
  EXPECT_EQ(reason(""), "SEC.PKI.GEBRUIK");
  EXPECT_EQ(reason("digitalSignature"), "SEC.PKI.GEBRUIK");
  EXPECT_EQ(reason("critical,keyAgreement"), "SEC.PKI.GEBRUIK");
  EXPECT_EQ(reason("critical,digitalSignature,nonRepudiation"), "SEC.PKI.GEBRUIK");
  EXPECT_EQ(reason("critical,digitalSignature,cRLSign"), "SEC.PKI.GEBRUIK");
}

// SEC-014
TEST(Path, ThePolicyMustBeListedByTheLeafAndByEveryCaThatHasPolicies) {
  const OwnAuthority root({.name = "Root TEST"});
  const OwnAuthority silent({.name = "Silent TEST"}, &root), other({.name = "Other TEST", .policies = "2.16.528.1.1003.1.2.8.5"}, &root);
  const auto trust = trust_in(root);
  trust->learn(trust->verify_path_without_revocation(std::vector{silent.leaf(), silent.certificate}, Usage::tls_client, now));
  trust->learn(trust->verify_path_without_revocation(std::vector{other.leaf(), other.certificate}, Usage::tls_client, now));
  trust->install_crl(silent.crl(), now).value();
  trust->install_crl(other.crl(), now).value();
  EXPECT_EQ(trust->verify_path(std::vector{silent.leaf(), silent.certificate}, Usage::tls_client, now).reason, "");
  EXPECT_EQ(trust->verify_path(std::vector{other.leaf(), other.certificate}, Usage::tls_client, now).reason, "SEC.PKI.POLICY");
  EXPECT_EQ(trust->verify_path(std::vector{root.leaf({.policies = "2.16.528.1.1003.1.2.5.1"})}, Usage::tls_client, now).reason,
            "SEC.PKI.POLICY");

  const auto configured = trust_in(root, {.policy_oids = {"2.16.528.1.1003.1.2.5.1"}});
  EXPECT_EQ(configured->verify_path(std::vector{root.leaf({.policies = "2.16.528.1.1003.1.2.5.1"})}, Usage::tls_client, now).policy,
            "2.16.528.1.1003.1.2.5.1");
  const auto unchecked = trust_in(root, {.check_policies = false});
  EXPECT_TRUE(unchecked->verify_path(std::vector{root.leaf({.policies = ""})}, Usage::tls_client, now).ok());
  EXPECT_EQ(code_of(TrustStore::make({.profile = TrustProfile::production, .check_policies = false}, official_anchors(), "")),
            "config.invalid");
}

// SEC-014, table 2.2: test policies count in test, production policies in production.
TEST(Policies, AreThoseOfTheTable) {
  const auto accepts = [](Usage usage, TrustProfile profile, std::string_view oid) {
    const auto list = security::accepted_policies(usage, profile);
    return std::ranges::find(list, oid) != list.end();
  };
  using enum TrustProfile;
  for (const auto usage : {Usage::tls_client, Usage::tls_server, Usage::signing, Usage::encryption}) {
    EXPECT_TRUE(accepts(usage, production, "2.16.528.1.1003.1.2.8.6"));
    EXPECT_TRUE(accepts(usage, production, "2.16.528.1.1003.1.2.44.15.35.11"));
    EXPECT_FALSE(accepts(usage, production, "2.16.528.1.1003.1.2.41.15.35.11"));
    EXPECT_TRUE(accepts(usage, test, "2.16.528.1.1003.1.2.41.15.35.11"));
  }
  EXPECT_TRUE(accepts(Usage::tls_client, production, "2.16.528.1.1003.1.2.44.16.25.8"));
  EXPECT_FALSE(accepts(Usage::tls_server, production, "2.16.528.1.1003.1.2.44.16.25.8"));
  EXPECT_TRUE(accepts(Usage::signing, production, "2.16.528.1.1003.1.2.8.4"));
  EXPECT_FALSE(accepts(Usage::tls_client, production, "2.16.528.1.1003.1.2.8.4"));
  EXPECT_TRUE(accepts(Usage::encryption, production, "2.16.528.1.1003.1.2.44.16.25.7"));
  EXPECT_FALSE(accepts(Usage::signing, production, "2.16.528.1.1003.1.2.44.16.25.7"));
}

// SEC-011
TEST(Path, ShortKeysAreRefusedAndTheThresholdCanRise) {
  const OwnAuthority root({.name = "Root TEST"});  // RSA-2048
  const std::vector chain{root.leaf({}, test::rsa(2048).get())};
  EXPECT_EQ(trust_in(root)->verify_path(chain, Usage::tls_client, now).reason, "");
  EXPECT_EQ(trust_in(root, {.peer_rsa_min = 3072})->verify_path(chain, Usage::tls_client, now).reason, "SEC.PKI.SLEUTEL");
  EXPECT_EQ(trust_in(root)->verify_path(std::vector{root.leaf({}, test::rsa(1024).get())}, Usage::tls_client, now).reason,
            "SEC.PKI.SLEUTEL");
  EXPECT_EQ(code_of(TrustStore::make({.peer_rsa_min = 1024}, root.certificate.pem(), "")), "config.invalid");

  const auto with_curve = [&](const char* curve) {
    const security::KeyPtr key(EVP_EC_gen(curve));
    return trust_in(root)->verify_path(std::vector{root.leaf({}, key.get())}, Usage::tls_client, now).reason;
  };
  for (const auto* curve : {"P-256", "P-384", "P-521", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"})
    EXPECT_EQ(with_curve(curve), "") << curve;
  for (const auto* curve : {"secp256k1", "brainpoolP320r1"}) EXPECT_EQ(with_curve(curve), "SEC.PKI.SLEUTEL") << curve;
  const security::KeyPtr ed25519(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  EXPECT_EQ(trust_in(root)->verify_path(std::vector{root.leaf({}, ed25519.get())}, Usage::tls_client, now).reason, "");
}

// SEC-002, SEC-005: A4
TEST(Anchors, ProductionAndTestAreDisjoint) {
  const auto anchors = official_anchors();
  if (anchors.empty()) GTEST_SKIP() << "the official data are not here";
  const auto production = TrustStore::make({.profile = TrustProfile::production}, anchors, "");
  ASSERT_TRUE(production) << production.error().detail;
  EXPECT_EQ((*production)->anchors().size(), 2U);
  EXPECT_EQ((*production)->intermediates().size(), 2U);
  EXPECT_TRUE((*production)->production());

  const auto test_in_production = TrustStore::make({.profile = TrustProfile::production}, anchors + pki().authority().anchors_pem(), "");
  EXPECT_EQ(code_of(test_in_production), "SEC.PKI.ANKER");
  EXPECT_NE(test_in_production.error().detail.find("Schakel TEST"), std::string::npos);
  const auto production_in_test = TrustStore::make({}, pki().authority().anchors_pem() + anchors, "");
  EXPECT_EQ(code_of(production_in_test), "SEC.PKI.ANKER");
  EXPECT_NE(production_in_test.error().detail.find("Staat der Nederlanden"), std::string::npos);

  // A peer of the one is a stranger to the other.
  EXPECT_EQ((*production)->verify_path(chain_of(g4()), Usage::tls_client, now).reason, "SEC.PKI.ONBEKENDE_CA");
}

// SEC-002: one changed octet.
TEST(Anchors, AChangedAnchorIsRefused) {
  const auto anchors = official_anchors();
  if (anchors.empty()) GTEST_SKIP() << "the official data are not here";
  const auto first = Certificate::from_pem(anchors).value();
  int refused = 0;
  for (std::size_t at = 20; at < first->der.size(); at += 97) {
    Bytes changed = first->der;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    const auto parsed = Certificate::from_der(changed);
    if (!parsed) continue;
    EXPECT_FALSE(TrustStore::make({.profile = TrustProfile::production}, parsed->pem(), ""));
    ++refused;
  }
  EXPECT_GT(refused, 5);
}

// SEC-002
TEST(Anchors, AnOperatorMayPinAnother) {
  const auto& root = pki().authority().authority("g1-root");
  EXPECT_EQ(code_of(TrustStore::make({.profile = TrustProfile::production}, root.pem(), "")), "SEC.PKI.ANKER");
  EXPECT_TRUE(TrustStore::make({.profile = TrustProfile::production, .additional_pins = {root->sha256}}, root.pem(), ""));
}

// SEC-003, SEC-006: only the anchors given, never a leaf, never the system's own.
TEST(Anchors, AreAuthoritiesAndNothingElse) {
  EXPECT_EQ(code_of(TrustStore::make({}, g4().certificate.pem(), "")), "SEC.PKI.ANKER");
  EXPECT_EQ(code_of(TrustStore::make({}, pki().authority().intermediates_pem(), "")), "SEC.PKI.ANKER");
  EXPECT_EQ(code_of(TrustStore::make({}, "", "")), "SEC.PKI.ONLEESBAAR");
  EXPECT_EQ(code_of(TrustStore::make({}, pki().authority().anchors_pem(), g4().certificate.pem())), "SEC.PKI.ANKER");
  EXPECT_EQ(code_of(TrustStore::make({.crl_refresh = std::chrono::hours(5)}, pki().authority().anchors_pem(), "")), "config.invalid");
  // A leaf that somebody trusts elsewhere does not become trusted by being presented as its own issuer.
  const OwnAuthority stranger({.name = "Public web CA TEST"});
  EXPECT_EQ(pki().trust()->verify_path(std::vector{stranger.leaf(), stranger.certificate}, Usage::tls_server, now).reason,
            "SEC.PKI.ONBEKENDE_CA");
}

// SEC-020, SEC-021: A8
TEST(Revocation, EveryLevelIsCheckedAndAMissingListRefusesAll) {
  auto made = test::Pki("http://127.0.0.1:8089", security::PkiGeneration::g1);
  auto& authority = made.authority();
  const auto leaf = made.g1(stad, "Gemeente TEST"), other = made.g1(stad, "Gemeente TEST");
  const auto reason = [&](TrustStore& trust, const security::Issued& issued, Usage usage = Usage::tls_client, Instant at = now) {
    return trust.verify_path(chain_of(issued), usage, at).reason;
  };

  authority.revoke(leaf.certificate->serial, 1, now).value();
  for (const auto usage : {Usage::tls_client, Usage::tls_server, Usage::signing}) {
    EXPECT_EQ(reason(*made.trust(), leaf, usage), "SEC.PKI.INGETROKKEN");
    EXPECT_EQ(reason(*made.trust(), other, usage), "");
  }

  for (const std::string missing : {"g1-root", "g1-domain", "g1-tsp"}) {
    const auto trust = TrustStore::make({}, authority.anchors_pem(), authority.intermediates_pem()).value();
    for (const auto& [id, crl] : authority.crls()) {
      if (id != missing) trust->install_crl(crl, now).value();
    }
    const auto verdict = trust->verify_path(chain_of(other), Usage::tls_client, now);
    EXPECT_EQ(verdict.reason, "SEC.CRL.GEEN") << missing;
    EXPECT_TRUE(verdict.temporary());
    EXPECT_NE(verdict.detail.find(authority.authority(missing)->subject), std::string::npos);
  }
  EXPECT_EQ(reason(*made.trust(), other, Usage::tls_client, now + std::chrono::hours(49)), "SEC.CRL.VERLOPEN");
  // A known revocation is told even when the lists have expired: it will not go away by fetching.
  EXPECT_EQ(reason(*made.trust(), leaf, Usage::tls_client, now + std::chrono::hours(49)), "SEC.PKI.INGETROKKEN");

  authority.revoke(authority.authority("g1-tsp")->serial, 2, now).value();
  EXPECT_EQ(reason(*made.trust(), other), "SEC.PKI.INGETROKKEN");
}

// SEC-022, SEC-024, 3.3
TEST(Revocation, ListsAreFetchedAheadFromWhereVerifiedCertificatesSay) {
  auto& authority = pki().authority();
  const auto trust = TrustStore::make({}, authority.anchors_pem(), authority.intermediates_pem()).value();
  // Root and domain lists are named by the intermediates; those of the TSPs only by leaves.
  const auto with_url = [&] {
    const auto sources = trust->crl_sources(now);
    return std::ranges::count_if(sources, [](const auto& source) { return !source.urls.empty(); });
  };
  EXPECT_EQ(trust->crl_sources(now).size(), 9U);
  EXPECT_EQ(with_url(), 6);
  trust->learn(trust->verify_path(chain_of(g4()), Usage::tls_client, now));
  EXPECT_EQ(with_url(), 7);
  // A certificate whose path does not verify teaches nothing.
  const OwnAuthority stranger({.name = "Stranger TEST"});
  trust->learn(trust->verify_path(std::vector{stranger.leaf({.crl_url = "http://10.0.0.1/evil.crl"}), stranger.certificate},
                                  Usage::tls_client, now));
  EXPECT_EQ(trust->crl_sources(now).size(), 9U);

  int calls = 0;
  MemoryArchive archive;
  EXPECT_EQ(trust->refresh(serve_from(authority, &calls), &archive, now), 7U);
  EXPECT_EQ(calls, 7);
  EXPECT_EQ(archive.kept.size(), 7U);
  EXPECT_TRUE(trust->verify_path(chain_of(g4()), Usage::tls_client, now).ok());
  EXPECT_EQ(trust->refresh(serve_from(authority, &calls), &archive, now + std::chrono::minutes(59)), 0U);
  EXPECT_EQ(calls, 7);  // not due yet
  EXPECT_EQ(trust->refresh(serve_from(authority, &calls), &archive, now + std::chrono::minutes(60)), 0U);
  EXPECT_EQ(calls, 14);  // due; the same lists

  // SEC-023: after a restart without network.
  const auto restarted = TrustStore::make({}, authority.anchors_pem(), authority.intermediates_pem()).value();
  restarted->learn(restarted->verify_path(chain_of(g4()), Usage::tls_client, now));
  EXPECT_EQ(restarted->verify_path(chain_of(g4()), Usage::tls_client, now).reason, "SEC.CRL.GEEN");
  EXPECT_EQ(restarted->restore(archive, now).value(), 7U);
  EXPECT_TRUE(restarted->verify_path(chain_of(g4()), Usage::tls_client, now).ok());
}

// 3.3: a failed fetch leaves the list in use and backs off; a refused list counts as failed.
TEST(Revocation, AFailedFetchMakesTheListStale) {
  const OwnAuthority root({.name = "Root TEST"});
  const auto trust =
      TrustStore::make({.crl_urls = {{"Root TEST", {"http://configured.test/root.crl"}}}}, root.certificate.pem(), "").value();
  const auto source = [&](Instant at) { return trust->crl_sources(at).front(); };
  EXPECT_EQ(source(now).urls, std::vector<std::string>{"http://configured.test/root.crl"});
  EXPECT_EQ(source(now).state, CrlState::none);
  const auto id = source(now).issuer_id;
  EXPECT_TRUE(trust->fetched(id, root.crl(5), now).value().has_value());
  EXPECT_EQ(source(now).state, CrlState::valid);
  const auto generation = trust->generation();

  EXPECT_FALSE(trust->fetched(id, Result<Bytes>(fail("transport.connect", "refused")), now));
  EXPECT_EQ(source(now).state, CrlState::stale);
  EXPECT_EQ(source(now).next_fetch, now + std::chrono::minutes(1));
  const auto rolled_back = trust->fetched(id, root.crl(4), now + std::chrono::minutes(1));
  EXPECT_EQ(code_of(rolled_back), "SEC.CRL.GEWEIGERD");
  EXPECT_EQ(source(now).failures, 2);
  EXPECT_NE(source(now).last_error.find("TERUGGEDRAAID"), std::string::npos);
  EXPECT_EQ(source(now).next_fetch, now + std::chrono::minutes(3));
  EXPECT_EQ(trust->generation(), generation);
  EXPECT_TRUE(trust->verify_path(std::vector{root.leaf()}, Usage::tls_client, now).ok());

  EXPECT_TRUE(trust->fetched(id, root.crl(6), now + std::chrono::minutes(3)).value().has_value());
  EXPECT_EQ(source(now).state, CrlState::valid);
  EXPECT_GT(trust->generation(), generation);
  EXPECT_EQ(source(now + std::chrono::hours(49)).state, CrlState::expired);
  EXPECT_FALSE(trust->fetched("no such CA", root.crl(6), now));
}

// 3.3: one blocking fetch, and then refuse.
TEST(Revocation, AHandshakeWaitsForOneFetchAndNoMore) {
  auto& authority = pki().authority();
  const auto trust = TrustStore::make({}, authority.anchors_pem(), authority.intermediates_pem()).value();
  EXPECT_EQ(trust->verify_path_fetching(chain_of(g4()), Usage::tls_client, now).reason, "SEC.CRL.GEEN");  // nothing to fetch with

  int calls = 0;
  bool reachable = false;
  std::chrono::milliseconds waited{0};
  trust->fetch_missing_with(
      [&](const std::string& url, std::chrono::milliseconds timeout) -> Result<Bytes> {
        ++calls;
        waited = timeout;
        return reachable ? serve_from(authority)(url, timeout) : Result<Bytes>(fail("transport.timeout", "slow"));
      },
      nullptr);
  EXPECT_EQ(trust->verify_path_fetching(chain_of(g4()), Usage::tls_client, now).reason, "SEC.CRL.GEEN");
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(waited, std::chrono::seconds(5));
  EXPECT_EQ(trust->verify_path_fetching(chain_of(g4()), Usage::tls_client, now + std::chrono::seconds(30)).reason, "SEC.CRL.GEEN");
  EXPECT_EQ(calls, 3);  // backing off
  reachable = true;
  EXPECT_EQ(trust->verify_path_fetching(chain_of(g4()), Usage::tls_client, now + std::chrono::seconds(61)).reason, "");
  EXPECT_EQ(calls, 6);
}

// SEC-007, SEC-067: who the peer is.
TEST(Peer, ATestNumberIsNobodyInProduction) {
  const auto verdict = pki().trust()->verify_path(chain_of(g4()), Usage::tls_client, now);
  const auto in_test = security::peer_identity(verdict, TrustProfile::test);
  EXPECT_EQ(in_test.oin, stad);
  EXPECT_EQ(in_test.refusal, "");
  EXPECT_EQ(in_test.organisation, "Gemeente Voorbeeldstad");
  EXPECT_EQ(in_test.sha256, g4().certificate->sha256);
  EXPECT_EQ(in_test.policy, "2.16.528.1.1003.1.2.41.15.35.11");
  EXPECT_EQ(in_test.environment, "test");
  const auto in_production = security::peer_identity(verdict, TrustProfile::production);
  EXPECT_EQ(in_production.refusal, "SEC.OIN.TEST");
  EXPECT_EQ(in_production.oin, "");
}

TEST(Peer, WithAWrongPolicyHasNoNumber) {
  const OwnAuthority root({.name = "Root TEST"});
  const auto verdict = trust_in(root)->verify_path(std::vector{root.leaf({.policies = ""})}, Usage::tls_client, now);
  ASSERT_EQ(verdict.reason, "SEC.PKI.POLICY");
  const auto peer = security::peer_identity(verdict, TrustProfile::test);
  EXPECT_EQ(peer.refusal, "SEC.PKI.POLICY");
  EXPECT_EQ(peer.oin, "");
}

TEST(Peer, WithoutAPathIsNobody) {
  const auto nobody = security::peer_identity(pki().trust()->verify_path({}, Usage::tls_client, now), TrustProfile::test);
  EXPECT_EQ(nobody.refusal, "SEC.TLS.GEEN_CERT");
  EXPECT_EQ(nobody.oin, "");
}

// SEC-050: what a proxy passes on is judged as in a handshake.
TEST(Peer, BehindAProxyIsJudgedByItsCertificate) {
  const auto trust = pki().trust();
  std::vector<Bytes> chain;
  for (const auto& certificate : chain_of(g4())) chain.push_back(certificate->der);
  EXPECT_EQ(security::identify_client(*trust, chain, now)->oin, stad);
  EXPECT_EQ(security::identify_client(*trust, std::span(chain).first(1), now)->oin, stad);
  EXPECT_EQ(code_of(security::identify_client(*trust, chain, now + std::chrono::hours(49))), "SEC.CRL.VERLOPEN");
  EXPECT_EQ(code_of(security::identify_client(*trust, std::vector<Bytes>{"garbage"}, now)), "SEC.PKI.ONLEESBAAR");
  EXPECT_EQ(code_of(security::identify_client(*trust, std::vector<Bytes>(11, chain[0]), now)), "SEC.PKI.PAD");
  EXPECT_EQ(code_of(security::identify_client(*trust, {}, now)), "SEC.TLS.GEEN_CERT");
  const OwnAuthority root({.name = "Root TEST"});
  const std::vector<Bytes> person{root.leaf({.policies = "2.16.528.1.1003.1.2.5.1"})->der};
  EXPECT_EQ(security::identify_client(*trust_in(root), person, now)->refusal, "SEC.PKI.POLICY");
  EXPECT_EQ(code_of(security::identify_client(*trust, person, now)), "SEC.PKI.ONBEKENDE_CA");
}

}  // namespace
}  // namespace schakel
