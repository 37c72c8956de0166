// Identifiers of elements in one message that is being made: random, so that none is ever used again (wus.md 4.2).
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/random.hpp"

namespace schakel::wus {

class Identifiers {
 public:
  explicit Identifiers(Random& random) : random_(random) {}

  // An NCName: "id-" and 32 hexadecimal digits.
  std::string next(std::string_view prefix = "id-") {
    std::array<unsigned char, 16> bits{};
    random_.fill(bits);
    return std::string(prefix) + to_hex(BytesView(reinterpret_cast<const char*>(bits.data()), bits.size()));
  }

 private:
  Random& random_;
};

}  // namespace schakel::wus
