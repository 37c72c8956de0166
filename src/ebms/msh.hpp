// The Message Service Handler without I/O: what to answer, what to store, what to do later (ebms.md section 3).
//
// Receiving is three steps: `MimeReader` (mime.hpp) splits the body as it streams; `Msh::examine` parses and checks without the database;
// `Msh::receive` runs inside the commit unit, makes the duplicate test and stores. Sending is `submit` (in a unit), then per work row
// `prepare` (in a unit), the caller posts, `conclude` (in a unit). Server and simulator drive the same functions.
//
// Threads: a Msh has no state of its own but its dependencies; every function is safe from every thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "exchange/blob_reader.hpp"
#include "exchange/message.hpp"
#include "exchange/signal.hpp"
#include "exchange/store.hpp"
#include "security/peer.hpp"
#include "sql/database.hpp"

namespace schakel::cpa {
class Contracts;        // cpa/contracts.hpp: the loaded agreements, an immutable snapshot
struct LoadedContract;  // cpa/contracts.hpp
}  // namespace schakel::cpa

namespace schakel::ebms {

// One MIME part after the root, its octets already at rest or in memory.
struct Part {
  std::string content_id;  // without brackets
  std::string content_type;
  std::string file_name;
  std::int64_t size = 0;
  std::string sha256;  // hex
  Bytes octets;        // when size <= limits::payload_in_memory_max
  std::string blob;    // else: the blob that holds them
  // Of a part that came encrypted, what came (EB-220); everything above is then about the plain octets.
  Bytes wire_octets;
  std::string wire_blob;
  std::int64_t wire_size = 0;
};

struct ReceivedRequest {
  Bytes root;
  std::optional<std::string> root_charset;
  std::string root_content_id;  // without brackets; empty: none
  std::vector<Part> parts;
};

// What goes back on the connection.
struct Answer {
  unsigned status = 204;
  std::string content_type;  // "text/xml; charset=UTF-8" or empty
  Bytes body;
  bool retry_after = false;  // Retry-After: 60
};

// A message that passed every check that needs no database, or the answer that refuses it.
struct Examined;  // examined.hpp

// The answer to a request that MimeReader or the HTTP layer refused: `error.code` is one of the tokens of ebms.md 2.8 (500, or 415 for
// CONTENT_TYPE_INVALID, with a SOAP Fault) or "http.bodyTooLarge" (413, empty). Anything else is 503.
Answer refusal(const Error& error);
// EB-014: 503, empty, Retry-After. What the endpoint answers when `receive` or the commit fails.
Answer unavailable();
// EB-004: the fault for a SOAPAction header that is absent or not ebXML; nullopt when it is right. `value`: as in the header.
std::optional<Answer> check_soap_action(std::optional<std::string_view> value);

class KeyRing;   // protection.hpp
class PartSink;  // mime.hpp

// A request on its way through Msh::examine. Nearly always it is done at once; but a large part of a secured message is at rest already,
// and must be decrypted or digested before the message can be judged (EB-031). The driver then streams it by:
//
//   while (!examination.wanted_blob().empty()) {
//     for each chunk of that blob, in order: examination.read(octets, sink);
//     examination.end_of_blob(sink);
//   }
//   examined = examination.finish();
//
// What comes out for the store (plain octets of an encrypted part) goes to the sink, as with MimeReader. Single thread, single use; the Msh
// outlives it. Finished early, the message is answered 503.
class Examination {
 public:
  Examination(Examination&&) noexcept;
  ~Examination();

  const std::string& wanted_blob() const;
  void read(BytesView octets, PartSink&);
  void end_of_blob(PartSink&);
  std::shared_ptr<const Examined> finish();

 private:
  friend class Msh;
  struct State;
  explicit Examination(std::unique_ptr<State>);
  std::unique_ptr<State> state_;
};

struct Settings {
  std::string node = "a";
  unsigned accept_status = 204;      // EB-007
  bool insecure_transport = false;   // plain HTTP in a test environment (EB-001): no TLS identity to compare
  bool allow_message_order = false;  // EB-191
};

struct SubmitPayload {
  std::string content_id;  // empty: made
  std::string content_type = "application/octet-stream";
  std::string file_name;
  std::int64_t size = 0;
  std::string sha256;  // hex
  Bytes octets;        // when small; else
  std::string blob;
};

// Fields of adapter.md 2.1.4.
struct SubmitRequest {
  std::string tenant;
  std::string contract_id, cpa_id;
  std::string from_oin, from_role, from_party_id, to_oin, to_role, to_party_id;
  std::string service, service_type, action;
  std::string conversation_id, message_id, ref_to_message_id;
  std::optional<Duration> time_to_live;
  std::optional<Instant> not_before;
  std::string traceparent;
  std::map<std::string, std::string> labels;
  bool force = false;  // EB-069: send although refToMessageId is unknown
  std::string copy_of;
  std::vector<SubmitPayload> payloads;
};

struct Composed;  // composition.hpp

// One HTTP request to make: the driver posts it and reports the outcome.
struct Attempt {
  exchange::Work work;
  std::shared_ptr<const exchange::Signal> signal;  // null: `message` is sent
  std::string message;                             // id of the Message, or of the signal's message
  std::string url;
  std::string destination;  // scheme://host:port
  std::vector<std::pair<std::string, std::string>> headers;
  // The body: `head` + payloads interleaved + tail. Pieces with `blob` are streamed from the store.
  std::vector<exchange::Piece> body;
  std::uint64_t body_bytes = 0;
  std::string client_certificate_sha256;  // of the CPA's ClientCertificate after mapping; empty: the tenant's default
  std::string expected_oin;
  std::string environment;
  std::string tenant;
};

struct ExaminedAnswer;  // attempts.cpp

struct Outcome {
  unsigned status = 0;  // 0: transport failure
  std::string content_type;
  Bytes body;
  std::optional<Duration> retry_after;
  std::string error_code, error_detail;  // transport failures
  bool body_was_sent = false;            // possibly delivered (ebms.md 3.3)
  bool permanent = false;                // transport.tlsRefused
  Duration took{0};
  std::shared_ptr<const security::PeerIdentity> peer{};  // who answered; null without TLS
  std::shared_ptr<const ExaminedAnswer> examined{};      // of Msh::examine
};

class Msh {
 public:
  struct Dependencies {
    const Clock& clock;
    Random& random;
    Log& log;
    Metrics& metrics;
    std::function<std::shared_ptr<const cpa::Contracts>()> contracts;
    // ADP-204: the tenant that a TLS server name is bound to; absent or empty: To decides.
    std::function<std::string(std::string_view host)> tenant_of_host = {};
    // ADP-213: a suspended tenant receives 503 and sends nothing. Absent: none is.
    std::function<bool(std::string_view tenant)> tenant_suspended = {};
    // Absent: secured profiles are neither sent nor received (protection.hpp).
    std::shared_ptr<const KeyRing> keys = nullptr;
  };
  Msh(Settings, Dependencies);
  ~Msh();

  // Actions of the contract that this Msh cannot carry, each with the reason: their profile is signed or encrypted, and a key, an anchor or
  // a usable algorithm is missing. Refuse to activate such a contract.
  struct Unprotected {
    std::string action, reason;
    friend bool operator==(const Unprotected&, const Unprotected&) = default;
  };
  std::vector<Unprotected> unprotected_actions(const cpa::LoadedContract&) const;

  // Steps 3 to 8 and 10 to 13 of ebms.md 3.4: everything that needs no stored state. Never fails: what is wrong is in the result. `host` is
  // the SNI name (ADP-204). `peer` outlives the Examination.
  Examination begin(ReceivedRequest, const security::PeerIdentity* peer, std::string_view host) const;
  // The same for a request without large parts of a secured message.
  std::shared_ptr<const Examined> examine(ReceivedRequest, const security::PeerIdentity*, std::string_view host) const;
  // Steps 9 to 15 in a transaction. The Answer may leave only after the transaction is durable. An Error means that nothing may be stored:
  // roll back, answer `unavailable()`. Logs and counters are written inside the unit; a unit that the database runs again writes them
  // again.
  Result<Answer> receive(sql::Transaction&, const Examined&) const;
  // An answer that needs no transaction (a fault, a 403), when there is one.
  static const Answer* immediate(const Examined&);
  // "SEC.XML.…" of a request that was refused as an attack on the parser (security.md section 4): for the audit log. Empty: it was none.
  static std::string_view audit_reason(const Examined&);

  // Validates against the contract, builds, signs and encrypts, as far as that needs nothing of the store. Null: only the unit can do it,
  // or say why not. Not needed for `submit`, but the writer is the scarce thread.
  std::shared_ptr<const Composed> compose(const SubmitRequest&) const;
  // Stores what was composed, or composes first; and the work. Errors with the codes of adapter.md 2.1.5.
  Result<exchange::Message> submit(sql::Transaction&, const SubmitRequest&, const Composed* = nullptr) const;

  // For work of kinds "ebms.send", "ebms.signal", "ebms.ping", "ebms.status": the request to make, or nullopt when there is nothing left to
  // send (final, expired: the work is finished).
  Result<std::optional<Attempt>> prepare(sql::Transaction&, const exchange::Claimer&, const exchange::Work&) const;
  // Reads and judges what came back, so that the unit of `conclude` has only to store it. Not needed, but the writer is the scarce thread.
  void examine(const Attempt&, Outcome&) const;
  Result<> conclude(sql::Transaction&, const exchange::Claimer&, const Attempt&, const Outcome&) const;
  // Work "message.expire": TimeToLive passed.
  Result<> expire(sql::Transaction&, const exchange::Claimer&, const exchange::Work&) const;
  // Work "ebms.orderGap": a message has waited 7 days for those before it (ebms.md 3.9).
  Result<> report_order_gap(sql::Transaction&, const exchange::Claimer&, const exchange::Work&) const;

  // Operator actions of adapter.md 3.3 on ebMS messages. `actor` for the trail. "state.conflict" when not allowed there.
  Result<exchange::Message> act(sql::Transaction&, std::string_view tenant, std::string_view id, std::string_view action,
                                std::string_view reason, std::string_view actor, bool force) const;

  // A new message with the content, addressing and ConversationId of one that was sent, in whatever state that is: the resend of
  // applications (EB-210), which know no other. `copy_of` names the first, whose trail tells it. Errors: "notFound", "payload.purged",
  // those of submit.
  Result<exchange::Message> send_again(sql::Transaction&, std::string_view tenant, std::string_view id, std::string_view actor) const;

  // Ping and remote status: store a signal and its work; `ping_result` polls (any node may get the Pong).
  Result<std::string> start_ping(sql::Transaction&, std::string_view tenant, std::string_view cpa_id, std::string_view from_party_id,
                                 std::string_view to_party_id) const;
  Result<std::string> start_status_request(sql::Transaction&, std::string_view tenant, std::string_view message) const;
  struct SignalResult {
    bool answered = false;
    std::string status;  // "Received", … for a status request
    std::optional<Instant> timestamp;
    std::string error;  // reason of a failure
  };
  Result<SignalResult> signal_result(sql::Transaction&, std::string_view request_message_id) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace schakel::ebms
