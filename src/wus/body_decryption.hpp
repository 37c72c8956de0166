// The encrypted Body of a message (wus.md 1.6): which key, which algorithms, and the plain content in its place. Internal to the opening.
//
// Reading it (4.1 step 10) looks at structure and algorithms and uses no key. Decrypting (step 12) fails in one way whatever went wrong
// (WUS-150): "wus.failedCheck" with one text, after the same work.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "wus/message.hpp"
#include "wus/security_token.hpp"
#include "xmlsecurity/encrypted_key.hpp"

namespace schakel::wus {

struct EncryptedBody {
  xml::Element data, cipher_value;
  xmlsecurity::ContentCipher cipher = xmlsecurity::ContentCipher::aes256_gcm;
  xmlsecurity::EncryptedKey key;  // the one that is for us
  OwnKey own;                     // no pair: none is for us
};

// `ids`: found, with what `data` refers to. Errors: "wus.security", "wus.algorithm" (WUS-172, WUS-173).
Result<EncryptedBody> read_encrypted_body(const Message&, const SecurityHeader&, const Ids&,
                                          std::span<const std::shared_ptr<const security::KeyPair>> own, const Settings&, Instant now);

// Message::body and payload are the plain ones afterwards. Error: "wus.failedCheck".
Result<> decrypt_body(Message&, const EncryptedBody&, const Settings&, Random&);

}  // namespace schakel::wus
