#include "api_fixture.hpp"
#include "exchange/maintenance.hpp"

namespace schakel::api {
namespace {

class Messages : public ApiTest {};

// --- submit ------------------------------------------------------------------------------------------------------------------------

// ADP-009, ADP-103, EB-101, EB-211
TEST_F(Messages, ASubmitIsAcceptedWithItsDescriptor) {
  const auto reply = post("/messages", submit_body());
  ASSERT_EQ(reply.status, 202U) << reply.body;
  const std::string id = reply.json["id"];
  EXPECT_TRUE(is_uuid(id));
  EXPECT_EQ(reply.header("Location"), "/api/v1/messages/" + id);
  EXPECT_EQ(reply.json["tenant"], "stad");
  EXPECT_EQ(reply.json["environment"], "test");
  EXPECT_EQ(reply.json["direction"], "outbound");
  EXPECT_EQ(reply.json["profile"], "osb-rm");
  EXPECT_EQ(reply.json["fromOin"], own_oin);
  EXPECT_EQ(reply.json["toOin"], partner_oin);
  EXPECT_EQ(reply.json["conversationId"], "zaak-2026-0017");
  const std::string message_id = reply.json["messageId"];
  EXPECT_TRUE(is_uuid(message_id.substr(0, 36)) && message_id.substr(36) == "@stad.example") << message_id;
  const auto& payload = reply.json["payloads"][0];
  EXPECT_EQ(payload["size"], 10);
  EXPECT_EQ(payload["sha256"], sha256_hex("<melding/>"));
  EXPECT_EQ(payload["fileName"], "melding.xml");
  EXPECT_EQ(payload["href"], "/api/v1/messages/" + id + "/payloads/0");
  EXPECT_EQ(get("/messages/" + id).json["id"], id);
  EXPECT_EQ(get("/messages/" + id + "/payloads/0").body, "<melding/>");
}

// ADP-002, EB-216: any octets, in memory or as a blob of several chunks
TEST_F(Messages, PayloadsKeepTheirOctets) {
  for (const std::size_t size : {0U, 1U, 1000U, 131'072U, 131'073U, 400'000U}) {
    std::string octets(size, '\0');
    for (std::size_t i = 0; i < size; ++i) octets[i] = static_cast<char>(i * 7 + i / 251);
    auto body = submit_body();
    body["payloads"] = {{{"contentType", "application/octet-stream"}, {"data", to_base64(octets)}}};
    const auto reply = post("/messages", body);
    ASSERT_EQ(reply.status, 202U) << reply.body;
    EXPECT_EQ(get("/messages/" + std::string(reply.json["id"]) + "/payloads/0").body, octets) << size;
  }
}

// REST-038, REST-065, SEC-115
TEST_F(Messages, AWrongSubmitIsToldEveryFaultAtOnce) {
  auto body = submit_body();
  body["unknown"] = 1;
  body["service"] = 5;
  body["timeToLive"] = "PT0S";
  body["notBefore"] = "2026-01-01T10:00:00";
  body["traceparent"] = "00-nonsense";
  body["labels"] = {{"Wrong", "x"}, {"right", 5}};
  body["messageId"] = "no at sign";
  body["payloads"][0]["data"] = "not base64!";
  body["payloads"].push_back({{"data", ""}, {"extra", true}});
  const auto reply = post("/messages", body);
  EXPECT_EQ(reply.status, 400U);
  EXPECT_EQ(reply.code(), "request.invalid");
  EXPECT_THAT(reply.faults(), ::testing::UnorderedElementsAre("body /service type", "body /messageId format", "body /timeToLive range",
                                                              "body /notBefore format", "body /traceparent format",
                                                              "body /labels/Wrong name", "body /labels/right type",
                                                              "body /payloads/0/data format", "body /payloads/1/contentType required",
                                                              "body /payloads/1/extra unknown", "body /unknown unknown"));
}

// adapter.md section 4
TEST_F(Messages, MessageIdsOfApplicationsAreChecked) {
  for (const auto* id : {"a b@x", "<a@x>", "a", "@x", "a@", ""}) {
    auto body = submit_body();
    body["messageId"] = id;
    EXPECT_EQ(post("/messages", body).faults().front().substr(0, 15), "body /messageId") << id;
  }
  auto body = submit_body();
  body["messageId"] = std::string(256, 'a') + "@x";
  EXPECT_THAT(post("/messages", body).faults(), ElementsAre("body /messageId length"));
  body["messageId"] = "zaak-1@stad.example";
  EXPECT_EQ(post("/messages", body).json["messageId"], "zaak-1@stad.example");
}

TEST_F(Messages, ABodyThatIsNotJsonIsRefused) {
  const auto submit = [&](std::string body) {
    return send("POST", "/api/v1/messages", {{"Content-Type", "application/json"}}, std::move(body), key);
  };
  EXPECT_EQ(submit("{\"cpaId\":\"\xff\"}").code(), "request.unsupportedCharset");
  EXPECT_EQ(submit(R"({"cpaId":"a","cpaId":"b"})").faults().front(), "body /cpaId duplicateName");
  EXPECT_EQ(submit("{\"a\":" + std::string(70, '[') + std::string(70, ']') + "}").status, 400U);
  EXPECT_EQ(submit(std::string(1024 * 1024 + 1, ' ')).code(), "request.invalid");
}

// adapter.md section 4
TEST_F(Messages, AWrongOinHasACodeOfItsOwn) {
  auto body = submit_body();
  body["toOin"] = "123";
  const auto reply = post("/messages", body);
  EXPECT_EQ(reply.status, 400U);
  EXPECT_EQ(reply.code(), "oin.invalid");
  EXPECT_THAT(reply.faults(), ElementsAre("body /toOin oin.invalid"));
}

// adapter.md section 4: told to the audit log
TEST_F(Messages, NobodySendsForAnotherTenant) {
  auto body = submit_body();
  body["fromOin"] = strange_oin;
  const auto reply = post("/messages", body);
  EXPECT_EQ(reply.status, 400U);
  EXPECT_EQ(reply.code(), "tenant.mismatch");
  commit([](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(exchange::seal_audit(tx, 100));
    return {};
  });
  const auto records = query<std::vector<std::string>>([](sql::Transaction& tx) { return exchange::audit_events(tx, "stad", 0, 10); });
  ASSERT_EQ(records.size(), 1U);
  EXPECT_THAT(records[0], HasSubstr("tenant.mismatch"));
}

TEST_F(Messages, TheCodesOfTheContractComeThrough) {
  auto body = submit_body();
  body["cpaId"] = "no-such-cpa";
  EXPECT_EQ(post("/messages", body).code(), "contract.unknown");
  body = submit_body();
  body["action"] = "nothing";
  EXPECT_EQ(post("/messages", body).code(), "contract.actionNotAllowed");
  body = submit_body();
  body["timeToLive"] = "P30D";
  EXPECT_EQ(post("/messages", body).status, 400U);
}

// REST-064, REST-053
TEST_F(Messages, OtherMediaTypesAreRefused) {
  const auto submit = [&](http::Headers headers) { return send("POST", "/api/v1/messages", std::move(headers), "{}", key); };
  EXPECT_EQ(submit({{"Content-Type", "text/plain"}}).status, 415U);
  EXPECT_EQ(submit({}).status, 415U);
  EXPECT_EQ(submit({{"Content-Type", "application/json"}, {"Content-Encoding", "gzip"}}).status, 415U);
}

// EB-232
TEST_F(Messages, AnExistingMessageIdIsAConflict) {
  auto body = submit_body();
  body["messageId"] = "zaak-1@stad.example";
  const auto first = post("/messages", body);
  ASSERT_EQ(first.status, 202U);
  const auto again = post("/messages", body);
  EXPECT_EQ(again.status, 409U);
  EXPECT_EQ(again.code(), "message.duplicateId");
  EXPECT_EQ(again.json["id"], first.json["id"]);
  body["cpaId"] = "cpa-2";
  body["toOin"] = own_oin;
  body["action"] = "answer";
  const auto elsewhere = send("POST", "/api/v1/messages", {{"Content-Type", "application/json"}}, body.dump(), other_key);
  EXPECT_EQ(elsewhere.code(), "message.duplicateId");
  EXPECT_FALSE(elsewhere.json.contains("id")) << "another tenant does not learn which message it is";
}

// --- Idempotency-Key (2.1.2) ---------------------------------------------------------------------------------------------------------

// ADP-102
TEST_F(Messages, ARepetitionWithTheSameKeyGivesTheStoredAnswer) {
  const http::Headers headers = {{"Idempotency-Key", "zaak-17"}};
  const auto first = post("/messages", submit_body(), headers);
  ASSERT_EQ(first.status, 202U);
  EXPECT_EQ(first.header("Idempotency-Replayed"), "");
  const auto again = post("/messages", submit_body(), headers);
  EXPECT_EQ(again.status, 202U);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.header("Location"), first.header("Location"));
  EXPECT_EQ(again.header("Idempotency-Replayed"), "true");
  EXPECT_EQ(get("/messages").header("Total-Count"), "1");
}

// ADP-102
TEST_F(Messages, TheSameKeyWithAnotherBodyIsAConflict) {
  const http::Headers headers = {{"Idempotency-Key", "zaak-17"}};
  ASSERT_EQ(post("/messages", submit_body(), headers).status, 202U);
  auto other = submit_body();
  other["conversationId"] = "zaak-18";
  const auto reply = post("/messages", other, headers);
  EXPECT_EQ(reply.status, 409U);
  EXPECT_EQ(reply.code(), "request.idempotencyMismatch");
}

// ADP-102: scope tenant + key
TEST_F(Messages, AKeyBelongsToItsTenant) {
  ASSERT_EQ(post("/messages", submit_body(), {{"Idempotency-Key", "k"}}).status, 202U);
  auto body = submit_body();
  body["cpaId"] = "cpa-2";
  body["toOin"] = own_oin;
  body["action"] = "answer";
  EXPECT_EQ(
      send("POST", "/api/v1/messages", {{"Content-Type", "application/json"}, {"Idempotency-Key", "k"}}, body.dump(), other_key).status,
      202U);
}

// ADP-102
TEST_F(Messages, ARefusedSubmitDoesNotTakeItsKey) {
  auto wrong = submit_body();
  wrong["cpaId"] = "no-such-cpa";
  EXPECT_EQ(post("/messages", wrong, {{"Idempotency-Key", "k"}}).status, 400U);
  EXPECT_EQ(post("/messages", submit_body(), {{"Idempotency-Key", "k"}}).status, 202U);
}

// ADP-102
TEST_F(Messages, TheFirstRequestStillRunningIsToldSo) {
  http::Headers headers = {{"Idempotency-Key", "k"}, {"Content-Type", "application/json"}, {"X-Api-Key", key}};
  // A body that ends only after a second request with the same key was answered.
  class Slow final : public http::BodyReader {
   public:
    Slow(std::string text, std::function<void()> meanwhile) : text_(std::move(text)), meanwhile_(std::move(meanwhile)) {}
    http::Awaitable<Result<std::size_t>> read(std::span<char> buffer) override {
      if (text_.empty()) co_return std::size_t{0};
      meanwhile_();
      const std::size_t count = std::min(buffer.size(), text_.size());
      std::copy_n(text_.data(), count, buffer.data());
      text_.erase(0, count);
      co_return count;
    }

   private:
    std::string text_;
    std::function<void()> meanwhile_;
  };
  Reply second;
  Slow slow(submit_body().dump(), [&] { second = post("/messages", submit_body(), {{"Idempotency-Key", "k"}}); });
  http::Request request;
  request.method = "POST";
  request.target = request.path = "/api/v1/messages";
  request.headers = headers;
  request.body = &slow;
  const auto first = await(finish(api->admin()(request)));
  EXPECT_EQ(first.status, 202U);
  EXPECT_EQ(second.status, 409U);
  EXPECT_EQ(second.code(), "request.inProgress");
  EXPECT_EQ(second.header("Retry-After"), "1");
  EXPECT_EQ(post("/messages", submit_body(), {{"Idempotency-Key", "k"}}).header("Idempotency-Replayed"), "true");
}

// ADP-102, adapter.md acceptance 4: twenty at once make one message
TEST_F(Messages, TwentyAtOnceMakeOneMessage) {
  struct One {
    http::Request request;
    std::unique_ptr<http::StringReader> body;
    std::future<Reply> reply;
  };
  boost::asio::io_context io;
  std::vector<std::unique_ptr<One>> all;
  const auto handler = api->admin();
  for (int i = 0; i < 20; ++i) {
    auto& one = *all.emplace_back(std::make_unique<One>());
    one.body = std::make_unique<http::StringReader>(submit_body().dump());
    one.request.method = "POST";
    one.request.target = one.request.path = "/api/v1/messages";
    one.request.headers = {{"Content-Type", "application/json"}, {"Idempotency-Key", "k"}, {"X-Api-Key", key}};
    one.request.body = one.body.get();
    one.reply = boost::asio::co_spawn(io, finish(handler(one.request)), boost::asio::use_future);
  }
  io.run();
  std::set<std::string> ids;
  for (auto& one : all) {
    const auto reply = one->reply.get();
    if (reply.status == 202U) {
      ids.insert(reply.json.value("id", ""));
    } else {
      EXPECT_EQ(reply.code(), "request.inProgress") << reply.body;
    }
  }
  EXPECT_EQ(ids.size(), 1U);
  EXPECT_EQ(get("/messages").header("Total-Count"), "1");
}

// ADP-102
TEST_F(Messages, AKeyIsVisibleAsciiAndCanBeDemanded) {
  for (const std::string& wrong : {std::string(256, 'k'), std::string("met spatie"), std::string("\xc3\xa9")}) {
    EXPECT_THAT(post("/messages", submit_body(), {{"Idempotency-Key", wrong}}).faults(), ElementsAre("header Idempotency-Key format"));
  }
  EXPECT_EQ(post("/messages", submit_body(), {{"Idempotency-Key", std::string(255, 'k')}}).status, 202U);
  settings.require_idempotency_key = true;
  start();
  const auto reply = post("/messages", submit_body());
  EXPECT_EQ(reply.status, 400U);
  EXPECT_EQ(reply.code(), "request.invalid");
  EXPECT_THAT(reply.faults(), ElementsAre("header Idempotency-Key required"));
}

// --- multipart ---------------------------------------------------------------------------------------------------------------------

class Forms : public Messages {
 protected:
  static std::string part(std::string name, std::string type, const std::string& content, std::string file = "") {
    std::string out =
        "--b1\r\nContent-Disposition: form-data; name=\"" + name + "\"" + (file.empty() ? "" : "; filename=\"" + file + "\"") + "\r\n";
    if (!type.empty()) out += "Content-Type: " + type + "\r\n";
    return out + "\r\n" + content + "\r\n";
  }
  static std::string message_part(const Json& payloads) {
    auto body = submit_body();
    body["payloads"] = payloads;
    return part("message", "application/json", body.dump());
  }
  Reply submit(const std::string& form, http::Headers headers = {}) {
    headers.set("Content-Type", "multipart/form-data; boundary=b1");
    return send("POST", "/api/v1/messages", std::move(headers), form, key);
  }
  std::int64_t blobs() {
    return query<std::int64_t>([](sql::Transaction& tx) -> Result<std::int64_t> {
      SCHAKEL_TRY(const auto rows, tx.query("SELECT count(DISTINCT blob) FROM blob_chunks"));
      return rows[0].integer(0);
    });
  }
};

// ADP-002, EB-216
TEST_F(Forms, PayloadsArriveInOrderWithTypeAndName) {
  const std::string large(3 * 1024 * 1024 + 17, 'x');
  const auto reply = submit(message_part(Json::array({{{"contentType", "application/xml"}}, Json::object(), {{"fileName", "eigen.bin"}}})) +
                            part("payload", "text/plain", "<a/>", "a.xml") + part("payload", "image/png", "") +
                            part("payload", "", large, "b.bin") + "--b1--\r\n");
  ASSERT_EQ(reply.status, 202U) << reply.body;
  const auto& payloads = reply.json["payloads"];
  EXPECT_EQ(payloads[0]["contentType"], "application/xml") << "the descriptor goes before the part";
  EXPECT_EQ(payloads[0]["fileName"], "a.xml");
  EXPECT_EQ(payloads[1]["contentType"], "image/png");
  EXPECT_EQ(payloads[1]["size"], 0);
  EXPECT_EQ(payloads[2]["contentType"], "application/octet-stream");
  EXPECT_EQ(payloads[2]["fileName"], "eigen.bin");
  EXPECT_EQ(payloads[2]["sha256"], sha256_hex(large));
  EXPECT_EQ(get("/messages/" + std::string(reply.json["id"]) + "/payloads/2").body, large);
}

// adapter.md section 4: blobs of a refused form are removed
TEST_F(Forms, AWrongFormLeavesNothingBehind) {
  const std::string large(300'000, 'x');
  const std::vector<std::string> wrong = {
      part("payload", "", "x") + message_part(Json::array({Json::object()})) + "--b1--\r\n",
      message_part(Json::array({Json::object(), Json::object()})) + part("payload", "", large) + "--b1--\r\n",
      message_part(Json::array({Json::object()})) + part("payload", "", large) + part("payload", "", "y") + "--b1--\r\n",
      message_part(Json::array({Json::object()})) + part("other", "", large) + "--b1--\r\n",
      message_part(Json::array({Json::object()})) + part("payload", "", large),
      message_part(Json::array({{{"data", "eA=="}}})) + part("payload", "", "x") + "--b1--\r\n",
      part("message", "application/json", std::string(1024 * 1024 + 1, ' ')) + "--b1--\r\n",
      part("message", "application/json", "{") + "--b1--\r\n",
      "nothing of a form"};
  for (const auto& form : wrong) {
    const auto reply = submit(form);
    EXPECT_EQ(reply.status, 400U) << form.substr(0, 80) << reply.body;
    EXPECT_EQ(blobs(), 0) << form.substr(0, 80);
  }
}

TEST_F(Forms, ABodyThatBreaksOffLeavesNothingBehind) {
  class Broken final : public http::BodyReader {
   public:
    explicit Broken(std::string text) : text_(std::move(text)) {}
    http::Awaitable<Result<std::size_t>> read(std::span<char> buffer) override {
      if (text_.empty()) co_return fail("http.bodyTruncated", "the client is gone");
      const std::size_t count = std::min(buffer.size(), text_.size());
      std::copy_n(text_.data(), count, buffer.data());
      text_.erase(0, count);
      co_return count;
    }

   private:
    std::string text_;
  };
  Broken body(message_part(Json::array({Json::object()})) + part("payload", "", std::string(3'000'000, 'x')).substr(0, 2'900'000));
  http::Request request;
  request.method = "POST";
  request.target = request.path = "/api/v1/messages";
  request.headers = {{"Content-Type", "multipart/form-data; boundary=b1"}, {"X-Api-Key", key}};
  request.body = &body;
  EXPECT_EQ(await(finish(api->admin()(request))).status, 400U);
  EXPECT_EQ(blobs(), 0);
  EXPECT_EQ(get("/messages").header("Total-Count"), "0");
}

// README section 15: API submit 64 MiB; here with a smaller bound
TEST_F(Forms, MoreThanTheLimitIsTooLarge) {
  settings.message_bytes_max = 200'000;
  start();
  const auto submit_two = [&](std::size_t second) {
    return submit(message_part(Json::array({Json::object(), Json::object()})) + part("payload", "", std::string(150'000, 'x')) +
                  part("payload", "", std::string(second, 'y')) + "--b1--\r\n");
  };
  EXPECT_EQ(submit_two(50'000).status, 202U);
  const auto before = blobs();
  const auto reply = submit_two(50'001);
  EXPECT_EQ(reply.status, 413U);
  EXPECT_EQ(reply.code(), "message.tooLarge");
  EXPECT_EQ(blobs(), before);
}

// ADP-102: clients draw a new boundary for every attempt
TEST_F(Forms, ARepetitionIsComparedByItsPartsNotByItsBoundary) {
  const std::string large(300'000, 'x');
  const std::string form = message_part(Json::array({Json::object()})) + part("payload", "text/plain", large) + "--b1--\r\n";
  ASSERT_EQ(submit(form, {{"Idempotency-Key", "k"}}).status, 202U);
  const auto before = blobs();
  std::string other = form;
  for (std::size_t at = 0; (at = other.find("--b1", at)) != std::string::npos; at += 4) other.replace(at, 4, "--c2");
  const auto again =
      send("POST", "/api/v1/messages", {{"Content-Type", "multipart/form-data; boundary=c2"}, {"Idempotency-Key", "k"}}, other, key);
  EXPECT_EQ(again.header("Idempotency-Replayed"), "true") << again.body;
  EXPECT_EQ(blobs(), before);
  std::string changed = form;
  changed[form.find("xxxxx")] = 'y';
  EXPECT_EQ(submit(changed, {{"Idempotency-Key", "k"}}).code(), "request.idempotencyMismatch");
}

// --- reading -----------------------------------------------------------------------------------------------------------------------

// REST-068
TEST_F(Messages, AreSearchedPageByPage) {
  for (int i = 0; i < 3; ++i) {
    clock.at += 1s;
    ASSERT_EQ(post("/messages", submit_body()).status, 202U);
  }
  receive();
  EXPECT_EQ(get("/messages").json.size(), 4U);
  const auto page = get("/messages?direction=outbound&perPage=2&page=2&sort=createdAt");
  EXPECT_EQ(page.json.size(), 1U);
  EXPECT_EQ(page.header("Total-Count"), "3");
  EXPECT_EQ(page.header("Total-Pages"), "2");
  EXPECT_THAT(page.header("Link"), HasSubstr("direction=outbound"));
  EXPECT_EQ(get("/messages?state=RECEIVED,OFFERED").json.size(), 1U);
  EXPECT_EQ(get("/messages?action=answer").json.size(), 1U);
  EXPECT_EQ(get("/messages?receivedFrom=2027-01-01T00:00:00Z").json.size(), 0U);
}

// REST-038
TEST_F(Messages, ASearchIsToldEveryFaultAtOnce) {
  const auto reply = get("/messages?perPage=0&page=1e3&state=NOPE&direction=up&unknown=1&cpaId=a&cpaId=b&receivedFrom=today&sort=size");
  EXPECT_EQ(reply.status, 400U);
  EXPECT_THAT(reply.faults(), ::testing::UnorderedElementsAre("query perPage range", "query page range", "query state enum",
                                                              "query direction enum", "query unknown unknown", "query cpaId repeated",
                                                              "query receivedFrom format", "query sort enum"));
}

// ADP-202
TEST_F(Messages, OfAnotherTenantLookLikeNothing) {
  const auto foreign = receive("dorp");
  const auto unknown = get("/messages/0199a1b2-7c3d-7e11-9abc-0123456789ab");
  for (const std::string path : {"", "/events", "/payloads/0"}) {
    const auto reply = get("/messages/" + foreign.id + path);
    EXPECT_EQ(reply.status, 404U) << path;
    EXPECT_EQ(reply.body, unknown.body) << path;
  }
  EXPECT_EQ(get("/messages/no-uuid").body, unknown.body);
  EXPECT_EQ(post("/messages/" + foreign.id + "/acknowledgement", {{"result", "processed"}}).body, unknown.body);
  EXPECT_EQ(post("/messages/" + foreign.id + "/actions", {{"action", "markProcessed"}, {"reason", "test"}}).body, unknown.body);
  EXPECT_EQ(get("/messages").header("Total-Count"), "0");
  EXPECT_EQ(message(foreign.id, "dorp").state, exchange::State::received);
}

TEST_F(Messages, TheTrailIsShown) {
  const auto sent = post("/messages", submit_body());
  const auto trail_reply = get("/messages/" + std::string(sent.json["id"]) + "/events");
  ASSERT_EQ(trail_reply.status, 200U);
  ASSERT_FALSE(trail_reply.json.empty());
  EXPECT_EQ(trail_reply.json[0]["type"], "submitted");
  EXPECT_EQ(trail_reply.json[0]["tenant"], "stad");
}

// --- payload download ----------------------------------------------------------------------------------------------------------------

TEST_F(Messages, APayloadIsDownloadedWithItsDigestAndNeverShown) {
  const auto inbound = receive("stad", "hallo wereld");
  const auto reply = get("/messages/" + inbound.id + "/payloads/0");
  EXPECT_EQ(reply.status, 200U);
  EXPECT_EQ(reply.body, "hallo wereld");
  EXPECT_EQ(reply.header("Content-Type"), "text/plain");
  EXPECT_EQ(reply.header("Repr-Digest"), "sha-256=:" + to_base64(sha256("hallo wereld")) + ":");
  EXPECT_EQ(reply.header("Content-Disposition"), "attachment; filename=\"brief __n.txt\"; filename*=UTF-8''brief%20%C3%A9%C3%A9n.txt");
  EXPECT_EQ(reply.header("X-Content-Type-Options"), "nosniff");
  EXPECT_THAT(trail(inbound.id), ::testing::Contains("payloadViewed"));
}

TEST_F(Messages, ARangeOfAPayloadIsDownloaded) {
  std::string octets(300'000, '\0');
  for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = static_cast<char>(i / 1000);
  const auto inbound = receive("stad", octets);
  const auto range = [&](std::string text) {
    return send("GET", "/api/v1/messages/" + inbound.id + "/payloads/0", {{"Range", std::move(text)}}, "", key);
  };
  const auto middle = range("bytes=131000-262200");
  EXPECT_EQ(middle.status, 206U);
  EXPECT_EQ(middle.body, octets.substr(131000, 131201));
  EXPECT_EQ(middle.header("Content-Range"), "bytes 131000-262200/300000");
  EXPECT_EQ(range("bytes=299990-").body, octets.substr(299990));
  EXPECT_EQ(range("bytes=-5").body, octets.substr(299995));
  EXPECT_EQ(range("bytes=-999999").body, octets);
  EXPECT_EQ(range("bytes=299999-999999").body.size(), 1U);
  for (const auto* wrong : {"bytes=5-2", "bytes=300000-", "bytes=-0"}) {
    const auto reply = range(wrong);
    EXPECT_EQ(reply.status, 416U) << wrong;
    EXPECT_EQ(reply.header("Content-Range"), "bytes */300000") << wrong;
  }
  for (const auto* whole : {"bytes=0-1,5-6", "lines=1-2", "bytes=a-b", "bytes=-", "bytes"}) {
    EXPECT_EQ(range(whole).status, 200U) << whole;
  }
}

TEST_F(Messages, AnEmptyPayloadIsDownloaded) {
  const auto inbound = receive("stad", "");
  const auto reply = get("/messages/" + inbound.id + "/payloads/0");
  EXPECT_EQ(reply.status, 200U);
  EXPECT_EQ(reply.body, "");
}

TEST_F(Messages, HeadTellsAboutAPayloadWithoutLookingAtIt) {
  const auto inbound = receive("stad", "hallo");
  const auto reply = send("HEAD", "/api/v1/messages/" + inbound.id + "/payloads/0", {}, "", key);
  EXPECT_EQ(reply.status, 200U);
  EXPECT_EQ(reply.header("Content-Length"), "5");
  EXPECT_TRUE(trail(inbound.id).empty());
}

TEST_F(Messages, APurgedPayloadIsGone) {
  const auto inbound = receive();
  commit([&](sql::Transaction& tx) { return exchange::purge_payloads(tx, inbound.id); });
  const auto reply = get("/messages/" + inbound.id + "/payloads/0");
  EXPECT_EQ(reply.status, 410U);
  EXPECT_EQ(reply.code(), "payload.purged");
  EXPECT_EQ(get("/messages/" + inbound.id).json["payloads"][0]["purged"], true);
  EXPECT_EQ(get("/messages/" + inbound.id + "/payloads/7").status, 404U);
  EXPECT_EQ(get("/messages/" + inbound.id + "/payloads/x").status, 404U);
}

// ADP-800, adapter.md 2.9: payload.read is in no role
TEST_F(Messages, ReadingAPayloadNeedsARightOfItsOwn) {
  const auto inbound = receive();
  const auto reply = send("GET", "/api/v1/messages/" + inbound.id + "/payloads/0", {}, "", admin_key);
  EXPECT_EQ(reply.status, 403U);
  EXPECT_EQ(reply.code(), "auth.forbidden");
  EXPECT_TRUE(trail(inbound.id).empty());
}

// --- acknowledgement -----------------------------------------------------------------------------------------------------------------

// ADP-105, EB-210
TEST_F(Messages, TheApplicationConfirmsOrRejects) {
  const auto first = receive(), second = receive();
  EXPECT_EQ(post("/messages/" + first.id + "/acknowledgement", {{"result", "processed"}}).status, 204U);
  EXPECT_EQ(message(first.id).state, exchange::State::processed);
  EXPECT_TRUE(message(first.id).final_at);
  EXPECT_THAT(trail(first.id), ElementsAre("confirmed"));
  EXPECT_EQ(
      post("/messages/" + second.id + "/acknowledgement", {{"result", "rejected"}, {"code", "onbekend"}, {"detail", "geen zaak"}}).status,
      204U);
  EXPECT_EQ(message(second.id).state, exchange::State::rejected);
  EXPECT_EQ(get("/messages/" + second.id).json["lastError"]["code"], "onbekend");
  EXPECT_THAT(trail(second.id), ElementsAre("rejectedByApplication"));
}

// adapter.md section 4
TEST_F(Messages, ASecondAcknowledgementWithAnotherResultIsAConflict) {
  const auto inbound = receive();
  const std::string path = "/messages/" + inbound.id + "/acknowledgement";
  EXPECT_EQ(post(path, {{"result", "processed"}}).status, 204U);
  EXPECT_EQ(post(path, {{"result", "processed"}}).status, 204U);
  const auto reply = post(path, {{"result", "rejected"}, {"code", "x"}});
  EXPECT_EQ(reply.status, 409U);
  EXPECT_EQ(reply.code(), "state.conflict");
  EXPECT_THAT(trail(inbound.id), ElementsAre("confirmed"));
  const auto outbound = post("/messages", submit_body());
  EXPECT_EQ(post("/messages/" + std::string(outbound.json["id"]) + "/acknowledgement", {{"result", "processed"}}).status, 409U);
}

TEST_F(Messages, AWrongAcknowledgementIsRefused) {
  const auto inbound = receive();
  const std::string path = "/messages/" + inbound.id + "/acknowledgement";
  EXPECT_THAT(post(path, {{"result", "maybe"}, {"extra", 1}}).faults(), ElementsAre("body /result enum", "body /extra unknown"));
  EXPECT_THAT(post(path, Json::object()).faults(), ElementsAre("body /result required"));
  EXPECT_THAT(post(path, Json::array()).faults(), ElementsAre("body  type"));
  EXPECT_EQ(send("POST", "/api/v1" + path, {{"Content-Type", "application/json"}}, "", key).status, 400U);
}

// --- operator actions ----------------------------------------------------------------------------------------------------------------

// ADP-701
TEST_F(Messages, AnActionNeedsAReasonAndIsAudited) {
  const auto sent = post("/messages", submit_body());
  const std::string path = "/messages/" + std::string(sent.json["id"]) + "/actions";
  EXPECT_THAT(post(path, {{"action", "cancel"}}).faults(), ElementsAre("body /reason required"));
  EXPECT_THAT(post(path, {{"action", "cancel"}, {"reason", "ab"}}).faults(), ElementsAre("body /reason length"));
  EXPECT_THAT(post(path, {{"action", "explode"}, {"reason", "abc"}, {"parameters", {{"x", 1}}}}).faults(),
              ElementsAre("body /action enum", "body /parameters/x unknown"));
  const auto reply = post(path, {{"action", "cancel"}, {"reason", "vergissing"}});
  ASSERT_EQ(reply.status, 202U) << reply.body;
  EXPECT_EQ(reply.json["state"], "CANCELLED");
  EXPECT_EQ(post(path, {{"action", "cancel"}, {"reason", "nog eens"}}).code(), "state.conflict");
  commit([](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(exchange::seal_audit(tx, 100));
    return {};
  });
  const auto audit = admin_get("/audit-events");
  ASSERT_EQ(audit.status, 200U);
  EXPECT_EQ(audit.json["events"][0]["action"], "message.cancel");
  EXPECT_EQ(audit.json["events"][0]["after"]["state"], "CANCELLED");
}

// ADP-702
TEST_F(Messages, AResendIsANewMessageThatNamesItsOriginal) {
  const auto sent = post("/messages", submit_body());
  const std::string id = sent.json["id"];
  ASSERT_EQ(post("/messages/" + id + "/actions", {{"action", "cancel"}, {"reason", "vergissing"}}).status, 202U);
  const auto reply = post("/messages/" + id + "/actions", {{"action", "resend"}, {"reason", "toch wel"}});
  ASSERT_EQ(reply.status, 202U) << reply.body;
  const std::string copy = reply.json["copy"];
  EXPECT_EQ(reply.header("Location"), "/api/v1/messages/" + copy);
  const auto shown = get("/messages/" + copy);
  EXPECT_EQ(shown.json["copyOf"], id);
  EXPECT_NE(shown.json["messageId"], sent.json["messageId"]);
}

// ADP-701, adapter.md 3.3: each action, with its permission, reason, trail event and audit record
TEST_F(Messages, EveryActionOfAnOperatorIsToldWithItsReason) {
  using exchange::State;
  const auto in_state = [&](State state, bool inbound) {
    auto chosen = inbound ? receive() : message(post("/messages", submit_body()).json.value("id", ""));
    chosen.state = state;
    if (exchange::is_final(state)) chosen.final_at = clock.at;
    commit([&](sql::Transaction& tx) { return exchange::update_message(tx, chosen); });
    return chosen.id;
  };
  struct Case {
    const char* action;
    State from;
    bool inbound;
    const char* to;
    const char* trail;
  };
  const Case cases[] = {{"retryNow", State::sent, false, "QUEUED", "queued"},
                        {"resend", State::failed, false, "FAILED", "resent"},
                        {"cancel", State::queued, false, "CANCELLED", "cancelled"},
                        {"release", State::held, false, "QUEUED", "released"},
                        {"replay", State::processed, true, "PROCESSED", "replayed"},
                        {"requeue", State::dead, true, "RECEIVED", "requeued"},
                        {"markProcessed", State::dead, true, "PROCESSED", "markedProcessed"},
                        {"purgePayload", State::expired, false, "EXPIRED", "payloadPurged"}};
  for (const auto& one : cases) {
    const auto id = in_state(one.from, one.inbound);
    const auto reply = post("/messages/" + id + "/actions", {{"action", one.action}, {"reason", "omdat het moet"}});
    ASSERT_EQ(reply.status, 202U) << one.action << reply.body;
    EXPECT_EQ(get("/messages/" + id).json["state"], one.to) << one.action;
    const auto last = get("/messages/" + id + "/events").json.back();
    EXPECT_EQ(last["type"], one.trail);
    EXPECT_EQ(last["detail"], "omdat het moet") << one.action;
    EXPECT_THAT(last["actor"].get<std::string>(), ::testing::StartsWith("apiKey:")) << one.action;
    EXPECT_THAT(audited(), ::testing::Contains("message." + std::string(one.action) + " " + id));
    const auto viewer = make_key("stad", {"viewer"});
    const auto refused = send("POST", api_path("/messages/" + id + "/actions"), {{"Content-Type", "application/json"}},
                              Json{{"action", one.action}, {"reason", "mag niet"}}.dump(), viewer);
    EXPECT_EQ(refused.status, 403U) << one.action;
  }
}

// ADP-701, EB-214: a message that is marked processed waits nowhere any more
TEST_F(Messages, WhatAnOperatorMarksProcessedIsProcessed) {
  const auto inbound = receive();
  settle();
  ASSERT_EQ(get("/message-events").json.size(), 1U);
  const auto reply = post("/messages/" + inbound.id + "/actions", {{"action", "markProcessed"}, {"reason", "met de hand verwerkt"}});
  ASSERT_EQ(reply.status, 202U) << reply.body;
  EXPECT_EQ(get("/messages/" + inbound.id).json["state"], "PROCESSED");
  EXPECT_EQ(get("/message-events").json, Json::array());
  EXPECT_EQ(get("/queues/default/messages").json["messages"], Json::array());
  const auto events = get("/messages/" + inbound.id + "/events").json;
  EXPECT_EQ(events.back()["type"], "markedProcessed");
  EXPECT_EQ(events.back()["detail"], "met de hand verwerkt");
}

// --- the whole way -------------------------------------------------------------------------------------------------------------------

// ADP-005: the caller sees what the contract gives
TEST_F(Messages, TellWhatTheirContractGives) {
  load_contracts({agreement("cpa-1", cpa::Profile::osb_rm).loaded("stad", 0), agreement("cpa-be", cpa::Profile::osb_be).loaded("stad", 0)});
  const auto reliable = post("/messages", submit_body());
  EXPECT_EQ(reliable.json["profile"], "osb-rm");
  EXPECT_EQ(reliable.json["protocol"], "ebms");
  EXPECT_EQ(reliable.json["pattern"], "oneWay");
  EXPECT_TRUE(reliable.json.contains("expiresAt"));
  auto body = submit_body();
  body["cpaId"] = "cpa-be";
  EXPECT_EQ(post("/messages", body).json["profile"], "osb-be");
}

// ADP-006, EB-112: what was acknowledged to the partner stays until the application has confirmed it, however long that takes
TEST_F(Messages, StayUntilTheApplicationHasConfirmed) {
  const auto inbound = receive("stad", "blijft");
  work();
  clock.at += 24h * 365 * 3;
  const auto purge = [&] {
    commit([&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(exchange::purge_expired_payloads(tx, "stad", "a", {}, clock.at, 100));
      SCHAKEL_CHECK(exchange::purge_messages(tx, "stad", {}, clock.at, 100));
      SCHAKEL_CHECK(exchange::purge_orphans(tx, clock.at));
      return {};
    });
  };
  purge();
  EXPECT_EQ(get("/messages/" + inbound.id + "/payloads/0").body, "blijft");
  ASSERT_EQ(post("/messages/" + inbound.id + "/acknowledgement", {{"result", "processed"}}).status, 204U);
  clock.at += 24h * 8;
  purge();
  EXPECT_EQ(get("/messages/" + inbound.id + "/payloads/0").status, 410U);
}

// ADP-506: the trace is kept and shown, and ebMS adds no header for it
TEST_F(Messages, ATraceIsKeptAndNotPutOnAnEbmsLeg) {
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  auto body = submit_body();
  body["traceparent"] = trace;
  const std::string id = post("/messages", body).json.value("id", "");
  EXPECT_EQ(get("/messages/" + id).json["traceparent"], trace);
  const auto claimer = lease();
  const auto rows =
      query<std::vector<exchange::Work>>([&](sql::Transaction& tx) { return exchange::claim_work(tx, claimer, clock.at, 64, 64); });
  const auto row = std::find_if(rows.begin(), rows.end(), [](const auto& one) { return one.kind == "ebms.send"; });
  ASSERT_NE(row, rows.end());
  const auto attempt = query<std::optional<ebms::Attempt>>([&](sql::Transaction& tx) { return msh->prepare(tx, claimer, *row); });
  ASSERT_TRUE(attempt);
  for (const auto& [name, value] : attempt->headers) {
    EXPECT_NE(to_lower(name), "traceparent");
    EXPECT_NE(to_lower(name), "tracestate");
  }
  for (const auto& piece : attempt->body) EXPECT_EQ(piece.octets.find("0af7651916cd43dd"), std::string::npos);
}

// ADP-500, ADP-509: the trail says what happened, with no content and no person
TEST_F(Messages, TheTrailHoldsNoContentAndNoNames) {
  const std::string named =
      make_key("stad", {"integrator", "tenant-operator"}, {"payload.read"}, [](ApiKey& made) { made.name = "Jan Jansen"; });
  auto body = submit_body();
  body["payloads"][0]["data"] = to_base64("burgerservicenummer 999990019");
  const auto sent = send("POST", "/api/v1/messages", {{"Content-Type", "application/json"}}, body.dump(), named);
  const std::string id = sent.json.value("id", "");
  ASSERT_EQ(send("GET", "/api/v1/messages/" + id + "/payloads/0", {}, "", named).status, 200U);
  ASSERT_EQ(send("POST", "/api/v1/messages/" + id + "/actions", {{"Content-Type", "application/json"}},
                 R"({"action":"cancel","reason":"vergissing"})", named)
                .status,
            202U);
  const auto trail_reply = get("/messages/" + id + "/events");
  std::vector<std::string> types;
  for (const auto& event : trail_reply.json) {
    types.push_back(event["type"]);
    EXPECT_FALSE(event["at"].get<std::string>().empty());
    EXPECT_FALSE(event["node"].get<std::string>().empty());
  }
  EXPECT_THAT(types, ::testing::IsSupersetOf({"submitted", "queued", "payloadViewed", "cancelled"}));
  for (const auto* hidden : {"999990019", "Jansen"}) {
    EXPECT_EQ(trail_reply.body.find(hidden), std::string::npos) << hidden;
    for (const auto& record : audit_log()) EXPECT_EQ(record.dump().find(hidden), std::string::npos) << hidden;
  }
}

// ADP-703: the dead letters of a tenant with code, last failure and attempts, and what may be done with all of them
TEST_F(Messages, DeadLettersAreListedAndRequeuedTogether) {
  ASSERT_EQ(post("/webhooks", {{"url", "https://app.example/hook"}, {"types", {"message.received"}}}).status, 201U);
  const auto first = receive(), second = receive();
  receive("dorp");
  outcome = {500, std::nullopt, "", "", Duration(5ms)};
  for (int i = 0; i < 400 && get("/messages?state=DEAD").json.size() < 2; ++i) {
    const auto due = next_due();
    if (due && *due > clock.at) clock.at = *due;
    work();
  }
  settle();
  const auto dead = get("/messages?state=DEAD");
  ASSERT_EQ(dead.header("Total-Count"), "2") << dead.body;
  for (const auto& letter : dead.json) {
    EXPECT_EQ(letter["lastError"]["code"], "webhook.500") << letter;
    EXPECT_FALSE(letter["lastError"]["at"].get<std::string>().empty());
    EXPECT_EQ(letter["deliveryAttempt"], 10);
  }
  EXPECT_THAT(trail(second.id), ::testing::Contains("deadLettered"));
  const auto preview = post("/message-actions",
                            {{"filter", {{"state", "DEAD"}}}, {"action", "requeue"}, {"reason", "toepassing hersteld"}, {"dryRun", true}});
  EXPECT_EQ(preview.json["total"], 2);
}

}  // namespace
}  // namespace schakel::api
