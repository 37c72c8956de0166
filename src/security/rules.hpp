// The rules of 1.1 on one certificate or one path, each by itself: what verify_path refuses and what `pki inspect` grades. Pure; internal
// to security/.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "security/certificate.hpp"
#include "security/trust.hpp"

namespace schakel::security {

struct Fault {
  std::string reason, detail;
};

std::optional<Fault> check_signature_algorithm(const Certificate&);                  // SEC-010
std::optional<Fault> check_key(const Certificate&, int rsa_bits_min);                // SEC-011
std::optional<Fault> check_key_usage(const Certificate& leaf, Usage);                // SEC-012
std::optional<Fault> check_extended_key_usage(std::span<const Certificate>, Usage);  // SEC-013, whole path

// SEC-014: an accepted OID that the leaf has and that every CA with policies lists. nullptr: none.
const std::string* matching_policy(std::span<const Certificate> path, std::span<const std::string_view> accepted);

}  // namespace schakel::security
