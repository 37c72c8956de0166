// A signed message whose every piece is the test's choice: what a partner, or an attacker with a good key, could send. Digests are of what
// stands there; what is changed afterwards is not signed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "unit/wus/partners.hpp"
#include "wus/names.hpp"
#include "xmlsecurity/encryption.hpp"
#include "xmlsecurity/signature.hpp"

namespace schakel::wus::test {

inline const std::string exclusive_transform =
    "<ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>";
inline const std::string plain_payload = "<vraag xmlns=\"urn:example:vraag\"><nummer>12345678</nummer></vraag>";

inline std::string timestamp(std::string_view created, std::string_view expires = {}) {
  std::string out = "<wsu:Timestamp wsu:Id=\"ts\"><wsu:Created>" + std::string(created) + "</wsu:Created>";
  if (!expires.empty()) out.append("<wsu:Expires>").append(expires).append("</wsu:Expires>");
  return out + "</wsu:Timestamp>";
}

inline std::string binary_token(BytesView octets, std::string_view value_type = uri::x509v3, std::string_view id = "token") {
  return "<wsse:BinarySecurityToken wsu:Id=\"" + std::string(id) + "\" EncodingType=\"" + std::string(uri::base64_binary) +
         "\" ValueType=\"" + std::string(value_type) + "\">" + to_base64(octets) + "</wsse:BinarySecurityToken>";
}

inline std::string direct_reference(std::string_view id = "#token", std::string_view value_type = uri::x509v3) {
  return "<wsse:SecurityTokenReference wsu:Id=\"str\"><wsse:Reference URI=\"" + std::string(id) + "\"" +
         (value_type.empty() ? std::string() : " ValueType=\"" + std::string(value_type) + "\"") + "/></wsse:SecurityTokenReference>";
}

// The octets that a Reference digests; the element is found as a receiver finds it.
inline xml::Element element_with_id(const xml::Document& document, std::string_view id) {
  for (auto element = document.root(); element; element = element.next_in(document.root())) {
    if (element.attribute(ns::wsu, "Id") == id) return element;
  }
  ADD_FAILURE() << "nothing has the id " << id;
  return document.root();
}

struct SignedMessage {
  std::shared_ptr<const security::KeyPair> signer = key_pair("requester");
  std::string headers =
      "<wsa:To wsu:Id=\"to\">https://wus.aanbieder.example/diensten/inschrijving/v1</wsa:To>"
      "<wsa:Action wsu:Id=\"action\">urn:example:vraag</wsa:Action>"
      "<wsa:MessageID wsu:Id=\"message\">urn:uuid:6f1c2a10-0000-4000-8000-000000000002</wsa:MessageID>";
  std::string time = timestamp("2026-03-02T10:15:30.000Z", "2026-03-02T10:20:30.000Z");
  std::string token = binary_token(key_pair("requester")->certificate()->der);
  std::string further_security{};    // before the signature
  std::string body = plain_payload;  // content of soapenv:Body
  std::string after_security{};      // further header blocks
  std::vector<std::string> signed_ids{"to", "action", "message", "ts", "body"};
  std::string transforms = exclusive_transform;
  std::string key_info = direct_reference();  // content of ds:KeyInfo
  xmlsecurity::SignatureMethod method = xmlsecurity::SignatureMethod::rsa_sha256;
  std::vector<xmlsecurity::ReferenceToMake> further_references{};

  std::string unsigned_text() const {
    return "<soapenv:Envelope xmlns:soapenv=\"" + std::string(ns::soapenv) + "\" xmlns:wsa=\"" + std::string(ns::wsa) + "\" xmlns:wsu=\"" +
           std::string(ns::wsu) + "\" xmlns:wsse=\"" + std::string(ns::wsse) + "\" xmlns:wsse11=\"" + std::string(ns::wsse11) +
           "\"><soapenv:Header>" + headers + "<wsse:Security soapenv:mustUnderstand=\"1\">" + time + token + further_security +
           "</wsse:Security>" + after_security + "</soapenv:Header><soapenv:Body wsu:Id=\"body\">" + body +
           "</soapenv:Body></soapenv:Envelope>";
  }

  std::string text() const {
    const auto envelope = unsigned_text();
    const auto document = xml::Document::parse(envelope, {}).value();
    xmlsecurity::SignatureToMake make;
    make.method = method;
    for (const auto& id : signed_ids) {
      auto digest = xmlsecurity::canonical_digest(xmlsecurity::DigestMethod::sha256, element_with_id(document, id), {}).value();
      make.references.push_back({"#" + id, transforms, xmlsecurity::DigestMethod::sha256, std::move(digest)});
    }
    make.references.insert(make.references.end(), further_references.begin(), further_references.end());
    make.key_info = key_info.empty() ? std::string() : "<ds:KeyInfo>" + key_info + "</ds:KeyInfo>";
    const auto security = document.root().first_child().child(ns::wsse, "Security");
    return replaced(envelope, "</wsse:Security>", xmlsecurity::make_signature(make, signer->key(), security).value() + "</wsse:Security>");
  }
};

// An xenc:EncryptedData of these octets with its EncryptedKey inside.
inline std::string encrypted_data(BytesView plain, const security::Certificate& recipient = key_pair("provider")->certificate()) {
  SystemRandom random;
  const xmlsecurity::EncryptionToMake make{.oaep_digest = xmlsecurity::DigestMethod::sha256, .id = "data"};
  auto encryptor = xmlsecurity::Encryptor::make(make, recipient, random).value();
  auto out = encryptor.update(plain);
  out += encryptor.finish();
  return replaced(out, " Id=\"data\"", " Id=\"data\" Type=\"" + std::string(uri::xenc_content) + "\"");
}

// The message with its Body encrypted; `plain`: other octets than those that were signed.
inline std::string encrypted(const SignedMessage& message, std::string_view plain = {}) {
  return replaced(message.text(), message.body, encrypted_data(plain.empty() ? std::string_view(message.body) : plain));
}

}  // namespace schakel::wus::test
