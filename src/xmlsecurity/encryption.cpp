#include "xmlsecurity/encryption.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "security/openssl.hpp"
#include "xmlsecurity/encrypted_key.hpp"
#include "xmlsecurity/fetched.hpp"

namespace schakel::xmlsecurity {
namespace {

constexpr int rsa_bits_min = 2048;
constexpr std::size_t tag_bytes = 16;
constexpr std::size_t piece_bytes_max = std::size_t{1} << 24;  // the crypto library counts in int

struct CipherContextFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, CipherContextFree>;

void expect(bool ok) {
  if (!ok) throw std::runtime_error("the crypto library cannot encrypt");
}

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

struct OpensslTextFree {
  void operator()(char* text) const { OPENSSL_free(text); }
};

std::string decimal(const ASN1_INTEGER* serial) {
  const security::BigNumberPtr number(ASN1_INTEGER_to_BN(serial, nullptr));
  const std::unique_ptr<char, OpensslTextFree> text(number ? BN_bn2dec(number.get()) : nullptr);
  return text ? std::string(text.get()) : std::string();
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
         decimal(X509_get0_serialNumber(recipient.native())) +
         "</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>" + to_base64(wrapped) +
         "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>";
  return out;
}

}  // namespace

struct Encryptor::State {
  CipherContext context{EVP_CIPHER_CTX_new()};
  bool gcm = true;
  std::string before;  // octets of the document that are not given yet
  Bytes unwritten;     // ciphertext that does not fill a group of base64 yet

  void begin(ContentCipher cipher, ContentKey& key, Random& random) {
    const EVP_CIPHER* method = fetched(cipher);
    std::array<unsigned char, EVP_MAX_IV_LENGTH> iv{};
    const auto iv_size = static_cast<std::size_t>(EVP_CIPHER_get_iv_length(method));  // 12 with GCM, a block with CBC
    random.fill(std::span(iv).first(iv_size));
    // CBC is padded as PKCS#7 does, which is one of the paddings that XML-Enc 5.2 allows.
    expect(context && EVP_EncryptInit_ex2(context.get(), method, key.data(), iv.data(), nullptr) == 1);
    gcm = is_gcm(cipher);
    unwritten.assign(reinterpret_cast<const char*>(iv.data()), iv_size);
  }

  void encrypt(BytesView plain) {
    while (!plain.empty()) {
      const auto piece = plain.substr(0, piece_bytes_max);
      const auto at = unwritten.size();
      unwritten.resize(at + piece.size() + EVP_MAX_BLOCK_LENGTH);
      int size = 0;
      expect(EVP_EncryptUpdate(context.get(), reinterpret_cast<unsigned char*>(unwritten.data() + at), &size, security::octets(piece),
                               static_cast<int>(piece.size())) == 1);
      unwritten.resize(at + static_cast<std::size_t>(size));
      plain.remove_prefix(piece.size());
    }
  }

  void end() {
    std::array<unsigned char, EVP_MAX_BLOCK_LENGTH> last{};
    int size = 0;
    expect(EVP_EncryptFinal_ex(context.get(), last.data(), &size) == 1);
    unwritten.append(reinterpret_cast<const char*>(last.data()), static_cast<std::size_t>(size));
    if (!gcm) return;
    expect(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, tag_bytes, last.data()) == 1);
    unwritten.append(reinterpret_cast<const char*>(last.data()), tag_bytes);
  }

  Bytes take(std::size_t count) {
    Bytes out = std::move(before);
    before.clear();
    out += to_base64(BytesView(unwritten).substr(0, count));
    unwritten.erase(0, count);
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
  auto state = std::make_unique<State>();
  SCHAKEL_TRY(state->before, head_of(make, recipient, wrapped));
  state->begin(make.cipher, key, random);
  return Encryptor(std::move(state));
}

Bytes Encryptor::update(BytesView plain) {
  state_->encrypt(plain);
  return state_->take(state_->unwritten.size() / 3 * 3);
}

Bytes Encryptor::finish() {
  state_->end();
  return state_->take(state_->unwritten.size()) + "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>";
}

}  // namespace schakel::xmlsecurity
