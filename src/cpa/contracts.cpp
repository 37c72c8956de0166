#include "cpa/contracts.hpp"

#include <algorithm>
#include <chrono>

#include "cpa/mandates.hpp"
#include "cpa/names.hpp"
#include "cpa/profile.hpp"

namespace schakel::cpa {
namespace {

using namespace std::chrono_literals;

constexpr Duration best_effort_window = 15min;        // CPA-056
constexpr Duration unconfirmed_successor_wait = 24h;  // cpa.md 3.5
constexpr std::int64_t default_retries = 39;          // CPA-028
constexpr Duration default_retry_interval = 3h;
constexpr Duration default_persist_duration = 120h;

// Parts are joined by a character that no identifier may hold (README section 9).
template <class... Parts>
std::string key_of(const Parts&... parts) {
  std::string key;
  key.reserve((std::string_view(parts).size() + ... + sizeof...(parts)));
  ((key.append(parts), key += '\x1f'), ...);
  return key;
}

std::string without_suffix(std::string_view party_id) {
  return std::string(party_id.substr(0, party_id.find('_')));
}

// `party_id`: the value, or "type:value" (adapter.md 2.1.4).
bool matches_party(const PartyInfo& party, std::string_view party_id, std::string_view oin) {
  const auto any = [&](auto test) { return std::any_of(party.ids.begin(), party.ids.end(), test); };
  if (!party_id.empty() && !any([&](const PartyId& id) { return id.value == party_id || id.type + ":" + id.value == party_id; }))
    return false;
  return oin.empty() || any([&](const PartyId& id) { return id.type == names::oin_type && without_suffix(id.value) == oin; });
}

bool wants(const Contracts::Wanted& wanted, const LoadedContract& contract) {
  const auto sends = [&](const PartyInfo& own, const PartyInfo& partner) {
    if (!matches_party(own, wanted.from_party_id, wanted.from_oin) || !matches_party(partner, wanted.to_party_id, wanted.to_oin))
      return false;
    const bool role_fits =
        wanted.to_role.empty() ||
        std::any_of(partner.roles.begin(), partner.roles.end(), [&](const CollaborationRole& role) { return role.role == wanted.to_role; });
    if (!role_fits) return false;
    return std::any_of(own.roles.begin(), own.roles.end(), [&](const CollaborationRole& role) {
      if (!wanted.from_role.empty() && role.role != wanted.from_role) return false;
      if (!wanted.service.empty() && role.service != wanted.service) return false;
      if (!wanted.service_type.empty() && role.service_type != wanted.service_type) return false;
      return std::any_of(role.actions.begin(), role.actions.end(), [&](const ActionBinding& action) {
        return action.can_send && !action.nested && (wanted.action.empty() || action.action == wanted.action);
      });
    });
  };
  return sends(contract.own(), contract.partner()) || (contract.settings.allow_loopback && sends(contract.partner(), contract.own()));
}

// nullopt: it may be used now.
std::optional<Error> unusable(const LoadedContract& contract, Instant now) {
  using exchange::ContractState;
  const auto& id = contract.agreement.cpa_id;
  switch (contract.row.state) {
    case ContractState::active:
      break;
    case ContractState::expired:
    case ContractState::retired:
      return fail("contract.expired", "the contract " + id + " has ended");
    case ContractState::draft:
    case ContractState::validated:
    case ContractState::suspended:
      return fail("contract.suspended", "the contract " + id + " is not active");
  }
  if (now < contract.agreement.start.instant) return fail("contract.notYetValid", "the contract " + id + " has not begun");
  if (now > contract.agreement.end.instant) return fail("contract.expired", "the contract " + id + " has ended");
  return std::nullopt;
}

Error action_not_allowed() {
  return fail("contract.actionNotAllowed", "no contract lets this party send this action to that partner");
}

using Candidates = std::vector<const LoadedContract*>;

const LoadedContract* with_id(const Candidates& candidates, std::string_view contract_id) {
  const auto found = std::find_if(candidates.begin(), candidates.end(), [&](const auto* c) { return c->row.id == contract_id; });
  return found == candidates.end() ? nullptr : *found;
}

const LoadedContract* successor_of(const Candidates& candidates, std::string_view contract_id) {
  const LoadedContract* newest = nullptr;
  for (const auto* candidate : candidates) {
    if (candidate->settings.replaces != contract_id) continue;
    if (newest == nullptr || candidate->agreement.start.instant > newest->agreement.start.instant) newest = candidate;
  }
  return newest;
}

// The last contract of a chain of successors that may be used: the partner has it, or its predecessor is about to end.
const LoadedContract* current_of_chain(const Candidates& candidates, const LoadedContract* root, Instant now) {
  const auto* current = root;
  const auto* predecessor = root;
  for (std::size_t links = 0; links < candidates.size(); ++links) {
    const auto* successor = successor_of(candidates, predecessor->row.id);
    if (successor == nullptr || successor == root) break;
    const bool ends_soon = predecessor->agreement.end.instant <= now + unconfirmed_successor_wait;
    if (successor->settings.partner_installed || (ends_soon && current == predecessor)) current = successor;
    predecessor = successor;
  }
  return current;
}

Candidates heads_of_chains(const Candidates& candidates, Instant now) {
  Candidates heads;
  for (const auto* candidate : candidates) {
    const bool is_root = candidate->settings.replaces.empty() || with_id(candidates, candidate->settings.replaces) == nullptr;
    if (is_root) heads.push_back(current_of_chain(candidates, candidate, now));
  }
  return heads;
}

const LoadedContract* latest_start(const Candidates& candidates) {
  return *std::max_element(candidates.begin(), candidates.end(),
                           [](const auto* a, const auto* b) { return a->agreement.start.instant < b->agreement.start.instant; });
}

Error ambiguous(const Candidates& candidates) {
  std::string ids;
  for (const auto* candidate : candidates) ids.append(ids.empty() ? "" : ",").append(candidate->row.id);
  return fail("contract.ambiguous", "more than one active contract fits; name one", std::move(ids));
}

const Endpoint* endpoint_for(const Transport& transport, std::string_view purpose) {
  const auto of_type = [&](std::string_view type) -> const Endpoint* {
    const auto found =
        std::find_if(transport.endpoints.begin(), transport.endpoints.end(), [type](const Endpoint& e) { return e.type == type; });
    return found == transport.endpoints.end() ? nullptr : &*found;
  };
  if (const auto* specific = of_type(purpose)) return specific;
  if (const auto* all = of_type("allPurpose")) return all;
  return transport.endpoints.empty() ? nullptr : &transport.endpoints.front();
}

// "ebms/<service>/<action>" is inside "ebms/<service>/<action>", "ebms/<service>" and "*".
bool covers(std::string_view mandate_scope, std::string_view scope) {
  if (mandate_scope == "*" || mandate_scope == scope) return true;
  return scope.size() > mandate_scope.size() && scope.starts_with(mandate_scope) && scope[mandate_scope.size()] == '/';
}

bool is_exact_certificate(const Contracts& contracts, const LoadedContract& contract, const PartyInfo& party, BytesView der, Instant now) {
  return std::any_of(party.transports.begin(), party.transports.end(), [&](const Transport& transport) {
    const auto* certificate = party.certificate(transport.client_certificate_ref);
    if (certificate == nullptr || certificate->der.empty()) return false;
    // While a mapping is in force the old certificate is accepted too (cpa.md 3.6).
    return certificate->der == der || contracts.mapped_certificate(contract, certificate->der, now) == der;
  });
}

}  // namespace

Contracts::Contracts(std::vector<LoadedContract> contracts, std::vector<UrlMapping> url_mappings,
                     std::vector<CertificateMapping> certificate_mappings, std::vector<Mandate> mandates,
                     std::vector<AlgorithmException> exceptions, exchange::Routing routing)
    : contracts_(std::move(contracts)), exceptions_(std::move(exceptions)), routing_(std::move(routing)) {
  for (const auto& contract : contracts_) index(contract);
  for (auto& mapping : url_mappings) url_mappings_[key_of(mapping.tenant, mapping.cpa_id, mapping.source)] = std::move(mapping.destination);
  for (auto& mapping : certificate_mappings) {
    ++mapped_tenants_[mapping.tenant];
    certificate_mappings_[key_of(mapping.tenant, mapping.cpa_id, mapping.issuer, to_lower(mapping.serial))] =
        std::move(mapping.destination);
  }
  for (auto& mandate : mandates) {
    auto key = key_of(mandate.tenant, mandate.mandator_oin, mandate.mandatary_oin);
    mandates_.emplace(std::move(key), std::move(mandate));
  }
}

std::vector<Mandate> Contracts::mandates_of(std::string_view tenant) const {
  std::vector<Mandate> out;
  for (const auto& [key, mandate] : mandates_) {
    if (mandate.tenant == tenant) out.push_back(mandate);
  }
  return out;
}

void Contracts::index(const LoadedContract& contract) {
  by_cpa_id_.emplace(contract.agreement.cpa_id, &contract);
  by_id_.emplace(key_of(contract.row.tenant, contract.row.id), &contract);
  const auto index_sender = [&](const PartyInfo& own, const PartyInfo& partner) {
    std::vector<std::string> partner_names;
    for (const auto& id : partner.ids) {
      partner_names.push_back(id.value);
      partner_names.push_back(id.type + ":" + id.value);
      if (auto oin = without_suffix(id.value); oin != id.value) partner_names.push_back(std::move(oin));
    }
    for (const auto& name : partner_names) by_partner_.emplace(key_of(contract.row.tenant, name, "", ""), &contract);
    for (const auto& role : own.roles) {
      for (const auto& action : role.actions) {
        if (!action.can_send || action.nested) continue;
        by_action_.emplace(key_of(contract.row.tenant, role.service, action.action), &contract);
        for (const auto& name : partner_names) {
          by_partner_.emplace(key_of(contract.row.tenant, name, role.service, action.action), &contract);
        }
      }
    }
  };
  index_sender(contract.own(), contract.partner());
  if (contract.settings.allow_loopback) index_sender(contract.partner(), contract.own());
}

std::vector<const LoadedContract*> Contracts::by_cpa_id(std::string_view cpa_id) const {
  std::vector<const LoadedContract*> out;
  const auto [begin, end] = by_cpa_id_.equal_range(std::string(cpa_id));
  for (auto found = begin; found != end; ++found) out.push_back(found->second);
  return out;
}

const LoadedContract* Contracts::find(std::string_view tenant, std::string_view cpa_id) const {
  const auto [begin, end] = by_cpa_id_.equal_range(std::string(cpa_id));
  const auto found = std::find_if(begin, end, [tenant](const auto& entry) { return entry.second->row.tenant == tenant; });
  return found == end ? nullptr : found->second;
}

const LoadedContract* Contracts::by_id(std::string_view tenant, std::string_view contract_id) const {
  const auto found = by_id_.find(key_of(tenant, contract_id));
  return found == by_id_.end() ? nullptr : found->second;
}

std::vector<const LoadedContract*> Contracts::possible(const Wanted& wanted) const {
  const auto partner = wanted.to_party_id.empty() ? wanted.to_oin : wanted.to_party_id;
  const bool has_action = !wanted.service.empty() && !wanted.action.empty();
  std::vector<const LoadedContract*> out;
  const auto take = [&](const Index& index, const std::string& key) {
    const auto [begin, end] = index.equal_range(key);
    for (auto found = begin; found != end; ++found) {
      if (wants(wanted, *found->second)) out.push_back(found->second);
    }
  };
  if (!partner.empty()) {
    take(by_partner_, has_action ? key_of(wanted.tenant, partner, wanted.service, wanted.action) : key_of(wanted.tenant, partner, "", ""));
  } else if (has_action) {
    take(by_action_, key_of(wanted.tenant, wanted.service, wanted.action));
  } else {
    for (const auto& contract : contracts_) {
      if (contract.row.tenant == wanted.tenant && wants(wanted, contract)) out.push_back(&contract);
    }
  }
  // A contract with several services or loop-back can be indexed twice under one key.
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Error Contracts::why_none(const Wanted& wanted, const std::vector<const LoadedContract*>& possible_contracts, Instant now) const {
  // The most helpful reason first: what an operator could lift.
  for (const std::string_view code : {"contract.suspended", "contract.notYetValid", "contract.expired"}) {
    for (const auto* contract : possible_contracts) {
      if (const auto reason = unusable(*contract, now); reason && reason->code == code) return *reason;
    }
  }
  const auto partner = wanted.to_party_id.empty() ? wanted.to_oin : wanted.to_party_id;
  if (!partner.empty() && by_partner_.contains(key_of(wanted.tenant, partner, "", ""))) return action_not_allowed();
  return fail("contract.unknown", "no contract fits this message");
}

Result<const LoadedContract*> Contracts::select(const Wanted& wanted, Instant now) const {
  if (!wanted.contract_id.empty() || !wanted.cpa_id.empty()) {
    const auto* contract = wanted.contract_id.empty() ? find(wanted.tenant, wanted.cpa_id) : by_id(wanted.tenant, wanted.contract_id);
    if (contract == nullptr || (!wanted.cpa_id.empty() && contract->agreement.cpa_id != wanted.cpa_id)) {
      return fail("contract.unknown", "there is no contract with this id");
    }
    if (auto reason = unusable(*contract, now)) return *std::move(reason);
    if (!wants(wanted, *contract)) return action_not_allowed();
    return contract;
  }

  const auto fitting = possible(wanted);
  Candidates candidates;
  std::copy_if(fitting.begin(), fitting.end(), std::back_inserter(candidates), [now](const auto* c) { return !unusable(*c, now); });
  if (candidates.empty()) return why_none(wanted, fitting, now);

  // A conversation stays in its contract; when that has gone, in what replaced it (CPA-057).
  if (const auto* former = wanted.former_cpa_id.empty() ? nullptr : find(wanted.tenant, wanted.former_cpa_id)) {
    if (with_id(candidates, former->row.id) == former) return former;
    if (const auto* successor = successor_of(candidates, former->row.id)) return current_of_chain(candidates, successor, now);
  }
  const auto heads = heads_of_chains(candidates, now);
  // Only a circle of `replaces` has no head: then every candidate counts as one.
  const auto& left = heads.empty() ? candidates : heads;
  if (left.size() == 1 || wanted.prefer_newest) return latest_start(left);
  return ambiguous(left);
}

std::optional<Channels> Contracts::channels(const LoadedContract& contract, int sender_party, std::string_view from_role,
                                            std::string_view to_role, std::string_view service, std::string_view service_type,
                                            std::string_view action) {
  const auto& sender = contract.agreement.parties[static_cast<std::size_t>(sender_party)];
  const auto& receiver = contract.agreement.parties[static_cast<std::size_t>(1 - sender_party)];
  const auto find_binding = [&](const PartyInfo& party, std::string_view role_name, bool can_send,
                                std::string_view id) -> const ActionBinding* {
    for (const auto& role : party.roles) {
      if ((!role_name.empty() && role.role != role_name) || role.service != service || role.service_type != service_type) continue;
      for (const auto& binding : role.actions) {
        if (binding.nested || binding.can_send != can_send || binding.action != action) continue;
        if (id.empty() || binding.id == id) return &binding;
      }
    }
    return nullptr;
  };
  const auto* can_send = find_binding(sender, from_role, true, {});
  if (can_send == nullptr || can_send->channel_ids.empty()) return std::nullopt;
  const auto* can_receive = find_binding(receiver, to_role, false, can_send->other_party_binding);
  if (can_receive == nullptr || can_receive->channel_ids.empty()) return std::nullopt;
  const auto* send = sender.channel(can_send->channel_ids.front());
  const auto* receive = receiver.channel(can_receive->channel_ids.front());
  if (send == nullptr || receive == nullptr) return std::nullopt;
  const auto profile = profile_of({sender, receiver, *can_send, *can_receive, send, receive});
  return Channels{&sender, &receiver, can_send, can_receive, send, receive, profile};
}

Channels Contracts::signal_channels(const LoadedContract& contract, int sender_party, std::string_view signal_action) {
  const auto& sender = contract.agreement.parties[static_cast<std::size_t>(sender_party)];
  const auto& receiver = contract.agreement.parties[static_cast<std::size_t>(1 - sender_party)];
  const auto* send = sender.signal_channel(signal_action);
  const auto* binding = sender_binding(sender, send);
  const bool can_sign = binding != nullptr && binding->non_repudiation;
  return {
      &sender, &receiver, nullptr, nullptr, send, receiver.signal_channel(signal_action), can_sign ? Profile::osb_be_s : Profile::osb_be};
}

Reliability Contracts::reliability(const Channels& channels, Instant at) {
  Reliability out{default_retries, default_retry_interval, default_persist_duration};
  const auto* send = sender_binding(*channels.sender, channels.send);
  const auto* receive = receiver_binding(*channels.receiver, channels.receive);
  const auto* retrying = send != nullptr && send->has_reliable_messaging ? send : receive;
  if (retrying != nullptr && retrying->has_reliable_messaging) {
    out.retries = retrying->retries.value_or(default_retries);
    if (retrying->retry_interval) out.retry_interval = retrying->retry_interval->length_from(at);
  }
  if (receive != nullptr && receive->persist_duration) out.persist_duration = receive->persist_duration->length_from(at);
  return out;
}

std::string Contracts::url(const LoadedContract& contract, const DeliveryChannel& receiver_channel, const PartyInfo& receiver,
                           std::string_view purpose) const {
  const auto* transport = receiver.transport(receiver_channel.transport_id);
  const auto* endpoint = transport == nullptr ? nullptr : endpoint_for(*transport, purpose);
  if (endpoint == nullptr) return {};
  if (url_mappings_.empty()) return endpoint->uri;
  const auto& tenant = contract.row.tenant;
  auto found = url_mappings_.find(key_of(tenant, contract.agreement.cpa_id, endpoint->uri));
  if (found == url_mappings_.end()) found = url_mappings_.find(key_of(tenant, "", endpoint->uri));
  return found == url_mappings_.end() ? endpoint->uri : found->second;
}

Bytes Contracts::client_certificate(const LoadedContract& contract, const PartyInfo& party, const DeliveryChannel& channel,
                                    Instant now) const {
  const auto* transport = party.transport(channel.transport_id);
  const auto* certificate = transport == nullptr ? nullptr : party.certificate(transport->client_certificate_ref);
  return certificate == nullptr ? Bytes() : mapped_certificate(contract, certificate->der, now);
}

Contracts::Verdict Contracts::authenticate(const LoadedContract& contract, int sender_party, const security::PeerIdentity& peer,
                                           Instant now, std::string_view scope) const {
  if (!peer.refusal.empty()) return {false, peer.refusal};
  const auto& party = contract.agreement.parties[static_cast<std::size_t>(sender_party)];
  if (contract.settings.authentication == SenderAuthentication::exact) {
    if (is_exact_certificate(*this, contract, party, peer.der, now)) return {true, {}};
    return {false, "SEC.OIN.NIET_GEAUTORISEERD"};
  }
  if (peer.oin.empty()) return {false, "SEC.OIN.ONTBREEKT"};
  const bool speaks = std::any_of(party.ids.begin(), party.ids.end(), [&](const PartyId& id) {
    return id.type == names::oin_type && speaks_for(contract.row.tenant, without_suffix(id.value), peer, now, scope);
  });
  if (speaks) return {true, {}};
  return {false, "SEC.OIN.GEEN_MANDAAT"};
}

bool allows(const Mandate& mandate, Instant now, std::string_view scope) {
  return mandate.active && mandate.valid_from <= now && now <= mandate.valid_to && mandate.direction != "outbound" &&
         covers(mandate.scope, scope);
}

bool Contracts::has_mandate(std::string_view tenant, std::string_view mandator, std::string_view mandatary, Instant now,
                            std::string_view scope) const {
  const auto [begin, end] = mandates_.equal_range(key_of(tenant, mandator, mandatary));
  return std::any_of(begin, end, [&](const auto& entry) { return allows(entry.second, now, scope); });
}

bool Contracts::acts_for(const LoadedContract& contract, const PartyInfo& party, std::string_view own_oin, Instant now,
                         std::string_view scope) const {
  return std::any_of(party.ids.begin(), party.ids.end(), [&](const PartyId& id) {
    if (id.type != names::oin_type) return false;
    const auto oin = without_suffix(id.value);
    return oin == own_oin || has_mandate(contract.row.tenant, oin, own_oin, now, scope);
  });
}

bool Contracts::speaks_for(std::string_view tenant, std::string_view oin, const security::PeerIdentity& peer, Instant now,
                           std::string_view scope) const {
  if (!peer.refusal.empty() || peer.oin.empty()) return false;
  if (oin == peer.oin || has_mandate(tenant, oin, peer.oin, now, scope)) return true;
  const auto* table = routing_.table(tenant);
  return table != nullptr && table->names_intermediary(oin, peer.oin, now);
}

const AlgorithmException* Contracts::exception(std::string_view tenant, std::string_view partner_oin, std::string_view protocol,
                                               std::string_view algorithm, Instant now) const {
  const auto found = std::find_if(exceptions_.begin(), exceptions_.end(), [&](const AlgorithmException& e) {
    return e.tenant == tenant && e.partner_oin == partner_oin && e.protocol == protocol && e.algorithm == algorithm && e.from <= now &&
           now < e.until && e.until <= e.from + algorithm_exception_max;
  });
  return found == exceptions_.end() ? nullptr : &*found;
}

Result<exchange::NextHop> Contracts::next_hop(const LoadedContract& contract, const PartyInfo& sender, const PartyInfo& receiver,
                                              std::string_view service, std::string_view action, std::string direct, Instant now) const {
  const auto to = receiver.oin(), from = sender.oin();
  const auto* table = routing_.table(contract.row.tenant);
  const auto* route = table == nullptr ? nullptr
                                       : table->select({.direction = exchange::Direction::outbound,
                                                        .contract_id = contract.row.id,
                                                        .cpa_id = contract.agreement.cpa_id,
                                                        .to_oin = to,
                                                        .from_oin = from,
                                                        .service = service,
                                                        .action = action,
                                                        .path = {}},
                                                       now);
  if (route != nullptr) return table->resolve(*route, now);
  return exchange::NextHop{.url = std::move(direct), .server_oin = to, .trusted = true, .through = {}};
}

Contracts::TimeVerdict Contracts::time_rule(const LoadedContract& contract, Instant timestamp, Instant receipt,
                                            const Reliability& reliability, bool reliable) {
  using std::chrono::floor;
  using std::chrono::milliseconds;
  const auto start = contract.agreement.start.instant;
  auto end = contract.agreement.end.instant;
  if (contract.row.state == exchange::ContractState::retired && contract.row.retired_at) end = std::min(end, *contract.row.retired_at);
  const auto at = floor<milliseconds>(timestamp);
  if (at < floor<milliseconds>(start)) return TimeVerdict::before_start;
  if (at > floor<milliseconds>(end)) return TimeVerdict::after_end;
  const auto window = reliable ? (1 + reliability.retries) * reliability.retry_interval : best_effort_window;
  return floor<milliseconds>(receipt) > floor<milliseconds>(end + window) ? TimeVerdict::after_end : TimeVerdict::valid;
}

}  // namespace schakel::cpa
