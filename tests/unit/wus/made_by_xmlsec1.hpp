// Debian's xmlsec1 in the room's terms: it judges what we make, and makes messages of our shape with its own digests, signature, key
// transport and cipher.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "unit/wus/parties.hpp"
#include "unit/xmlsecurity/xmlsec1.hpp"
#include "xmlsecurity/algorithms.hpp"

namespace schakel::wus::testing {

// From the first octet of `open` to the last of `close` after it; npos, 0: not there.
struct Span {
  std::size_t begin = std::string::npos, size = 0;
};
inline Span span_of(std::string_view text, std::string_view open, std::string_view close, std::size_t from = 0) {
  const auto begin = text.find(open, from);
  const auto end = begin == std::string_view::npos ? begin : text.find(close, begin);
  return end == std::string_view::npos ? Span{} : Span{begin, end + close.size() - begin};
}
inline std::string taken(std::string& text, std::string_view open, std::string_view close, std::size_t from = 0) {
  const Span span = span_of(text, open, close, from);
  if (span.size == 0) throw std::runtime_error("no " + std::string(open));
  std::string out = text.substr(span.begin, span.size);
  text.erase(span.begin, span.size);
  return out;
}

class WusXmlsec1 {
 public:
  static bool installed() { return xmlsecurity::test::Xmlsec1::installed(); }

  bool verifies(const std::string& envelope, const security::Certificate& signer) {
    return program_.run("--verify", ids() + "--pubkey-cert-pem " + program_.file("signer.pem", signer.pem()) + ' ' +
                                        program_.file("message.xml", envelope));
  }

  // The envelope with the plain content of Body; nothing when it does not decrypt. xmlsec1 does not follow a wsse:SecurityTokenReference,
  // so the EncryptedKey is moved to where it looks for one: into the ds:KeyInfo of EncryptedData. No octet of either ciphertext changes.
  std::optional<std::string> decrypted(std::string envelope, EVP_PKEY* key) {
    std::string encrypted_key = taken(envelope, "<xenc:EncryptedKey", "</xenc:EncryptedKey>");
    taken(encrypted_key, "<ds:KeyInfo", "</ds:KeyInfo>");
    const auto data = envelope.find("<xenc:EncryptedData");
    const Span key_info = span_of(envelope, "<ds:KeyInfo", "</ds:KeyInfo>", data);
    envelope.replace(key_info.begin, key_info.size,
                     "<ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">" + encrypted_key + "</ds:KeyInfo>");
    if (!program_.run("--decrypt", "--privkey-pem " + private_key(key) + ' ' + program_.file("message.xml", envelope))) return std::nullopt;
    return program_.output();
  }

  // The same message, signed anew by xmlsec1: every DigestValue and the SignatureValue are its own.
  std::optional<std::string> signed_anew(std::string envelope, EVP_PKEY* key) {
    const auto empty = [&](std::string_view name) {
      const auto open = "<ds:" + std::string(name) + ">", close = "</ds:" + std::string(name) + ">";
      for (auto found = span_of(envelope, open, close); found.size != 0;
           found = span_of(envelope, open, close, found.begin + open.size() + close.size()))
        envelope.replace(found.begin, found.size, open + close);
    };
    empty("DigestValue");
    empty("SignatureValue");
    if (!program_.run("--sign", ids() + "--privkey-pem " + private_key(key) + ' ' + program_.file("template.xml", envelope)))
      return std::nullopt;
    return program_.output();
  }

  // The content of Body of a signed message encrypted by xmlsec1 (RSA-OAEP with SHA-1), with the EncryptedKey in the Security header.
  // `key_reference`: the wsse:SecurityTokenReference to the recipient's certificate.
  std::optional<std::string> encrypted(std::string envelope, const security::Certificate& recipient, xmlsecurity::ContentCipher cipher,
                                       std::string_view key_reference) {
    const std::string xenc(xmlsecurity::uri::xenc), ds(xmlsecurity::uri::ds);
    const auto start_tag = envelope.find('>', envelope.find("<soapenv:Body")) + 1, end = envelope.find("</soapenv:Body>");
    const auto content = program_.file("content", envelope.substr(start_tag, end - start_tag));
    const std::string key_template = "<xenc:EncryptedKey xmlns:xenc=\"" + xenc + "\" Id=\"EK-x\"><xenc:EncryptionMethod Algorithm=\"" +
                                     xenc + "rsa-oaep-mgf1p\"/><xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedKey>";
    const auto data_template = program_.file(
        "template.xml", "<xenc:EncryptedData xmlns:xenc=\"" + xenc + "\" Id=\"ED-x\" Type=\"" + std::string(uri::xenc_content) +
                            "\"><xenc:EncryptionMethod Algorithm=\"" + std::string(xmlsecurity::uri_of(cipher)) +
                            "\"/><ds:KeyInfo xmlns:ds=\"" + ds + "\">" + key_template +
                            "</ds:KeyInfo><xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedData>");
    const std::string session = xmlsecurity::key_bytes(cipher) == 16 ? "aes-128" : "aes-256";
    if (!program_.run("--encrypt", "--pubkey-cert-pem " + program_.file("recipient.pem", recipient.pem()) + " --session-key " + session +
                                       " --binary-data " + content + ' ' + data_template))
      return std::nullopt;
    std::string data = program_.output();
    data.erase(0, data.find("<xenc:EncryptedData"));
    data.erase(data.rfind('>') + 1);
    std::string key = taken(data, "<xenc:EncryptedKey", "</xenc:EncryptedKey>");
    key.insert(key.find("<xenc:CipherData>"), "<ds:KeyInfo xmlns:ds=\"" + ds + "\">" + std::string(key_reference) + "</ds:KeyInfo>");
    key.insert(key.rfind("</xenc:EncryptedKey>"), "<xenc:ReferenceList><xenc:DataReference URI=\"#ED-x\"/></xenc:ReferenceList>");
    envelope.replace(start_tag, end - start_tag, data);
    envelope.insert(envelope.find("<ds:Signature"), key);
    return envelope;
  }

  const std::string& said() const { return program_.said(); }

 private:
  std::string private_key(EVP_PKEY* key) { return program_.file("key.pem", security::private_key_pem(key).value()); }

  static std::string ids() {
    using Name = std::pair<std::string_view, std::string_view>;
    constexpr std::array names{Name{ns::wsa, "To"},        Name{ns::wsa, "Action"},   Name{ns::wsa, "MessageID"},
                               Name{ns::wsa, "RelatesTo"}, Name{ns::wsa, "From"},     Name{ns::wsa, "ReplyTo"},
                               Name{ns::wsu, "Timestamp"}, Name{ns::soapenv, "Body"}, Name{ns::wsse11, "SignatureConfirmation"}};
    std::string out;
    for (const auto& [uri, name] : names) out.append("--id-attr:Id ").append(uri).append(":").append(name).append(" ");
    return out;
  }

  xmlsecurity::test::Xmlsec1 program_;
};

}  // namespace schakel::wus::testing
