// What one side makes, the other opens: every profile, size, form, signature method, cipher and key reference (wus.md section 6: row 2).
#include <gmock/gmock.h>

#include "unit/wus/parties.hpp"
#include "wus/message.hpp"
#include "wus/opening.hpp"

namespace schakel::wus {
namespace {

using namespace testing;
using xmlsecurity::ContentCipher;
using xmlsecurity::SignatureMethod;

constexpr std::size_t KiB = limits::KiB, MiB = limits::MiB;

// Trust is another test's.
OpeningKeys keys_of(const PairPtr& own) {
  return {.judge =
              [](std::span<const security::Certificate> chain) {
                return security::Verdict{.reason = {}, .detail = {}, .path = {chain.begin(), chain.end()}, .policy = {}};
              },
          .decryption = {own}};
}
Bytes canonical(xml::Element element) {
  return xml::canonicalise(element).value();
}
Bytes payload_as_made(const std::string& body) {
  const auto document = xml::Document::parse(body, {.bytes_max = 64 * MiB}).value();
  return canonical(document.root());
}
std::string attachment(std::size_t size) {
  std::string octets(size, '\0');
  std::uint32_t seed = 7;
  for (auto& octet : octets) octet = static_cast<char>((seed = seed * 1664525U + 1013904223U) >> 24U);
  return to_base64(octets);
}

class RoundTrip : public ::testing::Test {
 protected:
  struct Form {
    const char* name;
    std::string body;
    bool mtom;
  };
  // The consumer asks, the provider answers with the same body; both must find what the other put in.
  static void exchange(const Form& form, const Settings& settings) {
    SCOPED_TRACE(std::string(to_string(settings.profile)) + " " + form.name);
    const auto expected = payload_as_made(form.body);
    const bool secured = settings.profile != Profile::be;
    auto make = protect(request(form.body), settings);
    make.mtom = form.mtom;
    if (form.mtom) make.binary_elements = {attachment_position};
    const auto sent = made(make, settings);
    EXPECT_EQ(sent.content_type.starts_with("multipart/related"), form.mtom);
    SystemRandom random;
    auto received = read_message(sent.entity, sent.content_type, settings, Kind::request);
    ASSERT_TRUE(received) << received.error().detail;
    const auto opened = open(*received, settings, Kind::request, keys_of(provider()), nullptr, at, random);
    ASSERT_TRUE(opened) << opened.error().code << ": " << opened.error().detail;
    EXPECT_TRUE(canonical(received->payload) == expected);

    auto reply = response(form.body);
    reply.mtom = form.mtom;
    reply.binary_elements = make.binary_elements;
    if (secured) {
      reply.protection =
          MessageToMake::Protection{.signer = provider(), .recipient = std::nullopt, .confirmation = opened->signature_value};
      if (settings.profile == Profile::be_se) reply.protection->recipient = opened->signer;
    }
    const auto answered = made(reply, settings);
    auto answer = read_message(answered.entity, answered.content_type, settings, Kind::response);
    ASSERT_TRUE(answer) << answer.error().detail;
    const Expectation expectation{
        .request_signature_value = sent.signature_value, .signer_oins = {provider()->certificate()->oin.oin}, .is_own = {}};
    const auto verified = open(*answer, settings, Kind::response, keys_of(consumer()), secured ? &expectation : nullptr, at, random);
    ASSERT_TRUE(verified) << verified.error().code << ": " << verified.error().detail;
    EXPECT_TRUE(canonical(answer->payload) == expected);
  }
  // All combinations that the profile knows.
  static void each_setting(Profile profile, const std::function<void(const Settings&)>& visit) {
    for (const auto method : {SignatureMethod::rsa_sha256, SignatureMethod::rsa_sha384, SignatureMethod::rsa_sha512}) {
      for (const auto cipher : {ContentCipher::aes128_gcm, ContentCipher::aes256_gcm}) {
        for (const auto reference : {KeyReference::issuer_serial, KeyReference::ski, KeyReference::thumbprint, KeyReference::bst}) {
          auto settings = settings_of(profile);
          settings.mtom = Mtom::optional;
          settings.signature_algorithm = method;
          settings.encryption_algorithm = cipher;
          settings.key_ref = reference;
          visit(settings);
          if (profile != Profile::be_se) break;
        }
        if (profile != Profile::be_se) break;
      }
      if (profile == Profile::be) break;
    }
  }
};

// WUS-104, WUS-140..146, WUS-170..173, WUS-180..184, WUS-202
TEST_F(RoundTrip, GivesThePayloadBackInEverySetting) {
  const std::vector<Form> forms{{"inline", question(), false},
                                {"1 KiB inline", notification(attachment(KiB)), false},
                                {"1 KiB as a part", notification(attachment(KiB)), true},
                                {"1 MiB inline", notification(attachment(MiB)), false},
                                {"1 MiB as a part", notification(attachment(MiB)), true}};
  for (const auto profile : {Profile::be, Profile::be_s, Profile::be_se})
    for (const auto& form : forms) each_setting(profile, [&](const Settings& settings) { exchange(form, settings); });
}

// The size that a message may have (GB-102), in one setting of each profile.
TEST_F(RoundTrip, GivesNineteenMebibytesBack) {
  const auto body = notification(attachment(19 * MiB));
  for (const auto profile : {Profile::be, Profile::be_s, Profile::be_se}) {
    auto settings = settings_of(profile);
    settings.mtom = Mtom::optional;
    exchange({"19 MiB as a part", body, true}, settings);
    // Inline in SE it is base64 twice, as text and as ciphertext: over the 32 MiB of WUS-027.
    if (profile == Profile::be_se)
      exchange({"17 MiB inline", notification(attachment(17 * MiB)), false}, settings);
    else
      exchange({"19 MiB inline", body, false}, settings);
  }
}

}  // namespace
}  // namespace schakel::wus
