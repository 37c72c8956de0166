// A request after every step that needs no database (ebms.md 3.4 steps 3-8 and 10-13), with all values made that storing it will need: the
// writer threads only write. Immutable once made; `Msh::receive` may read it again when its unit is run again.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ebms/context.hpp"
#include "ebms/signing.hpp"

namespace schakel::ebms {

struct Examined {
  ReceivedRequest request;
  Instant at{};                       // time of receipt
  std::optional<Answer> immediate;    // answered without a transaction
  std::optional<Error> unauthorised;  // SENDER_NOT_AUTHORIZED: audited, then answered
  bool suspended = false;             // contract or tenant: 503, but a duplicate has its first answer
  bool undecidable = false;           // a signature or a key that cannot be judged now (EB-155): 503
  std::string_view audit_reason;      // SEC.XML.…: why the octets belong in the audit log; empty: they do not
  std::string peer_oin, peer_serial, peer_sha256;

  std::shared_ptr<const cpa::Contracts> contracts;  // keeps what the pointers below point into
  const cpa::LoadedContract* contract = nullptr;
  int sender_party = 0;

  Envelope envelope;
  bool synchronous = false;  // EB-122

  // Business messages only.
  std::optional<cpa::Channels> channels;
  cpa::Reliability reliability;
  bool eliminate_duplicates = false;
  exchange::DuplicateKey key;
  Instant keep_key_until{};
  std::optional<Failure> failure;  // the first row of 3.5 that needs no database
  exchange::Message message;
  std::vector<exchange::Payload> payloads;          // in the order of the Manifest
  std::vector<std::size_t> payload_parts;           // their indexes in request.parts
  std::vector<std::string> dropped_blobs;           // of parts that the Manifest does not name
  std::optional<xmlsecurity::Signature> signature;  // of a secured message; points into the envelope
  std::optional<SignatureVerdict> verdict;          // of that signature, or of an Acknowledgment's
  std::string protection;                           // how it was secured: for the trail
  SignatureFault security_fault;                    // why rows 20, 24 or 25 failed: for the audit log, never for the partner
  std::optional<exchange::Signal> response;         // the acknowledgement or the MessageError for `failure`

  const cpa::PartyInfo& sender() const { return contract->agreement.parties[static_cast<std::size_t>(sender_party)]; }
  SignalOrigin origin() const { return {*contract, sender_party, at, peer_oin, peer_sha256, peer_serial, verdict ? &*verdict : nullptr}; }
};

// Rows 1-7, 9-18 of 3.5 (`message` checks), 19 and 21-23; the rows that need the store are in receiver.cpp.
std::optional<Failure> check_header(const Examined&);                           // rows 1-7, 9
std::optional<Failure> check_characteristics(const Context&, const Examined&);  // rows 10-18
std::optional<Failure> check_signature_present(const Examined&);                // row 19
std::optional<Failure> resolve_manifest(Examined&);                             // rows 21-23: fills payload_parts and dropped_blobs
// The rows that a Ping or StatusRequest must pass too (1, 2, 4-6, 9, 17).
std::optional<Failure> check_signal(const Examined&);

// Rows with a stored state.
Failure unknown_reference();   // 8
Failure id_reused();           // 26
Failure conversation_limit();  // 29

}  // namespace schakel::ebms
