#include "sql/pool.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"

namespace schakel::sql {
namespace {

using SteadyClock = std::chrono::steady_clock;

// An idle connection is asked for a sign of life this often, so that a lost database shows in /health/ready within 5 s (adapter.md 3.11).
constexpr std::chrono::seconds ping_interval{2};
// After a failed connect, units fail at once for this long instead of each waiting for a connect of its own.
constexpr std::chrono::milliseconds reconnect_pause{500};
// The loser of a deadlock waits before it runs again, longer each time: PostgreSQL lets a transaction that asks at once take the freed row
// before the one that waited for it wakes up, and the two would only meet again.
constexpr std::chrono::milliseconds rerun_pause{20};
// After a unit failed, so many groups run under savepoints: somebody who makes units fail on purpose costs others one rerun in so many.
constexpr int guarded_after_failure = 64;
// While units come in company, the next group gathers: for another step as long as the last one brought more. The pages and syncs of a
// commit are shared by all units of the group, and where threads share a core the others make units only while this one waits. A unit
// that comes alone never waits; a few clients that wait for their answers cost the group one step.
constexpr std::chrono::microseconds gather_step{200};
constexpr int gather_steps_max = 20;
// A group that meets serialisation failures or lost connections is run this often in all.
constexpr int group_runs_max = 5;

Error unavailable(std::string detail) {
  return fail("storage.unavailable", std::move(detail));
}

}  // namespace

// One thread's work: a connection and what to do when it breaks.
class Pool::Worker final : private CommitSteps {
 public:
  Worker(Pool& pool, Connection::Access access, std::unique_ptr<Connection> connection)
      : pool_(pool), access_(access), connection_(std::move(connection)) {}

  void run(Queue& queue, std::size_t group_max) {
    while (auto jobs = pool_.take(queue, group_max, in_company_)) {
      if (jobs->empty()) {
        ping();
      } else if (jobs->front().read_only) {
        read(jobs->front());
      } else {
        write(*jobs);
      }
    }
  }

 private:
  bool connected() {
    if (connection_ && connection_->fault() == Fault::lost) connection_.reset();
    if (connection_) return true;
    if (SteadyClock::now() < connect_after_) return false;
    auto opened = pool_.connect_(access_);
    if (!opened) {
      connect_after_ = SteadyClock::now() + reconnect_pause;
      pool_.log_.warning("database.unavailable", {{"detail", opened.error().detail}});
      set_available(false);
      return false;
    }
    connection_ = std::move(*opened);
    set_available(true);
    return true;
  }

  void set_available(bool value) {
    if (pool_.available_.exchange(value) != value) pool_.log_.info(value ? "database.recovered" : "database.lost");
  }

  void ping() {
    if (!connected()) return;
    if (pool_.available() && !pool_.layout_.postgres) return;
    set_available(connection_->ping().has_value());
  }

  Result<> commit(Connection& connection) override {
    const auto start = SteadyClock::now();
    auto result = connection.commit();
    pool_.commit_seconds_.observe(std::chrono::duration<double>(SteadyClock::now() - start).count());
    pool_.commits_.add();
    return result;
  }

  // After a conflict the units run one by one: two groups that hold locks the other needs would only meet again.
  void write(std::vector<Job>& jobs) {
    std::vector<Result<>> results(jobs.size());
    const GroupEnd end = attempt(jobs, results);
    if (end != GroupEnd::settled) {
      std::vector<Result<>> alone(1);
      for (std::size_t i = 0; i < jobs.size(); ++i) {
        settle(std::span(jobs).subspan(i, 1), alone);
        results[i] = std::move(alone[0]);
      }
    }
    pool_.units_.add(static_cast<double>(jobs.size()));
    in_company_ = jobs.size() > 1;
    complete(jobs, results);
  }

  GroupEnd attempt(std::span<Job> jobs, std::vector<Result<>>& results) {
    if (!connected()) {
      results.assign(jobs.size(), unavailable("no connection to the database"));
      return GroupEnd::settled;
    }
    const Guard guard = guarded_groups_ > 0 ? Guard::savepoints : Guard::none;
    GroupEnd end = run_group(*connection_, jobs, guard, results, *this);
    if (guarded_groups_ > 0) --guarded_groups_;
    if (end == GroupEnd::guarded) {
      pool_.reruns_.add();
      guarded_groups_ = guarded_after_failure;
      end = run_group(*connection_, jobs, Guard::savepoints, results, *this);
    }
    if (end != GroupEnd::settled) pool_.reruns_.add();
    conflicts_ = end == GroupEnd::again ? conflicts_ + 1 : 0;
    if (conflicts_ > 0) std::this_thread::sleep_for(rerun_pause * conflicts_);
    return end;
  }

  void settle(std::span<Job> jobs, std::vector<Result<>>& results) {
    for (int run = 1; run < group_runs_max; ++run)
      if (attempt(jobs, results) == GroupEnd::settled) return;
    results.assign(jobs.size(), unavailable("the transaction met too many conflicts"));
  }

  void read(Job& job) {
    Result<> result = unavailable("no connection to the database");
    for (int run = 0; run < group_runs_max && connected(); ++run)
      if (run_read(*connection_, job, result) == GroupEnd::settled) break;
    complete(std::span(&job, 1), std::span(&result, 1));
  }

  // An error of the database itself, not of the caller's unit, shows in /health/ready until a later success.
  void complete(std::span<Job> jobs, std::span<Result<>> results) {
    bool outage = false;
    for (const auto& result : results) outage = outage || (!result && result.error().code == "storage.unavailable");
    set_available(!outage);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      try {
        if (jobs[i].done) jobs[i].done(std::move(results[i]));
      } catch (const std::exception& exception) {
        pool_.log_.error("database.completionThrew", {{"detail", exception.what()}});
      }
    }
    // What a unit or completion owns ends here, before the thread waits again.
    for (auto& job : jobs) job = {};
  }

  Pool& pool_;
  Connection::Access access_;
  std::unique_ptr<Connection> connection_;
  SteadyClock::time_point connect_after_{};
  int conflicts_ = 0;        // in a row
  bool in_company_ = false;  // the last group had several units
  int guarded_groups_ = 0;   // that are still to run under savepoints
};

Pool::Pool(Layout layout, Connector connect, std::unique_ptr<Connection> first, Log& log, Metrics& metrics)
    : layout_(layout),
      connect_(std::move(connect)),
      log_(log),
      commit_seconds_(metrics.histogram("db_commit_seconds", "Time of a database commit, until it is durable")),
      commits_(metrics.counter("db_commits_total", "Database commits; db_units_total divided by it is the mean group size")),
      units_(metrics.counter("db_units_total", "Units run in group commits")),
      reruns_(metrics.counter("db_group_reruns_total", "Groups run again after a serialisation failure or a lost connection")) {
  using Access = Connection::Access;
  for (std::size_t i = 0; i < layout_.writers; ++i)
    threads_.emplace_back([this, connection = i == 0 ? std::move(first) : nullptr]() mutable {
      Worker(*this, Access::write, std::move(connection)).run(writes_, limits::commit_group_max);
    });
  for (std::size_t i = 0; i < layout_.readers; ++i) threads_.emplace_back([this] { Worker(*this, Access::read, nullptr).run(reads_, 1); });
}

Pool::~Pool() {
  stop();
}

void Pool::submit(Unit unit, Completion done) {
  enqueue(writes_, {std::move(unit), std::move(done), false});
}

void Pool::submit_read(Unit unit, Completion done) {
  enqueue(layout_.readers == 0 ? writes_ : reads_, {std::move(unit), std::move(done), true});
}

void Pool::enqueue(Queue& queue, Job job) {
  const char* refusal = nullptr;
  {
    const std::lock_guard lock(queue.mutex);
    if (queue.stopping) {
      refusal = "the database is stopping";
    } else if (queue.jobs.size() >= limits::commit_queue_max) {
      refusal = "too many units wait for the database";
    } else {
      queue.jobs.push_back(std::move(job));
    }
  }
  if (!refusal) {
    queue.filled.notify_one();
  } else if (job.done) {
    job.done(unavailable(refusal));
  }
}

std::optional<std::vector<Job>> Pool::take(Queue& queue, std::size_t max, bool gather) {
  std::unique_lock lock(queue.mutex);
  queue.filled.wait_for(lock, ping_interval, [&] { return !queue.jobs.empty() || queue.stopping; });
  for (int step = 0; gather && step < gather_steps_max && queue.jobs.size() < max && !queue.stopping; ++step) {
    const auto before = queue.jobs.size();
    lock.unlock();
    std::this_thread::sleep_for(gather_step);
    lock.lock();
    if (queue.jobs.size() == before) break;
  }
  if (queue.jobs.empty() && queue.stopping) return std::nullopt;
  std::vector<Job> taken;
  taken.reserve(std::min(max, queue.jobs.size()));
  // A read that shares the writer's connection never sees what its group has not committed: it is taken alone.
  while (!queue.jobs.empty() && taken.size() < max && (taken.empty() || !queue.jobs.front().read_only)) {
    taken.push_back(std::move(queue.jobs.front()));
    queue.jobs.pop_front();
    if (taken.back().read_only) break;
  }
  return taken;
}

void Pool::stop() {
  const std::lock_guard once(stop_mutex_);
  for (Queue* queue : {&writes_, &reads_}) {
    const std::lock_guard lock(queue->mutex);
    queue->stopping = true;
    queue->filled.notify_all();
  }
  for (auto& thread : threads_)
    if (thread.joinable()) thread.join();
}

}  // namespace schakel::sql
