// Who is at the other side of a connection: what TLS proved and our own checks found (security.md 3.1, 3.2).
#pragma once

#include <optional>
#include <string>

#include "base/time.hpp"

namespace schakel::security {

// A verified certificate of the peer. Path and revocation were checked before a PeerIdentity exists.
struct PeerIdentity {
  std::string oin;  // empty when the certificate has no usable OIN: then `refusal` says why
  std::string
      refusal;  // "SEC.OIN.ONTBREEKT", "SEC.OIN.MEERVOUDIG", "SEC.OIN.ONGELDIG", "SEC.OIN.TEST", "SEC.PKI.POLICY" or empty; not empty: 403
  std::string organisation;  // O
  std::string subject;       // RFC 2253, for the log
  std::string issuer;
  std::string serial;  // hex
  std::string sha256;  // of the DER, lower-case hex
  std::string der;     // the certificate
  std::string policy;  // the OID that matched
  Instant not_after;
  std::string environment;  // of the trust profile that accepted it: "production" or "test"
};

}  // namespace schakel::security
