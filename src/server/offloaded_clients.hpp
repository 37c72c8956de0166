// The clients of partners behind a TLS-terminating proxy (SEC-050): judged as in a handshake, from the certificate that the proxy passed.
//
// A proxy sends the certificate with every request, so a good verdict is remembered for a short time, and never longer than the CRLs stand.
// Safe from every thread.
#pragma once

#include <mutex>
#include <string>
#include <unordered_map>

#include "base/time.hpp"
#include "http/server.hpp"
#include "security/trust.hpp"

namespace schakel::server {

class OffloadedClients {
 public:
  explicit OffloadedClients(const Clock& clock) : clock_(clock) {}

  // Errors: the refusals of a handshake ("SEC.PKI.…", "SEC.CRL.…"). A wrong policy or number is in the identity
  // (security::identify_client).
  Result<security::PeerIdentity> identify(security::TrustStore&, const http::OffloadedCertificate&);

 private:
  struct Verdict {
    security::PeerIdentity peer;
    std::uint64_t crl_generation = 0;
    Instant good_until{};
  };

  const Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, Verdict> verdicts_;  // by what was passed and for which environment
};

}  // namespace schakel::server
