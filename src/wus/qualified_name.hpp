// QNames in attribute values of WSDL and XML Schema.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wus/fault.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

// "p:local" as it is meant at this element; nullopt: no QName, or its prefix is not declared. Without prefix: the default namespace.
inline std::optional<ExpandedName> qualified_name(xml::Element at, std::string_view text) {
  text = trim(text);
  const auto colon = text.find(':');
  const auto prefix = colon == std::string_view::npos ? std::string_view() : text.substr(0, colon);
  const auto local = colon == std::string_view::npos ? text : text.substr(colon + 1);
  if (local.empty() || local.find(':') != std::string_view::npos || colon == 0) return std::nullopt;
  const auto uri = at.namespace_of(prefix);
  if (!uri && !prefix.empty()) return std::nullopt;
  return ExpandedName{uri.value_or(""), std::string(local)};
}

}  // namespace schakel::wus
