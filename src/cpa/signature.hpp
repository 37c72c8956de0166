// XML signatures on an agreement (tns:Signature with one to three ds:Signature; CPA-039, rule V39).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cpa/certificate_checks.hpp"
#include "xml/document.hpp"

namespace schakel::cpa {

// Verifies one ds:Signature over the whole agreement: one Reference with URI="", enveloped-signature and at most one canonicalisation after
// it. Signatures that were added after it were not there when it was made, so it verifies with or without them. The certificate must be in
// KeyInfo and carry one of `oins`, those of the two parties; `checks` (may be null) says whether it chains and is not revoked.
// nullopt: valid; else why not.
std::optional<std::string> signature_objection(xml::Element signature, const std::vector<std::string>& oins,
                                               const CertificateChecks* checks, Instant now);

}  // namespace schakel::cpa
