// Randomness as an interface, and the identifiers made of it.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/time.hpp"

namespace schakel {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<unsigned char> out) = 0;
  // Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound);
};

// OpenSSL's generator. Safe from every thread.
class SystemRandom final : public Random {
 public:
  void fill(std::span<unsigned char> out) override;
};

std::string uuid_v4(Random&);
// Time-ordered (RFC 9562): own object ids (README section 9).
std::string uuid_v7(Random&, Instant now);
bool is_uuid(std::string_view);

}  // namespace schakel
