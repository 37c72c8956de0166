// What an application says of an inbound message, in whatever way it says it: webhook, queue or acknowledgement (ADP-105, adapter.md 3.1).
#pragma once

#include <string>
#include <string_view>

#include "exchange/delivery.hpp"
#include "exchange/message.hpp"
#include "exchange/store.hpp"
#include "sql/database.hpp"

namespace schakel::api {

using exchange::default_queue;

// Inbound and still to be said something of; a replay offers what was decided already once more, without touching the state
// (adapter.md 3.3).
bool waits_for_application(const exchange::Message&);
bool may_be_replayed(const exchange::Message&);

enum class Verdict { processed, rejected };

struct Confirmation {
  Verdict verdict = Verdict::processed;
  std::string code, detail;  // of a rejection
  std::string actor = "schakel";
};

// RECEIVED, OFFERED, DEAD -> PROCESSED or REJECTED, with its trail; the message leaves its queue and its event `message.received` counts as
// processed. The same verdict again changes nothing. Another one, or a message in another state: "state.conflict".
Result<> confirm(sql::Transaction&, std::string_view node, exchange::Message&, const Confirmation&, Instant now);

// DEAD, with its trail and the event `message.dead_lettered` for the application (ADP-107, 2.4.1). `event_id`, `work_id`: new ids.
Result<> dead_letter(sql::Transaction&, std::string_view node, exchange::Message&, std::string_view code, std::string_view detail,
                     std::string event_id, std::string work_id, Instant now);

Result<> add_trail(sql::Transaction&, std::string_view node, const exchange::Message&, std::string type, std::string actor, Instant at,
                   std::string code = {}, std::string detail = {});

}  // namespace schakel::api
