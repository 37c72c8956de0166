// The REST API `/api/v1` of applications and operators (adapter.md 2.1, rest-api.md 3): from a request to an operation and back.
//
// An Api owns its routes and the snapshot of API keys; everything else it borrows, and the owner keeps it alive longer. `admin` serves the
// whole API, `internal` the part for applications (adapter.md 2.1.1). Handlers are coroutines; a database unit never blocks their thread.
//
// Order of judgement: token in the URL 400, path 404, method 405, login 401, permission 403, Accept 406, Content-Type 415, then every fault
// of query, headers and body at once 400, and only then the state of the world (404, 409, 412 …).
//
// Threads: safe from every thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/keys.hpp"
#include "api/router.hpp"
#include "api/webhooks.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "cpa/contracts.hpp"
#include "cpa/validate.hpp"
#include "ebms/msh.hpp"
#include "http/message.hpp"
#include "sql/database.hpp"

namespace schakel::wus {
class Caller;    // wus/caller.hpp
class Services;  // wus/service_contract.hpp
}  // namespace schakel::wus

namespace schakel::api {

struct Settings {
  std::string node = "a";
  bool require_idempotency_key = false;
  std::size_t message_bytes_max = limits::ebms_request_bytes_max;  // payloads of one message
  std::size_t json_bytes_max = limits::json_bytes_max;
  std::size_t document_bytes_max = limits::cpa_bytes_max;
  bool webhook_allow_http = false;
  Duration ping_timeout = std::chrono::seconds(30);
  Duration poll_interval = std::chrono::milliseconds(250);  // of a long poll
};

struct Dependencies {
  sql::Database& database;
  const Clock& clock;
  Random& random;
  Log& log;
  Metrics& metrics;
  const ebms::Msh& msh;
  const Webhooks& webhooks;
  std::function<std::shared_ptr<const cpa::Contracts>()> contracts;
  std::function<std::optional<Tenant>(std::string_view slug)> tenant;
  // Addresses of a host name, for the check of a webhook at its registration. Absent: names are judged when the call is made.
  std::function<http::Awaitable<Result<std::vector<std::string>>>(std::string host)> resolve = {};
  // Posts a webhook call; the work loop uses the same function. Absent: `_test` answers 503.
  std::function<http::Awaitable<WebhookOutcome>(WebhookCall)> post = {};
  // Adds to the options of a validation what only the composition root knows: trust, private keys, mandates, signatures. Absent: those
  // rules say that they could not be checked.
  std::function<void(std::string_view tenant, cpa::ValidationOptions&)> complete_validation = {};
  // What only the composition root knows, as the JSON to show. Absent: an empty list.
  std::function<OrderedJson(std::string_view tenant)> certificates = {}, trust_anchors = {}, crls = {};
  std::function<OrderedJson()> settings = {};
  // SEC-078: what follows when the key of this own certificate (SHA-256) is taken out of use: `publicKeySha256`, `successors`, `report`.
  // Errors: "notFound", "state.conflict". Absent: every certificate is unknown.
  std::function<http::Awaitable<Result<OrderedJson>>(std::string tenant, std::string certificate)> emergency_plan = {};
  // Lets this own certificate (SHA-256) take over from then on (security.md 3.5). Errors: "notFound", "state.conflict" (it cannot be used).
  // Absent: every certificate is unknown.
  std::function<Result<>(sql::Transaction&, std::string_view tenant, std::string_view certificate, Instant at)> activate_certificate = {};
  // Calls of WUS services. Absent: no service is known.
  wus::Caller* wus_caller = nullptr;
  std::function<std::shared_ptr<const wus::Services>()> wus_services = {};
  // Called after a commit that changed the configuration, so that caches need not wait for their poll.
  std::function<void()> configuration_changed = {};
};

// A database unit made of an operation's transaction: its refusal rolls back and becomes the answer.
http::Awaitable<Answer<http::Response>> in_unit(sql::Database&, Access, InTransaction);

struct Office;  // api/resources.hpp
class Login;    // api/login.hpp

class Api {
 public:
  Api(Settings, Dependencies);
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  http::Handler admin();
  http::Handler internal();
  const std::vector<Route>& routes() const;
  // For the other doors of applications: what their operations work with, and who may call.
  const Office& office() const;
  Login& login() const;
  // Activates a contract at the time that was set for it (ADP-304); for the owner's periodic work.
  http::Awaitable<Result<>> activate_scheduled(std::string tenant, std::string contract_id);
  // Forgets the snapshot of keys, so that the next request reads them anew.
  void reload_keys();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace schakel::api
