#include "server/work_loop.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/limits.hpp"
#include "base/random.hpp"
#include "exchange/commit.hpp"
#include "http/run.hpp"
#include "server/waking_database.hpp"
#include "support/database.hpp"

namespace schakel::server {
namespace {

using namespace std::chrono_literals;
using exchange::Work;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Lt;
using ::testing::UnorderedElementsAre;
using Steady = std::chrono::steady_clock;

// What handlers saw, and a way to wait for it.
class Diary {
 public:
  void write(std::string entry) {
    const std::lock_guard lock(mutex_);
    entries_.push_back(std::move(entry));
    changed_.notify_all();
  }
  std::vector<std::string> entries() const {
    const std::lock_guard lock(mutex_);
    return entries_;
  }
  bool wait_for(std::size_t count, std::chrono::milliseconds at_most = 10s) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, at_most, [&] { return entries_.size() >= count; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> entries_;
};

// A database whose answer to a commit can get lost: it happens, and whoever asked for it hears that nobody knows.
class Forgetful final : public sql::Database {
 public:
  explicit Forgetful(std::unique_ptr<sql::Database> inner) : inner_(std::move(inner)) {}
  std::atomic<bool> forgets_next{false};

  void submit(sql::Unit unit, sql::Completion done) override {
    const bool forgets = forgets_next.exchange(false);
    inner_->submit(std::move(unit), [forgets, done = std::move(done)](Result<> result) {
      done(forgets ? Result<>(fail("storage.unavailable", "its outcome is unknown")) : std::move(result));
    });
  }
  void submit_read(sql::Unit unit, sql::Completion done) override { inner_->submit_read(std::move(unit), std::move(done)); }
  bool is_postgres() const override { return inner_->is_postgres(); }
  bool available() const override { return inner_->available(); }
  void stop() override { inner_->stop(); }

 private:
  std::unique_ptr<sql::Database> inner_;
};

class WorkLoopTest : public schakel::testing::DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(sql::migrate(*database, exchange::migrations()));
    auto forgetful = std::make_unique<Forgetful>(std::move(database));
    forgetful_ = forgetful.get();
    waking_ = std::make_unique<WakingDatabase>(std::move(forgetful));
    ASSERT_TRUE(commit([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(claimer_, exchange::take_node_lease(tx, "a", clock_.now()));
      return {};
    }));
    io_ = std::make_unique<http::IoThreads>(2U);
    WorkLoop::Options options;
    options.poll = 2s;
    options.retry_delay = 50ms;
    options.retry_delay_max = 100ms;
    loop_ = std::make_unique<WorkLoop>(
        io_->executor(), waking_->quiet(),
        [this]() -> std::optional<exchange::Claimer> { return leased_ ? std::optional(claimer_) : std::nullopt; }, clock_, silent_log(),
        metrics, options);
    waking_->on_commit([this] { loop_->wake(); });
  }
  void TearDown() override {
    if (loop_) loop_->stop();
    if (io_) io_->stop();
    if (waking_) waking_->stop();
    loop_.reset();
    io_.reset();
    waking_.reset();
    DatabaseTest::TearDown();
  }

  Result<> commit(const sql::Unit& unit) { return waking_->commit(unit); }

  void add(std::string kind, std::string subject, std::string destination = "", Duration in = Duration{0}) {
    const exchange::Work work{.id = uuid_v7(random_, clock_.now()),
                              .tenant = "stad",
                              .kind = std::move(kind),
                              .subject = std::move(subject),
                              .destination = std::move(destination),
                              .due = clock_.now() + in,
                              .parameters = {}};
    ASSERT_TRUE(commit([&](sql::Transaction& tx) { return exchange::add_work(tx, work); }));
  }

  // A handler that writes the subject down and ends the row.
  WorkLoop::Handler finishing() {
    return [this](exchange::Claimer claimer, exchange::Work work) -> http::Awaitable<Result<>> {
      diary_.write(work.subject);
      co_return co_await exchange::commit(*waking_, [&](sql::Transaction& tx) { return exchange::finish_work(tx, claimer, work.id); });
    };
  }

  // Writes down what the table says about the row, and ends it.
  http::Awaitable<Result<>> ended(exchange::Claimer claimer, Work work) {
    co_return co_await exchange::commit(*waking_, [&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(const auto found, tx.query("SELECT parameters FROM work WHERE id = $1", {work.id}));
      diary_.write(work.subject + " " + (found.empty() ? "gone" : found[0].text(0)));
      return exchange::finish_work(tx, claimer, work.id);
    });
  }

  std::int64_t rows() {
    std::int64_t count = -1;
    EXPECT_TRUE(waking_->read([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(const auto counted, tx.query("SELECT count(*) FROM work"));
      count = counted[0].integer(0);
      return {};
    }));
    return count;
  }

  bool becomes(const std::function<bool()>& condition, std::chrono::milliseconds at_most = 10s) {
    const auto until = Steady::now() + at_most;
    while (!condition()) {
      if (Steady::now() > until) return false;
      std::this_thread::sleep_for(5ms);
    }
    return true;
  }

  SystemClock clock_;
  SystemRandom random_;
  Diary diary_;
  std::atomic<bool> leased_{true};
  exchange::Claimer claimer_;
  Forgetful* forgetful_ = nullptr;
  std::unique_ptr<WakingDatabase> waking_;
  std::unique_ptr<http::IoThreads> io_;
  std::unique_ptr<WorkLoop> loop_;
};

// ADP-006, EB-221: a claim that was kept although its commit seemed to fail is not lost until the node restarts.
TEST_P(WorkLoopTest, RunsTheRowsOfAClaimWhoseAnswerGotLost) {
  loop_->on("ebms.send", finishing());
  add("ebms.send", "m-1");
  forgetful_->forgets_next = true;
  loop_->start();
  EXPECT_TRUE(diary_.wait_for(1));
  EXPECT_THAT(diary_.entries(), ElementsAre("m-1"));
}

// The opening is part of the claiming unit; the rest runs when that is durable.
TEST_P(WorkLoopTest, OpensARowInTheUnitThatClaimsIt) {
  loop_->on_claim("test.run", [this](sql::Transaction& tx, const exchange::Claimer& claimer, const Work& work) -> Result<WorkLoop::Rest> {
    SCHAKEL_CHECK(tx.execute("UPDATE work SET parameters = 'opened' WHERE id = $1", {work.id}));
    return WorkLoop::Rest([this, claimer, work]() -> http::Awaitable<Result<>> { return ended(claimer, work); });
  });
  add("test.run", "one");
  add("test.run", "two");
  loop_->start();
  ASSERT_TRUE(diary_.wait_for(2));
  EXPECT_THAT(diary_.entries(), UnorderedElementsAre("one opened", "two opened"));
  EXPECT_TRUE(becomes([&] { return rows() == 0; }));
}

TEST_P(WorkLoopTest, AnOpeningThatEndsItsRowLeavesNothingToRun) {
  loop_->on_claim("test.run", [this](sql::Transaction& tx, const exchange::Claimer& claimer, const Work& work) -> Result<WorkLoop::Rest> {
    SCHAKEL_CHECK(exchange::finish_work(tx, claimer, work.id));
    return WorkLoop::Rest();
  });
  loop_->start();
  add("test.run", "one");
  EXPECT_TRUE(becomes([&] { return rows() == 0; }));
  loop_->stop();
  EXPECT_TRUE(becomes([&] { return loop_->idle(); }));
}

// ADP-210: what one row meets is its own.
TEST_P(WorkLoopTest, ARowThatCannotBeOpenedHoldsUpNobody) {
  std::atomic<bool> repaired{false};
  loop_->on_claim("test.run", [&](sql::Transaction& tx, const exchange::Claimer& claimer, const Work& work) -> Result<WorkLoop::Rest> {
    if (work.subject == "broken" && !repaired) return fail("payload.purged", "not there");
    SCHAKEL_CHECK(tx.execute("UPDATE work SET parameters = 'opened' WHERE id = $1", {work.id}));
    return WorkLoop::Rest([this, claimer, work]() -> http::Awaitable<Result<>> { return ended(claimer, work); });
  });
  add("test.run", "broken");
  add("test.run", "one");
  add("test.run", "two");
  loop_->start();
  ASSERT_TRUE(diary_.wait_for(2));
  EXPECT_THAT(diary_.entries(), UnorderedElementsAre("one opened", "two opened"));
  repaired = true;
  ASSERT_TRUE(diary_.wait_for(3));
  EXPECT_EQ(diary_.entries().back(), "broken opened");
  EXPECT_TRUE(becomes([&] { return rows() == 0; }));
}

TEST_P(WorkLoopTest, RunsWhatACommitMadeDueWithoutWaitingForThePoll) {
  loop_->on("test.run", finishing());
  loop_->start();
  std::this_thread::sleep_for(50ms);  // the loop waits now
  const auto began = Steady::now();
  add("test.run", "one");
  ASSERT_TRUE(diary_.wait_for(1));
  EXPECT_LT(Steady::now() - began, 1500ms) << "the poll is 2 s";
  EXPECT_TRUE(becomes([&] { return rows() == 0; }));
}

TEST_P(WorkLoopTest, RunsWorkWhenItIsDueAndNotBefore) {
  loop_->on("test.run", finishing());
  loop_->start();
  const auto began = Steady::now();
  add("test.run", "later", "", 300ms);
  add("test.run", "now");
  ASSERT_TRUE(diary_.wait_for(2));
  EXPECT_THAT(diary_.entries(), ElementsAre("now", "later"));
  EXPECT_THAT(Steady::now() - began, Ge(290ms));
}

TEST_P(WorkLoopTest, PutsBackARowWhoseHandlerFailed) {
  std::atomic<int> attempts{0};
  loop_->on("test.run", [&](exchange::Claimer claimer, exchange::Work work) -> http::Awaitable<Result<>> {
    if (++attempts < 3) co_return fail("storage.unavailable", "not now");
    co_return co_await finishing()(claimer, work);
  });
  loop_->start();
  add("test.run", "stubborn");
  ASSERT_TRUE(diary_.wait_for(1));
  EXPECT_EQ(attempts, 3);
  EXPECT_TRUE(becomes([&] { return rows() == 0; }));
}

TEST_P(WorkLoopTest, AHandlerThatThrowsHoldsUpNobody) {
  loop_->on("test.break", [](exchange::Claimer, exchange::Work) -> http::Awaitable<Result<>> {
    throw std::logic_error("broken");
    co_return Result<>();
  });
  loop_->on("test.run", finishing());
  loop_->start();
  add("test.break", "broken");
  add("test.run", "fine");
  ASSERT_TRUE(diary_.wait_for(1));
  EXPECT_TRUE(becomes([&] { return rows() == 1; })) << "the broken row waits";
}

TEST_P(WorkLoopTest, ARowOfAnUnknownKindIsKeptForANodeThatKnowsIt) {
  loop_->on("test.run", finishing());
  loop_->start();
  add("later.release", "x");
  add("test.run", "fine");
  ASSERT_TRUE(diary_.wait_for(1));
  EXPECT_TRUE(becomes([&] {
    std::optional<Instant> due;
    EXPECT_TRUE(waking_->read([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(due, exchange::next_due(tx));
      return {};
    }));
    return due && *due > clock_.now() + 30s;
  })) << "put back, a minute later";
}

// ADP-901, adapter.md 3.11.2
TEST_P(WorkLoopTest, ClaimsNothingWithoutTheNodeLease) {
  leased_ = false;
  loop_->on("test.run", finishing());
  loop_->start();
  add("test.run", "waits");
  std::this_thread::sleep_for(300ms);
  EXPECT_THAT(diary_.entries(), IsEmpty());
  leased_ = true;
  EXPECT_TRUE(diary_.wait_for(1)) << "the poll finds it";
}

TEST_P(WorkLoopTest, DropsARowThatAnotherNodeHas) {
  loop_->on("test.run", [&](exchange::Claimer claimer, exchange::Work work) -> http::Awaitable<Result<>> {
    --claimer.epoch;  // an earlier life of this node
    auto result = co_await exchange::commit(*waking_, [&](sql::Transaction& tx) { return exchange::finish_work(tx, claimer, work.id); });
    diary_.write(result ? "finished" : result.error().code);
    co_return result;
  });
  loop_->start();
  add("test.run", "x");
  ASSERT_TRUE(diary_.wait_for(1));
  EXPECT_TRUE(becomes([&] {
    loop_->stop();
    return loop_->idle();
  }));
  EXPECT_THAT(diary_.entries(), ElementsAre("work.lost"));
  EXPECT_EQ(rows(), 1) << "the row is the other node's";
}

TEST_P(WorkLoopTest, ASlowDestinationHasABoundAndSlowsNobody) {
  std::atomic<int> slow_now{0}, slow_most{0};
  std::atomic<bool> open{false};
  loop_->on("test.run", [&](exchange::Claimer claimer, exchange::Work work) -> http::Awaitable<Result<>> {
    if (work.destination == "slow") {
      slow_most = std::max(slow_most.load(), ++slow_now);
      while (!open) co_await http::sleep(5ms);
      --slow_now;
    }
    co_return co_await finishing()(claimer, work);
  });
  loop_->start();
  for (int i = 0; i < 20; ++i) add("test.run", "slow", "slow");
  for (int i = 0; i < 20; ++i) add("test.run", "fast", "fast");
  ASSERT_TRUE(diary_.wait_for(20));
  EXPECT_THAT(diary_.entries(), ::testing::Each("fast"));
  open = true;
  ASSERT_TRUE(diary_.wait_for(40));
  EXPECT_THAT(slow_most.load(), Le(static_cast<int>(limits::work_in_flight_per_destination_max)));
  EXPECT_TRUE(becomes([&] { return rows() == 0; }));
}

TEST_P(WorkLoopTest, StopsAfterWhatRuns) {
  std::atomic<bool> started{false}, open{false};
  loop_->on("test.run", [&](exchange::Claimer claimer, exchange::Work work) -> http::Awaitable<Result<>> {
    started = true;
    while (!open) co_await http::sleep(5ms);
    co_return co_await finishing()(claimer, work);
  });
  loop_->start();
  add("test.run", "runs");
  ASSERT_TRUE(becomes([&] { return started.load(); }));
  loop_->stop();
  add("test.run", "left");
  EXPECT_FALSE(loop_->idle());
  open = true;
  EXPECT_TRUE(becomes([&] { return loop_->idle(); }));
  EXPECT_THAT(diary_.entries(), ElementsAre("runs"));
  EXPECT_EQ(rows(), 1);
}

SCHAKEL_ON_BOTH_DATABASES(WorkLoopTest);

}  // namespace
}  // namespace schakel::server
