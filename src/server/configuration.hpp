// The runtime configuration of the database as one immutable snapshot: tenants and contracts (CPA-050, adapter.md 3.11.4).
//
// `Configuration::load` reads it whole; `ConfigurationCache` holds the newest and reads again when the version in the database has grown.
// Agreements that did not change are not parsed again.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "cpa/contracts.hpp"
#include "http/asio.hpp"
#include "server/tenants.hpp"
#include "sql/database.hpp"
#include "wus/service_contract.hpp"

namespace schakel::server {

struct Configuration {
  std::int64_t version = -1;
  std::vector<Tenant> tenants;
  std::shared_ptr<const cpa::Contracts> contracts;
  std::shared_ptr<const wus::Services> services = std::make_shared<const wus::Services>();
  // Keys of our own that are no longer used at all (SEC-078): SHA-256 of the public key, hex. Documents of kind "compromisedKey".
  std::set<std::string, std::less<>> compromised_keys;

  const Tenant* tenant(std::string_view slug) const;
  // ADP-204: the tenant that a TLS server name is bound to.
  const Tenant* tenant_of_host(std::string_view host) const;

  // `former`: what agreements can be taken from. A contract, mapping or mandate that cannot be read is logged and left out; it must not
  // take the others down.
  static Result<std::shared_ptr<const Configuration>> load(sql::Transaction&, const Configuration* former, Log&);
};

// Safe from every thread.
class ConfigurationCache {
 public:
  ConfigurationCache(sql::Database&, Log&);

  // Reads it for the first time, blocking.
  Result<> load();
  std::shared_ptr<const Configuration> current() const;
  // Reads it again when it changed. True: `current` is a new one.
  http::Awaitable<Result<bool>> refresh();

 private:
  void swap(std::shared_ptr<const Configuration>);

  sql::Database& database_;
  Log& log_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Configuration> current_;
};

}  // namespace schakel::server
