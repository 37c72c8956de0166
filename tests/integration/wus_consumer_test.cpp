// A consumer whose partner is not what it should be (wus.md section 6: row 19; 4.4; section 5, the response side).
#include "integration/tls_door.hpp"
#include "integration/wus_world.hpp"

namespace schakel::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// WUS-200, WUS-260
TEST(WusConsumer, WhatTheSchemaForbidsIsNotSent) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer("dienst-s", "2W-be-S");
  const auto before = two.backend.asked().size();
  const auto wrong = two.call("dienst-s", "vraagInschrijving", question("1234567"));
  EXPECT_EQ(wrong.status, 400U);
  EXPECT_EQ(wrong.json().value("code", ""), "WUS-C-INPUT") << wrong.body;
  EXPECT_THAT(wrong.body, Not(HasSubstr("1234567")));
  EXPECT_EQ(two.call("dienst-s", "vraagInschrijving", "<!DOCTYPE x><x/>").status, 400U);
  EXPECT_EQ(two.call("dienst-s", "onbekend", question("12345678")).status, 404U);
  EXPECT_EQ(two.call("geen-dienst", "vraagInschrijving", question("12345678")).status, 404U);
  EXPECT_EQ(two.backend.asked().size(), before);
}

// Answers each request by a script; the last entry goes on.
class Flaky {
 public:
  struct Reply {
    unsigned status = 200;
    std::string type = {}, body = {};
    std::chrono::milliseconds after{0};
    bool right = false;  // the answer that was asked for
  };
  Flaky(ServedPki& pki, const security::Issued& own) : door_(pki, own, [this](http::Request& request) { return take(request); }) {}
  std::string url() const { return door_.url("/dienst"); }
  void says(std::vector<Reply> script) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(script);
    message_ids_.clear();
  }
  std::vector<std::string> message_ids() {
    const std::lock_guard lock(mutex_);
    return message_ids_;
  }

 private:
  static std::string right_answer(const std::string& message_id) {
    return "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:a=\"http://www.w3.org/2005/08/addressing\"><s:Header>"
           "<a:Action>" +
           std::string(wus_wsdl) +
           "/IInschrijvingService_v1/vraagInschrijvingResponse</a:Action><a:MessageID>urn:uuid:antwoord</a:MessageID>"
           "<a:RelatesTo>" +
           message_id + "</a:RelatesTo></s:Header><s:Body>" + answer("12345678") + "</s:Body></s:Envelope>";
  }
  http::Awaitable<http::Response> take(http::Request& request) {
    auto body = co_await http::read_all(*request.body, 1 << 20);
    const auto text = body ? *body : std::string();
    const auto begin = text.find('>', text.find("<wsa:MessageID")) + 1;
    const auto message_id = text.substr(begin, text.find('<', begin) - begin);
    Reply reply;
    {
      const std::lock_guard lock(mutex_);
      reply = script_.at(std::min(message_ids_.size(), script_.size() - 1));
      message_ids_.push_back(message_id);
    }
    if (reply.after.count() > 0) co_await http::sleep(reply.after);
    http::Response response;
    response.status = reply.status;
    const auto type = reply.right ? std::string("text/xml; charset=utf-8") : reply.type;
    if (!type.empty()) response.headers.add("Content-Type", type);
    response.body = reply.right ? right_answer(message_id) : reply.body;
    co_return response;
  }

  std::mutex mutex_;
  std::vector<Reply> script_{Reply{}};
  std::vector<std::string> message_ids_;
  TlsDoor door_;
};

Json partner_at(const Chain& chain, const std::string& url, const std::string& oin, const Json& more = Json::object()) {
  Json settings{{"role", "consumer"},
                {"ownOin", chain.consumer.options().oin},
                {"profile", "2W-be"},
                {"timeout", "1s"},
                {"partner", {{"endpoint", url}, {"oin", oin}}}};
  settings.merge_patch(more);
  return settings;
}

// WUS-081, WUS-262, WUS-263, WUS-264; rows of section 5 about the response side
TEST(WusConsumer, AnswersThatAreNoneAreToldByTheirCode) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  const std::string oin = "00000099000000330000";
  Flaky partner(two.pki, two.pki.with([&](test::Pki& pki) { return pki.tls(oin, "Grillig"); }));
  load_service(two.consumer, "grillig", partner_at(two, partner.url(), oin));
  load_service(two.consumer, "verkeerd-oin", partner_at(two, partner.url(), "00000099000000440000"));
  load_service(two.consumer, "niemand", partner_at(two, "https://localhost:" + std::to_string(free_port()) + "/dienst", oin));
  const auto called = [&](const std::string& name) { return two.call(name, "vraagInschrijving", question("12345678")); };
  partner.says({{.right = true}});
  ASSERT_TRUE(becomes([&] { return called("grillig").status == 200U && called("niemand").status != 404U; }, 20s)) << called("grillig").body;

  struct Row {
    Flaky::Reply reply;
    const char* code;
    unsigned status;
  };
  const std::string foreign =
      "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
      "xmlns:a=\"http://www.w3.org/2005/08/addressing\"><s:Header><a:Action>" +
      std::string(wus_wsdl) +
      "/IInschrijvingService_v1/vraagInschrijvingResponse</a:Action><a:MessageID>urn:m</a:MessageID>"
      "<a:RelatesTo>urn:uuid:other</a:RelatesTo></s:Header><s:Body>" +
      answer("12345678") + "</s:Body></s:Envelope>";
  const std::string fault =
      "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><faultcode>s:Server</faultcode>"
      "<faultstring>DK0050: stuk</faultstring></s:Fault></s:Body></s:Envelope>";
  const std::vector<Row> rows{
      {{.status = 202}, "WUS-C-HTTP", 502},
      {{.status = 204}, "WUS-C-HTTP", 502},
      {{.status = 302, .type = "text/html", .body = "elsewhere"}, "WUS-C-HTTP", 502},
      {{.status = 200, .type = "text/html", .body = "<html>geheim van de partner</html>"}, "WUS-C-HTTP", 502},
      {{.status = 503, .type = "text/plain", .body = "later"}, "WUS-C-HTTP", 502},
      {{.status = 200, .type = "text/xml", .body = "<a>"}, "WUS-C-SOAP", 502},
      {{.status = 200, .type = "text/xml", .body = "<!DOCTYPE a><a/>"}, "WUS-C-SOAP", 502},
      {{.status = 200, .type = "text/xml", .body = foreign}, "WUS-C-ADDR", 502},
      {{.after = 3s, .right = true}, "WUS-C-TIMEOUT", 504},
  };
  for (const auto& row : rows) {
    partner.says({row.reply});
    const auto refused = called("grillig");
    EXPECT_EQ(refused.status, row.status) << row.code << refused.body;
    EXPECT_EQ(refused.json().value("code", ""), row.code) << refused.body;
    EXPECT_EQ(partner.message_ids().size(), 1U) << "no retry unless it is asked for";
    EXPECT_THAT(refused.body, Not(HasSubstr("geheim van de partner")));
  }
  // A Fault is one whatever the status (WUS-025).
  for (const unsigned status : {200U, 500U}) {
    partner.says({{.status = status, .type = "text/xml", .body = fault}});
    EXPECT_EQ(called("grillig").json().value("code", ""), "WUS-C-FAULT") << status << called("grillig").body;
  }
  EXPECT_EQ(called("verkeerd-oin").json().value("code", ""), "WUS-C-TLS") << called("verkeerd-oin").body;
  const auto nobody = called("niemand");
  EXPECT_EQ(nobody.status, 504U);
  EXPECT_EQ(nobody.json().value("code", ""), "WUS-C-CONNECT") << nobody.body;
}

// WUS-002, WUS-164: in S what nobody signed is an error at most, and its detail is no data unless the contract says so.
TEST(WusConsumer, AFaultThatNobodySignedIsOnlyAnError) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  const std::string oin = "00000099000000330000";
  Flaky partner(two.pki, two.pki.with([&](test::Pki& pki) { return pki.tls(oin, "Grillig"); }));
  load_service(two.consumer, "kaal", partner_at(two, partner.url(), oin, {{"profile", "2W-be-S"}}));
  load_service(two.consumer, "kaal-detail", partner_at(two, partner.url(), oin, {{"profile", "2W-be-S"}, {"passUnsecuredDetail", true}}));
  const auto called = [&](const std::string& name) { return two.call(name, "vraagInschrijving", question("12345678")); };
  partner.says(
      {{.status = 500,
        .type = "text/xml",
        .body = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><faultcode>s:Server</faultcode>"
                "<faultstring>DK0050: stuk</faultstring><detail><x xmlns=\"urn:x\">inhoud</x></detail></s:Fault></s:Body>"
                "</s:Envelope>"}});
  ASSERT_TRUE(becomes([&] { return called("kaal").status == 502U && called("kaal-detail").status == 502U; }, 20s)) << called("kaal").body;
  const auto bare = called("kaal").json(), with_detail = called("kaal-detail").json();
  for (const auto& told : {bare, with_detail}) {
    EXPECT_EQ(told.value("code", ""), "WUS-C-FAULT") << told.dump(1);
    EXPECT_FALSE(told.value("authenticated", true)) << told.dump(1);
    EXPECT_EQ(told.value("dkCode", ""), "DK0050");
  }
  EXPECT_THAT(bare.dump(), Not(HasSubstr("inhoud")));
  EXPECT_THAT(with_detail.dump(), HasSubstr("inhoud"));
  // An answer that nobody signed is none.
  partner.says({{.right = true}});
  EXPECT_EQ(called("kaal").json().value("code", ""), "WUS-C-POLICY") << called("kaal").body;
}

// WUS-261: each attempt is a new message, linked to the one before.
TEST(WusConsumer, AnIdempotentOperationIsTriedAgain) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  const std::string oin = "00000099000000330000";
  Flaky partner(two.pki, two.pki.with([&](test::Pki& pki) { return pki.tls(oin, "Grillig"); }));
  load_service(two.consumer, "volhouden",
               partner_at(two, partner.url(), oin,
                          {{"retry", "idempotent"}, {"operations", {{{"name", "vraagInschrijving"}, {"idempotent", true}}}}}));
  partner.says({{.right = true}});
  ASSERT_TRUE(becomes([&] { return two.call("volhouden", "vraagInschrijving", question("12345678")).status == 200U; }, 20s));
  partner.says({{.status = 503, .type = "text/plain", .body = "later"}, {.right = true}});
  const auto called = two.call("volhouden", "vraagInschrijving", question("12345678"));
  EXPECT_EQ(called.status, 200U) << called.body;
  const auto ids = partner.message_ids();
  ASSERT_EQ(ids.size(), 2U);
  EXPECT_NE(ids[0], ids[1]);
  const auto first = newest(two.consumer, "messageId=" + ids[0]), second = newest(two.consumer, "messageId=" + ids[1]);
  EXPECT_EQ(first.value("state", ""), "FAILED") << first.dump(1);
  EXPECT_EQ(second.value("state", ""), "COMPLETED") << second.dump(1);
  EXPECT_EQ(second.value("copyOf", ""), first.value("id", "-")) << second.dump(1);
}

}  // namespace
}  // namespace schakel::integration
