// The tables. One text for SQLite and PostgreSQL; sql::postgres_text makes the three substitutions that remain (BLOB, INTEGER PRIMARY KEY,
// WITHOUT ROWID: one tree less for a small table with a text key).
//
// Hot tables have few indexes, each for one query that is named beside it. Times are microseconds since 1970; flags are 0 and 1. Large
// octets live in tables of their own (message_roots, blob_chunks), because a row is rewritten with every change of state.
#include <array>

#include "exchange/store.hpp"

namespace schakel::exchange {
namespace {

constexpr std::string_view first_schema = R"sql(
CREATE TABLE messages (
  id TEXT NOT NULL PRIMARY KEY, tenant TEXT NOT NULL, direction TEXT NOT NULL, protocol TEXT NOT NULL, pattern TEXT NOT NULL, profile TEXT NOT NULL,
  state TEXT NOT NULL, state_reason TEXT NOT NULL, contract_id TEXT NOT NULL, cpa_id TEXT NOT NULL,
  from_oin TEXT NOT NULL, from_party_id TEXT NOT NULL, from_party_id_type TEXT NOT NULL, from_role TEXT NOT NULL,
  to_oin TEXT NOT NULL, to_party_id TEXT NOT NULL, to_party_id_type TEXT NOT NULL, to_role TEXT NOT NULL,
  service TEXT NOT NULL, service_type TEXT NOT NULL, action TEXT NOT NULL,
  conversation_id TEXT NOT NULL, message_id TEXT NOT NULL, ref_to_message_id TEXT NOT NULL,
  message_timestamp BIGINT, expires_at BIGINT, persist_until BIGINT,
  attempts BIGINT NOT NULL, retries_max BIGINT NOT NULL, retry_interval BIGINT, next_attempt_at BIGINT,
  error_code TEXT, error_detail TEXT, error_source TEXT, error_at BIGINT,
  created_at BIGINT NOT NULL, accepted_at BIGINT, sent_at BIGINT, delivered_at BIGINT, received_at BIGINT, offered_at BIGINT, processed_at BIGINT,
  final_at BIGINT, late_acknowledged_at BIGINT, not_before BIGINT,
  confirmed BIGINT NOT NULL, got_2xx BIGINT NOT NULL, possible_duplicate BIGINT NOT NULL, duplicate_count BIGINT NOT NULL, delivery_attempt BIGINT NOT NULL,
  traceparent TEXT NOT NULL, copy_of TEXT NOT NULL, labels TEXT NOT NULL, header_hash BLOB NOT NULL, wire_content_type TEXT NOT NULL,
  payloads_kept BIGINT NOT NULL
);
CREATE UNIQUE INDEX messages_outbound ON messages (message_id) WHERE direction = 'outbound';
CREATE INDEX messages_inbound ON messages (message_id) WHERE direction = 'inbound';
CREATE INDEX messages_recent ON messages (tenant, created_at);
CREATE INDEX messages_conversation ON messages (tenant, conversation_id);
CREATE INDEX messages_reference ON messages (ref_to_message_id) WHERE ref_to_message_id <> '';
CREATE INDEX messages_persisted ON messages (tenant, contract_id, persist_until);
CREATE INDEX messages_open ON messages (tenant, contract_id) WHERE final_at IS NULL;
CREATE INDEX messages_to_purge ON messages (tenant, final_at) WHERE payloads_kept = 1;

CREATE TABLE message_roots (message TEXT NOT NULL PRIMARY KEY, tenant TEXT NOT NULL, root BLOB NOT NULL);

CREATE TABLE payloads (
  message TEXT NOT NULL, position BIGINT NOT NULL, tenant TEXT NOT NULL, content_id TEXT NOT NULL, content_type TEXT NOT NULL, file_name TEXT NOT NULL,
  size BIGINT NOT NULL, sha256 TEXT NOT NULL, blob TEXT NOT NULL, purged BIGINT NOT NULL,
  PRIMARY KEY (message, position)
) WITHOUT ROWID;
CREATE INDEX payloads_blob ON payloads (blob) WHERE blob <> '';

CREATE TABLE blob_chunks (blob TEXT NOT NULL, chunk BIGINT NOT NULL, octets BLOB NOT NULL, PRIMARY KEY (blob, chunk));
CREATE TABLE loose_blobs (blob TEXT NOT NULL PRIMARY KEY, written_at BIGINT NOT NULL) WITHOUT ROWID;
CREATE INDEX loose_blobs_age ON loose_blobs (written_at);

CREATE TABLE duplicate_keys (
  tenant TEXT NOT NULL, cpa_id TEXT NOT NULL, from_party TEXT NOT NULL, message_id TEXT NOT NULL,
  message TEXT NOT NULL, header_hash BLOB NOT NULL, keep_until BIGINT NOT NULL,
  PRIMARY KEY (message_id, from_party, cpa_id, tenant)
) WITHOUT ROWID;
CREATE INDEX duplicate_keys_age ON duplicate_keys (keep_until);
CREATE TABLE first_answers (message TEXT NOT NULL PRIMARY KEY, tenant TEXT NOT NULL, response BLOB NOT NULL);

CREATE TABLE signals (
  id TEXT NOT NULL PRIMARY KEY, tenant TEXT NOT NULL, direction TEXT NOT NULL, contract_id TEXT NOT NULL, cpa_id TEXT NOT NULL, party TEXT NOT NULL,
  action TEXT NOT NULL, message_id TEXT NOT NULL, ref_to_message_id TEXT NOT NULL, message TEXT NOT NULL, root BLOB NOT NULL, at BIGINT NOT NULL,
  send_until BIGINT, keep_until BIGINT NOT NULL, answered_at BIGINT, answer TEXT NOT NULL, answer_timestamp BIGINT, error TEXT NOT NULL,
  UNIQUE (message_id, direction, tenant, cpa_id, party)
);
CREATE INDEX signals_message ON signals (message) WHERE message <> '';
CREATE INDEX signals_age ON signals (keep_until);

CREATE TABLE trail (
  id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, at BIGINT NOT NULL, node TEXT NOT NULL, message TEXT NOT NULL, type TEXT NOT NULL, actor TEXT NOT NULL,
  wire_id TEXT NOT NULL, peer_oin TEXT NOT NULL, peer_address TEXT NOT NULL, peer_certificate TEXT NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL,
  bytes BIGINT, duration_ms BIGINT, seq BIGINT, hash BLOB
);
CREATE INDEX trail_message ON trail (message);
CREATE INDEX trail_unsealed ON trail (id) WHERE seq IS NULL;
CREATE UNIQUE INDEX trail_chain ON trail (tenant, seq) WHERE seq IS NOT NULL;

CREATE TABLE audit_log (
  id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, at BIGINT NOT NULL, node TEXT NOT NULL, record TEXT NOT NULL, seq BIGINT, hash BLOB
);
CREATE INDEX audit_log_unsealed ON audit_log (id) WHERE seq IS NULL;
CREATE UNIQUE INDEX audit_log_chain ON audit_log (tenant, seq) WHERE seq IS NOT NULL;

CREATE TABLE chain_heads (
  chain TEXT NOT NULL, tenant TEXT NOT NULL, seq BIGINT NOT NULL, hash BLOB NOT NULL, at BIGINT NOT NULL, base_seq BIGINT NOT NULL, base_hash BLOB NOT NULL,
  PRIMARY KEY (chain, tenant)
) WITHOUT ROWID;

CREATE TABLE events (
  position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, message TEXT NOT NULL, type TEXT NOT NULL, at BIGINT NOT NULL, data TEXT NOT NULL,
  processed BIGINT NOT NULL
);
CREATE INDEX events_waiting ON events (tenant, position) WHERE processed = 0;
CREATE INDEX events_of_message ON events (message) WHERE processed = 0;
CREATE INDEX events_processed ON events (at) WHERE processed = 1;

CREATE TABLE queue_entries (
  message TEXT NOT NULL PRIMARY KEY, tenant TEXT NOT NULL, queue TEXT NOT NULL, available_at BIGINT NOT NULL, receipt TEXT, deliveries BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX queue_entries_available ON queue_entries (tenant, queue, available_at);
CREATE UNIQUE INDEX queue_entries_receipt ON queue_entries (receipt) WHERE receipt IS NOT NULL;

CREATE TABLE work (
  id TEXT NOT NULL PRIMARY KEY, tenant TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, destination TEXT NOT NULL, lane TEXT NOT NULL, due BIGINT NOT NULL,
  attempts BIGINT NOT NULL, parameters TEXT NOT NULL, node TEXT, epoch BIGINT
) WITHOUT ROWID;
CREATE INDEX work_waiting ON work (lane, due) WHERE node IS NULL;
CREATE INDEX work_claimed ON work (node, lane) WHERE node IS NOT NULL;
CREATE INDEX work_subject ON work (subject);

CREATE TABLE circuits (destination TEXT NOT NULL PRIMARY KEY, failures BIGINT NOT NULL, open_until BIGINT) WITHOUT ROWID;
CREATE TABLE nodes (name TEXT NOT NULL PRIMARY KEY, epoch BIGINT NOT NULL, heartbeat_at BIGINT NOT NULL, draining BIGINT NOT NULL, released BIGINT NOT NULL) WITHOUT ROWID;

CREATE TABLE contracts (
  tenant TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, document BLOB NOT NULL,
  version BIGINT NOT NULL, created_at BIGINT NOT NULL, changed_at BIGINT NOT NULL, retired_at BIGINT, settings TEXT NOT NULL,
  PRIMARY KEY (tenant, id), UNIQUE (tenant, kind, name)
);
CREATE TABLE contract_history (
  tenant TEXT NOT NULL, contract TEXT NOT NULL, version BIGINT NOT NULL, digest TEXT NOT NULL, document BLOB NOT NULL, replaced_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, contract, version)
);
CREATE TABLE documents (
  tenant TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, version BIGINT NOT NULL, changed_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, kind, id), UNIQUE (tenant, kind, key)
);
CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL) WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('configuration', 0);

CREATE TABLE idempotency_keys (
  tenant TEXT NOT NULL, key TEXT NOT NULL, path TEXT NOT NULL, body_sha256 TEXT NOT NULL, status BIGINT NOT NULL, location TEXT NOT NULL, body TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, key, path)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
)sql";

// What was asked for many messages at once (jobs.hpp); and acknowledgements and errors stay as long as their message (signal.cpp).
constexpr std::string_view second_schema = R"sql(
CREATE TABLE jobs (
  id TEXT NOT NULL PRIMARY KEY, tenant TEXT NOT NULL, action TEXT NOT NULL, reason TEXT NOT NULL, parameters TEXT NOT NULL, filter TEXT NOT NULL,
  actor TEXT NOT NULL, state TEXT NOT NULL, total BIGINT NOT NULL, done BIGINT NOT NULL, failed BIGINT NOT NULL,
  created_at BIGINT NOT NULL, started_at BIGINT, finished_at BIGINT
);
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE TABLE job_items (
  job TEXT NOT NULL, position BIGINT NOT NULL, tenant TEXT NOT NULL, message TEXT NOT NULL, state TEXT NOT NULL, result TEXT NOT NULL, copy TEXT NOT NULL,
  code TEXT NOT NULL, detail TEXT NOT NULL,
  PRIMARY KEY (job, position)
);
CREATE INDEX job_items_waiting ON job_items (job, position) WHERE state = 'waiting';
UPDATE signals SET keep_until = 253402300799000000 WHERE message <> '' AND action IN ('Acknowledgment', 'MessageError');
)sql";

// Encrypted payloads have a second form, the one on the wire.
constexpr std::string_view third_schema = R"sql(
ALTER TABLE payloads ADD COLUMN wire_blob TEXT NOT NULL DEFAULT '';
ALTER TABLE payloads ADD COLUMN wire_size BIGINT NOT NULL DEFAULT 0;
CREATE INDEX payloads_wire_blob ON payloads (wire_blob) WHERE wire_blob <> '';
)sql";

// Ordered conversations (order.hpp).
constexpr std::string_view fourth_schema = R"sql(
CREATE TABLE ordered_conversations (
  tenant TEXT NOT NULL, conversation_id TEXT NOT NULL, cpa_id TEXT NOT NULL, party TEXT NOT NULL, direction TEXT NOT NULL,
  next BIGINT NOT NULL, begun BIGINT NOT NULL, handed_at BIGINT,
  PRIMARY KEY (tenant, conversation_id, cpa_id, party, direction)
) WITHOUT ROWID;
CREATE TABLE ordered_messages (
  message TEXT NOT NULL PRIMARY KEY, tenant TEXT NOT NULL, conversation_id TEXT NOT NULL, cpa_id TEXT NOT NULL, party TEXT NOT NULL,
  direction TEXT NOT NULL, number BIGINT NOT NULL, waiting_since BIGINT, failed BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX ordered_messages_conversation ON ordered_messages (tenant, conversation_id, number);
)sql";

// With the tenant in it: SQLite took an index of the tenant's messages for the better one, and read them all (tools/query-plans).
constexpr std::string_view fifth_schema = R"sql(
DROP INDEX messages_inbound;
CREATE INDEX messages_inbound ON messages (message_id, tenant) WHERE direction = 'inbound';
)sql";

constexpr std::array<sql::Migration, 5> all = {{{1, "first schema", first_schema},
                                                {2, "jobs", second_schema},
                                                {3, "wire form of payloads", third_schema},
                                                {4, "ordered conversations", fourth_schema},
                                                {5, "index of received messages", fifth_schema}}};

}  // namespace

std::span<const sql::Migration> migrations() {
  return all;
}

}  // namespace schakel::exchange
