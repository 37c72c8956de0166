// Own certificates and those of partners behind a proxy: which are used, what is found about them, and what follows when a key is lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "integration/cpa_document.hpp"
#include "server/emergency.hpp"
#include "server/inventory.hpp"
#include "server/offloaded_clients.hpp"
#include "server/own_certificates.hpp"
#include "support/pki.hpp"
#include "support/recording_log.hpp"
#include "support/softhsm.hpp"
#include "unit/security/own_authority.hpp"

namespace schakel::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr auto own_oin = "00000099000000010000", partner_oin = "00000099000000020000";

// A folder with anchors and the tenant's certificates, as an installation has it.
class CertificatesTest : public ::testing::Test {
 protected:
  CertificatesTest() {
    std::string name = (std::filesystem::temp_directory_path() / "schakel-certificates-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    std::filesystem::create_directories(folder_ / "keys");
    std::filesystem::permissions(folder_ / "keys", std::filesystem::perms::owner_all);
    write("anchors.pem", pki_.authority().anchors_pem());
    write("intermediates.pem", pki_.authority().intermediates_pem());
    settings_ =
        config::check("[pki]\ntest-anchors = \"anchors.pem\"\nintermediates = \"intermediates.pem\"", "schakel.toml", folder_.string(), {})
            .settings;
    trust_ = Trust::make(settings_).value();
    tenant_.slug = "stad";
    tenant_.name = "Stad";
    tenant_.oins = {own_oin};
    tenant_.hosts = {"localhost"};
  }
  ~CertificatesTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name, std::ios::binary) << text; }
  security::Issued add(const std::string& name) {
    auto issued = pki_.tls(own_oin, "Stad", {"localhost"});
    install(name, issued);
    tenant_.certificates.push_back({.certificates = name + ".pem", .key = name + ".key", .passphrase = {}});
    return issued;
  }
  void install(const std::string& name, const security::Issued& issued) {
    std::string chain = issued.certificate.pem();
    for (const auto& certificate : issued.chain) chain += certificate.pem();
    write("keys/" + name + ".pem", chain);
    security::write_private_file((folder_ / ("keys/" + name + ".key")).string(), *security::private_key_pem(issued.key_pair->key()))
        .value();
  }
  std::shared_ptr<const Identities> load(const Identities::KeySet& compromised = {}) {
    return Identities::load({tenant_}, settings_, trust_, compromised, clock_, silent_log());
  }
  // Puts the present CRLs of the PKI into the trust store.
  void install_crls() {
    for (const auto& source : trust_.of("test")->crl_sources(clock_.now()))
      for (const auto& url : source.urls)
        if (auto list = crl(url)) (void)trust_.of("test")->install_crl(*list, clock_.now());
  }
  Result<Bytes> crl(const std::string& url) {
    const auto path = url.substr(url.find('/', url.find("://") + 3));
    if (auto found = pki_.authority().serve(path)) return std::move(found->body);
    return fail("transport.status", "404");
  }
  static std::string sha256_of(const Result<std::vector<security::TlsServer::Identity>>& shown) {
    return shown ? shown->front().key_pair->certificate()->sha256 : shown.error().code;
  }

  test::Pki pki_{"http://127.0.0.1:8089", security::PkiGeneration::g4};
  test::FixedClock clock_{test::start()};
  std::filesystem::path folder_;
  config::Settings settings_;
  Trust trust_;
  Tenant tenant_;
};

// SEC-078: also a renewed certificate of the same key is refused, and the next one takes over for both sides.
TEST_F(CertificatesTest, ACompromisedKeyIsNotUsedAndTheNextTakesOver) {
  const auto first = add("first"), second = add("second");
  EXPECT_EQ(load()->servers("test").front().key_pair->certificate()->sha256, first.certificate->sha256);
  const auto after = load({key_sha256(first.certificate)});
  EXPECT_EQ(after->faults(), 1U);
  EXPECT_THAT(after->certificates().front().problem, HasSubstr("SEC.SLEUTEL.GECOMPROMITTEERD"));
  EXPECT_EQ(after->servers("test").front().key_pair->certificate()->sha256, second.certificate->sha256);
  EXPECT_EQ((*after->client("stad", {}))->identity_sha256(), second.certificate->sha256);
  EXPECT_EQ((*after->client("stad", first.certificate->sha256))->identity_sha256(), second.certificate->sha256);
}

TEST_F(CertificatesTest, AnEmergencyNeedsASuccessorForEachPurpose) {
  const auto lost = add("first");
  const auto keys = Identities::KeySet{key_sha256(lost.certificate)};
  const cpa::Contracts none({}, {}, {}, {});
  const auto present = load();
  const auto& compromised = *present->certificate("stad", lost.certificate->sha256);
  EXPECT_EQ(present->certificate("dorp", lost.certificate->sha256), nullptr);
  EXPECT_EQ(emergency_plan(compromised, *load(keys), none, clock_.now()).error().code, "state.conflict");
  add("second");
  tenant_.certificates.back().purposes = {"tls-server"};
  const auto half = emergency_plan(compromised, *load(keys), none, clock_.now());
  ASSERT_FALSE(half);
  EXPECT_THAT(half.error().detail, HasSubstr("tls-client"));
}

// SEC-078: the TSP, and the partners whose contract holds the certificate.
TEST_F(CertificatesTest, AnEmergencySaysWhoMustBeTold) {
  const auto lost = add("first"), next = add("second");
  const auto partner = pki_.tls(partner_oin, "Register", {"localhost"});
  const auto contract = [&](const std::string& id, const security::Issued& ours, exchange::ContractState state) {
    cpa::LoadedContract loaded;
    loaded.row.id = "c-" + id;
    loaded.row.tenant = "stad";
    loaded.row.state = state;
    loaded.agreement =
        cpa::parse(integration::CpaDocument({.cpa_id = id}, {"Stad", own_oin, "Melder", "https://localhost/ebms", ours.certificate},
                                            {"Register", partner_oin, "Register", "https://localhost/ebms", partner.certificate})
                       .text())
            .value();
    return loaded;
  };
  std::vector<cpa::LoadedContract> contracts;
  contracts.push_back(contract("cpa-bound", lost, exchange::ContractState::active));
  contracts.push_back(contract("cpa-other", next, exchange::ContractState::active));
  contracts.push_back(contract("cpa-ended", lost, exchange::ContractState::retired));
  const auto present = load(), after = load({key_sha256(lost.certificate)});
  const auto plan = emergency_plan(*present->certificate("stad", lost.certificate->sha256), *after,
                                   cpa::Contracts(std::move(contracts), {}, {}, {}), clock_.now());
  ASSERT_TRUE(plan) << plan.error().detail;
  EXPECT_EQ((*plan)["publicKeySha256"], key_sha256(lost.certificate));
  EXPECT_EQ((*plan)["successors"][0]["sha256"], next.certificate->sha256);
  ASSERT_EQ((*plan)["report"].size(), 2U) << plan->dump();
  EXPECT_EQ((*plan)["report"][0]["to"], "tsp");
  EXPECT_EQ((*plan)["report"][0]["serial"], lost.certificate->serial);
  EXPECT_EQ((*plan)["report"][1]["oin"], partner_oin);
  EXPECT_EQ((*plan)["report"][1]["cpaId"], "cpa-bound");
}

// SEC-070, SEC-071: of a tenant and of a listener; the PIN is never shown.
TEST_F(CertificatesTest, AKeyMayBeInAToken) {
  if (test::SoftHsm::library().empty()) GTEST_SKIP() << "softhsm2 is not installed";
  const test::SoftHsm hsm;
  const auto own = add("first");
  hsm.add_token("stad", "1234-geheim");
  hsm.add_key("stad", "1234-geheim", own.key_pair->key(), "tls", "01");
  std::filesystem::remove(folder_ / "keys/first.key");
  write("pin", "1234-geheim\n");
  tenant_.certificates[0].key = "pkcs11:token=stad;object=tls";
  EXPECT_THAT(load()->certificates()[0].problem, HasSubstr("SEC.SLEUTEL.PKCS11")) << "without tokens";

  schakel::testing::RecordingLog log;
  Metrics metrics;
  security::Pkcs11Module tokens(test::SoftHsm::library(), log, metrics);
  const auto with = [&](const std::string& pin_file) {
    tenant_.certificates[0].passphrase.reference = "file:" + (folder_ / pin_file).string();
    return Identities::load({tenant_}, settings_, trust_, {}, clock_, log, &tokens);
  };
  write("wrong", "4321-fout\n");
  const auto refused = with("wrong");
  EXPECT_TRUE(refused->awaits_token());
  EXPECT_THAT(refused->certificates()[0].problem, AllOf(HasSubstr("PIN is wrong"), Not(HasSubstr("4321-fout"))));
  const auto loaded = with("pin");
  EXPECT_FALSE(loaded->awaits_token());
  EXPECT_EQ(loaded->faults(), 0U);
  EXPECT_EQ(loaded->servers("test").front().key_pair->certificate(), own.certificate);
  EXPECT_THAT(log.text(), AllOf(Not(HasSubstr("4321-fout")), Not(HasSubstr("1234-geheim"))));

  config::Listener listener;
  listener.certificate = "keys/first.pem";
  listener.key = "pkcs11:token=stad;id=%01";
  listener.passphrase.reference = "file:" + (folder_ / "pin").string();
  EXPECT_EQ(sha256_of(servers_of(listener, settings_, *loaded, trust_, &tokens)), own.certificate->sha256);
}

// security.md 3.5, SEC-074, SEC-077, EB-175, A16: the switch, and the 30 days after it.
TEST_F(CertificatesTest, AfterTheSwitchTheOldKeyDecryptsAndTheNewOneSigns) {
  const auto old = add("old"), next = add("next");
  for (auto& certificate : tenant_.certificates) certificate.purposes = {"signing", "encryption"};
  const auto at = clock_.now() + std::chrono::days(10);
  tenant_.certificates[1].active_from = at;
  const auto own = load();
  ASSERT_EQ(own->faults(), 0U) << own->certificates()[0].problem << own->certificates()[1].problem;
  const auto signs = [&](const security::Issued& issued, Instant now) {
    return own->signing_key("stad", issued.certificate->sha256, now) != nullptr;
  };
  const auto decrypting = [&](Instant now) { return own->decryption_keys("stad", now).size(); };
  EXPECT_EQ(own->next_activation(clock_.now()), at);
  EXPECT_TRUE(signs(old, at - std::chrono::seconds(1)));
  EXPECT_FALSE(signs(next, at - std::chrono::seconds(1)));
  EXPECT_EQ(decrypting(at - std::chrono::seconds(1)), 2U);
  EXPECT_FALSE(signs(old, at));
  EXPECT_TRUE(signs(next, at));
  EXPECT_EQ(decrypting(at), 2U);
  EXPECT_EQ(own->next_activation(at), std::nullopt);
  const auto retired = at + security::retiring_time;
  ASSERT_EQ(decrypting(retired), 1U);
  EXPECT_EQ(own->decryption_keys("stad", retired).front()->certificate(), next.certificate);
  EXPECT_TRUE(own->decryption_keys("dorp", at).empty());
  EXPECT_EQ(own->signing_key("stad", "unknown", at), nullptr);

  OwnCertificates watch(
      trust_, [](const std::string&, std::chrono::milliseconds) -> Result<Bytes> { return fail("transport.connect", ""); }, clock_,
      silent_log());
  clock_.set(at);
  const auto shown = certificates_json(*own, watch, "stad", at);
  EXPECT_EQ(shown[0]["state"], "retiring");
  EXPECT_EQ(shown[1]["state"], "active");
  EXPECT_EQ(shown[1]["activeFromAt"], to_rfc3339(at));
}

// SEC-074: a certificate whose time has not come is not shown; one that was succeeded no longer.
TEST_F(CertificatesTest, AListenerShowsTheCertificateThatIsActive) {
  const auto old = add("old"), next = add("next");
  tenant_.certificates[1].active_from = clock_.now() + std::chrono::days(1);
  const auto shown = [](const Identities& own) {
    std::set<std::string> all;
    for (const auto& server : own.servers("test")) all.insert(server.key_pair->certificate()->sha256);
    return all;
  };
  const auto own = load();
  EXPECT_THAT(shown(*own), ElementsAre(old.certificate->sha256));
  EXPECT_EQ((*own->client("stad", {}))->identity_sha256(), old.certificate->sha256);
  clock_.move(std::chrono::days(1));
  EXPECT_THAT(shown(*own), ElementsAre(next.certificate->sha256));
  EXPECT_EQ((*own->client("stad", {}))->identity_sha256(), next.certificate->sha256);
  EXPECT_EQ((*own->client("stad", old.certificate->sha256))->identity_sha256(), next.certificate->sha256);
}

// A successor that cannot be used takes nothing over, and neither does one of another OIN.
TEST_F(CertificatesTest, OnlyAUsableCertificateOfTheSameOinTakesOver) {
  const auto old = add("old");
  const auto other = pki_.tls(partner_oin, "Stad", {"localhost"});
  tenant_.oins.push_back(partner_oin);
  install("other", other);
  tenant_.certificates.push_back(
      {.certificates = "other.pem", .key = "other.key", .passphrase = {}, .purposes = {"signing"}, .active_from = clock_.now()});
  add("broken");
  tenant_.certificates.back().active_from = clock_.now();
  for (auto& certificate : tenant_.certificates) certificate.purposes = {"signing"};
  write("keys/broken.pem", other.certificate.pem());
  const auto own = load();
  EXPECT_EQ(own->faults(), 1U);
  EXPECT_NE(own->signing_key("stad", old.certificate->sha256, clock_.now()), nullptr);
  EXPECT_NE(own->signing_key("stad", other.certificate->sha256, clock_.now()), nullptr);
}

// SEC-078: what is only prepared does not take over by itself.
TEST_F(CertificatesTest, APreparedCertificateIsNoSuccessorInAnEmergency) {
  const auto lost = add("lost");
  add("next");
  tenant_.certificates.back().active_from = clock_.now() + std::chrono::days(1);
  const auto present = load(), after = load({key_sha256(lost.certificate)});
  const auto& compromised = *present->certificate("stad", lost.certificate->sha256);
  const cpa::Contracts none({}, {}, {}, {});
  EXPECT_EQ(emergency_plan(compromised, *after, none, clock_.now()).error().code, "state.conflict");
  EXPECT_TRUE(emergency_plan(compromised, *after, none, clock_.now() + std::chrono::days(1)));
}

// SEC-076: certificates for signing and encryption too, judged by their own rules.
TEST_F(CertificatesTest, AnEndThatComesNearIsSaidOfEveryPurpose) {
  add("first");
  tenant_.certificates[0].purposes = {"signing", "encryption"};
  schakel::testing::RecordingLog log;
  const auto own = Identities::load({tenant_}, settings_, trust_, {}, clock_, log);
  install_crls();
  OwnCertificates watch(
      trust_, [this](const std::string& url, std::chrono::milliseconds) { return crl(url); }, clock_, log);
  watch.look(*own);
  EXPECT_THAT(log.lines("certificate.expires"), IsEmpty());
  clock_.set(own->certificates()[0].key_pair->certificate()->not_after - std::chrono::days(20));
  watch.look(*own);
  ASSERT_THAT(log.lines("certificate.expires"), SizeIs(1));
  EXPECT_EQ(log.lines("certificate.expires")[0]["withinDays"], "30");
}

// An inner listener may show a certificate of the organisation's own CA.
TEST_F(CertificatesTest, AListenerShowsItsOwnCertificateWhenItHasOne) {
  const auto first = add("first");
  const auto own = pki_.tls(own_oin, "Stad", {"admin.intern"});
  install("admin", own);
  config::Listener listener;
  EXPECT_EQ(sha256_of(servers_of(listener, settings_, *load(), trust_)), first.certificate->sha256);
  listener.certificate = "keys/admin.pem";
  listener.key = "keys/admin.key";
  EXPECT_EQ(sha256_of(servers_of(listener, settings_, *load(), trust_)), own.certificate->sha256);
  listener.key = "keys/first.key";
  EXPECT_EQ(sha256_of(servers_of(listener, settings_, *load(), trust_)), "SEC.SLEUTEL.MISMATCH");
}

// SEC-017, SEC-025, A24: findings, never a stop.
TEST_F(CertificatesTest, FindingsNameAnUnreachableCrlAndARevocation) {
  const auto own = add("first");
  const auto identities = load();
  install_crls();
  bool reachable = true;
  int fetched = 0;
  OwnCertificates watch(
      trust_,
      [&](const std::string& url, std::chrono::milliseconds) -> Result<Bytes> {
        ++fetched;
        if (!reachable) return fail("transport.connect", "refused");
        return crl(url);
      },
      clock_, silent_log());
  watch.look(*identities);
  EXPECT_THAT(watch.findings(own.certificate->sha256), IsEmpty());
  EXPECT_EQ(fetched, 3) << "the lists of TSP, domain and root (SEC-020)";
  watch.look(*identities);
  EXPECT_EQ(fetched, 3) << "each 4 hours";
  clock_.move(std::chrono::hours(4));
  reachable = false;
  watch.look(*identities);
  EXPECT_EQ(fetched, 6);
  const auto findings = watch.findings(own.certificate->sha256);
  ASSERT_THAT(findings, SizeIs(3));
  EXPECT_EQ(findings.front().code, "SEC.CRL.ONBEREIKBAAR");
  EXPECT_THAT(findings.front().detail, AllOf(HasSubstr("http://127.0.0.1:8089/crl/"), HasSubstr("refused")));
  const auto shown = certificates_json(*identities, watch, "stad", clock_.now());
  EXPECT_EQ(shown[0]["findings"].size(), 3U);
  EXPECT_EQ(shown[0]["state"], "active") << "it stays in use";

  reachable = true;
  pki_.authority().revoke(own.certificate->serial, 1, clock_.now()).value();
  install_crls();
  watch.look(*identities);
  EXPECT_THAT(watch.findings(own.certificate->sha256), ElementsAre(::testing::Field(&CertificateFinding::code, "SEC.PKI.INGETROKKEN")));
}

// SEC-050: the same decisions as in a handshake.
TEST_F(CertificatesTest, AClientBehindAProxyIsJudgedAsInAHandshake) {
  add("first");
  load();
  install_crls();
  OffloadedClients clients(clock_);
  auto& store = *trust_.of("test");
  const auto partner = pki_.tls(partner_oin, "Register", {"localhost"});
  const auto passed = [](const security::Issued& issued) {
    http::OffloadedCertificate out{.der = issued.certificate->der, .chain = {}};
    for (const auto& certificate : issued.chain) out.chain.push_back(certificate->der);
    return out;
  };
  const auto good = clients.identify(store, passed(partner));
  ASSERT_TRUE(good) << good.error().detail;
  EXPECT_EQ(good->oin, partner_oin);
  EXPECT_EQ(good->sha256, partner.certificate->sha256);
  EXPECT_EQ(clients.identify(store, {.der = "no certificate", .chain = {}}).error().code, "SEC.PKI.ONLEESBAAR");
  const http::OffloadedCertificate stranger{.der = test::OwnAuthority().leaf()->der, .chain = {}};
  EXPECT_EQ(clients.identify(store, stranger).error().code, "SEC.PKI.ONBEKENDE_CA");
  // SEC-028: a new list counts at once, also for a verdict that is remembered.
  pki_.authority().revoke(partner.certificate->serial, 1, clock_.now()).value();
  install_crls();
  EXPECT_EQ(clients.identify(store, passed(partner)).error().code, "SEC.PKI.INGETROKKEN");
  // Lists that nobody renews end, remembered or not (SEC-021).
  const auto other = pki_.tls("00000099000000030000", "Ander", {"localhost"});
  EXPECT_TRUE(clients.identify(store, passed(other)));
  clock_.move(std::chrono::hours(72));
  EXPECT_EQ(clients.identify(store, passed(other)).error().code, "SEC.CRL.VERLOPEN");
}

// SEC-051
TEST_F(CertificatesTest, ProxiesAreNamedByTheirCertificates) {
  const auto first = pki_.tls(own_oin, "Stad"), second = pki_.tls(own_oin, "Stad");
  write("proxy.pem", first.certificate.pem() + second.certificate.pem());
  EXPECT_THAT(*proxy_certificates((folder_ / "proxy.pem").string()), ElementsAre(first.certificate->sha256, second.certificate->sha256));
  EXPECT_EQ(proxy_certificates((folder_ / "absent.pem").string()).error().code, "config.invalid");
}

}  // namespace
}  // namespace schakel::server
