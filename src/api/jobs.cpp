#include "api/jobs.hpp"

#include "api/descriptor.hpp"
#include "exchange/commit.hpp"

namespace schakel::api {
namespace {

using exchange::Job;
using exchange::JobItem;
using exchange::JobState;
using http::Awaitable;

Json parsed(const std::string& text) {
  Json value = Json::parse(text.empty() ? "{}" : text, nullptr, false);
  return value.is_object() ? value : Json::object();
}

// Of the database or of the claim: the whole turn ends. Anything else is what this one message answered.
bool ends_the_turn(std::string_view code) {
  return (code.starts_with("storage.") && code != "storage.conflict") || code == "work.lost" || code == "node.leaseLost";
}

}  // namespace

OrderedJson job_json(const Job& job) {
  OrderedJson out;
  out["id"] = job.id;
  out["tenant"] = job.tenant;
  out["action"] = job.action;
  out["reason"] = job.reason;
  out["parameters"] = OrderedJson(parsed(job.parameters));
  out["filter"] = OrderedJson(parsed(job.filter));
  out["actor"] = job.actor;
  out["state"] = exchange::to_string(job.state);
  out["total"] = job.total;
  out["done"] = job.done;
  out["failed"] = job.failed;
  out["createdAt"] = to_rfc3339(job.created_at);
  if (job.started_at) out["startedAt"] = to_rfc3339(*job.started_at);
  if (job.finished_at) out["finishedAt"] = to_rfc3339(*job.finished_at);
  return out;
}

OrderedJson job_item_json(const JobItem& item) {
  OrderedJson out;
  out["message"] = item.message;
  out["href"] = message_href(item.message);
  out["result"] = exchange::to_string(item.state);
  if (!item.result.empty()) out["state"] = item.result;
  if (!item.copy.empty()) out["copy"] = item.copy;
  if (!item.code.empty()) out["error"] = {{"code", item.code}, {"detail", item.detail}};
  return out;
}

Jobs::Jobs(std::string node, Dependencies dependencies) : node_(std::move(node)), dependencies_(dependencies) {}

Awaitable<Result<>> Jobs::run(exchange::Claimer claimer, exchange::Work work) const {
  const Instant began = dependencies_.clock.now();
  std::optional<Job> job;
  std::vector<JobItem> items;
  const sql::Unit begin = [&](sql::Transaction& tx) -> Result<> {
    items.clear();
    SCHAKEL_TRY(job, exchange::find_job(tx, work.tenant, work.subject));
    const bool runs = job && (job->state == JobState::queued || job->state == JobState::running);
    if (!runs) return exchange::finish_work(tx, claimer, work.id);
    SCHAKEL_TRY(items, exchange::waiting_items(tx, work.tenant, job->id, job_chunk));
    if (!job->started_at) job->started_at = began;
    job->state = items.empty() ? JobState::completed : JobState::running;
    if (items.empty()) job->finished_at = began;
    SCHAKEL_CHECK(exchange::update_job(tx, *job));
    return items.empty() ? exchange::finish_work(tx, claimer, work.id) : Result<>();
  };
  SCHAKEL_CO_CHECK(co_await exchange::commit(dependencies_.database, begin));
  if (items.empty()) {
    if (job) dependencies_.log.info("job.ended", {{"job", job->id}, {"tenant", job->tenant}, {"state", exchange::to_string(job->state)}});
    co_return Result<>();
  }
  for (const auto& item : items) {
    const auto settled = co_await settle(*job, claimer, item);
    if (!settled) co_return settled.error();
    if (!*settled) break;
  }
  work.due = began + Duration(std::chrono::seconds(1)) * static_cast<std::int64_t>(items.size()) / job_messages_per_second;
  work.attempts = 0;
  co_return co_await exchange::commit(dependencies_.database,
                                      [&](sql::Transaction& tx) { return exchange::reschedule_work(tx, claimer, work); });
}

Awaitable<Result<bool>> Jobs::settle(const Job& job, const exchange::Claimer& claimer, const JobItem& item) const {
  bool runs = true;
  const auto still_ours = [&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(exchange::check_node_lease(tx, claimer, dependencies_.clock.now()));
    SCHAKEL_TRY(const auto present, exchange::find_job(tx, job.tenant, job.id));
    runs = present && present->state == JobState::running;
    return {};
  };
  const auto acted = co_await exchange::commit(dependencies_.database, [&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(still_ours(tx));
    if (!runs) return {};
    JobItem settled = item;
    SCHAKEL_CHECK(act(tx, job, settled));
    return exchange::settle_item(tx, job.tenant, job.id, settled);
  });
  if (acted) co_return runs;
  if (ends_the_turn(acted.error().code)) co_return acted.error();
  JobItem refused = item;
  refused.state = JobItem::State::failed;
  refused.code = acted.error().code;
  refused.detail = acted.error().detail;
  const sql::Unit note_refusal = [&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(still_ours(tx));
    return runs ? exchange::settle_item(tx, job.tenant, job.id, refused) : Result<>();
  };
  SCHAKEL_CO_CHECK(co_await exchange::commit(dependencies_.database, note_refusal));
  co_return runs;
}

Result<> Jobs::act(sql::Transaction& tx, const Job& job, JobItem& item) const {
  SCHAKEL_TRY(const auto before, exchange::find_message(tx, job.tenant, item.message));
  if (!before) return fail("notFound", "the message is no longer there");
  const bool force = parsed(job.parameters).value("force", false);
  SCHAKEL_TRY(const auto after, dependencies_.msh.act(tx, job.tenant, item.message, job.action, job.reason, job.actor, force));
  item.state = JobItem::State::done;
  item.result = to_string(after.state);
  if (after.id != before->id) item.copy = after.id;
  const Json record = {{"kind", "administration"},
                       {"result", "ok"},
                       {"actor", job.actor},
                       {"action", "message." + job.action},
                       {"object", item.message},
                       {"job", job.id},
                       {"before", {{"state", to_string(before->state)}}},
                       {"after", {{"state", to_string(after.state)}, {"message", after.id}, {"reason", for_log(job.reason)}}}};
  return exchange::append_audit(tx, job.tenant, node_, dependencies_.clock.now(),
                                record.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace schakel::api
