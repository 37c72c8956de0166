// store.commit.4k: rows of 4 KiB made durable per second through sql::Database with many writers waiting, against raw SQLite in groups of
// the same size.
#include <sqlite3.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <stdexcept>

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "measure.hpp"
#include "sql/database.hpp"

namespace schakel::bench {
namespace {

constexpr int rows = 40'000;
const Bytes row(4096, 'x');

void expect(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(what);
}

double raw_rows_per_second(const std::string& path) {
  sqlite3* db = nullptr;
  expect(sqlite3_open(path.c_str(), &db) == SQLITE_OK, "raw SQLite does not open");
  const auto exec = [&](const char* sql) { expect(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK, sql); };
  exec("PRAGMA journal_mode=WAL");
  exec("PRAGMA synchronous=FULL");
  exec("CREATE TABLE bench (id INTEGER PRIMARY KEY, octets BLOB NOT NULL)");
  sqlite3_stmt* insert = nullptr;
  expect(sqlite3_prepare_v2(db, "INSERT INTO bench (octets) VALUES (?1)", -1, &insert, nullptr) == SQLITE_OK, "prepare");
  const Stopwatch watch;
  for (int done = 0; done < rows;) {
    exec("BEGIN IMMEDIATE");
    for (std::size_t i = 0; i < limits::commit_group_max && done < rows; ++i, ++done) {
      sqlite3_bind_blob(insert, 1, row.data(), static_cast<int>(row.size()), SQLITE_STATIC);
      expect(sqlite3_step(insert) == SQLITE_DONE, "insert");
      sqlite3_reset(insert);
    }
    exec("COMMIT");
  }
  const double rate = rows / watch.seconds();
  sqlite3_finalize(insert);
  sqlite3_close(db);
  return rate;
}

// As the node does it: every row is a unit of its own, and up to 512 requests wait at once.
double our_rows_per_second(const std::string& path) {
  Metrics metrics;
  auto database = sql::open({.url = "sqlite:" + path}, silent_log(), metrics).value();
  expect(database
             ->commit([](sql::Transaction& tx) -> Result<> {
               SCHAKEL_CHECK(tx.execute("CREATE TABLE bench (id INTEGER PRIMARY KEY, octets BLOB NOT NULL)"));
               return {};
             })
             .has_value(),
         "create");
  constexpr int waiting_max = 512;
  std::mutex mutex;
  std::condition_variable changed;
  int waiting = 0, failed = 0;
  const Stopwatch watch;
  for (int i = 0; i < rows; ++i) {
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return waiting < waiting_max; });
      ++waiting;
    }
    database->submit(
        [](sql::Transaction& tx) -> Result<> {
          SCHAKEL_CHECK(tx.execute("INSERT INTO bench (octets) VALUES ($1)", {sql::Blob{row}}));
          return {};
        },
        [&](Result<> outcome) {
          const std::lock_guard lock(mutex);
          failed += outcome ? 0 : 1;
          --waiting;
          changed.notify_one();
        });
  }
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting == 0; });
  }
  const double rate = rows / watch.seconds();
  database->stop();
  expect(failed == 0, "a unit failed");
  return rate;
}

}  // namespace

std::vector<Figure> store_figures(const std::string& folder) {
  // Alternating rounds, the best of each: the disk's mood falls on both.
  double raw = 0, ours = 0;
  for (int round = 0; round < 3; ++round) {
    const auto path = folder + "/round" + std::to_string(round);
    raw = std::max(raw, raw_rows_per_second(path + "-raw.db"));
    ours = std::max(ours, our_rows_per_second(path + "-ours.db"));
  }
  return {{"store.commit.4k", ours, "rows/s", raw}};
}

}  // namespace schakel::bench
