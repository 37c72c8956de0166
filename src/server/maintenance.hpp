// Periodic work as rows of `work`: crl.refresh, retention.run and contract.keep. One row each for the whole cluster, so whichever node
// claims it does it (adapter.md 3.11.3).
#pragma once

#include <functional>
#include <map>

#include "base/config.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "cpa/contracts.hpp"
#include "exchange/store.hpp"
#include "http/asio.hpp"
#include "server/identities.hpp"
#include "sql/database.hpp"

namespace schakel::server {

// Makes the rows that are missing. Blocks.
Result<> ensure_periodic_work(sql::Database&, Instant now);

// Fetches due CRLs of every environment on `blocking`'s thread, and puts the row back for the next (SEC-022). Borrows everything.
class CrlRefresh {
 public:
  CrlRefresh(sql::Database&, const Trust&, security::CrlFetch, security::CrlArchive&, http::asio::any_io_executor blocking, const Clock&,
             Log&, Metrics&);

  http::Awaitable<Result<>> run(exchange::Claimer, exchange::Work);
  // Fetches everything that is due now. Blocks.
  void refresh();
  // What other nodes fetched. Blocks.
  void restore();

 private:
  Instant next() const;

  sql::Database& database_;
  const Trust& trust_;
  security::CrlFetch fetch_;
  security::CrlArchive& archive_;
  http::asio::any_io_executor blocking_;
  const Clock& clock_;
  Log& log_;
  Metrics& metrics_;
};

// Removes what its retention no longer keeps, in bounded steps (adapter.md 2.11, ADP-904).
class Retention {
 public:
  using Tenants = std::function<std::vector<std::string>()>;  // slugs
  Retention(sql::Database&, config::Settings::Retention, std::string node, Tenants, const Clock&, Log&);

  http::Awaitable<Result<>> run(exchange::Claimer, exchange::Work);

 private:
  struct Step {
    std::string name;
    std::function<Result<std::int64_t>(sql::Transaction&)> purge;
  };
  std::vector<Step> steps(Instant now) const;

  sql::Database& database_;
  config::Settings::Retention periods_;
  std::string node_;
  Tenants tenants_;
  const Clock& clock_;
  Log& log_;
};

// Contracts that change with time (ADP-304): validated ones become active at the moment that was set for them, active and suspended ones
// expire when their agreement has ended. Looks at least each minute.
class ContractKeeping {
 public:
  using Contracts = std::function<std::shared_ptr<const cpa::Contracts>()>;
  using Activate = std::function<http::Awaitable<Result<>>(std::string tenant, std::string id)>;  // api::Api::activate_scheduled
  ContractKeeping(sql::Database&, std::string node, Contracts, Activate, const Clock&, Log&);

  http::Awaitable<Result<>> run(exchange::Claimer, exchange::Work);

 private:
  http::Awaitable<Result<>> expire(std::string tenant, std::string id);
  http::Awaitable<Result<Instant>> activate_due(Instant next);
  void warn(const cpa::LoadedContract&, Instant now);

  sql::Database& database_;
  std::string node_;
  Contracts contracts_;
  Activate activate_;
  const Clock& clock_;
  Log& log_;
  Instant looked_{};                       // for warnings; one run at a time
  std::map<std::string, Instant> warned_;  // by tenant and id
};

// Awaits a function that blocks, run on another executor.
http::Awaitable<> run_blocking(http::asio::any_io_executor, std::function<void()>);

}  // namespace schakel::server
