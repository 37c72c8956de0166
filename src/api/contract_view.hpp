// Contracts, findings, matches and partners as JSON (cpa.md 2.7). Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/refusal.hpp"
#include "cpa/contracts.hpp"
#include "cpa/validate.hpp"
#include "exchange/store.hpp"

namespace schakel::api {

// {id, kind, cpaId, digest, state, start, end, profiles, parties, settings, …}. The document is parsed; one that cannot be is shown without
// its contents.
OrderedJson contract_json(const exchange::Contract&);
OrderedJson findings_json(const cpa::Validation&);
OrderedJson validation_json(const cpa::Validation&);

// What GET /contracts/_match asks; empty texts match everything.
struct MatchQuestion {
  std::string from, from_role, to, to_role, service, action, cpa_id;
  Instant at;
};
// The contract that a message would be sent under, with its channel, and of every other contract of the tenant why not.
OrderedJson explain_match(const cpa::Contracts&, std::string_view tenant, const MatchQuestion&);

// Partners by OIN, or the one of `oin`, with their contracts and the circuits of their addresses.
std::vector<OrderedJson> partners_json(const cpa::Contracts&, std::string_view tenant, std::string_view oin,
                                       std::span<const exchange::Circuit>);

}  // namespace schakel::api
