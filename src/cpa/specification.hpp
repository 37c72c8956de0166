// A service specification: what a provider publishes and agreements are composed from (cpa.md 2.6), in XML and in JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cpa/agreement.hpp"

namespace schakel::cpa {

struct SpecifiedMessage {
  std::string action, from, to;  // role names
  std::string mime_type = "application/xml";
  std::string time_to_perform = "P2D";
  std::string schema_uri{};
  std::optional<Profile> profile{};  // only when it differs from the specification's: then the specification must be split (CPA-103)
  friend bool operator==(const SpecifiedMessage&, const SpecifiedMessage&) = default;
};

struct SpecifiedService {
  std::string name, type;
  std::vector<SpecifiedMessage> messages;
  friend bool operator==(const SpecifiedService&, const SpecifiedService&) = default;
};

struct SpecifiedRole {
  std::string name;
  bool is_provider = false;  // else consumer
  friend bool operator==(const SpecifiedRole&, const SpecifiedRole&) = default;
};

// Terms of reliable delivery; what is not given is filled in by CPA-028.
struct ReliabilityTerms {
  std::optional<std::int64_t> retries{};
  std::string retry_interval{}, persist_duration{};  // xs:duration; empty: not given
  bool order_guaranteed = false;
  bool signals_in_sync = false;  // mshSignalsOnly
  friend bool operator==(const ReliabilityTerms&, const ReliabilityTerms&) = default;
};
// The pre-set of the Best Practices, with a PersistDuration that is long enough: 8 x PT3H, P2D (CPA-028, CPA-029).
ReliabilityTerms best_practice_terms();

struct SecurityTerms {
  std::string hash_function, signature_algorithm, encryption_algorithm;  // empty: the first of cpa.md 2.4
  friend bool operator==(const SecurityTerms&, const SecurityTerms&) = default;
};

struct ServiceSpecification {
  std::string identifying_name;
  std::int64_t version = 1;
  std::string provider_oin;
  Profile profile = Profile::osb_rm;
  std::string environment, title, description;  // environment: O, T, A or P; empty: all
  std::string process_name, process_version, process_uri, process_uuid;
  std::vector<SpecifiedRole> roles;  // two
  std::vector<SpecifiedService> services;
  std::optional<ReliabilityTerms> reliability;
  std::optional<SecurityTerms> security;
  std::string auto_approval;  // none, all, list; empty: none written
  std::vector<std::string> auto_approval_oins;

  const SpecifiedRole& consumer() const { return roles[roles[0].is_provider ? 1 : 0]; }
  const SpecifiedRole& provider() const { return roles[roles[0].is_provider ? 0 : 1]; }
  friend bool operator==(const ServiceSpecification&, const ServiceSpecification&) = default;
};

// XML when the first character is '<', else JSON. Error "specification.invalid" with the place. The result is complete and consistent: two
// roles with other sides, messages between them, names without white space.
Result<ServiceSpecification> parse_specification(BytesView);
std::string to_xml(const ServiceSpecification&);
std::string to_json(const ServiceSpecification&);

// CPA-020, CPA-103: one specification per profile, in the order of first use; a single one when nothing is mixed.
std::vector<ServiceSpecification> split_by_profile(const ServiceSpecification&);

}  // namespace schakel::cpa
