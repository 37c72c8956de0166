// XML Schema 1.0 of a service's payloads (wus.md 1.10), compiled once by libxml2. Nothing is fetched: every document came with the WSDL
// (WUS-051).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

class Schema {
 public:
  // `documents`: file name -> octets, all schemas of the bundle and those inside wsdl:types. Errors: "wus.schema" with file and line.
  static Result<std::shared_ptr<const Schema>> compile(const std::map<std::string, std::string>& documents,
                                                       const std::vector<std::string>& roots);
  ~Schema();

  struct Finding {
    std::string path;     // of the element: /{ns}local[…]… never a value (WUS 3.5)
    std::string message;  // the rule, never the value
    long line = 0;
  };
  // Validates one element as a global element of the schema; the tree is not changed, defaults are not inserted (WUS-201). Safe from every
  // thread.
  std::vector<Finding> validate(xml::Element) const;
  // Positions, in document order, of the elements of type xs:base64Binary (or derived from it) without children below and including the
  // root: for MessageToMake::binary_elements.
  std::vector<std::size_t> binary_elements(xml::Element root) const;

 private:
  struct State;
  explicit Schema(std::unique_ptr<State>);
  std::unique_ptr<State> state_;
};

}  // namespace schakel::wus
