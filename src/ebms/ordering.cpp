#include "ebms/ordering.hpp"

#include <algorithm>
#include "base/json_library.hpp"

namespace schakel::ebms {

namespace {

using exchange::comes_after;
using exchange::Direction;
using exchange::Message;
using exchange::State;

std::int64_t after(std::int64_t number) {
  return (number + 1) % exchange::sequence_numbers;
}

Failure wrong_order() {
  return {18, "Inconsistent", xpointer("//Header/MessageOrder"), "Wrong value."};
}
Failure buffer_full() {
  return {27, "DeliveryFailure", xpointer("//Header/MessageOrder"), "Sequence limit reached."};
}

Result<> warn(sql::Transaction& tx, const Context& context, const Message& message, std::string_view type, std::string_view code,
              std::string_view detail, Instant at) {
  TrailWriter trail(context, at);
  trail.add(message.id, type, code, detail);
  return trail.write(tx, message.tenant);
}

}  // namespace

bool is_ordered(const Context& context, const cpa::Channels& channels) {
  if (!context.settings.allow_message_order || !cpa::is_reliable(channels.profile)) return false;
  const cpa::DocExchange* exchange = channels.sender->doc_exchange(channels.send->doc_exchange_id);
  return exchange && exchange->sender && exchange->sender->order_guaranteed;
}

// --- sending -------------------------------------------------------------------------------------------------------------------------

Result<Numbered> next_number(sql::Transaction& tx, std::string_view tenant, const MessageHeader& header, const cpa::PartyInfo& sender,
                             std::string_view copy_of) {
  Numbered out;
  out.key = {Direction::outbound, std::string(tenant), header.cpa_id, header.conversation_id, party_key(sender)};
  SCHAKEL_TRY(exchange::Conversation conversation, exchange::lock_conversation(tx, out.key));
  if (!copy_of.empty()) {
    SCHAKEL_TRY(auto original, exchange::find_ordered(tx, copy_of));
    if (original && original->message.failed && original->key.conversation_id == header.conversation_id &&
        original->key.cpa_id == header.cpa_id) {
      original->message.failed = false;
      SCHAKEL_CHECK(exchange::put_ordered_message(tx, original->message));
      // The partner may not have seen the first message of the conversation, so its Reset is said again.
      out.order = {original->message.number, original->message.number == 0 && conversation.next == 1};
      return out;
    }
  }
  out.order = {conversation.next, !conversation.begun};
  conversation.next = after(conversation.next);
  conversation.begun = true;
  SCHAKEL_CHECK(exchange::put_conversation(tx, out.key, conversation));
  return out;
}

Result<> add_ordered(sql::Transaction& tx, const Numbered& numbered, std::string_view message) {
  return exchange::add_ordered_message(tx, numbered.key, {std::string(message), numbered.order.sequence_number, std::nullopt, false});
}

Result<bool> is_blocked(sql::Transaction& tx, std::string_view message) {
  SCHAKEL_TRY(const auto ordered, exchange::find_ordered(tx, message));
  if (!ordered) return false;
  SCHAKEL_TRY(const auto failed, exchange::failed_numbers(tx, ordered->key));
  return std::any_of(failed.begin(), failed.end(), [&](std::int64_t number) { return comes_after(number, ordered->message.number); });
}

Result<> block_conversation(sql::Transaction& tx, const Context& context, const Message& message, Instant at) {
  SCHAKEL_TRY(auto ordered, exchange::find_ordered(tx, message.id));
  if (!ordered || ordered->message.failed) return {};
  ordered->message.failed = true;
  SCHAKEL_CHECK(exchange::put_ordered_message(tx, ordered->message));
  SCHAKEL_CHECK(warn(tx, context, message, "orderBlocked", {},
                     "number " + std::to_string(ordered->message.number) + " was not delivered: later messages of the conversation wait",
                     at));
  const nlohmann::json data{{"conversationId", message.conversation_id}, {"sequenceNumber", ordered->message.number}};
  context.deps.log.warning("ebms.orderBlocked", {{"messageId", message.message_id},
                                                 {"conversationId", message.conversation_id},
                                                 {"cpaId", message.cpa_id},
                                                 {"tenant", message.tenant}});
  return emit(tx, context, message, "message.order_blocked", data.dump(), at);
}

// --- receiving -----------------------------------------------------------------------------------------------------------------------

Result<Placement> place(sql::Transaction& tx, const Context& context, std::string_view tenant, const MessageHeader& header,
                        const MessageOrder& order, const cpa::PartyInfo& sender, Instant at) {
  Placement out;
  out.key = {Direction::inbound, std::string(tenant), header.cpa_id, header.conversation_id, party_key(sender)};
  out.number = order.sequence_number;
  SCHAKEL_TRY(out.conversation, exchange::lock_conversation(tx, out.key));
  SCHAKEL_TRY(const exchange::Buffer buffer, exchange::buffer_of(tx, out.key));
  if (order.reset) {
    // The first message may come after its successors; a later Reset only between two sequences.
    if (order.sequence_number != 0 || (out.conversation.begun && buffer.messages > 0))
      out.refusal = wrong_order();
    else
      out.conversation.next = 0;
  }
  if (out.refusal) return out;
  if (out.number == out.conversation.next) {
    out.in_turn = true;
    return out;
  }
  if (!comes_after(out.conversation.next, out.number)) {
    out.refusal = wrong_order();
    return out;
  }
  SCHAKEL_TRY(const auto same, exchange::find_waiting(tx, out.key, out.number));
  if (same) {
    out.refusal = wrong_order();
  } else if (buffer.messages >= order_buffer_max || (buffer.oldest && at - *buffer.oldest > order_gap_max)) {
    context.deps.log.error("ebms.orderBufferFull", {{"messageId", header.message_id},
                                                    {"conversationId", header.conversation_id},
                                                    {"cpaId", header.cpa_id},
                                                    {"tenant", tenant},
                                                    {"waiting", buffer.messages}});
    out.refusal = buffer_full();
  }
  return out;
}

Result<std::vector<Handover>> take_place(sql::Transaction& tx, const Context& context, Placement placement, const Message& message,
                                         Instant at) {
  std::vector<Handover> out;
  if (!placement.in_turn) {
    SCHAKEL_CHECK(exchange::add_ordered_message(tx, placement.key, {message.id, placement.number, at, false}));
    exchange::Work gap;
    gap.id = context.new_id(at);
    gap.tenant = message.tenant;
    gap.kind = "ebms.orderGap";
    gap.subject = message.id;
    gap.due = at + order_gap_max;
    SCHAKEL_CHECK(exchange::add_work(tx, gap));
    SCHAKEL_CHECK(warn(tx, context, message, "held", {},
                       "number " + std::to_string(placement.number) + " waits for number " + std::to_string(placement.conversation.next),
                       at));
    return out;
  }
  SCHAKEL_CHECK(exchange::add_ordered_message(tx, placement.key, {message.id, placement.number, std::nullopt, false}));
  exchange::Conversation& conversation = placement.conversation;
  conversation.begun = true;
  const auto hand_over = [&](Message next) {
    // A microsecond apart, and never before the one that went last: the queue keeps the order, whatever the clocks of the nodes say.
    conversation.handed_at = conversation.handed_at ? std::max(at, *conversation.handed_at + Duration(1)) : at;
    conversation.next = after(conversation.next);
    out.push_back({std::move(next), *conversation.handed_at});
  };
  hand_over(message);
  for (;;) {
    SCHAKEL_TRY(auto waiting, exchange::find_waiting(tx, placement.key, conversation.next));
    if (!waiting) break;
    waiting->waiting_since.reset();
    SCHAKEL_CHECK(exchange::put_ordered_message(tx, *waiting));
    SCHAKEL_CHECK(exchange::cancel_work(tx, "ebms.orderGap", waiting->message));
    SCHAKEL_TRY(auto found, exchange::find_message(tx, message.tenant, waiting->message));
    if (!found) return fail("storage.failed", "a message that waits for its turn is gone", waiting->message);
    if (found->state != State::received) {  // an operator has dealt with it
      conversation.next = after(conversation.next);
      continue;
    }
    found->state_reason.clear();
    SCHAKEL_CHECK(exchange::update_message(tx, *found));
    SCHAKEL_CHECK(warn(tx, context, *found, "released", {}, "its turn has come", at));
    hand_over(std::move(*found));
  }
  SCHAKEL_CHECK(exchange::put_conversation(tx, placement.key, conversation));
  return out;
}

Result<> report_gap(sql::Transaction& tx, const Context& context, const exchange::Claimer& claimer, const exchange::Work& work) {
  SCHAKEL_CHECK(exchange::finish_work(tx, claimer, work.id));
  SCHAKEL_TRY(const auto ordered, exchange::find_ordered(tx, work.subject));
  if (!ordered || !ordered->message.waiting_since) return {};
  SCHAKEL_TRY(const auto message, exchange::find_message(tx, work.tenant, work.subject));
  if (!message) return {};
  context.deps.log.error("ebms.orderGap", {{"messageId", message->message_id},
                                           {"conversationId", message->conversation_id},
                                           {"cpaId", message->cpa_id},
                                           {"tenant", message->tenant},
                                           {"number", ordered->message.number}});
  return warn(tx, context, *message, "warned", "ebms.orderGap", "it still waits for an earlier message of its conversation", context.now());
}

}  // namespace schakel::ebms
