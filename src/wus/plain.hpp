// The plain side of WUS (wus.md 3.7): what back-ends answer and applications send, without WS-Security and mostly without SOAP.
//
// Pure; safe from every thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "wus/addressing.hpp"
#include "wus/fault.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

// A document of our own side. `payload`: the root element, or with an envelope the one child of Body.
struct Plain {
  xml::Document document;
  xml::Element payload;
  bool is_fault = false;           // payload is a soapenv:Fault
  std::string action, message_id;  // wsa: headers of an envelope; empty: absent. Others are ignored.
};

enum class PlainForm { element, envelope };

// Any encoding that the XML declaration, else the charset parameter of `content_type`, names; none: UTF-8. The limits are those of the
// outside. Errors: "plain.encoding", "plain.envelope", "xml.…".
Result<Plain> read_plain(std::string_view octets, std::string_view content_type, PlainForm, std::size_t bytes_max);

// An element as it is handed on (WUS-202): the same exclusive canonical form, with every namespace declaration in scope, because a prefix
// may be used in a value only (xsi:type).
std::string handed_on(xml::Element);

// `<soapenv:Envelope>` around a serialised payload, with these addressing headers (serialised elements).
std::string plain_envelope(std::string_view headers, std::string_view payload);
// The wsa: headers of a message that is given to an application: Action, MessageID, RelatesTo.
std::string plain_headers(const Addressing&);

}  // namespace schakel::wus
