#include "wus/wsdl.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "wus/definitions.hpp"
#include "wus/names.hpp"
#include "wus/policy.hpp"
#include "wus/qualified_name.hpp"
#include "wus/xml_text.hpp"

namespace schakel::wus {
namespace {

constexpr std::string_view http_transport = "http://schemas.xmlsoap.org/soap/http";
constexpr std::string_view mime_binding = "http://schemas.xmlsoap.org/wsdl/mime/";
constexpr std::string_view soap_encoding = "http://schemas.xmlsoap.org/soap/encoding/";
constexpr std::string_view reserved_prefix = "Digikoppeling";
constexpr std::size_t documentation_bytes_max = 4096;

std::string name_of(xml::Element element) {
  return element.attribute("", "name").value_or("");
}

// WSA Metadata 4.4.4: the parts of an action that nobody wrote down.
std::string default_action(const std::string& target_namespace, std::initializer_list<std::string_view> parts) {
  const std::string_view delimiter = target_namespace.starts_with("urn:") ? ":" : "/";
  std::string out = target_namespace;
  if (out.ends_with(delimiter)) out.pop_back();
  for (const auto part : parts) out.append(delimiter).append(part);
  return out;
}

// What is chosen of a description that may hold several: a SOAP 1.1 binding, and the port that offers it.
struct Chosen {
  Definition service, port, binding;
};

class Importer {
 public:
  Importer(const Bundle& bundle, bool own) : bundle_(bundle), own_(own), definitions_(bundle, findings_) {}

  Import run() {
    if (findings_.has_error()) return {std::nullopt, findings_.take()};
    Wsdl wsdl;
    compile_schema(wsdl);
    for (const auto& file : definitions_.files) check_file(file);
    const auto chosen = choose();
    if (!chosen) return {std::nullopt, findings_.take()};
    describe(wsdl, *chosen);
    read_policies(wsdl, *chosen);
    check_binding(chosen->binding);
    if (const auto port_type = port_type_of(chosen->binding)) read_operations(wsdl, port_type, chosen->binding);
    check_signatures(wsdl, chosen->binding);
    return {std::move(wsdl), findings_.take()};
  }

 private:
  // --- documents and schema

  void check_file(const Definition& file) {
    const auto port_types = file.element.children(ns::wsdl, "portType");
    if (port_types.size() > 1) findings_.add("WS005", {file.document, port_types[1]}, "a WSDL file has at most one portType");
    for (const auto* kind : {"service", "portType"})
      for (const auto element : file.element.children(ns::wsdl, kind)) check_name({file.document, element});
  }

  void check_name(const Definition& named) {
    const auto name = name_of(named.element);
    if (!equals_ignoring_case(std::string_view(name).substr(0, reserved_prefix.size()), reserved_prefix)) return;
    findings_.add("WUS-045", named, "names that begin with Digikoppeling are reserved", own_ ? Severity::error : Severity::warning);
  }

  void compile_schema(Wsdl& wsdl) {
    Documents documents = bundle_.documents;
    std::vector<std::string> roots;
    for (const auto& file : definitions_.files) {
      for (const auto types : file.element.children(ns::wsdl, "types")) {
        for (const auto child : types.children()) {
          if (child.is(ns::wsdl, "documentation")) continue;
          if (!child.is(ns::xsd, "schema")) {
            findings_.add("WW002", {file.document, child}, "types are described by XML Schema only (BP12 R2801)");
            continue;
          }
          roots.push_back(file.document + "#" + std::to_string(roots.size() + 1));
          // Line feeds in front keep the numbers of its lines.
          documents[roots.back()] = std::string(static_cast<std::size_t>(std::max(0L, child.line() - 1)), '\n') + xml_text(child);
          refuse_encoded_types({file.document, child});
        }
      }
    }
    for (const auto& [name, document] : definitions_.documents)
      if (document.root().is(ns::xsd, "schema")) refuse_encoded_types({name, document.root()});
    auto schema = Schema::compile(documents, roots);
    if (schema) {
      wsdl.schema = schema_ = std::move(*schema);
      return;
    }
    const auto& error = schema.error();
    const auto colon = error.location.rfind(':');
    long line = 0;
    if (colon != std::string::npos) std::from_chars(error.location.data() + colon + 1, error.location.data() + error.location.size(), line);
    const auto document = error.location.substr(0, std::min(error.location.find('#'), line > 0 ? colon : std::string::npos));
    findings_.add(error.code == "wus.import" ? "WUS-051" : "WW002", document, error.detail, line);
  }

  // WW002: no types of SOAP encoding.
  void refuse_encoded_types(const Definition& at) {
    if (at.element.attribute(ns::wsdl, "arrayType") || at.element.attribute("", "namespace") == soap_encoding)
      findings_.add("WW002", at, "types of SOAP encoding are not used (BP12 R2110, R2111)");
    for (const auto child : at.element.children()) refuse_encoded_types({at.document, child});
  }

  // --- which binding

  std::optional<Chosen> choose() {
    for (const auto& file : definitions_.files) {
      for (const auto service : file.element.children(ns::wsdl, "service")) {
        for (const auto port : service.children(ns::wsdl, "port")) {
          const auto binding = referred({file.document, port}, "binding", definitions_.bindings);
          if (binding && is_soap11(binding)) return Chosen{{file.document, service}, {file.document, port}, binding};
        }
      }
    }
    for (const auto& [name, binding] : definitions_.bindings)
      if (is_soap11(binding)) return Chosen{{}, {}, binding};
    if (findings_.has_error()) return std::nullopt;
    if (definitions_.bindings.empty()) {
      findings_.add("WUS-040", definitions_.files.front(), "the WSDL has no binding");
    } else {
      findings_.add("WW001", definitions_.bindings.begin()->second, "no binding is one of SOAP 1.1");
    }
    return std::nullopt;
  }

  static bool is_soap11(const Definition& binding) { return static_cast<bool>(binding.element.child(ns::wsdl_soap, "binding")); }

  // What an attribute refers to by name. Absent: a finding says so.
  Definition referred(const Definition& from, const char* attribute, const std::map<ExpandedName, Definition>& among) {
    const auto name = qualified_name(from.element, from.element.attribute("", attribute).value_or(""));
    const auto found = name ? among.find(*name) : among.end();
    if (found != among.end()) return found->second;
    findings_.add("BP12 R2101", from, "the attribute " + std::string(attribute) + " refers to nothing that is defined");
    return {};
  }

  Definition port_type_of(const Definition& binding) { return referred(binding, "type", definitions_.port_types); }

  std::string target_namespace_of(const Definition& definition) const {
    for (const auto& file : definitions_.files)
      if (file.document == definition.document) return file.element.attribute("", "targetNamespace").value_or("");
    return {};
  }

  void describe(Wsdl& wsdl, const Chosen& chosen) {
    wsdl.binding = name_of(chosen.binding.element);
    wsdl.name = wsdl.binding;
    if (chosen.service) wsdl.name = name_of(chosen.service.element);
    wsdl.target_namespace = target_namespace_of(chosen.binding);
    if (chosen.port) {
      wsdl.port = name_of(chosen.port.element);
      if (const auto address = chosen.port.element.child(ns::wsdl_soap, "address"))
        wsdl.address = trim(address.attribute("", "location").value_or(""));
    }
    if (const auto documentation = definitions_.files.front().element.child(ns::wsdl, "documentation"))
      wsdl.documentation = std::string(trim(documentation.text())).substr(0, documentation_bytes_max);
  }

  // --- policy (WUS-046)

  void read_policies(Wsdl& wsdl, const Chosen& chosen) {
    for (const auto& at : {chosen.binding, chosen.port}) {
      if (!at) continue;
      for (const auto child : at.element.children()) {
        if (is_policy(child)) read_policy_of(wsdl, {at.document, child});
        if (child.name() != "PolicyReference") continue;
        if (const auto policy = referred_policy({at.document, child})) read_policy_of(wsdl, policy);
      }
    }
  }

  Definition referred_policy(const Definition& reference) {
    const auto uri = reference.element.attribute("", "URI").value_or("");
    const auto hash = uri.find('#');
    const auto id = hash == std::string::npos ? std::string() : uri.substr(hash + 1);
    const auto document =
        hash == 0 ? std::optional(reference.document) : resolve_location(bundle_.documents, reference.document, uri.substr(0, hash));
    const auto policy = document ? find_policy(definitions_.documents.at(*document).root(), id) : xml::Element();
    if (policy) return {*document, policy};
    findings_.add("WUS-046", reference, "the policy is not in the bundle", Severity::warning);
    return {};
  }

  void read_policy_of(Wsdl& wsdl, const Definition& policy) {
    const auto reading = read_policy(policy.element);
    if (reading.profile) wsdl.profile_of_policy = std::max(*reading.profile, wsdl.profile_of_policy.value_or(Profile::be));
    for (const auto unknown : reading.unknown)
      findings_.add("WUS-046", {policy.document, unknown}, "the policy assertion is not known", Severity::warning);
  }

  // --- binding and operations

  void check_style(const Definition& at) {
    if (at.element.attribute("", "style").value_or("document") != "document")
      findings_.add("WW001", at, "the style is document, with literal use");
  }

  void check_binding(const Definition& binding) {
    const Definition soap{binding.document, binding.element.child(ns::wsdl_soap, "binding")};
    check_style(soap);
    if (soap.element.attribute("", "transport") != http_transport)
      findings_.add("WW001", soap, "the transport is not http://schemas.xmlsoap.org/soap/http (BP12 R2702)");
  }

  static xml::Element operation_of(const Definition& binding, const std::string& name) {
    for (const auto operation : binding.element.children(ns::wsdl, "operation"))
      if (name_of(operation) == name) return operation;
    return {};
  }

  void read_operations(Wsdl& wsdl, const Definition& port_type, const Definition& binding) {
    std::set<std::string> names;
    bool overloaded = false;
    for (const auto element : port_type.element.children(ns::wsdl, "operation")) {
      const Definition operation{port_type.document, element};
      const auto name = name_of(element);
      check_name(operation);
      if (!names.insert(name).second) {
        findings_.add("BP12 R2304", operation, "two operations have the same name");
        overloaded = true;
        continue;
      }
      const Definition bound{binding.document, operation_of(binding, name)};
      if (!bound) findings_.add("BP12 R2718", operation, "the binding has no such operation");
      if (auto read = read_operation(operation, bound, port_type)) wsdl.operations.push_back(std::move(*read));
    }
    if (names.empty()) findings_.add("WUS-040", port_type, "the portType has no operation");
    if (overloaded) return;
    for (const auto element : binding.element.children(ns::wsdl, "operation"))
      if (!names.contains(name_of(element))) findings_.add("BP12 R2718", {binding.document, element}, "the portType has no such operation");
  }

  // Request and response, in this order (WSDL 1.1 2.4).
  bool is_request_response(const Definition& operation) {
    const auto input = operation.element.child(ns::wsdl, "input"), output = operation.element.child(ns::wsdl, "output");
    if (input && !output) {
      findings_.add("WS003", operation, "the operation is one-way; only request and response are supported");
      return false;
    }
    auto first = operation.element.first_child();
    while (first && first != input && first != output) first = first.next_sibling();
    if (input && first == input) return true;
    findings_.add("BP12 R2303", operation, "the operation begins with its output; only request and response are supported");
    return false;
  }

  std::optional<Operation> read_operation(const Definition& definition, const Definition& bound, const Definition& port_type) {
    if (!is_request_response(definition)) return std::nullopt;
    Operation operation;
    operation.name = name_of(definition.element);
    const auto target = target_namespace_of(port_type);
    const auto port_type_name = name_of(port_type.element);
    const auto side = [&](const char* kind, const char* suffix, ExpandedName& element, std::string& action) {
      const Definition message{definition.document, definition.element.child(ns::wsdl, kind)};
      const Definition body = bound ? bound_body({bound.document, bound.element.child(ns::wsdl, kind)}, bound) : Definition{};
      element = body_element(message, body);
      const auto name = message.element.attribute("", "name").value_or(operation.name + suffix);
      action = action_of(message, default_action(target, {port_type_name, name}));
    };
    side("input", "Request", operation.input, operation.input_action);
    side("output", "Response", operation.output, operation.output_action);
    if (bound) check_soap_action(bound, operation);
    for (const auto fault : definition.element.children(ns::wsdl, "fault"))
      operation.faults.push_back(read_fault({definition.document, fault}, target, port_type_name, operation.name));
    if (bound) check_bound_faults(bound);
    return operation;
  }

  // The soap:body of an input or output in the binding.
  Definition bound_body(const Definition& side, const Definition& operation) {
    if (!side) {
      findings_.add("WUS-040", operation, "the operation in the binding has not both input and output");
      return {};
    }
    for (const auto child : side.element.children()) {
      if (child.namespace_uri() == mime_binding)
        findings_.add("WUS-185", {side.document, child}, "SOAP with Attachments is not supported; binary data travels by MTOM");
      if (child.is(ns::wsdl_soap, "header"))
        findings_.add("WS007", {side.document, child}, "own header blocks are accepted only when extraHeaders lists them",
                      Severity::warning);
    }
    const Definition body{side.document, side.element.child(ns::wsdl_soap, "body")};
    if (body) check_use(body);
    return body;
  }

  void check_use(const Definition& soap) {
    if (soap.element.attribute("", "use").value_or("literal") != "literal" || soap.element.attribute("", "encodingStyle"))
      findings_.add("WW002", soap, "the use is literal, without encodingStyle (BP12 R2706)");
  }

  // The element that stands in the Body; empty when a finding says why there is none.
  ExpandedName body_element(const Definition& side, const Definition& body) {
    const auto message = referred(side, "message", definitions_.messages);
    if (!message) return {};
    auto parts = message.element.children(ns::wsdl, "part");
    if (const auto listed = body ? body.element.attribute("", "parts") : std::nullopt) {
      const auto wanted = " " + *listed + " ";
      std::erase_if(parts, [&](xml::Element part) { return wanted.find(" " + name_of(part) + " ") == std::string::npos; });
    }
    if (parts.size() != 1) {
      findings_.add("WW003", message, "a message has exactly one part for the Body (BP12 R2210)");
      return {};
    }
    return element_of({message.document, parts.front()});
  }

  ExpandedName element_of(const Definition& part) {
    const auto written = part.element.attribute("", "element");
    if (!written || part.element.attribute("", "type")) {
      findings_.add("WW004", part, "a part names an element, never a type (BP12 R2204)");
      return {};
    }
    const auto name = qualified_name(part.element, *written);
    if (name && (!schema_ || schema_->declares(*name))) return *name;
    findings_.add("BP12 R2206", part, "the schemas declare no such element");
    return {};
  }

  // WUS-043. Without one of its own an input or output gets the default, and a finding.
  std::string action_of(const Definition& side, std::string fallback) {
    if (const auto action = written_action(side, ns::wsam)) return *action;
    const auto draft = written_action(side, ns::wsaw);
    const auto lenient = draft ? Severity::information : Severity::warning;
    findings_.add("WS008", side, draft ? "wsam:Action is missing; wsaw:Action is used" : "wsam:Action is missing; the default is used",
                  own_ ? Severity::error : lenient);
    return draft.value_or(std::move(fallback));
  }

  static std::optional<std::string> written_action(const Definition& side, std::string_view vocabulary) {
    const auto action = side.element.attribute(vocabulary, "Action");
    const auto text = trim(action ? std::string_view(*action) : std::string_view());
    return text.empty() ? std::nullopt : std::optional(std::string(text));
  }

  void check_soap_action(const Definition& bound, const Operation& operation) {
    const Definition soap{bound.document, bound.element.child(ns::wsdl_soap, "operation")};
    if (!soap) return;
    check_style(soap);
    const auto action = soap.element.attribute("", "soapAction").value_or("");
    if (!action.empty() && action != operation.input_action)
      findings_.add("WS002", soap, "soapAction is neither empty nor the Action of the input");
  }

  Operation::DeclaredFault read_fault(const Definition& fault, const std::string& target, const std::string& port_type,
                                      const std::string& operation) {
    Operation::DeclaredFault out;
    out.name = name_of(fault.element);
    const auto own = written_action(fault, ns::wsam);
    const auto draft = written_action(fault, ns::wsaw);
    out.action = own ? *own : draft ? *draft : default_action(target, {port_type, operation, "Fault", out.name});
    const auto message = referred(fault, "message", definitions_.messages);
    if (!message) return out;
    const auto parts = message.element.children(ns::wsdl, "part");
    if (parts.size() == 1) {
      out.element = element_of({message.document, parts.front()});
    } else {
      findings_.add("WW003", message, "the message of a fault has exactly one part (WSDL 1.1 3.6)");
    }
    return out;
  }

  void check_bound_faults(const Definition& bound) {
    for (const auto fault : bound.element.children(ns::wsdl, "fault")) {
      const Definition soap{bound.document, fault.child(ns::wsdl_soap, "fault")};
      if (soap) check_use(soap);
    }
  }

  // BP12 R2710: what arrives must say which operation it is for: by its Action, which dispatch reads, else by its element.
  void check_signatures(const Wsdl& wsdl, const Definition& binding) {
    std::set<std::string> actions;
    for (const auto& operation : wsdl.operations) {
      if (operation.input.name.empty() || actions.insert(operation.input_action).second) continue;
      findings_.add("BP12 R2710", {binding.document, operation_of(binding, operation.name)},
                    "two operations have the same Action for their input");
    }
  }

  const Bundle& bundle_;
  bool own_;
  FindingList findings_;
  Definitions definitions_;
  std::shared_ptr<const Schema> schema_;
};

}  // namespace

bool Import::ok() const {
  return wsdl && std::ranges::none_of(findings, [](const Finding& finding) { return finding.severity == Severity::error; });
}

Import import_wsdl(const Bundle& bundle, bool own) {
  return Importer(bundle, own).run();
}

}  // namespace schakel::wus
