// A revocation list in DER or PEM. What is read is read again from its own DER, with the same entries.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "security/crl.hpp"

using namespace schakel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  const auto crl = security::parse_crl(std::string_view(reinterpret_cast<const char*>(octets), size));
  if (!crl) return 0;
  const auto again = security::parse_crl((*crl)->der);
  if (!again || (*again)->sha256 != (*crl)->sha256 || (*again)->revoked.size() != (*crl)->revoked.size() || !(*again)->same_series(**crl))
    std::abort();
  for (const auto& [serial, revocation] : (*crl)->revoked)
    if (!(*again)->find(serial)) std::abort();
  (void)security::crl_state(crl->get(), false, parse_datetime("2026-03-02T12:00:00Z")->instant);
  return 0;
}
