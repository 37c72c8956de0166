// The application interface of ebms-core on our internal listener (EB-210..213, ebms.md 2.10), so that its applications can switch.
//
// Login. Everybody needs an API key (adapter.md ADP-802), in X-Api-Key, `Authorization: Bearer`, or as the password of `Authorization:
// Basic` with any user name, which is what clients of ebms-admin can be given. For clients that can be given nothing but an address, one
// key may be configured (`ebms.facade-key`): requests without credentials then act with it. Tenant, role, networks and expiry are those of
// the key.
//
// A Facade borrows the Api, which outlives it. Threads: safe from every thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "api/api.hpp"

namespace schakel::facade {

struct Settings {
  std::string key;                  // of requests without credentials; empty: they are refused
  std::int64_t page_items = 5'000;  // of a list in memory; a longer one is made while it leaves
};

class Facade {
 public:
  Facade(Settings, const api::Api&);
  ~Facade();
  Facade(const Facade&) = delete;
  Facade& operator=(const Facade&) = delete;

  // Whether a path is one of the facade's.
  static bool serves(std::string_view path);
  http::Handler handler();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace schakel::facade
