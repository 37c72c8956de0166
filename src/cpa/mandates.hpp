// One row of the mandate register by itself (ADP-207).
#pragma once

#include <string_view>

#include "cpa/contracts.hpp"

namespace schakel::cpa {

// It is active at that moment, not for sending only, and covers the scope.
bool allows(const Mandate&, Instant now, std::string_view scope);

}  // namespace schakel::cpa
