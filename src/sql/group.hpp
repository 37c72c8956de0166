// A group commit: units that run in one transaction, each under a savepoint, with one commit for all.
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
};

// Called around the commit; for metrics and for tests of crashes. False: do not go on.
struct CommitSteps {
  virtual ~CommitSteps() = default;
  virtual Result<> commit(Connection& connection) { return connection.commit(); }
};

// Runs `jobs` (not empty) once. Units that fail, throw or post a statement that fails are rolled back alone. `results` gets one entry per
// job when the end is `settled`.
GroupEnd run_group(Connection&, std::span<Job> jobs, std::vector<Result<>>& results, CommitSteps&);

// Runs one job in a read-only snapshot.
GroupEnd run_read(Connection&, Job&, Result<>& result);

}  // namespace schakel::sql
