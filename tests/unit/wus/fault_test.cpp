// The table of faults (wus.md 4.4, 4.5), their rendering (3.5) and what partners send (1.2).
#include "wus/fault.hpp"

#include <gtest/gtest.h>

#include "wus/names.hpp"

namespace schakel::wus {
namespace {

std::string rendered(const std::string& token) {
  return fault_element(fault_of(fail(token, "a detail for our own log", "/where")));
}

ReceivedFault received(const std::string& fault) {
  static std::vector<xml::Document> documents;  // what was read points into them
  documents.push_back(
      xml::Document::parse("<soapenv:Body xmlns:soapenv=\"" + std::string(ns::soapenv) + "\">" + fault + "</soapenv:Body>", {}).value());
  return read_fault(documents.back().root().first_child()).value();
}

// 3.5
TEST(Faults, AreWrittenAsTheStandardHasThem) {
  EXPECT_EQ(
      rendered("wus.actionMissing"),
      "<soapenv:Fault><faultcode>wsa:MessageAddressingHeaderRequired</faultcode><faultstring xml:lang=\"nl\">DK0006: WS-Addressing header "
      "Action ontbreekt</faultstring></soapenv:Fault>");
  EXPECT_EQ(rendered("wus.security"),
            "<soapenv:Fault><faultcode xmlns:wsse=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd\">"
            "wsse:InvalidSecurity</faultcode><faultstring xml:lang=\"en\">An error was discovered processing the &lt;wsse:Security&gt; "
            "header.</faultstring></soapenv:Fault>");
  EXPECT_EQ(rendered("wus.expired"),
            "<soapenv:Fault><faultcode xmlns:wsu=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd\">"
            "wsu:MessageExpired</faultcode><faultstring xml:lang=\"en\">The message has expired.</faultstring></soapenv:Fault>");
}

// SOAP 1.1 4.4: detail if and only if the Body is the cause; then the element and the rule.
TEST(Faults, HaveADetailWhenTheBodyIsTheCause) {
  const auto fault = fault_of(fail("wus.payload", "langer dan <8>", "{urn:x}nummer at /vraag/nummer"));
  EXPECT_EQ(fault.detail_xml,
            "<f:fout xmlns:f=\"urn:schakel:wus:fout:1\"><f:code>DK0004</f:code><f:element>{urn:x}nummer at /vraag/nummer</f:element>"
            "<f:melding>langer dan &lt;8&gt;</f:melding></f:fout>");
  EXPECT_NE(rendered("wus.bodyOfOther").find("<detail><f:fout"), std::string::npos);
  for (const char* token : {"wus.envelope", "wus.toMissing", "wus.security", "wus.unauthorised", "wus.backend", "no.such.token"}) {
    EXPECT_EQ(rendered(token).find("<detail"), std::string::npos) << token;
    EXPECT_EQ(rendered(token).find("own log"), std::string::npos) << token;
  }
}

TEST(Faults, NameTheIntermediaryThatMadeThem) {
  auto fault = fault_of(fail("wus.destination", ""));
  fault.actor = "https://wij.example/wus?a=1&b=2";
  EXPECT_NE(fault_element(fault).find("<faultactor>https://wij.example/wus?a=1&amp;b=2</faultactor>"), std::string::npos);
}

// WUS-080: the action of a fault.
TEST(Faults, HaveTheActionOfTheirSpecification) {
  EXPECT_EQ(fault_of(fail("wus.toMissing", "")).action, uri::wsa_fault_action);
  EXPECT_EQ(fault_of(fail("wus.envelope", "")).action, uri::soap_fault_action);
  EXPECT_EQ(fault_of(fail("wus.signature", "")).action, uri::soap_fault_action);
}

// What is in no table is a failure of ours, and says nothing.
TEST(Faults, OfOurOwnSayThatTheServiceIsNotAvailable) {
  EXPECT_EQ(rendered("sql.failed"),
            "<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring xml:lang=\"nl\">DK0051: Service niet "
            "beschikbaar</faultstring></soapenv:Fault>");
}

// 4.4
TEST(ClientCodes, AreThoseOfTheConsumer) {
  const auto code = [](const char* token) { return std::string(client_code_of(fail(token, ""))); };
  EXPECT_EQ(code("wus.envelope"), "WUS-C-SOAP");
  EXPECT_EQ(code("wus.relatesToOther"), "WUS-C-ADDR");
  EXPECT_EQ(code("wus.coverage"), "WUS-C-POLICY");
  EXPECT_EQ(code("wus.algorithm"), "WUS-C-POLICY");
  EXPECT_EQ(code("wus.authentication"), "WUS-C-CERT");
  EXPECT_EQ(code("wus.signer"), "WUS-C-CERT");
  EXPECT_EQ(code("wus.expired"), "WUS-C-TIME");
  EXPECT_EQ(code("wus.failedCheck"), "WUS-C-DECRYPT");
  EXPECT_EQ(code("wus.recipientUnknown"), "WUS-C-DECRYPT");
  EXPECT_EQ(code("wus.signature"), "WUS-C-SIG");
  EXPECT_EQ(code("wus.confirmation"), "WUS-C-CONF");
  EXPECT_EQ(code("wus.payload"), "WUS-C-XSD");
  EXPECT_EQ(code("WUS-C-TLS"), "WUS-C-TLS");
}

// security.md section 4
TEST(AuditReasons, AreThoseOfRefusedAttacks) {
  const auto reason = [](const char* token, const char* detail = "") { return std::string(audit_reason_of(fail(token, detail))); };
  EXPECT_EQ(reason("wus.doctype"), "SEC.XML.DTD");
  EXPECT_EQ(reason("wus.limit"), "SEC.XML.LIMIET");
  EXPECT_EQ(reason("wus.coverage"), "SEC.XML.DEKKING");
  EXPECT_EQ(reason("wus.duplicateId"), "SEC.XML.ID");
  EXPECT_EQ(reason("wus.transform"), "SEC.XML.TRANSFORM");
  EXPECT_EQ(reason("wus.algorithm"), "SEC.XML.ALGORITME");
  EXPECT_EQ(reason("wus.expired"), "SEC.XML.TIJD");
  EXPECT_EQ(reason("wus.replay"), "SEC.XML.HERHALING");
  EXPECT_EQ(reason("wus.authentication", "SEC.PKI.VERLOPEN: it is over"), "SEC.PKI.VERLOPEN");
  EXPECT_EQ(reason("wus.toMissing"), "");
}

// WUS-025
TEST(ReceivedFaults, KeepWhatThePartnerSaid) {
  const auto fault = received(
      "<soapenv:Fault id='1'><faultcode x='y'>soapenv:Client</faultcode><faultstring xml:lang='nl' z='1'>DK0004: Niet conform "
      "xsd</faultstring>"
      "<faultactor>urn:x:y</faultactor><detail a='b'><c xmlns='urn:c'/>text</detail></soapenv:Fault>");
  EXPECT_EQ(fault.code, (ExpandedName{std::string(ns::soapenv), "Client"}));
  EXPECT_EQ(fault.string, "DK0004: Niet conform xsd");
  EXPECT_EQ(fault.actor, "urn:x:y");
  EXPECT_EQ(fault.dk_code, "DK0004");
  EXPECT_TRUE(fault.detail);
  EXPECT_FALSE(fault.about_security);
}

// 4.5, last paragraph
TEST(ReceivedFaults, CodesAreFoundInTextAndInDots) {
  const auto code = [](const std::string& faultcode, const std::string& text) {
    return received("<soapenv:Fault><faultcode>" + faultcode + "</faultcode><faultstring>" + text + "</faultstring></soapenv:Fault>")
        .dk_code;
  };
  EXPECT_EQ(code("soapenv:Server", "iets DK0051 niet beschikbaar"), "DK0051");
  EXPECT_EQ(code("soapenv:Client", "D0006"), "DK0006");
  EXPECT_EQ(code("Client.DK0004.Omschrijving", "fout"), "DK0004");
  EXPECT_EQ(code("soapenv:Client.DK0010", "DK0004"), "DK0004");
  EXPECT_EQ(code("soapenv:Client", "DK004, DDK, D"), "");
}

TEST(ReceivedFaults, DotNotationAndUnknownPrefixesHaveNoNamespace) {
  const auto code = [](const std::string& faultcode) {
    return received("<soapenv:Fault><faultcode>" + faultcode + "</faultcode><faultstring/></soapenv:Fault>").code;
  };
  EXPECT_EQ(code("soapenv:Client.DK0004.Omschrijving"), (ExpandedName{"", "Client.DK0004.Omschrijving"}));
  EXPECT_EQ(code("x:Client"), (ExpandedName{"", "x:Client"}));
  EXPECT_EQ(code(" Client "), (ExpandedName{"", "Client"}));
}

// 4.5: what WSS4J and CXF write.
TEST(ReceivedFaults, OfSecurityAreKnownInEverySpelling) {
  const auto about_security = [](const std::string& faultcode) {
    return received("<soapenv:Fault xmlns:a=\"" + std::string(ns::wsse) + "\" xmlns:b=\"" + std::string(ns::wsu) +
                    "\" xmlns:c=\"http://ws.apache.org/wss4j\"><faultcode>" + faultcode + "</faultcode><faultstring/></soapenv:Fault>")
        .about_security;
  };
  EXPECT_TRUE(about_security("a:MessageExpired"));
  EXPECT_TRUE(about_security("a:FailedCheck"));
  EXPECT_TRUE(about_security("b:MessageExpired"));
  EXPECT_TRUE(about_security("c:SecurityError"));
  EXPECT_FALSE(about_security("b:Other"));
  EXPECT_FALSE(about_security("c:Other"));
  EXPECT_FALSE(about_security("soapenv:Client"));
}

TEST(ReceivedFaults, WithoutACodeAreNone) {
  const auto document = xml::Document::parse("<s:Fault xmlns:s=\"" + std::string(ns::soapenv) + "\"><faultstring/></s:Fault>", {}).value();
  EXPECT_EQ(read_fault(document.root()).error().code, "wus.envelope");
  const auto other = xml::Document::parse("<Fault><faultcode>x</faultcode></Fault>", {}).value();
  EXPECT_EQ(read_fault(other.root()).error().code, "wus.envelope");
}

}  // namespace
}  // namespace schakel::wus
