// Messages as applications see them: the descriptor of adapter.md 2.1.4 and the trail of 2.6.
#pragma once

#include <span>
#include <string>

#include "api/refusal.hpp"
#include "exchange/message.hpp"
#include "exchange/store.hpp"

namespace schakel::api {

std::string message_href(std::string_view id);                      // /api/v1/messages/{id}
std::string payload_href(std::string_view id, std::int64_t index);  // …/payloads/{index}

OrderedJson descriptor(const exchange::Message&, std::span<const exchange::Payload>, std::string_view environment);
// `id, tenant, direction, protocol, state, …, payloads[]`: what a webhook carries (adapter.md 2.2).
OrderedJson descriptor_subset(const exchange::Message&, std::span<const exchange::Payload>);
OrderedJson payload_descriptor(const exchange::Payload&);
OrderedJson trail_event(const exchange::SealedTrailEvent&, std::string_view tenant);

}  // namespace schakel::api
