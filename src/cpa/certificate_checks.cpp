#include "cpa/certificate_checks.hpp"

namespace schakel::cpa {

CertificateChecks::Standing TrustStoreChecks::standing(const security::Certificate& certificate, security::Usage usage, Instant now) const {
  const auto verdict = store_->verify_path(std::span(&certificate, 1), usage, now);
  const auto& reason = verdict.reason;
  Standing out;
  out.detail = verdict.detail;
  out.chains = reason != "SEC.PKI.ONBEKENDE_CA" && reason != "SEC.PKI.PAD";
  out.revoked = reason == "SEC.PKI.INGETROKKEN";
  // Reasons that are looked for before the CRLs (trust.hpp) leave revocation unknown.
  out.revocation_known = reason.empty() || out.revoked || reason == "SEC.PKI.POLICY";
  return out;
}

}  // namespace schakel::cpa
