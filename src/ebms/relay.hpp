// Transparent forwarding of ebMS2 messages between others (EB-201, ADP-404, ADP-405; adapter.md 3.4.1): octets in, the same octets out, in
// one HTTP exchange.
//
// A Relay stands before the Endpoint. It reads a request as far as the root part, and asks the routing tables; what is not to be passed on
// it gives to the Endpoint, octet for octet from the start. What is passed on streams through: nothing of the body is kept but its digest,
// no message is acknowledged, repeated, recognised as a duplicate or answered by us. TLS ends here and begins anew with our own
// certificate; the OIN of the next server is checked before it gets an octet.
//
// Threads: `handle` may run for many requests at once. Borrows everything that it is given; the owner outlives the listener.
#pragma once

#include <functional>
#include <string>
#include <variant>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "cpa/contracts.hpp"
#include "ebms/endpoint.hpp"
#include "ebms/envelope.hpp"
#include "ebms/sender.hpp"
#include "http/client.hpp"
#include "http/passage.hpp"

namespace schakel::ebms {

// Exchanges at once: each holds at most its root part and two steps of its body, and a connection at both sides. Above it: 503 (EB-014). Of
// one next hop fewer, so that one that hangs leaves room for the others.
inline constexpr std::size_t relays_in_flight_max = 256;
inline constexpr std::size_t relays_per_destination_max = 64;

// --- the decision: pure ---------------------------------------------------------------------------------------------------------------

// A message that goes on, and where to.
struct RelayOrder {
  std::string tenant, environment, route;
  exchange::NextHop hop;
  MessageHeader header;
  std::string from_oin, to_oin;
};
struct NotRelayed {};  // the Endpoint's
// SENDER_NOT_AUTHORIZED (its location is the reason for the audit log), CPA_UNKNOWN and MIME_INVALID are answered with their fault;
// "route.none" and "routing.loop", which an operator can mend, with 503.
struct RelayRefusal {
  std::string tenant;
  Error error;
};
using RelayDecision = std::variant<NotRelayed, RelayOrder, RelayRefusal>;

// `host_tenant`: the tenant of the TLS server name, whose table alone counts then (ADP-204); empty: that of whichever tenant has a row, and
// of none when several have. `peer` is null only where plain HTTP is allowed.
RelayDecision decide_relay(const cpa::Contracts&, const MessageHeader&, const security::PeerIdentity* peer, std::string_view host_tenant,
                           std::string_view path, Instant now);

// --- the relay --------------------------------------------------------------------------------------------------------------------------

class Relay {
 public:
  struct Options {
    MimeReader::Limits limits;
    std::chrono::milliseconds connect_timeout{30'000};
    std::chrono::milliseconds response_timeout{30'000};
    bool keep_hash = true;  // transparent.keep: of the body, in the shadow record
    std::size_t in_flight_max = relays_in_flight_max;
    std::size_t per_destination_max = relays_per_destination_max;
    std::string node = "a";
  };
  struct Dependencies {
    sql::Database& database;
    http::Client& client;
    Random& random;
    const Clock& clock;
    Log& log;
    Metrics& metrics;
    std::function<std::shared_ptr<const cpa::Contracts>()> contracts;
    std::function<std::string(std::string_view host)> tenant_of_host;
    Sender::Identities identities;
    // ADP-412 at run time: the URL is one of our own listeners; the client certificate (SHA-256) is one of ours. Absent: never.
    std::function<bool(const std::string& url)> is_own_listener = {};
    std::function<bool(const std::string& sha256)> is_own_certificate = {};
    // Told of each sender that may not speak for its From party, with the reason (SEC…).
    std::function<void(const std::string& tenant, const http::Request&, std::string_view reason)> audit = {};
  };

  Relay(Endpoint&, Dependencies, Options);

  http::Awaitable<http::Response> handle(http::Request&);

 private:
  struct Passage;

  http::Awaitable<RelayDecision> look(http::Request&, http::Rewound&) const;
  http::Response refuse(const http::Request&, const RelayRefusal&) const;
  http::Awaitable<http::Response> pass(http::Request&, RelayOrder, http::Rewound&);
  http::Awaitable<> record(const http::Request&, const RelayOrder&, const Passage&) const;
  Result<> write_record(sql::Transaction&, exchange::Message, const exchange::Payload*, exchange::TrailEvent) const;
  void log_passage(const http::Request&, const RelayOrder&, const Passage&) const;

  Endpoint& endpoint_;
  Dependencies deps_;
  Options options_;
  http::Places places_;
};

}  // namespace schakel::ebms
