// What went wrong with a WUS message, and how each side says it: the Fault of a provider (wus.md 4.5), the WUS-C code of a consumer (4.4).
//
// Rules report an Error whose code is one of the tokens of fault_table (fault.cpp): "wus.envelope", "wus.toMissing" … Its detail is for our
// own log, its location (an XPath) is where. This file alone knows what the outside is told: two readers of one rule cannot differ.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

struct ExpandedName {
  std::string namespace_uri, name;
  friend auto operator<=>(const ExpandedName&, const ExpandedName&) = default;
};
std::string to_string(const ExpandedName&);  // "{ns}local"

// A SOAP 1.1 Fault that we write.
struct Fault {
  ExpandedName code;            // in one of soapenv, wsa, wsse, wsu
  std::string dk;               // "DK0006"; empty: none
  std::string text;             // faultstring without the code in front
  std::string language = "nl";  // "en" for the fixed wsse texts
  std::string actor;            // only as an intermediary: our endpoint URI
  std::string detail_xml;       // serialised children of `detail`; empty: no detail element (SOAP 4.4: only when the Body is the cause)
  std::string action;           // wsa:Action: one of the two fault URIs, or of a declared fault
};

// The row of 4.5 for an Error of a rule. With code "wus.payload" or "wus.bodyOfOther", `location` becomes the detail's element. Codes that
// are not in the table are our own failure: soapenv:Server DK0051.
Fault fault_of(const Error&);
// The row of 4.4 ("WUS-C-SOAP") for an Error that a consumer's check gave; codes that begin with "WUS-C-" stand for themselves.
std::string_view client_code_of(const Error&);
// The reason for the audit log ("SEC.XML.…", security.md section 4) of a refused attack; empty: none.
std::string_view audit_reason_of(const Error&);

// `<soapenv:Fault>…</soapenv:Fault>`; prefixes soapenv and wsa must be declared around it, all else is declared inside.
std::string fault_element(const Fault&);

// A Fault that a partner sent (WUS-025): any detail, any attributes.
struct ReceivedFault {
  ExpandedName code;  // namespace empty when its prefix is not declared, or when it is written in dot notation
  std::string string, actor;
  std::string dk_code;          // "DK0006", found in faultstring or faultcode (4.5, last paragraph); empty: none
  xml::Element detail;          // may be absent
  bool about_security = false;  // wsse:*, wsu:MessageExpired, {http://ws.apache.org/wss4j}SecurityError
};
// Errors: "wus.envelope".
Result<ReceivedFault> read_fault(xml::Element soap_fault);

}  // namespace schakel::wus
