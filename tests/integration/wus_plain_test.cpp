// The internal side of WUS (wus.md 3.7; section 6, row 14): back-ends in each mode, the DAI, attachments both ways. Real processes, real
// two-sided TLS.
#include "integration/wus_world.hpp"
#include "wus/plain.hpp"
#include "xml/canonical.hpp"

namespace schakel::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const std::string action_of_question = std::string(wus_wsdl) + "/IInschrijvingService_v1/vraagInschrijvingRequest";

std::string soap_fault(const std::string& detail = {}) {
  return "<s:Fault><faultcode>s:Client</faultcode><faultstring>Onbekend inschrijfnummer</faultstring>" +
         (detail.empty() ? "" : "<detail>" + detail + "</detail>") + "</s:Fault>";
}
const std::string declared_detail =
    "<inschrijvingFout xmlns=\"" + std::string(wus_types) + "\"><code>F1</code><melding>onbekend</melding></inschrijvingFout>";

// A service of 2W-be with a back-end of this mode, which has a second for its answer.
std::string offer_mode(const std::string& mode) {
  const auto name = "modus-" + mode;
  chain().offer(name, "2W-be", {{"backend", {{"mode", mode}}}, {"backendTimeout", "1s"}},
                {{"partner", {{"daiAddress", "urn:dkintern:register:" + name + ":"}}}});
  return name;
}

// --- back-ends ---------------------------------------------------------------------------------------------------------------------------

class EachMode : public ::testing::TestWithParam<std::string> {
 protected:
  std::string offered() const { return offer_mode(GetParam()); }
  // The canonical form of what stands in the body of a call to the back-end (WUS-202).
  std::string payload_of(const Backend::Asked& asked) const {
    const auto form = GetParam() == "xml" ? wus::PlainForm::element : wus::PlainForm::envelope;
    const auto plain = wus::read_plain(asked.body, asked.header("Content-Type"), form, 1 << 20);
    if (!plain) return plain.error().code;
    return xml::canonicalise(GetParam() == "dai" ? plain->payload.first_child() : plain->payload).value();
  }
};

// WUS-244; wus.md 3.7, adapter.md 2.5 arrow 8
TEST_P(EachMode, TheBackendGetsTheCallInItsForm) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  const auto name = offered();
  two.backend.answers_in(GetParam(), answer("31415926"));
  const auto called = two.call(name, "vraagInschrijving", question("31415926"));
  ASSERT_EQ(called.status, 200U) << called.body << two.provider.log();
  EXPECT_THAT(called.body, StartsWith("<vraagInschrijvingResponse"));
  EXPECT_THAT(called.body, HasSubstr("31415926"));

  const auto asked = two.backend.last();
  const auto message_id = called.header("Schakel-Relates-To");
  EXPECT_EQ(payload_of(asked), question("31415926"));
  const auto header = [&](const std::string& wanted) { return asked.header(wanted); };
  EXPECT_EQ(header("Schakel-Message-Id"), message_id);
  EXPECT_EQ(header("Schakel-Action"), action_of_question);
  EXPECT_EQ(header("Schakel-Operation"), "vraagInschrijving");
  EXPECT_EQ(header("Schakel-Sender-Oin"), two.consumer.options().oin);
  EXPECT_EQ(header("Schakel-Receiver-Oin"), two.provider.options().oin);
  EXPECT_EQ(header("Schakel-Profile"), "2W-be");
  EXPECT_EQ(header("SOAPAction"), GetParam() == "xml" ? "" : "\"\"");
  EXPECT_EQ(header("Content-Type"), GetParam() == "xml" ? "application/xml; charset=utf-8" : "text/xml; charset=utf-8");
  const auto to = "<wsa:To>" + two.address(name) + "?OIN=" + two.provider.options().oin + "</wsa:To>";
  if (GetParam() == "soap") {
    EXPECT_THAT(asked.body, HasSubstr(to));
    EXPECT_THAT(asked.body, HasSubstr("<wsa:MessageID>" + message_id + "</wsa:MessageID>"));
    EXPECT_THAT(asked.body, HasSubstr("<wsa:From><wsa:Address>https://localhost/wus?OIN=" + two.consumer.options().oin));
  }
  if (GetParam() == "dai") {
    EXPECT_THAT(asked.body, HasSubstr("<wsa:To>urn:dkintern:" + two.provider.options().oin + "::</wsa:To>"));
    EXPECT_THAT(asked.body, HasSubstr("<wsa:Address>urn:dkintern:" + two.consumer.options().oin + "::</wsa:Address>"));
    EXPECT_THAT(asked.body, HasSubstr("<wsa:Action>" + action_of_question + "</wsa:Action>"));
    EXPECT_THAT(asked.body, HasSubstr("<wsa:MessageID>" + message_id + "</wsa:MessageID>"));
    EXPECT_THAT(asked.body, Not(HasSubstr("ReplyTo")));
  }
}

// WUS-244, SEC-052, section 5 last row: who says to be somebody in a header is not believed.
TEST_P(EachMode, SpoofedHeadersAreDropped) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  const auto name = offered();
  two.backend.answers_in(GetParam(), answer("12345678"));
  Partner inside(two.pki, two.consumer.identity().key_pair);
  const http::Headers spoofed{
      {"Content-Type", "text/xml; charset=utf-8"},    {"SOAPAction", "\"\""},          {"Schakel-Sender-Oin", "00000099000000990000"},
      {"schakel-signer-oin", "00000099000000990000"}, {"Schakel-Profile", "2W-be-SE"}, {"Schakel-Other", "x"}};
  const auto sent = inside.send("POST", two.address(name), spoofed,
                                envelope("<a:To>" + two.address(name) + "</a:To><a:Action>" + action_of_question +
                                             "</a:Action><a:MessageID>urn:uuid:spoof</a:MessageID>",
                                         question("12345678")));
  ASSERT_EQ(sent.status, 200U) << sent.body << two.provider.log();
  const auto head = to_lower(two.backend.last().head);
  EXPECT_THAT(head, HasSubstr("\r\nschakel-sender-oin: " + two.consumer.options().oin + "\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nschakel-profile: 2w-be\r\n"));
  for (const auto* gone : {"00000099000000990000", "schakel-signer-oin", "schakel-other", "2w-be-se"})
    EXPECT_THAT(head, Not(HasSubstr(gone)));

  // Nor is an application.
  auto api = two.consumer.application();
  const auto called = api.call("POST", "/api/v1/wus/" + name + "/vraagInschrijving", question("12345678"), "application/xml",
                               {{"Schakel-Sender-Oin", "00000099000000990000"}, {"Schakel-Message-Id", "urn:uuid:spoof"}});
  ASSERT_EQ(called.status, 200U) << called.body;
  EXPECT_NE(called.header("Schakel-Relates-To"), "urn:uuid:spoof");
  EXPECT_EQ(two.backend.last().header("Schakel-Sender-Oin"), two.consumer.options().oin);
}

// WUS-200, WUS-245, WUS-263; wus.md 3.7: what the back-end does wrong, and its own faults.
TEST_P(EachMode, FaultsAreMapped) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  const auto name = offered();
  const auto fault = [&](unsigned status, const std::string& type, const std::string& body) {
    two.backend.answers(status, type, body);
    const auto called = two.call(name, "vraagInschrijving", question("12345678"));
    EXPECT_EQ(called.status, 502U) << called.body;
    EXPECT_EQ(called.json().value("code", ""), "WUS-C-FAULT") << called.body;
    EXPECT_THAT(called.body, Not(HasSubstr("geheim van de achterkant")));
    return called.json();
  };
  const auto dk = [&](unsigned status, const std::string& type, const std::string& body) {
    return fault(status, type, body).value("dkCode", "");
  };
  const std::string text = "geheim van de achterkant";
  EXPECT_EQ(dk(400, "text/plain", text), "DK0050");
  EXPECT_EQ(dk(404, "text/html", text), "DK0050");
  EXPECT_EQ(fault(404, "text/html", text).value("faultcode", ""), "{http://schemas.xmlsoap.org/soap/envelope/}Client");
  EXPECT_EQ(dk(503, "text/plain", text), "DK0051");
  EXPECT_EQ(dk(500, "text/html", text), "DK0051");
  EXPECT_EQ(dk(302, "text/html", text), "DK0050");
  EXPECT_EQ(dk(200, "text/xml", ""), "DK0050");
  EXPECT_EQ(dk(200, "text/xml", "<a>"), "DK0050");
  EXPECT_EQ(dk(200, "text/xml", "<!DOCTYPE a><a/>"), "DK0050");
  EXPECT_EQ(dk(200, "multipart/related; boundary=b; type=\"application/xop+xml\"", "--b--"), "DK0050") << "backend.mtom is off";
  two.backend.answers_in(GetParam(), "<ander xmlns=\"urn:x\"/>");
  EXPECT_EQ(two.call(name, "vraagInschrijving", question("12345678")).json().value("dkCode", ""), "DK0050");
  two.backend.answers_in(GetParam(), answer("7"));
  EXPECT_EQ(two.call(name, "vraagInschrijving", question("12345678")).json().value("dkCode", ""), "DK0050") << "not valid";

  const auto own =
      GetParam() == "xml"
          ? fault(422, "application/problem+json",
                  Json{{"wusFault", {{"faultcode", "Client"}, {"faultstring", "Onbekend inschrijfnummer"}, {"detailXml", declared_detail}}}}
                      .dump())
          : fault(500, "text/xml", envelope("<a:Action>urn:ignored</a:Action>", soap_fault(declared_detail)));
  EXPECT_EQ(own.value("faultcode", ""), "{http://schemas.xmlsoap.org/soap/envelope/}Client");
  EXPECT_EQ(own.value("faultstring", ""), "Onbekend inschrijfnummer");
  EXPECT_THAT(own.value("detailXml", ""), HasSubstr("<code>F1</code>"));
  if (GetParam() != "xml") {
    EXPECT_EQ(fault(200, "text/xml", envelope("", soap_fault())).value("faultstring", ""), "Onbekend inschrijfnummer");
  } else {
    EXPECT_EQ(dk(200, "text/xml", envelope("", soap_fault())), "DK0050") << "no element of the operation";
  }
  EXPECT_THAT(two.provider.log() + two.consumer.log(), Not(HasSubstr(text)));
}

// WUS-245, ADP-116
TEST_P(EachMode, ABackendThatIsLateIsAway) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  const auto name = offered();
  two.backend.answers_in(GetParam(), answer("27182818"));
  two.backend.waits(2500ms);
  const auto began = std::chrono::steady_clock::now();
  const auto late = two.call(name, "vraagInschrijving", question("27182818"));
  const auto took = std::chrono::steady_clock::now() - began;
  two.backend.waits(0ms);
  EXPECT_EQ(late.json().value("dkCode", ""), "DK0051") << late.body;
  EXPECT_EQ(late.json().value("faultcode", ""), "{http://schemas.xmlsoap.org/soap/envelope/}Server");
  EXPECT_GE(took, 900ms);
  EXPECT_LT(took, 2400ms);
  const auto record =
      newest(two.provider, "messageId=" + newest(two.consumer, "direction=outbound&sort=-createdAt").value("messageId", ""));
  EXPECT_EQ(record.value("state", ""), "FAULT") << record.dump(1);
  // The late answer is nobody's.
  std::this_thread::sleep_until(began + 2700ms);
  two.backend.answers_in(GetParam(), answer("16180339"));
  const auto next = two.call(name, "vraagInschrijving", question("16180339"));
  ASSERT_EQ(next.status, 200U) << next.body;
  EXPECT_THAT(next.body, HasSubstr("16180339"));
}

INSTANTIATE_TEST_SUITE_P(Wus, EachMode, ::testing::Values("soap", "xml", "dai"), [](const auto& instance) { return instance.param; });

// --- the DAI
// -------------------------------------------------------------------------------------------------------------------------------

class Dai : public ::testing::Test {
 protected:
  static constexpr const char* path = "/dai/addressing-synchroon";

  std::string headers(const std::string& to, const std::string& message_id = "urn:uuid:" + std::to_string(++numbers)) const {
    return "<a:To>" + to + "</a:To><a:From><a:Address>urn:dkintern:" + chain().consumer.options().oin +
           ":ZAAK:</a:Address></a:From><a:Action>" + action_of_question + "</a:Action><a:MessageID>" + message_id + "</a:MessageID>";
  }
  // As an application that was given nothing but the address (dai.key).
  RestAnswer post(const std::string& body, const std::string& type = "text/xml; charset=utf-8", http::Headers more = {}) const {
    Rest application("http://127.0.0.1:" + std::to_string(chain().consumer.internal_port()));
    return application.call("POST", path, body, type, std::move(more));
  }
  static inline int numbers = 0;
};

// ADP-112, WUS-260, WUS-263; adapter.md 2.5 arrow 7
TEST_F(Dai, AnApplicationCallsThroughIt) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer("dai-uit", "2W-be-S",
            {{"backend", {{"mode", "dai"}, {"daiAddress", "urn:dkintern:register:inschrijving:"}}},
             {"grants", {{{"oin", two.consumer.options().oin}, {"daiAddress", "urn:dkintern:0999:ZAAK:"}}}}},
            {{"partner", {{"daiAddress", "urn:dkintern:register:inschrijving:"}}}});
  two.backend.answers_in("dai", answer("24681357"));
  const auto to = std::string("urn:dkintern:register:inschrijving:");
  const auto called = post(envelope(headers(to, "nummer-1@zaak.intern.example"), in_dai(question("24681357"))));
  ASSERT_EQ(called.status, 200U) << called.body << two.provider.log();
  EXPECT_EQ(called.header("Content-Type"), "text/xml; charset=utf-8");
  EXPECT_THAT(called.body, HasSubstr("<soapenv:Body><dai:bericht xmlns:dai=\"http://www.stufstandaarden.nl/koppelvlak/dai0100\">"
                                     "<vraagInschrijvingResponse"));
  EXPECT_THAT(called.body, HasSubstr("24681357"));
  EXPECT_THAT(called.body, Not(HasSubstr("Header")));
  EXPECT_EQ(called.header("Schakel-Profile"), "2W-be-S");
  // The id of the application is the one outside; what is no IRI has the prefix.
  EXPECT_EQ(called.header("Schakel-Relates-To"), "urn:dkintern:nummer-1@zaak.intern.example");
  const auto asked = two.backend.last();
  EXPECT_THAT(asked.body, HasSubstr("<wsa:MessageID>urn:dkintern:nummer-1@zaak.intern.example</wsa:MessageID>"));
  EXPECT_THAT(asked.body, HasSubstr("<wsa:To>urn:dkintern:register:inschrijving:</wsa:To>"));
  EXPECT_THAT(asked.body, HasSubstr("<wsa:Address>urn:dkintern:0999:ZAAK:</wsa:Address>"));

  // The partner's fault is passed on without headers.
  two.backend.answers(500, "text/xml", envelope("", soap_fault(declared_detail)));
  const auto fault = post(envelope(headers(to), in_dai(question("24681357"))));
  EXPECT_EQ(fault.status, 500U);
  EXPECT_THAT(fault.body, HasSubstr("<faultstring>Onbekend inschrijfnummer</faultstring>"));
  EXPECT_THAT(fault.body, HasSubstr("<code>F1</code>"));
  EXPECT_THAT(fault.body, Not(HasSubstr("Header")));
  EXPECT_THAT(fault.body, Not(HasSubstr("StUF058")));
}

// adapter.md 2.5: own failures are Fo02
TEST_F(Dai, OwnFailuresAreFo02) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  offer_mode("dai");
  load_service(two.consumer, "dai-niemand",
               {{"role", "consumer"},
                {"ownOin", two.consumer.options().oin},
                {"profile", "2W-be"},
                {"partner",
                 {{"endpoint", "https://localhost:" + std::to_string(free_port()) + "/dienst"},
                  {"oin", "00000099000000330000"},
                  {"daiAddress", "urn:dkintern:register:niemand:"}}}});
  const auto before = two.backend.asked().size();
  const auto failure = [&](const RestAnswer& answer, const std::string& reason, const std::string& side) {
    EXPECT_EQ(answer.status, 500U) << answer.body;
    EXPECT_EQ(answer.header("Content-Type"), "text/xml; charset=utf-8");
    EXPECT_THAT(answer.body, HasSubstr("<StUF:berichtcode>Fo02</StUF:berichtcode>"));
    EXPECT_THAT(answer.body, HasSubstr("<StUF:code>StUF058</StUF:code><StUF:plek>" + side + "</StUF:plek>"));
    EXPECT_THAT(answer.body, HasSubstr("<StUF:details>" + reason));
    EXPECT_THAT(answer.body, HasSubstr(side == "client" ? "<faultcode>soapenv:Client" : "<faultcode>soapenv:Server"));
  };
  const auto nobody = "urn:dkintern:register:niemand:";
  RestAnswer unreachable;
  ASSERT_TRUE(becomes(
      [&] {
        unreachable = post(envelope(headers(nobody), in_dai(question("12345678"))));
        return unreachable.body.find("contract.unknown") == std::string::npos;
      },
      20s));
  failure(unreachable, "WUS-C-CONNECT", "server");
  failure(post(envelope(headers("urn:dkintern:iemand"), in_dai(question("12345678")))), "contract.unknown", "client");
  failure(post(envelope(headers(nobody), in_dai(question("123")))), "WUS-C-INPUT", "client");
  EXPECT_THAT(post(envelope(headers(nobody), in_dai(question("987654321")))).body, Not(HasSubstr("987654321"))) << "no value in a reason";
  failure(post(envelope(headers(nobody, "urn:uuid:tweemaal"), in_dai(question("12345678")))), "WUS-C-CONNECT", "server");
  failure(post(envelope(headers(nobody, "urn:uuid:tweemaal"), in_dai(question("12345678")))), "message.duplicateId", "client");
  EXPECT_EQ(two.backend.asked().size(), before);
}

// adapter.md section 4: DAI rows
TEST_F(Dai, WhatIsNoRequestIsFo03) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  offer_mode("dai");
  const auto before = two.backend.asked().size();
  const std::string to = "urn:dkintern:register:modus-dai:";
  const auto wrong = [&](const std::string& blocks, const std::string& body, const std::string& faultcode = "soapenv:Client") {
    const auto answer = post(envelope(blocks, body));
    EXPECT_EQ(answer.status, 500U) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr("<faultcode>" + faultcode + "</faultcode>")) << blocks << body;
    EXPECT_THAT(answer.body, HasSubstr("<StUF:berichtcode>Fo03</StUF:berichtcode>"));
    EXPECT_THAT(answer.body, HasSubstr("<StUF:code>StUF058</StUF:code><StUF:plek>client</StUF:plek>"));
    return answer.body;
  };
  const auto right = in_dai(question("12345678"));
  wrong("", right);
  wrong(headers("geen-iri"), right);
  wrong(headers(to), question("12345678"));
  wrong(headers(to), in_dai(""));
  wrong(headers(to), in_dai(question("12345678") + question("12345678")));
  wrong(headers(to) + "<w:Security xmlns:w=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd\"/>", right);
  wrong(headers(to) + "<x:k xmlns:x=\"urn:x\" s:mustUnderstand=\"1\"/>", right, "soapenv:MustUnderstand");
  EXPECT_THAT(wrong(headers(to, "urn:uuid:kruis") + "<x:k xmlns:x=\"urn:x\" s:mustUnderstand=\"1\"/>", right, "soapenv:MustUnderstand"),
              HasSubstr("<StUF:crossRefnummer>urn:uuid:kruis</StUF:crossRefnummer>"));
  EXPECT_THAT(post("<a>").body, HasSubstr("Fo03"));
  EXPECT_THAT(post("<!DOCTYPE a [<!ENTITY e 'v'>]><a>&e;</a>").body, HasSubstr("Fo03"));
  EXPECT_EQ(two.backend.asked().size(), before);
}

// ADP-115, ADP-802: who may, and where.
TEST_F(Dai, NeedsALoginAndTheInternalListener) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  offer_mode("dai");
  two.backend.answers_in("dai", answer("12345678"));
  const std::string to = "urn:dkintern:register:modus-dai:";
  const auto request = [&] { return envelope(headers(to), in_dai(question("12345678"))); };
  EXPECT_EQ(post(request()).status, 200U) << "with the key of the configuration";
  EXPECT_EQ(post(request(), "text/xml", {{"X-Api-Key", two.consumer.api_key()}}).status, 200U);
  EXPECT_EQ(post(request(), "text/xml", {{"Authorization", "Basic " + to_base64("zaak:" + two.consumer.api_key())}}).status, 200U);
  const auto stranger = post(request(), "text/xml", {{"X-Api-Key", "sk_test_iemand"}});
  EXPECT_EQ(stranger.status, 401U);
  EXPECT_THAT(stranger.header("WWW-Authenticate"), StartsWith("Basic"));
  EXPECT_EQ(post(request(), "application/json").status, 415U);
  EXPECT_EQ(post(request(), "text/xml", {{"Content-Encoding", "gzip"}}).status, 415U);
  Rest without("http://127.0.0.1:" + std::to_string(two.consumer.internal_port()));
  const auto shown = without.get(path);
  EXPECT_EQ(shown.status, 405U);
  EXPECT_EQ(shown.header("Allow"), "POST");
  Rest at_provider("http://127.0.0.1:" + std::to_string(two.provider.internal_port()));
  EXPECT_EQ(at_provider.call("POST", path, request(), "text/xml").status, 401U) << "no key is configured there";
  EXPECT_EQ(two.consumer.admin().call("POST", path, request(), "text/xml").status, 404U);
  Partner outside(two.pki, two.provider.identity().key_pair);
  EXPECT_EQ(outside
                .send("POST", "https://localhost:" + std::to_string(two.consumer.external_port()) + path, {{"Content-Type", "text/xml"}},
                      request())
                .status,
            404U);
}

// --- attachments
// ---------------------------------------------------------------------------------------------------------------------------

std::string binary(std::size_t size, std::uint32_t seed) {
  std::string octets(size, '\0');
  for (auto& octet : octets) octet = static_cast<char>((seed = seed * 1664525U + 1013904223U) >> 24U);
  return octets;
}
std::string include(const std::string& id) {
  return "<i:Include xmlns:i=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:" + id + "\"/>";
}
std::string notice_with(const std::string& attachment) {
  return "<meldWijziging xmlns=\"" + std::string(wus_types) +
         "\"><inschrijfnummer>12345678</inschrijfnummer><omschrijving>verhuizing</omschrijving><bijlage>" + attachment +
         "</bijlage></meldWijziging>";
}
std::string receipt_with(const std::string& proof) {
  return "<meldWijzigingResponse xmlns=\"" + std::string(wus_types) + "\"><ontvangstnummer>1</ontvangstnummer><bewijs>" + proof +
         "</bewijs></meldWijzigingResponse>";
}
constexpr const char* related = "multipart/related; boundary=grens; type=\"application/xop+xml\"; start=\"<r>\"";
std::string package(const std::string& root_type, const std::string& root, const std::string& octets) {
  return "--grens\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"" + root_type + "\"\r\nContent-ID: <r>\r\n\r\n" + root +
         "\r\n--grens\r\nContent-ID: <b>\r\n\r\n" + octets + "\r\n--grens--\r\n";
}
// The text of the one element that came as a part.
std::string attached(const RestAnswer& answer, wus::PlainForm form) {
  const auto plain = wus::read_plain(answer.body, answer.header("Content-Type"), form, 64 << 20);
  if (!plain) return plain.error().code;
  return plain->mtom && plain->binary_elements.size() == 1 ? plain->binary_elements.front().text() : "no attachment";
}

class Attachments : public ::testing::TestWithParam<std::string> {};

// WUS-180..184, WUS-244; wus.md 3.7: from an application through both nodes to a back-end and back, as MTOM all the way.
TEST_P(Attachments, TravelAsMtomOnBothPlainSides) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  const auto name = "bijlagen-" + GetParam();
  two.offer(name, GetParam(), {{"mtom", "optional"}, {"backend", {{"mtom", true}}}}, {{"mtom", "optional"}});
  const auto octets = binary(300'000, 7), proof = binary(200'000, 9);
  two.backend.answers(200, related, package("application/xml", receipt_with(include("b")), proof));

  const auto path = "/api/v1/wus/" + name;
  auto api = two.consumer.application();
  const auto called = api.call("POST", path + "/meldWijziging", package("application/xml", notice_with(include("b")), octets), related);
  ASSERT_EQ(called.status, 200U) << called.body.substr(0, 1000) << two.provider.log();
  EXPECT_THAT(called.header("Content-Type"), HasSubstr("start-info=\"application/xml\""));
  EXPECT_EQ(attached(called, wus::PlainForm::element), to_base64(proof));
  auto asked = two.backend.last();
  EXPECT_THAT(asked.header("Content-Type"), StartsWith("multipart/related"));
  EXPECT_THAT(asked.body, HasSubstr("\r\n\r\n" + octets + "\r\n--"));

  const auto soap =
      api.call("POST", path,
               package("text/xml",
                       envelope("<a:Action>" + std::string(wus_wsdl) + "/IInschrijvingService_v1/meldWijzigingRequest</a:Action>",
                                notice_with(include("b"))),
                       octets),
               related);
  ASSERT_EQ(soap.status, 200U) << soap.body.substr(0, 1000);
  EXPECT_THAT(soap.header("Content-Type"), HasSubstr("start-info=\"text/xml\""));
  EXPECT_EQ(attached(soap, wus::PlainForm::envelope), to_base64(proof));

  // The same call without MTOM has its answer without; so it is outside and at the back-end.
  const auto plain = api.call("POST", path + "/meldWijziging", notice("klein"), "application/xml");
  ASSERT_EQ(plain.status, 200U) << plain.body.substr(0, 1000);
  EXPECT_EQ(plain.header("Content-Type"), "application/xml; charset=utf-8");
  EXPECT_THAT(plain.body, HasSubstr("<bewijs>" + to_base64(proof) + "</bewijs>"));
}

// adapter.md 2.1.3: `attachments` of POST /calls
TEST_P(Attachments, TravelInJson) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  const auto name = "bijlagen-" + GetParam();
  two.offer(name, GetParam(), {{"mtom", "optional"}, {"backend", {{"mtom", true}}}}, {{"mtom", "optional"}});
  const auto octets = binary(100'000, 3), proof = binary(50'000, 5);
  two.backend.answers(receipt_with(to_base64(proof)));
  auto api = two.consumer.application();
  Json call{{"contractId", name},
            {"operation", "meldWijziging"},
            {"body", notice_with(include("b"))},
            {"attachments", {{{"contentId", "b"}, {"contentType", "application/pdf"}, {"data", to_base64(octets)}}}}};
  const auto called = api.post("/api/v1/calls", call);
  ASSERT_EQ(called.status, 200U) << called.body.substr(0, 1000) << two.provider.log();
  EXPECT_THAT(two.backend.last().body, HasSubstr("\r\n\r\n" + octets + "\r\n--"));
  const auto attachments = called.json()["attachments"];
  ASSERT_EQ(attachments.size(), 1U) << called.body.substr(0, 1000);
  EXPECT_EQ(attachments[0].value("data", ""), to_base64(proof));
  EXPECT_EQ(attachments[0].value("size", 0), 50'000);
  EXPECT_EQ(attachments[0].value("contentType", ""), "application/octet-stream");
  EXPECT_THAT(called.json().value("body", ""), HasSubstr("href=\"cid:" + attachments[0].value("contentId", "-") + "\""));

  // An empty list asks for the answer's attachments; without the member everything stands in the body.
  call["attachments"] = Json::array();
  call["body"] = notice("klein");
  EXPECT_EQ(api.post("/api/v1/calls", call).json()["attachments"].size(), 1U);
  call.erase("attachments");
  const auto inside = api.post("/api/v1/calls", call).json();
  EXPECT_FALSE(inside.contains("attachments"));
  EXPECT_THAT(inside.value("body", ""), HasSubstr(to_base64(proof)));
}

INSTANTIATE_TEST_SUITE_P(Wus, Attachments, ::testing::Values("2W-be", "2W-be-S", "2W-be-SE"), [](const auto& instance) {
  std::string name;
  for (const char c : instance.param)
    if (c != '-') name += c;
  return name;
});

// wus.md 3.7, adapter.md 2.5: in the other modes of the back-end, and where the settings say no.
TEST(WusAttachments, FollowTheSettings) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  const auto octets = binary(5'000, 11), proof = binary(5'000, 13);
  for (const std::string mode : {"soap", "dai"}) {
    const auto name = "bijlagen-" + mode;
    two.offer(name, "2W-be-S", {{"mtom", "optional"}, {"backend", {{"mtom", true}, {"mode", mode}}}}, {{"mtom", "optional"}});
    const auto reply = receipt_with(include("b"));
    two.backend.answers(200, related, package("text/xml", envelope("", mode == "dai" ? in_dai(reply) : reply), proof));
    const auto called = two.consumer.application().call("POST", "/api/v1/wus/" + name + "/meldWijziging",
                                                        package("application/xml", notice_with(include("b")), octets), related);
    ASSERT_EQ(called.status, 200U) << mode << called.body.substr(0, 1000) << two.provider.log();
    EXPECT_EQ(attached(called, wus::PlainForm::element), to_base64(proof)) << mode;
    EXPECT_THAT(two.backend.last().header("Content-Type"), HasSubstr("start-info=\"text/xml\"")) << mode;
    EXPECT_THAT(two.backend.last().body, HasSubstr("\r\n\r\n" + octets + "\r\n--")) << mode;
  }
  // No MTOM outside: the attachment is in the message, and the back-end gets it so.
  offer_mode("xml");
  two.backend.answers(receipt_with(to_base64(proof)));
  auto api = two.consumer.application();
  const auto called =
      api.call("POST", "/api/v1/wus/modus-xml/meldWijziging", package("text/xml", notice_with(include("b")), octets), related);
  ASSERT_EQ(called.status, 200U) << called.body.substr(0, 1000);
  EXPECT_EQ(attached(called, wus::PlainForm::element), to_base64(proof)) << "the answer is in the form of the call";
  EXPECT_EQ(two.backend.last().header("Content-Type"), "application/xml; charset=utf-8");
  EXPECT_THAT(two.backend.last().body, HasSubstr(to_base64(octets)));

  const auto before = two.backend.asked().size();
  const auto code = [&](const std::string& entity, const std::string& type = related) {
    const auto refused = api.call("POST", "/api/v1/wus/modus-xml/meldWijziging", entity, type);
    EXPECT_THAT(refused.body, Not(HasSubstr("verhuizing")));
    return std::pair(refused.status, refused.json().value("code", ""));
  };
  using Refusal = std::pair<unsigned, std::string>;
  EXPECT_EQ(code("--grens--"), Refusal(400U, "WUS-C-INPUT"));
  EXPECT_EQ(code(package("application/xml", notice_with(include("andere")), octets)), Refusal(400U, "WUS-C-INPUT"));
  EXPECT_EQ(code(package("application/xml", notice_with("YQ=="), octets)), Refusal(400U, "WUS-C-INPUT"));
  EXPECT_EQ(code(package("application/xml", notice_with(include("b")), octets), "multipart/related; boundary=grens; type=\"text/xml\""),
            Refusal(415U, "request.mediaType"));
  EXPECT_EQ(code(package("application/xml", notice_with(include("b")), octets), "multipart/form-data; boundary=grens"),
            Refusal(415U, "request.mediaType"));
  const auto json = [&](const Json& attachments, const std::string& body) {
    const auto refused = api.post(
        "/api/v1/calls", {{"contractId", "modus-xml"}, {"operation", "meldWijziging"}, {"body", body}, {"attachments", attachments}});
    return std::pair(refused.status, refused.json().value("code", ""));
  };
  const Json one{{"contentId", "b"}, {"data", "YQ=="}};
  EXPECT_EQ(json(Json::array(), notice_with(include("b"))), Refusal(400U, "WUS-C-INPUT"));
  EXPECT_EQ(json(Json::array({one}), notice_with("YQ==")), Refusal(400U, "WUS-C-INPUT"));
  EXPECT_EQ(json(Json::array({one, one}), notice_with(include("b"))), Refusal(400U, "WUS-C-INPUT"));
  EXPECT_EQ(json(Json::array({{{"contentId", "b"}, {"data", "!"}}}), notice_with(include("b"))), Refusal(400U, "request.invalid"));
  EXPECT_EQ(json(Json::array({{{"contentId", "b"}}}), notice_with(include("b"))), Refusal(400U, "request.invalid"));
  EXPECT_EQ(json(Json::array({{{"contentId", "b"}, {"data", ""}, {"x", 1}}}), notice_with(include("b"))), Refusal(400U, "request.invalid"));
  EXPECT_EQ(json(Json::array({{{"contentId", "b"}, {"contentType", "x"}, {"data", ""}}}), notice_with(include("b"))),
            Refusal(400U, "request.invalid"));
  EXPECT_EQ(json("x", notice_with(include("b"))), Refusal(400U, "request.invalid"));
  EXPECT_EQ(two.backend.asked().size(), before) << "nothing of it went outside";
}

}  // namespace
}  // namespace schakel::integration
