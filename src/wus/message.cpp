#include "wus/message.hpp"

#include <algorithm>
#include <array>

#include "http/fields.hpp"
#include "wus/binary_elements.hpp"
#include "wus/mtom.hpp"
#include "wus/names.hpp"
#include "xml/namespaces.hpp"
#include "xmlsecurity/algorithms.hpp"

namespace schakel::wus {
namespace {

using xml::Element;

Error malformed(std::string detail, Element where) {
  return fail("wus.envelope", std::move(detail), where.path());
}

std::optional<http::MediaType> media_type_of(std::string_view content_type) {
  return http::parse_media_type(content_type, http::Unquoted::anything);
}

// WUS-022: wherever an encoding is stated it is UTF-8.
Result<> check_charset(std::optional<std::string_view> charset) {
  if (charset && !equals_ignoring_case(*charset, "utf-8")) return fail("wus.encoding", "the parameter charset is not UTF-8");
  return {};
}

// --- octets to a document ------------------------------------------------------------------------------------------------------------

// What the parser says, in the words of the fault table.
Error translated(const Error& error) {
  const std::string_view token = error.code == "xml.encoding"  ? "wus.encoding"
                                 : error.code == "xml.limit"   ? "wus.limit"
                                 : error.code == "xml.doctype" ? "wus.doctype"
                                                               : "wus.envelope";
  return fail(std::string(token), error.detail, error.location);
}

Result<xml::Document> parse(BytesView octets, const Settings& settings) {
  auto document = xml::Document::parse(octets, envelope_limits(settings.max_size));
  if (!document) return translated(document.error());
  // Legal XML, but nothing of it could be handed on: what we hand on is a canonical form.
  if (const Element where = xml::relative_namespace_in(document->root())) return malformed("a relative namespace name", where);
  return document;
}

struct Parsed {
  xml::Document document;
  std::vector<Element> filled;  // from parts of their own
};

Result<Parsed> read_multipart(BytesView entity, const http::MediaType& media, const Settings& settings) {
  SCHAKEL_TRY(const auto package, read_package(entity, media, {"text/xml"}));
  SCHAKEL_CHECK(check_charset(package.root_charset));
  SCHAKEL_TRY(auto document, parse(package.root_octets(), settings));
  SCHAKEL_TRY(auto filled, expand_xop(document, package.parts, package.root, settings.max_size));
  return Parsed{std::move(document), std::move(filled)};
}

Result<Parsed> read_single(BytesView entity, const Settings& settings) {
  SCHAKEL_TRY(auto document, parse(entity, settings));
  return Parsed{std::move(document), {}};
}

// --- the envelope --------------------------------------------------------------------------------------------------------------------

bool is_soap(Element element, std::string_view name) {
  return element.is(ns::soapenv, name);
}

Result<> check_no_encoding_style(Element element) {
  if (element.attribute(ns::soapenv, "encodingStyle")) return malformed("soapenv:encodingStyle is not allowed", element);
  return {};
}

Result<> find_parts(Message& message) {
  message.envelope = message.document.root();
  if (message.envelope.name() == "Envelope" && message.envelope.namespace_uri() != ns::soapenv)
    return fail("wus.version", "an Envelope of another SOAP version", message.envelope.path());
  if (!is_soap(message.envelope, "Envelope")) return malformed("the root is not soapenv:Envelope", message.envelope);
  Element next = message.envelope.first_child();
  if (next && is_soap(next, "Header")) {
    message.header = next;
    next = next.next_sibling();
  }
  if (!next || !is_soap(next, "Body")) return malformed("soapenv:Body is missing or not at its place", message.envelope);
  message.body = next;
  if (next.next_sibling()) return malformed("an element after soapenv:Body", next.next_sibling());
  if (message.envelope.has_text()) return malformed("text between Header and Body", message.envelope);
  if (message.header && message.header.has_text()) return malformed("text between header blocks", message.header);
  SCHAKEL_CHECK(check_no_encoding_style(message.envelope));
  if (message.header) SCHAKEL_CHECK(check_no_encoding_style(message.header));
  return check_no_encoding_style(message.body);
}

// WUS-020: one child, in a namespace.
Result<> read_body(Message& message) {
  message.payload = message.body.first_child();
  if (!message.payload) return malformed("soapenv:Body is empty", message.body);
  if (message.payload.next_sibling()) return malformed("more than one element in soapenv:Body", message.payload.next_sibling());
  if (message.body.has_text()) return malformed("text in soapenv:Body", message.body);
  if (message.payload.namespace_uri().empty()) return malformed("the child of soapenv:Body has no namespace", message.payload);
  message.is_fault = is_soap(message.payload, "Fault");
  return check_no_encoding_style(message.payload);
}

// --- header census (4.1 step 5) ------------------------------------------------------------------------------------------------------

enum class BlockKind { addressing, security, encrypted, extra, foreign };

bool is_addressing_name(std::string_view name) {
  constexpr std::array<std::string_view, 8> names{"To", "Action", "MessageID", "RelatesTo", "From", "ReplyTo", "FaultTo", "FaultDetail"};
  return std::ranges::find(names, name) != names.end();
}

BlockKind kind_of(Element block, const Settings& settings) {
  const auto actor = block.attribute(ns::soapenv, "actor");
  const bool for_us = !actor || actor->empty();
  if (block.is(ns::wsse, "Security")) return BlockKind::security;
  // WUS-140; without security they are as foreign as any.
  if (settings.profile != Profile::be && (block.is(ns::wsse11, "EncryptedHeader") || block.is(xmlsecurity::uri::xenc, "EncryptedData")))
    return BlockKind::encrypted;
  if (block.namespace_uri() == ns::wsa && is_addressing_name(block.name())) return for_us ? BlockKind::addressing : BlockKind::foreign;
  const ExpandedName name{std::string(block.namespace_uri()), std::string(block.name())};
  return std::ranges::find(settings.extra_headers, name) != settings.extra_headers.end() ? BlockKind::extra : BlockKind::foreign;
}

Result<bool> must_understand(Element block) {
  const auto value = block.attribute(ns::soapenv, "mustUnderstand");
  if (!value || *value == "0") return false;
  if (*value == "1") return true;
  return malformed("soapenv:mustUnderstand is neither 0 nor 1", block);
}

// SOAP 1.1, 4.2.3: mandatory blocks before anything else.
Result<> check_mandatory(const std::vector<Element>& blocks, const Settings& settings) {
  for (const Element block : blocks) {
    SCHAKEL_TRY(const bool mandatory, must_understand(block));
    SCHAKEL_CHECK(check_no_encoding_style(block));
    if (mandatory && kind_of(block, settings) == BlockKind::foreign)
      return fail("wus.headerMustUnderstand", "a mandatory header block that is not understood", block.path());
  }
  return {};
}

Result<> take_block(Message& message, Element block, const Settings& settings) {
  switch (kind_of(block, settings)) {
    case BlockKind::addressing:
      message.addressing.push_back(block);
      return {};
    case BlockKind::extra:
      message.extra_headers.push_back(block);
      return {};
    case BlockKind::security:
      if (message.security) return fail("wus.security", "two wsse:Security headers", block.path());
      message.security = block;
      return {};
    case BlockKind::encrypted:
      return fail("wus.security", "an encrypted header block", block.path());
    case BlockKind::foreign:
      break;
  }
  return fail("wus.headerForeign", "a header block that is not of WS-Addressing", block.path());
}

Result<> read_header(Message& message, const Settings& settings) {
  if (!message.header) return {};
  const auto blocks = message.header.children();
  if (blocks.size() > header_blocks_max)
    return fail("wus.limit", "more than " + std::to_string(header_blocks_max) + " header blocks", message.header.path());
  SCHAKEL_CHECK(check_mandatory(blocks, settings));
  for (const Element block : blocks) SCHAKEL_CHECK(take_block(message, block, settings));
  return {};
}

}  // namespace

xml::Limits envelope_limits(std::size_t bytes_max) {
  return {.bytes_max = bytes_max, .depth_max = 128, .attributes_max = 128, .instructions_allowed = false};
}

MediaType media_type(std::string_view content_type, Mtom mtom) {
  const auto media = media_type_of(content_type);
  if (!media) return MediaType::unsupported;
  if (media->type == "text/xml") return MediaType::xml;
  return is_package(*media) && mtom != Mtom::off ? MediaType::xop : MediaType::unsupported;
}

Result<Message> read_message(BytesView entity, std::string_view content_type, const Settings& settings, Kind kind) {
  if (entity.size() > settings.max_size) return fail("wus.limit", "the message is larger than " + std::to_string(settings.max_size));
  const auto media = media_type_of(content_type);
  if (!media) return fail("wus.envelope", "Content-Type cannot be read");
  const bool is_multipart = media->type == "multipart/related";
  SCHAKEL_CHECK(check_charset(media->parameter("charset")));
  SCHAKEL_TRY(auto parsed, is_multipart ? read_multipart(entity, *media, settings) : read_single(entity, settings));
  Message message(std::move(parsed.document));
  message.mtom = is_multipart;
  SCHAKEL_CHECK(find_parts(message));
  SCHAKEL_CHECK(read_body(message));
  if (message.is_fault && kind == Kind::request) return malformed("a Fault is no request", message.payload);
  SCHAKEL_CHECK(read_header(message, settings));
  for (const Element element : at_or_below(parsed.filled, message.payload)) {
    if (element.namespace_uri() != xmlsecurity::uri::xenc) message.binary_elements.push_back(element);
  }
  return message;
}

}  // namespace schakel::wus
