#include "server/setup.hpp"

#include "api/keys.hpp"
#include "exchange/store.hpp"

namespace schakel::server {

Result<std::unique_ptr<sql::Database>> open_for_setup(const config::Settings& settings, Log& log, Metrics& metrics) {
  SCHAKEL_TRY(auto database, sql::open({.url = settings.database.url, .pool_size = 2}, log, metrics));
  SCHAKEL_TRY(const auto state, sql::schema_state(*database, exchange::migrations()));
  if (state.current > state.newest) return fail("schema.newer", "the database was migrated by a newer release of this program");
  if (state.current > 0 && state.current < state.newest) return fail("schema.older", "run `schakel db migrate` first");
  if (state.current == 0) {
    const auto migrated = sql::migrate(*database, exchange::migrations());
    if (!migrated) return migrated.error();
  }
  return database;
}

Result<Setup> set_up_tenant(sql::Database& database, const Tenant& tenant, const std::string& key_path, Random& random, Instant now) {
  Setup setup;
  const auto committed = database.commit([&](sql::Transaction& transaction) -> Result<> {
    SCHAKEL_TRY(setup.tenant, put_tenant(transaction, tenant, now));
    return {};
  });
  if (!committed) return committed.error();
  if (key_path.empty()) return setup;
  api::FirstKey key;
  key.tenant = tenant.slug;
  key.environment = tenant.environment;
  key.path = key_path;
  key.permissions = {"payload.read"};
  SCHAKEL_TRY(setup.key_made, api::make_first_key(database, key, random, now));
  return setup;
}

}  // namespace schakel::server
