#include <map>

#include "base/json_library.hpp"
#include "exchange/chain.hpp"

namespace schakel::exchange {
namespace {

using sql::Blob;
using sql::Row;
using sql::Rows;
using sql::Transaction;
using Json = nlohmann::json;

constexpr std::string_view chain = "audit";
constexpr int verify_page = 1000;

#define SCHAKEL_AUDIT_COLUMNS "id, tenant, at, node, record, seq, hash"

struct StoredRecord {
  std::int64_t id;
  std::string tenant;
  Instant at;
  std::string node;
  Json record;
  std::int64_t seq;
  Bytes hash;
};

StoredRecord record_from(Row& row) {
  return {row.integer(0), row.take(1), row.instant(2), row.take(3), Json::parse(row.text(4), nullptr, false), row.integer(5), row.take(6)};
}

// Numbers whose text RFC 8785 and we could write differently are not taken, so sorted members and no white space are all that is left to
// do.
bool has_only_integers(const Json& json) {
  if (json.is_number_float()) return false;
  if (!json.is_structured()) return true;
  for (const auto& item : json)
    if (!has_only_integers(item)) return false;
  return true;
}

// The record of security.md 2.9 with its place in the chain, without its hash.
Json placed(const StoredRecord& stored, std::int64_t seq, const Bytes& previous_hash) {
  Json json = stored.record;
  json["seq"] = seq;
  json["at"] = to_rfc3339(stored.at);
  json["node"] = stored.node;
  if (!stored.tenant.empty()) json["tenant"] = stored.tenant;
  json["previousHash"] = to_hex(previous_hash);
  return json;
}

void link(ChainHead& head, const StoredRecord& stored) {
  head.hash = sha256(placed(stored, ++head.seq, head.hash).dump());
  head.sealed_until = stored.at;
}

}  // namespace

Result<> append_audit(Transaction& tx, std::string_view tenant, std::string_view node, Instant at, std::string_view record_json) {
  const Json record = Json::parse(record_json, nullptr, false);
  if (!record.is_object()) return fail("storage.failed", "an audit record is a JSON object");
  if (!has_only_integers(record)) return fail("storage.failed", "an audit record holds no fractions");
  return tx.post("INSERT INTO audit_log (tenant, at, node, record) VALUES ($1, $2, $3, $4)", {tenant, at, node, record.dump()});
}

Result<std::int64_t> seal_audit(Transaction& tx, std::int64_t limit) {
  SCHAKEL_TRY(const bool ours, lock_chain(tx, chain));
  if (!ours) return std::int64_t{0};
  SCHAKEL_TRY(Rows rows, tx.query("SELECT " SCHAKEL_AUDIT_COLUMNS " FROM audit_log WHERE seq IS NULL ORDER BY id LIMIT $1", {limit}));
  std::map<std::string, ChainHead, std::less<>> heads;
  for (Row& row : rows) {
    const StoredRecord stored = record_from(row);
    auto head = heads.find(stored.tenant);
    if (head == heads.end()) {
      SCHAKEL_TRY(ChainHead found, chain_head(tx, chain, stored.tenant));
      head = heads.emplace(stored.tenant, std::move(found)).first;
    }
    link(head->second, stored);
    SCHAKEL_CHECK(
        tx.post("UPDATE audit_log SET seq = $2, hash = $3 WHERE id = $1", {stored.id, head->second.seq, Blob{head->second.hash}}));
  }
  for (const auto& [tenant, head] : heads) SCHAKEL_CHECK(put_chain_head(tx, chain, tenant, head));
  return static_cast<std::int64_t>(rows.size());
}

Result<std::vector<std::string>> audit_events(Transaction& tx, std::string_view tenant, std::int64_t after_seq, std::int64_t limit) {
  SCHAKEL_TRY(const ChainHead head, chain_head(tx, chain, tenant));
  // The record before the first one wanted, for its hash.
  SCHAKEL_TRY(Rows rows, tx.query("SELECT " SCHAKEL_AUDIT_COLUMNS " FROM audit_log WHERE tenant = $1 AND seq >= $2 ORDER BY seq LIMIT $3",
                                  {tenant, after_seq, limit + 1}));
  std::vector<std::string> records;
  Bytes previous = head.base_hash;
  for (Row& row : rows) {
    const StoredRecord stored = record_from(row);
    if (stored.seq > after_seq && static_cast<std::int64_t>(records.size()) < limit) {
      Json json = placed(stored, stored.seq, previous);
      json["hash"] = to_hex(stored.hash);
      records.push_back(json.dump());
    }
    previous = stored.hash;
  }
  return records;
}

Result<ChainVerdict> verify_audit(Transaction& tx, std::string_view tenant) {
  SCHAKEL_TRY(const ChainHead head, chain_head(tx, chain, tenant));
  SCHAKEL_TRY(const Rows unsealed, tx.query("SELECT count(*) FROM audit_log WHERE tenant = $1 AND seq IS NULL", {tenant}));
  ChainVerdict verdict;
  verdict.unsealed = unsealed[0].integer(0);
  ChainHead walked{head.base_seq, head.base_seq, head.base_hash, head.base_hash, {}};
  for (;;) {
    SCHAKEL_TRY(Rows rows, tx.query("SELECT " SCHAKEL_AUDIT_COLUMNS " FROM audit_log WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3",
                                    {tenant, walked.seq, verify_page}));
    if (rows.empty()) break;
    for (Row& row : rows) {
      const StoredRecord stored = record_from(row);
      link(walked, stored);
      if (walked.hash != stored.hash || walked.seq != stored.seq) {
        verdict.first_break = walked.seq;
        return verdict;
      }
      ++verdict.events;
      verdict.sealed_until = walked.sealed_until;
    }
  }
  if (walked.seq != head.seq || walked.hash != head.hash) verdict.first_break = std::min(walked.seq, head.seq) + 1;
  return verdict;
}

}  // namespace schakel::exchange
