// What the log and the audit log tell of a message, and what they never tell (EB-223).

#include "base/json_library.hpp"
#include "unit/ebms/pair.hpp"

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;
using schakel::testing::RecordingLog;
using testing::Pair;
using State = exchange::State;

const std::string secret = "999990019-geheim";

class Logging : public Pair {
 protected:
  static SubmitRequest confidential() { return question({"<bsn>" + secret + "</bsn>", std::string(200'000, 'x') + secret}); }

  // The only line of this event.
  RecordingLog::Line line(testing::Node& node, std::string_view event) {
    const auto lines = node.log.lines(event);
    EXPECT_EQ(lines.size(), 1U) << event << "\n" << node.log.text();
    return lines.empty() ? RecordingLog::Line{} : lines.front();
  }
  void expect_names_the_message(const RecordingLog::Line& line, const exchange::Message& message, bool swapped = false) {
    EXPECT_EQ(line["conversationId"], message.conversation_id) << line.event;
    EXPECT_EQ(line["cpaId"], "sim-1") << line.event;
    EXPECT_NE(line["from"].find(swapped ? oin_b : oin_a), std::string::npos) << line.event << " " << line["from"];
    EXPECT_NE(line["to"].find(swapped ? oin_a : oin_b), std::string::npos) << line.event << " " << line["to"];
    if (swapped) {
      EXPECT_EQ(line["refToMessageId"], message.message_id) << line.event;
      EXPECT_EQ(line["service"], uri::signal_service) << line.event;
      EXPECT_NE(line["messageId"], "") << line.event;
    } else {
      EXPECT_EQ(line["messageId"], message.message_id) << line.event;
      EXPECT_EQ(line["service"], "sim:Melding:1:0") << line.event;
      EXPECT_EQ(line["action"], "question") << line.event;
    }
  }
  static void expect_names_the_peer(const RecordingLog::Line& line, const security::PeerIdentity& peer, const char* status) {
    EXPECT_EQ(line["peerOin"], peer.oin) << line.event;
    EXPECT_EQ(line["peerSerial"], peer.serial) << line.event;
    EXPECT_EQ(line["status"], status) << line.event;
  }
  void expect_no_content() {
    for (const auto* node : {a.get(), b.get()}) {
      EXPECT_EQ(node->log.text().find("999990019"), std::string::npos);
      EXPECT_EQ(node->log.text().find("<bsn>"), std::string::npos);
    }
  }
  std::vector<nlohmann::json> audited(testing::Node& node) {
    std::vector<nlohmann::json> records;
    for (const auto& row : node.in_unit([&](sql::Transaction& tx) { return tx.query("SELECT record FROM audit_log"); }).value())
      records.push_back(nlohmann::json::parse(row.text(0)));
    return records;
  }
};

TEST_F(Logging, every_step_of_a_message_has_one_line_with_its_names) {  // EB-223
  start();
  const auto submitted = a->submit(confidential());
  ASSERT_TRUE(submitted);
  settle();
  ASSERT_EQ(a->message(submitted->id).state, State::delivered);
  expect_names_the_message(line(*a, "ebms.submitted"), *submitted);
  const auto attempted = line(*a, "ebms.attempted");
  expect_names_the_message(attempted, *submitted);
  expect_names_the_peer(attempted, peer_b, "204");
  const auto received = line(*b, "ebms.received");
  expect_names_the_message(received, *submitted);
  expect_names_the_peer(received, peer_a, "204");
  EXPECT_EQ(received["bytes"], std::to_string(secret.size() * 2 + 11 + 200'000));
  const auto posted = line(*b, "ebms.signalPosted");
  expect_names_the_message(posted, *submitted, true);
  expect_names_the_peer(posted, peer_a, "204");
  EXPECT_EQ(posted["action"], "Acknowledgment");
  const auto signal = line(*a, "ebms.signal");
  expect_names_the_message(signal, *submitted, true);
  expect_names_the_peer(signal, peer_b, "204");
  EXPECT_EQ(signal["action"], "Acknowledgment");
  const auto ended = line(*a, "ebms.ended");
  expect_names_the_message(ended, *submitted);
  EXPECT_EQ(ended["state"], "DELIVERED");
  expect_no_content();
}

TEST_F(Logging, refusals_repetitions_and_postponements_have_their_line_too) {  // EB-223
  start(agreement().synchronous());
  const auto submitted = a->submit(confidential());
  settle();
  b->log.clear();
  EXPECT_EQ(b->receive(sent[0], &peer_a).status, 200U);
  const auto repeated = line(*b, "ebms.duplicate");
  expect_names_the_message(repeated, *submitted);
  expect_names_the_peer(repeated, peer_a, "200");

  auto other = sent[0];
  const auto place = other.body.find(submitted->conversation_id);
  other.body.replace(place, 4, "0000");
  EXPECT_EQ(b->receive(other, &peer_a).status, 200U);
  EXPECT_EQ(line(*b, "ebms.messageIdReused").level, LogLevel::error) << "an alert";

  auto wrong = sent[0];
  wrong.body.replace(wrong.body.find(">question<"), 10, ">questi0n<");
  wrong.body.replace(wrong.body.find("<eb:MessageId>") + 14, 4, "0000");
  EXPECT_EQ(b->receive(wrong, &peer_a).status, 200U);
  const auto refused = line(*b, "ebms.refused");
  EXPECT_EQ(refused["code"], "ValueNotRecognized");
  expect_names_the_peer(refused, peer_a, "200");

  auto fresh = sent[0];
  fresh.body.replace(fresh.body.find("<eb:MessageId>") + 14, 4, "1111");
  b->suspended = true;
  EXPECT_EQ(b->receive(fresh, &peer_a).status, 503U);
  expect_names_the_peer(line(*b, "ebms.postponed"), peer_a, "503");
  b->suspended = false;

  auto unknown = sent[0];
  unknown.body.replace(unknown.body.find(">sim-1<"), 7, ">sim-9<");
  EXPECT_EQ(b->receive(unknown, &peer_a).status, 500U);
  const auto fault = line(*b, "ebms.fault");
  EXPECT_EQ(fault["code"], "CPA_UNKNOWN");
  EXPECT_EQ(fault["conversationId"], submitted->conversation_id);
  expect_names_the_peer(fault, peer_a, "500");
  expect_no_content();
}

TEST_F(Logging, failures_of_sending_say_what_happened) {  // EB-223
  start();
  on_wire = [&](const testing::WireRequest&, bool) { return std::optional(broken()); };
  const auto submitted = a->submit(confidential());
  settle();
  const auto attempted = line(*a, "ebms.attempted");
  expect_names_the_message(attempted, *submitted);
  EXPECT_EQ(attempted["status"], "0");
  EXPECT_EQ(attempted["code"], "transport.connect");
  settle_at(30min);
  const auto ended = line(*a, "ebms.ended");
  expect_names_the_message(ended, *submitted);
  EXPECT_EQ(ended["state"], "EXPIRED");
  expect_no_content();
}

TEST_F(Logging, a_security_rejection_is_in_the_audit_log_with_the_certificate) {  // EB-223, SEC-103
  start();
  const auto submitted = a->submit(confidential());
  on_wire = [&](const testing::WireRequest&, bool) { return std::optional(status(503)); };
  run(*a);
  security::PeerIdentity stranger;
  stranger.oin = "00000001800000009000";
  stranger.serial = "4711";
  stranger.sha256 = std::string(64, 'c');
  EXPECT_EQ(b->receive(sent[0], &stranger).status, 500U);
  const auto refused = line(*b, "ebms.senderRefused");
  expect_names_the_message(refused, *submitted);
  expect_names_the_peer(refused, stranger, "500");
  EXPECT_EQ(refused["code"], "SEC.OIN.GEEN_MANDAAT");
  const auto records = audited(*b);
  ASSERT_EQ(records.size(), 1U);
  const auto& record = records[0];
  EXPECT_EQ(record["kind"], "authorisation");
  EXPECT_EQ(record["result"], "refused");
  EXPECT_EQ(record["reason"], "SEC.OIN.GEEN_MANDAAT");
  EXPECT_EQ(record["certificate"]["oin"], stranger.oin);
  EXPECT_EQ(record["certificate"]["serial"], "4711");
  EXPECT_EQ(record["certificate"]["sha256"], stranger.sha256);
  EXPECT_EQ(record["messageId"], submitted->message_id);
  EXPECT_EQ(record["service"], "sim:Melding:1:0");
  EXPECT_EQ(record["action"], "question");
  EXPECT_EQ(record.dump().find("999990019"), std::string::npos);
  expect_no_content();
}

}  // namespace
}  // namespace schakel::ebms
