#include "security/keys.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "own_authority.hpp"

namespace schakel {
namespace {

namespace fs = std::filesystem;
using security::KeyPair;
using security::RotationState;

class Keys : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "schakel-keys-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, BytesView bytes, mode_t mode = 0600) const {
    const auto path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << bytes;
    ::chmod(path.c_str(), mode);
    return path;
  }

  fs::path folder_;
};

const test::OwnAuthority& root() {
  static const test::OwnAuthority made{{.name = "Root TEST"}};
  return made;
}
const test::OwnAuthority& below() {
  static const test::OwnAuthority made{{.name = "TSP TEST"}, &root()};
  return made;
}
const security::PrivateKey& own_key() {
  static const auto key = test::rsa(3072);
  return key;
}
const security::Certificate& own_certificate() {
  static const auto certificate = below().leaf({}, own_key().get());
  return certificate;
}
std::string code_of(const auto& result) {
  return result ? std::string("accepted") : result.error().code;
}

// SEC-071: A15
TEST_F(Keys, AFileThatOthersMayTouchIsRefused) {
  const auto pem = security::private_key_pem(own_key().get()).value();
  EXPECT_EQ(security::read_private_file(write("own.key", pem)).value(), pem);
  for (const mode_t mode : {0644, 0640, 0604, 0660, 0610})
    EXPECT_EQ(code_of(security::read_private_file(write("open.key", pem, mode))), "SEC.SLEUTEL.RECHTEN") << mode;
  const auto certificates = write("own.pem", own_certificate().pem(), 0644);
  EXPECT_EQ(code_of(security::load_key_pair({.certificates = certificates, .key = (folder_ / "open.key").string(), .passphrase = {}})),
            "SEC.SLEUTEL.RECHTEN");
  EXPECT_TRUE(security::load_key_pair({.certificates = certificates, .key = (folder_ / "own.key").string(), .passphrase = {}}));
}

// SEC-071
TEST_F(Keys, ADirectoryThatOthersMayEnterIsRefused) {
  const auto path = write("own.key", "secret");
  ::chmod(folder_.c_str(), 0755);
  EXPECT_EQ(code_of(security::read_private_file(path)), "SEC.SLEUTEL.RECHTEN");
  ::chmod(folder_.c_str(), 0700);
  EXPECT_TRUE(security::read_private_file(path));
}

// SEC-071
TEST_F(Keys, AFileOfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const auto path = write("own.key", "secret");
  ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
  EXPECT_EQ(code_of(security::read_private_file(path)), "SEC.SLEUTEL.RECHTEN");
}

TEST_F(Keys, WhatIsNoFileCannotBeRead) {
  EXPECT_EQ(code_of(security::read_private_file((folder_ / "absent").string())), "SEC.SLEUTEL.ONLEESBAAR");
  EXPECT_EQ(code_of(security::read_private_file(folder_.string())), "SEC.SLEUTEL.ONLEESBAAR");
  EXPECT_EQ(code_of(security::load_key_pair({.certificates = (folder_ / "absent").string(),
                                             .key = write("k", security::private_key_pem(own_key().get()).value()),
                                             .passphrase = {}})),
            "SEC.SLEUTEL.ONLEESBAAR");
}

TEST_F(Keys, AWrittenSecretIsItsOwnersOnly) {
  const auto path = (folder_ / "new.key").string();
  ASSERT_TRUE(security::write_private_file(path, "one"));
  ASSERT_TRUE(security::write_private_file(path, "two"));
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_EQ(security::read_private_file(path).value(), "two");
  EXPECT_EQ(code_of(security::write_private_file((folder_ / "no" / "such").string(), "x")), "SEC.SLEUTEL.ONLEESBAAR");
}

// SEC-070
TEST_F(Keys, PemPkcs8AndPkcs12AreRead) {
  const auto plain = security::private_key_pem(own_key().get()).value();
  const auto locked = security::private_key_pem(own_key().get(), "correct horse battery").value();
  EXPECT_NE(locked.find("ENCRYPTED PRIVATE KEY"), std::string::npos);
  const auto chain = own_certificate().pem() + root().certificate.pem() + below().certificate.pem();
  for (const auto& [key, passphrase] : {std::pair{plain, ""}, std::pair{locked, "correct horse battery"}}) {
    const auto pair = KeyPair::from_pem(chain, key, passphrase);
    ASSERT_TRUE(pair) << pair.error().detail;
    EXPECT_EQ((*pair)->certificate(), own_certificate());
    // SEC-009: leaf to domain, in order, without the root.
    EXPECT_EQ((*pair)->chain(), std::vector{below().certificate});
  }
  EXPECT_EQ(code_of(security::parse_private_key(locked)), "SEC.SLEUTEL.ONLEESBAAR");
  EXPECT_EQ(code_of(security::parse_private_key(locked, "wrong")), "SEC.SLEUTEL.ONLEESBAAR");
  EXPECT_EQ(code_of(security::parse_private_key("garbage")), "SEC.SLEUTEL.ONLEESBAAR");
  EXPECT_EQ(code_of(security::parse_private_key("")), "SEC.SLEUTEL.ONLEESBAAR");

  const auto issued = test::pki().tls("00000099000000001000", "Gemeente TEST");
  ASSERT_TRUE(security::TestPki::save(issued, folder_.string(), "sixteen characters"));
  const auto p12 = (folder_ / "ee" / (issued.name + ".p12")).string();
  const auto from_p12 = security::load_key_pair({.certificates = {}, .key = p12, .passphrase = "sixteen characters"});
  ASSERT_TRUE(from_p12) << from_p12.error().detail;
  EXPECT_EQ((*from_p12)->certificate(), issued.certificate);
  EXPECT_EQ((*from_p12)->chain(), issued.chain);
  EXPECT_EQ(code_of(security::load_key_pair({.certificates = {}, .key = p12, .passphrase = "wrong"})), "SEC.SLEUTEL.ONLEESBAAR");
  EXPECT_EQ(code_of(KeyPair::from_pkcs12("0garbage", "x")), "SEC.SLEUTEL.ONLEESBAAR");
}

TEST_F(Keys, AKeyInATokenNeedsTokens) {
  EXPECT_EQ(code_of(security::load_key_pair({.certificates = "x", .key = "pkcs11:token=schakel;object=tls", .passphrase = {}})),
            "SEC.SLEUTEL.PKCS11");
}

// SEC-072
TEST_F(Keys, AKeyMustBelongToItsCertificate) {
  const auto other = test::rsa(3072);
  EXPECT_EQ(code_of(KeyPair::make(other, own_certificate(), {})), "SEC.SLEUTEL.MISMATCH");
  EXPECT_EQ(code_of(KeyPair::make(nullptr, own_certificate(), {})), "SEC.SLEUTEL.ONLEESBAAR");
  const auto key = write("other.key", security::private_key_pem(other.get()).value());
  EXPECT_EQ(code_of(security::load_key_pair({.certificates = write("own.pem", own_certificate().pem()), .key = key, .passphrase = {}})),
            "SEC.SLEUTEL.MISMATCH");
}

// SEC-072: PEM, DER and PKCS#7 certificates.
TEST_F(Keys, CertificatesMayComeAsDerOrPkcs7) {
  const auto key = write("own.key", security::private_key_pem(own_key().get()).value());
  const auto der = security::load_key_pair({.certificates = write("own.cer", own_certificate()->der), .key = key, .passphrase = {}});
  ASSERT_TRUE(der) << der.error().detail;

  const auto pem = write("all.pem", below().certificate.pem() + own_certificate().pem());
  const auto p7b = (folder_ / "all.p7b").string();
  for (const auto* form : {"DER", "PEM"}) {
    ASSERT_EQ(std::system(("openssl crl2pkcs7 -nocrl -certfile " + pem + " -outform " + form + " -out " + p7b).c_str()), 0);
    const auto pkcs7 = security::load_key_pair({.certificates = p7b, .key = key, .passphrase = {}});
    ASSERT_TRUE(pkcs7) << pkcs7.error().detail;
    EXPECT_EQ((*pkcs7)->certificate(), own_certificate());
    EXPECT_EQ((*pkcs7)->chain(), std::vector{below().certificate});
  }
}

// SEC-072
TEST_F(Keys, ARequestCarriesTheNamesOfTheOrganisation) {
  const security::RequestPlan plan{.organisation = "Gemeente Voorbeeldstad",
                                   .organisational_unit = "",
                                   .common_name = "dk.voorbeeldstad.test",
                                   .oin = "00000099000000001000",
                                   .hosts = {"dk.voorbeeldstad.test"}};
  const auto request = security::make_request(plan, own_key().get()).value();
  const auto path = write("own.csr", request);
  const auto out = (folder_ / "text").string();
  ASSERT_EQ(std::system(("openssl req -inform DER -verify -noout -text -nameopt RFC2253 -in " + path + " >" + out + " 2>&1").c_str()), 0);
  std::ifstream in(out);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_NE(text.find("Subject: serialNumber=00000099000000001000,CN=dk.voorbeeldstad.test,O=Gemeente Voorbeeldstad,C=NL"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("DNS:dk.voorbeeldstad.test"), std::string::npos);
  EXPECT_NE(text.find("rsassaPss"), std::string::npos);
  EXPECT_NE(text.find("Salt Length: 0x40"), std::string::npos);
  EXPECT_NE(text.find("verify OK"), std::string::npos);

  EXPECT_TRUE(security::public_key_of_request(request));
  Bytes changed = request;
  changed[changed.size() - 5] = static_cast<char>(changed[changed.size() - 5] ^ 1);
  EXPECT_EQ(code_of(security::public_key_of_request(changed)), "pki.invalid");
  EXPECT_EQ(code_of(security::public_key_of_request("nothing")), "pki.invalid");
  EXPECT_EQ(code_of(security::make_request(
                {.organisation = "x", .organisational_unit = "", .common_name = "x", .oin = "x", .hosts = {"*.x"}}, own_key().get())),
            "pki.invalid");
}

// SEC-073
TEST_F(Keys, ARenewalWithTheOldKeyIsSeen) {
  const auto again = below().leaf({}, own_key().get());
  const auto other = below().leaf({}, test::rsa(3072).get());
  EXPECT_TRUE(security::same_key(own_certificate(), again));
  EXPECT_FALSE(security::same_key(own_certificate(), other));
}

// SEC-074, SEC-077: the table of 3.5.
TEST(Rotation, GoesFromPreparedToRetired) {
  const Instant start = std::chrono::sys_days(std::chrono::year(2026) / 3 / 1);
  const std::chrono::days day(1);
  const security::Rotation rotation{
      .active_from = start + 2 * day, .succeeded_at = start + 100 * day, .revoked_at = std::nullopt, .not_after = start + 397 * day};
  EXPECT_EQ(security::rotation_state(rotation, start), RotationState::prepared);
  EXPECT_EQ(security::rotation_state(rotation, start + 2 * day), RotationState::active);
  EXPECT_EQ(security::rotation_state(rotation, start + 99 * day), RotationState::active);
  EXPECT_EQ(security::rotation_state(rotation, start + 100 * day), RotationState::retiring);
  EXPECT_EQ(security::rotation_state(rotation, start + 129 * day), RotationState::retiring);
  EXPECT_EQ(security::rotation_state(rotation, start + 130 * day), RotationState::retired);

  auto alone = rotation;
  alone.succeeded_at.reset();
  EXPECT_EQ(security::rotation_state(alone, start + 397 * day), RotationState::active);
  EXPECT_EQ(security::rotation_state(alone, start + 398 * day), RotationState::retired);
  alone.revoked_at = start + 50 * day;
  EXPECT_EQ(security::rotation_state(alone, start + 49 * day), RotationState::active);
  EXPECT_EQ(security::rotation_state(alone, start + 50 * day), RotationState::retired);

  using security::KeyRights;
  EXPECT_EQ(security::key_rights(RotationState::prepared), (KeyRights{.decrypt = true}));
  EXPECT_EQ(security::key_rights(RotationState::active), (KeyRights{true, true, true, true}));
  EXPECT_EQ(security::key_rights(RotationState::retiring), (KeyRights{.decrypt = true}));
  EXPECT_EQ(security::key_rights(RotationState::retired), KeyRights{});
  EXPECT_EQ(security::to_string(RotationState::retiring), "retiring");
}

// SEC-076
TEST(Expiry, IsWarnedOfSixTimes) {
  const Instant end = std::chrono::sys_days(std::chrono::year(2028) / 11 / 13);
  const auto days_before = [&](int days) { return security::expiry_warning(end, end - std::chrono::days(days)); };
  EXPECT_EQ(days_before(91), std::nullopt);
  EXPECT_EQ(days_before(90), 90);
  EXPECT_EQ(days_before(61), 90);
  EXPECT_EQ(days_before(60), 60);
  EXPECT_EQ(days_before(30), 30);
  EXPECT_EQ(days_before(14), 14);
  EXPECT_EQ(days_before(7), 7);
  EXPECT_EQ(days_before(1), 1);
  EXPECT_EQ(days_before(-1), 0);
}

}  // namespace
}  // namespace schakel
