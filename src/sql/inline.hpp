// SQLite without threads, for the simulator: submit() runs the unit, commits and completes before it returns, so a run is the same every
// time.
//
// A unit or completion may submit again: what is submitted inside a unit runs after that unit has been completed. Used from one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "sql/database.hpp"

namespace schakel::sql {

// Where a process can die around a commit. An empty function: never. A unit whose process "died" is never completed; its completion is
// destroyed.
struct CommitFaults {
  std::function<bool()> dies_before_commit;  // true: the transaction is rolled back, as if it never was
  std::function<bool()> dies_after_commit;   // true: the transaction is durable, but nobody hears of it
};

// `path` of a file, or ":memory:", which lives as long as the Database. Errors as `open`.
Result<std::unique_ptr<Database>> open_inline(const std::string& path, CommitFaults faults = {});

}  // namespace schakel::sql
