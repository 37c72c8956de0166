#include "server/emergency.hpp"

#include <algorithm>

namespace schakel::server {
namespace {

using Json = api::OrderedJson;
using exchange::ContractState;

const Identities::Loaded* successor_for(const Identities& after, std::string_view tenant, std::string_view purpose, Instant now) {
  const auto& all = after.certificates();
  const auto found = std::ranges::find_if(all, [&](const Identities::Loaded& loaded) {
    return loaded.tenant == tenant && loaded.problem.empty() && loaded.configured.serves(purpose) &&
           after.state(loaded, purpose, now) == security::RotationState::active;
  });
  return found == all.end() ? nullptr : &*found;
}

bool names(const cpa::PartyInfo& party, const security::Certificate& certificate) {
  return std::ranges::any_of(party.certificates, [&](const auto& entry) { return entry.der == certificate->der; });
}

// Partners whose contract holds the certificate: they must replace or map it (cpa.md 3.9).
void add_partners(Json& report, const cpa::Contracts& contracts, std::string_view tenant, const security::Certificate& certificate) {
  for (const auto& contract : contracts.all()) {
    const bool in_force = contract.row.state == ContractState::active || contract.row.state == ContractState::suspended;
    if (contract.row.tenant != tenant || !in_force || !names(contract.own(), certificate)) continue;
    report.push_back({{"to", "partner"},
                      {"oin", contract.partner().oin()},
                      {"name", contract.partner().name},
                      {"cpaId", contract.agreement.cpa_id},
                      {"what", "the contract names the compromised certificate: agree on a new one, or map the certificate until then"}});
  }
}

}  // namespace

Result<Json> emergency_plan(const Identities::Loaded& compromised, const Identities& after, const cpa::Contracts& contracts, Instant now) {
  const auto& certificate = compromised.key_pair->certificate();
  auto successors = Json::array();
  for (const auto& purpose : compromised.configured.purposes) {
    const auto* successor = successor_for(after, compromised.tenant, purpose, now);
    if (!successor)
      return fail("state.conflict", "no other active certificate of the tenant serves " + purpose +
                                        ": put a new one with a new key beside this one first, or activate the one that is prepared");
    successors.push_back({{"purpose", purpose}, {"sha256", successor->key_pair->certificate()->sha256}});
  }
  Json report = Json::array();
  report.push_back({{"to", "tsp"},
                    {"name", certificate->issuer},
                    {"serial", certificate->serial},
                    {"what", "have the certificate revoked at once, with reason keyCompromise"}});
  add_partners(report, contracts, compromised.tenant, certificate);
  return Json{{"certificate",
               {{"sha256", certificate->sha256},
                {"subject", certificate->subject},
                {"serial", certificate->serial},
                {"issuer", certificate->issuer}}},
              {"publicKeySha256", key_sha256(certificate)},
              {"successors", std::move(successors)},
              {"report", std::move(report)}};
}

}  // namespace schakel::server
