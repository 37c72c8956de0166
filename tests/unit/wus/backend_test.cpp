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
  const auto document = xml::Document::parse("<v:vraag xmlns:v=\"urn:v\">1</v:vraag>", {}).value();
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
  const auto request = backend_request({.url = "http://127.0.0.1/x", .api_key_header = "X-Api-Key", .api_key = "sk"},
                                       in_mode(BackendMode::xml), facts, document.root(), {});
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
  EXPECT_EQ(backend_request({.url = "http://127.0.0.1/x", .api_key_header = {}, .api_key = {}}, in_mode(BackendMode::xml), facts,
                            document.root(), {})
                .headers.find("Schakel-From-Address"),
            std::nullopt)
      << "a line end is no header value";
}

TEST(BackendRequest, ModeSoapSendsAnEnvelopeWithoutSecurity) {
  const auto document = xml::Document::parse("<v:vraag xmlns:v=\"urn:v\"/>", {}).value();
  const auto extra = xml::Document::parse("<k:kenmerk xmlns:k=\"urn:k\">7</k:kenmerk>", {}).value();
  const auto one = operation();
  CallFacts facts;
  facts.operation = &one;
  facts.addressing.action = one.input_action;
  facts.addressing.message_id = "urn:uuid:1";
  facts.soap_action = "\"urn:v/vraagRequest\"";
  const auto request = backend_request({.url = "http://127.0.0.1/x", .api_key_header = {}, .api_key = {}}, in_mode(BackendMode::soap),
                                       facts, document.root(), {extra.root()});
  EXPECT_EQ(request.headers.find("SOAPAction"), "\"urn:v/vraagRequest\"");
  EXPECT_EQ(request.headers.find("Content-Type"), "text/xml; charset=utf-8");
  EXPECT_THAT(request.body, HasSubstr("<wsa:MessageID>urn:uuid:1</wsa:MessageID>"));
  EXPECT_THAT(request.body, HasSubstr("<k:kenmerk xmlns:k=\"urn:k\">7</k:kenmerk></soapenv:Header>"));
  EXPECT_THAT(request.body, Not(HasSubstr("Security")));
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

}  // namespace
}  // namespace schakel::wus
