#include "api/openapi.hpp"

#include <regex>

#include "api_fixture.hpp"

namespace schakel::api {
namespace {

class OpenApi : public ApiTest {
 protected:
  OrderedJson document = openapi_document();

  static std::string lower(std::string_view text) { return to_lower(text); }

  // The object behind a `$ref`, or the object itself.
  const OrderedJson& resolve(const OrderedJson& value) const {
    if (!value.is_object() || !value.contains("$ref")) return value;
    return document.at(OrderedJson::json_pointer(value["$ref"].get<std::string>().substr(1)));
  }

  void visit(const OrderedJson& value, const std::function<void(const std::string& name, const OrderedJson& member)>& see) const {
    if (value.is_object()) {
      for (const auto& [name, member] : value.items()) {
        see(name, member);
        visit(member, see);
      }
    } else if (value.is_array()) {
      for (const auto& element : value) visit(element, see);
    }
  }

  void each_operation(
      const std::function<void(const std::string& path, const std::string& method, const OrderedJson& operation)>& see) const {
    for (const auto& [path, methods] : document["paths"].items()) {
      for (const auto& [method, operation] : methods.items()) see(path, method, operation);
    }
  }
};

// ADP-101, REST-039
TEST_F(OpenApi, DescribesEveryRouteAndNothingElse) {
  std::set<std::string> described, served = {"get /openapi.json", "get /openapi.yaml"};
  each_operation([&](const auto& path, const auto& method, const auto&) { described.insert(method + " " + path); });
  for (const auto& route : api->routes()) served.insert(lower(route.method) + " " + std::string(route.path));
  EXPECT_EQ(described, served);
}

// ADP-101: the query keys that a route knows are those that are described
TEST_F(OpenApi, DescribesTheQueryKeysAndBodiesOfEveryRoute) {
  for (const auto& route : api->routes()) {
    const auto& operation = document["paths"][std::string(route.path)][lower(route.method)];
    std::set<std::string> described, known(route.query.begin(), route.query.end());
    for (const auto& parameter : operation.value("parameters", OrderedJson::array())) {
      const auto& one = resolve(parameter);
      if (one["in"] == "query") described.insert(one["name"].get<std::string>());
    }
    EXPECT_EQ(described, known) << route.method << " " << route.path;
    EXPECT_EQ(operation.contains("requestBody"), route.body != Body::none) << route.method << " " << route.path;
  }
}

// REST-024, REST-025, REST-027, REST-036, REST-037, REST-040, REST-045, REST-047, REST-048, REST-061: the rules of the ruleset that have a
// shape
TEST_F(OpenApi, KeepsTheDesignRules) {
  EXPECT_EQ(document["openapi"], "3.0.3");
  EXPECT_EQ(document["info"]["version"], http::api_version);
  for (const auto* field : {"name", "url", "email"}) EXPECT_TRUE(document["info"]["contact"].contains(field)) << field;
  const std::string server = document["servers"][0]["url"];
  EXPECT_TRUE(server.starts_with("https://"));
  EXPECT_THAT(server, HasSubstr("/v1"));

  const std::regex kebab(R"(^(\/|(\/_[a-z0-9]+|\/(([a-z0-9\-]+|\{[^}]+\})(\/([a-z0-9\-\.]+|\{[^}]+\}))*)(\/_[a-z]+)?)\/?)$)");
  const std::regex camel(R"(^\$?[a-z][a-z\d]*([A-Z][a-z\d]*)*$)");
  std::set<std::string> ids;
  each_operation([&](const std::string& path, const std::string& method, const OrderedJson& operation) {
    const std::string where = method + " " + path;
    if (!path.starts_with("/openapi.")) {
      EXPECT_TRUE(std::regex_match(path, kebab)) << where;
    }
    EXPECT_FALSE(path.ends_with('/')) << where;
    EXPECT_TRUE(ids.insert(operation["operationId"].get<std::string>()).second) << where;
    EXPECT_FALSE(operation["summary"].get<std::string>().empty()) << where;
    std::set<std::string> declared;
    const auto parameters = operation.value("parameters", OrderedJson::array());
    for (const auto& parameter : parameters) {
      const auto& one = resolve(parameter);
      if (one["in"] == "path") declared.insert("{" + one["name"].get<std::string>() + "}");
      if (one["in"] == "query") {
        EXPECT_TRUE(std::regex_match(one["name"].get<std::string>(), camel)) << where;
      }
    }
    for (const auto& variable : declared) EXPECT_THAT(path, HasSubstr(variable)) << where;
    EXPECT_EQ(static_cast<std::size_t>(std::count(path.begin(), path.end(), '{')), declared.size()) << where;
    const auto& responses = operation["responses"];
    const bool has_input = !parameters.empty() || method != "get";
    if (has_input) {
      EXPECT_TRUE(responses.contains("400")) << where;
    }
    for (const auto& [status, response] : responses.items()) {
      const auto& one = resolve(response);
      EXPECT_TRUE(one.contains("description")) << where;
      EXPECT_TRUE(one["headers"].contains("API-Version")) << where << " " << status;
      if (status < "400") continue;
      ASSERT_TRUE(one["content"].contains("application/problem+json")) << where << " " << status;
      const auto& schema = resolve(one["content"]["application/problem+json"]["schema"]);
      for (const auto* member : {"status", "title", "detail"}) EXPECT_TRUE(schema["properties"].contains(member)) << where;
    }
  });
}

// REST-020, REST-021, REST-035, REST-050: collections are plural, operations begin with '_', nothing secret or personal is in an address
TEST_F(OpenApi, NamesResourcesAsTheDesignRulesWant) {
  const std::set<std::string> singular = {"document", "evidence", "acknowledgement"};  // one of each message or contract
  each_operation([&](const std::string& path, const std::string& method, const OrderedJson& operation) {
    std::string rest = path.substr(1);
    bool collection = true;
    while (!rest.empty()) {
      const auto slash = std::min(rest.find('/'), rest.size());
      const std::string segment = rest.substr(0, slash);
      rest.erase(0, std::min(slash + 1, rest.size()));
      if (segment.starts_with('{') || segment.starts_with("openapi.")) {
        collection = false;
        continue;
      }
      if (segment.starts_with('_')) {
        EXPECT_TRUE(rest.empty()) << path << ": an operation is the last segment";
        collection = false;
        continue;
      }
      EXPECT_TRUE(segment.ends_with('s') || singular.contains(segment)) << path << ": " << segment;
      collection = segment.ends_with('s');
    }
    const auto& success = operation["responses"].begin().value();
    const auto json = success.contains("content") ? success["content"].value("application/json", OrderedJson()) : OrderedJson();
    if (method == "get" && json.is_object() && json["schema"].value("type", "") == "array") {
      EXPECT_TRUE(collection) << path << " gives a list";
    }
    for (const auto& parameter : operation.value("parameters", OrderedJson::array())) {
      const auto& one = resolve(parameter);
      if (one["in"] != "query") continue;
      const auto name = to_lower(one["name"].get<std::string>());
      for (const auto* secret : {"bsn", "token", "wachtwoord", "password", "apikey", "key", "secret", "birth"})
        EXPECT_EQ(name.find(secret), std::string::npos) << path << "?" << name;
    }
  });
}

TEST_F(OpenApi, EveryReferenceLeadsSomewhereAndEverySchemaIsUsed) {
  std::set<std::string> used;
  visit(document, [&](const std::string& name, const OrderedJson& member) {
    if (name != "$ref") return;
    const std::string target = member.get<std::string>().substr(1);
    EXPECT_TRUE(document.contains(OrderedJson::json_pointer(target))) << target;
    used.insert(target);
  });
  for (const auto& [name, schema] : document["components"]["schemas"].items()) {
    EXPECT_TRUE(used.contains("/components/schemas/" + name)) << name;
    EXPECT_TRUE(std::isupper(name[0])) << name;
  }
  for (const auto& [name, unused] : document["components"]["responses"].items())
    EXPECT_TRUE(used.contains("/components/responses/" + name)) << name;
}

// REST-027, REST-029: names with Date are dates; times have zones
TEST_F(OpenApi, TimesHaveTheRightFormat) {
  const std::regex date_name(R"((\w+D|_[dD])(ate|atum))");
  visit(document["components"]["schemas"], [&](const std::string& name, const OrderedJson& member) {
    EXPECT_FALSE(std::regex_search(name, date_name)) << name;
    if (!member.is_object() || !member.contains("format")) return;
    EXPECT_NE(member["format"], "date-time-local") << name;
    EXPECT_NE(member["format"], "time") << name;
    if (name.ends_with("At")) {
      EXPECT_EQ(member["format"], "date-time") << name;
    }
  });
}

// REST-042, REST-060
TEST_F(OpenApi, IsServedToEveryoneAsJsonAndYaml) {
  for (const bool internal : {false, true}) {
    const auto json = send("GET", "/api/v1/openapi.json", {}, "", "", internal);
    EXPECT_EQ(json.status, 200U);
    EXPECT_EQ(json.header("Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(json.header("Content-Type"), "application/json");
    EXPECT_EQ(json.header("API-Version"), http::api_version);
    EXPECT_EQ(OrderedJson::parse(json.body), document);
    const auto yaml = send("GET", "/api/v1/openapi.yaml", {}, "", "", internal);
    EXPECT_EQ(yaml.status, 200U);
    EXPECT_EQ(yaml.header("Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(yaml.body, to_yaml(document));
  }
  EXPECT_EQ(send("POST", "/api/v1/openapi.json", {}, "", "").header("Allow"), "GET, HEAD, OPTIONS");
}

TEST(Yaml, IsBlocksWithQuotedTexts) {
  EXPECT_EQ(to_yaml(OrderedJson::parse(R"({"a":"x: \"y\"","b":[1,{"c":true,"d":[]}],"e":{},"f":[[1]]})")),
            "\"a\": \"x: \\\"y\\\"\"\n\"b\":\n  - 1\n  -\n    \"c\": true\n    \"d\": []\n\"e\": {}\n\"f\":\n  -\n    - 1\n");
}

}  // namespace
}  // namespace schakel::api
