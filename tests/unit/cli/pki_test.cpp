#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "fake_shell.hpp"
#include "security/certificate.hpp"
#include "security/crl.hpp"

namespace schakel::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

// One PKI for all tests of this file: making its keys takes seconds. Tests work on a copy.
class Pki : public Terminal {
 protected:
  static void SetUpTestSuite() {
    auto name = (std::filesystem::temp_directory_path() / "schakel-pki-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    original = name;
    Maker maker;
    ASSERT_EQ(maker.make(original / "pki"), 0);
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(original); }

  Pki() {
    dir = (folder / "pki").string();
    std::filesystem::copy(original / "pki", dir, std::filesystem::copy_options::recursive);
  }

  struct Maker : Terminal {
    void TestBody() override {}
    int make(const std::filesystem::path& path) {
      const int exit = run({"pki", "init", "--dir", path.string(), "--generation", "g4", "--fast", "--base-url", "http://127.0.0.1:18089"});
      made = out.str() + err.str();
      return exit;
    }
    std::string made;
  };

  int issue(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{
        "pki",   "issue",    "--dir", dir,        "--oin", "00000099000000010000", "--org", "Gemeente Voorbeeldstad",
        "--kvk", "12345678", "--dns", "localhost"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  std::string in(const std::string& name) const { return dir + "/" + name; }

  static inline std::filesystem::path original;
  std::string dir;
};

// SEC-130
TEST_F(Pki, init_makes_anchors_intermediates_and_lists_named_TEST) {
  for (const auto* name : {"anchors.pem", "intermediates.pem", "index.json", "ca/g4-tls-tsp.key", "crl/g4-tls-tsp.crl"})
    EXPECT_TRUE(std::filesystem::exists(in(name))) << name;
  const auto anchor = security::Certificate::from_pem(content_of(in("anchors.pem")));
  ASSERT_TRUE(anchor);
  EXPECT_THAT((*anchor)->subject, HasSubstr("TEST"));
}

TEST_F(Pki, init_does_not_overwrite_another_one) {
  EXPECT_EQ(run({"pki", "init", "--dir", dir}), 1);
  EXPECT_THAT(err.str(), HasSubstr("file.exists"));
  EXPECT_EQ(run({"pki", "init", "--dir", (folder / "other").string(), "--generation", "g9"}), 1);
}

// SEC-130, SEC-071: the key is the owner's only.
TEST_F(Pki, issue_makes_a_certificate_with_the_oin_and_a_private_key_file) {
  EXPECT_EQ(issue({"--json"}), 0) << err.str();
  const auto facts = Json::parse(out.str());
  const auto certificate = security::Certificate::from_pem(content_of(facts["certificate"].get<std::string>()));
  ASSERT_TRUE(certificate);
  EXPECT_EQ((*certificate)->oin.oin, "00000099000000010000");
  EXPECT_EQ((*certificate)->dns_names, std::vector<std::string>{"localhost"});
  struct stat status {};
  ASSERT_EQ(::stat(facts["key"].get<std::string>().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 077U, 0U);
  EXPECT_FALSE(facts.contains("pkcs12"));
}

// SEC-071: the passphrase comes from a private file and is not shown.
TEST_F(Pki, issue_writes_pkcs12_under_a_passphrase_from_a_private_file_only) {
  const auto pass = file("pass", "zeer-geheim\n");
  std::filesystem::permissions(
      pass, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write | std::filesystem::perms::others_read);
  EXPECT_EQ(issue({"--p12-pass-file", pass}), 1);
  EXPECT_THAT(err.str(), HasSubstr("SEC.SLEUTEL.RECHTEN"));
  std::filesystem::permissions(pass, std::filesystem::perms::owner_read);
  EXPECT_EQ(issue({"--p12-pass-file", pass, "--json"}), 0) << err.str();
  EXPECT_TRUE(std::filesystem::exists(Json::parse(out.str())["pkcs12"].get<std::string>()));
  EXPECT_THAT(out.str() + err.str(), Not(HasSubstr("geheim")));
}

TEST_F(Pki, issue_tells_what_is_wrong_with_a_request) {
  EXPECT_EQ(run({"pki", "issue", "--dir", dir, "--org", "X", "--kvk", "12345678"}), 2);
  EXPECT_EQ(issue({"--profile", "vip"}), 1);
  EXPECT_EQ(run({"pki", "issue", "--dir", dir, "--oin", "123", "--org", "X", "--kvk", "12345678", "--dns", "localhost"}), 1);
  EXPECT_EQ(run({"pki", "issue", "--dir", (folder / "absent").string(), "--oin", "00000099000000010000", "--org", "X", "--kvk", "12345678",
                 "--dns", "localhost"}),
            1);
  EXPECT_THAT(err.str(), HasSubstr("schakel pki init"));
}

// SEC-131
TEST_F(Pki, revoke_puts_the_serial_on_a_new_list) {
  ASSERT_EQ(issue({"--json"}), 0) << err.str();
  const auto certificate = Json::parse(out.str())["certificate"].get<std::string>();
  const auto before = content_of(in("crl/g4-tls-tsp.crl"));
  EXPECT_EQ(run({"pki", "revoke", "--dir", dir, "--cert", certificate, "--reason", "keyCompromise"}), 0) << err.str();
  EXPECT_NE(content_of(in("crl/g4-tls-tsp.crl")), before);
  EXPECT_EQ(run({"pki", "revoke", "--dir", dir, "--cert", certificate, "--reason", "boredom"}), 1);
  EXPECT_EQ(run({"pki", "revoke", "--dir", dir, "--serial", "ffff", "--reason", "superseded"}), 1);
  EXPECT_EQ(run({"pki", "revoke", "--dir", dir, "--reason", "superseded"}), 2);
}

// SEC-131
TEST_F(Pki, crl_renews_the_lists) {
  const auto before = content_of(in("crl/g4-tls-root.crl"));
  EXPECT_EQ(run({"pki", "crl", "--dir", dir, "--hours", "24"}), 0) << err.str();
  EXPECT_NE(content_of(in("crl/g4-tls-root.crl")), before);
  EXPECT_EQ(run({"pki", "crl", "--dir", dir, "--hours", "0"}), 2);
}

// SEC-132: findings with the SEC id; exit code 5 only for onvoldoende and fout.
TEST_F(Pki, inspect_grades_a_certificate_by_rule) {
  ASSERT_EQ(issue({"--json"}), 0) << err.str();
  const auto chain = Json::parse(out.str())["chain"].get<std::string>();
  EXPECT_EQ(run({"pki", "inspect", chain}), 0) << out.str() << err.str();
  EXPECT_THAT(out.str(), HasSubstr("SEC-007"));
  EXPECT_THAT(out.str(), HasSubstr("OIN 00000099000000010000"));
  EXPECT_EQ(run({"pki", "inspect", chain, "--profile", "production", "--json"}), 5);
  const auto findings = Json::parse(out.str());
  EXPECT_TRUE(std::any_of(findings.begin(), findings.end(),
                          [](const Json& finding) { return finding["rule"] == "SEC-067" && finding["verdict"] == "fout"; }));
}

// SEC-132
TEST_F(Pki, inspect_checks_path_and_revocation_with_anchors) {
  ASSERT_EQ(issue({"--json"}), 0) << err.str();
  const auto issued = Json::parse(out.str());
  const auto chain = issued["chain"].get<std::string>();
  const std::vector<std::string> with_trust{"pki",
                                            "inspect",
                                            chain,
                                            "--anchors",
                                            in("anchors.pem"),
                                            "--intermediates",
                                            in("intermediates.pem"),
                                            "--crl",
                                            in("crl/g4-tls-root.crl"),
                                            "--crl",
                                            in("crl/g4-tls-domain.crl"),
                                            "--crl",
                                            in("crl/g4-tls-tsp.crl")};
  EXPECT_EQ(run(with_trust), 0) << out.str() << err.str();
  EXPECT_THAT(out.str(), HasSubstr("none revoked"));
  ASSERT_EQ(run({"pki", "revoke", "--dir", dir, "--serial", issued["serial"].get<std::string>(), "--reason", "superseded"}), 0);
  EXPECT_EQ(run(with_trust), 5);
  EXPECT_THAT(out.str(), HasSubstr("SEC.PKI.INGETROKKEN"));
  EXPECT_EQ(run({"pki", "inspect", chain, "--crl", in("crl/g4-tls-root.crl")}), 2);
}

TEST_F(Pki, inspect_refuses_what_is_no_certificate) {
  EXPECT_EQ(run({"pki", "inspect", in("ca/g4-tls-tsp.key")}), 2);
  EXPECT_EQ(run({"pki", "inspect", in("index.json")}), 1);
  EXPECT_EQ(run({"pki", "inspect", in("absent")}), 1);
  EXPECT_EQ(run({"pki", "inspect", in("anchors.pem"), "--usage", "magic"}), 2);
  EXPECT_EQ(run({"pki", "inspect", in("anchors.pem"), "--profile", "acceptance"}), 2);
}

}  // namespace
}  // namespace schakel::cli
