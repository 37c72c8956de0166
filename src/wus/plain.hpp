// The plain side of WUS (wus.md 3.7): what back-ends answer and applications send, without WS-Security and mostly without SOAP.
//
// Pure; safe from every thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "wus/addressing.hpp"
#include "wus/fault.hpp"
#include "wus/mtom.hpp"
#include "wus/xop_writing.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

// A document of our own side. `payload`: the root element, or with an envelope the one child of Body.
struct Plain {
  xml::Document document;
  xml::Element payload;
  bool is_fault = false;           // payload is a soapenv:Fault
  std::string action, message_id;  // wsa: headers of an envelope; empty: absent. Others are ignored.
  bool mtom = false;               // it came as multipart/related
  // Of the payload: the elements whose base64 text came in a part of its own, in document order.
  std::vector<xml::Element> binary_elements;
};

enum class PlainForm { element, envelope };

// Any encoding that the XML declaration, else the charset parameter of `content_type`, names; none: UTF-8. As multipart/related with XOP
// undone, when `content_type` says so (is_mtom). The limits are those of the outside. Errors: "plain.encoding", "plain.envelope",
// "xml.…", and "wus.envelope" and "wus.limit" of mtom.hpp.
Result<Plain> read_plain(std::string_view octets, std::string_view content_type, PlainForm, std::size_t bytes_max);
// An element whose xop:Includes refer to parts that came otherwise. Each part is included once.
Result<Plain> read_plain(std::string_view element, std::vector<Part> parts, std::size_t bytes_max);
// Does this Content-Type say multipart/related of MTOM?
bool is_mtom(std::string_view content_type);

// An element as it is handed on (WUS-202): the same exclusive canonical form, with every namespace declaration in scope, because a prefix
// may be used in a value only (xsi:type).
std::string handed_on(xml::Element);

// Octets that an xop:Include stands for.
struct Attachment {
  XopPart part;
  Bytes octets;
};
// An element as it is handed on, of which long binary texts stand beside it.
struct HandedOn {
  std::string text;  // with an xop:Include for each attachment
  std::vector<Attachment> attachments;
};
// `binary`: elements that may; those with at least `bytes_min` octets do, as far as a package has room (WUS-027). Their texts leave the
// tree, so that the octets are held once.
HandedOn handed_on_apart(xml::Document&, xml::Element, const std::vector<xml::Element>& binary, std::size_t bytes_min, Random&);

// An entity for our own side: Content-Type and octets.
struct PlainEntity {
  std::string content_type, octets;
};
// The package of a root (of this media type, UTF-8) with the xop:Includes of these attachments.
PlainEntity mtom_entity(std::string_view root, std::vector<Attachment>, std::string_view root_type, Random&);

// `<soapenv:Envelope>` around a serialised payload, with these header blocks (serialised elements); without any it has no Header.
std::string plain_envelope(std::string_view headers, std::string_view payload);
// The wsa: headers of a message as header blocks; what is empty is not written.
std::string plain_headers(const Addressing&);

}  // namespace schakel::wus
