#include "server/work_loop.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <utility>

#include "base/limits.hpp"
#include "exchange/commit.hpp"
#include "http/run.hpp"

namespace schakel::server {
namespace {

using exchange::Claimer;
using exchange::Work;

constexpr std::chrono::seconds unknown_kind_delay{60};

}  // namespace

struct WorkLoop::State {
  State(http::asio::any_io_executor executor_, sql::Database& database_, Lease lease_, const Clock& clock_, Log& log_, Metrics& metrics,
        Options options_)
      : executor(executor_),
        strand(http::make_strand(executor_)),
        wakeup(strand),
        database(database_),
        lease(std::move(lease_)),
        clock(clock_),
        log(log_),
        options(options_),
        lag(metrics.gauge("work_lag_seconds", "Age of the oldest due work")) {}

  http::asio::any_io_executor executor;
  http::asio::any_io_executor strand;  // the loop and the ends of rows: what they share needs no lock
  http::Wakeup wakeup;
  sql::Database& database;
  Lease lease;
  const Clock& clock;
  Log& log;
  Options options;
  Gauge& lag;
  std::map<std::string, Handler, std::less<>> handlers;  // not changed after start
  std::map<std::string, Opening, std::less<>> openings;  // nor these
  std::map<std::string, int, std::less<>> failures;      // in a row, per kind
  std::set<std::string, std::less<>> held;               // ids of the rows that run
  bool doubtful = false;                                 // the table may hold claims of ours that are not in `held`
  bool opens_apart = false;                              // an opening failed: the next claim opens nothing
  std::atomic<bool> stopped{true};
  std::atomic<bool> looping{false};
  std::atomic<std::size_t> running{0};

  struct Claimed {
    Work row;
    bool opened = false;
    Rest rest;
  };
  struct Found {
    std::optional<Instant> due;  // when the next unclaimed row is or was due
    std::vector<Claimed> rows;
  };

  // One unit: looks what is due, claims it, opens it.
  http::Awaitable<Result<Found>> claim(Claimer claimer, std::size_t room) {
    Found found;
    const bool opens = !std::exchange(opens_apart, false);
    bool opening_failed = false;
    const auto limit = static_cast<std::int64_t>(std::min(room, limits::work_batch_max));
    const auto claimed = co_await exchange::commit(database, [&](sql::Transaction& transaction) -> Result<> {
      found = {};
      opening_failed = false;
      const auto now = clock.now();
      SCHAKEL_TRY(found.due, exchange::next_due(transaction));
      if (!found.due || *found.due > now) return {};
      SCHAKEL_TRY(auto rows, exchange::claim_work(transaction, claimer, now, limit, limits::work_in_flight_per_destination_max));
      for (auto& row : rows) {
        auto& one = found.rows.emplace_back(Claimed{.row = std::move(row), .rest = {}});
        if (!opens) continue;
        auto opened = open(transaction, claimer, one);
        opening_failed = !opened;
        SCHAKEL_CHECK(opened);
      }
      return {};
    });
    if (claimed) co_return found;
    log.warning("work.notClaimed", {{"code", claimed.error().code}, {"detail", claimed.error().detail}});
    doubtful = true;
    opens_apart = opening_failed;
    co_return claimed.error();
  }

  Result<> open(sql::Transaction& transaction, const Claimer& claimer, Claimed& claimed) {
    const auto opening = openings.find(claimed.row.kind);
    if (opening == openings.end()) return {};
    SCHAKEL_TRY(claimed.rest, opening->second(transaction, claimer, claimed.row));
    claimed.opened = true;
    return {};
  }

  // A claim whose commit failed may have been kept all the same: its rows would stay claimed by a node that does not know of them.
  http::Awaitable<> settle_doubt(Claimer claimer) {
    const auto settled = co_await exchange::commit(database, [&](sql::Transaction& transaction) -> Result<> {
      SCHAKEL_TRY(const auto released, exchange::release_claims_except(transaction, claimer, held));
      if (released > 0) log.warning("work.released", {{"rows", released}});
      return {};
    });
    doubtful = !settled;
  }

  static http::Awaitable<> loop(std::shared_ptr<State> self) {
    while (!self->stopped) {
      const auto wait = co_await self->turn(self);
      if (wait > Duration{0} && !self->stopped) co_await self->wakeup.wait(wait);
    }
    self->looping = false;
  }

  // Claims what is due; how long nothing will be.
  http::Awaitable<Duration> turn(std::shared_ptr<State> self) {
    const Duration poll = options.poll;
    const auto claimer = lease();
    const auto room = options.in_flight_max - std::min(options.in_flight_max, running.load());
    if (!claimer || room == 0) co_return poll;
    if (stopped) co_return poll;
    if (doubtful) co_await settle_doubt(*claimer);
    auto found = co_await claim(*claimer, room);
    if (!found) co_return opens_apart ? Duration{0} : poll;
    const auto now = clock.now();
    lag.set(found->due && *found->due < now ? std::chrono::duration<double>(now - *found->due).count() : 0);
    for (auto& one : found->rows) {
      if (one.opened && !one.rest) continue;
      ++running;
      held.insert(one.row.id);
      http::spawn(executor, run(self, *claimer, std::move(one)));
    }
    if (!found->rows.empty()) co_return Duration{0};
    if (!found->due) co_return poll;
    // What is due and was not claimed waits for a circuit or for its destination's other rows.
    co_return *found->due > now ? std::min(poll, *found->due - now) : poll;
  }

  static http::Awaitable<> run(std::shared_ptr<State> self, Claimer claimer, Claimed claimed) {
    auto result = co_await self->handled(claimer, claimed);
    http::spawn(self->strand, end(self, std::move(claimer), std::move(claimed.row), std::move(result)));
  }

  // A handler that throws has met a broken invariant: this row waits, the others go on.
  http::Awaitable<Result<>> handled(const Claimer& claimer, Claimed& claimed) {
    try {
      if (claimed.opened) co_return co_await claimed.rest();
      if (openings.contains(claimed.row.kind)) co_return co_await handled_apart(claimer, claimed);
      const auto handler = handlers.find(claimed.row.kind);
      if (handler == handlers.end()) co_return fail("work.unknownKind", "no handler for " + claimed.row.kind);
      co_return co_await handler->second(claimer, claimed.row);
    } catch (const std::exception& fault) {
      co_return fail("internal", fault.what());
    }
  }

  http::Awaitable<Result<>> handled_apart(const Claimer& claimer, Claimed& claimed) {
    SCHAKEL_CO_CHECK(
        co_await exchange::commit(database, [&](sql::Transaction& transaction) { return open(transaction, claimer, claimed); }));
    if (!claimed.rest) co_return Result<>();
    co_return co_await claimed.rest();
  }

  static http::Awaitable<> end(std::shared_ptr<State> self, Claimer claimer, Work row, Result<> result) {
    const auto id = row.id;
    if (result)
      self->failures[row.kind] = 0;
    else if (result.error().code != "work.lost")
      co_await self->put_back(claimer, std::move(row), result.error());
    else
      self->log.info("work.lost", {{"kind", row.kind}, {"subject", row.subject}});
    self->held.erase(id);
    --self->running;
    self->wakeup.notify();
  }

  // Until it is done or the claim is lost: a row must not stay claimed by a node that does nothing for it.
  http::Awaitable<> put_back(Claimer claimer, Work row, Error error) {
    const auto count = std::min(failures[row.kind]++, 16);
    const auto delay = error.code == "work.unknownKind" ? Duration(unknown_kind_delay)
                                                        : std::min<Duration>(options.retry_delay * (1LL << count), options.retry_delay_max);
    log.warning(
        "work.failed",
        {{"kind", row.kind}, {"subject", row.subject}, {"code", error.code}, {"detail", error.detail}, {"delayMs", delay.count() / 1000}});
    for (;;) {
      row.due = clock.now() + delay;
      const auto put = co_await exchange::commit(
          database, [&](sql::Transaction& transaction) { return exchange::reschedule_work(transaction, claimer, row); });
      if (put || put.error().code == "work.lost" || stopped) co_return;
      co_await http::sleep(std::chrono::seconds(1));
    }
  }
};

WorkLoop::WorkLoop(http::asio::any_io_executor executor, sql::Database& database, Lease lease, const Clock& clock, Log& log,
                   Metrics& metrics, Options options)
    : state_(std::make_shared<State>(executor, database, std::move(lease), clock, log, metrics, options)) {}

WorkLoop::~WorkLoop() {
  stop();
}

void WorkLoop::on(std::string kind, Handler handler) {
  state_->handlers.emplace(std::move(kind), std::move(handler));
}

void WorkLoop::on_claim(std::string kind, Opening opening) {
  state_->openings.emplace(std::move(kind), std::move(opening));
}

void WorkLoop::start() {
  state_->stopped = false;
  state_->looping = true;
  http::spawn(state_->strand, State::loop(state_));
}

void WorkLoop::wake() {
  state_->wakeup.notify();
}

void WorkLoop::stop() {
  state_->stopped = true;
  state_->wakeup.notify();
}

bool WorkLoop::idle() const {
  return !state_->looping && state_->running == 0;
}

}  // namespace schakel::server
