// What the validation of an agreement asks about certificates that only a trust store knows (rules V37h, V37i, V37j).
#pragma once

#include <memory>
#include <string>

#include "security/certificate.hpp"
#include "security/trust.hpp"

namespace schakel::cpa {

class CertificateChecks {
 public:
  struct Standing {
    bool chains = false;            // a path leads to an anchor of the environment
    bool revoked = false;           // known to be revoked
    bool revocation_known = false;  // the CRLs of the path said so, or said nothing against it
    std::string detail;             // a sentence, when something is wrong
  };

  virtual ~CertificateChecks() = default;
  virtual Standing standing(const security::Certificate&, security::Usage, Instant now) const = 0;
};

// Over the trust store of one environment. Safe from every thread.
class TrustStoreChecks final : public CertificateChecks {
 public:
  explicit TrustStoreChecks(std::shared_ptr<const security::TrustStore> store) : store_(std::move(store)) {}
  Standing standing(const security::Certificate&, security::Usage, Instant now) const override;

 private:
  std::shared_ptr<const security::TrustStore> store_;
};

}  // namespace schakel::cpa
