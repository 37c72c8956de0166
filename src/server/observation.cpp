#include "server/observation.hpp"

#include "exchange/commit.hpp"

namespace schakel::server {
namespace {

using Series = std::vector<std::pair<Metrics::Labels, double>>;

double seconds_until(Instant end, Instant now) {
  return std::chrono::duration<double>(end - now).count();
}

}  // namespace

http::Awaitable<Result<Observed>> observe(sql::Database& database, Instant now, Duration lease) {
  Observed observed;
  const auto read = co_await exchange::read(database, [&](sql::Transaction& transaction) -> Result<> {
    SCHAKEL_TRY(observed.states, exchange::count_open_states(transaction));
    SCHAKEL_TRY(observed.due, exchange::count_due_work(transaction, now));
    SCHAKEL_TRY(observed.nodes, exchange::count_live_nodes(transaction, now, lease));
    return {};
  });
  if (!read) co_return read.error();
  co_return observed;
}

void show(Metrics& metrics, const Observed& observed) {
  Series states, due;
  for (const auto& count : observed.states)
    states.push_back(
        {{{"tenant", count.tenant}, {"direction", std::string(to_string(count.direction))}, {"state", std::string(to_string(count.state))}},
         static_cast<double>(count.messages)});
  for (const auto& count : observed.due) due.push_back({{{"kind", count.kind}}, static_cast<double>(count.rows)});
  metrics.show("messages_in_state", "Messages in a state that is not final", states);
  metrics.show("work_due", "Due work that nobody has claimed", due);
  metrics.show("cluster_nodes", "Nodes with a live lease", {{{}, static_cast<double>(observed.nodes)}});
}

void show_expiry(Metrics& metrics, const Identities& identities, const cpa::Contracts& contracts, Instant now) {
  Series certificates, ends;
  for (const auto& own : identities.certificates()) {
    if (!own.key_pair) continue;
    const auto& certificate = own.key_pair->certificate();
    for (const auto& purpose : own.configured.purposes)
      certificates.push_back(
          {{{"tenant", own.tenant}, {"purpose", purpose}, {"serial", certificate->serial}}, seconds_until(certificate->not_after, now)});
  }
  for (const auto& contract : contracts.all())
    if (contract.row.state == exchange::ContractState::active)
      ends.push_back(
          {{{"tenant", contract.row.tenant}, {"contract", contract.row.id}}, seconds_until(contract.agreement.end.instant, now)});
  metrics.show("certificate_expiry_seconds", "Time until an own certificate ends; negative: since", certificates);
  metrics.show("contract_expiry_seconds", "Time until an active contract ends", ends);
}

}  // namespace schakel::server
