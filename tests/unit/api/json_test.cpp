#include "api/json.hpp"

#include <gtest/gtest.h>

namespace schakel::api {
namespace {

std::vector<std::string> locations(const Refusal& refusal) {
  std::vector<std::string> out;
  for (const auto& error : refusal.errors) out.push_back(error.location + " " + error.code);
  return out;
}

std::vector<std::string> faults_in(std::string_view text) {
  const auto value = read_json(text);
  return value ? std::vector<std::string>{} : locations(value.error());
}

TEST(Json, ReadsWhatIsAllowed) {
  const auto value = read_json(R"( {"a":[1,-2.5e3,true,null,{"b":"é😀\u00e9"}]} )");
  ASSERT_TRUE(value);
  EXPECT_EQ((*value)["a"][4]["b"], "é😀é");
}

// SEC-115
TEST(Json, RefusesOctetsThatAreNoUtf8WithACodeOfTheirOwn) {
  EXPECT_EQ(read_json("{\"a\":\"\xff\"}").error().code, "request.unsupportedCharset");
  EXPECT_EQ(read_json("\xff\xfe{\0}\0").error().code, "request.unsupportedCharset");
  EXPECT_EQ(read_json("{\"a\":\"\xc0\x80\"}").error().code, "request.unsupportedCharset");
}

// SEC-115
TEST(Json, RefusesWhatIsNoStrictJson) {
  for (const auto* text : {"", "{", "{}x", "{} {}", "{'a':1}", "{\"a\":1,}", "[1,]", "NaN", "[Infinity]", "{\"a\":01}", "[1.]", "// x\n{}",
                           "\"\\ud800\"", "\"\\udc00x\"", "\"a\nb\"", "{\"a\" 1}", "[+1]", "\xEF\xBB\xBF{}"}) {
    EXPECT_EQ(faults_in(text).size(), 1U) << text;
  }
  EXPECT_EQ(faults_in("[1e400]"), (std::vector<std::string>{" number"}));
}

// SEC-115, REST-038
TEST(Json, NamesEveryRepeatedMemberByItsPointer) {
  EXPECT_EQ(faults_in(R"({"a":1,"b":[{"c/d":1,"c/d":2}],"a":3})"),
            (std::vector<std::string>{"/b/0/c~1d duplicateName", "/a duplicateName"}));
}

// SEC-115
TEST(Json, RefusesNestingAboveSixtyFour) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(read_json(nested(64)));
  const auto value = read_json(nested(65));
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().errors.front().code, "depth");
}

// REST-038, REST-065
TEST(Members, CollectsEveryFaultAtOnce) {
  const Json value = *read_json(
      R"({"text":5,"long":"xxxx","number":1.5,"huge":9007199254740992,"flag":"true","at":"2026-01-01T10:00:00","kind":"z","list":{},
                                   "names":["a",1],"nested":[],"mystery":1})");
  Faults faults;
  Members members(value, "", faults);
  EXPECT_FALSE(members.text("text"));
  EXPECT_FALSE(members.text("long", Need::optional, 3));
  EXPECT_FALSE(members.integer("number", 0, 10));
  EXPECT_FALSE(members.integer("huge", 0, 9'007'199'254'740'991));
  EXPECT_FALSE(members.boolean("flag"));
  EXPECT_FALSE(members.instant("at"));
  EXPECT_FALSE(members.choice("kind", {"x", "y"}));
  EXPECT_EQ(members.array("list", 5), nullptr);
  EXPECT_EQ(members.texts("names", 5)->size(), 1U);
  EXPECT_EQ(members.object("nested"), nullptr);
  EXPECT_FALSE(members.text("absent", Need::required));
  EXPECT_FALSE(members.text("alsoAbsent"));
  members.end();
  const auto refusal = judge(faults).error();
  EXPECT_EQ(refusal.code, "request.invalid");
  EXPECT_EQ(locations(refusal),
            (std::vector<std::string>{"/text type", "/long length", "/number type", "/huge range", "/flag type", "/at format", "/kind enum",
                                      "/list type", "/names/1 type", "/nested type", "/absent required", "/mystery unknown"}));
}

TEST(Members, AValueThatIsNoObjectIsOneFault) {
  const Json value = 5;
  Faults faults;
  Members members(value, "/x", faults);
  EXPECT_FALSE(members.text("a", Need::required));
  members.end();
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].location, "/x");
}

// REST-065
TEST(Faults, StopAtAHundred) {
  Json value = Json::object();
  for (int i = 0; i < 150; ++i) value["m" + std::to_string(i)] = i;
  Faults faults;
  Members(value, "", faults).end();
  EXPECT_EQ(faults.size(), 100U);
}

// REST-028, REST-066
TEST(Instants, AcceptEveryOffsetAndNothingSloppy) {
  EXPECT_EQ(to_rfc3339(*read_instant("2026-03-02T10:15:00.123456+01:00")), "2026-03-02T09:15:00.123Z");
  EXPECT_TRUE(read_instant("2026-03-02T10:15:00Z"));
  for (const auto* text :
       {"2026-02-30T10:00:00Z", "2026-01-01T10:00:00", "2026-01-01t10:00:00Z", "2026-01-01T10:00:00z", "2026-01-01T10:00:00-00:00",
        "2026-01-01", "2026-01-01T24:00:00Z", "", "2026-01-01T10:00:00+0100", "2026-01-01T10:00:60Z"}) {
    EXPECT_FALSE(read_instant(text)) << text;
  }
}

TEST(Digits, AreWholeNumbersOnly) {
  EXPECT_EQ(read_digits("0"), 0);
  EXPECT_EQ(read_digits("1000"), 1000);
  for (const auto* text : {"", "-1", "+1", "1e3", "1.0", " 1", "1 ", "0x1", "9999999999999999"}) EXPECT_FALSE(read_digits(text)) << text;
}

}  // namespace
}  // namespace schakel::api
