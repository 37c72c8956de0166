// Document::set_text and Document::replace.
#include <libxml/tree.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <vector>

#include "xml/document.hpp"

namespace schakel::xml {
namespace {

constexpr std::string_view wrapper_start = "<content";
constexpr std::string_view wrapper_end = "</content>";

std::string_view view(const xmlChar* text) {
  return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
}

bool is_element(const xmlNode* node) {
  return node != nullptr && node->type == XML_ELEMENT_NODE;
}

// The node after this one in document order within `top`; null: there is none.
xmlNode* next_in(const xmlNode* top, xmlNode* node) {
  if (is_element(node) && node->children != nullptr) return node->children;
  while (node != top && node->next == nullptr) node = node->parent;
  return node == top ? nullptr : node->next;
}

std::size_t depth_of(const xmlNode* node) {
  std::size_t depth = 0;
  for (; is_element(node); node = node->parent) ++depth;
  return depth;
}

std::size_t elements_in(xmlNode* top) {
  std::size_t count = 0;
  for (xmlNode* node = top; node != nullptr; node = next_in(top, node)) count += is_element(node) ? 1 : 0;
  return count;
}

// The nearest declaration of each prefix.
std::vector<xmlNs*> declarations_in_scope(const xmlNode* element) {
  std::vector<xmlNs*> out;
  for (const xmlNode* from = element; is_element(from); from = from->parent) {
    for (xmlNs* ns = from->nsDef; ns != nullptr; ns = ns->next) {
      const auto same_prefix = [ns](const xmlNs* nearer) { return view(nearer->prefix) == view(ns->prefix); };
      if (std::ranges::none_of(out, same_prefix)) out.push_back(ns);
    }
  }
  std::erase_if(out, [](const xmlNs* ns) { return view(ns->href).empty(); });  // xmlns="": there is no default namespace
  return out;
}

std::string start_tag_with(const std::vector<xmlNs*>& declarations) {
  std::string out(wrapper_start);
  for (const xmlNs* ns : declarations) {
    out += " xmlns";
    if (ns->prefix != nullptr) out.append(":").append(view(ns->prefix));
    out.append("=\"").append(escaped(view(ns->href))).append("\"");
  }
  return out += '>';
}

// The namespace that stands for another one since the nodes moved; kept where libxml2 leaves room for its users.
void move(xmlNs*& ns) {
  if (ns != nullptr && ns->_private != nullptr) ns = static_cast<xmlNs*>(ns->_private);
}

// Every name below the wrapper that a declaration on it (or of the prefix xml) gave its namespace takes that of the outer document.
void move_namespaces(xmlNode* wrapper, const std::vector<xmlNs*>& outer, xmlNode* parent) {
  for (xmlNs* ns = wrapper->nsDef; ns != nullptr; ns = ns->next) {
    const auto found = std::ranges::find_if(outer, [ns](const xmlNs* other) { return view(other->prefix) == view(ns->prefix); });
    ns->_private = *found;  // the wrapper declares these and no others
  }
  for (xmlNs* ns = wrapper->doc->oldNs; ns != nullptr; ns = ns->next) ns->_private = xmlSearchNs(parent->doc, parent, ns->prefix);
  for (xmlNode* node = wrapper->children; node != nullptr; node = next_in(wrapper, node)) {
    if (!is_element(node)) continue;
    move(node->ns);
    for (xmlAttr* attribute = node->properties; attribute != nullptr; attribute = attribute->next) move(attribute->ns);
  }
}

}  // namespace

void Document::set_text(Element element, std::string_view text) {
  xmlNode* node = element.node();
  xmlNode* replacement =
      text.empty() ? nullptr : xmlNewDocTextLen(doc_, reinterpret_cast<const xmlChar*>(text.data()), static_cast<int>(text.size()));
  if (replacement == nullptr && !text.empty()) throw std::bad_alloc();
  xmlFreeNodeList(node->children);
  node->children = node->last = nullptr;
  if (replacement != nullptr) xmlAddChild(node, replacement);
}

Result<> Document::replace(Element replaced, Bytes content, const Limits& limits) {
  xmlNode* const old = replaced.node();
  xmlNode* const parent = old->parent;
  if (!is_element(parent) || doc_->dict == nullptr)
    throw std::logic_error("only an element below the root of a parsed document is replaced");
  if (content.size() > limits.bytes_max) return fail("xml.limit", "the content is larger than " + std::to_string(limits.bytes_max));
  if (!is_valid_utf8(content)) return fail("xml.encoding", "the octets are not valid UTF-8");
  const auto depth = depth_of(parent), elements = elements_in(root().node()) - elements_in(old);
  if (depth >= limits.depth_max || elements >= limits.elements_max) return fail("xml.limit", "no room for content here");

  // Inside an element that declares what is in scope, the content is an element's content or the whole is no document: an end tag that
  // reaches out of it would leave two roots, or none.
  const auto declarations = declarations_in_scope(parent);
  content.insert(0, start_tag_with(declarations)).append(wrapper_end);
  Limits inner = limits;
  inner.depth_max -= depth - 1;
  inner.elements_max -= elements - 1;
  inner.attributes_max = std::max(limits.attributes_max, declarations.size());
  // With the name table of this document: names keep their owner when nodes move.
  SCHAKEL_TRY(const Document piece, parse_text(content, inner, doc_->dict));
  Bytes().swap(content);
  xmlNode* const wrapper = piece.root().node();
  move_namespaces(wrapper, declarations, parent);
  while (xmlNode* node = wrapper->children) {
    xmlUnlinkNode(node);
    xmlAddPrevSibling(old, node);
  }
  xmlUnlinkNode(old);
  xmlFreeNode(old);
  return {};
}

}  // namespace schakel::xml
