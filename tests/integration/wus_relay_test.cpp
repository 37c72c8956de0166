// Messages of every spelling through two intermediaries that hold no keys of the parties (wus.md section 6: row 9).
#include "integration/wus_by_hand.hpp"
#include "unit/wus/signed_message.hpp"

namespace schakel::integration {
namespace {

using ::testing::HasSubstr;
using wus::Profile;
using wus::test::replaced;

class WusRelay : public ::testing::Test {
 protected:
  void SetUp() override {
    SCHAKEL_NEEDS_WUS_STANDARDS();
    second.start_and_wait();
    two.offer("ver-s", "2W-be-S", {{"mtom", "optional"}});
    two.offer("ver-se", "2W-be-SE", {{"mtom", "optional"}});
    two.backend.answers(answer("12345678"));
  }
  // First `middle`, then `second`, then the provider.
  void route(const std::string& name) {
    const auto row = [&](const std::string& url, const std::string& oin) {
      return Json::array({{{"id", "ver"},
                           {"direction", "inbound"},
                           {"match", {{"protocol", "wus"}, {"toOin", two.provider.options().oin}}},
                           {"mode", "transparent"},
                           {"target", {{"kind", "partner"}, {"url", url}, {"oin", oin}}}}});
    };
    put_routes(two.middle, row(url_at(second, name), second.options().oin));
    auto rows = row(two.address(name), two.provider.options().oin);
    rows.push_back(way_back(two.middle));
    put_routes(second, rows);
    put_routes(two.provider, Json::array({way_back(second)}));
  }
  Json way_back(const Site& hop) const {
    return {{"id", "terug"},
            {"direction", "outbound"},
            {"match", {{"toOin", two.consumer.options().oin}}},
            {"target", {{"kind", "intermediary"}, {"oin", hop.options().oin}, {"url", url_at(hop, "terug")}}}};
  }
  static std::string url_at(const Site& site, const std::string& name) {
    return "https://localhost:" + std::to_string(site.external_port()) + "/wus/" + name;
  }
  // Through both, with these octets at the other end, and back.
  RestAnswer pass(const std::string& name, const std::function<wus::MadeMessage()>& make, wus::MadeMessage& sent) {
    RestAnswer answered;
    EXPECT_TRUE(becomes(
        [&] {
          sent = make();
          answered = consumer.post(url_at(two.middle, name), sent);
          return answered.status == 200U;
        },
        20s))
        << answered.status << answered.body << two.middle.log() << second.log() << two.provider.log();
    const auto record = newest(two.provider, "direction=inbound");
    const auto stored = [&](const char* index) {
      return two.provider.admin().get("/api/v1/messages/" + record.value("id", "") + "/payloads/" + index).body;
    };
    EXPECT_TRUE(stored("0") == sent.entity) << "what arrived is what was sent";
    EXPECT_TRUE(stored("1") == answered.body) << "and the answer too";
    EXPECT_EQ(two.backend.last().header("Schakel-Peer-Oin"), second.options().oin);
    EXPECT_EQ(two.backend.last().header("Schakel-Signer-Oin"), two.consumer.options().oin);
    return answered;
  }

  Chain& two = chain();
  const KeptRoutes of_middle{two.middle}, of_provider{two.provider};
  Site second{two.pki, {.slug = "tweede", .name = "Tweede knooppunt", .oin = "00000099000000230000", .database_url = {}}};
  ByHand consumer{two.pki, two.consumer.identity(), two.provider.options().oin};
};

// WUS-280, WUS-281, WUS-283
TEST_F(WusRelay, TwoHopsChangeNoOctet) {
  for (const auto& [name, profile] : {std::pair{"ver-s", Profile::be_s}, {"ver-se", Profile::be_se}}) {
    SCOPED_TRACE(name);
    route(name);
    wus::MadeMessage sent;
    // With lists of prefixes.
    auto settings = ByHand::settings(profile);
    settings.inclusive_prefixes = true;
    settings.mtom = wus::Mtom::optional;
    const auto listed = pass(
        name,
        [&] {
          return consumer.made(consumer.request(two.address(name), question("12345678")), settings, two.provider.identity().certificate);
        },
        sent);
    EXPECT_THAT(sent.entity, HasSubstr("PrefixList"));
    EXPECT_TRUE(consumer.read(listed, sent, settings)) << "it verifies at the end";
    // As a package of parts.
    two.backend.answers("<meldWijzigingResponse xmlns=\"" + std::string(wus_types) +
                        "\"><ontvangstnummer>1</ontvangstnummer></meldWijzigingResponse>");
    const auto packed = pass(
        name,
        [&] {
          auto make = consumer.request(two.address(name), notice(std::string(100'000, '\xAB')));
          make.addressing.action = std::string(wus_wsdl) + "/IInschrijvingService_v1/meldWijzigingRequest";
          make.mtom = true;
          make.binary_elements = {3};
          return consumer.made(make, settings, two.provider.identity().certificate);
        },
        sent);
    EXPECT_THAT(sent.content_type, HasSubstr("multipart/related"));
    EXPECT_THAT(packed.header("Content-Type"), HasSubstr("multipart/related"));
    EXPECT_TRUE(consumer.read(packed, sent, settings));
    two.backend.answers(answer("12345678"));
    // With white space, comments and CDATA, as nobody here would write it.
    pass(
        name,
        [&] {
          const auto now = SystemClock().now();
          wus::test::SignedMessage message{.signer = two.consumer.identity().key_pair,
                                           .time = wus::test::timestamp(to_rfc3339(now), to_rfc3339(now + 60s)),
                                           .token = wus::test::binary_token(two.consumer.identity().certificate->der)};
          message.headers =
              "\n <!-- a --><wsa:To wsu:Id=\"to\">\n" + two.address(name) + "?OIN=" + two.provider.options().oin +
              "<![CDATA[]]> </wsa:To>\n<wsa:Action wsu:Id=\"action\"> " + std::string(wus_wsdl) +
              "/IInschrijvingService_v1/vraagInschrijvingRequest\t</wsa:Action><wsa:MessageID wsu:Id=\"message\">" + ByHand::new_id() +
              "</wsa:MessageID><wsa:From wsu:Id=\"from\"><wsa:Address>https://afnemer.example/?OIN=" + two.consumer.options().oin +
              "</wsa:Address></wsa:From>";
          message.signed_ids.emplace_back("from");
          message.body = replaced(replaced(question("12345678"), "<v:inschrijfnummer>", "\n\t<!-- b --><v:inschrijfnummer >"), "12345678",
                                  "<![CDATA[1234]]>5678");
          const auto text =
              profile == Profile::be_s
                  ? message.text()
                  : replaced(message.text(), message.body, wus::test::encrypted_data(message.body, two.provider.identity().certificate));
          return wus::MadeMessage{.content_type = "text/xml;charset=\"UTF-8\"", .entity = text, .signature_value = {}, .message_id = {}};
        },
        sent);
    for (auto* hop : {&two.middle, &second}) {
      const auto shadow = newest(*hop, "");
      EXPECT_EQ(shadow.value("state", ""), "FORWARDED") << shadow.dump(1);
      EXPECT_NE(hop->admin().get("/api/v1/messages/" + shadow.value("id", "") + "/payloads/0").status, 200U) << "nothing of it is kept";
    }
  }
}

}  // namespace
}  // namespace schakel::integration
