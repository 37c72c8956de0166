// A service with several partners, of whom one has settings of its own (WUS-108, WUS-149, WUS-172, WUS-173, WUS-322; wus.md 4.5, 4.6).
#include <openssl/bn.h>
#include <openssl/x509.h>

#include "integration/wus_by_hand.hpp"
#include "xmlsecurity/issuer_serial.hpp"

namespace schakel::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using wus::Profile;

class WusPartners : public ::testing::Test {
 protected:
  // One has settings of its own; the other has those of the service.
  static constexpr auto one_oin = "00000099000000510000", other_oin = "00000099000000520000";

  void SetUp() override {
    SCHAKEL_NEEDS_WUS_STANDARDS();
    two.backend.answers(answer("12345678"));
    for (const auto* profile : {"2W-be", "2W-be-S", "2W-be-SE"}) {
      if (!service_of(two.provider, service(profile)).is_null()) continue;
      load_service(two.provider, service(profile),
                   {{"role", "provider"},
                    {"ownOin", two.provider.options().oin},
                    {"profile", profile},
                    {"path", "/wus/" + service(profile)},
                    {"addresses", {two.address(service(profile))}},
                    {"grants", {{{"oin", one_oin}}, {{"oin", other_oin}}}},
                    {"backend", {{"url", two.backend.url()}}},
                    {"partners",
                     {{one_oin,
                       {{"acceptIndirectToken", true},
                        {"allowMissingKeyEncipherment", true},
                        {"securityInBe", "ignore"},
                        {"oaepDigest", "sha1"},
                        {"keyRef", "thumbprint"},
                        {"legacyCbc", "decrypt"},
                        {"legacyCbcUntil", to_rfc3339(SystemClock().now() + std::chrono::hours(1))}}}}}});
      for (auto* consumer : {&one, &other})
        ASSERT_TRUE(
            becomes([&] { return consumer->post(two.address(service(profile)), made(*consumer, profile).entity).status == 200U; }, 20s))
            << two.provider.log();
    }
  }
  static std::string service(const std::string& profile) { return "samen-" + profile; }
  wus::MessageToMake request(const ByHand& consumer, const std::string& profile) const {
    return consumer.request(two.address(service(profile)), question("12345678"));
  }
  static wus::Settings settings(const std::string& profile) { return ByHand::settings(wus::profile_from(profile).value()); }
  wus::MadeMessage made(const ByHand& consumer, const std::string& profile) const {
    return consumer.made(request(consumer, profile), settings(profile), two.provider.identity().certificate);
  }
  security::Issued identity(const std::string& oin) {
    return two.pki.with([&](test::Pki& shared) { return shared.tls(oin, "Partij"); });
  }
  RestAnswer post(ByHand& consumer, const std::string& profile, const std::string& entity) {
    return consumer.post(two.address(service(profile)), entity);
  }

  Chain& two = chain();
  ByHand one{two.pki, identity(one_oin), two.provider.options().oin}, other{two.pki, identity(other_oin), two.provider.options().oin};
};

// WUS-172: the exception is of one party.
TEST_F(WusPartners, AnOldCipherIsReadOfOneOnly) {
  auto cbc = settings("2W-be-SE");
  cbc.encryption_algorithm = xmlsecurity::ContentCipher::aes128_cbc;
  cbc.legacy_cbc = wus::LegacyCbc::both;
  cbc.legacy_cbc_until = SystemClock().now() + std::chrono::hours(1);
  const auto entity = [&](const ByHand& consumer) {
    return consumer.made(request(consumer, "2W-be-SE"), cbc, two.provider.identity().certificate).entity;
  };
  const auto accepted = post(one, "2W-be-SE", entity(one));
  EXPECT_EQ(accepted.status, 200U) << accepted.body;
  EXPECT_THAT(accepted.body, HasSubstr("aes256-gcm")) << "never sent";
  EXPECT_THAT(post(other, "2W-be-SE", entity(other)).body, HasSubstr("UnsupportedAlgorithm"));
}

// WUS-173, WUS-144: what is made for one party.
TEST_F(WusPartners, AnswersAreSecuredAsTheirReceiverNeedsThem) {
  const auto answered = [&](ByHand& consumer) {
    const auto request = made(consumer, "2W-be-SE");
    const auto answer = post(consumer, "2W-be-SE", request.entity);
    const auto read = consumer.read(answer, request, settings("2W-be-SE"));
    EXPECT_TRUE(read) << read.error().detail;
    return answer.body.substr(answer.body.find("<xenc:EncryptedKey"));
  };
  const auto to_one = answered(one), to_other = answered(other);
  EXPECT_THAT(to_one, HasSubstr("ThumbprintSHA1"));
  EXPECT_THAT(to_one.substr(0, to_one.find("<ds:KeyInfo")), Not(HasSubstr("DigestMethod")));
  EXPECT_THAT(to_other, HasSubstr("X509IssuerSerial"));
  EXPECT_THAT(to_other.substr(0, to_other.find("<ds:KeyInfo")), HasSubstr("xmlenc#sha256"));
}

// WUS-108
TEST_F(WusPartners, AnIndirectTokenIsTakenOfOneOnly) {
  const auto indirect = [&](const ByHand& consumer) {
    // KeyInfo is not signed: the reference to the token becomes the certificate's issuer and serial number.
    auto entity = made(consumer, "2W-be-S").entity;
    const auto begin = entity.find("<wsse:Reference URI="), end = entity.find("/>", begin) + 2;
    const auto& certificate = consumer.own().certificate;
    const std::unique_ptr<BIGNUM, void (*)(BIGNUM*)> serial(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate.native()), nullptr),
                                                            BN_free);
    const std::unique_ptr<char, void (*)(char*)> decimal(BN_bn2dec(serial.get()), [](char* text) { OPENSSL_free(text); });
    return entity.replace(begin, end - begin,
                          "<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>" + xml::escaped(xmlsecurity::issuer_name(certificate)) +
                              "</ds:X509IssuerName><ds:X509SerialNumber>" + decimal.get() +
                              "</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>");
  };
  const auto accepted = post(one, "2W-be-S", indirect(one));
  EXPECT_EQ(accepted.status, 200U) << accepted.body << two.provider.log();
  EXPECT_THAT(post(other, "2W-be-S", indirect(other)).body, HasSubstr("SecurityTokenUnavailable"));
}

// WUS-149: a signing certificate for which no answer could be encrypted.
TEST_F(WusPartners, AKeyUsageIsOverlookedOfOneOnly) {
  const auto signed_by_hand = [&](const ByHand& consumer, const std::string& oin) {
    const auto signing = two.pki.with([&](test::Pki& shared) {
      return shared.issue({.profile = security::PkiProfile::sign, .oin = oin, .organisation = "Partij", .kvk = "90000001", .hosts = {}});
    });
    auto make = request(consumer, "2W-be-SE");
    make.protection =
        wus::MessageToMake::Protection{.signer = signing.key_pair, .recipient = two.provider.identity().certificate, .confirmation = {}};
    SystemRandom random;
    return wus::make_message(make, settings("2W-be-SE"), SystemClock().now(), random).value().entity;
  };
  // The first message from below another CA waits for its revocation list.
  EXPECT_TRUE(becomes([&] { return post(one, "2W-be-SE", signed_by_hand(one, one_oin)).status == 200U; }, 20s)) << two.provider.log();
  EXPECT_THAT(post(other, "2W-be-SE", signed_by_hand(other, other_oin)).body, HasSubstr("UnsupportedSecurityToken"));
}

// 4.5: security_in_be
TEST_F(WusPartners, AnUnaskedSignatureIsIgnoredOfOneOnly) {
  const auto signed_for_be = [&](const ByHand& consumer) {
    return consumer.made(request(consumer, "2W-be"), settings("2W-be-S"), two.provider.identity().certificate).entity;
  };
  EXPECT_EQ(post(one, "2W-be", signed_for_be(one)).status, 200U);
  EXPECT_THAT(post(other, "2W-be", signed_for_be(other)).body, HasSubstr("DK0010"));
}

// Through an intermediary: what comes is read as the TLS party may send it, what goes is made as the signer needs it.
TEST_F(WusPartners, BehindAnIntermediaryTheSignerIsKnownOnlyAfterwards) {
  const KeptRoutes of_middle(two.middle), of_provider(two.provider);
  auto rows = of_provider.rows();
  rows.push_back({{"id", "naar-een"},
                  {"direction", "outbound"},
                  {"match", {{"toOin", one_oin}}},
                  {"target",
                   {{"kind", "intermediary"},
                    {"oin", two.middle.options().oin},
                    {"url", "https://localhost:" + std::to_string(two.middle.external_port()) + "/wus/een"}}}});
  put_routes(two.provider, rows);
  put_routes(two.middle, Json::array({{{"id", "samen"},
                                       {"direction", "inbound"},
                                       {"match", {{"protocol", "wus"}, {"toOin", two.provider.options().oin}}},
                                       {"mode", "transparent"},
                                       {"target", {{"kind", "partner"}, {"url", two.address(service("2W-be-SE"))}}}}}));
  const auto hop = "https://localhost:" + std::to_string(two.middle.external_port()) + "/wus/" + service("2W-be-SE");
  RestAnswer answered;
  wus::MadeMessage sent;
  ASSERT_TRUE(becomes(
      [&] {
        sent = made(one, "2W-be-SE");
        answered = one.post(hop, sent.entity);
        return answered.status == 200U;
      },
      20s))
      << answered.body << two.middle.log() << two.provider.log();
  EXPECT_EQ(two.backend.last().header("Schakel-Peer-Oin"), two.middle.options().oin);
  EXPECT_THAT(answered.body, HasSubstr("ThumbprintSHA1")) << "of the signer";
  auto cbc = settings("2W-be-SE");
  cbc.encryption_algorithm = xmlsecurity::ContentCipher::aes128_cbc;
  cbc.legacy_cbc = wus::LegacyCbc::both;
  cbc.legacy_cbc_until = SystemClock().now() + std::chrono::hours(1);
  const auto refused = one.post(hop, one.made(request(one, "2W-be-SE"), cbc, two.provider.identity().certificate).entity);
  EXPECT_THAT(refused.body, HasSubstr("UnsupportedAlgorithm")) << "the intermediary has no exception";
}

}  // namespace
}  // namespace schakel::integration
