// ds:Signature over an envelope that is being made (wus.md 1.5, 4.2): every part digested as the element that it is going to be.
//
// The envelope is parsed once, without the long texts of its Body (body_writing.hpp) and without what is put into it afterwards:
// EncryptedKey and Signature stand beside the digested elements, EncryptedData and xop:Include replace content that the receiver puts back.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "wus/body_writing.hpp"
#include "wus/envelope_writing.hpp"
#include "wus/service.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

struct EnvelopeTree {
  xml::Document document;
  xml::Element header, body;
  xml::Element security;  // absent in 2W-be
};

// `security`: the Security header with the children that are signed, and its tokens; empty: none. Binds `content`. Errors: "wus.envelope".
Result<EnvelopeTree> parse_envelope(const EnvelopeText&, std::string_view security, BodyText& content, const Settings&);

// wsu:Ids inside the Security header.
struct SecurityIds {
  std::string timestamp, token;
  std::string confirmation;  // empty: there is none
};

struct EnvelopeSignature {
  std::string element;  // for the end of the Security header
  Bytes value;
};

// References as WUS-104 wants them, header blocks first, Body last. Errors: "wus.signing", "wus.envelope".
Result<EnvelopeSignature> sign_envelope(const EnvelopeTree&, const EnvelopeText&, const BodyText&, const SecurityIds&, const Settings&,
                                        std::string id, EVP_PKEY*);

}  // namespace schakel::wus
