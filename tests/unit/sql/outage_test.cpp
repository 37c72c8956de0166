// What happens when the database goes away, fills up, or the process is killed (ADP-103, ADP-901, EB-222).
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <charconv>
#include <cstdio>
#include <future>
#include <latch>
#include <set>
#include <thread>

#include "sql/inline.hpp"
#include "support/database.hpp"

extern char** environ;

namespace schakel::sql {
namespace {

using namespace std::chrono_literals;

Result<> make_table(Database& database) {
  return database.commit([](Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(tx.execute("CREATE TABLE IF NOT EXISTS things (id BIGINT NOT NULL PRIMARY KEY, octets TEXT)"));
    return {};
  });
}

Unit insert(std::int64_t id, std::string text = "x") {
  return [id, text](Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(tx.execute("INSERT INTO things VALUES ($1, $2)", {id, text}));
    return {};
  };
}

std::set<std::int64_t> ids(Database& database) {
  std::set<std::int64_t> found;
  EXPECT_TRUE(database.read([&](Transaction& tx) -> Result<> {
    found.clear();
    SCHAKEL_TRY(const Rows rows, tx.query("SELECT id FROM things"));
    for (const Row& row : rows) found.insert(row.integer(0));
    return {};
  }));
  return found;
}

class Killed : public schakel::testing::DatabaseTest {};

constexpr const char* child_variable = "SCHAKEL_TEST_CRASH_CHILD";

// Not a test: what the killed child does. It writes one line for each unit that was reported durable.
TEST(CrashChild, WritesUntilItIsKilled) {
  const char* url = std::getenv(child_variable);
  if (!url) GTEST_SKIP() << "only as a child of Killed";
  Metrics metrics;
  auto database = open({url, 8}, silent_log(), metrics);
  ASSERT_TRUE(database);
  std::atomic<int> waiting{0};
  for (std::int64_t id = 0;; ++id) {
    while (waiting > 300) std::this_thread::yield();
    ++waiting;
    (*database)->submit(insert(id, std::string(1000, 'x')), [&waiting, id](Result<> result) {
      const std::string line = std::to_string(id) + "\n";
      if (result) static_cast<void>(::write(3, line.data(), line.size()) < 0);
      --waiting;
    });
  }
}

struct Child {
  pid_t process = -1;
  int reports = -1;
};

Child start_child(const std::string& url) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, 0), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  // Through a high number: the pipe's own may be 3 already, and dup2 onto itself would leave close-on-exec rules to chance.
  posix_spawn_file_actions_adddup2(&actions, ends[1], 200);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  posix_spawn_file_actions_adddup2(&actions, 200, 3);
  posix_spawn_file_actions_addclose(&actions, 200);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const std::string variable = std::string(child_variable) + "=" + url;
  std::vector<char*> environment;
  for (char** entry = environ; *entry; ++entry) environment.push_back(*entry);
  environment.push_back(const_cast<char*>(variable.c_str()));
  environment.push_back(nullptr);
  std::string program = "/proc/self/exe", filter = "--gtest_filter=CrashChild.*";
  char* arguments[] = {program.data(), filter.data(), nullptr};
  Child child{-1, ends[0]};
  EXPECT_EQ(::posix_spawn(&child.process, program.c_str(), &actions, nullptr, arguments, environment.data()), 0);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  return child;
}

std::string read_until_killed(const Child& child, std::size_t reports_wanted) {
  std::string text;
  char buffer[4096];
  bool killed = false;
  for (ssize_t got; (got = ::read(child.reports, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
    if (!killed && static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) >= reports_wanted) {
      ::kill(child.process, SIGKILL);
      killed = true;
    }
  }
  ::close(child.reports);
  ::waitpid(child.process, nullptr, 0);
  EXPECT_TRUE(killed) << "the child ended by itself";
  return text;
}

// ADP-103, EB-222: what was reported durable is there after kill -9; what was not is there whole or not at all.
TEST_P(Killed, NothingThatWasReportedIsLost) {
  ASSERT_TRUE(make_table(*database));
  for (const std::size_t reports : {50u, 500u, 3000u}) {
    ASSERT_TRUE(database->commit([](Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(tx.execute("DELETE FROM things"));
      return {};
    }));
    database->stop();
    const std::string text = read_until_killed(start_child(url()), reports);
    database = open();
    const auto stored = ids(*database);
    std::size_t reported = 0;
    for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1, ++reported)
      ASSERT_TRUE(stored.contains(std::stoll(text.substr(at, end - at)))) << "after " << reported << " reports";
    EXPECT_GE(reported, reports);
    EXPECT_TRUE(database->commit(insert(-1))) << "the database works on";
  }
}

SCHAKEL_ON_BOTH_DATABASES(Killed);

class LostPostgres : public schakel::testing::DatabaseTest {};

// ADP-901 and adapter.md 3.11: a connection that breaks before a commit costs nothing; it is made again by itself.
TEST_P(LostPostgres, RunsUnitsAgainWhenTheConnectionBreaksBeforeTheCommit) {
  ASSERT_TRUE(make_table(*database));
  std::atomic<int> runs{0};
  const auto done = database->commit([&](Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(tx.execute("INSERT INTO things VALUES (1, 'x')"));
    if (runs++ == 0) {
      EXPECT_TRUE((*schakel::testing::Postgres::shared())->end_connections());
    }
    SCHAKEL_CHECK(tx.execute("INSERT INTO things VALUES (2, 'x')"));
    return {};
  });
  EXPECT_TRUE(done) << done.error().detail;
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(ids(*database), (std::set<std::int64_t>{1, 2}));
  EXPECT_TRUE(database->available());
}

TEST_P(LostPostgres, ReadersReconnectToo) {
  ASSERT_TRUE(make_table(*database));
  EXPECT_TRUE(ids(*database).empty());
  ASSERT_TRUE((*schakel::testing::Postgres::shared())->end_connections());
  EXPECT_TRUE(ids(*database).empty());
}

// Two groups that need each other's locks: the database ends one, its units run again, both succeed.
TEST_P(LostPostgres, UnitsThatDeadlockRunAgain) {
  ASSERT_TRUE(make_table(*database));
  ASSERT_TRUE(database->commit(insert(1)));
  ASSERT_TRUE(database->commit(insert(2)));
  const auto other = open();
  std::atomic<int> arrived{0};
  const auto crosswise = [&arrived](int first, int second) {
    return [&arrived, first, second](Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(tx.execute("UPDATE things SET octets = octets || 'y' WHERE id = $1", {first}));
      ++arrived;
      for (int i = 0; i < 2000 && arrived < 2; ++i) std::this_thread::sleep_for(1ms);
      SCHAKEL_CHECK(tx.execute("UPDATE things SET octets = octets || 'y' WHERE id = $1", {second}));
      return {};
    };
  };
  std::thread node([&] { EXPECT_TRUE(other->commit(crosswise(1, 2))); });
  EXPECT_TRUE(database->commit(crosswise(2, 1)));
  node.join();
  EXPECT_EQ(arrived, 3) << "one of them ran twice";
  EXPECT_TRUE(database->read([](Transaction& tx) -> Result<> {
    SCHAKEL_TRY(const Rows rows, tx.query("SELECT count(*) FROM things WHERE octets = 'xyy'"));
    EXPECT_EQ(rows[0].integer(0), 2);
    return {};
  }));
}

INSTANTIATE_TEST_SUITE_P(Postgres, LostPostgres, ::testing::Values("postgres"));

class FullSqlite : public schakel::testing::DatabaseTest {};

// Disk full: the unit is told "storage.unavailable", nothing of it is kept, and the database recovers by itself.
TEST_P(FullSqlite, IsUnavailableUntilThereIsRoom) {
  ASSERT_TRUE(make_table(*database));
  const auto limit_pages = [&](const char* pragma) {
    return database->commit([pragma](Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(tx.query(pragma));
      return {};
    });
  };
  ASSERT_TRUE(limit_pages("PRAGMA max_page_count=4"));
  const auto full = database->commit(insert(1, std::string(100'000, 'x')));
  EXPECT_EQ(full.error().code, "storage.unavailable");
  EXPECT_FALSE(database->available());
  ASSERT_TRUE(limit_pages("PRAGMA max_page_count=100000"));
  EXPECT_TRUE(database->commit(insert(2, std::string(100'000, 'x'))));
  EXPECT_TRUE(database->available());
  EXPECT_EQ(ids(*database), (std::set<std::int64_t>{2}));
}

TEST_P(FullSqlite, KeepsItsFilesFromOtherUsers) {
  ASSERT_TRUE(make_table(*database));
  const std::filesystem::path file = url().substr(std::string("sqlite:").size());
  for (const auto* suffix : {"", "-wal", "-shm"}) {
    const auto mode = std::filesystem::status(file.string() + suffix).permissions();
    EXPECT_EQ(mode & (std::filesystem::perms::group_all | std::filesystem::perms::others_all), std::filesystem::perms::none) << suffix;
  }
}

INSTANTIATE_TEST_SUITE_P(Sqlite, FullSqlite, ::testing::Values("sqlite"));

TEST(SqliteInMemory, ReadsAndWritesShareOneConnection) {
  Metrics metrics;
  auto database = open({"sqlite::memory:", 4}, silent_log(), metrics).value();
  ASSERT_TRUE(make_table(*database));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(database->commit(insert(i)));
  EXPECT_EQ(ids(*database).size(), 10u);
}

TEST(InlineSqlite, RunsUnitsBeforeSubmitReturns) {
  auto database = open_inline(":memory:").value();
  ASSERT_TRUE(make_table(*database));
  std::vector<int> order;
  database->submit(
      [&](Transaction& tx) -> Result<> {
        order.push_back(1);
        // Submitted inside a unit: runs after that unit is completed.
        database->submit(insert(2), [&](Result<> result) { order.push_back(result ? 4 : -4); });
        return insert(1)(tx);
      },
      [&](Result<> result) {
        order.push_back(result ? 2 : -2);
        database->submit_read([](Transaction&) -> Result<> { return {}; }, [&](Result<>) { order.push_back(5); });
        order.push_back(3);
      });
  EXPECT_EQ(order.size(), 5u);
  EXPECT_EQ((std::vector<int>{order[0], order[1]}), (std::vector<int>{1, 2}));
  EXPECT_EQ(ids(*database), (std::set<std::int64_t>{1, 2}));
}

TEST(InlineSqlite, CanDieOnEitherSideOfACommit) {
  bool before = false, after = false;
  auto database = open_inline(":memory:", {[&] { return before; }, [&] { return after; }}).value();
  ASSERT_TRUE(make_table(*database));
  int completed = 0;
  const auto submit = [&](int id) { database->submit(insert(id), [&](Result<>) { ++completed; }); };
  before = true;
  submit(1);
  before = false;
  after = true;
  submit(2);
  after = false;
  EXPECT_EQ(completed, 0) << "a dead process hears nothing";
  EXPECT_EQ(ids(*database), (std::set<std::int64_t>{2}));
  submit(3);
  EXPECT_EQ(completed, 1);
  before = true;
  EXPECT_EQ(database->commit(insert(4)).error().code, "storage.unavailable") << "a blocking caller is not left waiting";
}

TEST(InlineSqlite, FailingUnitsLeaveNothing) {
  auto database = open_inline(":memory:").value();
  ASSERT_TRUE(make_table(*database));
  EXPECT_EQ(database
                ->commit([](Transaction& tx) -> Result<> {
                  SCHAKEL_CHECK(insert(1)(tx));
                  return fail("no", "not today");
                })
                .error()
                .code,
            "no");
  EXPECT_TRUE(ids(*database).empty());
  database->stop();
  EXPECT_EQ(database->commit(insert(2)).error().code, "storage.unavailable");
}

}  // namespace
}  // namespace schakel::sql
