#include "server/maintenance.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/json_library.hpp"
#include "cpa/store.hpp"
#include "exchange/blob.hpp"
#include "exchange/commit.hpp"
#include "exchange/jobs.hpp"
#include "exchange/maintenance.hpp"
#include "exchange/signal.hpp"
#include "wus/service_json.hpp"

namespace schakel::server {
namespace {

constexpr std::array<std::string_view, 3> periodic_kinds{"crl.refresh", "retention.run", "contract.keep"};
// A refresh looks at least each minute for CAs that it did not know before; nothing is fetched that is not due.
constexpr std::chrono::seconds crl_interval_min{1}, crl_interval_max{60};
constexpr std::chrono::minutes retention_interval{10};
constexpr std::chrono::seconds contract_interval_max{60};
constexpr std::chrono::hours warning_interval{1};
constexpr std::int64_t purge_batch = 500;  // rows per transaction
constexpr std::chrono::hours orphan_age{1};

http::Awaitable<Result<>> again_at(sql::Database& database, exchange::Claimer claimer, exchange::Work work, Instant due) {
  work.due = due;
  work.attempts = 0;
  co_return co_await exchange::commit(database,
                                      [&](sql::Transaction& transaction) { return exchange::reschedule_work(transaction, claimer, work); });
}

}  // namespace

Result<> ensure_periodic_work(sql::Database& database, Instant now) {
  for (const auto kind : periodic_kinds) {
    const exchange::Work work{.id = std::string(kind),
                              .tenant = "",
                              .kind = std::string(kind),
                              .subject = std::string(kind),
                              .destination = "",
                              .due = now,
                              .parameters = {}};
    const auto added = database.commit([&](sql::Transaction& transaction) { return exchange::add_work(transaction, work); });
    if (added) continue;
    if (added.error().code != "storage.conflict") return added.error();
    // It is there: due now, because what changed while no node ran is not known.
    const auto hastened = database.commit([&](sql::Transaction& transaction) -> Result<> {
      SCHAKEL_CHECK(exchange::hasten_work(transaction, kind, kind, now));
      return {};
    });
    if (!hastened) return hastened.error();
  }
  return {};
}

http::Awaitable<> run_blocking(http::asio::any_io_executor executor, std::function<void()> function) {
  // By reference: it lives in this frame until the other side has ended. A lambda that owns something is destroyed twice by g++ 12 when it
  // is made inside a co_await.
  const auto call = [&function]() -> http::Awaitable<> {
    function();
    co_return;
  };
  co_await boost::asio::co_spawn(executor, call, boost::asio::use_awaitable);
}

CrlRefresh::CrlRefresh(sql::Database& database, const Trust& trust, security::CrlFetch fetch, security::CrlArchive& archive,
                       http::asio::any_io_executor blocking, const Clock& clock, Log& log, Metrics& metrics)
    : database_(database),
      trust_(trust),
      fetch_(std::move(fetch)),
      archive_(archive),
      blocking_(blocking),
      clock_(clock),
      log_(log),
      metrics_(metrics) {}

http::Awaitable<Result<>> CrlRefresh::run(exchange::Claimer claimer, exchange::Work work) {
  co_await run_blocking(blocking_, [this] { refresh(); });
  co_return co_await again_at(database_, std::move(claimer), std::move(work), next());
}

void CrlRefresh::refresh() {
  const auto now = clock_.now();
  for (const auto& store : trust_.all()) {
    store->refresh(fetch_, &archive_, now);
    for (const auto& source : store->crl_sources(now)) {
      if (source.this_update)
        metrics_.gauge("crl_age_seconds", "Age of the CRL in use", {{"issuer", source.issuer}})
            .set(std::chrono::duration<double>(now - *source.this_update).count());
      if (source.failures > 0)
        log_.warning("crl.notFetched", {{"issuer", source.issuer}, {"failures", source.failures}, {"detail", source.last_error}});
    }
  }
}

void CrlRefresh::restore() {
  for (const auto& store : trust_.all())
    if (const auto restored = store->restore(archive_, clock_.now()); !restored)
      log_.warning("crl.notRestored", {{"code", restored.error().code}, {"detail", restored.error().detail}});
}

Instant CrlRefresh::next() const {
  const auto now = clock_.now();
  Instant due = now + crl_interval_max;
  for (const auto& store : trust_.all())
    for (const auto& source : store->crl_sources(now)) due = std::min(due, source.next_fetch);
  return std::max(due, now + crl_interval_min);
}

Retention::Retention(sql::Database& database, config::Settings::Retention periods, std::string node, Tenants tenants, const Clock& clock,
                     Log& log)
    : database_(database), periods_(periods), node_(std::move(node)), tenants_(std::move(tenants)), clock_(clock), log_(log) {}

http::Awaitable<Result<>> Retention::run(exchange::Claimer claimer, exchange::Work work) {
  const auto now = clock_.now();
  bool more = false;
  for (const auto& [name, step] : steps(now)) {
    std::int64_t count = 0;
    // Each step a transaction of its own: a purge never holds the writer for long.
    SCHAKEL_CO_CHECK(co_await exchange::commit(database_, [&](sql::Transaction& transaction) -> Result<> {
      SCHAKEL_TRY(count, step(transaction));
      return {};
    }));
    if (count > 0) log_.info("retention.purged", {{"what", name}, {"count", count}});
    more = more || count >= purge_batch;
  }
  co_return co_await again_at(database_, std::move(claimer), std::move(work), more ? now : now + retention_interval);
}

std::vector<Retention::Step> Retention::steps(Instant now) const {
  // Months are taken as they fall back from today.
  const auto length = [&](const CalendarDuration& period) { return period.length_from(now); };
  exchange::Retention kept;
  kept.payload = length(periods_.payload);
  kept.payload_failed = length(periods_.payload_failed);
  kept.trail = std::max<Duration>(length(periods_.trail), exchange::trail_minimum);
  kept.audit = std::max<Duration>(length(periods_.audit), exchange::audit_minimum);
  std::vector<Step> steps{{"orphans", [=](sql::Transaction& tx) { return exchange::purge_orphans(tx, now - orphan_age); }},
                          {"duplicateKeys", [=](sql::Transaction& tx) { return exchange::purge_duplicate_keys(tx, now, purge_batch); }},
                          {"signals", [=](sql::Transaction& tx) { return exchange::purge_signals(tx, now, purge_batch); }},
                          {"idempotencyKeys", [=](sql::Transaction& tx) { return exchange::purge_idempotency_keys(tx, now, purge_batch); }},
                          {"events", [=](sql::Transaction& tx) { return exchange::purge_processed_events(tx, now, purge_batch); }},
                          {"jobs", [=](sql::Transaction& tx) { return exchange::purge_jobs(tx, now, purge_batch); }}};
  for (const auto& tenant : tenants_()) {
    steps.push_back({"payloads", [=, node = node_](sql::Transaction& tx) {
                       return exchange::purge_expired_payloads(tx, tenant, node, kept, now, purge_batch);
                     }});
    steps.push_back({"messages", [=](sql::Transaction& tx) { return exchange::purge_messages(tx, tenant, kept, now, purge_batch); }});
    steps.push_back({"trail", [=](sql::Transaction& tx) { return exchange::purge_trail(tx, tenant, kept, now, purge_batch); }});
    steps.push_back({"audit", [=](sql::Transaction& tx) { return exchange::purge_audit(tx, tenant, kept, now, purge_batch); }});
  }
  return steps;
}

ContractKeeping::ContractKeeping(sql::Database& database, std::string node, Contracts contracts, Activate activate, const Clock& clock,
                                 Log& log)
    : database_(database),
      node_(std::move(node)),
      contracts_(std::move(contracts)),
      activate_(std::move(activate)),
      clock_(clock),
      log_(log) {}

http::Awaitable<Result<>> ContractKeeping::run(exchange::Claimer claimer, exchange::Work work) {
  const auto now = clock_.now();
  Instant next = now + contract_interval_max;
  const auto contracts = contracts_();
  const bool looks_for_warnings = looked_ == Instant{} || now - looked_ >= warning_interval;  // it parses certificates
  if (looks_for_warnings) looked_ = now;
  for (const auto& contract : contracts->all()) {
    const bool in_force = contract.row.state == exchange::ContractState::active || contract.row.state == exchange::ContractState::suspended;
    if (!in_force) continue;
    if (looks_for_warnings) warn(contract, now);
    const auto end = contract.agreement.end.instant;
    if (end >= now) {
      next = std::min(next, end + std::chrono::milliseconds(1));
      continue;
    }
    const auto expired = co_await expire(contract.row.tenant, contract.row.id);
    if (!expired && expired.error().code != "state.conflict" && expired.error().code != "contract.unknown") co_return expired;
  }
  SCHAKEL_CO_TRY(next, co_await activate_due(next));
  co_return co_await again_at(database_, std::move(claimer), std::move(work), next);
}

http::Awaitable<Result<>> ContractKeeping::expire(std::string tenant, std::string id) {
  const auto done = co_await exchange::commit(database_, [&](sql::Transaction& transaction) -> Result<> {
    const auto now = clock_.now();
    SCHAKEL_CHECK(cpa::expire(transaction, tenant, id, now));
    const nlohmann::json record = {
        {"kind", "configuration"}, {"result", "ok"}, {"actor", "schakel"}, {"action", "contract.expire"}, {"object", id}};
    return exchange::append_audit(transaction, tenant, node_, now, record.dump());
  });
  if (done) log_.info("contract.expired", {{"tenant", tenant}, {"contract", id}});
  co_return done;
}

namespace {

// ADP-304: when a validated contract becomes active by itself; nullopt: it does not.
std::optional<Instant> valid_from_of(const exchange::Contract& contract) {
  if (contract.kind == wus::contract_kind) {
    std::vector<Error> faults;
    const auto terms = wus::read_terms(contract.settings, std::nullopt, faults);
    return terms ? terms->valid_from : std::nullopt;
  }
  const auto settings = cpa::parse_settings(contract.settings);
  return settings ? settings->valid_from : std::nullopt;
}

}  // namespace

// The earlier of `next` and the first moment that is still to come.
http::Awaitable<Result<Instant>> ContractKeeping::activate_due(Instant next) {
  std::vector<exchange::Contract> waiting;
  SCHAKEL_CO_CHECK(co_await exchange::read(database_, [&](sql::Transaction& transaction) -> Result<> {
    SCHAKEL_TRY(waiting, exchange::contracts_in_state(transaction, "cpa", exchange::ContractState::validated));
    SCHAKEL_TRY(auto services, exchange::contracts_in_state(transaction, wus::contract_kind, exchange::ContractState::validated));
    std::ranges::move(services, std::back_inserter(waiting));
    return {};
  }));
  for (const auto& contract : waiting) {
    const auto valid_from = valid_from_of(contract);
    if (!valid_from) continue;
    if (*valid_from > clock_.now()) {
      next = std::min(next, *valid_from);
      continue;
    }
    const auto activated = co_await activate_(contract.tenant, contract.id);
    if (!activated && activated.error().code != "version.conflict") co_return activated.error();
  }
  co_return next;
}

// CPA-062
void ContractKeeping::warn(const cpa::LoadedContract& contract, Instant now) {
  auto& last = warned_[contract.row.tenant + "/" + contract.row.id];
  const auto warning = cpa::expiry_warning(contract, now, last == Instant{} ? std::nullopt : std::optional(last));
  if (!warning) return;
  last = now;
  log_.warning("contract.expires", {{"tenant", contract.row.tenant},
                                    {"contract", contract.row.id},
                                    {"cpaId", contract.agreement.cpa_id},
                                    {"what", warning->subject},
                                    {"days", warning->days},
                                    {"endsAt", to_rfc3339(warning->ends)}});
}

}  // namespace schakel::server
