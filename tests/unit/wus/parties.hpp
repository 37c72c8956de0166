// Key pairs and messages for tests of the room: certificates of an issuer whose name has an organizationIdentifier, as PKIoverheid's have.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "security/keys.hpp"
#include "security/openssl.hpp"
#include "support/pki.hpp"
#include "wus/names.hpp"
#include "wus/sealing.hpp"

namespace schakel::wus::testing {

using PairPtr = std::shared_ptr<const security::KeyPair>;

inline void add_name(X509_NAME* name, const char* field, const std::string& text) {
  X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, security::octets(text), -1, -1, 0);
}
inline void add_extension(X509* certificate, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

struct PartyOptions {
  const char* key_usage = "critical,digitalSignature,keyEncipherment";  // null: no KeyUsage
  bool key_id = true;
};

// Nothing here is ever trusted: the certificates are signed by their own keys.
inline PairPtr party(security::PrivateKey key, const PartyOptions& options = {}) {
  const security::X509Ptr certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  const std::string serial("\x3B\x9A\xCA\x01\xF1\xE2\xD3\xC4\xA5\x96\x87\x78\x69\x5A\x4B\x3C", 16);
  const security::BigNumberPtr number(BN_bin2bn(security::octets(serial), static_cast<int>(serial.size()), nullptr));
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get()));
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_NAME* issuer = X509_get_issuer_name(certificate.get());
  add_name(issuer, "C", "NL");
  add_name(issuer, "O", "TEST, & <not> for trust");
  add_name(issuer, "2.5.4.97", "NTRNL-90000001");
  add_name(issuer, "CN", "TEST Issuing CA");
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  add_name(subject, "C", "NL");
  add_name(subject, "serialNumber", "00000099000000001000");
  add_name(subject, "CN", "TEST party");
  X509_set_pubkey(certificate.get(), key.get());
  if (options.key_usage != nullptr) add_extension(certificate.get(), NID_key_usage, options.key_usage);
  if (options.key_id) add_extension(certificate.get(), NID_subject_key_identifier, "hash");
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  auto made = security::Certificate::from_native(certificate.get()).value();
  return security::KeyPair::make(std::move(key), std::move(made), {}).value();
}

inline ::schakel::test::KeyShelf& shelf() {
  static ::schakel::test::KeyShelf keys;
  return keys;
}
inline const PairPtr& consumer() {
  static const PairPtr pair = party(shelf().take(2048).value());
  return pair;
}
inline const PairPtr& provider() {
  static const PairPtr pair = party(shelf().take(2048).value());
  return pair;
}

// Gives the octets 0, 1, 2 …: what is made with it is known.
class CountingRandom final : public Random {
 public:
  void fill(std::span<unsigned char> out) override {
    for (auto& octet : out) octet = next_++;
  }

 private:
  unsigned char next_ = 0;
};

inline constexpr std::string_view payload_namespace = "http://wus.aanbieder.example/xsd/inschrijving-v1";

inline std::string question() {
  return "<vraagInschrijving xmlns=\"" + std::string(payload_namespace) +
         "\"><inschrijfnummer>12345678</inschrijfnummer><peildatum>2026-03-01</peildatum></vraagInschrijving>";
}
inline std::string notification(std::string_view attachment) {
  std::string out = "<meldWijziging xmlns=\"" + std::string(payload_namespace) +
                    "\"><inschrijfnummer>12345678</inschrijfnummer><omschrijving>Adreswijziging</omschrijving><bijlage>";
  return out.append(attachment).append("</bijlage></meldWijziging>");
}
inline constexpr std::size_t attachment_position = 3;  // of bijlage, for MessageToMake::binary_elements

inline MessageToMake request(std::string body = question()) {
  return {.kind = Kind::request,
          .addressing = {.to = "https://wus.aanbieder.example/diensten/inschrijving/v1?OIN=00000001800000002000",
                         .action = "http://wus.aanbieder.example/wsdl/inschrijving-v1/IInschrijvingService_v1/vraagInschrijvingRequest",
                         .message_id = "urn:uuid:6f1c2a10-0000-4000-8000-000000000002",
                         .relates_to = {},
                         .from = "https://wus.afnemer.example/wus?OIN=00000001800000001000",
                         .reply_to = std::string(uri::anonymous),
                         .fault_to = {}},
          .body = std::move(body),
          .headers = {},
          .binary_elements = {},
          .protection = std::nullopt};
}
inline MessageToMake response(std::string body = question()) {
  MessageToMake out = request(std::move(body));
  out.kind = Kind::response;
  out.addressing.to = uri::anonymous;
  out.addressing.relates_to = "urn:uuid:6f1c2a10-0000-4000-8000-000000000002";
  return out;
}
// As the settings' profile has it, from the consumer to the provider.
inline MessageToMake protect(MessageToMake make, const Settings& settings) {
  if (settings.profile == Profile::be) return make;
  make.protection = MessageToMake::Protection{.signer = consumer(), .recipient = std::nullopt, .confirmation = std::nullopt};
  if (settings.profile == Profile::be_se) make.protection->recipient = provider()->certificate();
  return make;
}
inline Settings settings_of(Profile profile) {
  Settings settings;
  settings.profile = profile;
  return settings;
}

inline const Instant at = parse_datetime("2026-03-02T10:15:30.000Z").value().instant;

inline MadeMessage made(const MessageToMake& make, const Settings& settings, Instant now = at) {
  SystemRandom random;
  auto result = make_message(make, settings, now, random);
  if (!result) throw std::runtime_error(result.error().code + ": " + result.error().detail);
  return std::move(*result);
}
inline MadeMessage sealed(const Settings& settings, MessageToMake make = request(), Instant now = at) {
  return made(protect(std::move(make), settings), settings, now);
}

}  // namespace schakel::wus::testing
