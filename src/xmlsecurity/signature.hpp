// XML signatures (XML-DSig 1.1) as values: read one out of a parsed document, verify its value, make a new one. What a signature must
// cover, which references, transforms and keys a profile allows: the profile's own rules (ebms.md 3.8, security.md 3.6), in its own room.
//
// Nothing here searches, dereferences or rebuilds: references are given back as they stand, digests are computed by whoever knows what they
// are of. Pure functions over octets and trees, safe from every thread; keys are used through OpenSSL's handle only, so a key in a token
// works too.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "security/keys.hpp"
#include "xml/document.hpp"
#include "xmlsecurity/algorithms.hpp"

namespace schakel::xmlsecurity {

struct SignatureLimits {
  std::size_t references_max = 32;
  std::size_t transforms_max = 3;  // of one reference
  std::size_t certificates_max = 10;
  std::size_t prefix_list_bytes_max = 1024;  // of one InclusiveNamespaces (WUS-027)
};

struct Transform {
  std::string algorithm;                        // URI, as it stands
  std::vector<std::string> inclusive_prefixes;  // of an InclusiveNamespaces child; "" stands for #default
  xml::Element element;                         // for what a profile must read itself (ds:XPath)
};

struct Reference {
  std::optional<std::string> uri;  // absent and "" differ
  std::string type;
  std::vector<Transform> transforms;
  std::string digest_algorithm;  // URI, as it stands: may be one that is not in the lists
  Bytes digest_value;
  xml::Element element;
};

// Points into the document that it was read from.
struct Signature {
  xml::Element element, signed_info;
  std::string canonicalization_algorithm;
  std::vector<std::string> inclusive_prefixes;  // of CanonicalizationMethod
  std::string signature_algorithm;
  Bytes value;
  std::vector<Reference> references;
  xml::Element key_info;            // may be absent
  std::vector<Bytes> certificates;  // DER of ds:KeyInfo/ds:X509Data/ds:X509Certificate, in order: a hint, never proof
};

// Structure, counts and base64 only. Strict: the order of the schema, no ds:Object, no parameter that a listed algorithm does not have, no
// comment or instruction in a value. Errors: "signature.structure", "signature.limit"; the location is an XPath.
Result<Signature> read_signature(xml::Element ds_signature, const SignatureLimits&);

// Canonicalises SignedInfo and verifies its value with the key of the certificate. Errors: "signature.algorithm" (a method that is not in
// the lists, or one that does not fit the key), "signature.value". Nothing about references.
Result<> verify_value(const Signature&, const security::Certificate&);

// Digest of the octets that a Reference to `apex` (or, for URI="", the document) gives after its canonicalisation.
Result<Bytes> canonical_digest(DigestMethod, xml::Element apex, const xml::CanonicalOptions&);
Result<Bytes> canonical_digest(DigestMethod, const xml::Document&, const xml::CanonicalOptions&);

// --- making ------------------------------------------------------------------------------------------------------------------------

struct ReferenceToMake {
  std::string uri;
  std::string transforms;  // a serialised ds:Transforms element (prefix ds), or empty
  DigestMethod method = DigestMethod::sha256;
  Bytes digest;  // raw
};

struct SignatureToMake {
  std::string id{};  // an NCName; empty: no Id attribute
  xml::Canonical canonicalisation = xml::Canonical::exclusive;
  std::vector<std::string> inclusive_prefixes{};  // of CanonicalizationMethod, exclusive form only; "" stands for #default
  SignatureMethod method = SignatureMethod::rsa_sha256;
  std::vector<ReferenceToMake> references;
  std::string key_info;  // a serialised ds:KeyInfo element (prefix ds), or empty
};

// `<ds:Signature xmlns:ds="…">…</ds:Signature>` for insertion as a child of `parent`, whose namespaces in scope count when the
// canonicalisation is inclusive; a prefix that `transforms` uses must be declared in it. Errors: "signature.algorithm" (a method that is
// never made, or one that does not fit the key), "signature.structure" (a reference that is no XML), "signature.key" (the key failed).
// `value`: gets the octets of SignatureValue when it is not null.
Result<std::string> make_signature(const SignatureToMake&, EVP_PKEY*, xml::Element parent, Bytes* value = nullptr);

// `<ds:Transforms>` of exclusive canonicalisation alone, with an InclusiveNamespaces when there are prefixes ("" stands for #default).
std::string exclusive_transforms(std::span<const std::string> inclusive_prefixes);

// `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>…` of one certificate (EB-154).
std::string x509_key_info(const security::Certificate&);

}  // namespace schakel::xmlsecurity
