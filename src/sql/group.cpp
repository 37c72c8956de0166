#include "sql/group.hpp"

#include <exception>

namespace schakel::sql {
namespace {

// A unit must not throw; if one does, only that unit fails.
Result<> call(const Unit& unit, Transaction& transaction) {
  try {
    return unit(transaction);
  } catch (const std::exception& exception) {
    return fail("storage.failed", std::string("a unit threw: ") + exception.what());
  } catch (...) {
    return fail("storage.failed", "a unit threw");
  }
}

std::optional<GroupEnd> end_without_result(const Connection& connection) {
  if (connection.fault() == Fault::again) return GroupEnd::again;
  if (connection.fault() == Fault::lost) return GroupEnd::lost;
  return std::nullopt;
}

void settle_all(std::span<Job> jobs, std::vector<Result<>>& results, const Error& error) {
  results.assign(jobs.size(), error);
}

// One unit. An error whose fault is `statement` or `none` concerns this unit only.
Result<> run_unit(Connection& connection, const Job& job, bool guarded) {
  if (guarded) SCHAKEL_CHECK(connection.savepoint());
  Result<> result = call(job.unit, connection);
  if (result && connection.fault() != Fault::none) result = connection.fault_error();
  if (result && guarded) result = connection.release();
  return result;
}

}  // namespace

GroupEnd run_group(Connection& connection, std::span<Job> jobs, Guard guard, std::vector<Result<>>& results, CommitSteps& steps) {
  const bool alone = jobs.size() == 1;
  const bool guarded = !alone && guard == Guard::savepoints;
  results.assign(jobs.size(), {});
  const auto stop = [&](const Error& error) {
    const auto end = end_without_result(connection);
    if (!end) settle_all(jobs, results, error);
    if (end != GroupEnd::lost) connection.rollback();
    return end.value_or(GroupEnd::settled);
  };

  if (const auto begun = connection.begin(Connection::Access::write); !begun) return stop(begun.error());
  bool any_succeeded = false;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    results[i] = run_unit(connection, jobs[i], guarded);
    if (results[i]) {
      any_succeeded = true;
      continue;
    }
    if (connection.fault() == Fault::gone)
      return stop(fail("storage.unavailable", "the database ended the transaction: " + connection.fault_error().detail));
    if (end_without_result(connection)) return stop(results[i].error());
    if (alone) break;
    if (!guarded) {
      connection.rollback();
      return connection.fault() == Fault::lost ? GroupEnd::lost : GroupEnd::guarded;
    }
    if (const auto undone = connection.rollback_to_savepoint(); !undone) return stop(undone.error());
  }
  if (!any_succeeded) {
    connection.rollback();
    return GroupEnd::settled;
  }
  const auto committed = steps.commit(connection);
  if (committed) return GroupEnd::settled;
  if (connection.fault() == Fault::again) return stop(committed.error());
  // A posted statement's failure may show only now, and then nobody knows whose it was.
  if (connection.fault() == Fault::statement && !alone && !guarded) {
    connection.rollback();
    return connection.fault() == Fault::lost ? GroupEnd::lost : GroupEnd::guarded;
  }
  const Error error = connection.fault() == Fault::lost
                          ? fail("storage.unavailable", "the connection broke during a commit; its outcome is unknown")
                          : committed.error();
  if (connection.fault() != Fault::lost) connection.rollback();
  for (auto& result : results)
    if (result) result = error;
  return GroupEnd::settled;
}

GroupEnd run_read(Connection& connection, Job& job, Result<>& result) {
  result = connection.begin(Connection::Access::read);
  if (result) result = call(job.unit, connection);
  if (result && connection.fault() != Fault::none) result = connection.fault_error();
  const auto end = end_without_result(connection);
  if (end != GroupEnd::lost) connection.rollback();
  return end.value_or(GroupEnd::settled);
}

}  // namespace schakel::sql
