#include "wus/security_header.hpp"

#include <algorithm>

#include "wus/names.hpp"
#include "xml/grammar.hpp"
#include "xmlsecurity/algorithms.hpp"

namespace schakel::wus {
namespace {

using xml::Element;
namespace ds = xmlsecurity::uri;

Error malformed(std::string detail, Element where) {
  return fail("wus.security", std::move(detail), where.path());
}
Error bad_time(std::string detail, Element where) {
  return fail("wus.timestamp", std::move(detail), where.path());
}

Result<> set_once(Element& place, Element found) {
  if (place) return malformed("an element that may stand once stands twice", found);
  place = found;
  return {};
}
Result<> add(std::vector<Element>& list, std::size_t max, Element found) {
  if (list.size() == max) return malformed("more than " + std::to_string(max) + " of these elements", found);
  list.push_back(found);
  return {};
}

Result<> take_child(SecurityHeader& header, Element child) {
  if (child.is(ns::wsu, "Timestamp")) return set_once(header.timestamp, child);
  if (child.is(ds::ds, "Signature")) return set_once(header.signature, child);
  if (child.is(ns::wsse, "BinarySecurityToken")) return add(header.tokens, tokens_max, child);
  if (child.is(ds::xenc, "EncryptedKey")) return add(header.encrypted_keys, encrypted_keys_max, child);
  if (child.is(ds::xenc, "ReferenceList")) return add(header.reference_lists, encrypted_keys_max, child);
  if (child.is(ns::wsse11, "SignatureConfirmation")) return add(header.confirmations, 1, child);
  return malformed("an element that has no place in wsse:Security", child);
}

// A time and nothing else in the element.
Result<Instant> time_of(Element element) {
  if (element.attribute("", "ValueType")) return bad_time("a time with ValueType", element);
  if (element.first_child() || element.has_comment_or_pi()) return bad_time("a time that is not plain text", element);
  const auto text = xml::collapsed(element.text());
  const bool utc = text.ends_with('Z') || text.ends_with("+00:00");
  if (!utc || !xml::matches(xml::Type::date_time, text)) return bad_time("a time that is not xs:dateTime in UTC", element);
  const auto parsed = parse_datetime(text);
  if (!parsed) return bad_time("a time that is not xs:dateTime", element);
  return parsed->instant;
}

// The ids that an element has.
template <class Use>
void for_each_id(Element element, const Use& use) {
  if (const auto id = element.attribute(ns::wsu, "Id")) use(*id);
  const auto id = element.attribute("", "Id");
  if (!id) return;
  const auto space = element.namespace_uri();
  if (space == ds::ds || space == ds::xenc || space == ds::xenc11) use(*id);
}

Result<TokenReference> read_key_identifier(Element identifier, TokenReference reference) {
  const auto value_type = identifier.attribute("", "ValueType").value_or("");
  if (value_type == uri::x509_ski) {
    reference.form = TokenReference::Form::subject_key_id;
  } else if (value_type == uri::thumbprint_sha1) {
    reference.form = TokenReference::Form::thumbprint;
  } else {
    return reference;
  }
  if (identifier.attribute("", "EncodingType").value_or(std::string(uri::base64_binary)) != uri::base64_binary)
    return malformed("a KeyIdentifier that is not base64", identifier);
  if (identifier.first_child() || identifier.has_comment_or_pi()) return malformed("a KeyIdentifier that is not plain text", identifier);
  auto octets = from_base64_lenient(identifier.text());
  if (!octets || octets->empty()) return malformed("a KeyIdentifier that is not base64", identifier);
  reference.identifier = std::move(*octets);
  return reference;
}

std::string plain_text_of(Element element) {
  return element && !element.first_child() && !element.has_comment_or_pi() ? std::string(trim(element.text())) : std::string();
}

}  // namespace

Result<SecurityHeader> read_security_header(Element security) {
  if (const auto actor = security.attribute(ns::soapenv, "actor"); actor && !actor->empty())
    return malformed("wsse:Security for another actor", security);
  if (security.has_text()) return malformed("text in wsse:Security", security);
  SecurityHeader header;
  header.element = security;
  for (Element child = security.first_child(); child; child = child.next_sibling()) SCHAKEL_CHECK(take_child(header, child));
  if (!header.timestamp) return malformed("wsu:Timestamp is missing", security);
  if (!header.signature) return malformed("ds:Signature is missing", security);
  return header;
}

Result<Timestamp> read_timestamp(Element element) {
  const auto children = element.children();
  if (element.has_text() || children.empty() || children.size() > 2 || !children[0].is(ns::wsu, "Created") ||
      (children.size() == 2 && !children[1].is(ns::wsu, "Expires")))
    return bad_time("wsu:Timestamp is not one Created with at most one Expires after it", element);
  Timestamp timestamp;
  SCHAKEL_TRY(timestamp.created, time_of(children[0]));
  if (children.size() == 1) return timestamp;
  SCHAKEL_TRY(timestamp.expires, time_of(children[1]));
  if (*timestamp.expires <= timestamp.created) return bad_time("Expires is not after Created", element);
  return timestamp;
}

Result<> check_freshness(const Timestamp& timestamp, const Settings& settings, Instant now) {
  if (timestamp.created > now + settings.skew_future) return fail("wus.expired", "Created lies in the future");
  if (now > timestamp.created + settings.timestamp_ttl) return fail("wus.expired", "Created lies too far back");
  if (timestamp.expires && now >= *timestamp.expires + settings.skew_past) return fail("wus.expired", "Expires has passed");
  return {};
}

std::optional<std::string_view> id_of_reference(std::string_view uri) {
  if (!uri.starts_with('#')) return std::nullopt;
  uri.remove_prefix(1);
  if (!xml::matches(xml::Type::ncname, uri) || trim(uri) != uri) return std::nullopt;
  return uri;
}

void Ids::want_references_of(Element top) {
  for (Element element = top; element; element = element.next_in(top)) {
    if (!element.is(ds::ds, "Reference") && !element.is(ns::wsse, "Reference") && !element.is(ds::xenc, "DataReference")) continue;
    const auto reference = element.attribute("", "URI").value_or("");
    if (const auto id = id_of_reference(reference)) wanted_.try_emplace(std::string(*id));
  }
}

Result<> Ids::find_in(Element root) {
  for (auto& [id, found] : wanted_) found = {};
  bool twice = false;
  Element second;
  for (Element element = root; element && !twice; element = element.next_in(root)) {
    for_each_id(element, [&](const std::string& id) {
      const auto wanted = wanted_.find(id);
      if (wanted == wanted_.end()) return;
      twice = twice || (wanted->second && wanted->second != element);
      wanted->second = element;
      second = element;
    });
  }
  if (twice) return fail("wus.duplicateId", "an id that is referred to stands on two elements", second.path());
  return {};
}

Element Ids::operator[](std::string_view id) const {
  const auto found = wanted_.find(id);
  return found == wanted_.end() ? Element() : found->second;
}

Result<TokenReference> read_token_reference(Element element) {
  const Element child = element.first_child();
  if (!child || child.next_sibling()) return malformed("wsse:SecurityTokenReference does not have exactly one child", element);
  TokenReference reference;
  if (child.is(ns::wsse, "Reference")) {
    reference.form = TokenReference::Form::direct;
    reference.uri = child.attribute("", "URI").value_or("");
    reference.value_type = child.attribute("", "ValueType").value_or("");
    return reference;
  }
  if (child.is(ns::wsse, "KeyIdentifier")) return read_key_identifier(child, std::move(reference));
  const Element issuer_serial = child.is(ds::ds, "X509Data") ? child.child(ds::ds, "X509IssuerSerial") : Element();
  if (!issuer_serial) return reference;
  reference.form = TokenReference::Form::issuer_serial;
  reference.issuer_name = plain_text_of(issuer_serial.child(ds::ds, "X509IssuerName"));
  reference.serial_number = plain_text_of(issuer_serial.child(ds::ds, "X509SerialNumber"));
  return reference;
}

}  // namespace schakel::wus
