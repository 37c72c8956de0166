// An EncryptedData document in pieces, with a fixed key and every legacy algorithm allowed: it gives the same in one piece, and a failure
// always looks the same. The first octet is the size of the pieces.
#include <openssl/evp.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "support/published_key.hpp"
#include "xmlsecurity/encryption.hpp"

using namespace schakel;
using namespace schakel::xmlsecurity;

namespace {

// The same each time, so that a finding replays.
class Counting final : public Random {
 public:
  void fill(std::span<unsigned char> out) override {
    for (auto& octet : out) octet = ++last_;
  }

 private:
  unsigned char last_ = 0;
};

std::optional<Bytes> decrypted(BytesView document, std::size_t piece) {
  static const auto key = security::parse_private_key(test::published_key).value();
  Counting random;
  Decryptor decryptor(
      {.ciphers = {ContentCipher::aes128_gcm, ContentCipher::aes256_gcm, ContentCipher::aes128_cbc, ContentCipher::aes256_cbc,
                   ContentCipher::tripledes_cbc},
       .rsa_1_5 = true},
      [](const KeyHints& hints) { return hints.key_name == "other" ? security::PrivateKey() : key; }, random);
  Bytes octets;
  while (!document.empty()) {
    const auto plain = decryptor.update(document.substr(0, piece));
    if (plain) octets += *plain;
    document.remove_prefix(std::min(piece, document.size()));
  }
  const auto last = decryptor.finish();
  if (last) return octets + last->octets;
  if (last.error().code != "encryption.failed" || !last.error().location.empty() || decryptor.reason().empty()) std::abort();
  return std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view document(reinterpret_cast<const char*>(octets + 1), size - 1);
  if (decrypted(document, octets[0] + std::size_t{1}) != decrypted(document, document.size() + 1)) std::abort();
  return 0;
}
