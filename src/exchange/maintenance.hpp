// Housekeeping in small batches: what is past its keeping is removed (adapter.md 2.11, EB-217, ADP-904).
//
// Each function does at most `limit` items in one transaction and gives how many; call it again while it gives `limit`. None removes what a
// promise still needs: a message that is not final keeps everything (EB-112), duplicate keys outlive payloads (EB-107), an idempotency key
// outlives its message's way.
#pragma once

#include "exchange/store.hpp"

namespace schakel::exchange {

// Defaults of adapter.md 2.11; a tenant may set its own.
struct Retention {
  Duration payload = std::chrono::days(7);          // after PROCESSED, REJECTED, DELIVERED, FORWARDED
  Duration payload_failed = std::chrono::days(30);  // after FAILED, EXPIRED, CANCELLED
  Duration trail = std::chrono::days(396);          // descriptors and trail: 13 months; at least 30 days
  Duration audit = std::chrono::days(7 * 365 + 2);  // 7 years; at least 1 year
};
inline constexpr std::chrono::days trail_minimum{30};
inline constexpr std::chrono::days audit_minimum{365};

// Idempotency keys are kept 24 h, or until their message is final (2.1.2).
inline constexpr std::chrono::hours idempotency_kept{24};
Result<std::int64_t> purge_idempotency_keys(sql::Transaction&, Instant now, std::int64_t limit);

// Payloads of final messages of `tenant` that were final long enough; the trail says so.
Result<std::int64_t> purge_expired_payloads(sql::Transaction&, std::string_view tenant, std::string_view node, const Retention&,
                                            Instant now, std::int64_t limit);

// Descriptors (with root, payloads, events) of messages of `tenant` that became final before now - retention.trail. Events that the
// application has not marked processed keep their message (EB-214).
Result<std::int64_t> purge_messages(sql::Transaction&, std::string_view tenant, const Retention&, Instant now, std::int64_t limit);

// The oldest sealed trail events (audit records) of `tenant`, up to the first that is younger than retention allows; the chain then begins
// there and still verifies.
Result<std::int64_t> purge_trail(sql::Transaction&, std::string_view tenant, const Retention&, Instant now, std::int64_t limit);
Result<std::int64_t> purge_audit(sql::Transaction&, std::string_view tenant, const Retention&, Instant now, std::int64_t limit);

// Application events that were marked processed, 30 days after they were written.
inline constexpr std::chrono::days processed_events_kept{30};
Result<std::int64_t> purge_processed_events(sql::Transaction&, Instant now, std::int64_t limit);

}  // namespace schakel::exchange
