// What a hostile xs:pattern may cost, when it is imported and when a payload is held against it (WUS-040, WUS-200).
#include "wus/schema_patterns.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wus/names.hpp"
#include "wus/schema.hpp"

namespace schakel::wus {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string repeated(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}
std::string xsd(const std::string& body) {
  return "<x:schema xmlns:x=\"http://www.w3.org/2001/XMLSchema\" targetNamespace=\"urn:a\" xmlns:t=\"urn:a\" "
         "elementFormDefault=\"qualified\">" +
         body + "</x:schema>";
}
// A simple type, named when it has a name.
std::string type(const std::string& pattern, const std::string& base = "x:string", const std::string& name = "") {
  return "<x:simpleType" + (name.empty() ? "" : " name=\"" + name + "\"") + "><x:restriction base=\"" + base + "\"><x:pattern value=\"" +
         xml::escaped(pattern) + "\"/></x:restriction></x:simpleType>";
}
// <e> with any number of <f> under the pattern, each perhaps with @g under it.
std::string lists(const std::string& pattern) {
  return type(pattern, "x:string", "T") +
         "<x:element name=\"e\"><x:complexType><x:sequence><x:element name=\"f\" minOccurs=\"0\" maxOccurs=\"unbounded\"><x:complexType>"
         "<x:simpleContent><x:extension base=\"t:T\"><x:attribute name=\"g\" type=\"t:T\"/></x:extension></x:simpleContent></x:complexType>"
         "</x:element><x:element name=\"free\" type=\"x:string\" minOccurs=\"0\"/></x:sequence></x:complexType></x:element>";
}

std::string error_of(const std::string& body) {
  const auto schema = Schema::compile({{"a.xsd", xsd(body)}}, {"a.xsd"});
  return schema ? "" : schema.error().code + " " + schema.error().location + " " + schema.error().detail;
}
std::shared_ptr<const Schema> compiled(const std::string& body) {
  auto schema = Schema::compile({{"a.xsd", xsd(body)}}, {"a.xsd"});
  EXPECT_TRUE(schema) << schema.error().location << ": " << schema.error().detail;
  return schema ? *schema : nullptr;
}
std::vector<Schema::Finding> findings(const Schema& schema, const std::string& inside,
                                      std::chrono::milliseconds time_max = Schema::validation_time_max) {
  xml::Limits limits;
  limits.bytes_max = 64 << 20;
  const auto document = xml::Document::parse("<e xmlns=\"urn:a\">" + inside + "</e>", limits);
  EXPECT_TRUE(document) << document.error().detail;
  return schema.validate(document->root(), time_max);
}
std::string f(const std::string& text) {
  return "<f>" + text + "</f>";
}

TEST(Patterns, AreCheapWhenNothingCanBeTriedTwice) {
  for (const char* cheap : {"", "[0-9]{8}", "[A-Z]{2}[0-9]{2}[A-Z0-9]{1,30}", "0|1", "A|B*|C+", "other:\\w{2,}", "\\p{L}{3}[^\\]*]?",
                            "\\*\\+\\?", "[a-z-[aeiou*+]]*", "a{3}b{4,4}c*"})
    EXPECT_TRUE(is_cheap_pattern(cheap)) << cheap;
  for (const char* costly : {".*\\S.*", "(a)", "(a|aa)+b", "a*b*", "a?b?", "a{1,2}b{1,2}", "[a]*\\p{Lu}*", "x|y*z*"})
    EXPECT_FALSE(is_cheap_pattern(costly)) << costly;
}

// A pattern of partners' schemas as they are is never refused.
TEST(Patterns, OfRealServicesAreTaken) {
  for (const char* pattern : {"[0-9]{8}", ".*[^\\s].*", "\\S|\\S.*\\S", "[^@]+@[^\\.]+\\..+", "[A-Z]{2}[0-9]{2}[A-Z0-9]{1,30}",
                              "\\w+([-+.']\\w+)*@\\w+([-.]\\w+)*\\.\\w+([-.]\\w+)*", "([0-9]{1,3}\\.){3}[0-9]{1,3}",
                              "[1-9][0-9]{3} ?[A-Z]{2}", "(NL)?[0-9]{9}B[0-9]{2}", "[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"})
    EXPECT_EQ(error_of(lists(pattern)), "") << pattern;
}

TEST(Patterns, HaveASize) {
  EXPECT_EQ(error_of(lists(repeated("a", pattern_bytes_max))), "");
  EXPECT_THAT(error_of("\n" + lists(repeated("a", pattern_bytes_max + 1))), HasSubstr("wus.schema a.xsd:2 a pattern is longer"));
  EXPECT_EQ(error_of(lists(repeated("a?", pattern_choices_max))), "");
  EXPECT_THAT(error_of(lists("(" + repeated("a?", pattern_choices_max) + ")*")), HasSubstr("wus.schema a.xsd:1 a pattern leaves more"));
  EXPECT_EQ(error_of("<x:annotation><x:appinfo>" + type(repeated("a?", 100)) + "</x:appinfo></x:annotation>" + lists("a")), "");
}

// Each member, and each step of a derivation, has its own patterns: all are tried on one value.
TEST(Patterns, OfOneValueAreCounted) {
  const auto derived = [](std::size_t steps) {
    auto out = type("(a|b)*", "x:string", "T0");
    for (std::size_t i = 1; i < steps; ++i) out += type("(a|b)*", "t:T" + std::to_string(i - 1), "T" + std::to_string(i));
    return out;
  };
  EXPECT_EQ(error_of(derived(costly_patterns_max)), "");
  EXPECT_THAT(error_of(derived(costly_patterns_max + 1)), HasSubstr("wus.schema a.xsd:1 values of one type"));
  const auto united = [](std::size_t members) {
    return type("(a|b)*", "x:string", "T") + "<x:element name=\"e\"><x:simpleType><x:union memberTypes=\"" + repeated(" t:T", members) +
           "\">" + repeated(type("(c|d)*"), members) + "</x:union></x:simpleType></x:element>";
  };
  EXPECT_EQ(error_of(united(8)), "");
  EXPECT_THAT(error_of(united(costly_patterns_max)), HasSubstr("values of one type"));
  std::string attributes;
  for (std::size_t i = 0; i < costly_attributes_max; ++i)
    attributes += "<x:attribute name=\"a" + std::to_string(i) + "\">" + type("(a|b)*") + "</x:attribute>";
  EXPECT_EQ(error_of(attributes), "");
  EXPECT_THAT(error_of(attributes + "<x:attribute name=\"more\">" + type("(a|b)*") + "</x:attribute>"), HasSubstr("attributes have more"));
  // What redefines itself is no circle.
  const auto redefined =
      Schema::compile({{"a.xsd", xsd("<x:redefine schemaLocation=\"b.xsd\">" + type("(a|b)+", "t:T", "T") + "</x:redefine>")},
                       {"b.xsd", xsd(type("(a|b)*", "x:string", "T"))}},
                      {"a.xsd"});
  EXPECT_TRUE(redefined) << redefined.error().detail;
}

// A list of a thousand items is a thousand matches, and no element ends between them.
TEST(Patterns, OfItemsOfAListAreCheap) {
  const auto list = [](const std::string& item) { return "<x:simpleType name=\"L\"><x:list itemType=\"" + item + "\"/></x:simpleType>"; };
  EXPECT_EQ(error_of(type("other:\\w{2,}", "x:string", "T") + list("t:T")), "");
  EXPECT_THAT(error_of(type("(a|aa)+b", "x:string", "T") + "\n" + list("t:T")), HasSubstr("wus.schema a.xsd:2 a list has items"));
  EXPECT_THAT(error_of(type("(a|aa)+b", "x:string", "T") + "<x:simpleType name=\"U\"><x:union memberTypes=\"x:int t:T\"/></x:simpleType>" +
                       list("t:U")),
              HasSubstr("a list has items"));
  EXPECT_THAT(error_of("<x:element name=\"e\"><x:simpleType><x:list>" + type("(a|aa)+b") + "</x:list></x:simpleType></x:element>"),
              HasSubstr("a list has items"));
  // A pattern of the list as a whole is matched once.
  EXPECT_EQ(error_of(list("x:int") + type("(1|11)+ 2", "t:L", "M")), "");
}

// libxml2 gives up after so many steps: what it could not judge is not valid, and the rest is not looked at.
TEST(PatternMatching, EndsWhenThereAreTooManyWays) {
  const auto schema = compiled(lists("(a|aa)+b"));
  const auto hostile = repeated("a", 200);
  EXPECT_THAT(findings(*schema, f(hostile + "b")), IsEmpty());
  const auto found = findings(*schema, f("ab") + repeated(f(hostile), 1000));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].path, "/{urn:a}e/{urn:a}f[2]");
  EXPECT_THAT(found[0].message, HasSubstr("cannot be validated"));
  EXPECT_THAT(found[0].message, Not(HasSubstr("aaa")));
  const auto in_attribute = findings(*schema, "<f g=\"" + hostile + "\">ab</f>");
  ASSERT_EQ(in_attribute.size(), 1U);
  EXPECT_THAT(in_attribute[0].message, HasSubstr("cannot be validated"));
}

// Values that each cost less than what libxml2 gives up at, and are valid in the end: together they have a time.
TEST(PatternMatching, OfAWholePayloadHasATime) {
  const auto schema = compiled(lists("(aa|a)+b|(a)*"));
  const auto hostile = f(repeated("a", 26));
  EXPECT_THAT(findings(*schema, hostile), IsEmpty());
  const auto found = findings(*schema, repeated(hostile, 5000), 50ms);  // minutes without a bound
  ASSERT_EQ(found.size(), 1U);
  EXPECT_THAT(found[0].message, HasSubstr("takes too long"));
  EXPECT_THAT(found[0].path, Not(HasSubstr("[5000]")));
  EXPECT_THAT(findings(*schema, repeated(f("a"), 5000)), IsEmpty()) << "as many values that cost nothing";
}

TEST(PatternMatching, TextUnderAPatternHasALength) {
  const auto schema = compiled(lists("[a-z]*"));
  const auto longest = repeated("a", patterned_text_bytes_max);
  EXPECT_THAT(findings(*schema, f(longest)), IsEmpty());
  EXPECT_THAT(findings(*schema, "<f g=\"" + longest + "\">a</f>"), IsEmpty());
  for (const auto& wrong : {f("a") + f(longest + "a"), "<f>a</f><f g=\"" + longest + "a\">a</f>"}) {
    const auto found = findings(*schema, wrong + f("1"));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].path, "/{urn:a}e/{urn:a}f[2]");
    EXPECT_THAT(found[0].message, HasSubstr("too long"));
  }
  EXPECT_THAT(findings(*schema, "<free>" + longest + longest + "</free>"), IsEmpty()) << "no pattern";
  EXPECT_THAT(findings(*schema, "<free xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"t:T\" xmlns:t=\"urn:a\">" +
                                    longest + longest + "</free>"),
              Not(IsEmpty()))
      << "a pattern by xsi:type";
}

// What is told to the validator is what stands in the payload: ampersands, CDATA, prefixes that are declared outside.
TEST(PatternMatching, SeesTheTextAsItIs) {
  const auto schema = compiled(
      "<x:element name=\"e\"><x:complexType><x:sequence><x:element name=\"f\" maxOccurs=\"unbounded\"><x:complexType>"
      "<x:simpleContent><x:extension base=\"t:T\"><x:attribute name=\"g\">" +
      type("a&b|&#38;|&&#38;#38;") +
      "</x:attribute><x:attribute name=\"q\" type=\"x:QName\"/></x:extension></x:simpleContent>"
      "</x:complexType></x:element></x:sequence></x:complexType></x:element>" +
      type("a&b<c", "x:string", "T"));
  for (const char* g : {"a&amp;b", "&amp;#38;", "&amp;&amp;#38;#38;"})
    EXPECT_THAT(findings(*schema, "<f g=\"" + std::string(g) + "\">a&amp;b&lt;c</f>"), IsEmpty()) << g;
  EXPECT_THAT(findings(*schema, "<f g=\"&amp;\">a&amp;b&lt;c</f>"), Not(IsEmpty()));
  EXPECT_THAT(findings(*schema, "<f>a<![CDATA[&b<]]><!-- c -->c</f>"), IsEmpty());
  const auto document = xml::Document::parse("<o xmlns:p=\"urn:p\"><e xmlns=\"urn:a\"><f q=\"p:x\">a&amp;b&lt;c</f></e></o>", {});
  EXPECT_THAT(schema->validate(document->root().first_child()), IsEmpty());
  EXPECT_THAT(findings(*schema, "<f q=\"p:x\">a&amp;b&lt;c</f>"), Not(IsEmpty())) << "not declared";
}

}  // namespace
}  // namespace schakel::wus
