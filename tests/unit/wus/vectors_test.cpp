// Every vector of standards/wus/vectors gives the outcome that its manifest states (acceptance 1): messages made by the JDK's XML
// signatures and ciphers.
#include <algorithm>
#include <map>

#include "base/json_library.hpp"
#include "unit/wus/partners.hpp"
#include "xml/canonical.hpp"

namespace schakel::wus {
namespace {

using nlohmann::json;
using namespace test;

class Vectors : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!vectors_are_here()) GTEST_SKIP() << "the vectors are not beside this checkout (../shared/standards/wus)";
    const auto all = json::parse(content(vectors / "manifest.json"));
    for (const auto& vector : all["vectors"]) manifest[vector["file"]] = vector;
  }

  static Profile profile_of(const json& vector) {
    const std::string name = vector["profile"];
    return name.ends_with("-SE") ? Profile::be_se : name.ends_with("-S") ? Profile::be_s : Profile::be;
  }

  Result<Receipt> receive(const json& vector, const Expectation* expectation = nullptr) const {
    auto receiver = test::receiver(profile_of(vector));
    receiver.now = at(vector["clock"].get<std::string>());
    receiver.kind = vector["direction"] == "request" ? Kind::request : Kind::response;
    if (receiver.kind == Kind::response) receiver.who = "requester";
    receiver.expectation = expectation;
    const std::string type = vector["content_type"];
    EXPECT_NE(media_type(type, Mtom::optional), MediaType::unsupported) << type;
    auto received = receiver(content(vectors / vector["file"].get<std::string>()), type);
    if (received && vector.contains("soap_action")) {
      bool unquoted = false;
      EXPECT_TRUE(check_soap_action(vector["soap_action"].get<std::string>(), received->addressing, unquoted));
      EXPECT_FALSE(unquoted);
      EXPECT_EQ(received->addressing.action, vector["wsa_action"]);
    }
    return received;
  }

  Result<Receipt> receive_answer(const json& vector) const {
    const auto request = receive(manifest.at(vector["answers_request"]));
    EXPECT_TRUE(request) << request.error().detail;
    const Expectation expectation{
        .request_signature_value = request->opened.signature_value,
        .signer_oins = {vector["expected_signer_oin"]},
        .is_own = [](const security::Certificate& certificate) { return certificate == key_pair("requester")->certificate(); }};
    auto received = receive(vector, profile_of(vector) == Profile::be ? nullptr : &expectation);
    if (received) {
      const std::string stem = "http://wus.aanbieder.example/wsdl/inschrijving-v1/IInschrijvingService_v1/vraagInschrijving";
      Operation operation;
      operation.output_action = stem + "Response";
      operation.faults.push_back({"inschrijvingFout", {}, stem + "/Fault/inschrijvingFout"});
      EXPECT_TRUE(check_response_addressing(received->addressing, request->addressing.message_id, operation));
    }
    return received;
  }

  static Bytes payload_of(const Receipt& receipt) { return xml::canonicalise(receipt.message->payload).value(); }

  std::map<std::string, json> manifest;
};

// WUS-020..026, WUS-101..113, WUS-140..150, WUS-170..174, WUS-180..183
TEST_F(Vectors, RequestsGiveTheirOutcome) {
  std::size_t count = 0;
  for (const auto& [file, vector] : manifest) {
    if (vector["direction"] != "request") continue;
    SCOPED_TRACE(file);
    ++count;
    const auto received = receive(vector);
    const auto& expect = vector["expect"];
    if (expect["result"] == "accept") {
      ASSERT_TRUE(received) << received.error().code << ": " << received.error().detail;
      EXPECT_EQ(received->opened.signer_oin, expect.value("signer_oin", ""));
      EXPECT_FALSE(received->message->is_fault);
      continue;
    }
    ASSERT_FALSE(received);
    const auto answer = told(received.error());
    if (expect.contains("faultcode")) {
      EXPECT_EQ(answer, expect["faultcode"]) << received.error().detail;
    } else {
      EXPECT_EQ(answer, "soapenv:Client DK0010") << received.error().detail;  // one of those allowed
    }
  }
  EXPECT_EQ(count, 29u);
}

// WUS-160, WUS-161, WUS-162, WUS-081
TEST_F(Vectors, AnswersGiveTheirOutcome) {
  std::size_t count = 0;
  for (const auto& [file, vector] : manifest) {
    if (vector["direction"] != "response") continue;
    SCOPED_TRACE(file);
    ++count;
    const auto received = receive_answer(vector);
    const auto& expect = vector["expect"];
    if (expect["result"] == "error") {
      ASSERT_FALSE(received);
      EXPECT_EQ(client_code_of(received.error()), expect["code"]) << received.error().detail;
      continue;
    }
    ASSERT_TRUE(received) << received.error().code << ": " << received.error().detail;
    EXPECT_EQ(received->message->is_fault, expect["result"] == "partner_fault");
    if (received->message->is_fault) {
      const auto fault = read_fault(received->message->payload);
      ASSERT_TRUE(fault);
      EXPECT_EQ(to_string(fault->code), "{http://schemas.xmlsoap.org/soap/envelope/}Client");
      EXPECT_FALSE(fault->about_security);
    }
  }
  EXPECT_EQ(count, 7u);
}

// WUS-147, WUS-202
TEST_F(Vectors, EncryptedPayloadsAreThoseOfTheSignedMessage) {
  const auto plain = payload_of(*receive(manifest["s-request.xml"]));
  for (const char* file : {"se-request-issuerserial.xml", "se-request-ski.xml", "se-request-thumbprint.xml", "se-request-directenc.xml"}) {
    const auto received = receive(manifest[file]);
    ASSERT_TRUE(received) << file;
    EXPECT_EQ(payload_of(*received), plain) << file;
    EXPECT_EQ(received->message->payload.parent(), received->message->body);
  }
  // The prefix is declared on the Envelope alone.
  const auto outer = payload_of(*receive(manifest["se-request-outer-namespace.xml"]));
  EXPECT_NE(outer.find("xmlns:ins=\"http://wus.aanbieder.example/xsd/inschrijving-v1\""), std::string::npos);
  EXPECT_NE(outer.find("<ins:inschrijfnummer>12345678</ins:inschrijfnummer>"), std::string::npos);
}

// WUS-182, WUS-183
TEST_F(Vectors, BinaryPartsStandInThePayloadAsBase64) {
  Bytes inlined;
  for (const char* file : {"be-request-mtom.mime", "s-request-mtom.mime", "se-request-mtom.mime"}) {
    SCOPED_TRACE(file);
    const auto received = receive(manifest[file]);
    ASSERT_TRUE(received);
    EXPECT_TRUE(received->message->mtom);
    const bool encrypted = std::string_view(file).starts_with("se-");
    EXPECT_EQ(received->message->binary_elements.size(), encrypted ? 0u : 1u);
    const auto payload = payload_of(*received);
    EXPECT_EQ(payload.find("Include"), std::string::npos);
    if (inlined.empty()) inlined = payload;
    EXPECT_EQ(payload, inlined);
  }
}

// WUS-172: CBC and 3DES only until the day that the exception ends.
TEST_F(Vectors, LegacyCiphersAreReadUnderADatedException) {
  const auto with = [&](const char* file, const std::function<void(Settings&)>& change) {
    auto receiver = test::receiver(Profile::be_se);
    change(receiver.settings);
    return told(receiver(content(vectors / file)));
  };
  const auto cbc = [](Instant until) {
    return [until](Settings& settings) {
      settings.legacy_cbc = LegacyCbc::decrypt;
      settings.legacy_cbc_until = until;
    };
  };
  const auto triple_des = [](Instant until) {
    return [until](Settings& settings) {
      settings.legacy_3des = true;
      settings.legacy_3des_until = until;
    };
  };
  const auto later = receipt + std::chrono::seconds(1);
  EXPECT_EQ(with("se-request-aes256-cbc.xml", cbc(later)), "accepted");
  EXPECT_EQ(with("se-request-3des.xml", triple_des(later)), "accepted");
  EXPECT_EQ(with("se-request-aes256-cbc.xml", cbc(receipt)), "wsse:UnsupportedAlgorithm");
  EXPECT_EQ(with("se-request-3des.xml", triple_des(receipt)), "wsse:UnsupportedAlgorithm");
  EXPECT_EQ(with("se-request-3des.xml", cbc(later)), "wsse:UnsupportedAlgorithm");
  EXPECT_EQ(with("se-request-aes256-cbc.xml", [](Settings& settings) { settings.legacy_cbc = LegacyCbc::both; }),
            "wsse:UnsupportedAlgorithm");
}

// WUS-320: what the trail wants to know.
TEST_F(Vectors, WhatWasOpenedSaysHow) {
  const auto received = receive(manifest["se-request-thumbprint.xml"]);
  ASSERT_TRUE(received);
  const auto& opened = received->opened;
  EXPECT_EQ(opened.signature_algorithm, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256");
  EXPECT_EQ(opened.digest_algorithm, "http://www.w3.org/2001/04/xmlenc#sha256");
  EXPECT_EQ(opened.transport_algorithm, "http://www.w3.org/2009/xmlenc11#rsa-oaep");
  EXPECT_EQ(to_rfc3339(*opened.created), "2026-03-02T10:15:30.000Z");
  EXPECT_EQ(to_rfc3339(*opened.expires), "2026-03-02T10:20:30.000Z");
  EXPECT_EQ(security::path_of_basis(opened.basis).size(), 3u);
  EXPECT_EQ(opened.signature_value.size(), 256u);
  EXPECT_TRUE(opened.deviations.empty());
}

}  // namespace
}  // namespace schakel::wus
