// The two changes that a received document may undergo: text for XOP, content for encryption (WUS-147, WUS-183).
#include <gtest/gtest.h>

#include "xml/canonical.hpp"
#include "xml/document.hpp"

namespace schakel::xml {
namespace {

Document parsed(std::string_view text) {
  return Document::parse(text, {}).value();
}
std::string canonical(Element element) {
  return canonicalise(element).value();
}
Element found(const Document& document, std::string_view name) {
  Element element = document.root();
  while (element && element.name() != name) element = element.next_in(document.root());
  return element;
}

// The document after the element `x` was replaced; the error's code when it was not.
std::string replaced(std::string_view text, std::string content, const Limits& limits = {}) {
  auto document = parsed(text);
  const auto before = canonical(document.root());
  const auto done = document.replace(found(document, "x"), std::move(content), limits);
  if (!done) {
    EXPECT_EQ(canonical(document.root()), before);
    return done.error().code;
  }
  return canonical(document.root());
}

TEST(ReplacedContent, StandsWhereTheElementStood) {
  EXPECT_EQ(replaced("<r>1<a/><x><y/></x><b/>2</r>", "<c>3</c>"), "<r>1<a></a><c>3</c><b></b>2</r>");
  EXPECT_EQ(replaced("<r>1<x/>2</r>", "a<b/>c"), "<r>1a<b></b>c2</r>");
  EXPECT_EQ(replaced("<r><x/></r>", ""), "<r></r>");
}

// Namespaces of the ancestors count, and none is declared anew where it would be rendered.
TEST(ReplacedContent, IsInTheScopeOfItsParent) {
  EXPECT_EQ(replaced("<r xmlns='urn:r' xmlns:p='urn:p'><x/></r>", "<a p:b='1'><p:c/></a>"),
            "<r xmlns=\"urn:r\"><a xmlns:p=\"urn:p\" p:b=\"1\"><p:c></p:c></a></r>");
  EXPECT_EQ(replaced("<q:r xmlns:q='urn:q' xmlns='urn:r'><q:s xmlns=''><x/></q:s></q:r>", "<a/>"),
            "<q:r xmlns:q=\"urn:q\"><q:s><a></a></q:s></q:r>");
  EXPECT_EQ(replaced("<p:r xmlns:p='urn:1'><p:s xmlns:p='urn:2'><x/></p:s></p:r>", "<p:a/>"),
            "<p:r xmlns:p=\"urn:1\"><p:s xmlns:p=\"urn:2\"><p:a></p:a></p:s></p:r>");
  EXPECT_EQ(replaced("<r xmlns:p='urn:a&amp;b'><x/></r>", "<p:a/>"), "<r><p:a xmlns:p=\"urn:a&amp;b\"></p:a></r>");
  EXPECT_EQ(replaced("<r xml:lang='nl'><x/></r>", "<a xml:lang='en' xml:id='i'/>"),
            "<r xml:lang=\"nl\"><a xml:id=\"i\" xml:lang=\"en\"></a></r>");
  // Its own declarations stay its own.
  EXPECT_EQ(replaced("<r xmlns:p='urn:1'><x/></r>", "<p:a xmlns:p='urn:3'><p:b/></p:a>"),
            "<r><p:a xmlns:p=\"urn:3\"><p:b></p:b></p:a></r>");
}

TEST(ReplacedContent, CanonicalFormsAreThoseOfADocumentParsedAtOnce) {
  const std::string start = "<e:r xmlns:e='urn:e' xmlns='urn:d' xmlns:u='urn:u'><e:b u:i='1'>", end = "</e:b></e:r>";
  const std::string content = " <a u:k='v'><e:c xmlns=''><d/></e:c></a>\r\n<u:f><![CDATA[<>]]>&#13;</u:f>";
  auto document = parsed(start + "<x/>" + end);
  ASSERT_TRUE(document.replace(found(document, "x"), content, {}));
  const auto whole = parsed(start + content + end);
  for (const auto form : {Canonical::exclusive, Canonical::inclusive}) {
    EXPECT_EQ(canonicalise(document.root(), {.form = form}).value(), canonicalise(whole.root(), {.form = form}).value());
    EXPECT_EQ(canonicalise(found(document, "f"), {.form = form}).value(), canonicalise(found(whole, "f"), {.form = form}).value());
  }
}

TEST(ReplacedContent, CannotReachOut) {
  for (const char* content : {"</r>", "<a/></r><r>", "</content>", "</content><content>", "<a/></content><!--", "<a>", "<![CDATA[", "<!--",
                              "<a/", "&b;", "&", "<u:a/>", "<a u:b=''/>"}) {
    EXPECT_EQ(replaced("<r><x/></r>", content), "xml.notWellFormed") << content;
  }
  EXPECT_EQ(replaced("<r><x/></r>", "<!DOCTYPE a>"), "xml.doctype");
  EXPECT_EQ(replaced("<r><x/></r>", "<?xml version='1.0'?><a/>"), "xml.notWellFormed");
  EXPECT_EQ(replaced("<r><x/></r>", "<?pi?>", {.instructions_allowed = false}), "xml.instruction");
  EXPECT_EQ(replaced("<r><x/></r>", "\xC3"), "xml.encoding");
  EXPECT_EQ(replaced("<r><x/></r>", "<i:include xmlns:i='http://www.w3.org/2001/XInclude'/>"), "xml.doctype");
}

TEST(ReplacedContent, KeepsTheLimitsOfTheWholeDocument) {
  EXPECT_EQ(replaced("<r><s><x/></s></r>", "<a><b/></a>", {.depth_max = 4}), "<r><s><a><b></b></a></s></r>");
  EXPECT_EQ(replaced("<r><s><x/></s></r>", "<a><b><c/></b></a>", {.depth_max = 4}), "xml.limit");
  EXPECT_EQ(replaced("<r><s/><x><y/></x></r>", "<a/><b/>", {.elements_max = 4}), "<r><s></s><a></a><b></b></r>");
  EXPECT_EQ(replaced("<r><s/><x><y/></x></r>", "<a/><b/><c/>", {.elements_max = 4}), "xml.limit");
  EXPECT_EQ(replaced("<r><x/></r>", "12345", {.bytes_max = 5}), "<r>12345</r>");
  EXPECT_EQ(replaced("<r><x/></r>", "123456", {.bytes_max = 5}), "xml.limit");
}

TEST(ReplacedText, IsAllThatTheElementHas) {
  auto document = parsed("<r><a>1<b/>2</a><c/></r>");
  document.set_text(document.root().first_child(), "x & <y>");
  EXPECT_EQ(canonical(document.root()), "<r><a>x &amp; &lt;y&gt;</a><c></c></r>");
  document.set_text(document.root().first_child(), "");
  EXPECT_EQ(canonical(document.root()), "<r><a></a><c></c></r>");
}

TEST(Elements, FollowInDocumentOrder) {
  const auto document = parsed("<r><a><b/></a><c/></r>");
  std::string names;
  for (auto element = document.root(); element; element = element.next_in(document.root())) names += element.name();
  EXPECT_EQ(names, "rabc");
  const auto a = document.root().first_child();
  names.clear();
  for (auto element = a; element; element = element.next_in(a)) names += element.name();
  EXPECT_EQ(names, "ab");
}

TEST(Instructions, AreRefusedWhereNoneMayBe) {
  const Limits none{.instructions_allowed = false};
  EXPECT_TRUE(Document::parse("<?xml version='1.0'?><r/>", none));
  for (const char* text :
       {"<?pi?><r/>", "<r><?pi?></r>", "<r/><?pi?>", "<?xml-stylesheet href='x'?><r/>", "<?xml version='1.0'?><?pi?><r/>"}) {
    EXPECT_EQ(Document::parse(text, none).error().code, "xml.instruction") << text;
    EXPECT_TRUE(Document::parse(text, {})) << text;
  }
}

TEST(CanonicalForms, HaveALimit) {
  const auto document = parsed("<r xmlns:p='urn:pppppppppppppppp'><p:a/><p:a/><p:a/><p:a/></r>");
  const auto size = canonical(document.root()).size();
  EXPECT_TRUE(canonicalise(document.root(), {.bytes_max = size}));
  const auto refused = canonicalise(document.root(), {.bytes_max = size / 2});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "xml.limit");
}

TEST(NamespaceNames, HaveALimit) {
  const auto with = [](std::size_t size) { return Document::parse("<r xmlns:p='urn:" + std::string(size, 'x') + "'/>", {}); };
  EXPECT_TRUE(with(4000));
  EXPECT_EQ(with(5000).error().code, "xml.limit");
}

}  // namespace
}  // namespace schakel::xml
