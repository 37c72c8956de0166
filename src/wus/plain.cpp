#include "wus/plain.hpp"

#include <libxml/tree.h>

#include <algorithm>

#include "http/fields.hpp"
#include "wus/names.hpp"
#include "xml/canonical.hpp"
#include "xml/encoding.hpp"

namespace schakel::wus {
namespace {

Error no_envelope(std::string detail) {
  return fail("plain.envelope", std::move(detail));
}

// The Body of an envelope and what is used of its Header.
Result<> read_envelope(Plain& plain) {
  const auto root = plain.document.root();
  if (!root.is(ns::soapenv, "Envelope")) return no_envelope("the root element is not a SOAP 1.1 Envelope");
  xml::Element body;
  for (const auto child : root.children()) {
    if (child.is(ns::soapenv, "Header") && !body) {
      for (const auto header : child.children()) {
        if (header.is(ns::wsa, "Action")) plain.action = trim(header.text());
        if (header.is(ns::wsa, "MessageID")) plain.message_id = trim(header.text());
      }
    } else if (child.is(ns::soapenv, "Body") && !body) {
      body = child;
    } else {
      return no_envelope("an Envelope has at most one Header, then one Body");
    }
  }
  if (!body) return no_envelope("the Envelope has no Body");
  plain.payload = body.first_child();
  if (!plain.payload || plain.payload.next_sibling()) return no_envelope("the Body has not exactly one element");
  return {};
}

std::string charset_of(std::string_view content_type) {
  const auto type = http::parse_media_type(content_type, http::Unquoted::anything);
  const auto charset = type ? type->parameter("charset") : std::nullopt;
  return std::string(charset.value_or(""));
}

void add_prefixes(xml::Element element, std::vector<std::string>& prefixes) {
  for (const auto* declared = element.node()->nsDef; declared; declared = declared->next) {
    std::string prefix = declared->prefix ? reinterpret_cast<const char*>(declared->prefix) : "";
    if (std::ranges::find(prefixes, prefix) == prefixes.end()) prefixes.push_back(std::move(prefix));
  }
}

// Every prefix that is declared where the element stands or below it; "" for the default namespace. As a PrefixList they are all rendered
// where they are declared, whoever uses them.
std::vector<std::string> declared_prefixes(xml::Element element) {
  std::vector<std::string> prefixes;
  for (auto at = element; at; at = at.parent()) add_prefixes(at, prefixes);
  auto at = element.first_child();
  while (at && at != element) {
    add_prefixes(at, prefixes);
    if (const auto child = at.first_child()) {
      at = child;
      continue;
    }
    while (at != element && !at.next_sibling()) at = at.parent();
    if (at != element) at = at.next_sibling();
  }
  return prefixes;
}

}  // namespace

Result<Plain> read_plain(std::string_view octets, std::string_view content_type, PlainForm form, std::size_t bytes_max) {
  SCHAKEL_TRY(const auto text, xml::to_utf8(octets, charset_of(content_type), bytes_max));
  xml::Limits limits;
  limits.bytes_max = bytes_max;
  SCHAKEL_TRY(auto document, xml::Document::parse(text, limits));
  Plain plain{.document = std::move(document), .payload = {}, .action = {}, .message_id = {}};
  plain.payload = plain.document.root();
  if (form == PlainForm::envelope) SCHAKEL_CHECK(read_envelope(plain));
  plain.is_fault = plain.payload.is(ns::soapenv, "Fault");
  return plain;
}

std::string handed_on(xml::Element element) {
  const auto prefixes = declared_prefixes(element);
  const auto octets = xml::canonicalise(element, {.inclusive_prefixes = prefixes});
  return octets ? std::string(*octets) : std::string();
}

std::string plain_envelope(std::string_view headers, std::string_view payload) {
  std::string out;
  out.reserve(headers.size() + payload.size() + 256);
  out.append("<soapenv:Envelope xmlns:soapenv=\"").append(ns::soapenv).append("\" xmlns:wsa=\"").append(ns::wsa).append("\">");
  out.append("<soapenv:Header>").append(headers).append("</soapenv:Header>");
  out.append("<soapenv:Body>").append(payload).append("</soapenv:Body></soapenv:Envelope>");
  return out;
}

std::string plain_headers(const Addressing& addressing) {
  std::string out;
  const auto add = [&out](std::string_view name, const std::string& value) {
    if (!value.empty()) out.append("<wsa:").append(name).append(">").append(xml::escaped(value)).append("</wsa:").append(name).append(">");
  };
  add("To", addressing.to);
  add("Action", addressing.action);
  add("MessageID", addressing.message_id);
  add("RelatesTo", addressing.relates_to);
  return out;
}

}  // namespace schakel::wus
