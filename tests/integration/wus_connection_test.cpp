// Many messages over one connection, and its end (wus.md section 6: row 22).
#include "integration/tls_connection.hpp"
#include "integration/wus_by_hand.hpp"

namespace schakel::integration {
namespace {

using ::testing::HasSubstr;
using wus::Profile;

std::string head_of(const std::string& path, std::size_t size) {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml; charset=utf-8\r\nSOAPAction: \"\"\r\nContent-Length: " +
         std::to_string(size) + "\r\n\r\n";
}

// WUS-004, WUS-003
TEST(WusConnection, CarriesAThousandMessages) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer("lang-s", "2W-be-S");
  two.backend.answers(answer("12345678"));
  const ByHand consumer(two.pki, two.consumer.identity(), two.provider.options().oin);
  const auto settings = ByHand::settings(Profile::be_s);
  TlsConnection connection(two.provider.external_port(), two.consumer.identity());
  const auto before = two.backend.asked().size();
  for (int i = 0; i < 1000; ++i) {
    const auto made =
        consumer.made(consumer.request(two.address("lang-s"), question("12345678")), settings, two.provider.identity().certificate);
    ASSERT_TRUE(connection.write(head_of("/wus/lang-s", made.entity.size()) + made.entity)) << i;
    const auto answered = connection.read();
    ASSERT_EQ(answered.status, 200U) << i << answered.body;
    ASSERT_FALSE(answered.says_close()) << i;
    ASSERT_THAT(answered.body, HasSubstr(made.message_id)) << i << ": each answer is of its own request";
  }
  EXPECT_EQ(two.backend.asked().size(), before + 1000);
}

// WUS-004, SEC-038: the age is looked at between messages, never inside one.
TEST(WusConnection, EndsAtItsMaximumAgeBetweenTwoMessages) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  constexpr auto age = 2s;
  ServedPki pki;
  Backend backend;
  backend.answers(answer("12345678"));
  Site provider(pki, {.slug = "voorbeeldregister",
                      .name = "Voorbeeldregister",
                      .oin = "00000099000000020000",
                      .database_url = {},
                      .more = "[tls]\nmax-connection-age = \"2s\"\n",
                      .purposes = everything});
  provider.start_and_wait();
  const auto own = pki.with([](test::Pki& shared) { return shared.tls("00000099000000010000", "Gemeente Voorbeeldstad"); });
  ByHand consumer(pki, own, provider.options().oin);
  const auto address = "https://localhost:" + std::to_string(provider.external_port()) + "/wus/kort";
  load_service(provider, "kort",
               {{"role", "provider"},
                {"ownOin", provider.options().oin},
                {"profile", "2W-be"},
                {"path", "/wus/kort"},
                {"addresses", {address}},
                {"grants", {{{"oin", own.certificate->oin.oin}}}},
                {"backend", {{"url", backend.url()}}}});
  const auto entity = consumer.made(consumer.request(address, question("12345678")), ByHand::settings(Profile::be), own.certificate).entity;
  ASSERT_TRUE(becomes([&] { return consumer.post(address, entity).status == 200U; }, 20s)) << provider.log();
  const auto head = head_of("/wus/kort", entity.size());

  // Message after message: all are answered whole, also the last one, which says that it is.
  {
    const auto before = Steady::now();
    TlsConnection connection(provider.external_port(), own);
    const auto began = Steady::now();
    TlsConnection::Response answered;
    do {
      ASSERT_TRUE(connection.write(head + entity));
      answered = connection.read();
      ASSERT_EQ(answered.status, 200U) << answered.head;
      ASSERT_THAT(answered.body, HasSubstr("</soapenv:Envelope>"));
      if (Steady::now() - before < age) {
        ASSERT_FALSE(answered.says_close()) << "too early";
      }
    } while (!answered.says_close() && Steady::now() - began < 10 * age);
    EXPECT_TRUE(answered.says_close());
    EXPECT_GE(Steady::now() - before, age);
    EXPECT_TRUE(connection.has_ended());
  }
  // A message that began in time and ends too late is taken and answered; then the connection ends.
  {
    TlsConnection connection(provider.external_port(), own);
    ASSERT_TRUE(connection.write(head + entity));
    ASSERT_EQ(connection.read().status, 200U);
    ASSERT_TRUE(connection.write(head + entity.substr(0, entity.size() / 2)));
    std::this_thread::sleep_for(age + 1s);
    ASSERT_TRUE(connection.write(entity.substr(entity.size() / 2)));
    const auto answered = connection.read();
    EXPECT_EQ(answered.status, 200U);
    EXPECT_THAT(answered.body, HasSubstr("</soapenv:Envelope>"));
    EXPECT_TRUE(answered.says_close());
    EXPECT_TRUE(connection.has_ended());
  }
}

}  // namespace
}  // namespace schakel::integration
