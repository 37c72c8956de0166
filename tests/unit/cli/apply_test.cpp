#include <gmock/gmock.h>
#include <sys/stat.h>

#include "fake_shell.hpp"

namespace schakel::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* cpa_document =
    "<tp:CollaborationProtocolAgreement xmlns:tp=\"http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd\" "
    "tp:cpaid=\"cpa-1\"/>";

constexpr const char* declared = R"(
[[contracts]]
file = "cpa.xml"
activate = true
settings = { tls-offloaded = true }

[[url-mappings]]
source = "https://a.example/ebms"
destination = "https://b.example/ebms"

[[mandates]]
mandator-oin = "00000099000000010000"
mandatary-oin = "00000099000000110000"
scope = "ebms/Terugmelding"
valid-from = 2026-01-01T01:00:00+01:00

[[webhooks]]
url = "https://app.example/hook"
types = ["message.received"]
secret-file = "hook.secret"
)";

// A node with just enough memory: contracts, mappings, mandates, webhooks; versions are checked as README section 5 says.
class NodeMemory {
 public:
  Result<ApiResponse> operator()(const ApiRequest& request) {
    if (request.method != "GET") ++changes;
    const auto path = request.path.substr(0, request.path.find('?'));
    if (path.starts_with("/contracts")) return contract(request, path);
    for (const auto* shelf : {"/url-mappings", "/mandates", "/webhooks"})
      if (path.starts_with(shelf)) return item(request, path, shelf);
    return problem_answer(404, "notFound", "no such path");
  }

  int changes = 0;
  std::map<std::string, Json> items;  // by "/mandates/1"
  std::string document, state;
  Json settings = {{"tlsOffloaded", false}, {"allowLoopback", false}};

 private:
  ApiResponse contract(const ApiRequest& request, const std::string& path) {
    const Json shown = {{"id", "c-1"}, {"cpaId", "cpa-1"}, {"state", state}, {"settings", settings}};
    if (request.method == "GET" && path == "/contracts") return answer(200, document.empty() ? Json::array() : Json::array({shown}));
    if (request.method == "GET" && path == "/contracts/c-1/document") return {200, {}, document};
    if (request.method == "GET") return answer(200, shown, {{"ETag", "\"1\""}});
    if (request.method == "PATCH") {
      if (request.headers.find("If-Match") != "\"1\"") return problem_answer(428, "version.missing", "no If-Match");
      settings.merge_patch(Json::parse(request.body)["settings"]);
      return answer(200, shown);
    }
    if (path == "/contracts/c-1/_activate") {
      if (request.headers.find("If-Match") != "\"1\"") return problem_answer(428, "version.missing", "no If-Match");
      state = "active";
      return answer(200, {{"id", "c-1"}, {"cpaId", "cpa-1"}, {"state", state}});
    }
    if (!document.empty() && document != request.body && request.path.find("overwrite=true") == std::string::npos)
      return problem_answer(409, "state.conflict", "there is another document");
    document = request.body;
    if (state.empty()) state = "validated";
    return answer(201, {{"id", "c-1"}, {"cpaId", "cpa-1"}, {"state", state}});
  }

  ApiResponse item(const ApiRequest& request, const std::string& path, const std::string& shelf) {
    if (request.method == "GET" && path == shelf) {
      Json list = Json::array();
      for (const auto& [at, value] : items)
        if (at.starts_with(shelf)) list.push_back(value);
      return answer(200, list);
    }
    if (request.method == "POST") {
      auto value = Json::parse(request.body);
      auto at = shelf + "/" + std::to_string(items.size() + 1);
      for (const auto& [present, other] : items)
        if (shelf == "/url-mappings" && other["source"] == value["source"]) at = present;
      value["id"] = at.substr(shelf.size() + 1);
      if (shelf == "/mandates") {
        if (!value.contains("direction")) value["direction"] = "both";
        value["status"] = "active";
        value["validFrom"] = "2026-01-01T00:00:00.000Z";  // as the node writes it
      }
      items[at] = value;
      if (shelf == "/webhooks") value["secret"] = "whsec_geheim";
      return answer(201, value);
    }
    if (!items.contains(path)) return problem_answer(404, "notFound", "no such thing");
    if (request.method == "GET") return answer(200, items[path], {{"ETag", "\"3\""}});
    if (request.headers.find("If-Match") != "\"3\"") return problem_answer(428, "version.missing", "no If-Match");
    items[path].merge_patch(Json::parse(request.body));
    return answer(200, items[path]);
  }
};

class Apply : public Terminal {
 protected:
  Apply() {
    file("cpa.xml", cpa_document);
    file("all.toml", declared);
    node = [this](const ApiRequest& request) { return memory(request); };
  }
  int apply(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"apply", "-f", folder.string(), "--output", "csv"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  // As it is named in the output.
  std::string actions() const {
    std::string words;
    std::istringstream lines(out.str());
    for (std::string line; std::getline(lines, line);) words += line.substr(0, line.find(',')) + " ";
    return words;
  }
  NodeMemory memory;
};

TEST_F(Apply, makes_everything_and_changes_nothing_the_second_time) {
  EXPECT_EQ(apply(), 0) << err.str();
  EXPECT_EQ(actions(), "action created created created created ");
  EXPECT_EQ(memory.state, "active");
  EXPECT_EQ(memory.settings["tlsOffloaded"], true);
  EXPECT_EQ(memory.items.size(), 3U);
  const auto first = memory.changes;
  EXPECT_EQ(apply(), 0) << err.str();
  EXPECT_EQ(actions(), "action unchanged unchanged unchanged unchanged ");
  EXPECT_EQ(memory.changes, first);
}

TEST_F(Apply, dry_run_says_the_same_and_changes_nothing) {
  EXPECT_EQ(apply({"--dry-run"}), 0) << err.str();
  EXPECT_EQ(actions(), "action created created created created ");
  EXPECT_EQ(memory.changes, 0);
  EXPECT_FALSE(std::filesystem::exists(folder / "hook.secret"));
}

// SEC-071: the secret of a new webhook is in a private file only.
TEST_F(Apply, keeps_the_secret_of_a_new_webhook_in_a_private_file) {
  ASSERT_EQ(apply(), 0) << err.str();
  EXPECT_EQ(content_of(folder / "hook.secret"), "whsec_geheim\n");
  struct stat status {};
  ASSERT_EQ(::stat((folder / "hook.secret").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 077U, 0U);
  EXPECT_THAT(out.str() + err.str(), Not(HasSubstr("geheim")));
}

TEST_F(Apply, changes_only_what_differs) {
  ASSERT_EQ(apply(), 0) << err.str();
  std::string text = declared;
  text.replace(text.find("https://b.example"), 17, "https://c.example");
  text.replace(text.find("[\"message.received\"]"), 20, "[\"message.failed\"]");
  text.insert(text.find("[[webhooks]]"), "status = \"revoked\"\n");
  file("all.toml", text);
  file("cpa.xml", std::string(cpa_document) + "\n");
  EXPECT_EQ(apply({"--dry-run"}), 0) << err.str();
  EXPECT_EQ(actions(), "action changed changed changed changed ");
  EXPECT_EQ(apply(), 0) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("changed,webhook,https://app.example/hook,types\r\n"));
  EXPECT_EQ(memory.items["/webhooks/3"]["types"], Json::array({"message.failed"}));
  EXPECT_EQ(memory.items["/mandates/2"]["status"], "revoked");
  EXPECT_EQ(memory.items["/url-mappings/1"]["destination"], "https://c.example/ebms");
  EXPECT_EQ(memory.document, std::string(cpa_document) + "\n");
  EXPECT_EQ(apply(), 0);
  EXPECT_EQ(actions(), "action unchanged unchanged unchanged unchanged ");
}

TEST_F(Apply, reads_json_as_well) {
  std::filesystem::remove(folder / "all.toml");
  const auto path = file("one.json", R"({"urlMappings":[{"source":"https://a.example/","destination":"https://b.example/"}]})");
  EXPECT_EQ(run({"apply", "-f", path}), 0) << err.str();
  EXPECT_EQ(memory.items.size(), 1U);
}

TEST_F(Apply, finds_every_fault_of_form_before_it_does_anything) {
  for (const auto* text : {"[[rockets]]\nname = 1\n", "contracts = 3\n", "contracts = [3]\n", "[[contracts]]\nactivate = true\n",
                           "[[contracts]]\nfile = \"cpa.xml\"\nforce = true\n", "[[webhooks]]\nurl = \"https://x\"\n",
                           "[[mandates]]\nscope = \"*\"\n", "not toml"}) {
    file("zz.toml", text);
    EXPECT_EQ(apply(), 2) << text;
    EXPECT_THAT(err.str(), HasSubstr("zz.toml")) << text;
    EXPECT_TRUE(requests.empty()) << text;
  }
  EXPECT_EQ(run({"apply", "-f", (folder / "absent").string()}), 1);
}

TEST_F(Apply, tells_what_was_done_before_a_failure_and_where_it_stopped) {
  std::filesystem::remove(folder / "cpa.xml");
  EXPECT_EQ(apply(), 1);
  EXPECT_THAT(err.str(), HasSubstr("all.toml contracts[0]"));
  file("cpa.xml", cpa_document);
  node = [this](const ApiRequest& request) -> Result<ApiResponse> {
    if (request.method == "POST" && request.path == "/webhooks") return problem_answer(400, "webhook.targetRefused", "a private address");
    return memory(request);
  };
  EXPECT_EQ(apply(), 1);
  EXPECT_EQ(actions(), "action created created created ");
  EXPECT_THAT(err.str(), HasSubstr("all.toml webhooks[0]"));
}

TEST_F(Apply, writes_tenants_into_the_database_of_the_node) {
  std::filesystem::remove(folder / "all.toml");
  const auto config = file("node.cfg", "[node]\nname = \"a\"\n[database]\nurl = \"sqlite:" + (folder / "schakel.db").string() + "\"\n");
  file("tenant.toml",
       "[[tenants]]\nslug = \"voorbeeldstad\"\nname = \"Gemeente Voorbeeldstad\"\nenvironment = \"test\"\noins = "
       "[\"00000099000000010000\"]\napi-key-file = \"first.key\"\n");
  EXPECT_EQ(apply(), 2) << "the database must be named";
  EXPECT_EQ(apply({"--config", config, "--dry-run"}), 0) << err.str();
  EXPECT_EQ(actions(), "action created ");
  EXPECT_FALSE(std::filesystem::exists(folder / "first.key"));
  EXPECT_EQ(apply({"--config", config}), 0) << err.str();
  EXPECT_EQ(actions(), "action created ");
  EXPECT_TRUE(std::filesystem::exists(folder / "first.key"));
  EXPECT_EQ(apply({"--config", config}), 0) << err.str();
  EXPECT_EQ(actions(), "action unchanged ");
  EXPECT_EQ(apply({"--config", config, "--dry-run"}), 0) << err.str();
  EXPECT_EQ(actions(), "action unchanged ");
}

}  // namespace
}  // namespace schakel::cli
