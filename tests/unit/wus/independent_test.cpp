// What we make, judged by others: the official schemas, xmlsec1, the JDK (wus.md acceptance 3 and 4).
#include "support/jdk.hpp"
#include "unit/wus/made_by_xmlsec1.hpp"
#include "unit/wus/official_schema.hpp"
#include "unit/wus/parties.hpp"
#include "xmlsecurity/signature.hpp"

namespace schakel::wus {
namespace {

using namespace testing;
using xmlsecurity::ContentCipher;
using xmlsecurity::SignatureMethod;

constexpr std::array signature_methods{SignatureMethod::rsa_sha256, SignatureMethod::rsa_sha384, SignatureMethod::rsa_sha512};
constexpr std::array key_references{KeyReference::issuer_serial, KeyReference::ski, KeyReference::thumbprint, KeyReference::bst};

// Every combination of settings that changes what a secured message looks like.
template <class Visit>
void each_setting(Profile profile, const Visit& visit) {
  for (const auto method : signature_methods) {
    for (const bool prefixes : {false, true}) {
      Settings settings = settings_of(profile);
      settings.signature_algorithm = method;
      settings.inclusive_prefixes = prefixes;
      if (profile != Profile::be_se) {
        visit(settings);
        continue;
      }
      for (const auto cipher : {ContentCipher::aes256_gcm, ContentCipher::aes128_gcm}) {
        for (const auto reference : key_references) {
          settings.encryption_algorithm = cipher;
          settings.key_ref = reference;
          visit(settings);
        }
      }
    }
  }
}

MessageToMake confirming(const Settings& settings) {
  auto make = protect(response(), settings);
  if (make.protection) make.protection->confirmation = Bytes(256, 'x');
  return make;
}

// --- the official schemas
// --------------------------------------------------------------------------------------------------------------------

class OfficialSchemas : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!schema.loaded()) GTEST_SKIP() << "the official schemas are not beside the repository (../shared/standards/wus)";
  }
  // libxml2 reads an xs:integer of at most 24 digits; serial numbers of PKIoverheid have more, and are integers all the same.
  bool accepts(std::string text) const {
    constexpr std::size_t digits_max = 24;
    const Span serial = span_of(text, "<ds:X509SerialNumber>", "</ds:X509SerialNumber>");
    if (serial.size != 0) {
      const auto digits = serial.begin + std::string_view("<ds:X509SerialNumber>").size();
      const auto end = text.find_first_not_of("0123456789", digits);
      if (text[end] == '<' && end - digits > digits_max) text.erase(digits + digits_max, end - digits - digits_max);
    }
    return schema.accepts(text);
  }
  const OfficialSchema schema;
};

TEST_F(OfficialSchemas, AcceptEveryEnvelope) {  // WUS-020, WUS-100, WUS-142, WUS-143; acceptance 3
  for (const auto profile : {Profile::be, Profile::be_s, Profile::be_se}) {
    each_setting(profile, [&](const Settings& settings) {
      EXPECT_TRUE(accepts(sealed(settings).entity)) << schema.said();
      EXPECT_TRUE(accepts(made(confirming(settings), settings).entity)) << schema.said();
    });
  }
  auto broken = sealed(settings_of(Profile::be_s)).entity;
  broken.replace(broken.find("wsu:Created"), 11, "wsu:Ceated_");
  EXPECT_FALSE(accepts(broken)) << "this test can fail";
}

TEST_F(OfficialSchemas, AcceptFaults) {  // 3.5
  const auto fault =
      "<soapenv:Fault><faultcode>soapenv:Client</faultcode><faultstring>DK0001: Invalide soap envelope</faultstring></soapenv:Fault>";
  for (const auto profile : {Profile::be, Profile::be_s, Profile::be_se}) {
    const auto settings = settings_of(profile);
    EXPECT_TRUE(accepts(made(protect(response(fault), settings), settings).entity)) << schema.said();
    EXPECT_TRUE(accepts(made(response(fault), settings).entity)) << schema.said();
  }
}

// --- xmlsec1
// ---------------------------------------------------------------------------------------------------------------------------------

class ByXmlsec1 : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!WusXmlsec1::installed()) GTEST_SKIP() << "xmlsec1 is not installed";
  }
  WusXmlsec1 xmlsec1;
};

TEST_F(ByXmlsec1, OurSignaturesVerify) {  // WUS-104, WUS-106, WUS-107, WUS-171; acceptance 4
  each_setting(Profile::be_s, [&](const Settings& settings) {
    auto text = sealed(settings).entity;
    EXPECT_TRUE(xmlsec1.verifies(text, consumer()->certificate())) << xmlsec1.said();
    EXPECT_FALSE(xmlsec1.verifies(text, provider()->certificate()));
    text.replace(text.find("12345678"), 8, "12345679");
    EXPECT_FALSE(xmlsec1.verifies(text, consumer()->certificate()));
    const auto answer = made(confirming(settings), settings).entity;
    EXPECT_TRUE(xmlsec1.verifies(answer, consumer()->certificate())) << xmlsec1.said();
  });
}

TEST_F(ByXmlsec1, OurEncryptedMessagesDecryptAndVerify) {  // WUS-140, WUS-141, WUS-144, WUS-172, WUS-173; acceptance 4
  auto se = settings_of(Profile::be_se);
  se.oaep_digest.reset();
  EXPECT_FALSE(xmlsec1.decrypted(sealed(se).entity, consumer()->key())) << "this test can fail";
  each_setting(Profile::be_se, [&](Settings settings) {
    settings.oaep_digest.reset();  // xmlsec1 1.2 knows OAEP with SHA-1 only; the JDK reads the other below
    const auto plain = xmlsec1.decrypted(sealed(settings).entity, provider()->key());
    ASSERT_TRUE(plain) << xmlsec1.said();
    EXPECT_NE(plain->find(question()), std::string::npos);
    EXPECT_TRUE(xmlsec1.verifies(*plain, consumer()->certificate())) << xmlsec1.said();
  });
}

TEST_F(ByXmlsec1, ItSignsTheSameMessageWithTheSameValue) {  // WUS-104, WUS-107; acceptance 4
  each_setting(Profile::be_s, [&](const Settings& settings) {
    const auto message = sealed(settings);
    const auto theirs = xmlsec1.signed_anew(message.entity, consumer()->key());
    ASSERT_TRUE(theirs) << xmlsec1.said();
    auto squeezed = *theirs;
    std::erase(squeezed, '\n');
    EXPECT_NE(squeezed.find("<ds:SignatureValue>" + to_base64(message.signature_value)), std::string::npos)
        << "RSA with PKCS#1 has one value for one SignedInfo";
  });
}

TEST_F(ByXmlsec1, ItEncryptsMessagesOfOurShape) {  // WUS-142, WUS-143
  const auto settings = settings_of(Profile::be_s);
  const auto message = sealed(settings).entity;
  for (const auto cipher : {ContentCipher::aes256_gcm, ContentCipher::aes128_gcm}) {
    const auto theirs = xmlsec1.encrypted(message, provider()->certificate(), cipher, "<wsse:SecurityTokenReference/>");
    ASSERT_TRUE(theirs) << xmlsec1.said();
    EXPECT_EQ(theirs->find("inschrijfnummer"), std::string::npos);
    EXPECT_LT(theirs->find("<xenc:EncryptedKey"), theirs->find("<ds:Signature"));
    const auto plain = xmlsec1.decrypted(*theirs, provider()->key());
    ASSERT_TRUE(plain) << xmlsec1.said();
    EXPECT_TRUE(xmlsec1.verifies(*plain, consumer()->certificate())) << xmlsec1.said();
  }
}

// --- the JDK
// ---------------------------------------------------------------------------------------------------------------------------------

class ByTheJdk : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!test::Jdk::installed()) GTEST_SKIP() << "no JDK is installed";
    ASSERT_TRUE(jdk.compile(SCHAKEL_SOURCE_DIR "/tests/unit/wus/VerifyWus.java")) << jdk.said();
  }
  std::string judged(const std::string& envelope, const security::Certificate& signer, EVP_PKEY* recipient) {
    auto arguments = "VerifyWus " + jdk.file("message.xml", envelope) + jdk.file("signer.pem", signer.pem());
    if (recipient != nullptr) arguments += jdk.file("key.pem", security::private_key_pem(recipient).value());
    return jdk.run(arguments);
  }
  test::Jdk jdk;
};

TEST_F(ByTheJdk, OurMessagesDecryptAndVerify) {  // WUS-104, WUS-171, WUS-172, WUS-173; acceptance 4
  for (const bool prefixes : {false, true}) {
    for (const auto method : signature_methods) {
      Settings settings = settings_of(Profile::be_s);
      settings.inclusive_prefixes = prefixes;
      settings.signature_algorithm = method;
      EXPECT_EQ(judged(made(confirming(settings), settings).entity, consumer()->certificate(), nullptr), "valid 7");
    }
    Settings settings = settings_of(Profile::be_se);
    settings.inclusive_prefixes = prefixes;
    if (prefixes) settings.encryption_algorithm = ContentCipher::aes128_gcm;
    EXPECT_EQ(judged(sealed(settings).entity, consumer()->certificate(), provider()->key()), "valid 7");
  }
  auto changed = sealed(settings_of(Profile::be_s)).entity;
  changed.replace(changed.find("12345678"), 8, "12345679");
  EXPECT_EQ(judged(changed, consumer()->certificate(), nullptr), "not valid") << "this test can fail";
}

}  // namespace
}  // namespace schakel::wus
