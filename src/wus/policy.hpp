// WS-Policy of a service (WUS-046): read to preset the profile, never relied on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "wus/service.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

struct PolicyReading {
  std::optional<Profile> profile;     // nullopt: it says nothing about security
  std::vector<xml::Element> unknown;  // assertions of vocabularies that are not known here; what is in them is not looked at
};
// `policy`: a wsp:Policy (of 2004 or 1.5).
PolicyReading read_policy(xml::Element policy);
bool is_policy(xml::Element);
// The policy with this wsu:Id or xml:id in a document; empty id: the root.
xml::Element find_policy(xml::Element root, std::string_view id);

}  // namespace schakel::wus
