// The DAI on our internal listener (adapter.md 2.5, arrow 7): an application posts `addressingSynchroon`, and the contract is found by its
// wsa:To, wsa:From and wsa:Action.
//
// Login as at the facade (facade/facade.hpp): an API key in X-Api-Key, as Bearer or as the password of Basic; requests without credentials
// act with the key of `dai.key`, when one is configured. What is refused before the message is read, for its login or its media type, is
// refused with a problem; everything after that with a SOAP Fault.
//
// A DaiDoor borrows the Api, which outlives it. Threads: safe from every thread.
#pragma once

#include <string>
#include <string_view>

#include "api/api.hpp"

namespace schakel::api {

inline constexpr std::string_view dai_synchronous_path = "/dai/addressing-synchroon";

class DaiDoor {
 public:
  // `key`: of requests without credentials; empty: they are refused.
  DaiDoor(std::string key, const Api& api) : key_(std::move(key)), api_(api) {}

  static bool serves(std::string_view path) { return path == dai_synchronous_path; }
  http::Handler handler();

 private:
  http::Awaitable<http::Response> handle(http::Request&) const;
  http::Awaitable<Answer<http::Response>> answer(http::Request&) const;
  http::Awaitable<http::Response> call(http::Request&, std::string tenant, std::string body) const;

  const std::string key_;
  const Api& api_;
};

}  // namespace schakel::api
