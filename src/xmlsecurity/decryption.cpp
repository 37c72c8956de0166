#include <algorithm>
#include <array>
#include <limits>

#include "security/openssl.hpp"
#include "xmlsecurity/content_decryption.hpp"
#include "xmlsecurity/encrypted_data.hpp"
#include "xmlsecurity/encryption.hpp"
#include "xmlsecurity/fetched.hpp"

namespace schakel::xmlsecurity {
namespace {

constexpr std::size_t head_bytes_max = 256 * 1024;  // eight EncryptedKeys with a certificate each, and room
constexpr std::size_t tail_bytes_max = 16 * 1024;
constexpr std::size_t tag_bytes = 16;
constexpr std::size_t piece_bytes_max = std::size_t{1} << 24;  // the crypto library counts in int

struct CipherContextFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

// Base64 with white space, as it comes.
class Base64Stream {
 public:
  // Decodes until a character that is neither base64 nor white space; how many characters were taken.
  std::size_t decode(std::string_view text, Bytes& out) {
    const auto begin = out.size();
    out.resize(begin + text.size() / 4 * 3 + 3);
    char* to = out.data() + begin;
    std::size_t at = 0;
    while (at < text.size()) {
      if (digits_ == 0 && pads_ == 0) at += whole_groups(text.substr(at), to);
      if (at == text.size() || !one(text[at], to)) break;
      ++at;
    }
    out.resize(static_cast<std::size_t>(to - out.data()));
    return at;
  }
  // Nothing is missing, and the bits beyond the last octet are zero.
  bool complete() const { return digits_ == 0 ? pads_ == 0 : digits_ + pads_ == 4 && (group_ & (digits_ == 2 ? 0xFU : 0x3U)) == 0; }
  // The octets of a last group with padding.
  void end(Bytes& out) const {
    if (digits_ == 2) out += static_cast<char>(group_ >> 4);
    if (digits_ == 3) {
      out += static_cast<char>(group_ >> 10);
      out += static_cast<char>(group_ >> 2);
    }
  }

 private:
  static constexpr std::uint8_t space = 64, pad = 65, other = 66;
  static constexpr std::array<std::uint8_t, 256> values = [] {
    std::array<std::uint8_t, 256> table{};
    table.fill(other);
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < alphabet.size(); ++i) table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
    table[' '] = table['\t'] = table['\r'] = table['\n'] = space;
    table['='] = pad;
    return table;
  }();
  static std::uint32_t value(char c) { return values[static_cast<unsigned char>(c)]; }

  static std::size_t whole_groups(std::string_view text, char*& to) {
    std::size_t at = 0;
    for (; at + 4 <= text.size(); at += 4) {
      const auto a = value(text[at]), b = value(text[at + 1]), c = value(text[at + 2]), d = value(text[at + 3]);
      if ((a | b | c | d) >= 64) break;
      to[0] = static_cast<char>(a << 2 | b >> 4);
      to[1] = static_cast<char>(b << 4 | c >> 2);
      to[2] = static_cast<char>(c << 6 | d);
      to += 3;
    }
    return at;
  }
  bool one(char c, char*& to) {
    const auto v = value(c);
    if (v == space) return true;
    if (v == pad) return ++pads_ <= 2;
    if (v == other || pads_ > 0) return false;
    group_ = group_ << 6 | v;
    if (++digits_ == 4) {
      to[0] = static_cast<char>(group_ >> 16);
      to[1] = static_cast<char>(group_ >> 8);
      to[2] = static_cast<char>(group_);
      to += 3;
      digits_ = 0;
      group_ = 0;
    }
    return true;
  }

  std::uint32_t group_ = 0, digits_ = 0, pads_ = 0;
};

// Gives octets on, but keeps the last `count` back: they may be a tag or a padded block.
class HeldBack {
 public:
  explicit HeldBack(std::size_t count) : count_(count) {}

  template <class Give>
  bool push(BytesView octets, const Give& give) {
    if (octets.size() >= count_) {
      if (!give(held_) || !give(octets.substr(0, octets.size() - count_))) return false;
      held_ = octets.substr(octets.size() - count_);
      return true;
    }
    held_ += octets;
    if (held_.size() <= count_) return true;
    const bool ok = give(BytesView(held_).substr(0, held_.size() - count_));
    held_.erase(0, held_.size() - count_);
    return ok;
  }
  const Bytes& octets() const { return held_; }
  bool full() const { return held_.size() == count_; }

 private:
  std::size_t count_;
  Bytes held_;
};

// IV, ciphertext and tag or padding, as they come.
class ContentDecryption {
 public:
  ContentDecryption(ContentCipher cipher, const ContentKey& key)
      : gcm_(is_gcm(cipher)),
        iv_size_(static_cast<std::size_t>(EVP_CIPHER_get_iv_length(fetched(cipher)))),
        held_(gcm_ ? tag_bytes : iv_size_),
        context_(EVP_CIPHER_CTX_new()) {
    ok_ = context_ && EVP_DecryptInit_ex2(context_.get(), fetched(cipher), key.data(), nullptr, nullptr) == 1;
  }

  void update(BytesView octets, Bytes& plain) {
    if (iv_.size() < iv_size_) {
      const auto part = octets.substr(0, iv_size_ - iv_.size());
      iv_ += part;
      octets.remove_prefix(part.size());
      if (iv_.size() < iv_size_) return;
      ok_ = ok_ && EVP_DecryptInit_ex2(context_.get(), nullptr, nullptr, security::octets(iv_), nullptr) == 1 &&
            EVP_CIPHER_CTX_set_padding(context_.get(), 0) == 1;
    }
    if (gcm_) {
      ok_ = held_.push(octets, [&](BytesView cipher_text) { return decrypt(cipher_text, plain); }) && ok_;
    } else {
      Bytes blocks;
      ok_ = decrypt(octets, blocks) && held_.push(blocks, [&](BytesView text) { return plain += text, true; }) && ok_;
    }
  }

  bool finish(Bytes& plain) {
    std::array<unsigned char, EVP_MAX_BLOCK_LENGTH> none{};
    int size = 0;
    ok_ = ok_ && held_.full();
    if (!ok_) return false;
    if (gcm_) {
      Bytes tag = held_.octets();
      return EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, tag_bytes, tag.data()) == 1 &&
             EVP_DecryptFinal_ex(context_.get(), none.data(), &size) == 1;
    }
    // XML-Enc 5.2: only the last octet says how much is padding; what the others are is not said.
    const auto& block = held_.octets();
    const auto padding = static_cast<unsigned char>(block.back());
    const bool ended = EVP_DecryptFinal_ex(context_.get(), none.data(), &size) == 1;
    const bool good = ended && padding != 0 && padding <= block.size();
    plain += block.substr(0, block.size() - (good ? padding : 0));
    return good;
  }

 private:
  bool decrypt(BytesView octets, Bytes& plain) {
    while (!octets.empty()) {
      const auto piece = octets.substr(0, piece_bytes_max);
      const auto at = plain.size();
      plain.resize(at + piece.size() + EVP_MAX_BLOCK_LENGTH);
      int size = 0;
      const bool ok = EVP_DecryptUpdate(context_.get(), reinterpret_cast<unsigned char*>(plain.data() + at), &size, security::octets(piece),
                                        static_cast<int>(piece.size())) == 1;
      plain.resize(at + (ok ? static_cast<std::size_t>(size) : 0));
      if (!ok) return false;
      octets.remove_prefix(piece.size());
    }
    return true;
  }

  bool gcm_, ok_ = false;
  std::size_t iv_size_;
  HeldBack held_;
  std::unique_ptr<EVP_CIPHER_CTX, CipherContextFree> context_;
  Bytes iv_;
};

// "#13", "#xD" without '&' and ';'; nullopt: no character that could be base64 or white space.
std::optional<char> referred(std::string_view reference) {
  if (!reference.starts_with('#')) return std::nullopt;
  reference.remove_prefix(1);
  const unsigned base = reference.starts_with('x') ? 16 : 10;
  if (base == 16) reference.remove_prefix(1);
  unsigned code = 0;
  for (const char c : reference) {
    const auto digit = c >= '0' && c <= '9'                 ? static_cast<unsigned>(c - '0')
                       : base == 16 && c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a' + 10)
                       : base == 16 && c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A' + 10)
                                                            : 99;
    if (digit == 99) return std::nullopt;
    code = code * base + digit;
    if (code > 127) return std::nullopt;
  }
  if (reference.empty()) return std::nullopt;
  return static_cast<char>(code);
}

Error failed() {
  return fail("encryption.failed", "the content could not be decrypted");
}

}  // namespace

bool decrypt_content(ContentCipher cipher, const ContentKey& key, BytesView octets, Bytes& plain) {
  ContentDecryption decryption(cipher, key);
  decryption.update(octets, plain);
  const bool ok = decryption.finish(plain);
  ERR_clear_error();
  return ok;
}

struct Decryptor::State {
  enum class Phase { head, content, reference, tail, failed };

  State(DecryptionPolicy allowed, FindKey find, Random& source) : policy(std::move(allowed)), find_key(std::move(find)), random(source) {}

  DecryptionPolicy policy;
  FindKey find_key;
  Random& random;

  Phase phase = Phase::head;
  std::string reason;
  bool refuses_algorithm = false;
  Bytes head, tail, reference;
  ContentFinder finder;
  Plain plain;
  Base64Stream base64;
  std::optional<ContentDecryption> decryption;
  Bytes cipher_text;  // of one piece

  // Fails now: nothing about this document depends on a secret.
  void refuse(std::string why) {
    reason = std::move(why);
    phase = Phase::failed;
  }
  void refuse_algorithm(std::string why) {
    refuses_algorithm = true;
    refuse(std::move(why));
  }
  // Fails at the end, with a random key until then.
  void doom(std::string why) {
    if (reason.empty()) reason = std::move(why);
  }

  void update(BytesView octets, Bytes& out) {
    while (!octets.empty() && phase != Phase::failed) {
      if (phase == Phase::head)
        take_head(octets);
      else if (phase == Phase::content)
        take_content(octets, out);
      else if (phase == Phase::reference)
        take_reference(octets, out);
      else
        take_tail(octets);
    }
  }

  // Each takes what it understands off the front of the octets, or refuses.
  void take_head(BytesView& octets) {
    for (std::size_t at = 0; at < octets.size(); ++at) {
      head += octets[at];
      if (head.size() > head_bytes_max) return refuse("too much before the content");
      const auto progress = finder.advance(head);
      if (progress == ContentFinder::Progress::impossible) return refuse("not an EncryptedData document");
      if (progress == ContentFinder::Progress::found) {
        octets.remove_prefix(at + 1);
        return begin_content();
      }
    }
    octets = {};
  }

  void begin_content() {
    auto read = read_encrypted_data(head + finder.closing_tags());
    if (!read) return refuse(read.error().code + ": " + read.error().detail);
    const auto cipher = content_cipher(read->algorithm);
    if (!cipher || std::ranges::find(policy.ciphers, *cipher) == policy.ciphers.end())
      return refuse_algorithm("a content cipher that is not allowed here");
    plain.cipher = *cipher;
    plain.mime_type = std::move(read->mime_type);
    plain.encoding = std::move(read->encoding);
    plain.type = std::move(read->type);
    unwrap_key(read->keys);
  }

  void unwrap_key(const std::vector<EncryptedKey>& keys) {
    const EncryptedKey* ours = nullptr;
    security::PrivateKey own;
    for (const auto& key : keys) {
      auto found = find_key(key.hints);
      if (!found) continue;
      if (ours != nullptr) return refuse("more than one EncryptedKey is for us");
      ours = &key;
      own = std::move(found);
    }
    ContentKey content_key(plain.cipher, random);
    if (ours == nullptr) {
      doom("no EncryptedKey is for a key of ours");
    } else {
      if (!ours->refusal.empty()) return refuse_algorithm(ours->refusal);
      if (ours->transport == KeyTransport::rsa_1_5 && !policy.rsa_1_5) return refuse_algorithm("rsa-1_5 is not allowed here");
      plain.transport = ours->transport;
      if (!unwrap(*ours, own.get(), content_key)) doom("the content key could not be unwrapped");
    }
    decryption.emplace(plain.cipher, content_key);
    phase = Phase::content;
  }

  void take_content(BytesView& octets, Bytes& out) {
    cipher_text.clear();
    octets.remove_prefix(base64.decode(octets, cipher_text));
    decryption->update(cipher_text, out);
    if (octets.empty()) return;
    if (octets.front() == '<') {
      phase = Phase::tail;
    } else if (octets.front() == '&') {
      phase = Phase::reference;
      reference.clear();
      octets.remove_prefix(1);
    } else {
      refuse("the content is not base64");
    }
  }

  // A carriage return in the base64 of JDK peers is written as a reference (WUS-113).
  void take_reference(BytesView& octets, Bytes& out) {
    constexpr std::size_t reference_bytes_max = 8;
    const char c = octets.front();
    octets.remove_prefix(1);
    if (c != ';') {
      reference += c;
      if (reference.size() > reference_bytes_max) refuse("the content is not base64");
      return;
    }
    const auto character = referred(reference);
    if (!character || *character == '<' || *character == '&') return refuse("the content is not base64");
    phase = Phase::content;
    BytesView one(&*character, 1);
    take_content(one, out);
  }

  void take_tail(BytesView& octets) {
    if (octets.size() > tail_bytes_max - tail.size()) return refuse("too much after the content");
    tail += octets;
    octets = {};
  }

  void finish() {
    if (phase == Phase::failed) return;
    if (phase != Phase::tail) return refuse("the document ends too early");
    cipher_text.clear();
    base64.end(cipher_text);
    decryption->update(cipher_text, plain.octets);
    const bool complete = base64.complete();
    const bool decrypted = decryption->finish(plain.octets);
    ERR_clear_error();
    // Once more without the content: now that the end is there, all of it is one document.
    const auto whole = read_encrypted_data(head + tail);
    if (!complete) doom("the content is not base64");
    if (!whole) doom(whole.error().code + ": " + whole.error().detail);
    if (!decrypted) doom("the content does not decrypt");
  }
};

Decryptor::Decryptor(DecryptionPolicy policy, FindKey find_key, Random& random)
    : state_(new State(std::move(policy), std::move(find_key), random)) {}
Decryptor::Decryptor(Decryptor&&) noexcept = default;
Decryptor& Decryptor::operator=(Decryptor&&) noexcept = default;
Decryptor::~Decryptor() = default;

Result<Bytes> Decryptor::update(BytesView octets) {
  Bytes out;
  state_->update(octets, out);
  if (state_->phase == State::Phase::failed) return failed();
  return out;
}

Result<Decryptor::Plain> Decryptor::finish() {
  state_->finish();
  if (!state_->reason.empty()) return failed();
  return std::move(state_->plain);
}

std::string_view Decryptor::reason() const {
  return state_->reason;
}

bool Decryptor::refuses_algorithm() const {
  return state_->refuses_algorithm;
}

}  // namespace schakel::xmlsecurity
