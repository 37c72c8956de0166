// API keys, roles, nodes, settings, audit log, certificates and trust (ADP-503, ADP-800, ADP-802).
#include "api_fixture.hpp"

namespace schakel::api {
namespace {

class Operation : public ApiTest {
 protected:
  Reply create(const Json& body, const std::string& token) {
    return send("POST", "/api/v1/api-keys", {{"Content-Type", "application/json"}}, body.dump(), token);
  }
};

// --- keys ----------------------------------------------------------------------------------------------------------------------------

// ADP-802: shown once, stored as a hash, usable at once, revoked at once
TEST_F(Operation, AKeyIsShownOnceAndRevoked) {
  const auto made = admin("POST", "/api-keys", {{"name", "zaaksysteem"}, {"roles", {"integrator"}}, {"sourceNetworks", {"10.0.0.0/8"}}});
  ASSERT_EQ(made.status, 201U) << made.body;
  const std::string id = made.json["id"], token = made.json["token"];
  EXPECT_TRUE(token.starts_with("sk_test_"));
  EXPECT_EQ(token.size(), 51U);
  EXPECT_EQ(made.header("Location"), "/api/v1/api-keys/" + id);
  EXPECT_EQ(send("GET", "/api/v1/messages", {}, "", token).status, 200U);
  for (const auto& path : {std::string("/api-keys"), "/api-keys/" + id}) {
    const auto shown = admin_get(path).body;
    EXPECT_EQ(shown.find(token), std::string::npos);
    EXPECT_EQ(shown.find(sha256_hex(token)), std::string::npos);
  }
  for (const auto& record : audit_log()) EXPECT_EQ(record.dump().find(token), std::string::npos);
  EXPECT_EQ(admin("DELETE", "/api-keys/" + id).status, 428U);
  EXPECT_EQ(change("DELETE", "/api-keys/" + id).status, 204U);
  EXPECT_EQ(send("GET", "/api/v1/messages", {}, "", token).status, 401U);
  EXPECT_EQ(admin_get("/api-keys/" + id).json["revokedAt"], to_rfc3339(clock.at)) << "it stays in the list, for the audit log";
  EXPECT_EQ(change("DELETE", "/api-keys/" + id).status, 204U) << "once more changes nothing";
  EXPECT_THAT(audited(), ElementsAre("apiKey.create " + id, "apiKey.revoke " + id));
}

// ADP-802: live keys in production
TEST_F(Operation, AKeyTellsItsEnvironment) {
  stad_environment = "production";
  EXPECT_TRUE(admin("POST", "/api-keys", {{"name", "k"}, {"roles", {"viewer"}}}).json.value("token", "").starts_with("sk_live_"));
}

// ADP-800, ADP-802: nobody gives what they do not have
TEST_F(Operation, NobodyGivesMoreThanTheyHave) {
  const auto tenant_admin = make_key("stad", {"tenant-admin"});
  EXPECT_THAT(create({{"name", "k"}, {"roles", {"viewer", "platform-admin", "koning"}}}, tenant_admin).faults(),
              ::testing::UnorderedElementsAre("body /roles/1 forbidden", "body /roles/2 enum"));
  EXPECT_THAT(create({{"name", "k"}, {"permissions", {"node.act", "message.read", "magic.read", "payload.read"}}}, tenant_admin).faults(),
              ::testing::UnorderedElementsAre("body /permissions/0 forbidden", "body /permissions/2 enum"));
  EXPECT_EQ(create({{"name", "k"}, {"roles", {"platform-operator"}}}, admin_key).status, 201U);
  const auto reader = create({{"name", "k"}, {"roles", {"viewer"}}, {"permissions", {"payload.read"}}}, tenant_admin);
  ASSERT_EQ(reader.status, 201U) << reader.body;
  const auto inbound = receive();
  EXPECT_EQ(send("GET", "/api/v1/messages/" + inbound.id + "/payloads/0", {}, "", reader.json["token"]).status, 200U);
}

TEST_F(Operation, AWrongKeyIsToldEveryFault) {
  EXPECT_THAT(
      admin("POST", "/api-keys", {{"sourceNetworks", {"10.0.0.0/33", "x"}}, {"expiresAt", "2020-01-01T00:00:00Z"}, {"more", 1}}).faults(),
      ::testing::UnorderedElementsAre("body /name required", "body /roles required", "body /sourceNetworks/0 format",
                                      "body /sourceNetworks/1 format", "body /expiresAt range", "body /more unknown"));
}

// ADP-202
TEST_F(Operation, KeysOfAnotherTenantLookLikeNothing) {
  const auto id = admin("POST", "/api-keys", {{"name", "k"}, {"roles", {"viewer"}}}).json.value("id", "");
  EXPECT_EQ(send("GET", "/api/v1/api-keys/" + id, {}, "", other_key).status, 404U);
  EXPECT_EQ(send("DELETE", "/api/v1/api-keys/" + id, {{"If-Match", "*"}}, "", other_key).status, 404U);
  EXPECT_EQ(send("GET", "/api/v1/api-keys", {}, "", other_key).json.size(), 1U);
}

// --- roles -----------------------------------------------------------------------------------------------------------------------------

// ADP-800, adapter.md 2.9 and acceptance 25: every operation with every role, against the table of the specification as a person reads it
// there: A platform-admin, P platform-operator, t tenant-admin, o tenant-operator, s security-officer, c contract-manager, i integrator,
// u auditor, v viewer, b billing.
TEST_F(Operation, EachRoleMayDoWhatTheSpecificationGivesIt) {
  const std::map<char, std::string> roles = {
      {'A', "platform-admin"},   {'P', "platform-operator"}, {'t', "tenant-admin"}, {'o', "tenant-operator"}, {'s', "security-officer"},
      {'c', "contract-manager"}, {'i', "integrator"},        {'u', "auditor"},      {'v', "viewer"},          {'b', "billing"}};
  const std::map<std::string, std::string> expected = {
      // messages: metadata for those who watch, submit and confirm for integrators, actions for operators, payloads for nobody
      {"GET /messages", "Ptoiuv"},
      {"POST /messages", "ti"},
      {"GET /messages/{id}", "Ptoiuv"},
      {"GET /messages/{id}/payloads/{index}", ""},
      {"GET /messages/{id}/events", "Ptoiuv"},
      {"GET /messages/{id}/evidence", "tu"},
      {"POST /messages/{id}/acknowledgement", "ti"},
      {"POST /messages/{id}/actions", "to"},
      {"POST /message-actions", "to"},
      {"GET /jobs/{id}", "Ptoiuv"},
      {"GET /jobs/{id}/results", "Ptoiuv"},
      {"POST /jobs/{id}/_stop", "to"},
      {"POST /calls", "ti"},
      {"POST /wus/{contractId}", "ti"},
      {"POST /wus/{contractId}/{operation}", "ti"},
      {"GET /message-events", "Ptoiuv"},
      {"POST /message-events/{id}/_process", "ti"},
      // taking from a queue lends messages out, so it is an act
      {"GET /queues/{name}/messages", "toi"},
      {"POST /queues/{name}/acknowledgements", "toi"},
      {"GET /webhooks", "toiuv"},
      {"POST /webhooks", "ti"},
      {"GET /webhooks/{id}", "toiuv"},
      {"PATCH /webhooks/{id}", "ti"},
      {"DELETE /webhooks/{id}", "ti"},
      {"POST /webhooks/{id}/_test", "ti"},
      {"POST /webhooks/{id}/secrets", "ti"},
      {"GET /contracts", "tociuv"},
      {"POST /contracts", "tc"},
      {"POST /contracts/_validate", "tociuv"},
      {"GET /contracts/_match", "tociuv"},
      {"GET /contracts/{id}", "tociuv"},
      {"PATCH /contracts/{id}", "tc"},
      {"DELETE /contracts/{id}", "tc"},
      {"GET /contracts/{id}/document", "tociuv"},
      {"POST /contracts/{id}/_activate", "tc"},
      {"POST /contracts/{id}/_suspend", "tc"},
      {"POST /contracts/{id}/_retire", "tc"},
      {"GET /url-mappings", "tociuv"},
      {"POST /url-mappings", "tc"},
      {"GET /url-mappings/{id}", "tociuv"},
      {"DELETE /url-mappings/{id}", "tc"},
      {"GET /certificate-mappings", "tociuv"},
      {"POST /certificate-mappings", "tc"},
      {"GET /certificate-mappings/{id}", "tociuv"},
      {"DELETE /certificate-mappings/{id}", "tc"},
      {"GET /mandates", "tscuv"},
      {"POST /mandates", "ts"},
      {"GET /mandates/{id}", "tscuv"},
      {"PATCH /mandates/{id}", "ts"},
      {"GET /algorithm-exceptions", "tscuv"},
      {"POST /algorithm-exceptions", "ts"},
      {"GET /algorithm-exceptions/{id}", "tscuv"},
      {"DELETE /algorithm-exceptions/{id}", "ts"},
      {"GET /routes", "tcuv"},
      {"PUT /routes", "tc"},
      {"POST /routes/_evaluate", "tcuv"},
      {"POST /routes/_rollback", "tc"},
      {"GET /routes/versions", "tcuv"},
      {"GET /routes/versions/{version}", "tcuv"},
      {"GET /partners", "tociuv"},
      {"GET /partners/{oin}", "tociuv"},
      {"POST /partners/{oin}/_ping", "toc"},  // connectivity tests
      {"GET /api-keys", "Atu"},
      {"POST /api-keys", "At"},
      {"GET /api-keys/{id}", "Atu"},
      {"DELETE /api-keys/{id}", "At"},
      {"GET /roles", "Atu"},
      {"GET /nodes", "APtu"},
      {"PATCH /nodes/{id}", "AP"},
      {"GET /audit-events", "tu"},
      {"GET /certificates", "tscuv"},
      {"POST /certificates/{id}/_activate", "ts"},
      {"POST /certificates/{id}/_rotate", "ts"},
      {"GET /trust-anchors", "tscuv"},
      {"GET /crls", "tscuv"},
      {"GET /settings", "APtu"},
  };
  std::map<std::string, std::string> tokens;
  for (const auto& [letter, role] : roles) tokens[role] = make_key("stad", {role});
  std::size_t seen = 0;
  for (const auto& route : api->routes()) {
    const std::string name = std::string(route.method) + " " + std::string(route.path);
    const auto row = expected.find(name);
    ASSERT_NE(row, expected.end()) << name << " has no row: who may use it?";
    ++seen;
    std::string path = "/api/v1" + std::string(route.path);
    for (auto begin = path.find('{'); begin != std::string::npos; begin = path.find('{'))
      path.replace(begin, path.find('}') - begin + 1, "none");
    for (const auto& [letter, role] : roles) {
      const auto reply = send(std::string(route.method), path, {}, "", tokens[role]);
      EXPECT_EQ(reply.status != 403U, row->second.find(letter) != std::string::npos) << role << ": " << name << " gave " << reply.status;
      if (reply.status == 403U) {
        EXPECT_EQ(reply.code(), "auth.forbidden");
      }
    }
  }
  EXPECT_EQ(seen, expected.size()) << "a row describes a route that is not there";
}

TEST_F(Operation, RolesAreListedWithWhatTheyMay) {
  const auto list = admin_get("/roles");
  ASSERT_EQ(list.json.size(), 10U);
  for (const auto& role : list.json) {
    const auto permissions = role["permissions"].get<std::vector<std::string>>();
    EXPECT_FALSE(permissions.empty()) << role;
    EXPECT_THAT(permissions, ::testing::Not(::testing::Contains("payload.read"))) << role;
    EXPECT_EQ(role["scope"], role["name"].get<std::string>().starts_with("platform-") ? "installation" : "tenant");
  }
}

// --- nodes, settings, views ------------------------------------------------------------------------------------------------------------

// ADP-901 (drain): the wish is stored for the node's next heartbeat, and in the audit log
TEST_F(Operation, ANodeIsDrainedAndResumed) {
  lease();
  const auto nodes = admin_get("/nodes");
  ASSERT_EQ(nodes.json.size(), 1U);
  EXPECT_EQ(nodes.json[0]["id"], "a");
  EXPECT_EQ(nodes.json[0]["draining"], false);
  EXPECT_EQ(nodes.json[0]["heartbeatAt"], to_rfc3339(clock.at));
  EXPECT_EQ(admin("PATCH", "/nodes/a", {{"draining", true}}).json["draining"], true);
  EXPECT_EQ(query<std::vector<exchange::Node>>([](sql::Transaction& tx) { return exchange::nodes(tx); })[0].draining, true);
  EXPECT_EQ(admin("PATCH", "/nodes/a", {{"draining", false}}).json["draining"], false);
  EXPECT_EQ(admin("PATCH", "/nodes/b", {{"draining", true}}).status, 404U);
  EXPECT_THAT(admin("PATCH", "/nodes/a", {{"draining", "yes"}, {"epoch", 2}}).faults(),
              ElementsAre("body /draining type", "body /epoch unknown"));
  EXPECT_THAT(audited(), ElementsAre("node.drain a", "node.resume a"));
}

TEST_F(Operation, ViewsShowWhatTheNodeKnows) {
  EXPECT_EQ(admin_get("/settings").json[0]["key"], "node.name");
  const auto certificates = admin_get("/certificates");
  EXPECT_EQ(certificates.json[0]["tenant"], "stad") << "of the caller's tenant";
  EXPECT_EQ(certificates.header("Total-Count"), "1");
  EXPECT_EQ(admin_get("/trust-anchors").json.size(), 0U);
  EXPECT_EQ(admin_get("/crls").header("Total-Pages"), "1");
  EXPECT_THAT(admin_get("/crls?page=0").faults(), ElementsAre("query page range"));
}

// --- audit log
// -----------------------------------------------------------------------------------------------------------------------------

// ADP-503, REST-068: who, when, from where, what, before and after; read on with an opaque cursor
TEST_F(Operation, TheAuditLogIsReadOnWithACursor) {
  for (int i = 0; i < 25; ++i) {
    clock.at += 1s;
    ASSERT_EQ(send("POST", "/api/v1/api-keys", {{"Content-Type", "application/json"}, {"User-Agent", "toetser/1"}},
                   Json{{"name", "k" + std::to_string(i)}, {"roles", {"viewer"}}}.dump(), admin_key)
                  .status,
              201U);
  }
  audit_log();
  const auto first = admin_get("/audit-events");
  ASSERT_EQ(first.json["events"].size(), 20U) << "the default";
  const auto& record = first.json["events"][0];
  EXPECT_EQ(record["action"], "apiKey.create");
  EXPECT_EQ(record["result"], "ok");
  EXPECT_EQ(record["address"], "10.0.0.1");
  EXPECT_EQ(record["userAgent"], "toetser/1");
  EXPECT_TRUE(record["actor"].get<std::string>().starts_with("apiKey:"));
  EXPECT_EQ(record["after"]["name"], "k0");
  EXPECT_EQ(record["tenant"], "stad");
  EXPECT_FALSE(record["hash"].get<std::string>().empty());
  const auto rest = admin_get("/audit-events?limit=20&cursor=" + first.json["nextCursor"].get<std::string>());
  EXPECT_EQ(rest.json["events"].size(), 5U);
  EXPECT_FALSE(rest.json.contains("nextCursor"));
  EXPECT_EQ(rest.json["events"][0]["after"]["name"], "k20");
  EXPECT_EQ(admin_get("/audit-events?limit=100").json["events"].size(), 25U);
  for (const auto* wrong : {"cursor=zzz", "cursor=YTotMQ", "limit=101", "limit=0", "page=1"})
    EXPECT_EQ(admin_get(std::string("/audit-events?") + wrong).status, 400U) << wrong;
  EXPECT_EQ(send("GET", "/api/v1/audit-events", {}, "", other_key).json["events"].size(), 0U) << "another tenant's log is its own";
}

}  // namespace
}  // namespace schakel::api
