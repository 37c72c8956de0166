#include "wus/backend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wus/names.hpp"

namespace schakel::wus {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Operation operation() {
  Operation one;
  one.name = "vraag";
  one.input = {"urn:v", "vraag"};
  one.output = {"urn:v", "antwoord"};
  one.input_action = "urn:v/vraagRequest";
  one.output_action = "urn:v/vraagResponse";
  one.faults.push_back({"fout", {"urn:v", "fout"}, "urn:v/vraag/Fault/fout"});
  return one;
}

Settings in_mode(BackendMode mode) {
  Settings settings;
  settings.profile = Profile::be_s;
  settings.backend_mode = mode;
  settings.backend_timeout = std::chrono::seconds(7);
  return settings;
}

// A request as it is after all checks: its payload.
Message request_of(std::string_view payload) {
  Message message(xml::Document::parse(payload, {}).value());
  message.payload = message.document.root();
  return message;
}
http::ClientRequest sent(Message& message, const Settings& settings, const CallFacts& facts,
                         const BackendPlace& place = {.url = "http://127.0.0.1/x"}) {
  SystemRandom random;
  return backend_request(place, settings, facts, message, nullptr, random);
}

http::ClientResponse response(unsigned status, std::string type, std::string body) {
  return {.status = status, .headers = {{"Content-Type", std::move(type)}}, .body = std::move(body)};
}

Result<BackendAnswer> answer(BackendMode mode, unsigned status, std::string type, std::string body) {
  return read_backend_answer(response(status, std::move(type), std::move(body)), in_mode(mode), operation(), nullptr);
}
std::string refusal(BackendMode mode, unsigned status, std::string type, std::string body) {
  const auto read = answer(mode, status, std::move(type), std::move(body));
  return read ? std::string() : read.error().code;
}

std::string enveloped(const std::string& body) {
  return "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header><x xmlns=\"urn:ignored\"/></s:Header><s:Body>" +
         body + "</s:Body></s:Envelope>";
}

// WUS-244, wus.md 3.7
TEST(BackendRequest, ModeXmlSendsTheElementAloneWithItsMetadata) {
  auto message = request_of("<v:vraag xmlns:v=\"urn:v\">1</v:vraag>");
  const auto one = operation();
  CallFacts facts;
  facts.operation = &one;
  facts.addressing.message_id = "urn:uuid:1";
  facts.addressing.action = one.input_action;
  facts.addressing.from = "https://afnemer.example/?OIN=00000001800000001000";
  facts.addressing.reply_to = std::string(uri::anonymous);
  facts.sender_oin = facts.signer_oin = "00000001800000001000";
  facts.peer_oin = "00000001800000003000";
  facts.receiver_oin = "00000001800000002000";
  facts.peer_certificate_sha256 = "ab";
  const auto request =
      sent(message, in_mode(BackendMode::xml), facts, {.url = "http://127.0.0.1/x", .api_key_header = "X-Api-Key", .api_key = "sk"});
  EXPECT_EQ(request.body, "<v:vraag xmlns:v=\"urn:v\">1</v:vraag>");
  EXPECT_EQ(request.url, "http://127.0.0.1/x");
  EXPECT_EQ(request.response_timeout, std::chrono::seconds(7));
  const auto header = [&](std::string_view name) { return request.headers.find(name).value_or("-"); };
  EXPECT_EQ(header("Content-Type"), "application/xml; charset=utf-8");
  EXPECT_EQ(header("Schakel-Message-Id"), "urn:uuid:1");
  EXPECT_EQ(header("Schakel-Operation"), "vraag");
  EXPECT_EQ(header("Schakel-Action"), one.input_action);
  EXPECT_EQ(header("Schakel-Sender-Oin"), "00000001800000001000");
  EXPECT_EQ(header("Schakel-Peer-Oin"), "00000001800000003000");
  EXPECT_EQ(header("Schakel-Signer-Oin"), "00000001800000001000");
  EXPECT_EQ(header("Schakel-Receiver-Oin"), "00000001800000002000");
  EXPECT_EQ(header("Schakel-From-Address"), facts.addressing.from);
  EXPECT_EQ(header("Schakel-Profile"), "2W-be-S");
  EXPECT_EQ(header("Schakel-Reply-To"), "-") << "only with replyToPassthrough";
  EXPECT_EQ(header("X-Api-Key"), "sk");

  facts.addressing.from = "urn:a\r\nX-Evil: 1";
  EXPECT_EQ(sent(message, in_mode(BackendMode::xml), facts).headers.find("Schakel-From-Address"), std::nullopt)
      << "a line end is no header value";
}

TEST(BackendRequest, ModeSoapSendsAnEnvelopeWithoutSecurity) {
  auto message = request_of("<v:vraag xmlns:v=\"urn:v\"/>");
  const auto extra = xml::Document::parse("<k:kenmerk xmlns:k=\"urn:k\">7</k:kenmerk>", {}).value();
  message.extra_headers = {extra.root()};
  const auto one = operation();
  CallFacts facts;
  facts.operation = &one;
  facts.addressing = {.to = "https://a.example/?OIN=00000001800000002000",
                      .action = one.input_action,
                      .message_id = "urn:uuid:1",
                      .relates_to = {},
                      .from = "https://b.example/",
                      .reply_to = std::string(uri::anonymous),
                      .fault_to = {}};
  facts.soap_action = "\"urn:v/vraagRequest\"";
  const auto request = sent(message, in_mode(BackendMode::soap), facts);
  EXPECT_EQ(request.headers.find("SOAPAction"), "\"urn:v/vraagRequest\"");
  EXPECT_EQ(request.headers.find("Content-Type"), "text/xml; charset=utf-8");
  EXPECT_EQ(request.headers.find("Accept"), "text/xml");
  EXPECT_THAT(request.body, HasSubstr("<wsa:To>https://a.example/?OIN=00000001800000002000</wsa:To>"));
  EXPECT_THAT(request.body, HasSubstr("<wsa:Action>urn:v/vraagRequest</wsa:Action>"));
  EXPECT_THAT(request.body, HasSubstr("<wsa:MessageID>urn:uuid:1</wsa:MessageID>"));
  EXPECT_THAT(request.body, HasSubstr("<wsa:From><wsa:Address>https://b.example/</wsa:Address></wsa:From>"));
  EXPECT_THAT(request.body,
              HasSubstr("<wsa:ReplyTo><wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address></wsa:ReplyTo>"));
  EXPECT_THAT(request.body, HasSubstr("<k:kenmerk xmlns:k=\"urn:k\">7</k:kenmerk></soapenv:Header>"));
  EXPECT_THAT(request.body, Not(HasSubstr("Security")));
}

// WUS-244, adapter.md 2.5 arrow 8
TEST(BackendRequest, ModeDaiWrapsThePayload) {
  auto message = request_of("<v:vraag xmlns:v=\"urn:v\">1</v:vraag>");
  const auto extra = xml::Document::parse("<k:kenmerk xmlns:k=\"urn:k\">7</k:kenmerk>", {}).value();
  message.extra_headers = {extra.root()};
  const auto one = operation();
  CallFacts facts;
  facts.operation = &one;
  facts.addressing.to = "https://a.example/";
  facts.addressing.action = one.input_action;
  facts.addressing.message_id = "1@afnemer.example";
  facts.soap_action = "\"urn:v/vraagRequest\"";
  facts.sender_oin = "00000001800000001000";
  const auto request =
      sent(message, in_mode(BackendMode::dai), facts,
           {.url = "http://127.0.0.1/dai", .dai_to = "urn:dkintern:00000001800000002000:appX:", .dai_from = "urn:dkintern:wrdkmr"});
  EXPECT_EQ(request.headers.find("SOAPAction"), "\"\"");
  EXPECT_EQ(request.headers.find("Content-Type"), "text/xml; charset=utf-8");
  EXPECT_EQ(request.headers.find("Schakel-Sender-Oin"), "00000001800000001000");
  EXPECT_EQ(
      request.body,
      "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" "
      "xmlns:wsa=\"http://www.w3.org/2005/08/addressing\"><soapenv:Header>"
      "<wsa:To>urn:dkintern:00000001800000002000:appX:</wsa:To><wsa:Action>urn:v/vraagRequest</wsa:Action>"
      "<wsa:MessageID>urn:dkintern:1@afnemer.example</wsa:MessageID>"
      "<wsa:From><wsa:Address>urn:dkintern:wrdkmr</wsa:Address></wsa:From></soapenv:Header><soapenv:Body>"
      "<dai:bericht xmlns:dai=\"http://www.stufstandaarden.nl/koppelvlak/dai0100\"><v:vraag xmlns:v=\"urn:v\">1</v:vraag></dai:bericht>"
      "</soapenv:Body></soapenv:Envelope>");
}

// WUS-184, wus.md 3.7: `backend_mtom`
TEST(BackendRequest, AttachmentsGoOnAsMtomWhenTheyCameSo) {
  const std::string octets(2000, '\x80'), few(10, '\x80');
  const auto payload =
      "<v:vraag xmlns:v=\"urn:v\"><v:bijlage>" + to_base64(octets) + "</v:bijlage><v:bijlage>" + to_base64(few) + "</v:bijlage></v:vraag>";
  const auto one = operation();
  CallFacts facts;
  facts.operation = &one;
  const auto with = [&](BackendMode mode, bool came_as_mtom, bool wanted) {
    auto message = request_of(payload);
    message.mtom = came_as_mtom;
    if (came_as_mtom) message.binary_elements = message.payload.children();
    auto settings = in_mode(mode);
    settings.backend_mtom = wanted;
    return sent(message, settings, facts);
  };
  for (const auto& [came, wanted] : {std::pair(false, true), std::pair(true, false), std::pair(false, false)}) {
    const auto inlined = with(BackendMode::xml, came, wanted);
    EXPECT_EQ(inlined.headers.find("Content-Type"), "application/xml; charset=utf-8");
    EXPECT_EQ(inlined.body, payload);
  }
  EXPECT_EQ(with(BackendMode::xml, false, true).headers.find("Accept"), "application/xml, multipart/related, application/problem+json");

  for (const auto mode : {BackendMode::xml, BackendMode::soap, BackendMode::dai}) {
    const auto request = with(mode, true, true);
    const auto type = std::string(request.headers.find("Content-Type").value_or(""));
    const std::string root_type = mode == BackendMode::xml ? "application/xml" : "text/xml";
    EXPECT_THAT(type, HasSubstr("multipart/related; "));
    EXPECT_THAT(type, HasSubstr("start-info=\"" + root_type + "\""));
    EXPECT_THAT(request.body, HasSubstr("application/xop+xml; charset=UTF-8; type=\"" + root_type + "\""));
    EXPECT_THAT(request.body, HasSubstr("\r\n\r\n" + octets + "\r\n--"));
    EXPECT_THAT(request.body, HasSubstr("<v:bijlage>" + to_base64(few) + "</v:bijlage>")) << "below mtom_threshold";
    auto back = read_plain(request.body, type, mode == BackendMode::xml ? PlainForm::element : PlainForm::envelope, 100'000);
    ASSERT_TRUE(back) << back.error().detail;
    if (mode == BackendMode::dai) back->payload = back->payload.first_child();
    EXPECT_EQ(handed_on(back->payload).substr(handed_on(back->payload).find("<v:bijlage>")), payload.substr(payload.find("<v:bijlage>")));
  }
}

// WUS-200, WUS-245
TEST(BackendAnswer, WhatIsNoAnswerBecomesOneOfTwoFaults) {
  const auto mode = BackendMode::xml;
  EXPECT_EQ(refusal(mode, 200, "application/xml", ""), "wus.backend");
  EXPECT_EQ(refusal(mode, 200, "application/xml", "<a>"), "wus.backend");
  EXPECT_EQ(refusal(mode, 200, "application/xml", "<x xmlns=\"urn:v\"/>"), "wus.backend");
  EXPECT_EQ(refusal(mode, 200, "application/xml", "<!DOCTYPE a><antwoord xmlns=\"urn:v\"/>"), "wus.backend");
  EXPECT_EQ(refusal(mode, 200, "text/xml", "<s:Fault xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"/>"), "wus.backend");
  EXPECT_EQ(refusal(mode, 204, "application/xml", ""), "wus.backend");
  EXPECT_EQ(refusal(mode, 302, "text/html", ""), "wus.backend");
  EXPECT_EQ(refusal(mode, 404, "text/html", "secret"), "wus.backendRefused");
  EXPECT_EQ(refusal(mode, 500, "text/html", "secret"), "wus.backendUnavailable");
  EXPECT_EQ(refusal(BackendMode::soap, 500, "text/html", "secret"), "wus.backendUnavailable");
  const auto away = read_backend_answer(fail("transport.connect", "refused"), in_mode(mode), operation(), nullptr);
  EXPECT_EQ(away.error().code, "wus.backendUnavailable");
  EXPECT_THAT(answer(mode, 404, "text/html", "secret").error().detail, Not(HasSubstr("secret")));
}

TEST(BackendAnswer, AnAnswerMayBeInAnyEncoding) {
  const auto read = answer(BackendMode::xml, 200, "application/xml",
                           "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><antwoord xmlns=\"urn:v\">\xE9</antwoord>");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->body, "<antwoord xmlns=\"urn:v\">é</antwoord>");
  EXPECT_EQ(read->action, "urn:v/vraagResponse");
  const auto soap = answer(BackendMode::soap, 200, "text/xml", enveloped("<antwoord xmlns=\"urn:v\"/>"));
  ASSERT_TRUE(soap);
  EXPECT_THAT(soap->body, HasSubstr("<antwoord "));
}

// WUS-201, WUS-244
TEST(BackendAnswer, AFaultOfTheBackendIsPassedOn) {
  const auto problem = [](const std::string& fault) {
    return answer(BackendMode::xml, 404, "application/problem+json", "{\"title\":\"x\",\"wusFault\":" + fault + "}");
  };
  const auto declared = problem(R"({"faultcode":"Client","faultstring":"Onbekend & weg","detailXml":"<fout xmlns=\"urn:v\"><a/></fout>"})");
  ASSERT_TRUE(declared);
  EXPECT_TRUE(declared->is_fault);
  EXPECT_EQ(declared->action, "urn:v/vraag/Fault/fout");
  EXPECT_THAT(declared->body, HasSubstr("Onbekend &amp; weg"));
  EXPECT_THAT(declared->body, HasSubstr("<fout xmlns=\"urn:v\"><a></a></fout>"));
  const auto bare = problem(R"({"faultcode":"Server","faultstring":"Storing"})");
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->action, uri::soap_fault_action);
  EXPECT_FALSE(problem(R"({"faultcode":"Other","faultstring":"x"})"));
  EXPECT_FALSE(problem(R"({"faultcode":"Client"})"));
  EXPECT_FALSE(problem(R"({"faultcode":"Client","faultstring":"x","detailXml":"<y xmlns=\"urn:v\"/>"})")) << "not declared";
  EXPECT_FALSE(problem(R"({"faultcode":"Client","faultstring":"x","detailXml":"<y"})"));
  EXPECT_EQ(problem("3").error().code, "wus.backend");

  const auto soap = answer(BackendMode::soap, 500, "text/xml",
                           enveloped("<s:Fault><faultcode>s:Client</faultcode><faultstring>nee</faultstring><detail><fout xmlns=\"urn:v\"/>"
                                     "</detail></s:Fault>"));
  ASSERT_TRUE(soap);
  EXPECT_TRUE(soap->is_fault);
  EXPECT_EQ(soap->action, "urn:v/vraag/Fault/fout");
  EXPECT_THAT(soap->body, HasSubstr("<faultstring>nee</faultstring>"));
}

std::string in_dai(const std::string& element) {
  return enveloped("<d:bericht xmlns:d=\"http://www.stufstandaarden.nl/koppelvlak/dai0100\">" + element + "</d:bericht>");
}

// WUS-244, adapter.md 2.5 arrow 8
TEST(BackendAnswer, ModeDaiAnswersInItsWrapper) {
  const auto mode = BackendMode::dai;
  const auto read = answer(mode, 200, "text/xml", in_dai("<antwoord xmlns=\"urn:v\"/>"));
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_THAT(read->body, HasSubstr("<antwoord "));
  EXPECT_EQ(read->action, "urn:v/vraagResponse");
  EXPECT_EQ(refusal(mode, 200, "text/xml", enveloped("<antwoord xmlns=\"urn:v\"/>")), "wus.backend") << "not wrapped";
  EXPECT_EQ(refusal(mode, 200, "text/xml", in_dai("")), "wus.backend");
  EXPECT_EQ(refusal(mode, 200, "text/xml", in_dai("<antwoord xmlns=\"urn:v\"/><antwoord xmlns=\"urn:v\"/>")), "wus.backend");
  EXPECT_EQ(refusal(mode, 200, "text/xml", in_dai("<ander xmlns=\"urn:v\"/>")), "wus.backend");
  EXPECT_EQ(refusal(mode, 500, "text/xml", in_dai("<antwoord xmlns=\"urn:v\"/>")), "wus.backendUnavailable");
  EXPECT_EQ(refusal(mode, 404, "text/html", "secret"), "wus.backendRefused");
  const auto fault = answer(mode, 500, "text/xml",
                            enveloped("<s:Fault><faultcode>s:Server</faultcode><faultstring>stuk</faultstring><detail><f:Fo02Bericht "
                                      "xmlns:f=\"http://www.egem.nl/StUF/StUF0301\"/></detail></s:Fault>"));
  ASSERT_TRUE(fault);
  EXPECT_TRUE(fault->is_fault);
  EXPECT_EQ(fault->action, uri::soap_fault_action);
  EXPECT_THAT(fault->body, HasSubstr("Fo02Bericht")) << "passed on likewise";
}

// wus.md 3.7: a back-end may answer in MTOM, within the limits of the outside (WUS-027, WUS-182).
TEST(BackendAnswer, MayBeMtomWhereThatIsSet) {
  auto settings = in_mode(BackendMode::xml);
  settings.backend_mtom = true;
  const auto told = [&](const std::string& entity, const Settings& used) {
    return read_backend_answer(response(200, "multipart/related; boundary=x; type=\"application/xop+xml\"", entity), used, operation(),
                               nullptr);
  };
  const auto with_part = [](const std::string& octets, const std::string& type = "application/xml") {
    return "--x\r\nContent-Type: application/xop+xml; type=\"" + type +
           "\"\r\n\r\n<antwoord xmlns=\"urn:v\"><b><i:Include xmlns:i=\"http://www.w3.org/2004/08/xop/include\" "
           "href=\"cid:b\"/></b></antwoord>"
           "\r\n--x\r\nContent-ID: <b>\r\n\r\n" +
           octets + "\r\n--x--\r\n";
  };
  const auto read = told(with_part("\x80\x81"), settings);
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->body, "<antwoord xmlns=\"urn:v\"><b>" + to_base64("\x80\x81") + "</b></antwoord>");
  EXPECT_EQ(read->binary_elements, std::vector<std::size_t>{1U}) << "it goes outside as a part too";
  EXPECT_TRUE(told(with_part("x", "text/xml"), settings));
  EXPECT_EQ(told(with_part("x", "text/html"), settings).error().code, "wus.backend");
  EXPECT_EQ(told(with_part("x"), in_mode(BackendMode::xml)).error().code, "wus.backend") << "not set";
  settings.max_size = 1500;
  EXPECT_EQ(told(with_part(std::string(1100, 'x')), settings).error().code, "wus.backend") << "too large once it is text";
  settings.max_size = 100'000;
  std::string many = "--x\r\nContent-Type: application/xop+xml; type=\"application/xml\"\r\n\r\n<antwoord xmlns=\"urn:v\"/>\r\n";
  for (int i = 0; i < 64; ++i) many += "--x\r\nContent-ID: <" + std::to_string(i) + ">\r\n\r\nx\r\n";
  EXPECT_EQ(told(many + "--x--\r\n", settings).error().code, "wus.backend") << "65 parts";
}

// wus.md 3.7, last line: the parser limits of the outside.
TEST(BackendAnswer, HasTheLimitsOfTheOutside) {
  const auto mode = BackendMode::xml;
  EXPECT_EQ(refusal(mode, 200, "application/xml", "<antwoord xmlns=\"urn:v\"><?p i?></antwoord>"), "wus.backend");
  std::string deep = "<antwoord xmlns=\"urn:v\">";
  for (int i = 0; i < 128; ++i) deep += "<a>";
  for (int i = 0; i < 128; ++i) deep += "</a>";
  EXPECT_EQ(refusal(mode, 200, "application/xml", deep + "</antwoord>"), "wus.backend");
  std::string wide = "<antwoord xmlns=\"urn:v\"";
  for (int i = 0; i < 129; ++i) wide += " a" + std::to_string(i) + "=\"\"";
  EXPECT_EQ(refusal(mode, 200, "application/xml", wide + "/>"), "wus.backend");
}

}  // namespace
}  // namespace schakel::wus
