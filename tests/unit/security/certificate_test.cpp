#include "security/certificate.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "own_authority.hpp"
#include "security/certificate_cache.hpp"
#include "security/trust.hpp"

namespace schakel {
namespace {

using security::Certificate;
using security::Name;
using test::LeafWishes;
using test::OwnAuthority;

const OwnAuthority& authority() {
  static const OwnAuthority made;
  return made;
}

Certificate with_subject(Name subject) {
  Name whole{{"C", "NL", V_ASN1_PRINTABLESTRING}};
  whole.insert(whole.end(), subject.begin(), subject.end());
  return authority().leaf({.subject = whole});
}

// SEC-007, OIN-020: security.md 3.2, as a single attribute, inside a multi-valued RDN, twice, with other string types.
TEST(OinInCertificate, IsReadExactly) {
  const std::string oin = "00000099000000001000";
  struct Case {
    std::string what;
    Name subject;
    std::string oin, refusal;
  };
  const std::vector<Case> cases = {
      {"single", {{"O", "A"}, {"serialNumber", oin, V_ASN1_PRINTABLESTRING}}, oin, ""},
      {"UTF8String", {{"O", "A"}, {"serialNumber", oin, V_ASN1_UTF8STRING}}, oin, ""},
      {"multi-valued RDN", {{"O", "A"}, {"CN", "B"}, {"serialNumber", oin, V_ASN1_PRINTABLESTRING, true}}, oin, ""},
      {"none", {{"O", "A"}, {"CN", oin}}, "", "SEC.OIN.ONTBREEKT"},
      {"in OU and organizationIdentifier only", {{"O", "A"}, {"OU", oin}, {"2.5.4.97", oin}}, "", "SEC.OIN.ONTBREEKT"},
      {"twice, different",
       {{"O", "A"}, {"serialNumber", oin, V_ASN1_PRINTABLESTRING}, {"serialNumber", "00000099000000002000", V_ASN1_PRINTABLESTRING}},
       "",
       "SEC.OIN.MEERVOUDIG"},
      {"twice, equal",
       {{"O", "A"}, {"serialNumber", oin, V_ASN1_PRINTABLESTRING}, {"serialNumber", oin, V_ASN1_PRINTABLESTRING}},
       "",
       "SEC.OIN.MEERVOUDIG"},
      {"twice in one RDN",
       {{"O", "A"}, {"serialNumber", oin, V_ASN1_PRINTABLESTRING}, {"serialNumber", "00000099000000002000", V_ASN1_PRINTABLESTRING, true}},
       "",
       "SEC.OIN.MEERVOUDIG"},
      {"IA5String", {{"O", "A"}, {"serialNumber", oin, V_ASN1_IA5STRING}}, "", "SEC.OIN.ONGELDIG"},
      {"T61String", {{"O", "A"}, {"serialNumber", oin, V_ASN1_T61STRING}}, "", "SEC.OIN.ONGELDIG"},
      {"19 digits", {{"O", "A"}, {"serialNumber", oin.substr(1), V_ASN1_PRINTABLESTRING}}, "", "SEC.OIN.ONGELDIG"},
      {"trailing space", {{"O", "A"}, {"serialNumber", oin.substr(1) + " ", V_ASN1_PRINTABLESTRING}}, "", "SEC.OIN.ONGELDIG"},
      {"two organisations", {{"O", "A"}, {"O", "B"}, {"serialNumber", oin, V_ASN1_PRINTABLESTRING}}, "", "SEC.OIN.ONGELDIG"},
  };
  for (const auto& item : cases) {
    const auto certificate = with_subject(item.subject);
    EXPECT_EQ(certificate->oin.oin, item.oin) << item.what;
    EXPECT_EQ(certificate->oin.refusal, item.refusal) << item.what;
  }
  const auto irregular = with_subject({{"O", "A"}, {"serialNumber", "00000003900000010001", V_ASN1_PRINTABLESTRING}});
  EXPECT_EQ(irregular->oin.oin, "00000003900000010001");
  EXPECT_TRUE(irregular->oin.irregular);
}

TEST(Certificate, ItsFieldsAreRead) {
  const auto certificate = authority().leaf({.crl_url = "http://crl.test/ca.crl"});
  EXPECT_EQ(certificate->version, 3);
  EXPECT_EQ(certificate->serial.size(), 40U);
  EXPECT_EQ(certificate->organisation, "Gemeente TEST");
  EXPECT_EQ(certificate->common_name, "TEST");
  EXPECT_EQ(certificate->subject, "serialNumber=00000099000000001000,CN=TEST,O=Gemeente TEST,C=NL");
  EXPECT_EQ(certificate->issuer, authority().certificate->subject);
  EXPECT_EQ(certificate->key.type, security::KeyType::rsa);
  EXPECT_EQ(certificate->key.bits, 3072);
  EXPECT_EQ(certificate->signature.name, "sha256WithRSAEncryption");
  EXPECT_EQ(certificate->key_usage, security::digital_signature | security::key_encipherment);
  EXPECT_TRUE(certificate->key_usage_critical);
  EXPECT_EQ(certificate->policies, (std::vector<std::string>{"2.16.528.1.1003.1.2.8.6"}));
  EXPECT_EQ(certificate->dns_names, (std::vector<std::string>{"localhost"}));
  EXPECT_EQ(certificate->crl_urls, (std::vector<std::string>{"http://crl.test/ca.crl"}));
  EXPECT_EQ(certificate->authority_key_id, authority().certificate->subject_key_id);
  EXPECT_EQ(certificate->sha256, sha256_hex(certificate->der));
  EXPECT_FALSE(certificate->is_ca);
  EXPECT_TRUE(authority().certificate->is_ca);
  EXPECT_EQ(certificate->not_after - certificate->not_before, std::chrono::days(30) + std::chrono::hours(1));
}

TEST(Certificate, SurvivesDerAndPem) {
  const auto leaf = authority().leaf();
  EXPECT_EQ(*Certificate::from_der(leaf->der), leaf);
  EXPECT_EQ(*Certificate::from_pem("some text first\n" + leaf.pem()), leaf);
  EXPECT_EQ(*Certificate::from_octets(leaf->der), leaf);
  EXPECT_EQ(*Certificate::from_octets(leaf.pem()), leaf);
  const std::vector both{leaf, authority().certificate};
  EXPECT_EQ(*Certificate::list_from_pem(security::to_pem(both)), both);
}

TEST(Certificate, DamagedOctetsAreRefusedNotRead) {
  const auto leaf = authority().leaf();
  const auto code = [](const Result<Certificate>& result) { return result ? std::string("accepted") : result.error().code; };
  EXPECT_EQ(code(Certificate::from_der("")), "SEC.PKI.ONLEESBAAR");
  EXPECT_EQ(code(Certificate::from_der("hello")), "SEC.PKI.ONLEESBAAR");
  EXPECT_EQ(code(Certificate::from_der(leaf->der + '\0')), "SEC.PKI.ONLEESBAAR");
  EXPECT_EQ(code(Certificate::from_der(Bytes(70'000, '\x30'))), "SEC.PKI.ONLEESBAAR");
  EXPECT_EQ(code(Certificate::from_pem("nothing here")), "SEC.PKI.ONLEESBAAR");
  EXPECT_FALSE(Certificate::list_from_pem(leaf.pem() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
  EXPECT_FALSE(Certificate::list_from_pkcs7("0garbage"));
  for (std::size_t cut = 0; cut < leaf->der.size(); cut += 7) EXPECT_FALSE(Certificate::from_der(BytesView(leaf->der).substr(0, cut)));
  // Any changed octet is either refused or gives another certificate; it never crashes.
  for (std::size_t at = 0; at < leaf->der.size(); at += 3) {
    Bytes changed = leaf->der;
    changed[at] = static_cast<char>(changed[at] ^ 0x41);
    const auto parsed = Certificate::from_der(changed);
    EXPECT_TRUE(!parsed || parsed->fields().sha256 != leaf->sha256);
  }
}

// SEC-015
TEST(HostName, MatchesADnsNameOnlyAndExactly) {
  const auto certificate = authority().leaf({.hosts = {"dk.voorbeeldstad.test", "XN--80AK6AA92E.test"}});
  EXPECT_TRUE(security::names_host(certificate, "dk.voorbeeldstad.test"));
  EXPECT_TRUE(security::names_host(certificate, "DK.Voorbeeldstad.TEST"));
  EXPECT_TRUE(security::names_host(certificate, "xn--80ak6aa92e.test"));
  EXPECT_FALSE(security::names_host(certificate, "voorbeeldstad.test"));
  EXPECT_FALSE(security::names_host(certificate, "www.dk.voorbeeldstad.test"));
  EXPECT_FALSE(security::names_host(certificate, "TEST"));  // the common name
  EXPECT_FALSE(security::names_host(certificate, ""));
  EXPECT_FALSE(security::names_host(certificate, "dk.voorbeeldstad.test."));
}

TEST(HostName, IsLettersDigitsHyphensAndDots) {
  for (const auto* name : {"localhost", "a.b", "a-b.c1", "1a.test", "xn--p1ai"}) EXPECT_TRUE(security::is_host_name(name)) << name;
  for (const auto* name : {"", ".", "a..b", "-a.b", "a-.b", "a.b-", "*.b", "a_b.c", "127.0.0.1", "[::1]", "::1", "a.b.", "a b", "a.123"})
    EXPECT_FALSE(security::is_host_name(name)) << name;
  EXPECT_FALSE(security::is_host_name(std::string(64, 'a') + ".nl"));
  EXPECT_FALSE(security::is_host_name(std::string("a\0b", 3)));
}

// SEC-010
TEST(SignatureAlgorithm, IsAllowedByTheListOnly) {
  using security::SigningScheme;
  EXPECT_TRUE(authority().leaf({.scheme = SigningScheme::pkcs1_sha256})->signature.allowed);
  const auto pss = authority().leaf({.scheme = SigningScheme::pss_sha512});
  EXPECT_TRUE(pss->signature.allowed);
  EXPECT_EQ(pss->signature.name, "RSASSA-PSS SHA512");
  const auto sha1 = authority().leaf({.scheme = SigningScheme::pkcs1_sha1});
  EXPECT_FALSE(sha1->signature.allowed);
  EXPECT_NE(sha1->signature.objection, "");
}

// SEC-002: the compiled-in fingerprints are those of the published certificates.
TEST(ProductionAnchors, ArePinnedByTheirFingerprints) {
  std::ifstream in(SCHAKEL_SOURCE_DIR "/../shared/standards/security/pkioverheid-anchors.pem");
  if (!in) GTEST_SKIP() << "the official data are not here";
  const std::string pem((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const auto list = Certificate::list_from_pem(pem).value();
  ASSERT_EQ(list.size(), security::production_authorities().size());
  for (const auto& certificate : list) {
    const auto pin = std::ranges::find(security::production_authorities(), certificate->sha256, &security::PinnedAuthority::sha256);
    ASSERT_NE(pin, security::production_authorities().end()) << certificate->subject;
    EXPECT_EQ(pin->common_name, certificate->common_name);
    EXPECT_EQ(pin->root, certificate->self_issued);
    EXPECT_EQ(certificate->key.bits, 4096);
  }
}

// What can be read is parsed once and shared; what cannot is an error each time.
TEST(CertificateCache, ParsesOnce) {
  security::CertificateCache cache;
  const auto leaf = authority().leaf({}), other = authority().leaf({});
  const auto first = cache.from_der(leaf->der), again = cache.from_der(leaf->der);
  ASSERT_TRUE(first && again);
  EXPECT_EQ(*first, leaf);
  EXPECT_EQ(first->native(), again->native()) << "parsed twice";
  EXPECT_EQ(*cache.from_der(other->der), other);
  for (int round = 0; round < 2; ++round) EXPECT_EQ(cache.from_der("hello").error().code, "SEC.PKI.ONLEESBAAR");
}

}  // namespace
}  // namespace schakel
