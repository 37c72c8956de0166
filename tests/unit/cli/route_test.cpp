// schakel route: README section 11.
#include <gmock/gmock.h>

#include "fake_shell.hpp"

namespace schakel::cli {
namespace {

using testing::HasSubstr;

class Routes : public Terminal {
 protected:
  Routes() {
    node = [this](const ApiRequest& request) -> Result<ApiResponse> {
      const auto found = answers.find(request.method + " " + request.path);
      if (found == answers.end()) return problem_answer(404, "notFound", "there is no such thing");
      return found->second;
    };
    answers["GET /routes"] = answer(200, table, {{"ETag", "\"4\""}});
  }
  const Json table = Json::parse(
      R"({"version":4,"routes":[{"id":"naar-r","priority":0,"direction":"outbound","match":{"toOin":"00000099000000300000"},"mode":"endpoint","target":{"kind":"intermediary","oin":"00000099000000220000"}}]})");
  std::map<std::string, ApiResponse> answers;
};

TEST_F(Routes, list_shows_the_rows_and_prints_what_set_takes) {
  EXPECT_EQ(run({"route", "list"}), 0) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("intermediary"));
  EXPECT_EQ(run({"route", "list", "--json"}), 0);
  const auto path = file("routes.json", out.str());
  answers["PUT /routes"] = answer(200, table);
  EXPECT_EQ(run({"route", "set", path}), 0) << err.str();
  EXPECT_EQ(requests.back().headers.find("If-Match"), "\"4\"");
  EXPECT_EQ(Json::parse(requests.back().body), (Json{{"routes", table["routes"]}}));
  EXPECT_THAT(out.str(), HasSubstr("version 4 with 1 rows"));
}

TEST_F(Routes, set_refuses_what_is_no_table_before_it_asks_the_node) {
  for (const char* wrong : {"", "{}", "5", "[", R"({"rows":[]})"}) EXPECT_EQ(run({"route", "set", file("wrong.json", wrong)}), 2) << wrong;
  EXPECT_TRUE(requests.empty());
}

TEST_F(Routes, versions_are_listed_and_one_is_put_back) {
  answers["GET /routes/versions?page=1&perPage=100"] =
      answer(200, Json::array({{{"version", 3}, {"changedAt", "2026-03-02T09:15:00.000Z"}, {"actor", "apiKey:x"}, {"rows", 2}}}));
  EXPECT_EQ(run({"route", "list", "--versions"}), 0) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("apiKey:x"));
  answers["GET /routes/versions/3"] = answer(200, table);
  EXPECT_EQ(run({"route", "list", "--version", "3"}), 0) << err.str();
  answers["POST /routes/_rollback"] = answer(200, table);
  EXPECT_EQ(run({"route", "rollback", "3"}), 0) << err.str();
  EXPECT_EQ(requests.back().body, R"({"version":3})");
  EXPECT_EQ(requests.back().headers.find("If-Match"), "\"4\"");
  EXPECT_EQ(run({"route", "rollback", "0"}), 2);
}

TEST_F(Routes, evaluate_says_which_row_and_why_not_the_others) {
  answers["POST /routes/_evaluate"] = answer(200, {{"version", 4},
                                                   {"route", table["routes"][0]},
                                                   {"nextHop", {{"url", "https://b.example/ebms"}, {"serverOin", "b"}, {"through", {"b"}}}},
                                                   {"others", Json::array({{{"id", "ander"}, {"reason", "toOin"}}})}});
  EXPECT_EQ(run({"route", "evaluate", "--to", "00000099000000300000", "--service", "S"}), 0) << err.str();
  EXPECT_EQ(requests.back().body, R"({"direction":"outbound","toOin":"00000099000000300000","service":"S"})");
  EXPECT_THAT(out.str(), HasSubstr("https://b.example/ebms"));
  EXPECT_THAT(out.str(), HasSubstr("ander"));
  answers["POST /routes/_evaluate"] = answer(200, {{"version", 4}, {"route", nullptr}, {"others", Json::array()}});
  EXPECT_EQ(run({"route", "evaluate", "--direction", "inbound"}), 3);
  EXPECT_THAT(out.str(), HasSubstr("no row fits"));
}

}  // namespace
}  // namespace schakel::cli
