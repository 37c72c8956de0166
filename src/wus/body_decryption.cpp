#include "wus/body_decryption.hpp"

#include <algorithm>
#include <array>

#include "wus/names.hpp"
#include "xmlsecurity/content_decryption.hpp"

namespace schakel::wus {
namespace {

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
}

}  // namespace

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
  if (!unwrapped || !decrypted || !message.document.replace(body.data, std::move(plain), envelope_limits(settings.max_size)))
    return failed();
  if (!is_plain_body(message.body)) return failed();
  message.payload = message.body.first_child();
  message.is_fault = message.payload.is(ns::soapenv, "Fault");
  message.binary_elements.clear();
  return {};
}

}  // namespace schakel::wus
