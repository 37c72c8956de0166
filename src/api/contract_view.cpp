#include "api/contract_view.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace schakel::api {
namespace {

OrderedJson party_json(const cpa::PartyInfo& party) {
  OrderedJson out{{"name", party.name}};
  if (const auto oin = party.oin(); !oin.empty()) out["oin"] = oin;
  auto ids = OrderedJson::array();
  for (const auto& id : party.ids) ids.push_back(id.type.empty() ? id.value : id.type + ":" + id.value);
  out["partyIds"] = std::move(ids);
  auto roles = OrderedJson::array();
  for (const auto& role : party.roles) {
    auto actions = OrderedJson::array();
    for (const auto& action : role.actions)
      actions.push_back({{"action", action.action}, {"direction", action.can_send ? "send" : "receive"}});
    roles.push_back({{"role", role.role}, {"service", role.service}, {"serviceType", role.service_type}, {"actions", std::move(actions)}});
  }
  out["roles"] = std::move(roles);
  return out;
}

void put_agreement(OrderedJson& out, const cpa::Agreement& agreement) {
  out["startAt"] = to_rfc3339(agreement.start.instant);
  out["endAt"] = to_rfc3339(agreement.end.instant);
  out["status"] = agreement.status;
  auto parties = OrderedJson::array();
  for (const auto& party : agreement.parties) parties.push_back(party_json(party));
  out["parties"] = std::move(parties);
}

cpa::Contracts::Wanted wanted_of(std::string_view tenant, const MatchQuestion& question) {
  cpa::Contracts::Wanted wanted{};
  wanted.tenant = tenant;
  wanted.cpa_id = question.cpa_id;
  wanted.from_oin = question.from;
  wanted.from_role = question.from_role;
  wanted.to_oin = question.to;
  wanted.to_role = question.to_role;
  wanted.service = question.service;
  wanted.action = question.action;
  return wanted;
}

// The type of the service that is asked for by its name alone.
std::string_view service_type_of(const cpa::LoadedContract& contract, const MatchQuestion& question) {
  for (const auto& role : contract.own().roles) {
    const bool sends = std::any_of(role.actions.begin(), role.actions.end(),
                                   [&](const auto& action) { return action.can_send && action.action == question.action; });
    if (sends && role.service == question.service) return role.service_type;
  }
  return {};
}

OrderedJson chosen_json(const cpa::Contracts& contracts, const cpa::LoadedContract& contract, const MatchQuestion& question) {
  OrderedJson out{{"id", contract.row.id}, {"cpaId", contract.agreement.cpa_id}};
  const auto channels = cpa::Contracts::channels(contract, contract.own_party, question.from_role, question.to_role, question.service,
                                                 service_type_of(contract, question), question.action);
  if (!channels) return out;
  out["profile"] = cpa::to_string(channels->profile);
  if (channels->send != nullptr) out["sendChannel"] = channels->send->id;
  if (channels->receive != nullptr) {
    out["receiveChannel"] = channels->receive->id;
    out["url"] = contracts.url(contract, *channels->receive, *channels->receiver, "request");
  }
  return out;
}

}  // namespace

OrderedJson contract_json(const exchange::Contract& contract) {
  OrderedJson out;
  out["id"] = contract.id;
  out["kind"] = contract.kind;
  out["cpaId"] = contract.name;
  out["digest"] = contract.digest;
  out["state"] = to_string(contract.state);
  if (const auto agreement = cpa::parse(contract.document)) put_agreement(out, *agreement);
  const auto settings = OrderedJson::parse(contract.settings.empty() ? "{}" : contract.settings, nullptr, false);
  if (settings.is_object()) out["settings"] = settings;
  out["createdAt"] = to_rfc3339(contract.created_at);
  out["changedAt"] = to_rfc3339(contract.changed_at);
  if (contract.retired_at) out["retiredAt"] = to_rfc3339(*contract.retired_at);
  return out;
}

OrderedJson findings_json(const cpa::Validation& validation) {
  auto out = OrderedJson::array();
  for (const auto& finding : validation.findings) {
    out.push_back(
        {{"code", finding.code}, {"severity", cpa::to_string(finding.severity)}, {"path", finding.path}, {"message", finding.message}});
  }
  return out;
}

OrderedJson validation_json(const cpa::Validation& validation) {
  OrderedJson out{{"wellFormed", validation.well_formed}, {"schemaValid", validation.schema_valid}};
  auto profiles = OrderedJson::array();
  for (const auto profile : validation.profiles) profiles.push_back(cpa::to_string(profile));
  if (profiles.size() == 1) out["profile"] = profiles[0];
  out["profiles"] = std::move(profiles);
  if (validation.agreement) {
    out["cpaId"] = validation.agreement->cpa_id;
    put_agreement(out, *validation.agreement);
  }
  out["findings"] = findings_json(validation);
  return out;
}

OrderedJson explain_match(const cpa::Contracts& contracts, std::string_view tenant, const MatchQuestion& question) {
  OrderedJson out;
  const auto chosen = contracts.select(wanted_of(tenant, question), question.at);
  if (chosen) {
    out["chosen"] = chosen_json(contracts, **chosen, question);
  } else {
    out["reason"] = {{"code", chosen.error().code}, {"detail", chosen.error().detail}};
  }
  auto others = OrderedJson::array();
  for (const auto& contract : contracts.all()) {
    if (contract.row.tenant != tenant || (chosen && *chosen == &contract)) continue;
    auto alone = wanted_of(tenant, question);
    alone.contract_id = contract.row.id;
    const auto verdict = contracts.select(alone, question.at);
    OrderedJson other{{"id", contract.row.id}, {"cpaId", contract.agreement.cpa_id}};
    // What would do alone was passed over by the order of cpa.md 3.5.
    other["code"] = verdict ? "contract.notPreferred" : verdict.error().code;
    other["detail"] = verdict ? "past ook, maar een ander gaat voor" : verdict.error().detail;
    others.push_back(std::move(other));
  }
  out["others"] = std::move(others);
  return out;
}

std::vector<OrderedJson> partners_json(const cpa::Contracts& contracts, std::string_view tenant, std::string_view oin,
                                       std::span<const exchange::Circuit> circuits) {
  struct Partner {
    std::string name;
    OrderedJson contracts = OrderedJson::array();
    std::set<std::string> urls;
  };
  std::map<std::string, Partner> found;
  for (const auto& contract : contracts.all()) {
    const std::string partner_oin = contract.partner().oin();
    if (contract.row.tenant != tenant || partner_oin.empty() || (!oin.empty() && partner_oin != oin)) continue;
    Partner& partner = found[partner_oin];
    partner.name = contract.partner().name;
    partner.contracts.push_back({{"id", contract.row.id},
                                 {"cpaId", contract.agreement.cpa_id},
                                 {"state", to_string(contract.row.state)},
                                 {"endAt", to_rfc3339(contract.agreement.end.instant)}});
    for (const auto& channel : contract.partner().channels)
      partner.urls.insert(contracts.url(contract, channel, contract.partner(), "request"));
  }
  std::vector<OrderedJson> out;
  for (auto& [partner_oin, partner] : found) {
    OrderedJson one{{"oin", partner_oin}, {"name", partner.name}, {"contracts", std::move(partner.contracts)}};
    auto endpoints = OrderedJson::array();
    for (const auto& url : partner.urls) {
      // A circuit belongs to scheme://host:port; the port may not be written in the URL.
      const auto circuit = std::find_if(circuits.begin(), circuits.end(), [&](const auto& each) {
        const auto authority = each.destination.substr(0, each.destination.rfind(':'));
        return url.starts_with(each.destination) || url.starts_with(authority + "/") || url == authority;
      });
      OrderedJson endpoint{{"url", url}};
      if (circuit != circuits.end()) {
        endpoint["failures"] = circuit->failures;
        if (circuit->open_until) endpoint["circuitOpenUntilAt"] = to_rfc3339(*circuit->open_until);
      }
      endpoints.push_back(std::move(endpoint));
    }
    one["endpoints"] = std::move(endpoints);
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace schakel::api
