#include "exchange/store.hpp"

namespace schakel::exchange {
namespace {

using sql::Row;
using sql::Rows;
using sql::Transaction;

ApplicationEvent event_from(Row& row) {
  return {row.take(0), row.take(1), row.take(2), row.take(3), row.instant(4), row.take(5)};
}

}  // namespace

Result<> insert_event(Transaction& tx, const ApplicationEvent& e) {
  return tx.post("INSERT INTO events (id, tenant, message, type, at, data, processed) VALUES ($1, $2, $3, $4, $5, $6, 0)",
                 {e.id, e.tenant, e.message, e.type, e.at, e.data});
}

Result<std::vector<ApplicationEvent>> unprocessed_events(Transaction& tx, std::string_view tenant, std::int64_t limit) {
  SCHAKEL_TRY(
      Rows rows,
      tx.query("SELECT id, tenant, message, type, at, data FROM events WHERE tenant = $1 AND processed = 0 ORDER BY position LIMIT $2",
               {tenant, limit}));
  std::vector<ApplicationEvent> events;
  events.reserve(rows.size());
  for (Row& row : rows) events.push_back(event_from(row));
  return events;
}

Result<std::optional<ApplicationEvent>> find_event(Transaction& tx, std::string_view tenant, std::string_view id) {
  SCHAKEL_TRY(Rows rows, tx.query("SELECT id, tenant, message, type, at, data FROM events WHERE id = $1 AND tenant = $2", {id, tenant}));
  if (rows.empty()) return std::optional<ApplicationEvent>();
  return std::optional(event_from(rows[0]));
}

Result<bool> mark_event_processed(Transaction& tx, std::string_view tenant, std::string_view id) {
  SCHAKEL_TRY(const std::int64_t changed,
              tx.execute("UPDATE events SET processed = 1 WHERE id = $1 AND tenant = $2 AND processed = 0", {id, tenant}));
  return changed == 1;
}

}  // namespace schakel::exchange
