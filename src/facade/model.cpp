#include "facade/model.hpp"

#include <algorithm>
#include <utility>

namespace schakel::facade {
namespace {

using exchange::State;

constexpr std::pair<std::string_view, std::string_view> remote_statuses[] = {{"UnAuthorized", "UNAUTHORIZED"},
                                                                             {"NotRecognized", "NOT_RECOGNIZED"},
                                                                             {"Received", "RECEIVED"},
                                                                             {"Processed", "PROCESSED"},
                                                                             {"Forwarded", "FORWARDED"}};
constexpr std::pair<std::string_view, std::string_view> event_types[] = {
    {"message.received", "RECEIVED"}, {"message.delivered", "DELIVERED"}, {"message.failed", "FAILED"}, {"message.expired", "EXPIRED"}};

// The OIN of the party that has this PartyId; empty: none has.
std::string oin_of(const cpa::Agreement& agreement, std::string_view party_id) {
  for (const auto& party : agreement.parties)
    for (const auto& id : party.ids)
      if (typed(id.type, id.value) == party_id) return std::string(party.oin());
  return {};
}

api::OrderedJson party_json(const exchange::Party& party) {
  api::OrderedJson out{{"partyId", typed(party.party_id_type, party.party_id)}};
  if (!party.role.empty()) out["role"] = party.role;
  return out;
}

}  // namespace

std::string typed(std::string_view type, std::string_view value) {
  return type.empty() ? std::string(value) : std::string(type) + ":" + std::string(value);
}

std::string_view status_of(const exchange::Message& message) {
  switch (message.state) {
    case State::delivered:
      return "DELIVERED";
    case State::failed:
    case State::cancelled:
      return "DELIVERY_FAILED";
    case State::expired:
      return "EXPIRED";
    case State::received:
    case State::offered:
    case State::dead:
      return "RECEIVED";
    case State::processed:
    case State::rejected:
      return "PROCESSED";
    case State::refused:
      return "FAILED";
    case State::forwarded:
      return "FORWARDED";
    default:
      return "CREATED";
  }
}

std::string_view remote_status(std::string_view status) {
  const auto found = std::ranges::find(remote_statuses, status, [](const auto& pair) { return pair.first; });
  return found == std::end(remote_statuses) ? std::string_view() : found->second;
}

std::string_view event_type(std::string_view event) {
  const auto found = std::ranges::find(event_types, event, [](const auto& pair) { return pair.first; });
  return found == std::end(event_types) ? std::string_view() : found->second;
}

std::string_view application_event(std::string_view type) {
  const auto found = std::ranges::find(event_types, type, [](const auto& pair) { return pair.second; });
  return found == std::end(event_types) ? std::string_view() : found->first;
}

ebms::SubmitRequest submit_request(const RequestProperties& properties, std::string_view tenant, const cpa::Contracts& contracts) {
  ebms::SubmitRequest request;
  request.tenant = tenant;
  request.cpa_id = properties.cpa_id;
  request.from_party_id = properties.from_party_id;
  request.from_role = properties.from_role;
  request.to_party_id = properties.to_party_id;
  request.to_role = properties.to_role;
  request.service = properties.service;
  request.action = properties.action;
  request.conversation_id = properties.conversation_id;
  request.message_id = properties.message_id;
  request.ref_to_message_id = properties.ref_to_message_id;
  const auto* contract = contracts.find(tenant, properties.cpa_id);
  if (contract == nullptr) return request;
  request.from_oin = oin_of(contract->agreement, properties.from_party_id);
  request.to_oin = oin_of(contract->agreement, properties.to_party_id);
  for (const auto& party : contract->agreement.parties) {
    for (const auto& role : party.roles) {
      if (typed(role.service_type, role.service) != properties.service) continue;
      request.service = role.service;
      request.service_type = role.service_type;
      return request;
    }
  }
  return request;
}

ebms::SubmitPayload submit_payload(const DataSource& source) {
  ebms::SubmitPayload payload;
  payload.content_id = source.content_id;
  if (!source.content_type.empty()) payload.content_type = source.content_type;
  payload.file_name = source.name;
  return payload;
}

api::OrderedJson properties_json(const exchange::Message& message) {
  api::OrderedJson out{{"cpaId", message.cpa_id},
                       {"fromParty", party_json(message.from)},
                       {"toParty", party_json(message.to)},
                       {"service", typed(message.service_type, message.service)},
                       {"action", message.action},
                       {"timestamp", to_rfc3339(message.timestamp.value_or(message.created_at))},
                       {"conversationId", message.conversation_id},
                       {"messageId", message.message_id}};
  if (!message.ref_to_message_id.empty()) out["refToMessageId"] = message.ref_to_message_id;
  out["messageStatus"] = status_of(message);
  return out;
}

}  // namespace schakel::facade
