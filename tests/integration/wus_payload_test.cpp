// What a service judges of payloads, and how it calls its back-end (wus.md section 6: rows 14 and 20).
#include "integration/wus_by_hand.hpp"

namespace schakel::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using wus::Profile;

// WUS-200: all four values, on both sides of the provider.
TEST(WusPayload, IsJudgedAsTheServiceSays) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  ByHand consumer(two.pki, two.consumer.identity(), two.provider.options().oin);
  for (const auto& [validate, request, response] :
       {std::tuple{"both", true, true}, {"request", true, false}, {"response", false, true}, {"off", false, false}}) {
    SCOPED_TRACE(validate);
    const auto name = "oordeel-" + std::string(validate);
    two.offer(name, "2W-be", {{"validate", validate}});
    const auto ask = [&](const std::string& number) {
      const auto made = consumer.made(consumer.request(two.address(name), question(number)), ByHand::settings(Profile::be),
                                      two.provider.identity().certificate);
      return consumer.post(two.address(name), made.entity);
    };
    two.backend.answers(answer("12345678"));
    auto before = two.backend.asked().size();
    const auto wrong_request = ask("7");
    EXPECT_EQ(wrong_request.status, request ? 500U : 200U) << wrong_request.body;
    EXPECT_EQ(wrong_request.body.find("DK0004") != std::string::npos, request);
    EXPECT_EQ(two.backend.asked().size(), before + (request ? 0 : 1));
    two.backend.answers(answer("7"));
    const auto wrong_response = ask("12345678");
    EXPECT_EQ(wrong_response.status, response ? 500U : 200U) << wrong_response.body;
    EXPECT_EQ(wrong_response.body.find("DK0050") != std::string::npos, response);
    EXPECT_THAT(wrong_response.body, Not(HasSubstr(response ? "<inschrijfnummer>7<" : "DK0050")));
  }
}

// WUS-200: the consumer's side.
TEST(WusPayload, IsJudgedByTheConsumerToo) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  for (const auto& [validate, request, response] :
       {std::tuple{"both", true, true}, {"request", true, false}, {"response", false, true}, {"off", false, false}}) {
    SCOPED_TRACE(validate);
    const auto name = "vraagt-" + std::string(validate);
    two.offer(name, "2W-be", {{"validate", "off"}}, {{"validate", validate}});
    two.backend.answers(answer("12345678"));
    const auto before = two.backend.asked().size();
    const auto wrong_request = two.call(name, "vraagInschrijving", question("7"));
    EXPECT_EQ(wrong_request.status, request ? 400U : 200U) << wrong_request.body;
    EXPECT_EQ(two.backend.asked().size(), before + (request ? 0 : 1)) << "nothing is sent";
    two.backend.answers(answer("7"));
    const auto wrong_response = two.call(name, "vraagInschrijving", question("12345678"));
    EXPECT_EQ(wrong_response.status, response ? 502U : 200U) << wrong_response.body;
    if (response) {
      EXPECT_EQ(wrong_response.json().value("code", ""), "WUS-C-XSD");
    }
  }
}

// WUS-244, wus.md 3.7: mode `soap`.
TEST(WusPayload, ABackendThatSpeaksSoapGetsAnEnvelopeWithoutSecurity) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  const auto envelope = [](const std::string& body) {
    return "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header><w:To "
           "xmlns:w=\"http://www.w3.org/2005/08/addressing\">urn:x</w:To></s:Header><s:Body>" +
           body + "</s:Body></s:Envelope>";
  };
  two.offer("soap-s", "2W-be-S");
  change_service(two.provider, "soap-s", {{"backend", {{"mode", "soap"}}}});
  two.backend.answers(200, "text/xml", envelope(answer("12345678")));
  RestAnswer called;
  ASSERT_TRUE(becomes(
      [&] {
        called = two.call("soap-s", "vraagInschrijving", question("12345678"));
        return called.status == 200U;
      },
      20s))
      << called.body;
  EXPECT_THAT(called.body, HasSubstr("<inschrijfnummer>12345678</inschrijfnummer>"));
  EXPECT_THAT(called.body, Not(HasSubstr("urn:x"))) << "addressing of the back-end counts for nothing";
  const auto asked = two.backend.last();
  EXPECT_THAT(asked.header("Content-Type"), HasSubstr("text/xml"));
  EXPECT_EQ(asked.header("SOAPAction"), "\"\"");
  EXPECT_THAT(asked.body, HasSubstr(called.header("Schakel-Relates-To")));
  EXPECT_THAT(asked.body, Not(HasSubstr("wsse:Security")));
  two.backend.answers(
      500, "text/xml",
      envelope("<s:Fault><faultcode>s:Client</faultcode><faultstring>Onbekend</faultstring><detail><inschrijvingFout "
               "xmlns=\"" +
               std::string(wus_types) + "\"><code>F1</code><melding>onbekend</melding></inschrijvingFout></detail></s:Fault>"));
  const auto fault = two.call("soap-s", "vraagInschrijving", question("12345678"));
  EXPECT_EQ(fault.json().value("code", ""), "WUS-C-FAULT") << fault.body;
  EXPECT_EQ(fault.json().value("faultstring", ""), "Onbekend");
  EXPECT_THAT(fault.json().value("detailXml", ""), HasSubstr("<code>F1</code>"));
  EXPECT_TRUE(fault.json().value("authenticated", false));
}

// WUS-245
TEST(WusPayload, ABackendThatTakesTooLongIsNotWaitedFor) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer("traag", "2W-be-S", {{"backendTimeout", "1s"}});
  two.backend.answers(answer("12345678"));
  two.backend.waits(3s);
  const auto began = Steady::now();
  const auto called = two.call("traag", "vraagInschrijving", question("12345678"));
  const auto took = Steady::now() - began;
  two.backend.waits(0s);
  EXPECT_EQ(called.json().value("dkCode", ""), "DK0051") << called.body;
  EXPECT_TRUE(called.json().value("authenticated", false)) << "told after verification, so signed";
  EXPECT_GE(took, 1s);
  EXPECT_LT(took, 3s) << "it was not waited for";
  EXPECT_TRUE(becomes([&] { return two.call("traag", "vraagInschrijving", question("12345678")).status == 200U; }, 20s))
      << "and the late answer is of no other call";
}

}  // namespace
}  // namespace schakel::integration
