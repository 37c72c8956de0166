// Canonical forms as libxml2 makes them: what our own are compared with.
#pragma once

#include <libxml/c14n.h>

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "xml/canonical.hpp"

namespace schakel::test {

inline int in_subtree(void* top, xmlNodePtr node, xmlNodePtr parent) {
  const xmlNode* element = node == nullptr || node->type == XML_NAMESPACE_DECL || node->type == XML_ATTRIBUTE_NODE ? parent : node;
  for (; element != nullptr; element = element->parent) {
    if (element == top) return 1;
  }
  return 0;
}

inline int append_octets(void* out, const char* octets, int count) {
  static_cast<Bytes*>(out)->append(octets, static_cast<std::size_t>(count));
  return count;
}

// nullopt: it refuses. No apex: the whole document. libxml2 does not escape namespace URIs as the standard says; leave such documents out.
inline std::optional<Bytes> canonical_by_libxml2(const xml::Document& document, xml::Element apex, xml::Canonical form,
                                                 const std::vector<std::string>& prefixes) {
  std::vector<xmlChar*> list;
  for (const auto& prefix : prefixes)
    list.push_back(reinterpret_cast<xmlChar*>(const_cast<char*>(prefix.empty() ? "#default" : prefix.c_str())));
  list.push_back(nullptr);
  const bool exclusive = form == xml::Canonical::exclusive;
  Bytes out;
  xmlSetStructuredErrorFunc(nullptr, [](void*, xmlErrorPtr) {});  // what it refuses it would print
  xmlOutputBufferPtr buffer = xmlOutputBufferCreateIO(append_octets, nullptr, &out, nullptr);
  const int done = xmlC14NExecute(document.get(), apex ? in_subtree : nullptr, apex.node(),
                                  exclusive ? XML_C14N_EXCLUSIVE_1_0 : XML_C14N_1_0, exclusive ? list.data() : nullptr, 0, buffer);
  const int closed = xmlOutputBufferClose(buffer);
  xmlSetStructuredErrorFunc(nullptr, nullptr);
  if (done < 0 || closed < 0) return std::nullopt;
  return out;
}

}  // namespace schakel::test
