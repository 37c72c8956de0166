#include "wus/prefix_list.hpp"

#include <libxml/tree.h>

#include <algorithm>
#include <string_view>

namespace schakel::wus {
namespace {

std::string_view view(const xmlChar* text) {
  return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
}

bool is_used(const xmlNode* element, std::string_view prefix) {
  if (element->ns == nullptr ? prefix.empty() : view(element->ns->prefix) == prefix) return true;
  for (const xmlAttr* attribute = element->properties; attribute != nullptr; attribute = attribute->next)
    if (attribute->ns != nullptr && view(attribute->ns->prefix) == prefix) return true;
  return false;
}

void add(std::vector<std::string>& prefixes, std::string_view prefix) {
  if (std::ranges::find(prefixes, prefix) == prefixes.end()) prefixes.emplace_back(prefix);
}

void add_below(std::vector<std::string>& prefixes, const xmlNode* parent) {
  for (const xmlNode* node = parent->children; node != nullptr; node = node->next) {
    if (node->type != XML_ELEMENT_NODE) continue;
    for (const xmlNs* ns = node->nsDef; ns != nullptr; ns = ns->next)
      if (!view(ns->href).empty() && !is_used(node, view(ns->prefix))) add(prefixes, view(ns->prefix));
    add_below(prefixes, node);  // the parser's depth limit bounds this
  }
}

std::size_t list_bytes(const std::vector<std::string>& prefixes) {
  std::size_t size = 0;
  for (const auto& prefix : prefixes) size += 1 + (prefix.empty() ? std::string_view("#default").size() : prefix.size());
  return size;
}

}  // namespace

std::vector<std::string> prefixes_in_scope(xml::Element element) {
  std::vector<const xmlNode*> path;
  for (const xmlNode* node = element.node(); node != nullptr && node->type == XML_ELEMENT_NODE; node = node->parent) path.push_back(node);
  std::vector<std::string> prefixes;
  for (auto node = path.rbegin(); node != path.rend(); ++node)
    for (const xmlNs* ns = (*node)->nsDef; ns != nullptr; ns = ns->next) {
      if (view(ns->href).empty()) {
        std::erase(prefixes, view(ns->prefix));  // xmlns=""
      } else {
        add(prefixes, view(ns->prefix));
      }
    }
  return prefixes;
}

std::vector<std::string> inclusive_prefixes(xml::Element apex) {
  auto prefixes = prefixes_in_scope(apex);
  std::erase_if(prefixes, [&](const std::string& prefix) { return is_used(apex.node(), prefix); });
  const auto around = prefixes.size();
  add_below(prefixes, apex.node());
  if (list_bytes(prefixes) > prefix_list_bytes_max) prefixes.resize(around);
  return prefixes;
}

}  // namespace schakel::wus
