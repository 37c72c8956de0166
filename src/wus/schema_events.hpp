// An element told to a validator of libxml2 event by event, in document order: between two events somebody else can look at what it costs
// and stop it, which a validation of the whole tree does not allow.
#pragma once

#include <libxml/xmlschemas.h>

#include <functional>

#include "xml/document.hpp"

namespace schakel::wus {

// Borrows the validator, whose errors come while an event is told; they name no node.
class SchemaEvents {
 public:
  explicit SchemaEvents(xmlSchemaValidCtxt&);

  // The element whose start, text or end the validator hears of. Absent before the first.
  xml::Element at() const { return at_; }
  // `may_go_on` is asked before the start and before the end of each element. False: it said no, and the rest is not told.
  bool tell(xml::Element root, const std::function<bool(xml::Element)>& may_go_on);

 private:
  void start(bool is_root);
  void text(const xmlNode&);
  void end();

  xmlSchemaValidCtxt& validator_;
  xmlSAXHandler* handler_ = nullptr;  // while `tell` runs
  void* context_ = nullptr;
  xml::Element at_;
};

}  // namespace schakel::wus
