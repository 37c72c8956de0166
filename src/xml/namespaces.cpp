#include "xml/namespaces.hpp"

#include <libxml/tree.h>

namespace schakel::xml {

bool is_relative_namespace(const char* uri) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (*uri == '\0') return false;  // no namespace at all
  if (!is_letter(*uri)) return true;
  while (is_letter(*uri) || (*uri >= '0' && *uri <= '9') || *uri == '+' || *uri == '-' || *uri == '.') ++uri;
  return *uri != ':';
}

Element relative_namespace_in(Element top) {
  for (Element at = top; at; at = at.next_in(top)) {
    for (const xmlNs* declared = at.node()->nsDef; declared != nullptr; declared = declared->next) {
      if (declared->href != nullptr && is_relative_namespace(reinterpret_cast<const char*>(declared->href))) return at;
    }
  }
  return {};
}

}  // namespace schakel::xml
