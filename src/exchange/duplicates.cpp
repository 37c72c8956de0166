#include "exchange/store.hpp"

namespace schakel::exchange {

using sql::Blob;
using sql::Row;
using sql::Rows;
using sql::Transaction;

Result<std::optional<FirstAnswer>> take_duplicate_key(Transaction& tx, const DuplicateKey& key, const FirstAnswer& answer,
                                                      Instant keep_until) {
  SCHAKEL_TRY(const std::int64_t taken,
              tx.execute("INSERT INTO duplicate_keys (tenant, cpa_id, from_party, message_id, message, header_hash, keep_until) VALUES "
                         "($1, $2, $3, $4, $5, $6, $7) "
                         "ON CONFLICT (message_id, from_party, cpa_id, tenant) DO NOTHING",
                         {key.tenant, key.cpa_id, key.from_party, key.message_id, answer.message, Blob{answer.header_hash}, keep_until}));
  if (taken == 1) {
    if (!answer.response.empty()) SCHAKEL_CHECK(set_first_answer(tx, key, answer.response));
    return std::optional<FirstAnswer>();
  }
  SCHAKEL_TRY(
      Rows rows,
      tx.query("SELECT k.message, k.header_hash, a.response FROM duplicate_keys k LEFT JOIN first_answers a ON a.message = k.message "
               "WHERE k.message_id = $1 AND k.from_party = $2 AND k.cpa_id = $3 AND k.tenant = $4",
               {key.message_id, key.from_party, key.cpa_id, key.tenant}));
  if (rows.empty()) return fail("storage.unavailable", "the duplicate key was purged while it was read; try again");
  return std::optional(FirstAnswer{rows[0].take(0), rows[0].take(1), rows[0].take(2)});
}

Result<> set_first_answer(Transaction& tx, const DuplicateKey& key, BytesView response) {
  SCHAKEL_TRY(const std::int64_t stored,
              tx.execute("INSERT INTO first_answers (message, tenant, response) SELECT message, tenant, $5 FROM duplicate_keys "
                         "WHERE message_id = $1 AND from_party = $2 AND cpa_id = $3 AND tenant = $4 ON CONFLICT (message) DO UPDATE SET "
                         "response = excluded.response",
                         {key.message_id, key.from_party, key.cpa_id, key.tenant, Blob{response}}));
  if (stored != 1) return fail("storage.failed", "an answer was given for a duplicate key that is not there", key.message_id);
  return {};
}

Result<std::int64_t> purge_duplicate_keys(Transaction& tx, Instant now, std::int64_t limit) {
  SCHAKEL_TRY(
      const Rows rows,
      tx.query(
          "SELECT tenant, cpa_id, from_party, message_id, message FROM duplicate_keys WHERE keep_until < $1 ORDER BY keep_until LIMIT $2",
          {now, limit}));
  for (const Row& row : rows) {
    SCHAKEL_CHECK(tx.post("DELETE FROM first_answers WHERE message = $1", {row.text(4)}));
    SCHAKEL_CHECK(tx.post("DELETE FROM duplicate_keys WHERE message_id = $1 AND from_party = $2 AND cpa_id = $3 AND tenant = $4",
                          {row.text(3), row.text(2), row.text(1), row.text(0)}));
  }
  return static_cast<std::int64_t>(rows.size());
}

}  // namespace schakel::exchange
