#include "wus/wsdl.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/wus_sample_service.hpp"

namespace schakel::wus {
namespace {

using namespace schakel::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* action_stem = "http://wus.aanbieder.example/wsdl/inschrijving-v1/IInschrijvingService_v1/";

// A small service of its own, for what the sample does not have.
Bundle small_service(std::string_view port_type_operations, std::string_view target = "urn:voorbeeld:dienst") {
  std::string text =
      R"(<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" )"
      R"(xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:t="TARGET" targetNamespace="TARGET" )"
      R"(xmlns:wsam="http://www.w3.org/2007/05/addressing/metadata" xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl">)"
      R"(<w:types><x:schema targetNamespace="TARGET"><x:element name="vraag" type="x:string"/>)"
      R"(<x:element name="antwoord" type="x:string"/><x:element name="fout" type="x:string"/></x:schema></w:types>)"
      R"(<w:message name="V"><w:part name="p" element="t:vraag"/></w:message>)"
      R"(<w:message name="A"><w:part name="p" element="t:antwoord"/></w:message>)"
      R"(<w:message name="F"><w:part name="p" element="t:fout"/></w:message>)"
      R"(<w:portType name="Poort">OPERATIONS</w:portType><w:binding name="B" type="t:Poort">)"
      R"(<s:binding transport="http://schemas.xmlsoap.org/soap/http"/><w:operation name="vraag"><w:input><s:body use="literal"/>)"
      R"(</w:input><w:output><s:body use="literal"/></w:output></w:operation></w:binding></w:definitions>)";
  text = replaced_all(text, "TARGET", target);
  return {"dienst.wsdl", {{"dienst.wsdl", replaced_first(text, "OPERATIONS", port_type_operations)}}};
}

// WUS-040, WUS-041, WUS-043, WUS-046; acceptance 7
TEST(Wsdl, ImportsTheSampleServiceWithoutFinding) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  const auto import = import_wsdl(sample_bundle(), true);
  EXPECT_THAT(rules_of(import.findings), IsEmpty());
  ASSERT_TRUE(import.ok());
  const auto& wsdl = *import.wsdl;
  EXPECT_EQ(wsdl.name, "InschrijvingService_v1");
  EXPECT_EQ(wsdl.target_namespace, "http://wus.aanbieder.example/wsdl/inschrijving-v1");
  EXPECT_EQ(wsdl.binding, "InschrijvingService_v1Binding");
  EXPECT_EQ(wsdl.port, "InschrijvingService_v1Port");
  EXPECT_EQ(wsdl.address, "https://wus.aanbieder.example/diensten/inschrijving/v1");
  EXPECT_EQ(wsdl.profile_of_policy, Profile::be_se);
  EXPECT_EQ(wsdl.documentation, "Binding part. Profile: Digikoppeling 2W-be-SE. MTOM: optional.");
  ASSERT_EQ(wsdl.operations.size(), 2U);
  const auto& operation = wsdl.operations[0];
  EXPECT_EQ(operation.name, "vraagInschrijving");
  EXPECT_EQ(operation.input, (ExpandedName{data_namespace, "vraagInschrijving"}));
  EXPECT_EQ(operation.output, (ExpandedName{data_namespace, "vraagInschrijvingResponse"}));
  EXPECT_EQ(operation.input_action, action_stem + std::string("vraagInschrijvingRequest"));
  EXPECT_EQ(operation.output_action, action_stem + std::string("vraagInschrijvingResponse"));
  ASSERT_EQ(operation.faults.size(), 1U);
  EXPECT_EQ(operation.faults[0].name, "inschrijvingFout");
  EXPECT_EQ(operation.faults[0].element, (ExpandedName{data_namespace, "inschrijvingFout"}));
  EXPECT_EQ(operation.faults[0].action, action_stem + std::string("vraagInschrijving/Fault/inschrijvingFout"));
  EXPECT_EQ(wsdl.operations[1].name, "meldWijziging");
  ASSERT_NE(wsdl.schema, nullptr);
  EXPECT_TRUE(wsdl.schema->declares({data_namespace, "meldWijziging"}));
  EXPECT_TRUE(import_wsdl(sample_bundle(), false).findings.empty());
}

// WUS-040: what is taken out of it and published is a canonical form, which such a document does not have.
TEST(Wsdl, WithARelativeNamespaceNameIsRefused) {
  const auto import = import_wsdl(small_service("", "dienst/v1"), false);
  EXPECT_FALSE(import.ok());
  ASSERT_THAT(import.findings, ::testing::SizeIs(1));
  EXPECT_EQ(import.findings.front().rule, "WUS-040");
  EXPECT_EQ(import.findings.front().location, "/w:definitions");
}

// WUS-051: folders, and the schema of xmlmime uploaded too.
TEST(Wsdl, ImportsTheSampleServiceWithItsFolders) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  Bundle bundle{std::string("sample-service/") + binding_wsdl, {}};
  for (const auto& [name, octets] : sample_bundle().documents) bundle.documents["sample-service/" + name] = octets;
  bundle.documents["xsd/xmlmime.xsd"] = file_text(wus_standards() / "xsd" / "xmlmime.xsd");
  EXPECT_THAT(findings_of(bundle), IsEmpty());
}

// WUS-040..WUS-051; acceptance 7: each mutation has exactly its finding.
TEST(Wsdl, FindsTheOneThingThatIsWrong) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  const auto only = [](const Bundle& bundle, const char* finding, const char* what) {
    EXPECT_THAT(findings_of(bundle), ElementsAre(finding)) << what;
  };
  only(with_edit(binding_wsdl, "style=\"document\"", "style=\"rpc\""), "error WW001", "rpc style");
  only(with_edit(binding_wsdl, "use=\"literal\"", "use=\"encoded\""), "error WW002", "encoded use");
  only(with_edit(abstract_wsdl, "element=\"d:vraagInschrijving\"", "type=\"d:Inschrijfnummer\""), "error WW004", "part by type");
  only(with_edit(abstract_wsdl, "</wsdl:portType>", "</wsdl:portType><wsdl:portType name=\"Tweede\"/>"), "error WS005", "two portTypes");
  only(with_edit(abstract_wsdl,
                 "<wsdl:output message=\"tns:vraagInschrijvingResponseMessage\"\n                  "
                 "wsam:Action=\"http://wus.aanbieder.example/wsdl/inschrijving-v1/IInschrijvingService_v1/vraagInschrijvingResponse\"/>",
                 ""),
       "error WS003", "one-way operation");
  only(with_edit(abstract_wsdl,
                 "wsam:Action=\"http://wus.aanbieder.example/wsdl/inschrijving-v1/IInschrijvingService_v1/vraagInschrijvingRequest\"", ""),
       "error WS008", "missing wsam:Action");
  only(with_edit(binding_wsdl, "soapAction=\"\"", "soapAction=\"urn:iets-anders\""), "error WS002", "soapAction different");
  only(with_edit(abstract_wsdl, "<wsdl:part name=\"parameters\" element=\"d:vraagInschrijving\"/>",
                 "<wsdl:part name=\"parameters\" element=\"d:vraagInschrijving\"/><wsdl:part name=\"meer\" element=\"d:meldWijziging\"/>"),
       "error WW003", "two parts");
  only(with_edit(abstract_wsdl, "<wsdl:operation name=\"meldWijziging\"", "<wsdl:operation name=\"vraagInschrijving\""), "error BP12 R2304",
       "overloaded operation");
  only(with_edit(binding_wsdl, "http://schemas.xmlsoap.org/wsdl/soap/", "http://schemas.xmlsoap.org/wsdl/soap12/"), "error WW001",
       "SOAP 1.2 binding");
  only(with_edit(binding_wsdl, "location=\"inschrijving-abstract-v1.wsdl\"",
                 "location=\"http://elders.example/inschrijving-abstract-v1.wsdl\""),
       "error WUS-051", "http import");
  only(with_edit(binding_wsdl, "<wsdl:service name=\"Inschrijving", "<wsdl:service name=\"DigikoppelingInschrijving"), "error WUS-045",
       "name starting with Digikoppeling");
}

// WUS-043, WUS-045: what is an error of ours is a warning about a partner.
TEST(Wsdl, IsMilderForAPartnersDescription) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  const auto unnamed =
      with_edit(abstract_wsdl,
                "wsam:Action=\"http://wus.aanbieder.example/wsdl/inschrijving-v1/IInschrijvingService_v1/vraagInschrijvingRequest\"", "");
  const auto import = import_wsdl(unnamed, false);
  EXPECT_THAT(rules_of(import.findings), ElementsAre("warning WS008"));
  ASSERT_TRUE(import.ok());
  EXPECT_EQ(import.wsdl->operations[0].input_action, action_stem + std::string("vraagInschrijvingRequest")) << "by default";
  EXPECT_THAT(findings_of(with_edit(binding_wsdl, "<wsdl:service name=\"I", "<wsdl:service name=\"DigikoppelingI"), false),
              ElementsAre("warning WUS-045"));
}

// WUS-040: a finding says where.
TEST(Wsdl, PlacesItsFindings) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  const auto import = import_wsdl(with_edit(binding_wsdl, "soapAction=\"\"", "soapAction=\"urn:iets-anders\""), true);
  ASSERT_EQ(import.findings.size(), 1U);
  const auto& finding = import.findings[0];
  EXPECT_EQ(finding.document, binding_wsdl);
  EXPECT_EQ(finding.line, 14);
  EXPECT_EQ(finding.location, "/wsdl:definitions/wsdl:binding/wsdl:operation[1]/soap:operation");
  EXPECT_FALSE(import.ok());
}

// WUS-040: further rules, one mutation each.
TEST(Wsdl, KnowsTheOtherRules) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  const auto only = [](const Bundle& bundle, const char* finding) { EXPECT_THAT(findings_of(bundle), ElementsAre(finding)) << finding; };
  only(with_edit(binding_wsdl, "http://schemas.xmlsoap.org/soap/http", "http://schemas.xmlsoap.org/soap/smtp"), "error WW001");
  only(with_edit(binding_wsdl, "<soap:operation soapAction=\"\"/>", "<soap:operation soapAction=\"\" style=\"rpc\"/>"), "error WW001");
  only(with_edit(abstract_wsdl, "element=\"d:vraagInschrijving\"", "element=\"d:bestaatNiet\""), "error BP12 R2206");
  only(with_edit(abstract_wsdl, "element=\"d:vraagInschrijving\"", "element=\"geen:vraagInschrijving\""), "error BP12 R2206");
  only(with_edit(binding_wsdl, "type=\"tns:IInschrijvingService_v1\"", "type=\"tns:Onbekend\""), "error BP12 R2101");
  only(with_edit(binding_wsdl, "namespace=\"http://wus.aanbieder.example/wsdl/inschrijving-v1\"", "namespace=\"urn:ander\""),
       "error BP12 R2005");
  only(with_edit(binding_wsdl, "location=\"inschrijving-abstract-v1.wsdl\"", "location=\"inschrijving-v1.xsd\""), "error BP12 R2001");
  only(with_edit(abstract_wsdl, "<wsdl:types>", "<wsdl:types><tns:model/>"), "error WW002");
  only(with_edit(types_xsd, "type=\"Inschrijfnummer\"", "type=\"Onbekend\""), "error WW002");
  only(with_edit(binding_wsdl, "<soap:body use=\"literal\"/>", "<soap:body use=\"literal\"/><soap:header use=\"literal\"/>"),
       "warning WS007");
  only(with_edit(binding_wsdl, "<soap:body use=\"literal\"/>", "<m:multipartRelated xmlns:m=\"http://schemas.xmlsoap.org/wsdl/mime/\"/>"),
       "error WUS-185");
  only(with_edit(abstract_wsdl, "inschrijving-v1/IInschrijvingService_v1/meldWijzigingRequest",
                 "inschrijving-v1/IInschrijvingService_v1/vraagInschrijvingRequest"),
       "error BP12 R2710");
}

// WUS-040: R2718: binding and portType have the same operations.
TEST(Wsdl, MissesOperationsOnEitherSide) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  EXPECT_THAT(findings_of(with_edit(binding_wsdl, "<wsdl:operation name=\"meldWijziging\">", "<wsdl:operation name=\"meldWijziging2\">")),
              ElementsAre("error BP12 R2718", "error BP12 R2718"));
}

// WUS-040: R2303: notification and solicit-response.
TEST(Wsdl, KnowsOnlyRequestAndResponse) {
  const auto findings = [](const char* operation) { return findings_of(small_service(operation)); };
  const char* input = R"(<w:input message="t:V" wsam:Action="urn:v"/>)";
  const char* output = R"(<w:output message="t:A" wsam:Action="urn:a"/>)";
  const auto operation = [](std::string inside) { return "<w:operation name=\"vraag\">" + inside + "</w:operation>"; };
  EXPECT_THAT(findings(operation(std::string(input) + output).c_str()), IsEmpty());
  EXPECT_THAT(findings(operation(input).c_str()), ElementsAre("error WS003"));
  EXPECT_THAT(findings(operation(output).c_str()), ElementsAre("error BP12 R2303"));
  EXPECT_THAT(findings(operation(std::string(output) + input).c_str()), ElementsAre("error BP12 R2303"));
}

// WUS-043: WSA Metadata 4.4.4; the delimiter of a URN, and of a namespace that ends in it.
TEST(Wsdl, MakesDefaultActions) {
  const char* operation = R"(<w:operation name="vraag"><w:input message="t:V"/><w:output name="uit" message="t:A"/>)"
                          R"(<w:fault name="f" message="t:F"/></w:operation>)";
  const auto actions = [&](const char* target) {
    const auto import = import_wsdl(small_service(operation, target), false);
    EXPECT_THAT(rules_of(import.findings), ElementsAre("warning WS008", "warning WS008"));
    const auto& read = import.wsdl->operations.at(0);
    return std::vector<std::string>{read.input_action, read.output_action, read.faults.at(0).action};
  };
  EXPECT_THAT(actions("urn:x:y"), ElementsAre("urn:x:y:Poort:vraagRequest", "urn:x:y:Poort:uit", "urn:x:y:Poort:vraag:Fault:f"));
  EXPECT_THAT(actions("http://x.example/y"), ElementsAre("http://x.example/y/Poort/vraagRequest", "http://x.example/y/Poort/uit",
                                                         "http://x.example/y/Poort/vraag/Fault/f"));
  EXPECT_EQ(actions("http://x.example/y/")[0], "http://x.example/y/Poort/vraagRequest");
}

// WUS-043: the draft's attribute is read when there is no other.
TEST(Wsdl, FallsBackToTheDraftsAction) {
  const auto import = import_wsdl(small_service(R"(<w:operation name="vraag"><w:input message="t:V" wsaw:Action="urn:v"/>)"
                                                R"(<w:output message="t:A" wsaw:Action="urn:oud" wsam:Action="urn:a"/></w:operation>)"),
                                  false);
  EXPECT_THAT(rules_of(import.findings), ElementsAre("information WS008"));
  EXPECT_EQ(import.wsdl->operations.at(0).input_action, "urn:v");
  EXPECT_EQ(import.wsdl->operations.at(0).output_action, "urn:a");
}

// WUS-046
TEST(Wsdl, ReadsAPolicyAndNeverDependsOnIt) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  const auto imported = [](const Bundle& bundle) { return import_wsdl(bundle, true); };
  auto without = sample_bundle();
  without.documents.erase(policy_xml);
  EXPECT_THAT(rules_of(imported(without).findings), ElementsAre("warning WUS-046"));
  EXPECT_TRUE(imported(without).ok());
  EXPECT_FALSE(imported(without).wsdl->profile_of_policy);
  const auto elsewhere = with_edit(binding_wsdl, "URI=\"inschr", "URI=\"https://elders.example/inschr");
  EXPECT_THAT(rules_of(imported(elsewhere).findings), ElementsAre("warning WUS-046"));
  const auto strange = with_edit(policy_xml, "<sp:IncludeTimestamp/>", "<v:Vreemd xmlns:v=\"urn:vreemd\"><v:Dieper/></v:Vreemd>");
  EXPECT_THAT(rules_of(imported(strange).findings), ElementsAre("warning WUS-046"));
  EXPECT_EQ(imported(strange).wsdl->profile_of_policy, Profile::be_se);
  const auto signed_only = with_edit(policy_xml, "<sp:EncryptedParts><sp:Body/></sp:EncryptedParts>", "");
  EXPECT_EQ(imported(signed_only).wsdl->profile_of_policy, Profile::be_s);
}

// WUS-051: hostile bundles; whatever they name, nothing is fetched and the answer comes at once.
TEST(Wsdl, RefusesHostileBundles) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  const auto only = [](const Bundle& bundle, const char* finding, const char* what) {
    const auto import = import_wsdl(bundle, false);
    EXPECT_THAT(rules_of(import.findings), ElementsAre(finding)) << what;
    EXPECT_FALSE(import.ok()) << what;
  };
  only(with_edit(types_xsd, "<xsd:schema", "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><xsd:schema"), "error WUS-051", "DTD");
  only(with_edit(abstract_wsdl, "<wsdl:definitions", "<!DOCTYPE l [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><wsdl:definitions"),
       "error WUS-051", "billion laughs");
  only(with_edit(abstract_wsdl, "schemaLocation=\"inschrijving-v1.xsd\"", "schemaLocation=\"http://127.0.0.1:1/inschrijving-v1.xsd\""),
       "error WUS-051", "schema over http");
  only(with_edit(abstract_wsdl, "schemaLocation=\"inschrijving-v1.xsd\"", "schemaLocation=\"file:///etc/passwd\""), "error WUS-051",
       "schema from a file");
  only(with_edit(types_xsd, "<xsd:simpleType", "<xsd:include schemaLocation=\"../../../../etc/passwd\"/><xsd:simpleType"), "error WUS-051",
       "include from above");
  only(
      with_edit(abstract_wsdl, "<wsdl:types>", "<x:include xmlns:x=\"http://www.w3.org/2001/XInclude\" href=\"/etc/passwd\"/><wsdl:types>"),
      "error WUS-051", "XInclude");
  only(with_edit(types_xsd, "<xsd:schema", std::string("<?xml-stylesheet href='http://x'?><broken>\x01</broken")), "error WUS-040",
       "no XML");
  only({"a.wsdl", {{"a.wsdl", "<description xmlns=\"http://www.w3.org/ns/wsdl\"/>"}}}, "error WUS-040", "WSDL 2.0");

  auto bundle = sample_bundle();
  bundle.documents["../buiten.xsd"] = "<x/>";
  only(bundle, "error WUS-051", "a name with ..");
  bundle = sample_bundle();
  bundle.main = "afwezig.wsdl";
  only(bundle, "error WUS-051", "no main document");
  bundle = sample_bundle();
  for (int i = 0; bundle.documents.size() < bundle_documents_max; ++i) bundle.documents["vulling" + std::to_string(i) + ".xml"] = "<x/>";
  EXPECT_THAT(findings_of(bundle), IsEmpty()) << "100 documents";
  bundle.documents["een-te-veel.xml"] = "<x/>";
  only(bundle, "error WUS-051", "101 documents");
  bundle = sample_bundle();
  bundle.documents["groot.xml"] = "<x>" + std::string(11 * limits::MiB, ' ') + "</x>";
  only(bundle, "error WUS-051", "11 MiB");
  bundle = sample_bundle();
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "<a>";
  for (int i = 0; i < 200; ++i) deep += "</a>";
  bundle.documents["diep.xml"] = deep;
  only(bundle, "error WUS-051", "depth");
}

// WUS-051: WSDLs and schemas that import each other in a circle.
TEST(Wsdl, EndsOnCircularImports) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  EXPECT_THAT(findings_of(with_edit(abstract_wsdl, "<wsdl:types>",
                                    "<wsdl:import namespace=\"http://wus.aanbieder.example/wsdl/inschrijving-v1\" "
                                    "location=\"inschrijving-v1.wsdl\"/><wsdl:types>")),
              IsEmpty());
  auto bundle = with_edit(types_xsd, "<xsd:simpleType", "<xsd:include schemaLocation=\"deel.xsd\"/><xsd:simpleType");
  bundle.documents["deel.xsd"] = std::string("<xsd:schema xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" targetNamespace=\"") +
                                 data_namespace + "\"><xsd:include schemaLocation=\"inschrijving-v1.xsd\"/></xsd:schema>";
  EXPECT_THAT(findings_of(bundle), IsEmpty());
}

// WUS-050
TEST(Wsdl, IsPublishedWithTheExternalAddress) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  const auto bundle = sample_bundle();
  constexpr const char* url = "https://gateway.example/wus/inschrijving/v1?OIN=00000001800000002000";
  const auto binding = published_document(bundle, binding_wsdl, url);
  ASSERT_TRUE(binding);
  EXPECT_THAT(*binding, HasSubstr("location=\"https://gateway.example/wus/inschrijving/v1?wsdl=inschrijving-abstract-v1.wsdl\""));
  EXPECT_THAT(*binding, HasSubstr("<soap:address location=\"" + std::string(url) + "\">"));
  EXPECT_THAT(*binding,
              HasSubstr("URI=\"https://gateway.example/wus/inschrijving/v1?wsdl=inschrijving-policy-2W-be-SE.xml#Digikoppeling2WbeSE\""));
  EXPECT_THAT(*binding, Not(HasSubstr("wus.aanbieder.example/diensten")));
  const auto abstract = published_document(bundle, abstract_wsdl, url);
  ASSERT_TRUE(abstract);
  EXPECT_THAT(*abstract, HasSubstr("schemaLocation=\"https://gateway.example/wus/inschrijving/v1?xsd=inschrijving-v1.xsd\""));
  for (const auto* name : {"", "afwezig.xsd", "../inschrijving-v1.xsd", "/etc/passwd"}) EXPECT_FALSE(published_document(bundle, name, url));

  // Under its new names it is the same service.
  Bundle fetched{binding_wsdl, {}};
  for (const auto& [name, octets] : bundle.documents) {
    auto text = published_document(bundle, name, url).value();
    for (const auto* kind : {"?wsdl=", "?xsd="}) {
      const auto prefix = std::string("https://gateway.example/wus/inschrijving/v1") + kind;
      if (text.find(prefix) != std::string::npos) text = replaced_all(text, prefix, "");
    }
    fetched.documents[name] = text;
  }
  EXPECT_THAT(findings_of(fetched), IsEmpty());
}

}  // namespace
}  // namespace schakel::wus
