#include "wus/schema_documents.hpp"

#include <libxml/tree.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "wus/names.hpp"
#include "wus/xml_text.hpp"

namespace schakel::wus {
namespace {

constexpr std::string_view address_scheme = "bundle:";

// A document without namespace is compiled anew for each namespace that includes it.
constexpr std::size_t compiled_bytes_max = 4 * bundle_bytes_max;

// Namespaces whose schemas everybody imports and nobody uploads. Only what they declare; written for this program.
constexpr std::string_view xml_namespace = "http://www.w3.org/XML/1998/namespace";
constexpr std::string_view xml_attributes =
    R"(<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/XML/1998/namespace">)"
    R"(<xs:attribute name="lang"><xs:simpleType><xs:union memberTypes="xs:language"><xs:simpleType><xs:restriction base="xs:string">)"
    R"(<xs:enumeration value=""/></xs:restriction></xs:simpleType></xs:union></xs:simpleType></xs:attribute>)"
    R"(<xs:attribute name="space"><xs:simpleType><xs:restriction base="xs:NCName"><xs:enumeration value="default"/>)"
    R"(<xs:enumeration value="preserve"/></xs:restriction></xs:simpleType></xs:attribute>)"
    R"(<xs:attribute name="base" type="xs:anyURI"/><xs:attribute name="id" type="xs:ID"/>)"
    R"(<xs:attributeGroup name="specialAttrs" xmlns:xml="http://www.w3.org/XML/1998/namespace"><xs:attribute ref="xml:base"/>)"
    R"(<xs:attribute ref="xml:lang"/><xs:attribute ref="xml:space"/><xs:attribute ref="xml:id"/></xs:attributeGroup></xs:schema>)";
constexpr std::string_view media_types =
    R"(<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:m="http://www.w3.org/2005/05/xmlmime" )"
    R"(targetNamespace="http://www.w3.org/2005/05/xmlmime"><xs:attribute name="contentType"><xs:simpleType><xs:restriction )"
    R"(base="xs:string"><xs:minLength value="3"/></xs:restriction></xs:simpleType></xs:attribute>)"
    R"(<xs:attribute name="expectedContentTypes" type="xs:string"/>)"
    R"(<xs:complexType name="base64Binary"><xs:simpleContent><xs:extension base="xs:base64Binary"><xs:attribute ref="m:contentType"/>)"
    R"(</xs:extension></xs:simpleContent></xs:complexType>)"
    R"(<xs:complexType name="hexBinary"><xs:simpleContent><xs:extension base="xs:hexBinary"><xs:attribute ref="m:contentType"/>)"
    R"(</xs:extension></xs:simpleContent></xs:complexType></xs:schema>)";

std::string_view known_schema(std::string_view target_namespace) {
  if (target_namespace == xml_namespace) return xml_attributes;
  if (target_namespace == ns::xmime) return media_types;
  return {};
}

const xmlChar* chars(const std::string& text) {
  return reinterpret_cast<const xmlChar*>(text.c_str());
}

std::string address_of(std::size_t index) {
  return std::string(address_scheme) + std::to_string(index);
}

class Arrangement {
 public:
  explicit Arrangement(const Documents& documents) : documents_(documents) {}

  Result<SchemaSet> run(const std::vector<std::string>& roots) {
    for (const auto& root : roots) {
      SCHAKEL_TRY(const auto index, load(root));
      imported_[set_.documents[index].target_namespace].insert(index);
    }
    for (std::size_t i = 0; i < set_.documents.size(); ++i) SCHAKEL_CHECK(follow(i));
    spread_namespaces();
    SCHAKEL_CHECK(check_size());
    write();
    return std::move(set_);
  }

 private:
  struct Import {
    xml::Element element;
    std::string target_namespace;
  };

  Result<std::size_t> load(const std::string& name) {
    if (const auto found = index_.find(name); found != index_.end()) return found->second;
    const auto octets = documents_.find(name);
    if (octets == documents_.end()) return fail("wus.import", "there is no such document in the bundle", for_log(name));
    SCHAKEL_TRY(const auto index, add(name, octets->second));
    index_.emplace(name, index);
    return index;
  }

  Result<std::size_t> load_known(const std::string& target_namespace) {
    if (const auto found = known_.find(target_namespace); found != known_.end()) return found->second;
    SCHAKEL_TRY(const auto index, add(target_namespace, known_schema(target_namespace)));
    known_.emplace(target_namespace, index);
    return index;
  }

  Result<std::size_t> add(const std::string& name, std::string_view octets) {
    xml::Limits limits;
    limits.bytes_max = bundle_bytes_max;
    limits.utf16_allowed = true;  // BP12 R4003
    auto document = xml::Document::parse(octets, limits);
    if (!document) return fail("wus.schema", document.error().code + ": " + document.error().detail, name);
    const auto root = document->root();
    if (!root.is(ns::xsd, "schema")) return fail("wus.schema", "the document is no XML Schema", place(name, root));
    auto target = root.attribute("", "targetNamespace").value_or("");
    set_.documents.push_back({name, std::move(*document), target, {target}});
    return set_.documents.size() - 1;
  }

  static std::string place(const std::string& name, xml::Element element) { return name + ":" + std::to_string(element.line()); }

  Result<> follow(std::size_t index) {
    for (const auto child : set_.documents[index].document.root().children()) {
      if (child.is(ns::xsd, "import")) SCHAKEL_CHECK(follow_import(index, child));
      if (child.is(ns::xsd, "include") || child.is(ns::xsd, "redefine")) SCHAKEL_CHECK(follow_include(index, child));
    }
    return {};
  }

  Result<> follow_import(std::size_t index, xml::Element element) {
    const auto name = set_.documents[index].name;
    const auto wanted = element.attribute("", "namespace").value_or("");
    const auto location = element.attribute("", "schemaLocation");
    imports_.push_back({element, wanted});
    if (const auto target = location ? resolve_location(documents_, name, *location) : std::nullopt) {
      SCHAKEL_TRY(const auto loaded, load(*target));
      if (set_.documents[loaded].target_namespace != wanted)
        return fail("wus.schema", "an imported schema has another target namespace than the import says", place(name, element));
      imported_[wanted].insert(loaded);
      return {};
    }
    if (!known_schema(wanted).empty()) {
      SCHAKEL_TRY(const auto loaded, load_known(wanted));
      imported_[wanted].insert(loaded);
      return {};
    }
    if (!location) return {};
    return fail("wus.import", "an import names a document that is not in the bundle", place(name, element));
  }

  Result<> follow_include(std::size_t index, xml::Element element) {
    const auto name = set_.documents[index].name;
    const auto target = resolve_location(documents_, name, element.attribute("", "schemaLocation").value_or(""));
    if (!target) return fail("wus.import", "an include or redefine names a document that is not in the bundle", place(name, element));
    SCHAKEL_TRY(const auto loaded, load(*target));
    const auto& included = set_.documents[loaded].target_namespace;
    if (!included.empty() && included != set_.documents[index].target_namespace)
      return fail("wus.schema", "an included schema has another target namespace than the one that includes it", place(name, element));
    includes_.emplace_back(index, loaded);
    xmlSetProp(element.node(), chars("schemaLocation"), chars(address_of(loaded)));
    return {};
  }

  // Documents without namespace take those of the documents that include them, also at a remove.
  void spread_namespaces() {
    for (bool changed = true; changed;) {
      changed = false;
      for (const auto& [from, to] : includes_) {
        auto& included = set_.documents[to];
        if (!included.target_namespace.empty()) continue;
        for (const auto& name : set_.documents[from].namespaces) changed |= included.namespaces.insert(name).second;
      }
    }
  }

  Result<> check_size() const {
    std::size_t bytes = 0;
    for (const auto& document : set_.documents) {
      const auto octets = documents_.find(document.name);
      if (octets != documents_.end()) bytes += octets->second.size() * document.namespaces.size();
    }
    if (bytes > compiled_bytes_max) return fail("wus.schema", "schemas without namespace are included by too many others");
    return {};
  }

  void write() {
    std::map<std::string, std::string> address_of_namespace;
    for (const auto& [name, documents] : imported_)
      address_of_namespace[name] = address_of(set_.documents.size() + address_of_namespace.size());
    for (const auto& import : imports_) {
      const auto found = address_of_namespace.find(import.target_namespace);
      if (found != address_of_namespace.end()) {
        xmlSetProp(import.element.node(), chars("schemaLocation"), chars(found->second));
      } else {
        xmlUnsetProp(import.element.node(), chars("schemaLocation"));
      }
    }
    for (std::size_t i = 0; i < set_.documents.size(); ++i) set_.texts[address_of(i)] = xml_text(set_.documents[i].document.root());
    set_.main = schema_start("urn:schakel:bundle");
    for (const auto& [name, documents] : imported_) {
      auto text = schema_start(name);
      for (const auto index : documents) text.append("<xs:include schemaLocation=\"").append(address_of(index)).append("\"/>");
      set_.texts[address_of_namespace[name]] = text.append("</xs:schema>");
      set_.main.append("<xs:import");
      if (!name.empty()) set_.main.append(" namespace=\"").append(xml::escaped(name)).append("\"");
      set_.main.append(" schemaLocation=\"").append(address_of_namespace[name]).append("\"/>");
    }
    set_.main.append("</xs:schema>");
  }

  static std::string schema_start(const std::string& target_namespace) {
    std::string out = "<xs:schema xmlns:xs=\"" + std::string(ns::xsd) + "\"";
    if (!target_namespace.empty()) out.append(" targetNamespace=\"").append(xml::escaped(target_namespace)).append("\"");
    return out + ">";
  }

  const Documents& documents_;
  SchemaSet set_;
  std::map<std::string, std::size_t> index_, known_;
  std::map<std::string, std::set<std::size_t>> imported_;  // namespace -> documents
  std::vector<Import> imports_;
  std::vector<std::pair<std::size_t, std::size_t>> includes_;  // from -> to
};

}  // namespace

std::string SchemaSet::name_of(std::string_view address) const {
  if (!address.starts_with(address_scheme)) return {};
  address.remove_prefix(address_scheme.size());
  std::size_t index = documents.size();
  std::from_chars(address.data(), address.data() + address.size(), index);
  return index < documents.size() ? documents[index].name : std::string();
}

Result<SchemaSet> arrange_schemas(const Documents& documents, const std::vector<std::string>& roots) {
  return Arrangement(documents).run(roots);
}

}  // namespace schakel::wus
