// What partners really send (A14), and what an attacker would send (A15, A16): each variant with its exact answer.
#include "unit/ebms/secured.hpp"

namespace schakel::ebms {
namespace {

using namespace std::chrono_literals;
using testing::envelope_of;
using testing::Forged;
using testing::packed;
using testing::Secured;
using testing::transforms_with;
using testing::unpacked;
using testing::WireRequest;
using testing::xpath_with;

constexpr std::string_view next = "http://schemas.xmlsoap.org/soap/actor/next";
constexpr std::string_view next_msh = "urn:oasis:names:tc:ebxml-msg:actor:nextMSH";

// --- the filter --------------------------------------------------------------------------------------------------------------------------

std::optional<ActorFilter> filter_of(std::string_view content,
                                     std::string_view attributes = "xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"") {
  const auto document = xml::Document::parse("<x " + std::string(attributes) + ">" + std::string(content) + "</x>", {});
  EXPECT_TRUE(document) << content;
  return document ? read_actor_filter(document->root()) : std::nullopt;
}

std::string filter(std::string_view p = "s:", std::string_view first = next_msh, std::string_view second = next) {
  const auto operand = [&](std::string_view actor) {
    return "ancestor-or-self::node()[@" + std::string(p) + "actor=\"" + std::string(actor) + "\"]";
  };
  return "not(" + operand(first) + "|" + operand(second) + ")";
}

TEST(ActorFilter, is_read_in_every_spelling_that_partners_use) {  // EB-151, EB-239
  EXPECT_TRUE(filter_of(filter()));
  EXPECT_TRUE(filter_of(filter("s:", next, next_msh))) << "operands in any order";
  EXPECT_TRUE(filter_of(filter("s:", "urn:oasis:names:tc:ebxml-msg:service:nextMSH", next))) << "older releases of ebms-core";
  EXPECT_TRUE(filter_of(filter("SOAP-ENV:"), "xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\""));
  EXPECT_TRUE(filter_of(filter(""))) << "no prefix: ebms-core where SOAP is the default namespace";
  std::string single = filter();
  std::replace(single.begin(), single.end(), '"', '\'');
  EXPECT_TRUE(filter_of(single));
  EXPECT_TRUE(filter_of("\n  not( ancestor-or-self::node() [ @s:actor = \"" + std::string(next_msh) +
                        "\" ]\r\n | ancestor-or-self::node()[@s:actor='" + std::string(next) + "'] )\n"));
  EXPECT_TRUE(filter_of("<![CDATA[" + filter() + "]]>"));
}

TEST(ActorFilter, is_nothing_else) {  // EB-157, SEC-112
  const std::string good = filter();
  for (const std::string& bad : {std::string("false()"),
                                 std::string("true()"),
                                 std::string(),
                                 "not(" + good + ")",
                                 good + "|false()",
                                 good + " and true()",
                                 "not(false()|" + good.substr(4),
                                 good.substr(0, good.size() - 1),
                                 good + ")",
                                 filter("s:", next, next),
                                 filter("s:", next_msh, next_msh),
                                 filter("s:", "urn:x", next),
                                 filter("s:", "", next),
                                 filter("t:"),
                                 filter("s :x:"),
                                 filter("s:", " " + std::string(next_msh), next),
                                 "ancestor-or-self::node()[@s:actor=\"" + std::string(next) + "\"]",
                                 "not(ancestor-or-self::node()[@s:actor=\"" + std::string(next_msh) +
                                     "\"]|ancestor-or-self::node()[@s:actor=\"" + std::string(next) + "\"]|self::eb:MessageHeader)",
                                 "not(ancestor::node()[@s:actor=\"" + std::string(next_msh) + "\"]|ancestor-or-self::node()[@s:actor=\"" +
                                     std::string(next) + "\"])",
                                 "not(ancestor-or-self::node()[@s:mustUnderstand=\"" + std::string(next_msh) +
                                     "\"]|ancestor-or-self::node()[@s:actor=\"" + std::string(next) + "\"])",
                                 "not(<!-- -->" + good.substr(4),
                                 good + "<y/>",
                                 good.substr(0, 50) + "<?x?>" + good.substr(50)})
    EXPECT_FALSE(filter_of(bad)) << bad;
  EXPECT_FALSE(filter_of(good, "xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"")) << "a prefix of another namespace";
  EXPECT_FALSE(filter_of(good, "")) << "a prefix of none";
}

// --- A14 ---------------------------------------------------------------------------------------------------------------------------------

TEST_F(Secured, signatures_of_other_implementations_are_accepted) {  // EB-151..154, EB-239; A14
  start_secured();
  const auto& key = *melder().issued.key_pair;
  Forged inclusive;
  inclusive.form = xml::Canonical::inclusive;
  EXPECT_TRUE(accepted(signed_by(key, unsigned_request(), inclusive))) << "inclusive canonicalisation";
  for (const char* prefix : {"SOAP", "SOAP-ENV", "soapenv"}) {
    Forged how;
    how.transforms = transforms_with(xpath_with(filter(std::string(prefix) + ":"), prefix));
    EXPECT_TRUE(accepted(signed_by(key, unsigned_request(), how))) << prefix;
  }
  Forged spread;
  spread.transforms = transforms_with(xpath_with("not(ancestor-or-self::node()[@soap:actor='" + std::string(next_msh) +
                                                 "']\n   | ancestor-or-self::node()[@soap:actor='" + std::string(next) + "'])\n"));
  EXPECT_TRUE(accepted(signed_by(key, unsigned_request(), spread))) << "line breaks, single quotes";
  Forged no_xpath;
  no_xpath.transforms = transforms_with("");
  no_xpath.leaves_out_next = false;
  EXPECT_TRUE(accepted(signed_by(key, unsigned_request(), no_xpath))) << "no XPath";
  Forged no_last = no_xpath;
  no_last.form = xml::Canonical::inclusive;
  no_last.transforms = transforms_with("", "");
  EXPECT_TRUE(accepted(signed_by(key, unsigned_request(), no_last))) << "no canonicalisation: inclusive";
  Forged key_value;
  key_value.key_info =
      "<ds:KeyInfo><ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>"
      "</ds:KeyValue></ds:KeyInfo>";
  EXPECT_TRUE(accepted(signed_by(key, unsigned_request(), key_value))) << "a KeyValue is a hint, and not even read";
  Forged nothing;
  nothing.key_info = "";
  EXPECT_TRUE(accepted(signed_by(key, unsigned_request(), nothing))) << "no KeyInfo";
}

TEST_F(Secured, signatures_cover_a_payload_that_was_encoded_for_the_journey) {  // EB-025, EB-151; A14
  start_secured();
  const auto request = signed_by(*melder().issued.key_pair, unsigned_request({"<m>melding</m>"}));
  EXPECT_TRUE(
      accepted(replaced(request, "\r\n\r\n<m>melding</m>", "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + to_base64("<m>melding</m>"))));
  EXPECT_EQ(b->octets(b->payloads(b->inbound().at(0).id).at(0)), "<m>melding</m>");
}

TEST_F(Secured, signatures_may_canonicalise_a_payload) {  // 3.8 step 4
  start_secured();
  const auto request = unsigned_request({"<m  b='2' a='1'/>"});
  Forged how;
  how.change = [](auto& references) {
    references[1].transforms = "<ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>";
    references[1].digest = sha256("<m a=\"1\" b=\"2\"></m>");
  };
  EXPECT_TRUE(accepted(signed_by(*melder().issued.key_pair, request, how)));
  EXPECT_EQ(b->octets(b->payloads(b->inbound().at(0).id).at(0)), "<m  b='2' a='1'/>");
  how.change = [](auto& references) {
    references[1].transforms = "<ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#base64\"/></ds:Transforms>";
  };
  EXPECT_TRUE(refused_as_invalid(signed_by(*melder().issued.key_pair, unsigned_request(), how), "SEC.XML.TRANSFORM"));
  how.change = [](auto& references) {
    references[1].transforms = "<ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>";
  };
  EXPECT_TRUE(refused_as_invalid(signed_by(*melder().issued.key_pair, unsigned_request({"no XML"}), how), "SEC.XML.HANDTEKENING"));
}

// --- A16 ---------------------------------------------------------------------------------------------------------------------------------

TEST_F(Secured, a_sync_reply_may_come_and_go_on_the_way) {  // 2.5; A16
  auto builder = secured();
  builder.synchronous();
  start_secured(builder);
  auto asynchronous = secured().loaded("tb", 1);
  b->load(asynchronous);
  constexpr std::string_view element =
      "<eb:SyncReply eb:version=\"2.0\" soap:mustUnderstand=\"1\" soap:actor=\"http://schemas.xmlsoap.org/soap/actor/next\"/>";
  const auto with = signed_by(*melder().issued.key_pair, unsigned_request());
  EXPECT_TRUE(accepted(replaced(with, element, ""))) << "removed";
  a->load(secured().loaded("ta", 0));
  const auto without = signed_by(*melder().issued.key_pair, unsigned_request());
  b->load(builder.loaded("tb", 1));
  const Answer answer = to_b(replaced(without, "<eb:AckRequested", std::string(element) + "<eb:AckRequested"));
  EXPECT_EQ(answer.status, 200U) << "put in";
  EXPECT_NE(answer.body.find("Acknowledgment"), std::string::npos);
}

// --- A15 ---------------------------------------------------------------------------------------------------------------------------------

class Attack : public Secured {
 protected:
  void SetUp() override { start_secured(); }
  const security::KeyPair& key() { return *melder().issued.key_pair; }
  WireRequest good(std::vector<Bytes> payloads = {"<m/>"}) { return signed_by(key(), unsigned_request(std::move(payloads))); }
  WireRequest forged(const Forged& how) { return signed_by(key(), unsigned_request(), how); }
  static Forged with_transforms(std::string transforms) {
    Forged how;
    how.transforms = std::move(transforms);
    return how;
  }
  // References changed before they are signed: the mathematics is right, the coverage is not.
  static Forged with_references(std::function<void(std::vector<xmlsecurity::ReferenceToMake>&)> change) {
    Forged how;
    how.change = std::move(change);
    return how;
  }
};

TEST_F(Attack, on_the_payload_is_refused) {  // EB-157; A15
  EXPECT_TRUE(accepted(good()));
  EXPECT_TRUE(refused_as_invalid(replaced(good(), "\r\n\r\n<m/>", "\r\n\r\n<n/>"), "SEC.XML.HANDTEKENING")) << "changed";
  EXPECT_TRUE(refused_as_invalid(forged(with_references([](auto& r) { r.pop_back(); })), "SEC.XML.DEKKING")) << "not covered";
  EXPECT_TRUE(refused_as_invalid(forged(with_references([](auto& r) { r.push_back(r.back()); })), "SEC.XML.DEKKING")) << "covered twice";
  EXPECT_TRUE(refused_as_invalid(forged(with_references([](auto& r) {
                                   r.push_back(r.back());
                                   r.back().uri = "cid:other@a.example";
                                 })),
                                 "SEC.XML.DEKKING"))
      << "a part that is not in the Manifest";
  auto swapped = unpacked(good({"<one/>", "<two/>"}));
  std::swap(swapped.parts[0].content_id, swapped.parts[1].content_id);
  EXPECT_TRUE(refused_as_invalid(packed(captured, swapped), "SEC.XML.HANDTEKENING")) << "swapped Content-IDs";
}

TEST_F(Attack, on_the_references_is_refused) {  // EB-157, SEC-112; A15
  EXPECT_TRUE(refused_as_invalid(forged(with_references([](auto& r) { r.insert(r.begin(), r.front()); })), "SEC.XML.DEKKING"))
      << "two URI=\"\"";
  EXPECT_TRUE(refused_as_invalid(forged(with_references([](auto& r) { r.erase(r.begin()); })), "SEC.XML.DEKKING")) << "no URI=\"\"";
  for (const char* uri : {"#header", "http://a.example/envelope", "file:///etc/passwd", "#xpointer(/)"})
    EXPECT_TRUE(refused_as_invalid(forged(with_references([&](auto& r) {
                                     r.push_back(r.back());
                                     r.back().uri = uri;
                                   })),
                                   "SEC.XML.TRANSFORM"))
        << uri;
}

TEST_F(Attack, on_the_transforms_is_refused) {  // EB-157, SEC-112; A15
  const std::string exclusive = "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>";
  const std::string enveloped = "<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>";
  const std::string xpath =
      "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\">" + xpath_with(own_actor_filter()) + "</ds:Transform>";
  const auto all = [](const std::string& inside) { return "<ds:Transforms>" + inside + "</ds:Transforms>"; };
  for (const std::string& bad :
       {transforms_with(xpath_with("false()")), transforms_with(xpath_with("not(" + std::string(own_actor_filter()) + ")")),
        transforms_with(xpath_with(std::string(own_actor_filter()) + "|self::text()")),
        transforms_with("", "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"),
        transforms_with("", "http://www.w3.org/2006/12/xml-c14n11"),
        all(enveloped + "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"/>" + exclusive),
        all(enveloped + "<ds:Transform Algorithm=\"http://www.w3.org/2002/06/xmldsig-filter2\"/>" + exclusive), all(exclusive),
        all(xpath + enveloped + exclusive), all(enveloped + xpath + xpath + exclusive), all(enveloped + exclusive + exclusive),
        all(enveloped + exclusive + xpath)})
    EXPECT_TRUE(refused_as_invalid(forged(with_transforms(bad)), "SEC.XML.TRANSFORM")) << bad;
  EXPECT_TRUE(refused_as_invalid(forged(with_transforms(all(enveloped + xpath + exclusive + exclusive + exclusive))), "SEC.XML.LIMIET"));
}

TEST_F(Attack, that_hides_what_is_used_is_refused) {  // EB-157; 3.8 step 5; A15
  // The mathematics is right: the filter leaves the element out, at the signer and here.
  const auto hidden = [&](std::string_view element, std::string_view with) {
    return signed_by(key(), replaced(unsigned_request(), element, with));
  };
  const std::string actor = " soap:actor=\"" + std::string(next) + "\"";
  EXPECT_TRUE(refused_as_invalid(hidden("<eb:MessageHeader", "<eb:MessageHeader" + actor), "SEC.XML.DEKKING"));
  for (const std::string whole : {"<soap:Body", "<soap:Header"})
    EXPECT_EQ(to_b(hidden(whole + ">", whole + actor + ">")).status, 500U) << "the schema has no actor there";
  EXPECT_TRUE(refused_as_invalid(hidden("<eb:Manifest", "<eb:Manifest" + actor), "SEC.XML.DEKKING"));
  EXPECT_TRUE(refused_as_invalid(hidden("</soap:Body>", "<x:y xmlns:x=\"urn:x\"" + actor + "/></soap:Body>"), "SEC.XML.DEKKING"))
      << "nothing of the Body";
  // A block that is none of ours may stand outside.
  EXPECT_TRUE(accepted(hidden("<eb:AckRequested", "<x:route xmlns:x=\"urn:x\"" + actor + "/><eb:AckRequested")));
  auto travelled = replaced(good(), "<eb:AckRequested", "<x:route xmlns:x=\"urn:x\"" + actor + "/><eb:AckRequested");
  EXPECT_TRUE(accepted(travelled)) << "and be put in on the way";
  travelled = replaced(good(), "<eb:AckRequested", "<x:route xmlns:x=\"urn:x\"/><eb:AckRequested");
  EXPECT_TRUE(refused_as_invalid(travelled, "SEC.XML.HANDTEKENING")) << "but not without its actor";
}

TEST_F(Attack, with_signatures_elsewhere_is_refused) {  // EB-157; 3.8 step 1; A15, A18
  const auto request = good();
  const Bytes root = unpacked(request).root;
  const std::size_t from = root.find("<ds:Signature "), to = root.find("</ds:Signature>") + 15;
  const Bytes signature = root.substr(from, to - from);
  const auto moved = [&](std::string_view before, std::string_view wrapped_in = "") {
    auto parts = unpacked(request);
    parts.root.erase(from, to - from);
    Bytes placed = signature;
    if (!wrapped_in.empty())
      placed = "<x:" + std::string(wrapped_in) + " xmlns:x=\"urn:x\">" + signature + "</x:" + std::string(wrapped_in) + ">";
    parts.root.insert(parts.root.find(before), placed);
    return packed(request, parts);
  };
  EXPECT_TRUE(refused(moved("</soap:Body>"), "xpointer(//Header/Signature)", "Signature not found.", "SEC.XML.DEKKING"));
  EXPECT_TRUE(refused(moved("</soap:Header>", "wrapper"), "xpointer(//Header/Signature)", "Signature not found.", "SEC.XML.DEKKING"));
  const auto doubled = replaced(good(), "</soap:Header>", signature + "</soap:Header>");
  EXPECT_TRUE(refused_as_invalid(doubled, "SEC.XML.DEKKING")) << "a second one";
  const auto hidden = replaced(good(), "</soap:Header>", "<x:y xmlns:x=\"urn:x\">" + signature + "</x:y></soap:Header>");
  EXPECT_TRUE(refused_as_invalid(hidden, "SEC.XML.DEKKING")) << "a second one, deeper";
}

TEST_F(Attack, with_a_signed_copy_beside_is_refused) {  // wrapping; EB-157, SEC-084, A18
  const auto request = good();
  const Bytes root = unpacked(request).root;
  const std::size_t from = root.find("<eb:MessageHeader "), to = root.find("</eb:MessageHeader>") + 19;
  Bytes copy = root.substr(from, to - from), own = copy;
  own.replace(own.find("question"), 8, "QUESTION");
  auto parts = unpacked(request);
  parts.root.replace(from, to - from, own);
  parts.root.insert(parts.root.find("<ds:Signature "), "<x:kept xmlns:x=\"urn:x\">" + copy + "</x:kept>");
  // The changed action is not in the agreement, and that is what is answered first; with the action right, the digest is wrong.
  EXPECT_EQ(to_b(packed(request, parts)).status, 204U);
  ASSERT_TRUE(error_to_a());
  const auto renamed = replaced(good(), "<eb:ConversationId>", "<eb:ConversationId>x");
  EXPECT_TRUE(refused_as_invalid(renamed, "SEC.XML.HANDTEKENING"));
}

TEST_F(Attack, with_weaker_methods_is_refused) {  // EB-153, SEC-080; row 20; A15
  const std::string sha1 = "http://www.w3.org/2000/09/xmldsig#sha1", rsa_sha1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
  const std::string digest = "http://www.w3.org/2001/04/xmlenc#sha256", method = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
  const auto path = [](const std::string& inside) { return "xpointer(//Header/Signature/SignedInfo/" + inside + "/@Algorithm)"; };
  EXPECT_TRUE(
      refused(replaced(good(), digest, sha1), path("Reference[@URI='']/DigestMethod"), "Invalid DigestMethod.", "SEC.XML.ALGORITME"));
  EXPECT_TRUE(refused(replaced(good(), method, rsa_sha1), path("SignatureMethod"), "Invalid SignatureMethod.", "SEC.XML.ALGORITME"));
  EXPECT_TRUE(refused(replaced(good(), method, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"), path("SignatureMethod"),
                      "Invalid SignatureMethod.", "SEC.XML.ALGORITME"))
      << "the public key as a secret";
  Forged stronger;
  stronger.digest = xmlsecurity::DigestMethod::sha512;
  EXPECT_TRUE(refused(forged(stronger), path("Reference[@URI='']/DigestMethod"), "Invalid DigestMethod.", "SEC.XML.ALGORITME"))
      << "allowed, but not agreed";
  Forged other_method;
  other_method.method = xmlsecurity::SignatureMethod::rsa_sha512;
  EXPECT_TRUE(refused(forged(other_method), path("SignatureMethod"), "Invalid SignatureMethod.", "SEC.XML.ALGORITME"));
  // An agreement that names SHA-1 does not make it usable.
  auto builder = secured();
  builder.acknowledgment_signatures(cpa::Occurrence::never);  // such a one could not be made: row 15 would come first
  a->load(builder.loaded("ta", 0));
  auto old = builder;
  old.algorithms(sha1, rsa_sha1);
  b->load(old.loaded("tb", 1));
  const auto request = replaced(replaced(replaced(good(), digest, sha1), digest, sha1), method, rsa_sha1);
  EXPECT_TRUE(refused(request, path("Reference[@URI='']/DigestMethod"), "Invalid DigestMethod.", "SEC.XML.ALGORITME"));
}

TEST_F(Attack, with_another_key_is_refused) {  // EB-154; A15; key confusion
  auto& pki = testing::message_pki();
  const auto stranger = pki.tls(oin_b + std::string(), "Ontvanger");
  EXPECT_TRUE(refused_as_invalid(signed_by(*ontvanger().issued.key_pair, unsigned_request()), "SEC.XML.HANDTEKENING")) << "our own";
  EXPECT_TRUE(refused_as_invalid(signed_by(*stranger.key_pair, unsigned_request()), "SEC.XML.HANDTEKENING"));
  Forged agreed_in_key_info;
  agreed_in_key_info.key_info = xmlsecurity::x509_key_info(melder().issued.certificate);
  EXPECT_TRUE(refused_as_invalid(signed_by(*stranger.key_pair, unsigned_request(), agreed_in_key_info), "SEC.XML.HANDTEKENING"))
      << "KeyInfo names the agreed certificate, the key is another";
  auto damaged = unpacked(good());
  const std::size_t at = damaged.root.find("<ds:SignatureValue>") + 30;
  damaged.root[at] = damaged.root[at] == 'A' ? 'B' : 'A';
  EXPECT_TRUE(refused_as_invalid(packed(captured, damaged), "SEC.XML.HANDTEKENING"));
}

// With two faults the reason is that of the earlier step: structure and coverage, which need no trust; the certificate; the digests.
TEST_F(Attack, is_judged_step_by_step) {  // EB-155, SEC-084; 3.8
  const auto uncovered = forged(with_references([](auto& r) { r.pop_back(); }));
  const auto changed = replaced(good(), "\r\n\r\n<m/>", "\r\n\r\n<n/>");
  keys->trust(trust_without_lists());
  EXPECT_TRUE(refused_as_invalid(uncovered, "SEC.XML.DEKKING")) << "no list of revoked certificates would cure it";
  EXPECT_EQ(to_b(changed).status, 503U) << "no digest is looked at before the certificate is judged";
  auto& pki = testing::message_pki();
  const auto lost =
      pki.issue({.profile = security::PkiProfile::tls, .oin = oin_a, .organisation = "Melder", .kvk = "90000001", .hosts = {"a.example"}});
  auto builder = secured();
  builder.certificates(lost.certificate->der, ontvanger().der());
  start_secured(builder);
  keys->hold("ta", lost.key_pair);
  const auto of_lost = replaced(signed_by(*lost.key_pair, unsigned_request()), "\r\n\r\n<m/>", "\r\n\r\n<n/>");
  EXPECT_TRUE(refused_as_invalid(of_lost, "SEC.XML.HANDTEKENING"));
  const auto again = replaced(signed_by(*lost.key_pair, unsigned_request()), "\r\n\r\n<m/>", "\r\n\r\n<n/>");
  ASSERT_TRUE(pki.authority().revoke(lost.certificate->serial, 1, clock.now()));
  keys->trust(pki.trust());
  EXPECT_TRUE(refused_as_invalid(again, "SEC.PKI.INGETROKKEN"));
}

TEST_F(Attack, on_the_size_of_a_signature_is_refused) {  // SEC-112, 3.8 step 3
  const auto many = forged(with_references([](auto& r) {
    for (int i = 0; i < 101; ++i) r.push_back(r.back());
  }));
  EXPECT_TRUE(refused_as_invalid(many, "SEC.XML.LIMIET"));
}

TEST_F(Attack, answers_never_say_why) {  // EB-176, 3.8; the reason is for the audit log
  const auto answer_to = [&](const WireRequest& request) {
    EXPECT_EQ(to_b(request).status, 204U);
    const auto error = error_to_a();
    return error ? error->description + error->location : std::string();
  };
  const auto one = answer_to(replaced(good(), "\r\n\r\n<m/>", "\r\n\r\n<n/>"));
  const auto two = answer_to(forged(with_transforms(transforms_with(xpath_with("false()")))));
  EXPECT_EQ(one, two);
  EXPECT_EQ(b->log.text().find("<n/>"), std::string::npos) << "no payload in the log";
}

}  // namespace
}  // namespace schakel::ebms
