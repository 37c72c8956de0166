#include "exchange/signal.hpp"

namespace schakel::exchange {

namespace {

// In the order in which signal_from reads them.
#define SCHAKEL_SIGNAL_SELECT                                                                                                        \
  "SELECT id, tenant, direction, contract_id, cpa_id, party, action, message_id, ref_to_message_id, message, root, at, send_until, " \
  "keep_until, answered_at, answer, answer_timestamp, error FROM signals WHERE "

Signal signal_from(sql::Row& row) {
  Signal s;
  s.id = row.take(0);
  s.tenant = row.take(1);
  s.direction = direction_from(row.text(2));
  s.contract_id = row.take(3);
  s.cpa_id = row.take(4);
  s.party = row.take(5);
  s.action = row.take(6);
  s.message_id = row.take(7);
  s.ref_to_message_id = row.take(8);
  s.message = row.take(9);
  s.root = row.take(10);
  s.at = row.instant(11);
  s.send_until = row.optional_instant(12);
  s.keep_until = row.instant(13);
  s.answered_at = row.optional_instant(14);
  s.answer = row.take(15);
  s.answer_timestamp = row.optional_instant(16);
  s.error = row.take(17);
  return s;
}

// ADP-505: evidence stays as long as the Message that it is about; purge_messages takes both.
constexpr Instant as_long_as_its_message{std::chrono::seconds(253'402'300'799)};  // 9999-12-31T23:59:59Z
bool is_evidence(const Signal& s) {
  return !s.message.empty() && (s.action == "Acknowledgment" || s.action == "MessageError");
}

Result<std::optional<Signal>> first(Result<sql::Rows> rows) {
  if (!rows) return rows.error();
  if (rows->empty()) return std::optional<Signal>();
  return std::optional<Signal>(signal_from(rows->front()));
}

}  // namespace

Result<> insert_signal(sql::Transaction& tx, const Signal& s) {
  const Instant keep_until = is_evidence(s) ? as_long_as_its_message : s.keep_until;
  return tx.post(
      "INSERT INTO signals (id, tenant, direction, contract_id, cpa_id, party, action, message_id, ref_to_message_id, message, "
      "root, at, send_until, keep_until, answered_at, answer, "
      "answer_timestamp, error) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
      {s.id, s.tenant, to_string(s.direction), s.contract_id, s.cpa_id, s.party, s.action, s.message_id, s.ref_to_message_id, s.message,
       sql::Blob{s.root}, s.at, s.send_until, keep_until, s.answered_at, s.answer, s.answer_timestamp, s.error});
}

Result<std::optional<Signal>> find_signal(sql::Transaction& tx, std::string_view tenant, std::string_view id) {
  return first(tx.query(SCHAKEL_SIGNAL_SELECT "id = $1 AND tenant = $2", {id, tenant}));
}

Result<std::optional<Signal>> find_outbound_signal(sql::Transaction& tx, std::string_view message_id) {
  return first(tx.query(SCHAKEL_SIGNAL_SELECT "message_id = $1 AND direction = 'outbound' LIMIT 1", {message_id}));
}

Result<bool> has_inbound_signal(sql::Transaction& tx, std::string_view tenant, std::string_view cpa_id, std::string_view party,
                                std::string_view message_id) {
  SCHAKEL_TRY(const sql::Rows rows,
              tx.query("SELECT id, error FROM signals WHERE message_id = $1 AND direction = 'inbound' AND tenant = $2 AND cpa_id = $3 AND "
                       "party = $4",
                       {message_id, tenant, cpa_id, party}));
  if (rows.empty()) return false;
  if (rows.front().text(1).empty()) return true;
  SCHAKEL_CHECK(tx.execute("DELETE FROM signals WHERE id = $1", {rows.front().text(0)}));
  return false;
}

Result<std::optional<Signal>> find_response_to(sql::Transaction& tx, std::string_view tenant, std::string_view message) {
  return first(tx.query(SCHAKEL_SIGNAL_SELECT "message = $1 AND message <> '' AND tenant = $2 AND direction = 'outbound' AND action IN "
                                              "('Acknowledgment', 'MessageError') ORDER BY at LIMIT 1",
                        {message, tenant}));
}

Result<std::vector<Signal>> signals_about(sql::Transaction& tx, std::string_view tenant, std::string_view message) {
  SCHAKEL_TRY(sql::Rows rows,
              tx.query(SCHAKEL_SIGNAL_SELECT "message = $1 AND message <> '' AND tenant = $2 ORDER BY at, id", {message, tenant}));
  std::vector<Signal> signals;
  for (auto& row : rows) signals.push_back(signal_from(row));
  return signals;
}

Result<> set_signal_answer(sql::Transaction& tx, const Signal& s) {
  SCHAKEL_CHECK(
      tx.execute("UPDATE signals SET answered_at = $1, answer = $2, answer_timestamp = $3, error = $4 WHERE id = $5 AND tenant = $6",
                 {s.answered_at, s.answer, s.answer_timestamp, s.error, s.id, s.tenant}));
  return {};
}

Result<std::int64_t> purge_signals(sql::Transaction& tx, Instant now, std::int64_t limit) {
  return tx.execute("DELETE FROM signals WHERE id IN (SELECT id FROM signals WHERE keep_until < $1 LIMIT $2)", {now, limit});
}

Result<Conversations> count_conversations(sql::Transaction& tx, std::string_view tenant, std::string_view contract_id,
                                          std::string_view conversation_id) {
  SCHAKEL_TRY(
      const sql::Rows known,
      tx.query("SELECT 1 FROM messages WHERE tenant = $1 AND contract_id = $2 AND conversation_id = $3 AND state <> 'REFUSED' LIMIT 1",
               {tenant, contract_id, conversation_id}));
  SCHAKEL_TRY(
      const sql::Rows counts,
      tx.query("SELECT COUNT(DISTINCT conversation_id), COUNT(DISTINCT CASE WHEN final_at IS NULL THEN conversation_id END) FROM messages "
               "WHERE tenant = $1 AND contract_id = $2 AND conversation_id <> $3 AND state <> 'REFUSED'",
               {tenant, contract_id, conversation_id}));
  return Conversations{!known.empty(), counts.front().integer(0), counts.front().integer(1)};
}

}  // namespace schakel::exchange
