#include "wus/plain.hpp"

#include <libxml/tree.h>

#include <algorithm>

#include "http/fields.hpp"
#include "wus/binary_elements.hpp"
#include "wus/message.hpp"
#include "wus/names.hpp"
#include "xml/canonical.hpp"
#include "xml/encoding.hpp"
#include "xml/namespaces.hpp"

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

Result<Plain> parse(std::string_view octets, std::string_view charset, std::size_t bytes_max) {
  SCHAKEL_TRY(const auto text, xml::to_utf8(octets, charset, bytes_max));
  SCHAKEL_TRY(auto document, xml::Document::parse(text, envelope_limits(bytes_max)));
  // What is handed on is a canonical form, which such a document has not.
  if (const auto where = xml::relative_namespace_in(document.root()))
    return fail("xml.canonical", "a relative namespace name", where.path());
  Plain plain{.document = std::move(document), .payload = {}, .action = {}, .message_id = {}, .binary_elements = {}};
  plain.payload = plain.document.root();
  return plain;
}

// The root of a package, with XOP undone.
Result<Plain> parse(const Package& package, std::size_t bytes_max) {
  SCHAKEL_TRY(auto plain, parse(package.root_octets(), package.root_charset.value_or(""), bytes_max));
  SCHAKEL_TRY(plain.binary_elements, expand_xop(plain.document, package.parts, package.root, bytes_max));
  plain.mtom = true;
  return plain;
}

Result<Plain> parse_entity(std::string_view octets, std::string_view content_type, PlainForm form, std::size_t bytes_max) {
  const auto media = http::parse_media_type(content_type, http::Unquoted::anything);
  if (!media || !is_package(*media)) return parse(octets, media ? media->parameter("charset").value_or("") : "", bytes_max);
  auto package = form == PlainForm::envelope ? read_package(octets, *media, {"text/xml"})
                                             : read_package(octets, *media, {"application/xml", "text/xml"});
  if (!package) return package.error();
  return parse(*package, bytes_max);
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
  for (auto at = element.next_in(element); at; at = at.next_in(element)) add_prefixes(at, prefixes);
  return prefixes;
}

// `fillings`: what is written where an element stands empty.
std::string serialised(xml::Element element, std::span<const xml::Filling> fillings) {
  const auto prefixes = declared_prefixes(element);
  auto octets = xml::canonicalise(element, {.inclusive_prefixes = prefixes, .filled = fillings});
  return octets ? std::move(*octets) : std::string();
}

}  // namespace

Result<Plain> read_plain(std::string_view octets, std::string_view content_type, PlainForm form, std::size_t bytes_max) {
  SCHAKEL_TRY(auto plain, parse_entity(octets, content_type, form, bytes_max));
  if (form == PlainForm::envelope) SCHAKEL_CHECK(read_envelope(plain));
  plain.binary_elements = at_or_below(plain.binary_elements, plain.payload);
  plain.is_fault = plain.payload.is(ns::soapenv, "Fault");
  return plain;
}

Result<Plain> read_plain(std::string_view element, std::vector<Part> parts, std::size_t bytes_max) {
  Package package;
  package.parts = std::move(parts);
  package.root = package.parts.size();
  package.parts.push_back({.content_id = {}, .content_type = {}, .encoded = element, .decoded = {}});
  SCHAKEL_TRY(auto plain, parse(package, bytes_max));
  plain.is_fault = plain.payload.is(ns::soapenv, "Fault");
  return plain;
}

bool is_mtom(std::string_view content_type) {
  const auto media = http::parse_media_type(content_type, http::Unquoted::anything);
  return media && is_package(*media);
}

std::string handed_on(xml::Element element) {
  return serialised(element, {});
}

HandedOn handed_on_apart(xml::Document& document, xml::Element element, const std::vector<xml::Element>& binary, std::size_t bytes_min,
                         Random& random) {
  HandedOn out;
  std::vector<xml::Element> emptied;
  for (const auto at : binary) {
    if (out.attachments.size() + 1 == parts_max) break;  // the root is one
    if (at.first_child()) continue;
    auto octets = from_base64_lenient(at.text());
    if (!octets || octets->empty() || octets->size() < bytes_min) continue;
    document.set_text(at, {});
    out.attachments.push_back({make_part(random, part_media_type(at)), std::move(*octets)});
    emptied.push_back(at);
  }
  std::vector<std::string> includes;
  std::vector<xml::Filling> fillings;
  for (const auto& attachment : out.attachments) includes.push_back(xop_include(attachment.part));
  for (std::size_t i = 0; i < emptied.size(); ++i) fillings.push_back({emptied[i], includes[i]});
  out.text = serialised(element, fillings);
  return out;
}

PlainEntity mtom_entity(std::string_view root, std::vector<Attachment> attachments, std::string_view root_type, Random& random) {
  const XopPackage package(random, root_type);
  PlainEntity out{.content_type = package.content_type(), .octets = {}};
  std::size_t size = root.size() + XopPackage::overhead_bytes(attachments.size());
  for (const auto& attachment : attachments) size += attachment.octets.size() + attachment.part.content_type.size();
  out.octets.reserve(size);
  package.open_root(out.octets);
  out.octets += root;
  for (const auto& attachment : attachments) {
    package.open_part(attachment.part, out.octets);
    out.octets += attachment.octets;
  }
  package.close(out.octets);
  return out;
}

std::string plain_envelope(std::string_view headers, std::string_view payload) {
  std::string out;
  out.reserve(headers.size() + payload.size() + 256);
  out.append("<soapenv:Envelope xmlns:soapenv=\"").append(ns::soapenv).append("\" xmlns:wsa=\"").append(ns::wsa).append("\">");
  if (!headers.empty()) out.append("<soapenv:Header>").append(headers).append("</soapenv:Header>");
  out.append("<soapenv:Body>").append(payload).append("</soapenv:Body></soapenv:Envelope>");
  return out;
}

std::string plain_headers(const Addressing& addressing) {
  std::string out;
  const auto add = [&out](std::string_view name, const std::string& value, bool is_reference = false) {
    if (value.empty()) return;
    out.append("<wsa:").append(name).append(is_reference ? "><wsa:Address>" : ">").append(xml::escaped(value));
    out.append(is_reference ? "</wsa:Address></wsa:" : "</wsa:").append(name).append(">");
  };
  add("To", addressing.to);
  add("Action", addressing.action);
  add("MessageID", addressing.message_id);
  add("RelatesTo", addressing.relates_to);
  add("From", addressing.from, true);
  add("ReplyTo", addressing.reply_to, true);
  add("FaultTo", addressing.fault_to, true);
  return out;
}

}  // namespace schakel::wus
