#include "exchange/jobs.hpp"

#include "exchange/maintenance.hpp"
#include "exchange/signal.hpp"
#include "store_fixture.hpp"

namespace schakel::exchange {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class JobStore : public StoreTest {
 protected:
  Job stored_job(std::string tenant = "stad") {
    Job job;
    job.id = id();
    job.tenant = std::move(tenant);
    job.action = "cancel";
    job.reason = "storing";
    job.parameters = R"({"force":true})";
    job.filter = R"({"state":"QUEUED"})";
    job.actor = "apiKey:1";
    job.total = 3;
    job.created_at = t0;
    const std::vector<std::string> messages = {"m-1", "m-2", "m-3"};
    commit([&](auto& tx) { return insert_job(tx, job, messages); });
    return job;
  }
  std::optional<Job> found(const std::string& job, std::string_view tenant = "stad") {
    return get([&](auto& tx) { return find_job(tx, tenant, job); });
  }
  std::vector<JobItem> waiting(const std::string& job, std::int64_t limit = 100) {
    return get([&](auto& tx) { return waiting_items(tx, "stad", job, limit); });
  }
};

// ADP-701
TEST_P(JobStore, KeepsAJobAndWhatBecameOfEachMessage) {
  const auto job = stored_job();
  const auto read = found(job.id);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->filter, job.filter);
  EXPECT_EQ(read->parameters, job.parameters);
  EXPECT_EQ(read->state, JobState::queued);
  EXPECT_FALSE(read->started_at);
  EXPECT_FALSE(found(job.id, "dorp")) << "another tenant's";
  auto items = waiting(job.id);
  ASSERT_THAT(items, SizeIs(3));
  EXPECT_THAT(waiting(job.id, 2), SizeIs(2));
  items[0].state = JobItem::State::done;
  items[0].result = "CANCELLED";
  items[0].copy = "m-4";
  items[1].state = JobItem::State::failed;
  items[1].code = "state.conflict";
  items[1].detail = "no";
  for (int i = 0; i < 2; ++i) commit([&](auto& tx) { return settle_item(tx, "stad", job.id, items[static_cast<std::size_t>(i)]); });
  EXPECT_EQ(found(job.id)->done, 1);
  EXPECT_EQ(found(job.id)->failed, 1);
  ASSERT_THAT(waiting(job.id), SizeIs(1));
  EXPECT_EQ(waiting(job.id)[0].message, "m-3");
  const auto all = get([&](auto& tx) { return job_items(tx, "stad", job.id, std::nullopt, 1, 1); });
  EXPECT_EQ(all.total, 3);
  ASSERT_THAT(all.items, SizeIs(1));
  EXPECT_EQ(all.items[0].code, "state.conflict");
  EXPECT_EQ(all.items[0].state, JobItem::State::failed);
  const auto done = get([&](auto& tx) { return job_items(tx, "stad", job.id, JobItem::State::done, 0, 10); });
  EXPECT_EQ(done.total, 1);
  EXPECT_EQ(done.items[0].copy, "m-4");
  EXPECT_EQ(get([&](auto& tx) { return job_items(tx, "dorp", job.id, std::nullopt, 0, 10); }).total, 0);
}

// Two nodes that think they have the claim: the second finds the item settled.
TEST_P(JobStore, SettlesAnItemOnce) {
  const auto job = stored_job();
  auto item = waiting(job.id)[0];
  item.state = JobItem::State::done;
  commit([&](auto& tx) { return settle_item(tx, "stad", job.id, item); });
  const auto again = database->commit([&](sql::Transaction& tx) { return settle_item(tx, "stad", job.id, item); });
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, "work.lost");
  EXPECT_EQ(found(job.id)->done, 1);
}

TEST_P(JobStore, ForgetsFinishedJobsAfterThirtyDays) {
  auto finished = stored_job(), running = stored_job();
  finished.state = JobState::completed;
  finished.finished_at = t0;
  commit([&](auto& tx) { return update_job(tx, finished); });
  EXPECT_EQ(get([&](auto& tx) { return purge_jobs(tx, t0 + jobs_kept, 10); }), 0);
  EXPECT_EQ(get([&](auto& tx) { return purge_jobs(tx, t0 + jobs_kept + 1s, 10); }), 1);
  EXPECT_FALSE(found(finished.id));
  EXPECT_TRUE(waiting(finished.id).empty());
  EXPECT_THAT(waiting(running.id), SizeIs(3));
}

// ADP-501: the trace id is inside traceparent, a label inside the labels
TEST_P(JobStore, MessagesAreFoundByTraceAndLabel) {
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    Message m;
    m.id = id();
    m.tenant = "stad";
    m.message_id = m.id + "@x";
    m.created_at = t0 + std::chrono::seconds(i);
    m.state = i == 2 ? State::failed : State::queued;
    m.traceparent = "00-0af7651916cd43dd8448eb211c80319" + std::to_string(i) + "-b7ad6b7169203331-01";
    m.labels = {{"zaak", "nr \"" + std::to_string(i) + "\""}, {"soort", "a\":\"b"}};
    commit([&](auto& tx) { return insert_message(tx, m, {}); });
    ids.push_back(m.id);
  }
  const auto search = [&](MessageFilter filter) { return get([&](auto& tx) { return search_message_ids(tx, "stad", filter); }); };
  MessageFilter by_trace, by_label, by_part;
  by_trace.trace_id = "0af7651916cd43dd8448eb211c803191";
  by_label.label = std::pair("zaak", "nr \"2\"");
  by_part.label = std::pair("a", "b");
  EXPECT_THAT(search(by_trace), ElementsAre(ids[1]));
  EXPECT_THAT(search(by_label), ElementsAre(ids[2]));
  EXPECT_TRUE(search(by_part).empty()) << "inside a value it is no label";
  EXPECT_THAT(search({}), ElementsAre(ids[2], ids[1], ids[0]));
  const auto counts = get([&](auto& tx) { return count_by_state(tx, "stad", {}); });
  EXPECT_THAT(counts, ElementsAre(std::pair(State::failed, std::int64_t{1}), std::pair(State::queued, std::int64_t{2})));
}

// ADP-505, EB-111: evidence goes with its message, other signals at their time
TEST_P(JobStore, EvidenceStaysAsLongAsItsMessage) {
  Message m;
  m.id = id();
  m.tenant = "stad";
  m.direction = Direction::inbound;
  m.state = State::processed;
  m.message_id = "m@x";
  m.created_at = t0;
  m.final_at = t0;
  commit([&](auto& tx) -> Result<> {
    SCHAKEL_CHECK(insert_message(tx, m, {}));
    int number = 0;
    for (const auto* action : {"Acknowledgment", "StatusResponse", "Acknowledgment"}) {
      Signal signal;
      signal.id = id();
      signal.tenant = "stad";
      signal.action = action;
      signal.message_id = "s-" + std::to_string(number) + "@x";
      if (number++ < 2) signal.message = m.id;
      signal.root = "<s/>";
      signal.at = t0 + std::chrono::seconds(number);
      signal.keep_until = t0 + 240h;
      SCHAKEL_CHECK(insert_signal(tx, signal));
    }
    return {};
  });
  EXPECT_EQ(get([&](auto& tx) { return purge_signals(tx, t0 + 241h, 10); }), 2);
  const auto kept = get([&](auto& tx) { return signals_about(tx, "stad", m.id); });
  ASSERT_THAT(kept, SizeIs(1));
  EXPECT_EQ(kept[0].action, "Acknowledgment");
  EXPECT_EQ(kept[0].root, "<s/>");
  EXPECT_TRUE(get([&](auto& tx) { return signals_about(tx, "dorp", m.id); }).empty());
  EXPECT_EQ(get([&](auto& tx) { return purge_messages(tx, "stad", {}, t0 + 24h * 400, 10); }), 1);
  EXPECT_TRUE(get([&](auto& tx) { return signals_about(tx, "stad", m.id); }).empty());
}

SCHAKEL_ON_BOTH_DATABASES(JobStore);

}  // namespace
}  // namespace schakel::exchange
