// Making a WUS message: envelope, WS-Addressing headers, signature, confirmation, encryption, MTOM (wus.md 3.2 to 3.6, 4.2).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "security/keys.hpp"
#include "wus/addressing.hpp"
#include "wus/fault.hpp"
#include "wus/service.hpp"

namespace schakel::wus {

struct MessageToMake {
  Kind kind = Kind::request;
  Addressing addressing;             // what is empty is not written
  std::string body;                  // serialised element, UTF-8, self-contained namespaces; or a soapenv:Fault (fault_element)
  std::vector<std::string> headers;  // serialised extra header blocks, self-contained; in S and SE signed
  // XPaths are no way to name them: elements whose text may become a binary part, in document order of `body`, by their positions among all
  // elements of `body` (0: its root). Schema::binary_elements gives them (schema.hpp).
  std::vector<std::size_t> binary_elements;
  bool mtom = false;
  // Absent: no Security header. In S and SE only a Fault may go so (faults before verification, WUS-163).
  struct Protection {
    std::shared_ptr<const security::KeyPair> signer;
    std::optional<security::Certificate> recipient;  // SE, and only there
    std::optional<Bytes> confirmation;               // of a response: the request's SignatureValue
  };
  std::optional<Protection> protection;
};

struct MadeMessage {
  std::string content_type;  // "text/xml; charset=utf-8", or multipart/related of 3.6
  std::string entity;        // the octets of the HTTP body
  Bytes signature_value;
  std::string message_id;
};

// Headers are those of table 3.2 for the kind: To, Action, MessageID, then From and ReplyTo of a request or RelatesTo of a response.
// Errors: "wus.tokenType" (the recipient's certificate cannot be used), "wus.signing" (there is no key, or it failed), "wus.encryption" (a
// cipher whose exception is over), "wus.envelope" (body or a header is no element, or an address no XML). Nothing of the body is in them.
Result<MadeMessage> make_message(const MessageToMake&, const Settings&, Instant now, Random&);

// WUS-149: can a message be encrypted for this certificate? Error: "wus.tokenType".
Result<> check_recipient(const security::Certificate&, const Settings&);

}  // namespace schakel::wus
