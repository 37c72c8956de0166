#include "xmlsecurity/content_encryption.hpp"

#include <openssl/evp.h>

#include <array>
#include <span>
#include <stdexcept>

#include "security/openssl.hpp"
#include "xmlsecurity/fetched.hpp"

namespace schakel::xmlsecurity {
namespace {

constexpr std::size_t tag_bytes = 16;
constexpr std::size_t piece_bytes_max = std::size_t{1} << 24;  // the crypto library counts in int

struct CipherContextFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

void expect(bool ok) {
  if (!ok) throw std::runtime_error("the crypto library cannot encrypt");
}

}  // namespace

struct ContentEncryption::State {
  std::unique_ptr<EVP_CIPHER_CTX, CipherContextFree> context{EVP_CIPHER_CTX_new()};
  bool gcm;
};

ContentEncryption::ContentEncryption(ContentCipher cipher, const ContentKey& key, Random& random, Bytes& out)
    : state_(std::make_unique<State>()) {
  const EVP_CIPHER* method = fetched(cipher);
  std::array<unsigned char, EVP_MAX_IV_LENGTH> iv{};
  const auto iv_size = static_cast<std::size_t>(EVP_CIPHER_get_iv_length(method));  // 12 with GCM, a block with CBC
  random.fill(std::span(iv).first(iv_size));
  // CBC is padded as PKCS#7 does, which is one of the paddings that XML-Enc 5.2 allows.
  expect(state_->context && EVP_EncryptInit_ex2(state_->context.get(), method, key.data(), iv.data(), nullptr) == 1);
  state_->gcm = is_gcm(cipher);
  out.append(reinterpret_cast<const char*>(iv.data()), iv_size);
}

ContentEncryption::~ContentEncryption() = default;

void ContentEncryption::update(BytesView plain, Bytes& out) {
  while (!plain.empty()) {
    const auto piece = plain.substr(0, piece_bytes_max);
    const auto at = out.size();
    out.resize(at + piece.size() + EVP_MAX_BLOCK_LENGTH);
    int size = 0;
    expect(EVP_EncryptUpdate(state_->context.get(), reinterpret_cast<unsigned char*>(out.data() + at), &size, security::octets(piece),
                             static_cast<int>(piece.size())) == 1);
    out.resize(at + static_cast<std::size_t>(size));
    plain.remove_prefix(piece.size());
  }
}

void ContentEncryption::finish(Bytes& out) {
  std::array<unsigned char, EVP_MAX_BLOCK_LENGTH> last{};
  int size = 0;
  expect(EVP_EncryptFinal_ex(state_->context.get(), last.data(), &size) == 1);
  out.append(reinterpret_cast<const char*>(last.data()), static_cast<std::size_t>(size));
  if (!state_->gcm) return;
  expect(EVP_CIPHER_CTX_ctrl(state_->context.get(), EVP_CTRL_AEAD_GET_TAG, tag_bytes, last.data()) == 1);
  out.append(reinterpret_cast<const char*>(last.data()), tag_bytes);
}

}  // namespace schakel::xmlsecurity
