// xenc:EncryptedKey in the Security header and xenc:EncryptedData in the Body (wus.md 1.6, 3.4): RSA-OAEP for a certificate, AES for the
// octets.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "base/random.hpp"
#include "base/time.hpp"
#include "security/certificate.hpp"
#include "wus/identifiers.hpp"
#include "wus/service.hpp"
#include "xmlsecurity/encrypted_key.hpp"

namespace schakel::wus {

// One content key for one message.
class BodyEncryption {
 public:
  // Errors: "wus.tokenType" (check_recipient, or the certificate cannot be named as settings want), "wus.encryption" (the cipher may not be
  // used, or no more).
  static Result<BodyEncryption> make(const security::Certificate& recipient, const Settings&, Instant now, Identifiers&, Random&);

  // What goes before ds:Signature: with key_ref=bst the recipient's token, and the EncryptedKey.
  const std::string& token() const { return token_; }
  const std::string& encrypted_key() const { return encrypted_key_; }
  // Around the text of CipherValue.
  const std::string& data_start() const { return data_start_; }
  static constexpr std::string_view data_end = "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>";

  // Octets of the CipherValue for so many of plain text.
  std::size_t cipher_bytes(std::size_t plain_bytes) const;
  // Appends the CipherValue of the pieces' octets, which together are the plain text. Once only.
  void append_octets(std::initializer_list<BytesView> plain, std::string& out);
  void append_base64(std::initializer_list<BytesView> plain, std::string& out);

 private:
  BodyEncryption(xmlsecurity::ContentCipher, Random&);

  xmlsecurity::ContentCipher cipher_;
  Random* random_;
  std::unique_ptr<xmlsecurity::ContentKey> key_;
  std::string token_, encrypted_key_, data_start_;
};

}  // namespace schakel::wus
