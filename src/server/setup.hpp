// First steps on a database, before any API key exists: tenants and the first key. What `schakel tenant create` and `schakel apply` do with
// --config.
//
// These work on the database itself, beside a running node or without one; a running node sees the change within a second. They block.
#pragma once

#include <memory>
#include <string>

#include "base/config.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "server/tenants.hpp"
#include "sql/database.hpp"

namespace schakel::server {

// The database of a configuration, migrated when it is empty. Error "schema.older": it has tables of an older release; `schakel db migrate`
// brings them up to date.
Result<std::unique_ptr<sql::Database>> open_for_setup(const config::Settings&, Log&, Metrics&);

struct Setup {
  Put tenant = Put::same;
  bool key_made = false;
};
// Writes the tenant (put_tenant). With `key_path`, and when the tenant has no API key yet, makes the first one and writes it to that new
// file with mode 0600: the roles of an administrator, and `payload.read` so that it can be used by the tenant's first application.
Result<Setup> set_up_tenant(sql::Database&, const Tenant&, const std::string& key_path, Random&, Instant now);

}  // namespace schakel::server
