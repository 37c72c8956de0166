// A routing table as JSON: what PUT /routes takes, what is stored, what is shown (adapter.md 3.4).
#pragma once

#include <vector>

#include "api/json.hpp"
#include "exchange/routing.hpp"

namespace schakel::api {

// The rows in the member `routes`. Every fault of form is noted; what rows mean together is exchange::check_routes.
std::vector<exchange::Route> read_routes(Members&, Faults&);
OrderedJson routes_json(const std::vector<exchange::Route>&);
OrderedJson route_json(const exchange::Route&);

// The table in a stored document. Error "configuration.unreadable" with the first fault.
Result<std::vector<exchange::Route>> stored_routes(BytesView document);

}  // namespace schakel::api
