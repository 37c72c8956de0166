// From a parsed, schema-valid document to an Agreement; used by parse and validate, so that a document is parsed once.
#pragma once

#include "cpa/agreement.hpp"
#include "xml/document.hpp"

namespace schakel::cpa {

// Size, depth and encodings of a CPA document (CPA-004, V01).
xml::Limits document_limits();

// `root` passed the grammar. Error "cpa.invalid": a number, time or duration that is lexically right but absurd.
Result<Agreement> read(xml::Element root);

}  // namespace schakel::cpa
