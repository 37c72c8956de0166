// Delivery to applications: the pull queue with its leases, and what a dispatcher has to know about events and work of one message
// (adapter.md 2.4.1, EB-214).
//
// Functions over a Transaction like those of store.hpp; they decide nothing.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/message.hpp"
#include "exchange/store.hpp"
#include "sql/database.hpp"

namespace schakel::exchange {

// Events of one message that are not processed yet, oldest first.
Result<std::vector<ApplicationEvent>> events_of(sql::Transaction&, std::string_view tenant, std::string_view message);
// Marks those of one type processed.
Result<> mark_events_processed(sql::Transaction&, std::string_view tenant, std::string_view message, std::string_view type);
// Every row of work of one kind about one subject, claimed or not.
Result<std::vector<Work>> work_of(sql::Transaction&, std::string_view kind, std::string_view subject);

// What no webhook takes goes here.
inline constexpr std::string_view default_queue = "default";

// --- the queue -----------------------------------------------------------------------------------------------------------------------
// Puts a message in the queue, or makes it available again at `available_at` (its count of deliveries starts anew).
Result<> enqueue(sql::Transaction&, std::string_view tenant, std::string_view queue, std::string_view message, Instant available_at);
// Takes a message out of whatever queue holds it.
Result<> dequeue(sql::Transaction&, std::string_view tenant, std::string_view message);

struct Lease {
  std::string message;
  std::string receipt;
  std::int64_t deliveries = 0;  // this one included
  Instant until;
};
// Leases at most `limit` available messages, oldest first; a lease that ran out counts as available. Each gets a receipt of `make_receipt`.
Result<std::vector<Lease>> lease(sql::Transaction&, std::string_view tenant, std::string_view queue, Instant now, Instant until,
                                 std::int64_t limit, const std::function<std::string()>& make_receipt);
// True when `lease` would give something.
Result<bool> has_available(sql::Transaction&, std::string_view tenant, std::string_view queue, Instant now);
// The lease of a receipt; nullopt when another has it now or it never was. It may have run out: see `until`.
Result<std::optional<Lease>> find_lease(sql::Transaction&, std::string_view tenant, std::string_view queue, std::string_view receipt);
Result<> extend_lease(sql::Transaction&, std::string_view tenant, std::string_view queue, std::string_view receipt, Instant until);
// Ends a lease; the message is available again at `available_at` and keeps its count of deliveries.
Result<> end_lease(sql::Transaction&, std::string_view tenant, std::string_view queue, std::string_view receipt, Instant available_at);

}  // namespace schakel::exchange
