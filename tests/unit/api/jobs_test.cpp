// Bulk actions and their Jobs (ADP-701, adapter.md 2.1.3 and 3.3).
#include "api/jobs.hpp"

#include "api_fixture.hpp"

namespace schakel::api {
namespace {

class BulkActions : public ApiTest {
 protected:
  Reply ask(Json body, const std::string& token = "") {
    return send("POST", "/api/v1/message-actions", {{"Content-Type", "application/json"}}, body.dump(), token.empty() ? key : token);
  }
  static Json wanted(Json filter, const std::string& action = "cancel") {
    return {{"filter", std::move(filter)}, {"action", action}, {"reason", "storing bij de partner"}};
  }
  std::vector<std::string> submit_many(int count) {
    std::vector<std::string> ids;
    for (int i = 0; i < count; ++i) {
      const auto reply = post("/messages", submit_body());
      EXPECT_EQ(reply.status, 202U) << reply.body;
      ids.push_back(reply.json.value("id", ""));
    }
    return ids;
  }
  // One turn of the work loop for the Job; false: nothing was due.
  bool turn() {
    const auto claimer = lease();
    std::optional<exchange::Work> row;
    for (const auto& claimed : query<std::vector<exchange::Work>>(
             [&](sql::Transaction& tx) { return exchange::claim_work(tx, claimer, clock.at, 1000, 1000); })) {
      if (claimed.kind == job_work_kind) {
        row = claimed;
      } else {
        commit([&](sql::Transaction& tx) { return exchange::reschedule_work(tx, claimer, claimed); });
      }
    }
    if (!row) return false;
    const auto done = await(jobs().run(claimer, *row));
    EXPECT_TRUE(done) << done.error().code << ": " << done.error().detail;
    return true;
  }
  Jobs jobs() { return {"a", {*database, clock, silent_log(), *msh}}; }
  std::map<std::string, std::string> results(const std::string& job, const std::string& query = "") {
    std::map<std::string, std::string> out;
    for (const auto& item : get("/jobs/" + job + "/results?perPage=100" + query).json)
      out[item["message"]] = item["result"].get<std::string>() + " " + item.value("state", "") +
                             (item.contains("error") ? item["error"].value("code", "") : "");
    return out;
  }
};

// ADP-701: preview first
TEST_F(BulkActions, ADryRunShowsWhatIsMeantAndDoesNothing) {
  submit_many(25);
  receive();
  auto body = wanted({{"direction", "outbound"}, {"state", "QUEUED,ACCEPTED"}});
  body["dryRun"] = true;
  const auto shown = ask(body);
  ASSERT_EQ(shown.status, 200U) << shown.body;
  EXPECT_EQ(shown.json["action"], "cancel");
  EXPECT_EQ(shown.json["total"], 25);
  EXPECT_EQ(shown.json["byState"], (Json{{"QUEUED", 25}}));
  EXPECT_EQ(shown.json["messages"].size(), 20U);
  EXPECT_FALSE(turn());
  EXPECT_EQ(get("/messages?state=QUEUED").header("Total-Count"), "25");
  EXPECT_TRUE(audit_log().empty());
}

// ADP-701: each message has its result, its trail and its audit record
TEST_F(BulkActions, AJobActsOnEveryMessageAndTellsHowEachEnded) {
  const auto ids = submit_many(3);
  ASSERT_EQ(post("/messages/" + ids[1] + "/actions", {{"action", "cancel"}, {"reason", "al geweest"}}).status, 202U);
  const auto reply = ask(wanted({{"direction", "outbound"}}));
  ASSERT_EQ(reply.status, 202U) << reply.body;
  const std::string job = reply.json["id"];
  EXPECT_EQ(reply.header("Location"), "/api/v1/jobs/" + job);
  EXPECT_EQ(reply.json["state"], "queued");
  EXPECT_EQ(reply.json["total"], 3);
  EXPECT_EQ(reply.json["filter"], (Json{{"direction", "outbound"}}));
  EXPECT_EQ(get("/jobs/" + job).json["done"], 0);
  ASSERT_TRUE(turn());
  const auto after = get("/jobs/" + job).json;
  EXPECT_EQ(after["done"], 2);
  EXPECT_EQ(after["failed"], 1);
  clock.at += 2s;
  ASSERT_TRUE(turn()) << "it looks once more and ends";
  EXPECT_EQ(get("/jobs/" + job).json["state"], "completed");
  EXPECT_EQ(get("/jobs/" + job).json["finishedAt"], to_rfc3339(clock.at));
  EXPECT_FALSE(turn());
  EXPECT_EQ(results(job), (std::map<std::string, std::string>{
                              {ids[0], "done CANCELLED"}, {ids[1], "failed state.conflict"}, {ids[2], "done CANCELLED"}}));
  EXPECT_EQ(results(job, "&result=failed").size(), 1U);
  EXPECT_THAT(trail(ids[0]), ::testing::Contains("cancelled"));
  EXPECT_THAT(audited(), ::testing::IsSupersetOf({"job.create " + job, "message.cancel " + ids[0], "message.cancel " + ids[2]}));
  for (const auto& record : audit_log()) {
    if (record.value("object", "") == ids[2]) {
      EXPECT_EQ(record["job"], job);
      EXPECT_EQ(record["after"]["reason"], "storing bij de partner");
    }
  }
}

// adapter.md 3.3: chunks of 100, at most 50 messages a second
TEST_F(BulkActions, AJobKeepsItsPace) {
  submit_many(120);
  const std::string job = ask(wanted({{"action", "question"}})).json.value("id", "");
  ASSERT_TRUE(turn());
  EXPECT_EQ(get("/jobs/" + job).json["done"], 100);
  EXPECT_EQ(get("/jobs/" + job).json["state"], "running");
  clock.at += 1999ms;
  EXPECT_FALSE(turn()) << "100 messages fill two seconds";
  clock.at += 1ms;
  ASSERT_TRUE(turn());
  EXPECT_EQ(get("/jobs/" + job).json["done"], 120);
}

// ADP-701: can be stopped; what was done stays done
TEST_F(BulkActions, AStoppedJobLeavesTheRest) {
  submit_many(101);
  const std::string job = ask(wanted({{"direction", "outbound"}})).json.value("id", "");
  ASSERT_TRUE(turn());
  const auto stopped = send("POST", "/api/v1/jobs/" + job + "/_stop", {}, "", key);
  EXPECT_EQ(stopped.json["state"], "stopped") << stopped.body;
  EXPECT_EQ(stopped.json["done"], 100);
  clock.at += 10s;
  EXPECT_FALSE(turn());
  EXPECT_EQ(get("/messages?state=QUEUED").header("Total-Count"), "1");
  EXPECT_EQ(results(job, "&result=waiting").size(), 1U);
  EXPECT_EQ(send("POST", "/api/v1/jobs/" + job + "/_stop", {}, "", key).status, 200U) << "once more changes nothing";
  EXPECT_THAT(audited(), ::testing::Contains("job.stop " + job));
}

TEST_F(BulkActions, ACompletedJobIsNotStopped) {
  const std::string job = ask(wanted({{"direction", "inbound"}}, "markProcessed")).json.value("id", "");
  ASSERT_TRUE(turn()) << "no message at all: it ends at once";
  EXPECT_EQ(get("/jobs/" + job).json["state"], "completed");
  EXPECT_EQ(send("POST", "/api/v1/jobs/" + job + "/_stop", {}, "", key).code(), "state.conflict");
}

// The messages are those of the moment of asking; a resend makes copies that are not caught again.
TEST_F(BulkActions, AResendOfManyNamesItsCopies) {
  const auto ids = submit_many(2);
  for (const auto& id : ids) ASSERT_EQ(post("/messages/" + id + "/actions", {{"action", "cancel"}, {"reason", "vergissing"}}).status, 202U);
  const std::string job = ask(wanted({{"conversationId", "zaak-2026-0017"}}, "resend")).json.value("id", "");
  ASSERT_TRUE(turn());
  const auto shown = get("/jobs/" + job + "/results").json;
  ASSERT_EQ(shown.size(), 2U);
  for (const auto& item : shown) EXPECT_EQ(get("/messages/" + item["copy"].get<std::string>()).json["copyOf"], item["message"]);
  EXPECT_EQ(get("/messages").header("Total-Count"), "4");
}

// adapter.md 3.11: a node that lost its lease changes nothing, and the next node goes on where it was
TEST_F(BulkActions, ALostLeaseEndsTheTurnWithoutEffect) {
  submit_many(1);
  const std::string job = ask(wanted({{"direction", "outbound"}})).json.value("id", "");
  const auto claimer = lease();
  const auto rows =
      query<std::vector<exchange::Work>>([&](sql::Transaction& tx) { return exchange::claim_work(tx, claimer, clock.at, 64, 64); });
  const auto row = std::find_if(rows.begin(), rows.end(), [](const auto& one) { return one.kind == job_work_kind; });
  ASSERT_NE(row, rows.end());
  commit([&](sql::Transaction& tx) { return exchange::release_node_lease(tx, claimer); });
  const auto ended = await(jobs().run(claimer, *row));
  ASSERT_FALSE(ended);
  EXPECT_EQ(get("/jobs/" + job).json["done"], 0);
  EXPECT_EQ(get("/messages?state=QUEUED").header("Total-Count"), "1");
}

TEST_F(BulkActions, AWrongRequestIsToldEveryFault) {
  EXPECT_THAT(ask(Json::object()).faults(),
              ::testing::UnorderedElementsAre("body /filter required", "body /action required", "body /reason required"));
  EXPECT_THAT(
      ask({{"filter", {{"direction", "up"}, {"state", "NOPE"}, {"traceId", "x"}, {"label", "x"}, {"receivedFrom", "today"}, {"page", 1}}},
           {"action", "explode"},
           {"reason", "ab"},
           {"dryRun", "yes"},
           {"parameters", {{"x", 1}}},
           {"more", 1}})
          .faults(),
      ::testing::UnorderedElementsAre("body /filter/direction enum", "body /filter/state enum", "body /filter/traceId format",
                                      "body /filter/label format", "body /filter/receivedFrom format", "body /filter/page unknown",
                                      "body /action enum", "body /reason length", "body /dryRun type", "body /parameters/x unknown",
                                      "body /more unknown"));
  EXPECT_THAT(ask(wanted(Json::object())).faults(), ElementsAre("body /filter required")) << "nobody means all by leaving it out";
}

// README section 15: at most 10 000 messages
TEST_F(BulkActions, MoreThanTenThousandMessagesAreTooMany) {
  commit([&](sql::Transaction& tx) -> Result<> {
    exchange::Message message;
    message.tenant = "stad";
    message.state = exchange::State::failed;
    message.created_at = clock.at;
    message.cpa_id = "veel";
    for (int i = 0; i < 10'001; ++i) {
      message.id = uuid_v7(random, clock.at);
      message.message_id = message.id + "@stad.example";
      SCHAKEL_CHECK(exchange::insert_message(tx, message, {}));
    }
    return {};
  });
  for (const bool dry_run : {true, false}) {
    auto body = wanted({{"cpaId", "veel"}}, "resend");
    body["dryRun"] = dry_run;
    EXPECT_THAT(ask(body).faults(), ElementsAre("body /filter count")) << dry_run;
  }
  commit([&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(tx.execute("DELETE FROM messages WHERE message_id IN (SELECT message_id FROM messages LIMIT 1)"));
    return {};
  });
  EXPECT_EQ(ask(wanted({{"cpaId", "veel"}}, "resend")).json["total"], 10'000);
}

// ADP-202, ADP-800
TEST_F(BulkActions, AJobBelongsToItsTenantAndNeedsAnOperator) {
  submit_many(1);
  EXPECT_EQ(ask(wanted({{"direction", "outbound"}}), make_key("stad", {"integrator"})).status, 403U);
  const std::string job = ask(wanted({{"direction", "outbound"}})).json.value("id", "");
  const auto unknown = send("GET", "/api/v1/jobs/0199a1b2-7c3d-7e11-9abc-0123456789ab", {}, "", other_key);
  EXPECT_EQ(unknown.status, 404U);
  for (const auto* operation : {"", "/results"})
    EXPECT_EQ(send("GET", "/api/v1/jobs/" + job + operation, {}, "", other_key).body, unknown.body);
  EXPECT_EQ(send("POST", "/api/v1/jobs/" + job + "/_stop", {}, "", other_key).body, unknown.body);
  EXPECT_EQ(ask(wanted({{"direction", "outbound"}}), other_key).json["total"], 0) << "it finds messages of its own tenant only";
}

// ADP-501: by trace id and by label, as GET /messages does
TEST_F(BulkActions, TraceIdAndLabelFindMessages) {
  auto body = submit_body();
  body["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  body["labels"] = {{"zaak", "2026-17"}, {"bron", "burgerzaken \"zuid\""}};
  const std::string id = post("/messages", body).json.value("id", "");
  submit_many(2);
  const auto found = [&](const std::string& query) {
    std::vector<std::string> ids;
    for (const auto& message : get("/messages?" + query).json) ids.push_back(message.value("id", ""));
    return ids;
  };
  EXPECT_THAT(found("traceId=0af7651916cd43dd8448eb211c80319c"), ElementsAre(id));
  EXPECT_TRUE(found("traceId=0af7651916cd43dd8448eb211c80319d").empty());
  EXPECT_THAT(found("label=zaak:2026-17"), ElementsAre(id));
  EXPECT_THAT(found("label=bron:burgerzaken \"zuid\""), ElementsAre(id));
  EXPECT_TRUE(found("label=zaak:2026-1").empty()) << "the whole value";
  EXPECT_TRUE(found("label=aak:2026-17").empty()) << "the whole name";
  EXPECT_TRUE(found("label=zaak:2026-17&direction=inbound").empty());
  EXPECT_THAT(get("/messages?traceId=xyz&label=zaak").faults(), ElementsAre("query traceId format", "query label format"));
  auto bulk = wanted({{"label", "zaak:2026-17"}, {"traceId", "0af7651916cd43dd8448eb211c80319c"}});
  bulk["dryRun"] = true;
  EXPECT_EQ(ask(bulk).json["total"], 1);
}

}  // namespace
}  // namespace schakel::api
