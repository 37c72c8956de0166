#include "wus/schema.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libxml/globals.h>

#include <atomic>
#include <thread>

#include "support/wus_sample_service.hpp"
#include "wus/plain.hpp"

namespace schakel::wus {
namespace {

using namespace schakel::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::shared_ptr<const Schema> compiled(const Documents& documents, const std::vector<std::string>& roots) {
  auto schema = Schema::compile(documents, roots);
  EXPECT_TRUE(schema) << schema.error().code << " " << schema.error().location << ": " << schema.error().detail;
  return schema ? *schema : nullptr;
}
std::string error_of(const Documents& documents, const std::vector<std::string>& roots = {"a.xsd"}) {
  const auto schema = Schema::compile(documents, roots);
  return schema ? "" : schema.error().code + " " + schema.error().location;
}

// A schema document. `head`: attributes of its root.
std::string xsd(std::string_view head, std::string_view body) {
  return "<x:schema xmlns:x=\"http://www.w3.org/2001/XMLSchema\" " + std::string(head) + ">" + std::string(body) + "</x:schema>";
}
std::string in(std::string_view target) {
  return "targetNamespace=\"" + std::string(target) + "\" xmlns:t=\"" + std::string(target) + "\" elementFormDefault=\"qualified\"";
}

xml::Document parsed(std::string_view text) {
  auto document = xml::Document::parse(text, {});
  EXPECT_TRUE(document) << document.error().detail;
  return std::move(*document);
}
std::vector<std::string> rules_of(const std::vector<Schema::Finding>& findings) {
  std::vector<std::string> out;
  for (const auto& finding : findings) out.push_back(finding.message.substr(0, finding.message.find(':')));
  return out;
}

class SampleSchema : public ::testing::Test {
 protected:
  void SetUp() override {
    SCHAKEL_NEEDS_WUS_STANDARDS();
    schema = import_wsdl(sample_bundle(), true).wsdl.value().schema;
    ASSERT_NE(schema, nullptr);
  }
  // A request with this inside, in the Body of an envelope.
  std::vector<Schema::Finding> findings(std::string_view inside, std::string_view element = "vraagInschrijving") {
    const std::string name(element);
    const auto document = parsed(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
        "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:x=\"http://www.w3.org/2001/XMLSchema\" xmlns:d=\"" +
        std::string(data_namespace) + "\"><s:Body><d:" + name + ">" + std::string(inside) + "</d:" + name + "></s:Body></s:Envelope>");
    const auto payload = document.root().first_child().first_child();
    const auto before = handed_on(payload);
    auto out = schema->validate(payload);
    EXPECT_EQ(handed_on(payload), before) << "the tree was changed";
    return out;
  }

  std::shared_ptr<const Schema> schema;
};

// WUS-200; wus.md section 5: seven digits.
TEST_F(SampleSchema, FindsTheElementAndTheRuleAndNeverTheValue) {
  EXPECT_THAT(findings("<d:inschrijfnummer>12345678</d:inschrijfnummer>"), IsEmpty());
  const auto wrong = findings("<d:inschrijfnummer>7654321</d:inschrijfnummer>");
  ASSERT_EQ(wrong.size(), 1U);
  EXPECT_EQ(wrong[0].path, "/{" + std::string(data_namespace) + "}vraagInschrijving/{" + data_namespace + "}inschrijfnummer");
  EXPECT_EQ(wrong[0].message, "cvc-pattern-valid: the value does not match the pattern");
  EXPECT_EQ(wrong[0].line, 1);
}

// WUS-200: no text of libxml2, which quotes values, comes out whatever is wrong.
TEST_F(SampleSchema, NeverShowsPayload) {
  constexpr const char* secret = "GEHEIM";
  const std::vector<std::string> wrongs = {
      "<d:inschrijfnummer>GEHEIM</d:inschrijfnummer>",
      "<d:inschrijfnummer GEHEIM=\"GEHEIM\">12345678</d:inschrijfnummer>",
      "<d:inschrijfnummer>12345678</d:inschrijfnummer><d:peildatum>GEHEIM</d:peildatum>",
      "<d:inschrijfnummer>12345678</d:inschrijfnummer>GEHEIM",
      "<d:inschrijfnummer xsi:type=\"GEHEIM\">12345678</d:inschrijfnummer>",
      "<d:inschrijfnummer xsi:type=\"x:GEHEIM\">12345678</d:inschrijfnummer>",
      "<d:inschrijfnummer xsi:nil=\"GEHEIM\">12345678</d:inschrijfnummer>",
      "<d:inschrijfnummer>12345678</d:inschrijfnummer><d:peildatum xsi:nil=\"true\">GEHEIM</d:peildatum>",
  };
  for (const auto& wrong : wrongs) {
    const auto found = findings(wrong);
    EXPECT_FALSE(found.empty()) << wrong;
    for (const auto& finding : found) {
      EXPECT_THAT(finding.message, Not(HasSubstr(secret))) << wrong;
      EXPECT_THAT(finding.path, Not(HasSubstr(secret))) << wrong;
      EXPECT_THAT(finding.message, HasSubstr("cvc-")) << "a rule without a name: " << wrong;
    }
  }
}

// WUS-201: xsi:nil only on what is nillable, and empty.
TEST_F(SampleSchema, HonoursNil) {
  const std::string number = "<d:inschrijfnummer>12345678</d:inschrijfnummer>";
  EXPECT_THAT(findings(number + "<d:peildatum xsi:nil=\"true\"/>"), IsEmpty());
  EXPECT_THAT(findings(number + "<d:peildatum xsi:nil=\"1\"></d:peildatum>"), IsEmpty());
  EXPECT_THAT(findings(number + "<d:peildatum xsi:nil=\"false\">2026-03-01</d:peildatum>"), IsEmpty());
  EXPECT_THAT(rules_of(findings(number + "<d:peildatum xsi:nil=\"true\">2026-03-01</d:peildatum>")), ElementsAre("cvc-elt.3.2.1"));
  EXPECT_THAT(rules_of(findings("<d:inschrijfnummer xsi:nil=\"true\"/>")), ElementsAre("cvc-elt.3.1"));
  EXPECT_FALSE(findings(number + "<d:peildatum/>").empty()) << "no nil, no date";
}

// WUS-021, WUS-201: honoured, never required.
TEST_F(SampleSchema, HonoursXsiType) {
  EXPECT_THAT(findings("<d:inschrijfnummer xsi:type=\"d:Inschrijfnummer\">12345678</d:inschrijfnummer>"), IsEmpty());
  EXPECT_THAT(rules_of(findings("<d:inschrijfnummer xsi:type=\"x:string\">12345678</d:inschrijfnummer>")), ElementsAre("cvc-elt.4.3"));
  EXPECT_THAT(rules_of(findings("<d:inschrijfnummer xsi:type=\"d:Onbekend\">12345678</d:inschrijfnummer>")), ElementsAre("cvc-elt.4.2"));
}

// WUS-201: a schema that a message names is not loaded; the address would be seen in the test's time.
TEST_F(SampleSchema, IgnoresSchemaLocation) {
  EXPECT_THAT(findings("<d:inschrijfnummer xsi:schemaLocation=\"urn:x http://127.0.0.1:1/x.xsd\">12345678</d:inschrijfnummer>"), IsEmpty());
  EXPECT_THAT(findings("<d:inschrijfnummer xsi:noNamespaceSchemaLocation=\"file:///etc/passwd\">12345678</d:inschrijfnummer>"), IsEmpty());
}

// WUS-201: the white space facet of the type decides.
TEST_F(SampleSchema, KnowsWhiteSpace) {
  EXPECT_THAT(findings("\n  <d:inschrijfnummer>12345678</d:inschrijfnummer>\n  <d:peildatum>\n 2026-03-01 \n</d:peildatum><!-- c -->"),
              IsEmpty());
  EXPECT_THAT(rules_of(findings("<d:inschrijfnummer> 12345678</d:inschrijfnummer>")), ElementsAre("cvc-pattern-valid"));
}

// WUS-201: XML Schema Part 2 4.3.6, for every built-in type whose values may have white space around them, in elements and attributes.
TEST(Schema, CollapsesWhiteSpaceOfEveryType) {
  const std::vector<std::pair<std::string, std::string>> types = {{"date", "2026-03-01"},
                                                                  {"dateTime", "2026-03-01T00:00:00Z"},
                                                                  {"time", "10:00:00"},
                                                                  {"gYear", "2026"},
                                                                  {"gMonthDay", "--12-31"},
                                                                  {"duration", "P1D"},
                                                                  {"int", "-1"},
                                                                  {"integer", "7"},
                                                                  {"byte", "1"},
                                                                  {"unsignedLong", "9"},
                                                                  {"decimal", "1.5"},
                                                                  {"double", "1.5E3"},
                                                                  {"boolean", "true"},
                                                                  {"anyURI", "urn:x"},
                                                                  {"QName", "x:y"},
                                                                  {"NCName", "n"},
                                                                  {"language", "nl"},
                                                                  {"hexBinary", "AA"},
                                                                  {"token", "t"},
                                                                  {"base64Binary", "AAAA"}};
  for (const auto& [type, value] : types) {
    const auto schema =
        compiled({{"a.xsd", xsd(in("urn:a"), "<x:element name=\"e\"><x:complexType><x:sequence><x:element name=\"f\" type=\"x:" + type +
                                                 "\" maxOccurs=\"2\"/></x:sequence><x:attribute name=\"g\" type=\"x:" + type +
                                                 "\"/></x:complexType></x:element>")}},
                 {"a.xsd"});
    ASSERT_NE(schema, nullptr);
    const auto findings = [&](const std::string& before, const std::string& after, const std::string& second) {
      const auto padded = before + value + after;
      const auto document =
          parsed("<o xmlns:x=\"urn:x\"><e xmlns=\"urn:a\" g=\"" + padded + "\">\n<f>" + padded + "</f>\n<f>" + second + "</f></e></o>");
      return schema->validate(document.root().first_child());
    };
    EXPECT_THAT(findings(" ", "", value), IsEmpty()) << type;
    EXPECT_THAT(findings("\n\t ", "\n ", value), IsEmpty()) << type;
    if (type == "token" || type == "anyURI") continue;
    const auto wrong = findings(" ", " ", " <!-- -->?? ");
    ASSERT_EQ(wrong.size(), 1U) << type;
    EXPECT_EQ(wrong[0].path, "/{urn:a}e/{urn:a}f[2]");
    EXPECT_EQ(wrong[0].line, 3);
  }
  const auto strings = compiled({{"a.xsd", xsd(in("urn:a"), R"(<x:element name="e"><x:simpleType><x:restriction base="x:string">)"
                                                            R"(<x:enumeration value="A"/></x:restriction></x:simpleType></x:element>)")}},
                                {"a.xsd"});
  EXPECT_FALSE(strings->validate(parsed("<e xmlns=\"urn:a\"> A</e>").root()).empty()) << "white space of a string counts";
}

// WUS-044, WUS-200
TEST_F(SampleSchema, RefusesOtherElementsAndOrders) {
  EXPECT_THAT(rules_of(findings("")), ElementsAre("cvc-complex-type.2.4"));
  EXPECT_THAT(rules_of(findings("<d:peildatum>2026-03-01</d:peildatum>")), ElementsAre("cvc-complex-type.2.4"));
  EXPECT_THAT(rules_of(findings("", "onbekend")), ElementsAre("cvc-elt.1"));
  EXPECT_TRUE(schema->declares({data_namespace, "inschrijvingFout"}));
  EXPECT_FALSE(schema->declares({data_namespace, "peildatum"})) << "a local element";
  EXPECT_FALSE(schema->declares({"", "vraagInschrijving"}));
}

// WUS-201: declared faults are validated in the same way.
TEST_F(SampleSchema, ValidatesDeclaredFaults) {
  EXPECT_THAT(findings("<d:code>DK1</d:code><d:melding>m</d:melding>", "inschrijvingFout"), IsEmpty());
  EXPECT_FALSE(findings("<d:code>DK1</d:code>", "inschrijvingFout").empty());
}

TEST(Schema, StopsAtItsLimitOfFindings) {
  const auto lists =
      compiled({{"a.xsd", xsd(in("urn:a"), R"(<x:element name="e"><x:complexType><x:sequence><x:element name="f" type="x:int" )"
                                           R"(maxOccurs="unbounded"/></x:sequence></x:complexType></x:element>)")}},
               {"a.xsd"});
  std::string many;
  for (int i = 0; i < 200; ++i) many += "<f>x</f>";
  const auto document = parsed("<e xmlns=\"urn:a\">" + many + "</e>");
  const auto found = lists->validate(document.root());
  ASSERT_EQ(found.size(), Schema::findings_max);
  EXPECT_EQ(found[1].path, "/{urn:a}e/{urn:a}f[2]");
}

// WUS-184
TEST_F(SampleSchema, KnowsWhatIsBinary) {
  const auto document = parsed("<d:meldWijziging xmlns:d=\"" + std::string(data_namespace) +
                               "\"><d:inschrijfnummer>12345678</d:inschrijfnummer><d:omschrijving>o</d:omschrijving>"
                               "<d:bijlage>AAAA</d:bijlage><d:bijlage>BBBB</d:bijlage></d:meldWijziging>");
  EXPECT_THAT(schema->binary_elements(document.root()), ElementsAre(3U, 4U));
  EXPECT_THAT(schema->binary_elements(document.root().first_child()), IsEmpty());
  const std::string rest = "<d:inschrijfnummer>12345678</d:inschrijfnummer><d:omschrijving>o</d:omschrijving>";
  EXPECT_THAT(findings(rest + "<d:bijlage>AA AA\n</d:bijlage>", "meldWijziging"), IsEmpty());
  EXPECT_THAT(rules_of(findings(rest + "<d:bijlage>AA*AA</d:bijlage>", "meldWijziging")), ElementsAre("cvc-datatype-valid.1.2.1"));
}

// One compiled schema for all threads; no thread's loading is touched while others compile and validate.
TEST_F(SampleSchema, IsSharedByThreads) {
  const auto* const former = reinterpret_cast<void*>(xmlParserInputBufferCreateFilenameValue);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 100; ++round) {
        const auto document = parsed("<vraagInschrijving xmlns=\"" + std::string(data_namespace) + "\"><inschrijfnummer>" +
                                     (i % 2 == 0 ? "12345678" : "1234567") + "</inschrijfnummer></vraagInschrijving>");
        wrong += schema->validate(document.root()).size() != static_cast<std::size_t>(i % 2);
      }
    });
  }
  threads.emplace_back([&] {
    for (int round = 0; round < 20; ++round) wrong += !import_wsdl(sample_bundle(), true).ok();
  });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(reinterpret_cast<void*>(xmlParserInputBufferCreateFilenameValue), former);
}

// WUS-201: what the schema gives as default stays out of the payload.
TEST(Schema, InsertsNoDefaults) {
  const auto schema = compiled({{"a.xsd", xsd(in("urn:a"), R"(<x:element name="e"><x:complexType><x:sequence>)"
                                                           R"(<x:element name="f" type="x:int" default="7"/></x:sequence>)"
                                                           R"(<x:attribute name="g" default="8"/></x:complexType></x:element>)")}},
                               {"a.xsd"});
  const auto document = parsed("<e xmlns=\"urn:a\"><f/></e>");
  const auto before = handed_on(document.root());
  EXPECT_THAT(schema->validate(document.root()), IsEmpty());
  EXPECT_EQ(handed_on(document.root()), before);
}

// WUS-051: includes, imports and redefines between documents; schemas without namespace; two schemas of one namespace.
TEST(Schema, PutsItsDocumentsTogether) {
  const auto schema = compiled(
      {{"a.xsd",
        xsd(in("urn:a") + " xmlns:b=\"urn:b\"",
            R"(<x:import namespace="urn:b" schemaLocation="b1.xsd"/><x:import namespace="urn:b" schemaLocation="b2.xsd"/>)"
            R"(<x:include schemaLocation="no-namespace.xsd"/><x:redefine schemaLocation="c.xsd"><x:simpleType name="Code">)"
            R"(<x:restriction base="t:Code"><x:maxLength value="2"/></x:restriction></x:simpleType></x:redefine>)"
            R"(<x:element name="e"><x:complexType><x:sequence><x:element ref="b:one"/><x:element ref="b:two"/>)"
            R"(<x:element name="f" type="t:Short"/><x:element name="g" type="t:Code"/></x:sequence></x:complexType></x:element>)")},
       {"b1.xsd", xsd(in("urn:b"), R"(<x:element name="one" type="x:int"/>)")},
       {"b2.xsd", xsd(in("urn:b"), R"(<x:include schemaLocation="no-namespace.xsd"/><x:element name="two" type="t:Short"/>)")},
       {"c.xsd", xsd(in("urn:a"), R"(<x:simpleType name="Code"><x:restriction base="x:string"/></x:simpleType>)")},
       {"no-namespace.xsd", xsd("", R"(<x:simpleType name="Short"><x:restriction base="x:string"><x:maxLength value="3"/>)"
                                    R"(</x:restriction></x:simpleType>)")}},
      {"a.xsd"});
  ASSERT_NE(schema, nullptr);
  const auto rules = [&](const char* f, const char* g) {
    const auto document =
        parsed("<e xmlns=\"urn:a\" xmlns:b=\"urn:b\"><b:one>1</b:one><b:two>abc</b:two><f>" + std::string(f) + "</f><g>" + g + "</g></e>");
    return rules_of(schema->validate(document.root()));
  };
  EXPECT_THAT(rules("abc", "ab"), IsEmpty());
  EXPECT_THAT(rules("abcd", "ab"), ElementsAre("cvc-maxLength-valid"));
  EXPECT_THAT(rules("abc", "abc"), ElementsAre("cvc-maxLength-valid"));
}

// The schemas of one wsdl:types import each other by namespace alone.
TEST(Schema, FindsImportsWithoutLocation) {
  const Documents documents = {
      {"s.wsdl#1", xsd(in("urn:a") + " xmlns:b=\"urn:b\"", R"(<x:import namespace="urn:b"/><x:element name="e" type="b:T"/>)")},
      {"s.wsdl#2", xsd(in("urn:b"), R"(<x:simpleType name="T"><x:restriction base="x:int"/></x:simpleType>)")}};
  const auto schema = compiled(documents, {"s.wsdl#1", "s.wsdl#2"});
  ASSERT_NE(schema, nullptr);
  EXPECT_THAT(schema->validate(parsed("<e xmlns=\"urn:a\">1</e>").root()), IsEmpty());
  EXPECT_THAT(error_of(documents, {"s.wsdl#1"}), HasSubstr("wus.schema s.wsdl#1:1"));
}

// xml:lang and xmime:contentType come with the program; everybody names their schemas by address.
TEST(Schema, KnowsTheSchemasThatNobodyUploads) {
  const auto schema = compiled(
      {{"a.xsd",
        xsd(in("urn:a"), R"(<x:import namespace="http://www.w3.org/XML/1998/namespace" schemaLocation="http://www.w3.org/2001/xml.xsd"/>)"
                         R"(<x:import namespace="http://www.w3.org/2005/05/xmlmime"/>)"
                         R"(<x:element name="e"><x:complexType mixed="true"><x:attribute ref="xml:lang"/>)"
                         R"(</x:complexType></x:element><x:element name="b" type="m:base64Binary" )"
                         R"(xmlns:m="http://www.w3.org/2005/05/xmlmime"/>)")}},
      {"a.xsd"});
  ASSERT_NE(schema, nullptr);
  EXPECT_THAT(schema->validate(parsed("<e xmlns=\"urn:a\" xml:lang=\"nl\">x</e>").root()), IsEmpty());
  EXPECT_FALSE(schema->validate(parsed("<e xmlns=\"urn:a\" xml:lang=\"?\">x</e>").root()).empty());
  const auto document =
      parsed("<b xmlns=\"urn:a\" xmlns:m=\"http://www.w3.org/2005/05/xmlmime\" m:contentType=\"application/pdf\">AAAA</b>");
  EXPECT_THAT(schema->validate(document.root()), IsEmpty());
  EXPECT_THAT(schema->binary_elements(document.root()), ElementsAre(0U));
}

// WUS-184: types derived from xs:base64Binary, in schemas without namespace too; a name with two meanings is left alone.
TEST(Schema, FollowsDerivationsToBinary) {
  const auto schema = compiled(
      {{"a.xsd",
        xsd(in("urn:a"), R"(<x:include schemaLocation="n.xsd"/><x:complexType name="Any" abstract="true"/>)"
                         R"(<x:element name="e"><x:complexType><x:sequence><x:element name="direct" type="x:base64Binary"/>)"
                         R"(<x:element name="derived" type="t:Pdf"/><x:element name="inner"><x:simpleType><x:restriction base="t:Pdf"/>)"
                         R"(</x:simpleType></x:element><x:element name="bare" form="unqualified" type="x:base64Binary"/>)"
                         R"(<x:element name="twice" type="x:base64Binary"/><x:element name="hex" type="x:hexBinary"/>)"
                         R"(<x:element name="any" type="x:anyType"/></x:sequence></x:complexType></x:element>)"
                         R"(<x:element name="other"><x:complexType><x:sequence><x:element name="twice" type="x:string"/></x:sequence>)"
                         R"(</x:complexType></x:element>)")},
       {"n.xsd", xsd("", R"(<x:simpleType name="Small"><x:restriction base="x:base64Binary"><x:maxLength value="9"/></x:restriction>)"
                         R"(</x:simpleType><x:simpleType name="Pdf"><x:restriction base="Small"/></x:simpleType>)")}},
      {"a.xsd"});
  ASSERT_NE(schema, nullptr);
  const auto document = parsed(
      "<t:e xmlns:t=\"urn:a\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:x=\"http://www.w3.org/2001/XMLSchema\">"
      "<t:direct>AAAA</t:direct><t:derived>AAAA</t:derived><t:inner>AAAA</t:inner><bare>AAAA</bare><t:twice>AAAA</t:twice><t:hex>AA</t:hex>"
      "<t:any xsi:type=\"x:base64Binary\">AAAA</t:any></t:e>");
  EXPECT_THAT(schema->validate(document.root()), IsEmpty());
  EXPECT_THAT(schema->binary_elements(document.root()), ElementsAre(1U, 2U, 3U, 4U, 7U));
}

// WUS-051
TEST(Schema, SaysWhatCannotBeCompiled) {
  EXPECT_EQ(error_of({{"a.xsd", xsd(in("urn:a"), "\n<x:element name=\"e\" type=\"t:Onbekend\"/>")}}), "wus.schema a.xsd:2");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(error_of({{"a.xsd", xsd(in("urn:a"), R"(<x:simpleType name="T"><x:restriction base="x:string"><x:pattern value="[a"/>)"
                                                 R"(</x:restriction></x:simpleType>)")}}),
            "wus.schema a.xsd:1");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "") << "libxml2 prints nothing";
  EXPECT_EQ(error_of({{"a.xsd", xsd(in("urn:a"), "\n<x:include schemaLocation=\"b.xsd\"/>")}}), "wus.import a.xsd:2");
  EXPECT_EQ(error_of({{"a.xsd", xsd(in("urn:a"), "<x:include/>")}}), "wus.import a.xsd:1");
  EXPECT_EQ(error_of({{"a.xsd", xsd(in("urn:a"), "<x:import namespace=\"urn:b\" schemaLocation=\"file:///etc/passwd\"/>")}}),
            "wus.import a.xsd:1");
  EXPECT_EQ(
      error_of({{"a.xsd", xsd(in("urn:a"), "<x:import namespace=\"urn:b\" schemaLocation=\"b.xsd\"/>")}, {"b.xsd", xsd(in("urn:c"), "")}}),
      "wus.schema a.xsd:1");
  EXPECT_EQ(error_of({{"a.xsd", xsd(in("urn:a"), "<x:include schemaLocation=\"b.xsd\"/>")}, {"b.xsd", xsd(in("urn:c"), "")}}),
            "wus.schema a.xsd:1");
  EXPECT_EQ(error_of({{"a.xsd", "<geen/>"}}), "wus.schema a.xsd:1");
  EXPECT_EQ(error_of({}), "wus.import a.xsd");
  EXPECT_THAT(error_of({{"a.xsd", "<!DOCTYPE a><a/>"}}), HasSubstr("wus.schema a.xsd"));
}

// Each document without namespace is compiled once for every namespace that includes it: that product has a limit.
TEST(Schema, BoundsTheWorkOfCompiling) {
  Documents documents;
  std::vector<std::string> roots;
  documents["n.xsd"] = xsd("", "<x:annotation><x:documentation>" + std::string(1 * limits::MiB, ' ') + "</x:documentation></x:annotation>");
  for (int i = 0; i < 60; ++i) {
    const auto name = std::to_string(i);
    roots.push_back(name + ".xsd");
    documents[roots.back()] = xsd(in("urn:" + name), "<x:include schemaLocation=\"n.xsd\"/>");
  }
  EXPECT_THAT(error_of(documents, roots), HasSubstr("wus.schema"));
}

}  // namespace
}  // namespace schakel::wus
