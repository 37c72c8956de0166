// Which elements of a set of schemas hold xs:base64Binary, or a type derived from it: what MTOM may take out of a message (WUS-184).
//
// By name, not by place: a name that is declared with such a type here and with another one there counts as not binary, which costs a part
// and never correctness. xsi:type in a message is honoured.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "wus/fault.hpp"
#include "wus/schema_documents.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

class BinaryTypes {
 public:
  explicit BinaryTypes(const std::vector<SchemaDocument>&);
  bool holds_binary(xml::Element) const;

 private:
  std::set<ExpandedName> types_;           // named types
  std::map<ExpandedName, bool> elements_;  // false: or sometimes something else
};

}  // namespace schakel::wus
