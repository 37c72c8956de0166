// A description as partners get it from its endpoint (WUS-050).

#include <libxml/tree.h>

#include "wus/names.hpp"
#include "wus/wsdl.hpp"
#include "wus/xml_text.hpp"

namespace schakel::wus {
namespace {

void set_attribute(xml::Element element, const char* name, const std::string& value) {
  xmlSetProp(element.node(), reinterpret_cast<const xmlChar*>(name), reinterpret_cast<const xmlChar*>(value.c_str()));
}

// RFC 3986 query: what is neither unreserved nor '/' is escaped.
std::string escaped_for_query(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      out.append("%").append(to_hex(std::string_view(&c, 1)));
    }
  }
  return out;
}

class Publication {
 public:
  Publication(const Bundle& bundle, std::string_view document, std::string_view external_url)
      : bundle_(bundle), document_(document), external_url_(external_url) {}

  void rewrite(xml::Element element) {
    if (element.is(ns::wsdl, "import")) refer(element, "location", "wsdl");
    for (const auto* reference : {"import", "include", "redefine"})
      if (element.is(ns::xsd, reference)) refer(element, "schemaLocation", "xsd");
    if (element.is(ns::wsdl_soap, "address")) set_attribute(element, "location", std::string(external_url_));
    if (element.name() == "PolicyReference") refer(element, "URI", "wsdl");
    for (const auto child : element.children()) rewrite(child);
  }

 private:
  // What names no document of the bundle, for instance "#id", stays as it is: nobody can reach anything by it here.
  void refer(xml::Element element, const char* attribute, std::string_view kind) {
    const auto location = element.attribute("", attribute).value_or("");
    const auto target = resolve_location(bundle_.documents, document_, location);
    if (!target) return;
    const auto hash = location.find('#');
    auto url = std::string(external_url_.substr(0, external_url_.find('?')));
    url.append("?").append(kind).append("=").append(escaped_for_query(*target));
    if (hash != std::string::npos) url.append(location.substr(hash));
    set_attribute(element, attribute, url);
  }

  const Bundle& bundle_;
  std::string_view document_, external_url_;
};

}  // namespace

std::optional<std::string> published_document(const Bundle& bundle, std::string_view name, std::string_view external_url) {
  const auto found = bundle.documents.find(name);
  if (found == bundle.documents.end()) return std::nullopt;
  xml::Limits limits;
  limits.bytes_max = bundle_bytes_max;
  limits.utf16_allowed = true;
  const auto document = xml::Document::parse(found->second, limits);
  if (!document) return std::nullopt;
  Publication(bundle, name, external_url).rewrite(document->root());
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + xml_text(document->root());
}

}  // namespace schakel::wus
