// The store: what lives in the database, as functions over a Transaction. No function here decides anything; rules live in the protocol
// rooms.
//
// Every function can fail with the codes of sql::Transaction. Rows carry the tenant, and every read is filtered by it. In a writing unit
// the find_ functions lock the rows that they return (PostgreSQL; SQLite runs one unit at a time), so read-then-change is safe on both.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>
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
// "storage.conflict" when an outbound message_id exists already (EB-232); the unit has then failed.
Result<> insert_message(sql::Transaction&, const Message&, std::span<const Payload>);
// One more payload of a message that has some: the answer of a synchronous exchange.
Result<> insert_payload(sql::Transaction&, const Message&, const Payload&);
// Writes what happens to a message: state, times, counters, errors, flags, labels, header hash. What it is (ids, parties, service,
// contract, conversation, persist_until, root) is written once, by insert_message.
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
  // As texts with their type in front, "type:value"; the value alone when it has no type.
  std::string from_party_id, to_party_id, typed_service;
  std::string from_role, to_role;
  std::string trace_id;                                      // of traceparent: 32 hexadecimal digits
  std::optional<std::pair<std::string, std::string>> label;  // name and value
  std::optional<Instant> received_from, received_until;      // of created_at
  bool oldest_first = false;
  std::int64_t offset = 0, limit = 20;
};
struct MessagePage {
  std::vector<Message> messages;
  std::int64_t total = 0;
};
Result<MessagePage> search_messages(sql::Transaction&, std::string_view tenant, const MessageFilter&);
// Only their ids, in the same order.
Result<std::vector<std::string>> search_message_ids(sql::Transaction&, std::string_view tenant, const MessageFilter&);
// Inbound messages that the application has not decided on (RECEIVED, OFFERED, DEAD), oldest first. A list of any length in pages: `after`
// is the last of the page before.
struct WaitingMessage {
  std::string id, message_id;
  Instant created_at;
};
Result<std::vector<WaitingMessage>> waiting_messages(sql::Transaction&, std::string_view tenant, const MessageFilter&,
                                                     const std::optional<WaitingMessage>& after, std::int64_t limit);
// How many there are in each state.
Result<std::vector<std::pair<State, std::int64_t>>> count_by_state(sql::Transaction&, std::string_view tenant, const MessageFilter&);

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
// Place in the chain (seq, hash): on SQLite at once, on PostgreSQL by the sealer (docs/decisions/0005-sqlite-seals-in-the-commit.md). Texts
// are cut to 500 (detail) and 255 characters and made valid UTF-8. "storage.failed" when a type is not in the closed list.
Result<> append_trail(sql::Transaction&, std::string_view tenant, std::string_view node, std::span<const TrailEvent>);
// Seals at most `limit` events of all tenants that have no place yet, oldest first; gives how many. Call it every second, and again while
// it gives `limit`. On PostgreSQL one sealer works at a time; a second one gets 0.
Result<std::int64_t> seal_trail(sql::Transaction&, std::int64_t limit);
struct SealedTrailEvent {
  TrailEvent event;                       // seq 0: not sealed yet
  std::string node, previous_hash, hash;  // hex; empty until sealed
};
// The text that is hashed: all members but `hash`, by RFC 8785.
std::string canonical_trail_event(std::string_view tenant, const SealedTrailEvent&);
Result<std::vector<SealedTrailEvent>> trail_of(sql::Transaction&, std::string_view tenant, std::string_view message);
struct ChainVerdict {
  std::int64_t events = 0;                  // sealed and verified
  std::optional<std::int64_t> first_break;  // seq: changed, missing, or cut off at the end
  std::int64_t unsealed = 0;                // younger than the last seal
  std::optional<Instant> sealed_until;      // time of the last event verified
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
// Those of `types` about messages that the filter means, oldest first, by the protocol's id of their message; in pages, as
// waiting_messages.
struct WaitingEvent {
  std::int64_t position = 0;
  std::string message_id, type;
};
Result<std::vector<WaitingEvent>> waiting_events(sql::Transaction&, std::string_view tenant, const MessageFilter&,
                                                 std::span<const std::string_view> types, std::int64_t after_position, std::int64_t limit);
Result<std::optional<ApplicationEvent>> find_event(sql::Transaction&, std::string_view tenant, std::string_view id);
// False: no such event that still waits.
Result<bool> mark_event_processed(sql::Transaction&, std::string_view tenant, std::string_view id);

// --- work (design: every promise is a row) ---------------------------------------------------------------------------------------
Result<> add_work(sql::Transaction&, const Work&);
// The claimer: node and epoch of its lease.
struct Claimer {
  std::string node;
  std::int64_t epoch = 0;
  Duration lease = std::chrono::seconds(15);  // cluster.lease, the same on every node
};
// Claims due rows: at most `limit`, fairly over tenants and destinations, oldest due first. Of one destination at most `per_destination`
// rows are held by this node at once (rows without a destination are local work and have no such cap). Of an open circuit nothing is
// claimed but one row each 60 s, marked `probe` (ADP-704). FOR UPDATE SKIP LOCKED on PostgreSQL. "node.leaseLost" when the claimer holds no
// live lease.
Result<std::vector<Work>> claim_work(sql::Transaction&, const Claimer&, Instant now, std::int64_t limit, std::int64_t per_destination);
// Ends a claimed row, or puts it back with a new due time. "work.lost" when the claim is no longer ours (fencing, adapter.md 3.11).
Result<> finish_work(sql::Transaction&, const Claimer&, std::string_view work_id);
Result<> reschedule_work(sql::Transaction&, const Claimer&, const Work&);  // due, attempts, parameters, destination; releases the claim
// Removes rows that are not claimed by somebody else: an acknowledgement ends `ebms.send` of its message.
Result<> cancel_work(sql::Transaction&, std::string_view kind, std::string_view subject);
// Makes a row due now (retryNow). False when there is none.
Result<bool> hasten_work(sql::Transaction&, std::string_view kind, std::string_view subject, Instant now);
// When the next row can be claimed, circuits considered; nullopt: none waits. It may lie in the past when a destination is at its cap.
Result<std::optional<Instant>> next_due(sql::Transaction&);
// Gives back what this claimer holds in the table and not in memory: rows of a claim whose commit failed in a way that leaves its outcome
// unknown. How many.
Result<std::int64_t> release_claims_except(sql::Transaction&, const Claimer&, const std::set<std::string, std::less<>>& held);
Result<std::int64_t> release_claims_of(sql::Transaction&, std::string_view node, std::int64_t below_epoch);

// Circuits per destination (ADP-704): opens after 5 transport failures in a row, a probe each 60 s.
inline constexpr std::int64_t circuit_failures_max = 5;
inline constexpr std::chrono::seconds circuit_probe_interval{60};
Result<> record_outcome(sql::Transaction&, std::string_view destination, bool transport_ok, Instant now);
struct Circuit {
  std::string destination;
  std::int64_t failures = 0;
  std::optional<Instant> open_until;  // a value: open; the next probe
};
Result<std::vector<Circuit>> circuits(sql::Transaction&);

// --- node lease (adapter.md 3.11) --------------------------------------------------------------------------------------------------
// A node renews every 5 s; one that did not for a lease time (15 s unless cluster.lease says otherwise) is dead and all that it held is
// free at once.
inline constexpr std::chrono::seconds node_heartbeat{5};
inline constexpr std::chrono::seconds node_lease{15};
// Takes the lease of `node` with a new epoch; "node.nameInUse" when a live process has the name. Frees what dead nodes held.
Result<Claimer> take_node_lease(sql::Transaction&, std::string_view node, Instant now, Duration lease = node_lease);
// "node.leaseLost" when it was not renewed in time: end all attempts and take a new lease. Also frees what dead nodes held.
Result<> renew_node_lease(sql::Transaction&, const Claimer&, Instant now);
// "node.leaseLost" when the lease is not live: for a commit that must not be made by a node that was given up (fencing).
Result<> check_node_lease(sql::Transaction&, const Claimer&, Instant now);
Result<> release_node_lease(sql::Transaction&, const Claimer&);
// False: no such node.
Result<bool> set_draining(sql::Transaction&, std::string_view node, bool draining);
struct Node {
  std::string name;
  std::int64_t epoch = 0;
  Instant heartbeat_at;
  bool draining = false;
};
Result<std::vector<Node>> nodes(sql::Transaction&);

// --- counts for metrics: each reads an index of what is open, never all messages
// ----------------------------------------------------------
struct StateCount {
  std::string tenant;
  Direction direction = Direction::inbound;
  State state = State::received;
  std::int64_t messages = 0;
};
Result<std::vector<StateCount>> count_open_states(sql::Transaction&);  // states that are not final
struct DueCount {
  std::string kind;
  std::int64_t rows = 0;
};
Result<std::vector<DueCount>> count_due_work(sql::Transaction&, Instant now);  // unclaimed
// Nodes with a live lease.
Result<std::int64_t> count_live_nodes(sql::Transaction&, Instant now, Duration lease);

// --- contracts, documents ------------------------------------------------------------------------------------------------------------
// "storage.conflict" when the id, or the name within (tenant, kind), exists.
Result<> insert_contract(sql::Transaction&, const Contract&);
// `version` is the one that was read: the row gets version + 1; "version.conflict" when somebody else changed it since (412). Keeps the
// former document in contract_history when the digest differs.
Result<> update_contract(sql::Transaction&, const Contract&);
Result<> delete_contract(sql::Transaction&, std::string_view tenant, std::string_view id);
Result<std::optional<Contract>> find_contract(sql::Transaction&, std::string_view tenant, std::string_view id);
Result<std::optional<Contract>> find_contract_by_name(sql::Transaction&, std::string_view tenant, std::string_view kind,
                                                      std::string_view name);
Result<std::vector<Contract>> all_contracts(sql::Transaction&, std::string_view kind);  // every tenant: for the index in memory
// One state, every tenant, without documents.
Result<std::vector<Contract>> contracts_in_state(sql::Transaction&, std::string_view kind, ContractState);
Result<std::int64_t> contract_history_count(sql::Transaction&, std::string_view tenant, std::string_view id);

// By (tenant, kind, key): a new row gets version 1, an existing one keeps its id and gets version + 1.
Result<> put_document(sql::Transaction&, const Document&);
Result<std::optional<Document>> find_document(sql::Transaction&, std::string_view tenant, std::string_view kind, std::string_view id);
Result<std::vector<Document>> documents(sql::Transaction&, std::string_view tenant, std::string_view kind);
Result<bool> has_documents(sql::Transaction&, std::string_view tenant, std::string_view kind);
Result<std::vector<Document>> all_documents(sql::Transaction&, std::string_view kind);
// Documents without tenant: certificates of authorities, id and key their SHA-256, member `der` in base64. They stay when the configuration
// no longer has them, because trails name them (WUS-321).
inline constexpr std::string_view kept_certificate_kind = "certificate";
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
// One JSON record (an object without fractions) per entry, sealed like the trail; `tenant` is empty for what concerns the installation.
Result<> append_audit(sql::Transaction&, std::string_view tenant, std::string_view node, Instant at, std::string_view record_json);
Result<std::int64_t> seal_audit(sql::Transaction&, std::int64_t limit);
Result<ChainVerdict> verify_audit(sql::Transaction&, std::string_view tenant);
// Sealed records in order, with seq, at, node, tenant, previousHash and hash added. What was written in the last second may not be sealed
// yet.
Result<std::vector<std::string>> audit_events(sql::Transaction&, std::string_view tenant, std::int64_t after_seq, std::int64_t limit);

}  // namespace schakel::exchange
