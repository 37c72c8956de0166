// Certificate revocation lists: parsing, the rules of acceptance, and their state in time (security.md 1.2, 3.3). Pure functions over
// values.
//
// A Crl is parsed once and keeps its revoked serial numbers in a hash table, so that a handshake costs one look-up per certificate.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "security/certificate.hpp"

namespace schakel::security {

// What certificates a CRL speaks of (IssuingDistributionPoint).
enum class CrlScope { all, user_certificates, ca_certificates };

struct Revocation {
  Instant at;
  int reason = 0;  // CRLReason of RFC 5280; 0: not given
};

struct Crl {
  Bytes der;
  std::string sha256;
  std::string issuer;  // RFC 2253
  Bytes issuer_der;
  int version = 0;  // 2
  Instant this_update;
  std::optional<Instant> next_update;
  SignatureFacts signature;
  Bytes authority_key_id;
  Bytes number;  // CRLNumber, big-endian magnitude without leading zeros; empty: none
  CrlScope scope = CrlScope::all;
  std::vector<std::string> distribution_points;  // of the IssuingDistributionPoint; empty: every certificate of the scope
  std::string objection;                         // why it may never be used: unknown critical extension, delta, indirect, partial reasons
  std::unordered_map<std::string, Revocation> revoked;  // key: serial in lower-case hex

  const Revocation* find(const std::string& serial) const {
    const auto found = revoked.find(serial);
    return found == revoked.end() ? nullptr : &found->second;
  }
  // Does this list speak of the certificate? Scope and distribution point; not the issuer.
  bool covers(const CertificateFields&) const;
  // Same issuer, scope and distribution points: the one replaces the other.
  bool same_series(const Crl&) const;
};
using CrlPtr = std::shared_ptr<const Crl>;

// DER or PEM, at most limits::crl_bytes_max. Error "SEC.CRL.GEWEIGERD".
Result<CrlPtr> parse_crl(BytesView);

inline constexpr std::chrono::minutes crl_clock_tolerance{5};

// The rules of 3.3. `stored`: the list of the same series that is in use. Error "SEC.CRL.GEWEIGERD"; its detail begins with "TERUGGEDRAAID"
// when the number went back.
Result<> check_crl(const Crl&, const Certificate& issuer, const Crl* stored, Instant now);

enum class CrlState { none, valid, stale, expired };  // geen, geldig, verouderd, verlopen
CrlState crl_state(const Crl*, bool last_fetch_failed, Instant now);
std::string_view to_string(CrlState);

// When to fetch again: after a success one `refresh` later, after n failures 1, 2, 4, 8, 15, 15 … minutes (3.3).
Instant next_crl_fetch(Instant last_attempt, int failures, Duration refresh);

}  // namespace schakel::security
