#include "xmlsecurity/signature.hpp"

#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>

#include "security/openssl.hpp"
#include "xml/canonical.hpp"
#include "xmlsecurity/elements.hpp"
#include "xmlsecurity/fetched.hpp"

namespace schakel::xmlsecurity {
namespace {

using xml::Element;

constexpr int rsa_bits_min = 2048;  // SEC-011, WUS-171

constexpr std::string_view structure = "signature.structure";

Error malformed(std::string detail, Element where) {
  return fail(std::string(structure), std::move(detail), where.path());
}
Error over(std::string_view what, std::size_t limit, Element where) {
  return fail("signature.limit", "more " + std::string(what) + " than " + std::to_string(limit), where.path());
}

Sequence sequence_of(Element parent) {
  return {parent, uri::ds, structure};
}

// A method without parameters: HMACOutputLength, RSAPSSParams and the like belong to algorithms that are not in the lists.
Result<std::string> plain_algorithm_of(Element element) {
  if (element.first_child()) return malformed("parameters of an algorithm that has none", element.first_child());
  return algorithm_of(element, structure);
}

// The PrefixList of an InclusiveNamespaces child, when there is one.
Result<std::vector<std::string>> inclusive_prefixes_of(Element method, std::string_view algorithm, const SignatureLimits& limits) {
  const auto lists = method.children(uri::ec, "InclusiveNamespaces");
  std::vector<std::string> prefixes;
  if (lists.empty()) return prefixes;
  if (lists.size() > 1 || canonicalisation(algorithm) != xml::Canonical::exclusive)
    return malformed("InclusiveNamespaces belongs once to exclusive canonicalisation", lists.front());
  const auto list = lists.front().attribute("", "PrefixList").value_or("");
  if (list.size() > limits.prefix_list_bytes_max) return over("octets of PrefixList", limits.prefix_list_bytes_max, lists.front());
  constexpr std::string_view spaces = " \t\r\n";
  for (auto begin = list.find_first_not_of(spaces); begin != std::string::npos;) {
    const auto end = std::min(list.find_first_of(spaces, begin), list.size());
    auto prefix = list.substr(begin, end - begin);
    if (prefix == "#default") prefix.clear();
    if (std::ranges::find(prefixes, prefix) == prefixes.end()) prefixes.push_back(std::move(prefix));
    begin = list.find_first_not_of(spaces, end);
  }
  return prefixes;
}

Result<std::vector<Transform>> read_transforms(Element transforms, const SignatureLimits& limits) {
  std::vector<Transform> out;
  auto sequence = sequence_of(transforms);
  while (const Element element = sequence.optional("Transform")) {
    if (out.size() == limits.transforms_max) return over("transforms of one reference", limits.transforms_max, transforms);
    Transform transform{.algorithm = {}, .inclusive_prefixes = {}, .element = element};
    SCHAKEL_TRY(transform.algorithm, algorithm_of(element, structure));
    SCHAKEL_TRY(transform.inclusive_prefixes, inclusive_prefixes_of(element, transform.algorithm, limits));
    out.push_back(std::move(transform));
  }
  SCHAKEL_CHECK(sequence.end());
  if (out.empty()) return malformed("ds:Transforms without a ds:Transform", transforms);
  return out;
}

Result<Reference> read_reference(Element element, const SignatureLimits& limits) {
  Reference reference;
  reference.element = element;
  reference.uri = element.attribute("", "URI");
  reference.type = element.attribute("", "Type").value_or("");
  auto parts = sequence_of(element);
  if (const Element transforms = parts.optional("Transforms")) {
    SCHAKEL_TRY(reference.transforms, read_transforms(transforms, limits));
  }
  SCHAKEL_TRY(const Element method, parts.required("DigestMethod"));
  SCHAKEL_TRY(reference.digest_algorithm, plain_algorithm_of(method));
  SCHAKEL_TRY(const Element value, parts.required("DigestValue"));
  SCHAKEL_TRY(reference.digest_value, octets_of(value, structure));
  SCHAKEL_CHECK(parts.end());
  return reference;
}

Result<> read_signed_info(Signature& signature, const SignatureLimits& limits) {
  auto parts = sequence_of(signature.signed_info);
  SCHAKEL_TRY(const Element canonicalization, parts.required("CanonicalizationMethod"));
  SCHAKEL_TRY(signature.canonicalization_algorithm, algorithm_of(canonicalization, structure));
  SCHAKEL_TRY(signature.inclusive_prefixes, inclusive_prefixes_of(canonicalization, signature.canonicalization_algorithm, limits));
  for (const Element child : canonicalization.children()) {
    if (!child.is(uri::ec, "InclusiveNamespaces")) return malformed("parameters of an algorithm that has none", child);
  }
  SCHAKEL_TRY(const Element method, parts.required("SignatureMethod"));
  SCHAKEL_TRY(signature.signature_algorithm, plain_algorithm_of(method));
  while (const Element reference = parts.optional("Reference")) {
    if (signature.references.size() == limits.references_max) return over("references", limits.references_max, signature.signed_info);
    SCHAKEL_TRY(auto read, read_reference(reference, limits));
    signature.references.push_back(std::move(read));
  }
  SCHAKEL_CHECK(parts.end());
  if (signature.references.empty()) return malformed("a signature of nothing", signature.signed_info);
  return {};
}

Result<std::vector<Bytes>> read_certificates(Element key_info, const SignatureLimits& limits) {
  std::vector<Bytes> out;
  for (const Element x509 : key_info.children(uri::ds, "X509Data")) {
    for (const Element certificate : x509.children(uri::ds, "X509Certificate")) {
      if (out.size() == limits.certificates_max) return over("certificates", limits.certificates_max, key_info);
      SCHAKEL_TRY(auto der, octets_of(certificate, structure));
      out.push_back(std::move(der));
    }
  }
  return out;
}

// --- values ------------------------------------------------------------------------------------------------------------------------

enum class Scheme { rsa_pkcs1, rsa_pss, ecdsa };

struct MethodFacts {
  Scheme scheme;
  DigestMethod digest;
};

MethodFacts facts_of(SignatureMethod method) {
  constexpr std::array schemes{Scheme::rsa_pkcs1, Scheme::rsa_pss, Scheme::ecdsa};
  constexpr std::array digests{DigestMethod::sha256, DigestMethod::sha384, DigestMethod::sha512};
  static_assert(static_cast<int>(SignatureMethod::rsa_pss_sha256) == 3 && static_cast<int>(SignatureMethod::ecdsa_sha512) == 8);
  const auto number = static_cast<std::size_t>(method);
  return {schemes[number / 3], digests[number % 3]};
}

// SEC-080: an HMAC or RSA method with another kind of key must not even be tried.
bool fits(Scheme scheme, const security::PublicKeyFacts& key) {
  using security::KeyType;
  if (scheme == Scheme::ecdsa) return key.type == KeyType::ec;
  return key.bits >= rsa_bits_min && (key.type == KeyType::rsa || (key.type == KeyType::rsa_pss && scheme == Scheme::rsa_pss));
}

// RFC 6931 2.3.9 and 2.3.10: MGF1 and the salt's length follow the hash.
bool set_pss(EVP_PKEY_CTX* context, const EVP_MD* digest) {
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(context, digest) == 1;
}

struct EcdsaFree {
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};

// XML-DSig writes r and s side by side, each as long as the order of the curve (6.4.3); OpenSSL wants DER. Empty: not of that form.
Bytes der_of_ecdsa(BytesView value, EVP_PKEY* key) {
  const auto half = static_cast<std::size_t>(EVP_PKEY_get_bits(key) + 7) / 8;
  if (value.size() != 2 * half) return {};
  const std::unique_ptr<ECDSA_SIG, EcdsaFree> signature(ECDSA_SIG_new());
  security::BigNumberPtr r(BN_bin2bn(security::octets(value), static_cast<int>(half), nullptr));
  security::BigNumberPtr s(BN_bin2bn(security::octets(value.substr(half)), static_cast<int>(half), nullptr));
  if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return {};
  static_cast<void>(r.release());
  static_cast<void>(s.release());
  return security::der_of(static_cast<const ECDSA_SIG*>(signature.get()), i2d_ECDSA_SIG);
}

// Canonical octets on their way into a signature operation.
class Feed final : public xml::Sink {
 public:
  using Update = int (*)(EVP_MD_CTX*, const void*, std::size_t);
  Feed(EVP_MD_CTX* context, Update update) : context_(context), update_(update) {}
  void write(BytesView octets) override { ok_ = ok_ && update_(context_, octets.data(), octets.size()) == 1; }
  bool ok() const { return ok_; }

 private:
  EVP_MD_CTX* context_;
  Update update_;
  bool ok_ = true;
};

Result<> value_failed(std::string detail) {
  ERR_clear_error();
  return fail("signature.value", std::move(detail));
}

// The method as an empty element, or with a PrefixList in it.
std::string canonical_method(std::string_view element, xml::Canonical form, std::span<const std::string> inclusive_prefixes) {
  std::string out = "<ds:";
  out.append(element).append(" Algorithm=\"").append(uri_of(form));
  if (inclusive_prefixes.empty()) return out += "\"/>";
  out.append("\"><ec:InclusiveNamespaces xmlns:ec=\"").append(uri::ec).append("\" PrefixList=\"");
  for (std::string_view between; const auto& prefix : inclusive_prefixes) {
    out.append(between).append(prefix.empty() ? "#default" : prefix);
    between = " ";
  }
  return out.append("\"/></ds:").append(element).append(">");
}

std::string reference_text(const ReferenceToMake& reference, std::string uri) {
  std::string out = "<ds:Reference URI=\"" + std::move(uri) + "\">" + reference.transforms + "<ds:DigestMethod Algorithm=\"";
  out.append(uri_of(reference.method)).append("\"/><ds:DigestValue>").append(to_base64(reference.digest));
  return out += "</ds:DigestValue></ds:Reference>";
}

Result<std::string> signed_info_text(const SignatureToMake& make) {
  std::string out = "<ds:SignedInfo>" + canonical_method("CanonicalizationMethod", make.canonicalisation, make.inclusive_prefixes);
  out.append("<ds:SignatureMethod Algorithm=\"").append(uri_of(make.method)).append("\"/>");
  for (const auto& reference : make.references) {
    SCHAKEL_TRY(auto uri, xml::escape_text(reference.uri));
    out += reference_text(reference, std::move(uri));
  }
  return out += "</ds:SignedInfo>";
}

Result<std::string> signature_start(const SignatureToMake& make) {
  std::string out = "<ds:Signature xmlns:ds=\"" + std::string(uri::ds) + '"';
  if (!make.id.empty()) {
    SCHAKEL_TRY(const auto id, xml::escape_text(make.id));
    out += " Id=\"" + id + '"';
  }
  return out += '>';
}

Result<Bytes> sign(EVP_PKEY* key, DigestMethod digest, Element signed_info, const xml::CanonicalOptions& options) {
  const security::DigestContextPtr context(EVP_MD_CTX_new());
  const auto failed = [] { return fail("signature.key", "the key cannot sign: " + security::openssl_error()); };
  if (!context || EVP_DigestSignInit(context.get(), nullptr, fetched(digest), nullptr, key) != 1) return failed();
  Feed feed(context.get(), EVP_DigestSignUpdate);
  SCHAKEL_CHECK(xml::canonicalise(signed_info, options, feed));
  std::size_t size = 0;
  if (!feed.ok() || EVP_DigestSignFinal(context.get(), nullptr, &size) != 1) return failed();
  Bytes value(size, '\0');
  if (EVP_DigestSignFinal(context.get(), reinterpret_cast<unsigned char*>(value.data()), &size) != 1) return failed();
  value.resize(size);
  return value;
}

}  // namespace

Result<Signature> read_signature(Element element, const SignatureLimits& limits) {
  if (!element.is(uri::ds, "Signature")) return malformed("not a ds:Signature", element);
  Signature signature;
  signature.element = element;
  auto parts = sequence_of(element);
  SCHAKEL_TRY(signature.signed_info, parts.required("SignedInfo"));
  SCHAKEL_TRY(const Element value, parts.required("SignatureValue"));
  signature.key_info = parts.optional("KeyInfo");
  SCHAKEL_CHECK(parts.end());
  SCHAKEL_CHECK(read_signed_info(signature, limits));
  SCHAKEL_TRY(signature.value, octets_of(value, structure));
  if (signature.key_info) {
    SCHAKEL_TRY(signature.certificates, read_certificates(signature.key_info, limits));
  }
  return signature;
}

Result<> verify_value(const Signature& signature, const security::Certificate& certificate) {
  const auto method = signature_method(signature.signature_algorithm);
  const auto form = canonicalisation(signature.canonicalization_algorithm);
  if (!method || !form) return fail("signature.algorithm", "an algorithm that is not in the lists", signature.signed_info.path());
  const auto [scheme, digest] = facts_of(*method);
  if (!fits(scheme, certificate->key)) return fail("signature.algorithm", "the key of the certificate does not fit the signature method");

  EVP_PKEY* key = X509_get0_pubkey(certificate.native());
  const security::DigestContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;  // belongs to the context
  if (!context || EVP_DigestVerifyInit(context.get(), &parameters, fetched(digest), nullptr, key) != 1 ||
      (scheme == Scheme::rsa_pss && !set_pss(parameters, fetched(digest)))) {
    return value_failed("the key cannot verify");
  }
  Feed feed(context.get(), EVP_DigestVerifyUpdate);
  SCHAKEL_CHECK(xml::canonicalise(signature.signed_info, {.form = *form, .inclusive_prefixes = signature.inclusive_prefixes}, feed));
  const Bytes value = scheme == Scheme::ecdsa ? der_of_ecdsa(signature.value, key) : signature.value;
  if (!feed.ok() || value.empty() || EVP_DigestVerifyFinal(context.get(), security::octets(value), value.size()) != 1)
    return value_failed("the signature value is not of this key over ds:SignedInfo");
  return {};
}

Result<Bytes> canonical_digest(DigestMethod method, Element apex, const xml::CanonicalOptions& options) {
  Digest digesting(method);
  SCHAKEL_CHECK(xml::canonicalise(apex, options, digesting));
  return digesting.finish();
}

Result<Bytes> canonical_digest(DigestMethod method, const xml::Document& document, const xml::CanonicalOptions& options) {
  Digest digesting(method);
  SCHAKEL_CHECK(xml::canonicalise(document, options, digesting));
  return digesting.finish();
}

Result<std::string> make_signature(const SignatureToMake& make, EVP_PKEY* key, Element parent, Bytes* value) {
  if (!may_be_made(make.method)) return fail("signature.algorithm", "signatures are not made with this method");
  if (!make.inclusive_prefixes.empty() && make.canonicalisation != xml::Canonical::exclusive)
    return fail("signature.algorithm", "a PrefixList belongs to exclusive canonicalisation");
  if (EVP_PKEY_is_a(key, "RSA") != 1 || EVP_PKEY_get_bits(key) < rsa_bits_min)
    return fail("signature.algorithm", "the key does not fit the signature method");
  SCHAKEL_TRY(std::string out, signature_start(make));
  SCHAKEL_TRY(const auto signed_info, signed_info_text(make));
  // SignedInfo is parsed alone, as it will stand in the document; the document itself stays as it is.
  const auto piece = xml::Document::parse(out + signed_info + "</ds:Signature>", {});
  if (!piece) return fail("signature.structure", "ds:SignedInfo would not be XML: " + piece.error().detail);
  SCHAKEL_TRY(Bytes octets, sign(key, facts_of(make.method).digest, piece->root().first_child(),
                                 {.form = make.canonicalisation, .inclusive_prefixes = make.inclusive_prefixes, .context = parent}));
  out.append(signed_info).append("<ds:SignatureValue>").append(to_base64(octets)).append("</ds:SignatureValue>");
  if (value != nullptr) *value = std::move(octets);
  return out.append(make.key_info).append("</ds:Signature>");
}

std::string exclusive_transforms(std::span<const std::string> inclusive_prefixes) {
  return "<ds:Transforms>" + canonical_method("Transform", xml::Canonical::exclusive, inclusive_prefixes) + "</ds:Transforms>";
}

std::string x509_key_info(const security::Certificate& certificate) {
  return "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>" + to_base64(certificate->der) + "</ds:X509Certificate></ds:X509Data></ds:KeyInfo>";
}

}  // namespace schakel::xmlsecurity
