// Two message handlers with keys, under an agreement of a secured profile; and a partner whose signatures a test makes as it likes.
#pragma once

#include "ebms/coverage.hpp"
#include "ebms/signing.hpp"
#include "security/pki.hpp"
#include "support/pki.hpp"
#include "support/test_keys.hpp"
#include "unit/ebms/pair.hpp"
#include "xmlsecurity/encryption.hpp"
#include "xmlsecurity/signature.hpp"

namespace schakel::ebms::testing {

using schakel::testing::TestKeys;

inline test::Pki& message_pki() {
  static test::Pki pki("http://127.0.0.1:8089", security::PkiGeneration::both, FakeClock().now());
  return pki;
}

// How a partner signs. What is left alone is as ebms.md 2.5.
struct Forged {
  xml::Canonical form = xml::Canonical::exclusive;  // of SignedInfo and of the last transform
  xmlsecurity::DigestMethod digest = xmlsecurity::DigestMethod::sha256;
  xmlsecurity::SignatureMethod method = xmlsecurity::SignatureMethod::rsa_sha256;
  // The ds:Transforms of the envelope; empty: those of 2.5.
  std::string transforms;
  bool leaves_out_next = true;  // what the filter in `transforms` does
  std::function<void(std::vector<xmlsecurity::ReferenceToMake>&)> change = nullptr;
  std::optional<std::string> key_info;
  std::string before = "</soap:Header>";  // where the signature goes
};

inline std::string transforms_with(std::string_view xpath_element, std::string_view last = "http://www.w3.org/2001/10/xml-exc-c14n#") {
  std::string out = "<ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>";
  if (!xpath_element.empty())
    out.append("<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\">").append(xpath_element).append("</ds:Transform>");
  if (!last.empty()) out.append("<ds:Transform Algorithm=\"").append(last).append("\"/>");
  return out + "</ds:Transforms>";
}

inline std::string xpath_with(std::string_view expression, std::string_view prefix = "soap") {
  return "<ds:XPath xmlns:" + std::string(prefix) + "=\"http://schemas.xmlsoap.org/soap/envelope/\">" + std::string(expression) +
         "</ds:XPath>";
}

class Secured : public Pair {
 protected:
  struct Organisation {
    security::Issued issued;
    const Bytes& der() const { return issued.certificate->der; }
  };
  static const Organisation& melder() {
    static const Organisation one{message_pki().tls(oin_a, "Melder")};
    return one;
  }
  static const Organisation& ontvanger() {
    static const Organisation one{message_pki().tls(oin_b, "Ontvanger")};
    return one;
  }

  // The anchors, but no list of revoked certificates yet.
  static std::shared_ptr<security::TrustStore> trust_without_lists() {
    auto& authority = message_pki().authority();
    return security::TrustStore::make({.profile = security::TrustProfile::test}, authority.anchors_pem(), authority.intermediates_pem())
        .value();
  }

  static AgreementBuilder secured(cpa::Profile profile = cpa::Profile::osb_rm_s) {
    auto builder = agreement(profile);
    builder.certificates(melder().der(), ontvanger().der());
    return builder;
  }

  void start_secured(const AgreementBuilder& builder = secured()) {
    keys = std::make_shared<TestKeys>(message_pki().trust());
    keys->hold("ta", melder().issued.key_pair);
    keys->hold("tb", ontvanger().issued.key_pair);
    start(builder, {}, keys);
  }

  // A request of a's, as it would leave, without leaving. `change` may alter the envelope before it is signed.
  WireRequest unsigned_request(std::vector<Bytes> payloads = {"<m/>"}) {
    on_wire = [this](const WireRequest& request, bool to_b) -> std::optional<Outcome> {
      if (to_b) captured = request;
      return status(503);  // not a broken connection: that would open the circuit
    };
    const auto submitted = a->submit(question(std::move(payloads)));
    EXPECT_TRUE(submitted) << submitted.error().detail;
    run(*a);
    on_wire = nullptr;
    EXPECT_EQ(envelope_of(captured).header.message_id, submitted->message_id);
    auto request = unpacked(captured);
    const std::size_t from = request.root.find("<ds:Signature "), to = request.root.find("</ds:Signature>");
    if (from != Bytes::npos) request.root.erase(from, to + 15 - from);
    return packed(captured, request);
  }

  // The envelope signed by `key` over the parts of the request.
  static WireRequest signed_by(const security::KeyPair& key, const WireRequest& request, const Forged& how = {}) {
    auto parts = unpacked(request);
    parts.root = with_signature(key, parts.root, parts.parts, how);
    return packed(request, parts);
  }

  static Bytes with_signature(const security::KeyPair& key, Bytes root, const std::vector<Part>& parts, const Forged& how) {
    const auto document = xml::Document::parse(root, {}).value();
    std::vector<xml::Element> left_out;
    if (how.leaves_out_next) {
      const ActorFilter filter{
          {{{"soap", std::string(uri::soap), std::string(uri::next_msh)}, {"soap", std::string(uri::soap), std::string(uri::next)}}}};
      left_out = left_out_by(filter, document.root());
    }
    xmlsecurity::SignatureToMake wanted;
    wanted.canonicalisation = how.form;
    wanted.method = how.method;
    wanted.key_info = how.key_info.value_or(xmlsecurity::x509_key_info(key.certificate()));
    const std::string own = transforms_with(xpath_with(own_actor_filter()), xmlsecurity::uri_of(how.form));
    wanted.references.push_back({"", how.transforms.empty() ? own : how.transforms, how.digest,
                                 xmlsecurity::canonical_digest(how.digest, document, {.form = how.form, .omitted = left_out}).value()});
    for (const Part& part : parts)
      wanted.references.push_back({"cid:" + part.content_id, {}, how.digest, xmlsecurity::digest(how.digest, part.octets)});
    if (how.change) how.change(wanted.references);
    const auto signature = xmlsecurity::make_signature(wanted, key.key(), document.root().child(uri::soap, "Header")).value();
    root.insert(root.rfind(how.before), signature);
    return root;
  }

  // A second later than what was before, so that the newest is the last.
  Answer to_b(const WireRequest& request) {
    clock.advance(std::chrono::seconds(1));
    return b->receive(request, &peer_a);
  }

  // What the partner hears about a refused message: the posted MessageError.
  std::optional<ErrorEntry> error_to_a() {
    std::optional<ErrorEntry> error;
    on_wire = [&](const WireRequest& request, bool to_b_side) -> std::optional<Outcome> {
      if (to_b_side) return status(503);
      const auto envelope = envelope_of(request);
      if (envelope.error_list) error = envelope.error_list->errors.front();
      return status(204);
    };
    run(*b);
    on_wire = nullptr;
    return error;
  }

  // The refusal of row 25, 24 or 20, complete: what the partner hears, and that nothing was delivered.
  ::testing::AssertionResult refused(const WireRequest& request, std::string_view location, std::string_view description,
                                     std::string_view reason) {
    const auto before = b->events().size();
    const Answer answer = to_b(request);
    if (answer.status != 204)
      return ::testing::AssertionFailure() << "status " << answer.status << " " << answer.body << b->last_error.detail;
    const auto error = error_to_a();
    if (!error) return ::testing::AssertionFailure() << "no MessageError";
    if (error->error_code != "SecurityFailure" || error->location != location || error->description != description)
      return ::testing::AssertionFailure() << error->error_code << " " << error->location << " " << error->description;
    if (b->events().size() != before) return ::testing::AssertionFailure() << "the application heard of it";
    const auto message = b->inbound().back();
    if (message.state != State::refused) return ::testing::AssertionFailure() << "state " << to_string(message.state);
    for (const auto& payload : b->payloads(message.id))
      if (!payload.purged) return ::testing::AssertionFailure() << "a payload was kept";
    const auto record = newest_record();
    if (record.find("\"reason\":\"" + std::string(reason) + "\"") == std::string::npos ||
        record.find(message.message_id) == std::string::npos)
      return ::testing::AssertionFailure() << "not audited as " << reason << ": " << record;
    return ::testing::AssertionSuccess();
  }
  ::testing::AssertionResult refused_as_invalid(const WireRequest& request, std::string_view reason) {
    return refused(request, "xpointer(//Header/Signature)", "Invalid Signature!", reason);
  }
  ::testing::AssertionResult accepted(const WireRequest& request) {
    const Answer answer = to_b(request);
    if (answer.status != 204) return ::testing::AssertionFailure() << "status " << answer.status << " " << answer.body;
    const auto message = b->inbound().back();
    if (message.state == State::received) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << to_string(message.state) << " " << (message.last_error ? message.last_error->detail : "") << " "
                                         << newest_record();
  }
  // Of b's audit log.
  std::string newest_record() {
    const auto rows = b->in_unit([](sql::Transaction& tx) { return tx.query("SELECT record FROM audit_log ORDER BY id DESC LIMIT 1"); });
    return rows && !rows->empty() ? std::string(rows->front().text(0)) : std::string("nothing");
  }

  static WireRequest replaced(WireRequest request, std::string_view from, std::string_view to) {
    const std::size_t at = request.body.find(from);
    EXPECT_NE(at, Bytes::npos) << from;
    if (at != Bytes::npos) request.body.replace(at, from.size(), to);
    return request;
  }

  std::shared_ptr<TestKeys> keys;
  WireRequest captured;
};

// Under osb-rm-e; the test encrypts for b as it likes.
class Encryption : public Secured {
 protected:
  // A signed request with its payload encrypted by a partner, as it likes.
  WireRequest encrypted(const xmlsecurity::EncryptionToMake& wanted, const Bytes& plain = "<m/>",
                        const security::Certificate& recipient = ontvanger().issued.certificate) {
    const auto request = signed_by(*melder().issued.key_pair, plain_request(plain));
    auto parts = unpacked(request);
    for (Part& part : parts.parts) {
      auto encryptor = xmlsecurity::Encryptor::make(wanted, recipient, a->random).value();
      Bytes document = encryptor.update(part.octets);
      document += encryptor.finish();
      part.octets = std::move(document);
      part.content_type = "application/xml";
    }
    return packed(request, parts);
  }
  // What a sends, opened again: the test signs and encrypts it anew.
  WireRequest plain_request(const Bytes& plain) {
    auto request = unpacked(unsigned_request({plain}));
    request.parts.at(0).octets = plain;
    request.parts.at(0).content_type = "application/xml";
    return packed(captured, request);
  }
  Bytes delivered() { return b->octets(b->payloads(b->inbound().back().id).at(0)); }
  ::testing::AssertionResult undecryptable(const WireRequest& request, std::string_view reason = "SEC.XML.ONTSLEUTELING") {
    return refused(request, "cid:" + unpacked(request).parts.at(0).content_id, "Decryption failed.", reason);
  }
  void start_encrypted(std::string_view algorithm = "http://www.w3.org/2009/xmlenc11#aes256-gcm") {
    auto builder = secured(cpa::Profile::osb_rm_e);
    builder.encryption(std::string(algorithm));
    start_secured(builder);
  }
};

}  // namespace schakel::ebms::testing
