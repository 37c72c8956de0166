// The signature of an ebMS2 envelope (ebms.md 1.9, 2.5, 3.8): making it, and judging one that came. Private to src/ebms.
//
// Judging is all-or-nothing and looks at nodes, not names: what the rest of the room reads from the envelope must stand in the very octets
// that were digested (EB-157). Pure functions over one parse, safe from every thread.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cpa/contracts.hpp"
#include "ebms/context.hpp"
#include "ebms/envelope.hpp"
#include "xmlsecurity/signature.hpp"

namespace schakel::ebms {

// --- making ------------------------------------------------------------------------------------------------------------------------

// How our side of a channel signs (EB-152, EB-153).
struct Signing {
  std::shared_ptr<const security::KeyPair> key;
  xmlsecurity::DigestMethod digest = xmlsecurity::DigestMethod::sha256;
  xmlsecurity::SignatureMethod method = xmlsecurity::SignatureMethod::rsa_sha256;
  xml::Canonical form = xml::Canonical::exclusive;
};

// Error "contract.actionNotAllowed": no SenderNonRepudiation, an algorithm that is never used, or no key; the detail names the certificate.
Result<Signing> signing_of(const Context&, const cpa::Contracts&, const cpa::LoadedContract&, const cpa::PartyInfo& own,
                           const cpa::DeliveryChannel*, Instant now);
// EB-158: with the signal channel, else with the one that receives the message.
Result<Signing> signing_of_acknowledgment(const Context&, const cpa::Contracts&, const cpa::LoadedContract&, const cpa::PartyInfo& own,
                                          const cpa::DeliveryChannel* receive, Instant now);

struct SignedPart {
  std::string href;  // "cid:…"
  Bytes digest;      // raw, by the method of `Signing`
};

// Adds the ds:Signature as last child of soap:Header (EB-150..154). `envelope`: of build_envelope. Errors: of xmlsecurity.
Result<Bytes> sign_envelope(Bytes envelope, std::span<const SignedPart>, const Signing&);

// --- judging -----------------------------------------------------------------------------------------------------------------------

// Why a signature does not count. `reason`: SEC.…, for the security log and never for the partner.
struct SignatureFault {
  std::string reason, detail;
  bool temporary = false;  // SEC.CRL.…: not decidable now (EB-155)
};

// The one signature of the envelope (3.8 step 1), its structure read.
struct FoundSignature {
  std::optional<xmlsecurity::Signature> signature;
  SignatureFault fault;  // when there is none that could count
};
FoundSignature find_signature(const Envelope&);

// Row 20 of 3.5: the methods are those of the agreement, and allowed at all (EB-153).
std::optional<Failure> check_methods(const xmlsecurity::Signature&, const cpa::NonRepudiation& agreed);
// Row 25.
Failure invalid_signature();

// A payload of the Manifest. `digest`: of its octets as they will be delivered, by a method; an Error when it is not known.
struct CoveredPart {
  std::string href;
  std::function<Result<Bytes>(xmlsecurity::DigestMethod)> digest;
  BytesView octets;  // when in memory: for a Reference with a canonicalisation
  bool in_memory = true;
};

// Whose signature it must be.
struct Signatory {
  const cpa::Contracts& contracts;
  const cpa::LoadedContract& contract;
  const cpa::PartyInfo& party;
  const cpa::NonRepudiation& agreed;
  std::string scope;  // of a mandate (SEC-085)
};

struct SignatureVerdict {
  std::optional<SignatureFault> fault;  // none: valid
  std::string certificate_sha256;       // of the signer, when it is valid
  std::string basis;                    // what trust in it rests on, for the trail (security::basis_text)
  bool other_certificate = false;       // not the one of the CPA (policy `oin`, mapping)
};

// 3.8 steps 2 to 6.
SignatureVerdict judge_signature(const Context&, const Envelope&, const xmlsecurity::Signature&, std::span<const CoveredPart>,
                                 const Signatory&, Instant now);

// --- acknowledgements ----------------------------------------------------------------------------------------------------------------

// Copies of the ds:Reference elements, each with the namespaces that it uses (EB-158).
Result<std::string> copied_references(const xmlsecurity::Signature&);

// What EB-159 compares of a ds:Reference; the rest of a copy is not evaluated.
struct CopiedReference {
  std::string uri, algorithm;
  Bytes digest;
  friend bool operator==(const CopiedReference&, const CopiedReference&) = default;
};
std::vector<CopiedReference> references_in(xml::Element parent);

// Whether an acknowledgement is signed by who must sign it (EB-159): by the partner's signal channel, or one of its channels when that has
// no SenderNonRepudiation. Nothing about its References.
SignatureVerdict judge_acknowledgment(const Context&, const cpa::Contracts&, const cpa::LoadedContract&, int sender_party, const Envelope&,
                                      Instant now);
// The References in the Acknowledgment are those of the message that we sent (EB-159); why not, or empty.
std::string differing_references(const Envelope& acknowledgment, const Envelope& sent);

}  // namespace schakel::ebms
