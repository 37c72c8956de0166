// Emergency rotation and scheduled activation (operation_routes.cpp, contract_routes.cpp).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api_fixture.hpp"
#include "integration/cpa_document.hpp"
#include "support/pki.hpp"

namespace schakel::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

class OperationTest : public ApiTest {
 protected:
  std::vector<Json> audit_of(const std::string& action) {
    commit([](sql::Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(exchange::seal_audit(tx, 1000));
      return {};
    });
    std::vector<Json> found;
    for (const auto& text :
         query<std::vector<std::string>>([](sql::Transaction& tx) { return exchange::audit_events(tx, "stad", 0, 1000); })) {
      auto record = Json::parse(text);
      if (record.value("action", "") == action) found.push_back(std::move(record));
    }
    return found;
  }
  std::vector<exchange::Document> compromised() {
    return query<std::vector<exchange::Document>>([](sql::Transaction& tx) { return exchange::all_documents(tx, "compromisedKey"); });
  }
};

// REST-067: every list that the command line asks for comes in pages.
TEST_F(OperationTest, ListsComeInPages) {
  lease();
  for (const auto* path : {"/nodes", "/mandates", "/webhooks", "/api-keys", "/partners", "/certificates", "/contracts", "/crls"}) {
    const auto reply = admin_get(std::string(path) + "?page=1&perPage=100");
    EXPECT_EQ(reply.status, 200U) << path << reply.body;
    EXPECT_FALSE(reply.header("Total-Count").empty()) << path;
  }
  EXPECT_EQ(admin_get("/nodes?page=1&perPage=100").json.size(), 1U);
}

// SEC-106, ADP-800: no route is open to a role that has nothing to do with it, and each refusal is audited.
TEST_F(OperationTest, EveryRouteAsksForItsPermission) {
  const auto stranger = make_key("stad", {"billing"});
  std::size_t guarded = 0;
  for (const auto& route : api->routes()) {
    if (route.permission.empty()) continue;
    std::string path(route.path);
    for (auto open = path.find('{'); open != std::string::npos; open = path.find('{')) path.replace(open, path.find('}') - open + 1, "x");
    const auto reply = send(std::string(route.method), "/api/v1" + path, {}, "", stranger);
    EXPECT_EQ(reply.status, 403U) << route.method << " " << path << " " << reply.body;
    EXPECT_EQ(reply.code(), "auth.forbidden");
    ++guarded;
  }
  EXPECT_GT(guarded, 40U);
  EXPECT_THAT(audit_of("POST"), ::testing::Not(IsEmpty()));
}

// SEC-078, SEC-106, ADP-800
TEST_F(OperationTest, AnEmergencyRotationIsForTheSecurityOfficerAndAudited) {
  emergency_plan = [](std::string tenant, std::string certificate) -> Result<OrderedJson> {
    if (tenant != "stad" || certificate != "old") return fail("notFound", "no such certificate");
    return OrderedJson{{"publicKeySha256", "cafe"}, {"successors", Json::array()}, {"report", {{{"to", "tsp"}}}}};
  };
  const auto officer = make_key("stad", {"security-officer"});
  const auto rotate = [&](const std::string& token, const std::string& certificate, const Json& body) {
    return send("POST", "/api/v1/certificates/" + certificate + "/_rotate", {{"Content-Type", "application/json"}}, body.dump(), token);
  };
  for (const auto* role : {"integrator", "tenant-operator", "contract-manager", "auditor", "viewer", "platform-operator"})
    EXPECT_EQ(rotate(make_key("stad", {role}), "old", {{"reason", "gestolen"}}).status, 403U) << role;
  EXPECT_EQ(rotate(officer, "old", Json::object()).status, 400U) << "without a reason";
  EXPECT_EQ(rotate(officer, "other", {{"reason", "gestolen"}}).status, 404U);
  EXPECT_EQ(rotate(other_key, "old", {{"reason", "gestolen"}}).status, 404U) << "of another tenant";
  EXPECT_THAT(compromised(), IsEmpty());

  const auto done = rotate(officer, "old", {{"reason", "gestolen"}});
  EXPECT_EQ(done.status, 200U) << done.body;
  EXPECT_EQ(done.json["report"][0]["to"], "tsp");
  ASSERT_EQ(compromised().size(), 1U);
  EXPECT_EQ(compromised().front().key, "cafe");
  ASSERT_EQ(audit_of("certificate.emergencyRotate").size(), 1U);
  EXPECT_EQ(audit_of("certificate.emergencyRotate").front()["after"]["reason"], "gestolen");
}

// security.md 3.5, SEC-106
TEST_F(OperationTest, ACertificateIsActivatedNowOrLaterAndAudited) {
  std::vector<std::pair<std::string, Instant>> activated;
  activate_certificate = [&](std::string_view tenant, std::string_view certificate, Instant at) -> Result<> {
    if (tenant != "stad" || certificate == "other") return fail("notFound", "no such certificate");
    if (certificate == "broken") return fail("state.conflict", "the certificate cannot be used");
    activated.emplace_back(certificate, at);
    return {};
  };
  const auto now = clock.now();
  EXPECT_EQ(admin("POST", "/certificates/next/_activate", Json::object()).status, 200U);
  const auto later = admin("POST", "/certificates/next/_activate", {{"at", to_rfc3339(now + std::chrono::hours(24))}});
  EXPECT_EQ(later.status, 200U) << later.body;
  EXPECT_EQ(later.json["activeFromAt"], to_rfc3339(now + std::chrono::hours(24)));
  EXPECT_EQ(admin("POST", "/certificates/next/_activate", {{"at", "2001-01-01T00:00:00Z"}}).status, 200U);
  EXPECT_EQ(activated,
            (std::vector<std::pair<std::string, Instant>>{{"next", now}, {"next", now + std::chrono::hours(24)}, {"next", now}}));
  EXPECT_EQ(admin("POST", "/certificates/next/_activate", {{"at", "morgen"}}).status, 400U);
  EXPECT_EQ(admin("POST", "/certificates/other/_activate", Json::object()).status, 404U);
  EXPECT_EQ(admin("POST", "/certificates/broken/_activate", Json::object()).code(), "state.conflict");
  EXPECT_EQ(activated.size(), 3U);
  EXPECT_EQ(audit_of("certificate.activate").size(), 3U);
}

// Without a successor nothing changes.
TEST_F(OperationTest, AnEmergencyRotationWithoutASuccessorIsRefused) {
  emergency_plan = [](std::string, std::string) -> Result<OrderedJson> { return fail("state.conflict", "no other certificate"); };
  const auto reply = admin("POST", "/certificates/old/_rotate", {{"reason", "gestolen"}});
  EXPECT_EQ(reply.status, 409U);
  EXPECT_EQ(reply.code(), "state.conflict");
  EXPECT_THAT(compromised(), IsEmpty());
}

class ScheduleTest : public OperationTest {
 protected:
  std::string import() {
    const auto certificate = [](const std::string& oin) {
      return test::pki().tls(oin, "Partij", {"stad.example", "lv.example"}).certificate;
    };
    const auto text =
        integration::CpaDocument({.cpa_id = "cpa-later"}, {"Stad", own_oin, "Melder", "https://stad.example/ebms", certificate(own_oin)},
                                 {"LV", partner_oin, "Ontvanger", "https://lv.example/ebms", certificate(partner_oin)})
            .text();
    const auto reply = send("POST", "/api/v1/contracts", {{"Content-Type", "application/xml"}}, text, admin_key);
    EXPECT_EQ(reply.status, 201U) << reply.body;
    etag = reply.header("ETag");
    return reply.json.value("id", "");
  }
  Reply activate(const std::string& id, const Json& body) {
    auto reply = admin("POST", "/contracts/" + id + "/_activate", body, {{"If-Match", etag}});
    etag = reply.header("ETag");
    return reply;
  }
  std::string state(const std::string& id) { return admin_get("/contracts/" + id).json.value("state", ""); }
  std::string etag;
};

// ADP-304
TEST_F(ScheduleTest, AContractBecomesActiveAtItsMomentAndNotBefore) {
  const auto id = import();
  const auto scheduled = activate(id, {{"validFrom", to_rfc3339(clock.at + 24h)}});
  ASSERT_EQ(scheduled.status, 200U) << scheduled.body;
  EXPECT_EQ(scheduled.json["state"], "validated");
  EXPECT_EQ(scheduled.json["settings"]["validFrom"], to_rfc3339(std::chrono::floor<std::chrono::milliseconds>(clock.at + 24h)));
  clock.at += 23h;
  EXPECT_TRUE(await(api->activate_scheduled("stad", id)));
  EXPECT_EQ(state(id), "validated");
  clock.at += 2h;
  EXPECT_TRUE(await(api->activate_scheduled("stad", id)));
  EXPECT_EQ(state(id), "active");
  EXPECT_FALSE(admin_get("/contracts/" + id).json["settings"].contains("validFrom"));
  ASSERT_EQ(audit_of("contract.activate").size(), 1U);
  EXPECT_EQ(audit_of("contract.activate").front()["actor"], "schakel");
  ASSERT_EQ(audit_of("contract.schedule").size(), 1U);
  EXPECT_TRUE(await(api->activate_scheduled("stad", id))) << "nothing is left to do";
}

TEST_F(ScheduleTest, AMomentThatHasPassedIsNow) {
  const auto id = import();
  EXPECT_EQ(activate(id, {{"validFrom", to_rfc3339(clock.at - 1h)}}).json["state"], "active");
}

TEST_F(ScheduleTest, AMomentAfterTheEndIsRefused) {
  const auto id = import();
  EXPECT_EQ(activate(id, {{"validFrom", "2040-01-01T00:00:00Z"}}).status, 409U);
  EXPECT_EQ(activate(id, {{"validFrom", "tomorrow"}}).status, 400U);
}

// What may no longer be active when its moment comes is told, and is not tried again and again.
TEST_F(ScheduleTest, AContractThatMayNotBecomeActiveLosesItsMoment) {
  const auto id = import();
  ASSERT_EQ(activate(id, {{"validFrom", to_rfc3339(clock.at + 24h)}}).status, 200U);
  clock.at = parse_datetime("2036-01-01T00:00:00Z")->instant;
  EXPECT_TRUE(await(api->activate_scheduled("stad", id)));
  EXPECT_EQ(state(id), "validated");
  EXPECT_FALSE(admin_get("/contracts/" + id).json["settings"].contains("validFrom"));
  ASSERT_EQ(audit_of("contract.activate").size(), 1U);
  EXPECT_EQ(audit_of("contract.activate").front()["result"], "refused");
  EXPECT_EQ(audit_of("contract.activate").front()["reason"], "contract.expired");
}

}  // namespace
}  // namespace schakel::api
