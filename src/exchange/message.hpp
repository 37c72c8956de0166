// The values that every protocol shares: Message, Payload, TrailEvent, Contract, Work. Plain, comparable, no behaviour (README sections
// 5-7; adapter.md 2.1.4, 2.6, 3.1).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace schakel::exchange {

enum class Direction { inbound, outbound };
std::string_view to_string(Direction);
Direction direction_from(std::string_view);

// README section 6. Final states never change.
enum class State {
  accepted,
  held,
  queued,
  sending,
  sent,
  delivered,
  failed,
  expired,
  cancelled,  // outbound
  received,
  offered,
  dead,
  processed,
  rejected,
  refused,
  forwarded,  // inbound
  running,
  completed,
  fault,
  timeout,
  aborted,  // synchronous
};
std::string_view to_string(State);  // "ACCEPTED", …
std::optional<State> state_from(std::string_view);
bool is_final(State);

struct Party {
  std::string oin;       // 20 characters without suffix; empty for a party without OIN
  std::string party_id;  // as in the CPA, with suffix
  std::string party_id_type;
  std::string role;
  friend bool operator==(const Party&, const Party&) = default;
};

struct LastError {
  std::string code;
  std::string detail;
  std::string source;  // local | transport | partner
  Instant at;
};

// A Message. `id` is ours (uuid v7); `message_id` is the protocol's.
struct Message {
  std::string id;
  std::string tenant;
  Direction direction = Direction::outbound;
  std::string protocol = "ebms";
  std::string pattern = "oneWay";
  std::string profile;  // osb-rm, …
  State state = State::accepted;
  std::string state_reason;
  std::string contract_id;
  std::string cpa_id;
  Party from, to;
  std::string service, service_type, action;
  std::string conversation_id, message_id, ref_to_message_id;
  std::optional<Instant> timestamp;   // MessageData/Timestamp
  std::optional<Instant> expires_at;  // TimeToLive
  std::optional<Instant> persist_until;
  std::int64_t attempts = 0;
  std::int64_t retries_max = 0;  // Retries of the contract, taken when the message was made
  std::optional<Duration> retry_interval;
  std::optional<Instant> next_attempt_at;
  std::optional<LastError> last_error;
  Instant created_at;
  std::optional<Instant> accepted_at, sent_at, delivered_at, received_at, offered_at, processed_at, final_at, late_acknowledged_at,
      not_before;
  bool confirmed = false;
  bool got_2xx = false;             // at least one attempt was answered 2xx (EB-106)
  bool possible_duplicate = false;  // EB-093
  std::int64_t duplicate_count = 0;
  std::int64_t delivery_attempt = 0;
  std::string traceparent;
  std::string copy_of;
  std::map<std::string, std::string> labels;
  Bytes root;                     // exact octets of the root part as sent or received (EB-047, EB-220); empty when purged
  Bytes header_hash;              // SHA-256 of the exclusive C14N of MessageHeader (EB-110)
  std::string wire_content_type;  // HTTP Content-Type of the stored wire form, when sent as multipart
};

// Octets at rest: chunks of at most limits::blob_chunk_bytes (exchange/blob.hpp).
struct Payload {
  std::string message;  // id of the Message
  std::int64_t index = 0;
  std::string content_id;
  std::string content_type;
  std::string file_name;  // empty: none
  std::int64_t size = 0;
  std::string sha256;  // hex
  std::string blob;    // id of the blob; empty when purged
  bool purged = false;
  // The form that crosses the wire, when it is another one (EB-220: an encrypted payload): as sent again (EB-102) or as received.
  std::string wire_blob{};  // empty: the octets themselves travel
  std::int64_t wire_size = 0;
};

// adapter.md 2.6; `type` is of the closed list there.
struct TrailEvent {
  std::int64_t seq = 0;  // given by the store
  Instant at;
  std::string message;  // id of the Message
  std::string type;
  std::string actor = "schakel";
  std::string wire_id;
  std::string peer_oin, peer_address, peer_certificate_sha256;
  std::string code;
  std::string detail;  // at most 500 characters
  std::optional<std::int64_t> bytes;
  std::optional<std::int64_t> duration_ms;
};

// A row of the table `work`: a promise. `subject` is what it is about (usually the id of a Message); `destination` groups rows for fairness
// and back-off (usually "scheme://host:port" or a webhook id).
struct Work {
  std::string id;
  std::string tenant;
  std::string kind;  // README section 7: "ebms.send", "message.offer", …
  std::string subject;
  std::string destination;
  Instant due;
  std::int64_t attempts = 0;
  std::string parameters;  // JSON, small
  bool probe = false;      // claimed as the probe of an open circuit: when it fails at transport, no attempt is counted (ADP-704)
};

enum class ContractState { draft, validated, active, suspended, expired, retired };
std::string_view to_string(ContractState);
std::optional<ContractState> contract_state_from(std::string_view);

struct Contract {
  std::string id;
  std::string tenant;
  std::string kind = "cpa";
  ContractState state = ContractState::draft;
  std::string name;          // cpaid
  std::string digest;        // SHA-256 hex of the document
  Bytes document;            // exactly as received (CPA-005)
  std::int64_t version = 1;  // ETag; grows by one with each change
  Instant created_at, changed_at;
  std::optional<Instant> retired_at;
  std::string settings;  // JSON: authentication mode, large message threshold, … (cpa/settings.hpp)
};

// Configuration objects of the same shape: a mapping, a webhook, an API key, a mandate. The typed view is in the room that owns it.
struct Document {
  std::string id;
  std::string tenant;
  std::string kind;  // "urlMapping", "certificateMapping", "webhook", "apiKey", "mandate", "tenant"
  std::string key;   // unique within (tenant, kind)
  std::string body;  // JSON
  std::int64_t version = 1;
  Instant changed_at;
};

}  // namespace schakel::exchange
