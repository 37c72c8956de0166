// A certificate in DER or PEM, a list of them, a PKCS#7 bundle; with it the OIN in the subject. An OIN that is read has the form of one
// (OIN-007: with some prefixes letters too), and what is read is read again from its own DER.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/oin.hpp"
#include "security/certificate.hpp"

using namespace schakel;

namespace {

void check(const security::Certificate& certificate) {
  const auto& reading = certificate->oin;
  if (reading.oin.empty() == reading.refusal.empty()) std::abort();
  if (!reading.oin.empty() && classify_oin(reading.oin).verdict == OinVerdict::invalid) std::abort();
  const auto again = security::Certificate::from_der(certificate->der);
  if (!again || !(*again == certificate) || again->fields().oin.oin != reading.oin) std::abort();
  for (const auto& name : certificate->dns_names)
    if (!security::is_host_name(name)) std::abort();
  (void)security::names_host(certificate, "example.nl");
  (void)security::is_issued_by(certificate, certificate);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(octets), size);
  if (const auto one = security::Certificate::from_octets(input)) check(*one);
  if (const auto list = security::Certificate::list_from_pem(input)) std::for_each(list->begin(), list->end(), check);
  if (const auto list = security::Certificate::list_from_pkcs7(input)) std::for_each(list->begin(), list->end(), check);
  return 0;
}
