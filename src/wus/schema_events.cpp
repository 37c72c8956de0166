#include "wus/schema_events.hpp"

#include <memory>
#include <string>
#include <vector>

namespace schakel::wus {
namespace {

const xmlChar* chars(const std::string& text) {
  return reinterpret_cast<const xmlChar*>(text.c_str());
}

// The value as libxml2's parser hands it on: with "&#38;" for an ampersand, which the validator undoes.
std::string parser_value(const xmlAttr& attribute) {
  std::string out;
  for (const auto* part = attribute.children; part != nullptr; part = part->next) {
    if (part->content == nullptr) continue;
    for (const char* c = reinterpret_cast<const char*>(part->content); *c != '\0'; ++c)
      if (*c == '&')
        out += "&#38;";
      else
        out += *c;
  }
  return out;
}

// Prefix and URI in turn.
using Bindings = std::vector<const xmlChar*>;

void add(Bindings& bindings, const xmlNs& declared) {
  bindings.push_back(declared.prefix);
  bindings.push_back(declared.href);
}

struct Unplug {
  void operator()(xmlSchemaSAXPlugStruct* plug) const { xmlSchemaSAXUnplug(plug); }
};

}  // namespace

SchemaEvents::SchemaEvents(xmlSchemaValidCtxt& validator) : validator_(validator) {}

bool SchemaEvents::tell(xml::Element root, const std::function<bool(xml::Element)>& may_go_on) {
  const std::unique_ptr<xmlSchemaSAXPlugStruct, Unplug> plug(xmlSchemaSAXPlug(&validator_, &handler_, &context_));
  if (!plug) return false;
  auto* node = root.node();
  for (bool entering = true;;) {
    if (node->type == XML_ELEMENT_NODE) {
      at_ = xml::Element(node);
      if (!may_go_on(at_)) return false;
      if (entering) start(node == root.node());
      if (entering && node->children != nullptr) {
        node = node->children;
        continue;
      }
      if (entering && !may_go_on(at_)) return false;
      end();
      if (node == root.node()) return true;
    } else {
      text(*node);
    }
    entering = node->next != nullptr;
    node = entering ? node->next : node->parent;
  }
}

void SchemaEvents::start(bool is_root) {
  const auto& node = *at_.node();
  Bindings declared;
  if (is_root) {
    // What is declared around the root counts for prefixes in values.
    const std::unique_ptr<xmlNsPtr[], void (*)(void*)> in_scope(xmlGetNsList(node.doc, &node), [](void* list) { xmlFree(list); });
    for (auto* const* one = in_scope.get(); one != nullptr && *one != nullptr; ++one) add(declared, **one);
  } else {
    for (const auto* one = node.nsDef; one != nullptr; one = one->next) add(declared, *one);
  }
  std::vector<std::string> values;
  for (const auto* attribute = node.properties; attribute != nullptr; attribute = attribute->next)
    values.push_back(parser_value(*attribute));
  std::vector<const xmlChar*> attributes;
  auto value = values.begin();
  for (const auto* attribute = node.properties; attribute != nullptr; attribute = attribute->next, ++value) {
    const auto* space = attribute->ns;
    attributes.insert(attributes.end(), {attribute->name, space == nullptr ? nullptr : space->prefix,
                                         space == nullptr ? nullptr : space->href, chars(*value), chars(*value) + value->size()});
  }
  handler_->startElementNs(context_, node.name, node.ns == nullptr ? nullptr : node.ns->prefix,
                           node.ns == nullptr ? nullptr : node.ns->href, static_cast<int>(declared.size() / 2), declared.data(),
                           static_cast<int>(values.size()), 0, attributes.data());
}

void SchemaEvents::text(const xmlNode& node) {
  if (node.content == nullptr) return;
  if (node.type == XML_TEXT_NODE) handler_->characters(context_, node.content, xmlStrlen(node.content));
  if (node.type == XML_CDATA_SECTION_NODE) handler_->cdataBlock(context_, node.content, xmlStrlen(node.content));
}

void SchemaEvents::end() {
  const auto& node = *at_.node();
  handler_->endElementNs(context_, node.name, node.ns == nullptr ? nullptr : node.ns->prefix, node.ns == nullptr ? nullptr : node.ns->href);
}

}  // namespace schakel::wus
