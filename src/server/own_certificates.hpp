// Findings about our own certificates as our partners would see them (SEC-017, SEC-025): each hour the rules of a handshake, CRLs included;
// each 4 hours whether the CRLs can be fetched from where the certificates say, because our partners need them too. A finding never stops
// anything. Safe from every thread.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/time.hpp"
#include "security/trust.hpp"
#include "server/identities.hpp"

namespace schakel::server {

struct CertificateFinding {
  std::string code;  // the reason of the verdict, or "SEC.CRL.ONBEREIKBAAR"
  std::string detail;
  friend bool operator==(const CertificateFinding&, const CertificateFinding&) = default;
};

class OwnCertificates {
 public:
  static constexpr std::chrono::hours judged_every{1}, fetched_every{4};

  OwnCertificates(const Trust& trust, security::CrlFetch fetch, const Clock& clock, Log& log)
      : trust_(trust), fetch_(std::move(fetch)), clock_(clock), log_(log) {}

  // Looks at every certificate that is in use; fetches what was not fetched in the last 4 hours. Blocks.
  void look(const Identities&);
  std::vector<CertificateFinding> findings(const std::string& certificate_sha256) const;

 private:
  struct Fetched {
    Instant at;
    std::string problem;  // empty: a list of a known CA came
  };
  std::vector<CertificateFinding> judge(const Identities::Loaded&, security::TrustStore&);
  std::string fetch(const std::string& url);

  const Trust& trust_;
  security::CrlFetch fetch_;
  const Clock& clock_;
  Log& log_;
  std::mutex looking_;                                               // guards fetched_
  std::map<std::string, Fetched> fetched_;                           // by URL
  mutable std::mutex mutex_;                                         // guards findings_
  std::map<std::string, std::vector<CertificateFinding>> findings_;  // by SHA-256 of the certificate
};

}  // namespace schakel::server
