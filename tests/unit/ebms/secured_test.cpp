// The secured profiles end to end between two handlers (ebms.md 1.9, 1.10, 2.9): what travels, what is proved, what is refused.
#include "unit/ebms/secured.hpp"

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;
using cpa::Profile;
using testing::Encryption;
using testing::envelope_of;
using testing::packed;
using testing::Secured;
using testing::unpacked;
using testing::WireRequest;
using State = exchange::State;

constexpr Profile secured_profiles[] = {Profile::osb_be_s, Profile::osb_rm_s, Profile::osb_be_e, Profile::osb_rm_e};

Bytes every_octet() {
  Bytes out = "\r\n--b-\r\n";
  for (int c = 0; c < 256; ++c) out += static_cast<char>(c);
  return out;
}

std::size_t occurrences(std::string_view text, std::string_view wanted) {
  std::size_t count = 0;
  for (std::size_t at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + 1)) ++count;
  return count;
}

TEST_F(Secured, profiles_put_on_the_wire_what_their_column_says) {  // EB-094, EB-150, EB-158, EB-170, EB-174; A03
  for (const Profile profile : secured_profiles) {
    const std::string name(cpa::to_string(profile));
    const bool reliable = cpa::is_reliable(profile), encrypted = cpa::is_encrypted(profile);
    sent.clear();
    start_secured(secured(profile));
    const std::vector<Bytes> payloads{"<m/>", "", every_octet()};
    const auto submitted = a->submit(question(payloads));
    ASSERT_TRUE(submitted) << name << " " << submitted.error().detail;
    settle();
    ASSERT_EQ(sent.size(), reliable ? 2U : 1U) << name;

    const auto request = unpacked(sent[0]);
    const auto envelope = envelope_of(sent[0]);
    EXPECT_EQ(envelope.signatures, 1U) << name;
    EXPECT_NE(request.root.find("</ds:Signature></soap:Header>"), Bytes::npos) << name << ": the last child of the header";
    EXPECT_EQ(request.root.find("InclusiveNamespaces"), Bytes::npos) << name;
    EXPECT_EQ(envelope.ack_requested.size(), reliable ? 1U : 0U) << name;
    for (const auto& ack : envelope.ack_requested) EXPECT_TRUE(ack.is_signed && ack.targets_to_party_msh()) << name;
    EXPECT_EQ(envelope.header.duplicate_elimination, reliable) << name;
    EXPECT_EQ(envelope.header.time_to_live.has_value(), reliable) << name;
    EXPECT_FALSE(envelope.sync_reply) << name;
    const auto signature = find_signature(envelope).signature;
    ASSERT_TRUE(signature) << name;
    ASSERT_EQ(signature->references.size(), 4U) << name;
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(signature->references[i + 1].uri, "cid:" + request.parts[i].content_id) << name;
      EXPECT_TRUE(signature->references[i + 1].transforms.empty()) << name;
      EXPECT_EQ(signature->references[i + 1].digest_value, sha256(payloads[i])) << name << ": over the plain octets (EB-156, SEC-086)";
      EXPECT_EQ(request.parts[i].octets.starts_with("<xenc:EncryptedData "), encrypted) << name;
      EXPECT_EQ(request.parts[i].content_type, "application/xml") << name;
    }

    if (reliable) {
      const auto acknowledgment = envelope_of(sent[1]);
      EXPECT_EQ(acknowledgment.signatures, 1U) << name;
      EXPECT_EQ(differing_references(acknowledgment, envelope), "") << name;
      EXPECT_EQ(find_signature(acknowledgment).signature->references.size(), 1U) << name << ": only the envelope";
    }
    EXPECT_EQ(a->message(submitted->id).state, State::delivered) << name;
    EXPECT_EQ(a->message(submitted->id).confirmed, reliable) << name;
    const auto trail = a->trail(submitted->id);
    EXPECT_EQ(std::count(trail.begin(), trail.end(), "secured"), 1) << name;
    EXPECT_EQ(std::count(trail.begin(), trail.end(), "verified"), reliable ? 1 : 0) << name << ": the acknowledgement";

    ASSERT_EQ(b->inbound().size(), 1U) << name;
    const auto received = b->inbound()[0];
    EXPECT_EQ(received.state, State::received) << name;
    EXPECT_EQ(received.profile, name);
    const auto rows = b->payloads(received.id);
    ASSERT_EQ(rows.size(), 3U) << name;
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(b->octets(rows[i]), payloads[i]) << name;
      EXPECT_EQ(rows[i].sha256, sha256_hex(payloads[i])) << name;
      EXPECT_EQ(rows[i].content_type, "application/xml") << name;
      EXPECT_EQ(rows[i].wire_blob.empty(), !encrypted) << name;
    }
    const auto received_trail = b->trail(received.id);
    EXPECT_EQ(std::count(received_trail.begin(), received_trail.end(), "verified"), 2)
        << name << ": the signature, and what trust rests on";
    EXPECT_EQ(b->msh->unprotected_actions(b->contract()), std::vector<Msh::Unprotected>{}) << name;
  }
}

TEST_F(Secured, messages_keep_both_forms_of_an_encrypted_payload) {  // EB-220, EB-102
  start_secured(secured(Profile::osb_rm_e));
  const auto submitted = a->submit(question({"<geheim/>"}));
  settle();
  const auto sent_payload = a->payloads(submitted->id).at(0), received = b->payloads(b->inbound()[0].id).at(0);
  EXPECT_EQ(a->octets(sent_payload), "<geheim/>");
  const auto wire_form = [](testing::Node& node, exchange::Payload payload) {
    payload.blob = payload.wire_blob;
    payload.size = payload.wire_size;
    return node.octets(payload);
  };
  EXPECT_EQ(wire_form(*a, sent_payload), unpacked(sent[0]).parts[0].octets);
  EXPECT_EQ(wire_form(*b, received), unpacked(sent[0]).parts[0].octets);
  // Both go when payloads go.
  const std::string id = b->inbound()[0].id;
  EXPECT_TRUE(b->in_unit([&](sql::Transaction& tx) { return exchange::purge_payloads(tx, id); }));
  EXPECT_EQ(b->count("SELECT count(*) FROM blob_chunks"), 0);
}

TEST_F(Secured, signature_is_written_as_the_standard_prints_it) {  // EB-151, EB-152, EB-154; 2.5
  for (const bool inclusive : {false, true}) {
    start_secured();
    auto contract = secured().loaded("ta", 0);
    contract.settings.inclusive_c14n = inclusive;
    a->load(contract);
    sent.clear();
    ASSERT_TRUE(a->submit(question()));
    settle();
    const auto request = unpacked(sent[0]);
    const std::string form = inclusive ? "http://www.w3.org/TR/2001/REC-xml-c14n-20010315" : "http://www.w3.org/2001/10/xml-exc-c14n#";
    const std::string begin =
        "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"" + form +
        "\"/><ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/><ds:Reference URI=\"\"><ds:Transforms>"
        "<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/><ds:Transform "
        "Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><ds:XPath xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\">"
        "not(ancestor-or-self::node()[@soap:actor=\"urn:oasis:names:tc:ebxml-msg:actor:nextMSH\"]|ancestor-or-self::node()[@soap:actor="
        "\"http://schemas.xmlsoap.org/soap/actor/next\"])</ds:XPath></ds:Transform><ds:Transform Algorithm=\"" +
        form + "\"/></ds:Transforms><ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue>";
    EXPECT_NE(request.root.find(begin), Bytes::npos) << request.root;
    const std::string payload = "<ds:Reference URI=\"cid:" + request.parts[0].content_id +
                                "\"><ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue>" +
                                to_base64(sha256("<m/>")) + "</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>";
    EXPECT_NE(request.root.find(payload), Bytes::npos) << request.root;
    const std::string end = "</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>" + to_base64(melder().der()) +
                            "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature></soap:Header>";
    EXPECT_NE(request.root.find(end), Bytes::npos) << request.root;
  }
}

TEST_F(Secured, digests_and_signatures_follow_the_agreement) {  // EB-153, SEC-080
  constexpr std::pair<std::string_view, std::string_view> methods[] = {
      {"http://www.w3.org/2001/04/xmldsig-more#sha384", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"},
      {"http://www.w3.org/2001/04/xmlenc#sha512", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"}};
  for (const auto& [hash, signature] : methods) {
    for (const Profile profile : {Profile::osb_rm_s, Profile::osb_rm_e}) {
      sent.clear();
      auto builder = secured(profile);
      builder.algorithms(std::string(hash), std::string(signature));
      start_secured(builder);
      const auto submitted = a->submit(question({"<m/>", Bytes(300'000, 'x')}));
      ASSERT_TRUE(submitted) << submitted.error().detail;
      settle();
      EXPECT_EQ(occurrences(unpacked(sent[0]).root, hash), 3U);
      EXPECT_EQ(a->message(submitted->id).state, State::delivered);
    }
  }
}

TEST_F(Secured, large_payloads_pass_in_pieces_and_are_sent_again_octet_for_octet) {  // EB-031, EB-102, EB-170, EB-175
  for (const Profile profile : {Profile::osb_rm_s, Profile::osb_rm_e}) {
    sent.clear();
    start_secured(secured(profile));
    testing::SeededRandom random(3);
    Bytes large(2'500'000, '\0');
    random.fill({reinterpret_cast<unsigned char*>(large.data()), large.size()});
    SubmitRequest request = question({"<m/>", large});
    // As the API does: what is large is in the store before it is submitted.
    SubmitPayload& payload = request.payloads[1];
    payload.blob = "large";
    payload.sha256 = sha256_hex(large);
    payload.octets.clear();
    const auto stored = a->in_unit([&](sql::Transaction& tx) -> Result<> {
      for (std::size_t at = 0, chunk = 0; at < large.size(); at += limits::blob_chunk_bytes, ++chunk)
        SCHAKEL_CHECK(exchange::write_chunk(tx, "large", static_cast<std::int64_t>(chunk),
                                            BytesView(large).substr(at, limits::blob_chunk_bytes), clock.now()));
      return {};
    });
    ASSERT_TRUE(stored);
    const auto submitted = a->submit(request);
    ASSERT_TRUE(submitted) << submitted.error().detail;
    on_wire = [](const WireRequest&, bool) -> std::optional<Outcome> { return broken(); };
    settle();
    on_wire = nullptr;
    settle_at(5min);
    ASSERT_GE(sent.size(), 2U);
    EXPECT_EQ(sent[0].body, sent[1].body);
    EXPECT_EQ(a->message(submitted->id).state, State::delivered);
    const auto rows = b->payloads(b->inbound().at(0).id);
    EXPECT_EQ(b->octets(rows[1]), large);
    EXPECT_EQ(b->octets(rows[0]), "<m/>");
    EXPECT_LE(b->largest_read, limits::blob_chunk_bytes);
    EXPECT_EQ(b->largest_read > 0, cpa::is_encrypted(profile)) << "a signed message with SHA-256 needs no second reading";
  }
}

TEST_F(Secured, messages_have_at_most_29_payloads_unless_forced) {  // EB-034; A26
  start_secured();
  SubmitRequest request = question(std::vector<Bytes>(30, "<m/>"));
  const auto refused = a->submit(request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "payload.notAllowed");
  EXPECT_NE(refused.error().detail.find("29"), std::string::npos) << refused.error().detail;
  EXPECT_TRUE(a->submit(question(std::vector<Bytes>(29, "<m/>"))));
  request.force = true;
  const auto forced = a->submit(request);
  ASSERT_TRUE(forced) << forced.error().detail;
  settle();
  EXPECT_EQ(a->message(forced->id).state, State::delivered);
  EXPECT_EQ(b->count("SELECT count(*) FROM payloads"), 29 + 30);
  start();
  EXPECT_TRUE(a->submit(question(std::vector<Bytes>(30, "<m/>")))) << "of an unsigned message nothing is said";
}

TEST_F(Secured, acknowledgements_without_signature_are_given_where_the_agreement_wants_none) {  // EB-094, 2.9 footnote 1
  auto builder = secured();
  builder.acknowledgment_signatures(cpa::Occurrence::never);
  start_secured(builder);
  const auto submitted = a->submit(question());
  settle();
  EXPECT_FALSE(envelope_of(sent[0]).ack_requested.at(0).is_signed);
  EXPECT_EQ(envelope_of(sent[1]).signatures, 0U);
  EXPECT_EQ(unpacked(sent[1]).root.find("ds:Reference"), Bytes::npos);
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
}

TEST_F(Secured, acknowledgements_come_on_the_connection_too) {  // EB-121, EB-158
  auto builder = secured();
  builder.synchronous();
  start_secured(builder);
  const auto submitted = a->submit(question());
  settle();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(answers.at(0).status, 200U);
  EXPECT_EQ(occurrences(answers[0].body, "<ds:Signature "), 1U);
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
}

// --- check 15 and activation -------------------------------------------------------------------------------------------------------------

TEST_F(Secured, contracts_that_miss_a_key_are_not_activated_and_the_certificate_is_named) {  // EB-094, EB-158, CPA V43
  for (const Profile profile : {Profile::osb_rm_s, Profile::osb_rm_e}) {
    start_secured(secured(profile));
    keys->lose("ta");
    const auto unprotected = a->msh->unprotected_actions(a->contract());
    ASSERT_EQ(unprotected.size(), 2U);
    EXPECT_EQ(unprotected[0].action, "question");
    EXPECT_NE(unprotected[0].reason.find("no key of this installation may sign with certificate A_Certificate"), std::string::npos)
        << unprotected[0].reason;
    EXPECT_NE(unprotected[0].reason.find(melder().issued.certificate->sha256), std::string::npos) << unprotected[0].reason;
    EXPECT_EQ(unprotected[1].action, "answer") << "the acknowledgement could not be signed";
    const auto submitted = a->submit(question());
    ASSERT_FALSE(submitted);
    EXPECT_EQ(submitted.error().code, "contract.actionNotAllowed");
    EXPECT_NE(submitted.error().detail.find("A_Certificate"), std::string::npos);
  }
  keys->trust(nullptr);
  EXPECT_EQ(b->msh->unprotected_actions(b->contract()).size(), 2U) << "no anchors";
}

TEST_F(Secured, algorithms_that_are_never_used_are_named_at_activation) {  // EB-153, EB-171
  auto builder = secured(Profile::osb_rm_e);
  builder.algorithms("http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2000/09/xmldsig#rsa-sha1");
  start_secured(builder);
  const auto unprotected = a->msh->unprotected_actions(a->contract());
  ASSERT_FALSE(unprotected.empty());
  EXPECT_NE(unprotected[0].reason.find("http://www.w3.org/2000/09/xmldsig#sha1"), std::string::npos) << unprotected[0].reason;
  auto old = secured(Profile::osb_rm_e);
  old.encryption("http://www.w3.org/2001/04/xmlenc#tripledes-cbc");
  start_secured(old);
  EXPECT_NE(a->msh->unprotected_actions(a->contract()).at(0).reason.find("tripledes-cbc"), std::string::npos);
  EXPECT_FALSE(a->submit(question())) << "3DES is never sent";
}

TEST_F(Secured, acknowledgements_that_cannot_be_signed_are_refused_before_anything_is_stored) {  // EB-158; row 15
  start_secured();
  const auto request = signed_by(*melder().issued.key_pair, unsigned_request());
  keys->lose("tb");
  EXPECT_EQ(to_b(request).status, 204U);
  const auto error = error_to_a();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error_code, "Inconsistent");
  EXPECT_EQ(error->location, "xpointer(//Header/AckRequested/@signed)");
  EXPECT_EQ(error->description, "Wrong value.");
}

// --- acknowledgements received -----------------------------------------------------------------------------------------------------------

class Acknowledgements : public Secured {
 protected:
  // The acknowledgement is changed on its way; then it comes as it was made, after a repetition.
  void forged_does_not_count(const std::function<Bytes(const Bytes&)>& change, std::string_view reason) {
    sent.clear();
    start_secured();
    const auto submitted = a->submit(question());
    on_wire = [&](const WireRequest& request, bool to_b_side) -> std::optional<Outcome> {
      if (to_b_side) return std::nullopt;
      WireRequest changed = request;
      changed.body = change(request.body);
      const Answer answer = a->receive(changed, &peer_b);
      EXPECT_EQ(answer.status, 204U) << "a signal is never answered";
      return status(answer.status);
    };
    settle();
    const auto message = a->message(submitted->id);
    EXPECT_EQ(message.state, State::sent) << reason << ": not final, retries go on";
    EXPECT_TRUE(message.next_attempt_at) << reason;
    EXPECT_EQ(a->count("SELECT count(*) FROM signals WHERE direction = 'inbound' AND error = '" + std::string(reason) + "'"), 1)
        << reason << ": kept as evidence";
    EXPECT_EQ(a->count("SELECT count(*) FROM audit_log WHERE record LIKE '%\"reason\":\"" + std::string(reason) + "\"%'"), 1) << reason;
    on_wire = nullptr;
    settle_at(5min);
    EXPECT_EQ(a->message(submitted->id).state, State::delivered) << reason << ": the same id, as it was made";
  }
};

TEST_F(Acknowledgements, that_do_not_prove_receipt_are_ignored_and_kept_as_evidence) {  // EB-159; A17
  forged_does_not_count(
      [](Bytes body) {
        const std::size_t from = body.find("<ds:Signature "), to = body.find("</ds:Signature>");
        return body.erase(from, to + 15 - from);
      },
      "SEC.XML.DEKKING");
  forged_does_not_count(
      [](Bytes body) {
        const std::size_t at = body.find("<ds:DigestValue>") + 16;
        body[at] = body[at] == 'A' ? 'B' : 'A';
        return body;
      },
      "SEC.XML.HANDTEKENING");
}

TEST_F(Acknowledgements, must_carry_the_references_of_the_message) {  // EB-159; A17
  // Properly signed by the partner, with other References.
  const auto resigned = [](Bytes body, const std::function<void(Bytes&)>& change) {
    const std::size_t from = body.find("<ds:Signature "), to = body.find("</ds:Signature>");
    body.erase(from, to + 15 - from);
    change(body);
    return with_signature(*ontvanger().issued.key_pair, body, {}, {});
  };
  const auto drop_last = [](Bytes& body) {
    const std::size_t end = body.rfind("</ds:Reference>") + 15, begin = body.rfind("<ds:Reference ");
    body.erase(begin, end - begin);
  };
  const auto other_digest = [](Bytes& body) {
    const std::size_t at = body.rfind("<ds:DigestValue>") + 16;
    body[at] = body[at] == 'A' ? 'B' : 'A';
  };
  forged_does_not_count([&](const Bytes& body) { return resigned(body, drop_last); }, "SEC.XML.DEKKING");
  forged_does_not_count([&](const Bytes& body) { return resigned(body, other_digest); }, "SEC.XML.DEKKING");
  // Signed by somebody else, who is trusted too.
  forged_does_not_count(
      [](Bytes body) {
        const std::size_t from = body.find("<ds:Signature "), to = body.find("</ds:Signature>");
        body.erase(from, to + 15 - from);
        return with_signature(*melder().issued.key_pair, body, {}, {});
      },
      "SEC.XML.HANDTEKENING");
}

TEST_F(Acknowledgements, count_although_the_copied_filter_has_a_prefix_that_is_not_declared) {  // EB-159; A17
  start_secured();
  const auto submitted = a->submit(question());
  on_wire = [&](const WireRequest& request, bool to_b_side) -> std::optional<Outcome> {
    if (to_b_side) return std::nullopt;
    WireRequest changed = request;
    Bytes& body = changed.body;
    const std::size_t from = body.find("<ds:Signature "), to = body.find("</ds:Signature>");
    body.erase(from, to + 15 - from);
    for (std::size_t at = body.find("@soap:actor"); at != Bytes::npos; at = body.find("@soap:actor", at))
      body.replace(at, 11, "@nowhere:actor");
    body = with_signature(*ontvanger().issued.key_pair, body, {}, {});
    return status(a->receive(changed, &peer_b).status);
  };
  settle();
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
}

TEST_F(Acknowledgements, wait_for_a_list_of_revoked_certificates) {  // EB-155, EB-159
  start_secured();
  const auto submitted = a->submit(question());
  const auto trust = trust_without_lists();
  on_wire = [&](const WireRequest& request, bool to_b_side) -> std::optional<Outcome> {
    if (to_b_side) return std::nullopt;
    keys->trust(trust);
    const Answer answer = a->receive(request, &peer_b);
    EXPECT_EQ(answer.status, 503U);
    keys->trust(testing::message_pki().trust());
    return status(answer.status);
  };
  settle();
  EXPECT_FALSE(exchange::is_final(a->message(submitted->id).state));
  EXPECT_EQ(a->count("SELECT count(*) FROM signals WHERE direction = 'inbound'"), 0);
  on_wire = nullptr;
  settle_at(1min);
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
}

// --- duplicates --------------------------------------------------------------------------------------------------------------------------

TEST_F(Secured, repetition_with_new_ciphertext_is_a_duplicate) {  // EB-110, EB-241; A19
  start_secured(secured(Profile::osb_rm_e));
  ASSERT_TRUE(a->submit(question({"<m/>"})));
  settle();
  auto again = unpacked(sent[0]);
  xmlsecurity::EncryptionToMake wanted;
  wanted.mime_type = "application/xml";
  auto encryptor = xmlsecurity::Encryptor::make(wanted, ontvanger().issued.certificate, a->random).value();
  again.parts[0].octets = encryptor.update("<m/>");
  again.parts[0].octets += encryptor.finish();
  ASSERT_NE(again.parts[0].octets, unpacked(sent[0]).parts[0].octets);
  const Bytes first = unpacked(sent[1]).root;
  EXPECT_EQ(to_b(packed(sent[0], again)).status, 204U);
  sent.clear();
  settle();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(unpacked(sent[0]).root, first) << "the first acknowledgement, octet for octet";
  EXPECT_EQ(b->inbound().size(), 1U);
  EXPECT_EQ(b->inbound()[0].duplicate_count, 1);
}

// --- certificates ------------------------------------------------------------------------------------------------------------------------

TEST_F(Secured, messages_wait_for_a_list_of_revoked_certificates) {  // EB-155, SEC-021
  start_secured();
  const auto request = signed_by(*melder().issued.key_pair, unsigned_request());
  keys->trust(trust_without_lists());
  const Answer answer = to_b(request);
  EXPECT_EQ(answer.status, 503U);
  EXPECT_TRUE(answer.retry_after);
  EXPECT_TRUE(b->inbound().empty());
  EXPECT_EQ(b->count("SELECT count(*) FROM duplicate_keys"), 0) << "nothing is stored";
  keys->trust(testing::message_pki().trust());
  EXPECT_TRUE(accepted(request));
}

TEST_F(Secured, certificates_are_judged_at_receipt_and_at_the_timestamp) {  // EB-155; A15
  auto& pki = testing::message_pki();
  // Expired at receipt.
  const auto brief = pki.issue(
      {.profile = security::PkiProfile::tls, .oin = oin_a, .organisation = "Melder", .kvk = "90000001", .hosts = {"a.example"}, .days = 1});
  auto builder = agreement(cpa::Profile::osb_rm_s);
  builder.certificates(brief.certificate->der, ontvanger().der());
  start_secured(builder);
  keys->hold("ta", brief.key_pair);
  const auto early = signed_by(*brief.key_pair, unsigned_request());
  clock.advance(10min);
  EXPECT_TRUE(accepted(early));
  clock.set(brief.certificate->not_after + 1min);
  // The time to live has not passed, the certificate has.
  builder.reliability(100, 30min, 100h);
  b->load(builder.loaded("tb", 1));
  a->load(builder.loaded("ta", 0));
  const auto late = signed_by(*brief.key_pair, unsigned_request());
  EXPECT_TRUE(refused_as_invalid(late, "SEC.PKI.VERLOPEN"));
}

TEST_F(Secured, revoked_certificates_sign_nothing) {  // EB-155, SEC-020; A15
  auto& pki = testing::message_pki();
  const auto lost =
      pki.issue({.profile = security::PkiProfile::tls, .oin = oin_a, .organisation = "Melder", .kvk = "90000001", .hosts = {"a.example"}});
  auto builder = agreement(cpa::Profile::osb_rm_s);
  builder.certificates(lost.certificate->der, ontvanger().der());
  start_secured(builder);
  keys->hold("ta", lost.key_pair);
  const auto request = signed_by(*lost.key_pair, unsigned_request());
  ASSERT_TRUE(pki.authority().revoke(lost.certificate->serial, 1, clock.now()));
  keys->trust(pki.trust());
  EXPECT_TRUE(refused_as_invalid(request, "SEC.PKI.INGETROKKEN"));
}

TEST_F(Secured, certificates_of_another_organisation_sign_nothing) {  // SEC-085; A15
  auto& pki = testing::message_pki();
  const auto other = pki.tls("00000001800000009000", "Buurman");
  // Even when the agreement names it: its number is not the party's, and there is no mandate.
  auto builder = agreement(cpa::Profile::osb_rm_s);
  builder.certificates(other.certificate->der, ontvanger().der());
  start_secured(builder);
  keys->hold("ta", other.key_pair);
  const auto request = signed_by(*other.key_pair, unsigned_request());
  EXPECT_TRUE(refused_as_invalid(request, "SEC.OIN.GEEN_MANDAAT"));
  b->contracts = std::make_shared<const cpa::Contracts>(
      std::vector{builder.loaded("tb", 1)}, std::vector<cpa::UrlMapping>{}, std::vector<cpa::CertificateMapping>{},
      std::vector<cpa::Mandate>{{"tb", oin_a, "00000001800000009000", "ebms", "", clock.now() - 1h, clock.now() + 24h, true}});
  EXPECT_TRUE(accepted(signed_by(*other.key_pair, unsigned_request())));
}

// A fault of our own that this message meets (3.5 row 28).
class Broken final : public testing::TestKeys {
 public:
  using TestKeys::TestKeys;
  security::Verdict judge(std::string_view, std::span<const security::Certificate>, security::Usage, Instant, Instant) const override {
    throw std::logic_error("an invariant of the test");
  }
};

TEST_F(Secured, a_message_that_meets_a_fault_of_ours_is_answered_with_unknown) {  // EB-133 (3.5 row 28)
  start_secured();
  const auto request = signed_by(*melder().issued.key_pair, unsigned_request());
  const auto broken = std::make_shared<Broken>(testing::message_pki().trust());
  broken->hold("tb", ontvanger().issued.key_pair);
  b = std::make_unique<testing::Node>("tb", clock, secured().loaded("tb", 1), 2, Settings{}, broken);
  EXPECT_EQ(to_b(request).status, 204u);
  ASSERT_EQ(b->inbound().size(), 1u);
  EXPECT_EQ(b->inbound().front().state, State::refused);
  EXPECT_EQ(b->log.lines("ebms.internal").size(), 1u);
  const auto error = error_to_a();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error_code, "Unknown");
  EXPECT_EQ(error->location, "");
  EXPECT_EQ(error->description, "An unknown error occurred!");
}

TEST_F(Secured, person_certificates_sign_nothing) {  // SEC-014
  auto& pki = testing::message_pki();
  const auto client = pki.issue({.profile = security::PkiProfile::auth, .oin = oin_a, .organisation = "Melder", .kvk = "90000001"});
  auto builder = agreement(cpa::Profile::osb_rm_s);
  builder.certificates(client.certificate->der, ontvanger().der());
  start_secured(builder);
  keys->hold("ta", client.key_pair);
  const auto verdict = pki.trust()->verify_path(std::span(&client.certificate, 1), security::Usage::signing, clock.now());
  ASSERT_FALSE(verdict.ok()) << "a certificate for logging in is none for signing";
  EXPECT_TRUE(refused_as_invalid(signed_by(*client.key_pair, unsigned_request()), verdict.reason));
}

TEST_F(Secured, another_certificate_of_the_organisation_counts_where_the_contract_says_so) {  // EB-154
  auto& pki = testing::message_pki();
  const auto renewed = pki.tls(oin_a, "Melder");
  start_secured();
  const auto request = signed_by(*renewed.key_pair, unsigned_request());
  EXPECT_TRUE(refused_as_invalid(request, "SEC.XML.HANDTEKENING"));
  auto tolerant = secured().loaded("tb", 1);
  tolerant.settings.signature_by_oin = true;
  b->load(tolerant);
  EXPECT_TRUE(accepted(signed_by(*renewed.key_pair, unsigned_request())));
  EXPECT_TRUE(accepted(signed_by(*melder().issued.key_pair, unsigned_request()))) << "and the agreed one";
  const auto stranger = pki.tls("00000001800000009000", "Buurman");
  EXPECT_TRUE(refused_as_invalid(signed_by(*stranger.key_pair, unsigned_request()), "SEC.XML.HANDTEKENING"));
}

TEST_F(Secured, a_mapping_puts_a_renewed_certificate_in_the_place_of_the_agreed_one) {  // EB-016, cpa.md 3.6, 3.9
  auto& pki = testing::message_pki();
  const auto renewed = pki.tls(oin_a, "Melder");
  start_secured(secured(Profile::osb_rm_e));
  keys->hold("ta", renewed.key_pair);
  const auto mapping = [&](std::string tenant) {
    return cpa::CertificateMapping{std::move(tenant), melder().issued.certificate->issuer, melder().issued.certificate->serial, "",
                                   renewed.certificate->der};
  };
  const auto with_mapping = [&](const std::string& tenant, int own) {
    return std::make_shared<const cpa::Contracts>(std::vector{secured(Profile::osb_rm_e).loaded(tenant, own)},
                                                  std::vector<cpa::UrlMapping>{}, std::vector{mapping(tenant)},
                                                  std::vector<cpa::Mandate>{});
  };
  b->contracts = with_mapping("tb", 1);
  const auto old = a->submit(question());
  ASSERT_TRUE(old) << old.error().detail;
  settle();
  EXPECT_EQ(a->message(old->id).state, State::delivered) << "the old one is accepted too";
  a->contracts = with_mapping("ta", 0);
  sent.clear();
  const auto fresh = a->submit(question());
  ASSERT_TRUE(fresh) << fresh.error().detail;
  settle();
  EXPECT_NE(unpacked(sent[0]).root.find(to_base64(renewed.certificate->der)), Bytes::npos);
  EXPECT_EQ(a->message(fresh->id).state, State::delivered);
  // The other way: the mapping names for whom is encrypted, and the key is ours.
  SubmitRequest back = question();
  back.tenant = "tb";
  back.action = "answer";
  const auto answered = b->submit(back);
  ASSERT_TRUE(answered) << answered.error().detail;
  settle();
  EXPECT_EQ(b->message(answered->id).state, State::delivered);
  EXPECT_EQ(a->octets(a->payloads(a->inbound().at(0).id).at(0)), "<m/>");
}

// --- encryption --------------------------------------------------------------------------------------------------------------------------

TEST_F(Encryption, round_trips_with_every_algorithm_that_is_allowed) {  // EB-171, EB-172, EB-175; A18
  using xmlsecurity::ContentCipher;
  using xmlsecurity::DigestMethod;
  using xmlsecurity::KeyTransport;
  start_encrypted();
  for (const ContentCipher cipher : {ContentCipher::aes128_gcm, ContentCipher::aes256_gcm})
    for (const KeyTransport transport : {KeyTransport::rsa_oaep_mgf1p, KeyTransport::rsa_oaep})
      for (const auto digest : {std::optional<DigestMethod>(), std::optional(DigestMethod::sha256)}) {
        xmlsecurity::EncryptionToMake wanted{
            .cipher = cipher, .transport = transport, .oaep_digest = digest, .id = "p", .mime_type = "text/plain"};
        const Bytes plain = every_octet();
        ASSERT_TRUE(accepted(encrypted(wanted, plain))) << xmlsecurity::uri_of(cipher) << " " << xmlsecurity::uri_of(transport);
        EXPECT_EQ(delivered(), plain);
        EXPECT_EQ(b->payloads(b->inbound().back().id).at(0).content_type, "text/plain");
      }
}

TEST_F(Encryption, gives_an_unknown_type_to_what_has_no_usable_one) {  // EB-175; A18
  start_encrypted();
  for (const char* type : {"", "no type", "text/pl\xc3\xa9in"}) {
    xmlsecurity::EncryptionToMake wanted;
    wanted.mime_type = type;
    ASSERT_TRUE(accepted(encrypted(wanted))) << type;
    EXPECT_EQ(b->payloads(b->inbound().back().id).at(0).content_type, "application/octet-stream") << type;
  }
}

TEST_F(Encryption, in_cbc_mode_needs_an_agreement_or_an_exception_and_each_use_is_a_finding) {  // EB-171, EB-175, SEC-082, SEC-083; A18
  using xmlsecurity::ContentCipher;
  start_encrypted();
  for (const ContentCipher cipher : {ContentCipher::aes128_cbc, ContentCipher::aes256_cbc}) {
    const xmlsecurity::EncryptionToMake wanted{.cipher = cipher, .id = "p", .mime_type = "application/xml"};
    EXPECT_TRUE(undecryptable(encrypted(wanted), "SEC.XML.ALGORITME")) << xmlsecurity::uri_of(cipher);
    const cpa::AlgorithmException exception{
        "tb", oin_a, "ebms", std::string(xmlsecurity::uri_of(cipher)), "until they renew", clock.now() - 1h, clock.now() + 240h};
    const auto with = [&](std::vector<cpa::AlgorithmException> exceptions) {
      b->contracts = std::make_shared<const cpa::Contracts>(std::vector{secured(Profile::osb_rm_e).loaded("tb", 1)},
                                                            std::vector<cpa::UrlMapping>{}, std::vector<cpa::CertificateMapping>{},
                                                            std::vector<cpa::Mandate>{}, std::move(exceptions));
    };
    with({exception});
    EXPECT_TRUE(accepted(encrypted(wanted)));
    EXPECT_FALSE(b->log.lines("ebms.algorithmException").empty());
    auto ended = exception;
    ended.until = clock.now();
    auto endless = exception;
    endless.until = endless.from + 24h * 400;
    auto of_another = exception;
    of_another.partner_oin = oin_b;
    for (const auto& useless : {ended, endless, of_another}) {
      with({useless});
      EXPECT_TRUE(undecryptable(encrypted(wanted), "SEC.XML.ALGORITME"));
    }
  }
  // An agreement in force that names it is an exception too, both ways.
  start_encrypted("http://www.w3.org/2001/04/xmlenc#aes256-cbc");
  sent.clear();
  const auto submitted = a->submit(question({"<m/>"}));
  ASSERT_TRUE(submitted) << submitted.error().detail;
  EXPECT_FALSE(a->log.lines("ebms.algorithmException").empty());
  settle();
  EXPECT_NE(unpacked(sent[0]).parts[0].octets.find("xmlenc#aes256-cbc"), Bytes::npos);
  EXPECT_EQ(a->message(submitted->id).state, State::delivered);
}

TEST_F(Encryption, is_needed_for_every_payload) {  // EB-175; row 24
  start_encrypted();
  auto request = unpacked(encrypted({.id = "p", .mime_type = "application/xml"}));
  request.parts[0].octets = "<m/>";
  EXPECT_TRUE(undecryptable(packed(captured, request)));
}

TEST_F(Encryption, for_another_key_or_damaged_gives_one_answer) {  // EB-176, SEC-087; A18
  start_encrypted();
  const xmlsecurity::EncryptionToMake wanted{.id = "p", .mime_type = "application/xml"};
  EXPECT_TRUE(undecryptable(encrypted(wanted, "<m/>", melder().issued.certificate))) << "a key that is not ours";
  const auto damaged = [&](std::string_view after, std::size_t skip) {
    auto request = unpacked(encrypted(wanted, Bytes(200, 'x')));
    Bytes& octets = request.parts[0].octets;
    const std::size_t at = (skip == 0 ? octets.find(after) : octets.rfind(after)) + after.size() + 8;
    octets[at] = octets[at] == 'A' ? 'B' : 'A';
    return packed(captured, request);
  };
  EXPECT_TRUE(undecryptable(damaged("<xenc:CipherValue>", 0))) << "the wrapped key";
  EXPECT_TRUE(undecryptable(damaged("<xenc:CipherValue>", 1))) << "the content";
  auto cut = unpacked(encrypted(wanted));
  cut.parts[0].octets.resize(cut.parts[0].octets.size() - 20);
  EXPECT_TRUE(undecryptable(packed(captured, cut))) << "not well-formed";
}

TEST_F(Encryption, of_other_octets_than_were_signed_is_refused) {  // EB-156, EB-157, SEC-086; key confusion
  start_encrypted();
  auto request = unpacked(encrypted({.id = "p", .mime_type = "application/xml"}));
  auto encryptor =
      xmlsecurity::Encryptor::make({.id = "p", .mime_type = "application/xml"}, ontvanger().issued.certificate, a->random).value();
  request.parts[0].octets = encryptor.update("<other/>");
  request.parts[0].octets += encryptor.finish();
  EXPECT_TRUE(refused_as_invalid(packed(captured, request), "SEC.XML.HANDTEKENING"));
}

TEST_F(Encryption, for_a_partner_whose_certificate_is_revoked_is_not_made) {  // EB-174
  auto& pki = testing::message_pki();
  const auto lost = pki.tls(oin_b, "Ontvanger");
  auto builder = agreement(Profile::osb_rm_e);
  builder.certificates(melder().der(), lost.certificate->der);
  start_secured(builder);
  ASSERT_TRUE(a->submit(question()));
  ASSERT_TRUE(pki.authority().revoke(lost.certificate->serial, 1, clock.now()));
  keys->trust(pki.trust());
  const auto refused = a->submit(question());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "state.conflict");
  EXPECT_NE(refused.error().detail.find("SEC.PKI.INGETROKKEN"), std::string::npos) << refused.error().detail;
}

}  // namespace
}  // namespace schakel::ebms
