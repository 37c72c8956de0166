// The octets of a content CipherValue as a stream: initialisation vector, ciphertext, tag (XML-Enc 1.1, 5.2). For who writes an
// xenc:EncryptedData around it.
#pragma once

#include <memory>

#include "base/bytes.hpp"
#include "base/random.hpp"
#include "xmlsecurity/algorithms.hpp"
#include "xmlsecurity/encrypted_key.hpp"

namespace schakel::xmlsecurity {

// Single use, single thread. Everything is appended to `out`, raw. Throws when the crypto library fails.
class ContentEncryption {
 public:
  // A fresh initialisation vector from `random` is the first output.
  ContentEncryption(ContentCipher, const ContentKey&, Random&, Bytes& out);
  ~ContentEncryption();
  ContentEncryption(const ContentEncryption&) = delete;
  ContentEncryption& operator=(const ContentEncryption&) = delete;

  void update(BytesView plain, Bytes& out);
  void finish(Bytes& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace schakel::xmlsecurity
