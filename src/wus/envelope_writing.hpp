// The SOAP envelope around a Body's content as text: soapenv:Envelope and every header block but wsse:Security (wus.md 3.2, 3.3).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "wus/identifiers.hpp"
#include "wus/sealing.hpp"

namespace schakel::wus {

struct EnvelopeText {
  std::string before_security;  // from the start tag of Envelope to the last other header block
  std::string before_content;   // from the end tag of Header to the start tag of Body
  static constexpr std::string_view after_content = "</soapenv:Body></soapenv:Envelope>";

  // wsu:Id of the header blocks, in order, and of Body; empty without identifiers.
  std::vector<std::string> header_ids;
  std::string body_id;
  std::size_t header_blocks = 0;
};

// Header blocks as table 3.2 has them for the kind of message; what else `addressing` holds is not written (WUS-078). `identifiers`: for
// wsu:Id on whatever will be signed; null when nothing will be. Errors: "wus.envelope".
Result<EnvelopeText> envelope_text(const MessageToMake&, Identifiers* identifiers);

}  // namespace schakel::wus
