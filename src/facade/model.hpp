// The words of ebms-core's application interface, and how they map to ours (ebms.md 2.10, 3.2; EB-211, EB-213). Values; pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/refusal.hpp"
#include "cpa/contracts.hpp"
#include "ebms/msh.hpp"
#include "exchange/message.hpp"
#include "exchange/store.hpp"

namespace schakel::facade {

inline constexpr std::string_view rest_path = "/service/rest/v19/ebms";
inline constexpr std::string_view soap_path = "/service/ebms";
inline constexpr std::string_view mtom_path = "/service/ebmsMTOM";
inline constexpr std::string_view service_namespace = "http://www.ordina.nl/ebms/2.18";

// "type:value"; the value alone when it has no type. Neither half can be found again without the contract: both may hold colons.
std::string typed(std::string_view type, std::string_view value);

// CREATED, DELIVERED, DELIVERY_FAILED, EXPIRED; RECEIVED, PROCESSED, FAILED, FORWARDED.
std::string_view status_of(const exchange::Message&);
// "Received" -> "RECEIVED": what a StatusResponse says. Empty: no such status.
std::string_view remote_status(std::string_view);

// RECEIVED, DELIVERED, FAILED, EXPIRED: the events that the interface knows, and ours. Empty: no such event.
std::string_view event_type(std::string_view application_event);
std::string_view application_event(std::string_view event_type);
inline constexpr std::string_view application_events[] = {"message.received", "message.delivered", "message.failed", "message.expired"};

struct RequestProperties {
  std::string cpa_id, from_party_id, from_role, to_party_id, to_role, service, action, conversation_id, message_id, ref_to_message_id;
};

// A payload as it is sent: its octets, or the Content-ID of the attachment that holds them (SOAP with MTOM).
struct DataSource {
  std::string name, content_id, content_type;
  Bytes content;
  std::optional<std::string> attachment;
};

struct MessageRequest {
  RequestProperties properties;
  std::vector<DataSource> data_sources;
};

// The same request in our words. Texts with a type are taken apart by the contract that cpaId names; what that does not know stays whole,
// and the submit says what is wrong with it.
ebms::SubmitRequest submit_request(const RequestProperties&, std::string_view tenant, const cpa::Contracts&);
ebms::SubmitPayload submit_payload(const DataSource&);

// cpaId, fromParty, … messageStatus of an answer.
api::OrderedJson properties_json(const exchange::Message&);

// `maxNr`: 0 is all.
struct Ping {
  std::string cpa_id, from_party_id, to_party_id;
};
struct SendMessage {
  MessageRequest request;
};
struct ResendMessage {
  std::string message_id;
};
struct GetUnprocessedMessageIds {
  exchange::MessageFilter filter;
  std::int64_t max_nr = 0;
};
struct GetMessage {
  std::string message_id;
  bool process = false;
};
struct ProcessMessage {
  std::string message_id;
};
struct GetMessageStatus {
  std::string message_id;
};
struct GetUnprocessedMessageEvents {
  exchange::MessageFilter filter;
  std::vector<std::string_view> types;  // ours; all of them when none was asked for
  std::int64_t max_nr = 0;
};
struct ProcessMessageEvent {
  std::string message_id;
};
using Operation = std::variant<Ping, SendMessage, ResendMessage, GetUnprocessedMessageIds, GetMessage, ProcessMessage, GetMessageStatus,
                               GetUnprocessedMessageEvents, ProcessMessageEvent>;

}  // namespace schakel::facade
