#include "cpa/validate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "cpa/names.hpp"
#include "cpa/party_id.hpp"
#include "cpa/signature.hpp"
#include "support/cpa_samples.hpp"
#include "support/pki.hpp"
#include "xmlsecurity/signature.hpp"

namespace schakel::cpa {
namespace {

using namespace schakel::testing;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

Instant at(std::string_view text) {
  return parse_datetime(text).value().instant;
}
const Instant now = at("2026-03-02T12:00:00Z");

using Codes = std::set<std::string>;

Codes codes(const Validation& validation) {
  Codes out;
  for (const auto& finding : validation.findings) out.insert(finding.code);
  return out;
}
Codes codes_of(const Validation& validation, Severity severity) {
  Codes out;
  for (const auto& finding : validation.findings) {
    if (finding.severity == severity) out.insert(finding.code);
  }
  return out;
}

// The X509Certificate texts of the example: certId to PEM.
std::string pem_of(const std::string& cpa, std::string_view cert_id) {
  const auto certificate = cpa.find("tns:certId=\"" + std::string(cert_id) + "\"");
  const auto begin = cpa.find("<ds:X509Certificate>", certificate) + 20;
  return "-----BEGIN CERTIFICATE-----" + cpa.substr(begin, cpa.find("</ds:X509Certificate>", begin) - begin) +
         "-----END CERTIFICATE-----\n";
}

// The trust store of cpa.md 6.1 row 1: the two CA certificates of the example, and no CRL.
const CertificateChecks& example_checks() {
  static const TrustStoreChecks checks([] {
    const auto example = example_cpa();
    auto store = security::TrustStore::make({}, pem_of(example, "Melder_AnchorRoot"), pem_of(example, "Melder_AnchorServicesCa"));
    EXPECT_TRUE(store.has_value()) << (store ? "" : store.error().detail);
    return std::move(store).value();
  }());
  return checks;
}

ValidationOptions options(Mode mode) {
  ValidationOptions out;
  out.mode = mode;
  out.now = now;
  out.certificates = &example_checks();
  return out;
}

Validation in_production(const std::string& cpa) {
  return validate(cpa, options(Mode::production));
}
Validation in_test(const std::string& cpa) {
  return validate(cpa, options(Mode::test));
}

std::string report(const Validation& validation) {
  std::string out;
  for (const auto& finding : validation.findings) {
    out += finding.code + ' ' + std::string(to_string(finding.severity)) + ' ' + finding.path + ": " + finding.message + '\n';
  }
  return out;
}

// --- 6.1 row 1

// CPA-002, CPA-022
TEST(Validate, TheExampleHasOnlyItsTestOinsAgainstItInProduction) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto validation = in_production(example_cpa());
  EXPECT_EQ(codes_of(validation, Severity::error), Codes{"V07e"}) << report(validation);
  EXPECT_EQ(codes_of(validation, Severity::warning), Codes{"V37j"}) << report(validation);
  EXPECT_THAT(validation.profiles, ElementsAre(Profile::osb_rm_s));
  EXPECT_TRUE(validation.well_formed && validation.schema_valid && validation.refused());
}

// CPA-002, CPA-022
TEST(Validate, TheExampleHasNoFindingsInTest) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto validation = in_test(example_cpa());
  EXPECT_THAT(validation.findings, IsEmpty()) << report(validation);
  EXPECT_FALSE(validation.refused());
}

// --- 6.2: each mutation gives exactly its code beside those of the unmutated file

struct Mutation {
  std::string_view name;
  std::function<std::string(const std::string&)> edit;
  Codes expected;
  bool stops = false;  // V01 to V05: nothing else is looked at
};

std::size_t position(const std::string& text, std::string_view of) {
  const auto found = text.find(of);
  EXPECT_NE(found, std::string::npos) << of;
  return found;
}

// Offset of the action DocExchange of party A.
std::size_t melder_action_exchange(const std::string& text) {
  return position(text, "<tns:DocExchange tns:docExchangeId=\"Melder_DocExchange_Action\">");
}

const std::vector<Mutation>& mutations() {
  const auto replace = [](std::string from, std::string to) {
    return [from, to](const std::string& text) { return replaced_first(text, from, to); };
  };
  const auto replace_all = [](std::string from, std::string to) {
    return [from, to](const std::string& text) { return replaced_all(text, from, to); };
  };
  const auto channel = [](std::string to) {
    return [to](const std::string& text) {
      return replaced_first(text, "<tns:ChannelId>Melder_Channel_Action<", "<tns:ChannelId>" + to + "<");
    };
  };
  constexpr std::string_view uri = "https://ebms.voorbeeldregister.example/ebms";
  static const std::vector<Mutation> list = {
      {"ChannelId to nowhere", channel("Nergens"), {"V04"}, true},
      {"ChannelId to a transport", channel("Melder_Transport"), {"V04"}, true},
      {"ChannelId to the other party", channel("Register_Channel_Action"), {"V04"}, true},
      {"unqualified cpaid", replace("tns:cpaid", "cpaid"), {"V02"}, true},
      {"http endpoint", replace(std::string(uri), "http://ebms.voorbeeldregister.example/ebms"), {"V20a"}},
      {"other port", replace(std::string(uri), "https://ebms.voorbeeldregister.example:8443/ebms"), {"V20c"}},
      {"End before Start", replace("2034-12-31T23:59:59Z", "2024-12-31T23:59:59Z"), {"V10a"}},
      {"no receiver binding",
       [](const std::string& text) {
         return without_first(text, "<tns:ebXMLReceiverBinding", "</tns:ebXMLReceiverBinding>", melder_action_exchange(text));
       },
       {"V19"}},
      {"negative RetryInterval", replace("<tns:RetryInterval>PT3H", "<tns:RetryInterval>-PT3H"), {"V29a", "V29c"}},
      {"other RetryInterval", replace("<tns:RetryInterval>PT3H", "<tns:RetryInterval>PT2H"), {"V29c"}},
      {"short PersistDuration", replace_all("<tns:PersistDuration>P2D", "<tns:PersistDuration>P1D"), {"V30"}},
      {"SHA-1",
       replace_all("<tns:HashFunction>http://www.w3.org/2001/04/xmlenc#sha256", "<tns:HashFunction>http://www.w3.org/2000/09/xmldsig#sha1"),
       {"V32"}},
      {"MSH channel cannot sign",
       [](const std::string& text) {
         return without_first(text, "<tns:SenderNonRepudiation>", "</tns:SenderNonRepudiation>",
                              position(text, "<tns:DocExchange tns:docExchangeId=\"Register_DocExchange_Msh\">"));
       },
       {"V27"}},
      {"unsigned acknowledgements", replace_all("tns:ackSignatureRequested=\"always\"", "tns:ackSignatureRequested=\"never\""), {"V25b"}},
      {"basic authentication",
       [](const std::string& text) {
         constexpr std::string_view protocol = "<tns:TransportProtocol tns:version=\"1.1\">HTTP</tns:TransportProtocol>";
         return replaced_first(text, protocol, std::string(protocol) + "<tns:AccessAuthentication>basic</tns:AccessAuthentication>");
       },
       {"V24"}},
      {"other action at one party", replace("tns:action=\"meldResultaat\"", "tns:action=\"meldResultaat2\""), {"V14"}},
      {"environment suffix at one party", replace(">00000099000000010000<", ">00000099000000010000_T<"), {"V08"}},
      {"other PartyId", replace(">00000099000000010000<", ">00000099000000030000<"), {"V37b"}},
      {"status signed", replace("tns:value=\"agreed\"", "tns:value=\"signed\""), {"V39"}},
      {"second role",
       [](const std::string& text) {
         const auto begin = position(text, "<tns:CollaborationRole>");
         const auto end = text.find("</tns:CollaborationRole>", begin) + 24;
         auto role = text.substr(begin, end - begin);
         role = replaced_first(role, "tns:name=\"Melder\"", "tns:name=\"Anders\"");
         role = replaced_first(role, "Voorbeeldregister:Meldingen:1:0", "X:Y:1:0");
         role = without_first(role, "<tns:CanReceive>", "</tns:CanReceive>");
         role = without_first(role, "<tns:OtherPartyActionBinding>", "</tns:OtherPartyActionBinding>");
         role = replaced_first(role, "tns:id=\"Melder_S_meldWijziging\" tns:action=\"meldWijziging\"",
                               "tns:id=\"Melder_S_z\" tns:action=\"z\"");
         auto out = text;
         return out.insert(end, role);
       },
       {"V12", "V14"}},
      {"receipt persistent",
       replace("tns:isNonRepudiationReceiptRequired=\"true\"", "tns:isNonRepudiationReceiptRequired=\"persistent\""),
       {"V02"},
       true},
  };
  return list;
}

// CPA-003, CPA-010, CPA-011, CPA-014, CPA-016, CPA-018, CPA-021, CPA-025, CPA-026, CPA-028, CPA-029, CPA-031, CPA-034, CPA-037
TEST(Validate, EachMutationOfTheExampleGivesExactlyItsCode) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto example = example_cpa();
  for (const auto& mutation : mutations()) {
    SCOPED_TRACE(mutation.name);
    const auto validation = in_production(mutation.edit(example));
    auto expected = mutation.expected;
    if (!mutation.stops) expected.insert({"V07e", "V37j"});
    EXPECT_EQ(codes(validation), expected) << report(validation);
  }
}

// --- 6.3: the official samples in mode T, and refused in P

struct SampleFindings {
  std::string_view name;
  std::vector<Profile> profiles;
  Codes further;
};

const Codes cert = {"V37b", "V37c", "V37h", "V38"};

Codes joined(Codes first, const Codes& second) {
  first.insert(second.begin(), second.end());
  return first;
}

const std::vector<SampleFindings>& samples() {
  using enum Profile;
  static const std::vector<SampleFindings> list = {
      {"cpaStubEBF.be.http.unsigned", {osb_be}, {}},
      {"cpaStubEBF.be.http.unsigned.sync", {osb_be}, {"V28a"}},
      {"cpaStubEBF.be.http.signed", {osb_be_s}, joined(cert, {"V32", "V36a"})},
      {"cpaStubEBF.be.https.signed", {osb_be_s}, joined(cert, {"V32", "V36a"})},
      {"cpaStubEBF.be.https.signed.sync", {osb_be_s}, joined(cert, {"V32", "V36a", "V28a", "V41"})},
      {"cpaStubEBF.rm.http.unsigned", {osb_rm}, {}},
      {"cpaStubEBF.rm.http.unsigned.sync", {osb_rm}, {"V28a"}},
      {"cpaStubEBF.rm.http.signed", {osb_rm_s}, joined(cert, {"V25b", "V32"})},
      {"cpaStubEBF.rm.http.signed-sha256", {osb_rm_s}, joined(cert, {"V25b"})},
      {"cpaStubEBF.rm.https.signed-sha256", {osb_rm_s}, joined(cert, {"V25b"})},
      {"cpaStubEBF.rm.https.signed", {osb_rm_s}, joined(cert, {"V25b", "V32"})},
      {"cpaStubEBF.rm.https.signed.sync", {osb_rm_s}, joined(cert, {"V25b", "V32", "V28a", "V30"})},
      {"cpaStubEBF.rm.https.signed.ackSigned", {osb_rm_s}, joined(cert, {"V30", "V32"})},
      {"cpaStubEBF.rm.https.signed.encrypted", {osb_rm_e}, joined(cert, {"V25b", "V32", "V34"})},
  };
  return list;
}

Codes transport_codes(std::string_view name) {
  return name.find("https") != std::string_view::npos ? Codes{"V20c", "V22b"} : Codes{"V20a", "V22a"};
}

// CPA-006, CPA-035, CPA-036: the samples of a peer that is out there are accepted in test with exactly these warnings.
TEST(Validate, EachStubSampleGivesExactlyItsFindings) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  for (const auto& sample : samples()) {
    SCOPED_TRACE(sample.name);
    const auto validation = in_test(sample_cpa(sample.name));
    EXPECT_EQ(codes(validation), joined(joined({"V03", "V07d", "V09", "V10c"}, transport_codes(sample.name)), sample.further))
        << report(validation);
    EXPECT_FALSE(validation.refused()) << report(validation);
    EXPECT_EQ(validation.profiles, sample.profiles);
    EXPECT_TRUE(in_production(sample_cpa(sample.name)).refused());
  }
}

// CPA-020: six profiles in one agreement are a warning on import.
TEST(Validate, TheComplianceSamplesMixAllSixProfiles) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const Codes common = {"V03", "V07c", "V10c", "V13a", "V25b", "V26", "V32", "V34", "V36a", "V37c", "V37h", "V38"};
  for (const std::string_view name : {"cpa-cv-http", "cpa-cv-https"}) {
    SCOPED_TRACE(name);
    const auto validation = in_test(sample_cpa(name));
    EXPECT_EQ(codes(validation), joined(common, transport_codes(name))) << report(validation);
    EXPECT_FALSE(validation.refused());
    EXPECT_EQ(validation.profiles.size(), 6U);
    EXPECT_TRUE(in_production(sample_cpa(name)).refused());
  }
}

TEST(Validate, ExpiredSampleCertificatesAreTold) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  auto later = options(Mode::test);
  later.now = at("2030-06-06T00:00:00Z");
  const auto validation = validate(sample_cpa("cpaStubEBF.rm.https.signed"), later);
  EXPECT_TRUE(codes(validation).contains("V37d"));
  EXPECT_FALSE(validation.refused());
}

// --- rules that neither table touches

struct Edit {
  std::string_view name;
  std::function<std::string(const std::string&)> edit;
  std::string code;
  char compose, production, test;  // severities: E, W, -
};

char severity_in(const std::string& cpa, Mode mode, const std::string& code) {
  const auto validation = validate(cpa, options(mode));
  for (const auto& finding : validation.findings) {
    if (finding.code == code) return finding.severity == Severity::error ? 'E' : 'W';
  }
  return '-';
}

const std::vector<Edit>& edits() {
  const auto replace = [](std::string from, std::string to) {
    return [from, to](const std::string& text) { return replaced_first(text, from, to); };
  };
  const auto replace_all = [](std::string from, std::string to) {
    return [from, to](const std::string& text) { return replaced_all(text, from, to); };
  };
  const auto insert_before = [](std::string mark, std::string added) {
    return [mark, added](const std::string& text) { return replaced_first(text, mark, added + mark); };
  };
  static const std::vector<Edit> list = {
      {"other version", replace("tns:version=\"2_0b\"", "tns:version=\"1.0\""), "V03", 'E', 'W', 'W'},
      {"duplicate ID", replace("tns:id=\"Message\"", "tns:id=\"MshSignal\""), "V05", 'E', 'E', 'E'},
      {"same PartyId", replace_all(">00000099000000020000<", ">00000099000000010000<"), "V06", 'E', 'E', 'W'},
      {"PartyId without type", replace("<tns:PartyId tns:type=\"urn:osb:oin\">", "<tns:PartyId>"), "V07a", 'E', 'E', 'W'},
      {"short OIN", replace(">00000099000000010000<", ">0000009900000001000<"), "V07b", 'E', 'E', 'W'},
      {"suffix with P", replace(">00000099000000010000<", ">00000099000000010000_P<"), "V07b", 'E', 'E', 'W'},
      {"other identification", replace("tns:type=\"urn:osb:oin\">00000099000000010000", "tns:type=\"urn:kvk\">12345678"), "V07c", 'W', 'W',
       'W'},
      {"unknown prefix", replace(">00000099000000010000<", ">00000055000000010000<"), "V07d", 'W', 'W', 'W'},
      {"suffix on both", replace_all("</tns:PartyId>", "_T</tns:PartyId>"), "V08", '-', 'E', '-'},
      {"cpaid with a space", replace("tns:cpaid=\"Voorbeeldregister-", "tns:cpaid=\"Voorbeeldregister "), "V09", 'E', 'E', 'E'},
      {"cpaid with a slash", replace("tns:cpaid=\"Voorbeeldregister-", "tns:cpaid=\"Voorbeeldregister/"), "V09", 'E', 'W', 'W'},
      {"has ended", replace("2034-12-31T23:59:59Z", "2025-12-31T23:59:59Z"), "V10b", 'E', 'E', 'W'},
      {"eleven years", replace("2034-12-31T23:59:59Z", "2035-12-31T23:59:59Z"), "V10c", 'W', 'W', 'W'},
      {"no time zone", replace("2025-01-01T00:00:00Z", "2025-01-01T00:00:00"), "V10d", 'E', 'W', 'W'},
      {"service type", replace_all("tns:type=\"urn:osb:services\"", "tns:type=\"urn:x\""), "V13a", 'W', 'W', 'W'},
      {"white space in an action", replace_all("meldWijziging\" tns:packageId", "meld Wijziging\" tns:packageId"), "V13b", 'E', 'E', 'W'},
      {"two channels", insert_before("</tns:ThisPartyActionBinding>", "<tns:ChannelId>Melder_Channel_Msh</tns:ChannelId>"), "V18", 'E', 'W',
       'W'},
      {"relative endpoint", replace("https://ebms.voorbeeldregister.example/ebms", "/ebms"), "V20b", 'E', 'E', 'E'},
      {"endpoint with user", replace("https://ebms.voorbeeldregister.example/ebms", "https://u@ebms.voorbeeldregister.example/ebms"),
       "V20b", 'E', 'E', 'E'},
      {"endpoint type", replace("tns:type=\"allPurpose\"", "tns:type=\"request\""), "V20d", 'E', 'W', 'W'},
      {"not HTTP", replace(">HTTP<", ">SMTP<"), "V21", 'E', 'E', 'E'},
      {"HTTP 1.0", replace("<tns:TransportProtocol tns:version=\"1.1\">", "<tns:TransportProtocol tns:version=\"1.0\">"), "V21", 'W', 'W',
       'W'},
      {"SSL 3.0", replace("tns:version=\"1.2\">TLS<", "tns:version=\"3.0\">SSL<"), "V22b", 'E', 'W', 'W'},
      {"no client certificate", replace("<tns:ClientCertificateRef tns:certId=\"Melder_TlsCert\"/>", ""), "V23", 'E', 'E', 'W'},
      {"reliable without elimination", replace_all("tns:duplicateElimination=\"always\"", "tns:duplicateElimination=\"never\""), "V25a",
       'E', 'E', 'W'},
      {"per message", replace_all("tns:ackRequested=\"always\"", "tns:ackRequested=\"perMessage\""), "V25c", 'E', 'W', 'W'},
      {"no actor", replace(" tns:actor=\"urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH\"", ""), "V25d", 'E', 'W', 'W'},
      {"nextMSH", replace("actor:toPartyMSH", "actor:nextMSH"), "V25d", 'E', 'E', 'E'},
      {"responses in sync", replace_all("tns:syncReplyMode=\"none\"", "tns:syncReplyMode=\"signalsAndResponse\""), "V28a", 'E', 'E', 'W'},
      {"sync on one channel", replace("tns:syncReplyMode=\"none\"", "tns:syncReplyMode=\"mshSignalsOnly\""), "V28c", 'E', 'W', 'W'},
      {"months", replace_all("<tns:PersistDuration>P2D", "<tns:PersistDuration>P1M"), "V29b", 'E', 'W', 'W'},
      {"retries for months", replace_all("<tns:Retries>8", "<tns:Retries>800"), "V29d", 'W', 'W', 'W'},
      {"no PersistDuration", replace("<tns:PersistDuration>P2D</tns:PersistDuration>", ""), "V30", 'E', 'W', 'W'},
      {"guaranteed order", replace_all(">NotGuaranteed<", ">Guaranteed<"), "V31", 'E', 'E', 'W'},
      {"other algorithm at one side",
       [](const std::string& text) {
         return replaced_first(text, "#sha256</tns:HashFunction>", "#sha512</tns:HashFunction>", melder_action_exchange(text));
       },
       "V33", 'E', 'W', 'W'},
      {"promise without signature",
       [](const std::string& text) {
         return without_first(text, "<tns:SenderNonRepudiation>", "</tns:SenderNonRepudiation>", melder_action_exchange(text));
       },
       "V36b", 'E', 'E', 'E'},
      {"confidential without envelope", replace_all("tns:isConfidential=\"transient\"", "tns:isConfidential=\"persistent\""), "V36b", 'E',
       'E', 'E'},
      {"other characteristics", replace("tns:isAuthorizationRequired=\"true\"", "tns:isAuthorizationRequired=\"false\""), "V36a", 'E', 'W',
       'W'},
      {"retryCount", replace("tns:timeToPerform=\"P2D\"", "tns:timeToPerform=\"P2D\" tns:retryCount=\"1\""), "V36a", 'E', 'W', 'W'},
      {"broken certificate", replace("MIIE7DCCA1SgAwIBAgIDcQABMA0G", "MIIE7DCCA1SgAwIBAgIDcQABMA0A"), "V37a", 'E', 'E', 'E'},
      {"a CA as client",
       replace("<tns:ClientCertificateRef tns:certId=\"Melder_TlsCert\"/>", "<tns:ClientCertificateRef tns:certId=\"Melder_AnchorRoot\"/>"),
       "V37a", 'E', 'E', 'E'},
      {"certificate ends sooner", replace("2034-12-31T23:59:59Z", "2036-12-31T23:59:59Z"), "V37c", 'E', 'W', 'W'},
      {"other host", replace("https://ebms.voorbeeldregister.example/ebms", "https://elders.example/ebms"), "V37e", 'E', 'W', 'W'},
      {"leaf as anchor",
       replace("<tns:AnchorCertificateRef tns:certId=\"Melder_AnchorRoot\"/>", "<tns:AnchorCertificateRef tns:certId=\"Melder_TlsCert\"/>"),
       "V38", 'E', 'W', 'W'},
      {"same names", replace("tns:partyName=\"Voorbeeldregister\"", "tns:partyName=\"Gemeente Voorbeeldstad\""), "V40", 'W', 'W', 'W'},
      {"signal package", replace("tns:packageId=\"MessagePackage\"", "tns:packageId=\"MshSignalPackage\""), "V41", 'E', 'W', 'W'},
      {"no conversations", replace("<tns:PartyInfo ", "<tns:ConversationConstraints tns:invocationLimit=\"0\"/><tns:PartyInfo "), "V42",
       'E', 'E', 'E'},
      {"override of no signal",
       insert_before("</tns:PartyInfo>", "<tns:OverrideMshActionBinding tns:action=\"melden\" tns:channelId=\"Melder_Channel_Msh\"/>"),
       "V45", 'E', 'W', 'W'},
      {"spaces", replace(">00000099000000010000<", "> 00000099000000010000\n<"), "V46", 'E', 'W', 'W'},
  };
  return list;
}

// CPA-006, CPA-007, CPA-010, CPA-011, CPA-012, CPA-013, CPA-014, CPA-015, CPA-017, CPA-023, CPA-024, CPA-025, CPA-027, CPA-030, CPA-033,
// CPA-036, EB-091
TEST(Validate, EachRuleHasItsSeverityPerMode) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto example = example_cpa();
  for (const auto& edit : edits()) {
    SCOPED_TRACE(std::string(edit.name) + " " + edit.code);
    const auto cpa = edit.edit(example);
    EXPECT_EQ(severity_in(cpa, Mode::compose, edit.code), edit.compose) << report(validate(cpa, options(Mode::compose)));
    EXPECT_EQ(severity_in(cpa, Mode::production, edit.code), edit.production);
    EXPECT_EQ(severity_in(cpa, Mode::test, edit.code), edit.test);
  }
}

// CPA-004
TEST(Validate, RefusesUnsafeXml) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto only_v01 = [](const std::string& octets) {
    const auto validation = in_test(octets);
    EXPECT_FALSE(validation.well_formed);
    return codes(validation) == Codes{"V01"};
  };
  const auto example = example_cpa();
  EXPECT_TRUE(only_v01(""));
  EXPECT_TRUE(only_v01(example.substr(0, 5000)));
  EXPECT_TRUE(only_v01(replaced_first(example, "<tns:Coll", "<!DOCTYPE x SYSTEM \"http://127.0.0.1:9/x\"><tns:Coll")));
  EXPECT_TRUE(only_v01(replaced_first(example, "<tns:Status",
                                      "<i:include xmlns:i=\"http://www.w3.org/2001/XInclude\" href=\"file:///etc/passwd\"/><tns:Status")));
  EXPECT_TRUE(only_v01(replaced_first(example, "UTF-8", "ISO-8859-1")));
  EXPECT_TRUE(only_v01(example + std::string(2 * 1024 * 1024, ' ')));
  std::string deep;
  for (int i = 0; i < 101; ++i) deep += "<a>";
  EXPECT_TRUE(only_v01(deep));
}

// CPA-004
TEST(Validate, CountsActionsAndCertificates) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  std::string certificates;
  for (int i = 0; i < 200; ++i) certificates += "<tns:Certificate tns:certId=\"c" + std::to_string(i) + "\"/>";
  const auto validation = in_test(replaced_first(example_cpa(), "<tns:Certificate ", certificates + "<tns:Certificate "));
  EXPECT_EQ(codes(validation), Codes{"V01"});
}

// CPA-004: a schemaLocation is passed over, never fetched.
TEST(Validate, PassesOverSchemaLocations) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto cpa = replaced_first(
      example_cpa(), "tns:cpaid=",
      "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"urn:x http://127.0.0.1:9/x.xsd\" tns:cpaid=");
  EXPECT_THAT(in_test(cpa).findings, IsEmpty());
}

// CPA-004: UTF-16 is read.
TEST(Validate, ReadsUtf16) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto utf8 = replaced_first(example_cpa(), "UTF-8", "UTF-16");
  std::string utf16 = "\xFF\xFE";
  for (const char c : utf8) {
    ASSERT_LT(static_cast<unsigned char>(c), 0x80);
    utf16 += {c, '\0'};
  }
  EXPECT_THAT(in_test(utf16).findings, IsEmpty());
}

// CPA-010
TEST(Validate, AProposalCanBeLoadedButNotActivated) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto cpa = replaced_first(example_cpa(), "tns:value=\"agreed\"", "tns:value=\"proposed\"");
  EXPECT_FALSE(codes(in_test(cpa)).contains("V11"));
  auto activating = options(Mode::test);
  activating.activating = true;
  EXPECT_TRUE(codes_of(validate(cpa, activating), Severity::error).contains("V11"));
}

// CPA-019
TEST(Validate, NestedBindingsAreIgnoredWithAWarning) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto example = example_cpa();
  const auto begin = position(example, "<tns:CanReceive>");
  const auto end = example.find("</tns:CanReceive>", begin) + 17;
  auto nested = example.substr(begin, end - begin);
  nested = replaced_first(nested, "tns:id=\"Melder_R_meldResultaat\"", "tns:id=\"Melder_nested\"");
  const auto cpa = replaced_first(example, "</tns:CanSend>", nested + "</tns:CanSend>");
  const auto validation = in_test(cpa);
  EXPECT_EQ(codes(validation), Codes{"V17"}) << report(validation);
  ASSERT_TRUE(validation.agreement);
}

// CPA-018
TEST(Validate, AnActionOccursOncePerDirection) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto example = example_cpa();
  const auto begin = position(example, "<tns:CanSend>");
  const auto end = example.find("</tns:CanSend>", begin) + 15;
  const auto twice = replaced_first(example.substr(begin, end - begin), "tns:id=\"Melder_S_meldWijziging\"", "tns:id=\"Melder_S_again\"");
  EXPECT_TRUE(codes_of(in_test(replaced_first(example, "<tns:CanSend>", twice + "<tns:CanSend>")), Severity::error).contains("V15"));
}

TEST(Validate, AnAgreementNeedsAnAction) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  auto cpa = example_cpa();
  for (const std::string_view name : {"CanSend", "CanReceive"}) {
    for (int i = 0; i < 2; ++i) cpa = without_first(cpa, "<tns:" + std::string(name) + ">", "</tns:" + std::string(name) + ">");
  }
  EXPECT_TRUE(codes_of(in_test(cpa), Severity::error).contains("V16"));
}

// CPA-025
TEST(Validate, TransportSecurityMayOnlyMissInATest) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto cpa = without_first(example_cpa(), "<tns:TransportClientSecurity>", "</tns:TransportClientSecurity>");
  EXPECT_EQ(severity_in(cpa, Mode::production, "V22a"), 'E');
  EXPECT_EQ(severity_in(cpa, Mode::test, "V22a"), 'W');
}

// CPA-028
TEST(Validate, BestEffortHasNoSynchronousSignals) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto cpa = replaced_all(sample_cpa("cpaStubEBF.be.http.unsigned.sync"), "signalsAndResponse", "mshSignalsOnly");
  EXPECT_EQ(severity_in(cpa, Mode::production, "V28b"), 'E');
  EXPECT_EQ(severity_in(cpa, Mode::test, "V28b"), 'W');
  EXPECT_EQ(severity_in(cpa, Mode::test, "V28a"), '-');
}

// CPA-032
TEST(Validate, EncryptionNeedsWholeEnvelopesAndASignature) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto encrypted = sample_cpa("cpaStubEBF.rm.https.signed.encrypted");
  const auto exchange = position(encrypted, "<tns:DocExchange tns:docExchangeId=\"OVERHEID_SIGNED_ENCRYPTED_ReliableMessaging\">");
  const auto incomplete = without_first(encrypted, "<tns:SenderDigitalEnvelope>", "</tns:SenderDigitalEnvelope>", exchange);
  EXPECT_EQ(severity_in(incomplete, Mode::test, "V35"), 'E');
  const auto unsigned_too = replaced_all(encrypted, "tns:isNonRepudiationRequired=\"true\"", "tns:isNonRepudiationRequired=\"false\"");
  EXPECT_EQ(severity_in(unsigned_too, Mode::test, "V36c"), 'E');
  const auto triple_des = replaced_all(encrypted, "aes256-cbc", "tripledes-cbc");
  EXPECT_EQ(severity_in(triple_des, Mode::production, "V34"), 'E');
  EXPECT_EQ(severity_in(triple_des, Mode::test, "V34"), 'W');
  EXPECT_EQ(severity_in(encrypted, Mode::production, "V34"), 'W');
}

// CPA-034: with a recorded mandate another OIN is only a warning.
TEST(Validate, AMandateExcusesAnotherHolder) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto cpa = replaced_first(example_cpa(), ">00000099000000010000<", ">00000099000000030000<");
  auto mandated = options(Mode::production);
  mandated.mandates = {
      {"t", "00000099000000030000", "00000099000000010000", "*", "", at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"), true}};
  EXPECT_TRUE(codes_of(validate(cpa, mandated), Severity::warning).contains("V37b"));
  mandated.mandates.front().active = false;
  EXPECT_TRUE(codes_of(validate(cpa, mandated), Severity::error).contains("V37b"));
}

// CPA-060
TEST(Validate, TlsOffloadingTurnsExpiryIntoAWarning) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  auto later = options(Mode::production);
  later.now = at("2036-06-01T00:00:00Z");
  const auto cpa = replaced_all(replaced_first(example_cpa(), "2034-12-31T23:59:59Z", "2037-01-01T00:00:00Z"), "Melder_SigningCert\"/>",
                                "Melder_SigningCert\"/>");
  EXPECT_TRUE(codes_of(validate(cpa, later), Severity::error).contains("V37d"));
  later.tls_offloaded = true;
  const auto validation = validate(cpa, later);
  const auto is_tls = [](const Finding& finding) { return finding.code == "V37d" && finding.path.ends_with("tns:Certificate[1]"); };
  const auto tls = std::find_if(validation.findings.begin(), validation.findings.end(), is_tls);
  ASSERT_NE(tls, validation.findings.end());
  EXPECT_EQ(tls->severity, Severity::warning);
}

// CPA-052
TEST(Validate, ExactlyOnePartyIsOurs) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const PartyId melder{"urn:osb:oin", "00000099000000010000"}, register_id{"urn:osb:oin", "00000099000000020000"};
  auto asked = options(Mode::test);
  asked.own = std::vector{melder};
  EXPECT_THAT(validate(example_cpa(), asked).findings, IsEmpty());
  asked.own = std::vector{PartyId{"urn:osb:oin", "00000099000000070000"}};
  EXPECT_EQ(codes_of(validate(example_cpa(), asked), Severity::error), Codes{"V44"});
  asked.own = std::vector{melder, register_id};
  EXPECT_EQ(codes_of(validate(example_cpa(), asked), Severity::error), Codes{"V44"});
  asked.allow_loopback = true;
  EXPECT_THAT(validate(example_cpa(), asked).findings, IsEmpty());
  asked.mode = Mode::production;
  EXPECT_TRUE(codes_of(validate(example_cpa(), asked), Severity::error).contains("V44"));
}

// CPA-052: private keys of our own certificates.
TEST(Validate, OurPrivateKeysMustBeHereToActivate) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  auto asked = options(Mode::test);
  asked.own = std::vector{PartyId{"urn:osb:oin", "00000099000000010000"}};
  asked.has_private_key = [](const security::Certificate& certificate) { return certificate->common_name == "ebms.voorbeeldstad.example"; };
  EXPECT_EQ(codes_of(validate(example_cpa(), asked), Severity::warning), Codes{"V43"});
  asked.activating = true;
  EXPECT_EQ(codes_of(validate(example_cpa(), asked), Severity::error), Codes{"V43"});
  asked.has_private_key = [](const security::Certificate&) { return true; };
  EXPECT_THAT(validate(example_cpa(), asked).findings, IsEmpty());
}

// A trust store that has seen everything.
class FixedStanding final : public CertificateChecks {
 public:
  explicit FixedStanding(Standing standing) : standing_(std::move(standing)) {}
  Standing standing(const security::Certificate&, security::Usage, Instant) const override { return standing_; }

 private:
  Standing standing_;
};

TEST(Validate, RevokedUnknownAndUntrustedCertificatesAreTold) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  auto asked = options(Mode::test);
  const FixedStanding revoked({true, true, true, ""}), foreign({false, false, false, ""}), good({true, false, true, ""});
  asked.certificates = &revoked;
  EXPECT_EQ(codes_of(validate(example_cpa(), asked), Severity::error), Codes{"V37i"});
  asked.certificates = &foreign;
  EXPECT_EQ(codes_of(validate(example_cpa(), asked), Severity::warning), Codes{"V37h"});
  asked.mode = Mode::production;
  EXPECT_TRUE(codes_of(validate(example_cpa(), asked), Severity::error).contains("V37h"));
  asked.certificates = &good;
  EXPECT_EQ(codes(validate(example_cpa(), asked)), Codes{"V07e"});
  asked.certificates = nullptr;
  EXPECT_TRUE(codes_of(validate(example_cpa(), asked), Severity::warning).contains("V37j"));
}

// CPA-039
TEST(Validate, ASignatureThatDoesNotVerifyRefuses) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  constexpr std::string_view signature =
      "<tns:Signature><ds:Signature><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>"
      "<ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/><ds:Reference URI=\"\"><ds:DigestMethod "
      "Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue>AAAA</ds:DigestValue></ds:Reference></ds:SignedInfo>"
      "<ds:SignatureValue>AAAA</ds:SignatureValue></ds:Signature></tns:Signature>";
  const auto cpa = replaced_first(example_cpa(), "<tns:Comment", std::string(signature) + "<tns:Comment");
  EXPECT_EQ(codes_of(in_test(cpa), Severity::error), Codes{"V39"});
}

// `cpa` with one more ds:Signature over it, as one party makes it: behind those that are there already.
std::string signed_cpa(std::string cpa, const security::KeyPair& signer) {
  if (cpa.find("<tns:Signature>") == std::string::npos)
    cpa = replaced_first(cpa, "<tns:Comment", "<tns:Signature></tns:Signature><tns:Comment");
  const auto document = xml::Document::parse(cpa, {}).value();
  const std::string transforms = "<ds:Transforms><ds:Transform Algorithm=\"" + std::string(xmlsecurity::uri::enveloped_signature) +
                                 "\"/><ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>";
  xmlsecurity::SignatureToMake make;
  make.references.push_back({.uri = "",
                             .transforms = transforms,
                             .digest = xmlsecurity::canonical_digest(xmlsecurity::DigestMethod::sha256, document.root(), {}).value()});
  make.key_info = xmlsecurity::x509_key_info(signer.certificate());
  const auto signature = xmlsecurity::make_signature(make, signer.key(), document.root()).value();
  return replaced_first(cpa, "</tns:Signature>", signature + "</tns:Signature>");
}

// CPA-039: both parties sign, the second over the first; each signature verifies.
TEST(Validate, AnAgreementSignedByItsPartiesIsValid) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  auto& pki = schakel::test::pki();
  const auto parsed = validate(example_cpa(), options(Mode::test));
  const auto first = pki.tls(parsed.agreement->parties[0].oin(), "Melder").key_pair;
  const auto second = pki.tls(parsed.agreement->parties[1].oin(), "Register").key_pair;
  const auto stranger = pki.tls("00000099000000009000", "Iemand anders").key_pair;
  const auto to_sign = replaced_first(example_cpa(), "tns:value=\"agreed\"", "tns:value=\"signed\"");
  const auto once = signed_cpa(to_sign, *first);
  const auto twice = signed_cpa(once, *second);

  auto asked = options(Mode::test);
  asked.certificates = nullptr;
  EXPECT_EQ(codes_of(validate(to_sign, asked), Severity::error), Codes{"V39"}) << "signed, it says";
  EXPECT_EQ(codes_of(validate(once, asked), Severity::error), Codes{});
  EXPECT_EQ(codes_of(validate(twice, asked), Severity::error), Codes{});
  EXPECT_EQ(codes_of(validate(replaced_first(twice, "<tns:Comment xml:lang=\"", "<tns:Comment xml:lang=\"x-"), asked), Severity::error),
            Codes{"V39"})
      << "changed after it was signed";
  EXPECT_EQ(codes_of(validate(signed_cpa(once, *stranger), asked), Severity::error), Codes{"V39"});

  const auto objection = [&](const std::string& cpa, const CertificateChecks* checks) {
    const auto document = xml::Document::parse(cpa, {}).value();
    return signature_objection(document.root().child(names::cpa, "Signature").first_child(),
                               {parsed.agreement->parties[0].oin(), parsed.agreement->parties[1].oin()}, checks, schakel::test::start());
  };
  const TrustStoreChecks trusting(pki.trust());
  EXPECT_EQ(objection(once, &trusting), std::nullopt);
  EXPECT_EQ(objection(twice, &trusting), std::nullopt) << "the first verifies without the second";
  EXPECT_THAT(objection(once, &example_checks()).value(), HasSubstr("not trusted"));
  const auto value = once.find("<ds:SignatureValue>") + 19;
  auto broken = once;
  broken[value] = broken[value] == 'A' ? 'B' : 'A';
  EXPECT_TRUE(objection(broken, &trusting).has_value());
  for (const auto& [from, to] : {std::pair<std::string_view, std::string_view>{"URI=\"\"", "URI=\"#x\""},
                                 {"xmldsig#enveloped-signature", "2000/09/xmldsig#base64"},
                                 {"2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1"}}) {
    EXPECT_TRUE(objection(replaced_first(once, from, to, once.find("<ds:Signature ")), &trusting).has_value()) << to;
  }
}

TEST(Validate, ASwitchAllowsOtherPortsInProduction) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto cpa =
      replaced_first(example_cpa(), "https://ebms.voorbeeldregister.example/ebms", "https://ebms.voorbeeldregister.example:8443/ebms");
  auto asked = options(Mode::production);
  asked.any_https_port = true;
  EXPECT_TRUE(codes_of(validate(cpa, asked), Severity::warning).contains("V20c"));
}

// CPA-063, CPA-014: what is composed for production carries no test OIN and no suffix.
TEST(Validate, ComposingForProductionLooksAtTheEnvironment) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto suffixed = replaced_all(example_cpa(), "</tns:PartyId>", "_OTA</tns:PartyId>");
  auto asked = options(Mode::compose);
  EXPECT_FALSE(codes(validate(suffixed, asked)).contains("V08"));
  asked.production_environment = true;
  EXPECT_THAT(codes(validate(suffixed, asked)), IsSupersetOf({"V07e", "V08"}));
}

TEST(Validate, FindingsSayWhere) {
  SCHAKEL_NEEDS_CPA_STANDARDS();
  const auto validation = in_test(replaced_first(example_cpa(), ">HTTP<", ">SMTP<"));
  ASSERT_EQ(validation.findings.size(), 1U);
  EXPECT_EQ(validation.findings.front().path, "/tns:CollaborationProtocolAgreement/tns:PartyInfo[1]/tns:Transport");
  EXPECT_FALSE(validation.findings.front().message.empty());
}

// CPA-013, CPA-014
TEST(PartyIdValue, ReadsOinsAndSuffixes) {
  EXPECT_TRUE(read_party_id("00000099000000010000").well_formed);
  EXPECT_TRUE(read_party_id("00000001823288444001").well_formed);
  const auto shared = read_party_id("00000099000000010000_OTA");
  EXPECT_TRUE(shared.well_formed);
  EXPECT_EQ(shared.oin, "00000099000000010000");
  EXPECT_EQ(shared.suffix, "OTA");
  for (const std::string_view wrong :
       {"", "0000009900000001000", "00000099000000010000_", "00000099000000010000_P", "00000099000000010000_TT",
        "00000099000000010000_OTAP", "00000099000000010000_t", "0000000182328844400A", "00000001A23288444000", " 00000099000000010000"}) {
    EXPECT_FALSE(read_party_id(wrong).well_formed) << wrong;
  }
  EXPECT_FALSE(read_party_id("00000055000000010000").known_prefix);
  EXPECT_TRUE(read_party_id("00000055000000010000").well_formed);
}

}  // namespace
}  // namespace schakel::cpa
