#include "exchange/order.hpp"

namespace schakel::exchange {
namespace {

using sql::Row;
using sql::Rows;
using sql::Transaction;

OrderedMessage ordered_of(Row& row) {
  OrderedMessage out;
  out.message = row.take(0);
  out.number = row.integer(1);
  out.waiting_since = row.optional_instant(2);
  out.failed = row.integer(3) != 0;
  return out;
}

#define SCHAKEL_OF_CONVERSATION "tenant = $1 AND cpa_id = $2 AND conversation_id = $3 AND party = $4 AND direction = $5"

}  // namespace

bool comes_after(std::int64_t a, std::int64_t b) {
  const std::int64_t distance = (b - a + sequence_numbers) % sequence_numbers;
  return distance > 0 && distance < sequence_numbers / 2;
}

Result<Conversation> lock_conversation(Transaction& tx, const ConversationKey& key) {
  const std::string_view direction = to_string(key.direction);
  SCHAKEL_CHECK(
      tx.post("INSERT INTO ordered_conversations (tenant, cpa_id, conversation_id, party, direction, next, begun, handed_at) "
              "VALUES ($1, $2, $3, $4, $5, 0, 0, NULL) ON CONFLICT (tenant, conversation_id, cpa_id, party, direction) DO NOTHING",
              {key.tenant, key.cpa_id, key.conversation_id, key.party, direction}));
  static constexpr std::string_view plain = "SELECT next, begun, handed_at FROM ordered_conversations WHERE " SCHAKEL_OF_CONVERSATION;
  static constexpr std::string_view locking =
      "SELECT next, begun, handed_at FROM ordered_conversations WHERE " SCHAKEL_OF_CONVERSATION " FOR UPDATE";
  SCHAKEL_TRY(const Rows rows,
              tx.query(tx.is_postgres() ? locking : plain, {key.tenant, key.cpa_id, key.conversation_id, key.party, direction}));
  if (rows.empty()) return fail("storage.failed", "an ordered conversation is gone that was just made");
  return Conversation{rows[0].integer(0), rows[0].integer(1) != 0, rows[0].optional_instant(2)};
}

Result<> put_conversation(Transaction& tx, const ConversationKey& key, const Conversation& conversation) {
  return tx.post("UPDATE ordered_conversations SET next = $6, begun = $7, handed_at = $8 WHERE " SCHAKEL_OF_CONVERSATION,
                 {key.tenant, key.cpa_id, key.conversation_id, key.party, to_string(key.direction), conversation.next,
                  std::int64_t{conversation.begun}, conversation.handed_at});
}

Result<> add_ordered_message(Transaction& tx, const ConversationKey& key, const OrderedMessage& m) {
  return tx.post(
      "INSERT INTO ordered_messages (message, tenant, cpa_id, conversation_id, party, direction, number, waiting_since, failed) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
      {m.message, key.tenant, key.cpa_id, key.conversation_id, key.party, to_string(key.direction), m.number, m.waiting_since,
       std::int64_t{m.failed}});
}

Result<> put_ordered_message(Transaction& tx, const OrderedMessage& m) {
  return tx.post("UPDATE ordered_messages SET waiting_since = $2, failed = $3 WHERE message = $1",
                 {m.message, m.waiting_since, std::int64_t{m.failed}});
}

Result<std::optional<Ordered>> find_ordered(Transaction& tx, std::string_view message) {
  SCHAKEL_TRY(Rows rows, tx.query("SELECT message, number, waiting_since, failed, tenant, cpa_id, conversation_id, party, direction "
                                  "FROM ordered_messages WHERE message = $1",
                                  {message}));
  if (rows.empty()) return std::optional<Ordered>();
  Ordered out;
  out.message = ordered_of(rows[0]);
  out.key.tenant = rows[0].take(4);
  out.key.cpa_id = rows[0].take(5);
  out.key.conversation_id = rows[0].take(6);
  out.key.party = rows[0].take(7);
  out.key.direction = rows[0].text(8) == to_string(Direction::outbound) ? Direction::outbound : Direction::inbound;
  return std::optional(std::move(out));
}

Result<Buffer> buffer_of(Transaction& tx, const ConversationKey& key) {
  SCHAKEL_TRY(const Rows rows, tx.query("SELECT count(*), min(waiting_since) FROM ordered_messages WHERE " SCHAKEL_OF_CONVERSATION
                                        " AND waiting_since IS NOT NULL",
                                        {key.tenant, key.cpa_id, key.conversation_id, key.party, to_string(key.direction)}));
  return Buffer{rows[0].integer(0), rows[0].optional_instant(1)};
}

Result<std::optional<OrderedMessage>> find_waiting(Transaction& tx, const ConversationKey& key, std::int64_t number) {
  SCHAKEL_TRY(Rows rows, tx.query("SELECT message, number, waiting_since, failed FROM ordered_messages WHERE " SCHAKEL_OF_CONVERSATION
                                  " AND number = $6 AND waiting_since IS NOT NULL ORDER BY waiting_since, message LIMIT 1",
                                  {key.tenant, key.cpa_id, key.conversation_id, key.party, to_string(key.direction), number}));
  if (rows.empty()) return std::optional<OrderedMessage>();
  return std::optional(ordered_of(rows[0]));
}

Result<std::vector<std::int64_t>> failed_numbers(Transaction& tx, const ConversationKey& key) {
  SCHAKEL_TRY(const Rows rows, tx.query("SELECT number FROM ordered_messages WHERE " SCHAKEL_OF_CONVERSATION " AND failed = 1",
                                        {key.tenant, key.cpa_id, key.conversation_id, key.party, to_string(key.direction)}));
  std::vector<std::int64_t> numbers;
  for (const Row& row : rows) numbers.push_back(row.integer(0));
  return numbers;
}

Result<bool> predecessor_unanswered(Transaction& tx, std::string_view message) {
  SCHAKEL_TRY(const auto ordered, find_ordered(tx, message));
  if (!ordered) return false;
  const ConversationKey& key = ordered->key;
  SCHAKEL_TRY(const Rows rows, tx.query("SELECT o.number FROM ordered_messages o JOIN messages m ON m.id = o.message WHERE o.tenant = $1 "
                                        "AND o.cpa_id = $2 AND o.conversation_id = $3 AND o.party = $4 AND o.direction = $5 "
                                        "AND o.waiting_since IS NULL AND m.state IN ('RECEIVED', 'OFFERED')",
                                        {key.tenant, key.cpa_id, key.conversation_id, key.party, to_string(key.direction)}));
  for (const Row& row : rows)
    if (comes_after(row.integer(0), ordered->message.number)) return true;
  return false;
}

Result<> forget_ordered(Transaction& tx, std::string_view message) {
  SCHAKEL_TRY(const auto ordered, find_ordered(tx, message));
  if (!ordered) return {};
  const ConversationKey& key = ordered->key;
  SCHAKEL_CHECK(tx.post("DELETE FROM ordered_messages WHERE message = $1", {message}));
  return tx.post("DELETE FROM ordered_conversations WHERE " SCHAKEL_OF_CONVERSATION
                 " AND NOT EXISTS (SELECT 1 FROM ordered_messages o WHERE o.tenant = $1 AND o.cpa_id = $2 AND o.conversation_id = $3 AND "
                 "o.party = $4 AND o.direction = $5)",
                 {key.tenant, key.cpa_id, key.conversation_id, key.party, to_string(key.direction)});
}

}  // namespace schakel::exchange
