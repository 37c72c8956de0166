#include "exchange/blob.hpp"

#include <algorithm>

#include "base/limits.hpp"

namespace schakel::exchange {
namespace {

// Blobs looked at by one purge: a transaction must stay short.
constexpr int purge_batch = 200;

}  // namespace

Result<> write_owned_chunk(sql::Transaction& tx, std::string_view blob, std::int64_t chunk, BytesView octets) {
  if (octets.size() > limits::blob_chunk_bytes) return fail("storage.failed", "a chunk is larger than blob_chunk_bytes");
  return tx.post("INSERT INTO blob_chunks (blob, chunk, octets) VALUES ($1, $2, $3)", {blob, chunk, sql::Blob{octets}});
}

Result<> write_owned_octets(sql::Transaction& tx, std::string_view blob, BytesView octets) {
  for (std::int64_t chunk = 0; !octets.empty(); ++chunk) {
    SCHAKEL_CHECK(write_owned_chunk(tx, blob, chunk, octets.substr(0, limits::blob_chunk_bytes)));
    octets.remove_prefix(std::min(limits::blob_chunk_bytes, octets.size()));
  }
  return {};
}

Result<> write_chunk(sql::Transaction& tx, std::string_view blob, std::int64_t chunk, BytesView octets, Instant now) {
  SCHAKEL_CHECK(write_owned_chunk(tx, blob, chunk, octets));
  return tx.post(
      "INSERT INTO loose_blobs (blob, written_at) VALUES ($1, $2) ON CONFLICT (blob) DO UPDATE SET written_at = excluded.written_at",
      {blob, now});
}

Result<Bytes> read_chunk(sql::Transaction& tx, std::string_view blob, std::int64_t chunk) {
  SCHAKEL_TRY(sql::Rows rows, tx.query("SELECT octets FROM blob_chunks WHERE blob = $1 AND chunk = $2", {blob, chunk}));
  return rows.empty() ? Bytes() : rows[0].take(0);
}

Result<> delete_blob(sql::Transaction& tx, std::string_view blob) {
  SCHAKEL_CHECK(tx.post("DELETE FROM blob_chunks WHERE blob = $1", {blob}));
  return tx.post("DELETE FROM loose_blobs WHERE blob = $1", {blob});
}

Result<std::int64_t> purge_orphans(sql::Transaction& tx, Instant older_than) {
  SCHAKEL_TRY(sql::Rows loose,
              tx.query("SELECT l.blob, EXISTS (SELECT 1 FROM payloads p WHERE p.blob = l.blob AND p.blob <> '') OR EXISTS (SELECT 1 FROM "
                       "payloads p WHERE p.wire_blob = l.blob AND p.wire_blob <> '') FROM loose_blobs l WHERE l.written_at < $1 ORDER BY "
                       "l.written_at LIMIT $2",
                       {older_than, purge_batch}));
  std::int64_t orphans = 0;
  for (const sql::Row& row : loose) {
    if (row.boolean(1)) {
      SCHAKEL_CHECK(tx.post("DELETE FROM loose_blobs WHERE blob = $1", {row.text(0)}));
    } else {
      SCHAKEL_CHECK(delete_blob(tx, row.text(0)));
      ++orphans;
    }
  }
  return orphans;
}

}  // namespace schakel::exchange
