#include "wus/opening.hpp"

#include <algorithm>

#include "wus/body_decryption.hpp"
#include "wus/names.hpp"
#include "wus/signature_check.hpp"

namespace schakel::wus {
namespace {

using xml::Element;
namespace ds = xmlsecurity::uri;

bool is_encrypted(const Message& message) {
  return message.payload.is(ds::xenc, "EncryptedData");
}

// --- profile (step 8) ------------------------------------------------------------------------------------------------------------------

Result<> check_plain_profile(Message& message, const Settings& settings) {
  if (message.security && !settings.ignore_security_in_be)
    return fail("wus.securityInBe", "wsse:Security in a message of a service without it", message.security.path());
  message.security = {};
  if (is_encrypted(message)) return fail("wus.security", "an encrypted Body in a message of a service without encryption");
  return {};
}

Result<> check_secured_profile(const Message& message, const SecurityHeader& header, const Settings& settings) {
  const bool encrypting = header.is_encrypting() || is_encrypted(message);
  if (settings.profile == Profile::be_s && encrypting)
    return fail("wus.security", "encryption in a message of a service that only signs", header.element.path());
  if (settings.profile == Profile::be_se && !is_encrypted(message))
    return fail("wus.security", "the Body is not encrypted", message.body.path());
  return {};
}

// --- signer (step 11) ------------------------------------------------------------------------------------------------------------------

Result<security::Verdict> check_trust(const SignerToken& token, const OpeningKeys& keys) {
  auto verdict = keys.judge(token.chain);
  if (!verdict.ok()) {
    // Fail closed when it cannot be known whether the certificate was revoked (WUS-109).
    const auto* code = verdict.temporary() ? "wus.revocationUnknown" : "wus.authentication";
    return fail(code, verdict.reason + ": " + verdict.detail, token.element.path());
  }
  const auto& oin = token.chain.front()->oin;
  if (oin.oin.empty()) return fail("wus.authentication", oin.refusal + ": the signing certificate has no OIN", token.element.path());
  return verdict;
}

// WUS-149: the answer will be encrypted with it.
Result<> check_usable_for_answer(const security::Certificate& signer, const Settings& settings) {
  if (signer->key.type != security::KeyType::rsa) return fail("wus.tokenType", "an answer cannot be encrypted for a key that is not RSA");
  const bool may_encipher = !signer->has_key_usage || (signer->key_usage & security::key_encipherment) != 0;
  if (!may_encipher && !settings.allow_missing_key_encipherment)
    return fail("wus.tokenType", "an answer cannot be encrypted for a certificate without keyEncipherment");
  return {};
}

// WUS-162
Result<> check_expected(const security::Certificate& signer, const Expectation& expectation) {
  if (expectation.is_own && expectation.is_own(signer)) return fail("wus.signer", "the answer is signed with a certificate of our own");
  if (std::ranges::find(expectation.signer_oins, signer->oin.oin) == expectation.signer_oins.end())
    return fail("wus.signer", "the answer is signed by another organisation");
  return {};
}

// --- confirmation (WUS-160, WUS-161) -----------------------------------------------------------------------------------------------------

Result<> check_confirmation(const SecurityHeader& header, const Expectation& expectation, const Settings& settings) {
  if (header.confirmations.empty()) {
    if (settings.accept_missing_confirmation) return {};
    return fail("wus.confirmation", "SignatureConfirmation is missing", header.element.path());
  }
  const Element confirmation = header.confirmations.front();
  const auto value = from_base64_lenient(confirmation.attribute("", "Value").value_or(""));
  if (!value || !constant_time_equal(*value, expectation.request_signature_value))
    return fail("wus.confirmation", "SignatureConfirmation is not of the signature of the request", confirmation.path());
  return {};
}

// --- in the order of 4.1 ---------------------------------------------------------------------------------------------------------------

class Opening {
 public:
  Opening(Message& message, const Settings& settings, Kind kind, const OpeningKeys& keys, const Expectation* expectation, Instant now,
          Random& random)
      : message_(message), settings_(settings), kind_(kind), keys_(keys), expectation_(expectation), now_(now), random_(random) {}

  Result<Opened> run() {
    SCHAKEL_TRY(const auto header, read_security_header(message_.security));
    SCHAKEL_CHECK(check_secured_profile(message_, header, settings_));
    if (kind_ == Kind::request && !header.confirmations.empty())
      return fail("wus.security", "SignatureConfirmation in a request", header.confirmations.front().path());
    SCHAKEL_CHECK(read_time(header));
    SCHAKEL_CHECK(read_structure(header));
    SCHAKEL_CHECK(judge_signer(header));
    if (encrypted_) SCHAKEL_CHECK(decrypt());
    SCHAKEL_CHECK(verify_message(message_, header, signature_, token_, ids_, settings_, kind_));
    if (expectation_ != nullptr) SCHAKEL_CHECK(check_confirmation(header, *expectation_, settings_));
    return std::move(opened_);
  }

 private:
  Result<> read_time(const SecurityHeader& header) {
    SCHAKEL_TRY(const auto timestamp, read_timestamp(header.timestamp));
    SCHAKEL_CHECK(check_freshness(timestamp, settings_, now_));
    opened_.created = timestamp.created;
    opened_.expires = timestamp.expires;
    return {};
  }

  Result<> read_structure(const SecurityHeader& header) {
    SCHAKEL_TRY(signature_, read_message_signature(header));
    ids_.want_references_of(header.element);
    if (is_encrypted(message_)) ids_.want_references_of(message_.payload);
    SCHAKEL_CHECK(ids_.find_in(message_.envelope));
    if (is_encrypted(message_)) {
      SCHAKEL_TRY(encrypted_, read_encrypted_body(message_, header, ids_, keys_.decryption, settings_, now_));
    }
    opened_.signature_value = signature_.value;
    opened_.signature_algorithm = signature_.signature_algorithm;
    opened_.digest_algorithm = signature_.references.front().digest_algorithm;
    return {};
  }

  Result<> judge_signer(const SecurityHeader& header) {
    SCHAKEL_TRY(token_, find_signer_token(header, signature_.key_info, ids_, settings_, keys_.known));
    const auto& signer = token_.chain.front();
    SCHAKEL_TRY(const auto verdict, check_trust(token_, keys_));
    if (expectation_ != nullptr) SCHAKEL_CHECK(check_expected(signer, *expectation_));
    if (kind_ == Kind::request && encrypted_) SCHAKEL_CHECK(check_usable_for_answer(signer, settings_));
    opened_.signer = signer;
    opened_.signer_oin = signer->oin.oin;
    opened_.basis = security::basis_text(verdict);
    opened_.deviations = token_.deviations;
    return {};
  }

  Result<> decrypt() {
    if (!encrypted_->own.pair) return fail("wus.recipientUnknown", "the message is encrypted for none of our keys");
    if (encrypted_->own.issuer_differs) opened_.deviations.emplace_back("X509IssuerName is not the issuer of our certificate");
    opened_.cipher_algorithm = xmlsecurity::uri_of(encrypted_->cipher);
    opened_.transport_algorithm = xmlsecurity::uri_of(encrypted_->key.transport);
    if (!xmlsecurity::is_gcm(encrypted_->cipher)) opened_.excepted_algorithm = opened_.cipher_algorithm;
    SCHAKEL_CHECK(decrypt_body(message_, *encrypted_, settings_, random_));
    return ids_.find_in(message_.envelope);  // what came to light may have ids too (WUS-112)
  }

  Message& message_;
  const Settings& settings_;
  const Kind kind_;
  const OpeningKeys& keys_;
  const Expectation* const expectation_;
  const Instant now_;
  Random& random_;

  xmlsecurity::Signature signature_;
  Ids ids_;
  std::optional<EncryptedBody> encrypted_;
  SignerToken token_;
  Opened opened_;
};

}  // namespace

Result<Opened> open(Message& message, const Settings& settings, Kind kind, const OpeningKeys& keys, const Expectation* expectation,
                    Instant now, Random& random) {
  if (settings.profile == Profile::be) {
    SCHAKEL_CHECK(check_plain_profile(message, settings));
    return Opened{};
  }
  if (!message.security) return fail("wus.security", "wsse:Security is missing", message.envelope.path());
  return Opening(message, settings, kind, keys, expectation, now, random).run();
}

}  // namespace schakel::wus
