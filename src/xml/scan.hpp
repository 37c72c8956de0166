// The gate before the parser: one pass over the octets that finds every markup token and enforces the limits, so that no hostile document
// (deep nesting, thousands of attributes, namespaces without end, a DOCTYPE) costs the parser time or memory (SEC-110, SEC-111, EB-043).
#pragma once

#include "xml/document.hpp"

namespace schakel::xml {

// `text` is valid UTF-8. Accepts every well-formed document within the limits; refuses a DOCTYPE ("xml.doctype"), what exceeds a limit
// ("xml.limit"), a processing instruction where none may be ("xml.instruction"), and structures on which the parser and this pass could
// disagree ("xml.notWellFormed").
Result<> scan(std::string_view text, const Limits&);

// The value of `encoding` in the XML declaration; empty when none is written.
std::string_view declared_encoding(std::string_view text);

}  // namespace schakel::xml
