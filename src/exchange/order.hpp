// Ordered conversations (EB-190..192; ebms.md 3.9): which numbers were given to what we sent, and where each received conversation stands.
// The rules are in ebms/ordering; here is what must survive a restart.
//
// A conversation is one direction of (tenant, CPAId, ConversationId, sending party). `lock_conversation` makes it on first use and locks
// its row until the transaction ends, so that numbers are given and taken one after the other, on whichever node.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/message.hpp"
#include "sql/database.hpp"

namespace schakel::exchange {

inline constexpr std::int64_t sequence_numbers = 100'000'000;  // 99999999 is followed by 0
// `b` comes after `a`: numbers wrap around, so half of them lie ahead of any.
bool comes_after(std::int64_t a, std::int64_t b);

struct ConversationKey {
  Direction direction = Direction::inbound;
  std::string tenant, cpa_id, conversation_id, party;  // party: the sender, "type:value"
};

struct Conversation {
  std::int64_t next = 0;             // outbound: the number to give; inbound: the number to hand over next
  bool begun = false;                // a number was given or handed over
  std::optional<Instant> handed_at;  // inbound: place in the queue of the message that was handed over last
};
Result<Conversation> lock_conversation(sql::Transaction&, const ConversationKey&);
Result<> put_conversation(sql::Transaction&, const ConversationKey&, const Conversation&);

// One message of a conversation.
struct OrderedMessage {
  std::string message;
  std::int64_t number = 0;
  std::optional<Instant> waiting_since;  // inbound: received before its turn
  bool failed = false;                   // outbound: ended undelivered, and nothing took its place yet
};
Result<> add_ordered_message(sql::Transaction&, const ConversationKey&, const OrderedMessage&);
Result<> put_ordered_message(sql::Transaction&, const OrderedMessage&);
struct Ordered {
  ConversationKey key;
  OrderedMessage message;
};
// nullopt: the message is not of an ordered conversation.
Result<std::optional<Ordered>> find_ordered(sql::Transaction&, std::string_view message);
// Received before their turn, oldest receipt first.
struct Buffer {
  std::int64_t messages = 0;
  std::optional<Instant> oldest;
};
Result<Buffer> buffer_of(sql::Transaction&, const ConversationKey&);
// The one with this number that waits for its turn.
Result<std::optional<OrderedMessage>> find_waiting(sql::Transaction&, const ConversationKey&, std::int64_t number);
// Numbers of outbound messages that ended undelivered.
Result<std::vector<std::int64_t>> failed_numbers(sql::Transaction&, const ConversationKey&);
// An earlier message of its ordered conversation waits for the application's answer: who pushes must not overtake it.
Result<bool> predecessor_unanswered(sql::Transaction&, std::string_view message);

// Of a message that is deleted; the conversation goes with its last message.
Result<> forget_ordered(sql::Transaction&, std::string_view message);

}  // namespace schakel::exchange
