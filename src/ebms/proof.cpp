#include "ebms/proof.hpp"

#include "ebms/signing.hpp"

namespace schakel::ebms {

std::optional<Proof> proof_of(BytesView root) {
  const auto envelope = parse_envelope(root, std::nullopt);
  if (!envelope) return std::nullopt;
  const auto found = find_signature(*envelope);
  if (!found.signature) return std::nullopt;
  Proof proof;
  proof.signature_method = found.signature->signature_algorithm;
  proof.certificates = found.signature->certificates;
  for (const auto& reference : found.signature->references)
    proof.references.push_back({reference.uri.value_or(""), reference.digest_algorithm, to_base64(reference.digest_value)});
  const auto acknowledgment = envelope->document->root().child(uri::soap, "Header").child(uri::eb, "Acknowledgment");
  if (acknowledgment)
    for (auto& reference : references_in(acknowledgment))
      proof.acknowledged.push_back({std::move(reference.uri), std::move(reference.algorithm), to_base64(reference.digest)});
  return proof;
}

}  // namespace schakel::ebms
