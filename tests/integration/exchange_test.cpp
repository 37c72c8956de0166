// Two organisations, each with a real node, exchange messages over real two-sided TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/world.hpp"

namespace schakel::integration {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;

class Exchange : public ::testing::TestWithParam<Terms> {
 protected:
  // Sends one payload and sees it arrive unchanged.
  void exchange(Site& from, Site& to, const std::string& action, const std::string& octets) {
    auto sender = from.application(), receiver = to.application();
    const auto sent = submit(sender, {{"cpaId", world().cpa(GetParam())},
                                      {"service", "Voorbeeld:Meldingen:1:0"},
                                      {"action", action},
                                      {"payloads", {{{"contentType", "application/octet-stream"}, {"data", to_base64(octets)}}}}});
    const auto id = sent.value("id", "");
    ASSERT_TRUE(reaches(sender, id, "DELIVERED")) << message(sender, id).dump(1) << from.log() << to.log();
    EXPECT_EQ(message(sender, id).value("confirmed", false), GetParam().reliable);
    const auto received = inbound(receiver, sent.value("messageId", ""));
    ASSERT_FALSE(received.is_null()) << to.log();
    EXPECT_EQ(receiver.get("/api/v1/messages/" + received.value("id", "") + "/payloads/0").body, octets);
    EXPECT_THAT(trail(sender, id), Contains(GetParam().reliable ? "acknowledged" : "attemptSucceeded"));
    EXPECT_THAT(trail(receiver, received.value("id", "")), Contains("received"));
    const auto confirmed = receiver.post("/api/v1/messages/" + received.value("id", "") + "/acknowledgement", {{"result", "processed"}});
    EXPECT_EQ(confirmed.status, 204U) << confirmed.body;
    EXPECT_EQ(message(receiver, received.value("id", "")).value("state", ""), "PROCESSED");
  }
};

std::string every_octet() {
  std::string octets = "\r\n--boundary--\r\n";
  for (int i = 0; i < 256; ++i) octets += static_cast<char>(i);
  return octets + "\r\n";
}

// ADP-001 (ebMS2), ADP-003, ADP-301, ADP-500: each node is provider and consumer at once, under contracts loaded while it runs; EB-001,
// EB-002, EB-029
TEST_P(Exchange, GoesBothWaysWithEveryOctet) {
  exchange(world().stad, world().register_, "meld", every_octet());
  exchange(world().register_, world().stad, "antwoord", every_octet());
}

TEST_P(Exchange, CarriesFiveMegabytes) {
  std::string octets(5 * 1024 * 1024, '\0');
  std::uint32_t state = 1;
  for (auto& octet : octets) octet = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24U);
  auto sender = world().stad.application();
  const std::string boundary = "b1";
  const Json fields{{"cpaId", world().cpa(GetParam())},
                    {"service", "Voorbeeld:Meldingen:1:0"},
                    {"action", "meld"},
                    {"payloads", {{{"contentType", "application/octet-stream"}, {"fileName", "groot.bin"}}}}};
  const auto body = "--b1\r\nContent-Disposition: form-data; name=\"message\"\r\nContent-Type: application/json\r\n\r\n" + fields.dump() +
                    "\r\n--b1\r\nContent-Disposition: form-data; name=\"payload\"; filename=\"groot.bin\"\r\nContent-Type: "
                    "application/octet-stream\r\n\r\n" +
                    octets + "\r\n--b1--\r\n";
  const auto answer = sender.call("POST", "/api/v1/messages", body, "multipart/form-data; boundary=b1");
  ASSERT_EQ(answer.status, 202U) << answer.body;
  ASSERT_TRUE(reaches(sender, answer.json().value("id", ""), "DELIVERED")) << world().stad.log();
  auto receiver = world().register_.application();
  const auto received = inbound(receiver, answer.json().value("messageId", ""));
  ASSERT_FALSE(received.is_null());
  EXPECT_EQ(receiver.get("/api/v1/messages/" + received.value("id", "") + "/payloads/0").body, octets);
}

INSTANTIATE_TEST_SUITE_P(Profiles, Exchange,
                         ::testing::Values(Terms{"be", false, false}, Terms{"rm", true, false}, Terms{"rm-sync", true, true}),
                         [](const auto& instance) {
                           return std::string(instance.param.reliable ? instance.param.synchronous ? "RmSync" : "Rm" : "Be");
                         });

// ADP-600
TEST(Operation, MetricsShowWhatTheNodeDid) {
  auto ops = world().stad.ops();
  const auto metrics = ops.get("/metrics");
  EXPECT_EQ(metrics.status, 200U);
  EXPECT_THAT(metrics.body, HasSubstr("schakel_node_up 1"));
  EXPECT_THAT(metrics.body, HasSubstr("schakel_build_info{version="));
  EXPECT_THAT(metrics.body, HasSubstr("schakel_http_requests_total{"));
  EXPECT_THAT(metrics.body, ::testing::Not(HasSubstr("00000099000000020000"))) << "no partner's OIN in a label";
}

// ADP-601
TEST(Operation, HealthNamesEachCheck) {
  auto ops = world().stad.ops();
  for (const char* path : {"/health/live", "/health/ready", "/health/startup"}) {
    const auto answer = ops.get(path);
    EXPECT_EQ(answer.status, 200U) << path;
    EXPECT_EQ(answer.header("Content-Type"), "application/health+json");
  }
  const auto checks = ops.get("/health/ready").json()["checks"];
  for (const char* check : {"database", "keys", "listeners", "clock", "draining"}) EXPECT_TRUE(checks.contains(check)) << check;
}

// ADP-301: the node that answered has taken the contract into use; what it then refuses is the action, which no contract has.
TEST(Operation, AContractIsInEffectWhenItsActivationIsAnswered) {
  auto& site = world().stad;
  auto sender = site.application();
  for (int i = 0; i < 20; ++i) {
    const std::string cpa_id = "cpa-at-once-" + std::to_string(i);
    site.load(CpaDocument({.cpa_id = cpa_id}, site.party("Melder"), world().register_.party("Register")).text());
    const auto answer = sender.post("/api/v1/messages", {{"cpaId", cpa_id},
                                                         {"service", "Voorbeeld:Meldingen:1:0"},
                                                         {"action", "onbekend"},
                                                         {"payloads", {{{"contentType", "text/plain"}, {"data", "eA=="}}}}});
    ASSERT_THAT(answer.body, HasSubstr("\"contract.actionNotAllowed\"")) << cpa_id;
  }
}

// EB-181
TEST(Operation, APingIsAnswered) {
  world().cpa({"rm", true, false});
  auto api = world().stad.admin();
  const auto answer = api.post("/api/v1/partners/00000099000000020000/_ping", {{"cpaId", "cpa-rm"}});
  EXPECT_EQ(answer.status, 200U) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr("\"result\":\"pong\""));
}

// CPA-063, V37, V43: a node judges contracts with its own trust store and its own keys
TEST(Operation, ContractsAreJudgedWithTheNodesTrustAndKeys) {
  auto api = world().stad.admin();
  const auto theirs = world().register_.party("Register");
  auto ours = world().stad.party("Melder");
  const auto judged = [&](const CpaParty& own) {
    const auto document = CpaDocument({.cpa_id = "cpa-beoordeeld"}, own, theirs).text();
    const auto answer = api.call("POST", "/api/v1/contracts/_validate", document, "application/xml");
    EXPECT_EQ(answer.status, 200U) << answer.body;
    const auto verdict = answer.json();
    std::set<std::string> codes;
    for (const auto& finding : verdict["findings"]) codes.insert(finding.value("code", ""));
    return codes;
  };
  const auto good = judged(ours);
  for (const char* rule : {"V37h", "V37i", "V37j", "V43"}) EXPECT_FALSE(good.contains(rule)) << rule;
  ours.certificate = world().stad.issue().certificate;  // of the same organisation, but its key is not here
  EXPECT_TRUE(judged(ours).contains("V43"));
  ours.certificate = theirs.certificate;
  EXPECT_TRUE(judged(ours).contains("V37b"));
}

// ADP-108: at registration too
TEST(Operation, AWebhookOfANameWithoutAddressIsRefused) {
  auto api = world().stad.application();
  const auto refused = api.post("/api/v1/webhooks", {{"url", "https://geen-naam.invalid/hook"}, {"types", {"message.received"}}});
  EXPECT_EQ(refused.status, 400U) << refused.body;
  EXPECT_EQ(refused.json().value("code", ""), "webhook.targetRefused");
}

// ADP-505, EB-111: the evidence of a message that was delivered holds what was sent and the partner's acknowledgement
TEST(Operation, EvidenceHoldsTheAcknowledgement) {
  world().cpa({"rm", true, false});
  auto api = world().stad.admin();
  const auto id = submit(api, {{"cpaId", "cpa-rm"},
                               {"service", "Voorbeeld:Meldingen:1:0"},
                               {"action", "meld"},
                               {"payloads", {{{"contentType", "text/plain"}, {"data", to_base64("inhoud")}}}}})
                      .value("id", "");
  ASSERT_TRUE(reaches(api, id, "DELIVERED"));
  const auto evidence = api.get("/api/v1/messages/" + id + "/evidence");
  EXPECT_EQ(evidence.status, 200U);
  EXPECT_EQ(evidence.header("Content-Type"), "application/zip");
  // Members are stored as they are, so their octets are found in the archive.
  EXPECT_THAT(evidence.body, HasSubstr("sent/envelope.xml"));
  EXPECT_THAT(evidence.body, HasSubstr("signals/1-Acknowledgment.xml"));
  EXPECT_THAT(evidence.body, HasSubstr("<eb:RefToMessageId>" + message(api, id).value("messageId", "")));
}

// ADP-701: a bulk action is done by the node's work loop
TEST(Operation, ABulkActionIsCarriedOut) {
  world().cpa({"rm", true, false});
  auto api = world().stad.admin();
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i)
    ids.push_back(submit(api, {{"cpaId", "cpa-rm"},
                               {"service", "Voorbeeld:Meldingen:1:0"},
                               {"action", "meld"},
                               {"notBefore", "2034-01-01T00:00:00Z"},
                               {"labels", {{"reeks", "bulk"}}},
                               {"payloads", Json::array()}})
                      .value("id", ""));
  const auto started =
      api.post("/api/v1/message-actions", {{"filter", {{"label", "reeks:bulk"}}}, {"action", "cancel"}, {"reason", "proef"}});
  ASSERT_EQ(started.status, 202U) << started.body;
  const auto job = started.header("Location");
  EXPECT_TRUE(becomes([&] { return api.get(job).json().value("state", "") == "completed"; }, 15s)) << api.get(job).body;
  EXPECT_EQ(api.get(job).json().value("done", 0), 3);
  for (const auto& id : ids) EXPECT_EQ(message(api, id).value("state", ""), "CANCELLED");
}

// ADP-115: no inner path at the outer door, no outer one inside.
TEST(Operation, EachDoorServesItsOwnPathsOnly) {
  EXPECT_EQ(world().stad.ops().get("/api/v1/messages").status, 404U);
  EXPECT_EQ(world().stad.admin().call("POST", "/ebms").status, 404U);
}

}  // namespace
}  // namespace schakel::integration
