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

}  // namespace
}  // namespace schakel::wus
