#include "wus/header_peek.hpp"

#include <gtest/gtest.h>

namespace schakel::wus {
namespace {

const std::string start =
    "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:wsa=\"http://www.w3.org/2005/08/addressing\">";

// Fed in pieces of this size; "" when the end of the Header was not reached.
std::string outcome(std::string_view octets, std::size_t piece, PeekedHeaders* seen = nullptr) {
  HeaderPeek peek;
  for (std::size_t at = 0; at < octets.size(); at += piece) {
    const auto ended = peek.feed(octets.substr(at, piece));
    if (!ended) return ended.error().code;
    if (!*ended) continue;
    if (seen) *seen = peek.headers();
    return "ended";
  }
  return "";
}

// WUS-280, WUS-283
TEST(HeaderPeek, ReadsTheAddressingWhateverThePieces) {
  const auto octets =
      start +
      "<s:Header><wsa:To>\n https://a.example/x?OIN=00000001800000002000 </wsa:To><wsa:From><wsa:Address>urn:from</wsa:Address>"
      "</wsa:From><wsa:Action><![CDATA[urn:a]]></wsa:Action><wsa:MessageID>urn:m&amp;n</wsa:MessageID><x:y xmlns:x=\"urn:x\">"
      "<wsa:To>not this</wsa:To></x:y></s:Header><s:Body>anything";
  for (const std::size_t piece : {1U, 7U, 4096U}) {
    PeekedHeaders seen;
    ASSERT_EQ(outcome(octets, piece, &seen), "ended") << piece;
    EXPECT_EQ(seen.to, "https://a.example/x?OIN=00000001800000002000");
    EXPECT_EQ(seen.from, "urn:from");
    EXPECT_EQ(seen.action, "urn:a");
    EXPECT_EQ(seen.message_id, "urn:m&n");
  }
}

TEST(HeaderPeek, WhatComesAfterTheHeaderIsNotLookedAt) {
  EXPECT_EQ(outcome(start + "<s:Header/><s:Body><not<well<formed", 4096), "ended");
  EXPECT_EQ(outcome(start + "<s:Body><not<well<formed", 4096), "ended") << "no Header at all";
}

// WUS-283: refused, not forwarded
TEST(HeaderPeek, HostileHeadersAreRefused) {
  EXPECT_EQ(outcome("<!DOCTYPE x [<!ENTITY e \"v\">]>" + start, 4096), "wus.doctype");
  EXPECT_EQ(outcome(start + "<s:Header><wsa:To>a</wsa:To><wsa:To>b</wsa:To></s:Header>", 4096), "wus.headerTwice");
  EXPECT_EQ(outcome(start + "<s:Header><?pi x?></s:Header>", 4096), "wus.envelope");
  EXPECT_EQ(outcome(start + "<x/>", 4096), "wus.envelope");
  EXPECT_EQ(outcome("<Envelope/>", 4096), "wus.envelope");
  EXPECT_EQ(outcome("{\"no\": \"xml\"}", 4096), "wus.envelope");
  EXPECT_EQ(outcome("\xFF\xFE<\0", 4096), "wus.encoding");
  EXPECT_EQ(outcome("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" + start, 4096), "wus.encoding");
  EXPECT_EQ(outcome(start + "<s:Header><wsa:To>" + std::string(peek_bytes_max, 'x'), 4096), "wus.envelope");
  std::string deep = start + "<s:Header>";
  for (int i = 0; i < 130; ++i) deep += "<a>";
  EXPECT_EQ(outcome(deep, 4096), "wus.limit");
  std::string blocks = start + "<s:Header>";
  for (int i = 0; i < 33; ++i) blocks += "<a/>";
  EXPECT_EQ(outcome(blocks, 4096), "wus.limit");
  EXPECT_EQ(outcome(start + "<s:Header><wsa:To>", 4096), "") << "it goes on";
}

TEST(HeaderPeek, TheRootPartOfAMultipartEntityMustBeTheFirst) {
  const std::string type = "multipart/related; boundary=\"B\"; type=\"application/xop+xml\"; start=\"<root@x>\"; start-info=\"text/xml\"";
  EXPECT_EQ(root_offset("text/xml; charset=utf-8", "<a/>").value(), 0U);
  const std::string entity = "preamble\r\n--B\r\nContent-ID: <root@x>\r\n\r\n<a/>";
  EXPECT_EQ(root_offset(type, entity).value(), entity.find("<a/>"));
  EXPECT_EQ(root_offset(type, entity.substr(0, 20)).value(), std::string::npos);
  EXPECT_EQ(root_offset(type, "--B\r\nContent-ID: <other@x>\r\n\r\n").error().code, "wus.envelope");
  EXPECT_EQ(root_offset("multipart/related", entity).error().code, "wus.envelope");
}

}  // namespace
}  // namespace schakel::wus
