#include "wus/body_encryption.hpp"

#include <openssl/sha.h>

#include <array>

#include "security/openssl.hpp"
#include "wus/names.hpp"
#include "wus/sealing.hpp"
#include "wus/security_writing.hpp"
#include "xml/document.hpp"
#include "xmlsecurity/content_encryption.hpp"
#include "xmlsecurity/issuer_serial.hpp"

namespace schakel::wus {
namespace {

using security::Certificate;
using xmlsecurity::ContentCipher;
using xmlsecurity::KeyTransport;

constexpr int rsa_bits_min = 2048;
constexpr std::size_t piece_bytes = std::size_t{48} * 1024;
constexpr KeyTransport transport = KeyTransport::rsa_oaep_mgf1p;

Result<> check_cipher(const Settings& settings, Instant now) {
  switch (settings.encryption_algorithm) {
    case ContentCipher::aes128_gcm:
    case ContentCipher::aes256_gcm:
      return {};
    case ContentCipher::aes128_cbc:
    case ContentCipher::aes256_cbc:
      if (settings.legacy_cbc == LegacyCbc::both && settings.legacy_cbc_until && now < *settings.legacy_cbc_until) return {};
      return fail("wus.encryption", "AES-CBC is configured, and there is no exception for sending it, or no more");
    case ContentCipher::tripledes_cbc:
      break;
  }
  return fail("wus.encryption", "3DES is never used for sending");
}

std::string key_identifier(std::string_view value_type, BytesView octets) {
  std::string out = "<wsse:SecurityTokenReference><wsse:KeyIdentifier EncodingType=\"";
  out.append(uri::base64_binary).append("\" ValueType=\"").append(value_type).append("\">").append(to_base64(octets));
  return out.append("</wsse:KeyIdentifier></wsse:SecurityTokenReference>");
}

Bytes sha1(BytesView octets) {
  Bytes out(SHA_DIGEST_LENGTH, '\0');
  if (EVP_Digest(octets.data(), octets.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr, EVP_sha1(), nullptr) != 1)
    out.clear();
  return out;
}

// WUS-144. `token_id`: of the recipient's own BinarySecurityToken.
Result<std::string> recipient_reference(const Certificate& recipient, KeyReference form, std::string_view token_id) {
  switch (form) {
    case KeyReference::issuer_serial: {
      const auto issuer = xml::escape_text(xmlsecurity::issuer_name(recipient));
      if (!issuer) return fail("wus.tokenType", "the issuer's name of the recipient's certificate has characters that XML cannot carry");
      return "<wsse:SecurityTokenReference><ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>" + *issuer +
             "</ds:X509IssuerName><ds:X509SerialNumber>" + xmlsecurity::serial_number(recipient) +
             "</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data></wsse:SecurityTokenReference>";
    }
    case KeyReference::ski:
      if (recipient->subject_key_id.empty()) return fail("wus.tokenType", "the recipient's certificate has no subject key identifier");
      return key_identifier(uri::x509_ski, recipient->subject_key_id);
    case KeyReference::thumbprint:
      // A name for the certificate, no proof of it: SHA-1 is what the token profile defines.
      return key_identifier(uri::thumbprint_sha1, sha1(recipient->der));
    case KeyReference::bst:
      break;
  }
  return direct_reference(token_id);
}

std::string encryption_method(const std::optional<xmlsecurity::DigestMethod>& oaep_digest) {
  std::string out = "<xenc:EncryptionMethod Algorithm=\"";
  out.append(xmlsecurity::uri_of(transport));
  if (!oaep_digest) return out += "\"/>";
  out.append("\"><ds:DigestMethod xmlns:ds=\"").append(xmlsecurity::uri::ds).append("\" Algorithm=\"");
  return out.append(xmlsecurity::uri_of(*oaep_digest)).append("\"/></xenc:EncryptionMethod>");
}

std::string encrypted_key_text(std::string_view id, const Settings& settings, std::string_view reference, BytesView wrapped,
                               std::string_view data_id) {
  std::string out = "<xenc:EncryptedKey xmlns:xenc=\"";
  out.append(xmlsecurity::uri::xenc).append("\" Id=\"").append(id).append("\">").append(encryption_method(settings.oaep_digest));
  out.append("<ds:KeyInfo xmlns:ds=\"").append(xmlsecurity::uri::ds).append("\">").append(reference).append("</ds:KeyInfo>");
  out.append("<xenc:CipherData><xenc:CipherValue>").append(to_base64(wrapped)).append("</xenc:CipherValue></xenc:CipherData>");
  out.append("<xenc:ReferenceList><xenc:DataReference URI=\"#").append(data_id).append("\"/></xenc:ReferenceList></xenc:EncryptedKey>");
  return out;
}

std::string data_start_text(std::string_view id, ContentCipher cipher, std::string_view key_id) {
  std::string out = "<xenc:EncryptedData xmlns:xenc=\"";
  out.append(xmlsecurity::uri::xenc).append("\" Id=\"").append(id).append("\" Type=\"").append(uri::xenc_content);
  out.append("\"><xenc:EncryptionMethod Algorithm=\"").append(xmlsecurity::uri_of(cipher)).append("\"/><ds:KeyInfo xmlns:ds=\"");
  out.append(xmlsecurity::uri::ds).append("\"><wsse:SecurityTokenReference xmlns:wsse=\"").append(ns::wsse).append("\" xmlns:wsse11=\"");
  out.append(ns::wsse11).append("\" wsse11:TokenType=\"").append(uri::encrypted_key_token).append("\"><wsse:Reference URI=\"#");
  return out.append(key_id).append("\"/></wsse:SecurityTokenReference></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>");
}

// In pieces, so that the ciphertext is never held apart from the message.
template <class Take>
void encrypt(xmlsecurity::ContentEncryption& encryption, std::initializer_list<BytesView> plain, Bytes& buffer, const Take& take) {
  for (BytesView rest : plain) {
    for (; !rest.empty(); rest.remove_prefix(std::min(piece_bytes, rest.size()))) {
      encryption.update(rest.substr(0, piece_bytes), buffer);
      take();
    }
  }
  encryption.finish(buffer);
}

}  // namespace

Result<> check_recipient(const Certificate& recipient, const Settings& settings) {
  if (recipient->key.type != security::KeyType::rsa || recipient->key.bits < rsa_bits_min)
    return fail("wus.tokenType", "the recipient's certificate has no RSA key of 2048 bits or more");
  if (recipient->has_key_usage && (recipient->key_usage & security::key_encipherment) == 0 && !settings.allow_missing_key_encipherment)
    return fail("wus.tokenType", "the recipient's certificate may not be used for keyEncipherment");
  return {};
}

BodyEncryption::BodyEncryption(ContentCipher cipher, Random& random)
    : cipher_(cipher), random_(&random), key_(std::make_unique<xmlsecurity::ContentKey>(cipher, random)) {}

Result<BodyEncryption> BodyEncryption::make(const Certificate& recipient, const Settings& settings, Instant now, Identifiers& identifiers,
                                            Random& random) {
  SCHAKEL_CHECK(check_recipient(recipient, settings));
  SCHAKEL_CHECK(check_cipher(settings, now));
  BodyEncryption out(settings.encryption_algorithm, random);
  xmlsecurity::Oaep oaep;  // MGF1 is with SHA-1 by definition of this transport (WUS-173)
  if (settings.oaep_digest) oaep.digest = xmlsecurity::openssl_name(*settings.oaep_digest);
  const Bytes wrapped = xmlsecurity::wrap(transport, oaep, X509_get0_pubkey(recipient.native()), *out.key_);
  if (wrapped.empty()) return fail("wus.tokenType", "the key of the recipient's certificate cannot encrypt");
  const auto key_id = identifiers.next("EK-"), data_id = identifiers.next("ED-");
  std::string token_id;
  if (settings.key_ref == KeyReference::bst) {
    token_id = identifiers.next();
    out.token_ = binary_security_token(token_id, recipient);
  }
  SCHAKEL_TRY(const auto reference, recipient_reference(recipient, settings.key_ref, token_id));
  out.encrypted_key_ = encrypted_key_text(key_id, settings, reference, wrapped, data_id);
  out.data_start_ = data_start_text(data_id, settings.encryption_algorithm, key_id);
  return out;
}

std::size_t BodyEncryption::cipher_bytes(std::size_t plain_bytes) const {
  constexpr std::size_t gcm_extra = 12 + 16, block = 16;
  return xmlsecurity::is_gcm(cipher_) ? plain_bytes + gcm_extra : block + (plain_bytes / block + 1) * block;
}

void BodyEncryption::append_octets(std::initializer_list<BytesView> plain, std::string& out) {
  xmlsecurity::ContentEncryption encryption(cipher_, *key_, *random_, out);
  encrypt(encryption, plain, out, [] {});
}

void BodyEncryption::append_base64(std::initializer_list<BytesView> plain, std::string& out) {
  Bytes buffer;
  xmlsecurity::ContentEncryption encryption(cipher_, *key_, *random_, buffer);
  encrypt(encryption, plain, buffer, [&] {
    const auto whole = buffer.size() / 3 * 3;
    out += to_base64(BytesView(buffer).substr(0, whole));
    buffer.erase(0, whole);
  });
  out += to_base64(buffer);
}

}  // namespace schakel::wus
