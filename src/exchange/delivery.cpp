#include "exchange/delivery.hpp"

namespace schakel::exchange {
namespace {

using sql::Row;
using sql::Rows;
using sql::Transaction;

}  // namespace

Result<std::vector<ApplicationEvent>> events_of(Transaction& tx, std::string_view tenant, std::string_view message) {
  SCHAKEL_TRY(
      Rows rows,
      tx.query(
          "SELECT id, tenant, message, type, at, data FROM events WHERE message = $1 AND tenant = $2 AND processed = 0 ORDER BY position",
          {message, tenant}));
  std::vector<ApplicationEvent> events;
  events.reserve(rows.size());
  for (Row& row : rows) events.push_back({row.take(0), row.take(1), row.take(2), row.take(3), row.instant(4), row.take(5)});
  return events;
}

Result<> mark_events_processed(Transaction& tx, std::string_view tenant, std::string_view message, std::string_view type) {
  return tx.post("UPDATE events SET processed = 1 WHERE message = $1 AND tenant = $2 AND type = $3 AND processed = 0",
                 {message, tenant, type});
}

Result<std::vector<Work>> work_of(Transaction& tx, std::string_view kind, std::string_view subject) {
  SCHAKEL_TRY(
      Rows rows,
      tx.query("SELECT id, tenant, kind, subject, destination, due, attempts, parameters FROM work WHERE subject = $2 AND kind = $1",
               {kind, subject}));
  std::vector<Work> found;
  found.reserve(rows.size());
  for (Row& row : rows) {
    Work work;
    work.id = row.take(0);
    work.tenant = row.take(1);
    work.kind = row.take(2);
    work.subject = row.take(3);
    work.destination = row.take(4);
    work.due = row.instant(5);
    work.attempts = row.integer(6);
    work.parameters = row.take(7);
    found.push_back(std::move(work));
  }
  return found;
}

// A lease is a receipt and a later `available_at`: one that runs out needs nobody to end it.
Result<> enqueue(Transaction& tx, std::string_view tenant, std::string_view queue, std::string_view message, Instant available_at) {
  return tx.post(
      "INSERT INTO queue_entries (message, tenant, queue, available_at, receipt, deliveries) VALUES ($1, $2, $3, $4, NULL, 0) "
      "ON CONFLICT (message) DO UPDATE SET queue = excluded.queue, available_at = excluded.available_at, receipt = NULL, deliveries = 0",
      {message, tenant, queue, available_at});
}

Result<> dequeue(Transaction& tx, std::string_view tenant, std::string_view message) {
  SCHAKEL_CHECK(tx.execute("DELETE FROM queue_entries WHERE message = $1 AND tenant = $2", {message, tenant}));
  return {};
}

Result<std::vector<Lease>> lease(Transaction& tx, std::string_view tenant, std::string_view queue, Instant now, Instant until,
                                 std::int64_t limit, const std::function<std::string()>& make_receipt) {
  static constexpr std::string_view plain =
      "SELECT message FROM queue_entries WHERE tenant = $1 AND queue = $2 AND available_at <= $3 ORDER BY available_at LIMIT $4";
  static constexpr std::string_view skipping =
      "SELECT message FROM queue_entries WHERE tenant = $1 AND queue = $2 AND available_at <= $3 ORDER BY available_at LIMIT $4 FOR UPDATE "
      "SKIP LOCKED";
  SCHAKEL_TRY(Rows rows, tx.query(tx.is_postgres() ? skipping : plain, {tenant, queue, now, limit}));
  std::vector<Lease> leases;
  leases.reserve(rows.size());
  for (Row& row : rows) {
    Lease taken;
    taken.message = row.take(0);
    taken.receipt = make_receipt();
    taken.until = until;
    SCHAKEL_TRY(
        const Rows changed,
        tx.query(
            "UPDATE queue_entries SET receipt = $2, available_at = $3, deliveries = deliveries + 1 WHERE message = $1 RETURNING deliveries",
            {taken.message, taken.receipt, until}));
    if (changed.empty()) continue;
    taken.deliveries = changed[0].integer(0);
    leases.push_back(std::move(taken));
  }
  return leases;
}

Result<bool> has_available(Transaction& tx, std::string_view tenant, std::string_view queue, Instant now) {
  SCHAKEL_TRY(const Rows rows, tx.query("SELECT 1 FROM queue_entries WHERE tenant = $1 AND queue = $2 AND available_at <= $3 LIMIT 1",
                                        {tenant, queue, now}));
  return !rows.empty();
}

Result<std::optional<Lease>> find_lease(Transaction& tx, std::string_view tenant, std::string_view queue, std::string_view receipt) {
  SCHAKEL_TRY(
      Rows rows,
      tx.query("SELECT message, receipt, deliveries, available_at FROM queue_entries WHERE receipt = $1 AND tenant = $2 AND queue = $3",
               {receipt, tenant, queue}));
  if (rows.empty()) return std::optional<Lease>();
  return std::optional(Lease{rows[0].take(0), rows[0].take(1), rows[0].integer(2), rows[0].instant(3)});
}

Result<> extend_lease(Transaction& tx, std::string_view tenant, std::string_view queue, std::string_view receipt, Instant until) {
  SCHAKEL_CHECK(tx.execute("UPDATE queue_entries SET available_at = $4 WHERE receipt = $1 AND tenant = $2 AND queue = $3",
                           {receipt, tenant, queue, until}));
  return {};
}

Result<> end_lease(Transaction& tx, std::string_view tenant, std::string_view queue, std::string_view receipt, Instant available_at) {
  SCHAKEL_CHECK(tx.execute("UPDATE queue_entries SET available_at = $4, receipt = NULL WHERE receipt = $1 AND tenant = $2 AND queue = $3",
                           {receipt, tenant, queue, available_at}));
  return {};
}

}  // namespace schakel::exchange
