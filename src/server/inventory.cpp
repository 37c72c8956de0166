#include "server/inventory.hpp"

#include <set>

namespace schakel::server {
namespace {

using Json = api::OrderedJson;

std::shared_ptr<security::TrustStore> trust_of(const Trust& trust, const std::optional<api::Tenant>& tenant) {
  return tenant ? trust.of(tenant->environment) : nullptr;
}

Json described(const security::Certificate& certificate) {
  return {{"sha256", certificate->sha256},
          {"subject", certificate->subject},
          {"issuer", certificate->issuer},
          {"serial", certificate->serial},
          {"notBeforeAt", to_rfc3339(certificate->not_before)},
          {"notAfterAt", to_rfc3339(certificate->not_after)}};
}

// For several purposes at once: the one in which it does most.
security::RotationState first_state(const Identities& identities, const Identities::Loaded& own, Instant now) {
  using security::RotationState;
  std::set<RotationState> states;
  for (const auto& purpose : own.configured.purposes) states.insert(identities.state(own, purpose, now));
  for (const auto state : {RotationState::active, RotationState::retiring, RotationState::prepared})
    if (states.contains(state)) return state;
  return RotationState::retired;
}

}  // namespace

Json certificates_json(const Identities& identities, const OwnCertificates& own, std::string_view tenant, Instant now) {
  auto list = Json::array();
  for (const auto& loaded : identities.certificates()) {
    if (loaded.tenant != tenant) continue;
    Json entry = loaded.key_pair ? described(loaded.key_pair->certificate()) : Json::object();
    const auto& configured = loaded.configured;
    entry["id"] = loaded.key_pair                   ? loaded.key_pair->certificate()->sha256
                  : configured.certificates.empty() ? configured.key
                                                    : configured.certificates;
    entry["purposes"] = loaded.configured.purposes;
    if (loaded.key_pair) {
      entry["oin"] = loaded.key_pair->certificate()->oin.oin;
      entry["hosts"] = loaded.key_pair->certificate()->dns_names;
      if (const auto days = security::expiry_warning(loaded.key_pair->certificate()->not_after, now)) entry["expiresWithinDays"] = *days;
    }
    entry["state"] = loaded.problem.empty() ? security::to_string(first_state(identities, loaded, now)) : "refused";
    if (configured.active_from) entry["activeFromAt"] = to_rfc3339(*configured.active_from);
    if (!loaded.problem.empty()) entry["problem"] = loaded.problem;
    if (loaded.key_pair) {
      auto findings = Json::array();
      for (const auto& finding : own.findings(loaded.key_pair->certificate()->sha256))
        findings.push_back({{"code", finding.code}, {"detail", finding.detail}});
      if (!findings.empty()) entry["findings"] = std::move(findings);
    }
    list.push_back(std::move(entry));
  }
  return list;
}

Json trust_anchors_json(const Trust& trust, const std::optional<api::Tenant>& tenant) {
  auto list = Json::array();
  const auto store = trust_of(trust, tenant);
  if (!store) return list;
  for (const auto& anchor : store->anchors()) list.push_back(described(anchor));
  return list;
}

Json crls_json(const Trust& trust, const std::optional<api::Tenant>& tenant, Instant now) {
  auto list = Json::array();
  const auto store = trust_of(trust, tenant);
  if (!store) return list;
  for (const auto& source : store->crl_sources(now)) {
    Json entry{{"issuer", source.issuer}, {"state", security::to_string(source.state)}, {"urls", source.urls}, {"entries", source.entries}};
    if (source.this_update) entry["thisUpdateAt"] = to_rfc3339(*source.this_update);
    if (source.next_update) entry["nextUpdateAt"] = to_rfc3339(*source.next_update);
    entry["nextFetchAt"] = to_rfc3339(source.next_fetch);
    entry["failures"] = source.failures;
    if (!source.last_error.empty()) entry["lastError"] = source.last_error;
    list.push_back(std::move(entry));
  }
  return list;
}

Json settings_json(const std::vector<config::Effective>& effective) {
  auto list = Json::array();
  for (const auto& value : effective) list.push_back({{"key", value.key}, {"value", value.value}, {"source", value.source}});
  return list;
}

}  // namespace schakel::server
