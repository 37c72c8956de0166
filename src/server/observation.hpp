// Metrics that are looked up instead of counted (adapter.md 2.8): open messages by state, due work, live nodes, and how long certificates
// and contracts last. Read beside the writer, each from an index of what is open.
#pragma once

#include "base/metrics.hpp"
#include "base/time.hpp"
#include "cpa/contracts.hpp"
#include "exchange/store.hpp"
#include "http/asio.hpp"
#include "server/identities.hpp"
#include "sql/database.hpp"

namespace schakel::server {

struct Observed {
  std::vector<exchange::StateCount> states;
  std::vector<exchange::DueCount> due;
  std::int64_t nodes = 0;
};
http::Awaitable<Result<Observed>> observe(sql::Database&, Instant now, Duration lease);

void show(Metrics&, const Observed&);
void show_expiry(Metrics&, const Identities&, const cpa::Contracts&, Instant now);

}  // namespace schakel::server
