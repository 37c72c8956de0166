#include "api_fixture.hpp"

namespace schakel::api {
namespace {

using exchange::State;

class Queues : public ApiTest {
 protected:
  exchange::Message receive_and_offer() {
    const auto inbound = receive();
    settle();
    return inbound;
  }
  Json pull(std::string query_text = "") { return get("/queues/default/messages" + query_text).json["messages"]; }
  std::string settle_item(const Json& item) {
    return post("/queues/default/acknowledgements", {{"items", {item}}}).json["items"][0]["result"];
  }
};

// ADP-104, ADP-105, EB-210
TEST_F(Queues, AMessageIsPulledAndConfirmed) {
  const auto inbound = receive_and_offer();
  EXPECT_EQ(message(inbound.id).state, State::received);
  const auto items = pull();
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0]["deliveryAttempt"], 1);
  EXPECT_EQ(items[0]["message"]["id"], inbound.id);
  EXPECT_EQ(items[0]["message"]["state"], "OFFERED");
  EXPECT_TRUE(pull().empty()) << "leased";
  EXPECT_EQ(settle_item({{"receipt", items[0]["receipt"]}, {"result", "processed"}}), "ok");
  EXPECT_EQ(message(inbound.id).state, State::processed);
  EXPECT_THAT(trail(inbound.id), ElementsAre("offered", "confirmed"));
  clock.at += 1h;
  EXPECT_TRUE(pull().empty());
}

// ADP-104: at least once, with an increasing deliveryAttempt
TEST_F(Queues, ALeaseThatRunsOutOffersAgain) {
  const auto inbound = receive_and_offer();
  const std::string first = pull("?leaseSeconds=10")[0]["receipt"];
  clock.at += 10s;
  EXPECT_EQ(settle_item({{"receipt", first}, {"result", "processed"}}), "leaseExpired");
  EXPECT_EQ(message(inbound.id).state, State::offered);
  const auto again = pull();
  EXPECT_EQ(again[0]["deliveryAttempt"], 2);
  EXPECT_EQ(again[0]["message"]["messageId"], inbound.message_id);
  EXPECT_EQ(settle_item({{"receipt", first}, {"result", "processed"}}), "leaseExpired") << "the receipt of somebody else's lease";
  EXPECT_EQ(settle_item({{"receipt", again[0]["receipt"]}, {"result", "rejected"}, {"code", "geenZaak"}}), "ok");
  EXPECT_EQ(message(inbound.id).state, State::rejected);
}

TEST_F(Queues, ALeaseIsExtendedOrGivenBack) {
  receive_and_offer();
  const std::string receipt = pull("?leaseSeconds=10")[0]["receipt"];
  clock.at += 9s;
  EXPECT_EQ(settle_item({{"receipt", receipt}, {"result", "extend"}, {"leaseSeconds", 60}}), "ok");
  clock.at += 59s;
  EXPECT_TRUE(pull().empty());
  EXPECT_EQ(settle_item({{"receipt", receipt}, {"result", "retry"}, {"delaySeconds", 30}}), "ok");
  clock.at += 29s;
  EXPECT_TRUE(pull().empty());
  clock.at += 1s;
  EXPECT_EQ(pull().size(), 1U);
}

// adapter.md 2.4.1: after maxDeliveries (10) DEAD
TEST_F(Queues, AMessageThatIsNeverConfirmedIsDeadAfterTenDeliveries) {
  const auto inbound = receive_and_offer();
  for (int i = 1; i <= 10; ++i) {
    ASSERT_EQ(pull("?leaseSeconds=10").size(), 1U) << i;
    clock.at += 10s;
  }
  EXPECT_TRUE(pull().empty());
  EXPECT_EQ(message(inbound.id).state, State::dead);
  EXPECT_EQ(trail(inbound.id).back(), "deadLettered");
  EXPECT_EQ(get("/message-events").json.back()["type"], "message.dead_lettered");
  // ADP-701: an operator brings it back
  EXPECT_EQ(post("/messages/" + inbound.id + "/actions", {{"action", "requeue"}, {"reason", "toepassing hersteld"}}).status, 202U);
  settle();
  EXPECT_EQ(pull().size(), 1U);
}

// adapter.md 3.3: a replay offers what was processed once more and leaves its state
TEST_F(Queues, AReplayedMessageComesAgainAndStaysProcessed) {
  const auto inbound = receive_and_offer();
  ASSERT_EQ(settle_item({{"receipt", pull()[0]["receipt"]}, {"result", "processed"}}), "ok");
  ASSERT_EQ(post("/messages/" + inbound.id + "/actions", {{"action", "replay"}, {"reason", "dossier kwijt"}}).status, 202U);
  settle();
  const auto items = pull();
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0]["replay"], true);
  EXPECT_EQ(items[0]["deliveryAttempt"], 2);
  EXPECT_EQ(message(inbound.id).state, State::processed);
  EXPECT_EQ(settle_item({{"receipt", items[0]["receipt"]}, {"result", "processed"}}), "ok");
  clock.at += 1h;
  EXPECT_TRUE(pull().empty());
}

TEST_F(Queues, AMessageConfirmedElsewhereLeavesTheQueue) {
  const auto inbound = receive_and_offer();
  EXPECT_EQ(post("/messages/" + inbound.id + "/acknowledgement", {{"result", "processed"}}).status, 204U);
  EXPECT_TRUE(pull().empty());
}

TEST_F(Queues, OldestComesFirstUpToTheNumberAsked) {
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    clock.at += 1s;
    ids.push_back(receive_and_offer().id);
  }
  const auto items = pull("?max=2");
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0]["message"]["id"], ids[0]);
  EXPECT_EQ(items[1]["message"]["id"], ids[1]);
}

// ADP-202
TEST_F(Queues, ATenantSeesItsOwnMessagesOnly) {
  receive_and_offer();
  EXPECT_TRUE(send("GET", "/api/v1/queues/default/messages", {}, "", other_key).json["messages"].empty());
  const std::string receipt = pull()[0]["receipt"];
  const Json body = {{"items", {{{"receipt", receipt}, {"result", "processed"}}}}};
  const auto reply =
      send("POST", "/api/v1/queues/default/acknowledgements", {{"Content-Type", "application/json"}}, body.dump(), other_key);
  EXPECT_EQ(reply.json["items"][0]["result"], "leaseExpired");
}

TEST_F(Queues, InputIsChecked) {
  EXPECT_THAT(get("/queues/default/messages?max=0&waitSeconds=61&leaseSeconds=9").faults(),
              ElementsAre("query max range", "query waitSeconds range", "query leaseSeconds range"));
  EXPECT_EQ(get("/queues/other/messages").status, 404U);
  EXPECT_EQ(post("/queues/other/acknowledgements", {{"items", Json::array()}}).status, 404U);
  EXPECT_THAT(
      post("/queues/default/acknowledgements", {{"items", {{{"receipt", "r"}, {"result", "maybe"}, {"delaySeconds", -1}}}}, {"x", 1}})
          .faults(),
      ElementsAre("body /items/0/result enum", "body /items/0/delaySeconds range", "body /x unknown"));
}

TEST_F(Queues, ALongPollWaitsAndThenSaysThatThereIsNothing) {
  settings.poll_interval = 5ms;
  start();
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(get("/queues/default/messages?waitSeconds=1").json["messages"].size(), 0U);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 900ms);
}

TEST_F(Queues, HeadTakesNothing) {
  receive_and_offer();
  EXPECT_EQ(send("HEAD", "/api/v1/queues/default/messages", {}, "", key).status, 200U);
  EXPECT_EQ(pull().size(), 1U);
}

// EB-210, EB-214: kept until marked processed
TEST_F(Queues, EventsAreKeptUntilTheyAreProcessed) {
  const auto sent = post("/messages", submit_body());
  const auto outbound = message(sent.json["id"]);
  commit([&](sql::Transaction& tx) {
    return emit(tx, outbound, "message.failed", R"({"code":"DeliveryFailure","severity":"Error","attempts":4})");
  });
  settle();
  const auto events = get("/message-events");
  ASSERT_EQ(events.json.size(), 1U);
  EXPECT_EQ(events.json[0]["type"], "message.failed");
  EXPECT_EQ(events.json[0]["messageId"], outbound.message_id);
  EXPECT_EQ(events.json[0]["error"]["severity"], "Error");
  const std::string id = events.json[0]["id"];
  EXPECT_EQ(send("POST", "/api/v1/message-events/" + id + "/_process", {}, "", other_key).status, 404U);
  EXPECT_EQ(send("POST", "/api/v1/message-events/" + id + "/_process", {}, "", key).status, 204U);
  EXPECT_EQ(send("POST", "/api/v1/message-events/" + id + "/_process", {}, "", key).status, 204U);
  EXPECT_TRUE(get("/message-events").json.empty());
}

TEST_F(Queues, ConfirmingAMessageProcessesItsEvent) {
  const auto inbound = receive_and_offer();
  EXPECT_EQ(get("/message-events").json.size(), 1U);
  post("/messages/" + inbound.id + "/acknowledgement", {{"result", "processed"}});
  EXPECT_TRUE(get("/message-events").json.empty());
}

}  // namespace
}  // namespace schakel::api
