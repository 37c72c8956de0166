// The store: what lives in the database, as functions over a Transaction. No function here decides anything; rules live in the protocol
// rooms.
//
// Every function can fail with the codes of sql::Transaction. Rows carry the tenant, and every read is filtered by it.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "exchange/message.hpp"
#include "sql/database.hpp"

namespace schakel::exchange {

// The tables; run by sql::migrate.
std::span<const sql::Migration> migrations();

// --- messages -------------------------------------------------------------------------------------------------------------------
Result<> insert_message(sql::Transaction&, const Message&, std::span<const Payload>);
// Writes every column but id, tenant, direction, root.
Result<> update_message(sql::Transaction&, const Message&);
// Without `root` unless asked: it is the only large column.
enum class WithRoot { no, yes };
Result<std::optional<Message>> find_message(sql::Transaction&, std::string_view tenant, std::string_view id, WithRoot = WithRoot::no);
// By the protocol's id. Outbound ids are unique per installation (EB-232); inbound ones are per contract and partner, hence a list.
Result<std::optional<Message>> find_outbound(sql::Transaction&, std::string_view message_id);
Result<std::vector<Message>> find_inbound(sql::Transaction&, std::string_view tenant, std::string_view message_id);
Result<std::vector<Payload>> payloads_of(sql::Transaction&, std::string_view message);
Result<> purge_payloads(sql::Transaction&, std::string_view message);
// Messages of a contract that are not final, or final but still inside persist_until (CPA-053).
Result<std::int64_t> count_open_messages(sql::Transaction&, std::string_view tenant, std::string_view contract_id, Instant now);

struct MessageFilter {
  std::optional<Direction> direction;
  std::vector<State> states;
  std::string protocol, contract_id, cpa_id, from_oin, to_oin, service, action, message_id, conversation_id, ref_to_message_id, error_code;
  std::optional<Instant> received_from, received_until;  // of created_at
  bool oldest_first = false;
  std::int64_t offset = 0, limit = 20;
};
struct MessagePage {
  std::vector<Message> messages;
  std::int64_t total = 0;
};
Result<MessagePage> search_messages(sql::Transaction&, std::string_view tenant, const MessageFilter&);

// --- duplicate elimination (EB-107..110) ----------------------------------------------------------------------------------------
struct DuplicateKey {
  std::string tenant, cpa_id, from_party, message_id;
};
struct FirstAnswer {
  std::string message;  // id of the Message
  Bytes header_hash;
  Bytes response;  // octets of the acknowledgement or MessageError; empty: none was made
};
// nullopt: the key was new and is now taken. A concurrent taker makes this wait (PostgreSQL) or cannot exist (SQLite).
Result<std::optional<FirstAnswer>> take_duplicate_key(sql::Transaction&, const DuplicateKey&, const FirstAnswer&, Instant keep_until);
Result<> set_first_answer(sql::Transaction&, const DuplicateKey&, BytesView response);
Result<std::int64_t> purge_duplicate_keys(sql::Transaction&, Instant now, std::int64_t limit);

// --- trail (hash-chained per tenant, adapter.md 2.6) ----------------------------------------------------------------------------
// The chain is sealed in the same transaction (one row per tenant holds seq and hash).
Result<> append_trail(sql::Transaction&, std::string_view tenant, std::string_view node, std::span<const TrailEvent>);
struct SealedTrailEvent {
  TrailEvent event;
  std::string node, previous_hash, hash;
};
Result<std::vector<SealedTrailEvent>> trail_of(sql::Transaction&, std::string_view tenant, std::string_view message);
struct ChainVerdict {
  std::int64_t events = 0;
  std::optional<std::int64_t> first_break;  // seq
};
Result<ChainVerdict> verify_trail(sql::Transaction&, std::string_view tenant);

// --- events for the application (EB-214): kept until marked processed --------------------------------------------------------------
struct ApplicationEvent {
  std::string id;                     // uuid v7: also the webhook-id
  std::string tenant, message, type;  // "message.received", …
  Instant at;
  std::string data;  // JSON object: code, severity, description, location, attempts, httpStatus
};
Result<> insert_event(sql::Transaction&, const ApplicationEvent&);
Result<std::vector<ApplicationEvent>> unprocessed_events(sql::Transaction&, std::string_view tenant, std::int64_t limit);
Result<std::optional<ApplicationEvent>> find_event(sql::Transaction&, std::string_view tenant, std::string_view id);
Result<bool> mark_event_processed(sql::Transaction&, std::string_view tenant, std::string_view id);

// --- work (design: every promise is a row) ---------------------------------------------------------------------------------------
Result<> add_work(sql::Transaction&, const Work&);
// The claimer: node and epoch of its lease.
struct Claimer {
  std::string node;
  std::int64_t epoch = 0;
};
// Claims due rows: at most `limit`, fairly over (tenant, destination): at most `per_destination` of one destination, rows of closed
// circuits only, oldest due first. FOR UPDATE SKIP LOCKED on PostgreSQL.
Result<std::vector<Work>> claim_work(sql::Transaction&, const Claimer&, Instant now, std::int64_t limit, std::int64_t per_destination);
// Ends a claimed row, or puts it back with a new due time. "work.lost" when the claim is no longer ours (fencing, adapter.md 3.11).
Result<> finish_work(sql::Transaction&, const Claimer&, std::string_view work_id);
Result<> reschedule_work(sql::Transaction&, const Claimer&, const Work&);  // due, attempts, parameters, destination; releases the claim
// Removes rows that are not claimed by somebody else: an acknowledgement ends `ebms.send` of its message.
Result<> cancel_work(sql::Transaction&, std::string_view kind, std::string_view subject);
// Makes a row due now (retryNow). False when there is none.
Result<bool> hasten_work(sql::Transaction&, std::string_view kind, std::string_view subject, Instant now);
// When the next row is due; nullopt: none waits.
Result<std::optional<Instant>> next_due(sql::Transaction&);
Result<std::int64_t> release_claims_of(sql::Transaction&, std::string_view node, std::int64_t below_epoch);

// Circuits per destination (ADP-704): opens after 5 transport failures in a row, a probe each 60 s.
Result<> record_outcome(sql::Transaction&, std::string_view destination, bool transport_ok, Instant now);
struct Circuit {
  std::string destination;
  std::int64_t failures = 0;
  std::optional<Instant> open_until;  // a value: open; the next probe
};
Result<std::vector<Circuit>> circuits(sql::Transaction&);

// --- node lease (adapter.md 3.11) --------------------------------------------------------------------------------------------------
// Takes or renews the lease of `node`; "node.nameInUse" when a live process has the name. Frees what dead nodes held.
Result<Claimer> take_node_lease(sql::Transaction&, std::string_view node, Instant now);
Result<> renew_node_lease(sql::Transaction&, const Claimer&, Instant now);
Result<> release_node_lease(sql::Transaction&, const Claimer&);
struct Node {
  std::string name;
  std::int64_t epoch = 0;
  Instant heartbeat_at;
  bool draining = false;
};
Result<std::vector<Node>> nodes(sql::Transaction&);

// --- contracts, documents ------------------------------------------------------------------------------------------------------------
Result<> insert_contract(sql::Transaction&, const Contract&);
Result<> update_contract(sql::Transaction&, const Contract&);  // keeps the former document in contract_history when it differs
Result<> delete_contract(sql::Transaction&, std::string_view tenant, std::string_view id);
Result<std::optional<Contract>> find_contract(sql::Transaction&, std::string_view tenant, std::string_view id);
Result<std::optional<Contract>> find_contract_by_name(sql::Transaction&, std::string_view tenant, std::string_view kind,
                                                      std::string_view name);
Result<std::vector<Contract>> all_contracts(sql::Transaction&, std::string_view kind);  // every tenant: for the index in memory
Result<std::int64_t> contract_history_count(sql::Transaction&, std::string_view tenant, std::string_view id);

Result<> put_document(sql::Transaction&, const Document&);  // by (tenant, kind, key)
Result<std::optional<Document>> find_document(sql::Transaction&, std::string_view tenant, std::string_view kind, std::string_view id);
Result<std::vector<Document>> documents(sql::Transaction&, std::string_view tenant, std::string_view kind);
Result<std::vector<Document>> all_documents(sql::Transaction&, std::string_view kind);
Result<bool> delete_document(sql::Transaction&, std::string_view tenant, std::string_view kind, std::string_view id);

// Grows with every change of contracts and documents; caches poll it (CPA-050: within 5 s on every node).
Result<std::int64_t> configuration_version(sql::Transaction&);

// --- idempotency (adapter.md 2.1.2) ---------------------------------------------------------------------------------------------------
struct StoredAnswer {
  std::string body_sha256;
  std::int64_t status = 0;  // 0: the first request still runs
  std::string location, body;
};
// nullopt: the key was new and is now taken (status 0).
Result<std::optional<StoredAnswer>> take_idempotency_key(sql::Transaction&, std::string_view tenant, std::string_view key,
                                                         std::string_view path, std::string_view body_sha256, Instant now);
Result<> store_answer(sql::Transaction&, std::string_view tenant, std::string_view key, std::string_view path, const StoredAnswer&);

// --- audit log (security.md 2.9), CRLs ---------------------------------------------------------------------------------------------------
// One JSON record per entry, chained like the trail.
Result<> append_audit(sql::Transaction&, std::string_view tenant, std::string_view node, Instant at, std::string_view record_json);
Result<std::vector<std::string>> audit_events(sql::Transaction&, std::string_view tenant, std::int64_t after_seq, std::int64_t limit);

}  // namespace schakel::exchange
