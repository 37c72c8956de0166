// What is made, looked at with our own parser and our own signature room. Other implementations judge in independent_test.cpp.
#include "wus/sealing.hpp"

#include <fstream>
#include <set>

#include "support/pki.hpp"
#include "unit/wus/parties.hpp"
#include "xml/canonical.hpp"
#include "xmlsecurity/encrypted_key.hpp"
#include "xmlsecurity/signature.hpp"

namespace schakel::wus {
namespace {

using namespace testing;
using xml::Element;
using xmlsecurity::ContentCipher;

xml::Document parsed(const std::string& text) {
  auto document = xml::Document::parse(text, {.bytes_max = 64 * limits::MiB});
  if (!document) throw std::runtime_error(document.error().detail + "\n" + text.substr(0, 5000));
  return std::move(*document);
}
Element header_of(const xml::Document& document) {
  return document.root().child(ns::soapenv, "Header");
}
Element security_of(const xml::Document& document) {
  return header_of(document).child(ns::wsse, "Security");
}
Element body_of(const xml::Document& document) {
  return document.root().child(ns::soapenv, "Body");
}
std::vector<std::string> names(const std::vector<Element>& elements) {
  std::vector<std::string> out;
  for (const Element element : elements) out.emplace_back(element.name());
  return out;
}
using Names = std::vector<std::string>;

xmlsecurity::Signature signature_of(const xml::Document& document) {
  return xmlsecurity::read_signature(security_of(document).child(xmlsecurity::uri::ds, "Signature"), {.references_max = 64}).value();
}

// Elements by wsu:Id, anywhere.
void collect(Element element, std::map<std::string, Element>& out) {
  if (auto id = element.attribute(ns::wsu, "Id")) out.emplace(*id, element);
  for (Element child = element.first_child(); child; child = child.next_sibling()) collect(child, out);
}

// Names of the elements whose digests are right, in the order of the references.
Names digested(const xml::Document& document, const Settings& settings) {
  std::map<std::string, Element> by_id;
  collect(document.root(), by_id);
  Names out;
  for (const auto& reference : signature_of(document).references) {
    const Element apex = by_id.at(reference.uri.value().substr(1));
    const auto digest = xmlsecurity::canonical_digest(settings.digest_algorithm, apex,
                                                      {.inclusive_prefixes = reference.transforms.at(0).inclusive_prefixes});
    out.push_back((digest.value() == reference.digest_value ? "" : "not ") + std::string(apex.name()));
  }
  return out;
}

std::string code_of(const MessageToMake& make, const Settings& settings, Instant now = at) {
  SystemRandom random;
  const auto result = make_message(make, settings, now, random);
  return result ? "" : result.error().code;
}

// --- 2W-be
// ---------------------------------------------------------------------------------------------------------------------------------

TEST(SealingUnsecured, IsTheEnvelopeOfTheStandardOctetForOctet) {  // WUS-001, WUS-020, WUS-022, WUS-070
  const auto message = sealed(settings_of(Profile::be));
  EXPECT_EQ(message.content_type, "text/xml; charset=utf-8");
  EXPECT_EQ(message.message_id, "urn:uuid:6f1c2a10-0000-4000-8000-000000000002");
  EXPECT_TRUE(message.signature_value.empty());
  EXPECT_EQ(
      message.entity,
      "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:wsa=\"http://www.w3.org/2005/08/addressing\">"
      "<soapenv:Header><wsa:To>https://wus.aanbieder.example/diensten/inschrijving/v1?OIN=00000001800000002000</wsa:To>"
      "<wsa:Action>http://wus.aanbieder.example/wsdl/inschrijving-v1/IInschrijvingService_v1/vraagInschrijvingRequest</wsa:Action>"
      "<wsa:MessageID>urn:uuid:6f1c2a10-0000-4000-8000-000000000002</wsa:MessageID>"
      "<wsa:From><wsa:Address>https://wus.afnemer.example/wus?OIN=00000001800000001000</wsa:Address></wsa:From>"
      "<wsa:ReplyTo><wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address></wsa:ReplyTo>"
      "</soapenv:Header><soapenv:Body>" +
          question() + "</soapenv:Body></soapenv:Envelope>");
}

TEST(SealingUnsecured, AFaultIsAsTheStandardHasIt) {  // WUS-163, 3.5
  MessageToMake make = response(
      "<soapenv:Fault><faultcode>wsa:MessageAddressingHeaderRequired</faultcode>"
      "<faultstring xml:lang=\"nl\">DK0006: WS-Addressing header Action ontbreekt</faultstring></soapenv:Fault>");
  for (const auto profile : {Profile::be, Profile::be_s, Profile::be_se}) {
    const auto document = parsed(made(make, settings_of(profile)).entity);
    EXPECT_EQ(names(header_of(document).children()), (Names{"To", "Action", "MessageID", "RelatesTo"}));
    EXPECT_TRUE(body_of(document).first_child().is(ns::soapenv, "Fault"));
  }
}

TEST(SealingUnsecured, AddressesAreEscaped) {  // WUS-071
  auto make = request();
  make.addressing.to = "https://a.example/?x=1&OIN=<\"";
  const auto document = parsed(made(make, settings_of(Profile::be)).entity);
  EXPECT_EQ(header_of(document).first_child().text(), make.addressing.to);
}

TEST(SealingUnsecured, WhatNoMessageOfTheKindCarriesIsNotWritten) {  // WUS-078, 3.2
  auto make = request();
  make.addressing.fault_to = uri::anonymous;
  make.addressing.relates_to = "urn:x";
  EXPECT_EQ(names(header_of(parsed(made(make, settings_of(Profile::be)).entity)).children()),
            (Names{"To", "Action", "MessageID", "From", "ReplyTo"}));
  make.kind = Kind::response;
  EXPECT_EQ(names(header_of(parsed(made(make, settings_of(Profile::be)).entity)).children()),
            (Names{"To", "Action", "MessageID", "RelatesTo"}));
}

// --- 2W-be-S
// -------------------------------------------------------------------------------------------------------------------------------

TEST(SealingSigned, RequestHasTheHeadersInTheirOrder) {  // WUS-100, WUS-104, WUS-108, WUS-111
  const auto message = sealed(settings_of(Profile::be_s));
  const auto document = parsed(message.entity);
  EXPECT_EQ(names(header_of(document).children()), (Names{"To", "Action", "MessageID", "From", "ReplyTo", "Security"}));
  const Element security = security_of(document);
  EXPECT_EQ(security.attribute(ns::soapenv, "mustUnderstand"), "1");
  EXPECT_EQ(security.attribute(ns::soapenv, "actor"), std::nullopt);
  EXPECT_EQ(names(security.children()), (Names{"Timestamp", "BinarySecurityToken", "Signature"}));
  const Element token = security.child(ns::wsse, "BinarySecurityToken");
  EXPECT_EQ(token.attribute("", "ValueType"), uri::x509v3);
  EXPECT_EQ(token.attribute("", "EncodingType"), uri::base64_binary);
  EXPECT_EQ(from_base64(token.text()).value(), consumer()->certificate()->der);
  const auto signature = signature_of(document);
  const auto references = signature.key_info.children();
  ASSERT_EQ(references.size(), 1U);
  ASSERT_TRUE(references[0].is(ns::wsse, "SecurityTokenReference"));
  const Element reference = references[0].first_child();
  EXPECT_EQ(reference.attribute("", "URI"), "#" + *token.attribute(ns::wsu, "Id"));
  EXPECT_EQ(reference.attribute("", "ValueType"), uri::x509v3);
  EXPECT_EQ(signature.value, message.signature_value);
}

TEST(SealingSigned, CoversEveryPartAndVerifies) {  // WUS-104, WUS-106, WUS-107, WUS-170, WUS-171
  using xmlsecurity::DigestMethod, xmlsecurity::SignatureMethod;
  for (const auto method : {SignatureMethod::rsa_sha256, SignatureMethod::rsa_sha384, SignatureMethod::rsa_sha512}) {
    for (const auto digest : {DigestMethod::sha256, DigestMethod::sha384, DigestMethod::sha512}) {
      auto settings = settings_of(Profile::be_s);
      settings.signature_algorithm = method;
      settings.digest_algorithm = digest;
      const auto document = parsed(sealed(settings).entity);
      EXPECT_EQ(digested(document, settings), (Names{"To", "Action", "MessageID", "From", "ReplyTo", "Timestamp", "Body"}));
      const auto signature = signature_of(document);
      EXPECT_TRUE(xmlsecurity::verify_value(signature, consumer()->certificate()));
      EXPECT_FALSE(xmlsecurity::verify_value(signature, provider()->certificate())) << "this test can fail";
      EXPECT_EQ(signature.signature_algorithm, xmlsecurity::uri_of(method));
      EXPECT_EQ(signature.references[0].digest_algorithm, xmlsecurity::uri_of(digest));
      for (const auto& reference : signature.references) {
        ASSERT_EQ(reference.transforms.size(), 1U);
        EXPECT_EQ(reference.transforms[0].algorithm, "http://www.w3.org/2001/10/xml-exc-c14n#");
        EXPECT_TRUE(reference.transforms[0].inclusive_prefixes.empty());
      }
    }
  }
}

TEST(SealingSigned, ResponseConfirmsTheSignatureOfItsRequest) {  // WUS-080, WUS-100, WUS-160
  const auto settings = settings_of(Profile::be_s);
  const auto asked = sealed(settings);
  auto make = protect(response(), settings);
  make.protection->confirmation = asked.signature_value;
  const auto document = parsed(made(make, settings).entity);
  EXPECT_EQ(names(header_of(document).children()), (Names{"To", "Action", "MessageID", "RelatesTo", "Security"}));
  EXPECT_EQ(names(security_of(document).children()), (Names{"Timestamp", "BinarySecurityToken", "SignatureConfirmation", "Signature"}));
  const Element confirmation = security_of(document).child(ns::wsse11, "SignatureConfirmation");
  EXPECT_EQ(confirmation.attribute("", "Value"), to_base64(asked.signature_value));
  EXPECT_EQ(digested(document, settings), (Names{"To", "Action", "MessageID", "RelatesTo", "Timestamp", "SignatureConfirmation", "Body"}));
  make.protection->confirmation = Bytes();
  const auto without = parsed(made(make, settings).entity);
  EXPECT_EQ(security_of(without).child(ns::wsse11, "SignatureConfirmation").attribute("", "Value"), std::nullopt);
}

TEST(SealingSigned, CreatedIsNeverRoundedUp) {  // WUS-101
  for (const auto& [now, created, expires] :
       {std::tuple{"2026-03-02T10:15:30.999999Z", "2026-03-02T10:15:30.999Z", "2026-03-02T10:17:30.999Z"},
        {"2026-03-02T23:59:59.000001Z", "2026-03-02T23:59:59.000Z", "2026-03-03T00:01:59.000Z"}}) {
    auto settings = settings_of(Profile::be_s);
    settings.timestamp_ttl = std::chrono::seconds(120);
    const auto document = parsed(sealed(settings, request(), parse_datetime(now).value().instant).entity);
    const auto times = security_of(document).child(ns::wsu, "Timestamp").children();
    ASSERT_EQ(names(times), (Names{"Created", "Expires"}));
    EXPECT_EQ(times[0].text(), created);
    EXPECT_EQ(times[1].text(), expires);
  }
}

TEST(SealingSigned, IdentifiersAreNeverUsedAgain) {  // 4.2
  auto settings = settings_of(Profile::be_se);
  settings.key_ref = KeyReference::bst;
  std::set<std::string> seen;
  std::size_t count = 0;
  for (int i = 0; i < 5; ++i) {
    const auto text = sealed(settings).entity;
    for (auto at_id = text.find("Id=\""); at_id != std::string::npos; at_id = text.find("Id=\"", at_id + 1)) {
      const auto id = text.substr(at_id + 4, text.find('"', at_id + 4) - at_id - 4);
      EXPECT_TRUE(id.starts_with("id-") || id.starts_with("SIG-") || id.starts_with("EK-") || id.starts_with("ED-")) << id;
      seen.insert(id);
      ++count;
    }
  }
  EXPECT_EQ(count, 5U * 12U);
  EXPECT_EQ(seen.size(), count);
}

TEST(SealingSigned, HasNoInsignificantWhitespace) {  // 3.3
  for (const auto profile : {Profile::be, Profile::be_s, Profile::be_se}) {
    const auto text = sealed(settings_of(profile)).entity;
    EXPECT_EQ(text.find("> "), std::string::npos);
    EXPECT_EQ(text.find(">\n"), std::string::npos);
    EXPECT_EQ(text.find(" <"), std::string::npos);
  }
}

TEST(SealingSigned, DeclaresThreePrefixesOnTheEnvelopeAndTheOthersLocally) {  // 4.2
  const auto text = sealed(settings_of(Profile::be_se)).entity;
  const auto envelope = text.substr(0, text.find('>'));
  for (const auto prefix : {"soapenv", "wsa", "wsu"}) EXPECT_NE(envelope.find("xmlns:" + std::string(prefix)), std::string::npos);
  for (const auto prefix : {"wsse", "ds", "xenc", "wsse11"})
    EXPECT_EQ(envelope.find("xmlns:" + std::string(prefix) + "="), std::string::npos);
}

TEST(SealingSigned, ListsPrefixesWhenAsked) {  // WUS-107
  auto settings = settings_of(Profile::be_s);
  settings.inclusive_prefixes = true;
  const auto document = parsed(sealed(settings, request("<p:vraag xmlns:p=\"urn:p\" xmlns:q=\"urn:q\" xmlns=\"urn:d\">"
                                                        "<p:soort q:a=\"q:b\" xmlns:r=\"urn:r\">r:x</p:soort></p:vraag>"))
                                   .entity);
  const auto signature = signature_of(document);
  EXPECT_EQ(signature.inclusive_prefixes, (Names{"soapenv", "wsa", "wsu", "wsse"}));
  const auto prefixes = [&](std::size_t i) { return signature.references.at(i).transforms.at(0).inclusive_prefixes; };
  EXPECT_EQ(prefixes(0), (Names{"soapenv"}));                    // wsa:To uses wsa and wsu
  EXPECT_EQ(prefixes(5), (Names{"soapenv", "wsa", "wsse"}));     // wsu:Timestamp, in Security
  EXPECT_EQ(std::set<std::string>({"wsa", "q", "", "r"}), [&] {  // Body
    const auto list = prefixes(6);
    return std::set<std::string>(list.begin(), list.end());
  }());
  EXPECT_EQ(digested(document, settings), (Names{"To", "Action", "MessageID", "From", "ReplyTo", "Timestamp", "Body"}));
  EXPECT_TRUE(xmlsecurity::verify_value(signature, consumer()->certificate()));
}

TEST(SealingSigned, APrefixListStaysWithinWhatReceiversTake) {  // WUS-027, WUS-107
  auto settings = settings_of(Profile::be_s);
  settings.inclusive_prefixes = true;
  std::string body = "<a xmlns=\"urn:a\"";
  for (int i = 0; i < 50; ++i) body += " xmlns:prefix-of-some-length-" + std::to_string(i) + "=\"urn:" + std::to_string(i) + "\"";
  const auto document = parsed(sealed(settings, request(body + "/>")).entity);
  EXPECT_EQ(signature_of(document).references.back().transforms.at(0).inclusive_prefixes, (Names{"wsa"}));
  EXPECT_EQ(digested(document, settings).back(), "Body");
}

TEST(SealingSigned, ExtraHeadersAreSigned) {  // WUS-026, WUS-104
  const auto settings = settings_of(Profile::be_s);
  auto make = request();
  make.headers = {"<x:Kenmerk xmlns:x=\"urn:x\">1</x:Kenmerk>",
                  "<x:Met xmlns:x=\"urn:x\" xmlns:u=\"" + std::string(ns::wsu) + "\" u:Id=\"id-own\"/>"};
  const auto document = parsed(sealed(settings, make).entity);
  EXPECT_EQ(names(header_of(document).children()), (Names{"To", "Action", "MessageID", "From", "ReplyTo", "Kenmerk", "Met", "Security"}));
  EXPECT_EQ(digested(document, settings), (Names{"To", "Action", "MessageID", "From", "ReplyTo", "Kenmerk", "Met", "Timestamp", "Body"}));
}

// --- 2W-be-SE
// ------------------------------------------------------------------------------------------------------------------------------

std::size_t count_of(const std::string& text, std::string_view what) {
  std::size_t count = 0;
  for (auto found = text.find(what); found != std::string::npos; found = text.find(what, found + 1)) ++count;
  return count;
}

std::string between(std::string_view text, std::string_view before, std::string_view after, std::size_t from) {
  const auto begin = text.find(before, from) + before.size();
  return std::string(text.substr(begin, text.find(after, begin) - begin));
}

// The content of Body as the provider's key opens it, without a parse: the text of a large CipherValue is longer than the parser takes.
Bytes opened(const std::string& text) {
  const auto key_at = text.find("<xenc:EncryptedKey"), data_at = text.find("<xenc:EncryptedData");
  const auto cipher_value = [&](std::size_t from) {
    return from_base64(between(text, "<xenc:CipherValue>", "</xenc:CipherValue>", from)).value();
  };
  const auto cipher = xmlsecurity::content_cipher(between(text, "EncryptionMethod Algorithm=\"", "\"", data_at)).value();
  xmlsecurity::EncryptedKey wrapped;
  if (text.find("Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"", key_at) < text.find("<xenc:CipherData", key_at))
    wrapped.oaep.digest = xmlsecurity::openssl_name(xmlsecurity::DigestMethod::sha256);
  wrapped.wrapped = cipher_value(key_at);
  SystemRandom random;
  xmlsecurity::ContentKey key(cipher, random);
  if (!xmlsecurity::unwrap(wrapped, provider()->key(), key)) throw std::runtime_error("the key does not unwrap");
  const Bytes octets = cipher_value(data_at);
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  EVP_DecryptInit_ex(context, cipher == ContentCipher::aes256_gcm ? EVP_aes_256_gcm() : EVP_aes_128_gcm(), nullptr, key.data(),
                     security::octets(octets));
  Bytes plain(octets.size() - 28, '\0'), tag = octets.substr(octets.size() - 16);
  int size = 0;
  EVP_DecryptUpdate(context, reinterpret_cast<unsigned char*>(plain.data()), &size, security::octets(octets) + 12,
                    static_cast<int>(plain.size()));
  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, 16, tag.data());
  std::array<unsigned char, 16> last{};
  const bool ok = EVP_DecryptFinal_ex(context, last.data(), &size) == 1;
  EVP_CIPHER_CTX_free(context);
  if (!ok) throw std::runtime_error("the tag is wrong");
  return plain;
}

// The message with its content put back.
std::string decrypted(const std::string& text) {
  const auto begin = text.find("<xenc:EncryptedData"), end = text.find("</soapenv:Body>");
  return text.substr(0, begin) + opened(text) + text.substr(end);
}

TEST(SealingEncrypted, HasTheKeyBeforeTheSignatureAndOneEncryptedDataInBody) {  // WUS-100, WUS-140, WUS-142, WUS-143, WUS-173
  const auto message = sealed(settings_of(Profile::be_se));
  const auto document = parsed(message.entity);
  EXPECT_EQ(names(security_of(document).children()), (Names{"Timestamp", "BinarySecurityToken", "EncryptedKey", "Signature"}));
  const Element key = security_of(document).child(xmlsecurity::uri::xenc, "EncryptedKey");
  EXPECT_EQ(names(key.children()), (Names{"EncryptionMethod", "KeyInfo", "CipherData", "ReferenceList"}));
  for (const auto attribute : {"Type", "MimeType", "Encoding", "Recipient"}) EXPECT_EQ(key.attribute("", attribute), std::nullopt);
  EXPECT_EQ(key.first_child().attribute("", "Algorithm"), "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p");
  EXPECT_EQ(key.first_child().first_child().attribute("", "Algorithm"), "http://www.w3.org/2001/04/xmlenc#sha256");
  const auto content = body_of(document).children();
  ASSERT_EQ(names(content), (Names{"EncryptedData"}));
  const Element data = content[0];
  EXPECT_EQ(data.attribute("", "Type"), uri::xenc_content);
  EXPECT_EQ(names(data.children()), (Names{"EncryptionMethod", "KeyInfo", "CipherData"}));
  EXPECT_EQ(key.child(xmlsecurity::uri::xenc, "ReferenceList").first_child().attribute("", "URI"), "#" + *data.attribute("", "Id"));
  const Element reference = data.child(xmlsecurity::uri::ds, "KeyInfo").first_child();
  EXPECT_EQ(reference.attribute(ns::wsse11, "TokenType"), uri::encrypted_key_token);
  EXPECT_EQ(reference.first_child().attribute("", "URI"), "#" + *key.attribute("", "Id"));
  EXPECT_EQ(message.entity.find("inschrijfnummer"), std::string::npos);
}

TEST(SealingEncrypted, DecryptsToWhatWasSigned) {  // WUS-141, WUS-147, WUS-172
  for (const auto cipher : {ContentCipher::aes256_gcm, ContentCipher::aes128_gcm}) {
    auto settings = settings_of(Profile::be_se);
    settings.encryption_algorithm = cipher;
    const auto text = decrypted(sealed(settings).entity);
    EXPECT_EQ(count_of(text, question()), 1U);
    const auto document = parsed(text);
    EXPECT_EQ(digested(document, settings), (Names{"To", "Action", "MessageID", "From", "ReplyTo", "Timestamp", "Body"}));
    EXPECT_TRUE(xmlsecurity::verify_value(signature_of(document), consumer()->certificate()));
  }
}

TEST(SealingEncrypted, AFaultIsSelfContainedInside) {  // WUS-147, WUS-163
  for (const bool prefixes : {false, true}) {
    auto settings = settings_of(Profile::be_se);
    settings.inclusive_prefixes = prefixes;
    const auto text = sealed(settings, response("<soapenv:Fault><faultcode>wsa:ActionNotSupported</faultcode>"
                                                "<faultstring xml:lang=\"nl\">DK0003: Invalide soapaction</faultstring></soapenv:Fault>"))
                          .entity;
    const auto plain = opened(text);
    const auto alone = parsed(plain);
    EXPECT_TRUE(alone.root().is(ns::soapenv, "Fault"));
    EXPECT_EQ(alone.root().namespace_of("wsa"), ns::wsa) << plain;
    EXPECT_EQ(digested(parsed(decrypted(text)), settings).back(), "Body");
  }
}

TEST(SealingEncrypted, PrefixesFromAroundAreDeclaredInside) {  // WUS-147
  const auto settings = settings_of(Profile::be_se);
  const auto plain = opened(sealed(settings, request("<v xmlns=\"urn:v\"><w wsa:x=\"1\" wsu:y=\"2\"/><wsa:z/></v>")).entity);
  EXPECT_EQ(plain, "<v xmlns:wsa=\"" + std::string(ns::wsa) + "\" xmlns:wsu=\"" + std::string(ns::wsu) +
                       "\" xmlns=\"urn:v\"><w wsa:x=\"1\" wsu:y=\"2\"/><wsa:z/></v>");
}

TEST(SealingEncrypted, NamesTheRecipientInFourWays) {  // WUS-108, WUS-144
  auto settings = settings_of(Profile::be_se);
  const auto reference = [&](KeyReference form) {
    settings.key_ref = form;
    auto document = parsed(sealed(settings).entity);
    const Element key = security_of(document).child(xmlsecurity::uri::xenc, "EncryptedKey");
    const Element found = key.child(xmlsecurity::uri::ds, "KeyInfo").first_child().first_child();
    return std::pair{std::move(document), found};
  };
  {
    const auto [document, found] = reference(KeyReference::issuer_serial);
    ASSERT_TRUE(found.is(xmlsecurity::uri::ds, "X509Data"));
    EXPECT_EQ(found.first_child().child(xmlsecurity::uri::ds, "X509IssuerName").text(),
              "CN=TEST Issuing CA,2.5.4.97=#0c0e4e54524e4c2d3930303030303031,O=TEST\\, & \\<not\\> for trust,C=NL");
    EXPECT_EQ(found.first_child().child(xmlsecurity::uri::ds, "X509SerialNumber").text(), "79228162668352604756806952841910045500");
  }
  {
    const auto [document, found] = reference(KeyReference::ski);
    ASSERT_TRUE(found.is(ns::wsse, "KeyIdentifier"));
    EXPECT_EQ(found.attribute("", "ValueType"), uri::x509_ski);
    EXPECT_EQ(found.attribute("", "EncodingType"), uri::base64_binary);
    EXPECT_EQ(from_base64(found.text()).value(), provider()->certificate()->subject_key_id);
  }
  {
    const auto [document, found] = reference(KeyReference::thumbprint);
    ASSERT_TRUE(found.is(ns::wsse, "KeyIdentifier"));
    EXPECT_EQ(found.attribute("", "ValueType"), uri::thumbprint_sha1);
    unsigned char digest[20];
    X509_digest(provider()->certificate().native(), EVP_sha1(), digest, nullptr);
    EXPECT_EQ(from_base64(found.text()).value(), Bytes(reinterpret_cast<char*>(digest), 20));
  }
  {
    const auto [document, found] = reference(KeyReference::bst);
    ASSERT_TRUE(found.is(ns::wsse, "Reference"));
    EXPECT_EQ(names(security_of(document).children()),
              (Names{"Timestamp", "BinarySecurityToken", "BinarySecurityToken", "EncryptedKey", "Signature"}));
    const Element token = security_of(document).children(ns::wsse, "BinarySecurityToken").at(1);
    EXPECT_EQ(found.attribute("", "URI"), "#" + *token.attribute(ns::wsu, "Id"));
    EXPECT_EQ(from_base64(token.text()).value(), provider()->certificate()->der);
  }
}

TEST(SealingEncrypted, OaepWithSha1HasNoDigestMethod) {  // WUS-173
  auto settings = settings_of(Profile::be_se);
  settings.oaep_digest = std::nullopt;
  const auto text = sealed(settings).entity;
  const auto document = parsed(text);
  EXPECT_FALSE(security_of(document).child(xmlsecurity::uri::xenc, "EncryptedKey").first_child().first_child());
  EXPECT_EQ(opened(text), question());
}

TEST(SealingEncrypted, CbcOnlyUnderAnExceptionThatLasts) {  // WUS-172, WUS-322, SEC-082
  auto settings = settings_of(Profile::be_se);
  settings.encryption_algorithm = ContentCipher::aes256_cbc;
  const auto make = protect(request(), settings);
  EXPECT_EQ(code_of(make, settings), "wus.encryption");
  settings.legacy_cbc = LegacyCbc::decrypt;
  settings.legacy_cbc_until = at + std::chrono::seconds(1);
  EXPECT_EQ(code_of(make, settings), "wus.encryption");
  settings.legacy_cbc = LegacyCbc::both;
  EXPECT_EQ(code_of(make, settings), "");
  EXPECT_EQ(code_of(make, settings, at + std::chrono::seconds(1)), "wus.encryption");
  settings.legacy_cbc_until.reset();
  EXPECT_EQ(code_of(make, settings), "wus.encryption");
  settings.legacy_3des = true;
  settings.encryption_algorithm = ContentCipher::tripledes_cbc;
  EXPECT_EQ(code_of(make, settings), "wus.encryption");
}

// --- refusals
// ------------------------------------------------------------------------------------------------------------------------------

TEST(SealingRefusals, ARecipientThatCannotBeEncryptedFor) {  // WUS-149
  auto settings = settings_of(Profile::be_se);
  auto make = protect(request(), settings);
  const auto code_for = [&](const PairPtr& recipient) {
    make.protection->recipient = recipient->certificate();
    EXPECT_EQ(check_recipient(recipient->certificate(), settings).has_value(), code_of(make, settings).empty());
    return code_of(make, settings);
  };
  const security::PrivateKey ec(EVP_EC_gen("P-256"), EVP_PKEY_free), rsa = shelf().take(2048).value(),
                                                                     small(EVP_RSA_gen(1024), EVP_PKEY_free);
  const auto signing_only = party(rsa, {.key_usage = "critical,digitalSignature"});
  EXPECT_EQ(code_for(party(ec)), "wus.tokenType");
  EXPECT_EQ(code_for(party(small)), "wus.tokenType");
  EXPECT_EQ(code_for(signing_only), "wus.tokenType");
  EXPECT_EQ(code_for(party(rsa, {.key_usage = nullptr})), "");
  settings.allow_missing_key_encipherment = true;
  EXPECT_EQ(code_for(signing_only), "");
  EXPECT_EQ(code_for(party(ec)), "wus.tokenType");
  settings.key_ref = KeyReference::ski;
  make.protection->recipient = party(rsa, {.key_id = false})->certificate();
  EXPECT_EQ(code_of(make, settings), "wus.tokenType");
}

TEST(SealingRefusals, AnotherProfileThanTheServices) {  // WUS-002, WUS-005
  const auto se = settings_of(Profile::be_se), s = settings_of(Profile::be_s), be = settings_of(Profile::be);
  EXPECT_EQ(code_of(protect(request(), s), se), "wus.tokenType");
  EXPECT_EQ(code_of(protect(request(), se), s), "wus.encryption");
  EXPECT_EQ(code_of(protect(request(), s), be), "wus.signing");
  EXPECT_EQ(code_of(request(), s), "wus.signing");
  EXPECT_EQ(code_of(request(), se), "wus.signing");
  auto keyless = protect(request(), s);
  keyless.protection->signer = nullptr;
  EXPECT_EQ(code_of(keyless, s), "wus.signing");
}

TEST(SealingRefusals, AKeyThatCannotSign) {  // WUS-171
  const auto settings = settings_of(Profile::be_s);
  auto make = protect(request(), settings);
  make.protection->signer = party(security::PrivateKey(EVP_EC_gen("P-256"), EVP_PKEY_free));
  EXPECT_EQ(code_of(make, settings), "wus.signing");
  make.protection->signer = party(security::PrivateKey(EVP_RSA_gen(1024), EVP_PKEY_free));
  EXPECT_EQ(code_of(make, settings), "wus.signing");
}

TEST(SealingRefusals, ABodyThatIsNotOneElement) {  // WUS-020, WUS-021
  const std::vector<std::string> bad{
      "",
      "text",
      " <a xmlns=\"urn:a\"/>",
      "<a xmlns=\"urn:a\"/> ",
      "<!-- c --><a xmlns=\"urn:a\"/>",
      "<a/>",
      "<a xmlns=\"urn:a\"/><b xmlns=\"urn:a\"/>",
      "<a xmlns=\"urn:a\"",
      "<a xmlns=\"urn:a\">",
      "<p:a/>",
      "<?xml version=\"1.0\"?><a xmlns=\"urn:a\"/>",
      "<a xmlns=\"urn:a\"><?pi x?></a>",
      "<!DOCTYPE a><a xmlns=\"urn:a\"/>",
      "<a xmlns=\"urn:a\">&x;</a>",
      "<a xmlns=\"urn:a\">\xFF</a>",
      "<a xmlns=\"urn:a\">\x01</a>",
      "<a xmlns=\"urn:a\"/></soapenv:Body><soapenv:Body><a xmlns=\"urn:a\"/>",
      "<a xmlns=\"urn:a\"/></soapenv:Body></soapenv:Envelope><!--",
      "<a xmlns=\"urn:a\"/></soapenv:Body><soapenv:Other>",
  };
  for (const auto profile : {Profile::be, Profile::be_s, Profile::be_se}) {
    const auto settings = settings_of(profile);
    for (const auto& body : bad) EXPECT_EQ(code_of(protect(request(body), settings), settings), "wus.envelope") << body;
    EXPECT_EQ(code_of(protect(request("<a xmlns=\"urn:a\"><!-- c --><![CDATA[<?x?>]]></a>"), settings), settings), "");
  }
}

TEST(SealingRefusals, HeadersThatAreNotWhatTheySeem) {  // WUS-026
  const auto settings = settings_of(Profile::be_s);
  const std::string id = "xmlns:wsu=\"" + std::string(ns::wsu) + "\" wsu:Id=\"same\"";
  const std::vector<std::vector<std::string>> bad{
      {""},
      {"text"},
      {"<x:a/>"},
      {"<a/><b/>"},
      {"<?xml version=\"1.0\"?><a xmlns=\"urn:a\"/>"},
      {"<!-- --><a xmlns=\"urn:a\"/>"},
      {"<a xmlns=\"urn:a\" xmlns:wsu=\"urn:other\"/>"},
      {"<a xmlns=\"urn:a\" " + id + "/>", "<b xmlns=\"urn:a\" " + id + "/>"},
  };
  for (const auto& headers : bad) {
    auto make = protect(request(), settings);
    make.headers = headers;
    EXPECT_EQ(code_of(make, settings), "wus.envelope") << headers[0];
  }
  auto make = protect(request(), settings);
  make.addressing.message_id = "urn:\x01";
  EXPECT_EQ(code_of(make, settings), "wus.envelope");
}

TEST(SealingRefusals, ErrorsNeverShowTheBody) {  // common: payload content never appears in errors
  SystemRandom random;
  for (const std::string body : {"<a xmlns=\"urn:a\">geheim-123</b>", "<a xmlns=\"urn:a\" geheim-123></a>", "<geheim-123/>"}) {
    const auto result = make_message(request(body), settings_of(Profile::be), at, random);
    ASSERT_FALSE(result);
    EXPECT_EQ((result.error().detail + result.error().location).find("geheim"), std::string::npos);
  }
}

TEST(SealingRefusals, ABodyLargerThanAMessageMayBe) {  // WUS-027
  auto settings = settings_of(Profile::be);
  settings.max_size = question().size();
  EXPECT_EQ(code_of(request(), settings), "");
  --settings.max_size;
  EXPECT_EQ(code_of(request(), settings), "wus.envelope");
}

// --- size
// ----------------------------------------------------------------------------------------------------------------------------------

std::size_t status_bytes(const std::string& field) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(field + ":")) return std::stoull(line.substr(field.size() + 1)) * 1024;
  return 0;
}

// Of what made the message and the message itself, above the memory that was in use before its body.
struct Large {
  MadeMessage message;
  std::size_t peak_bytes;
};
Large large(const Settings& settings, bool mtom) {
  Bytes octets(19 * limits::MiB, '\0');
  for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = static_cast<char>(i * 7 + i / 251);
  auto make = protect(request(notification(to_base64(octets))), settings);
  make.mtom = mtom;
  make.binary_elements = {attachment_position};
  octets = {};
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins anew
  const auto before = status_bytes("VmRSS") - make.body.size();
  auto message = made(make, settings);
  return {std::move(message), status_bytes("VmHWM") - before};
}

class SealingLarge : public ::testing::TestWithParam<Profile> {};

TEST_P(SealingLarge, NineteenMebibytesInlineAreSignedAsTheyStand) {  // WUS-186, GB-102
  const auto settings = settings_of(GetParam());
  const auto [message, peak_bytes] = large(settings, false);
  EXPECT_GT(message.entity.size(), 25 * limits::MiB);
  EXPECT_GT(peak_bytes, message.entity.size()) << "the peak is measured";
  EXPECT_LT(peak_bytes, 4 * message.entity.size() + 16 * limits::MiB);
  const auto document = parsed(GetParam() == Profile::be_se ? decrypted(message.entity) : message.entity);
  EXPECT_EQ(body_of(document).first_child().children().at(2).text().size(), (19 * limits::MiB + 2) / 3 * 4);
  if (GetParam() != Profile::be) {
    EXPECT_EQ(digested(document, settings).back(), "Body");
  }
}

TEST_P(SealingLarge, NineteenMebibytesAsAPartStayWithinTheMemoryOfAMessage) {  // WUS-186, GB-102
  const auto [message, peak_bytes] = large(settings_of(GetParam()), true);
  EXPECT_GT(message.entity.size(), 19 * limits::MiB);
  EXPECT_LT(message.entity.size(), 26 * limits::MiB);
  EXPECT_GT(peak_bytes, message.entity.size()) << "the peak is measured";
  EXPECT_LT(peak_bytes, 4 * message.entity.size() + 16 * limits::MiB);
}

INSTANTIATE_TEST_SUITE_P(Profiles, SealingLarge, ::testing::Values(Profile::be, Profile::be_s, Profile::be_se));

TEST(SealingLong, TextsThatNeedCareAreDigestedAsTheyStand) {  // WUS-114
  const std::string plain(200'000, 'x');
  for (const auto& text : {plain + "&amp;" + plain, plain + "\r\n" + plain, "<![CDATA[" + plain + "<]]>", plain + "é" + plain,
                           plain + "<!-- " + plain + " -->" + plain, plain + "<b/>" + plain, plain + "\n\t" + plain,
                           "<b c='>'>" + plain + "</b><b/><!-- <d> --><b>" + plain + "</b>"}) {
    for (const auto profile : {Profile::be_s, Profile::be_se}) {
      const auto settings = settings_of(profile);
      const auto entity = sealed(settings, request("<a xmlns=\"urn:a\"><e/>" + text + "</a>")).entity;
      EXPECT_EQ(digested(parsed(profile == Profile::be_se ? decrypted(entity) : entity), settings).back(), "Body");
    }
  }
}

}  // namespace
}  // namespace schakel::wus
