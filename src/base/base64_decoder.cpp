#include "base/base64_decoder.hpp"

#include <array>
#include <cstdint>

namespace schakel {
namespace {

constexpr std::array<std::int8_t, 256> values = [] {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i) table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return table;
}();

}  // namespace

Result<> Base64Decoder::decode(BytesView text, Bytes& out) {
  out.reserve(out.size() + text.size() / 4 * 3 + 3);
  for (const char c : text) {
    if (c == '\r' || c == '\n' || c == ' ' || c == '\t') continue;
    if (ended_) return fail("base64.invalid", "octets after the padding of base64");
    const int value = values[static_cast<unsigned char>(c)];
    if (c == '=') {
      if (characters_ < 2) return fail("base64.invalid", "padding at a wrong place in base64");
      ++padding_;
    } else if (value < 0 || padding_ != 0) {
      return fail("base64.invalid", "a character outside the base64 alphabet");
    }
    group_ = (group_ << 6) | static_cast<unsigned>(c == '=' ? 0 : value);
    if (++characters_ < 4) continue;
    out += static_cast<char>((group_ >> 16) & 0xff);
    if (padding_ < 2) out += static_cast<char>((group_ >> 8) & 0xff);
    if (padding_ < 1) out += static_cast<char>(group_ & 0xff);
    ended_ = padding_ != 0;
    group_ = 0;
    characters_ = padding_ = 0;
  }
  return {};
}

Result<> Base64Decoder::finish() const {
  if (characters_ != 0) return fail("base64.invalid", "base64 ends inside a group");
  return {};
}

}  // namespace schakel
