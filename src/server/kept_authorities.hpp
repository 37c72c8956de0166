// Certificates of the authorities that this node trusts are kept in the database, so that evidence holds the path of a signer after the
// configuration has changed (WUS-321, SEC-104).
#pragma once

#include "server/identities.hpp"
#include "sql/database.hpp"

namespace schakel::server {

// Writes those that are not there yet. Blocks: at start.
Result<> keep_authorities(sql::Database&, const Trust&, Instant now);

}  // namespace schakel::server
