// xenc:EncryptedKey: reading one, and the content key in and out of it (security.md 2.7, EB-172, EB-173). For xmlsecurity/ itself and for
// wus/, where it stands outside of EncryptedData.
#pragma once

#include <array>
#include <span>
#include <string>

#include "xml/document.hpp"
#include "xmlsecurity/encryption.hpp"

namespace schakel::xmlsecurity {

// A content key; wiped when it goes. Begins as a random one, so that there always is a key to go on with (SEC-087).
class ContentKey {
 public:
  ContentKey(ContentCipher, Random&);
  ~ContentKey();
  ContentKey(const ContentKey&) = delete;
  ContentKey& operator=(const ContentKey&) = delete;

  std::span<unsigned char> octets() { return {octets_.data(), size_}; }
  const unsigned char* data() const { return octets_.data(); }

 private:
  std::array<unsigned char, 32> octets_{};
  std::size_t size_;
};

// Parameters of RSA-OAEP; the names are OpenSSL's ("SHA1" …).
struct Oaep {
  const char* digest = "SHA1";
  const char* mask_digest = "SHA1";  // of MGF1
  Bytes label;
};

struct EncryptedKey {
  KeyTransport transport = KeyTransport::rsa_oaep_mgf1p;
  Oaep oaep;
  KeyHints hints;
  Bytes wrapped;
  std::string refusal;  // an algorithm that is not in the lists; matters only when the key is for us
};

// Structure and base64. Errors: "encryption.structure".
Result<EncryptedKey> read_encrypted_key(xml::Element);

// Puts the key into `key` when all is well, and leaves it when not; takes the same time for every wrong padding of rsa-1_5.
bool unwrap(const EncryptedKey&, EVP_PKEY*, ContentKey& key);
// Empty: the crypto library refuses.
Bytes wrap(KeyTransport, const Oaep&, EVP_PKEY*, ContentKey&);

// For EncryptionToMake::oaep_digest.
const char* openssl_name(DigestMethod);

}  // namespace schakel::xmlsecurity
