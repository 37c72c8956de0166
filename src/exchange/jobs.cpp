#include "exchange/jobs.hpp"

#include <array>

namespace schakel::exchange {
namespace {

constexpr std::array<std::string_view, 4> job_states{"queued", "running", "completed", "stopped"};
constexpr std::array<std::string_view, 3> item_states{"waiting", "done", "failed"};

#define SCHAKEL_JOB_SELECT                                                                                                         \
  "SELECT id, tenant, action, reason, parameters, filter, actor, state, total, done, failed, created_at, started_at, finished_at " \
  "FROM jobs "
#define SCHAKEL_JOB_ITEM_SELECT "SELECT position, message, state, result, copy, code, detail FROM job_items WHERE "

template <class State, std::size_t count>
State state_of(const std::array<std::string_view, count>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  return static_cast<State>(found == names.end() ? 0 : found - names.begin());
}

std::vector<JobItem> items_from(sql::Rows& rows) {
  std::vector<JobItem> items;
  for (auto& row : rows) {
    items.push_back({.position = row.integer(0),
                     .message = row.take(1),
                     .state = state_of<JobItem::State>(item_states, row.text(2)),
                     .result = row.take(3),
                     .copy = row.take(4),
                     .code = row.take(5),
                     .detail = row.take(6)});
  }
  return items;
}

}  // namespace

std::string_view to_string(JobState state) {
  return job_states[static_cast<std::size_t>(state)];
}
std::string_view to_string(JobItem::State state) {
  return item_states[static_cast<std::size_t>(state)];
}

Result<> insert_job(sql::Transaction& tx, const Job& job, std::span<const std::string> messages) {
  SCHAKEL_CHECK(tx.post(
      "INSERT INTO jobs (id, tenant, action, reason, parameters, filter, actor, state, total, done, failed, created_at, started_at, "
      "finished_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, $10, $11, $12)",
      {job.id, job.tenant, job.action, job.reason, job.parameters, job.filter, job.actor, to_string(job.state), job.total, job.created_at,
       job.started_at, job.finished_at}));
  std::int64_t position = 0;
  for (const auto& message : messages) {
    SCHAKEL_CHECK(
        tx.post("INSERT INTO job_items (job, position, tenant, message, state, result, copy, code, detail) "
                "VALUES ($1, $2, $3, $4, 'waiting', '', '', '', '')",
                {job.id, position++, job.tenant, message}));
  }
  return {};
}

Result<std::optional<Job>> find_job(sql::Transaction& tx, std::string_view tenant, std::string_view id) {
  static constexpr std::string_view plain = SCHAKEL_JOB_SELECT "WHERE id = $1 AND tenant = $2";
  static constexpr std::string_view locking = SCHAKEL_JOB_SELECT "WHERE id = $1 AND tenant = $2 FOR UPDATE";
  SCHAKEL_TRY(sql::Rows rows, tx.query(tx.for_update() ? locking : plain, {id, tenant}));
  if (rows.empty()) return std::optional<Job>();
  auto& row = rows[0];
  Job job;
  job.id = row.take(0);
  job.tenant = row.take(1);
  job.action = row.take(2);
  job.reason = row.take(3);
  job.parameters = row.take(4);
  job.filter = row.take(5);
  job.actor = row.take(6);
  job.state = state_of<JobState>(job_states, row.text(7));
  job.total = row.integer(8);
  job.done = row.integer(9);
  job.failed = row.integer(10);
  job.created_at = row.instant(11);
  job.started_at = row.optional_instant(12);
  job.finished_at = row.optional_instant(13);
  return std::optional(std::move(job));
}

Result<> update_job(sql::Transaction& tx, const Job& job) {
  return tx.post("UPDATE jobs SET state = $1, started_at = $2, finished_at = $3 WHERE id = $4 AND tenant = $5",
                 {to_string(job.state), job.started_at, job.finished_at, job.id, job.tenant});
}

Result<std::vector<JobItem>> waiting_items(sql::Transaction& tx, std::string_view tenant, std::string_view job, std::int64_t limit) {
  SCHAKEL_TRY(sql::Rows rows, tx.query(SCHAKEL_JOB_ITEM_SELECT "job = $1 AND tenant = $2 AND state = 'waiting' ORDER BY position LIMIT $3",
                                       {job, tenant, limit}));
  return items_from(rows);
}

Result<> settle_item(sql::Transaction& tx, std::string_view tenant, std::string_view job, const JobItem& item) {
  SCHAKEL_TRY(const std::int64_t settled,
              tx.execute("UPDATE job_items SET state = $1, result = $2, copy = $3, code = $4, detail = $5 "
                         "WHERE job = $6 AND position = $7 AND tenant = $8 AND state = 'waiting'",
                         {to_string(item.state), item.result, item.copy, item.code, item.detail, job, item.position, tenant}));
  if (settled != 1) return fail("work.lost", "an item of the job was settled by somebody else");
  const std::int64_t done = item.state == JobItem::State::done ? 1 : 0, failed = item.state == JobItem::State::failed ? 1 : 0;
  return tx.post("UPDATE jobs SET done = done + $1, failed = failed + $2 WHERE id = $3 AND tenant = $4", {done, failed, job, tenant});
}

Result<JobItemPage> job_items(sql::Transaction& tx, std::string_view tenant, std::string_view job, std::optional<JobItem::State> state,
                              std::int64_t offset, std::int64_t limit) {
  // An empty text stands for every state, so that one statement serves both.
  const std::string_view wanted = state ? to_string(*state) : std::string_view();
  JobItemPage page;
  SCHAKEL_TRY(const sql::Rows total,
              tx.query("SELECT count(*) FROM job_items WHERE job = $1 AND tenant = $2 AND ($3 = '' OR state = $3)", {job, tenant, wanted}));
  page.total = total[0].integer(0);
  SCHAKEL_TRY(sql::Rows rows,
              tx.query(SCHAKEL_JOB_ITEM_SELECT "job = $1 AND tenant = $2 AND ($3 = '' OR state = $3) ORDER BY position LIMIT $4 OFFSET $5",
                       {job, tenant, wanted, limit, offset}));
  page.items = items_from(rows);
  return page;
}

Result<std::int64_t> purge_jobs(sql::Transaction& tx, Instant now, std::int64_t limit) {
  const Instant before = now - jobs_kept;
  SCHAKEL_CHECK(
      tx.execute("DELETE FROM job_items WHERE job IN (SELECT id FROM jobs WHERE finished_at < $1 ORDER BY finished_at, id LIMIT $2)",
                 {before, limit}));
  return tx.execute("DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE finished_at < $1 ORDER BY finished_at, id LIMIT $2)",
                    {before, limit});
}

}  // namespace schakel::exchange
