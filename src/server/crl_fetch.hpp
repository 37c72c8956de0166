// Fetches a CRL over plain HTTP (SEC-024): its own context per call, so that the caller may block on any thread.
#pragma once

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/time.hpp"
#include "security/trust.hpp"

namespace schakel::server {

// The proxy of crl.proxy, else that of all other traffic (SEC-024).
struct CrlProxy {
  std::string proxy{};  // "http://host:port"; empty: none
  std::vector<std::string> no_proxy{};
};

// `clock`, `log` and `metrics` outlive the function. Errors: "transport.…"; a status other than 200 is "transport.status".
security::CrlFetch crl_fetch(CrlProxy, const Clock& clock, Log& log, Metrics& metrics);

}  // namespace schakel::server
