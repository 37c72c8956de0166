// Own certificates and those of partners behind a proxy: which are used, what is found about them, and what follows when a key is lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>

#include "integration/cpa_document.hpp"
#include "server/emergency.hpp"
#include "server/inventory.hpp"
#include "server/offloaded_clients.hpp"
#include "server/own_certificates.hpp"
#include "support/pki.hpp"
#include "unit/security/own_authority.hpp"

namespace schakel::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
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
  EXPECT_EQ(emergency_plan(compromised, *load(keys), none).error().code, "state.conflict");
  add("second");
  tenant_.certificates.back().purposes = {"tls-server"};
  const auto half = emergency_plan(compromised, *load(keys), none);
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
  const auto plan =
      emergency_plan(*present->certificate("stad", lost.certificate->sha256), *after, cpa::Contracts(std::move(contracts), {}, {}, {}));
  ASSERT_TRUE(plan) << plan.error().detail;
  EXPECT_EQ((*plan)["publicKeySha256"], key_sha256(lost.certificate));
  EXPECT_EQ((*plan)["successors"][0]["sha256"], next.certificate->sha256);
  ASSERT_EQ((*plan)["report"].size(), 2U) << plan->dump();
  EXPECT_EQ((*plan)["report"][0]["to"], "tsp");
  EXPECT_EQ((*plan)["report"][0]["serial"], lost.certificate->serial);
  EXPECT_EQ((*plan)["report"][1]["oin"], partner_oin);
  EXPECT_EQ((*plan)["report"][1]["cpaId"], "cpa-bound");
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
