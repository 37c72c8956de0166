// What a provider remembers of requests, on every node and after a restart (wus.md section 6: row 12).
#include "integration/wus_by_hand.hpp"
#include "support/postgres.hpp"

namespace schakel::integration {
namespace {

using ::testing::HasSubstr;
using wus::Profile;

// With PostgreSQL a provider of two nodes; with SQLite one node, which is asked twice.
class WusMemory : public ::testing::TestWithParam<bool> {
 protected:
  static bool clustered() { return GetParam(); }
  static std::string database_url() {
    return clustered() ? schakel::testing::Postgres::shared().value()->new_database().value() : std::string();
  }
  void SetUp() override {
    SCHAKEL_NEEDS_WUS_STANDARDS();
    if (clustered() && schakel::testing::Postgres::switched_off()) GTEST_SKIP() << "SCHAKEL_NO_POSTGRES=1";
    provider.emplace(pki, SiteOptions{.slug = "voorbeeldregister",
                                      .name = "Voorbeeldregister",
                                      .oin = "00000099000000020000",
                                      .database_url = database_url(),
                                      .more = clustered() ? "[cluster]\nheartbeat = \"1s\"\nlease = \"3s\"\n" : "",
                                      .purposes = everything});
    consumer.emplace(pki, pki.with([](test::Pki& shared) { return shared.tls("00000099000000010000", "Gemeente Voorbeeldstad"); }),
                     provider->options().oin);
    backend.answers(answer("12345678"));
    start();
  }
  void start() {
    provider->start_and_wait();
    if (clustered()) provider->start_second_and_wait();
  }
  void crash() {
    provider->process().kill();
    if (clustered()) provider->second_process().kill();
  }
  static std::string path_of(const std::string& name) { return "/wus/" + name; }
  std::string first(const std::string& name) const {
    return "https://localhost:" + std::to_string(provider->external_port()) + path_of(name);
  }
  std::string second(const std::string& name) const {
    return clustered() ? "https://localhost:" + std::to_string(provider->second_external_port()) + path_of(name) : first(name);
  }
  // Offered by all nodes.
  void offer(const std::string& name, Profile profile, const Json& more = Json::object()) {
    Json settings{{"role", "provider"},
                  {"ownOin", provider->options().oin},
                  {"profile", to_string(profile)},
                  {"path", path_of(name)},
                  {"addresses", {first(name)}},
                  {"grants", {{{"oin", consumer->own().certificate->oin.oin}}}},
                  {"backend", {{"url", backend.url()}}}};
    settings.merge_patch(more);
    load_service(*provider, name, settings);
    wait_for(name, profile);
  }
  void wait_for(const std::string& name, Profile profile) {
    for (const auto& url : {first(name), second(name)})
      ASSERT_TRUE(becomes([&] { return consumer->post(url, message(name, profile).entity).status == 200U; }, 20s))
          << consumer->post(url, message(name, profile).entity).body << provider->log();
  }
  wus::MadeMessage message(const std::string& name, Profile profile, const std::string& number = "12345678",
                           const std::string& id = ByHand::new_id()) const {
    return consumer->made(consumer->request(first(name), question(number), id), ByHand::settings(profile),
                          provider->identity().certificate);
  }
  std::size_t asked() { return backend.asked().size(); }

  ServedPki pki;
  Backend backend;
  std::optional<Site> provider;
  std::optional<ByHand> consumer;
};

// WUS-246
TEST_P(WusMemory, TheSameOctetsAreRefusedByEveryNodeAndAfterARestart) {
  struct Accepted {
    std::string name;
    Profile profile;
    wus::MadeMessage made;
  };
  std::vector<Accepted> accepted;
  for (const auto& [name, profile] : {std::pair{"s", Profile::be_s}, {"se", Profile::be_se}}) {
    offer(name, profile);
    accepted.push_back({name, profile, message(name, profile)});
    ASSERT_EQ(consumer->post(first(name), accepted.back().made.entity).status, 200U);
  }
  const auto expect_refusals = [&](const std::string& when) {
    const auto before = asked();
    for (const auto& [name, profile, made] : accepted) {
      for (const auto& url : {second(name), first(name)}) {
        const auto answer = consumer->post(url, made.entity);
        EXPECT_EQ(answer.status, 500U) << when;
        // It was verified before, so the fault is signed, and encrypted in SE.
        const auto read = consumer->read(answer, made, ByHand::settings(profile));
        ASSERT_TRUE(read) << when << ": " << read.error().detail << answer.body;
        EXPECT_TRUE(read->opened.signer) << when;
        EXPECT_THAT(read->payload, HasSubstr("wsse:InvalidSecurity")) << when;
      }
    }
    EXPECT_EQ(asked(), before) << when;
  };
  expect_refusals("while they run");
  crash();
  start();
  for (const auto& one : accepted) wait_for(one.name, one.profile);
  expect_refusals("after a restart");
}

// WUS-247: a new signature with the MessageID of a message that was taken.
TEST_P(WusMemory, ARepeatedMessageIdIsTreatedAsTheServiceSays) {
  offer("pass", Profile::be_s);
  offer("reject", Profile::be_s, {{"duplicates", "reject"}});
  const auto id = ByHand::new_id();
  const auto status = [&](const std::string& name, const std::string& url) {
    return consumer->post(url, message(name, Profile::be_s, "12345678", id).entity);
  };
  auto before = asked();
  EXPECT_EQ(status("pass", first("pass")).status, 200U);
  EXPECT_EQ(status("pass", second("pass")).status, 200U);
  EXPECT_EQ(asked(), before + 2);

  before = asked();
  EXPECT_EQ(status("reject", first("reject")).status, 200U);
  for (const auto& url : {second("reject"), first("reject")}) {
    const auto made = message("reject", Profile::be_s, "12345678", id);
    const auto answer = consumer->post(url, made.entity);
    EXPECT_EQ(answer.status, 500U);
    EXPECT_THAT(answer.body, HasSubstr("DuplicateMessageID"));
    EXPECT_THAT(answer.body, HasSubstr("DK0011"));
    const auto read = consumer->read(answer, made, ByHand::settings(Profile::be_s));
    EXPECT_TRUE(read) << read.error().detail;
  }
  EXPECT_EQ(asked(), before + 1);
}

// WUS-247: `replay` gives the stored payload, secured anew; in every profile.
TEST_P(WusMemory, AReplayedAnswerIsThatOfTheFirstRequest) {
  for (const auto& [name, profile] : {std::pair{"r-be", Profile::be}, {"r-s", Profile::be_s}, {"r-se", Profile::be_se}}) {
    offer(name, profile, {{"duplicates", "replay"}});
    const auto settings = ByHand::settings(profile);
    const auto id = ByHand::new_id();
    const auto ask = [&](const std::string& url) {
      const auto made = message(name, profile, "12345678", id);
      const auto answered = consumer->post(url, made.entity);
      EXPECT_EQ(answered.status, 200U) << answered.body;
      auto read = consumer->read(answered, made, settings);
      EXPECT_TRUE(read) << name << ": " << read.error().code << " " << read.error().detail;
      return read ? *read : ByHand::Answer();
    };
    backend.answers(answer("12345678", "Eerste"));
    const auto before = asked();
    const auto one = ask(first(name));
    backend.answers(answer("12345678", "Tweede"));
    std::set<std::string> ids{one.addressing.message_id};
    EXPECT_THAT(one.payload, HasSubstr("Eerste"));
    for (const auto& url : {second(name), first(name)}) {
      const auto again = ask(url);
      EXPECT_EQ(again.payload, one.payload) << name;
      EXPECT_EQ(again.addressing.relates_to, id) << name;
      EXPECT_TRUE(ids.insert(again.addressing.message_id).second) << "a MessageID of its own";
    }
    EXPECT_EQ(asked(), before + 1) << name;
    // Another Body under the same MessageID is no repetition.
    const auto other = consumer->post(second(name), message(name, profile, "87654321", id).entity);
    EXPECT_EQ(other.status, 500U);
    EXPECT_EQ(asked(), before + 1) << name;
    crash();
    start();
    wait_for(name, profile);
    backend.answers(answer("12345678", "Derde"));
    EXPECT_EQ(ask(second(name)).payload, one.payload) << name << " after a restart";
  }
}

INSTANTIATE_TEST_SUITE_P(Databases, WusMemory, ::testing::Values(false, true),
                         [](const auto& instance) { return std::string(instance.param ? "Postgres" : "Sqlite"); });

}  // namespace
}  // namespace schakel::integration
