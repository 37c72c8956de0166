// A copy of an element, in which the values of some elements and attributes have no white space around them. Owns its tree.
#pragma once

#include <memory>
#include <set>

#include "xml/document.hpp"

struct _xmlDoc;
struct _xmlNode;

namespace schakel::wus {

class TrimmedCopy {
 public:
  // `nodes`: elements and attributes of the original. The copy stands alone: every namespace in scope is declared on it. Lines stay.
  TrimmedCopy(xml::Element original, const std::set<const _xmlNode*>& nodes);
  xml::Element root() const;  // absent: no memory

 private:
  struct Deleter {
    void operator()(_xmlDoc*) const;
  };
  std::unique_ptr<_xmlDoc, Deleter> document_;
};

}  // namespace schakel::wus
