// Findings per rule of security.md about certificates, chains and handshakes: `pki inspect`, `tls check`, the hourly check of own
// certificates (SEC-017, SEC-132) and the compliance facility read the same ones. Pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "security/tls.hpp"
#include "security/tls_tables.hpp"
#include "security/trust.hpp"

namespace schakel::security {

struct Finding {
  std::string rule;  // "SEC-011"
  Grade grade = Grade::good;
  std::string reason;  // SEC.… code when the rule refuses
  std::string detail;  // a sentence
};

// The worst grade; good when there are none.
Grade overall(std::span<const Finding>);

// One certificate by itself: algorithm, key, usage, policy, OIN, names (SEC-007, SEC-010..015). No trust is needed. An own certificate gets
// the stricter words for RSA-2048.
std::vector<Finding> grade_certificate(const Certificate&, Usage, TrustProfile);

// The same with path, validity and revocation (SEC-002, SEC-008, SEC-020, SEC-021).
std::vector<Finding> grade_chain(std::span<const Certificate> chain, Usage, const TrustStore&, Instant now);

// What a handshake showed (SEC-030..041). `host`: for a server, the name that was asked for; empty: not checked.
std::vector<Finding> grade_handshake(const HandshakeResult&, std::string_view host);

// SEC-017, SEC-076: an own certificate with everything that is published under it.
std::vector<Finding> check_own(const KeyPair&, std::span<const std::string> published_hosts, Usage, const TrustStore&, Instant now);
// ok, warning or error, as SEC-017 reports it.
std::string_view report_word(std::span<const Finding>);

}  // namespace schakel::security
