// Jobs: what somebody asked for many messages at once, done piece by piece and reported per message (ADP-701, adapter.md 3.3).
//
// A Job and its items are made in one transaction; the items are fixed then. Whoever works on a Job settles each item in the transaction
// that does the work, so a crash neither repeats nor loses one.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/message.hpp"
#include "sql/database.hpp"

namespace schakel::exchange {

enum class JobState { queued, running, completed, stopped };
std::string_view to_string(JobState);

struct Job {
  std::string id;  // ours, uuid v7
  std::string tenant;
  std::string action, reason;
  std::string parameters, filter;  // JSON objects, as they were asked
  std::string actor;
  JobState state = JobState::queued;
  std::int64_t total = 0, done = 0, failed = 0;
  Instant created_at;
  std::optional<Instant> started_at, finished_at;
};

// One message of a Job.
struct JobItem {
  enum class State { waiting, done, failed };
  std::int64_t position = 0;
  std::string message;  // id of the Message
  State state = State::waiting;
  std::string result;        // done: state of the message afterwards
  std::string copy;          // done: id of the message that was made
  std::string code, detail;  // failed
};
std::string_view to_string(JobItem::State);

Result<> insert_job(sql::Transaction&, const Job&, std::span<const std::string> messages);
Result<std::optional<Job>> find_job(sql::Transaction&, std::string_view tenant, std::string_view id);
// Writes state, started_at and finished_at.
Result<> update_job(sql::Transaction&, const Job&);

Result<std::vector<JobItem>> waiting_items(sql::Transaction&, std::string_view tenant, std::string_view job, std::int64_t limit);
// Writes how an item ended and counts it in the Job. "work.lost" when it was settled before.
Result<> settle_item(sql::Transaction&, std::string_view tenant, std::string_view job, const JobItem&);
struct JobItemPage {
  std::vector<JobItem> items;
  std::int64_t total = 0;
};
// By position; `state`: only those.
Result<JobItemPage> job_items(sql::Transaction&, std::string_view tenant, std::string_view job, std::optional<JobItem::State> state,
                              std::int64_t offset, std::int64_t limit);

// Finished Jobs with their items, 30 days after they ended.
inline constexpr std::chrono::days jobs_kept{30};
Result<std::int64_t> purge_jobs(sql::Transaction&, Instant now, std::int64_t limit);

}  // namespace schakel::exchange
