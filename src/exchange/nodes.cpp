#include <chrono>

#include "exchange/store.hpp"

namespace schakel::exchange {
namespace {

using sql::Rows;
using sql::Transaction;

Instant oldest_live_heartbeat(Instant now, Duration lease) {
  return now - lease;
}

// What dead nodes, ended nodes and earlier lives of a name hold is free at once.
Result<> free_claims_of_the_dead(Transaction& tx, Instant now, Duration lease) {
  return tx.post(
      "UPDATE work SET node = NULL, epoch = NULL WHERE node IS NOT NULL AND NOT EXISTS "
      "(SELECT 1 FROM nodes n WHERE n.name = work.node AND n.epoch = work.epoch AND n.released = 0 AND n.heartbeat_at >= $1)",
      {oldest_live_heartbeat(now, lease)});
}

}  // namespace

Result<Claimer> take_node_lease(Transaction& tx, std::string_view node, Instant now, Duration lease) {
  // One statement, so that of two processes that start with one name one gets it. The epoch never repeats: rows of nodes are kept.
  SCHAKEL_TRY(
      const Rows rows,
      tx.query("INSERT INTO nodes (name, epoch, heartbeat_at, draining, released) VALUES ($1, 1, $2, 0, 0) "
               "ON CONFLICT (name) DO UPDATE SET epoch = nodes.epoch + 1, heartbeat_at = excluded.heartbeat_at, draining = 0, released = 0 "
               "WHERE nodes.released = 1 OR nodes.heartbeat_at < $3 RETURNING epoch",
               {node, now, oldest_live_heartbeat(now, lease)}));
  if (rows.empty())
    return fail("node.nameInUse", "another process is running with this node name, or one ended less than a lease time ago",
                std::string(node));
  SCHAKEL_CHECK(free_claims_of_the_dead(tx, now, lease));
  return Claimer{std::string(node), rows[0].integer(0), lease};
}

Result<> renew_node_lease(Transaction& tx, const Claimer& claimer, Instant now) {
  SCHAKEL_TRY(const std::int64_t renewed,
              tx.execute("UPDATE nodes SET heartbeat_at = $3 WHERE name = $1 AND epoch = $2 AND released = 0 AND heartbeat_at >= $4",
                         {claimer.node, claimer.epoch, now, oldest_live_heartbeat(now, claimer.lease)}));
  if (renewed != 1) return fail("node.leaseLost", "the node did not renew its lease in time; what it held is free", claimer.node);
  return free_claims_of_the_dead(tx, now, claimer.lease);
}

Result<> check_node_lease(Transaction& tx, const Claimer& claimer, Instant now) {
  SCHAKEL_TRY(const Rows rows, tx.query("SELECT 1 FROM nodes WHERE name = $1 AND epoch = $2 AND released = 0 AND heartbeat_at >= $3",
                                        {claimer.node, claimer.epoch, oldest_live_heartbeat(now, claimer.lease)}));
  if (rows.empty()) return fail("node.leaseLost", "the node holds no lease", claimer.node);
  return {};
}

Result<> release_node_lease(Transaction& tx, const Claimer& claimer) {
  SCHAKEL_CHECK(tx.post("UPDATE nodes SET released = 1 WHERE name = $1 AND epoch = $2", {claimer.node, claimer.epoch}));
  return tx.post("UPDATE work SET node = NULL, epoch = NULL WHERE node = $1 AND epoch = $2", {claimer.node, claimer.epoch});
}

Result<bool> set_draining(Transaction& tx, std::string_view node, bool draining) {
  SCHAKEL_TRY(const std::int64_t changed, tx.execute("UPDATE nodes SET draining = $2 WHERE name = $1 AND released = 0", {node, draining}));
  return changed == 1;
}

Result<std::vector<Node>> nodes(Transaction& tx) {
  SCHAKEL_TRY(sql::Rows rows, tx.query("SELECT name, epoch, heartbeat_at, draining FROM nodes WHERE released = 0 ORDER BY name"));
  std::vector<Node> result;
  result.reserve(rows.size());
  for (auto& row : rows) result.push_back({row.take(0), row.integer(1), row.instant(2), row.boolean(3)});
  return result;
}

Result<std::int64_t> count_live_nodes(Transaction& tx, Instant now, Duration lease) {
  SCHAKEL_TRY(const Rows rows,
              tx.query("SELECT count(*) FROM nodes WHERE released = 0 AND heartbeat_at >= $1", {oldest_live_heartbeat(now, lease)}));
  return rows.at(0).integer(0);
}

}  // namespace schakel::exchange
