// The routing table as a resource: ADP-402, ADP-412, ADP-413; adapter.md 3.4 and section 4.
#include "api/routing_json.hpp"
#include "api_fixture.hpp"

namespace schakel::api {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

class RoutingTable : public ApiTest {
 protected:
  static Json row(std::string id, std::string to, Json target, std::string direction = "outbound") {
    Json made{{"id", std::move(id)}, {"direction", direction}, {"match", {{"toOin", std::move(to)}}}, {"target", std::move(target)}};
    if (direction == "inbound") made["mode"] = "transparent";
    return made;
  }
  static Json example() {
    return Json::array(
        {row("naar-r", partner_oin, {{"kind", "intermediary"}, {"oin", strange_oin}}),
         row("naar-b", strange_oin, {{"kind", "partner"}, {"url", "https://knooppunt-b.example/ebms"}}),
         row("testdorp", "00000099000000040000", {{"kind", "partner"}, {"url", "https://dk.testdorp.example/ebms"}}, "inbound")});
  }
  Reply put(const Json& rows) { return change("PUT", "/routes", "", Json{{"routes", rows}}); }
};

// ADP-413
TEST_F(RoutingTable, IsReplacedAsAWholeAndVersioned) {
  const auto none = admin_get("/routes");
  EXPECT_EQ(none.status, 200U);
  EXPECT_EQ(none.json["version"], 0);
  EXPECT_EQ(none.header("ETag"), "\"0\"");
  EXPECT_EQ(admin("PUT", "/routes", {{"routes", example()}}).code(), "version.missing");
  const auto first = put(example());
  ASSERT_EQ(first.status, 200U) << first.body;
  EXPECT_EQ(first.header("ETag"), "\"1\"");
  EXPECT_EQ(first.json["routes"][0]["visibility"], "party") << "what was left open is shown";
  EXPECT_EQ(admin("PUT", "/routes", {{"routes", example()}}, {{"If-Match", "\"0\""}}).code(), "version.conflict");
  EXPECT_EQ(put(Json::array()).json["version"], 2);
  EXPECT_EQ(put(first.json["routes"]).json["routes"], first.json["routes"]) << "what is shown can be put back";
}

TEST_F(RoutingTable, AnEarlierVersionIsPutBackAsANewOne) {
  put(example());
  put(Json::array());
  const auto versions = admin_get("/routes/versions");
  ASSERT_EQ(versions.json.size(), 2U) << versions.body;
  EXPECT_EQ(versions.json[0]["version"], 2);
  EXPECT_EQ(versions.json[1]["rows"], 3);
  EXPECT_EQ(admin_get("/routes/versions/1").json["routes"].size(), 3U);
  const auto back = change("POST", "/routes", "/_rollback", {{"version", 1}});
  ASSERT_EQ(back.status, 200U) << back.body;
  EXPECT_EQ(back.json["version"], 3);
  EXPECT_EQ(admin_get("/routes").json["routes"].size(), 3U);
  EXPECT_EQ(change("POST", "/routes", "/_rollback", {{"version", 9}}).status, 404U);
  EXPECT_EQ(admin_get("/routes/versions/x").status, 404U);
  EXPECT_EQ(admin("POST", "/routes/_rollback", {{"version", 1}}).code(), "version.missing");
}

TEST_F(RoutingTable, TheLastHundredVersionsAreKept) {
  for (int i = 0; i < 102; ++i) ASSERT_EQ(put(Json::array()).status, 200U) << i;
  EXPECT_EQ(admin_get("/routes/versions?perPage=100").header("Total-Count"), "100");
  EXPECT_EQ(admin_get("/routes/versions/2").status, 404U);
  EXPECT_EQ(admin_get("/routes/versions/3").status, 200U);
}

// ADP-503
TEST_F(RoutingTable, EveryChangeIsAudited) {
  put(example());
  auto changed = example();
  changed[1]["priority"] = 5;
  changed.erase(2);
  changed.push_back(row("nieuw", "00000099000000050000", {{"kind", "refuse"}}));
  put(changed);
  change("POST", "/routes", "/_rollback", {{"version", 1}});
  std::vector<Json> records;
  for (const auto& record : audit_log())
    if (record.value("object", "") == "routes") records.push_back(record);
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[1]["action"], "routes.put");
  EXPECT_EQ(records[1]["before"]["version"], 1);
  EXPECT_EQ(records[1]["after"]["added"], Json::array({"nieuw"}));
  EXPECT_EQ(records[1]["after"]["changed"], Json::array({"naar-b"}));
  EXPECT_EQ(records[1]["after"]["removed"], Json::array({"testdorp"}));
  EXPECT_EQ(records[2]["action"], "routes.rollback");
  EXPECT_EQ(records[2]["after"]["of"], 1);
}

// adapter.md section 4: 400 routing.loop, 409 route.duplicate; nothing is stored
TEST_F(RoutingTable, AWrongTableIsRefusedAndNotStored) {
  const auto loop = put(Json::array({row("1", partner_oin, {{"kind", "intermediary"}, {"oin", strange_oin}}),
                                     row("2", strange_oin, {{"kind", "intermediary"}, {"oin", strange_oin}})}));
  EXPECT_EQ(loop.status, 400U);
  EXPECT_EQ(loop.code(), "routing.loop");
  EXPECT_THAT(loop.faults(), Contains("body /routes/0 routing.loop"));
  const auto own = put(Json::array({row("1", partner_oin, {{"kind", "partner"}, {"url", "https://x.example/"}, {"oin", own_oin}})}));
  EXPECT_EQ(own.code(), "routing.loop") << "to ourselves";
  const auto refuse = Json{{"kind", "refuse"}};
  const auto twice = put(Json::array({row("1", partner_oin, refuse), row("2", partner_oin, refuse)}));
  EXPECT_EQ(twice.status, 409U);
  EXPECT_EQ(twice.code(), "route.duplicate");
  auto unbuilt = row("1", partner_oin, {{"kind", "kafka"}});
  unbuilt["mode"] = "storeForward";
  const auto refused = put(Json::array({unbuilt, row("2", partner_oin, {{"kind", "kafka"}, {"ref", "x"}})}));
  EXPECT_EQ(refused.status, 400U);
  EXPECT_EQ(refused.code(), "request.invalid");
  EXPECT_THAT(refused.faults(), ElementsAre("body /routes/0/mode unsupported", "body /routes/1/target/ref unsupported",
                                            "body /routes/1/target/kind unsupported"));
  EXPECT_EQ(admin_get("/routes").json["version"], 0);
}

TEST_F(RoutingTable, EveryFaultOfFormIsToldAtOnce) {
  const auto wrong = put(Json::array({{{"id", 5}, {"direction", "in"}, {"target", {{"kind", "partner"}, {"host", "x"}}}, {"extra", 1}},
                                      {{"id", "x"}, {"direction", "outbound"}, {"match", {{"oin", "x"}}}, {"validFrom", "gisteren"}}}));
  EXPECT_EQ(wrong.status, 400U);
  EXPECT_THAT(wrong.faults(), ::testing::UnorderedElementsAre("body /routes/0/id type", "body /routes/0/direction enum",
                                                              "body /routes/0/target/host unknown", "body /routes/0/extra unknown",
                                                              "body /routes/1/target required", "body /routes/1/match/oin unknown",
                                                              "body /routes/1/validFrom format"));
  EXPECT_EQ(put(nullptr).status, 400U);
}

// ADP-402: the chosen row, where it leads, and the reasons of the others
TEST_F(RoutingTable, EvaluateExplains) {
  put(example());
  const auto outbound = admin("POST", "/routes/_evaluate", {{"direction", "outbound"}, {"toOin", partner_oin}});
  ASSERT_EQ(outbound.status, 200U) << outbound.body;
  EXPECT_EQ(outbound.json["route"]["id"], "naar-r");
  EXPECT_EQ(outbound.json["nextHop"]["url"], "https://knooppunt-b.example/ebms");
  EXPECT_EQ(outbound.json["nextHop"]["serverOin"], strange_oin);
  EXPECT_EQ(outbound.json["nextHop"]["through"], Json::array({strange_oin}));
  EXPECT_EQ(outbound.json["others"], Json::parse(R"([{"id":"naar-b","reason":"toOin"},{"id":"testdorp","reason":"direction"}])"));
  const auto none = admin("POST", "/routes/_evaluate", {{"direction", "inbound"}, {"toOin", partner_oin}});
  EXPECT_TRUE(none.json["route"].is_null());
  EXPECT_FALSE(none.json.contains("nextHop"));
  EXPECT_THAT(admin("POST", "/routes/_evaluate", {{"toOin", "x"}}).faults(), Contains("body /direction required"));
}

// ADP-202, 2.9
TEST_F(RoutingTable, IsTheTenantsOwnAndItsContractManagersToChange) {
  put(example());
  EXPECT_EQ(send("GET", api_path("/routes"), {}, "", other_key).json["version"], 0);
  const auto reader = make_key("stad", {"viewer"});
  EXPECT_EQ(send("GET", api_path("/routes"), {}, "", reader).status, 200U);
  EXPECT_EQ(change("PUT", "/routes", "", {{"routes", Json::array()}}, reader).status, 403U);
}

TEST_F(RoutingTable, WhatIsStoredIsReadBack) {
  put(example());
  const auto documents =
      query<std::vector<exchange::Document>>([](sql::Transaction& tx) { return exchange::all_documents(tx, exchange::routes_document); });
  ASSERT_EQ(documents.size(), 1U);
  const auto routes = stored_routes(documents.front().body);
  ASSERT_TRUE(routes);
  EXPECT_EQ(routes->size(), 3U);
  EXPECT_EQ((*routes)[2].mode, exchange::RouteMode::transparent);
  EXPECT_EQ(stored_routes("{}").error().code, "configuration.unreadable");
}

}  // namespace
}  // namespace schakel::api
