#include "wus/signature_check.hpp"

#include <algorithm>

#include "wus/names.hpp"
#include "xml/canonical.hpp"

namespace schakel::wus {
namespace {

using xml::Element;
using xmlsecurity::Reference;
namespace ds = xmlsecurity::uri;

constexpr xmlsecurity::SignatureLimits signature_limits{
    .references_max = 64, .transforms_max = 2, .certificates_max = 10, .prefix_list_bytes_max = 1024};  // WUS-027
// What is canonicalised is at most a message; namespaces that are rendered on every element must not make gigabytes of it.
constexpr std::size_t canonical_growth_max = 4;

Error malformed(std::string detail, Element where) {
  return fail("wus.security", std::move(detail), where.path());
}
Error bad_transform(std::string detail, Element where) {
  return fail("wus.transform", std::move(detail), where.path());
}
Error refused(std::string detail, Element where) {
  return fail("wus.algorithm", std::move(detail), where.path());
}

bool is_exclusive(std::string_view algorithm) {
  return xmlsecurity::canonicalisation(algorithm) == xml::Canonical::exclusive;
}
bool is_token_transform(const Reference& reference) {
  return reference.transforms.front().algorithm == uri::str_transform;
}

// --- form ----------------------------------------------------------------------------------------------------------------------------

// wsse:TransformationParameters with a canonicalisation of our one kind.
Result<> check_token_transform(Element transform) {
  const Element parameters = transform.first_child();
  const Element method = parameters ? parameters.first_child() : Element();
  if (!method || !parameters.is(ns::wsse, "TransformationParameters") || parameters.next_sibling() ||
      !method.is(ds::ds, "CanonicalizationMethod") || method.next_sibling() || method.first_child())
    return bad_transform("STR-Transform without its one CanonicalizationMethod", transform);
  if (!is_exclusive(method.attribute("", "Algorithm").value_or(""))) return bad_transform("STR-Transform is not exclusive", method);
  return {};
}

// WUS-106. A second transform could only repeat the first, so there is none.
Result<> check_transforms(const Reference& reference) {
  if (reference.transforms.size() != 1) return bad_transform("a Reference does not have exactly one transform", reference.element);
  const auto& transform = reference.transforms.front();
  if (transform.algorithm == uri::str_transform) return check_token_transform(transform.element);
  if (!is_exclusive(transform.algorithm)) return bad_transform("a transform that is not exclusive canonicalisation", transform.element);
  for (Element child = transform.element.first_child(); child; child = child.next_sibling()) {
    if (!child.is(ds::ec, "InclusiveNamespaces")) return bad_transform("a parameter that the transform does not have", child);
  }
  return {};
}

Result<> check_reference(const Reference& reference) {
  if (!reference.uri || !id_of_reference(*reference.uri)) return malformed("a Reference whose URI is not #id", reference.element);
  SCHAKEL_CHECK(check_transforms(reference));
  if (!xmlsecurity::digest_method(reference.digest_algorithm)) return refused("a digest that is not allowed", reference.element);
  return {};
}

// --- coverage ------------------------------------------------------------------------------------------------------------------------

struct Covered {
  Element element;  // whose octets are digested: for STR-Transform the token
  const Reference* reference;
};

// WUS-105: a place of the message that a reference may point at.
bool is_at_place(Element element, const Message& message, const SecurityHeader& header) {
  return element == message.body || (message.header && element.parent() == message.header) || element.parent() == header.element;
}

Result<std::vector<Covered>> resolve(const xmlsecurity::Signature& signature, const Message& message, const SecurityHeader& header,
                                     const SignerToken& token, const Ids& ids) {
  std::vector<Covered> covered;
  std::vector<Element> seen;
  for (const Reference& reference : signature.references) {
    const Element element = ids[*id_of_reference(*reference.uri)];
    if (!element) return fail("wus.coverage", "a Reference to nothing", reference.element.path());
    const bool of_token = is_token_transform(reference);
    if (of_token ? element != token.reference : !is_at_place(element, message, header))
      return fail("wus.coverage", "a Reference to an element that is not used from there", element.path());
    // One digest of each element is enough, and bounds the work.
    if (std::ranges::find(seen, element) != seen.end()) return malformed("two References to one element", reference.element);
    seen.push_back(element);
    covered.push_back({of_token ? token.element : element, &reference});
  }
  return covered;
}

// WUS-104
Result<> check_coverage(const std::vector<Covered>& covered, const Message& message, const SecurityHeader& header, Kind kind) {
  const auto is_covered = [&](Element element) {
    return std::ranges::any_of(covered,
                               [element](const Covered& one) { return one.element == element && !is_token_transform(*one.reference); });
  };
  std::vector<Element> required{message.body, header.timestamp};
  required.insert(required.end(), message.addressing.begin(), message.addressing.end());
  required.insert(required.end(), message.extra_headers.begin(), message.extra_headers.end());
  for (const Element element : required) {
    if (!is_covered(element)) return fail("wus.coverage", "an element that must be signed is not", element.path());
  }
  for (const Element confirmation : header.confirmations) {
    if (is_covered(confirmation)) continue;
    return fail(kind == Kind::response ? "wus.confirmation" : "wus.coverage", "SignatureConfirmation is not signed", confirmation.path());
  }
  return {};
}

// --- digests -------------------------------------------------------------------------------------------------------------------------

// WSS 1.1, 8.3: the canonical form of the token, whose start tag always has a default namespace declaration.
Bytes with_default_namespace(Bytes canonical) {
  const auto tag_end = canonical.find('>');
  const auto default_namespace = canonical.find(" xmlns=\"");
  if (default_namespace < tag_end) return canonical;
  return canonical.insert(canonical.find_first_of(" >"), " xmlns=\"\"");
}

Result<Bytes> digest_of(const Covered& covered, xmlsecurity::DigestMethod method, std::size_t bytes_max) {
  if (is_token_transform(*covered.reference)) {
    SCHAKEL_TRY(auto canonical, xml::canonicalise(covered.element));
    return xmlsecurity::digest(method, with_default_namespace(std::move(canonical)));
  }
  const xml::CanonicalOptions options{.inclusive_prefixes = covered.reference->transforms.front().inclusive_prefixes,
                                      .bytes_max = bytes_max};
  return xmlsecurity::canonical_digest(method, covered.element, options);
}

Result<> check_digest(const Covered& covered, std::size_t bytes_max) {
  const auto digest = digest_of(covered, *xmlsecurity::digest_method(covered.reference->digest_algorithm), bytes_max);
  if (!digest) return fail("wus.signature", digest.error().detail, digest.error().location);
  if (!constant_time_equal(*digest, covered.reference->digest_value))
    return fail("wus.signature", "a digest is not that of the element", covered.element.path());
  return {};
}

}  // namespace

Result<xmlsecurity::Signature> read_message_signature(const SecurityHeader& header) {
  auto signature = xmlsecurity::read_signature(header.signature, signature_limits);
  if (!signature) return fail("wus.security", signature.error().detail, signature.error().location);
  for (const Reference& reference : signature->references) SCHAKEL_CHECK(check_reference(reference));
  if (!is_exclusive(signature->canonicalization_algorithm))
    return refused("a canonicalisation that is not exclusive", signature->signed_info);
  if (!xmlsecurity::signature_method(signature->signature_algorithm))
    return refused("a signature method that is not allowed", signature->signed_info);
  return std::move(*signature);
}

Result<> verify_message(const Message& message, const SecurityHeader& header, const xmlsecurity::Signature& signature,
                        const SignerToken& token, const Ids& ids, const Settings& settings, Kind kind) {
  SCHAKEL_TRY(const auto covered, resolve(signature, message, header, token, ids));
  SCHAKEL_CHECK(check_coverage(covered, message, header, kind));
  for (const Covered& one : covered) SCHAKEL_CHECK(check_digest(one, canonical_growth_max * settings.max_size));
  const auto verified = xmlsecurity::verify_value(signature, token.chain.front());
  if (verified) return {};
  const bool is_method = verified.error().code == "signature.algorithm";
  return fail(is_method ? "wus.algorithm" : "wus.signature", verified.error().detail, verified.error().location);
}

}  // namespace schakel::wus
