#include "security/certificate_cache.hpp"

namespace schakel::security {

Result<Certificate> CertificateCache::from_der(BytesView der) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = parsed_.find(der); found != parsed_.end()) return found->second;
  }
  auto certificate = Certificate::from_der(der);
  if (!certificate || der.size() > entry_bytes_max) return certificate;
  const std::lock_guard lock(mutex_);
  if (parsed_.size() >= entries_max) parsed_.clear();
  parsed_.emplace(der, *certificate);
  return certificate;
}

}  // namespace schakel::security
