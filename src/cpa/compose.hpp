// Composing an agreement from two parties and a service specification (cpa.md 2.3, 2.5, 3.8). Same input and ids: same octets (CPA-105).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "cpa/specification.hpp"
#include "cpa/validate.hpp"
#include "security/certificate.hpp"

namespace schakel::cpa {

// A party's adapter data ("connection", cpa.md 2.7a).
struct PartyDescription {
  std::string oin, environment;  // O, T, A or P
  std::string name, party_name, party_id, party_id_type, endpoint_url;
  bool tls_offloaded = false;
  std::vector<Profile> profiles;
  bool sync_reply = false, message_order = false;
  // The end-entity certificate of each purpose, and the CA certificates that came with them (CPA-120).
  std::optional<security::Certificate> tls_client, tls_server, signing, encryption;
  std::vector<security::Certificate> authorities;
};

// The JSON of 2.7a; certificates as PEM (one or a chain) or base64 DER. Errors: "party.invalid", "certificate.privateKeyRefused".
Result<PartyDescription> parse_party(std::string_view json);

enum class IdForm {
  best_practice,  // ServiceID_PartyIdA_PartyIdB_version (CPA-008)
  standard,       // sender, receiver and four digits (CPA-009)
  toolkit,        // Service_PartyIdA-PartyIdB_version (CPA-009)
};

struct ComposeRequest {
  ServiceSpecification specification;
  std::map<std::string, PartyDescription> roles;  // by role name
  std::string cpa_id{};                           // empty: made
  std::string version{};                          // last part of a made id; empty: a UUID
  IdForm id_form = IdForm::best_practice;
  std::optional<Instant> start{}, end{};          // defaults CPA-011
  std::optional<ReliabilityTerms> reliability{};  // over the specification's
  std::string time_to_perform{};                  // over each message's
  bool end_beyond_certificates = false;           // confirmed by the user (3.8 step 5)
  bool proposed = false;                          // Status proposed instead of agreed
  std::string comment{};
  std::vector<Mandate> mandates{};
  const CertificateChecks* certificates = nullptr;
};

struct ComposedAgreement {
  std::string cpa_id;
  Bytes document;
  std::vector<Finding> findings;  // of mode compose; none is an error
};

// Errors: "compose.mixedProfiles" (its detail names which action goes where; split_by_profile makes the parts), "compose.refused" (what the
// parties or the specification do not allow), "contract.invalid" (findings of severity error: listed).
Result<ComposedAgreement> compose(const ComposeRequest&, Random&, Instant now);

}  // namespace schakel::cpa
