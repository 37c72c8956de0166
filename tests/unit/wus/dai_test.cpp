#include "wus/dai.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "xml/canonical.hpp"

namespace schakel::wus {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t plenty = 100'000;
constexpr const char* own_oin = "00000001001888730000";
constexpr const char* partner_oin = "00000001001584170000";
constexpr const char* action = "http://www.egem.nl/StUF/sector/bg/0310/npsLv01";

const std::filesystem::path standards = std::filesystem::path(SCHAKEL_SOURCE_DIR) / "../shared/standards/adapter";
std::string text_of(const std::string& name) {
  std::ifstream in(standards / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
#define SCHAKEL_NEEDS_DAI_STANDARDS() \
  if (!std::filesystem::exists(standards / "dai-0100-sync.wsdl")) GTEST_SKIP() << "the DAI files are not beside the repository"

struct Blocks {
  std::string to = "<wsa:To>urn:dkintern:00000001001584170000:appX:</wsa:To>";
  std::string from = "<wsa:From><wsa:Address>urn:dkintern:00000001001888730000:appY:</wsa:Address></wsa:From>";
  std::string action = "<wsa:Action>http://www.egem.nl/StUF/sector/bg/0310/npsLv01</wsa:Action>";
  std::string message_id = "<wsa:MessageID>urn:uuid:1</wsa:MessageID>";
  std::string more = {};
};
std::string enveloped(const Blocks& blocks = {}, const std::string& body = "<d:bericht><npsLv01 xmlns=\"urn:bg\"/></d:bericht>") {
  return "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:wsa=\"http://www.w3.org/2005/08/addressing\" "
         "xmlns:d=\"http://www.stufstandaarden.nl/koppelvlak/dai0100\"><s:Header>" +
         blocks.to + blocks.from + blocks.action + blocks.message_id + blocks.more + "</s:Header><s:Body>" + body +
         "</s:Body></s:Envelope>";
}

Result<Plain> read(const std::string& octets, DaiHeaders& headers) {
  return read_dai_request(octets, "text/xml; charset=utf-8", plenty, headers);
}
std::string refusal(const std::string& octets) {
  DaiHeaders headers;
  const auto plain = read(octets, headers);
  return plain ? std::string() : plain.error().code;
}

// ADP-112, WUS-244: the official example of appendix C, both ways.
TEST(Dai, ReadsTheOfficialSampleOfACall) {
  SCHAKEL_NEEDS_DAI_STANDARDS();
  DaiHeaders headers;
  const auto plain = read(text_of("dai-samples/wus-out-internal.xml"), headers);
  ASSERT_TRUE(plain) << plain.error().detail;
  EXPECT_EQ(headers.to, "urn:dkintern:00000001001584170000:appX:");
  EXPECT_EQ(headers.from, "urn:dkintern:00000001001888730000:appY:");
  EXPECT_EQ(headers.action, action);
  EXPECT_EQ(headers.message_id, "http://98824819dade17163w1r26g5252@ksY.hengelo.voorbeeld.nl") << "passed unchanged";
  EXPECT_TRUE(plain->payload.is("http://www.egem.nl/StUF/sector/bg/0310", "npsLv01"));

  // What goes outside holds the same action, id and payload (dai-samples/wus-out-external.xml).
  const auto outside = read_plain(text_of("dai-samples/wus-out-external.xml"), "text/xml", PlainForm::envelope, plenty);
  ASSERT_TRUE(outside);
  EXPECT_EQ(outside->action, headers.action);
  EXPECT_EQ(outside->message_id, headers.message_id);
  EXPECT_EQ(xml::canonicalise(outside->payload).value(), xml::canonicalise(plain->payload).value());

  // And what we write is what the sample is, header by header.
  DaiHeaders again;
  const auto written = read(dai_envelope(headers, handed_on(plain->payload)), again);
  ASSERT_TRUE(written) << written.error().detail;
  EXPECT_EQ(again.to, headers.to);
  EXPECT_EQ(again.from, headers.from);
  EXPECT_EQ(again.action, headers.action);
  EXPECT_EQ(again.message_id, headers.message_id);
  EXPECT_EQ(xml::canonicalise(written->payload).value(), xml::canonicalise(plain->payload).value());
}

// ADP-112: the names of the official WSDL.
TEST(Dai, SpeaksTheOperationOfTheOfficialWsdl) {
  SCHAKEL_NEEDS_DAI_STANDARDS();
  const auto text = text_of("dai-0100-sync.wsdl");
  const auto description = xml::Document::parse(text, {});
  ASSERT_TRUE(description);
  const auto target = description->root().attribute("", "targetNamespace").value_or("");
  EXPECT_THAT(text, HasSubstr("<xs:element name=\"bericht\" type=\"xs:anyType\"/>"));
  EXPECT_THAT(text, HasSubstr("<operation name=\"addressingSynchroon\">"));
  EXPECT_THAT(text, HasSubstr("soapAction=\"\""));
  const auto made = read_plain(dai_envelope({}, "<a xmlns=\"urn:a\"/>"), "text/xml", PlainForm::envelope, plenty);
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->payload.is(target, "bericht"));
  const auto stuf = description->root().namespace_of("StUF").value_or("");
  EXPECT_THAT(dai_failure("x", false), HasSubstr("<StUF:Fo02Bericht xmlns:StUF=\"" + stuf + "\">"));
}

// adapter.md section 4: DAI rows; ADP-114
TEST(Dai, WhatIsNoRequestIsRefused) {
  EXPECT_EQ(refusal(enveloped()), "");
  const auto wrong = [](Blocks blocks) { EXPECT_EQ(refusal(enveloped(blocks)), "dai.invalid") << enveloped(blocks); };
  wrong({.to = ""});
  wrong({.from = ""});
  wrong({.action = ""});
  wrong({.message_id = ""});
  wrong({.from = "<wsa:From/>"});
  wrong({.to = "<wsa:To>appX</wsa:To>"});
  wrong({.to = "<wsa:To>urn:a b</wsa:To>"});
  wrong({.from = "<wsa:From><wsa:Address>appY</wsa:Address></wsa:From>"});
  wrong({.more = "<wsa:To>urn:dkintern:x</wsa:To>"});
  wrong({.message_id = "<wsa:MessageID>a b</wsa:MessageID>"});
  wrong({.more = "<w:Security xmlns:w=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd\"/>"});
  wrong({.more = "<x:k xmlns:x=\"urn:x\" s:mustUnderstand=\"2\"/>"});
  for (const auto* body :
       {"", "<d:bericht/>", "<d:bericht>tekst</d:bericht>", "<d:bericht><a/><b/></d:bericht>", "<d:bericht>tekst<a/></d:bericht>", "<a/>",
        "<d:bericht><a/></d:bericht><d:bericht><a/></d:bericht>", "<s:Fault/>", "<bericht><a/></bericht>"})
    EXPECT_EQ(refusal(enveloped({}, body)), "dai.invalid") << body;
  EXPECT_EQ(refusal("<a>"), "dai.invalid");
  EXPECT_EQ(refusal("<!DOCTYPE a>" + enveloped()), "dai.invalid");
  EXPECT_EQ(refusal("<a/>"), "dai.invalid");

  EXPECT_EQ(refusal(enveloped({.more = "<x:k xmlns:x=\"urn:x\" s:mustUnderstand=\"1\"/>"})), "dai.mustUnderstand");
  EXPECT_EQ(refusal(enveloped({.to = "", .more = "<x:k xmlns:x=\"urn:x\" s:mustUnderstand=\"1\"/>"})), "dai.mustUnderstand")
      << "first of all";
  EXPECT_EQ(refusal(enveloped({.more = "<x:k xmlns:x=\"urn:x\"/><x:l xmlns:x=\"urn:x\" s:mustUnderstand=\"0\"/>"})), "");
  EXPECT_EQ(refusal(enveloped({.to = "<wsa:To s:mustUnderstand=\"1\">urn:dkintern:x</wsa:To>"})), "");
  EXPECT_EQ(refusal(enveloped({.more = "<wsa:RelatesTo>urn:dkintern:x</wsa:RelatesTo>"})), "");
}

// adapter.md 2.5, table of headers
TEST(Dai, AMessageIdThatIsNoIriGetsThePrefix) {
  DaiHeaders headers;
  ASSERT_TRUE(read(enveloped({.message_id = "<wsa:MessageID> 98824819@ks.voorbeeld.nl </wsa:MessageID>"}), headers));
  EXPECT_EQ(headers.message_id, "urn:dkintern:98824819@ks.voorbeeld.nl");
  EXPECT_EQ(as_iri("urn:uuid:1"), "urn:uuid:1");
  EXPECT_EQ(logical_address("", own_oin), "urn:dkintern:00000001001888730000::");
  EXPECT_EQ(logical_address("urn:dkintern:wrdkmr", own_oin), "urn:dkintern:wrdkmr");
}

// WUS-244: MTOM, as the DAI wants attachments.
TEST(Dai, TakesAttachmentsAsMtom) {
  const std::string octets("\0\1\2", 3);
  const auto envelope = enveloped({},
                                  "<d:bericht><n xmlns=\"urn:bg\"><b><xop:Include xmlns:xop=\"http://www.w3.org/2004/08/xop/include\" "
                                  "href=\"cid:b@x\"/></b></n></d:bericht>");
  const auto entity = "--x\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"text/xml\"\r\nContent-ID: <r@x>\r\n\r\n" + envelope +
                      "\r\n--x\r\nContent-ID: <b@x>\r\n\r\n" + octets + "\r\n--x--\r\n";
  DaiHeaders headers;
  const auto plain =
      read_dai_request(entity, "multipart/related; boundary=x; type=\"application/xop+xml\"; start=\"<r@x>\"", plenty, headers);
  ASSERT_TRUE(plain) << plain.error().detail;
  EXPECT_TRUE(plain->mtom);
  ASSERT_EQ(plain->binary_elements.size(), 1U);
  EXPECT_EQ(plain->binary_elements.front().text(), to_base64(octets));
  EXPECT_TRUE(plain->payload.is("urn:bg", "n"));
}

// adapter.md 2.5: faults of arrow 7
TEST(Dai, AFailureIsFo02) {
  EXPECT_EQ(dai_failure("WUS-C-TIMEOUT: te laat & weg", false),
            "<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring xml:lang=\"nl\">Proces voor afhandelen bericht geeft "
            "fout</faultstring><detail><StUF:Fo02Bericht xmlns:StUF=\"http://www.egem.nl/StUF/StUF0301\"><StUF:stuurgegevens>"
            "<StUF:berichtcode>Fo02</StUF:berichtcode></StUF:stuurgegevens><StUF:body><StUF:code>StUF058</StUF:code>"
            "<StUF:plek>server</StUF:plek><StUF:omschrijving>Proces voor afhandelen bericht geeft fout</StUF:omschrijving>"
            "<StUF:details>WUS-C-TIMEOUT: te laat &amp; weg</StUF:details></StUF:body></StUF:Fo02Bericht></detail></soapenv:Fault>");
  EXPECT_THAT(dai_failure("x", true), HasSubstr("<faultcode>soapenv:Client</faultcode>"));
  EXPECT_THAT(dai_failure("x", true), HasSubstr("<StUF:plek>client</StUF:plek>"));
  // At most 1000 characters, none of them cut in two.
  std::string long_text;
  for (int i = 0; i < 1001; ++i) long_text += "é";
  const auto cut = dai_failure(long_text, false);
  EXPECT_THAT(cut, HasSubstr("<StUF:details>" + long_text.substr(0, 2000) + "</StUF:details>"));
  EXPECT_THAT(dai_failure("\x01", false), Not(HasSubstr("details"))) << "what XML cannot carry is left out";
}

TEST(Dai, ARefusalIsFo03) {
  const auto now = parse_datetime("2026-03-02T09:15:00.123Z").value().instant;
  const DaiHeaders headers{.to = "urn:dkintern:b:c:",
                           .from = "urn:dkintern:0999:ZAAK:",
                           .action = "urn:a",
                           .message_id = "urn:dkintern:98824819@zaak.intern.example"};
  EXPECT_EQ(
      dai_refusal(fail("dai.invalid", "wsa:To is missing"), headers, "0199a1b2", now),
      "<soapenv:Fault><faultcode>soapenv:Client</faultcode><faultstring xml:lang=\"nl\">Proces voor afhandelen bericht geeft "
      "fout</faultstring><detail><StUF:Fo03Bericht xmlns:StUF=\"http://www.egem.nl/StUF/StUF0301\"><StUF:stuurgegevens>"
      "<StUF:berichtcode>Fo03</StUF:berichtcode><StUF:zender><StUF:applicatie>Schakel</StUF:applicatie></StUF:zender>"
      "<StUF:ontvanger><StUF:organisatie>0999</StUF:organisatie><StUF:applicatie>ZAAK</StUF:applicatie></StUF:ontvanger>"
      "<StUF:referentienummer>0199a1b2</StUF:referentienummer><StUF:tijdstipBericht>20260302101500123</StUF:tijdstipBericht>"
      "<StUF:crossRefnummer>98824819@zaak.intern.example</StUF:crossRefnummer></StUF:stuurgegevens><StUF:body>"
      "<StUF:code>StUF058</StUF:code><StUF:plek>client</StUF:plek><StUF:omschrijving>Proces voor afhandelen bericht geeft "
      "fout</StUF:omschrijving><StUF:details>wsa:To is missing</StUF:details></StUF:body></StUF:Fo03Bericht></detail></soapenv:Fault>");
  EXPECT_THAT(dai_refusal(fail("dai.mustUnderstand", "x"), headers, "1", now), HasSubstr("<faultcode>soapenv:MustUnderstand</faultcode>"));
  EXPECT_THAT(dai_refusal(fail("dai.invalid", "x"), {}, "1", now),
              HasSubstr("<StUF:ontvanger><StUF:applicatie>onbekend</StUF:applicatie>"));
  EXPECT_THAT(dai_refusal(fail("dai.invalid", "x"), {.to = {}, .from = "urn:dkintern:wrdkmr", .action = {}, .message_id = {}}, "1", now),
              HasSubstr("<StUF:ontvanger><StUF:applicatie>urn:dkintern:wrdkmr</StUF:applicatie></StUF:ontvanger>"));
}

// StUF writes times as they are on the clocks of the Netherlands.
TEST(Dai, TimesAreDutch) {
  const auto written = [](const char* utc) {
    const auto fault = dai_refusal(fail("dai.invalid", "x"), {}, "1", parse_datetime(utc).value().instant);
    const auto begin = fault.find("<StUF:tijdstipBericht>") + 22;
    return fault.substr(begin, fault.find('<', begin) - begin);
  };
  EXPECT_EQ(written("2026-01-15T12:00:00Z"), "20260115130000000");
  EXPECT_EQ(written("2026-07-15T12:00:00Z"), "20260715140000000");
  EXPECT_EQ(written("2026-03-29T00:59:59Z"), "20260329015959000");
  EXPECT_EQ(written("2026-03-29T01:00:00Z"), "20260329030000000");
  EXPECT_EQ(written("2026-10-25T00:59:59Z"), "20261025025959000");
  EXPECT_EQ(written("2026-10-25T01:00:00Z"), "20261025020000000");
  EXPECT_EQ(written("2025-12-31T23:30:00Z"), "20260101003000000");
}

// --- which contract ----------------------------------------------------------------------------------------------------------------------

std::shared_ptr<ServiceContract> contract(std::string id) {
  auto out = std::make_shared<ServiceContract>();
  out->id = out->name = std::move(id);
  out->tenant = "hengelo";
  out->role = Role::consumer;
  out->state = exchange::ContractState::active;
  out->own_oin = own_oin;
  out->partner_oin = partner_oin;
  Operation operation;
  operation.name = "npsLv01";
  operation.input_action = action;
  out->operations.push_back(std::move(operation));
  return out;
}
std::string found(std::vector<std::shared_ptr<const ServiceContract>> contracts, DaiHeaders headers = {}) {
  if (headers.to.empty()) headers.to = "urn:dkintern:00000001001584170000:appX:";
  if (headers.from.empty()) headers.from = "urn:dkintern:00000001001888730000:appY:";
  if (headers.action.empty()) headers.action = action;
  const auto one = contract_for(Services(std::move(contracts)), "hengelo", headers);
  return one ? (*one)->id : one.error().code;
}

// DAI 3.1.1: To, From and Action say which contract it is.
TEST(Dai, TheHeadersNameTheContract) {
  EXPECT_EQ(found({contract("a")}), "a");
  EXPECT_EQ(found({contract("a")}, {.to = {}, .from = {}, .action = "urn:other", .message_id = {}}), "contract.unknown");
  EXPECT_EQ(found({contract("a")}, {.to = "urn:dkintern:00000001009999999000:appX:", .from = {}, .action = {}, .message_id = {}}),
            "contract.unknown");
  EXPECT_EQ(found({contract("a")}, {.to = "https://x.example/", .from = {}, .action = {}, .message_id = {}}), "contract.unknown");
  EXPECT_EQ(found({contract("a")}, {.to = {}, .from = "urn:dkintern:gemcode:0546", .action = {}, .message_id = {}}), "a");
  EXPECT_EQ(found({contract("a"), contract("b")}), "contract.ambiguous");
  EXPECT_EQ(found({}), "contract.unknown");

  auto named = contract("named");
  named->partner_dai_address = "urn:dkintern:wrdkmr";
  EXPECT_EQ(found({contract("a"), named}), "a") << "an agreed address is the only one";
  EXPECT_EQ(found({contract("a"), named}, {.to = "urn:dkintern:wrdkmr", .from = {}, .action = {}, .message_id = {}}), "named");

  auto special = contract("special");
  special->partner_dai_address = "urn:dkintern:00000001001584170000:appX:";
  EXPECT_EQ(found({contract("a"), special}), "special") << "what was agreed goes before what follows from the OIN";
  EXPECT_EQ(found({special, special}), "contract.ambiguous");

  auto sub = contract("sub");
  sub->own_oin = "00000001001888731000";
  EXPECT_EQ(found({contract("a"), sub}), "a") << "wsa:From is of another OIN of ours";
  EXPECT_EQ(found({contract("a"), sub}, {.to = {}, .from = "urn:dkintern:00000001001888731000:appY:", .action = {}, .message_id = {}}),
            "sub");

  auto suspended = contract("suspended"), provider = contract("provider"), foreign = contract("foreign");
  suspended->state = exchange::ContractState::suspended;
  provider->role = Role::provider;
  foreign->tenant = "twenterand";
  EXPECT_EQ(found({suspended, provider, foreign}), "contract.unknown");
}

}  // namespace
}  // namespace schakel::wus
