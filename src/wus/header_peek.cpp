#include "wus/header_peek.hpp"

#include <libxml/parser.h>

#include <cstring>
#include <optional>

#include "http/fields.hpp"
#include "wus/message.hpp"
#include "wus/names.hpp"
#include "xml/grammar.hpp"
#include "xml/scan.hpp"

namespace schakel::wus {
namespace {

constexpr int depth_max = 128;
constexpr int attributes_max = 128;

std::string_view view(const xmlChar* text) {
  return text ? std::string_view(reinterpret_cast<const char*>(text)) : std::string_view();
}

}  // namespace

// Elements by depth: 1 Envelope, 2 Header or Body, 3 header blocks, 4 wsa:Address.
struct HeaderPeek::State {
  xmlParserCtxtPtr parser = nullptr;
  PeekedHeaders headers;
  std::size_t fed = 0, blocks = 0;
  int depth = 0;
  bool done = false;
  std::optional<Error> error;
  std::string* target = nullptr;  // of the value that is being read
  int target_depth = 0;
  std::string to, from, action, message_id;
  bool to_seen = false;

  void stop(std::string code, std::string detail) {
    if (!error && !done) error = fail(std::move(code), std::move(detail));
    xmlStopParser(parser);
  }
  void finish() {
    done = true;
    headers = {xml::collapsed(to), xml::collapsed(from), xml::collapsed(action), xml::collapsed(message_id)};
    xmlStopParser(parser);
  }

  void open(std::string_view name, std::string_view namespace_uri, int attributes) {
    if (error || done) return;
    ++depth;
    if (depth > depth_max || attributes > attributes_max) return stop("wus.limit", "too deep, or too many attributes");
    if (depth == 1 && (name != "Envelope" || namespace_uri != ns::soapenv)) return stop("wus.envelope", "no SOAP 1.1 Envelope");
    if (depth == 2 && name == "Body" && namespace_uri == ns::soapenv) return finish();
    if (depth == 2 && (name != "Header" || namespace_uri != ns::soapenv)) return stop("wus.envelope", "an element that has no place here");
    if (depth == 3) open_block(name, namespace_uri);
    if (depth == 4 && from_open && name == "Address" && namespace_uri == ns::wsa) take(from);
  }
  void open_block(std::string_view name, std::string_view namespace_uri) {
    if (++blocks > header_blocks_max) return stop("wus.limit", "too many header blocks");
    from_open = false;
    if (namespace_uri != ns::wsa) return;
    if (name == "To") {
      if (to_seen) return stop("wus.headerTwice", "two wsa:To");
      to_seen = true;
      take(to);
    } else if (name == "Action") {
      take(action);
    } else if (name == "MessageID") {
      take(message_id);
    } else if (name == "From") {
      from_open = true;
    }
  }
  void take(std::string& value) {
    if (!value.empty()) return;
    target = &value;
    target_depth = depth;
  }
  void close() {
    if (error || done) return;
    if (target && depth == target_depth) target = nullptr;
    if (depth == 2) return finish();
    --depth;
  }
  void text(std::string_view characters) {
    if (target && depth == target_depth) target->append(characters);
  }

  bool from_open = false;
};

HeaderPeek::HeaderPeek() : state_(std::make_unique<State>()) {
  xmlSAXHandler handler;
  std::memset(&handler, 0, sizeof handler);
  handler.initialized = XML_SAX2_MAGIC;
  handler.startElementNs = [](void* context, const xmlChar* name, const xmlChar*, const xmlChar* uri, int, const xmlChar**, int attributes,
                              int, const xmlChar**) { static_cast<State*>(context)->open(view(name), view(uri), attributes); };
  handler.endElementNs = [](void* context, const xmlChar*, const xmlChar*, const xmlChar*) { static_cast<State*>(context)->close(); };
  handler.characters = [](void* context, const xmlChar* text, int length) {
    static_cast<State*>(context)->text({reinterpret_cast<const char*>(text), static_cast<std::size_t>(length)});
  };
  handler.cdataBlock = handler.characters;
  handler.internalSubset = [](void* context, const xmlChar*, const xmlChar*, const xmlChar*) {
    static_cast<State*>(context)->stop("wus.doctype", "a DOCTYPE");
  };
  handler.processingInstruction = [](void* context, const xmlChar*, const xmlChar*) {
    static_cast<State*>(context)->stop("wus.envelope", "a processing instruction");
  };
  state_->parser = xmlCreatePushParserCtxt(&handler, state_.get(), nullptr, 0, nullptr);
  if (state_->parser) xmlCtxtUseOptions(state_->parser, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
}

HeaderPeek::~HeaderPeek() {
  if (!state_->parser) return;
  // The tree is never built, but the context makes a document of its own for names.
  if (state_->parser->myDoc) xmlFreeDoc(state_->parser->myDoc);
  xmlFreeParserCtxt(state_->parser);
}

Result<bool> HeaderPeek::feed(BytesView octets) {
  auto& state = *state_;
  if (state.error) return *state.error;
  if (state.done) return true;
  if (!state.parser) return fail("wus.envelope", "no memory for a parser");
  if (state.fed == 0) {
    const auto encoding = to_lower(xml::declared_encoding(octets));
    const bool other = octets.starts_with("\xFF\xFE") || octets.starts_with("\xFE\xFF") || (!encoding.empty() && encoding != "utf-8");
    if (other) state.error = fail("wus.encoding", "not UTF-8");
    if (other) return *state.error;
  }
  state.fed += octets.size();
  if (state.fed > peek_bytes_max) {
    state.error = fail("wus.envelope", "the Header does not end within the octets that are looked at");
    return *state.error;
  }
  const int outcome = xmlParseChunk(state.parser, octets.data(), static_cast<int>(octets.size()), 0);
  if (state.done) return true;
  if (!state.error && outcome != 0) state.error = fail("wus.envelope", "not well-formed");
  if (state.error) return *state.error;
  return false;
}

const PeekedHeaders& HeaderPeek::headers() const {
  return state_->headers;
}

Result<std::size_t> root_offset(std::string_view content_type, BytesView seen) {
  const auto type = http::parse_media_type(content_type, http::Unquoted::anything);
  if (!type || type->type != "multipart/related") return std::size_t(0);
  const auto boundary = type->parameter("boundary");
  if (!boundary || boundary->empty()) return fail("wus.envelope", "a multipart entity without boundary");
  const auto delimiter = "--" + std::string(*boundary);
  std::size_t at = seen.starts_with(delimiter) ? 0 : seen.find("\r\n" + delimiter);
  if (at == std::string_view::npos) return at;
  const auto head_end = seen.find("\r\n\r\n", at);
  if (head_end == std::string_view::npos) return head_end;
  if (const auto start = type->parameter("start"); start && !start->empty()) {
    std::string id(*start);
    if (!id.starts_with('<')) id = "<" + id + ">";
    if (seen.substr(at, head_end - at).find(id) == std::string_view::npos)
      return fail("wus.envelope", "the root part of a message that is passed on must be the first part");
  }
  return head_end + 4;
}

}  // namespace schakel::wus
