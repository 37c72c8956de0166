#include "xml/document.hpp"

#include <gtest/gtest.h>

#include <ctime>
#include <fstream>
#include <future>
#include <sstream>

namespace schakel::xml {
namespace {

std::string code_of(BytesView octets, const Limits& limits = {}) {
  const auto document = Document::parse(octets, limits);
  return document ? "" : document.error().code;
}

Document parsed(BytesView octets, const Limits& limits = {}) {
  auto document = Document::parse(octets, limits);
  EXPECT_TRUE(document.has_value()) << (document ? "" : document.error().detail);
  return std::move(document).value();
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

// A hostile document must be refused with this code inside a second of processor time, also under a sanitizer and beside other tests.
void expect_quick_refusal(const std::string& octets, std::string_view code, const Limits& limits = {}) {
  const auto begin = std::clock();
  EXPECT_EQ(code_of(octets, limits), code);
  EXPECT_LT(std::clock() - begin, CLOCKS_PER_SEC);
}

TEST(Document, ReadsNamesAttributesAndText) {
  const auto document = parsed("<a:r xmlns:a='urn:a' xmlns='urn:b' a:x='1' x='2'>\n <c>t&amp;u</c><a:c/></a:r>");
  const auto root = document.root();
  EXPECT_TRUE(root.is("urn:a", "r"));
  EXPECT_EQ(root.attribute("urn:a", "x"), "1");
  EXPECT_EQ(root.attribute("", "x"), "2");
  EXPECT_EQ(root.attribute("", "y"), std::nullopt);
  ASSERT_TRUE(root.first_child());
  EXPECT_EQ(root.child("urn:b", "c").text(), "t&u");
  EXPECT_EQ(root.first_child().next_sibling().namespace_uri(), "urn:a");
  EXPECT_FALSE(root.first_child().next_sibling().next_sibling());
  EXPECT_EQ(root.children().size(), 2U);
  EXPECT_EQ(root.children("urn:a", "c").size(), 1U);
  EXPECT_FALSE(root.child("urn:a", "d"));
  EXPECT_EQ(root.first_child().parent(), root);
  EXPECT_FALSE(root.parent());
  EXPECT_EQ(root.first_child().line(), 2);
}

// CPA-006: comments and CDATA borders must not cut a text short.
TEST(Document, TextIsAllTextBelow) {
  const auto document = parsed("<r>one<!-- not --><![CDATA[<two>]]><b>th<c/>ree</b>four&#x41;</r>");
  EXPECT_EQ(document.root().text(), "one<two>threefourA");
}

// SEC-111: a value that a comment or instruction splits can be told.
TEST(Document, TellsCommentsAndInstructionsInsideAnElement) {
  EXPECT_TRUE(parsed("<r>0000<!-- -->1</r>").root().has_comment_or_pi());
  EXPECT_TRUE(parsed("<r>0000<?x y?>1</r>").root().has_comment_or_pi());
  EXPECT_FALSE(parsed("<r>00001</r>").root().has_comment_or_pi());
}

TEST(Document, PathsNamePositionsOnlyWhereNeeded) {
  const auto document = parsed("<p:r xmlns:p='urn:p'><p:a/><p:a><b/></p:a><c xmlns='urn:p'/></p:r>");
  const auto second = document.root().children()[1];
  EXPECT_EQ(second.path(), "/p:r/p:a[2]");
  EXPECT_EQ(second.first_child().path(), "/p:r/p:a[2]/b");
}

// SEC-110: DOCTYPE, entities and XInclude are refused before anything is expanded or fetched.
TEST(Document, RefusesDoctypeEntitiesAndXInclude) {
  EXPECT_EQ(code_of("<!DOCTYPE r><r/>"), "xml.doctype");
  EXPECT_EQ(code_of("<?xml version='1.0'?><!DOCTYPE r SYSTEM 'http://127.0.0.1:1/x.dtd'><r/>"), "xml.doctype");
  EXPECT_EQ(code_of("<!DOCTYPE r [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><r>&x;</r>"), "xml.doctype");
  EXPECT_EQ(code_of("<r><!ENTITY x 'y'></r>"), "xml.doctype");
  EXPECT_EQ(code_of("<r xmlns:i='http://www.w3.org/2001/XInclude'><i:include href='x'/></r>"), "xml.doctype");
  EXPECT_EQ(code_of("<i:include xmlns:i='&#104;ttp://www.w3.org/2001/XInclude' href='x'/>"), "xml.doctype");
  EXPECT_EQ(code_of("<r>&x;</r>"), "xml.notWellFormed");
  EXPECT_EQ(parsed("<r>&lt;&gt;&amp;&quot;&apos;</r>").root().text(), "<>&\"'");
}

// SEC-110, EB-043, CPA-004: entity bombs stop at the DOCTYPE, in no time.
TEST(Document, RefusesAnEntityBomb) {
  std::string bomb = "<!DOCTYPE b [<!ENTITY a 'ha'>";
  for (char c = 'b'; c <= 'z'; ++c) {
    const char before = static_cast<char>(c - 1);
    bomb += std::string("<!ENTITY ") + c + " '" + repeated(std::string("&") + before + ";", 10) + "'>";
  }
  expect_quick_refusal(bomb + "]><b>&z;</b>", "xml.doctype");
}

// SEC-110: UTF-8 only, XML 1.0 only.
TEST(Document, RefusesOtherEncodingsAndVersions) {
  EXPECT_EQ(code_of("<?xml version='1.0' encoding='ISO-8859-1'?><r/>"), "xml.encoding");
  EXPECT_EQ(code_of("<?xml version='1.0' encoding='UTF-16'?><r/>"), "xml.encoding");
  EXPECT_EQ(code_of("<r>\xC3\x28</r>"), "xml.encoding");
  EXPECT_EQ(code_of("<r>\xED\xA0\x80</r>"), "xml.encoding");
  EXPECT_EQ(code_of(std::string("\xFF\xFE<\0r\0/\0>\0", 10)), "xml.encoding");
  EXPECT_EQ(code_of("<?xml version='1.1'?><r/>"), "xml.notWellFormed");
  EXPECT_EQ(code_of("<?xml version='1.0' encoding='utf-8'?><r/>"), "");
  EXPECT_EQ(code_of("\xEF\xBB\xBF<r/>"), "");
  EXPECT_EQ(parsed("<r>\xE2\x82\xAC</r>").root().text(), "\xE2\x82\xAC");
}

TEST(Document, ReadsUtf16OnlyWhereItIsAllowed) {
  Limits limits;
  limits.utf16_allowed = true;
  const auto little = std::string("\xFF\xFE<\0r\0>\0\xAC\x20\x3D\xD8\x00\xDE<\0/\0r\0>\0", 22);
  EXPECT_EQ(parsed(little, limits).root().text(), "\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_EQ(code_of(std::string("\xFE\xFF\0<\0r\0/\0>", 10), limits), "");
  EXPECT_EQ(code_of(std::string("\xFF\xFE<\0r\0/\0>", 9), limits), "xml.encoding");
  EXPECT_EQ(code_of(std::string("\xFF\xFE<\0r\0>\0\x3D\xD8<\0/\0r\0>\0", 18), limits), "xml.encoding");
  EXPECT_EQ(code_of(std::string("\xFF\xFE\x00\xDE", 4), limits), "xml.encoding");
}

TEST(Document, RefusesWhatIsNotWellFormed) {
  for (const std::string_view text : {"",
                                      " ",
                                      "text",
                                      "<r>",
                                      "</r>",
                                      "<r></s>",
                                      "<r/><s/>",
                                      "<r/>tail",
                                      "<r a='1' a='2'/>",
                                      "<r a=1/>",
                                      "<r a='<'/>",
                                      "<r a='1/>",
                                      "<r",
                                      "<r /x>",
                                      "<r><!-- -- ></r>",
                                      "<r><![CDATA[</r>",
                                      "<r>]]></r>",
                                      "<p:r/>",
                                      "<r p:a='1'/>",
                                      "<r xmlns:p=''/>",
                                      "<1/>",
                                      "<r>\x01</r>",
                                      "<r>&#0;</r>",
                                      "<r>&#xD800;</r>",
                                      "<!-- only -->",
                                      "<r><?xml version='1.0'?></r>",
                                      "<>",
                                      "<r =''/>",
                                      "<a:b:c xmlns:a='x'/>",
                                      "<!FOO><r/>",
                                      "<r></r",
                                      "<r a></r>"}) {
    EXPECT_EQ(code_of(text), "xml.notWellFormed") << text;
  }
  EXPECT_EQ(code_of(std::string_view("<r>\0</r>", 8)), "xml.notWellFormed");
}

TEST(Document, ErrorsSayWhere) {
  const auto wrong = Document::parse("<r>\n\n<a></b>\n</r>", {});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().location, "line 3");
  const auto deep = Document::parse("<r>\n<a>\n<b/></a></r>", {.depth_max = 2});
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().location, "line 3");
}

// SEC-111: each limit, one below and one above.
TEST(Document, KeepsTheLimits) {
  EXPECT_EQ(code_of("<r><a/></r>", {.depth_max = 2}), "");
  EXPECT_EQ(code_of("<r><a><b/></a></r>", {.depth_max = 2}), "xml.limit");
  EXPECT_EQ(code_of("<r><a/><b/></r>", {.elements_max = 3}), "");
  EXPECT_EQ(code_of("<r><a/><b/></r>", {.elements_max = 2}), "xml.limit");
  EXPECT_EQ(code_of("<r a='' b=''/>", {.attributes_max = 2}), "");
  EXPECT_EQ(code_of("<r a='' b='' c=''/>", {.attributes_max = 2}), "xml.limit");
  EXPECT_EQ(code_of("<r/>", {.bytes_max = 4}), "");
  EXPECT_EQ(code_of("<r/>", {.bytes_max = 3}), "xml.limit");

  const auto depth = [](std::size_t n) { return repeated("<r>", n) + repeated("</r>", n); };
  EXPECT_EQ(code_of(depth(limits::xml_depth_max)), "");
  EXPECT_EQ(code_of(depth(limits::xml_depth_max + 1)), "xml.limit");

  const auto named = [](std::size_t n) { return "<" + std::string(n, 'n') + "/>"; };
  EXPECT_EQ(code_of(named(limits::xml_name_bytes_max)), "");
  EXPECT_EQ(code_of(named(limits::xml_name_bytes_max + 1)), "xml.limit");
  EXPECT_EQ(code_of("<r " + std::string(limits::xml_name_bytes_max + 1, 'n') + "=''/>"), "xml.limit");

  const auto spaces = [](std::size_t n) {
    std::string out = "<r";
    for (std::size_t i = 0; i < n; ++i) out += " xmlns:n" + std::to_string(i) + "='urn:x'";
    return out + "/>";
  };
  EXPECT_EQ(code_of(spaces(limits::xml_namespaces_max)), "");
  EXPECT_EQ(code_of(spaces(limits::xml_namespaces_max + 1)), "xml.limit");
}

TEST(Document, NamespacesThatWentOutOfScopeDoNotCount) {
  const auto siblings = "<r>" + repeated("<a xmlns:p='urn:p'><p:b xmlns='urn:q'/></a>", 200) + "</r>";
  EXPECT_EQ(code_of(siblings), "");
  const auto nested = repeated("<a xmlns:p='urn:p'>", 65) + repeated("</a>", 65);
  EXPECT_EQ(code_of(nested), "xml.limit");
}

// EB-043, SEC-111: what would cost a parser quadratic time or a deep stack is refused at once.
TEST(Document, RefusesExpensiveDocumentsQuickly) {
  expect_quick_refusal(repeated("<a>", 10'000) + repeated("</a>", 10'000), "xml.limit");
  expect_quick_refusal("<r>" + repeated("<a/>", 2'001) + "</r>", "xml.limit", {.elements_max = 2'000});

  std::string many_attributes = "<r";
  for (int i = 0; i < 150'000; ++i) many_attributes += " a" + std::to_string(i) + "=''";
  expect_quick_refusal(many_attributes + "/>", "xml.limit");

  expect_quick_refusal("<r a='" + std::string(5 * 1024 * 1024, 'x') + "'/>", "xml.limit", {.bytes_max = 1024 * 1024});
  expect_quick_refusal("<r>" + repeated("<!---->", 2'100'000) + "</r>", "xml.limit");
}

TEST(Document, ReadsLargeValuesInsideTheLimits) {
  const std::string large(12 * 1024 * 1024, 'x');
  EXPECT_EQ(parsed("<r>" + large + "</r>").root().text().size(), large.size());
  EXPECT_EQ(parsed("<r a='" + large + "'/>").root().attribute("", "a")->size(), large.size());
}

// SEC-110, EB-043: the official attack sample.
TEST(Document, RefusesTheOfficialXxeSample) {
  std::ifstream in(SCHAKEL_SOURCE_DIR "/../shared/standards/ebms/messages/EbMSPingXXE.xml", std::ios::binary);
  if (!in) GTEST_SKIP() << "the official samples are not beside the repository";
  std::ostringstream octets;
  octets << in.rdbuf();
  EXPECT_EQ(code_of(octets.str()), "xml.doctype");
}

TEST(Document, MovesWithItsViews) {
  auto first = parsed("<r><a/></r>");
  const auto root = first.root();
  auto second = std::move(first);
  EXPECT_EQ(second.root(), root);
  first = std::move(second);
  EXPECT_EQ(first.root().first_child().name(), "a");
}

// Documents are made on one thread and read or freed on another.
TEST(Document, ParsesOnManyThreads) {
  std::vector<std::future<Document>> work;
  for (int t = 0; t < 8; ++t) {
    work.push_back(std::async(std::launch::async, [t] {
      for (int i = 0; i < 200; ++i)
        static_cast<void>(parsed("<n" + std::to_string(t * 1000 + i) + " a='1'><b/></n" + std::to_string(t * 1000 + i) + ">"));
      return parsed("<last a='" + std::to_string(t) + "'/>");
    }));
  }
  for (int t = 0; t < 8; ++t) EXPECT_EQ(work[static_cast<std::size_t>(t)].get().root().attribute("", "a"), std::to_string(t));
}

TEST(EscapedText, SurvivesAParser) {
  const std::string text = "a<b>&\"c'\t\r\n\xE2\x82\xAC";
  const auto written = escape_text(text).value();
  EXPECT_EQ(parsed("<r>" + written + "</r>").root().text(), text);
  EXPECT_EQ(parsed("<r a=\"" + written + "\"/>").root().attribute("", "a"), text);
}

TEST(EscapedText, RefusesCharactersThatXmlCannotCarry) {
  EXPECT_EQ(escape_text("\x01").error().code, "xml.character");
  EXPECT_EQ(escape_text("\xEF\xBF\xBF").error().code, "xml.character");
  EXPECT_EQ(escape_text("\xC3").error().code, "xml.character");
  EXPECT_EQ(escape_text("\xEF\xBF\xBD").value(), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace schakel::xml
