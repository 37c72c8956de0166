#include "wus/plain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "xml/canonical.hpp"

namespace schakel::wus {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view soap = "http://schemas.xmlsoap.org/soap/envelope/";
constexpr std::size_t plenty = 100'000;

std::string enveloped(std::string_view body, std::string_view header = {}) {
  return "<s:Envelope xmlns:s=\"" + std::string(soap) + "\" xmlns:wsa=\"http://www.w3.org/2005/08/addressing\"><s:Header>" +
         std::string(header) + "</s:Header><s:Body>" + std::string(body) + "</s:Body></s:Envelope>";
}

std::string refused(std::string_view octets, PlainForm form = PlainForm::envelope) {
  const auto read = read_plain(octets, "text/xml", form, plenty);
  return read ? std::string() : read.error().code;
}

// WUS-244, wus.md 3.7
TEST(Plain, AnEnvelopeGivesItsPayloadAndTheHeadersThatCount) {
  const auto read = read_plain(enveloped("<v:vraag xmlns:v=\"urn:v\"/>",
                                         "<wsa:Action> urn:a </wsa:Action><wsa:MessageID>urn:m</wsa:MessageID>"
                                         "<wsa:To>urn:ignored</wsa:To><x:other xmlns:x=\"urn:x\"/>"),
                               "text/xml; charset=utf-8", PlainForm::envelope, plenty);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->payload.is("urn:v", "vraag"));
  EXPECT_EQ(read->action, "urn:a");
  EXPECT_EQ(read->message_id, "urn:m");
  EXPECT_FALSE(read->is_fault);
}

TEST(Plain, AnElementIsItsOwnPayload) {
  const auto read = read_plain("<v:vraag xmlns:v=\"urn:v\"/>", "application/xml", PlainForm::element, plenty);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->payload.is("urn:v", "vraag"));
}

TEST(Plain, WhatIsNoEnvelopeIsRefused) {
  EXPECT_EQ(refused("<v:vraag xmlns:v=\"urn:v\"/>"), "plain.envelope");
  EXPECT_EQ(refused(enveloped("")), "plain.envelope");
  EXPECT_EQ(refused(enveloped("<a/><b/>")), "plain.envelope");
  EXPECT_EQ(refused("<s:Envelope xmlns:s=\"" + std::string(soap) + "\"><s:Body><a/></s:Body><s:Body><a/></s:Body></s:Envelope>"),
            "plain.envelope");
  EXPECT_EQ(refused("<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><a/></s:Body></s:Envelope>"),
            "plain.envelope");
  EXPECT_EQ(refused("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", PlainForm::element), "xml.doctype");
  EXPECT_EQ(refused("", PlainForm::element), "xml.notWellFormed");
  EXPECT_EQ(refused("<?p i?><a/>", PlainForm::element), "xml.instruction") << "as outside (WUS-021)";
  EXPECT_EQ(refused("<a xmlns=\"urn:a\"><b xmlns:c=\"x/y\"/></a>", PlainForm::element), "xml.canonical") << "it could not be handed on";
  EXPECT_EQ(refused(enveloped("<a xmlns=\"urn:a\"/>", "<x xmlns=\"relative\"/>")), "xml.canonical") << "wherever it stands";
}

// WUS-202: a prefix that only a value uses stays declared.
TEST(Plain, HandedOnIsTheSameElementWithEveryDeclarationInScope) {
  const auto read =
      read_plain("<s:Envelope xmlns:s=\"" + std::string(soap) +
                     "\" xmlns:t=\"urn:types\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xml:lang=\"nl\"><s:Body>"
                     "<v xmlns=\"urn:v\" xsi:type=\"t:Soort\">a &amp; b<!-- gone --><w xmlns:d=\"urn:deep\" "
                     "xsi:type=\"d:Soort\"/></v></s:Body></s:Envelope>",
                 "text/xml", PlainForm::envelope, plenty);
  ASSERT_TRUE(read);
  const auto given = handed_on(read->payload);
  EXPECT_THAT(given, HasSubstr("xmlns:t=\"urn:types\""));
  EXPECT_THAT(given, HasSubstr("xmlns:d=\"urn:deep\"")) << "declared below, used in a value only";
  EXPECT_THAT(given, Not(HasSubstr("xml:lang"))) << "of the envelope";
  const auto again = xml::Document::parse(given, {});
  ASSERT_TRUE(again);
  EXPECT_EQ(xml::canonicalise(again->root()).value(), xml::canonicalise(read->payload).value());
}

TEST(Plain, EnvelopesThatAreMadeCanBeReadBack) {
  Addressing addressing;
  addressing.action = "urn:a?x=1&y=2";
  addressing.message_id = "urn:uuid:1";
  const auto read = read_plain(plain_envelope(plain_headers(addressing), "<v xmlns=\"urn:v\"/>"), "text/xml", PlainForm::envelope, plenty);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->action, addressing.action);
  EXPECT_EQ(read->message_id, addressing.message_id);
}

TEST(Plain, AnEnvelopeWithoutHeadersHasNoHeader) {
  EXPECT_EQ(plain_envelope("", "<v xmlns=\"urn:v\"/>").find("Header"), std::string::npos);
}

// --- MTOM
// ----------------------------------------------------------------------------------------------------------------------------------

constexpr std::string_view include = "<x:Include xmlns:x=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:a%40b\"/>";

std::string part(std::string_view head, std::string_view octets) {
  return "--grens\r\n" + std::string(head) + "\r\n\r\n" + std::string(octets) + "\r\n";
}
std::string root_of(std::string_view type, std::string_view xml, std::string_view charset = "UTF-8") {
  return part(
      "Content-Type: application/xop+xml; charset=" + std::string(charset) + "; type=\"" + std::string(type) + "\"\r\nContent-ID: <r@b>",
      xml);
}
constexpr std::string_view related = "multipart/related; boundary=grens; type=\"application/xop+xml\"; start=\"<r@b>\"";
const std::string octets("\0\1\2\r\n--x", 8);

// WUS-182, wus.md 3.7
TEST(Plain, APackageHasItsPartsInTheElement) {
  const auto element = "<v xmlns=\"urn:v\"><b>" + std::string(include) + "</b></v>";
  const auto entity = part("Content-ID: <a@b>", octets) + root_of("application/xml", element) + "--grens--\r\n";
  const auto read = read_plain(entity, related, PlainForm::element, plenty);
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_TRUE(read->mtom);
  ASSERT_EQ(read->binary_elements.size(), 1U);
  EXPECT_EQ(handed_on(read->payload), "<v xmlns=\"urn:v\"><b>" + to_base64(octets) + "</b></v>");

  const auto soap_entity = root_of("text/xml", enveloped(element)) + part("Content-ID: <a@b>", octets) + "--grens--\r\n";
  const auto soap_read = read_plain(soap_entity, related, PlainForm::envelope, plenty);
  ASSERT_TRUE(soap_read) << soap_read.error().detail;
  EXPECT_EQ(soap_read->binary_elements.size(), 1U);
  EXPECT_FALSE(read_plain(root_of("application/xml", enveloped(element)) + part("Content-ID: <a@b>", octets) + "--grens--\r\n", related,
                          PlainForm::envelope, plenty))
      << "an envelope is text/xml";

  const auto latin = root_of("application/xml", "<v xmlns=\"urn:v\">\xE9</v>", "ISO-8859-1") + "--grens--\r\n";
  const auto converted = read_plain(latin, related, PlainForm::element, plenty);
  ASSERT_TRUE(converted) << converted.error().detail;
  EXPECT_EQ(converted->payload.text(), "é");
  EXPECT_TRUE(converted->mtom);
}

TEST(Plain, ABrokenPackageIsRefused) {
  const auto element = "<v xmlns=\"urn:v\"><b>" + std::string(include) + "</b></v>";
  const auto code = [](const std::string& entity, std::string_view type = related) {
    const auto read = read_plain(entity, type, PlainForm::element, plenty);
    return read ? std::string() : read.error().code;
  };
  const auto root = root_of("application/xml", element), attached = part("Content-ID: <a@b>", octets);
  EXPECT_EQ(code(root + attached + "--grens--"), "");
  EXPECT_EQ(code(root + "--grens--"), "wus.envelope") << "the part is missing";
  EXPECT_EQ(code(root + attached + part("Content-ID: <c@b>", "x") + "--grens--"), "wus.envelope") << "a part that nobody includes";
  EXPECT_EQ(code(root + attached), "wus.envelope") << "cut off";
  EXPECT_EQ(code(root_of("application/soap+xml", element) + attached + "--grens--"), "wus.envelope");
  EXPECT_EQ(code(root + attached + "--grens--", "multipart/related; boundary=grens; type=\"text/xml\""), "xml.notWellFormed")
      << "SOAP with Attachments is none";
  EXPECT_EQ(
      read_plain(root + part("Content-ID: <a@b>", std::string(4000, 'x')) + "--grens--", related, PlainForm::element, 5000).error().code,
      "wus.limit");
}

// wus.md 3.7: what JSON brings beside its body.
TEST(Plain, AnElementMayHavePartsThatCameOtherwise) {
  const auto with = [](std::string_view element, std::vector<Part> parts) { return read_plain(element, std::move(parts), plenty); };
  const auto element = "<v xmlns=\"urn:v\"><b>" + std::string(include) + "</b></v>";
  const Part one{.content_id = "a@b", .content_type = {}, .encoded = {}, .decoded = octets};
  const auto read = with(element, {one});
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(handed_on(read->payload), "<v xmlns=\"urn:v\"><b>" + to_base64(octets) + "</b></v>");
  EXPECT_EQ(read->binary_elements.size(), 1U);
  EXPECT_TRUE(with("<v xmlns=\"urn:v\"/>", {}));
  EXPECT_FALSE(with(element, {}));
  EXPECT_FALSE(with("<v xmlns=\"urn:v\"/>", {one}));
  EXPECT_FALSE(with("<v xmlns=\"urn:v\"><b>" + std::string(include) + "</b><b>" + std::string(include) + "</b></v>", {one}));
}

// WUS-184, WUS-202
TEST(Plain, LongBinaryTextsAreHandedOnBesideTheElement) {
  SystemRandom random;
  const std::string large(2000, '\x90');
  auto read =
      read_plain("<v xmlns=\"urn:v\" xmlns:xmime=\"http://www.w3.org/2005/05/xmlmime\"><b xmime:contentType=\"image/png\">" +
                     to_base64(large) + "</b><b> " + to_base64(octets) + " </b><b/><b>geen base64!</b><c>" + to_base64(large) + "</c></v>",
                 "application/xml", PlainForm::element, plenty);
  ASSERT_TRUE(read);
  const auto whole = xml::canonicalise(read->payload).value();
  const auto given = handed_on_apart(read->document, read->payload, read->payload.children("urn:v", "b"), 1024, random);
  ASSERT_EQ(given.attachments.size(), 1U);
  EXPECT_EQ(given.attachments[0].octets, large);
  EXPECT_EQ(given.attachments[0].part.content_type, "image/png");
  EXPECT_THAT(given.text, HasSubstr("<b xmime:contentType=\"image/png\">" + xop_include(given.attachments[0].part) + "</b>"));
  EXPECT_THAT(given.text, HasSubstr("<b> " + to_base64(octets) + " </b>"));
  EXPECT_THAT(given.text, HasSubstr("<c>" + to_base64(large) + "</c>")) << "not one of those that may";

  const auto entity = mtom_entity(given.text, given.attachments, "application/xml", random);
  const auto back = read_plain(entity.octets, entity.content_type, PlainForm::element, plenty);
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(xml::canonicalise(back->payload).value(), whole);
  EXPECT_THAT(entity.content_type, HasSubstr("start-info=\"application/xml\""));
  EXPECT_THAT(entity.octets, HasSubstr("Content-Type: image/png\r\n"));
}

// WUS-027: what a package has no room for stays where it is.
TEST(Plain, APackageHasAtMostItsNumberOfParts) {
  SystemRandom random;
  std::string element = "<v xmlns=\"urn:v\">";
  for (std::size_t i = 0; i < parts_max + 3; ++i) element += "<b>" + to_base64(octets) + "</b>";
  auto read = read_plain(element + "</v>", "application/xml", PlainForm::element, plenty);
  ASSERT_TRUE(read);
  const auto given = handed_on_apart(read->document, read->payload, read->payload.children(), 1, random);
  EXPECT_EQ(given.attachments.size(), parts_max - 1);
  const auto entity = mtom_entity(given.text, given.attachments, "text/xml", random);
  EXPECT_TRUE(read_plain(entity.octets, entity.content_type, PlainForm::element, plenty));
}

}  // namespace
}  // namespace schakel::wus
