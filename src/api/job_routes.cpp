// POST /message-actions (bulk, adapter.md 2.1.3 and 3.3) and the Jobs that it makes.
#include "api/descriptor.hpp"
#include "api/jobs.hpp"
#include "api/message_filter.hpp"
#include "api/resources.hpp"

namespace schakel::api {
namespace {

using exchange::Job;
using exchange::JobItem;
using exchange::JobState;
using http::Response;

constexpr std::int64_t preview_messages = 20;

Answer<Job> found(sql::Transaction& tx, const Visit& visit) {
  if (!is_uuid(visit.path[0])) return not_found();
  SCHAKEL_TRY(auto job, exchange::find_job(tx, visit.tenant(), visit.path[0]));
  if (!job) return not_found();
  return std::move(*job);
}

std::string href_of(const Job& job) {
  return std::string(base_path) + "/jobs/" + job.id;
}

// How many messages are meant; more than a Job takes is a fault of the filter.
Answer<std::vector<std::pair<exchange::State, std::int64_t>>> count(sql::Transaction& tx, const Visit& visit,
                                                                    const exchange::MessageFilter& filter) {
  SCHAKEL_TRY(auto counts, exchange::count_by_state(tx, visit.tenant(), filter));
  std::int64_t total = 0;
  for (const auto& [state, of_state] : counts) total += of_state;
  if (total <= job_messages_max) return counts;
  Faults faults;
  add_fault(faults, "body", "/filter", "count",
            "past op " + std::to_string(total) + " berichten; het mogen er ten hoogste " + std::to_string(job_messages_max) + " zijn");
  return judge(std::move(faults)).error();
}

Answer<Response> preview(sql::Transaction& tx, const Office& office, const Visit& visit, const WantedAction& wanted,
                         exchange::MessageFilter filter) {
  SCHAKEL_TRY(const auto counts, count(tx, visit, filter));
  filter.limit = preview_messages;
  SCHAKEL_TRY(const auto page, exchange::search_messages(tx, visit.tenant(), filter));
  OrderedJson body{{"action", wanted.action}, {"total", page.total}, {"byState", OrderedJson::object()}};
  for (const auto& [state, of_state] : counts) body["byState"][std::string(to_string(state))] = of_state;
  auto messages = OrderedJson::array();
  for (const auto& message : page.messages) {
    SCHAKEL_TRY(const auto payloads, exchange::payloads_of(tx, message.id));
    messages.push_back(descriptor(message, payloads, office.environment_of(visit.tenant())));
  }
  body["messages"] = std::move(messages);
  return json_response(200, body);
}

Answer<Response> start(sql::Transaction& tx, const Office& office, const Visit& visit, const WantedAction& wanted,
                       exchange::MessageFilter filter, const std::string& id) {
  SCHAKEL_CHECK(count(tx, visit, filter));
  filter.limit = job_messages_max;
  filter.oldest_first = true;
  SCHAKEL_TRY(const auto messages, exchange::search_message_ids(tx, visit.tenant(), filter));
  Job job;
  job.id = id;
  job.tenant = visit.tenant();
  job.action = wanted.action;
  job.reason = wanted.reason;
  job.parameters = Json{{"force", wanted.force}}.dump();
  job.filter = visit.json["filter"].dump();
  job.actor = "apiKey:" + visit.principal.id;
  job.total = static_cast<std::int64_t>(messages.size());
  job.created_at = office.now();
  SCHAKEL_CHECK(exchange::insert_job(tx, job, messages));
  exchange::Work work;
  work.id = job.id;
  work.tenant = job.tenant;
  work.kind = job_work_kind;
  work.subject = job.id;
  work.due = job.created_at;
  SCHAKEL_CHECK(exchange::add_work(tx, work));
  SCHAKEL_CHECK(audit(tx, office, visit, "job.create", job.id, nullptr,
                      {{"action", job.action}, {"reason", for_log(job.reason)}, {"filter", visit.json["filter"]}, {"total", job.total}}));
  auto response = json_response(202, job_json(job));
  response.headers.set("Location", href_of(job));
  return response;
}

// `dryRun` shows what would be meant; without it a Job is made of exactly the messages that the filter finds now.
InTransaction act_on_many(const Office& office, const Visit& visit, Faults& faults) {
  Members members(visit.json, "", faults);
  exchange::MessageFilter filter;
  if (const Json* given = members.object("filter", Need::required)) {
    Members criteria(*given, members.pointer("filter"), faults);
    filter = read_message_filter(criteria);
    criteria.end();
    // Nobody means all messages by leaving something out.
    if (given->empty()) members.fault("filter", "required", "noem ten minste een criterium");
  }
  const auto wanted = read_operator_action(members, faults);
  const bool dry_run = members.boolean("dryRun").value_or(false);
  members.end();
  return [&office, &visit, filter, wanted, dry_run, id = office.new_id()](sql::Transaction& tx) {
    return dry_run ? preview(tx, office, visit, wanted, filter) : start(tx, office, visit, wanted, filter, id);
  };
}

InTransaction show(const Visit& visit, Faults&) {
  return [&visit](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto job, found(tx, visit));
    return json_response(200, job_json(job));
  };
}

InTransaction show_results(const Visit& visit, Faults& faults) {
  Query query(visit.request, faults);
  const Page page = read_page(query);
  const std::string result = query.choice("result", {"waiting", "done", "failed"});
  std::optional<JobItem::State> state;
  for (const auto one : {JobItem::State::waiting, JobItem::State::done, JobItem::State::failed}) {
    if (exchange::to_string(one) == result) state = one;
  }
  return [&visit, page, state](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto job, found(tx, visit));
    SCHAKEL_TRY(const auto items, exchange::job_items(tx, visit.tenant(), job.id, state, page.offset(), page.per_page));
    auto list = OrderedJson::array();
    for (const auto& item : items.items) list.push_back(job_item_json(item));
    auto response = json_response(200, list);
    add_page_headers(response, visit.request, page, items.total);
    return response;
  };
}

// What was done stays done; the rest keeps `waiting`.
InTransaction stop(const Office& office, const Visit& visit, Faults& faults) {
  Members(visit.json, "", faults).end();
  return [&office, &visit](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(auto job, found(tx, visit));
    if (job.state == JobState::stopped) return json_response(200, job_json(job));
    if (job.state == JobState::completed) return Refusal("state.conflict", "De opdracht is al afgerond.");
    const auto before = exchange::to_string(job.state);
    job.state = JobState::stopped;
    job.finished_at = office.now();
    SCHAKEL_CHECK(exchange::update_job(tx, job));
    SCHAKEL_CHECK(exchange::cancel_work(tx, job_work_kind, job.id));
    SCHAKEL_CHECK(audit(tx, office, visit, "job.stop", job.id, {{"state", before}}, {{"state", exchange::to_string(job.state)}}));
    return json_response(200, job_json(job));
  };
}

}  // namespace

// On the internal listener too: who may make a Job there must be able to follow it.
void add_job_routes(std::vector<Route>& routes, const Office& office) {
  const auto plan = [&office](auto function) {
    return Plan([&office, function](const Visit& visit, Faults& faults) { return function(office, visit, faults); });
  };
  routes.push_back({"POST", "/message-actions", "message.act", true, Body::json, {}, Access::write, plan(act_on_many)});
  routes.push_back({"GET", "/jobs/{id}", "message.read", true, Body::none, {}, Access::read, Plan(show)});
  routes.push_back(
      {"GET", "/jobs/{id}/results", "message.read", true, Body::none, {"result", "page", "perPage"}, Access::read, Plan(show_results)});
  routes.push_back({"POST", "/jobs/{id}/_stop", "message.act", true, Body::optional_json, {}, Access::write, plan(stop)});
}

}  // namespace schakel::api
