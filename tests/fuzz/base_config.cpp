// The configuration file. Every fault has a place; a text without faults shows effective values that are no faults either.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/config.hpp"

using namespace schakel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  const auto checked = config::check(std::string_view(reinterpret_cast<const char*>(octets), size), "schakel.toml", "/etc/schakel", {});
  for (const auto& fault : checked.faults)
    if (fault.code != "config.invalid" || fault.detail.empty()) std::abort();
  if (checked.faults.empty() && checked.effective.empty()) std::abort();
  return 0;
}
