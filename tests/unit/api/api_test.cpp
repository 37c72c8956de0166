// What holds for every operation: login, permissions, headers, methods, media types.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "api_fixture.hpp"

namespace schakel::api {
namespace {

class ApiRules : public ApiTest {
 protected:
  std::vector<std::string> audit_records(const std::string& tenant) {
    commit([](sql::Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(exchange::seal_audit(tx, 1000));
      return {};
    });
    return query<std::vector<std::string>>([&](sql::Transaction& tx) { return exchange::audit_events(tx, tenant, 0, 100); });
  }
};

// REST-048, REST-051, REST-062, SEC-120
TEST_F(ApiRules, EveryAnswerCarriesTheHeaders) {
  const auto inbound = receive();
  for (const auto& reply : {get("/messages"), get("/messages/" + inbound.id + "/payloads/0"), get("/nothing"),
                            send("GET", "/api/v1/messages", {}, "", ""), get("/messages?x=1"), send("GET", "/elsewhere", {}, "", key),
                            post("/messages/" + inbound.id + "/acknowledgement", {{"result", "processed"}}), get("/openapi.json")}) {
    EXPECT_EQ(reply.header("API-Version"), "1.0.0") << reply.status;
    EXPECT_EQ(reply.header("Cache-Control"), "no-store");
    EXPECT_EQ(reply.header("Content-Security-Policy"), "default-src 'none'; frame-ancestors 'none'");
    EXPECT_EQ(reply.header("Strict-Transport-Security"), "max-age=31536000");
    EXPECT_EQ(reply.header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(reply.header("X-Frame-Options"), "DENY");
    EXPECT_EQ(reply.header("Referrer-Policy"), "no-referrer");
    EXPECT_EQ(reply.header("X-Request-Id"), "0199a1b2-0000-7000-8000-00000000000a");
    EXPECT_EQ(reply.header("Set-Cookie"), "");
  }
}

// REST-033, REST-036
TEST_F(ApiRules, ErrorsAreProblemDetails) {
  const auto reply = get("/messages?x=1");
  EXPECT_EQ(reply.header("Content-Type"), "application/problem+json");
  EXPECT_EQ(reply.json["type"], "urn:schakel:problem:request.invalid");
  EXPECT_EQ(reply.json["code"], "request.invalid");
  EXPECT_EQ(reply.json["status"], 400);
  EXPECT_EQ(reply.json["title"], "Ongeldige invoer");
  EXPECT_EQ(reply.json["instance"], "urn:uuid:0199a1b2-0000-7000-8000-00000000000a");
  EXPECT_FALSE(reply.json["detail"].get<std::string>().empty());
}

// REST-023, REST-030, REST-063
TEST_F(ApiRules, MethodsAndPathsAreJudged) {
  EXPECT_EQ(get("/messages/").status, 404U);
  EXPECT_EQ(get("/nothing").status, 404U);
  EXPECT_EQ(send("GET", "/api/v2/messages", {}, "", key).status, 404U);
  EXPECT_EQ(send("GET", "/api/v1", {}, "", key).status, 404U);
  const auto wrong = send("PUT", "/api/v1/messages", {}, "", key);
  EXPECT_EQ(wrong.status, 405U);
  EXPECT_EQ(wrong.header("Allow"), "GET, HEAD, POST, OPTIONS");
  const auto options = send("OPTIONS", "/api/v1/messages", {{"Origin", "https://evil.example"}}, "", "");
  EXPECT_EQ(options.status, 204U);
  EXPECT_EQ(options.header("Allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(options.header("Access-Control-Allow-Origin"), "");
  EXPECT_EQ(send("HEAD", "/api/v1/messages", {}, "", key).status, 200U);
}

// REST-053, REST-064
TEST_F(ApiRules, MediaTypesAreJudged) {
  const auto accept = [&](std::string value) { return send("GET", "/api/v1/messages", {{"Accept", std::move(value)}}, "", key).status; };
  for (const auto* fine : {"*/*", "application/*", "application/json", "application/problem+json", "text/html, application/json;q=0.1"})
    EXPECT_EQ(accept(fine), 200U) << fine;
  for (const auto* wrong : {"text/html", "application/xml", "image/*"}) EXPECT_EQ(accept(wrong), 406U) << wrong;
  const auto inbound = receive();
  const auto acknowledge = [&](std::string type) {
    return send("POST", "/api/v1/messages/" + inbound.id + "/acknowledgement", {{"Content-Type", std::move(type)}},
                R"({"result":"processed"})", key)
        .status;
  };
  for (const auto* wrong : {"text/plain", "application/json; charset=latin1", "application/merge-patch+json", "application/jsonx"})
    EXPECT_EQ(acknowledge(wrong), 415U) << wrong;
  EXPECT_EQ(acknowledge("application/json; charset=utf-8"), 204U);
  EXPECT_EQ(send("GET", "/api/v1/messages", {{"Content-Type", "application/json"}}, "{}", key).status, 415U);
}

// REST-069
TEST_F(ApiRules, ABodyAboveTheLimitIsTooLarge) {
  const auto inbound = receive();
  const auto reply = send("POST", "/api/v1/messages/" + inbound.id + "/acknowledgement", {{"Content-Type", "application/json"}},
                          std::string(1024 * 1024 + 1, ' '), key);
  EXPECT_EQ(reply.status, 413U);
}

// --- login -------------------------------------------------------------------------------------------------------------------------

// ADP-802, adapter.md section 4: the same answer for every cause
TEST_F(ApiRules, ALoginThatFailsSaysNothingAboutWhy) {
  const auto revoked = make_key("stad", {"integrator"}, {}, [&](ApiKey& made) { made.revoked_at = clock.at; });
  const auto expired = make_key("stad", {"integrator"}, {}, [&](ApiKey& made) { made.expires_at = clock.at; });
  const auto elsewhere = make_key("stad", {"integrator"}, {}, [&](ApiKey& made) { made.source_networks = {"192.168.0.0/16"}; });
  const auto unknown = make_token(random, "test");
  const auto expected = send("GET", "/api/v1/messages", {}, "", unknown);
  EXPECT_EQ(expected.status, 401U);
  EXPECT_EQ(expected.code(), "auth.invalid");
  EXPECT_THAT(expected.header("WWW-Authenticate"), HasSubstr("Bearer"));
  for (const auto& token : {revoked, expired, elsewhere, std::string("nonsense"), unknown.substr(0, 50) + "="}) {
    const auto reply = send("GET", "/api/v1/messages", {}, "", token);
    EXPECT_EQ(reply.status, 401U);
    EXPECT_EQ(reply.body, expected.body);
  }
  const auto missing = send("GET", "/api/v1/messages", {}, "", "");
  EXPECT_EQ(missing.status, 401U);
  EXPECT_EQ(missing.code(), "auth.missing");
}

// ADP-802
TEST_F(ApiRules, AKeyTravelsInEitherHeader) {
  EXPECT_EQ(send("GET", "/api/v1/messages", {{"Authorization", "Bearer " + key}}, "", "").status, 200U);
  EXPECT_EQ(send("GET", "/api/v1/messages", {{"authorization", "bearer " + key}}, "", "").status, 200U);
  EXPECT_EQ(send("GET", "/api/v1/messages", {{"Authorization", "Basic " + key}}, "", "").status, 401U);
  EXPECT_EQ(send("GET", "/api/v1/messages", {{"Authorization", "Bearer " + other_key}}, "", key).status, 401U) << "two that differ";
}

// ADP-802
TEST_F(ApiRules, AKeyHoldsUntilItsEndAndFromItsNetworks) {
  const auto bound = make_key("stad", {"integrator"}, {}, [&](ApiKey& made) {
    made.source_networks = {"192.168.0.0/16", "2001:4860::/32"};
    made.expires_at = clock.at + 1h;
  });
  remote_address = "192.168.3.4";
  EXPECT_EQ(send("GET", "/api/v1/messages", {}, "", bound).status, 200U);
  remote_address = "192.169.3.4";
  EXPECT_EQ(send("GET", "/api/v1/messages", {}, "", bound).status, 401U);
  remote_address = "2001:4860::8";
  EXPECT_EQ(send("GET", "/api/v1/messages", {}, "", bound).status, 200U);
  clock.at += 1h;
  EXPECT_EQ(send("GET", "/api/v1/messages", {}, "", bound).status, 401U);
}

// ADP-802: within 5 s, also when another node revoked it
TEST_F(ApiRules, ARevocationHoldsWithinFiveSeconds) {
  EXPECT_EQ(get("/messages").status, 200U);
  auto documents = query<std::vector<exchange::Document>>([](sql::Transaction& tx) { return exchange::documents(tx, "stad", "apiKey"); });
  for (auto& document : documents) {
    auto revoked = api_key_from(document).value();
    if (revoked.hash != sha256_hex(key)) continue;
    revoked.revoked_at = clock.at;
    commit([&](sql::Transaction& tx) { return exchange::put_document(tx, to_document(revoked)); });
  }
  clock.at += 5s;
  EXPECT_EQ(get("/messages").status, 401U);
}

// REST-005, REST-067, SEC-121, adapter.md section 4
TEST_F(ApiRules, AKeyInTheAddressIsRefusedAndRevoked) {
  const auto spare = make_key("stad", {"integrator"});
  const auto reply = send("GET", "/api/v1/messages?apiKey=" + spare, {}, "", key);
  EXPECT_EQ(reply.status, 400U);
  EXPECT_EQ(reply.code(), "request.invalid");
  EXPECT_EQ(reply.body.find(spare), std::string::npos) << "the value is not shown";
  EXPECT_EQ(send("GET", "/api/v1/messages", {}, "", spare).status, 401U);
  EXPECT_EQ(send("GET", "/api/v1/messages?access_token=x", {}, "", key).status, 400U);
  EXPECT_EQ(send("GET", "/api/v1/messages/" + make_token(random, "test"), {}, "", key).status, 400U);
  EXPECT_EQ(get("/messages").status, 200U);
  const auto records = audit_records("stad");
  ASSERT_FALSE(records.empty());
  EXPECT_THAT(records.front(), HasSubstr("urlToken"));
  for (const auto& record : records) EXPECT_EQ(record.find(spare), std::string::npos);
}

// ADP-503, SEC-105
TEST_F(ApiRules, RefusalsAreInTheAuditLogOncePerMinute) {
  for (int i = 0; i < 50; ++i) send("GET", "/api/v1/messages", {}, "", make_token(random, "test"));
  send("GET", "/api/v1/api-keys", {}, "", key);
  EXPECT_EQ(audit_records("").size(), 1U);
  const auto forbidden = audit_records("stad");
  ASSERT_EQ(forbidden.size(), 1U);
  EXPECT_THAT(forbidden[0], HasSubstr("apiKey.read"));
  clock.at += 61s;
  send("GET", "/api/v1/messages", {}, "", make_token(random, "test"));
  EXPECT_EQ(audit_records("").size(), 2U);
}

// --- permissions -------------------------------------------------------------------------------------------------------------------

// ADP-800: every operation with every role
TEST_F(ApiRules, EveryOperationNeedsItsPermission) {
  std::map<std::string, std::string> tokens;
  const std::vector<std::string> roles = {"platform-admin",   "platform-operator", "tenant-admin", "tenant-operator", "security-officer",
                                          "contract-manager", "integrator",        "auditor",      "viewer",          "billing"};
  for (const auto& role : roles) tokens[role] = make_key("stad", {role});
  for (const auto& route : api->routes()) {
    std::string path = "/api/v1" + std::string(route.path);
    for (auto begin = path.find('{'); begin != std::string::npos; begin = path.find('{'))
      path.replace(begin, path.find('}') - begin + 1, "none");
    for (const auto& role : roles) {
      const auto granted = permissions_of(role);
      const bool allowed = granted.contains(route.permission) || granted.contains(std::string(route.permission) + ":own");
      const auto reply = send(std::string(route.method), path, {}, "", tokens[role]);
      EXPECT_EQ(reply.status != 403U, allowed) << role << " " << route.method << " " << route.path;
    }
  }
}

TEST_F(ApiRules, RolesAreThoseOfTheSpecification) {
  for (const auto* role : {"platform-admin", "tenant-admin", "auditor", "viewer", "integrator"})
    EXPECT_FALSE(permissions_of(role).contains("payload.read")) << role;
  EXPECT_FALSE(permissions_of("viewer").contains("audit.read"));
  EXPECT_TRUE(permissions_of("auditor").contains("audit.read"));
  EXPECT_FALSE(permissions_of("auditor").contains("message.act"));
  EXPECT_TRUE(permissions_of("tenant-operator").contains("message.act"));
  EXPECT_FALSE(permissions_of("integrator").contains("apiKey.read"));
  EXPECT_TRUE(permissions_of("nobody").empty());
}

// ADP-115
TEST_F(ApiRules, TheInternalListenerHasThePartForApplications) {
  const auto internal = [&](std::string path) { return send("GET", "/api/v1" + path, {}, "", admin_key, true).status; };
  for (const auto* path : {"/messages", "/queues/default/messages", "/webhooks", "/contracts", "/openapi.json"})
    EXPECT_EQ(internal(path), 200U) << path;
  for (const auto* path :
       {"/api-keys", "/nodes", "/settings", "/audit-events", "/mandates", "/url-mappings", "/certificates", "/partners", "/roles"})
    EXPECT_EQ(internal(path), 404U) << path;
  EXPECT_EQ(send("POST", "/api/v1/contracts", {{"Content-Type", "application/xml"}}, "<a/>", admin_key, true).status, 405U);
}

// REST-031: what is safe changes nothing, what is idempotent may be repeated
TEST_F(ApiRules, SafeRequestsChangeNothing) {
  const auto inbound = receive();
  const auto version = query<std::int64_t>([](sql::Transaction& tx) { return exchange::configuration_version(tx); });
  for (const auto& route : api->routes()) {
    // Reading a payload or evidence leaves its mark in the trail on purpose, and taking from a queue lends.
    if (route.method != "GET" || route.access == Access::write || route.path.starts_with("/queues")) continue;
    std::string path = "/api/v1" + std::string(route.path);
    for (auto begin = path.find('{'); begin != std::string::npos; begin = path.find('{'))
      path.replace(begin, path.find('}') - begin + 1, inbound.id);
    for (const auto* method : {"GET", "HEAD", "OPTIONS"}) EXPECT_LT(send(method, path, {}, "", admin_key).status, 500U) << method << path;
  }
  EXPECT_EQ(query<std::int64_t>([](sql::Transaction& tx) { return exchange::configuration_version(tx); }), version);
  EXPECT_TRUE(trail(inbound.id).empty());
  EXPECT_EQ(message(inbound.id).state, exchange::State::received);
  EXPECT_TRUE(audit_log().empty());
}

// REST-052: no origin is let in but at the description
TEST_F(ApiRules, NoOtherSiteMayReadAnswers) {
  for (const auto& route : api->routes()) {
    std::string path = "/api/v1" + std::string(route.path);
    for (const auto* method : {"OPTIONS", "GET"}) {
      const auto reply = send(method, path, {{"Origin", "https://elders.example"}, {"Access-Control-Request-Method", "GET"}}, "", key);
      for (const auto* header : {"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Headers"})
        EXPECT_EQ(reply.header(header), "") << method << " " << path;
    }
  }
  EXPECT_EQ(send("GET", "/api/v1/openapi.json", {{"Origin", "https://elders.example"}}, "", "").header("Access-Control-Allow-Origin"), "*");
}

// REST-032: an internal fault tells nothing of the inside
TEST_F(ApiRules, AnInternalFaultTellsNothingOfTheInside) {
  commit([](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(tx.execute("ALTER TABLE messages RENAME TO lost"));
    return {};
  });
  const auto reply = get("/messages");
  EXPECT_GE(reply.status, 500U);
  for (const auto* inside : {"SQL", "sqlite", "messages", "table", ".cpp"})
    EXPECT_EQ(reply.body.find(inside), std::string::npos) << reply.body;
}

// adapter.md 3.11.5
TEST_F(ApiRules, ALostDatabaseIsUnavailableAndSaysWhenToComeBack) {
  EXPECT_EQ(get("/messages").status, 200U);
  database->stop();
  const auto reply = get("/messages");
  EXPECT_EQ(reply.status, 503U);
  EXPECT_EQ(reply.code(), "storage.unavailable");
  EXPECT_FALSE(reply.header("Retry-After").empty());
}

// --- the first key -----------------------------------------------------------------------------------------------------------------

class FirstKeys : public ApiTest {
 protected:
  void SetUp() override {
    folder = (std::filesystem::temp_directory_path() / "schakel-key-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  Result<bool> make(const std::string& tenant, const std::string& file) {
    FirstKey first;
    first.tenant = tenant;
    first.path = folder + "/" + file;
    return make_first_key(*database, first, random, clock.at);
  }
  std::string folder;
};

// ADP-802
TEST_F(FirstKeys, IsMadeOnceInAFileForItsOwnerOnly) {
  ASSERT_TRUE(make("nieuw", "admin.key").value());
  struct stat facts {};
  ASSERT_EQ(::stat((folder + "/admin.key").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
  std::ifstream in(folder + "/admin.key");
  std::string token;
  std::getline(in, token);
  EXPECT_TRUE(token.starts_with("sk_test_"));
  EXPECT_EQ(token.size(), 51U);
  api->reload_keys();
  EXPECT_EQ(send("GET", "/api/v1/nodes", {}, "", token).status, 200U);
  const auto stored =
      query<std::vector<exchange::Document>>([](sql::Transaction& tx) { return exchange::documents(tx, "nieuw", "apiKey"); });
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored[0].body.find(token), std::string::npos);
  EXPECT_EQ(stored[0].key, sha256_hex(token));
  EXPECT_FALSE(make("nieuw", "again.key").value());
  EXPECT_FALSE(std::filesystem::exists(folder + "/again.key"));
}

TEST_F(FirstKeys, IsNotMadeWhenItsFileIsThereOrCannotBeWritten) {
  std::ofstream(folder + "/admin.key") << "something";
  EXPECT_EQ(make("nieuw", "admin.key").error().code, "config.invalid");
  EXPECT_EQ(make("nieuw", "no/such/folder").error().code, "config.invalid");
  EXPECT_TRUE(
      query<std::vector<exchange::Document>>([](sql::Transaction& tx) { return exchange::documents(tx, "nieuw", "apiKey"); }).empty());
  std::ifstream in(folder + "/admin.key");
  std::string text;
  std::getline(in, text);
  EXPECT_EQ(text, "something");
}

}  // namespace
}  // namespace schakel::api
