#include "base/bytes.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace schakel {
namespace {

constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view base64url_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> reverse_of(std::string_view alphabet) {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i) table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return table;
}
constexpr auto base64_reverse = reverse_of(base64_alphabet);
constexpr auto base64url_reverse = reverse_of(base64url_alphabet);

std::string encode(BytesView in, std::string_view alphabet, bool padding) {
  std::string out((in.size() + 2) / 3 * 4, '=');
  char* to = out.data();
  const auto at = [&](std::size_t k) { return static_cast<std::uint32_t>(static_cast<unsigned char>(in[k])); };
  std::size_t i = 0;
  for (; i + 3 <= in.size(); i += 3, to += 4) {
    const auto group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    to[0] = alphabet[group >> 18];
    to[1] = alphabet[group >> 12 & 63];
    to[2] = alphabet[group >> 6 & 63];
    to[3] = alphabet[group & 63];
  }
  if (const auto left = in.size() - i; left > 0) {
    const auto group = at(i) << 16 | (left == 2 ? at(i + 1) << 8 : 0);
    to[0] = alphabet[group >> 18];
    to[1] = alphabet[group >> 12 & 63];
    if (left == 2) to[2] = alphabet[group >> 6 & 63];
    if (!padding) out.resize(out.size() - (3 - left));
  }
  return out;
}

enum class Spaces { refused, ignored };
enum class Padding { required, absent };

Result<Bytes> decode(std::string_view in, const std::array<std::int8_t, 256>& reverse, Spaces spaces, Padding padding) {
  Bytes out;
  out.reserve(in.size() / 4 * 3 + 3);
  std::uint32_t group = 0;
  std::size_t digits = 0, pads = 0;
  for (const char c : in) {
    if (spaces == Spaces::ignored && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) continue;
    if (c == '=' && padding == Padding::required) {
      ++pads;
      continue;
    }
    const auto value = reverse[static_cast<unsigned char>(c)];
    if (value < 0 || pads > 0) return fail("base64.invalid", "not base64");
    group = group << 6 | static_cast<std::uint32_t>(value);
    if (++digits % 4 == 0) {
      out += {static_cast<char>(group >> 16), static_cast<char>(group >> 8), static_cast<char>(group)};
      group = 0;
    }
  }
  const auto left = digits % 4;
  if (left == 1 || (padding == Padding::required && (left == 0 ? pads != 0 : pads != 4 - left)))
    return fail("base64.invalid", "not base64");
  // Bits beyond the last octet must be zero, else two texts would mean the same octets.
  if (left == 2) {
    if ((group & 15) != 0) return fail("base64.invalid", "not base64");
    out += static_cast<char>(group >> 4);
  } else if (left == 3) {
    if ((group & 3) != 0) return fail("base64.invalid", "not base64");
    out += static_cast<char>(group >> 10);
    out += static_cast<char>(group >> 2);
  }
  return out;
}

EVP_MD_CTX* context_of(void* p) {
  return static_cast<EVP_MD_CTX*>(p);
}

void expect(int ok) {
  if (ok != 1) throw std::runtime_error("SHA-256 is not available in the crypto library");
}

char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

std::string to_hex(BytesView in) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(in.size() * 2);
  for (const char c : in) {
    const auto octet = static_cast<unsigned char>(c);
    out += digits[octet >> 4];
    out += digits[octet & 15];
  }
  return out;
}

Result<Bytes> from_hex(std::string_view in) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char l = ascii_lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
  };
  if (in.size() % 2 != 0) return fail("hex.invalid", "an odd number of hexadecimal digits");
  Bytes out;
  out.reserve(in.size() / 2);
  for (std::size_t i = 0; i < in.size(); i += 2) {
    const int high = digit(in[i]), low = digit(in[i + 1]);
    if (high < 0 || low < 0) return fail("hex.invalid", "not hexadecimal");
    out += static_cast<char>(high << 4 | low);
  }
  return out;
}

std::string to_base64(BytesView in) {
  return encode(in, base64_alphabet, true);
}
std::string to_base64url(BytesView in) {
  return encode(in, base64url_alphabet, false);
}
Result<Bytes> from_base64(std::string_view in) {
  return decode(in, base64_reverse, Spaces::refused, Padding::required);
}
Result<Bytes> from_base64_lenient(std::string_view in) {
  return decode(in, base64_reverse, Spaces::ignored, Padding::required);
}
Result<Bytes> from_base64url(std::string_view in) {
  return decode(in, base64url_reverse, Spaces::refused, Padding::absent);
}

namespace {

// Fetched once: a look-up by name costs more than digesting a short text.
const EVP_MD* sha256_method() {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return method;
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  expect(EVP_DigestInit_ex(context_of(context_), sha256_method(), nullptr));
}
Sha256::~Sha256() {
  EVP_MD_CTX_free(context_of(context_));
}
Sha256::Sha256(Sha256&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}
Sha256& Sha256::operator=(Sha256&& other) noexcept {
  std::swap(context_, other.context_);
  return *this;
}
void Sha256::update(BytesView in) {
  expect(EVP_DigestUpdate(context_of(context_), in.data(), in.size()));
}
Bytes Sha256::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned length = 0;
  expect(EVP_DigestFinal_ex(context_of(context_), out.data(), &length));
  expect(EVP_DigestInit_ex(context_of(context_), nullptr, nullptr));  // the same again, without a look-up
  return {out.begin(), out.begin() + length};
}

Bytes sha256(BytesView in) {
  thread_local Sha256 digest;  // making a context costs as much as digesting a short text
  digest.update(in);
  return digest.finish();
}
std::string sha256_hex(BytesView in) {
  return to_hex(sha256(in));
}

Bytes hmac_sha256(BytesView key, BytesView text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned length = 0;
  const auto* octets = reinterpret_cast<const unsigned char*>(text.data());
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), octets, text.size(), out.data(), &length) == nullptr) {
    throw std::runtime_error("HMAC-SHA256 is not available");
  }
  return {out.begin(), out.begin() + length};
}

bool constant_time_equal(BytesView a, BytesView b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

namespace {

// Past octets below 0x80, eight at a time; perhaps not past all of them.
std::size_t after_ascii(BytesView in, std::size_t at) {
  constexpr std::uint64_t high_bits = 0x8080808080808080ULL;
  for (std::uint64_t eight = 0; in.size() - at >= sizeof eight; at += sizeof eight) {
    std::memcpy(&eight, in.data() + at, sizeof eight);
    if ((eight & high_bits) != 0) break;
  }
  return at;
}

}  // namespace

bool is_valid_utf8(BytesView in) {
  const auto at = [&](std::size_t k) { return static_cast<unsigned char>(in[k]); };
  for (std::size_t i = 0; i < in.size();) {
    const unsigned char lead = at(i);
    if (lead < 0x80) {
      i = after_ascii(in, i + 1);
      continue;
    }
    const std::size_t length = lead >= 0xC2 && lead <= 0xDF ? 2 : lead >= 0xE0 && lead <= 0xEF ? 3 : lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
    if (length == 0 || i + length > in.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((at(i + k) & 0xC0) != 0x80) return false;
    }
    const unsigned char second = at(i + 1);
    // Overlong forms, surrogates, beyond U+10FFFF.
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
        (lead == 0xF4 && second > 0x8F)) {
      return false;
    }
    i += length;
  }
  return true;
}

std::string for_log(std::string_view in) {
  constexpr std::size_t characters_max = 512;
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  const bool utf8 = is_valid_utf8(in);
  std::size_t characters = 0;
  const auto escape = [&](unsigned char octet) {
    out += "\\x";
    out += digits[octet >> 4];
    out += digits[octet & 15];
  };
  for (std::size_t i = 0; i < in.size(); ++i) {
    const auto octet = static_cast<unsigned char>(in[i]);
    const bool continuation = utf8 && (octet & 0xC0) == 0x80;
    if (!continuation && ++characters > characters_max) return out += "…";
    const bool c1_control = utf8 && octet == 0xC2 && static_cast<unsigned char>(in[i + 1]) < 0xA0;  // U+0080 to U+009F
    if (c1_control) {
      escape(octet);
      escape(static_cast<unsigned char>(in[++i]));
    } else if (octet < 0x20 || octet == 0x7F || (!utf8 && octet >= 0x80)) {
      escape(octet);
    } else {
      out += in[i];
    }
  }
  return out;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  }
  return true;
}

std::string to_lower(std::string_view in) {
  std::string out(in);
  for (char& c : out) c = ascii_lower(c);
  return out;
}

std::string_view trim(std::string_view in) {
  constexpr std::string_view spaces = " \t\r\n";
  const auto first = in.find_first_not_of(spaces);
  if (first == std::string_view::npos) return {};
  return in.substr(first, in.find_last_not_of(spaces) - first + 1);
}

}  // namespace schakel
