#include "wus/definitions.hpp"

#include <algorithm>

#include "wus/names.hpp"
#include "xml/namespaces.hpp"

namespace schakel::wus {
namespace {

constexpr std::size_t findings_max = 200;  // of one bundle: enough to mend it by

}  // namespace

void FindingList::add(std::string_view rule, const Definition& at, std::string message, Severity severity) {
  Finding finding{std::string(rule), severity, at.document, {}, 0, std::move(message)};
  if (at.element) finding.location = at.element.path();
  if (at.element) finding.line = at.element.line();
  add(std::move(finding));
}

void FindingList::add(std::string_view rule, std::string document, std::string message, long line) {
  add({std::string(rule), Severity::error, std::move(document), {}, line, std::move(message)});
}

// What two operations share is found twice and told once.
void FindingList::add(Finding finding) {
  const auto same = [&](const Finding& other) {
    return other.rule == finding.rule && other.document == finding.document && other.location == finding.location &&
           other.message == finding.message;
  };
  if (findings_.size() < findings_max && std::ranges::none_of(findings_, same)) findings_.push_back(std::move(finding));
}

bool FindingList::has_error() const {
  return std::ranges::any_of(findings_, [](const Finding& finding) { return finding.severity == Severity::error; });
}

Definitions::Definitions(const Bundle& bundle, FindingList& findings) : bundle_(bundle) {
  if (const auto checked = check_bundle(bundle); !checked) {
    findings.add("WUS-051", checked.error().location, checked.error().detail);
    return;
  }
  if (!parse(findings)) return;
  follow(bundle.main, findings);
  if (!findings.has_error()) index(findings);
}

bool Definitions::parse(FindingList& findings) {
  for (const auto& [name, octets] : bundle_.documents) {
    xml::Limits limits;
    limits.bytes_max = bundle_bytes_max;
    limits.utf16_allowed = true;  // BP12 R4003
    auto document = xml::Document::parse(octets, limits);
    if (document) {
      // Its schemas are taken out, and it is published, as canonical forms.
      if (const auto where = xml::relative_namespace_in(document->root()))
        findings.add("WUS-040", Definition{name, where}, "a relative namespace name");
      documents.emplace(name, std::move(*document));
      continue;
    }
    const auto& error = document.error();
    const std::string_view rule = error.code == "xml.doctype" || error.code == "xml.limit" ? "WUS-051"
                                  : error.code == "xml.encoding"                           ? "BP12 R4003"
                                                                                           : "WUS-040";
    findings.add(rule, name, "the document cannot be read: " + for_log(error.detail));
  }
  return !findings.has_error();
}

void Definitions::follow(const std::string& name, FindingList& findings) {
  const auto known = [&](const Definition& file) { return file.document == name; };
  if (std::ranges::any_of(files, known)) return;
  const Definition file{name, documents.at(name).root()};
  if (!file.element.is(ns::wsdl, "definitions")) {
    findings.add("WUS-040", file, "the document is no WSDL 1.1");
    return;
  }
  files.push_back(file);
  for (const auto import : file.element.children(ns::wsdl, "import")) follow_import({name, import}, findings);
}

void Definitions::follow_import(const Definition& import, FindingList& findings) {
  const auto target = resolve_location(bundle_.documents, import.document, import.element.attribute("", "location").value_or(""));
  if (!target) return findings.add("WUS-051", import, "the import names a document that is not in the bundle");
  const auto root = documents.at(*target).root();
  if (root.is(ns::xsd, "schema")) return findings.add("BP12 R2001", import, "wsdl:import imports a schema; schemas belong in wsdl:types");
  if (root.attribute("", "targetNamespace") != import.element.attribute("", "namespace"))
    findings.add("BP12 R2005", import, "the imported WSDL has another target namespace than the import says");
  follow(*target, findings);
}

void Definitions::index(FindingList& findings) {
  const auto enter = [&](std::map<ExpandedName, Definition>& into, const Definition& file, const char* kind) {
    const auto target = file.element.attribute("", "targetNamespace").value_or("");
    for (const auto element : file.element.children(ns::wsdl, kind)) {
      const ExpandedName name{target, element.attribute("", "name").value_or("")};
      if (!into.emplace(name, Definition{file.document, element}).second)
        findings.add("WUS-040", {file.document, element}, "there are two definitions of this kind and name");
    }
  };
  for (const auto& file : files) {
    enter(messages, file, "message");
    enter(port_types, file, "portType");
    enter(bindings, file, "binding");
    enter(services, file, "service");
  }
}

}  // namespace schakel::wus
