// The SOAP envelope of ebMS2 as values (ebms.md 2.2-2.8): one parse of what arrives, one serialisation of what leaves. Names are those of
// msg-header-2_0.xsd.
//
// `parse_envelope` checks in this order: charset, well-formedness and limits, SOAP version, our schema tables, cardinalities, unknown
// header blocks, text limits. Its errors are tokens of ebms.md 2.8 ("CHARSET_INVALID", "XML_INVALID", "SCHEMA_INVALID") and
// "VERSION_MISMATCH", "MUST_UNDERSTAND"; `soap_fault` makes the fault.
//
// Pure functions, safe from every thread. An Envelope owns its Document; the Elements in it live as long as the Envelope does.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "cpa/agreement.hpp"
#include "xml/document.hpp"
#include "xml/grammar.hpp"

namespace schakel::ebms {

namespace uri {
inline constexpr std::string_view soap = "http://schemas.xmlsoap.org/soap/envelope/";
inline constexpr std::string_view eb = "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd";
inline constexpr std::string_view xlink = "http://www.w3.org/1999/xlink";
inline constexpr std::string_view ds = "http://www.w3.org/2000/09/xmldsig#";
inline constexpr std::string_view xml = "http://www.w3.org/XML/1998/namespace";
inline constexpr std::string_view next = "http://schemas.xmlsoap.org/soap/actor/next";
inline constexpr std::string_view to_party_msh = "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH";
inline constexpr std::string_view next_msh = "urn:oasis:names:tc:ebxml-msg:actor:nextMSH";
inline constexpr std::string_view signal_service = "urn:oasis:names:tc:ebxml-msg:service";
inline constexpr std::string_view errors = "urn:oasis:names:tc:ebxml-msg:service:errors";
}  // namespace uri

struct HeaderParty {
  std::vector<cpa::PartyId> ids;
  std::string role;  // empty: none
  friend bool operator==(const HeaderParty&, const HeaderParty&) = default;
};

// MessageHeader with its MessageData (MSG 3.1).
struct MessageHeader {
  std::string version = "2.0";
  HeaderParty from, to;
  std::string cpa_id, conversation_id;
  std::string service, service_type, action;
  std::string message_id;
  Instant timestamp{};
  std::string ref_to_message_id;  // empty: none
  std::optional<Instant> time_to_live;
  bool duplicate_elimination = false;

  bool is_signal() const { return service == uri::signal_service; }
  friend bool operator==(const MessageHeader&, const MessageHeader&) = default;
};

struct SyncReply {
  std::string version = "2.0";
  std::string actor = std::string(uri::next);
};

struct MessageOrder {
  std::int64_t sequence_number = 0;
  bool reset = false;
};

struct AckRequested {
  std::string version = "2.0";
  std::optional<std::string> actor;  // absent means toPartyMSH
  bool is_signed = false;

  bool targets_next_msh() const { return actor == uri::next_msh; }
  bool targets_to_party_msh() const { return !actor || *actor == uri::to_party_msh; }
};

struct Acknowledgment {
  std::optional<std::string> actor;
  Instant timestamp{};
  std::string ref_to_message_id;
  std::vector<cpa::PartyId> from;
  std::string references;  // out only: the copied ds:Reference elements, serialised (EB-158)
};

struct ErrorEntry {  // eb:Error
  std::string code_context = std::string(uri::errors);
  std::string error_code;
  bool is_error = true;  // severity Error; else Warning
  std::string location, description;
};

struct ErrorList {
  bool highest_is_error = true;
  std::vector<ErrorEntry> errors;
};

struct ManifestReference {
  std::string href;
};

struct Manifest {
  std::string version = "2.0";
  std::vector<ManifestReference> references;
};

struct StatusRequest {
  std::string ref_to_message_id;
};

struct StatusResponse {
  std::string message_status;
  std::string ref_to_message_id;
  std::optional<Instant> timestamp;
};

struct Envelope {
  MessageHeader header;
  std::optional<SyncReply> sync_reply;
  std::optional<MessageOrder> message_order;
  std::vector<AckRequested> ack_requested;  // two only with different actors
  std::optional<Acknowledgment> acknowledgment;
  std::optional<ErrorList> error_list;
  std::optional<Manifest> manifest;
  std::optional<StatusRequest> status_request;
  std::optional<StatusResponse> status_response;

  // Of a parsed envelope only.
  std::shared_ptr<const xml::Document> document;
  xml::Element message_header;
  std::size_t signatures = 0;  // ds:Signature children of soap:Header
};

// `charset`: of the root part's Content-Type. Checks and limits as above (EB-024, EB-040..045). `audit_reason`: receives the reason of a
// refusal that belongs in the audit log ("SEC.XML.DTD", "SEC.XML.LIMIET", "SEC.XML.ID"; security.md section 4).
Result<Envelope> parse_envelope(BytesView root, const std::optional<std::string>& charset, std::string_view* audit_reason = nullptr);

// Only the MessageHeader, for who passes the message on and judges nothing else (EB-201): charset, well-formedness, limits, one soap:Header
// with one MessageHeader, text limits. Everything else is the end party's to judge. Errors as above.
Result<MessageHeader> read_message_header(BytesView root, const std::optional<std::string>& charset);

// SHA-256 of the exclusive C14N of MessageHeader (EB-110).
Result<Bytes> header_hash(const Envelope&);

// The envelope as octets, in schema order, without XML declaration (EB-042, EB-047). Text must be XML text (xml::is_xml_text).
// Error "envelope.combination" when the blocks may not stand together (EB-045).
Result<Bytes> build_envelope(const Envelope&);

// ebms.md 2.8. `error`: of parse_envelope, MimeReader, or any with one of the stable tokens as code.
Bytes soap_fault(const Error& error);

// Our tables for SOAP 1.1 + msg-header-2_0 (and the outline of xmldsig); see grammar.cpp.
const xml::Grammar& envelope_grammar();

// EB-134.
std::string xpointer(std::string_view path);

}  // namespace schakel::ebms
