#include "wus/body_encryption.hpp"

<<<<<<< HEAD
#include <openssl/sha.h>

#include <array>

#include "security/openssl.hpp"
#include "wus/names.hpp"
#include "wus/sealing.hpp"
#include "wus/security_writing.hpp"
#include "xml/document.hpp"
#include "xmlsecurity/content_encryption.hpp"
#include "xmlsecurity/issuer_serial.hpp"
=======
#include <algorithm>
#include <array>

#include "wus/names.hpp"
#include "xmlsecurity/content_decryption.hpp"
>>>>>>> w1

namespace schakel::wus {
namespace {

<<<<<<< HEAD
using security::Certificate;
using xmlsecurity::ContentCipher;
using xmlsecurity::KeyTransport;

constexpr int rsa_bits_min = 2048;
constexpr std::size_t piece_bytes = std::size_t{48} * 1024;
constexpr KeyTransport transport = KeyTransport::rsa_oaep_mgf1p;

Result<> check_cipher(const Settings& settings, Instant now) {
  switch (settings.encryption_algorithm) {
    case ContentCipher::aes128_gcm:
    case ContentCipher::aes256_gcm:
      return {};
    case ContentCipher::aes128_cbc:
    case ContentCipher::aes256_cbc:
      if (settings.legacy_cbc == LegacyCbc::both && settings.legacy_cbc_until && now < *settings.legacy_cbc_until) return {};
      return fail("wus.encryption", "AES-CBC is configured, and there is no exception for sending it, or no more");
    case ContentCipher::tripledes_cbc:
      break;
  }
  return fail("wus.encryption", "3DES is never used for sending");
}

std::string key_identifier(std::string_view value_type, BytesView octets) {
  std::string out = "<wsse:SecurityTokenReference><wsse:KeyIdentifier EncodingType=\"";
  out.append(uri::base64_binary).append("\" ValueType=\"").append(value_type).append("\">").append(to_base64(octets));
  return out.append("</wsse:KeyIdentifier></wsse:SecurityTokenReference>");
}

Bytes sha1(BytesView octets) {
  Bytes out(SHA_DIGEST_LENGTH, '\0');
  if (EVP_Digest(octets.data(), octets.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr, EVP_sha1(), nullptr) != 1)
    out.clear();
  return out;
}

// WUS-144. `token_id`: of the recipient's own BinarySecurityToken.
Result<std::string> recipient_reference(const Certificate& recipient, KeyReference form, std::string_view token_id) {
  switch (form) {
    case KeyReference::issuer_serial: {
      const auto issuer = xml::escape_text(xmlsecurity::issuer_name(recipient));
      if (!issuer) return fail("wus.tokenType", "the issuer's name of the recipient's certificate has characters that XML cannot carry");
      return "<wsse:SecurityTokenReference><ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>" + *issuer +
             "</ds:X509IssuerName><ds:X509SerialNumber>" + xmlsecurity::serial_number(recipient) +
             "</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data></wsse:SecurityTokenReference>";
    }
    case KeyReference::ski:
      if (recipient->subject_key_id.empty()) return fail("wus.tokenType", "the recipient's certificate has no subject key identifier");
      return key_identifier(uri::x509_ski, recipient->subject_key_id);
    case KeyReference::thumbprint:
      // A name for the certificate, no proof of it: SHA-1 is what the token profile defines.
      return key_identifier(uri::thumbprint_sha1, sha1(recipient->der));
    case KeyReference::bst:
      break;
  }
  return direct_reference(token_id);
}

std::string encryption_method(const std::optional<xmlsecurity::DigestMethod>& oaep_digest) {
  std::string out = "<xenc:EncryptionMethod Algorithm=\"";
  out.append(xmlsecurity::uri_of(transport));
  if (!oaep_digest) return out += "\"/>";
  out.append("\"><ds:DigestMethod xmlns:ds=\"").append(xmlsecurity::uri::ds).append("\" Algorithm=\"");
  return out.append(xmlsecurity::uri_of(*oaep_digest)).append("\"/></xenc:EncryptionMethod>");
}

std::string encrypted_key_text(std::string_view id, const Settings& settings, std::string_view reference, BytesView wrapped,
                               std::string_view data_id) {
  std::string out = "<xenc:EncryptedKey xmlns:xenc=\"";
  out.append(xmlsecurity::uri::xenc).append("\" Id=\"").append(id).append("\">").append(encryption_method(settings.oaep_digest));
  out.append("<ds:KeyInfo xmlns:ds=\"").append(xmlsecurity::uri::ds).append("\">").append(reference).append("</ds:KeyInfo>");
  out.append("<xenc:CipherData><xenc:CipherValue>").append(to_base64(wrapped)).append("</xenc:CipherValue></xenc:CipherData>");
  out.append("<xenc:ReferenceList><xenc:DataReference URI=\"#").append(data_id).append("\"/></xenc:ReferenceList></xenc:EncryptedKey>");
  return out;
}

std::string data_start_text(std::string_view id, ContentCipher cipher, std::string_view key_id) {
  std::string out = "<xenc:EncryptedData xmlns:xenc=\"";
  out.append(xmlsecurity::uri::xenc).append("\" Id=\"").append(id).append("\" Type=\"").append(uri::xenc_content);
  out.append("\"><xenc:EncryptionMethod Algorithm=\"").append(xmlsecurity::uri_of(cipher)).append("\"/><ds:KeyInfo xmlns:ds=\"");
  out.append(xmlsecurity::uri::ds).append("\"><wsse:SecurityTokenReference xmlns:wsse=\"").append(ns::wsse).append("\" xmlns:wsse11=\"");
  out.append(ns::wsse11).append("\" wsse11:TokenType=\"").append(uri::encrypted_key_token).append("\"><wsse:Reference URI=\"#");
  return out.append(key_id).append("\"/></wsse:SecurityTokenReference></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>");
}

// In pieces, so that the ciphertext is never held apart from the message.
template <class Take>
void encrypt(xmlsecurity::ContentEncryption& encryption, std::initializer_list<BytesView> plain, Bytes& buffer, const Take& take) {
  for (BytesView rest : plain) {
    for (; !rest.empty(); rest.remove_prefix(std::min(piece_bytes, rest.size()))) {
      encryption.update(rest.substr(0, piece_bytes), buffer);
      take();
    }
  }
  encryption.finish(buffer);
=======
using xml::Element;
namespace ds = xmlsecurity::uri;

Error malformed(std::string detail, Element where) {
  return fail("wus.security", std::move(detail), where.path());
}
Error refused(std::string detail, Element where) {
  return fail("wus.algorithm", std::move(detail), where.path());
}
// WUS-150
Error failed() {
  return fail("wus.failedCheck", "the Body could not be decrypted");
}

// --- structure -----------------------------------------------------------------------------------------------------------------------

// Children of EncryptedData (XENC 3.4).
struct DataParts {
  Element method, key_info, cipher_value;
};

Result<Element> cipher_value_of(Element cipher_data) {
  const Element value = cipher_data.first_child();
  if (!value || !value.is(ds::xenc, "CipherValue") || value.next_sibling())
    return malformed("CipherData is not one CipherValue", cipher_data);
  if (value.first_child() || value.has_comment_or_pi()) return malformed("CipherValue is not plain text", value);
  return value;
}

Result<DataParts> read_data(Element data) {
  const auto type = data.attribute("", "Type").value_or("");
  if (type != uri::xenc_content && type != uri::xenc_element) return malformed("EncryptedData is neither Content nor Element", data);
  DataParts parts;
  parts.method = data.first_child();
  if (!parts.method || !parts.method.is(ds::xenc, "EncryptionMethod")) return malformed("EncryptionMethod is missing", data);
  Element next = parts.method.next_sibling();
  if (next && next.is(ds::ds, "KeyInfo")) {
    parts.key_info = next;
    next = next.next_sibling();
  }
  if (!next || !next.is(ds::xenc, "CipherData") || next.next_sibling()) return malformed("CipherData is missing or not at its place", data);
  SCHAKEL_TRY(parts.cipher_value, cipher_value_of(next));
  return parts;
}

// WUS-172; legacy ciphers under a dated exception only.
bool is_allowed(xmlsecurity::ContentCipher cipher, const Settings& settings, Instant now) {
  using xmlsecurity::ContentCipher;
  if (xmlsecurity::is_gcm(cipher)) return true;
  const auto& until = cipher == ContentCipher::tripledes_cbc ? settings.legacy_3des_until : settings.legacy_cbc_until;
  const bool excepted = cipher == ContentCipher::tripledes_cbc ? settings.legacy_3des : settings.legacy_cbc != LegacyCbc::off;
  return excepted && until && now < *until;
}

Result<xmlsecurity::ContentCipher> read_cipher(Element method, const Settings& settings, Instant now) {
  const auto algorithm = method.attribute("", "Algorithm");
  if (!algorithm) return malformed("EncryptionMethod without Algorithm", method);
  const auto cipher = xmlsecurity::content_cipher(*algorithm);
  if (!cipher || !is_allowed(*cipher, settings, now)) return refused("a content cipher that is not allowed", method);
  for (Element child = method.first_child(); child; child = child.next_sibling()) {
    if (!child.is(ds::xenc, "KeySize")) return malformed("a parameter that no content cipher has", child);
  }
  return *cipher;
}

// --- keys ----------------------------------------------------------------------------------------------------------------------------

// What an EncryptedKey of the message is, besides its value.
struct Candidate {
  Element element;
  xmlsecurity::EncryptedKey key;
  OwnKey own;
  bool located = false;  // by the KeyInfo of the EncryptedData
};

// Where the pieces come from.
struct Sources {
  const SecurityHeader& header;
  const Ids& ids;
  std::span<const std::shared_ptr<const security::KeyPair>> own;
};

// xenc:ReferenceList: to the one EncryptedData, else something was encrypted that may not be (WUS-140).
Result<bool> refers_to(Element reference_list, Element data, const Ids& ids) {
  for (Element reference = reference_list.first_child(); reference; reference = reference.next_sibling()) {
    const auto uri = reference.attribute("", "URI").value_or("");
    const auto id = id_of_reference(uri);
    if (!reference.is(ds::xenc, "DataReference") || !id || ids[*id] != data)
      return malformed("a reference to what is not the EncryptedData of the Body", reference);
  }
  return static_cast<bool>(reference_list.first_child());
}

Result<Candidate> read_candidate(Element element, const Sources& from) {
  for (const std::string_view name : {"Type", "MimeType", "Encoding", "Recipient"}) {
    if (element.attribute("", name)) return malformed("an attribute that EncryptedKey must not have", element);
  }
  Candidate candidate;
  candidate.element = element;
  auto key = xmlsecurity::read_encrypted_key(element);
  if (!key) return fail("wus.security", key.error().detail, key.error().location);
  candidate.key = std::move(*key);
  SCHAKEL_TRY(const auto recipient, read_recipient(element.child(ds::ds, "KeyInfo"), candidate.key.hints, from.header, from.ids));
  candidate.own = find_own_key(recipient, from.own);
  return candidate;
}

// The EncryptedKey elements of the message: of the header, and inside the KeyInfo of the EncryptedData (WUS-146).
Result<std::vector<Element>> key_elements(const SecurityHeader& header, Element key_info) {
  auto out = header.encrypted_keys;
  if (key_info) std::ranges::copy(key_info.children(ds::xenc, "EncryptedKey"), std::back_inserter(out));
  if (out.empty()) return malformed("there is no EncryptedKey", header.element);
  if (out.size() > encrypted_keys_max) return malformed("more EncryptedKeys than " + std::to_string(encrypted_keys_max), header.element);
  return out;
}

// The key that the KeyInfo of the EncryptedData points at; absent: it does not point.
Result<Element> pointed_at(Element key_info, const SecurityHeader& header, const Ids& ids) {
  if (!key_info) return Element();
  Element found;
  for (Element child = key_info.first_child(); child; child = child.next_sibling()) {
    if (child.is(ds::xenc, "EncryptedKey")) continue;
    if (!child.is(ns::wsse, "SecurityTokenReference")) return malformed("a key that is not named by its EncryptedKey", child);
    SCHAKEL_TRY(const auto reference, read_token_reference(child));
    const auto id = id_of_reference(reference.uri);
    found = id ? ids[*id] : Element();
    if (std::ranges::find(header.encrypted_keys, found) == header.encrypted_keys.end())
      return malformed("a reference to what is no EncryptedKey of the header", child);
  }
  return found;
}

// One that is for us; that which the EncryptedData points at, when there are more. Null: none.
Result<const Candidate*> choose(const std::vector<Candidate>& candidates, Element data) {
  const Candidate* chosen = nullptr;
  for (const Candidate& candidate : candidates) {
    if (!candidate.own.pair || (chosen != nullptr && chosen->located)) continue;
    if (chosen != nullptr && !candidate.located) return malformed("more than one EncryptedKey is for us", data);
    chosen = &candidate;
  }
  return chosen;
}

Result<> check_transport(const Candidate& chosen) {
  const auto& key = chosen.key;
  if (!key.refusal.empty()) return refused(key.refusal, chosen.element);
  if (key.transport == xmlsecurity::KeyTransport::rsa_1_5) return refused("rsa-1_5 is not allowed", chosen.element);
  if (!key.oaep.label.empty()) return refused("OAEPparams that are not empty", chosen.element);
  return {};
}

// --- plain content -------------------------------------------------------------------------------------------------------------------

bool is_plain_body(Element body) {
  const Element payload = body.first_child();
  return payload && !payload.next_sibling() && !body.has_text() && !payload.namespace_uri().empty() &&
         !payload.is(ds::xenc, "EncryptedData");
}

// The ciphertext; its text leaves the tree, so that a large one is not held twice. nullopt: not base64.
std::optional<Bytes> take_cipher_text(Message& message, Element cipher_value) {
  auto octets = from_base64_lenient(cipher_value.text());
  message.document.set_text(cipher_value, {});
  if (!octets) return std::nullopt;
  return std::move(*octets);
>>>>>>> w1
}

}  // namespace

<<<<<<< HEAD
Result<> check_recipient(const Certificate& recipient, const Settings& settings) {
  if (recipient->key.type != security::KeyType::rsa || recipient->key.bits < rsa_bits_min)
    return fail("wus.tokenType", "the recipient's certificate has no RSA key of 2048 bits or more");
  if (recipient->has_key_usage && (recipient->key_usage & security::key_encipherment) == 0 && !settings.allow_missing_key_encipherment)
    return fail("wus.tokenType", "the recipient's certificate may not be used for keyEncipherment");
  return {};
}

BodyEncryption::BodyEncryption(ContentCipher cipher, Random& random)
    : cipher_(cipher), random_(&random), key_(std::make_unique<xmlsecurity::ContentKey>(cipher, random)) {}

Result<BodyEncryption> BodyEncryption::make(const Certificate& recipient, const Settings& settings, Instant now, Identifiers& identifiers,
                                            Random& random) {
  SCHAKEL_CHECK(check_recipient(recipient, settings));
  SCHAKEL_CHECK(check_cipher(settings, now));
  BodyEncryption out(settings.encryption_algorithm, random);
  xmlsecurity::Oaep oaep;  // MGF1 is with SHA-1 by definition of this transport (WUS-173)
  if (settings.oaep_digest) oaep.digest = xmlsecurity::openssl_name(*settings.oaep_digest);
  const Bytes wrapped = xmlsecurity::wrap(transport, oaep, X509_get0_pubkey(recipient.native()), *out.key_);
  if (wrapped.empty()) return fail("wus.tokenType", "the key of the recipient's certificate cannot encrypt");
  const auto key_id = identifiers.next("EK-"), data_id = identifiers.next("ED-");
  std::string token_id;
  if (settings.key_ref == KeyReference::bst) {
    token_id = identifiers.next();
    out.token_ = binary_security_token(token_id, recipient);
  }
  SCHAKEL_TRY(const auto reference, recipient_reference(recipient, settings.key_ref, token_id));
  out.encrypted_key_ = encrypted_key_text(key_id, settings, reference, wrapped, data_id);
  out.data_start_ = data_start_text(data_id, settings.encryption_algorithm, key_id);
  return out;
}

std::size_t BodyEncryption::cipher_bytes(std::size_t plain_bytes) const {
  constexpr std::size_t gcm_extra = 12 + 16, block = 16;
  return xmlsecurity::is_gcm(cipher_) ? plain_bytes + gcm_extra : block + (plain_bytes / block + 1) * block;
}

void BodyEncryption::append_octets(std::initializer_list<BytesView> plain, std::string& out) {
  xmlsecurity::ContentEncryption encryption(cipher_, *key_, *random_, out);
  encrypt(encryption, plain, out, [] {});
}

void BodyEncryption::append_base64(std::initializer_list<BytesView> plain, std::string& out) {
  Bytes buffer;
  xmlsecurity::ContentEncryption encryption(cipher_, *key_, *random_, buffer);
  encrypt(encryption, plain, buffer, [&] {
    const auto whole = buffer.size() / 3 * 3;
    out += to_base64(BytesView(buffer).substr(0, whole));
    buffer.erase(0, whole);
  });
  out += to_base64(buffer);
}

=======
Result<EncryptedBody> read_encrypted_body(const Message& message, const SecurityHeader& header, const Ids& ids,
                                          std::span<const std::shared_ptr<const security::KeyPair>> own, const Settings& settings,
                                          Instant now) {
  EncryptedBody body;
  body.data = message.payload;
  SCHAKEL_TRY(const auto parts, read_data(body.data));
  body.cipher_value = parts.cipher_value;
  SCHAKEL_TRY(body.cipher, read_cipher(parts.method, settings, now));

  SCHAKEL_TRY(const auto elements, key_elements(header, parts.key_info));
  SCHAKEL_TRY(const Element pointed, pointed_at(parts.key_info, header, ids));
  bool linked = static_cast<bool>(pointed);
  std::vector<Candidate> candidates;
  for (const Element element : elements) {
    SCHAKEL_TRY(auto candidate, read_candidate(element, {header, ids, own}));
    candidate.located = element == pointed || element.parent() == parts.key_info;
    linked = linked || candidate.located;
    candidates.push_back(std::move(candidate));
  }
  auto lists = header.reference_lists;
  for (const Element element : elements) std::ranges::copy(element.children(ds::xenc, "ReferenceList"), std::back_inserter(lists));
  for (const Element list : lists) {
    SCHAKEL_TRY(const bool refers, refers_to(list, body.data, ids));
    linked = linked || refers;
  }
  if (!linked) return malformed("nothing connects an EncryptedKey with the EncryptedData", body.data);

  SCHAKEL_TRY(const Candidate* chosen, choose(candidates, body.data));
  if (chosen == nullptr) return body;
  SCHAKEL_CHECK(check_transport(*chosen));
  body.key = chosen->key;
  body.own = chosen->own;
  return body;
}

Result<> decrypt_body(Message& message, const EncryptedBody& body, const Settings& settings, Random& random) {
  xmlsecurity::ContentKey key(body.cipher, random);
  const bool unwrapped = xmlsecurity::unwrap(body.key, body.own.pair->key(), key);
  Bytes plain;
  bool decrypted = false;
  {
    const auto cipher_text = take_cipher_text(message, body.cipher_value);
    decrypted = cipher_text && xmlsecurity::decrypt_content(body.cipher, key, *cipher_text, plain);
  }
  if (!unwrapped || !decrypted || !message.document.replace(body.data, std::move(plain), envelope_limits(settings))) return failed();
  if (!is_plain_body(message.body)) return failed();
  message.payload = message.body.first_child();
  message.is_fault = message.payload.is(ns::soapenv, "Fault");
  message.binary_elements.clear();
  return {};
}

>>>>>>> w1
}  // namespace schakel::wus
