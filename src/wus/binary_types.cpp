#include "wus/binary_types.hpp"

#include <optional>

#include "wus/names.hpp"
#include "wus/qualified_name.hpp"

namespace schakel::wus {
namespace {

// A name in a schema without target namespace that is included by one with: unqualified names follow it.
ExpandedName in_namespace(ExpandedName name, const SchemaDocument& document, const std::string& as) {
  if (name.namespace_uri.empty() && document.target_namespace.empty()) name.namespace_uri = as;
  return name;
}

// What a simpleType or complexType is derived from by restriction or extension of simple content; nullopt: from nothing of one name.
std::optional<ExpandedName> base_of(xml::Element type) {
  auto derived = type;
  if (const auto content = type.child(ns::xsd, "simpleContent")) derived = content;
  for (const auto* name : {"restriction", "extension"}) {
    const auto derivation = derived.child(ns::xsd, name);
    if (!derivation) continue;
    if (const auto base = derivation.attribute("", "base")) return qualified_name(derivation, *base);
    if (const auto nested = derivation.child(ns::xsd, "simpleType")) return base_of(nested);
  }
  return std::nullopt;
}

using Bases = std::map<ExpandedName, ExpandedName>;  // type -> what it is derived from

bool is_binary(ExpandedName type, const Bases& bases) {
  for (std::size_t steps = 0; steps <= bases.size(); ++steps) {
    if (type.namespace_uri == ns::xsd) return type.name == "base64Binary";
    const auto found = bases.find(type);
    if (found == bases.end()) return false;
    type = found->second;
  }
  return false;
}

// Every xs:element that declares a name, at any depth.
template <class Visit>
void for_each_declaration(xml::Element parent, const Visit& visit) {
  for (auto child = parent.first_child(); child; child = child.next_sibling()) {
    if (child.is(ns::xsd, "element") && child.attribute("", "name")) visit(child);
    for_each_declaration(child, visit);
  }
}

bool is_qualified(xml::Element declaration, xml::Element schema) {
  if (declaration.parent() == schema) return true;
  const auto form = declaration.attribute("", "form");
  return (form ? *form : schema.attribute("", "elementFormDefault").value_or("unqualified")) == "qualified";
}

}  // namespace

BinaryTypes::BinaryTypes(const std::vector<SchemaDocument>& documents) {
  Bases bases;
  for (const auto& document : documents) {
    for (const auto type : document.document.root().children()) {
      if (!type.is(ns::xsd, "simpleType") && !type.is(ns::xsd, "complexType")) continue;
      const auto base = base_of(type);
      if (!base) continue;
      for (const auto& as : document.namespaces)
        bases.emplace(ExpandedName{as, type.attribute("", "name").value_or("")}, in_namespace(*base, document, as));
    }
  }
  for (const auto& [type, base] : bases)
    if (is_binary(type, bases)) types_.insert(type);

  for (const auto& document : documents) {
    const auto schema = document.document.root();
    for_each_declaration(schema, [&](xml::Element declaration) {
      std::optional<ExpandedName> type;
      if (const auto name = declaration.attribute("", "type")) type = qualified_name(declaration, *name);
      for (const auto* kind : {"simpleType", "complexType"})
        if (const auto inner = declaration.child(ns::xsd, kind)) type = base_of(inner);
      for (const auto& as : document.namespaces) {
        const ExpandedName name{is_qualified(declaration, schema) ? as : "", *declaration.attribute("", "name")};
        const bool binary = type && is_binary(in_namespace(*type, document, as), bases);
        const auto [entry, is_new] = elements_.emplace(name, binary);
        if (!is_new) entry->second = entry->second && binary;
      }
    });
  }
}

bool BinaryTypes::holds_binary(xml::Element element) const {
  if (const auto text = element.attribute(ns::xsi, "type")) {
    const auto type = qualified_name(element, *text);
    return type && (types_.contains(*type) || *type == ExpandedName{std::string(ns::xsd), "base64Binary"});
  }
  const auto found = elements_.find(ExpandedName{std::string(element.namespace_uri()), std::string(element.name())});
  return found != elements_.end() && found->second;
}

}  // namespace schakel::wus
