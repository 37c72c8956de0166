// A CPA document: parsed and judged. What is not understood is refused; what is understood is understood again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cpa/validate.hpp"

using namespace schakel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(octets), size);
  cpa::ValidationOptions options;
  options.mode = cpa::Mode::test;
  options.now = parse_datetime("2026-03-02T12:00:00Z")->instant;
  const auto validation = cpa::validate(input, options);
  if (!validation.agreement) {
    if (!validation.refused()) std::abort();
    return 0;
  }
  const auto again = cpa::parse(input);
  if (!again || again->cpa_id != validation.agreement->cpa_id || again->parties.size() != 2) std::abort();
  for (const auto& party : again->parties) (void)party.oin();
  return 0;
}
