#include "wus/envelope_signing.hpp"

#include <utility>

#include "wus/names.hpp"
#include "wus/prefix_list.hpp"
#include "wus/security_writing.hpp"
#include "xmlsecurity/signature.hpp"

namespace schakel::wus {
namespace {

using xml::Element;

// References of one signature, gathered.
class References {
 public:
  References(const BodyText& content, const Settings& settings) : fillings_(content.fillings()), settings_(settings) {}

  Result<> add(std::string_view id, Element apex) {
    const auto prefixes = settings_.inclusive_prefixes ? inclusive_prefixes(apex) : std::vector<std::string>();
    auto digest = xmlsecurity::canonical_digest(settings_.digest_algorithm, apex, {.inclusive_prefixes = prefixes, .filled = fillings_});
    if (!digest) return fail("wus.envelope", "an element has no canonical form: " + digest.error().detail, digest.error().location);
    references_.push_back(
        {"#" + std::string(id), xmlsecurity::exclusive_transforms(prefixes), settings_.digest_algorithm, std::move(*digest)});
    return {};
  }
  std::vector<xmlsecurity::ReferenceToMake> take() { return std::move(references_); }

 private:
  std::vector<xml::Filling> fillings_;
  const Settings& settings_;
  std::vector<xmlsecurity::ReferenceToMake> references_;
};

}  // namespace

Result<EnvelopeTree> parse_envelope(const EnvelopeText& envelope, std::string_view security, BodyText& content, const Settings& settings) {
  std::string text = envelope.before_security;
  text.append(security).append(envelope.before_content);
  const auto around = text.size() + EnvelopeText::after_content.size();
  text.append(content.without_cuts()).append(EnvelopeText::after_content);
  auto document = xml::Document::parse(text, {.bytes_max = around + settings.max_size});
  if (!document) return fail("wus.envelope", "the parts do not make a well-formed envelope", document.error().location);
  const Element header = document->root().first_child();
  const Element body = header ? header.next_sibling() : header;
  const auto blocks = header ? header.children() : std::vector<Element>();
  if (!body || !header.is(ns::soapenv, "Header") || !body.is(ns::soapenv, "Body") || body.next_sibling() ||
      blocks.size() != envelope.header_blocks + (security.empty() ? 0 : 1))
    return fail("wus.envelope", "the parts do not make the envelope that was meant");
  for (std::size_t i = 0; i < envelope.header_ids.size(); ++i)
    if (blocks[i].attribute(ns::wsu, "Id") != envelope.header_ids[i])
      return fail("wus.envelope", "a header block did not get its identifier", blocks[i].path());
  SCHAKEL_CHECK(content.bind(body));
  return EnvelopeTree{std::move(*document), header, body, security.empty() ? Element() : blocks.back()};
}

Result<EnvelopeSignature> sign_envelope(const EnvelopeTree& tree, const EnvelopeText& envelope, const BodyText& content,
                                        const SecurityIds& ids, const Settings& settings, std::string id, EVP_PKEY* key) {
  References references(content, settings);
  Element block = tree.header.first_child();
  for (const auto& header_id : envelope.header_ids) {
    SCHAKEL_CHECK(references.add(header_id, block));
    block = block.next_sibling();
  }
  SCHAKEL_CHECK(references.add(ids.timestamp, tree.security.first_child()));
  if (!ids.confirmation.empty()) SCHAKEL_CHECK(references.add(ids.confirmation, tree.security.child(ns::wsse11, "SignatureConfirmation")));
  SCHAKEL_CHECK(references.add(envelope.body_id, tree.body));

  const xmlsecurity::SignatureToMake wanted{
      .id = std::move(id),
      .inclusive_prefixes = settings.inclusive_prefixes ? prefixes_in_scope(tree.security) : std::vector<std::string>(),
      .method = settings.signature_algorithm,
      .references = references.take(),
      .key_info = "<ds:KeyInfo>" + direct_reference(ids.token) + "</ds:KeyInfo>"};
  EnvelopeSignature out;
  auto element = xmlsecurity::make_signature(wanted, key, tree.security, &out.value);
  if (!element) return fail("wus.signing", element.error().detail);
  out.element = std::move(*element);
  return out;
}

}  // namespace schakel::wus
