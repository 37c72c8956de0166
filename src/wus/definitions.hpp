// The WSDL documents of a bundle, parsed, and what they define by name (WSDL 1.1 2.1): messages, port types, bindings, services.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "wus/wsdl.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

// An element and the document that it stands in.
struct Definition {
  std::string document;
  xml::Element element;
  explicit operator bool() const { return static_cast<bool>(element); }
};

// Findings as they are made.
class FindingList {
 public:
  void add(std::string_view rule, const Definition&, std::string message, Severity = Severity::error);
  void add(std::string_view rule, std::string document, std::string message, long line = 0);
  bool has_error() const;
  std::vector<Finding> take() { return std::move(findings_); }

 private:
  void add(Finding);

  std::vector<Finding> findings_;
};

class Definitions {
 public:
  // Parses every document of the bundle and follows wsdl:import from the main one. Whether there is an error among the findings says
  // whether the rest may be used. Elements live as long as this.
  Definitions(const Bundle&, FindingList&);

  std::vector<Definition> files;  // wsdl:definitions; the main one first
  std::map<ExpandedName, Definition> messages, port_types, bindings, services;
  std::map<std::string, xml::Document, std::less<>> documents;

 private:
  bool parse(FindingList&);
  void follow(const std::string& name, FindingList&);
  void follow_import(const Definition& import, FindingList&);
  void index(FindingList&);

  const Bundle& bundle_;
};

}  // namespace schakel::wus
