#include "xmlsecurity/issuer_serial.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "unit/xmlsecurity/keys.hpp"

namespace schakel::xmlsecurity {
namespace {

struct Attribute {
  const char* type;
  std::string text;
  bool same_rdn = false;
};

security::Certificate issued_by(const std::vector<Attribute>& attributes, BytesView serial = "\x01") {
  const security::X509Ptr certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  const security::BigNumberPtr number(BN_bin2bn(security::octets(serial), static_cast<int>(serial.size()), nullptr));
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get()));
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  for (const auto& [type, text, same_rdn] : attributes)
    X509_NAME_add_entry_by_txt(X509_get_issuer_name(certificate.get()), type, MBSTRING_UTF8, security::octets(text),
                               static_cast<int>(text.size()), -1, same_rdn ? -1 : 0);
  X509_set_pubkey(certificate.get(), test::rsa().key.get());
  X509_sign(certificate.get(), test::rsa().key.get(), EVP_sha256());
  return security::Certificate::from_native(certificate.get()).value();
}

TEST(IssuerNames, AreThoseOfRfc2253) {  // WUS-144, WUS-145
  EXPECT_EQ(issuer_name(issued_by({{"C", "NL"}, {"O", "Schakel Test"}, {"2.5.4.97", "NTRNL-90000001"}, {"CN", "Schakel Test Issuing CA"}})),
            "CN=Schakel Test Issuing CA,2.5.4.97=#0c0e4e54524e4c2d3930303030303031,O=Schakel Test,C=NL");
  EXPECT_EQ(issuer_name(issued_by({{"DC", "example"}, {"UID", "u"}, {"OU", "Afdeling"}, {"serialNumber", "1"}})),
            "2.5.4.5=#130131,OU=Afdeling,UID=u,DC=example");
}

TEST(IssuerNames, EscapeWhatWouldEndAValue) {
  EXPECT_EQ(issuer_name(issued_by({{"CN", " #a,b+c\"d\\e<f>g;h "}})), "CN=\\ #a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h\\ ");
  EXPECT_EQ(issuer_name(issued_by({{"CN", "#a"}})), "CN=\\#a");
  EXPECT_EQ(issuer_name(issued_by({{"CN", "Café"}})), "CN=Café");
  EXPECT_EQ(issuer_name(issued_by({{"CN", std::string("a\x01\n", 3)}})), "CN=a\\01\\0a");
}

TEST(IssuerNames, JoinTheAttributesOfOneRdn) {
  EXPECT_EQ(issuer_name(issued_by({{"C", "NL"}, {"O", "a"}, {"CN", "b", true}, {"L", "c"}})), "L=c,CN=b+O=a,C=NL");
}

TEST(SerialNumbers, AreDecimalOfAnyLength) {  // WUS-145
  EXPECT_EQ(serial_number(issued_by({{"CN", "a"}})), "1");
  EXPECT_EQ(serial_number(issued_by({{"CN", "a"}}, std::string(20, '\x7F'))), "727885129180488904360266563744972327436484050815");
}

}  // namespace
}  // namespace schakel::xmlsecurity
