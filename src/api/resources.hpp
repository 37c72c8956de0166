// The routes of each resource, one file each. They borrow settings and dependencies for as long as the Api lives. For api/ and the
// other doors of applications (facade/).
#pragma once

#include <vector>

#include "api/api.hpp"
#include "api/json.hpp"

namespace schakel::api {

struct Office {  // what every resource works with
  const Settings& settings;
  const Dependencies& dependencies;

  Instant now() const { return dependencies.clock.now(); }
  std::string new_id() const { return uuid_v7(dependencies.random, now()); }
  std::string environment_of(std::string_view tenant) const;
};

void add_message_routes(std::vector<Route>&, const Office&);  // messages, trail, acknowledgement, actions
void add_payload_routes(std::vector<Route>&, const Office&);  // payload download
void add_call_routes(std::vector<Route>&, const Office&);     // calls, wus: synchronous calls of WUS services
void add_evidence_routes(std::vector<Route>&, const Office&);
void add_job_routes(std::vector<Route>&, const Office&);    // message-actions, jobs
void add_queue_routes(std::vector<Route>&, const Office&);  // queues, application events
void add_webhook_routes(std::vector<Route>&, const Office&);
void add_contract_routes(std::vector<Route>&, const Office&);   // contracts, partners
void add_mapping_routes(std::vector<Route>&, const Office&);    // url-mappings, certificate-mappings, mandates
void add_routing_routes(std::vector<Route>&, const Office&);    // routes: the routing table
void add_key_routes(std::vector<Route>&, const Office&);        // api-keys, roles
void add_operation_routes(std::vector<Route>&, const Office&);  // nodes, settings, audit, certificates, trust

// 404, the same for what is not there and what is another tenant's (ADP-202).
Refusal not_found();

// ADP-304: activates a validated contract whose time (settings `validFrom`) has come; nothing when there is none or it was changed. One
// that may not be active is logged, audited, and stays validated without its time.
http::Awaitable<Result<>> activate_scheduled(const Office&, std::string tenant, std::string id);

// One record of an administrative act in the audit log (ADP-503), in the transaction of the act. `before` and `after` hold no secrets.
Result<> audit(sql::Transaction&, const Office&, const Visit&, std::string_view action, std::string_view object, const Json& before,
               const Json& after);

// The answer to a ping or a status request, which any node may get: looked for in the database until it is there, failed, or
// Settings::ping_timeout has passed (EB-181).
http::Awaitable<Result<ebms::Msh::SignalResult>> await_signal(const Office&, std::string request_message_id);

// Shared input rules. Each adds its faults.
std::string read_oin(Members&, std::string_view name, Need = Need::optional);
std::string read_reason(Members&);
// `action`, `reason` and `parameters` of an operator action (adapter.md 3.3).
struct WantedAction {
  std::string action, reason;
  bool force = false;
};
WantedAction read_operator_action(Members&, Faults&);

// A list in memory as one page of an array.
http::Response paged(const Visit&, const Page&, const std::vector<OrderedJson>& all);

// Code of faults that make the whole request `oin.invalid` when there are no others.
Answer<> judge_input(Faults);

}  // namespace schakel::api
