#include "base/random.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>

#include "base/bytes.hpp"

namespace schakel {
namespace {

std::string format_uuid(std::array<unsigned char, 16> octets, unsigned char version) {
  octets[6] = static_cast<unsigned char>((octets[6] & 0x0F) | version << 4);
  octets[8] = static_cast<unsigned char>((octets[8] & 0x3F) | 0x80);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < octets.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += digits[octets[i] >> 4];
    out += digits[octets[i] & 15];
  }
  return out;
}

}  // namespace

std::uint64_t Random::below(std::uint64_t bound) {
  // Values above the largest multiple of the bound are drawn again, so that every result is equally likely.
  const std::uint64_t limit = std::numeric_limits<std::uint64_t>::max() - std::numeric_limits<std::uint64_t>::max() % bound;
  for (;;) {
    std::array<unsigned char, 8> octets{};
    fill(octets);
    std::uint64_t value = 0;
    for (const auto octet : octets) value = value << 8 | octet;
    if (value < limit) return value % bound;
  }
}

namespace {

void draw(std::span<unsigned char> out) {
  if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1) throw std::runtime_error("the crypto library has no randomness");
}

// A call of the generator costs microseconds whatever it gives, and a message needs half a dozen identifiers: a thread draws ahead. What
// was given is wiped.
class Reserve {
 public:
  static constexpr std::size_t octets_max = 512;
  ~Reserve() { OPENSSL_cleanse(octets_.data(), octets_.size()); }

  void take(std::span<unsigned char> out) {
    if (left_ < out.size()) {
      draw(octets_);
      left_ = octets_.size();
    }
    left_ -= out.size();
    std::copy_n(octets_.begin() + static_cast<std::ptrdiff_t>(left_), out.size(), out.begin());
    OPENSSL_cleanse(octets_.data() + left_, out.size());
  }

 private:
  std::array<unsigned char, octets_max> octets_{};
  std::size_t left_ = 0;
};

}  // namespace

void SystemRandom::fill(std::span<unsigned char> out) {
  thread_local Reserve reserve;
  if (out.size() > Reserve::octets_max / 8) return draw(out);
  reserve.take(out);
}

std::string uuid_v4(Random& random) {
  std::array<unsigned char, 16> octets{};
  random.fill(octets);
  return format_uuid(octets, 4);
}

std::string uuid_v7(Random& random, Instant now) {
  std::array<unsigned char, 16> octets{};
  random.fill(octets);
  const auto total = now.time_since_epoch().count();
  auto milliseconds = static_cast<std::uint64_t>(total / 1000);
  for (std::size_t i = 6; i-- > 0;) {
    octets[i] = static_cast<unsigned char>(milliseconds & 0xFF);
    milliseconds >>= 8;
  }
  // Twelve bits of the microseconds keep ids of one node in order within a millisecond (RFC 9562, 6.2 method 3).
  const auto fraction = static_cast<unsigned>((total % 1000) * 4096 / 1000);
  octets[6] = static_cast<unsigned char>(fraction >> 8);
  octets[7] = static_cast<unsigned char>(fraction & 0xFF);
  return format_uuid(octets, 7);
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

}  // namespace schakel
