#include "security/pki.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/json_library.hpp"
#include "own_authority.hpp"
#include "security/grade.hpp"
#include "support/pki.hpp"

namespace schakel {
namespace {

namespace fs = std::filesystem;
using security::PkiProfile;
using security::TestPki;
using security::Usage;

constexpr auto stad = "00000099000000001000";

std::string code_of(const auto& result) {
  return result ? std::string("accepted") : result.error().code;
}
std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "schakel-pki-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  fs::path path;
};

struct BadSet {
  Instant now = test::start();
  test::Pki pki;
  std::vector<security::NegativeCase> cases;
  std::shared_ptr<security::TrustStore> trust;

  BadSet() : cases(pki.authority().negative(now).value()), trust(pki.trust()) {
    for (const auto& item : cases) {
      // Its CAs become known when somebody presents them; then their lists are fetched. An expired list was valid when it was fetched.
      trust->learn(trust->verify_path(item.chain, item.usage, now));
      for (const auto& [name, crl] : item.crls) (void)trust->install_crl(crl, item.id == "N27" ? now - std::chrono::hours(2) : now);
    }
  }
};
BadSet& bad_set() {
  static BadSet set;
  return set;
}

std::string outcome(const security::NegativeCase& item) {
  auto& set = bad_set();
  const auto verdict = set.trust->verify_path(item.chain, item.usage, set.now);
  if (!verdict.ok()) return verdict.reason;
  if (!item.host.empty() && !security::names_host(verdict.path.front(), item.host)) return "SEC.TLS.HOSTNAAM";
  return security::peer_identity(verdict, security::TrustProfile::test).refusal;
}

// What `openssl verify` says of a leaf, with all CRLs and our intermediates.
bool openssl_accepts(const fs::path& folder, const fs::path& leaf, const fs::path& chain, const std::string& purpose) {
  const auto command = "openssl verify -x509_strict -crl_check_all -policy_check -auth_level 2 -purpose " + purpose + " -CAfile " +
                       (folder / "anchors.pem").string() + " -CRLfile " + (folder / "crls.pem").string() + " -untrusted " +
                       (folder / "intermediates.pem").string() + " -untrusted " + chain.string() + " " + leaf.string() + " >/dev/null 2>&1";
  return std::system(command.c_str()) == 0;
}
void write_crls(const fs::path& folder) {
  std::ofstream out(folder / "crls.pem");
  for (const auto& entry : fs::directory_iterator(folder / "crl")) {
    const auto base64 = to_base64(read(entry.path()));
    out << "-----BEGIN X509 CRL-----\n";
    for (std::size_t at = 0; at < base64.size(); at += 64) out << base64.substr(at, 64) << "\n";
    out << "-----END X509 CRL-----\n";
  }
}

// SEC-131, 2.8.4; A5, A6, A7
TEST(TestPki, EveryBadCertificateIsRefusedForItsOwnReason) {
  ASSERT_EQ(bad_set().cases.size(), 32U);
  for (const auto& item : bad_set().cases) EXPECT_EQ(outcome(item), item.expected) << item.id << " " << item.description;
}

// SEC-130, SEC-132: A22, the independent judge.
TEST(TestPki, OpensslAgreesAboutTheValidAndTheBrokenOnes) {
  Folder folder;
  auto& set = bad_set();
  ASSERT_TRUE(set.pki.authority().save(folder.path.string()));
  ASSERT_TRUE(TestPki::save(set.cases, folder.path.string()));
  write_crls(folder.path);
  for (const auto profile : {PkiProfile::tls, PkiProfile::auth, PkiProfile::sign, PkiProfile::enc, PkiProfile::g1_server}) {
    const bool server = profile == PkiProfile::tls || profile == PkiProfile::g1_server;
    const auto issued = set.pki.issue({.profile = profile,
                                       .oin = stad,
                                       .organisation = "Gemeente TEST",
                                       .kvk = "90000001",
                                       .hosts = server ? std::vector<std::string>{"localhost"} : std::vector<std::string>{}});
    ASSERT_TRUE(TestPki::save(issued, folder.path.string()));
    const auto base = folder.path / "ee" / issued.name;
    EXPECT_TRUE(openssl_accepts(folder.path, base.string() + ".pem", base.string() + ".chain.pem",
                                server || profile == PkiProfile::auth ? "sslclient" : "any"))
        << issued.name;
    if (server) {
      EXPECT_TRUE(openssl_accepts(folder.path, base.string() + ".pem", base.string() + ".chain.pem", "sslserver")) << issued.name;
    }
  }
  // OpenSSL knows nothing of the OIN, policies by use, or our host rule; what breaks RFC 5280 it must see as we do.
  for (const auto& item : set.cases) {
    const auto base = (folder.path / "negative" / item.id).string();
    const bool ours_only = item.expected.empty() || item.expected.starts_with("SEC.OIN.") || item.expected == "SEC.TLS.HOSTNAAM" ||
                           item.expected == "SEC.PKI.POLICY" || item.id == "N14" || item.id == "N32";
    const bool accepted =
        openssl_accepts(folder.path, base + ".pem", base + ".chain.pem", item.usage == Usage::tls_client ? "sslclient" : "sslserver");
    if (item.expected.empty()) {
      EXPECT_TRUE(accepted) << item.id;
    } else if (!ours_only) {
      EXPECT_FALSE(accepted) << item.id << " " << item.description;
    }
  }
}

// SEC-130, 2.8.1, 2.8.2
TEST(TestPki, LooksLikeBothGenerations) {
  auto& pki = test::pki().authority();
  const std::vector<std::string> expected{"g4-tls-root",  "g4-tls-domain", "g4-tls-tsp", "g4-other-root", "g4-other-domain",
                                          "g4-other-tsp", "g1-root",       "g1-domain",  "g1-tsp"};
  EXPECT_EQ(pki.authorities(), expected);
  for (const auto& id : expected) {
    const auto& ca = pki.authority(id);
    const bool g1 = id.starts_with("g1"), root = id.ends_with("root"), tsp = id.ends_with("tsp");
    EXPECT_TRUE(contains(ca->subject, "TEST"));
    EXPECT_FALSE(contains(ca->subject, "Staat der Nederlanden"));
    EXPECT_TRUE(ca->is_ca);
    EXPECT_EQ(ca->path_length, tsp ? std::optional<long>(0) : std::nullopt);
    EXPECT_EQ(ca->key_usage, security::key_cert_sign | security::crl_sign | (g1 ? 0U : security::digital_signature));
    EXPECT_EQ(ca->signature.name, g1 ? "sha256WithRSAEncryption" : "RSASSA-PSS SHA512");
    EXPECT_EQ(ca->serial.size(), 40U);
    EXPECT_EQ(ca->subject_key_id.size(), 20U);
    EXPECT_EQ(ca->has_extended_key_usage, !root && !g1);
    EXPECT_EQ(ca->has_policies, !root);
    const auto generation = id.substr(0, id.rfind('-'));
    const auto issuer = root ? id : tsp ? generation + "-domain" : generation + "-root";
    EXPECT_EQ(ca->authority_key_id, pki.authority(issuer)->subject_key_id);
    if (root) {
      EXPECT_EQ(std::chrono::round<std::chrono::days>(ca->not_after - ca->not_before).count() / 365, 13);
      EXPECT_TRUE(ca->crl_urls.empty());
    } else {
      EXPECT_EQ(pki.authority(issuer)->not_after - ca->not_after, std::chrono::days(1));
      EXPECT_EQ(ca->crl_urls, std::vector{"http://127.0.0.1:8089/crl/" + issuer + ".crl"});
      EXPECT_EQ(ca->ca_issuer_urls, std::vector{"http://127.0.0.1:8089/certs/" + issuer + ".cer"});
    }
  }
  EXPECT_EQ(pki.authority("g4-tls-tsp")->subject,
            "CN=Schakel TEST TSP - G4 PKIo Priv G-TLS SYS - 2026,organizationIdentifier=NTRNL-99999990,O=Schakel TEST TSP - not for "
            "Production use,C=NL");

  const auto leaf = test::pki().tls(stad, "Gemeente Voorbeeldstad", {"localhost", "dk.voorbeeldstad.test"}).certificate;
  EXPECT_EQ(
      leaf->subject,
      "serialNumber=00000099000000001000,organizationIdentifier=NTRNL-90000001,CN=Gemeente Voorbeeldstad,O=Gemeente Voorbeeldstad,C=NL");
  EXPECT_EQ(leaf->policies, (std::vector<std::string>{"0.4.0.2042.1.1", "2.16.528.1.1003.1.2.41.15.35.11"}));
  EXPECT_EQ(leaf->extended_key_usage, (std::vector<std::string>{"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"}));
  EXPECT_EQ(leaf->key.bits, 3072);
  EXPECT_EQ(leaf->not_after - leaf->not_before, std::chrono::days(397));
  EXPECT_TRUE(contains(to_hex(leaf->der), "3017301506082b06010505070b023009060704008bec490102"));
  const auto g1 = test::pki().g1(stad, "Gemeente Voorbeeldstad", {"dk.voorbeeldstad.test"}).certificate;
  EXPECT_EQ(g1->common_name, "dk.voorbeeldstad.test");
  EXPECT_EQ(g1->policies, std::vector<std::string>{"2.16.528.1.1003.1.2.8.6"});
  EXPECT_EQ(g1->not_after - g1->not_before, std::chrono::days(1095));
  const auto part = test::pki()
                        .issue({.profile = PkiProfile::auth,
                                .oin = "00000004900000017000",
                                .organisation = "Gemeente",
                                .kvk = "90000001",
                                .organisational_unit = "Belastingen"})
                        .certificate;
  EXPECT_EQ(part->organisational_unit, "Belastingen");
}

// SEC-130: 2.8.3
TEST(TestPki, LivesInAFolderAndComesBack) {
  Folder folder;
  test::Pki made;
  const auto issued = made.tls(stad, "Gemeente TEST"), revoked = made.tls(stad, "Gemeente TEST");
  EXPECT_EQ(issued.name, "tls-00000099000000001000");
  EXPECT_EQ(revoked.name, "tls-00000099000000001000-2");
  const auto now = test::start();
  ASSERT_TRUE(made.authority().revoke(revoked.certificate->serial, 4, now));
  ASSERT_TRUE(made.authority().save(folder.path.string()));
  ASSERT_TRUE(TestPki::save(issued, folder.path.string(), "sixteen characters"));
  const auto mode = [&](const fs::path& path) {
    struct stat status {};
    ::stat((folder.path / path).c_str(), &status);
    return status.st_mode & 0777;
  };
  for (const auto* file : {"ca/g4-tls-tsp.key", "ee/tls-00000099000000001000.key", "ee/tls-00000099000000001000.p12"})
    EXPECT_EQ(mode(file), 0600U) << file;
  EXPECT_EQ(mode("ca"), 0700U);
  for (const auto* file : {"ca/g1-root.cer", "ca/g1-root.pem", "crl/g1-tsp.crl", "ee/tls-00000099000000001000.pem",
                           "ee/tls-00000099000000001000.chain.pem", "anchors.pem", "intermediates.pem"})
    EXPECT_GT(fs::file_size(folder.path / file), 100U) << file;
  const auto index = nlohmann::json::parse(read(folder.path / "index.json"));
  ASSERT_EQ(index.at("certificates").size(), 2U);
  EXPECT_EQ(index.at("certificates")[0].at("oin"), stad);
  EXPECT_EQ(index.at("certificates")[1].at("status"), "revoked");

  auto opened = TestPki::open(folder.path.string(), [](int bits) { return test::shelf().take(bits); }).value();
  EXPECT_EQ(opened.crls(), made.authority().crls());
  EXPECT_EQ(opened.anchors_pem(), made.authority().anchors_pem());
  EXPECT_EQ(opened.intermediates_pem(), made.authority().intermediates_pem());
  // It goes on where it was: CRL numbers grow, names are not taken twice, revocations stay.
  ASSERT_TRUE(opened.renew_crls(now));
  const auto before = security::parse_crl(made.authority().crls().at("g4-tls-tsp")).value(),
             after = security::parse_crl(opened.crls().at("g4-tls-tsp")).value();
  EXPECT_EQ(static_cast<unsigned char>(after->number.back()), static_cast<unsigned char>(before->number.back()) + 1);
  EXPECT_EQ(after->find(revoked.certificate->serial)->reason, 4);
  const auto third =
      opened
          .issue({.profile = PkiProfile::tls, .oin = stad, .organisation = "Gemeente TEST", .kvk = "90000001", .hosts = {"localhost"}}, now)
          .value();
  EXPECT_EQ(third.name, "tls-00000099000000001000-3");

  EXPECT_EQ(code_of(TestPki::open((folder.path / "nowhere").string())), "pki.invalid");
  fs::permissions(folder.path / "ca" / "g1-tsp.key", fs::perms(0644));
  EXPECT_EQ(code_of(TestPki::open(folder.path.string())), "SEC.SLEUTEL.RECHTEN");
  fs::permissions(folder.path / "ca" / "g1-tsp.key", fs::perms(0600));
  std::ofstream(folder.path / "index.json") << "{\"generation\":\"both\"}";
  EXPECT_EQ(code_of(TestPki::open(folder.path.string())), "pki.invalid");
  std::ofstream(folder.path / "index.json") << "not json";
  EXPECT_EQ(code_of(TestPki::open(folder.path.string())), "pki.invalid");
}

// SEC-131: what `pki serve` answers.
TEST(TestPki, ServesListsAndCertificates) {
  auto& pki = test::pki().authority();
  const auto crl = pki.serve("/crl/g4-tls-tsp.crl");
  ASSERT_TRUE(crl);
  EXPECT_EQ(crl->media_type, "application/pkix-crl");
  EXPECT_EQ(crl->body, pki.crls().at("g4-tls-tsp"));
  const auto certificate = pki.serve("/certs/g1-root.cer");
  ASSERT_TRUE(certificate);
  EXPECT_EQ(certificate->media_type, "application/pkix-cert");
  EXPECT_EQ(certificate->body, pki.authority("g1-root")->der);
  for (const auto* path : {"/", "/crl/", "/crl/.crl", "/crl/none.crl", "/crl/g4-tls-tsp.cer", "/certs/g1-root.crl",
                           "/crl/../ca/g1-root.key", "/ca/g1-root.key", ""})
    EXPECT_FALSE(pki.serve(path)) << path;
}

// SEC-131
TEST(TestPki, RevokesAndRenews) {
  test::Pki made("http://127.0.0.1:8089", security::PkiGeneration::g1);
  const auto now = test::start();
  const auto issued = made.g1(stad, "Gemeente TEST");
  EXPECT_EQ(code_of(made.authority().revoke("00ff", 1, now)), "pki.unknown");
  EXPECT_EQ(code_of(made.authority().revoke(made.authority().authority("g1-root")->serial, 1, now)), "pki.unknown");
  EXPECT_TRUE(made.authority().revoke(issued.certificate->serial, 1, now));
  EXPECT_TRUE(made.authority().revoke(issued.certificate->serial, 1, now));  // twice is once
  EXPECT_EQ(security::parse_crl(made.authority().crls().at("g1-tsp")).value()->revoked.size(), 1U);
  EXPECT_EQ(code_of(made.authority().renew_crls(now, TestPki::crl_life, "g9-root")), "pki.unknown");
  ASSERT_TRUE(made.authority().renew_crls(now, std::chrono::seconds(36), "g1-tsp"));
  const auto list = security::parse_crl(made.authority().crls().at("g1-tsp")).value();
  EXPECT_EQ(*list->next_update - list->this_update, std::chrono::seconds(36));
  EXPECT_EQ(code_of(security::parse_revocation_reason("keyCompromise")), "accepted");
  EXPECT_EQ(code_of(security::parse_revocation_reason("certificateHold")), "pki.invalid");
  EXPECT_EQ(code_of(made.authority().negative(now)), "pki.invalid");
}

// SEC-130
TEST(TestPki, RefusesWrongRequests) {
  auto& pki = test::pki().authority();
  const auto now = test::start();
  const security::IssueRequest good{
      .profile = PkiProfile::tls, .oin = stad, .organisation = "Gemeente", .kvk = "90000001", .hosts = {"localhost"}};
  const auto changed = [&](auto change) {
    auto request = good;
    change(request);
    return code_of(pki.issue(request, now));
  };
  EXPECT_EQ(changed([](auto& r) { r.oin = "123"; }), "pki.invalid");
  EXPECT_EQ(changed([](auto& r) { r.organisation.clear(); }), "pki.invalid");
  EXPECT_EQ(changed([](auto& r) { r.kvk = "1234567"; }), "pki.invalid");
  EXPECT_EQ(changed([](auto& r) { r.hosts.clear(); }), "pki.invalid");
  EXPECT_EQ(changed([](auto& r) { r.hosts = {"*.test"}; }), "pki.invalid");
  EXPECT_EQ(changed([](auto& r) { r.profile = PkiProfile::sign; }), "pki.invalid");
  EXPECT_EQ(changed([](auto& r) { r.certificate_request = "garbage"; }), "pki.invalid");
  for (const auto* url : {"https://x", "http://x/", "ftp://x", "http://x,URI:http://y"})
    EXPECT_EQ(code_of(TestPki::init({.base_url = url}, now)), "pki.invalid") << url;
  EXPECT_EQ(code_of(security::parse_pki_profile("person")), "pki.invalid");
  EXPECT_EQ(code_of(security::parse_pki_generation("g5")), "pki.invalid");
  test::Pki g1_only("http://127.0.0.1:8089", security::PkiGeneration::g1);
  EXPECT_EQ(code_of(g1_only.authority().issue(good, now)), "pki.invalid");
}

// SEC-072
TEST(TestPki, IssuesOnACertificateRequest) {
  const auto key = test::rsa(3072);
  const auto request =
      security::make_request(
          {.organisation = "Gemeente", .organisational_unit = "", .common_name = "x", .oin = stad, .hosts = {"localhost"}}, key.get())
          .value();
  const auto issued = test::pki().issue({.profile = PkiProfile::tls,
                                         .oin = stad,
                                         .organisation = "Gemeente",
                                         .kvk = "90000001",
                                         .hosts = {"localhost"},
                                         .certificate_request = request});
  EXPECT_EQ(issued.key_pair, nullptr);
  EXPECT_TRUE(security::matches(key.get(), issued.certificate));
  EXPECT_TRUE(security::KeyPair::make(key, issued.certificate, issued.chain));
}

}  // namespace
}  // namespace schakel
