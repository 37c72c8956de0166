// What every unit may rely on, on both databases alike (EB-222).
#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <latch>
#include <thread>

#include "base/limits.hpp"
#include "support/database.hpp"

namespace schakel::sql {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

double metric(const Metrics& metrics, const std::string& name) {
  const std::string text = "\n" + metrics.text();
  const auto at = text.find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
}

class DatabaseUnits : public schakel::testing::DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    run([](Transaction& tx) { return ok(tx.execute("CREATE TABLE things (id BIGINT NOT NULL PRIMARY KEY, name TEXT)")); });
  }

  template <class T>
  static Result<> ok(const Result<T>& result) {
    if (!result) return result.error();
    return {};
  }

  void run(Unit unit) {
    const auto done = database->commit(std::move(unit));
    ASSERT_TRUE(done) << done.error().code << ": " << done.error().detail;
  }

  static Unit insert(std::int64_t id) {
    return [id](Transaction& tx) { return ok(tx.execute("INSERT INTO things (id, name) VALUES ($1, $2)", {id, "x"})); };
  }

  std::int64_t count(Database& in) {
    std::int64_t found = -1;
    EXPECT_TRUE(in.read([&](Transaction& tx) -> Result<> {
      SCHAKEL_TRY(const Rows rows, tx.query("SELECT count(*) FROM things"));
      found = rows[0].integer(0);
      return {};
    }));
    return found;
  }
  std::int64_t count() { return count(*database); }

  // Holds every writer thread inside a unit until `let_go`.
  struct Gate {
    std::promise<void> opened;
    std::shared_future<void> open = opened.get_future().share();
    std::atomic<int> inside{0};
    void let_go() { opened.set_value(); }
  };
  // The units that follow wait together.
  void hold_writers(const std::shared_ptr<Gate>& gate, int writers) {
    for (int i = 0; i < writers; ++i) {
      database->submit(
          [gate](Transaction&) -> Result<> {
            ++gate->inside;
            gate->open.wait();
            return {};
          },
          {});
      while (gate->inside <= i) std::this_thread::yield();
    }
  }
  int writers() const { return is_postgres() ? 2 : 1; }
};

TEST_P(DatabaseUnits, KeepsEveryKindOfValue) {
  const Bytes octets("\0\x01\xff'\\", 5);
  run([&](Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(tx.execute(is_postgres() ? "CREATE TABLE kinds (n BIGINT, t TEXT, b BYTEA, absent TEXT)"
                                           : "CREATE TABLE kinds (n BIGINT, t TEXT, b BLOB, absent TEXT)"));
    return ok(tx.execute("INSERT INTO kinds VALUES ($1, $2, $3, $4)",
                         {std::numeric_limits<std::int64_t>::min(), "één ' \" \\ $1", Blob{octets}, nullptr}));
  });
  run([&](Transaction& tx) -> Result<> {
    SCHAKEL_TRY(Rows rows, tx.query("SELECT n, t, b, absent, t = $2, $1 + 0 FROM kinds",
                                    {std::numeric_limits<std::int64_t>::max(), "één ' \" \\ $1"}));
    EXPECT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].integer(0), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(rows[0].text(1), "één ' \" \\ $1");
    EXPECT_EQ(rows[0].text(2), octets);
    EXPECT_TRUE(rows[0].is_null(3));
    EXPECT_EQ(rows[0].optional_text(3), std::nullopt);
    EXPECT_EQ(rows[0].text(3), "");
    EXPECT_EQ(rows[0].integer(3), 0);
    EXPECT_TRUE(rows[0].boolean(4));
    EXPECT_EQ(rows[0].integer(5), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(rows[0].take(2), octets);
    return {};
  });
}

TEST_P(DatabaseUnits, TakesParametersInAnyOrderAndMoreThanOnce) {
  run([](Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(tx.execute("INSERT INTO things (name, id) VALUES ($2, $1)", {7, "seven"}));
    SCHAKEL_TRY(const Rows rows, tx.query("SELECT id FROM things WHERE name = $2 AND id = $1 AND id = $1", {7, "seven"}));
    EXPECT_EQ(rows.size(), 1u);
    return {};
  });
}

TEST_P(DatabaseUnits, EmptyTextAndEmptyOctetsAreNotNull) {
  run([](Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(tx.execute("INSERT INTO things (id, name) VALUES ($1, $2)", {1, std::string_view()}));
    SCHAKEL_TRY(const Rows rows, tx.query("SELECT name FROM things"));
    EXPECT_FALSE(rows[0].is_null(0));
    return {};
  });
}

TEST_P(DatabaseUnits, TellsConflictsFromFaults) {
  run(insert(1));
  EXPECT_EQ(database->commit(insert(1)).error().code, "storage.conflict");
  const auto code = [&](std::string_view sql, std::vector<Param> params) {
    const auto done = database->commit([&](Transaction& tx) { return ok(tx.execute(sql, params)); });
    return done ? std::string("done") : done.error().code;
  };
  EXPECT_EQ(code("INSERT INTO things (id) VALUES (NULL)", {}), "storage.failed");
  EXPECT_EQ(code("INSERT INTO nowhere (id) VALUES (1)", {}), "storage.failed");
  EXPECT_EQ(code("INSERT INTO things (id) VALUES ($1)", {}), "storage.failed");
  EXPECT_EQ(code("INSERT INTO things (id) VALUES ($1)", {2, 3}), "storage.failed");
  EXPECT_EQ(code("INSERT INTO things (id, name) VALUES ($1, $2)", {2, std::string_view("a\0b", 3)}), "storage.failed");
  EXPECT_EQ(code("INSERT INTO things (id, name) VALUES ($1, $2)", {2, "a"}), "done");
}

TEST_P(DatabaseUnits, ErrorsNameNoValues) {
  run([](Transaction& tx) -> Result<> { return ok(tx.execute("CREATE UNIQUE INDEX names ON things (name)")); });
  const auto put = [](int id) {
    return [id](Transaction& tx) -> Result<> { return ok(tx.execute("INSERT INTO things VALUES ($1, $2)", {id, "geheim"})); };
  };
  run(put(1));
  const auto refused = database->commit(put(2));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, ::testing::Not(HasSubstr("geheim")));
}

// ADP-103: a commit is on disk when it returns; not a default that a file or a server could have changed.
TEST_P(DatabaseUnits, CommitsAreDurableBySetting) {
  run([&](Transaction& tx) -> Result<> {
    if (is_postgres()) {
      SCHAKEL_TRY(const Rows commit, tx.query("SELECT current_setting('synchronous_commit'), current_setting('fsync')"));
      EXPECT_EQ(commit[0].text(0), "on");
      EXPECT_EQ(commit[0].text(1), "on");
    } else {
      SCHAKEL_TRY(const Rows synchronous, tx.query("PRAGMA synchronous"));
      SCHAKEL_TRY(const Rows journal, tx.query("PRAGMA journal_mode"));
      EXPECT_EQ(synchronous[0].integer(0), 2) << "FULL";
      EXPECT_EQ(journal[0].text(0), "wal");
    }
    return {};
  });
}

// ADP-103: a server whose default gives commits up early is overruled for our sessions.
TEST_P(DatabaseUnits, AServerWithWeakerCommitsIsOverruled) {
  if (!is_postgres()) GTEST_SKIP() << "a setting of PostgreSQL";
  run([](Transaction& tx) -> Result<> {
    SCHAKEL_TRY(const Rows name, tx.query("SELECT current_database()"));
    const std::string sql = "ALTER DATABASE " + name[0].text(0) + " SET synchronous_commit = off";
    return ok(tx.execute(sql));
  });
  const auto later = open();
  EXPECT_TRUE(later->commit([](Transaction& tx) -> Result<> {
    SCHAKEL_TRY(const Rows rows, tx.query("SELECT current_setting('synchronous_commit')"));
    EXPECT_EQ(rows[0].text(0), "on");
    return {};
  }));
}

// EB-222: units that wait together become durable by one commit.
TEST_P(DatabaseUnits, CommitsWaitingUnitsTogether) {
  auto gate = std::make_shared<Gate>();
  hold_writers(gate, writers());
  const double before = metric(metrics, "schakel_db_commits_total");
  std::latch done(40);
  for (int i = 0; i < 40; ++i)
    database->submit(insert(i), [&](Result<> result) {
      EXPECT_TRUE(result);
      done.count_down();
    });
  gate->let_go();
  done.wait();
  EXPECT_EQ(count(), 40);
  // The gate's own units are at most one commit for each writer.
  EXPECT_LE(metric(metrics, "schakel_db_commits_total") - before, 2.0 * writers());
  EXPECT_THAT(metrics.text(), HasSubstr("schakel_db_commit_seconds_bucket"));
}

TEST_P(DatabaseUnits, AFailingUnitIsRolledBackAlone) {
  auto gate = std::make_shared<Gate>();
  hold_writers(gate, writers());
  std::vector<Result<>> results(9);
  std::latch done(9);
  for (int i = 0; i < 9; ++i) {
    const auto unit = [i](Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(tx.post("INSERT INTO things (id, name) VALUES ($1, 'half')", {100 + i}));
      if (i == 3) return fail("message.refused", "by its own judgement");
      if (i == 5) throw std::runtime_error("a fault in a unit");
      if (i == 7) SCHAKEL_CHECK(tx.post("INSERT INTO things (id, name) VALUES ($1, 'again')", {100 + i}));
      return {};
    };
    database->submit(unit, [&, i](Result<> result) {
      results[static_cast<std::size_t>(i)] = std::move(result);
      done.count_down();
    });
  }
  gate->let_go();
  done.wait();
  for (int i = 0; i < 9; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)].has_value(), i != 3 && i != 5 && i != 7) << i;
  EXPECT_EQ(results[3].error().code, "message.refused");
  EXPECT_EQ(results[5].error().code, "storage.failed");
  EXPECT_EQ(results[7].error().code, "storage.conflict");
  EXPECT_EQ(count(), 6);
}

TEST_P(DatabaseUnits, AFailedStatementFailsItsUnitEvenWhenIgnored) {
  run(insert(1));
  const auto done = database->commit([](Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(tx.execute("INSERT INTO things (id) VALUES (2)"));
    EXPECT_FALSE(tx.execute("INSERT INTO things (id) VALUES (1)"));
    EXPECT_EQ(tx.query("SELECT 1").error().code, "storage.conflict");
    return {};
  });
  EXPECT_EQ(done.error().code, "storage.conflict");
  EXPECT_EQ(count(), 1);
  run(insert(3));
}

TEST_P(DatabaseUnits, APostedStatementThatFailsFailsTheUnitAtItsEnd) {
  run(insert(1));
  EXPECT_EQ(database->commit([](Transaction& tx) { return tx.post("INSERT INTO things (id) VALUES (1)"); }).error().code,
            "storage.conflict");
  run([](Transaction& tx) -> Result<> {
    for (int i = 10; i < 300; ++i) SCHAKEL_CHECK(tx.post("INSERT INTO things (id) VALUES ($1)", {i}));
    return {};
  });
  EXPECT_EQ(count(), 291);
}

TEST_P(DatabaseUnits, ReadersSeeOneSnapshotAndCannotWrite) {
  run(insert(1));
  const auto read = database->read([&](Transaction& tx) -> Result<> {
    EXPECT_TRUE(tx.is_read_only());
    EXPECT_FALSE(tx.for_update());
    SCHAKEL_TRY(const Rows before, tx.query("SELECT count(*) FROM things"));
    // Another writer commits in between; the reader neither waits for it nor sees it.
    std::promise<void> committed;
    database->submit(insert(2), [&](Result<> result) {
      EXPECT_TRUE(result);
      committed.set_value();
    });
    committed.get_future().wait();
    SCHAKEL_TRY(const Rows after, tx.query("SELECT count(*) FROM things"));
    EXPECT_EQ(before[0].integer(0), after[0].integer(0));
    return {};
  });
  EXPECT_TRUE(read) << read.error().detail;
  EXPECT_FALSE(database->read([](Transaction& tx) { return ok(tx.execute("INSERT INTO things (id) VALUES (9)")); }));
  EXPECT_EQ(count(), 2);
}

TEST_P(DatabaseUnits, RefusesUnitsBeyondTheQueueAtOnce) {
  auto gate = std::make_shared<Gate>();
  hold_writers(gate, writers());
  std::atomic<int> refused{0}, done{0};
  for (std::size_t i = 0; i < limits::commit_queue_max + 10; ++i)
    database->submit([](Transaction&) -> Result<> { return {}; },
                     [&](Result<> result) {
                       if (!result && result.error().code == "storage.unavailable") ++refused;
                       ++done;
                     });
  EXPECT_EQ(refused, 10);
  gate->let_go();
  database->stop();
  EXPECT_EQ(done, static_cast<int>(limits::commit_queue_max) + 10);
  EXPECT_EQ(refused, 10);
}

TEST_P(DatabaseUnits, StopEndsWhatWasSubmittedAndRefusesTheRest) {
  std::atomic<int> done{0};
  for (int i = 0; i < 200; ++i) database->submit(insert(i), [&](Result<> result) { done += result.has_value(); });
  database->stop();
  EXPECT_EQ(done, 200);
  EXPECT_EQ(database->commit(insert(1000)).error().code, "storage.unavailable");
  EXPECT_EQ(database->read([](Transaction&) -> Result<> { return {}; }).error().code, "storage.unavailable");
  EXPECT_EQ(count(*open()), 200);
}

// EB-221: of two nodes that take the same key at once, one wins and the other finds the winner's row.
TEST_P(DatabaseUnits, AUniqueKeyHasOneWinnerAmongWritersOfTwoNodes) {
  const auto other = open();
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> winners{0}, losers{0};
    std::latch done(8);
    for (int i = 0; i < 8; ++i) {
      Database& node = i % 2 ? *other : *database;
      auto inserted = std::make_shared<std::int64_t>(0);
      node.submit(
          [round, i, inserted](Transaction& tx) -> Result<> {
            SCHAKEL_TRY(*inserted, tx.execute("INSERT INTO things (id, name) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
                                              {round, std::to_string(i)}));
            SCHAKEL_TRY(const Rows rows, tx.query("SELECT name FROM things WHERE id = $1", {round}));
            return rows.size() == 1 ? Result<>() : Result<>(fail("test", "the winner's row is not there"));
          },
          [&, inserted](Result<> result) {
            EXPECT_TRUE(result) << result.error().detail;
            (*inserted == 1 ? winners : losers)++;
            done.count_down();
          });
    }
    done.wait();
    ASSERT_EQ(winners, 1);
    ASSERT_EQ(losers, 7);
  }
}

TEST_P(DatabaseUnits, ManyThreadsWriteAndReadAtOnce) {
  constexpr int threads = 8, each = 50;
  std::vector<std::thread> callers;
  for (int t = 0; t < threads; ++t)
    callers.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        EXPECT_TRUE(database->commit(insert(t * each + i)));
        EXPECT_TRUE(database->read([](Transaction& tx) { return ok(tx.query("SELECT max(id) FROM things")); }));
      }
    });
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(count(), threads * each);
}

TEST_P(DatabaseUnits, ForgetsStatementsWhenTextsAreTooMany) {
  run([](Transaction& tx) -> Result<> {
    for (int i = 0; i < 1200; ++i) {
      const std::string sql = "SELECT " + std::to_string(i) + " + $1";
      SCHAKEL_TRY(const Rows rows, tx.query(sql, {1}));
      EXPECT_EQ(rows[0].integer(0), i + 1);
    }
    return {};
  });
  run(insert(1));
}

SCHAKEL_ON_BOTH_DATABASES(DatabaseUnits);

constexpr std::array<Migration, 2> first_two = {
    {{1, "one", "CREATE TABLE a (id BIGINT, t TEXT DEFAULT ';'); INSERT INTO a (id) VALUES (1);"},
     {2, "two", "CREATE TABLE b (octets BLOB)"}}};

class Migrations : public schakel::testing::DatabaseTest {};

TEST_P(Migrations, RunOnceEachInOrder) {
  EXPECT_EQ(schema_state(*database, first_two)->current, 0);
  ASSERT_TRUE(migrate(*database, std::span(first_two).first(1)));
  EXPECT_EQ(schema_state(*database, first_two)->current, 1);
  EXPECT_EQ(schema_state(*database, first_two)->newest, 2);
  EXPECT_EQ(migrate(*database, first_two)->current, 2);
  EXPECT_EQ(migrate(*database, first_two)->current, 2);
  EXPECT_TRUE(database->read([](Transaction& tx) -> Result<> {
    SCHAKEL_TRY(const Rows rows, tx.query("SELECT t FROM a"));
    EXPECT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].text(0), ";");
    return {};
  }));
}

// ADP-902: a node leaves a schema that is newer than it knows alone.
TEST_P(Migrations, LeaveANewerSchemaAlone) {
  ASSERT_TRUE(migrate(*database, first_two));
  const auto state = migrate(*database, std::span(first_two).first(1));
  ASSERT_TRUE(state);
  EXPECT_EQ(state->current, 2);
  EXPECT_EQ(state->newest, 1);
}

TEST_P(Migrations, AFailingOneLeavesNothing) {
  constexpr std::array<Migration, 2> broken = {
      {{1, "one", "CREATE TABLE a (id BIGINT)"}, {2, "two", "CREATE TABLE b (id BIGINT); CREATE TABLE a (id BIGINT)"}}};
  const auto failed = migrate(*database, broken);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().detail, HasSubstr("migration 2 (two)"));
  EXPECT_EQ(schema_state(*database, broken)->current, 1);
  EXPECT_FALSE(database->read([](Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(tx.query("SELECT 1 FROM b"));
    return {};
  }));
}

TEST_P(Migrations, TwoNodesAtOnceRunThemOnce) {
  const auto other = open();
  std::thread node([&] { EXPECT_EQ(migrate(*other, first_two)->current, 2); });
  EXPECT_EQ(migrate(*database, first_two)->current, 2);
  node.join();
}

SCHAKEL_ON_BOTH_DATABASES(Migrations);

TEST(OpenDatabase, RefusesUrlsThatItCannotRead) {
  Metrics metrics;
  for (const auto* url : {"", "mysql://x", "sqlite:", "postgresql://[::1"}) {
    const auto opened = open({url, 4}, silent_log(), metrics);
    ASSERT_FALSE(opened) << url;
    EXPECT_EQ(opened.error().code, "config.invalid") << url;
  }
  EXPECT_EQ(open({"postgresql://localhost/x", 1}, silent_log(), metrics).error().code, "config.invalid");
  EXPECT_EQ(open({"sqlite:/nowhere/at/all.db", 4}, silent_log(), metrics).error().code, "storage.unavailable");
  const auto unreachable = open({"postgresql://user:secret@127.0.0.1:1/x", 4}, silent_log(), metrics);
  EXPECT_EQ(unreachable.error().code, "storage.unavailable");
  EXPECT_THAT(unreachable.error().detail, ::testing::Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace schakel::sql
