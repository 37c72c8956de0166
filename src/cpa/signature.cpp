#include "cpa/signature.hpp"

#include <algorithm>

#include "xmlsecurity/signature.hpp"

namespace schakel::cpa {
namespace {

// The digest of the document that `signature` stands in, without it and without `others`.
Result<Bytes> document_digest(xmlsecurity::DigestMethod method, xml::Element root, const xml::CanonicalOptions& form,
                              const std::vector<xml::Element>& omitted) {
  xml::CanonicalOptions options = form;
  options.omitted = omitted;
  return xmlsecurity::canonical_digest(method, root, options);
}

std::optional<std::string> reference_objection(const xmlsecurity::Signature& signature) {
  if (signature.references.size() != 1) return "it has not exactly one Reference";
  const auto& reference = signature.references.front();
  if (!reference.uri || !reference.uri->empty()) return "its Reference is not to the whole agreement";
  const auto method = xmlsecurity::digest_method(reference.digest_algorithm);
  if (!method) return "its digest algorithm is not allowed";
  const auto& transforms = reference.transforms;
  if (transforms.empty() || transforms.size() > 2 || transforms.front().algorithm != xmlsecurity::uri::enveloped_signature)
    return "its transforms are not enveloped-signature and at most one canonicalisation";

  xml::CanonicalOptions form;
  form.form = xml::Canonical::inclusive;  // what applies when no transform names one
  if (transforms.size() == 2) {
    const auto named = xmlsecurity::canonicalisation(transforms.back().algorithm);
    if (!named) return "its canonicalisation is not allowed";
    form.form = *named;
    form.inclusive_prefixes = transforms.back().inclusive_prefixes;
  }

  xml::Element root = signature.element;
  while (root.parent()) root = root.parent();
  std::vector<xml::Element> omitted{signature.element};
  for (;;) {
    const auto digest = document_digest(*method, root, form, omitted);
    if (digest && *digest == reference.digest_value) return std::nullopt;
    // Once more without the signatures behind it, the last one first.
    xml::Element last = omitted.back() == signature.element ? xml::Element() : omitted.back();
    xml::Element next;
    for (auto sibling = signature.element.next_sibling(); sibling && sibling != last; sibling = sibling.next_sibling()) next = sibling;
    if (!next) return "the agreement is not what was signed";
    omitted.push_back(next);
  }
}

}  // namespace

std::optional<std::string> signature_objection(xml::Element element, const std::vector<std::string>& oins, const CertificateChecks* checks,
                                               Instant now) {
  const auto signature = xmlsecurity::read_signature(element, {});
  if (!signature) return signature.error().detail;
  if (signature->certificates.empty()) return "its KeyInfo has no X509Certificate";
  const auto certificate = security::Certificate::from_der(signature->certificates.front());
  if (!certificate) return "its certificate cannot be read";
  const auto& oin = (*certificate)->oin.oin;
  if (oin.empty() || std::ranges::find(oins, oin) == oins.end()) return "its certificate is of neither party";
  if (checks) {
    const auto standing = checks->standing(*certificate, security::Usage::signing, now);
    if (!standing.chains || standing.revoked) return "its certificate is not trusted: " + standing.detail;
  }
  if (auto objection = reference_objection(*signature)) return objection;
  if (const auto verified = xmlsecurity::verify_value(*signature, *certificate); !verified) return verified.error().detail;
  return std::nullopt;
}

}  // namespace schakel::cpa
