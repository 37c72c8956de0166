#include <array>
#include <map>

#include "exchange/chain.hpp"

namespace schakel::exchange {
namespace {

using sql::Blob;
using sql::Row;
using sql::Rows;
using sql::Transaction;

constexpr std::string_view chain = "trail";
constexpr std::size_t detail_characters_max = 500;
constexpr std::size_t field_characters_max = 255;
constexpr int verify_page = 1000;

// adapter.md 2.6, sorted.
constexpr auto types = std::to_array<std::string_view>({
    "acknowledged",
    "archived",
    "attemptFailed",
    "attemptStarted",
    "attemptSucceeded",
    "cancelled",
    "confirmed",
    "converted",
    "deadLettered",
    "duplicateReceived",
    "expired",
    "exported",
    "fannedOut",
    "fileAnnounced",
    "fileAvailable",
    "fileConfirmed",
    "fileExpired",
    "fileFailed",
    "fileFetched",
    "filePublished",
    "fileQuarantined",
    "fileRangeReceived",
    "fileRequested",
    "fileVerified",
    "forwarded",
    "held",
    "markedProcessed",
    "negativelyAcknowledged",
    "offerFailed",
    "offered",
    "orderBlocked",
    "payloadPurged",
    "payloadViewed",
    "ping",
    "pong",
    "queued",
    "received",
    "rejected",
    "rejectedByApplication",
    "released",
    "replayed",
    "replied",
    "requeued",
    "resent",
    "secured",
    "statusChanged",
    "statusRequested",
    "stored",
    "submitted",
    "validated",
    "verified",
    "warned",
});
static_assert(std::is_sorted(types.begin(), types.end()));

void member(std::string& out, std::string_view name, std::string_view value) {
  if (out.back() != '{') out += ',';
  append_json_string(out, name);
  out += ':';
  append_json_string(out, value);
}

void member_if_any(std::string& out, std::string_view name, std::string_view value) {
  if (!value.empty()) member(out, name, value);
}

void member(std::string& out, std::string_view name, std::int64_t value) {
  if (out.back() != '{') out += ',';
  append_json_string(out, name);
  out += ':';
  out += std::to_string(value);
}

void peer_member(std::string& out, const TrailEvent& e) {
  if (e.peer_address.empty() && e.peer_certificate_sha256.empty() && e.peer_oin.empty()) return;
  out += ",\"peer\":{";
  member_if_any(out, "address", e.peer_address);
  member_if_any(out, "certificateSha256", e.peer_certificate_sha256);
  member_if_any(out, "oin", e.peer_oin);
  out += '}';
}

#define SCHAKEL_TRAIL_COLUMNS                                                                                                              \
  "id, tenant, at, node, message, type, actor, wire_id, peer_oin, peer_address, peer_certificate, code, detail, bytes, duration_ms, seq, " \
  "hash"

struct StoredEvent {
  std::int64_t id;
  std::string tenant;
  SealedTrailEvent sealed;
  Bytes hash;
};

StoredEvent event_from(Row& row) {
  StoredEvent stored{row.integer(0), row.take(1), {}, row.take(16)};
  TrailEvent& e = stored.sealed.event;
  e.at = row.instant(2);
  stored.sealed.node = row.take(3);
  e.message = row.take(4);
  e.type = row.take(5);
  e.actor = row.take(6);
  e.wire_id = row.take(7);
  e.peer_oin = row.take(8);
  e.peer_address = row.take(9);
  e.peer_certificate_sha256 = row.take(10);
  e.code = row.take(11);
  e.detail = row.take(12);
  e.bytes = row.optional_integer(13);
  e.duration_ms = row.optional_integer(14);
  e.seq = row.integer(15);
  stored.sealed.hash = to_hex(stored.hash);
  return stored;
}

// As both databases keep it: what is hashed is what will be read.
TrailEvent storable(const TrailEvent& e) {
  TrailEvent out = e;
  out.wire_id = storable_text(e.wire_id, field_characters_max);
  out.code = storable_text(e.code, field_characters_max);
  out.detail = storable_text(e.detail, detail_characters_max);
  return out;
}

// `hash`: null leaves the place in the chain to the sealer.
Result<> insert(Transaction& tx, std::string_view tenant, std::string_view node, const TrailEvent& e, const Bytes* hash) {
  return tx.post(
      "INSERT INTO trail (tenant, at, node, message, type, actor, wire_id, peer_oin, peer_address, peer_certificate, code, detail, bytes, "
      "duration_ms, seq, hash) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
      {tenant, e.at, node, e.message, e.type, e.actor, e.wire_id, e.peer_oin, e.peer_address, e.peer_certificate_sha256, e.code, e.detail,
       e.bytes, e.duration_ms, hash ? sql::Param(e.seq) : nullptr, hash ? sql::Param(Blob{*hash}) : nullptr});
}

// Puts `stored` behind `head`, which becomes its end.
Bytes link(ChainHead& head, std::string_view tenant, SealedTrailEvent& sealed) {
  sealed.event.seq = ++head.seq;
  sealed.previous_hash = to_hex(head.hash);
  head.hash = sha256(canonical_trail_event(tenant, sealed));
  head.sealed_until = sealed.event.at;
  return head.hash;
}

}  // namespace

std::string canonical_trail_event(std::string_view tenant, const SealedTrailEvent& sealed) {
  const TrailEvent& e = sealed.event;
  std::string out;
  out.reserve(512 + e.detail.size());
  out += '{';
  member(out, "actor", e.actor);
  member(out, "at", to_rfc3339(e.at));
  if (e.bytes) member(out, "bytes", *e.bytes);
  member_if_any(out, "code", e.code);
  member_if_any(out, "detail", e.detail);
  if (e.duration_ms) member(out, "durationMs", *e.duration_ms);
  member(out, "message", e.message);
  member(out, "node", sealed.node);
  peer_member(out, e);
  member(out, "previousHash", sealed.previous_hash);
  member(out, "seq", e.seq);
  member(out, "tenant", tenant);
  member(out, "type", e.type);
  member_if_any(out, "wireId", e.wire_id);
  out += '}';
  return out;
}

Result<> append_trail(Transaction& tx, std::string_view tenant, std::string_view node, std::span<const TrailEvent> events) {
  for (const TrailEvent& event : events)
    if (!std::binary_search(types.begin(), types.end(), std::string_view(event.type)))
      return fail("storage.failed", "a trail event of an unknown type", event.type);
  if (tx.is_postgres()) {
    for (const TrailEvent& event : events) SCHAKEL_CHECK(insert(tx, tenant, node, storable(event), nullptr));
    return {};
  }
  // One unit runs at a time, so nobody waits for the end of the chain.
  SCHAKEL_TRY(ChainHead head, chain_head(tx, chain, tenant));
  for (const TrailEvent& event : events) {
    SealedTrailEvent sealed{storable(event), std::string(node), {}, {}};
    const Bytes hash = link(head, tenant, sealed);
    SCHAKEL_CHECK(insert(tx, tenant, node, sealed.event, &hash));
  }
  return put_chain_head(tx, chain, tenant, head);
}

Result<std::int64_t> seal_trail(Transaction& tx, std::int64_t limit) {
  SCHAKEL_TRY(const bool ours, lock_chain(tx, chain));
  if (!ours) return std::int64_t{0};
  SCHAKEL_TRY(Rows rows, tx.query("SELECT " SCHAKEL_TRAIL_COLUMNS " FROM trail WHERE seq IS NULL ORDER BY id LIMIT $1", {limit}));
  std::map<std::string, ChainHead, std::less<>> heads;
  for (Row& row : rows) {
    StoredEvent stored = event_from(row);
    auto head = heads.find(stored.tenant);
    if (head == heads.end()) {
      SCHAKEL_TRY(ChainHead found, chain_head(tx, chain, stored.tenant));
      head = heads.emplace(stored.tenant, std::move(found)).first;
    }
    const Bytes hash = link(head->second, stored.tenant, stored.sealed);
    SCHAKEL_CHECK(tx.post("UPDATE trail SET seq = $2, hash = $3 WHERE id = $1", {stored.id, stored.sealed.event.seq, Blob{hash}}));
  }
  for (const auto& [tenant, head] : heads) SCHAKEL_CHECK(put_chain_head(tx, chain, tenant, head));
  return static_cast<std::int64_t>(rows.size());
}

Result<std::vector<SealedTrailEvent>> trail_of(Transaction& tx, std::string_view tenant, std::string_view message) {
  SCHAKEL_TRY(Rows rows,
              tx.query("SELECT " SCHAKEL_TRAIL_COLUMNS " FROM trail WHERE message = $1 AND tenant = $2 ORDER BY id", {message, tenant}));
  std::vector<SealedTrailEvent> events;
  events.reserve(rows.size());
  for (Row& row : rows) {
    StoredEvent stored = event_from(row);
    if (stored.sealed.event.seq > 0) {
      SCHAKEL_TRY(const Rows previous,
                  tx.query("SELECT hash FROM trail WHERE tenant = $1 AND seq = $2", {tenant, stored.sealed.event.seq - 1}));
      if (previous.empty()) {
        SCHAKEL_TRY(const ChainHead head, chain_head(tx, chain, tenant));
        stored.sealed.previous_hash = to_hex(head.base_hash);
      } else {
        stored.sealed.previous_hash = to_hex(previous[0].text(0));
      }
    }
    events.push_back(std::move(stored.sealed));
  }
  return events;
}

Result<ChainVerdict> verify_trail(Transaction& tx, std::string_view tenant) {
  SCHAKEL_TRY(const ChainHead head, chain_head(tx, chain, tenant));
  SCHAKEL_TRY(const Rows unsealed, tx.query("SELECT count(*) FROM trail WHERE tenant = $1 AND seq IS NULL", {tenant}));
  ChainVerdict verdict;
  verdict.unsealed = unsealed[0].integer(0);
  ChainHead walked{head.base_seq, head.base_seq, head.base_hash, head.base_hash, {}};
  for (;;) {
    SCHAKEL_TRY(Rows rows, tx.query("SELECT " SCHAKEL_TRAIL_COLUMNS " FROM trail WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3",
                                    {tenant, walked.seq, verify_page}));
    if (rows.empty()) break;
    for (Row& row : rows) {
      StoredEvent stored = event_from(row);
      const std::int64_t seq = stored.sealed.event.seq;
      if (link(walked, tenant, stored.sealed) != stored.hash || walked.seq != seq) {
        verdict.first_break = walked.seq;
        return verdict;
      }
      ++verdict.events;
      verdict.sealed_until = walked.sealed_until;
    }
  }
  // Events cut off at the end, or put there by somebody who did not seal them.
  if (walked.seq != head.seq || walked.hash != head.hash) verdict.first_break = std::min(walked.seq, head.seq) + 1;
  return verdict;
}

}  // namespace schakel::exchange
