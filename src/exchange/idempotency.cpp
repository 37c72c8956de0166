#include "exchange/store.hpp"

namespace schakel::exchange {

Result<std::optional<StoredAnswer>> take_idempotency_key(sql::Transaction& tx, std::string_view tenant, std::string_view key,
                                                         std::string_view path, std::string_view body_sha256, Instant now) {
  SCHAKEL_TRY(const std::int64_t taken, tx.execute("INSERT INTO idempotency_keys (tenant, key, path, body_sha256, status, location, body, "
                                                   "created_at) VALUES ($1, $2, $3, $4, 0, '', '', $5) "
                                                   "ON CONFLICT (tenant, key, path) DO NOTHING",
                                                   {tenant, key, path, body_sha256, now}));
  if (taken == 1) return std::optional<StoredAnswer>();
  SCHAKEL_TRY(sql::Rows rows,
              tx.query("SELECT body_sha256, status, location, body FROM idempotency_keys WHERE tenant = $1 AND key = $2 AND path = $3",
                       {tenant, key, path}));
  if (rows.empty()) return fail("storage.unavailable", "the idempotency key was purged while it was read; try again");
  return std::optional(StoredAnswer{rows[0].take(0), rows[0].integer(1), rows[0].take(2), rows[0].take(3)});
}

Result<> store_answer(sql::Transaction& tx, std::string_view tenant, std::string_view key, std::string_view path,
                      const StoredAnswer& answer) {
  SCHAKEL_TRY(const std::int64_t stored,
              tx.execute("UPDATE idempotency_keys SET status = $4, location = $5, body = $6 WHERE tenant = $1 AND key = $2 AND path = $3",
                         {tenant, key, path, answer.status, answer.location, answer.body}));
  if (stored != 1) return fail("storage.failed", "an answer was given for an idempotency key that is not there");
  return {};
}

}  // namespace schakel::exchange
