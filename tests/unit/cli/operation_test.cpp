#include <gmock/gmock.h>
#include <sys/stat.h>

#include "fake_shell.hpp"
#include "security/issuance.hpp"
#include "support/pki.hpp"
#include "support/softhsm.hpp"

namespace schakel::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Operations : public Terminal {
 protected:
  Operations() {
    node = [this](const ApiRequest& request) -> Result<ApiResponse> {
      const auto found = routes.find(request.method + " " + request.path);
      if (found == routes.end()) return problem_answer(404, "notFound", "there is no such thing");
      return found->second;
    };
  }
  std::map<std::string, ApiResponse> routes;
};

TEST_F(Operations, every_list_is_a_table_json_or_csv) {
  for (const auto& [noun, path] : std::map<std::string, std::string>{{"partner", "/partners"},
                                                                     {"node", "/nodes"},
                                                                     {"mandate", "/mandates"},
                                                                     {"webhook", "/webhooks"},
                                                                     {"api-key", "/api-keys"},
                                                                     {"certificate", "/certificates"}}) {
    routes["GET " + path + "?page=1&perPage=100"] = answer(200, Json::array({{{"id", "x-1"}, {"oin", "x-1"}, {"sha256", "x-1"}}}));
    EXPECT_EQ(run({noun, "list"}), 0) << noun << err.str();
    EXPECT_THAT(out.str(), HasSubstr("x-1")) << noun;
    EXPECT_EQ(run({noun, "list", "--json"}), 0);
    EXPECT_EQ(Json::parse(out.str()).size(), 1U) << noun;
    EXPECT_EQ(run({noun, "list", "--output", "csv"}), 0);
    EXPECT_THAT(out.str(), HasSubstr("\r\n")) << noun;
  }
}

TEST_F(Operations, node_drain_and_resume_set_the_wish) {
  routes["PATCH /nodes/a"] = answer(200, {{"id", "a"}, {"draining", true}});
  EXPECT_EQ(run({"node", "drain", "a"}), 0) << err.str();
  EXPECT_EQ(requests.back().body, R"({"draining":true})");
  EXPECT_EQ(run({"node", "resume", "a"}), 0);
  EXPECT_EQ(requests.back().body, R"({"draining":false})");
  EXPECT_EQ(run({"node", "drain", "b"}), 3);
}

TEST_F(Operations, mandate_add_begins_now_unless_told_and_revoke_changes_what_was_seen) {
  routes["POST /mandates"] = answer(201, {{"id", "m"}});
  EXPECT_EQ(run({"mandate", "add", "--mandator", "00000099000000010000", "--mandatary", "00000099000000110000"}), 0) << err.str();
  EXPECT_EQ(Json::parse(requests.back().body), (Json{{"mandatorOin", "00000099000000010000"},
                                                     {"mandataryOin", "00000099000000110000"},
                                                     {"scope", "*"},
                                                     {"validFrom", to_rfc3339(clock.now())}}));
  routes["GET /mandates/m"] = answer(200, {{"id", "m"}}, {{"ETag", "\"2\""}});
  routes["PATCH /mandates/m"] = answer(200, {{"id", "m"}, {"status", "revoked"}});
  EXPECT_EQ(run({"mandate", "revoke", "m"}), 0) << err.str();
  EXPECT_EQ(requests.back().headers.find("If-Match"), "\"2\"");
  EXPECT_EQ(requests.back().content_type, "application/merge-patch+json");
}

// SEC-071: a secret goes to a private file and nowhere else.
TEST_F(Operations, secrets_that_are_shown_once_go_to_a_private_file) {
  routes["POST /api-keys"] = answer(201, {{"id", "k"}, {"name", "zaaksysteem"}, {"token", "sk_test_geheim"}});
  routes["POST /webhooks"] = answer(201, {{"id", "w"}, {"url", "https://app.example/hook"}, {"secret", "whsec_geheim"}});
  routes["POST /webhooks/w/secrets"] = answer(201, {{"id", "w"}, {"secret", "whsec_geheim"}});
  const std::vector<std::vector<std::string>> all{
      {"api-key", "create", "--name", "zaaksysteem", "--role", "integrator,viewer", "--json"},
      {"webhook", "add", "--target", "https://app.example/hook", "--type", "message.received,message.failed", "--service", "Terugmelding"},
      {"webhook", "rotate", "w", "--output", "csv"}};
  for (auto arguments : all) {
    const auto path = (folder / "secret").string();
    std::filesystem::remove(path);
    EXPECT_EQ(run(arguments), 2) << "without a file there is nowhere to keep it";
    requests.clear();
    arguments.insert(arguments.end(), {"--secret-file", path});
    EXPECT_EQ(run(arguments), 0) << err.str();
    EXPECT_THAT(content_of(path), HasSubstr("_geheim\n"));
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 077U, 0U);
    EXPECT_THAT(out.str() + err.str(), Not(HasSubstr("geheim")));
    requests.clear();
    EXPECT_EQ(run(arguments), 1) << "not over an existing file";
    EXPECT_TRUE(requests.empty()) << "and no secret is made that would be lost";
    arguments.back() = "-";
    EXPECT_EQ(run(arguments), 2);
  }
}

TEST_F(Operations, webhook_add_sends_the_filter_as_the_api_names_it) {
  routes["POST /webhooks"] = answer(201, {{"id", "w"}, {"secret", "whsec_x"}});
  EXPECT_EQ(run({"webhook", "add", "--target", "https://a.example/", "--cpa", "cpa-1", "--confirm", "explicit", "--secret-file",
                 (folder / "s").string()}),
            0)
      << err.str();
  EXPECT_EQ(Json::parse(requests.back().body),
            Json::parse(R"({"url":"https://a.example/","types":["message.received"],"confirm":"explicit","filter":{"cpaId":"cpa-1"}})"));
}

TEST_F(Operations, webhook_test_has_the_outcome_as_exit_code) {
  routes["POST /webhooks/w/_test"] = answer(200, {{"event", "e"}, {"ok", true}, {"status", 204}});
  EXPECT_EQ(run({"webhook", "test", "w"}), 0) << err.str();
  routes["POST /webhooks/w/_test"] = answer(200, {{"event", "e"}, {"ok", false}, {"error", {{"code", "transport.tls"}, {"detail", "no"}}}});
  EXPECT_EQ(run({"webhook", "test", "w"}), 1);
  EXPECT_THAT(out.str(), HasSubstr("transport.tls"));
}

TEST_F(Operations, remove_and_revoke_delete_what_was_seen) {
  routes["GET /webhooks/w"] = answer(200, {{"id", "w"}}, {{"ETag", "\"7\""}});
  routes["DELETE /webhooks/w"] = ApiResponse{204, {}, {}};
  EXPECT_EQ(run({"webhook", "remove", "w"}), 0) << err.str();
  EXPECT_EQ(requests.back().headers.find("If-Match"), "\"7\"");
  routes["GET /api-keys/k"] = answer(200, {{"id", "k"}}, {{"ETag", "\"1\""}});
  routes["DELETE /api-keys/k"] = ApiResponse{204, {}, {}};
  EXPECT_EQ(run({"api-key", "revoke", "k"}), 0) << err.str();
  EXPECT_EQ(run({"api-key", "revoke", "../tenants"}), 3);
  EXPECT_EQ(requests.back().path, "/api-keys/..%2Ftenants");
}

TEST_F(Operations, audit_list_follows_the_cursor_up_to_the_limit) {
  Json hundred = Json::array();
  for (int i = 1; i <= 100; ++i) hundred.push_back({{"seq", i}});
  routes["GET /audit-events?limit=100"] = answer(200, {{"events", hundred}, {"nextCursor", "YTo"}});
  routes["GET /audit-events?limit=50&cursor=YTo"] = answer(200, {{"events", Json::array({{{"seq", 101}}})}});
  EXPECT_EQ(run({"audit", "list", "--limit", "150", "--json"}), 0) << err.str();
  EXPECT_EQ(Json::parse(out.str()).size(), 101U);
}

TEST_F(Operations, partner_ping_tells_whether_the_partner_answers) {
  routes["POST /partners/00000099000000300000/_ping"] = answer(200, {{"result", "pong"}, {"cpaId", "cpa-1"}, {"durationMs", 12}});
  EXPECT_EQ(run({"partner", "ping", "00000099000000300000", "--cpa", "cpa-1"}), 0) << err.str();
  EXPECT_EQ(requests.back().body, R"({"cpaId":"cpa-1"})");
  EXPECT_THAT(out.str(), HasSubstr("pong"));
  routes["POST /partners/00000099000000300000/_ping"] =
      problem_answer(502, "call.upstream", "not reached", {{"reason", "transport.connect: refused"}});
  EXPECT_EQ(run({"partner", "ping", "00000099000000300000"}), 1);
  EXPECT_THAT(err.str(), HasSubstr("transport.connect: refused"));
  EXPECT_THAT(err.str(), HasSubstr("schakel tls check"));
  EXPECT_EQ(run({"partner", "ping", "00000099000000220000"}), 3);
  EXPECT_THAT(err.str(), HasSubstr("schakel contract list"));
}

TEST_F(Operations, partner_list_names_contracts_and_endpoints) {
  routes["GET /partners?page=1&perPage=100"] =
      answer(200, Json::array({{{"oin", "00000099000000300000"},
                                {"name", "LV"},
                                {"contracts", Json::array({{{"id", "c"}, {"cpaId", "cpa-1"}}})},
                                {"endpoints", Json::array({{{"url", "https://lv.example/ebms"}}})}}}));
  EXPECT_EQ(run({"partner", "list", "--output", "csv"}), 0) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("00000099000000300000,LV,cpa-1,https://lv.example/ebms,"));
}

// SEC-072: key and request are made here; the key stays in a private file.
TEST_F(Operations, certificate_csr_makes_a_private_key_and_a_request_with_the_oin) {
  const auto key = (folder / "dk.key").string();
  const std::vector<std::string> arguments{
      "certificate", "csr", "--org", "Gemeente Voorbeeldstad", "--oin", "00000099000000010000", "--dns", "dk.voorbeeldstad.example",
      "--key-file",  key};
  EXPECT_EQ(run(arguments), 0) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("BEGIN CERTIFICATE REQUEST"));
  EXPECT_THAT(out.str(), Not(HasSubstr("PRIVATE KEY")));
  EXPECT_THAT(content_of(key), HasSubstr("PRIVATE KEY"));
  EXPECT_EQ(run(arguments), 1) << "a new request needs a new key";
}

// SEC-070, SEC-072: the key stays in its token.
TEST_F(Operations, certificate_csr_makes_a_request_for_a_key_in_a_token) {
  const auto library = test::SoftHsm::library();
  if (library.empty()) GTEST_SKIP() << "softhsm2 is not installed";
  const test::SoftHsm hsm;
  hsm.add_token("stad", "1234");
  const auto own = test::KeyShelf().take(3072).value();
  hsm.add_key("stad", "1234", own.get(), "dk", "01");
  ASSERT_TRUE(security::write_private_file((folder / "pin").string(), "1234\n"));
  std::vector<std::string> arguments{"certificate",
                                     "csr",
                                     "--org",
                                     "Gemeente Voorbeeldstad",
                                     "--oin",
                                     "00000099000000010000",
                                     "--dns",
                                     "dk.voorbeeldstad.example",
                                     "--key",
                                     "pkcs11:token=stad;object=dk",
                                     "--pkcs11-module",
                                     library,
                                     "--passphrase-file",
                                     (folder / "pin").string()};
  EXPECT_EQ(run(arguments), 0) << err.str();
  const auto asked = security::public_key_of_request(out.str());
  ASSERT_TRUE(asked) << asked.error().detail;
  EXPECT_EQ(EVP_PKEY_eq(asked->get(), own.get()), 1);
  arguments[9] = "pkcs11:token=stad;object=weg";
  EXPECT_EQ(run(arguments), 1);
  EXPECT_THAT(err.str(), AllOf(HasSubstr("SEC.SLEUTEL.PKCS11"), Not(HasSubstr("1234"))));
  arguments.resize(8);
  EXPECT_EQ(run(arguments), 2) << "neither a file nor a token";
}

// security.md 3.5
TEST_F(Operations, a_certificate_is_activated_now_or_later) {
  routes["POST /certificates/next/_activate"] = answer(200, {{"sha256", "next"}, {"activeFromAt", "2027-01-15T05:00:00.000Z"}});
  EXPECT_EQ(run({"certificate", "activate", "next", "--at", "2027-01-15T06:00:00+01:00"}), 0) << err.str();
  EXPECT_THAT(out.str(), AllOf(HasSubstr("2027-01-15T05:00:00.000Z"), HasSubstr("decrypt for 30 days")));
  EXPECT_EQ(run({"certificate", "activate", "other"}), 3);
}

// SEC-078: what must be reported is printed.
TEST_F(Operations, an_emergency_rotation_prints_whom_to_tell) {
  const Json plan = {
      {"publicKeySha256", "ab"},
      {"successors", Json::array({{{"purpose", "tls-server"}, {"sha256", "new"}}})},
      {"report", Json::array({{{"to", "tsp"}, {"name", "TSP"}, {"serial", "4f0a"}, {"what", "revoke"}},
                              {{"to", "partner"}, {"oin", "00000099000000020000"}, {"cpaId", "cpa-1"}, {"what", "renew"}}})}};
  routes["POST /certificates/old/_rotate"] = answer(200, plan);
  EXPECT_EQ(run({"certificate", "emergency-rotate", "old", "--reason", "gestolen"}), 0) << err.str();
  EXPECT_EQ(requests.back().body, R"({"reason":"gestolen"})");
  for (const auto* part : {"new", "4f0a", "revoke", "00000099000000020000", "cpa-1"}) EXPECT_THAT(out.str(), HasSubstr(part));
  EXPECT_EQ(run({"certificate", "emergency-rotate", "old", "--reason", "gestolen", "--json"}), 0);
  EXPECT_EQ(Json::parse(out.str()), plan);
  EXPECT_EQ(run({"certificate", "emergency-rotate", "old"}), 2) << "a reason is needed for the audit log";
  EXPECT_EQ(run({"certificate", "emergency-rotate", "other", "--reason", "gestolen"}), 3);
  routes["POST /certificates/last/_rotate"] = problem_answer(409, "state.conflict", "no other usable certificate");
  EXPECT_EQ(run({"certificate", "emergency-rotate", "last", "--reason", "gestolen"}), 1);
  EXPECT_THAT(err.str(), HasSubstr("certificate csr"));
}

}  // namespace
}  // namespace schakel::cli
