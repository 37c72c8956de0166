#include "ebms/encryption.hpp"

#include <algorithm>

#include "cpa/profile.hpp"

namespace schakel::ebms {

namespace {

using xmlsecurity::ContentCipher;
using xmlsecurity::KeyTransport;

const cpa::DigitalEnvelope* digital_envelope(const cpa::PartyInfo& receiver, const cpa::DeliveryChannel* channel) {
  const cpa::Binding* binding = cpa::receiver_binding(receiver, channel);
  return binding && binding->envelope ? &*binding->envelope : nullptr;
}

Error not_allowed(std::string detail) {
  return fail("contract.actionNotAllowed", std::move(detail));
}

// An NCName out of a Content-ID: the part before the @, made to begin with a letter.
std::string id_of(std::string_view content_id) {
  std::string id(content_id.substr(0, content_id.find('@')));
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (id.empty() || !letter(id.front())) id.insert(0, "id-");
  return id;
}

// A serial number as KeyInfo writes it (decimal) out of ours (hex): digit by digit, because it has up to 20 octets.
std::string decimal(std::string_view hex) {
  std::string digits = "0";  // least significant first
  for (const char c : hex) {
    int carry = c >= 'a' ? c - 'a' + 10 : c - '0';
    for (char& digit : digits) {
      const int value = (digit - '0') * 16 + carry;
      digit = static_cast<char>('0' + value % 10);
      carry = value / 10;
    }
    for (; carry > 0; carry /= 10) digits += static_cast<char>('0' + carry % 10);
  }
  std::reverse(digits.begin(), digits.end());
  return digits;
}

bool has_hints(const xmlsecurity::KeyHints& hints) {
  return !hints.key_name.empty() || !hints.serial_number.empty() || !hints.subject_key_id.empty() || !hints.certificate.empty();
}

// The hints name this certificate. A distinguished name is written in too many ways to be compared; a serial number is not.
bool is_named(const security::Certificate& certificate, const xmlsecurity::KeyHints& hints) {
  if (!hints.certificate.empty()) return certificate->der == hints.certificate;
  if (!hints.subject_key_id.empty()) return certificate->subject_key_id == hints.subject_key_id;
  if (!hints.serial_number.empty()) return decimal(certificate->serial) == trim(hints.serial_number);
  return certificate->subject == trim(hints.key_name);
}

}  // namespace

Result<Encrypting> encrypting_of(const Context& context, const cpa::Contracts& contracts, const cpa::LoadedContract& contract,
                                 const cpa::Channels& channels, Instant now) {
  const cpa::DigitalEnvelope* agreed = digital_envelope(*channels.receiver, channels.receive);
  if (!agreed) return not_allowed("the contract has no ReceiverDigitalEnvelope for the channel that receives");
  const auto cipher = xmlsecurity::content_cipher(agreed->encryption_algorithm);
  if (!cipher || *cipher == ContentCipher::tripledes_cbc)
    return not_allowed("the contract names an algorithm that is never used for encryption: " + for_log(agreed->encryption_algorithm));
  const cpa::CertificateEntry* entry = channels.receiver->certificate(agreed->certificate_ref);
  if (!entry || entry->der.empty()) return not_allowed("the contract has no encryption certificate " + for_log(agreed->certificate_ref));
  auto recipient = context.certificates->from_der(contracts.mapped_certificate(contract, entry->der, now));
  if (!recipient) return not_allowed("the encryption certificate " + for_log(agreed->certificate_ref) + " cannot be read");
  return Encrypting{*cipher, std::move(*recipient)};
}

Result<> check_recipient(const Context& context, const cpa::LoadedContract& contract, const Encrypting& encrypting, Instant now) {
  if (!context.deps.keys) return not_allowed("encrypted profiles need keys, and this node has none");
  const auto verdict =
      context.deps.keys->judge(contract.environment, std::span(&encrypting.recipient, 1), security::Usage::encryption, now, now);
  if (verdict.ok()) return {};
  return fail("state.conflict", "the partner's encryption certificate may not be used now: " + verdict.reason + ": " + verdict.detail);
}

xmlsecurity::EncryptionToMake encryption_to_make(const Encrypting& encrypting, std::string_view content_id, std::string_view content_type) {
  xmlsecurity::EncryptionToMake out;
  out.cipher = encrypting.cipher;
  out.id = id_of(content_id);
  out.mime_type = content_type;
  return out;
}

Decrypting decrypting_of(const Context& context, const cpa::Contracts& contracts, const cpa::LoadedContract& contract,
                         const cpa::Channels& channels, Instant now) {
  Decrypting out;
  if (context.deps.keys) out.keys = context.deps.keys->decryption_keys(contract.row.tenant, now);
  const cpa::DigitalEnvelope* agreed = digital_envelope(*channels.receiver, channels.receive);
  if (!agreed) return out;
  if (const cpa::CertificateEntry* entry = channels.receiver->certificate(agreed->certificate_ref)) {
    out.agreed = entry->der;
    out.mapped = contracts.mapped_certificate(contract, entry->der, now);
  }
  const std::string partner = channels.sender->oin();
  const auto excepted = [&](std::string_view algorithm) {
    return contracts.exception(contract.row.tenant, partner, "ebms", algorithm, now) != nullptr;
  };
  const auto named = xmlsecurity::content_cipher(agreed->encryption_algorithm);
  const bool names_cbc = named == ContentCipher::aes128_cbc || named == ContentCipher::aes256_cbc;
  for (const ContentCipher cipher : {ContentCipher::aes128_cbc, ContentCipher::aes256_cbc})
    if (names_cbc || excepted(xmlsecurity::uri_of(cipher))) out.policy.ciphers.push_back(cipher);
  if (excepted(xmlsecurity::uri_of(ContentCipher::tripledes_cbc))) out.policy.ciphers.push_back(ContentCipher::tripledes_cbc);
  out.policy.rsa_1_5 = contract.environment != "production" && excepted(xmlsecurity::uri_of(KeyTransport::rsa_1_5));
  return out;
}

Result<> can_decrypt(const Context& context, const cpa::Contracts& contracts, const cpa::LoadedContract& contract,
                     const cpa::PartyInfo& own, const cpa::DeliveryChannel* channel, Instant now) {
  const cpa::DigitalEnvelope* agreed = digital_envelope(own, channel);
  if (!agreed) return not_allowed("the contract has no ReceiverDigitalEnvelope for the channel that receives");
  const cpa::CertificateEntry* entry = own.certificate(agreed->certificate_ref);
  if (!entry || entry->der.empty()) return not_allowed("the contract has no encryption certificate " + for_log(agreed->certificate_ref));
  if (!context.deps.keys) return not_allowed("encrypted profiles need keys, and this node has none");
  const Bytes mapped = contracts.mapped_certificate(contract, entry->der, now);
  const auto keys = context.deps.keys->decryption_keys(contract.row.tenant, now);
  const bool held = std::ranges::any_of(
      keys, [&](const auto& pair) { return pair->certificate()->der == mapped || pair->certificate()->der == entry->der; });
  if (held) return {};
  return not_allowed("no key of this installation decrypts for " + certificate_name(mapped, agreed->certificate_ref));
}

security::PrivateKey key_for(const Decrypting& decrypting, const xmlsecurity::KeyHints& hints) {
  const auto rank = [&](const security::Certificate& certificate) {
    const bool ours = certificate->der == decrypting.mapped || certificate->der == decrypting.agreed;
    const bool named = has_hints(hints) && is_named(certificate, hints);
    return named && ours ? 3 : named ? 2 : ours ? 1 : 0;
  };
  const std::shared_ptr<const security::KeyPair>* best = nullptr;
  int best_rank = 0;
  for (const auto& pair : decrypting.keys) {
    const int own = rank(pair->certificate());
    if (own > best_rank) best = &pair, best_rank = own;
  }
  return best ? security::PrivateKey(*best, (*best)->key()) : nullptr;
}

std::string exceptional_use(ContentCipher cipher, KeyTransport transport) {
  std::string out;
  if (xmlsecurity::needs_exception(cipher)) out = xmlsecurity::uri_of(cipher);
  if (transport == KeyTransport::rsa_1_5) out.append(out.empty() ? "" : " ").append(xmlsecurity::uri_of(transport));
  return out;
}

}  // namespace schakel::ebms
