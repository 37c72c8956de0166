// An application of ebms-core on each side, over real nodes: one speaks REST, the other SOAP with MTOM (EB-210..213).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/world.hpp"

namespace schakel::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* rest = "/service/rest/v19/ebms";
constexpr const char* mtom = "/service/ebmsMTOM";

// As ebms-core's clients are configured: with a user name and a password.
http::Headers login(const Site& site) {
  return {{"Authorization", "Basic " + to_base64("admin:" + site.api_key())}};
}

struct Application {
  Rest http;
  http::Headers headers;

  explicit Application(const Site& site) : http("http://127.0.0.1:" + std::to_string(site.internal_port())), headers(login(site)) {}
  RestAnswer call(const std::string& method, const std::string& path, std::string body = {}, const std::string& type = {}) {
    return http.call(method, path, std::move(body), type, headers);
  }
  RestAnswer soap(const std::string& operation, const std::string& content) {
    return call("POST", mtom,
                "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><n:" + operation +
                    " xmlns:n=\"http://www.ordina.nl/ebms/2.18\">" + content + "</n:" + operation + "></s:Body></s:Envelope>",
                "text/xml; charset=UTF-8");
  }
};

std::string binary(std::size_t size) {
  std::string octets(size, '\0');
  std::uint32_t state = 7;
  for (auto& octet : octets) octet = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24U);
  return octets;
}

// EB-210, EB-212, EB-216
TEST(Facade, AMessageGoesFromRestToSoapWithItsAttachments) {
  const auto cpa = world().cpa({"rm", true, false});
  Application sender(world().stad), receiver(world().register_);
  const auto octets = binary(3 * 1024 * 1024);
  const Json properties{{"cpaId", cpa},         {"fromPartyId", "urn:osb:oin:00000099000000010000_T"},
                        {"fromRole", "Melder"}, {"service", "urn:osb:services:Voorbeeld:Meldingen:1:0"},
                        {"action", "meld"},     {"conversationId", "facade-1"}};
  const auto form = "--b\r\nContent-Disposition: form-data; name=\"requestProperties\"\r\nContent-Type: application/json\r\n\r\n" +
                    properties.dump() +
                    "\r\n--b\r\nContent-Disposition: form-data; name=\"attachment\"; filename=\"groot.bin\"\r\nContent-Type: "
                    "application/octet-stream\r\n\r\n" +
                    octets + "\r\n--b--\r\n";
  const auto sent = sender.call("POST", std::string(rest) + "/messages/mtom", form, "multipart/form-data; boundary=b");
  ASSERT_EQ(sent.status, 200U) << sent.body;
  const auto id = sent.body;

  const std::string filter = "<messageFilter><conversationId>facade-1</conversationId></messageFilter>";
  ASSERT_TRUE(becomes([&] { return receiver.soap("getUnprocessedMessageIds", filter).body.find(id) != std::string::npos; }, 15s))
      << world().register_.log();
  const auto shown = receiver.soap("getMessage", "<messageId>" + id + "</messageId><process>true</process>");
  ASSERT_EQ(shown.status, 200U) << shown.body.substr(0, 1000);
  EXPECT_THAT(shown.header("Content-Type"), StartsWith("multipart/related"));
  EXPECT_THAT(shown.body, HasSubstr("<partyId>urn:osb:oin:00000099000000010000_T</partyId><role>Melder</role>"));
  EXPECT_THAT(shown.body, HasSubstr("filename=\"groot.bin\"\r\n\r\n" + octets + "\r\n--"));
  EXPECT_EQ(receiver.soap("getUnprocessedMessageIds", filter).body.find(id), std::string::npos);

  const auto delivered = [&] {
    const auto events = sender.call("GET", std::string(rest) + "/events/unprocessed?conversationId=facade-1&eventTypes=DELIVERED").json();
    return events == Json({{{"messageId", id}, {"type", "DELIVERED"}}});
  };
  EXPECT_TRUE(becomes(delivered, 15s)) << world().stad.log();
  EXPECT_EQ(sender.call("GET", std::string(rest) + "/messages/" + id).json()["properties"]["messageStatus"], "DELIVERED");
  const auto status = sender.call("GET", std::string(rest) + "/messages/" + id + "/status");
  EXPECT_EQ(status.json().value("status", ""), "PROCESSED") << "the partner tells that its application said so" << status.body;
  EXPECT_EQ(sender.call("PATCH", std::string(rest) + "/events/" + id).status, 204U);
  EXPECT_FALSE(delivered());

  const auto again = sender.call("PUT", std::string(rest) + "/messages/" + id);
  ASSERT_EQ(again.status, 200U) << again.body;
  EXPECT_NE(again.body, id);
  EXPECT_TRUE(becomes([&] { return receiver.soap("getUnprocessedMessageIds", filter).body.find(again.body) != std::string::npos; }, 15s));
}

// EB-212: the other way, with attachments beside the envelope
TEST(Facade, AMessageGoesFromSoapToRest) {
  const auto cpa = world().cpa({"rm", true, false});
  Application sender(world().register_), receiver(world().stad);
  const auto octets = binary(400'000);
  const std::string envelope =
      "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><n:sendMessage "
      "xmlns:n=\"http://www.ordina.nl/ebms/2.18\"><message><properties><cpaId>" +
      cpa +
      "</cpaId><fromPartyId>urn:osb:oin:00000099000000020000_T</fromPartyId><fromRole>Register</fromRole>"
      "<service>urn:osb:services:Voorbeeld:Meldingen:1:0</service><action>antwoord</action><conversationId>facade-2</conversationId>"
      "</properties><dataSource><attachment><xop:Include xmlns:xop=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:1@app\"/>"
      "</attachment></dataSource></message></n:sendMessage></s:Body></s:Envelope>";
  const auto body = "--b\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"text/xml\"\r\nContent-ID: <root@app>\r\n\r\n" +
                    envelope + "\r\n--b\r\nContent-Type: application/pdf\r\nContent-ID: <1@app>\r\n\r\n" + octets + "\r\n--b--";
  const auto sent =
      sender.call("POST", mtom, body, "multipart/related; type=\"application/xop+xml\"; start=\"<root@app>\"; boundary=\"b\"");
  ASSERT_EQ(sent.status, 200U) << sent.body;
  const auto begin = sent.body.find("<messageId>") + 11;
  const auto id = sent.body.substr(begin, sent.body.find("</messageId>") - begin);
  const auto ids = [&] { return receiver.call("GET", std::string(rest) + "/messages/unprocessed?conversationId=facade-2").json(); };
  ASSERT_TRUE(becomes([&] { return ids() == Json({id}); }, 15s)) << world().stad.log();
  const auto shown = receiver.call("GET", std::string(rest) + "/messages/" + id).json();
  EXPECT_TRUE(from_base64(shown["dataSources"][0].value("content", "")).value() == octets);
  EXPECT_EQ(shown["dataSources"][0].value("contentType", ""), "application/pdf");
  EXPECT_EQ(receiver.call("PATCH", std::string(rest) + "/messages/" + id).status, 204U);
  EXPECT_EQ(ids(), Json::array());
}

// EB-181, ADP-115
TEST(Facade, PingsAndIsNowhereElse) {
  const auto cpa = world().cpa({"rm", true, false});
  Application application(world().stad);
  const auto ping = std::string(rest) + "/ping/" + cpa + "/from/urn:osb:oin:00000099000000010000_T/to/urn:osb:oin:00000099000000020000_T";
  const auto answer = application.call("POST", ping, {}, "application/json");
  EXPECT_EQ(answer.status, 204U) << answer.body << world().stad.log();
  EXPECT_EQ(world().stad.admin().call("POST", ping).status, 404U) << "the internal listener only";
  EXPECT_EQ(world().stad.ops().get(std::string(rest) + "/messages/unprocessed").status, 404U);
  Rest stranger("http://127.0.0.1:" + std::to_string(world().stad.internal_port()));
  EXPECT_EQ(stranger.get(std::string(rest) + "/messages/unprocessed").status, 401U);
}

}  // namespace
}  // namespace schakel::integration
