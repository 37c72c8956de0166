// Descriptions are full of prefixes in attribute values: as text they keep every namespace declaration, those in scope from outside too.
#pragma once

#include <string>

#include "xml/canonical.hpp"

namespace schakel::wus {

// The element as UTF-8 text that stands alone: Canonical XML 1.0. Empty when there is none (a relative namespace URI).
inline std::string xml_text(xml::Element element) {
  const auto octets = xml::canonicalise(element, {.form = xml::Canonical::inclusive});
  return octets ? *octets : std::string();
}

}  // namespace schakel::wus
