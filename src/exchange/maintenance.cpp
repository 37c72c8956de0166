#include "exchange/maintenance.hpp"

#include "exchange/chain.hpp"
#include "exchange/order.hpp"

namespace schakel::exchange {
namespace {

using sql::Row;
using sql::Rows;
using sql::Transaction;

Result<> purge_one_payload(Transaction& tx, std::string_view tenant, std::string_view node, std::string_view message, Instant now) {
  SCHAKEL_CHECK(purge_payloads(tx, message));
  TrailEvent event;
  event.at = now;
  event.message = message;
  event.type = "payloadPurged";
  return append_trail(tx, tenant, node, std::span(&event, 1));
}

Result<> delete_message(Transaction& tx, std::string_view id) {
  SCHAKEL_CHECK(purge_payloads(tx, id));
  SCHAKEL_CHECK(forget_ordered(tx, id));
  for (const std::string_view sql : {"DELETE FROM payloads WHERE message = $1", "DELETE FROM message_roots WHERE message = $1",
                                     "DELETE FROM signals WHERE message = $1 AND message <> ''", "DELETE FROM messages WHERE id = $1"})
    SCHAKEL_CHECK(tx.post(sql, {id}));
  return {};
}

struct ChainTable {
  std::string_view chain, oldest, remove;
};
constexpr ChainTable trail_table = {"trail", "SELECT id, seq, hash, at FROM trail WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3",
                                    "DELETE FROM trail WHERE id = $1"};
constexpr ChainTable audit_table = {"audit", "SELECT id, seq, hash, at FROM audit_log WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3",
                                    "DELETE FROM audit_log WHERE id = $1"};

// Takes a prefix off the chain and keeps the hash of its last event as the new beginning.
Result<std::int64_t> purge_prefix(Transaction& tx, const ChainTable& table, std::string_view tenant, Instant older_than,
                                  std::int64_t limit) {
  SCHAKEL_TRY(const bool ours, lock_chain(tx, table.chain));
  if (!ours) return std::int64_t{0};
  SCHAKEL_TRY(ChainHead head, chain_head(tx, table.chain, tenant));
  SCHAKEL_TRY(Rows rows, tx.query(table.oldest, {tenant, head.base_seq, limit}));
  std::int64_t removed = 0;
  for (Row& row : rows) {
    if (row.instant(3) >= older_than) break;
    SCHAKEL_CHECK(tx.post(table.remove, {row.integer(0)}));
    head.base_seq = row.integer(1);
    head.base_hash = row.take(2);
    ++removed;
  }
  if (removed > 0) SCHAKEL_CHECK(put_chain_head(tx, table.chain, tenant, head));
  return removed;
}

}  // namespace

Result<std::int64_t> purge_idempotency_keys(Transaction& tx, Instant now, std::int64_t limit) {
  // The Location that was answered ends in the id of the message.
  SCHAKEL_TRY(
      Rows rows,
      tx.query(
          "SELECT tenant, key, path FROM idempotency_keys k WHERE created_at < $1 AND NOT EXISTS "
          "(SELECT 1 FROM messages m WHERE m.id = substr(k.location, 18) AND k.location LIKE '/api/v1/messages/%' AND m.final_at IS NULL) "
          "ORDER BY created_at LIMIT $2",
          {now - idempotency_kept, limit}));
  for (Row& row : rows)
    SCHAKEL_CHECK(
        tx.post("DELETE FROM idempotency_keys WHERE tenant = $1 AND key = $2 AND path = $3", {row.text(0), row.text(1), row.text(2)}));
  return static_cast<std::int64_t>(rows.size());
}

Result<std::int64_t> purge_expired_payloads(Transaction& tx, std::string_view tenant, std::string_view node, const Retention& retention,
                                            Instant now, std::int64_t limit) {
  SCHAKEL_TRY(Rows rows, tx.query("SELECT id FROM messages WHERE tenant = $1 AND payloads_kept = 1 AND final_at < "
                                  "CASE WHEN state IN ('FAILED', 'EXPIRED', 'CANCELLED') THEN $2 ELSE $3 END ORDER BY final_at LIMIT $4",
                                  {tenant, now - retention.payload_failed, now - retention.payload, limit}));
  for (Row& row : rows) SCHAKEL_CHECK(purge_one_payload(tx, tenant, node, row.text(0), now));
  return static_cast<std::int64_t>(rows.size());
}

Result<std::int64_t> purge_messages(Transaction& tx, std::string_view tenant, const Retention& retention, Instant now, std::int64_t limit) {
  const Instant older_than = now - std::max<Duration>(retention.trail, trail_minimum);
  SCHAKEL_TRY(Rows rows, tx.query("SELECT id FROM messages m WHERE tenant = $1 AND created_at < $2 AND final_at < $2 AND (persist_until IS "
                                  "NULL OR persist_until < $3) AND "
                                  "NOT EXISTS (SELECT 1 FROM events e WHERE e.message = m.id AND e.tenant = m.tenant AND e.processed = 0) "
                                  "ORDER BY created_at LIMIT $4",
                                  {tenant, older_than, now, limit}));
  for (Row& row : rows) SCHAKEL_CHECK(delete_message(tx, row.text(0)));
  return static_cast<std::int64_t>(rows.size());
}

Result<std::int64_t> purge_trail(Transaction& tx, std::string_view tenant, const Retention& retention, Instant now, std::int64_t limit) {
  return purge_prefix(tx, trail_table, tenant, now - std::max<Duration>(retention.trail, trail_minimum), limit);
}

Result<std::int64_t> purge_audit(Transaction& tx, std::string_view tenant, const Retention& retention, Instant now, std::int64_t limit) {
  return purge_prefix(tx, audit_table, tenant, now - std::max<Duration>(retention.audit, audit_minimum), limit);
}

Result<std::int64_t> purge_processed_events(Transaction& tx, Instant now, std::int64_t limit) {
  return tx.execute(
      "DELETE FROM events WHERE position IN (SELECT position FROM events WHERE processed = 1 AND at < $1 ORDER BY at LIMIT $2)",
      {now - processed_events_kept, limit});
}

}  // namespace schakel::exchange
