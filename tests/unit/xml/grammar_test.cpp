#include "xml/grammar.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace schakel::xml {
namespace {

constexpr std::string_view ns = "urn:letter";

// A letter: a heading, paragraphs, an optional signature by one of two people, then anything of other namespaces.
const Grammar& letter() {
  static const Grammar grammar({
      {ns,
       "letter",
       Type::none,
       {{ns, "id", Type::id, true}, {ns, "kind", Type::nmtoken, false, {"open", "closed"}}, {"", "plain"}},
       false,
       {{ns, "heading"}, {ns, "paragraph", 0, -1}, {ns, "signed", 0, 1}, {"", "*", 0, -1}}},
      {ns, "heading", Type::non_empty_string},
      {ns, "paragraph", Type::string, {}, true, {{ns, "emphasis", 0, -1}}, true, {}, {}, 0, true},
      {ns, "emphasis", Type::string},
      {ns, "signed", Type::none, {{ns, "by", Type::ncname, true}}},
      {ns, "box", Type::none, {}, false, {{ns, "heading", 0, 1}, {ns, "signed", 0, -1}}, true, {}, {}, 1},
      {ns, "open", Type::anything},
  });
  return grammar;
}

std::vector<std::string> messages(std::string_view body) {
  const auto document = Document::parse(body, {});
  EXPECT_TRUE(document.has_value()) << body;
  std::vector<std::string> out;
  for (const auto& violation : letter().check(document->root())) out.push_back(violation.path + ": " + violation.message);
  return out;
}

std::vector<std::string> letter_with(std::string_view children, std::string_view attributes = "l:id='a'") {
  return messages("<l:letter xmlns:l='urn:letter' xmlns:o='urn:other' " + std::string(attributes) + ">" + std::string(children) +
                  "</l:letter>");
}

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// EB-042: what the schema allows passes.
TEST(Grammar, AcceptsWhatTheModelSays) {
  EXPECT_THAT(letter_with("<l:heading>h</l:heading>"), IsEmpty());
  EXPECT_THAT(
      letter_with(" <l:heading>h</l:heading>\n<!-- c --><l:paragraph "
                  "o:x='1'>a<l:emphasis>b</l:emphasis>c</l:paragraph><l:paragraph/><l:signed l:by='me'/><o:any/>",
                  "l:id='a' l:kind=' open ' plain='' xsi:schemaLocation='x y' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"),
      IsEmpty());
}

TEST(Grammar, NamesWhatIsMissing) {
  EXPECT_THAT(letter_with(""), ElementsAre("/l:letter: the element heading is missing"));
  EXPECT_THAT(letter_with("<l:heading>h</l:heading>", ""), ElementsAre("/l:letter: the attribute id is missing"));
  EXPECT_THAT(letter_with("<l:signed l:by='me'/>"), ElementsAre("/l:letter/l:signed: expected heading, found signed"));
}

TEST(Grammar, NamesWhatIsTooMuchOrInTheWrongPlace) {
  EXPECT_THAT(letter_with("<l:heading>h</l:heading><l:heading>h</l:heading>"),
              ElementsAre("/l:letter/l:heading[2]: the element heading is not allowed here"));
  EXPECT_THAT(letter_with("<l:heading>h</l:heading><l:signed l:by='a'/><l:paragraph/>"),
              Contains(HasSubstr("paragraph is not allowed here")));
  EXPECT_THAT(letter_with("<l:heading>h</l:heading><unqualified/>"), Contains(HasSubstr("unqualified is not allowed here")));
  EXPECT_THAT(letter_with("<l:heading>h<l:emphasis/></l:heading>"), Contains(HasSubstr("no element is allowed in heading")));
  EXPECT_THAT(letter_with("<l:heading>h</l:heading>text"), ElementsAre("/l:letter: no text is allowed in letter"));
  EXPECT_THAT(letter_with("<l:heading>h</l:heading><l:signed l:by='a'> </l:signed>"), Contains(HasSubstr("signed must be empty")));
}

TEST(Grammar, ChecksValuesAndUnknownAttributes) {
  EXPECT_THAT(letter_with("<l:heading/>"), Contains(HasSubstr("heading must be text that is not empty")));
  EXPECT_THAT(letter_with("<l:heading>h</l:heading>", "l:id='1a'"), Contains(HasSubstr("id must be an ID, not '1a'")));
  EXPECT_THAT(letter_with("<l:heading>h</l:heading>", "l:id='a' l:kind='shut'"), Contains(HasSubstr("not 'shut'")));
  EXPECT_THAT(letter_with("<l:heading>h</l:heading>", "l:id='a' id='b'"), Contains(HasSubstr("id (in no namespace) is not allowed")));
  EXPECT_THAT(letter_with("<l:heading>h</l:heading><l:paragraph l:x='1'/>"), Contains(HasSubstr("attribute x is not allowed")));
  EXPECT_THAT(letter_with("<l:heading xsi:type='l:x' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>h</l:heading>"),
              Contains(HasSubstr("attribute type is not allowed")));
}

TEST(Grammar, LaxContentIsCheckedWhereItIsKnown) {
  EXPECT_THAT(letter_with("<l:heading>h</l:heading><o:any><l:signed/></o:any>"),
              Contains(HasSubstr("/o:any/l:signed: the attribute by is missing")));
  EXPECT_THAT(letter_with("<l:heading>h</l:heading><o:any><l:unknown/></o:any>"), IsEmpty());
}

TEST(Grammar, AnyOrderHasMinimaAndMaxima) {
  const auto box = [](std::string_view body) { return messages("<l:box xmlns:l='urn:letter'>" + std::string(body) + "</l:box>"); };
  EXPECT_THAT(box("<l:signed l:by='a'/><l:heading>h</l:heading><l:signed l:by='b'/>"), IsEmpty());
  EXPECT_THAT(box(""), ElementsAre("/l:box: an element is missing"));
  EXPECT_THAT(box("<l:heading>h</l:heading><l:heading>h</l:heading>"), ElementsAre("/l:box/l:heading[2]: too many heading"));
  EXPECT_THAT(box("<l:emphasis/>"), ElementsAre("/l:box/l:emphasis: the element emphasis is not allowed here"));
}

TEST(Grammar, AnythingIsNotLookedAt) {
  EXPECT_THAT(messages("<l:open xmlns:l='urn:letter'>t<l:heading/></l:open>"), IsEmpty());
}

TEST(Grammar, UnknownRootIsOneViolation) {
  EXPECT_THAT(messages("<card/>"), ElementsAre("/card: the element card is not known here"));
}

TEST(Grammar, StopsAtTheMaximumAndKeepsDocumentOrder) {
  std::string body = "<l:letter xmlns:l='urn:letter' l:id='a'><l:heading/>";
  for (int i = 0; i < 30; ++i) body += "<l:paragraph l:x='1'/>";
  const auto document = Document::parse(body + "</l:letter>", {});
  const auto violations = letter().check(document->root(), 5);
  ASSERT_EQ(violations.size(), 5U);
  EXPECT_EQ(violations[0].path, "/l:letter/l:heading");
  EXPECT_EQ(violations[1].path, "/l:letter/l:paragraph[1]");
  EXPECT_EQ(violations[2].path, "/l:letter/l:paragraph[2]");
}

TEST(Grammar, RefusesATableWithAHole) {
  EXPECT_THROW(Grammar({{ns, "letter", Type::none, {}, false, {{ns, "nowhere"}}}}), std::logic_error);
}

TEST(Grammar, OneNameMayHaveAModelPerParent) {
  const Grammar grammar({
      {ns, "a", Type::none, {}, false, {{ns, "x"}}},
      {ns, "b", Type::none, {}, false, {{ns, "a"}, {ns, "x"}}},
      {ns, "x", Type::integer, {}, false, {}, false, {}, "a"},
      {ns, "x", Type::boolean, {}, false, {}, false, {}, "b"},
  });
  const auto good = Document::parse("<b xmlns='urn:letter'><a><x>12</x></a><x>true</x></b>", {});
  EXPECT_THAT(grammar.check(good->root()), IsEmpty());
  const auto bad = Document::parse("<b xmlns='urn:letter'><a><x>true</x></a><x>12</x></b>", {});
  EXPECT_EQ(grammar.check(bad->root()).size(), 2U);
}

struct Form {
  Type type;
  std::string_view text;
  bool good;
};

TEST(Types, FollowTheirLexicalForms) {
  using enum Type;
  for (const auto& form : std::initializer_list<Form>{{string, "", true},
                                                      {non_empty_string, "", false},
                                                      {non_empty_string, " ", true},
                                                      {nmtoken, " 1-a.b:c ", true},
                                                      {nmtoken, "a b", false},
                                                      {nmtoken, "", false},
                                                      {ncname, "_a-1", true},
                                                      {ncname, "1a", false},
                                                      {ncname, "a:b", false},
                                                      {ncname, "\xC3\xA9", true},
                                                      {ncname, "\xC3\x97", false},
                                                      {name, "a:b", true},
                                                      {name, "-a", false},
                                                      {any_uri, "", true},
                                                      {any_uri, "urn:osb:oin", true},
                                                      {any_uri, "https://a.example/b?c#d", true},
                                                      {any_uri, "a b", true},
                                                      {any_uri, "http://[::1", false},
                                                      {any_uri, "%", false},
                                                      {date_time, "2025-01-01T00:00:00Z", true},
                                                      {date_time, " 2025-01-01T00:00:00 ", true},
                                                      {date_time, "2025-01-01T24:00:00.0+14:00", true},
                                                      {date_time, "2025-01-01", false},
                                                      {date_time, "2025-02-29T00:00:00Z", false},
                                                      {date_time, "2024-02-29T00:00:00.123-01:00", true},
                                                      {date_time, "2025-01-01T24:00:01Z", false},
                                                      {date_time, "2025-01-01T00:00:60Z", false},
                                                      {date_time, "2025-01-01T00:00:00+14:01", false},
                                                      {date_time, "-0001-01-01T00:00:00Z", true},
                                                      {date_time, "0000-01-01T00:00:00Z", false},
                                                      {date_time, "12025-01-01T00:00:00Z", true},
                                                      {date_time, "2025-13-01T00:00:00Z", false},
                                                      {date_time, "2025-01-01T00:00:00.Z", false},
                                                      {duration, "P1D", true},
                                                      {duration, "-PT3H", true},
                                                      {duration, "P1Y2M3DT4H5M6.7S", true},
                                                      {duration, "P", false},
                                                      {duration, "PT", false},
                                                      {duration, "P1H", false},
                                                      {duration, "P1DT", false},
                                                      {duration, "P1.5D", false},
                                                      {duration, "PT1.S", false},
                                                      {duration, "P1D1Y", false},
                                                      {duration, "1D", false},
                                                      {integer, "+12", true},
                                                      {integer, "-0", true},
                                                      {integer, "", false},
                                                      {integer, "1.0", false},
                                                      {integer, "--1", false},
                                                      {int32, "2147483647", true},
                                                      {int32, "2147483648", false},
                                                      {int32, "-2147483648", true},
                                                      {int32, "0000000000000001", true},
                                                      {non_negative_integer, "0", true},
                                                      {non_negative_integer, "-0", true},
                                                      {non_negative_integer, "-1", false},
                                                      {boolean, "1", true},
                                                      {boolean, "yes", false},
                                                      {boolean, " true\n", true},
                                                      {base64, " QUI\n= ", true},
                                                      {base64, "QUI", false},
                                                      {language, "nl", true},
                                                      {language, "nl-NL-1996", true},
                                                      {language, "n1", false},
                                                      {language, "", false}}) {
    EXPECT_EQ(matches(form.type, form.text), form.good) << static_cast<int>(form.type) << " '" << form.text << "'";
  }
}

// CPA-006
TEST(Types, CollapseWhiteSpace) {
  EXPECT_EQ(collapsed("\n NotGuaranteed\t\n\t"), "NotGuaranteed");
  EXPECT_EQ(collapsed(" a \n b "), "a b");
  EXPECT_EQ(collapsed(" \t"), "");
}

}  // namespace
}  // namespace schakel::xml
