// The provider on the external listener (wus.md 1.11, 4.1): HTTP in, checks, the back-end, the secured answer out, in one exchange.
//
// Threads: `handle` may run for many requests at once. Borrows everything that it is given; the owner outlives the listener.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "http/message.hpp"
#include "wus/office.hpp"

namespace schakel::wus {

// Requests that are being read or answered: each may hold a few times its size (WUS-186). Above it: 503 (WUS-024).
inline constexpr std::size_t exchanges_in_flight_max = 1024;
// Octets of bodies that are held at once, whatever their number.
inline constexpr std::size_t octets_in_flight_max = 1024 * limits::MiB;

class Endpoint {
 public:
  struct Options {
    bool insecure_transport = false;  // plain HTTP in a test environment: requests have no TLS identity
    std::size_t in_flight_max = exchanges_in_flight_max;
    std::size_t octets_in_flight_max = wus::octets_in_flight_max;
  };
  // Told of each refusal that belongs in the audit log: tenant, request, a reason (SEC…).
  using Audit = std::function<void(const std::string& tenant, const http::Request&, std::string_view reason)>;

  Endpoint(const Office&, Options, Audit = {});

  // A service of ours on this path? `tenant`: of the TLS server name, empty when none.
  bool serves(std::string_view path, std::string_view tenant) const;
  http::Awaitable<http::Response> handle(http::Request&, const std::string& tenant);

 private:
  struct Exchange;

  http::Response description(const http::Request&, const ServiceContract&) const;
  http::Awaitable<http::Response> exchange(http::Request&, std::shared_ptr<const ServiceContract>, std::string entity);
  http::Awaitable<Result<>> admit(Exchange&);
  Result<> read(Exchange&) const;
  Result<> verify(Exchange&) const;
  Error judge(Exchange&) const;
  http::Awaitable<Result<>> take(Exchange&);
  http::Awaitable<Result<>> call_backend(Exchange&);
  http::Response respond(Exchange&, const Error* error);
  http::Awaitable<> conclude(Exchange&, const http::Response& sent);
  void audit(const http::Request&, const ServiceContract&, std::string_view reason) const;

  const Office& office_;
  Options options_;
  Audit audit_;
  std::atomic<std::size_t> in_flight_{0};
  std::atomic<std::size_t> octets_{0};
};

}  // namespace schakel::wus
