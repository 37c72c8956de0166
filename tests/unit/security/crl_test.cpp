#include "security/crl.hpp"

#include <gtest/gtest.h>

#include "own_authority.hpp"

namespace schakel {
namespace {

using security::CrlScope;
using security::CrlState;
using test::OwnAuthority;

const Instant now = std::chrono::floor<std::chrono::seconds>(test::start());

const OwnAuthority& authority() {
  static const OwnAuthority made({}, nullptr, now);
  return made;
}
security::CrlPtr parsed(BytesView der) {
  return security::parse_crl(der).value();
}
std::string refusal(const Bytes& der, const security::Crl* stored = nullptr, Instant at = now, const OwnAuthority& issuer = authority()) {
  const auto crl = security::parse_crl(der);
  if (!crl) return crl.error().detail;
  const auto verdict = security::check_crl(**crl, issuer.certificate, stored, at);
  if (verdict) return "";
  EXPECT_EQ(verdict.error().code, "SEC.CRL.GEWEIGERD");
  return verdict.error().detail;
}
bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// A list with one more extension, signed anew.
Bytes with_extension(const std::string& oid, bool critical, const Bytes& der) {
  const auto base = authority().crl();
  const unsigned char* at = security::octets(base);
  const security::X509CrlPtr list(d2i_X509_CRL(nullptr, &at, static_cast<long>(base.size())));
  const security::Asn1ObjectPtr type(OBJ_txt2obj(oid.c_str(), 1));
  const security::Asn1OctetsPtr value(ASN1_OCTET_STRING_new());
  ASN1_OCTET_STRING_set(value.get(), security::octets(der), static_cast<int>(der.size()));
  X509_EXTENSION* extension = X509_EXTENSION_create_by_OBJ(nullptr, type.get(), critical ? 1 : 0, value.get());
  X509_CRL_add_ext(list.get(), extension, -1);
  X509_EXTENSION_free(extension);
  X509_CRL_sign(list.get(), authority().key.get(), EVP_sha256());
  return security::der_of(list.get(), i2d_X509_CRL);
}
const std::string scope_oid = "2.5.29.28";

// SEC-021, 3.3
TEST(Crl, AGoodListIsAccepted) {
  auto plan = authority().crl_plan(7);
  plan.entries = {{"0a0b0c", now - std::chrono::hours(1), 1}, {"ff01", now - std::chrono::hours(2), 0}};
  const auto crl = parsed(authority().crl(plan));
  EXPECT_EQ(refusal(crl->der), "");
  EXPECT_EQ(crl->version, 2);
  EXPECT_EQ(crl->number, Bytes(1, '\7'));
  ASSERT_NE(crl->find("0a0b0c"), nullptr);
  EXPECT_EQ(crl->find("0a0b0c")->reason, 1);
  EXPECT_EQ(crl->find("0a0b0c")->at, now - std::chrono::hours(1));
  EXPECT_NE(crl->find("ff01"), nullptr);
  EXPECT_EQ(crl->find("0a0b0d"), nullptr);
}

TEST(Crl, PemIsReadToo) {
  const auto der = authority().crl();
  const auto base64 = to_base64(der);
  std::string pem = "-----BEGIN X509 CRL-----\n";
  for (std::size_t at = 0; at < base64.size(); at += 64) pem += base64.substr(at, 64) + "\n";
  EXPECT_EQ(parsed(pem + "-----END X509 CRL-----\n")->sha256, sha256_hex(der));
}

// 3.3: accept only when …
TEST(Crl, IsRefusedForEachRule) {
  const OwnAuthority stranger({.name = "Other TEST"}, nullptr, now), same_name({}, nullptr, now),
      no_crl_sign({.name = "No cRLSign TEST", .key_usage = "critical,keyCertSign"}, nullptr, now);
  EXPECT_TRUE(contains(refusal(stranger.crl()), "issued by"));
  EXPECT_TRUE(contains(refusal(same_name.crl()), "authorityKeyIdentifier"));
  auto plan = same_name.crl_plan();
  plan.authority_key_id = authority().certificate->subject_key_id;
  EXPECT_TRUE(contains(refusal(same_name.crl(plan)), "does not verify"));
  EXPECT_TRUE(contains(refusal(no_crl_sign.crl(), nullptr, now, no_crl_sign), "may not sign CRLs"));

  plan = authority().crl_plan();
  plan.this_update = now + std::chrono::minutes(5);
  EXPECT_EQ(refusal(authority().crl(plan)), "");
  plan.this_update = now + std::chrono::minutes(5) + std::chrono::seconds(1);
  EXPECT_TRUE(contains(refusal(authority().crl(plan)), "future"));
  EXPECT_TRUE(contains(refusal(authority().crl(), nullptr, now + std::chrono::hours(48)), "expired"));
  EXPECT_EQ(refusal(authority().crl(), nullptr, now + std::chrono::hours(48) - std::chrono::seconds(1)), "");

  const auto weak = security::issue_crl(authority().crl_plan(), authority().key.get(), security::SigningScheme::pkcs1_sha1).value();
  EXPECT_TRUE(contains(refusal(weak), "signed with"));
  EXPECT_TRUE(contains(refusal(with_extension("1.2.3.4", true, Bytes("\5\0", 2))), "unknown critical extension"));
  EXPECT_EQ(refusal(with_extension("1.2.3.4", false, Bytes("\5\0", 2))), "");
  EXPECT_TRUE(contains(refusal(with_extension("2.5.29.27", true, Bytes("\2\1\1", 3))), "delta"));
  EXPECT_TRUE(contains(refusal(with_extension(scope_oid, true, Bytes("\x30\x03\x84\x01\xff", 5))), "indirect"));
  EXPECT_TRUE(contains(refusal(with_extension(scope_oid, true, Bytes("\x30\x04\x83\x02\x06\x40", 6))), "reasons"));
  EXPECT_TRUE(contains(refusal(with_extension(scope_oid, true, Bytes("\x30\x03\x85\x01\xff", 5))), "attribute"));
  EXPECT_TRUE(contains(refusal(with_extension(scope_oid, true, Bytes("\x30\x06\x81\x01\xff\x82\x01\xff", 8))), "nothing"));
}

// 3.3: TERUGGEDRAAID
TEST(Crl, ANumberThatGoesBackIsRefused) {
  const auto stored = parsed(authority().crl(300));
  EXPECT_TRUE(contains(refusal(authority().crl(299), stored.get()), "TERUGGEDRAAID"));
  EXPECT_TRUE(contains(refusal(authority().crl(43), stored.get()), "TERUGGEDRAAID"));
  EXPECT_EQ(refusal(authority().crl(300), stored.get()), "");
  EXPECT_EQ(refusal(authority().crl(70000), stored.get()), "");
}

TEST(Crl, DamagedOctetsAreRefused) {
  const auto der = authority().crl();
  EXPECT_FALSE(security::parse_crl(""));
  EXPECT_FALSE(security::parse_crl("0"));
  EXPECT_FALSE(security::parse_crl("<html>not found</html>"));
  EXPECT_FALSE(security::parse_crl(der + "x"));
  for (std::size_t cut = 1; cut < der.size(); cut += 5) EXPECT_FALSE(security::parse_crl(BytesView(der).substr(0, cut)));
  Bytes changed = der;
  changed[changed.size() - 10] = static_cast<char>(changed[changed.size() - 10] ^ 1);
  EXPECT_TRUE(contains(refusal(changed), "does not verify"));
}

// 3.3: an IssuingDistributionPoint that restricts the scope is honoured.
TEST(Crl, SpeaksOnlyOfItsScope) {
  const auto leaf = authority().leaf({.crl_url = "http://crl.test/1.crl"});
  const auto users = parsed(with_extension(scope_oid, true, Bytes("\x30\x03\x81\x01\xff", 5)));
  EXPECT_EQ(users->scope, CrlScope::user_certificates);
  EXPECT_TRUE(users->covers(leaf.fields()));
  EXPECT_FALSE(users->covers(authority().certificate.fields()));
  const auto authorities = parsed(with_extension(scope_oid, true, Bytes("\x30\x03\x82\x01\xff", 5)));
  EXPECT_FALSE(authorities->covers(leaf.fields()));
  EXPECT_TRUE(authorities->covers(authority().certificate.fields()));
  EXPECT_FALSE(users->same_series(*authorities));
}

// SEC-021, 3.3: the four states.
TEST(Crl, ItsStateFollowsTimeAndTheLastFetch) {
  const auto crl = parsed(authority().crl());
  EXPECT_EQ(security::crl_state(nullptr, false, now), CrlState::none);
  EXPECT_EQ(security::crl_state(crl.get(), false, now), CrlState::valid);
  EXPECT_EQ(security::crl_state(crl.get(), true, now), CrlState::stale);
  EXPECT_EQ(security::crl_state(crl.get(), false, *crl->next_update - std::chrono::microseconds(1)), CrlState::valid);
  EXPECT_EQ(security::crl_state(crl.get(), false, *crl->next_update), CrlState::expired);
}

// SEC-022, 3.3
TEST(Crl, FetchingBacksOff) {
  const auto refresh = std::chrono::hours(1);
  const auto minutes_after = [&](int failures) {
    return std::chrono::duration_cast<std::chrono::minutes>(security::next_crl_fetch(now, failures, refresh) - now).count();
  };
  EXPECT_EQ(minutes_after(0), 60);
  EXPECT_EQ(minutes_after(1), 1);
  EXPECT_EQ(minutes_after(2), 2);
  EXPECT_EQ(minutes_after(3), 4);
  EXPECT_EQ(minutes_after(4), 8);
  EXPECT_EQ(minutes_after(5), 15);
  EXPECT_EQ(minutes_after(500), 15);
}

}  // namespace
}  // namespace schakel
