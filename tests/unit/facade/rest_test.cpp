// The REST form of the facade: every row of ebms.md 2.10, and the samples of ebms-core (A28).
#include <fstream>

#include "api/confirmation.hpp"
#include "facade_fixture.hpp"
#include "http/multipart.hpp"

namespace schakel::facade {
namespace {

class FacadeRest : public FacadeTest {
 protected:
  std::string ids(const std::string& query = "") { return rest("GET", "/messages/unprocessed" + query).body; }
  std::string events(const std::string& query = "") { return rest("GET", "/events/unprocessed" + query).body; }
};

// --- the samples -------------------------------------------------------------------------------------------------------------------

struct Sample {
  std::string name, method, target, content_type, body;
};

// The requests below /ebms of the samples file: "### name", request line, headers, an empty line, body.
std::vector<Sample> samples() {
  std::ifstream file(std::string(SCHAKEL_SOURCE_DIR) + "/../shared/standards/ebms/api/ebms-core-samples.rest");
  std::vector<Sample> out;
  std::string line;
  enum { request_line, headers, body } place = body;
  while (std::getline(file, line)) {
    if (line.starts_with("### ")) {
      out.push_back({line.substr(4), "", "", "", ""});
      place = request_line;
    } else if (place == request_line && !line.empty()) {
      out.back().method = line.substr(0, line.find(' '));
      out.back().target = line.substr(std::min(line.find("/service"), line.size()));
      place = headers;
    } else if (place == headers) {
      if (line.empty()) place = body;
      if (line.starts_with("Content-Type: ")) out.back().content_type = line.substr(14);
    } else if (place == body && !out.empty()) {
      out.back().body += line + "\r\n";
    }
  }
  std::erase_if(out, [](const Sample& sample) { return !sample.target.starts_with("/service/rest/v19/ebms/"); });
  return out;
}

// EB-210, EB-212: A28
TEST_F(FacadeRest, EverySampleOfEbmsCoreSucceeds) {
  const auto all = samples();
  if (all.empty()) GTEST_SKIP() << "the samples of ebms-core are not beside the repository (../shared/standards)";
  std::vector<std::string> done;
  std::string last_sent;
  for (const auto& sample : all) {
    std::string target = sample.target;
    const bool about_sent = sample.name == "resendMessage" || sample.name == "getMessageStatus";
    if (const auto mark = target.find('?'); mark != std::string::npos)
      target.replace(mark, 1, about_sent ? last_sent : received().message_id);
    if (sample.name == "ping") partner_answers("");
    if (sample.name == "getMessageStatus") partner_answers("Received");
    const bool has_body = sample.name.starts_with("sendMessage");
    const auto reply = ask(sample.method, target, has_body ? sample.body : "", sample.content_type);
    meanwhile = nullptr;
    const bool without_content = sample.method == "PATCH" || sample.name == "ping";
    EXPECT_EQ(reply.status, without_content ? 204U : 200U) << sample.name << ": " << reply.body;
    if (has_body) {
      last_sent = reply.body;
      EXPECT_EQ(outbound(last_sent).service, "osb:afleveren:1.1$1.0") << sample.name;
    }
    done.push_back(sample.name);
  }
  EXPECT_THAT(
      done, ElementsAre("ping", "sendMessage", "sendMessage", "sendMessageMTOM", "resendMessage", "getUnprocessedMessageIds", "getMessage",
                        "getMessageMTOM", "processMessage", "getMessageStatus", "getUnprocessedMessageEvents", "processMessageEvent"));
  const auto with_two = payloads(outbound(last_sent).id);
  ASSERT_EQ(with_two.size(), 2U) << "of sendMessageMTOM, whose parts are in base64";
  EXPECT_EQ(octets(with_two[0]) + octets(with_two[1]), "Sample message.Sample message.");
}

// --- sendMessage -------------------------------------------------------------------------------------------------------------------

// EB-210, EB-211
TEST_F(FacadeRest, AMessageIsSentAsItsPropertiesSay) {
  const auto wanted = Json{{"conversationId", "zaak 7"}, {"messageId", "mijn-id@stad.example"}};
  const auto id = sent(wanted, {data_source("Sample message."), data_source(binary(300'000), "groot.bin")});
  EXPECT_EQ(id, "mijn-id@stad.example");
  const auto message = outbound(id);
  EXPECT_EQ(message.tenant, "stad");
  EXPECT_EQ(message.cpa_id, sample_cpa);
  EXPECT_EQ(message.from.party_id + " " + message.from.role, std::string(digipoort) + " DIGIPOORT");
  EXPECT_EQ(message.to.party_id + " " + message.to.role, std::string(overheid) + " OVERHEID");
  EXPECT_EQ(message.service_type + " " + message.service, "urn:osb:services osb:afleveren:1.1$1.0");
  EXPECT_EQ(message.action, "afleveren");
  EXPECT_EQ(message.conversation_id, "zaak 7");
  const auto parts = payloads(message.id);
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].file_name + " " + parts[0].content_type, "test.txt text/plain");
  EXPECT_EQ(octets(parts[0]), "Sample message.");
  EXPECT_EQ(octets(parts[1]), binary(300'000)) << "EB-216";
}

TEST_F(FacadeRest, WhatIsOptionalMayBeAbsentOrNull) {
  auto wanted = properties();
  wanted.erase("toRole");
  wanted["toPartyId"] = nullptr;
  wanted["conversationId"] = nullptr;
  const auto reply = rest("POST", "/messages", {{"properties", wanted}, {"dataSources", nullptr}});
  EXPECT_EQ(reply.status, 200U) << reply.body;
  EXPECT_EQ(reply.header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(outbound(reply.body).to.role, "OVERHEID");
}

// EB-067
TEST_F(FacadeRest, AnIdWithoutHostGetsOurs) {
  EXPECT_EQ(sent({{"messageId", "kaal"}}), "kaal@stad.example");
}

// EB-211: 4xx with a precise reason
TEST_F(FacadeRest, AWrongMessageIsRefusedWithItsReason) {
  const auto refused = [&](const Json& changes, const Json& sources = Json::array()) {
    auto wanted = properties();
    wanted.update(changes);
    const auto reply = rest("POST", "/messages", {{"properties", wanted}, {"dataSources", sources}});
    EXPECT_EQ(reply.status, 400U) << changes << reply.body;
    EXPECT_EQ(reply.header("Content-Type"), "text/plain; charset=utf-8");
    return reply.body;
  };
  EXPECT_THAT(refused({{"cpaId", nullptr}, {"action", 5}}),
              ::testing::AllOf(HasSubstr("/properties/cpaId"), HasSubstr("/properties/action")));
  EXPECT_THAT(refused({{"unknown", "x"}}), HasSubstr("/properties/unknown"));
  EXPECT_THAT(refused({{"cpaId", "nergens"}}), HasSubstr("no contract"));
  EXPECT_THAT(refused({{"action", "nergens"}}), HasSubstr("lets this party send"));
  EXPECT_THAT(refused({{"service", "urn:osb:services:nergens"}}), HasSubstr("lets this party send"));
  EXPECT_THAT(refused({{"fromPartyId", to_party}}), HasSubstr("lets this party send")) << "the partner's name is not ours to send under";
  EXPECT_THAT(refused({{"messageId", "a b@c"}}), HasSubstr("messageId"));
  EXPECT_THAT(refused({{"refToMessageId", "onbekend@x"}}), HasSubstr("refToMessageId"));
  EXPECT_THAT(refused(Json::object(), {{{"name", "a"}, {"contentType", "text/plain"}, {"content", "geen base64!"}}}),
              HasSubstr("/dataSources/0/content"));
  EXPECT_THAT(refused(Json::object(), {{{"name", "a"}, {"contentType", "text/plain"}}}), HasSubstr("/dataSources/0/content"));
  EXPECT_THAT(refused(Json::object(), {{{"name", "a"}, {"content", ""}}}), HasSubstr("/dataSources/0/contentType"));
  sent({{"messageId", "een@stad.example"}});
  EXPECT_THAT(refused({{"messageId", "een@stad.example"}}), HasSubstr("al gebruikt"));
}

TEST_F(FacadeRest, ABodyThatIsNoMessageIsRefused) {
  const std::string target = "/service/rest/v19/ebms/messages";
  EXPECT_EQ(ask("POST", target, "[1]", "application/json").status, 400U);
  EXPECT_EQ(ask("POST", target, "{", "application/json").status, 400U);
  EXPECT_EQ(ask("POST", target, "{}", "application/xml").status, 415U);
  EXPECT_EQ(ask("POST", target, R"({"properties":{"cpaId":"a","cpaId":"b"}})", "application/json").status, 400U);
  EXPECT_EQ(ask("POST", target + "/mtom", "x", "application/json").status, 415U);
}

// README section 15: the payloads of a message are bounded, and so is what stands in base64 in memory
TEST_F(FacadeRest, WhatIsTooLargeIsRefused) {
  settings.message_bytes_max = 100'000;
  start();
  start_facade();
  const Json body{{"properties", properties()}, {"dataSources", {data_source(binary(80'000))}}};
  EXPECT_EQ(rest("POST", "/messages", body).status, 413U) << "its base64 is larger than 100,000 octets";
  const std::string form = "--b\r\nContent-Disposition: form-data; name=\"requestProperties\"\r\n\r\n" + properties().dump() +
                           "\r\n--b\r\nContent-Disposition: form-data; name=\"attachment\"\r\n\r\n" + binary(100'001) + "\r\n--b--\r\n";
  EXPECT_EQ(ask("POST", "/service/rest/v19/ebms/messages/mtom", form, "multipart/form-data; boundary=b").status, 413U);
}

// EB-216: streamed, kept octet for octet
TEST_F(FacadeRest, AFormSendsItsAttachments) {
  const auto attachment = [](const std::string& headers, const std::string& octets) {
    return "\r\n--b=1\r\nContent-Disposition: form-data; name=\"attachment\"" + headers + "\r\n\r\n" + octets;
  };
  const auto large = binary(700'000);
  const std::string body = "--b=1\r\nContent-Disposition: form-data; name=\"requestProperties\"\r\nContent-Type: application/json\r\n\r\n" +
                           properties().dump() +
                           attachment("; filename=\"a.xml\"\r\nContent-Type: application/xml\r\nContent-ID: <a1@stad.example>", "<a/>") +
                           attachment("\r\nContent-Type: application/pdf", large) +
                           attachment("\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64", "U2FtcGxl\r\nIG1lc3NhZ2Uu") +
                           attachment("\r\nContent-Transfer-Encoding: binary", "") + "\r\n--b=1--\r\n";
  const auto reply = ask("POST", "/service/rest/v19/ebms/messages/mtom", body, "multipart/form-data; boundary=b=1");
  ASSERT_EQ(reply.status, 200U) << reply.body;
  const auto parts = payloads(outbound(reply.body).id);
  ASSERT_EQ(parts.size(), 4U);
  EXPECT_EQ(parts[0].content_id + " " + parts[0].file_name + " " + parts[0].content_type, "a1@stad.example a.xml application/xml");
  EXPECT_EQ(octets(parts[0]), "<a/>");
  EXPECT_EQ(octets(parts[1]), large);
  EXPECT_EQ(octets(parts[2]), "Sample message.");
  EXPECT_EQ(parts[3].size, 0);
}

TEST_F(FacadeRest, AFormThatIsWrongLeavesNothingBehind) {
  const auto form = [&](const std::string& body) {
    return ask("POST", "/service/rest/v19/ebms/messages/mtom", body, "multipart/form-data; boundary=b");
  };
  const auto part = [](const std::string& name, const std::string& octets, const std::string& headers = "") {
    return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"" + headers + "\r\n\r\n" + octets + "\r\n";
  };
  const auto good = part("requestProperties", properties().dump());
  EXPECT_EQ(form(part("attachment", "x") + "--b--").status, 400U) << "requestProperties come first";
  EXPECT_EQ(form(good + part("other", "x") + "--b--").status, 400U);
  EXPECT_EQ(form(good + part("attachment", binary(2'000'000)) + "--x").status, 400U) << "no last delimiter";
  EXPECT_EQ(form(good + part("attachment", "U2FtcGxl!", "\r\nContent-Transfer-Encoding: base64") + "--b--").status, 400U);
  EXPECT_EQ(form(good + part("attachment", "=41", "\r\nContent-Transfer-Encoding: quoted-printable") + "--b--").status, 400U);
  EXPECT_EQ(form(part("requestProperties", R"({"cpaId":"x"})") + "--b--").status, 400U);
  EXPECT_EQ(query<std::int64_t>([](sql::Transaction& tx) -> Result<std::int64_t> {
              SCHAKEL_TRY(const auto rows, tx.query("SELECT count(*) FROM blob_chunks"));
              return rows[0].integer(0);
            }),
            0);
}

// --- resendMessage -----------------------------------------------------------------------------------------------------------------

// EB-210, A28: a new MessageId, the same content
TEST_F(FacadeRest, AResendIsANewMessageWithTheSameContent) {
  const auto first = sent({{"conversationId", "zaak-7"}}, {data_source("Sample message.")});
  for (const auto state : {exchange::State::queued, exchange::State::delivered, exchange::State::failed, exchange::State::expired}) {
    change(first, [&](exchange::Message& message) { message.state = state; });
    const auto reply = rest("PUT", "/messages/" + first);
    ASSERT_EQ(reply.status, 200U) << reply.body;
    EXPECT_NE(reply.body, first);
    const auto copy = outbound(reply.body), original = outbound(first);
    EXPECT_EQ(copy.copy_of, original.id);
    EXPECT_EQ(copy.conversation_id, "zaak-7");
    EXPECT_EQ(copy.state, exchange::State::queued);
    EXPECT_EQ(original.state, state) << "ADP-702: the first stays what it is";
    EXPECT_EQ(octets(payloads(copy.id)[0]), "Sample message.");
  }
  EXPECT_THAT(trail(outbound(first).id), ::testing::Contains("resent"));
}

TEST_F(FacadeRest, OnlyOurOwnSentMessagesAreSentAgain) {
  EXPECT_EQ(rest("PUT", "/messages/onbekend@x").status, 404U);
  EXPECT_EQ(rest("PUT", "/messages/" + received().message_id).status, 404U) << "it was not sent";
  const auto id = sent();
  token = other_key;
  EXPECT_EQ(rest("PUT", "/messages/" + id).status, 404U) << "another tenant's";
  token = key;
  const auto purged = sent({}, {data_source("x")});
  commit([&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_TRY(const auto message, exchange::find_outbound(tx, purged));
    return exchange::purge_payloads(tx, message->id);
  });
  const auto reply = rest("PUT", "/messages/" + purged);
  EXPECT_EQ(reply.status, 400U);
  EXPECT_THAT(reply.body, HasSubstr("purged"));
}

// --- getUnprocessedMessageIds --------------------------------------------------------------------------------------------------------

// EB-210
TEST_F(FacadeRest, UnprocessedIdsAreListedOldestFirst) {
  EXPECT_EQ(ids(), "[]");
  const auto first = received().message_id;
  const auto second = received([](auto& message) { message.state = exchange::State::offered; }).message_id;
  const auto third = received([](auto& message) { message.state = exchange::State::dead; }).message_id;
  received([](auto& message) {
    message.state = exchange::State::processed;
    message.final_at = message.created_at;
  });
  received([](auto& message) {
    message.state = exchange::State::refused;
    message.final_at = message.created_at;
  });
  received([](auto& message) { message.tenant = "dorp"; });
  sent();
  const auto reply = rest("GET", "/messages/unprocessed");
  EXPECT_EQ(reply.status, 200U);
  EXPECT_EQ(reply.header("Content-Type"), "application/json");
  EXPECT_EQ(reply.json, Json({first, second, third}));
  EXPECT_EQ(Json::parse(ids("?maxNr=2")), Json({first, second}));
  EXPECT_EQ(Json::parse(ids("?maxNr=0")), Json({first, second, third})) << "0 is all";
}

TEST_F(FacadeRest, AListLongerThanAPageIsMadeWhileItLeaves) {
  start_facade({.key = {}, .page_items = 3});
  auto expected = Json::array();
  for (int i = 0; i < 7; ++i) expected.push_back(received().message_id);
  EXPECT_EQ(Json::parse(ids()), expected);
  EXPECT_EQ(Json::parse(ids("?maxNr=5")).size(), 5U);
  EXPECT_EQ(Json::parse(ids("?maxNr=6")).size(), 6U) << "whole pages";
  EXPECT_EQ(Json::parse(events()).size(), 7U);
}

// EB-210: filters
TEST_F(FacadeRest, EachFilterOfIdsAndEventsFilters) {
  const auto wanted = received([](auto& message) {
    message.cpa_id = "andere-cpa";
    message.from = {"", "77", "urn:ander", "AFZENDER"};
    message.to = {"", "zonder-type", "", "ONTVANGER"};
    message.service = "alleen:dit";
    message.service_type = "";
    message.action = "andereActie";
    message.conversation_id = "gesprek-2";
    message.message_id = "gezocht@overheid.example";
    message.ref_to_message_id = "eerder@stad.example";
  });
  received();
  for (const std::string filter :
       {"cpaId=andere-cpa", "fromPartyId=urn:ander:77", "fromRole=AFZENDER", "toPartyId=zonder-type", "toRole=ONTVANGER",
        "service=alleen:dit", "action=andereActie", "conversationId=gesprek-2", "messageId=gezocht@overheid.example",
        "refToMessageId=eerder@stad.example", "fromPartyId=urn:ander:77&fromRole=AFZENDER&action=andereActie"}) {
    EXPECT_EQ(ids("?" + filter), R"(["gezocht@overheid.example"])") << filter;
    EXPECT_EQ(events("?" + filter), R"([{"messageId":"gezocht@overheid.example","type":"RECEIVED"}])") << filter;
  }
  for (const std::string filter : {"cpaId=x", "fromPartyId=77", "fromRole=x", "toPartyId=urn:x:zonder-type", "toRole=x", "service=dit",
                                   "action=x", "conversationId=x", "messageId=x", "refToMessageId=x"}) {
    EXPECT_EQ(ids("?" + filter), "[]") << filter;
    EXPECT_EQ(events("?" + filter), "[]") << filter;
  }
  EXPECT_EQ(Json::parse(ids("?service=" + std::string(typed_service))).size(), 1U);
}

TEST_F(FacadeRest, AWrongQueryIsRefused) {
  for (const std::string query : {"?maxNr=-1", "?maxNr=veel", "?onbekend=1", "?cpaId=a&cpaId=b", "?cpaId="}) {
    EXPECT_EQ(rest("GET", "/messages/unprocessed" + query).status, 400U) << query;
    EXPECT_EQ(rest("GET", "/events/unprocessed" + query).status, 400U) << query;
  }
  EXPECT_EQ(rest("GET", "/messages/" + received().message_id + "?process=misschien").status, 400U);
}

// --- getMessage ----------------------------------------------------------------------------------------------------------------------

// EB-210, EB-213, EB-216
TEST_F(FacadeRest, AReceivedMessageIsShownWithItsPayloads) {
  const auto large = binary(400'001);
  const auto message = received([](auto& m) { m.ref_to_message_id = "eerder@stad.example"; }, {"<a/>", large, ""});
  const auto reply = rest("GET", "/messages/" + message.message_id);
  ASSERT_EQ(reply.status, 200U) << reply.body;
  EXPECT_EQ(reply.json["properties"], Json({{"cpaId", sample_cpa},
                                            {"fromParty", {{"partyId", to_party}, {"role", "OVERHEID"}}},
                                            {"toParty", {{"partyId", from_party}, {"role", "DIGIPOORT"}}},
                                            {"service", typed_service},
                                            {"action", "bevestigAfleveren"},
                                            {"timestamp", to_rfc3339(*message.timestamp)},
                                            {"conversationId", "gesprek-1"},
                                            {"messageId", message.message_id},
                                            {"refToMessageId", "eerder@stad.example"},
                                            {"messageStatus", "RECEIVED"}}));
  const auto& sources = reply.json["dataSources"];
  ASSERT_EQ(sources.size(), 3U);
  EXPECT_EQ(sources[0], Json({{"name", "bericht.xml"},
                              {"contentId", "p0@overheid.example"},
                              {"contentType", "application/xml"},
                              {"content", to_base64("<a/>")}}));
  EXPECT_TRUE(from_base64(sources[1]["content"].get<std::string>()).value() == large);
  EXPECT_EQ(sources[2]["content"], "");
  EXPECT_EQ(reply.header("Content-Length").empty() || reply.header("Content-Length") == std::to_string(reply.body.size()), true);
  EXPECT_EQ(this->message(message.id).state, exchange::State::received) << "looking is not processing";
  EXPECT_THAT(trail(message.id), ElementsAre("payloadViewed")) << "adapter.md 2.9";
}

TEST_F(FacadeRest, LookingMayProcessAtOnce) {
  const auto id = received();
  EXPECT_EQ(rest("GET", "/messages/" + id.message_id + "?process=false").status, 200U);
  EXPECT_EQ(message(id.id).state, exchange::State::received);
  const auto reply = rest("GET", "/messages/" + id.message_id + "?process=true");
  EXPECT_EQ(reply.json["dataSources"][0]["content"], to_base64("Sample message."));
  EXPECT_EQ(message(id.id).state, exchange::State::processed);
  EXPECT_THAT(trail(id.id), ElementsAre("payloadViewed", "payloadViewed", "confirmed"));
  EXPECT_EQ(ids(), "[]");
  EXPECT_EQ(events(), "[]");
  EXPECT_EQ(rest("GET", "/messages/" + id.message_id).json["properties"]["messageStatus"], "PROCESSED");
}

// EB-112: what did not reach the application whole is not processed
TEST_F(FacadeRest, AMessageIsProcessedWhenItsLastOctetsHaveBeenRead) {
  const auto id = received({}, {binary(400'000)});
  http::Request request;
  request.method = "GET";
  request.target = request.path = "/service/rest/v19/ebms/messages/" + id.message_id;
  request.query = {{"process", "true"}};
  request.headers.set("X-Api-Key", key);
  http::StringReader empty("");
  request.body = &empty;
  const auto read_some = [&](std::size_t bytes) -> http::Awaitable<std::size_t> {
    auto response = co_await facade->handler()(request);
    std::vector<char> buffer(bytes);
    std::size_t all = 0;
    while (all < bytes) {
      const auto count = (co_await response.stream->read(std::span(buffer).first(std::min<std::size_t>(1000, bytes - all)))).value();
      if (count == 0) break;
      all += count;
    }
    co_return all;
  };
  EXPECT_EQ(await(read_some(500'000)), 500'000U);
  EXPECT_EQ(message(id.id).state, exchange::State::received);
  EXPECT_LT(await(read_some(1'000'000)), 1'000'000U);
  EXPECT_EQ(message(id.id).state, exchange::State::processed);
}

TEST_F(FacadeRest, ASentMessageIsShownWithItsStatus) {
  const auto id = sent({}, {data_source("Sample message.")});
  EXPECT_EQ(rest("GET", "/messages/" + id).json["properties"]["messageStatus"], "CREATED");
  change(id, [](auto& message) { message.state = exchange::State::failed; });
  const auto reply = rest("GET", "/messages/" + id + "?process=true");
  EXPECT_EQ(reply.json["properties"]["messageStatus"], "DELIVERY_FAILED");
  EXPECT_EQ(reply.json["dataSources"][0]["content"], to_base64("Sample message."));
}

TEST_F(FacadeRest, AMessageWhosePayloadsAreGoneIsStillShown) {
  const auto id = received();
  commit([&](sql::Transaction& tx) { return exchange::purge_payloads(tx, id.id); });
  const auto reply = rest("GET", "/messages/" + id.message_id);
  EXPECT_EQ(reply.status, 200U);
  EXPECT_EQ(reply.json["dataSources"], Json::array());
}

TEST_F(FacadeRest, UnknownMessagesAreNotFound) {
  for (const std::string path : {"/messages/onbekend@x", "/messages/mtom/onbekend@x", "/messages/onbekend@x/status"}) {
    const auto reply = rest("GET", path);
    EXPECT_EQ(reply.status, 404U) << path;
    EXPECT_FALSE(reply.body.empty()) << path;
  }
  const auto id = received([](auto& message) { message.tenant = "dorp"; });
  EXPECT_EQ(rest("GET", "/messages/" + id.message_id).status, 404U) << "another tenant's";
  const std::string control = std::string("a\0b", 3);
  EXPECT_EQ(rest("GET", "/messages/" + control).status, 404U);
}

// Ids of partners are no names of ours.
TEST_F(FacadeRest, AnIdMayBeginWithAnUnderscore) {
  received([](auto& message) { message.message_id = "_1@overheid.example"; });
  EXPECT_EQ(rest("GET", "/messages/_1@overheid.example").status, 200U);
}

// EB-093: a repetition that was delivered again is two messages with one id
TEST_F(FacadeRest, OfTwoMessagesWithOneIdTheOldestThatWaitsIsMeant) {
  const auto same = [](auto& message) { message.message_id = "twee@overheid.example"; };
  const auto first = received(same, {"een"}), second = received(same, {"twee"});
  EXPECT_EQ(rest("GET", "/messages/twee@overheid.example?process=true").json["dataSources"][0]["content"], to_base64("een"));
  EXPECT_EQ(message(second.id).state, exchange::State::received);
  EXPECT_EQ(rest("GET", "/messages/twee@overheid.example?process=true").json["dataSources"][0]["content"], to_base64("twee"));
  EXPECT_EQ(message(second.id).state, exchange::State::processed);
}

http::Awaitable<std::vector<std::string>> parts_of(const Reply& reply) {
  http::StringReader body(reply.body);
  auto form = http::MultipartReader::make(reply.header("Content-Type"), body).value();
  std::vector<std::string> out;
  for (;;) {
    auto part = (co_await form->next()).value();
    if (!part) co_return out;
    auto octets = (co_await http::read_all(*form, 1 << 24)).value();
    out.push_back(part->name + "|" + std::string(part->headers.find("Content-ID").value_or("-")) + "|" + part->content_type + "|" +
                  part->file_name.value_or("-") + "|" + octets);
  }
}

// EB-216
TEST_F(FacadeRest, AMessageIsShownAsAForm) {
  const auto large = binary(300'000);
  const auto id = received({}, {"<a/>", large});
  const auto reply = rest("GET", "/messages/mtom/" + id.message_id + "?process=true");
  ASSERT_EQ(reply.status, 200U);
  const auto parts = await(parts_of(reply));
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_THAT(parts[0], ::testing::StartsWith("properties|<properties>|application/json|-|{\"cpaId\":\""));
  EXPECT_EQ(parts[1], "attachment|<p0@overheid.example>|application/xml|bericht.xml|<a/>");
  EXPECT_TRUE(parts[2] == "attachment|<p1@overheid.example>|application/xml|-|" + large);
  EXPECT_EQ(message(id.id).state, exchange::State::processed);
  const auto bare = await(parts_of(rest("GET", "/messages/mtom/" + received({}, {}).message_id)));
  EXPECT_EQ(bare.size(), 1U);
}

// --- processMessage ------------------------------------------------------------------------------------------------------------------

// EB-210
TEST_F(FacadeRest, ProcessingAReceivedMessageTakesItOutOfEverything) {
  for (const auto state : {exchange::State::received, exchange::State::offered, exchange::State::dead}) {
    const auto id = received([&](auto& message) { message.state = state; });
    commit([&](sql::Transaction& tx) { return exchange::enqueue(tx, "stad", "default", id.id, clock.at); });
    EXPECT_EQ(rest("PATCH", "/messages/" + id.message_id).status, 204U);
    EXPECT_EQ(message(id.id).state, exchange::State::processed);
    EXPECT_THAT(trail(id.id), ElementsAre("confirmed"));
    EXPECT_EQ(rest("PATCH", "/messages/" + id.message_id).status, 204U) << "a second time nothing happens";
    EXPECT_THAT(trail(id.id), ElementsAre("confirmed"));
  }
  EXPECT_EQ(ids() + events(), "[][]");
  EXPECT_FALSE(query<bool>([&](sql::Transaction& tx) { return exchange::has_available(tx, "stad", "default", clock.at); }));
}

TEST_F(FacadeRest, ProcessingWhatDoesNotWaitChangesNothing) {
  const auto refused = received([](auto& message) {
    message.state = exchange::State::refused;
    message.final_at = message.created_at;
  });
  const auto id = sent();
  for (const auto& one : {refused.message_id, id, std::string("onbekend@x")}) EXPECT_EQ(rest("PATCH", "/messages/" + one).status, 204U);
  EXPECT_EQ(message(refused.id).state, exchange::State::refused);
  EXPECT_EQ(outbound(id).state, exchange::State::queued);
}

// --- getMessageStatus, ping ------------------------------------------------------------------------------------------------------------

// EB-181
TEST_F(FacadeRest, TheStatusIsWhatThePartnerSays) {
  const auto id = sent();
  const std::pair<std::string, std::string> statuses[] = {{"UnAuthorized", "UNAUTHORIZED"},
                                                          {"NotRecognized", "NOT_RECOGNIZED"},
                                                          {"Received", "RECEIVED"},
                                                          {"Processed", "PROCESSED"},
                                                          {"Forwarded", "FORWARDED"}};
  for (const auto& [theirs, ours] : statuses) {
    partner_answers(theirs);
    const auto reply = rest("GET", "/messages/" + id + "/status");
    ASSERT_EQ(reply.status, 200U) << theirs << reply.body;
    EXPECT_EQ(reply.json["status"], ours);
    EXPECT_EQ(reply.json.contains("timestamp"), ours == "RECEIVED" || ours == "PROCESSED" || ours == "FORWARDED");
  }
  partner_answers("", "transport.connect");
  const auto failed = rest("GET", "/messages/" + id + "/status");
  EXPECT_EQ(failed.status, 500U);
  EXPECT_THAT(failed.body, HasSubstr("transport.connect"));
  EXPECT_EQ(outbound(id).state, exchange::State::queued) << "it changes no state";
}

TEST_F(FacadeRest, APingIsAnsweredByThePartnerOrNot) {
  const auto path = [](std::string from, std::string to, std::string cpa = sample_cpa) {
    return "/ping/" + cpa + "/from/" + from + "/to/" + to;
  };
  partner_answers("");
  EXPECT_EQ(rest("POST", path(from_party, to_party)).status, 204U);
  partner_answers("", "transport.connect");
  const auto failed = rest("POST", path(from_party, to_party));
  EXPECT_EQ(failed.status, 500U);
  EXPECT_THAT(failed.body, HasSubstr("transport.connect"));
  meanwhile = nullptr;
  settings.ping_timeout = 0ms;
  start();
  start_facade();
  EXPECT_EQ(rest("POST", path(from_party, to_party)).status, 500U) << "no pong";
  EXPECT_EQ(rest("POST", path(to_party, from_party)).status, 400U) << "not ours to ping as";
  EXPECT_EQ(rest("POST", path(from_party, to_party, "nergens")).status, 400U);
}

// --- events ----------------------------------------------------------------------------------------------------------------------------

// EB-214: the events of the interface, one for each that ours has
TEST_F(FacadeRest, EventsAreListedByTheirType) {
  const auto id = sent();
  const auto in = received();
  event(outbound(id), "message.delivered");
  event(outbound(id), "message.warning");
  event(outbound(id), "message.failed");
  event(outbound(id), "message.late_acknowledged");
  event(outbound(id), "message.expired");
  const auto all = rest("GET", "/events/unprocessed");
  EXPECT_EQ(all.status, 200U);
  EXPECT_EQ(all.json, Json({{{"messageId", in.message_id}, {"type", "RECEIVED"}},
                            {{"messageId", id}, {"type", "DELIVERED"}},
                            {{"messageId", id}, {"type", "FAILED"}},
                            {{"messageId", id}, {"type", "EXPIRED"}}}));
  const auto types = [&](const std::string& query) {
    std::vector<std::string> out;
    for (const auto& event : Json::parse(events(query))) out.push_back(event["type"]);
    return out;
  };
  EXPECT_THAT(types("?eventTypes=RECEIVED&eventTypes=FAILED"), ElementsAre("RECEIVED", "FAILED"));
  EXPECT_THAT(types("?eventTypes=EXPIRED"), ElementsAre("EXPIRED"));
  EXPECT_THAT(types("?maxNr=2"), ElementsAre("RECEIVED", "DELIVERED"));
  EXPECT_EQ(rest("GET", "/events/unprocessed?eventTypes=WARNING").status, 400U);
  EXPECT_EQ(rest("GET", "/messages/unprocessed?eventTypes=FAILED").status, 400U) << "ids have no types";
}

// EB-210, EB-214
TEST_F(FacadeRest, ProcessingAnEventProcessesItsMessage) {
  const auto in = received();
  EXPECT_EQ(rest("PATCH", "/events/" + in.message_id).status, 204U);
  EXPECT_EQ(events(), "[]");
  EXPECT_EQ(message(in.id).state, exchange::State::processed);
  const auto id = sent();
  event(outbound(id), "message.warning");
  event(outbound(id), "message.failed");
  EXPECT_EQ(rest("PATCH", "/events/" + id).status, 204U);
  EXPECT_EQ(events(), "[]");
  EXPECT_EQ(get("/message-events").json, Json::array()) << "no event of a message is left to keep it for ever";
  EXPECT_EQ(rest("PATCH", "/events/onbekend@x").status, 204U);
}

// --- login and paths -------------------------------------------------------------------------------------------------------------------

// ADP-802; README section 5: as configured
TEST_F(FacadeRest, AKeyComesInAnyOfThreeWaysOrByConfiguration) {
  const auto tried = [&](http::Headers headers) {
    token.clear();
    const auto reply = ask("GET", "/service/rest/v19/ebms/messages/unprocessed", "", "", std::move(headers));
    token = key;
    return reply;
  };
  const auto basic = [](const std::string& text) { return "Basic " + to_base64(text); };
  EXPECT_EQ(tried({{"X-Api-Key", key}}).status, 200U);
  EXPECT_EQ(tried({{"Authorization", "Bearer " + key}}).status, 200U);
  EXPECT_EQ(tried({{"Authorization", basic("admin:" + key)}}).status, 200U);
  EXPECT_EQ(tried({{"Authorization", basic(":" + key)}}).status, 200U);
  const auto none = tried({});
  EXPECT_EQ(none.status, 401U);
  EXPECT_THAT(none.header("WWW-Authenticate"), ::testing::StartsWith("Basic "));
  EXPECT_EQ(none.header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(tried({{"Authorization", basic("admin:fout")}}).status, 401U);
  EXPECT_EQ(tried({{"Authorization", basic("admin:")}}).status, 401U);
  EXPECT_EQ(tried({{"Authorization", basic(key)}}).status, 401U);
  EXPECT_EQ(tried({{"Authorization", "Basic ###"}}).status, 401U);
  EXPECT_EQ(tried({{"Authorization", basic("a:" + key)}, {"X-Api-Key", other_key}}).status, 401U) << "two credentials";
  start_facade({.key = key});
  EXPECT_EQ(tried({}).status, 200U);
  EXPECT_EQ(tried({{"Authorization", basic("admin:fout")}}).status, 401U) << "a wrong key is not the configured one";
}

TEST_F(FacadeRest, AKeyInTheAddressIsRefusedAndRevoked) {
  EXPECT_EQ(ask("GET", "/service/rest/v19/ebms/messages/unprocessed?token=" + key).status, 400U);
  EXPECT_EQ(rest("GET", "/messages/unprocessed").status, 401U);
}

// ADP-800
TEST_F(FacadeRest, EachOperationNeedsItsPermission) {
  const auto id = received().message_id;
  token = make_key("stad", {"viewer"});
  EXPECT_EQ(rest("GET", "/messages/unprocessed").status, 200U);
  EXPECT_EQ(rest("GET", "/events/unprocessed").status, 200U);
  EXPECT_EQ(rest("POST", "/messages", {{"properties", properties()}}).status, 403U);
  EXPECT_EQ(rest("PUT", "/messages/" + id).status, 403U);
  EXPECT_EQ(rest("PATCH", "/messages/" + id).status, 403U);
  EXPECT_EQ(rest("PATCH", "/events/" + id).status, 403U);
  EXPECT_EQ(rest("GET", "/messages/" + id).status, 403U) << "payload.read is in no role";
  token = make_key("stad", {"viewer"}, {"payload.read"});
  EXPECT_EQ(rest("GET", "/messages/" + id).status, 200U);
  EXPECT_EQ(rest("GET", "/messages/" + id + "?process=true").status, 403U);
}

TEST_F(FacadeRest, OtherPathsAndMethodsAreRefused) {
  EXPECT_FALSE(Facade::serves("/service/rest/v19/cpas"));
  EXPECT_FALSE(Facade::serves("/service/rest/v19/ebms"));
  EXPECT_TRUE(Facade::serves("/service/rest/v19/ebms/messages"));
  EXPECT_TRUE(Facade::serves("/service/ebmsMTOM"));
  EXPECT_EQ(rest("GET", "/nergens").status, 404U);
  EXPECT_EQ(rest("GET", "/messages").status, 405U);
  const auto reply = rest("DELETE", "/messages/een@x");
  EXPECT_EQ(reply.status, 405U);
  EXPECT_EQ(reply.header("Allow"), "PUT, PATCH, GET");
  EXPECT_EQ(rest("HEAD", "/messages/een@x").status, 405U);
  EXPECT_EQ(reply.header("X-Content-Type-Options"), "nosniff");
}

}  // namespace
}  // namespace schakel::facade
