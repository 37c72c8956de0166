// The rules V01 to V46 on an agreement (cpa.md 3.1): findings as values, in the stated order, with the severity of the mode.
//
// Pure: the document, the options and a time go in. A document is parsed once; V01 to V05 end the run when one of them is an error.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cpa/agreement.hpp"
#include "cpa/certificate_checks.hpp"
#include "cpa/contracts.hpp"
#include "xml/document.hpp"

namespace schakel::cpa {

enum class Mode { compose, production, test };  // columns C, P and T
enum class Severity { error, warning, info };
std::string_view to_string(Severity);  // "error", …

struct Finding {
  std::string code;  // "V20a"
  Severity severity = Severity::error;
  std::string path;  // XPath
  std::string message;
  friend bool operator==(const Finding&, const Finding&) = default;
};

struct ValidationOptions {
  Mode mode = Mode::production;
  Instant now{};
  bool production_environment = false;              // compose only: what the agreement is made for; the other modes say it themselves
  bool activating = false;                          // V11, V43
  bool tls_offloaded = false;                       // CPA-060
  bool message_order = false;                       // V31
  bool any_https_port = false;                      // cpa.md 7, choice 8: V20c warns instead of refusing in production
  std::optional<std::vector<PartyId>> own;          // the tenant's PartyIds (V44); nullopt: not asked
  bool allow_loopback = false;                      // CPA-052; never in production
  std::vector<Mandate> mandates = {};               // V37b
  const CertificateChecks* certificates = nullptr;  // nullptr: chain and revocation are reported as not checked (V37j)
  std::function<bool(const security::Certificate&)> has_private_key = {};  // V43; empty: not asked
};

struct Validation {
  bool well_formed = false, schema_valid = false;
  std::vector<Finding> findings;
  std::optional<Agreement> agreement;  // when V01 to V05 passed
  std::vector<Profile> profiles;       // of its actions, each once
  bool refused() const;                // a finding of severity error
};

Validation validate(BytesView document, const ValidationOptions&);

}  // namespace schakel::cpa
