// The transparent intermediary of WUS (wus.md 1.13; adapter.md 3.4.1): octets in, the same octets out, the answer back, in one HTTP
// exchange.
//
// Stands before the Endpoint. It looks at the header part only; what is for a service of ours goes to the Endpoint, octet for octet from
// the start. Nothing of a body is kept but its digest; it holds no keys of the parties.
//
// Threads: `handle` may run for many requests at once. Borrows everything that it is given.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "exchange/routing.hpp"
#include "http/passage.hpp"
#include "wus/endpoint.hpp"
#include "wus/header_peek.hpp"

namespace schakel::wus {

inline constexpr std::size_t relays_in_flight_max = 256;
inline constexpr std::size_t relays_per_destination_max = 64;

class Relay {
 public:
  struct Options {
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds response_timeout{60'000};
    std::size_t message_bytes_max = 32 * limits::MiB;
    bool keep_hash = true;  // transparent.keep
  };
  struct Dependencies {
    std::function<std::shared_ptr<const exchange::Routing>()> routing;
    // This TLS identity may speak for the party that wsa:From names (adapter.md 3.5).
    std::function<bool(std::string_view tenant, std::string_view oin, const security::PeerIdentity&)> speaks_for;
    // ADP-412 at run time: the URL is one of our own listeners; the client certificate (SHA-256) is one of ours.
    std::function<bool(const std::string& url)> is_own_listener;
    std::function<bool(const std::string& sha256)> is_own_certificate;
    Endpoint::Audit audit = {};
  };

  Relay(Endpoint&, const Office&, Dependencies, Options);

  // `tenant`: of the TLS server name; empty when none.
  http::Awaitable<http::Response> handle(http::Request&, const std::string& tenant);

 private:
  struct Order;
  struct Decision;
  struct Passage;

  http::Awaitable<Decision> look(http::Request&, const std::string& tenant, http::Rewound&);
  Decision decide(const http::Request&, const std::string& tenant, const PeekedHeaders&) const;
  http::Awaitable<http::Response> pass(http::Request&, Order, http::Rewound&);
  http::Response refuse(const http::Request&, const std::string& tenant, const PeekedHeaders&, const Error&) const;
  http::Awaitable<> record(const http::Request&, const Order&, const Passage&) const;

  Endpoint& endpoint_;
  const Office& office_;
  Dependencies deps_;
  Options options_;
  http::Places places_;
};

}  // namespace schakel::wus
