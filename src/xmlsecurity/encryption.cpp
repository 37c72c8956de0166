#include "xmlsecurity/encryption.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "security/openssl.hpp"
#include "xmlsecurity/content_encryption.hpp"
#include "xmlsecurity/encrypted_key.hpp"
#include "xmlsecurity/issuer_serial.hpp"

namespace schakel::xmlsecurity {
namespace {

constexpr int rsa_bits_min = 2048;

bool is_allowed(const EncryptionToMake& make) {
  if (make.cipher == ContentCipher::tripledes_cbc) return false;
  if (make.transport == KeyTransport::rsa_oaep_mgf1p) return !make.oaep_digest || make.oaep_digest == DigestMethod::sha256;
  return make.transport == KeyTransport::rsa_oaep;
}

// With rsa_oaep, MGF1 follows the digest; absent elements mean SHA-1 (XML-Enc 1.1, 5.5.2).
Oaep oaep_of(const EncryptionToMake& make) {
  Oaep oaep;
  if (!make.oaep_digest) return oaep;
  oaep.digest = openssl_name(*make.oaep_digest);
  if (make.transport == KeyTransport::rsa_oaep) oaep.mask_digest = oaep.digest;
  return oaep;
}

std::string oaep_parameters(const EncryptionToMake& make) {
  if (!make.oaep_digest) return {};
  std::string out = "<ds:DigestMethod Algorithm=\"" + std::string(uri_of(*make.oaep_digest)) + "\"/>";
  if (make.transport == KeyTransport::rsa_oaep) {
    out.append("<xenc11:MGF xmlns:xenc11=\"").append(uri::xenc11).append("\" Algorithm=\"").append(uri::xenc11);
    out.append("mgf1").append(to_lower(openssl_name(*make.oaep_digest))).append("\"/>");
  }
  return out;
}

// ebms.md 2.6, from the root to the content's CipherValue.
Result<std::string> head_of(const EncryptionToMake& make, const security::Certificate& recipient, BytesView wrapped) {
  SCHAKEL_TRY(const auto issuer, xml::escape_text(recipient->issuer));
  SCHAKEL_TRY(const auto id, xml::escape_text(make.id));
  SCHAKEL_TRY(const auto mime_type, xml::escape_text(make.mime_type));
  std::string out = "<xenc:EncryptedData xmlns:xenc=\"" + std::string(uri::xenc) + '"';
  if (!id.empty()) out += " Id=\"" + id + '"';
  if (!mime_type.empty()) out += " MimeType=\"" + mime_type + '"';
  out.append("><xenc:EncryptionMethod Algorithm=\"").append(uri_of(make.cipher)).append("\"/><ds:KeyInfo xmlns:ds=\"").append(uri::ds);
  out.append("\"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm=\"").append(uri_of(make.transport));
  const auto parameters = oaep_parameters(make);
  out += parameters.empty() ? "\"/>" : "\">" + parameters + "</xenc:EncryptionMethod>";
  out += "<ds:KeyInfo><ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>" + issuer + "</ds:X509IssuerName><ds:X509SerialNumber>" +
         serial_number(recipient) +
         "</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>" + to_base64(wrapped) +
         "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>";
  return out;
}

}  // namespace

struct Encryptor::State {
  State(ContentCipher cipher, const ContentKey& key, Random& random) : content(cipher, key, random, unwritten) {}

  std::string before;  // octets of the document that are not given yet
  Bytes unwritten;     // ciphertext that does not fill a group of base64 yet
  ContentEncryption content;

  Bytes take(std::size_t count) {
    Bytes out = to_base64(BytesView(unwritten).substr(0, count));
    unwritten.erase(0, count);
    if (!before.empty()) out.insert(0, std::exchange(before, {}));
    return out;
  }
};

Encryptor::Encryptor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Encryptor::Encryptor(Encryptor&&) noexcept = default;
Encryptor& Encryptor::operator=(Encryptor&&) noexcept = default;
Encryptor::~Encryptor() = default;

Result<Encryptor> Encryptor::make(const EncryptionToMake& make, const security::Certificate& recipient, Random& random) {
  if (!is_allowed(make)) return fail("encryption.algorithm", "these algorithms are not used for encrypting");
  if (recipient->key.type != security::KeyType::rsa || recipient->key.bits < rsa_bits_min)
    return fail("encryption.key", "the certificate has no RSA key of 2048 bits or more");
  ContentKey key(make.cipher, random);
  const Bytes wrapped = wrap(make.transport, oaep_of(make), X509_get0_pubkey(recipient.native()), key);
  if (wrapped.empty()) return fail("encryption.key", "the key of the certificate cannot encrypt");
  auto state = std::make_unique<State>(make.cipher, key, random);
  SCHAKEL_TRY(state->before, head_of(make, recipient, wrapped));
  return Encryptor(std::move(state));
}

Bytes Encryptor::update(BytesView plain) {
  state_->content.update(plain, state_->unwritten);
  return state_->take(state_->unwritten.size() / 3 * 3);
}

Bytes Encryptor::finish() {
  state_->content.finish(state_->unwritten);
  return state_->take(state_->unwritten.size()) + "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>";
}

}  // namespace schakel::xmlsecurity
