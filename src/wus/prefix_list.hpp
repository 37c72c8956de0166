// Prefixes for ec:InclusiveNamespaces as WS-I Basic Security Profile 1.1 R5406 and R5407 want them: in scope, but not visibly used
// (WUS-107).
#pragma once

#include <string>
#include <vector>

#include "xml/document.hpp"

namespace schakel::wus {

inline constexpr std::size_t prefix_list_bytes_max = 1024;  // what receivers take (WUS-027)

// In scope of the element, outermost declaration first; "" is the default namespace.
std::vector<std::string> prefixes_in_scope(xml::Element);
// For a Reference to the element: in scope around it or declared below it, where the declaring element does not use the prefix itself.
// Those from below are left out when the list would be longer than prefix_list_bytes_max: exclusive form renders them where they are used.
std::vector<std::string> inclusive_prefixes(xml::Element apex);

}  // namespace schakel::wus
