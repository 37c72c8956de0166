// Three organisations: S and R have a contract, B stands between them and passes on (EB-200, EB-201, ADP-404, ADP-405, ADP-412; A32). Real
// processes, real two-sided TLS on both legs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "ebms/envelope.hpp"
#include "integration/partner.hpp"
#include "integration/tls_door.hpp"
#include "integration/world.hpp"

namespace schakel::integration {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

Json outbound(const std::string& party, const Site& intermediary) {
  return {{"id", "naar-" + party},
          {"direction", "outbound"},
          {"match", {{"toOin", party}}},
          {"target", {{"kind", "intermediary"}, {"oin", intermediary.options().oin}, {"url", intermediary.ebms_url()}}}};
}
Json transparent(const std::string& party, const std::string& url, const std::string& server_oin = {}) {
  Json row{{"id", "door-" + party},
           {"direction", "inbound"},
           {"match", {{"toOin", party}}},
           {"mode", "transparent"},
           {"target", {{"kind", "partner"}, {"url", url}}}};
  if (!server_oin.empty()) row["target"]["oin"] = server_oin;
  return row;
}

// A next hop with any certificate, that keeps what arrives and answers when it pleases.
class Door {
 public:
  Door(ServedPki& pki, const security::Issued& own) : door_(pki, own, [this](http::Request& request) { return take(request); }) {}
  std::string url() const { return door_.url("/ebms"); }
  std::vector<std::pair<http::Headers, std::string>> arrived() {
    const std::lock_guard lock(mutex_);
    return arrived_;
  }
  std::atomic<bool> silent = false;
  std::string peer;  // who came last

 private:
  http::Awaitable<http::Response> take(http::Request& request) {
    auto body = co_await http::read_all(*request.body, 70 << 20);
    {
      const std::lock_guard lock(mutex_);
      peer = request.peer ? request.peer->oin : "";
      arrived_.emplace_back(request.headers, body ? *body : body.error().code);
    }
    if (silent) co_await http::sleep(5s);
    http::Response response;
    response.status = 204;
    co_return response;
  }

  std::mutex mutex_;
  std::vector<std::pair<http::Headers, std::string>> arrived_;
  TlsDoor door_;
};

class Three {
 public:
  Three()
      : s(pki, {.slug = "verzender", .name = "Verzender", .oin = "00000099000000010000", .database_url = {}}),
        b(pki, {.slug = "knooppunt",
                .name = "Knooppunt B",
                .oin = "00000099000000220000",
                .database_url = {},
                .more = "[http-client]\nread-timeout = \"2s\"\n"}),
        r(pki, {.slug = "ontvanger", .name = "Ontvanger", .oin = "00000099000000300000", .database_url = {}}) {
    for (auto* site : {&s, &b, &r}) site->start_and_wait();
    put_routes(s, Json::array({outbound(r.options().oin, b)}));
    put_routes(r, Json::array({outbound(s.options().oin, b)}));
    route_directly();
  }
  void route_directly() { put_routes(b, through(r.ebms_url())); }
  Json through(const std::string& url, const std::string& server_oin = {}) const {
    return Json::array({transparent(r.options().oin, url, server_oin), transparent(s.options().oin, s.ebms_url())});
  }
  std::string cpa(const Terms& terms) {
    const std::string id = std::string("keten-") + terms.name;
    if (!loaded_.insert(id).second) return id;
    const auto document =
        CpaDocument({.cpa_id = id, .reliable = terms.reliable, .synchronous = terms.synchronous}, s.party("Melder"), r.party("Register"))
            .text();
    s.load(document);
    r.load(document);
    // Best effort has one attempt: both nodes must know the contract before it.
    auto api = s.admin();
    EXPECT_TRUE(becomes(
        [&] {
          return api.post("/api/v1/partners/" + r.options().oin + "/_ping", {{"cpaId", id}}).status == 200U;
        },
        20s))
        << id;
    return id;
  }
  Json send(const std::string& cpa_id, const std::string& octets) {
    auto api = s.application();
    return submit(api, {{"cpaId", cpa_id},
                        {"service", "Voorbeeld:Meldingen:1:0"},
                        {"action", "meld"},
                        {"payloads", {{{"contentType", "application/octet-stream"}, {"data", to_base64(octets)}}}}});
  }

  ServedPki pki;
  Site s, b, r;

 private:
  std::set<std::string> loaded_;
};

Three& three() {
  static Three world;
  return world;
}

std::string every_octet() {
  std::string octets = "\r\n--boundary--\r\n";
  for (int i = 0; i < 256; ++i) octets += static_cast<char>(i);
  return octets;
}

// The SOAP envelope inside an archive of evidence; its members are stored as they are.
std::string envelope_in(const std::string& archive) {
  const auto begin = archive.find("<soap:Envelope"), end = archive.find("</soap:Envelope>");
  return begin == std::string::npos || end == std::string::npos ? "" : archive.substr(begin, end - begin);
}

class Chain : public ::testing::TestWithParam<Terms> {};

// A32: delivered and acknowledged through B, with the octets of S at R and the acknowledgement of R at S
TEST_P(Chain, AMessageAndItsAcknowledgementPassThroughB) {
  auto& world = three();
  auto sender = world.s.admin(), between = world.b.admin(), receiver = world.r.admin();
  const auto octets = every_octet();
  const auto sent = world.send(world.cpa(GetParam()), octets);
  const auto id = sent.value("id", ""), message_id = sent.value("messageId", "");
  ASSERT_TRUE(reaches(sender, id, "DELIVERED")) << message(sender, id).dump(1) << world.s.log() << world.b.log() << world.r.log();
  EXPECT_EQ(message(sender, id).value("confirmed", false), GetParam().reliable);
  const auto received = inbound(receiver, message_id);
  ASSERT_FALSE(received.is_null()) << world.r.log();
  EXPECT_EQ(receiver.get("/api/v1/messages/" + received.value("id", "") + "/payloads/0").body, octets);
  const auto wire = envelope_in(sender.get("/api/v1/messages/" + id + "/evidence").body);
  EXPECT_FALSE(wire.empty());
  EXPECT_EQ(envelope_in(receiver.get("/api/v1/messages/" + received.value("id", "") + "/evidence").body), wire);

  const auto shadow = inbound(between, message_id);
  ASSERT_FALSE(shadow.is_null()) << world.b.log();
  EXPECT_EQ(shadow.value("state", ""), "FORWARDED");
  const auto steps = trail(between, shadow.value("id", ""));
  EXPECT_FALSE(steps.empty());
  EXPECT_THAT(steps, ::testing::Each("forwarded")) << "once, and once more for each repetition";
  EXPECT_TRUE(shadow["payloads"][0].value("purged", false));
  EXPECT_EQ(between.get("/api/v1/messages/" + shadow.value("id", "") + "/payloads/0").status, 410U) << "nothing of the body is kept";
  // An asynchronous acknowledgement is one more message that passed; a synchronous one is the answer to the first.
  const std::size_t expected = GetParam().reliable && !GetParam().synchronous ? 1 : 0;
  const auto answers = [&] { return between.get("/api/v1/messages?refToMessageId=" + message_id).json().size(); };
  EXPECT_TRUE(becomes([&] { return answers() == expected; }, 10s)) << answers();
}

INSTANTIATE_TEST_SUITE_P(Profiles, Chain,
                         ::testing::Values(Terms{"be", false, false}, Terms{"rm", true, false}, Terms{"rm-sync", true, true}),
                         [](const auto& instance) {
                           return std::string(instance.param.reliable ? instance.param.synchronous ? "RmSync" : "Rm" : "Be");
                         });

// EB-181 through an intermediary: Ping and Pong are the end parties'
TEST(Relaying, APingReachesTheEndParty) {
  three().cpa({"rm", true, false});
  auto api = three().s.admin();
  const auto answer = api.post("/api/v1/partners/" + three().r.options().oin + "/_ping", {{"cpaId", "keten-rm"}});
  EXPECT_EQ(answer.status, 200U) << answer.body << three().b.log();
  EXPECT_THAT(answer.body, HasSubstr("\"result\":\"pong\""));
}

std::string by_hand(const std::string& to) {
  SystemRandom random;
  ebms::Envelope e;
  e.header.from = {{{"urn:osb:oin", three().s.options().oin + "_T"}}, "Melder"};
  e.header.to = {{{"urn:osb:oin", to + "_T"}}, "Register"};
  e.header.cpa_id = "van-anderen";
  e.header.conversation_id = uuid_v4(random);
  e.header.service = "Voorbeeld:Meldingen:1:0";
  e.header.service_type = "urn:osb:services";
  e.header.action = "meld";
  e.header.message_id = uuid_v4(random) + "@s.example";
  e.header.timestamp = SystemClock().now();
  return *ebms::build_envelope(e);
}
const http::Headers related{{"Content-Type", "multipart/related; boundary=\"x\"; type=\"text/xml\""}, {"SOAPAction", "\"ebXML\""}};

// Posts to B until its new table is in force there.
RestAnswer post_until(Partner& partner, const std::string& body, unsigned status) {
  RestAnswer answer;
  becomes(
      [&] {
        answer = partner.send("POST", three().b.ebms_url(), related, body);
        return answer.status == status;
      },
      10s);
  return answer;
}
std::string packed(const std::string& root, const std::string& payload) {
  return "--x\r\nContent-Type: text/xml\r\n\r\n" + root + "\r\n--x\r\nContent-ID: <a@b>\r\n\r\n" + payload + "\r\n--x--";
}

// 3.4.1 as captured at R's door; and what happens when that door is silent, somebody else's, or closed to a stranger
TEST(Relaying, WhatArrivesIsWhatWasSent) {
  auto& world = three();
  const auto elsewhere = std::string("00000099000000440000");
  const auto own = world.pki.with([&](test::Pki& shared) { return shared.tls(elsewhere, "Elders", {"localhost"}); });
  Door door(world.pki, own);
  auto rows = world.through(world.r.ebms_url());
  rows.push_back(transparent(elsewhere, door.url()));
  put_routes(world.b, rows);
  Partner partner(world.pki, world.s.identity().key_pair);
  const auto body = packed(by_hand(elsewhere), every_octet());
  ASSERT_EQ(post_until(partner, body, 204).status, 204U) << world.b.log();
  const auto arrived = door.arrived();
  ASSERT_EQ(arrived.size(), 1U);
  EXPECT_EQ(arrived[0].second, body);
  EXPECT_EQ(arrived[0].first.find("Content-Type"), "multipart/related; boundary=\"x\"; type=\"text/xml\"");
  EXPECT_EQ(arrived[0].first.find("SOAPAction"), "\"ebXML\"");
  EXPECT_FALSE(arrived[0].first.find("Via"));
  EXPECT_EQ(door.peer, world.b.options().oin) << "with B's own certificate";

  door.silent = true;
  EXPECT_EQ(partner.send("POST", world.b.ebms_url(), related, body).status, 504U);

  const auto visitor = world.pki.with([](test::Pki& shared) { return shared.tls("00000099000000550000", "Vreemde", {"localhost"}); });
  Partner stranger(world.pki, visitor.key_pair);
  const auto refused = stranger.send("POST", world.b.ebms_url(), related, body);
  EXPECT_EQ(refused.status, 500U);
  EXPECT_THAT(refused.body, HasSubstr("SENDER_NOT_AUTHORIZED"));
  EXPECT_EQ(door.arrived().size(), 2U) << "nothing of the stranger's got through";
  world.route_directly();
}

// adapter.md 3.5: another server than agreed gets no octet
TEST(Relaying, AnotherServerThanAgreedGetsNothing) {
  auto& world = three();
  const auto elsewhere = std::string("00000099000000440000");
  const auto impostor = world.pki.with([](test::Pki& shared) { return shared.tls("00000099000000660000", "Bedrieger", {"localhost"}); });
  Door door(world.pki, impostor);
  auto rows = world.through(world.r.ebms_url());
  rows.push_back(transparent(elsewhere, door.url()));
  put_routes(world.b, rows);
  Partner partner(world.pki, world.s.identity().key_pair);
  EXPECT_EQ(post_until(partner, packed(by_hand(elsewhere), "x"), 503).status, 503U);
  EXPECT_TRUE(door.arrived().empty());
  EXPECT_THAT(world.b.log(), HasSubstr("tls.oinMismatch"));
  world.route_directly();
}

// ADP-404: no retry by the node; S's own retries do the rest
TEST(Relaying, TheSenderTriesAgainWhileTheNextHopIsDown) {
  auto& world = three();
  const auto cpa = world.cpa({"rm", true, false});
  auto sender = world.s.admin();
  world.r.process().kill();
  const auto id = world.send(cpa, "later").value("id", "");
  ASSERT_TRUE(becomes([&] { return message(sender, id).value("attempts", 0) >= 2; }, 20s)) << message(sender, id).dump(1);
  EXPECT_EQ(message(sender, id)["lastError"].value("code", ""), "transport.503") << message(sender, id).dump(1);
  world.r.start_and_wait();
  EXPECT_TRUE(reaches(sender, id, "DELIVERED")) << message(sender, id).dump(1) << world.b.log();
  EXPECT_EQ(message(sender, id).value("confirmed", false), true);
}

}  // namespace
}  // namespace schakel::integration
