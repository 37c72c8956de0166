#include "server/node_lease.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>

#include "exchange/commit.hpp"
#include "http/run.hpp"

namespace schakel::server {
namespace {

using Steady = std::chrono::steady_clock;

}  // namespace

struct NodeLease::State {
  State(sql::Database& database_, const Clock& clock_, Log& log_, Metrics& metrics, Options options_)
      : database(database_),
        clock(clock_),
        log(log_),
        options(std::move(options_)),
        up(metrics.gauge("node_up", "1 while this node holds its lease")) {}

  sql::Database& database;
  const Clock& clock;
  Log& log;
  Options options;
  Gauge& up;
  mutable std::mutex mutex;
  std::optional<exchange::Claimer> held;
  Steady::time_point valid_until{};
  std::atomic<bool> stopped{false}, draining{false};
  std::weak_ptr<http::Wakeup> wakeup;  // ends a wait early; owned by the coroutine, so that it goes with its executor

  // `asked_at`: before the database was asked, so that our idea of the end is never later than anyone else's. One heartbeat is kept as a
  // margin.
  void hold(exchange::Claimer claimer, Steady::time_point asked_at) {
    const std::lock_guard lock(mutex);
    held = std::move(claimer);
    valid_until = asked_at + std::chrono::duration_cast<Steady::duration>(options.lease - options.heartbeat);
    up.set(1);
  }
  void lose() {
    const std::lock_guard lock(mutex);
    held.reset();
    up.set(0);
  }
  std::optional<exchange::Claimer> current() const {
    const std::lock_guard lock(mutex);
    return held && Steady::now() < valid_until ? held : std::nullopt;
  }
  std::optional<exchange::Claimer> last() const {
    const std::lock_guard lock(mutex);
    return held;
  }

  sql::Unit taking(exchange::Claimer& claimer, bool former_is_dead) {
    return [this, &claimer, former_is_dead](sql::Transaction& transaction) -> Result<> {
      if (former_is_dead) {
        SCHAKEL_TRY(const auto known, exchange::nodes(transaction));
        for (const auto& node : known)
          if (node.name == options.node) SCHAKEL_CHECK(exchange::release_node_lease(transaction, {.node = node.name, .epoch = node.epoch}));
      }
      SCHAKEL_TRY(claimer, exchange::take_node_lease(transaction, options.node, clock.now(), options.lease));
      return {};
    };
  }

  static http::Awaitable<> heartbeats(std::shared_ptr<State> self, std::shared_ptr<http::Wakeup> wakeup) {
    while (!self->stopped) {
      co_await wakeup->wait(self->options.heartbeat);
      if (!self->stopped) co_await self->beat();
    }
  }

  http::Awaitable<> beat() {
    const auto asked_at = Steady::now();
    auto claimer = last();
    Result<> renewed;
    bool asked_to_drain = false;
    if (claimer) {
      renewed = co_await exchange::commit(database, [&](sql::Transaction& transaction) -> Result<> {
        SCHAKEL_CHECK(exchange::renew_node_lease(transaction, *claimer, clock.now()));
        SCHAKEL_TRY(const auto known, exchange::nodes(transaction));
        for (const auto& node : known)
          if (node.name == options.node) asked_to_drain = node.draining;
        return {};
      });
      if (renewed) {
        hold(*claimer, asked_at);
        if (draining.exchange(asked_to_drain) != asked_to_drain) log.info(asked_to_drain ? "node.drainAsked" : "node.resumed");
        co_return;
      }
      log.warning("node.leaseNotRenewed", {{"code", renewed.error().code}, {"detail", renewed.error().detail}});
      if (renewed.error().code == "storage.unavailable") co_return;  // until valid_until we may still have it
      lose();
    }
    exchange::Claimer taken;
    const auto retaken = co_await exchange::commit(database, taking(taken, false));
    if (!retaken) {
      log.warning("node.leaseNotTaken", {{"code", retaken.error().code}, {"detail", retaken.error().detail}});
      co_return;
    }
    log.info("node.leaseTaken", {{"epoch", taken.epoch}});
    hold(taken, asked_at);
  }
};

NodeLease::NodeLease(sql::Database& database, const Clock& clock, Log& log, Metrics& metrics, Options options)
    : state_(std::make_shared<State>(database, clock, log, metrics, std::move(options))) {}

NodeLease::~NodeLease() {
  stop();
}

Result<> NodeLease::take(bool former_is_dead) {
  const auto give_up_at = Steady::now() + state_->options.lease + state_->options.heartbeat;
  for (bool told = false;; told = true) {
    const auto asked_at = Steady::now();
    exchange::Claimer claimer;
    auto taken = state_->database.commit(state_->taking(claimer, former_is_dead));
    if (taken) {
      state_->hold(claimer, asked_at);
      return {};
    }
    if (taken.error().code != "node.nameInUse" || Steady::now() >= give_up_at) return taken.error();
    if (!told) state_->log.info("node.waitsForLease", {{"node", state_->options.node}});
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
  }
}

void NodeLease::start(http::asio::any_io_executor executor) {
  const auto strand = http::make_strand(executor);
  auto wakeup = std::make_shared<http::Wakeup>(strand);
  state_->wakeup = wakeup;
  http::spawn(strand, State::heartbeats(state_, std::move(wakeup)));
}

void NodeLease::stop() {
  state_->stopped = true;
  if (const auto wakeup = state_->wakeup.lock()) wakeup->notify();
}

Result<> NodeLease::release() {
  stop();
  const auto claimer = state_->last();
  if (!claimer) return {};
  state_->lose();
  return state_->database.commit([&](sql::Transaction& transaction) { return exchange::release_node_lease(transaction, *claimer); });
}

std::optional<exchange::Claimer> NodeLease::claimer() const {
  return state_->current();
}

bool NodeLease::draining() const {
  return state_->draining;
}

Result<std::unique_ptr<FileLock>> FileLock::take(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return fail("storage.unavailable", "the lock file cannot be opened: " + std::string(std::strerror(errno)), path);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor);
    return fail("node.nameInUse", "another process uses this database", path);
  }
  return std::unique_ptr<FileLock>(new FileLock(descriptor));
}

FileLock::~FileLock() {
  ::close(descriptor_);
}

}  // namespace schakel::server
