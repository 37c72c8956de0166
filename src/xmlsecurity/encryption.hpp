// XML encryption (XML-Enc 1.1) of octets, both ways as streams: an xenc:EncryptedData document is made and read in pieces, so that its size
// never decides about memory.
//
// Decryption fails with one code and one text whatever went wrong ("encryption.failed", EB-176, SEC-087): `reason()` is for our own
// log, never for the peer. A wrong wrapped key goes on with a random one, so that neither answer nor time tells. Plain octets
// that `Decryptor::update` gives are not authenticated until `finish` succeeds: keep them aside.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "security/keys.hpp"
#include "xmlsecurity/algorithms.hpp"

namespace schakel::xmlsecurity {

struct EncryptionToMake {
  ContentCipher cipher = ContentCipher::aes256_gcm;  // never 3DES
  KeyTransport transport = KeyTransport::rsa_oaep_mgf1p;
  std::optional<DigestMethod> oaep_digest{};  // absent: no DigestMethod element, SHA-1 (EB-172)
  std::string id{};                           // an NCName; empty: no Id attribute
  std::string mime_type{};                    // empty: no MimeType attribute
};

// One xenc:EncryptedData with its EncryptedKey inside (ebms.md 2.6), for the key of one certificate. Single use, single thread.
class Encryptor {
 public:
  // A fresh content key and IV from `random`. Errors: "encryption.key" (the certificate's key cannot be used for key transport),
  // "encryption.algorithm".
  static Result<Encryptor> make(const EncryptionToMake&, const security::Certificate& recipient, Random&);
  Encryptor(Encryptor&&) noexcept;
  Encryptor& operator=(Encryptor&&) noexcept;
  ~Encryptor();

  // Octets of the document, in order: what came with update(plain), then the end.
  Bytes update(BytesView plain);
  Bytes finish();

 private:
  struct State;
  explicit Encryptor(std::unique_ptr<State>);
  std::unique_ptr<State> state_;
};

// What an EncryptedKey says about the key that it is for (hints; all may be absent).
struct KeyHints {
  std::string key_name;
  std::string issuer_name, serial_number;  // X509IssuerSerial, as text
  Bytes subject_key_id;
  Bytes certificate;  // DER
};

struct DecryptionPolicy {
  std::vector<ContentCipher> ciphers{ContentCipher::aes128_gcm, ContentCipher::aes256_gcm};
  bool rsa_1_5 = false;
};

class Decryptor {
 public:
  // The private key for an EncryptedKey with these hints; null when none is ours. No try-all.
  using FindKey = std::function<security::PrivateKey(const KeyHints&)>;

  Decryptor(DecryptionPolicy, FindKey, Random&);
  Decryptor(Decryptor&&) noexcept;
  Decryptor& operator=(Decryptor&&) noexcept;
  ~Decryptor();

  // Takes octets of the document; gives plain octets as far as they are known. After an error every further call gives it again; callers
  // that must not tell may go on feeding until the end.
  Result<Bytes> update(BytesView);
  struct Plain {
    Bytes octets;  // the last plain octets
    std::string mime_type, encoding, type;
    ContentCipher cipher = ContentCipher::aes256_gcm;
    KeyTransport transport = KeyTransport::rsa_oaep_mgf1p;
  };
  Result<Plain> finish();
  // Why it failed, for our own log; empty: it did not (yet).
  std::string_view reason() const;
  // The reason is an algorithm that is not in the lists, or not in the policy.
  bool refuses_algorithm() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace schakel::xmlsecurity
