// The hardened parser: whatever it accepts has a canonical form, which parses again to the same canonical form.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "xml/canonical.hpp"

using namespace schakel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(octets), size);
  xml::Limits limits;
  limits.depth_max = 64;
  limits.elements_max = 2000;
  const auto document = xml::Document::parse(input, limits);
  if (!document) return 0;
  const auto canonical = xml::canonicalise(document->root());
  if (!canonical) return 0;  // relative namespace names have no canonical form
  limits.utf16_allowed = false;
  const auto again = xml::Document::parse(*canonical, xml::Limits{});
  if (!again) std::abort();
  const auto same = xml::canonicalise(again->root());
  if (!same || *same != *canonical) std::abort();
  return 0;
}
