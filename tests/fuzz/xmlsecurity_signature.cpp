// A ds:Signature somewhere in a document: read, verified with a fixed certificate, its references digested. What verifies was signed as it
// stands: its SignedInfo in canonical form, read again, says the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "support/published_key.hpp"
#include "xml/canonical.hpp"
#include "xmlsecurity/signature.hpp"

using namespace schakel;
using namespace schakel::xmlsecurity;

namespace {

xml::Element signature_in(xml::Element top) {
  if (top.is(uri::ds, "Signature")) return top;
  for (const xml::Element child : top.children())
    if (const xml::Element found = signature_in(child)) return found;
  return {};
}

void check_verified(const Signature& signature) {
  const auto form = canonicalisation(signature.canonicalization_algorithm);
  if (!form) std::abort();
  const auto canonical = xml::canonicalise(signature.signed_info, {.form = *form, .inclusive_prefixes = signature.inclusive_prefixes});
  if (!canonical) std::abort();
  const auto again = xml::Document::parse(*canonical, {});
  if (!again) std::abort();
  const auto references = again->root().children(uri::ds, "Reference");
  if (references.size() != signature.references.size()) std::abort();
  for (std::size_t i = 0; i < references.size(); ++i) {
    if (references[i].attribute("", "URI") != signature.references[i].uri) std::abort();
    if (from_base64_lenient(references[i].child(uri::ds, "DigestValue").text()).value() != signature.references[i].digest_value)
      std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  static const auto certificate = security::Certificate::from_pem(test::published_certificate).value();
  const std::string_view input(reinterpret_cast<const char*>(octets), size);
  const auto document = xml::Document::parse(input, {.depth_max = 64, .elements_max = 500});
  if (!document) return 0;
  const xml::Element element = signature_in(document->root());
  if (!element) return 0;
  const auto signature = read_signature(element, {.references_max = 8});
  if (!signature) return 0;
  if (signature->references.empty() || signature->references.size() > 8 || signature->value.empty()) std::abort();
  for (const auto& reference : signature->references) {
    const auto method = digest_method(reference.digest_algorithm);
    if (!method || reference.transforms.empty()) continue;
    const auto& last = reference.transforms.back();
    const auto form = canonicalisation(last.algorithm);
    if (form) static_cast<void>(canonical_digest(*method, *document, {.form = *form, .inclusive_prefixes = last.inclusive_prefixes}));
  }
  if (verify_value(*signature, certificate)) check_verified(*signature);
  return 0;
}
