// A group commit: units that run in one transaction, with one commit for all.
#pragma once

#include <span>
#include <vector>

#include "sql/connection.hpp"

namespace schakel::sql {

struct Job {
  Unit unit;
  Completion done;
  bool read_only = false;
};

enum class GroupEnd {
  settled,  // every job has its result: durable, or failed with nothing kept
  again,    // serialisation failure or deadlock: nothing was kept, run it again
  lost,     // the connection broke before the commit began: nothing was kept, reconnect and run it again
  guarded,  // a unit of an unguarded group failed: nothing was kept, run it again guarded
};

// With savepoints a unit that fails is undone alone, but every unit pays for it: SQLite copies each page that a unit touches first, and
// PostgreSQL starts a subtransaction. Units hardly ever fail, so a group runs without, and again with them when one did.
enum class Guard { none, savepoints };

// Called around the commit; for metrics and for tests of crashes. False: do not go on.
struct CommitSteps {
  virtual ~CommitSteps() = default;
  virtual Result<> commit(Connection& connection) { return connection.commit(); }
};

// Runs `jobs` (not empty) once. Under savepoints, units that fail, throw or post a statement that fails are rolled back alone. `results`
// gets one entry per job when the end is `settled`. One job needs no savepoint.
GroupEnd run_group(Connection&, std::span<Job> jobs, Guard, std::vector<Result<>>& results, CommitSteps&);

// Runs one job in a read-only snapshot.
GroupEnd run_read(Connection&, Job&, Result<>& result);

}  // namespace schakel::sql
