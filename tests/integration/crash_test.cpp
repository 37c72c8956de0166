// Nodes killed with SIGKILL under load: nothing that was acknowledged is lost, nothing that was confirmed is handed over again, both ends
// agree (ebms.md 3.12). Under each reliable profile: what is signed and encrypted is kept and sent again as it is.
//
// SCHAKEL_KILLS says how often per case (default 2).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <random>
#include <set>

#include "integration/site.hpp"
#include "support/postgres.hpp"

namespace schakel::integration {
namespace {

enum class Victim { sender, receiver, both };

struct Case {
  bool postgres;
  Victim victim;
};

int kills() {
  const char* text = std::getenv("SCHAKEL_KILLS");
  return text ? std::max(1, std::atoi(text)) : 2;
}

// Submits numbered messages under the agreements in turn, some hundred a second: what waits while a node is down must be delivered by the
// end. Each is tried with one Idempotency-Key until the node has said 202, so each is made once.
class Application {
 public:
  // `cpa_ids`: with their profiles.
  Application(Site& site, std::vector<std::pair<std::string, std::string>> cpa_ids)
      : site_(site), cpa_ids_(std::move(cpa_ids)), thread_([this] { run(); }) {}
  ~Application() { stop(); }
  void stop() {
    stopped_ = true;
    if (thread_.joinable()) thread_.join();
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return accepted_.size();
  }
  struct Accepted {
    std::string id, text, profile;  // our id, the payload
  };
  // By their protocol ids.
  std::map<std::string, Accepted> accepted() const {
    const std::lock_guard lock(mutex_);
    return accepted_;
  }

 private:
  void run() {
    auto api = site_.application();
    for (int number = 0; !stopped_; ++number) {
      const auto text = "message " + std::to_string(number);
      const auto& [cpa_id, profile] = cpa_ids_[static_cast<std::size_t>(number) % cpa_ids_.size()];
      const Json fields{{"cpaId", cpa_id},
                        {"service", "Voorbeeld:Meldingen:1:0"},
                        {"action", "meld"},
                        {"payloads", {{{"contentType", "text/plain"}, {"data", to_base64(text)}}}}};
      for (;;) {
        const auto answer = api.post("/api/v1/messages", fields, {{"Idempotency-Key", "load-" + std::to_string(number)}});
        if (answer.status == 202) {
          const std::lock_guard lock(mutex_);
          accepted_.emplace(answer.json().value("messageId", ""), Accepted{answer.json().value("id", ""), text, profile});
          break;
        }
        if (stopped_) return;  // not accepted: then it need not arrive, but it may
        std::this_thread::sleep_for(20ms);
      }
      std::this_thread::sleep_for(5ms);
    }
  }

  Site& site_;
  std::vector<std::pair<std::string, std::string>> cpa_ids_;
  mutable std::mutex mutex_;
  std::map<std::string, Accepted> accepted_;
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

// Pulls messages from the queue and confirms each.
class Consumer {
 public:
  explicit Consumer(Site& site) : site_(site), thread_([this] { run(); }) {}
  ~Consumer() { stop(); }
  void stop() {
    stopped_ = true;
    if (thread_.joinable()) thread_.join();
  }
  std::map<std::string, int> confirmed() const {
    const std::lock_guard lock(mutex_);
    return confirmed_;
  }
  // Every message that was handed over, also when a kill swallowed the answer to its confirmation.
  std::set<std::string> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  std::string last_answer() const {
    const std::lock_guard lock(mutex_);
    return last_answer_;
  }
  std::vector<std::string> again() const {
    const std::lock_guard lock(mutex_);
    return again_;
  }

 private:
  void run() {
    auto api = site_.application();
    while (!stopped_) {
      const auto pulled = api.get("/api/v1/queues/default/messages?max=50&leaseSeconds=10&waitSeconds=1");
      if (pulled.status != 200) {
        note(pulled);
        std::this_thread::sleep_for(50ms);
        continue;
      }
      const auto body = pulled.json();
      for (const auto& item : body["messages"]) confirm(api, item);
    }
  }
  void note(const RestAnswer& answer) {
    const std::lock_guard lock(mutex_);
    last_answer_ = std::to_string(answer.status) + " " + answer.body;
  }
  void confirm(Rest& api, const Json& item) {
    const auto id = item["message"].value("messageId", "");
    {
      const std::lock_guard lock(mutex_);
      if (confirmed_.contains(id)) again_.push_back(id);
      seen_.insert(id);
    }
    const auto answer =
        api.post("/api/v1/queues/default/acknowledgements", {{"items", {{{"receipt", item["receipt"]}, {"result", "processed"}}}}});
    note(answer);
    const std::lock_guard lock(mutex_);
    if (answer.status != 200 || answer.body.find("\"ok\"") == std::string::npos) return;  // not confirmed: it comes again
    ++confirmed_[id];
  }

  Site& site_;
  mutable std::mutex mutex_;
  std::map<std::string, int> confirmed_;
  std::set<std::string> seen_;
  std::vector<std::string> again_;
  std::string last_answer_;
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

class Crash : public ::testing::TestWithParam<Case> {
 protected:
  static std::string database_url() {
    if (!GetParam().postgres) return {};
    return schakel::testing::Postgres::shared().value()->new_database().value();
  }
  static SiteOptions site(std::string slug, std::string name, std::string oin) {
    // A killed node's name is free again when its lease has run out: soon, so that many kills fit in a test.
    return {.slug = std::move(slug),
            .name = std::move(name),
            .oin = std::move(oin),
            .database_url = database_url(),
            .more = GetParam().postgres ? "[cluster]\nheartbeat = \"1s\"\nlease = \"3s\"\n" : "",
            .purposes = {"tls-server", "tls-client", "signing", "encryption"}};
  }
  // One agreement for each reliable profile, loaded by both; their ids and profiles.
  static std::vector<std::pair<std::string, std::string>> agree(Site& sender, Site& receiver) {
    std::vector<std::pair<std::string, std::string>> out;
    for (const std::string profile : {"osb-rm", "osb-rm-s", "osb-rm-e"}) {
      const CpaTerms terms{.cpa_id = "cpa-" + profile,
                           .sign = profile == "osb-rm-s",
                           .encrypt = profile == "osb-rm-e",
                           .retries = 3000,
                           .retry_interval = "PT1S",
                           .persist_duration = "PT1H"};
      const auto document = CpaDocument(terms, sender.party("Melder"), receiver.party("Register")).text();
      sender.load(document);
      receiver.load(document);
      out.emplace_back(terms.cpa_id, profile);
    }
    return out;
  }
  void kill_and_restart(Site& site, std::mt19937& dice) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100 + dice() % 500));
    site.process().kill();
    site.start();
  }
  static std::int64_t total(Rest& api, const std::string& query) {
    const auto answer = api.get("/api/v1/messages?perPage=1&" + query);
    return answer.status == 200 ? std::stoll(answer.header("Total-Count")) : -1;
  }
};

// EB-009, EB-094, EB-102, EB-112, EB-222, ADP-103; ebms.md A27
TEST_P(Crash, LosesNothingAndHandsNothingOverTwice) {
  if (GetParam().postgres && schakel::testing::Postgres::switched_off()) GTEST_SKIP() << "SCHAKEL_NO_POSTGRES=1";
  ServedPki pki;
  Site sender(pki, site("voorbeeldstad", "Gemeente Voorbeeldstad", "00000099000000010000"));
  Site receiver(pki, site("voorbeeldregister", "Voorbeeldregister", "00000099000000020000"));
  sender.start_and_wait();
  receiver.start_and_wait();
  Application application(sender, agree(sender, receiver));
  Consumer consumer(receiver);
  ASSERT_TRUE(becomes([&] { return application.count() >= 6; }, 20s)) << sender.log();
  std::mt19937 dice(20261122);
  for (int i = 0; i < kills(); ++i) {
    const bool of_sender = GetParam().victim == Victim::sender || (GetParam().victim == Victim::both && i % 2 == 0);
    auto& site = of_sender ? sender : receiver;
    kill_and_restart(site, dice);
    ASSERT_TRUE(site.is_ready(40s)) << site.log();
    const auto before = application.count();
    ASSERT_TRUE(becomes([&] { return application.count() >= before + 6; }, 60s)) << "the node takes messages again\n" << sender.log();
  }
  application.stop();

  // Every accepted message is delivered, by the word of both ends.
  const auto accepted = application.accepted();
  auto sending = sender.application(), receiving = receiver.application();
  ASSERT_TRUE(
      becomes([&] { return total(sending, "direction=outbound&state=DELIVERED") >= static_cast<std::int64_t>(accepted.size()); }, 120s))
      << total(sending, "direction=outbound&state=DELIVERED") << " of " << accepted.size() << " delivered\n"
      << sender.log() << receiver.log();
  EXPECT_TRUE(
      becomes([&] { return total(receiving, "direction=inbound&state=PROCESSED") >= static_cast<std::int64_t>(accepted.size()); }, 60s))
      << consumer.confirmed().size() << " of " << accepted.size() << " confirmed; " << consumer.last_answer();
  consumer.stop();
  const auto seen = consumer.seen();
  for (const auto& [message_id, sent] : accepted) {
    EXPECT_TRUE(seen.contains(message_id)) << "processed and never handed over: " << message_id;
    const auto own = sending.get("/api/v1/messages/" + sent.id).json();
    EXPECT_EQ(own.value("profile", ""), sent.profile);
    EXPECT_EQ(own.value("state", ""), "DELIVERED") << own.dump();
    EXPECT_TRUE(own.value("confirmed", false));
    const auto theirs = receiving.get("/api/v1/messages?direction=inbound&messageId=" + message_id).json();
    ASSERT_EQ(theirs.size(), 1U) << "received once: " << message_id;
    EXPECT_EQ(theirs[0].value("state", ""), "PROCESSED") << theirs[0].dump();
    EXPECT_EQ(receiving.get("/api/v1/messages/" + theirs[0].value("id", "") + "/payloads/0").body, sent.text);
  }
  EXPECT_THAT(consumer.again(), ::testing::IsEmpty()) << "confirmed and offered again";
  EXPECT_EQ(total(receiving, "direction=inbound"), total(sending, "direction=outbound"));
}

INSTANTIATE_TEST_SUITE_P(Databases, Crash,
                         ::testing::Values(Case{false, Victim::sender}, Case{false, Victim::receiver}, Case{true, Victim::both}),
                         [](const auto& instance) {
                           return std::string(instance.param.postgres ? "Postgres" : "Sqlite") +
                                  (instance.param.victim == Victim::sender     ? "Sender"
                                   : instance.param.victim == Victim::receiver ? "Receiver"
                                                                               : "Both");
                         });

}  // namespace
}  // namespace schakel::integration
