#include "sql/inline.hpp"

#include <deque>

#include "sql/group.hpp"
#include "sql/sqlite.hpp"

namespace schakel::sql {
namespace {

class InlineDatabase final : public Database, private CommitSteps {
 public:
  InlineDatabase(std::unique_ptr<SqliteConnection> connection, CommitFaults faults)
      : connection_(std::move(connection)), faults_(std::move(faults)) {}

  void submit(Unit unit, Completion done) override { run({std::move(unit), std::move(done), false}); }
  void submit_read(Unit unit, Completion done) override { run({std::move(unit), std::move(done), true}); }
  bool is_postgres() const override { return false; }
  bool available() const override { return true; }
  void stop() override { stopped_ = true; }

 private:
  void run(Job job) {
    if (stopped_) {
      if (job.done) job.done(fail("storage.unavailable", "the database is stopping"));
      return;
    }
    waiting_.push_back(std::move(job));
    if (running_) return;
    while (!waiting_.empty()) {
      Job next = std::move(waiting_.front());
      waiting_.pop_front();
      settle(next);
    }
  }

  void settle(Job& job) {
    std::vector<Result<>> results(1);
    died_ = false;
    running_ = true;
    if (job.read_only) {
      run_read(*connection_, job, results[0]);
    } else if (run_group(*connection_, std::span(&job, 1), Guard::savepoints, results, *this) != GroupEnd::settled) {
      results[0] = fail("storage.unavailable", "the transaction could not be run");
    }
    running_ = false;
    if (!died_ && job.done) job.done(std::move(results[0]));
  }

  Result<> commit(Connection& connection) override {
    if (faults_.dies_before_commit && faults_.dies_before_commit()) {
      died_ = true;
      return fail("storage.unavailable", "died before the commit");
    }
    auto committed = connection.commit();
    if (committed && faults_.dies_after_commit) died_ = faults_.dies_after_commit();
    return committed;
  }

  std::unique_ptr<SqliteConnection> connection_;
  CommitFaults faults_;
  std::deque<Job> waiting_;
  bool running_ = false;
  bool died_ = false;
  bool stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<Database>> open_inline(const std::string& path, CommitFaults faults) {
  SCHAKEL_TRY(auto connection, SqliteConnection::open(path, Connection::Access::write));
  return std::unique_ptr<Database>(std::make_unique<InlineDatabase>(std::move(connection), std::move(faults)));
}

}  // namespace schakel::sql
