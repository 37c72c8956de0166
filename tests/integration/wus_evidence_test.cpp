// What is kept of exchanges, and what may change while they go on (wus.md section 6: row 21).
#include <deque>

#include "integration/wus_by_hand.hpp"
#include "unit/wus/made_by_xmlsec1.hpp"

namespace schakel::integration {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using wus::Profile;

// In payloads, faults and texts of the back-end, and nowhere else.
constexpr const char* secret = "GEHEIM";

std::string problem_with_secrets() {
  return Json{{"wusFault",
               {{"faultcode", "Client"},
                {"faultstring", secret},
                {"detailXml", "<inschrijvingFout xmlns=\"" + std::string(wus_types) + "\"><code>F1</code><melding>" + secret +
                                  "</melding></inschrijvingFout>"}}}}
      .dump();
}

// Exchanges of every kind with one service, by the consumer's node and by hand.
class Exchanges {
 public:
  Exchanges(Chain& chain, std::string name, Profile profile)
      : chain_(chain),
        name_(std::move(name)),
        profile_(profile),
        settings_(ByHand::settings(profile)),
        consumer_(chain.pki, chain.consumer.identity(), chain.provider.options().oin) {}

  static constexpr int kinds = 10;
  // The status that the caller got. 200: the back-end answered.
  unsigned run(int kind) {
    auto& backend = chain_.backend;
    switch (kind) {
      case 0:
        backend.answers(answer("12345678", secret));
        return ask().status;
      case 1:
        backend.answers("<meldWijzigingResponse xmlns=\"" + std::string(wus_types) + "\"><ontvangstnummer>" + secret +
                        "</ontvangstnummer></meldWijzigingResponse>");
        return chain_.call(name_, "meldWijziging", notice(secret)).status;
      case 2:
        backend.answers(404, "application/problem+json", problem_with_secrets());
        return ask().status;
      case 3:
        backend.answers(503, "text/plain", secret);
        return ask().status;
      case 4:
        backend.answers(answer("7", secret));
        return ask().status;
      case 5:
        return post(request(question(secret)));
      case 6: {
        auto make = request(question("12345678"));
        make.addressing.action = "urn:onbekend";
        return post(make);
      }
      case 7: {
        if (profile_ == Profile::be) return post(consumer_.request("https://elders.example/dienst", question("12345678")));
        auto entity = made(request(question("12345678"))).entity;
        const auto at = entity.find(">urn:uuid:") + 10;
        entity[at] = entity[at] == '0' ? '1' : '0';
        return consumer_.post(address(), entity).status;
      }
      case 8: {
        backend.answers(answer("12345678", secret));
        if (profile_ == Profile::be) return post(request(question("12345678")));
        if (repeated_.empty()) repeated_ = made(request(question("12345678"))).entity;
        return consumer_.post(address(), repeated_).status;
      }
      default:
        return consumer_.post(address(), "<a>" + std::string(secret)).status;
    }
  }

 private:
  RestAnswer ask() { return chain_.call(name_, "vraagInschrijving", question("12345678")); }
  std::string address() const { return chain_.address(name_); }
  wus::MessageToMake request(const std::string& body) const { return consumer_.request(address(), body); }
  wus::MadeMessage made(const wus::MessageToMake& make) const {
    return consumer_.made(make, settings_, chain_.provider.identity().certificate);
  }
  unsigned post(const wus::MessageToMake& make) { return consumer_.post(address(), made(make).entity).status; }

  Chain& chain_;
  std::string name_;
  Profile profile_;
  wus::Settings settings_;
  ByHand consumer_;
  std::string repeated_;
};

std::int64_t total(Site& site, const std::string& query) {
  const auto found = site.admin().get("/api/v1/messages?protocol=wus&perPage=1&" + query);
  EXPECT_EQ(found.status, 200U) << found.body;
  return std::stoll(found.header("Total-Count"));
}

// The first event of a type; null: there is none.
Json event_of(const Json& events, const std::string& type) {
  for (const auto& event : events)
    if (event.value("type", "") == type) return event;
  return nullptr;
}

// What WUS-320 wants of one inbound exchange.
void expect_complete(Site& site, const Json& record, const Json& events) {
  const auto context = record.dump(1) + events.dump(1);
  const bool secured = record.value("profile", "") != "2W-be";
  EXPECT_EQ(record.value("direction", ""), "inbound") << context;
  EXPECT_FALSE(record.value("service", "").empty()) << context;
  EXPECT_FALSE(record.value("contractId", "").empty()) << context;
  EXPECT_THAT(record.value("state", ""), AnyOf("COMPLETED", "REFUSED", "FAULT")) << context;

  const auto received = event_of(events, "received");
  ASSERT_FALSE(received.is_null()) << context;
  EXPECT_EQ(received["peer"].value("oin", ""), "00000099000000010000") << context;
  EXPECT_EQ(received["peer"].value("certificateSha256", "").size(), 64U) << context;
  EXPECT_GT(received.value("bytes", 0), 0) << context;
  EXPECT_EQ(received.value("tenant", ""), site.options().slug) << context;
  const bool was_read = !record.value("messageId", "").empty();
  if (was_read) {
    EXPECT_THAT(received.value("detail", ""), HasSubstr("to=https://")) << context;
    EXPECT_THAT(received.value("detail", ""), HasSubstr("from=https://")) << context;
    EXPECT_THAT(received.value("detail", ""), HasSubstr("OIN=00000099000000010000")) << context;
  }
  const auto verified = event_of(events, "verified");
  if (!verified.is_null()) {
    // WUS-321: the chain of the signer and the lists by which it was judged; the authorities are in the evidence.
    const auto basis = std::ranges::find_if(events, [](const Json& event) { return event.value("detail", "").starts_with("path="); });
    ASSERT_NE(basis, events.end()) << context;
    EXPECT_THAT(basis->value("detail", ""), HasSubstr(" crls=")) << context;
    const auto path = security::path_of_basis(basis->value("detail", ""));
    ASSERT_GE(path.size(), 2U) << context;
    const auto archive = site.admin().get("/api/v1/messages/" + record.value("id", "") + "/evidence");
    ASSERT_EQ(archive.status, 200U) << archive.body;
    EXPECT_THAT(archive.body, HasSubstr("certificates/" + path.back() + ".der")) << context;
    for (const auto* part : {"signer=00000099000000010000", "serial=", "issuer=", "signature=rsa-sha256", "digest=sha256"})
      EXPECT_THAT(verified.value("detail", ""), HasSubstr(part)) << context;
    if (record.value("profile", "") == "2W-be-SE") {
      for (const auto* part : {"cipher=aes256-gcm", "transport=rsa-oaep-mgf1p"})
        EXPECT_THAT(verified.value("detail", ""), HasSubstr(part)) << context;
    }
  } else {
    EXPECT_TRUE(!secured || record.value("state", "") == "REFUSED") << context;
  }
  const bool called = record.value("state", "") != "REFUSED";
  EXPECT_EQ(event_of(events, "offered").is_null(), !called) << context;
  const auto replied = event_of(events, record.contains("lastError") ? "rejected" : "replied");
  ASSERT_FALSE(replied.is_null()) << context;
  EXPECT_THAT(replied.value("wireId", ""), HasSubstr("urn:uuid:")) << "the MessageID of the answer" << context;
  EXPECT_NE(replied.value("wireId", ""), record.value("messageId", ""));
  EXPECT_GT(replied.value("bytes", 0), 0) << context;
  EXPECT_TRUE(replied.contains("durationMs")) << context;
  if (record.contains("lastError")) {
    EXPECT_THAT(replied.value("code", ""), HasSubstr("wus.")) << context;
  }
}

// WUS-320, WUS-240
TEST(WusEvidence, OfAHundredExchangesEachHasOneCompleteRecordWithoutPayload) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  std::deque<Exchanges> services;
  for (const auto& [name, profile] : {std::pair{"bewijs-be", Profile::be}, {"bewijs-s", Profile::be_s}, {"bewijs-se", Profile::be_se}}) {
    two.offer(name, std::string(to_string(profile)));
    services.emplace_back(two, name, profile);
  }
  const auto inbound_before = total(two.provider, "direction=inbound"), outbound_before = total(two.consumer, "direction=outbound");
  std::map<unsigned, int> statuses;
  int by_node = 0;
  for (int i = 0; i < 100; ++i) {
    const int kind = i % Exchanges::kinds;
    ++statuses[services[static_cast<std::size_t>(i / Exchanges::kinds) % services.size()].run(kind)];
    if (kind < 5) ++by_node;
  }
  EXPECT_GE(statuses[200], 20) << "calls that succeed";
  EXPECT_GE(statuses[502], 20) << "faults, told by the consumer's node";
  EXPECT_GE(statuses[500], 20) << "refusals, seen by hand";
  ASSERT_TRUE(becomes([&] { return total(two.provider, "direction=inbound") >= inbound_before + 100; }, 10s));
  EXPECT_EQ(total(two.provider, "direction=inbound"), inbound_before + 100) << "one each";
  EXPECT_EQ(total(two.consumer, "direction=outbound"), outbound_before + by_node) << "one each";

  std::set<std::string> states;
  for (auto* site : {&two.provider, &two.consumer}) {
    const bool inbound = site == &two.provider;
    auto api = site->admin();
    const auto records =
        api.get("/api/v1/messages?protocol=wus&perPage=100&direction=" + std::string(inbound ? "inbound" : "outbound")).json();
    const std::size_t count = inbound ? 100U : static_cast<std::size_t>(by_node);  // the newest
    ASSERT_GE(records.size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto record = records[i];
      const auto events = api.get("/api/v1/messages/" + record.value("id", "") + "/events").json();
      EXPECT_THAT(record.dump() + events.dump(), Not(HasSubstr(secret)));
      if (inbound) {
        expect_complete(*site, record, events);
        states.insert(record.value("state", ""));
        continue;
      }
      // The other role: by whom it was answered, what secured it, and the MessageID of the answer.
      const auto ended = event_of(events, "attemptSucceeded");
      ASSERT_FALSE(ended.is_null()) << events.dump(1);
      EXPECT_EQ(ended["peer"].value("oin", ""), two.provider.options().oin);
      EXPECT_NE(ended.value("wireId", ""), record.value("messageId", "")) << events.dump(1);
      EXPECT_THAT(event_of(events, "submitted").value("detail", ""), HasSubstr("to=https://"));
      if (record.value("profile", "") != "2W-be") {
        EXPECT_THAT(event_of(events, "attemptStarted").value("detail", ""), HasSubstr("signer=" + two.consumer.options().oin));
        if (record.value("state", "") == "COMPLETED") {
          EXPECT_THAT(ended.value("detail", ""), HasSubstr("signer=" + two.provider.options().oin)) << events.dump(1);
        }
      }
    }
  }
  EXPECT_EQ(states, (std::set<std::string>{"COMPLETED", "REFUSED", "FAULT"}));
  EXPECT_THAT(two.provider.log() + two.consumer.log(), Not(HasSubstr(secret)));
}

// WUS-321: what both sides keep are the octets that crossed, and another program verifies them.
TEST(WusEvidence, StoredOctetsVerifyOffline) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  if (!wus::testing::WusXmlsec1::installed()) GTEST_SKIP() << "xmlsec1 is not installed";
  auto& two = chain();
  for (const auto& [name, profile] : {std::pair{"offline-s", Profile::be_s}, {"offline-se", Profile::be_se}}) {
    // xmlsec1 reads OAEP with SHA-1 only.
    two.offer(name, std::string(to_string(profile)), {{"oaepDigest", "sha1"}}, {{"oaepDigest", "sha1"}});
    two.backend.answers(answer("12345678"));
    const auto called = two.call(name, "vraagInschrijving", question("12345678"));
    ASSERT_EQ(called.status, 200U) << called.body;
    const auto stored = [&](Site& site, const char* index) {
      const auto record = newest(site, "messageId=" + called.header("Schakel-Relates-To"));
      const auto kept = site.admin().get("/api/v1/messages/" + record.value("id", "") + "/payloads/" + index);
      EXPECT_EQ(kept.status, 200U);
      return kept.body;
    };
    wus::testing::WusXmlsec1 xmlsec1;
    for (const auto& [index, signer, reader] : {std::tuple{"0", &two.consumer, &two.provider}, {"1", &two.provider, &two.consumer}}) {
      auto octets = stored(two.provider, index);
      EXPECT_EQ(octets, stored(two.consumer, index));
      if (profile == Profile::be_se) octets = xmlsec1.decrypted(octets, reader->identity().key_pair->key()).value_or("");
      EXPECT_TRUE(xmlsec1.verifies(octets, signer->identity().certificate)) << name << index << xmlsec1.said() << octets;
      auto forged = octets;
      forged.replace(forged.find("12345678"), 8, "12345679");
      EXPECT_FALSE(xmlsec1.verifies(forged, signer->identity().certificate)) << "this test can fail";
    }
  }
}

// WUS-321: the decrypted envelope is kept where the contract says so.
TEST(WusEvidence, TheDecryptedEnvelopeIsKeptOnDemand) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  for (const bool on : {false, true}) {
    const std::string name = on ? "bewijs-leesbaar" : "bewijs-dicht";
    two.offer(name, "2W-be-SE", {{"evidencePlain", on}}, {{"evidencePlain", on}});
    two.backend.answers(answer("12345678"));
    const auto called = two.call(name, "vraagInschrijving", question("12345678"));
    ASSERT_EQ(called.status, 200U) << called.body;
    for (const auto& [site, index, text] :
         {std::tuple{&two.provider, "2", "vraagInschrijving"}, {&two.consumer, "3", "vraagInschrijvingResponse"}}) {
      const auto record = newest(*site, "messageId=" + called.header("Schakel-Relates-To"));
      const auto payload = "/api/v1/messages/" + record.value("id", "") + "/payloads/";
      const auto kept = site->admin().get(payload + index);
      ASSERT_EQ(kept.status, on ? 200U : 404U) << name << index << kept.body;
      if (!on) continue;
      EXPECT_THAT(kept.body, HasSubstr(text));
      EXPECT_THAT(kept.body, HasSubstr("12345678"));
      EXPECT_THAT(site->admin().get(payload + (*index == '2' ? "0" : "1")).body, Not(HasSubstr("12345678")));
    }
  }
}

// WUS-322: without a restart.
TEST(WusEvidence, AChangedSettingWorksOnTheNextMessages) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer("wisselend", "2W-be-S");
  ByHand consumer(two.pki, two.consumer.identity(), two.provider.options().oin);
  const auto settings = ByHand::settings(Profile::be_s);
  const auto status_of_invalid = [&] {
    const auto made =
        consumer.made(consumer.request(two.address("wisselend"), question("7")), settings, two.provider.identity().certificate);
    return consumer.post(two.address("wisselend"), made.entity).status;
  };
  two.backend.answers(answer("12345678"));
  EXPECT_EQ(status_of_invalid(), 500U);
  change_service(two.provider, "wisselend", {{"validate", "off"}});
  EXPECT_TRUE(becomes([&] { return status_of_invalid() == 200U; }, 10s)) << two.provider.log();
  change_service(two.provider, "wisselend", {{"validate", "both"}});
  EXPECT_TRUE(becomes([&] { return status_of_invalid() == 500U; }, 10s)) << two.provider.log();
}

// WUS-172, WUS-322: until its end, and not after.
TEST(WusEvidence, ALegacyExceptionStopsAtItsEnd) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer("verouderd", "2W-be-SE");
  two.backend.answers(answer("12345678"));
  ByHand consumer(two.pki, two.consumer.identity(), two.provider.options().oin);
  auto settings = ByHand::settings(Profile::be_se);
  settings.encryption_algorithm = xmlsecurity::ContentCipher::aes256_cbc;
  settings.legacy_cbc = wus::LegacyCbc::both;
  settings.legacy_cbc_until = SystemClock().now() + 1h;
  const auto post = [&] {
    const auto made =
        consumer.made(consumer.request(two.address("verouderd"), question("12345678")), settings, two.provider.identity().certificate);
    return consumer.post(two.address("verouderd"), made.entity);
  };
  EXPECT_THAT(post().body, HasSubstr("UnsupportedAlgorithm"));
  EXPECT_TRUE(service_of(two.provider, "verouderd").value("compliant", false));

  // Long enough for a slow machine to see it work.
  const auto until = SystemClock().now() + std::chrono::duration_cast<Duration>(10s);
  const auto exception = [&](Instant end) {
    return Json{{"partners", {{two.consumer.options().oin, {{"legacyCbc", "decrypt"}, {"legacyCbcUntil", to_rfc3339(end)}}}}}};
  };
  change_service(two.provider, "verouderd", exception(until));
  const auto shown = service_of(two.provider, "verouderd");
  EXPECT_FALSE(shown.value("compliant", true)) << shown.dump(1);
  EXPECT_EQ(shown["exceptions"],
            Json::array({{{"setting", "legacyCbc"}, {"partnerOin", two.consumer.options().oin}, {"until", to_rfc3339(until)}}}));
  bool was_accepted = false;
  RestAnswer last;
  while (SystemClock().now() < until + std::chrono::duration_cast<Duration>(1s)) {
    last = post();
    was_accepted = was_accepted || last.status == 200U;
    std::this_thread::sleep_for(100ms);
  }
  if (!was_accepted) {  // too slow a machine for ten seconds
    change_service(two.provider, "verouderd", exception(SystemClock().now() + std::chrono::duration_cast<Duration>(1h)));
    EXPECT_TRUE(becomes([&] { return post().status == 200U; }, 20s)) << post().body;
  }
  EXPECT_THAT(last.body, HasSubstr("UnsupportedAlgorithm")) << "its end has come";
  EXPECT_THAT(two.provider.log(), HasSubstr("wus.algorithmException")) << "each use is told";
}

// WUS-284: an address behind a reverse proxy, as the back-end and the trail know it. Nothing that crosses the wire is another.
TEST(WusEvidence, AFromAddressIsShownAsTheTableSays) {
  SCHAKEL_NEEDS_WUS_STANDARDS();
  auto& two = chain();
  two.offer("afzender", "2W-be-S",
            {{"fromAddresses", {{{"address", "https://localhost/wus"}, {"shownAs", "https://buiten.example/wus"}}}}});
  two.backend.answers(answer("12345678"));
  const auto called = two.call("afzender", "vraagInschrijving", question("12345678"));
  ASSERT_EQ(called.status, 200U) << called.body;
  const auto shown = "https://buiten.example/wus?OIN=" + two.consumer.options().oin;
  EXPECT_EQ(two.backend.last().header("Schakel-From-Address"), shown);
  const auto message_id = called.header("Schakel-Relates-To");
  const auto here = newest(two.provider, "messageId=" + message_id), there = newest(two.consumer, "messageId=" + message_id);
  EXPECT_THAT(event_of(two.provider.admin().get("/api/v1/messages/" + here.value("id", "") + "/events").json(), "received").dump(),
              HasSubstr("from=" + shown));
  const auto octets = [](Site& site, const Json& record, const char* index) {
    return site.admin().get("/api/v1/messages/" + record.value("id", "") + "/payloads/" + index).body;
  };
  EXPECT_THAT(octets(two.provider, here, "0"), HasSubstr("<wsa:Address>https://localhost/wus?OIN="));
  for (const auto* index : {"0", "1"}) EXPECT_EQ(octets(two.provider, here, index), octets(two.consumer, there, index));
}

}  // namespace
}  // namespace schakel::integration
