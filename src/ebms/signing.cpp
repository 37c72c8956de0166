#include "ebms/signing.hpp"

#include <algorithm>
#include <array>

#include "cpa/profile.hpp"
#include "ebms/coverage.hpp"

namespace schakel::ebms {

namespace {

using xml::Element;
using xmlsecurity::Signature;

constexpr xmlsecurity::SignatureLimits signature_limits{.references_max = 101, .transforms_max = 4, .certificates_max = 10};  // 3.8 step 3

SignatureFault fault_of(std::string reason, std::string detail) {
  return {std::move(reason), std::move(detail), false};
}

}  // namespace

// --- making ------------------------------------------------------------------------------------------------------------------------

namespace {

const cpa::NonRepudiation* non_repudiation(const cpa::PartyInfo& party, const cpa::DeliveryChannel* channel) {
  const cpa::Binding* binding = cpa::sender_binding(party, channel);
  return binding && binding->non_repudiation ? &*binding->non_repudiation : nullptr;
}

Error cannot_sign(std::string detail) {
  return fail("contract.actionNotAllowed", std::move(detail));
}

}  // namespace

Result<Signing> signing_of(const Context& context, const cpa::Contracts& contracts, const cpa::LoadedContract& contract,
                           const cpa::PartyInfo& own, const cpa::DeliveryChannel* channel, Instant now) {
  const cpa::NonRepudiation* agreed = non_repudiation(own, channel);
  if (!agreed) return cannot_sign("the contract has no SenderNonRepudiation for the channel that must sign");
  if (!context.deps.keys) return cannot_sign("signed profiles need keys, and this node has none");
  Signing out;
  const auto digest = xmlsecurity::digest_method(agreed->hash_function);
  const auto method = xmlsecurity::signature_method(agreed->signature_algorithm);
  if (!digest || !method || !xmlsecurity::may_be_made(*method))
    return cannot_sign("the contract names an algorithm that is never used for signing: " +
                       for_log(digest ? agreed->signature_algorithm : agreed->hash_function));
  out.digest = *digest;
  out.method = *method;
  out.form = contract.settings.inclusive_c14n ? xml::Canonical::inclusive : xml::Canonical::exclusive;
  const cpa::CertificateEntry* entry = own.certificate(agreed->certificate_ref);
  if (!entry || entry->der.empty()) return cannot_sign("the contract has no signing certificate " + for_log(agreed->certificate_ref));
  const Bytes der = contracts.mapped_certificate(contract, entry->der, now);
  out.key = context.deps.keys->signing_key(contract.row.tenant, der, now);
  if (!out.key) return cannot_sign("no key of this installation may sign with " + certificate_name(der, agreed->certificate_ref));
  return out;
}

Result<Signing> signing_of_acknowledgment(const Context& context, const cpa::Contracts& contracts, const cpa::LoadedContract& contract,
                                          const cpa::PartyInfo& own, const cpa::DeliveryChannel* receive, Instant now) {
  const cpa::DeliveryChannel* signal = own.signal_channel("Acknowledgment");
  auto signing = signing_of(context, contracts, contract, own, signal, now);
  if (signing || receive == signal) return signing;
  auto fallback = signing_of(context, contracts, contract, own, receive, now);
  return fallback ? fallback : signing;
}

namespace {

// 2.5, octet for octet.
std::string envelope_transforms(xml::Canonical form) {
  std::string out = "<ds:Transforms><ds:Transform Algorithm=\"";
  out.append(xmlsecurity::uri::enveloped_signature).append("\"/><ds:Transform Algorithm=\"").append(xmlsecurity::uri::xpath);
  out.append("\"><ds:XPath xmlns:soap=\"").append(uri::soap).append("\">").append(own_actor_filter());
  out.append("</ds:XPath></ds:Transform><ds:Transform Algorithm=\"").append(xmlsecurity::uri_of(form)).append("\"/></ds:Transforms>");
  return out;
}

const ActorFilter& own_filter() {
  static const ActorFilter filter{
      {{{"soap", std::string(uri::soap), std::string(uri::next_msh)}, {"soap", std::string(uri::soap), std::string(uri::next)}}}};
  return filter;
}

}  // namespace

Result<Bytes> sign_envelope(Bytes envelope, std::span<const SignedPart> parts, const Signing& signing) {
  SCHAKEL_TRY(const xml::Document document, xml::Document::parse(envelope, {}));
  const auto left_out = left_out_by(own_filter(), document.root());
  xmlsecurity::SignatureToMake wanted;
  wanted.canonicalisation = signing.form;
  wanted.method = signing.method;
  wanted.key_info = xmlsecurity::x509_key_info(signing.key->certificate());
  SCHAKEL_TRY(Bytes whole, xmlsecurity::canonical_digest(signing.digest, document, {.form = signing.form, .omitted = left_out}));
  wanted.references.push_back({"", envelope_transforms(signing.form), signing.digest, std::move(whole)});
  for (const SignedPart& part : parts) wanted.references.push_back({part.href, {}, signing.digest, part.digest});
  const Element header = document.root().child(uri::soap, "Header");
  SCHAKEL_TRY(const std::string signature, xmlsecurity::make_signature(wanted, signing.key->key(), header));
  const std::size_t end = envelope.rfind("</soap:Header>");
  if (end == Bytes::npos) return fail("signature.structure", "the envelope has no soap:Header");
  envelope.insert(end, signature);
  return envelope;
}

// --- judging -----------------------------------------------------------------------------------------------------------------------

namespace {

void count_signatures(Element element, std::size_t& count) {
  if (element.is(uri::ds, "Signature")) ++count;
  for (Element child = element.first_child(); child; child = child.next_sibling()) count_signatures(child, count);
}

}  // namespace

FoundSignature find_signature(const Envelope& envelope) {
  const Element root = envelope.document->root();
  std::size_t all = 0;
  count_signatures(root, all);
  const Element element = root.child(uri::soap, "Header").child(uri::ds, "Signature");
  if (all != 1 || !element)
    return {std::nullopt, fault_of("SEC.XML.DEKKING", "not exactly one ds:Signature, or it is no child of soap:Header")};
  auto signature = xmlsecurity::read_signature(element, signature_limits);
  if (!signature)
    return {std::nullopt, fault_of(signature.error().code == "signature.limit" ? "SEC.XML.LIMIET" : "SEC.XML.HANDTEKENING",
                                   signature.error().detail + " " + signature.error().location)};
  return {std::move(*signature), {}};
}

std::optional<Failure> check_methods(const Signature& signature, const cpa::NonRepudiation& agreed) {
  const auto failure = [](const std::string& path, const char* text) {
    return Failure{20, "SecurityFailure", xpointer("//Header/Signature/SignedInfo/" + path + "/@Algorithm"), text};
  };
  for (const xmlsecurity::Reference& reference : signature.references)
    if (reference.digest_algorithm != agreed.hash_function || !xmlsecurity::digest_method(reference.digest_algorithm))
      return failure("Reference[@URI='" + reference.uri.value_or("") + "']/DigestMethod", "Invalid DigestMethod.");
  if (signature.signature_algorithm != agreed.signature_algorithm || !xmlsecurity::signature_method(signature.signature_algorithm))
    return failure("SignatureMethod", "Invalid SignatureMethod.");
  return std::nullopt;
}

Failure invalid_signature() {
  return {25, "SecurityFailure", xpointer("//Header/Signature"), "Invalid Signature!"};
}

namespace {

bool is_canonicalisation_alone(const xmlsecurity::Transform& transform, xml::Canonical form) {
  for (Element child = transform.element.first_child(); child; child = child.next_sibling())
    if (form != xml::Canonical::exclusive || !child.is(xmlsecurity::uri::ec, "InclusiveNamespaces")) return false;
  return true;
}

// One signature judged step by step; the first fault stays.
class Judgement {
 public:
  Judgement(const Context& context, const Envelope& envelope, const Signature& signature, std::span<const CoveredPart> parts,
            const Signatory& signatory, Instant now)
      : context_(context), envelope_(envelope), signature_(signature), parts_(parts), signatory_(signatory), now_(now) {}

  SignatureVerdict run() {
    (void)(check_canonicalisation() && check_references() && check_envelope_transforms() && check_part_transforms() && check_coverage() &&
           find_signer() && check_digests());
    return std::move(verdict_);
  }

 private:
  bool stop(std::string reason, std::string detail) {
    verdict_.fault = fault_of(std::move(reason), std::move(detail));
    return false;
  }
  Element root() const { return envelope_.document->root(); }

  bool check_canonicalisation() {
    if (xmlsecurity::canonicalisation(signature_.canonicalization_algorithm)) return true;
    return stop("SEC.XML.ALGORITME", "CanonicalizationMethod " + for_log(signature_.canonicalization_algorithm));
  }

  // Step 3: the envelope once, each part of the Manifest once, nothing else.
  bool check_references() {
    std::vector<std::size_t> covered(parts_.size(), 0);
    part_references_.assign(parts_.size(), nullptr);
    for (const xmlsecurity::Reference& reference : signature_.references) {
      if (!reference.uri) return stop("SEC.XML.TRANSFORM", "a Reference without URI");
      if (reference.uri->empty()) {
        if (envelope_reference_) return stop("SEC.XML.DEKKING", "two References to the envelope");
        envelope_reference_ = &reference;
        continue;
      }
      if (!reference.uri->starts_with("cid:")) return stop("SEC.XML.TRANSFORM", "a Reference to " + for_log(*reference.uri));
      const auto part = std::ranges::find(parts_, *reference.uri, &CoveredPart::href);
      if (part == parts_.end())
        return stop("SEC.XML.DEKKING", "a Reference to a part that is not in the Manifest: " + for_log(*reference.uri));
      const auto index = static_cast<std::size_t>(part - parts_.begin());
      if (++covered[index] > 1) return stop("SEC.XML.DEKKING", "two References to " + for_log(*reference.uri));
      part_references_[index] = &reference;
    }
    if (!envelope_reference_) return stop("SEC.XML.DEKKING", "no Reference to the envelope");
    for (std::size_t i = 0; i < covered.size(); ++i)
      if (covered[i] == 0) return stop("SEC.XML.DEKKING", "no Reference to " + for_log(parts_[i].href));
    return true;
  }

  // Step 4: enveloped-signature, at most one XPath, at most one canonicalisation; in this order.
  bool check_envelope_transforms() {
    const auto& transforms = envelope_reference_->transforms;
    std::size_t next = 0;
    const auto at = [&](std::string_view algorithm) { return next < transforms.size() && transforms[next].algorithm == algorithm; };
    if (!at(xmlsecurity::uri::enveloped_signature) || transforms[next].element.first_child())
      return stop("SEC.XML.TRANSFORM", "the first transform is not enveloped-signature");
    ++next;
    if (at(xmlsecurity::uri::xpath)) {
      const auto children = transforms[next].element.children();
      const auto filter =
          children.size() == 1 && children.front().is(uri::ds, "XPath") ? read_actor_filter(children.front()) : std::nullopt;
      if (!filter) return stop("SEC.XML.TRANSFORM", "an XPath that is not the one of ebMS2");
      left_out_ = left_out_by(*filter, root());
      ++next;
    }
    if (next < transforms.size()) {
      if (!canonical_transform(transforms[next], form_)) return false;
      prefixes_ = &transforms[next].inclusive_prefixes;
      ++next;
    }
    if (next != transforms.size()) return stop("SEC.XML.TRANSFORM", "more transforms than ebMS2 has");
    return true;
  }

  bool canonical_transform(const xmlsecurity::Transform& transform, xml::Canonical& form) {
    const auto known = xmlsecurity::canonicalisation(transform.algorithm);
    if (!known) return stop("SEC.XML.TRANSFORM", "transform " + for_log(transform.algorithm));
    if (!is_canonicalisation_alone(transform, *known)) return stop("SEC.XML.TRANSFORM", "a canonicalisation with parameters");
    form = *known;
    return true;
  }

  bool check_part_transforms() {
    for (const xmlsecurity::Reference* reference : part_references_) {
      if (reference->transforms.empty()) continue;
      xml::Canonical ignored = xml::Canonical::exclusive;
      if (reference->transforms.size() > 1) return stop("SEC.XML.TRANSFORM", "two transforms of a payload");
      if (!canonical_transform(reference->transforms.front(), ignored)) return false;
    }
    return true;
  }

  // Step 5, by node.
  bool check_coverage() {
    const Element header = root().child(uri::soap, "Header");
    for (const Element element : left_out_)
      if (!may_be_left_out(element, header)) return stop("SEC.XML.DEKKING", "the signature leaves out " + element.path());
    return true;
  }

  // Step 6: the key, its certificate, the value.
  bool find_signer() {
    std::vector<security::Certificate> candidates;
    if (!agreed_certificates(candidates)) return false;
    if (try_all(candidates)) return verified_by(*verified_, false);
    if (signatory_.contract.settings.signature_by_oin) {
      std::vector<security::Certificate> shown = shown_certificates();
      std::erase_if(shown, [&](const security::Certificate& certificate) { return !names_party(certificate); });
      if (try_all(shown)) return verified_by(*verified_, true);
    }
    return stop("SEC.XML.HANDTEKENING", "the signature was not made with the certificate of the agreement");
  }

  // The CPA's certificate, and what a mapping has put in its place (cpa.md 3.6).
  bool agreed_certificates(std::vector<security::Certificate>& out) {
    const cpa::CertificateEntry* entry = signatory_.party.certificate(signatory_.agreed.certificate_ref);
    if (!entry || entry->der.empty()) {
      if (signatory_.contract.settings.signature_by_oin) return true;
      return stop("SEC.XML.HANDTEKENING", "the agreement has no signing certificate");
    }
    if (auto certificate = context_.certificates->from_der(entry->der)) out.push_back(std::move(*certificate));
    const Bytes mapped = signatory_.contracts.mapped_certificate(signatory_.contract, entry->der, now_);
    if (mapped == entry->der) return true;
    if (auto certificate = context_.certificates->from_der(mapped)) out.push_back(std::move(*certificate));
    return true;
  }

  std::vector<security::Certificate> shown_certificates() const {
    std::vector<security::Certificate> out;
    for (const Bytes& der : signature_.certificates)
      if (auto certificate = context_.certificates->from_der(der)) out.push_back(std::move(*certificate));
    return out;
  }

  bool names_party(const security::Certificate& certificate) const {
    const std::string& oin = certificate->oin.oin;
    return !oin.empty() && signatory_.contracts.acts_for(signatory_.contract, signatory_.party, oin, now_, signatory_.scope);
  }

  bool try_all(const std::vector<security::Certificate>& candidates) {
    const auto found = std::ranges::find_if(candidates, [&](const security::Certificate& certificate) {
      return xmlsecurity::verify_value(signature_, certificate).has_value();
    });
    if (found == candidates.end()) return false;
    verified_ = *found;
    return true;
  }

  // EB-155, SEC-085.
  bool verified_by(const security::Certificate& certificate, bool other) {
    std::vector<security::Certificate> chain{certificate};
    for (auto& shown : shown_certificates())
      if (!(shown == certificate)) chain.push_back(std::move(shown));
    const auto verdict =
        context_.deps.keys->judge(signatory_.contract.environment, chain, security::Usage::signing, now_, envelope_.header.timestamp);
    if (!verdict.ok()) {
      verdict_.fault = SignatureFault{verdict.reason, verdict.detail, verdict.temporary()};
      return false;
    }
    if (!signatory_.party.oin().empty() && !names_party(certificate))
      return stop("SEC.OIN.GEEN_MANDAAT", "the signing certificate has OIN " + for_log(certificate->oin.oin));
    verdict_.certificate_sha256 = certificate->sha256;
    verdict_.basis = security::basis_text(verdict);
    verdict_.other_certificate = other;
    return true;
  }

  // Step 7 rests on this: every octet that is delivered was digested here.
  bool check_digests() {
    const auto method = xmlsecurity::digest_method(envelope_reference_->digest_algorithm);
    if (!method) return stop("SEC.XML.ALGORITME", "DigestMethod " + for_log(envelope_reference_->digest_algorithm));
    std::vector<Element> omitted = left_out_;
    omitted.push_back(signature_.element);
    xml::CanonicalOptions options{.form = form_, .omitted = omitted};
    if (prefixes_) options.inclusive_prefixes = *prefixes_;
    const auto whole = xmlsecurity::canonical_digest(*method, *envelope_.document, options);
    if (!whole) return stop("SEC.XML.HANDTEKENING", whole.error().detail);
    if (!constant_time_equal(*whole, envelope_reference_->digest_value))
      return stop("SEC.XML.HANDTEKENING", "the digest of the envelope differs");
    for (std::size_t i = 0; i < parts_.size(); ++i)
      if (!check_part(parts_[i], *part_references_[i])) return false;
    return true;
  }

  bool check_part(const CoveredPart& part, const xmlsecurity::Reference& reference) {
    const auto method = xmlsecurity::digest_method(reference.digest_algorithm);
    if (!method) return stop("SEC.XML.ALGORITME", "DigestMethod " + for_log(reference.digest_algorithm));
    const auto digest = reference.transforms.empty() ? part.digest(*method) : canonical_part(part, reference, *method);
    if (!digest) return stop(digest.error().code.starts_with("SEC.") ? digest.error().code : "SEC.XML.HANDTEKENING", digest.error().detail);
    if (constant_time_equal(*digest, reference.digest_value)) return true;
    return stop("SEC.XML.HANDTEKENING", "the digest of " + for_log(part.href) + " differs");
  }

  Result<Bytes> canonical_part(const CoveredPart& part, const xmlsecurity::Reference& reference, xmlsecurity::DigestMethod method) const {
    if (!part.in_memory) return fail("SEC.XML.LIMIET", "a large payload with a canonicalisation: " + for_log(part.href));
    SCHAKEL_TRY(const xml::Document document, xml::Document::parse(part.octets, {}));
    const xmlsecurity::Transform& transform = reference.transforms.front();
    return xmlsecurity::canonical_digest(
        method, document,
        {.form = *xmlsecurity::canonicalisation(transform.algorithm), .inclusive_prefixes = transform.inclusive_prefixes});
  }

  const Context& context_;
  const Envelope& envelope_;
  const Signature& signature_;
  std::span<const CoveredPart> parts_;
  const Signatory& signatory_;
  Instant now_;
  SignatureVerdict verdict_;
  const xmlsecurity::Reference* envelope_reference_ = nullptr;
  std::vector<const xmlsecurity::Reference*> part_references_;  // in the order of parts_
  std::vector<Element> left_out_;
  xml::Canonical form_ = xml::Canonical::inclusive;  // when no transform says it
  const std::vector<std::string>* prefixes_ = nullptr;
  std::optional<security::Certificate> verified_;
};

}  // namespace

SignatureVerdict judge_signature(const Context& context, const Envelope& envelope, const Signature& signature,
                                 std::span<const CoveredPart> parts, const Signatory& signatory, Instant now) {
  return Judgement(context, envelope, signature, parts, signatory, now).run();
}

// --- acknowledgements ----------------------------------------------------------------------------------------------------------------

namespace {

// Prefixes that stand in text only, so that no canonical form would keep their declarations.
std::vector<std::string> prefixes_in_text(const xmlsecurity::Reference& reference) {
  std::vector<std::string> prefixes;
  for (const xmlsecurity::Transform& transform : reference.transforms) {
    const Element xpath = transform.element.child(uri::ds, "XPath");
    const auto filter = xpath ? read_actor_filter(xpath) : std::nullopt;
    if (!filter) continue;
    for (const ActorFilter::Operand& operand : filter->operands)
      if (!operand.prefix.empty()) prefixes.push_back(operand.prefix);
  }
  return prefixes;
}

}  // namespace

std::vector<CopiedReference> references_in(Element parent) {
  std::vector<CopiedReference> out;
  for (const Element reference : parent.children(uri::ds, "Reference")) {
    // The schema has seen to it that both are there and that the value is base64.
    const Element method = reference.child(uri::ds, "DigestMethod"), value = reference.child(uri::ds, "DigestValue");
    const auto digest = from_base64_lenient(value.text());
    out.push_back(
        {reference.attribute("", "URI").value_or(""), method.attribute("", "Algorithm").value_or(""), digest ? *digest : Bytes()});
  }
  return out;
}

Result<std::string> copied_references(const Signature& signature) {
  std::string out;
  for (const xmlsecurity::Reference& reference : signature.references) {
    const auto prefixes = prefixes_in_text(reference);
    SCHAKEL_TRY(const Bytes copy,
                xml::canonicalise(reference.element, {.form = xml::Canonical::exclusive, .inclusive_prefixes = prefixes}));
    out += copy;
  }
  return out;
}

SignatureVerdict judge_acknowledgment(const Context& context, const cpa::Contracts& contracts, const cpa::LoadedContract& contract,
                                      int sender_party, const Envelope& envelope, Instant now) {
  SignatureVerdict verdict;
  if (!context.deps.keys) {
    verdict.fault = SignatureFault{"SEC.PKI.ANKER", "this node has no keys and no anchors", true};
    return verdict;
  }
  if (envelope.signatures == 0) {
    verdict.fault = fault_of("SEC.XML.DEKKING", "the acknowledgement is not signed");
    return verdict;
  }
  const auto found = find_signature(envelope);
  if (!found.signature) {
    verdict.fault = found.fault;
    return verdict;
  }
  const cpa::PartyInfo& party = contract.agreement.parties[static_cast<std::size_t>(sender_party)];
  std::vector<const cpa::NonRepudiation*> possible;
  if (const auto* signal = non_repudiation(party, party.signal_channel("Acknowledgment"))) {
    possible.push_back(signal);
  } else {
    for (const cpa::DeliveryChannel& channel : party.channels)
      if (const auto* agreed = non_repudiation(party, &channel)) possible.push_back(agreed);
  }
  verdict.fault = fault_of("SEC.XML.HANDTEKENING", "no channel of the partner has a SenderNonRepudiation");
  for (const cpa::NonRepudiation* agreed : possible) {
    if (const auto wrong = check_methods(*found.signature, *agreed)) {
      verdict.fault = fault_of("SEC.XML.ALGORITME", wrong->description + " " + wrong->location);
      continue;
    }
    verdict = judge_signature(context, envelope, *found.signature, {}, {contracts, contract, party, *agreed, "ebms"}, now);
    if (!verdict.fault || verdict.fault->temporary) break;
  }
  return verdict;
}

std::string differing_references(const Envelope& acknowledgment, const Envelope& sent) {
  const Element header = acknowledgment.document->root().child(uri::soap, "Header");
  const Element signature = sent.document->root().child(uri::soap, "Header").child(uri::ds, "Signature");
  auto copies = references_in(header.child(uri::eb, "Acknowledgment"));
  const auto ours = signature ? references_in(signature.child(uri::ds, "SignedInfo")) : std::vector<CopiedReference>();
  if (copies.size() != ours.size())
    return "it has " + std::to_string(copies.size()) + " References, the message has " + std::to_string(ours.size());
  for (const CopiedReference& reference : ours) {
    const auto copy = std::ranges::find(copies, reference);
    if (copy == copies.end()) return "no Reference equals the one to \"" + for_log(reference.uri) + "\"";
    copies.erase(copy);
  }
  return {};
}

}  // namespace schakel::ebms
