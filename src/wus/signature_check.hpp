// The one signature of a message (wus.md 1.5, security.md 3.6): its algorithms and form (4.1 step 10), and what it covers (step 13).
// Internal to the opening.
//
// Errors: "wus.security", "wus.transform", "wus.algorithm", "wus.coverage", "wus.confirmation", "wus.signature".
#pragma once

#include <vector>

#include "wus/message.hpp"
#include "wus/security_token.hpp"
#include "xmlsecurity/signature.hpp"

namespace schakel::wus {

// Structure, counts, forms of references and transforms, algorithms; no key is used. Points into the document.
Result<xmlsecurity::Signature> read_message_signature(const SecurityHeader&);

// Coverage by node identity, then every digest, then the value with the key of the token (WUS-105). `ids`: as they are now, after
// decryption.
Result<> verify_message(const Message&, const SecurityHeader&, const xmlsecurity::Signature&, const SignerToken&, const Ids&,
                        const Settings&, Kind);

}  // namespace schakel::wus
