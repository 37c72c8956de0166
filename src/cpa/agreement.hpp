// An agreement: a CPA 2.0 document as values (cpa.md 2.1). Parsing keeps nothing of the XML but the octets in the Contract row.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace schakel::cpa {

enum class Profile { osb_be, osb_rm, osb_be_s, osb_rm_s, osb_be_e, osb_rm_e };
std::string_view to_string(Profile);  // "osb-be", …
std::optional<Profile> profile_from(std::string_view);
bool is_reliable(Profile);
bool is_signed(Profile);
bool is_encrypted(Profile);

enum class Occurrence { always, never, per_message };
enum class SyncReplyMode { none, msh_signals_only, other };

struct PartyId {
  std::string type;  // empty: none written
  std::string value;
  friend bool operator==(const PartyId&, const PartyId&) = default;
};

struct MessagingCharacteristics {
  SyncReplyMode sync_reply = SyncReplyMode::none;
  std::string sync_reply_text;
  Occurrence ack_requested = Occurrence::per_message;
  Occurrence ack_signature_requested = Occurrence::per_message;
  Occurrence duplicate_elimination = Occurrence::per_message;
  std::string actor;  // empty: absent
};

struct Endpoint {
  std::string uri;
  std::string type = "allPurpose";
};

struct Transport {
  std::string id;
  bool has_sender = false, has_receiver = false;
  std::string sender_protocol, sender_protocol_version, receiver_protocol, receiver_protocol_version;
  bool has_client_security = false, has_server_security = false;
  std::string client_security_protocol, client_security_version, server_security_protocol, server_security_version;
  std::string client_certificate_ref, server_certificate_ref, server_security_details_ref, client_security_details_ref;
  bool has_access_authentication = false;
  std::vector<Endpoint> endpoints;
};

struct NonRepudiation {
  std::string protocol, hash_function, signature_algorithm;  // `w3c` attribute before element text
  std::string certificate_ref;                               // sender: SigningCertificateRef
  std::string security_details_ref;                          // receiver: SigningSecurityDetailsRef
};

struct DigitalEnvelope {
  std::string protocol, encryption_algorithm;
  std::string certificate_ref;  // receiver: EncryptionCertificateRef
  std::string security_details_ref;
};

struct Binding {  // ebXMLSenderBinding or ebXMLReceiverBinding
  bool has_reliable_messaging = false;
  std::optional<std::int64_t> retries;
  std::optional<CalendarDuration> retry_interval;
  bool order_guaranteed = false;
  std::optional<CalendarDuration> persist_duration;
  std::optional<NonRepudiation> non_repudiation;
  std::optional<DigitalEnvelope> envelope;
};

struct DocExchange {
  std::string id;
  std::optional<Binding> sender, receiver;
};

struct DeliveryChannel {
  std::string id, transport_id, doc_exchange_id;
  MessagingCharacteristics characteristics;
};

struct TransactionCharacteristics {
  std::optional<bool> non_repudiation, non_repudiation_receipt, authorization, intelligible_check;
  std::string confidential, authenticated, tamper_proof;  // none | transient | persistent | transient-and-persistent; empty: absent
  std::optional<CalendarDuration> time_to_perform;
  bool has_time_to_acknowledge = false, has_retry_count = false;
};

struct ActionBinding {
  bool can_send = false;  // else CanReceive
  std::string id, action, package_id;
  TransactionCharacteristics characteristics;
  std::vector<std::string> channel_ids;
  std::string other_party_binding;  // empty: absent
  bool nested = false;              // CanSend inside CanReceive or the reverse: ignored (CPA-019)
};

struct CollaborationRole {
  std::string role;
  std::string process_name, process_version;
  std::string service, service_type;
  std::vector<ActionBinding> actions;
};

struct CertificateEntry {
  std::string id;
  Bytes der;  // the first X509Certificate; empty when undecodable
};

struct PartyInfo {
  std::string name;
  std::string default_channel_id, default_package_id;
  std::vector<PartyId> ids;
  std::vector<CollaborationRole> roles;
  std::vector<CertificateEntry> certificates;
  std::map<std::string, std::vector<std::string>> trust_anchors;  // securityId -> certIds
  std::vector<DeliveryChannel> channels;
  std::vector<Transport> transports;
  std::vector<DocExchange> doc_exchanges;
  std::map<std::string, std::string> signal_channels;  // OverrideMshActionBinding: action -> channelId

  const DeliveryChannel* channel(std::string_view id) const;
  const Transport* transport(std::string_view id) const;
  const DocExchange* doc_exchange(std::string_view id) const;
  const CertificateEntry* certificate(std::string_view id) const;
  // The channel for a signal: the override for its action, else the default MSH channel (CPA-040). nullptr for an action "" or unknown: the
  // default.
  const DeliveryChannel* signal_channel(std::string_view signal_action) const;
  bool has(const PartyId&) const;
  // The OIN of the first PartyId of type urn:osb:oin, without suffix; empty when there is none.
  std::string oin() const;
};

struct Agreement {
  std::string cpa_id, version, status;  // proposed | agreed | signed
  ParsedTime start{}, end{};
  std::optional<std::int64_t> invocation_limit, concurrent_conversations;
  std::vector<PartyInfo> parties;  // two
  bool has_signature = false;

  // The party that holds all of `ids` (header PartyIds, subset allowed); -1 when none, -2 when they are spread over both parties or only
  // some are known.
  int party_of(const std::vector<PartyId>& ids) const;
};

// Parses a document that is schema-valid (V01, V02 passed); see validate.hpp for the checks. Error "cpa.invalid".
Result<Agreement> parse(BytesView document);

}  // namespace schakel::cpa
