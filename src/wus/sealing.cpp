#include "wus/sealing.hpp"

#include "wus/body_encryption.hpp"
#include "wus/body_writing.hpp"
#include "wus/envelope_signing.hpp"
#include "wus/envelope_writing.hpp"
#include "wus/names.hpp"
#include "wus/security_writing.hpp"
#include "wus/xop_writing.hpp"

namespace schakel::wus {
namespace {

constexpr std::string_view plain_content_type = "text/xml; charset=utf-8";

// A profile is never left by accident: nothing unsigned or readable where the service says otherwise, and nothing more than it says
// (WUS-002, WUS-005).
Result<> check_profile(const MessageToMake& make, const Settings& settings) {
  if (!make.protection) return {};
  const bool encrypting = make.protection->recipient.has_value();
  if (settings.profile == Profile::be || !make.protection->signer)
    return fail("wus.signing", "the profile does not sign, or there is no key to sign with");
  if (settings.profile == Profile::be_se && !encrypting) return fail("wus.tokenType", "there is no certificate to encrypt for");
  if (settings.profile == Profile::be_s && encrypting) return fail("wus.encryption", "the profile does not encrypt");
  return {};
}

// The envelope around the content of Body, or the whole package around that, into one string of the right size: a message may be tens of
// megabytes, and a string that grows holds it twice.
class Entity {
 public:
  Entity(const EnvelopeText& envelope, std::string_view security, bool mtom, Random& random)
      : envelope_(envelope), security_(security), random_(random) {
    if (mtom) package_.emplace(random);
  }

  // Plain or signed: the content as it is, but for the cuts that become parts.
  MadeMessage with(const BodyText& content) {
    std::size_t size = content.text().size();
    for (const auto& cut : content.cuts())
      if (cut.is_part) size = size + cut.octets.size() + cut.content_type.size() - (cut.at.end - cut.at.begin);
    open(size, content.cuts().size());
    std::vector<std::pair<XopPart, BytesView>> parts;
    std::size_t at = 0;
    for (const auto& cut : content.cuts()) {
      if (!cut.is_part) continue;
      parts.emplace_back(make_part(random_, cut.content_type), cut.octets);
      out_.append(content.text().substr(at, cut.at.begin - at)).append(xop_include(parts.back().first));
      at = cut.at.end;
    }
    out_.append(content.text().substr(at)).append(EnvelopeText::after_content);
    for (const auto& [part, octets] : parts) {
      package_->open_part(part, out_);
      out_ += octets;
    }
    return close();
  }

  // The content encrypted; `declarations` go into its start tag.
  MadeMessage with(BodyEncryption& encryption, std::string_view content, std::string_view declarations, std::size_t mtom_threshold) {
    const auto name_end = declarations.empty() ? 0 : content.find_first_of(" \t\r\n/>");
    const std::initializer_list<BytesView> plain = {content.substr(0, name_end), declarations, content.substr(name_end)};
    const auto size = encryption.cipher_bytes(content.size() + declarations.size());
    const bool as_part = package_ && size >= mtom_threshold;
    open((as_part ? size : (size + 2) / 3 * 4) + encryption.data_start().size() + BodyEncryption::data_end.size(), 1);
    out_ += encryption.data_start();
    const auto part = make_part(random_);
    if (as_part) {
      out_ += xop_include(part);
    } else {
      encryption.append_base64(plain, out_);
    }
    out_.append(BodyEncryption::data_end).append(EnvelopeText::after_content);
    if (as_part) {
      package_->open_part(part, out_);
      encryption.append_octets(plain, out_);
    }
    return close();
  }

 private:
  void open(std::size_t content_bytes, std::size_t parts) {
    constexpr std::size_t include_bytes_max = 256;
    out_.reserve(content_bytes + envelope_.before_security.size() + security_.size() + envelope_.before_content.size() +
                 EnvelopeText::after_content.size() + parts * include_bytes_max + XopPackage::overhead_bytes(parts));
    if (package_) package_->open_root(out_);
    out_.append(envelope_.before_security).append(security_).append(envelope_.before_content);
  }
  MadeMessage close() {
    if (package_) package_->close(out_);
    return {.content_type = package_ ? package_->content_type() : std::string(plain_content_type),
            .entity = std::move(out_),
            .signature_value = {},
            .message_id = {}};
  }

  const EnvelopeText& envelope_;
  std::string_view security_;
  Random& random_;
  std::optional<XopPackage> package_;
  std::string out_;
};

Result<MadeMessage> make_unsecured(const MessageToMake& make, const Settings& settings, Random& random) {
  SCHAKEL_TRY(const auto envelope, envelope_text(make, nullptr));
  BodyText content(make, make.mtom, settings.mtom_threshold);
  {
    SCHAKEL_TRY(const auto tree, parse_envelope(envelope, {}, content, settings));
    if (settings.profile != Profile::be && !tree.body.first_child().is(ns::soapenv, "Fault"))
      return fail("wus.signing", "only a fault may be sent unsigned in this profile");
  }
  return Entity(envelope, {}, make.mtom, random).with(content);
}

Result<MadeMessage> make_secured(const MessageToMake& make, const Settings& settings, Instant now, Random& random) {
  const auto& [signer, recipient, confirmed] = *make.protection;
  Identifiers identifiers(random);
  SCHAKEL_TRY(const auto envelope, envelope_text(make, &identifiers));
  std::optional<BodyEncryption> encryption;
  if (recipient) {
    SCHAKEL_TRY(auto made, BodyEncryption::make(*recipient, settings, now, identifiers, random));
    encryption.emplace(std::move(made));
  }
  const SecurityIds ids{identifiers.next(), identifiers.next(), confirmed ? identifiers.next() : std::string()};
  // The order of WUS-100.
  std::string security =
      security_start() + timestamp(ids.timestamp, now, settings.timestamp_ttl) + binary_security_token(ids.token, signer->certificate());
  if (encryption) security += encryption->token();
  const std::string confirmation = confirmed ? signature_confirmation(ids.confirmation, *confirmed) : std::string();

  BodyText content(make, make.mtom && !encryption, settings.mtom_threshold);
  EnvelopeSignature signature;
  std::string declarations;
  {
    SCHAKEL_TRY(const auto tree, parse_envelope(envelope, security + confirmation + std::string(security_end), content, settings));
    SCHAKEL_TRY(signature, sign_envelope(tree, envelope, content, ids, settings, identifiers.next("SIG-"), signer->key()));
    if (encryption) declarations = content.outer_declarations();
  }
  if (encryption) security += encryption->encrypted_key();
  security.append(confirmation).append(signature.element).append(security_end);
  Entity entity(envelope, security, make.mtom, random);
  MadeMessage made = encryption ? entity.with(*encryption, content.text(), declarations, settings.mtom_threshold) : entity.with(content);
  made.signature_value = std::move(signature.value);
  return made;
}

}  // namespace

Result<MadeMessage> make_message(const MessageToMake& make, const Settings& settings, Instant now, Random& random) {
  if (make.body.size() > settings.max_size) return fail("wus.envelope", "the content of Body is larger than max_size");
  SCHAKEL_CHECK(check_profile(make, settings));
  auto made = make.protection ? make_secured(make, settings, now, random) : make_unsecured(make, settings, random);
  if (made) made->message_id = make.addressing.message_id;
  return made;
}

}  // namespace schakel::wus
