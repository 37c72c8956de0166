// Which messages a search or a bulk action means (adapter.md 2.1.3): the same members, read from a query or from a JSON object.
#pragma once

#include "api/json.hpp"
#include "api/router.hpp"
#include "exchange/store.hpp"

namespace schakel::api {

inline constexpr std::string_view message_filter_keys[] = {
    "direction", "protocol",       "state",          "contractId", "cpaId", "fromOin",      "toOin",         "service",  "action",
    "messageId", "conversationId", "refToMessageId", "traceId",    "label", "receivedFrom", "receivedUntil", "errorCode"};

// Each adds its faults. `state` holds one or more states, separated by commas; `label` is name:value.
exchange::MessageFilter read_message_filter(Query&);
exchange::MessageFilter read_message_filter(Members&);

}  // namespace schakel::api
