#include "server/maintenance.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "exchange/blob.hpp"
#include "exchange/commit.hpp"

namespace schakel::server {
namespace {

constexpr std::array<std::string_view, 2> periodic_kinds{"crl.refresh", "retention.run"};
// A refresh looks at least each minute for CAs that it did not know before; nothing is fetched that is not due.
constexpr std::chrono::seconds crl_interval_min{1}, crl_interval_max{60};
constexpr std::chrono::minutes retention_interval{10};
constexpr std::int64_t purge_batch = 1000;  // rows per transaction: a purge never holds the writer for long
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
  co_await boost::asio::co_spawn(
      executor,
      [function = std::move(function)]() -> http::Awaitable<> {
        function();
        co_return;
      },
      boost::asio::use_awaitable);
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

Retention::Retention(sql::Database& database, config::Settings::Retention periods, std::string node, const Clock& clock, Log& log)
    : database_(database), periods_(periods), node_(std::move(node)), clock_(clock), log_(log) {}

http::Awaitable<Result<>> Retention::run(exchange::Claimer claimer, exchange::Work work) {
  const auto now = clock_.now();
  std::int64_t orphans = 0, keys = 0;
  SCHAKEL_CO_CHECK(co_await exchange::commit(database_, [&](sql::Transaction& transaction) -> Result<> {
    SCHAKEL_TRY(orphans, exchange::purge_orphans(transaction, now - orphan_age));
    SCHAKEL_TRY(keys, exchange::purge_duplicate_keys(transaction, now, purge_batch));
    return {};
  }));
  if (orphans > 0 || keys > 0) log_.info("retention.purged", {{"orphans", orphans}, {"duplicateKeys", keys}});
  const bool more = keys == purge_batch;
  co_return co_await again_at(database_, std::move(claimer), std::move(work), more ? now : now + retention_interval);
}

}  // namespace schakel::server
