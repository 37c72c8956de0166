// The octets of a content CipherValue at once, for who has the xenc:EncryptedData in a parsed document (WUS); documents in pieces:
// encryption.hpp.
#pragma once

#include "base/bytes.hpp"
#include "xmlsecurity/algorithms.hpp"
#include "xmlsecurity/encrypted_key.hpp"

namespace schakel::xmlsecurity {

// Initialisation vector, ciphertext, tag or padding in; plain octets in `plain`. False: they do not decrypt with this key, whatever the
// reason, and what is in `plain` is nobody's.
bool decrypt_content(ContentCipher, const ContentKey&, BytesView octets, Bytes& plain);

}  // namespace schakel::xmlsecurity
