// A WUS message as received: entity octets to a checked SOAP envelope (wus.md 1.2, 1.9; 4.1 steps 3 to 5).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "wus/addressing.hpp"
#include "wus/fault.hpp"
#include "wus/service.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

// The envelope of one message. XOP is expanded: every xop:Include has been replaced by its base64 text, so that signatures are over what
// stands there (WUS-183). Movable; elements point into `document`.
struct Message {
  explicit Message(xml::Document parsed) : document(std::move(parsed)) {}

  xml::Document document;
  bool mtom = false;
  xml::Element envelope, header, body;  // header may be absent
  std::vector<xml::Element> addressing;
  std::vector<xml::Element> extra_headers;  // of Settings::extra_headers
  xml::Element security;                    // the one wsse:Security; absent in 2W-be
  xml::Element payload;                     // the one child of Body (xenc:EncryptedData before decryption; soapenv:Fault of a fault)
  bool is_fault = false;
  // Of the payload: the elements whose base64 text came in a part of its own, in document order.
  std::vector<xml::Element> binary_elements;
};

// WUS-027
inline constexpr std::size_t header_blocks_max = 32;
xml::Limits envelope_limits(std::size_t bytes_max);

// Content-Type of an entity: may the service receive it (WUS-024, WUS-181)? Of multipart types only that of MTOM: SOAP with Attachments is
// not WUS (WUS-185).
enum class MediaType { xml, xop, unsupported };
MediaType media_type(std::string_view content_type, Mtom);

// Encoding, well-formedness, limits, structure, header census. `content_type`: the HTTP header; media_type() said that it is one of ours.
// A profile's rules about Security and EncryptedData: opening.hpp. Errors: tokens of fault_table ("wus.envelope", "wus.doctype",
// "wus.limit", "wus.version", "wus.encoding", "wus.headerForeign", "wus.headerMustUnderstand", "wus.security" for two Security headers or
// an encrypted header).
Result<Message> read_message(BytesView entity, std::string_view content_type, const Settings&, Kind);

}  // namespace schakel::wus
