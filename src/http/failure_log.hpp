// Repeated failures from one address, told now and then (SEC-105): the first, then every 100th or each minute.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.hpp"

namespace schakel::http {

// Not safe from several threads. Memory is bounded: the oldest half is forgotten when too many addresses fail.
class FailureLog {
 public:
  // The number of failures to tell now, this one included, or nothing when this one waits for a later call.
  std::optional<std::uint64_t> note(std::string_view reason, std::string_view address, Instant now);

 private:
  struct Entry {
    std::uint64_t untold = 0;
    Instant told;
  };
  void forget_oldest_half();

  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace schakel::http
