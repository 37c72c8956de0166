// A call in each profile, from the application to the back-end and back (wus.md section 6: rows 2, 9, 10, 14, 17). Real processes, real
// two-sided TLS, a back-end of its own.
#include "integration/wus_world.hpp"

namespace schakel::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct ProfileCase {
  const char* name;
  const char* profile;
};
class EachProfile : public ::testing::TestWithParam<ProfileCase> {
 protected:
  std::string service() const { return std::string("dienst-") + GetParam().name; }
  bool secured() const { return std::string(GetParam().profile) != "2W-be"; }
};

// WUS-001, WUS-002, WUS-202, WUS-240, WUS-244, WUS-260, WUS-320, WUS-321
TEST_P(EachProfile, ACallReachesTheBackendAndItsAnswerComesBack) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer(service(), GetParam().profile);
  two.backend.answers(answer("87654321"));
  const auto called = two.call(service(), "vraagInschrijving", question("87654321"));
  ASSERT_EQ(called.status, 200U) << called.body << two.provider.log();
  EXPECT_THAT(called.body, HasSubstr("Bakkerij &amp; Zoon é"));
  EXPECT_EQ(called.header("Schakel-Profile"), GetParam().profile);

  const auto asked = two.backend.last();
  EXPECT_THAT(asked.body, HasSubstr("<v:inschrijfnummer>87654321</v:inschrijfnummer>"));
  const auto header = [&](const std::string& name) { return asked.header(name); };
  EXPECT_EQ(header("Schakel-Operation"), "vraagInschrijving");
  EXPECT_EQ(header("Schakel-Sender-Oin"), two.consumer.options().oin);
  EXPECT_EQ(header("Schakel-Peer-Oin"), two.consumer.options().oin);
  EXPECT_EQ(header("Schakel-Signer-Oin"), secured() ? two.consumer.options().oin : "");
  EXPECT_EQ(header("Schakel-Receiver-Oin"), two.provider.options().oin);
  EXPECT_EQ(header("Schakel-Message-Id"), called.header("Schakel-Relates-To"));

  // What is on record at both sides, and in S and SE the octets that crossed.
  const auto message_id = called.header("Schakel-Relates-To");
  for (auto* site : {&two.consumer, &two.provider}) {
    const auto record = newest(*site, "messageId=" + message_id);
    EXPECT_EQ(record.value("state", ""), "COMPLETED") << record.dump(1);
    EXPECT_EQ(record.value("profile", ""), GetParam().profile);
    EXPECT_EQ(record.value("action", ""), "vraagInschrijving");
    auto api = site->admin();
    const auto id = record.value("id", "");
    EXPECT_THAT(api.get("/api/v1/messages/" + id + "/events").body, Not(HasSubstr("87654321"))) << "no payload in the trail";
    EXPECT_EQ(api.get("/api/v1/messages/" + id + "/payloads/0").status, secured() ? 200U : 404U);
    EXPECT_EQ(api.get("/api/v1/messages/" + id + "/payloads/1").status, secured() ? 200U : 404U);
  }
  EXPECT_THAT(two.provider.log() + two.consumer.log(), Not(HasSubstr("87654321"))) << "no payload in a log";
}

// WUS-244: the same call as JSON and as SOAP.
TEST_P(EachProfile, TheThreeFormsOfACallGiveTheSame) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer(service(), GetParam().profile);
  two.backend.answers(answer("11112222"));
  auto api = two.consumer.application();
  const auto json =
      api.post("/api/v1/calls", {{"contractId", service()}, {"operation", "vraagInschrijving"}, {"body", question("11112222")}});
  ASSERT_EQ(json.status, 200U) << json.body;
  EXPECT_EQ(json.json().value("outcome", ""), "response");
  EXPECT_THAT(json.json().value("body", ""), HasSubstr("11112222"));

  const auto soap = api.call("POST", "/api/v1/wus/" + service(),
                             "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header><Action "
                             "xmlns=\"http://www.w3.org/2005/08/addressing\">" +
                                 std::string(wus_wsdl) + "/IInschrijvingService_v1/vraagInschrijvingRequest</Action></s:Header><s:Body>" +
                                 question("11112222") + "</s:Body></s:Envelope>",
                             "text/xml");
  ASSERT_EQ(soap.status, 200U) << soap.body;
  EXPECT_THAT(soap.body, HasSubstr("<soapenv:Envelope"));
  EXPECT_THAT(soap.body, HasSubstr("11112222"));
  EXPECT_THAT(soap.body, HasSubstr("vraagInschrijvingResponse</wsa:Action>"));
  EXPECT_THAT(soap.body, Not(HasSubstr("Security")));
}

// WUS-163, WUS-164, WUS-201, WUS-245, WUS-263; wus.md 3.7
TEST_P(EachProfile, FaultsOfTheBackendReachTheCaller) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer(service(), GetParam().profile);
  const auto fault = [&](unsigned status, const std::string& type, const std::string& body) {
    two.backend.answers(status, type, body);
    const auto called = two.call(service(), "vraagInschrijving", question("12345678"));
    EXPECT_EQ(called.status, 502U) << called.body;
    EXPECT_EQ(called.json().value("code", ""), "WUS-C-FAULT") << called.body;
    EXPECT_TRUE(called.json().value("authenticated", false)) << called.body;
    return called.json();
  };
  const auto declared = fault(404, "application/problem+json",
                              Json{{"wusFault",
                                    {{"faultcode", "Client"},
                                     {"faultstring", "Onbekend inschrijfnummer"},
                                     {"detailXml", "<inschrijvingFout xmlns=\"" + std::string(wus_types) +
                                                       "\"><code>F1</code><melding>onbekend</melding></inschrijvingFout>"}}}}
                                  .dump());
  EXPECT_EQ(declared.value("faultcode", ""), "{http://schemas.xmlsoap.org/soap/envelope/}Client");
  EXPECT_EQ(declared.value("faultstring", ""), "Onbekend inschrijfnummer");
  EXPECT_THAT(declared.value("detailXml", ""), HasSubstr("<code>F1</code>"));
  EXPECT_EQ(fault(400, "text/plain", "secret of the back-end").value("dkCode", ""), "DK0050");
  EXPECT_EQ(fault(503, "text/plain", "secret of the back-end").value("dkCode", ""), "DK0051");
  EXPECT_EQ(fault(200, "application/xml", "<other/>").value("dkCode", ""), "DK0050");
  EXPECT_EQ(fault(200, "application/xml", "").value("dkCode", ""), "DK0050");
  const auto invalid = fault(200, "application/xml", answer("7")).dump();
  EXPECT_THAT(invalid, HasSubstr("DK0050"));
  EXPECT_THAT(two.consumer.log(), Not(HasSubstr("secret of the back-end")));
}

// WUS-280..282, row 9: through two-sided TLS of somebody who holds no keys of the parties.
TEST_P(EachProfile, AnIntermediaryPassesOctetsOn) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  const auto name = "door-" + std::string(GetParam().name);
  const auto hop = "https://localhost:" + std::to_string(two.middle.external_port()) + "/wus/" + name;
  two.offer(name, GetParam().profile);
  // The row of the intermediary leads to this service; the consumer's partner is now the intermediary.
  put_routes(two.middle,
             Json::array({{{"id", "door"},
                           {"direction", "inbound"},
                           {"match", {{"protocol", "wus"}, {"toOin", two.provider.options().oin}}},
                           {"mode", "transparent"},
                           {"target", {{"kind", "partner"}, {"url", two.address(name)}, {"oin", two.provider.options().oin}}}}}));
  change_service(two.consumer, name,
                 {{"partner", {{"endpoint", hop}, {"toAddress", two.address(name)}, {"serverOins", {two.middle.options().oin}}}}});
  // Without a signature the intermediary is the sender, so it takes a mandate of the party that wsa:From names (WUS-243).
  if (!secured()) {
    const auto mandate = two.provider.admin().post("/api/v1/mandates", {{"mandatorOin", two.consumer.options().oin},
                                                                        {"mandataryOin", two.middle.options().oin},
                                                                        {"scope", "wus/" + name},
                                                                        {"direction", "inbound"},
                                                                        {"validFrom", "2026-01-01T00:00:00Z"}});
    ASSERT_EQ(mandate.status, 201U) << mandate.body;
  }
  two.backend.answers(answer("55556666"));
  RestAnswer called;
  ASSERT_TRUE(becomes(
      [&] {
        called = two.call(name, "vraagInschrijving", question("55556666"));
        const auto passed = two.middle.admin().get("/api/v1/messages?protocol=wus&messageId=" + called.header("Schakel-Relates-To")).json();
        return called.status == 200U && passed.is_array() && passed.size() == 1U;
      },
      20s))
      << called.body << two.middle.log() << two.provider.log();
  EXPECT_THAT(called.body, HasSubstr("55556666"));
  EXPECT_EQ(two.backend.last().header("Schakel-Peer-Oin"), two.middle.options().oin);
  EXPECT_EQ(two.backend.last().header("Schakel-Signer-Oin"), secured() ? two.consumer.options().oin : "");
  EXPECT_THAT(two.middle.log(), Not(HasSubstr("55556666")));
}

INSTANTIATE_TEST_SUITE_P(Wus, EachProfile,
                         ::testing::Values(ProfileCase{"be", "2W-be"}, ProfileCase{"s", "2W-be-S"}, ProfileCase{"se", "2W-be-SE"}),
                         [](const auto& instance) { return std::string(instance.param.name); });

// WUS-180..184, row 2: attachments as MTOM, in every profile.
TEST(WusCalls, AttachmentsTravelAsMtom) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  for (const auto& [name, profile] : {std::pair{"mtom-be", "2W-be"}, {"mtom-s", "2W-be-S"}, {"mtom-se", "2W-be-SE"}}) {
    two.offer(name, profile, {{"mtom", "required"}}, {{"mtom", "required"}});
    std::string octets(1 << 20, '\0');
    std::uint32_t seed = 7;
    for (auto& octet : octets) octet = static_cast<char>((seed = seed * 1664525U + 1013904223U) >> 24U);
    two.backend.answers("<meldWijzigingResponse xmlns=\"" + std::string(wus_types) +
                        "\"><ontvangstnummer>1</ontvangstnummer></meldWijzigingResponse>");
    const auto called = two.call(name, "meldWijziging", notice(octets));
    ASSERT_EQ(called.status, 200U) << profile << called.body << two.provider.log();
    EXPECT_THAT(two.backend.last().body, HasSubstr(to_base64(octets).substr(0, 4000))) << profile;
  }
}

}  // namespace
}  // namespace schakel::integration
