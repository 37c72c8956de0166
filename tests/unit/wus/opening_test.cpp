// The receiver's WS-Security against messages that a partner, a careless toolkit or an attacker makes (wus.md 1.5 to 1.8, section 5).
#include <functional>

#include "unit/security/own_authority.hpp"
#include "unit/wus/signed_message.hpp"
#include "wus/security_header.hpp"
#include "wus/security_token.hpp"

namespace schakel::wus {
namespace {

using namespace test;
using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string invalid_security = "wsse:InvalidSecurity";

std::string repeated(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

class SecuredMessages : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!vectors_are_here()) GTEST_SKIP() << "the keys are not beside this checkout (../shared/standards/wus)";
  }
  static std::string signing(const SignedMessage& message, const Settings& settings = {}) { return signing(message.text(), settings); }
  static std::string signing(const std::string& text, Settings settings = {}) {
    settings.profile = Profile::be_s;
    return told(Receiver{.settings = settings}(text));
  }
  static std::string encrypting(const std::string& text, Settings settings = {}) {
    settings.profile = Profile::be_se;
    return told(Receiver{.settings = settings}(text));
  }
  static std::string changed(const std::function<void(SignedMessage&)>& change) {
    SignedMessage message;
    change(message);
    return signing(message);
  }
};
using Profiles = SecuredMessages;
using Timestamps = SecuredMessages;
using Coverage = SecuredMessages;
using SignatureForm = SecuredMessages;
using Tokens = SecuredMessages;
using Encryption = SecuredMessages;
using Answers = SecuredMessages;

// --- profiles ------------------------------------------------------------------------------------------------------------------------

// WUS-001, WUS-002, WUS-005, acceptance 17
TEST_F(Profiles, AMessageOfAnotherProfileIsRefused) {
  const SignedMessage message;
  const auto signed_text = message.text(), encrypted_text = encrypted(message);
  auto plain = message.unsigned_text();
  plain.erase(plain.find("<wsse:Security"), plain.find("</wsse:Security>") + 16 - plain.find("<wsse:Security"));
  const auto answer = [](Profile profile, const std::string& text) { return told(receiver(profile)(text)); };
  EXPECT_EQ(answer(Profile::be, plain), "accepted");
  EXPECT_EQ(answer(Profile::be, signed_text), "soapenv:Client DK0010");
  EXPECT_EQ(answer(Profile::be, encrypted_text), "soapenv:Client DK0010");
  EXPECT_EQ(answer(Profile::be_s, plain), invalid_security);
  EXPECT_EQ(answer(Profile::be_s, signed_text), "accepted");
  EXPECT_EQ(answer(Profile::be_s, encrypted_text), invalid_security);
  EXPECT_EQ(answer(Profile::be_se, plain), invalid_security);
  EXPECT_EQ(answer(Profile::be_se, signed_text), invalid_security);
  EXPECT_EQ(answer(Profile::be_se, encrypted_text), "accepted");
  // Encrypted only.
  EXPECT_EQ(answer(Profile::be, replaced(plain, plain_payload, encrypted_data(plain_payload))), invalid_security);
}

// 4.5: security_in_be=ignore
TEST_F(Profiles, SecurityThatIsIgnoredIsNotThere) {
  Settings settings;
  settings.ignore_security_in_be = true;
  const auto received = Receiver{.settings = settings}(SignedMessage().text());
  ASSERT_TRUE(received);
  EXPECT_FALSE(received->message->security);
  EXPECT_FALSE(received->opened.signer);
}

// WUS-026, WUS-100: one Security header, for us.
TEST_F(Profiles, ThereIsOneSecurityHeaderForUs) {
  const auto text = SignedMessage().text();
  EXPECT_EQ(signing(replaced(text, "</soapenv:Header>", "<wsse:Security/></soapenv:Header>")), invalid_security);
  EXPECT_EQ(signing(replaced(text, "<wsse:Security ", "<wsse:Security soapenv:actor=\"urn:other\" ")), invalid_security);
  EXPECT_EQ(signing(replaced(text, "<wsu:Timestamp", "<wsse:UsernameToken/><wsu:Timestamp")), invalid_security);
  EXPECT_EQ(signing(replaced(text, "<wsu:Timestamp", "text<wsu:Timestamp")), invalid_security);
}

// WUS-140: headers are never encrypted.
TEST_F(Profiles, EncryptedHeadersAreRefused) {
  for (const Profile profile : {Profile::be_s, Profile::be_se}) {
    const auto text = profile == Profile::be_s ? SignedMessage().text() : encrypted(SignedMessage());
    const auto with = [&](const std::string& block) {
      return told(receiver(profile)(replaced(text, "</soapenv:Header>", block + "</soapenv:Header>")));
    };
    EXPECT_EQ(with("<wsse11:EncryptedHeader soapenv:mustUnderstand=\"1\"/>"), invalid_security);
    EXPECT_EQ(with("<x:EncryptedData xmlns:x=\"http://www.w3.org/2001/04/xmlenc#\"/>"), invalid_security);
    EXPECT_EQ(told(receiver(profile)(
                  replaced(text, "<wsu:Timestamp", "<x:EncryptedData xmlns:x=\"http://www.w3.org/2001/04/xmlenc#\"/><wsu:Timestamp"))),
              invalid_security);
  }
}

// --- timestamp -----------------------------------------------------------------------------------------------------------------------

// WUS-102, acceptance 11
TEST_F(Timestamps, AreFreshToTheExactBorders) {
  const auto created = at("2026-03-02T10:15:30.000Z");
  const auto answer = [&](Instant now, std::string_view expires = {}) {
    SignedMessage message;
    message.time = timestamp("2026-03-02T10:15:30.000Z", expires);
    auto receiver = test::receiver(Profile::be_s);
    receiver.now = now;
    return told(receiver(message.text()));
  };
  const std::string expired = "wsu:MessageExpired";
  EXPECT_EQ(answer(created - seconds(300)), "accepted");
  EXPECT_EQ(answer(created - seconds(301)), expired);
  EXPECT_EQ(answer(created + seconds(300)), "accepted");
  EXPECT_EQ(answer(created + seconds(301)), expired);
  // Expires 10 s after Created, then 60 s of grace.
  const std::string_view expires = "2026-03-02T10:15:40.000Z";
  EXPECT_EQ(answer(created + seconds(10 + 59), expires), "accepted");
  EXPECT_EQ(answer(created + seconds(10 + 60) - milliseconds(1), expires), "accepted");
  EXPECT_EQ(answer(created + seconds(10 + 60), expires), expired);
  // A late Expires does not make a message live longer than the receiver wants.
  EXPECT_EQ(answer(created + seconds(301), "2027-01-01T00:00:00Z"), expired);
}

// WUS-102: the settings of the service count.
TEST_F(Timestamps, FollowTheSettings) {
  const Timestamp timestamp{at("2026-03-02T10:15:30Z"), std::nullopt};
  Settings settings;
  settings.timestamp_ttl = seconds(30);
  settings.skew_future = seconds(0);
  EXPECT_TRUE(check_freshness(timestamp, settings, timestamp.created));
  EXPECT_FALSE(check_freshness(timestamp, settings, timestamp.created - milliseconds(1)));
  EXPECT_TRUE(check_freshness(timestamp, settings, timestamp.created + seconds(30)));
  EXPECT_FALSE(check_freshness(timestamp, settings, timestamp.created + seconds(31)));
}

// WUS-101, WUS-103
TEST_F(Timestamps, OfAnotherFormAreInvalid) {
  const auto answer = [&](const std::string& time) { return changed([&](SignedMessage& message) { message.time = time; }); };
  EXPECT_EQ(answer(timestamp("2026-03-02T10:15:30+00:00")), "accepted");
  EXPECT_EQ(answer(timestamp("2026-03-02T10:15:30.123456789Z")), "accepted");
  EXPECT_EQ(answer(timestamp(" 2026-03-02T10:15:30Z\n")), "accepted");
  for (const char* created :
       {"2026-03-02T10:15:30", "2026-03-02T11:15:30+01:00", "2026-03-02T10:15:60Z", "2026-13-02T10:15:30Z", "2026-02-30T10:15:30Z",
        "2026-03-02T10:15:30-00:00", "2026-03-02t10:15:30Z", "2026-03-02T10:15:30z", "gisteren", "", "2026-03-02T10:15:30<!-- -->Z"}) {
    EXPECT_EQ(answer(timestamp(created)), invalid_security) << created;
  }
  EXPECT_EQ(answer(timestamp("2026-03-02T10:15:30Z", "2026-03-02T10:15:29Z")), invalid_security);
  EXPECT_EQ(answer(timestamp("2026-03-02T10:15:30Z", "2026-03-02T10:15:30Z")), invalid_security);
  const auto with_more = [&](std::string_view what, std::string_view by) {
    return answer(replaced(timestamp("2026-03-02T10:15:30Z"), what, by));
  };
  EXPECT_EQ(with_more("<wsu:Created>", "<wsu:Created ValueType=\"urn:x\">"), invalid_security);
  EXPECT_EQ(with_more("</wsu:Timestamp>", "<x xmlns=\"urn:x\"/></wsu:Timestamp>"), invalid_security);
  EXPECT_EQ(with_more("</wsu:Created>", "</wsu:Created><wsu:Created>2026-03-02T10:15:30Z</wsu:Created>"), invalid_security);
  EXPECT_EQ(with_more("<wsu:Created>2026-03-02T10:15:30Z</wsu:Created>", ""), invalid_security);
  EXPECT_EQ(answer(timestamp("2026-03-02T10:15:30Z") + replaced(timestamp("2026-03-02T10:15:30Z"), "\"ts\"", "\"ts2\"")), invalid_security);
}

TEST_F(Timestamps, MustBeThere) {
  SignedMessage message;
  message.time.clear();
  message.signed_ids = {"to", "action", "message", "body"};
  EXPECT_EQ(signing(message), invalid_security);
}

// --- coverage ------------------------------------------------------------------------------------------------------------------------

// WUS-104, WUS-105: all parts, each.
TEST_F(Coverage, OfEveryPartIsDemanded) {
  const SignedMessage whole;
  EXPECT_EQ(signing(whole), "accepted");
  for (const auto& left_out : whole.signed_ids) {
    SignedMessage message;
    std::erase(message.signed_ids, left_out);
    EXPECT_EQ(signing(message), invalid_security) << left_out;
  }
}

// WUS-104: headers that are optional count when they are there; those that the service lists too (WUS-026).
TEST_F(Coverage, OfEveryHeaderThatIsThere) {
  for (const char* block :
       {"<wsa:From wsu:Id=\"more\"><wsa:Address>urn:x:y</wsa:Address></wsa:From>",
        "<wsa:ReplyTo wsu:Id=\"more\"><wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address></wsa:ReplyTo>",
        "<wsa:RelatesTo wsu:Id=\"more\">urn:x:y</wsa:RelatesTo>", "<e:extra xmlns:e=\"urn:example:extra\" wsu:Id=\"more\">x</e:extra>"}) {
    SignedMessage message;
    message.after_security = block;
    Settings settings;
    settings.extra_headers = {{"urn:example:extra", "extra"}};
    EXPECT_EQ(signing(message, settings), invalid_security) << block;
    message.signed_ids.emplace_back("more");
    EXPECT_EQ(signing(message, settings), "accepted") << block;
  }
}

// WUS-105: more may be covered.
TEST_F(Coverage, MayIncludeTheToken) {
  EXPECT_EQ(changed([](SignedMessage& message) { message.signed_ids.emplace_back("token"); }), "accepted");
}

// WUS-105, SEC A18: the element that is used is the element that was digested.
TEST_F(Coverage, IsOfTheElementsThatAreUsed) {
  const auto text = SignedMessage().text();
  const std::string body = "<soapenv:Body wsu:Id=\"body\">" + plain_payload + "</soapenv:Body>";
  const std::string forged_body = "<soapenv:Body>" + replaced(plain_payload, "12345678", "99999999") + "</soapenv:Body>";
  Settings settings;
  settings.extra_headers = {{"urn:example:extra", "extra"}};
  const auto hidden_in = [&](const std::string& place, const std::string& wrapped) {
    return signing(replaced(replaced(text, body, forged_body), place, wrapped + place), settings);
  };
  // The signed Body in a header that the service lets pass, in Security, in the new Body's payload.
  EXPECT_EQ(hidden_in("</soapenv:Header>", "<e:extra xmlns:e=\"urn:example:extra\">" + body + "</e:extra>"), invalid_security);
  EXPECT_EQ(hidden_in("<wsu:Timestamp", body), invalid_security);
  EXPECT_EQ(signing(replaced(text, body, replaced(forged_body, "</vraag>", body + "</vraag>"))), invalid_security);
  // With its id kept by the forged one as well.
  const auto with_id = replaced(forged_body, "<soapenv:Body>", "<soapenv:Body wsu:Id=\"body\">");
  EXPECT_EQ(signing(replaced(text, body, replaced(with_id, "</vraag>", body + "</vraag>"))), invalid_security);

  // wsa:To nested in another header, and another in its place.
  const std::string to = "<wsa:To wsu:Id=\"to\">https://wus.aanbieder.example/diensten/inschrijving/v1</wsa:To>";
  const auto forged_to = replaced(to, " wsu:Id=\"to\"", "");
  EXPECT_EQ(signing(replaced(text, to, forged_to + "<e:extra xmlns:e=\"urn:example:extra\">" + to + "</e:extra>"), settings),
            invalid_security);
  // The signed Timestamp hidden, a younger one in its place.
  const SignedMessage stale = [] {
    SignedMessage message;
    message.time = timestamp("2026-03-01T10:15:30Z");
    return message;
  }();
  EXPECT_EQ(signing(replaced(
                stale.text(), stale.time,
                replaced(timestamp("2026-03-02T10:15:30Z"), " wsu:Id=\"ts\"", "") + "<wsse:Embedded>" + stale.time + "</wsse:Embedded>")),
            invalid_security);
}

// WUS-112
TEST_F(Coverage, IdsThatAreReferredToAreUnique) {
  const auto with_payload = [&](const std::string& payload) { return changed([&](SignedMessage& message) { message.body = payload; }); };
  EXPECT_EQ(with_payload("<p:a xmlns:p=\"urn:p\" wsu:Id=\"to\"/>"), invalid_security);
  EXPECT_EQ(with_payload("<p:a xmlns:p=\"urn:p\"><ds:Object xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" Id=\"ts\"/></p:a>"),
            invalid_security);
  EXPECT_EQ(with_payload("<p:a xmlns:p=\"urn:p\" wsu:Id=\"token\"/>"), invalid_security);
  // Ids of the payload's own, and ids that nothing refers to, are nobody's business.
  EXPECT_EQ(with_payload("<p:a xmlns:p=\"urn:p\" Id=\"to\" id=\"ts\" ID=\"body\" xml:id=\"action\"/>"), "accepted");
  EXPECT_EQ(with_payload("<p:a xmlns:p=\"urn:p\" wsu:Id=\"mine\"><p:b wsu:Id=\"mine\"/></p:a>"), "accepted");
}

// WUS-110
TEST_F(Coverage, WhatWasChangedAfterwardsFailsTheCheck) {
  const auto text = SignedMessage().text();
  for (const auto& [what, by] : {std::pair<std::string, std::string>{"12345678", "12345679"},
                                 {"diensten/inschrijving/v1", "diensten/inschrijving/v2"},
                                 {">urn:example:vraag<", ">urn:example:andere<"},
                                 {"000000000002", "000000000003"},
                                 {"10:20:30.000Z", "10:21:30.000Z"},
                                 {"<vraag xmlns=\"urn:example:vraag\">", "<vraag xmlns=\"urn:example:vraag\"> "},
                                 {"Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"",
                                  "Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512\""}}) {
    EXPECT_EQ(signing(replaced(text, what, by)), "wsse:FailedCheck") << what;
  }
  // Comments and CDATA are no change (WUS-114).
  EXPECT_EQ(signing(replaced(text, "<nummer>12345678", "<nummer><!-- c --><![CDATA[1234]]>5678")), "accepted");
  // The key of somebody else.
  EXPECT_EQ(changed([](SignedMessage& message) { message.signer = key_pair("provider"); }), "wsse:FailedCheck");
}

// Namespaces that are rendered on every element make much of little: refused, and soon.
TEST_F(Coverage, ACanonicalFormWithoutEndIsRefused) {
  SignedMessage message;
  message.body = "<a xmlns=\"urn:a\"/>";
  Settings settings;
  settings.max_size = 4 * limits::MiB;
  const auto bomb = [](std::size_t name_bytes) {
    return "<a xmlns=\"urn:a\" xmlns:p=\"urn:" + std::string(name_bytes, 'x') + "\">" + repeated("<p:b p:Id=\"\"/>", 20'000) + "</a>";
  };
  EXPECT_EQ(signing(replaced(message.text(), message.body, bomb(4000)), settings), "wsse:FailedCheck");
  EXPECT_EQ(encrypting(encrypted(message, bomb(4000)), settings), "wsse:FailedCheck");
  EXPECT_EQ(signing(replaced(message.text(), message.body, bomb(5000)), settings), "soapenv:Client DK0001");
  EXPECT_EQ(encrypting(encrypted(message, bomb(5000)), settings), "wsse:FailedCheck");
}

// --- form of the signature -----------------------------------------------------------------------------------------------------------

// WUS-106
TEST_F(SignatureForm, ReferencesAreToIdsWithOneExclusiveTransform) {
  const auto with_uri = [&](const std::string& uri) { return signing(replaced(SignedMessage().text(), "URI=\"#body\"", uri)); };
  for (const char* uri : {"URI=\"\"", "URI=\"http://127.0.0.1:1/\"", "URI=\"cid:body\"", "URI=\"#xpointer(id('body'))\"",
                          "URI=\"#xpointer(/)\"", "URI=\"body\"", "URI=\"#\"", "URI=\"# body\"", ""}) {
    EXPECT_EQ(with_uri(uri), invalid_security) << uri;
  }
  EXPECT_EQ(with_uri("URI=\"#nothing\""), invalid_security);

  const auto with_transforms = [&](const std::string& transforms) {
    return changed([&](SignedMessage& message) { message.transforms = transforms; });
  };
  const auto transform = [](const std::string& algorithm, const std::string& inside = {}) {
    return "<ds:Transforms><ds:Transform Algorithm=\"" + algorithm + "\">" + inside + "</ds:Transform></ds:Transforms>";
  };
  EXPECT_EQ(with_transforms(""), invalid_security);
  for (const char* algorithm : {"http://www.w3.org/TR/1999/REC-xpath-19991116", "http://www.w3.org/TR/1999/REC-xslt-19991116",
                                "http://www.w3.org/2002/06/xmldsig-filter2", "http://www.w3.org/2000/09/xmldsig#base64",
                                "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
                                "http://www.w3.org/2001/10/xml-exc-c14n#WithComments", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"}) {
    EXPECT_EQ(with_transforms(transform(algorithm)), invalid_security) << algorithm;
  }
  const std::string exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#";
  EXPECT_EQ(with_transforms(transform(exclusive, "<x xmlns=\"urn:x\"/>")), invalid_security);
  EXPECT_EQ(with_transforms(
                transform(exclusive, "<ec:InclusiveNamespaces xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"\"/>")),
            "accepted");
  EXPECT_EQ(
      with_transforms(transform(exclusive, "<ec:InclusiveNamespaces xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"" +
                                               repeated("prefix ", 150) + "\"/>")),
      invalid_security);
  const auto two = repeated("<ds:Transform Algorithm=\"" + exclusive + "\"/>", 2);
  EXPECT_EQ(with_transforms("<ds:Transforms>" + two + "</ds:Transforms>"), invalid_security);
}

// WUS-106: the token by way of its reference, as WSS4J signs it (WSS 1.1, 8.3).
TEST_F(SignatureForm, TheTokenMayBeSignedThroughItsReference) {
  SignedMessage message;
  const std::string transforms =
      "<ds:Transforms><ds:Transform Algorithm=\"" + std::string(uri::str_transform) + "\"><wsse:TransformationParameters xmlns:wsse=\"" +
      std::string(ns::wsse) +
      "\"><ds:CanonicalizationMethod "
      "Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></wsse:TransformationParameters></ds:Transform></ds:Transforms>";
  const auto canonical = "<wsse:BinarySecurityToken xmlns=\"\" xmlns:wsse=\"" + std::string(ns::wsse) + "\" xmlns:wsu=\"" +
                         std::string(ns::wsu) + "\" EncodingType=\"" + std::string(uri::base64_binary) + "\" ValueType=\"" +
                         std::string(uri::x509v3) + "\" wsu:Id=\"token\">" + to_base64(message.signer->certificate()->der) +
                         "</wsse:BinarySecurityToken>";
  using xmlsecurity::DigestMethod;
  message.further_references = {{"#str", transforms, DigestMethod::sha256, xmlsecurity::digest(DigestMethod::sha256, canonical)}};
  EXPECT_EQ(signing(message), "accepted");
  message.further_references[0].digest[0] ^= 1;
  EXPECT_EQ(signing(message), "wsse:FailedCheck");
  // Of the token itself it says nothing, nor does the reference count without the transform.
  message.further_references[0].uri = "#token";
  EXPECT_EQ(signing(message), invalid_security);
  message.further_references[0] = {"#str", exclusive_transform, DigestMethod::sha256, Bytes(32, 'x')};
  EXPECT_EQ(signing(message), invalid_security);
  message.further_references[0] = {"#str", replaced(transforms, "xml-exc-c14n#\"", "xml-exc-c14n#WithComments\""), DigestMethod::sha256,
                                   Bytes(32, 'x')};
  EXPECT_EQ(signing(message), invalid_security);
}

// WUS-027
TEST_F(SignatureForm, References65OrTwoToOneElementAreRefused) {
  SignedMessage message;
  message.signed_ids.insert(message.signed_ids.end(), 60, "body");
  EXPECT_EQ(signing(message), invalid_security);
  EXPECT_EQ(changed([](SignedMessage& twice) { twice.signed_ids.emplace_back("body"); }), invalid_security);
}

// WUS-107, WUS-170, WUS-171, WUS-174: before any key or digest is used.
TEST_F(SignatureForm, AlgorithmsAreThoseOfTheList) {
  const auto with = [&](const std::string& what, const std::string& by) { return signing(replaced(SignedMessage().text(), what, by)); };
  const std::string method = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", digest = "http://www.w3.org/2001/04/xmlenc#sha256";
  const std::string unsupported = "wsse:UnsupportedAlgorithm";
  for (const char* other : {"http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha224",
                            "http://www.w3.org/2000/09/xmldsig#dsa-sha1", "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
                            "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5", "urn:x",
                            // known, but the key of the certificate is another
                            "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"}) {
    EXPECT_EQ(with(method, other), unsupported) << other;
  }
  for (const char* other : {"http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2001/04/xmldsig-more#sha224",
                            "http://www.w3.org/2001/04/xmldsig-more#md5", "http://www.w3.org/2001/04/xmlenc#ripemd160"}) {
    EXPECT_EQ(with(digest, other), unsupported) << other;
  }
  EXPECT_EQ(with("CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"",
                 "CanonicalizationMethod Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\""),
            unsupported);
  for (const auto good : {xmlsecurity::SignatureMethod::rsa_sha384, xmlsecurity::SignatureMethod::rsa_sha512}) {
    EXPECT_EQ(changed([&](SignedMessage& message) { message.method = good; }), "accepted");
  }
}

// WUS-111
TEST_F(SignatureForm, ThereIsOneSignatureWithoutObjects) {
  const auto text = SignedMessage().text();
  const auto begin = text.find("<ds:Signature"), end = text.find("</ds:Signature>") + 15;
  const auto signature = text.substr(begin, end - begin);
  EXPECT_EQ(signing(replaced(text, "</wsse:Security>", signature + "</wsse:Security>")), invalid_security);
  EXPECT_EQ(signing(replaced(text, signature, "")), invalid_security);
  EXPECT_EQ(signing(replaced(text, "</ds:Signature>", "<ds:Object/></ds:Signature>")), invalid_security);
  EXPECT_EQ(signing(replaced(text, "rsa-sha256\"/>", "rsa-sha256\"><ds:HMACOutputLength>1</ds:HMACOutputLength></ds:SignatureMethod>")),
            invalid_security);
  // A signature in the payload is payload.
  EXPECT_EQ(changed([&](SignedMessage& message) { message.body = "<p:a xmlns:p=\"urn:p\">" + signature + "</p:a>"; }), "accepted");
  // Taken from somewhere else it does not count.
  EXPECT_EQ(signing(replaced(replaced(text, signature, ""), "</vraag>", signature + "</vraag>")), invalid_security);
}

// --- tokens --------------------------------------------------------------------------------------------------------------------------

// WUS-108
TEST_F(Tokens, StandInTheMessageAndAreReferredToDirectly) {
  const auto with = [&](const std::string& key_info) { return changed([&](SignedMessage& message) { message.key_info = key_info; }); };
  const std::string unavailable = "wsse:SecurityTokenUnavailable";
  const auto in_reference = [](const std::string& inside) {
    return "<wsse:SecurityTokenReference>" + inside + "</wsse:SecurityTokenReference>";
  };
  const auto certificate = key_pair("requester")->certificate();
  EXPECT_EQ(with(""), unavailable);
  EXPECT_EQ(with("<ds:KeyName>requester</ds:KeyName>"), unavailable);
  EXPECT_EQ(with("<ds:KeyValue/>"), unavailable);
  EXPECT_EQ(with("<ds:X509Data><ds:X509Certificate>" + to_base64(certificate->der) + "</ds:X509Certificate></ds:X509Data>"), unavailable);
  EXPECT_EQ(with(direct_reference("#nothing")), unavailable);
  EXPECT_EQ(with(direct_reference("#body")), unavailable);
  EXPECT_EQ(with(direct_reference("http://127.0.0.1:1/token")), unavailable);
  EXPECT_EQ(with(in_reference("<wsse:Embedded/>")), unavailable);
  EXPECT_EQ(with(in_reference("<wsse:KeyIdentifier ValueType=\"" + std::string(uri::x509_ski) + "\">" +
                              to_base64(certificate->subject_key_id) + "</wsse:KeyIdentifier>")),
            unavailable);
  EXPECT_EQ(with(in_reference("")), invalid_security);
  EXPECT_EQ(with(direct_reference() + direct_reference("#token", "")), invalid_security);
  EXPECT_EQ(with(direct_reference("#token", uri::x509_pki_path)), invalid_security);
}

TEST_F(Tokens, AMissingValueTypeOfTheReferenceIsADeviation) {
  SignedMessage message;
  message.key_info = direct_reference("#token", "");
  const auto received = receiver(Profile::be_s)(message.text());
  ASSERT_TRUE(received);
  EXPECT_EQ(received->opened.deviations, std::vector<std::string>{"the reference to the signing token has no ValueType"});
}

// WUS-108: accept_indirect_token, only for a token that stands in the header.
TEST_F(Tokens, MayBeDescribedForAPartnerThatMay) {
  const auto certificate = key_pair("requester")->certificate();
  const auto identifier = [](std::string_view type, BytesView octets) {
    return "<wsse:SecurityTokenReference><wsse:KeyIdentifier ValueType=\"" + std::string(type) + "\">" + to_base64(octets) +
           "</wsse:KeyIdentifier></wsse:SecurityTokenReference>";
  };
  const auto by_issuer = [](const std::string& issuer, const std::string& serial) {
    return "<wsse:SecurityTokenReference><ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>" + issuer +
           "</ds:X509IssuerName><ds:X509SerialNumber>" + serial +
           "</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data></wsse:SecurityTokenReference>";
  };
  Settings settings;
  settings.accept_indirect_token = true;
  const auto with = [&](const std::string& key_info) {
    SignedMessage message;
    message.key_info = key_info;
    return signing(message, settings);
  };
  const std::string issuer = "CN=Schakel Test Issuing CA,2.5.4.97=#0c0e4e54524e4c2d3930303030303031,O=Schakel Test,C=NL";
  const std::string serial = "79228162668352604756806952841910045500";
  EXPECT_EQ(with(identifier(uri::x509_ski, certificate->subject_key_id)), "accepted");
  EXPECT_EQ(with(identifier(uri::x509_ski, "other")), "wsse:SecurityTokenUnavailable");
  EXPECT_EQ(with(by_issuer(issuer, serial)), "accepted");
  EXPECT_EQ(with(by_issuer(issuer, "1")), "wsse:SecurityTokenUnavailable");
  SignedMessage message;
  message.key_info = identifier(uri::x509_ski, certificate->subject_key_id);
  message.token.clear();
  EXPECT_EQ(signing(message, settings), "wsse:SecurityTokenUnavailable");
}

// WUS-108: types
TEST_F(Tokens, AreCertificatesOrPaths) {
  const auto certificate = key_pair("requester")->certificate();
  const auto with = [&](const std::string& token, std::string_view type = uri::x509v3) {
    return changed([&](SignedMessage& message) {
      message.token = token;
      message.key_info = direct_reference("#token", type);
    });
  };
  const std::string pkcs7 = std::string(uri::token_profile) + "#PKCS7";
  EXPECT_EQ(with(binary_token(certificate->der, pkcs7), pkcs7), "wsse:UnsupportedSecurityToken");
  EXPECT_EQ(with(replaced(binary_token(certificate->der), "#Base64Binary", "#HexBinary")), "wsse:UnsupportedSecurityToken");
  EXPECT_EQ(with(binary_token("no certificate")), "wsse:InvalidSecurityToken");
  EXPECT_EQ(with(binary_token(certificate->der + "x")), "wsse:InvalidSecurityToken");
  EXPECT_EQ(with(replaced(binary_token(certificate->der), "</wsse:Bin", "!</wsse:Bin")), "wsse:InvalidSecurityToken");
  EXPECT_EQ(with(replaced(binary_token(certificate->der), "</wsse:Bin", "<!-- --></wsse:Bin")), "wsse:InvalidSecurityToken");

  const auto sequence = [](const Bytes& content) {
    const auto size = content.size();
    return Bytes{'\x30', '\x82', static_cast<char>(size >> 8), static_cast<char>(size & 255)} + content;
  };
  const auto issuing = security::Certificate::from_pem(content(vectors / "keys/issuing.crt.pem")).value();
  EXPECT_EQ(with(binary_token(sequence(issuing->der + certificate->der), uri::x509_pki_path), uri::x509_pki_path), "accepted");
  EXPECT_EQ(with(binary_token(sequence(certificate->der), uri::x509_pki_path), uri::x509_pki_path), "accepted");
  // The leaf comes last: here the signature is not of the leaf.
  EXPECT_NE(with(binary_token(sequence(certificate->der + issuing->der), uri::x509_pki_path), uri::x509_pki_path), "accepted");
  for (const Bytes& bad : {Bytes("0"), sequence(""), sequence(certificate->der) + "x", sequence(certificate->der.substr(1)),
                           sequence(certificate->der + "x"), certificate->der}) {
    EXPECT_EQ(with(binary_token(bad, uri::x509_pki_path), uri::x509_pki_path), "wsse:InvalidSecurityToken");
  }
}

// WUS-109
TEST_F(Tokens, FailClosedWithoutRevocationLists) {
  auto receiver = test::receiver(Profile::be_s);
  receiver.with_lists = false;
  const auto received = receiver(SignedMessage().text());
  EXPECT_EQ(told(received), "soapenv:Server DK0051");
  EXPECT_EQ(audit_reason_of(received.error()), "SEC.CRL.GEEN");
}

TEST_F(Tokens, WhyACertificateWasRefusedIsForTheAuditLog) {
  const auto reason = [&](const char* file) {
    const auto received = receiver(Profile::be_s)(content(vectors / file));
    return std::string(audit_reason_of(received.error()));
  };
  EXPECT_EQ(reason("s-request-revoked-cert.xml"), "SEC.PKI.INGETROKKEN");
  EXPECT_EQ(reason("s-request-expired-cert.xml"), "SEC.PKI.VERLOPEN");
  EXPECT_EQ(reason("s-request-selfsigned-same-oin.xml"), "SEC.PKI.ONBEKENDE_CA");
}

// WUS-109, WUS-149, with a CA of our own that the receiver believes.
TEST_F(Tokens, NeedAnOinAndForEncryptionAKeyThatCanEncrypt) {
  const schakel::test::OwnAuthority authority;
  const auto answer = [&](const schakel::test::LeafWishes& wishes, Profile profile, const Settings& base = {}) {
    const auto key = schakel::test::rsa();
    SignedMessage message;
    message.signer = security::KeyPair::make(key, authority.leaf(wishes, key.get()), {}).value();
    message.token = binary_token(message.signer->certificate()->der);
    auto settings = base;
    settings.profile = profile;
    auto received =
        read_message(profile == Profile::be_se ? encrypted(message) : message.text(), text_xml, settings, Kind::request).value();
    const OpeningKeys keys{.judge = [](auto) { return security::Verdict{}; }, .decryption = {key_pair("provider")}};
    SystemRandom random;
    const auto opened = open(received, settings, Kind::request, keys, nullptr, receipt, random);
    return opened ? std::string("accepted") : told(opened.error());
  };
  EXPECT_EQ(answer({}, Profile::be_se), "accepted");
  EXPECT_EQ(answer({.oin = "123"}, Profile::be_s), "wsse:FailedAuthentication");
  const schakel::test::LeafWishes only_signing{.key_usage = "critical,digitalSignature"};
  EXPECT_EQ(answer(only_signing, Profile::be_s), "accepted");
  EXPECT_EQ(answer(only_signing, Profile::be_se), "wsse:UnsupportedSecurityToken");
  Settings allowing;
  allowing.allow_missing_key_encipherment = true;
  EXPECT_EQ(answer(only_signing, Profile::be_se, allowing), "accepted");
}

// --- encryption ----------------------------------------------------------------------------------------------------------------------

// WUS-146: EncryptedKey inside of EncryptedData.
TEST_F(Encryption, PlainContentTakesThePlaceOfTheEncrypted) {
  const SignedMessage message;
  const auto received = receiver(Profile::be_se)(encrypted(message));
  ASSERT_TRUE(received) << received.error().detail;
  EXPECT_EQ(received->message->payload.name(), "vraag");
  EXPECT_EQ(received->message->payload.text(), "12345678");
  EXPECT_EQ(received->opened.cipher_algorithm, "http://www.w3.org/2009/xmlenc11#aes256-gcm");
}

// WUS-147: content is read where it stands, and nothing can be broken out of.
TEST_F(Encryption, PlainContentThatIsNoBodyFailsTheCheck) {
  const SignedMessage message;
  std::string attributes;
  for (int i = 0; i < 129; ++i) attributes += " a" + std::to_string(i) + "=\"\"";
  const std::vector<std::string> contents{
      "<!DOCTYPE a [<!ENTITY b \"c\">]><a xmlns=\"urn:a\">&b;</a>",
      "<a xmlns=\"urn:a\"/><b xmlns=\"urn:a\"/>",
      "<a xmlns=\"urn:a\">",
      "text",
      " ",
      "<a/>",
      "x<a xmlns=\"urn:a\"/>",
      "<?pi?><a xmlns=\"urn:a\"/>",
      "<?xml version=\"1.0\"?><a xmlns=\"urn:a\"/>",
      "<a xmlns=\"urn:a\"/></soapenv:Body><soapenv:Body><a xmlns=\"urn:a\"/>",
      "<a xmlns=\"urn:a\"/></soapenv:Body></soapenv:Envelope>",
      "</content><content><a xmlns=\"urn:a\"/>",
      "<a xmlns=\"urn:a\"/></content><!--",
      "<u:a/>",
      "<a xmlns=\"urn:a\" xmlns:p=\"urn:p\" xmlns:q=\"urn:p\" p:x=\"\" q:x=\"\"/>",
      "<a xmlns=\"urn:a\">\xFF</a>",
      std::string("<a xmlns=\"urn:a\">") + '\0' + "</a>",
      "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"file:///etc/passwd\"/>",
      encrypted_data(plain_payload),
      "<a xmlns=\"urn:a\">" + repeated("<a>", 126) + repeated("</a>", 127),
      "<a xmlns=\"urn:a\"" + attributes + "/>",
  };
  for (const auto& plain : contents) {
    const auto received = receiver(Profile::be_se)(encrypted(message, plain));
    ASSERT_FALSE(received) << plain.substr(0, 100);
    EXPECT_EQ(told(received), "wsse:FailedCheck") << plain.substr(0, 100);
    EXPECT_EQ(received.error().code, "wus.failedCheck") << plain.substr(0, 100);
  }
  // The limits are those of the whole message: Envelope and Body count.
  EXPECT_EQ(receiver(Profile::be_se)(encrypted(message, "<a xmlns=\"urn:a\">" + repeated("<a>", 125) + repeated("</a>", 126))).error().code,
            "wus.signature");
}

// WUS-150: one answer, whatever went wrong.
TEST_F(Encryption, FailsInOneWay) {
  const SignedMessage message;
  const auto text = encrypted(message);
  const auto error_of = [&](const std::string& changed_text) {
    const auto received = receiver(Profile::be_se)(changed_text);
    EXPECT_FALSE(received);
    return received.error();
  };
  const auto flipped = [&](std::size_t number, std::size_t offset) {
    auto out = text;
    std::size_t value = 0;
    for (std::size_t i = 0; i <= number; ++i) value = out.find("<xenc:CipherValue>", value + 1);
    auto& octet = out[value + 18 + offset];
    octet = octet == 'A' ? 'B' : 'A';
    return out;
  };
  const auto reference = error_of(flipped(0, 40));  // the wrapped key: OAEP fails
  EXPECT_EQ(reference.code, "wus.failedCheck");
  EXPECT_EQ(error_of(flipped(1, 2)), reference);   // initialisation vector: the tag fails
  EXPECT_EQ(error_of(flipped(1, 40)), reference);  // ciphertext
  EXPECT_EQ(error_of(encrypted(message, "<a>")), reference);
  EXPECT_EQ(error_of(encrypted(message, "<a xmlns=\"urn:a\"/><b xmlns=\"urn:a\"/>")), reference);
  const auto second = text.find("<xenc:CipherValue>", text.find("<xenc:CipherValue>") + 1);
  EXPECT_EQ(error_of(std::string(text).insert(second + 20, "!")), reference);  // not base64
}

// WUS-144
TEST_F(Encryption, ForSomebodyElseIsNotForUs) {
  const auto other = key_pair("requester")->certificate();
  const SignedMessage message;
  const auto received = receiver(Profile::be_se)(replaced(message.text(), message.body, encrypted_data(message.body, other)));
  EXPECT_EQ(told(received), "wsse:SecurityTokenUnavailable");
  EXPECT_EQ(client_code_of(received.error()), "WUS-C-DECRYPT");
  // The signer is looked at first (4.1).
  auto without_lists = receiver(Profile::be_se);
  without_lists.with_lists = false;
  EXPECT_EQ(told(without_lists(content(vectors / "se-request-encrypted-for-other.xml"))), "soapenv:Server DK0051");
}

// WUS-142, WUS-143, WUS-146, WUS-172, WUS-173
TEST_F(Encryption, FormAndAlgorithmsAreThoseOfTheProfile) {
  const auto text = content(vectors / "se-request-issuerserial.xml");
  const auto with = [&](const std::string& what, const std::string& by) { return encrypting(replaced(text, what, by)); };
  const std::string unsupported = "wsse:UnsupportedAlgorithm";
  EXPECT_EQ(with("#Content", "#Element"), "accepted");
  EXPECT_EQ(with("#Content", "#Other"), invalid_security);
  EXPECT_EQ(with(" Id=\"EK-1\"", " Id=\"EK-1\" Recipient=\"urn:x\""), invalid_security);
  EXPECT_EQ(with("URI=\"#ED-1\"", "URI=\"#id-body\""), invalid_security);
  EXPECT_EQ(with("URI=\"#ED-1\"", "URI=\"http://127.0.0.1:1/\""), invalid_security);
  EXPECT_EQ(with("URI=\"#EK-1\"", "URI=\"#id-bst\""), invalid_security);
  EXPECT_EQ(with("</xenc:EncryptedData>", "</xenc:EncryptedData><xenc:EncryptedData xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\"/>"),
            "soapenv:Client DK0001");
  const auto reference = text.find("<xenc:CipherValue>", text.find("<xenc:EncryptedData"));
  const auto reference_end = text.find("</xenc:CipherValue>", reference) + 19;
  EXPECT_EQ(
      encrypting(std::string(text).replace(reference, reference_end - reference, "<xenc:CipherReference URI=\"http://127.0.0.1:1/\"/>")),
      invalid_security);
  EXPECT_EQ(with("http://www.w3.org/2009/xmlenc11#aes256-gcm", "http://www.w3.org/2009/xmlenc11#aes192-gcm"), unsupported);
  EXPECT_EQ(with("http://www.w3.org/2009/xmlenc11#aes256-gcm", "http://www.w3.org/2001/04/xmlenc#aes256-cbc"), unsupported);
  EXPECT_EQ(with("http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p", "http://www.w3.org/2001/04/xmlenc#kw-aes256"), unsupported);
  const std::string oaep_digest = "Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/></xenc:EncryptionMethod>";
  EXPECT_EQ(with(oaep_digest, replaced(oaep_digest, "xmlenc#sha256", "xmldsig-more#sha224")), unsupported);
  EXPECT_EQ(with(oaep_digest, replaced(oaep_digest, "/></xenc", "/><xenc:OAEPparams/></xenc")), "accepted");
  EXPECT_EQ(with(oaep_digest, replaced(oaep_digest, "/></xenc", "/><xenc:OAEPparams>AAAA</xenc:OAEPparams></xenc")), unsupported);
  const auto thumbprint = content(vectors / "se-request-thumbprint.xml");
  EXPECT_EQ(encrypting(replaced(thumbprint, "mgf1sha256", "mgf1sha224")), unsupported);
}

// WUS-146, WUS-027
TEST_F(Encryption, SeveralEncryptedKeysOfWhichOneIsForUs) {
  const auto text = content(vectors / "se-request-issuerserial.xml");
  const auto begin = text.find("<xenc:EncryptedKey"), end = text.find("</xenc:EncryptedKey>") + 20;
  const auto key = text.substr(begin, end - begin);
  // For somebody else: another serial number.
  const auto serial = key.find("<ds:X509SerialNumber>") + 21;
  auto other = std::string(key).replace(serial, key.find('<', serial) - serial, "4711");
  const auto numbered = [&](std::size_t number) {
    return replaced(other, "Id=\"EK-1\"", "Id=\"EK-other-" + std::to_string(number) + "\"");
  };
  std::string others;
  for (std::size_t i = 0; i < 7; ++i) others += numbered(i);
  EXPECT_EQ(encrypting(replaced(text, key, others + key)), "accepted");
  EXPECT_EQ(encrypting(replaced(text, key, others + numbered(7) + key)), invalid_security);  // 9
  // Two for us: that to which the EncryptedData points.
  const auto second = replaced(key, "Id=\"EK-1\"", "Id=\"EK-2\"");
  EXPECT_EQ(encrypting(replaced(text, key, second + key)), "accepted");
  EXPECT_EQ(encrypting(replaced(text, key, key + second)), "accepted");
  const auto pointer_begin = text.find("<ds:KeyInfo", text.find("<xenc:EncryptedData"));
  const auto pointer_end = text.find("</ds:KeyInfo>", pointer_begin) + 13;
  const auto unpointed = std::string(text).erase(pointer_begin, pointer_end - pointer_begin);
  EXPECT_EQ(encrypting(unpointed), "accepted");
  EXPECT_EQ(encrypting(replaced(unpointed, key, key + second)), invalid_security);
  // Neither pointed at nor listed.
  EXPECT_EQ(encrypting(replaced(unpointed, "<xenc:ReferenceList><xenc:DataReference URI=\"#ED-1\"/></xenc:ReferenceList>", "")),
            invalid_security);
}

// WUS-144: a bare certificate, which is ours or not.
TEST_F(Encryption, ACertificateItselfMayNameTheRecipient) {
  const auto text = content(vectors / "se-request-issuerserial.xml");
  const auto key = text.find("<xenc:EncryptedKey");
  const auto begin = text.find("<wsse:SecurityTokenReference>", key), end = text.find("</wsse:SecurityTokenReference>", begin) + 30;
  const auto named = [&](const std::string& who) {
    const auto certificate = security::Certificate::from_pem(content(vectors / "keys" / (who + ".crt.pem"))).value();
    const auto data = "<ds:X509Data><ds:X509Certificate>" + to_base64(certificate->der) + "</ds:X509Certificate></ds:X509Data>";
    return encrypting(std::string(text).replace(begin, end - begin, data));
  };
  EXPECT_EQ(named("provider"), "accepted");
  EXPECT_EQ(named("outsider"), "wsse:SecurityTokenUnavailable");
}

// WUS-145
TEST_F(Encryption, ADistinguishedNameHasManySpellings) {
  const auto certificate = key_pair("provider")->certificate();
  for (const char* name : {"CN=Schakel Test Issuing CA,2.5.4.97=#0c0e4e54524e4c2d3930303030303031,O=Schakel Test,C=NL",
                           "C=NL, O=Schakel Test, organizationIdentifier=NTRNL-90000001, CN=Schakel Test Issuing CA",
                           "cn=schakel test  issuing ca ; oid.2.5.4.97=NTRNL-90000001;o=\"Schakel Test\";c=nl",
                           "CN=Schakel\\ Test Issuing C\\41,OID.2.5.4.97=#0c0e4e54524e4c2d3930303030303031,O=Schakel Test+C=NL"}) {
    EXPECT_TRUE(names_issuer(name, certificate)) << name;
  }
  for (const char* name : {"", "CN", "CN=Schakel Test Issuing CA", "X=1,CN=Schakel Test Issuing CA",
                           "CN=Schakel Test Issuing CA,2.5.4.97=#zz,O=Schakel Test,C=NL",
                           "CN=Schakel Test Issuing CA,2.5.4.97=#0c0e4e54524e4c2d3930303030303031,O=Schakel Test,C=BE", "CN=\"a", "CN=a\\",
                           "CN=Schakel Test Issuing CA,2.5.4.97=#0500,O=Schakel Test,C=NL"}) {
    EXPECT_FALSE(names_issuer(name, certificate)) << name;
  }
  EXPECT_FALSE(names_issuer("CN=" + std::string(5000, 'x'), certificate));
  // The serial number alone selects: a deviation, no refusal.
  const auto text = content(vectors / "se-request-issuerserial.xml");
  const auto begin = text.find("<ds:X509IssuerName>") + 19;
  const auto received = receiver(Profile::be_se)(std::string(text).replace(begin, text.find('<', begin) - begin, "CN=Anders"));
  ASSERT_TRUE(received) << received.error().detail;
  EXPECT_EQ(received->opened.deviations.size(), 1u);
}

// WUS-112: once more when the content is there.
TEST_F(Encryption, IdsThatComeToLightMustBeUniqueToo) {
  EXPECT_EQ(encrypting(encrypted(SignedMessage(), "<p:a xmlns:p=\"urn:p\" wsu:Id=\"to\"/>")), invalid_security);
}

// --- answers -------------------------------------------------------------------------------------------------------------------------

// WUS-160, WUS-161, WUS-162
TEST_F(Answers, ConfirmTheSignatureOfTheRequest) {
  const auto code = [](const std::string& confirmation, bool is_signed, const std::function<void(Receiver&, Expectation&)>& change = {}) {
    SignedMessage message;
    message.signer = key_pair("provider");
    message.token = binary_token(message.signer->certificate()->der);
    message.headers += "<wsa:RelatesTo wsu:Id=\"relates\">urn:x:1</wsa:RelatesTo>";
    message.signed_ids.emplace_back("relates");
    message.further_security = confirmation;
    if (is_signed) message.signed_ids.emplace_back("confirmation");
    Expectation expectation{.request_signature_value = "value", .signer_oins = {"00000001800000002000"}, .is_own = {}};
    auto receiver = test::receiver(Profile::be_s);
    receiver.kind = Kind::response;
    receiver.who = "requester";
    receiver.expectation = &expectation;
    if (change) change(receiver, expectation);
    const auto received = receiver(message.text());
    return received ? std::string("accepted") : std::string(client_code_of(received.error()));
  };
  const auto confirming = [](std::string_view value) {
    return "<wsse11:SignatureConfirmation wsu:Id=\"confirmation\" Value=\"" + to_base64(value) + "\"/>";
  };
  EXPECT_EQ(code(confirming("value"), true), "accepted");
  EXPECT_EQ(code(replaced(confirming("value"), "=\"dmFs", "=\" dm\n Fs"), true), "accepted");  // decoded octets are compared (WUS-113)
  EXPECT_EQ(code(confirming("value"), false), "WUS-C-CONF");
  EXPECT_EQ(code(confirming("other"), true), "WUS-C-CONF");
  EXPECT_EQ(code("<wsse11:SignatureConfirmation wsu:Id=\"confirmation\"/>", true), "WUS-C-CONF");
  EXPECT_EQ(code("", false), "WUS-C-CONF");
  const auto lenient = [](Receiver& receiver, Expectation&) { receiver.settings.accept_missing_confirmation = true; };
  EXPECT_EQ(code("", false, lenient), "accepted");
  EXPECT_EQ(code(confirming("other"), true, lenient), "WUS-C-CONF");
  EXPECT_EQ(code(confirming("value"), true, [](Receiver&, Expectation& e) { e.signer_oins = {"00000001800000009000"}; }), "WUS-C-CERT");
  EXPECT_EQ(code(confirming("value"), true, [](Receiver&, Expectation& e) { e.is_own = [](const auto&) { return true; }; }), "WUS-C-CERT");
}

// WUS-161
TEST_F(Answers, OnlyTheyConfirm) {
  SignedMessage message;
  message.further_security = "<wsse11:SignatureConfirmation wsu:Id=\"confirmation\"/>";
  message.signed_ids.emplace_back("confirmation");
  EXPECT_EQ(signing(message), invalid_security);
}

}  // namespace
}  // namespace schakel::wus
