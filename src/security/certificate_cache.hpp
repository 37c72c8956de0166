// Certificates that come again and again - of agreements, and with every signature of a partner - parsed once: parsing costs as much as the
// verification of four signatures. A cache of values only: whether one may be used is asked of TrustStore each time.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>

#include "security/certificate.hpp"

namespace schakel::security {

// Bounded; safe from every thread.
class CertificateCache {
 public:
  // As Certificate::from_der.
  Result<Certificate> from_der(BytesView);

 private:
  static constexpr std::size_t entries_max = 256;           // then it starts anew
  static constexpr std::size_t entry_bytes_max = 8 * 1024;  // larger ones are parsed each time

  std::mutex mutex_;
  std::map<Bytes, Certificate, std::less<>> parsed_;  // by DER
};

}  // namespace schakel::security
