#include "api_fixture.hpp"

namespace schakel::api {
namespace {

using exchange::State;

class WebhookCalls : public ApiTest {
 protected:
  Reply create(Json body) {
    if (!body.contains("url")) body["url"] = "https://app.example/hook";
    if (!body.contains("types")) body["types"] = {"message.received"};
    return post("/webhooks", body);
  }
  std::string made(Json body = Json::object()) {
    const auto reply = create(std::move(body));
    EXPECT_EQ(reply.status, 201U) << reply.body;
    return reply.json["id"];
  }
  static WebhookOutcome answer(unsigned status) { return {status, std::nullopt, "", "", Duration(1ms)}; }
  Json body_of(std::size_t call) { return Json::parse(posted.at(call).body); }
  std::string event_id(std::size_t call) { return std::string(posted.at(call).headers.find("webhook-id").value_or("")); }
  Json shown(const std::string& id) { return get("/webhooks/" + id).json; }
};

// ADP-105, ADP-106, ADP-109
TEST_F(WebhookCalls, AMessageIsPushedAndATwoHundredConfirmsIt) {
  const auto created = create(Json::object());
  const std::string secret = created.json["secret"];
  const auto inbound = receive();
  settle();
  ASSERT_EQ(posted.size(), 1U);
  const auto& call = posted[0];
  EXPECT_EQ(call.url, "https://app.example/hook");
  EXPECT_TRUE(webhook_is_genuine(secret, call.headers, call.body, clock.at));
  EXPECT_EQ(call.headers.find("webhook-timestamp"),
            std::to_string(std::chrono::floor<std::chrono::seconds>(clock.at).time_since_epoch().count()));
  const auto body = body_of(0);
  EXPECT_EQ(body.size(), 3U);
  EXPECT_EQ(body["type"], "message.received");
  EXPECT_EQ(body["timestamp"], to_rfc3339(clock.at));
  EXPECT_EQ(body["data"]["id"], inbound.id);
  EXPECT_EQ(body["data"]["state"], "OFFERED");
  EXPECT_EQ(body["data"]["deliveryAttempt"], 1);
  EXPECT_EQ(body["data"]["payloads"][0]["href"], "/api/v1/messages/" + inbound.id + "/payloads/0");
  EXPECT_FALSE(body["data"]["payloads"][0].contains("data")) << "thin";
  EXPECT_EQ(message(inbound.id).state, State::processed);
  EXPECT_THAT(trail(inbound.id), ElementsAre("offered", "confirmed"));
  EXPECT_TRUE(get("/message-events").json.empty());
  EXPECT_TRUE(get("/queues/default/messages").json["messages"].empty());
}

// ADP-107: the whole schedule, and then dead
// SEC-052
TEST_F(WebhookCalls, AReceivedMessageSaysWhoBroughtIt) {
  create(Json::object());
  const auto message = receive();
  exchange::TrailEvent event;
  event.message = message.id;
  event.at = clock.at;
  event.type = "received";
  event.peer_oin = partner_oin;
  event.peer_certificate_sha256 = std::string(64, 'a');
  commit([&](sql::Transaction& tx) { return exchange::append_trail(tx, "stad", "a", {&event, 1}); });
  settle();
  ASSERT_EQ(posted.size(), 1U);
  EXPECT_EQ(posted[0].headers.find("Schakel-Peer-Oin"), partner_oin);
  EXPECT_EQ(posted[0].headers.find("Schakel-Peer-Cert-Sha256"), std::string(64, 'a'));
}

TEST_F(WebhookCalls, AFailingTargetIsTriedTenTimesAndThenTheMessageIsDead) {
  made();
  const auto inbound = receive();
  const Duration delays[] = {0s, 5s, 5min, 30min, 2h, 5h, 10h, 14h, 20h, 24h};
  Instant last = clock.at;
  for (std::size_t attempt = 0; attempt < 10; ++attempt) {
    const auto due = next_due();
    ASSERT_TRUE(due) << attempt;
    clock.at = std::max(clock.at, *due);
    const auto calls = posted.size();
    for (int turn = 0; turn < 3 && posted.size() == calls; ++turn) work([](const WebhookCall&) { return answer(500); });
    ASSERT_EQ(posted.size(), calls + 1) << attempt;
    EXPECT_GE(clock.at - last, delays[attempt]) << attempt;
    EXPECT_LE(clock.at - last, delays[attempt] + delays[attempt] / 5) << attempt;
    EXPECT_EQ(body_of(calls)["data"]["deliveryAttempt"], attempt + 1);
    EXPECT_EQ(event_id(calls), event_id(0)) << "the same id for every attempt";
    last = clock.at;
  }
  EXPECT_EQ(message(inbound.id).state, State::dead);
  EXPECT_EQ(message(inbound.id).state_reason, "webhook.500");
  EXPECT_EQ(trail(inbound.id).back(), "deadLettered");
  EXPECT_EQ(get("/message-events").json.back()["type"], "message.dead_lettered");
  settle();
  EXPECT_EQ(posted.size(), 10U);
}

// ADP-107
TEST_F(WebhookCalls, OnlyTwoHundredsAreSuccess) {
  made();
  for (const unsigned status : {301U, 302U, 304U, 400U, 404U, 500U, 199U}) {
    const auto inbound = receive();
    for (int i = 0; i < 2; ++i) work([&](const WebhookCall&) { return answer(status); });
    EXPECT_EQ(message(inbound.id).state, State::offered) << status;
    EXPECT_EQ(trail(inbound.id).back(), "offerFailed") << status;
  }
  for (const unsigned status : {200U, 202U, 204U, 299U}) {
    const auto inbound = receive();
    for (int i = 0; i < 2; ++i) work([&](const WebhookCall&) { return answer(status); });
    EXPECT_EQ(message(inbound.id).state, State::processed) << status;
  }
}

// ADP-107
TEST_F(WebhookCalls, RetryAfterIsHonouredWhereItMeansSomething) {
  made();
  for (const unsigned status : {429U, 502U, 503U, 504U}) {
    const auto inbound = receive();
    for (int i = 0; i < 2; ++i) work([&](const WebhookCall&) { return WebhookOutcome{status, Duration(2h), "", "", Duration(1ms)}; });
    EXPECT_EQ(next_due(), clock.at + 2h) << status;
    post("/messages/" + inbound.id + "/acknowledgement", {{"result", "processed"}});
    clock.at += 2h;
    settle();
  }
  receive();
  for (int i = 0; i < 2; ++i) work([&](const WebhookCall&) { return WebhookOutcome{500, Duration(2h), "", "", Duration(1ms)}; });
  EXPECT_LE(*next_due(), clock.at + 6s);
}

// ADP-107: 410 disables the endpoint; the message goes to the queue
TEST_F(WebhookCalls, GoneDisablesTheWebhookAndTheMessageWaitsElsewhere) {
  const auto id = made();
  const auto inbound = receive();
  for (int i = 0; i < 2; ++i) work([&](const WebhookCall&) { return answer(410); });
  EXPECT_EQ(shown(id)["enabled"], false);
  EXPECT_EQ(shown(id)["disabledReason"], "gone");
  settle();
  EXPECT_EQ(posted.size(), 1U);
  EXPECT_EQ(get("/queues/default/messages").json["messages"][0]["message"]["id"], inbound.id);
}

// ADP-108
TEST_F(WebhookCalls, AnAddressThatIsRefusedAtConnectIsAFailure) {
  made();
  const auto inbound = receive();
  for (int i = 0; i < 2; ++i)
    work([&](const WebhookCall&) { return WebhookOutcome{0, std::nullopt, "transport.blockedAddress", "", Duration(1ms)}; });
  const auto events = get("/messages/" + inbound.id + "/events").json;
  EXPECT_EQ(events.back()["type"], "offerFailed");
  EXPECT_EQ(events.back()["code"], "webhook.blockedAddress");
}

// adapter.md 2.2: confirm=explicit
TEST_F(WebhookCalls, AnExplicitTargetStillHasToConfirm) {
  made({{"confirm", "explicit"}});
  const auto inbound = receive();
  settle();
  EXPECT_EQ(posted.size(), 1U);
  EXPECT_EQ(message(inbound.id).state, State::offered);
  clock.at += 15min - 1s;
  settle();
  EXPECT_EQ(posted.size(), 1U);
  clock.at += 1s;
  settle();
  ASSERT_EQ(posted.size(), 2U) << "offered again after its visibility";
  EXPECT_EQ(body_of(1)["data"]["deliveryAttempt"], 2);
  EXPECT_EQ(event_id(1), event_id(0));
  EXPECT_EQ(post("/messages/" + inbound.id + "/acknowledgement", {{"result", "processed"}}).status, 204U);
  clock.at += 1h;
  settle();
  EXPECT_EQ(posted.size(), 2U);
}

TEST_F(WebhookCalls, AnExplicitTargetThatNeverConfirmsEndsDead) {
  made({{"confirm", "explicit"}, {"visibilitySeconds", 60}});
  const auto inbound = receive();
  for (int i = 0; i < 11; ++i) {
    settle();
    clock.at += 60s;
  }
  EXPECT_EQ(posted.size(), 10U);
  EXPECT_EQ(message(inbound.id).state, State::dead);
  EXPECT_EQ(message(inbound.id).state_reason, "webhook.notConfirmed");
}

// EB-215
TEST_F(WebhookCalls, TheBestFittingWebhookIsTheTargetAndOthersAreTold) {
  const auto general = made({{"url", "https://app.example/general"}});
  const auto special = made({{"url", "https://app.example/special"}, {"filter", {{"service", "sim:Melding:1:0"}, {"action", "answer"}}}});
  made({{"url", "https://app.example/other"}, {"filter", {{"action", "question"}}}});
  const auto inbound = receive();
  for (int i = 0; i < 3; ++i) work([&](const WebhookCall& call) { return answer(call.webhook == general ? 500 : 200); });
  ASSERT_EQ(posted.size(), 2U);
  std::set<std::string> called = {posted[0].webhook, posted[1].webhook};
  EXPECT_EQ(called, (std::set<std::string>{general, special}));
  EXPECT_EQ(message(inbound.id).state, State::processed) << "the target said yes; what the other says changes nothing";
}

TEST_F(WebhookCalls, WithoutAWebhookTheMessageWaitsToBePulled) {
  made({{"filter", {{"action", "question"}}}});
  const auto inbound = receive();
  settle();
  EXPECT_TRUE(posted.empty());
  EXPECT_EQ(message(inbound.id).state, State::received);
  EXPECT_EQ(get("/queues/default/messages").json["messages"].size(), 1U);
}

// EB-214, ebms.md A29: in order per message, although nobody answers for an hour
TEST_F(WebhookCalls, TheEventsOfAMessageArriveInOrder) {
  made({{"types", {"message.warning", "message.failed", "message.late_acknowledged"}}});
  const auto outbound = message(post("/messages", submit_body()).json["id"]);
  commit([&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(emit(tx, outbound, "message.warning"));
    SCHAKEL_CHECK(emit(tx, outbound, "message.failed", R"({"code":"DeliveryFailure"})"));
    return emit(tx, outbound, "message.late_acknowledged");
  });
  const Instant back = clock.at + 1h;
  for (int i = 0; i < 40; ++i) {
    work([&](const WebhookCall&) { return answer(clock.at < back ? 503 : 200); });
    const auto due = next_due();
    if (!due) break;
    clock.at = std::max(clock.at, *due);
  }
  std::vector<std::string> types;
  for (const auto& call : posted) types.push_back(Json::parse(call.body)["type"]);
  // At once, after 5 s, 5 min, 30 min and 2 h (ADP-107); what comes later waits for it.
  EXPECT_THAT(types, ElementsAre("message.warning", "message.warning", "message.warning", "message.warning", "message.warning",
                                 "message.failed", "message.late_acknowledged"));
  EXPECT_EQ(Json::parse(posted[5].body)["data"]["error"]["code"], "DeliveryFailure");
  EXPECT_TRUE(get("/message-events").json.empty()) << "delivered is processed";
}

TEST_F(WebhookCalls, AnEventThatCannotBeDeliveredIsWarnedOfAndKept) {
  made({{"types", {"message.failed"}}});
  const auto outbound = message(post("/messages", submit_body()).json["id"]);
  commit([&](sql::Transaction& tx) { return emit(tx, outbound, "message.failed"); });
  for (int i = 0; i < 60 && posted.size() < 10; ++i) {
    work([](const WebhookCall&) { return answer(500); });
    if (const auto due = next_due()) clock.at = std::max(clock.at, *due);
  }
  EXPECT_EQ(posted.size(), 10U);
  EXPECT_EQ(trail(outbound.id).back(), "warned");
  EXPECT_EQ(message(outbound.id).state, outbound.state) << "the message itself is not touched";
  EXPECT_EQ(get("/message-events").json.size(), 1U) << "pull stays available";
}

// ADP-109
TEST_F(WebhookCalls, InlinePayloadsComeInBase64UpToTheLimit) {
  made({{"payloadMode", "inline"}});
  receive("stad", "hallo");
  receive("stad", std::string(256 * 1024, 'x'));
  receive("stad", std::string(256 * 1024 + 1, 'x'));
  settle();
  ASSERT_EQ(posted.size(), 3U);
  std::map<std::int64_t, bool> inlined;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto payload = body_of(i)["data"]["payloads"][0];
    inlined[payload["size"]] = payload.contains("data");
    if (payload["size"] == 5) {
      EXPECT_EQ(payload["data"], to_base64("hallo"));
    }
  }
  EXPECT_EQ(inlined, (std::map<std::int64_t, bool>{{5, true}, {256 * 1024, true}, {256 * 1024 + 1, false}}));
}

// ADP-106
TEST_F(WebhookCalls, AfterARotationBothSecretsSignForADay) {
  const auto created = create(Json::object());
  const std::string id = created.json["id"], old_secret = created.json["secret"];
  const auto rotated = post("/webhooks/" + id + "/secrets", Json::object());
  ASSERT_EQ(rotated.status, 201U) << rotated.body;
  const std::string new_secret = rotated.json["secret"];
  EXPECT_NE(new_secret, old_secret);
  EXPECT_FALSE(shown(id).contains("secret"));
  receive();
  settle();
  EXPECT_TRUE(webhook_is_genuine(old_secret, posted[0].headers, posted[0].body, clock.at));
  EXPECT_TRUE(webhook_is_genuine(new_secret, posted[0].headers, posted[0].body, clock.at));
  clock.at += 24h;
  receive();
  settle();
  EXPECT_FALSE(webhook_is_genuine(old_secret, posted[1].headers, posted[1].body, clock.at));
  EXPECT_TRUE(webhook_is_genuine(new_secret, posted[1].headers, posted[1].body, clock.at));
}

// adapter.md 3.3
TEST_F(WebhookCalls, AReplayIsANewCallMarkedAsSuch) {
  made();
  const auto inbound = receive();
  settle();
  ASSERT_EQ(post("/messages/" + inbound.id + "/actions", {{"action", "replay"}, {"reason", "dossier kwijt"}}).status, 202U);
  settle();
  ASSERT_EQ(posted.size(), 2U);
  EXPECT_EQ(body_of(1)["data"]["replay"], true);
  EXPECT_EQ(body_of(1)["data"]["deliveryAttempt"], 2);
  EXPECT_NE(event_id(1), event_id(0)) << "the receiver must not take it for a repetition";
  EXPECT_EQ(message(inbound.id).state, State::processed);
}

TEST_F(WebhookCalls, ALostClaimChangesNothing) {
  made();
  const auto inbound = receive();
  work();
  const auto claimer = lease();
  const auto claimed =
      query<std::vector<exchange::Work>>([&](sql::Transaction& tx) { return exchange::claim_work(tx, claimer, clock.at, 10, 10); });
  ASSERT_EQ(claimed.size(), 1U);
  const auto call = query<std::optional<WebhookCall>>([&](sql::Transaction& tx) { return webhooks->prepare(tx, claimer, claimed[0]); });
  ASSERT_TRUE(call);
  exchange::Claimer stale = claimer;
  stale.epoch -= 1;
  const auto done = database->commit([&](sql::Transaction& tx) { return webhooks->conclude(tx, stale, *call, answer(200)); });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, "work.lost");
  EXPECT_EQ(message(inbound.id).state, State::offered);
}

// --- the resource --------------------------------------------------------------------------------------------------------------------

// ADP-108, adapter.md section 4
TEST_F(WebhookCalls, TargetsAreCheckedAtRegistration) {
  names["inside.example"] = {"8.8.8.8", "10.9.9.9"};
  names["mapped.example"] = {"::ffff:127.0.0.1"};
  names["allowed.example"] = {"10.1.2.3"};
  for (const auto* url : {"http://app.example/",
                          "https://user@app.example/",
                          "https://user:pw@app.example/",
                          "https://app.example:0/",
                          "https://10.9.9.9/",
                          "https://169.254.169.254/latest",
                          "https://0.0.0.0/",
                          "https://[::1]/",
                          "https://[fe80::1]/",
                          "https://[::ffff:169.254.1.1]/",
                          "https://0x7f000001/",
                          "https://2130706433/",
                          "https://0177.0.0.1/",
                          "https://127.1/",
                          "ftp://app.example/",
                          "https://inside.example/",
                          "https://unknown.example/",
                          "https:///x",
                          "app.example",
                          "https://app.example/#part",
                          "https://app.example/ x"}) {
    const auto reply = create({{"url", url}});
    EXPECT_EQ(reply.status, 400U) << url;
    EXPECT_EQ(reply.code(), "webhook.targetRefused") << url << " " << reply.body;
  }
  EXPECT_EQ(create({{"url", "https://allowed.example/"}}).status, 201U) << "listed in webhook.allowedNetworks";
  EXPECT_EQ(create({{"url", "https://127.0.0.1/"}}).status, 201U) << "loopback is listed, and the tenant is a test tenant";
  EXPECT_EQ(create({{"url", "https://mapped.example/"}}).status, 201U);
  stad_environment = "production";
  EXPECT_EQ(create({{"url", "https://127.0.0.1/"}}).code(), "webhook.targetRefused");
  EXPECT_EQ(create({{"url", "https://mapped.example/"}}).code(), "webhook.targetRefused");
  EXPECT_EQ(create({{"url", "https://allowed.example/"}}).status, 201U);
  EXPECT_THAT(webhooks->networks_for("stad"), ElementsAre("10.1.0.0/16"));
}

// ADP-113
TEST_F(WebhookCalls, PlainHttpIsASettingAndGoesWithoutTls) {
  settings.webhook_allow_http = true;
  start();
  const auto reply = create({{"url", "http://app.example/"}});
  ASSERT_EQ(reply.status, 201U) << reply.body;
  EXPECT_EQ(reply.json["tls"], "none");
  EXPECT_EQ(create({{"url", "http://app.example/"}, {"tls", "oneSided"}}).code(), "webhook.targetRefused");
  EXPECT_EQ(create({{"url", "https://app.example/"}, {"tls", "none"}}).code(), "webhook.targetRefused");
  EXPECT_EQ(create({{"url", "https://app.example/"}, {"tls", "twoSided"}}).json["tls"], "twoSided");
}

// REST-038
TEST_F(WebhookCalls, AWrongRegistrationIsToldEveryFault) {
  EXPECT_THAT(post("/webhooks", {{"types", {"message.received", "message.exploded"}},
                                 {"payloadMode", "fat"},
                                 {"filter", {{"fromOin", "1"}, {"colour", "red"}}},
                                 {"visibilitySeconds", 1},
                                 {"secret", "whsec_x"}})
                  .faults(),
              ::testing::UnorderedElementsAre("body /url required", "body /types/1 enum", "body /payloadMode enum",
                                              "body /filter/fromOin oin.invalid", "body /filter/colour unknown",
                                              "body /visibilitySeconds range", "body /secret unknown"));
  EXPECT_THAT(create({{"types", Json::array()}}).faults(), ElementsAre("body /types count"));
}

TEST_F(WebhookCalls, ChangesNeedTheVersion) {
  const auto id = made();
  const auto change = [&](Json body, std::string version) {
    http::Headers headers = {{"Content-Type", "application/merge-patch+json"}};
    if (!version.empty()) headers.set("If-Match", version);
    return send("PATCH", "/api/v1/webhooks/" + id, headers, body.dump(), key);
  };
  EXPECT_EQ(change({{"enabled", false}}, "").status, 428U);
  EXPECT_EQ(change({{"enabled", false}}, "\"9\"").status, 412U);
  const auto before = get("/webhooks/" + id);
  const auto reply = change({{"enabled", false}, {"description", "rust"}}, before.header("ETag"));
  ASSERT_EQ(reply.status, 200U) << reply.body;
  EXPECT_EQ(reply.json["enabled"], false);
  EXPECT_EQ(reply.json["disabledReason"], "operator");
  EXPECT_EQ(reply.header("ETag"), get("/webhooks/" + id).header("ETag"));
  EXPECT_NE(reply.header("ETag"), before.header("ETag"));
  EXPECT_EQ(change({{"url", "https://10.9.9.9/"}}, reply.header("ETag")).code(), "webhook.targetRefused");
  EXPECT_EQ(change({{"owner", "x"}}, reply.header("ETag")).status, 400U);
  EXPECT_EQ(send("DELETE", "/api/v1/webhooks/" + id, {}, "", key).status, 428U);
  EXPECT_EQ(send("DELETE", "/api/v1/webhooks/" + id, {{"If-Match", reply.header("ETag")}}, "", key).status, 204U);
  EXPECT_EQ(get("/webhooks/" + id).status, 404U);
}

// ADP-202, ADP-800: an application sees its own webhooks
TEST_F(WebhookCalls, BelongToTheirMakerAndTheirTenant) {
  const auto id = made();
  const auto colleague = make_key("stad", {"integrator"});
  for (const auto& token : {colleague, other_key}) {
    EXPECT_EQ(send("GET", "/api/v1/webhooks/" + id, {}, "", token).status, 404U);
    EXPECT_EQ(send("GET", "/api/v1/webhooks", {}, "", token).json.size(), 0U);
    EXPECT_EQ(send("DELETE", "/api/v1/webhooks/" + id, {{"If-Match", "*"}}, "", token).status, 404U);
    EXPECT_EQ(send("POST", "/api/v1/webhooks/" + id + "/secrets", {}, "", token).status, 404U);
  }
  EXPECT_EQ(admin_get("/webhooks/" + id).status, 200U);
  EXPECT_EQ(admin_get("/webhooks").json.size(), 1U);
}

TEST_F(WebhookCalls, ATestCallTellsWhatHappened) {
  const auto created = create(Json::object());
  const std::string id = created.json["id"];
  const auto reply = post("/webhooks/" + id + "/_test", Json::object());
  ASSERT_EQ(reply.status, 200U) << reply.body;
  EXPECT_EQ(reply.json["ok"], true);
  EXPECT_EQ(reply.json["status"], 200);
  ASSERT_EQ(posted.size(), 1U);
  EXPECT_EQ(body_of(0)["type"], "webhook.test");
  EXPECT_TRUE(webhook_is_genuine(created.json["secret"].get<std::string>(), posted[0].headers, posted[0].body, clock.at));
  outcome = {0, std::nullopt, "transport.connect", "refused", Duration(1ms)};
  EXPECT_EQ(post("/webhooks/" + id + "/_test", Json::object()).json["error"]["code"], "transport.connect");
}

}  // namespace
}  // namespace schakel::api
