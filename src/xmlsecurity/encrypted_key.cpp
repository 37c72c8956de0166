#include "xmlsecurity/encrypted_key.hpp"

#include <openssl/crypto.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <cstring>

#include "security/openssl.hpp"
#include "xmlsecurity/elements.hpp"

namespace schakel::xmlsecurity {
namespace {

using xml::Element;

constexpr std::string_view structure = "encryption.structure";
constexpr std::size_t label_bytes_max = 1024;
constexpr std::string_view sha1_uri = "http://www.w3.org/2000/09/xmldsig#sha1";

struct MaskFunction {
  std::string_view uri;
  const char* digest;
};
constexpr std::array mask_functions{
    MaskFunction{"http://www.w3.org/2009/xmlenc11#mgf1sha1", "SHA1"},
    MaskFunction{"http://www.w3.org/2009/xmlenc11#mgf1sha256", "SHA256"},
    MaskFunction{"http://www.w3.org/2009/xmlenc11#mgf1sha384", "SHA384"},
    MaskFunction{"http://www.w3.org/2009/xmlenc11#mgf1sha512", "SHA512"},
};

// SHA-1 inside OAEP is not a signature hash (security.md 2.7). Null: not in the list.
const char* oaep_digest(std::string_view uri) {
  if (uri == sha1_uri) return "SHA1";
  const auto method = digest_method(uri);
  return method ? openssl_name(*method) : nullptr;
}
const char* mask_digest(std::string_view uri) {
  const auto found = std::ranges::find(mask_functions, uri, &MaskFunction::uri);
  return found == mask_functions.end() ? nullptr : found->digest;
}

// EncryptionMethod of an EncryptedKey: KeySize is allowed and says nothing that the key does not.
Result<> read_method(Element method, EncryptedKey& key) {
  SCHAKEL_TRY(const auto algorithm, algorithm_of(method, structure));
  const auto transport = key_transport(algorithm);
  if (!transport) {
    key.refusal = "a key transport that is not in the lists";
    return {};
  }
  key.transport = *transport;
  for (Element child = method.first_child(); child; child = child.next_sibling()) {
    if (child.is(uri::xenc, "KeySize")) continue;
    if (*transport == KeyTransport::rsa_1_5) return malformed(structure, "parameters of a key transport that has none", child);
    if (child.is(uri::xenc, "OAEPparams")) {
      if (child.text().empty()) continue;  // the label is empty by default
      SCHAKEL_TRY(key.oaep.label, octets_of(child, structure));
      if (key.oaep.label.size() > label_bytes_max) return malformed(structure, "OAEPparams are too long", child);
    } else if (child.is(uri::ds, "DigestMethod")) {
      SCHAKEL_TRY(const auto digest, algorithm_of(child, structure));
      if ((key.oaep.digest = oaep_digest(digest)) == nullptr) key.refusal = "an OAEP digest that is not in the lists";
    } else if (child.is(uri::xenc11, "MGF") && *transport == KeyTransport::rsa_oaep) {
      SCHAKEL_TRY(const auto mask, algorithm_of(child, structure));
      if ((key.oaep.mask_digest = mask_digest(mask)) == nullptr) key.refusal = "a mask generation function that is not in the lists";
    } else {
      return malformed(structure, "a parameter that the key transport does not have", child);
    }
  }
  return {};
}

std::string text_below(Element parent, std::string_view name) {
  const Element child = parent.child(uri::ds, name);
  return child ? std::string(trim(child.text())) : std::string();
}

Result<> read_hints(Element key_info, KeyHints& hints) {
  hints.key_name = text_below(key_info, "KeyName");
  for (const Element x509 : key_info.children(uri::ds, "X509Data")) {
    if (const Element issuer_serial = x509.child(uri::ds, "X509IssuerSerial")) {
      hints.issuer_name = text_below(issuer_serial, "X509IssuerName");
      hints.serial_number = text_below(issuer_serial, "X509SerialNumber");
    }
    if (const Element key_id = x509.child(uri::ds, "X509SKI")) {
      SCHAKEL_TRY(hints.subject_key_id, octets_of(key_id, structure));
    }
    if (const Element certificate = x509.child(uri::ds, "X509Certificate")) {
      SCHAKEL_TRY(hints.certificate, octets_of(certificate, structure));
    }
  }
  return {};
}

security::KeyContextPtr oaep_context(EVP_PKEY* key, int (*begin)(EVP_PKEY_CTX*), const Oaep& oaep) {
  security::KeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (!context || begin(context.get()) != 1 || EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) != 1 ||
      EVP_PKEY_CTX_set_rsa_oaep_md_name(context.get(), oaep.digest, nullptr) != 1 ||
      EVP_PKEY_CTX_set_rsa_mgf1_md_name(context.get(), oaep.mask_digest, nullptr) != 1) {
    return {};
  }
  if (!oaep.label.empty()) {
    void* label = OPENSSL_memdup(oaep.label.data(), oaep.label.size());  // the context takes it over
    if (EVP_PKEY_CTX_set0_rsa_oaep_label(context.get(), label, static_cast<int>(oaep.label.size())) != 1) {
      OPENSSL_free(label);
      return {};
    }
  }
  return context;
}

// A buffer of decrypted octets, wiped when it goes.
struct Wiped {
  explicit Wiped(std::size_t size) : octets(size) {}
  ~Wiped() { OPENSSL_cleanse(octets.data(), octets.size()); }
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  std::vector<unsigned char> octets;
};

bool unwrap_oaep(const EncryptedKey& from, EVP_PKEY* own, ContentKey& key) {
  const auto context = oaep_context(own, EVP_PKEY_decrypt_init, from.oaep);
  if (!context) return false;
  Wiped out(static_cast<std::size_t>(EVP_PKEY_get_size(own)));
  std::size_t size = out.octets.size();
  const bool ok = EVP_PKEY_decrypt(context.get(), out.octets.data(), &size, security::octets(from.wrapped), from.wrapped.size()) == 1 &&
                  size == key.octets().size();
  if (ok) std::memcpy(key.octets().data(), out.octets.data(), size);
  return ok;
}

// RFC 8017 7.2.2 for a message whose length is known (as TLS does): 00 02, octets that are not 0, 00, the key. The padding is judged
// without a branch or an index that depends on it, because its verdict would decrypt messages for whoever can see it (Bleichenbacher).
bool unwrap_1_5(const EncryptedKey& from, EVP_PKEY* own, ContentKey& key) {
  const security::KeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, own, nullptr));
  const auto key_size = key.octets().size(), modulus_size = static_cast<std::size_t>(EVP_PKEY_get_size(own));
  if (!context || modulus_size < key_size + 11 || EVP_PKEY_decrypt_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_NO_PADDING) != 1) {
    return false;
  }
  Wiped out(modulus_size);
  std::size_t size = out.octets.size();
  if (EVP_PKEY_decrypt(context.get(), out.octets.data(), &size, security::octets(from.wrapped), from.wrapped.size()) != 1 ||
      size != modulus_size) {
    return false;
  }
  const std::span<const unsigned char> block(out.octets);
  const auto key_at = modulus_size - key_size;
  unsigned wrong = block[0] | (block[1] ^ 2U) | block[key_at - 1];
  for (std::size_t i = 2; i < key_at - 1; ++i) wrong |= (block[i] - 1U) >> 8;  // not 0 only when the octet is 0
  wrong |= wrong >> 16;
  wrong |= wrong >> 8;
  const auto keep = static_cast<unsigned char>(((wrong & 0xFF) - 1U) >> 8);  // 0xFF when all is right, else 0
  for (std::size_t i = 0; i < key_size; ++i) {
    auto& octet = key.octets()[i];
    octet = static_cast<unsigned char>((block[key_at + i] & keep) | (octet & static_cast<unsigned char>(~keep)));
  }
  return keep != 0;
}

}  // namespace

ContentKey::ContentKey(ContentCipher cipher, Random& random) : size_(key_bytes(cipher)) {
  random.fill(octets());
}
ContentKey::~ContentKey() {
  OPENSSL_cleanse(octets_.data(), octets_.size());
}

const char* openssl_name(DigestMethod method) {
  switch (method) {
    case DigestMethod::sha256:
      return "SHA256";
    case DigestMethod::sha384:
      return "SHA384";
    case DigestMethod::sha512:
      break;
  }
  return "SHA512";
}

Result<EncryptedKey> read_encrypted_key(Element element) {
  EncryptedKey key;
  Sequence parts(element, uri::xenc, structure);
  SCHAKEL_TRY(const Element method, parts.required("EncryptionMethod"));
  SCHAKEL_CHECK(read_method(method, key));
  Element after = method.next_sibling();
  if (after && after.is(uri::ds, "KeyInfo")) {
    SCHAKEL_CHECK(read_hints(after, key.hints));
    after = after.next_sibling();
  }
  if (!after || !after.is(uri::xenc, "CipherData")) return malformed(structure, "CipherData is missing or not at its place", element);
  Sequence cipher_data(after, uri::xenc, structure);
  SCHAKEL_TRY(const Element value, cipher_data.required("CipherValue"));
  SCHAKEL_CHECK(cipher_data.end());
  SCHAKEL_TRY(key.wrapped, octets_of(value, structure));
  return key;
}

bool unwrap(const EncryptedKey& from, EVP_PKEY* own, ContentKey& key) {
  const bool ok = EVP_PKEY_is_a(own, "RSA") == 1 &&
                  (from.transport == KeyTransport::rsa_1_5 ? unwrap_1_5(from, own, key) : unwrap_oaep(from, own, key));
  ERR_clear_error();
  return ok;
}

Bytes wrap(KeyTransport transport, const Oaep& oaep, EVP_PKEY* recipient, ContentKey& key) {
  if (transport == KeyTransport::rsa_1_5) return {};
  const auto context = oaep_context(recipient, EVP_PKEY_encrypt_init, oaep);
  Bytes out(static_cast<std::size_t>(EVP_PKEY_get_size(recipient)), '\0');
  std::size_t size = out.size();
  const auto octets = key.octets();
  if (!context || EVP_PKEY_encrypt(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, octets.data(), octets.size()) != 1) {
    ERR_clear_error();
    return {};
  }
  out.resize(size);
  return out;
}

}  // namespace schakel::xmlsecurity
