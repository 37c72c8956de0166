// WSDL 1.1 import (wus.md 1.3): a bundle of uploaded documents to a service's operations, with every finding at once.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wus/bundle.hpp"
#include "wus/schema.hpp"
#include "wus/service.hpp"

namespace schakel::wus {

enum class Severity { error, warning, information };
struct Finding {
  std::string rule;  // "WW001", "WS003", "BP12 R2204", "WUS-051" …
  Severity severity = Severity::error;
  std::string document, location;  // file; XPath
  long line = 0;
  std::string message;
};

struct Wsdl {
  std::string name;  // of the service, else of the binding
  std::string target_namespace;
  std::string port_type, binding, port;
  std::string address;  // soap:address/@location; empty: none
  std::vector<Operation> operations;
  std::optional<Profile> profile_of_policy;  // WUS-046
  std::shared_ptr<const Schema> schema;
  std::string documentation;
};

struct Import {
  std::optional<Wsdl> wsdl;  // absent when the documents cannot be read as one
  std::vector<Finding> findings;
  bool ok() const;  // no error among them
};
// `own`: a service that we offer (a missing wsam:Action is an error, names beginning with Digikoppeling are refused); else a partner's.
Import import_wsdl(const Bundle&, bool own);

// WUS-050: a document of the bundle with imports rewritten to `?wsdl=<name>` / `?xsd=<name>` and soap:address set. nullopt: no such name.
std::optional<std::string> published_document(const Bundle&, std::string_view name, std::string_view external_url);

}  // namespace schakel::wus
