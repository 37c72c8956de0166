// Message ordering (ebms.md 3.9, acceptance A31).
#include <gmock/gmock.h>
#include <algorithm>

#include "unit/ebms/pair.hpp"

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;
using testing::Node;
using testing::Pair;
using testing::WireRequest;
using State = exchange::State;

class MessageOrdering : public Pair {
 protected:
  static Settings allowed() {
    Settings settings;
    settings.allow_message_order = true;
    return settings;
  }
  void start_ordered() { start(agreement().ordered(), allowed()); }

  std::string submit(const std::string& conversation, Bytes payload = "<m/>") {
    auto request = question({std::move(payload)});
    request.conversation_id = conversation;
    const auto submitted = a->submit(request);
    EXPECT_TRUE(submitted) << submitted.error().code << " " << submitted.error().detail;
    return submitted ? submitted->id : std::string();
  }

  // What node a would have sent, in the order of submission; nothing arrives.
  std::vector<WireRequest> held_back() {
    sent.clear();
    on_wire = [](const WireRequest&, bool) { return std::optional(status(503)); };
    while (run(*a) > 0) {
    }
    on_wire = nullptr;
    std::vector<WireRequest> wires = std::move(sent);
    std::stable_sort(wires.begin(), wires.end(), [](const WireRequest& x, const WireRequest& y) { return number(x) < number(y); });
    return wires;
  }

  static std::int64_t number(const WireRequest& request) { return testing::envelope_of(request).message_order->sequence_number; }
  static std::string id(const WireRequest& request) { return testing::envelope_of(request).header.message_id; }

  // The queue of the application at b: MessageIds, in the order in which it gets them.
  std::vector<std::string> application() {
    const auto rows =
        b->in_unit([](sql::Transaction& tx) {
           return tx.query("SELECT m.message_id FROM queue_entries q JOIN messages m ON m.id = q.message ORDER BY q.available_at");
         }).value();
    std::vector<std::string> ids;
    for (const auto& row : rows) ids.push_back(row.text(0));
    return ids;
  }
  std::size_t received_events() {
    const auto types = b->events();
    return static_cast<std::size_t>(std::count(types.begin(), types.end(), "message.received"));
  }
  // The MessageError that b made for a message; nullopt: none.
  std::optional<ErrorEntry> error_for(const std::string& message_id) {
    const auto rows = b->in_unit([&](sql::Transaction& tx) {
                         return tx.query("SELECT root FROM signals WHERE ref_to_message_id = $1 AND action = 'MessageError'", {message_id});
                       }).value();
    if (rows.empty()) return std::nullopt;
    return parse_envelope(rows.front().text(0), std::nullopt)->error_list->errors.front();
  }
  void set_next(Node& node, std::int64_t next) {
    ASSERT_TRUE(
        node.in_unit([&](sql::Transaction& tx) { return tx.execute("UPDATE ordered_conversations SET next = $1, begun = 1", {next}); }));
  }
};

TEST_F(MessageOrdering, numbers_a_conversation_from_a_reset_zero) {  // EB-191, EB-192
  start_ordered();
  submit("c1");
  submit("c1");
  submit("c2");
  const auto wires = held_back();
  ASSERT_EQ(wires.size(), 3u);
  std::vector<std::string> seen;
  for (const WireRequest& wire : wires) {
    const Envelope e = testing::envelope_of(wire);
    seen.push_back(e.header.conversation_id + (e.message_order->reset ? " Reset " : " Continue ") +
                   std::to_string(e.message_order->sequence_number));
    EXPECT_TRUE(e.header.duplicate_elimination);
    EXPECT_FALSE(e.ack_requested.empty());
    EXPECT_FALSE(e.sync_reply);
  }
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre("c1 Reset 0", "c1 Continue 1", "c2 Reset 0"));
}

TEST_F(MessageOrdering, hands_over_in_order_what_arrives_in_any) {  // EB-191, EB-192 (A31)
  start_ordered();
  std::vector<std::string> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(a->message(submit("c1", "<m>" + std::to_string(i) + "</m>")).message_id);
  const auto wires = held_back();
  ASSERT_EQ(wires.size(), 10u);
  for (const std::size_t which : {9u, 5u, 8u, 1u, 7u, 3u, 2u, 6u}) {
    const Answer answer = b->receive(wires[which], &peer_a);
    EXPECT_EQ(answer.status, 204u);
  }
  EXPECT_TRUE(application().empty());
  EXPECT_EQ(received_events(), 0u);
  EXPECT_EQ(b->work("ebms.signal"), 8) << "each is acknowledged at once, whatever its turn";
  for (const auto& waiting : b->inbound()) EXPECT_EQ(waiting.state, State::received);

  EXPECT_EQ(b->receive(wires[0], &peer_a).status, 204u);
  EXPECT_EQ(application(), (std::vector<std::string>{ids[0], ids[1], ids[2], ids[3]}));
  EXPECT_EQ(received_events(), 4u);
  EXPECT_EQ(b->receive(wires[0], &peer_a).status, 204u);  // a repetition changes nothing
  EXPECT_EQ(b->receive(wires[4], &peer_a).status, 204u);
  EXPECT_EQ(application(), ids);
  EXPECT_EQ(received_events(), 10u);
  EXPECT_EQ(b->work("ebms.orderGap"), 0);
  const auto first_waiting = b->inbound().front();
  EXPECT_EQ(b->trail(first_waiting.id), (std::vector<std::string>{"received", "stored", "replied", "held", "released"}));
  EXPECT_TRUE(first_waiting.state_reason.empty());
}

TEST_F(MessageOrdering, delays_no_other_conversation) {  // EB-192
  start_ordered();
  submit("c1");
  submit("c1");
  const std::string other = a->message(submit("c2")).message_id;
  auto wires = held_back();
  std::erase_if(wires, [](const WireRequest& wire) {
    const Envelope e = testing::envelope_of(wire);
    return e.header.conversation_id == "c1" && e.message_order->sequence_number == 0;
  });
  for (const WireRequest& wire : wires) EXPECT_EQ(b->receive(wire, &peer_a).status, 204u);
  EXPECT_EQ(application(), std::vector<std::string>{other});
}

TEST_F(MessageOrdering, goes_on_with_zero_after_the_last_number) {  // EB-191 (A31)
  start_ordered();
  submit("c1");
  b->receive(held_back().front(), &peer_a);
  set_next(*a, 99'999'999);
  set_next(*b, 99'999'999);
  const std::string last = a->message(submit("c1")).message_id, zero = a->message(submit("c1")).message_id;
  auto wires = held_back();
  ASSERT_EQ(wires.size(), 2u);
  EXPECT_EQ(number(wires[0]), 0);
  EXPECT_FALSE(testing::envelope_of(wires[0]).message_order->reset);
  EXPECT_EQ(number(wires[1]), 99'999'999);
  EXPECT_EQ(b->receive(wires[0], &peer_a).status, 204u);
  EXPECT_EQ(b->receive(wires[1], &peer_a).status, 204u);
  const auto seen = application();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[1], last);
  EXPECT_EQ(seen[2], zero);
}

TEST_F(MessageOrdering, refuses_a_number_that_has_passed_and_a_reset_while_messages_wait) {  // EB-191 (A31, 3.9)
  start_ordered();
  for (int i = 0; i < 4; ++i) submit("c1");
  const auto wires = held_back();
  b->receive(wires[0], &peer_a);
  b->receive(wires[1], &peer_a);

  // The sender begins anew, with new MessageIds.
  ASSERT_TRUE(a->in_unit([](sql::Transaction& tx) { return tx.execute("UPDATE ordered_conversations SET next = 1"); }));
  const std::string passed = a->message(submit("c1")).message_id;
  b->receive(held_back().front(), &peer_a);
  ASSERT_TRUE(error_for(passed));
  EXPECT_EQ(error_for(passed)->error_code, "Inconsistent");
  EXPECT_EQ(error_for(passed)->location, xpointer("//Header/MessageOrder"));

  b->receive(wires[3], &peer_a);  // waits for number 2
  ASSERT_TRUE(a->in_unit([](sql::Transaction& tx) { return tx.execute("DELETE FROM ordered_conversations"); }));
  const std::string reset = a->message(submit("c1")).message_id;
  const auto again = held_back().front();
  EXPECT_TRUE(testing::envelope_of(again).message_order->reset);
  b->receive(again, &peer_a);
  ASSERT_TRUE(error_for(reset));
  EXPECT_EQ(error_for(reset)->error_code, "Inconsistent");
  EXPECT_EQ(application().size(), 2u);

  // With nothing waiting a Reset starts the numbers anew.
  b->receive(wires[2], &peer_a);
  EXPECT_EQ(application().size(), 4u);
  ASSERT_TRUE(a->in_unit([](sql::Transaction& tx) { return tx.execute("DELETE FROM ordered_conversations"); }));
  const std::string anew = a->message(submit("c1")).message_id;
  b->receive(held_back().front(), &peer_a);
  EXPECT_FALSE(error_for(anew));
  EXPECT_EQ(application().back(), anew);
}

TEST_F(MessageOrdering, refuses_what_its_buffer_cannot_hold) {  // EB-191 (3.5 row 27, A31)
  start_ordered();
  for (int i = 0; i < 1002; ++i) submit("c1");
  const auto wires = held_back();
  ASSERT_EQ(wires.size(), 1002u);
  for (std::size_t i = 1; i <= 1000; ++i) b->receive(wires[i], &peer_a);
  EXPECT_FALSE(error_for(id(wires[1000])));
  b->receive(wires[1001], &peer_a);
  ASSERT_TRUE(error_for(id(wires[1001])));
  EXPECT_EQ(error_for(id(wires[1001]))->error_code, "DeliveryFailure");
  EXPECT_EQ(error_for(id(wires[1001]))->description, "Sequence limit reached.");
  b->receive(wires[0], &peer_a);
  EXPECT_EQ(application().size(), 1001u);
}

TEST_F(MessageOrdering, alerts_when_a_gap_stays_open_and_keeps_what_waits) {  // EB-191 (3.9)
  start_ordered();
  submit("c1");
  submit("c1");
  submit("c1");
  const auto wires = held_back();
  b->receive(wires[1], &peer_a);
  clock.advance(7 * 24h);
  run(*b);
  EXPECT_EQ(b->log.lines("ebms.orderGap").size(), 1u);
  EXPECT_EQ(b->trail(b->inbound().front().id).back(), "warned");
  EXPECT_EQ(b->inbound().front().state, State::received);
  EXPECT_TRUE(application().empty());
}

TEST_F(MessageOrdering, a_message_that_was_not_delivered_blocks_its_conversation_until_it_is_sent_again) {  // EB-191, EB-192, EB-214
  start_ordered();
  const std::string first = submit("c1");
  on_wire = [&](const WireRequest& request, bool to_b) -> std::optional<Outcome> {
    if (to_b && id(request) == a->message(first).message_id) return status(404);
    return std::nullopt;
  };
  settle();
  const std::string second = submit("c1"), elsewhere = submit("c2");
  settle();
  EXPECT_EQ(a->message(first).state, State::failed);
  EXPECT_EQ(a->message(second).state, State::queued);
  EXPECT_EQ(a->message(second).attempts, 0);
  EXPECT_EQ(a->message(elsewhere).state, State::delivered);
  const auto events = a->events();
  EXPECT_EQ(std::count(events.begin(), events.end(), "message.order_blocked"), 1);
  EXPECT_EQ(a->trail(first).back(), "orderBlocked");

  const auto copy =
      a->in_unit([&](sql::Transaction& tx) { return a->msh->act(tx, "ta", first, "resend", "partner is back", "operator", false); });
  ASSERT_TRUE(copy) << copy.error().code << copy.error().detail;
  settle_at(1min);
  settle_at(1min);
  EXPECT_EQ(a->message(second).state, State::delivered);
  const auto seen = application();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[1], copy->message_id);
  EXPECT_EQ(seen[2], a->message(second).message_id);
}

TEST_F(MessageOrdering, a_message_that_an_operator_cancelled_blocks_too) {  // EB-191
  start_ordered();
  const std::string first = submit("c1"), second = submit("c1");
  ASSERT_TRUE(a->in_unit([&](sql::Transaction& tx) { return a->msh->act(tx, "ta", first, "cancel", "not wanted", "operator", false); }));
  settle();
  EXPECT_EQ(a->message(second).state, State::queued);
  EXPECT_TRUE(b->inbound().empty());
}

TEST_F(MessageOrdering, stands_never_with_synchronous_answers) {  // EB-191, EB-045 (A31)
  start(agreement().ordered().synchronous(), allowed());
  const auto refused = a->submit(question());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "contract.actionNotAllowed");

  a->load(agreement().ordered().loaded("ta", 0));
  submit("c1");
  auto wire = held_back().front();
  const std::string sync =
      R"(<eb:SyncReply eb:version="2.0" soap:mustUnderstand="1" soap:actor="http://schemas.xmlsoap.org/soap/actor/next"/>)";
  wire.body.insert(wire.body.find("</soap:Header>"), sync);
  const Answer answer = b->receive(wire, &peer_a);
  ASSERT_EQ(answer.status, 200u);
  const auto error = parse_envelope(answer.body, std::nullopt)->error_list->errors.front();
  EXPECT_EQ(error.error_code, "Inconsistent");
  EXPECT_EQ(error.location, xpointer("//Header/MessageOrder"));
}

TEST_F(MessageOrdering, is_refused_where_it_is_not_switched_on) {  // EB-190
  start(agreement().ordered());
  a = std::make_unique<Node>("ta", clock, agreement().ordered().loaded("ta", 0), 1, allowed());
  const std::string message_id = a->message(submit("c1")).message_id;
  b->receive(held_back().front(), &peer_a);
  ASSERT_TRUE(error_for(message_id));
  EXPECT_EQ(error_for(message_id)->error_code, "NotSupported");
}

}  // namespace
}  // namespace schakel::ebms
