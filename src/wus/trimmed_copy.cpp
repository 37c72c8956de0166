#include "wus/trimmed_copy.hpp"

#include <libxml/tree.h>

#include <string>

namespace schakel::wus {
namespace {

const xmlChar* chars(const std::string& text) {
  return reinterpret_cast<const xmlChar*>(text.c_str());
}

xml::Element next_in_document_order(xml::Element at, xml::Element top) {
  if (const auto child = at.first_child()) return child;
  while (at != top) {
    if (const auto sibling = at.next_sibling()) return sibling;
    at = at.parent();
  }
  return {};
}

void trim_attributes(xml::Element original, xml::Element copy, const std::set<const _xmlNode*>& nodes) {
  auto* written = copy.node()->properties;
  for (auto* read = original.node()->properties; read && written; read = read->next, written = written->next) {
    if (!nodes.contains(reinterpret_cast<const xmlNode*>(read))) continue;
    const auto value =
        original.attribute(read->ns ? reinterpret_cast<const char*>(read->ns->href) : "", reinterpret_cast<const char*>(read->name));
    xmlSetNsProp(copy.node(), written->ns, written->name, chars(std::string(trim(value.value_or("")))));
  }
}

void trim_text(xml::Element copy) {
  const std::string text(trim(copy.text()));
  while (copy.node()->children) {
    auto* child = copy.node()->children;
    xmlUnlinkNode(child);
    xmlFreeNode(child);
  }
  xmlNodeAddContentLen(copy.node(), chars(text), static_cast<int>(text.size()));
}

}  // namespace

void TrimmedCopy::Deleter::operator()(_xmlDoc* document) const {
  xmlFreeDoc(document);
}

TrimmedCopy::TrimmedCopy(xml::Element original, const std::set<const _xmlNode*>& nodes)
    : document_(xmlNewDoc(reinterpret_cast<const xmlChar*>("1.0"))) {
  auto* node = document_ ? xmlDocCopyNode(original.node(), document_.get(), 1) : nullptr;
  if (!node) return;
  xmlDocSetRootElement(document_.get(), node);
  if (auto** in_scope = xmlGetNsList(original.node()->doc, original.node())) {
    for (auto** declared = in_scope; *declared; ++declared) xmlNewNs(node, (*declared)->href, (*declared)->prefix);
    xmlFree(in_scope);
  }
  auto copy = root();
  for (auto at = original; at && copy; at = next_in_document_order(at, original), copy = next_in_document_order(copy, root())) {
    trim_attributes(at, copy, nodes);
    if (nodes.contains(at.node())) trim_text(copy);
  }
}

xml::Element TrimmedCopy::root() const {
  return xml::Element(document_ ? xmlDocGetRootElement(document_.get()) : nullptr);
}

}  // namespace schakel::wus
