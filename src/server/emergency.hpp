// A key that may be known to others (SEC-078): who takes over, and who must be told. Pure.
//
// The switch itself is a document of kind "compromisedKey": every node that reads it stops using the key, whatever tenants configure, and
// ends the connections that were made with it.
#pragma once

#include <string_view>

#include "api/refusal.hpp"
#include "cpa/contracts.hpp"
#include "server/identities.hpp"

namespace schakel::server {

// What follows when the key of this own certificate is taken out of use, as JSON: `certificate` (sha256, subject, serial, issuer),
// `publicKeySha256`, `successors` (purpose, sha256) and `report`: whom to tell what (`to` is tsp or partner). `after`: the certificates
// without that key. Errors: "notFound"; "state.conflict" when no other certificate of the tenant is active for one of its purposes.
Result<api::OrderedJson> emergency_plan(const Identities::Loaded& compromised, const Identities& after, const cpa::Contracts&, Instant now);

}  // namespace schakel::server
