#include <map>

#include "exchange/store.hpp"

namespace schakel::exchange {
namespace {

using sql::Row;
using sql::Rows;
using sql::Transaction;

// A lane is what fairness is between: the rows of one tenant to one destination. One column, so that the index can skip from lane to lane.
std::string lane_of(std::string_view tenant, std::string_view destination) {
  std::string lane(tenant);
  lane += ' ';  // no tenant has one (ADP-200)
  return lane += destination;
}

struct Lane {
  std::string name;
  Instant head;               // when its first row is or was due
  std::int64_t capacity = 0;  // rows that may be claimed now
  std::int64_t rank = 0;      // among the lanes of its tenant
  bool probe = false;
  std::string tenant() const { return name.substr(0, name.find(' ')); }
  std::string destination() const { return name.substr(name.find(' ') + 1); }
};

// The first unclaimed row of every lane, by skipping through the index work_waiting: as many seeks as lanes, however many rows wait.
#define SCHAKEL_LANE_HEADS                                                                                                                \
  "WITH RECURSIVE lanes(lane) AS (SELECT min(lane) FROM work WHERE node IS NULL UNION ALL "                                               \
  "SELECT (SELECT min(w.lane) FROM work w WHERE w.node IS NULL AND w.lane > lanes.lane) FROM lanes WHERE lanes.lane IS NOT NULL), "       \
  "heads(lane, due) AS (SELECT lane, (SELECT min(w.due) FROM work w WHERE w.node IS NULL AND w.lane = lanes.lane) FROM lanes WHERE lane " \
  "IS NOT NULL) "

Result<std::map<std::string, std::int64_t, std::less<>>> in_flight(Transaction& tx, const Claimer& claimer) {
  SCHAKEL_TRY(Rows rows, tx.query("SELECT lane, count(*) FROM work WHERE node = $1 GROUP BY lane", {claimer.node}));
  std::map<std::string, std::int64_t, std::less<>> counts;
  for (Row& row : rows) counts.emplace(row.take(0), row.integer(1));
  return counts;
}

Result<std::map<std::string, Instant, std::less<>>> open_circuits(Transaction& tx) {
  SCHAKEL_TRY(Rows rows, tx.query("SELECT destination, open_until FROM circuits WHERE open_until IS NOT NULL"));
  std::map<std::string, Instant, std::less<>> open;
  for (Row& row : rows) open.emplace(row.take(0), row.instant(1));
  return open;
}

// Local work (no destination) runs at the node's own pace: only rows to one destination are capped.
Result<std::vector<Lane>> due_lanes(Transaction& tx, const Claimer& claimer, Instant now, std::int64_t limit,
                                    std::int64_t per_destination) {
  SCHAKEL_TRY(Rows heads, tx.query(SCHAKEL_LANE_HEADS "SELECT lane, due FROM heads WHERE due <= $1 ORDER BY due, lane", {now}));
  std::vector<Lane> lanes;
  if (heads.empty()) return lanes;
  SCHAKEL_TRY(const auto busy, in_flight(tx, claimer));
  SCHAKEL_TRY(const auto open, open_circuits(tx));
  std::map<std::string, std::int64_t, std::less<>> lanes_of_tenant;
  for (Row& row : heads) {
    Lane lane{row.take(0), row.instant(1)};
    const std::string destination = lane.destination();
    const auto flying = busy.find(lane.name);
    lane.capacity = destination.empty() ? limit : per_destination - (flying == busy.end() ? 0 : flying->second);
    if (const auto circuit = open.find(destination); circuit != open.end()) {
      lane.probe = true;
      lane.capacity = circuit->second <= now ? 1 : 0;
    }
    if (lane.capacity <= 0) continue;
    lane.rank = lanes_of_tenant[lane.tenant()]++;
    lanes.push_back(std::move(lane));
  }
  // Every tenant's first lane, then every tenant's second: a tenant with many partners does not come before one with few (ADP-210).
  std::stable_sort(lanes.begin(), lanes.end(), [](const Lane& a, const Lane& b) { return a.rank < b.rank; });
  return lanes;
}

// Of the nodes that see a circuit ready for its probe, one gets it.
Result<bool> take_probe(Transaction& tx, std::string_view destination, Instant now) {
  SCHAKEL_TRY(const std::int64_t taken, tx.execute("UPDATE circuits SET open_until = $2 WHERE destination = $1 AND open_until <= $3",
                                                   {destination, now + circuit_probe_interval, now}));
  return taken == 1;
}

#define SCHAKEL_CLAIM_UPDATE "UPDATE work SET node = $1, epoch = $2 WHERE id "
#define SCHAKEL_CLAIM_SELECT "SELECT id FROM work WHERE lane = $3 AND node IS NULL AND due <= $4 ORDER BY due LIMIT $5"
#define SCHAKEL_CLAIM_RETURN " RETURNING id, tenant, kind, subject, destination, due, attempts, parameters"

Result<std::int64_t> claim_from(Transaction& tx, const Claimer& claimer, const Lane& lane, Instant now, std::int64_t count,
                                std::vector<Work>& claimed) {
  static constexpr std::string_view plain = SCHAKEL_CLAIM_UPDATE "IN (" SCHAKEL_CLAIM_SELECT ")" SCHAKEL_CLAIM_RETURN;
  static constexpr std::string_view skipping =
      SCHAKEL_CLAIM_UPDATE "= ANY (ARRAY(" SCHAKEL_CLAIM_SELECT " FOR UPDATE SKIP LOCKED))" SCHAKEL_CLAIM_RETURN;
  SCHAKEL_TRY(Rows rows, tx.query(tx.is_postgres() ? skipping : plain, {claimer.node, claimer.epoch, lane.name, now, count}));
  for (Row& row : rows)
    claimed.push_back(
        {row.take(0), row.take(1), row.take(2), row.take(3), row.take(4), row.instant(5), row.integer(6), row.take(7), lane.probe});
  return static_cast<std::int64_t>(rows.size());
}

// One pass over the lanes: at most `share` from each, as long as there is room.
Result<> claim_round(Transaction& tx, const Claimer& claimer, std::vector<Lane>& lanes, Instant now, std::int64_t share, std::int64_t limit,
                     std::vector<Work>& claimed) {
  for (Lane& lane : lanes) {
    const std::int64_t room = limit - static_cast<std::int64_t>(claimed.size());
    const std::int64_t wanted = std::min({share, lane.capacity, room});
    if (wanted <= 0) continue;
    if (lane.probe) {
      SCHAKEL_TRY(const bool ours, take_probe(tx, lane.destination(), now));
      if (!ours) {
        lane.capacity = 0;
        continue;
      }
    }
    SCHAKEL_TRY(const std::int64_t got, claim_from(tx, claimer, lane, now, wanted, claimed));
    lane.capacity = got < wanted ? 0 : lane.capacity - got;
  }
  return {};
}

}  // namespace

Result<> add_work(Transaction& tx, const Work& w) {
  return tx.post(
      "INSERT INTO work (id, tenant, kind, subject, destination, lane, due, attempts, parameters) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, "
      "$9)",
      {w.id, w.tenant, w.kind, w.subject, w.destination, lane_of(w.tenant, w.destination), w.due, w.attempts, w.parameters});
}

Result<std::vector<Work>> claim_work(Transaction& tx, const Claimer& claimer, Instant now, std::int64_t limit,
                                     std::int64_t per_destination) {
  SCHAKEL_CHECK(check_node_lease(tx, claimer, now));
  SCHAKEL_TRY(std::vector<Lane> lanes, due_lanes(tx, claimer, now, limit, per_destination));
  std::vector<Work> claimed;
  if (lanes.empty()) return claimed;
  const std::int64_t fair_share = std::max<std::int64_t>(1, limit / static_cast<std::int64_t>(lanes.size()));
  SCHAKEL_CHECK(claim_round(tx, claimer, lanes, now, fair_share, limit, claimed));
  // What the short lanes left goes to the long ones.
  if (static_cast<std::int64_t>(claimed.size()) < limit) SCHAKEL_CHECK(claim_round(tx, claimer, lanes, now, limit, limit, claimed));
  std::stable_sort(claimed.begin(), claimed.end(), [](const Work& a, const Work& b) { return a.due < b.due; });
  return claimed;
}

Result<> finish_work(Transaction& tx, const Claimer& claimer, std::string_view work_id) {
  SCHAKEL_TRY(const std::int64_t deleted,
              tx.execute("DELETE FROM work WHERE id = $1 AND node = $2 AND epoch = $3", {work_id, claimer.node, claimer.epoch}));
  if (deleted != 1) return fail("work.lost", "the claim is no longer ours", std::string(work_id));
  return {};
}

Result<> reschedule_work(Transaction& tx, const Claimer& claimer, const Work& w) {
  SCHAKEL_TRY(
      const std::int64_t changed,
      tx.execute("UPDATE work SET due = $4, attempts = $5, parameters = $6, destination = $7, lane = $8, node = NULL, epoch = NULL "
                 "WHERE id = $1 AND node = $2 AND epoch = $3",
                 {w.id, claimer.node, claimer.epoch, w.due, w.attempts, w.parameters, w.destination, lane_of(w.tenant, w.destination)}));
  if (changed != 1) return fail("work.lost", "the claim is no longer ours", w.id);
  return {};
}

Result<> cancel_work(Transaction& tx, std::string_view kind, std::string_view subject) {
  return tx.post("DELETE FROM work WHERE subject = $2 AND kind = $1 AND node IS NULL", {kind, subject});
}

Result<bool> hasten_work(Transaction& tx, std::string_view kind, std::string_view subject, Instant now) {
  SCHAKEL_TRY(const std::int64_t changed,
              tx.execute("UPDATE work SET due = $3 WHERE subject = $2 AND kind = $1 AND node IS NULL", {kind, subject, now}));
  return changed > 0;
}

Result<std::optional<Instant>> next_due(Transaction& tx) {
  SCHAKEL_TRY(const Rows heads, tx.query(SCHAKEL_LANE_HEADS "SELECT lane, due FROM heads"));
  SCHAKEL_TRY(const auto open, open_circuits(tx));
  std::optional<Instant> next;
  for (const Row& row : heads) {
    Instant due = row.instant(1);
    const Lane lane{row.text(0), due};
    if (const auto circuit = open.find(lane.destination()); circuit != open.end()) due = std::max(due, circuit->second);
    if (!next || due < *next) next = due;
  }
  return next;
}

Result<std::int64_t> release_claims_except(Transaction& tx, const Claimer& claimer, const std::set<std::string, std::less<>>& held) {
  SCHAKEL_TRY(const Rows rows, tx.query("SELECT id FROM work WHERE node = $1 AND epoch = $2", {claimer.node, claimer.epoch}));
  std::int64_t released = 0;
  for (const Row& row : rows) {
    if (held.contains(row.text(0))) continue;
    SCHAKEL_CHECK(tx.post("UPDATE work SET node = NULL, epoch = NULL WHERE id = $1 AND node = $2 AND epoch = $3",
                          {row.text(0), claimer.node, claimer.epoch}));
    ++released;
  }
  return released;
}

Result<std::int64_t> release_claims_of(Transaction& tx, std::string_view node, std::int64_t below_epoch) {
  return tx.execute("UPDATE work SET node = NULL, epoch = NULL WHERE node = $1 AND epoch < $2", {node, below_epoch});
}

Result<> record_outcome(Transaction& tx, std::string_view destination, bool transport_ok, Instant now) {
  if (transport_ok)
    return tx.post("UPDATE circuits SET failures = 0, open_until = NULL WHERE destination = $1 AND failures > 0", {destination});
  return tx.post(
      "INSERT INTO circuits (destination, failures, open_until) VALUES ($1, 1, NULL) ON CONFLICT (destination) DO UPDATE SET failures = "
      "circuits.failures + 1, "
      "open_until = CASE WHEN circuits.failures + 1 >= $2 THEN $3 ELSE NULL END",
      {destination, circuit_failures_max, now + circuit_probe_interval});
}

Result<std::vector<Circuit>> circuits(Transaction& tx) {
  SCHAKEL_TRY(Rows rows, tx.query("SELECT destination, failures, open_until FROM circuits WHERE failures > 0 ORDER BY destination"));
  std::vector<Circuit> result;
  result.reserve(rows.size());
  for (Row& row : rows) result.push_back({row.take(0), row.integer(1), row.optional_instant(2)});
  return result;
}

Result<std::vector<DueCount>> count_due_work(Transaction& tx, Instant now) {
  SCHAKEL_TRY(Rows rows, tx.query("SELECT kind, count(*) FROM work WHERE node IS NULL AND due <= $1 GROUP BY kind", {now}));
  std::vector<DueCount> counts;
  for (Row& row : rows) counts.push_back({row.take(0), row.integer(1)});
  return counts;
}

}  // namespace schakel::exchange
