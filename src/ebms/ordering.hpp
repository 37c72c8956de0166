// Message ordering (ebms.md 3.9; EB-190..192), only where the CPA says Guaranteed and `ebms.allow-message-order` is on: numbers for what we
// send, resequencing of what we receive. Private to src/ebms.
//
// Sending: numbers are given in the commit that creates the message. A message that ends undelivered blocks those behind it until a resend,
// which takes over its number, is on its way. Receiving: every valid message is acknowledged at once; only its way to the application
// waits.
#pragma once

#include "ebms/context.hpp"
#include "exchange/order.hpp"

namespace schakel::ebms {

inline constexpr std::int64_t order_buffer_max = 1000;
inline constexpr Duration order_gap_max = std::chrono::days(7);

// EB-191: MessageOrderSemantics Guaranteed for a reliable action, and switched on here.
bool is_ordered(const Context&, const cpa::Channels&);
// `state_reason` of a received message that waits for its turn.
inline constexpr std::string_view waiting_for_turn = "messageOrder";

// --- sending -------------------------------------------------------------------------------------------------------------------------
// The MessageOrder of a new message; that of `copy_of` when it takes the place of one that was not delivered. Give it to `add_ordered` when
// the message has its id.
struct Numbered {
  exchange::ConversationKey key;
  MessageOrder order;
};
Result<Numbered> next_number(sql::Transaction&, std::string_view tenant, const MessageHeader&, const cpa::PartyInfo& sender,
                             std::string_view copy_of);
Result<> add_ordered(sql::Transaction&, const Numbered&, std::string_view message);
// An earlier message of its conversation ended undelivered: this one must wait.
Result<bool> is_blocked(sql::Transaction&, std::string_view message);
// Call it when an outbound message ended as anything but DELIVERED: the application hears that the conversation is blocked.
Result<> block_conversation(sql::Transaction&, const Context&, const exchange::Message&, Instant at);

// --- receiving -----------------------------------------------------------------------------------------------------------------------
// What to do with a valid message of an ordered conversation.
struct Placement {
  exchange::ConversationKey key;
  exchange::Conversation conversation;  // locked
  std::int64_t number = 0;
  bool in_turn = false;            // hand it over, then `release_successors`
  std::optional<Failure> refusal;  // rows 18 and 27
};
Result<Placement> place(sql::Transaction&, const Context&, std::string_view tenant, const MessageHeader&, const MessageOrder&,
                        const cpa::PartyInfo& sender, Instant at);
// After the message was stored: keeps its place. In turn: gives in order the messages that may be handed over now, itself first, and when
// each becomes available, so that a queue keeps their order.
struct Handover {
  exchange::Message message;
  Instant available_at;
};
Result<std::vector<Handover>> take_place(sql::Transaction&, const Context&, Placement, const exchange::Message&, Instant at);
// Work "ebms.orderGap": a message has waited for its predecessors as long as the limit says. An alert; it stays buffered.
Result<> report_gap(sql::Transaction&, const Context&, const exchange::Claimer&, const exchange::Work&);

}  // namespace schakel::ebms
