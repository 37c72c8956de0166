#include "api/descriptor.hpp"

#include <limits>

namespace schakel::api {
namespace {

void put(OrderedJson& out, const char* name, const std::string& text) {
  if (!text.empty()) out[name] = text;
}

void put(OrderedJson& out, const char* name, const std::optional<Instant>& at) {
  if (at) out[name] = to_rfc3339(*at);
}

std::string typed(const exchange::Party& party) {
  if (party.party_id.empty()) return {};
  return party.party_id_type.empty() ? party.party_id : party.party_id_type + ":" + party.party_id;
}

void put_parties(OrderedJson& out, const exchange::Message& message) {
  put(out, "fromOin", message.from.oin);
  put(out, "fromPartyId", typed(message.from));
  put(out, "fromRole", message.from.role);
  put(out, "toOin", message.to.oin);
  put(out, "toPartyId", typed(message.to));
  put(out, "toRole", message.to.role);
}

void put_addressing(OrderedJson& out, const exchange::Message& message) {
  put(out, "service", message.service);
  put(out, "serviceType", message.service_type);
  put(out, "action", message.action);
  put(out, "conversationId", message.conversation_id);
  put(out, "messageId", message.message_id);
  put(out, "refToMessageId", message.ref_to_message_id);
}

OrderedJson payload_list(std::span<const exchange::Payload> payloads) {
  auto list = OrderedJson::array();
  for (const auto& payload : payloads) list.push_back(payload_descriptor(payload));
  return list;
}

void put_progress(OrderedJson& out, const exchange::Message& message) {
  out["attempts"] = message.attempts;
  put(out, "nextAttemptAt", message.next_attempt_at);
  if (message.last_error) {
    auto& error = out["lastError"] = OrderedJson::object();
    error["code"] = message.last_error->code;
    error["detail"] = message.last_error->detail;
    error["source"] = message.last_error->source;
    error["at"] = to_rfc3339(message.last_error->at);
  }
  put(out, "createdAt", message.created_at);
  put(out, "acceptedAt", message.accepted_at);
  put(out, "sentAt", message.sent_at);
  put(out, "deliveredAt", message.delivered_at);
  put(out, "receivedAt", message.received_at);
  put(out, "offeredAt", message.offered_at);
  put(out, "processedAt", message.processed_at);
  put(out, "finalAt", message.final_at);
  put(out, "expiresAt", message.expires_at);
  put(out, "lateAcknowledgedAt", message.late_acknowledged_at);
  put(out, "notBefore", message.not_before);
  out["duplicateCount"] = message.duplicate_count;
  out["deliveryAttempt"] = message.delivery_attempt;
}

}  // namespace

std::string message_href(std::string_view id) {
  return std::string(base_path) + "/messages/" + std::string(id);
}

std::string payload_href(std::string_view id, std::int64_t index) {
  return message_href(id) + "/payloads/" + std::to_string(index);
}

OrderedJson payload_descriptor(const exchange::Payload& payload) {
  OrderedJson out;
  out["index"] = payload.index;
  put(out, "contentId", payload.content_id);
  out["contentType"] = payload.content_type;
  put(out, "fileName", payload.file_name);
  out["size"] = payload.size;
  out["sha256"] = payload.sha256;
  out["href"] = payload_href(payload.message, payload.index);
  out["purged"] = payload.purged;
  return out;
}

OrderedJson descriptor(const exchange::Message& message, std::span<const exchange::Payload> payloads, std::string_view environment) {
  OrderedJson out;
  out["id"] = message.id;
  out["tenant"] = message.tenant;
  out["environment"] = environment;
  out["direction"] = to_string(message.direction);
  out["protocol"] = message.protocol;
  out["pattern"] = message.pattern;
  put(out, "profile", message.profile);
  out["state"] = to_string(message.state);
  put(out, "stateReason", message.state_reason);
  put_parties(out, message);
  put(out, "contractId", message.contract_id);
  put(out, "cpaId", message.cpa_id);
  put_addressing(out, message);
  out["payloads"] = payload_list(payloads);
  put_progress(out, message);
  if (message.state == exchange::State::delivered) out["confirmed"] = message.confirmed;
  if (message.possible_duplicate) out["possibleDuplicate"] = true;
  put(out, "traceparent", message.traceparent);
  put(out, "copyOf", message.copy_of);
  if (!message.labels.empty()) out["labels"] = message.labels;
  return out;
}

OrderedJson descriptor_subset(const exchange::Message& message, std::span<const exchange::Payload> payloads) {
  OrderedJson out;
  out["id"] = message.id;
  out["tenant"] = message.tenant;
  out["direction"] = to_string(message.direction);
  out["protocol"] = message.protocol;
  out["state"] = to_string(message.state);
  put(out, "fromOin", message.from.oin);
  put(out, "toOin", message.to.oin);
  put_addressing(out, message);
  put(out, "contractId", message.contract_id);
  out["deliveryAttempt"] = message.delivery_attempt;
  if (message.possible_duplicate) out["possibleDuplicate"] = true;
  out["payloads"] = payload_list(payloads);
  return out;
}

OrderedJson trail_event(const exchange::SealedTrailEvent& sealed, std::string_view tenant) {
  const auto& event = sealed.event;
  OrderedJson out;
  if (event.seq > 0) out["seq"] = event.seq;  // its place in the chain, within seconds
  out["at"] = to_rfc3339(event.at);
  out["node"] = sealed.node;
  out["tenant"] = tenant;
  out["message"] = event.message;
  out["type"] = event.type;
  out["actor"] = event.actor;
  put(out, "wireId", event.wire_id);
  OrderedJson peer = OrderedJson::object();
  put(peer, "oin", event.peer_oin);
  put(peer, "address", event.peer_address);
  put(peer, "certificateSha256", event.peer_certificate_sha256);
  if (!peer.empty()) out["peer"] = std::move(peer);
  put(out, "code", event.code);
  put(out, "detail", event.detail);
  if (event.bytes) out["bytes"] = *event.bytes;
  if (event.duration_ms) out["durationMs"] = *event.duration_ms;
  put(out, "previousHash", sealed.previous_hash);
  put(out, "hash", sealed.hash);
  return out;
}

}  // namespace schakel::api
