// XML Schema 1.0 of a service's payloads (wus.md 1.10), compiled once by libxml2. Nothing is fetched: every document came with the WSDL
// (WUS-051).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "wus/bundle.hpp"
#include "wus/fault.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

class Schema {
 public:
  // `documents`: all schemas of the bundle and those inside wsdl:types, which are named after their WSDL ("a/service.wsdl#2"). What the
  // roots import and include is found among them. Errors, with "file:line" as location: "wus.schema", also for patterns that could
  // cost too much; "wus.import" for a schemaLocation that names none of the documents.
  static Result<std::shared_ptr<const Schema>> compile(const Documents& documents, const std::vector<std::string>& roots);
  ~Schema();
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;

  struct Finding {
    std::string path;     // of the element: /{ns}local[…]… never a value (WUS 3.5)
    std::string message;  // the rule, never the value
    long line = 0;
  };
  // Validates one element as a global element of the schema: at most `findings_max` of them, in document order. The tree is not changed,
  // defaults are not inserted, xsi:schemaLocation is not read (WUS-201). Safe from every thread. `time_max`: processor time, looked at
  // between elements, after which what remains counts as not valid; texts under patterns have bounds of their own (schema_patterns.hpp).
  std::vector<Finding> validate(xml::Element, std::chrono::milliseconds time_max = validation_time_max) const;
  static constexpr std::size_t findings_max = 20;
  static constexpr std::chrono::seconds validation_time_max{10};
  // Is there a global element of this name?
  bool declares(const ExpandedName&) const;
  // Positions, in document order, of the elements of type xs:base64Binary (or derived from it) without children below and including the
  // root: for MessageToMake::binary_elements.
  std::vector<std::size_t> binary_elements(xml::Element root) const;

 private:
  struct State;
  explicit Schema(std::unique_ptr<State>);
  std::unique_ptr<State> state_;
};

}  // namespace schakel::wus
