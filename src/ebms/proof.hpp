// What a stored envelope says about its own signature: for evidence (EB-159, ADP-505, SEC-104). Whether it counted was judged when it came,
// and stands in the trail; here nothing is judged.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace schakel::ebms {

struct ProvenReference {
  std::string uri, digest_method, digest_value;  // the value in base64
};

struct Proof {
  std::string signature_method;
  std::vector<ProvenReference> references;    // of the ds:Signature
  std::vector<ProvenReference> acknowledged;  // of an Acknowledgment: what the partner says that it received
  std::vector<Bytes> certificates;            // DER, of KeyInfo
};

// nullopt: no envelope, or no signature in it.
std::optional<Proof> proof_of(BytesView root);

}  // namespace schakel::ebms
