// Two message handlers and what passes between them (ebms.md 3.2, 3.3, 3.6, 3.7; EB-100..123).
#include <nlohmann/json.hpp>

#include "unit/ebms/pair.hpp"

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;
using testing::Pair;
using State = exchange::State;

class ReliableMessaging : public Pair {};

TEST_F(ReliableMessaging, delivers_once_and_both_sides_know) {  // EB-007, EB-009, EB-100, EB-101, EB-111, EB-112, EB-214, EB-216
  start();
  Bytes every_octet = "\r\n--\r\n";
  for (int i = 0; i < 256; ++i) every_octet += static_cast<char>(i);
  const auto submitted = a->submit(question({every_octet, "", "--boundary\r\n"}));
  ASSERT_TRUE(submitted) << submitted.error().code << submitted.error().detail;
  settle();

  const auto message = a->message(submitted->id);
  EXPECT_EQ(message.state, State::delivered);
  EXPECT_TRUE(message.confirmed);
  EXPECT_EQ(a->events(), std::vector<std::string>{"message.delivered"});
  ASSERT_EQ(b->inbound().size(), 1u);
  const auto received = b->inbound().front();
  EXPECT_EQ(received.state, State::received);
  EXPECT_EQ(received.message_id, message.message_id);
  EXPECT_EQ(received.conversation_id, message.conversation_id);
  EXPECT_EQ(b->events(), std::vector<std::string>{"message.received"});
  const auto payloads = b->payloads(received.id);
  ASSERT_EQ(payloads.size(), 3u);
  EXPECT_EQ(b->octets(payloads[0]), every_octet);
  EXPECT_EQ(payloads[1].size, 0);
  EXPECT_EQ(b->octets(payloads[2]), "--boundary\r\n");
  EXPECT_EQ(payloads[0].sha256, sha256_hex(every_octet));

  ASSERT_EQ(sent.size(), 2u);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].status, 204u);
  EXPECT_TRUE(answers[0].body.empty());
  EXPECT_TRUE(answers[0].content_type.empty());
  EXPECT_EQ(sent[1].url, "https://a.example/ebms");
  EXPECT_EQ(answers[1].status, 204u);
  const Envelope ack = testing::envelope_of(sent[1]);
  EXPECT_EQ(ack.header.action, "Acknowledgment");
  EXPECT_EQ(ack.header.ref_to_message_id, message.message_id);
  EXPECT_EQ(ack.header.conversation_id, message.conversation_id);
  EXPECT_EQ(ack.acknowledgment->ref_to_message_id, message.message_id);
  EXPECT_EQ(ack.acknowledgment->actor, std::string(uri::to_party_msh));
  EXPECT_EQ(ack.acknowledgment->timestamp, received.received_at);
  EXPECT_FALSE(ack.manifest);
  EXPECT_TRUE(ack.ack_requested.empty());
  EXPECT_EQ(a->work("ebms.send") + a->work("message.expire") + b->work("ebms.signal"), 0);
  EXPECT_EQ(a->trail(message.id), (std::vector<std::string>{"submitted", "queued", "attemptStarted", "attemptSucceeded", "acknowledged"}));
  EXPECT_EQ(b->trail(received.id), (std::vector<std::string>{"received", "stored", "replied"}));
}

}  // namespace
}  // namespace schakel::ebms
