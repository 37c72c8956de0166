#include "xml/document.hpp"

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include <cstring>
#include <utility>

#include "xml/scan.hpp"

namespace schakel::xml {
namespace {

constexpr std::string_view xinclude_namespace = "http://www.w3.org/2001/XInclude";
constexpr std::string_view xinclude_namespace_2003 = "http://www.w3.org/2003/XInclude";

std::string_view view(const xmlChar* text) {
  return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
}

// Without measuring the left one: a hostile namespace is long, and is compared for every element.
bool equals(const xmlChar* text, std::string_view other) {
  if (text == nullptr) return other.empty();
  const auto* octets = reinterpret_cast<const char*>(text);
  return std::strncmp(octets, other.data(), other.size()) == 0 && octets[other.size()] == '\0';
}

// What one run of the parser found wrong first.
struct Findings {
  std::string message;
  int line = 0;
  bool xinclude = false;
};

void on_error(void* user, xmlErrorPtr error) {
  if (error->level < XML_ERR_ERROR) return;
  auto& findings = *static_cast<Findings*>(static_cast<xmlParserCtxtPtr>(user)->_private);
  if (!findings.message.empty()) return;
  findings.message = error->message == nullptr ? "not well-formed" : std::string(trim(error->message));
  findings.line = error->line;
}

void on_start_element(void* user, const xmlChar* name, const xmlChar* prefix, const xmlChar* uri, int namespaces_count,
                      const xmlChar** namespaces, int attributes_count, int defaulted_count, const xmlChar** attributes) {
  if (equals(uri, xinclude_namespace) || equals(uri, xinclude_namespace_2003)) {
    static_cast<Findings*>(static_cast<xmlParserCtxtPtr>(user)->_private)->xinclude = true;
  }
  xmlSAX2StartElementNs(user, name, prefix, uri, namespaces_count, namespaces, attributes_count, defaulted_count, attributes);
}

void initialise_once() {
  static const bool done = (xmlInitParser(), true);
  static_cast<void>(done);
}

struct ContextDeleter {
  void operator()(xmlParserCtxt* context) const { xmlFreeParserCtxt(context); }
};
using Context = std::unique_ptr<xmlParserCtxt, ContextDeleter>;

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
  } else if (c < 0x10000) {
    out += {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 63)), static_cast<char>(0x80 | (c & 63))};
  } else {
    out += {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 63)), static_cast<char>(0x80 | (c >> 6 & 63)),
            static_cast<char>(0x80 | (c & 63))};
  }
}

enum class ByteOrder { little, big };

Result<std::string> utf8_from_utf16(BytesView octets, ByteOrder order) {
  if (octets.size() % 2 != 0) return fail("xml.encoding", "UTF-16 with an odd number of octets");
  std::string out;
  out.reserve(octets.size());
  const auto unit = [&](std::size_t i) {
    const auto first = static_cast<unsigned char>(octets[i]), second = static_cast<unsigned char>(octets[i + 1]);
    return static_cast<std::uint32_t>(order == ByteOrder::little ? second << 8 | first : first << 8 | second);
  };
  for (std::size_t i = 0; i < octets.size(); i += 2) {
    std::uint32_t c = unit(i);
    if (c >= 0xDC00 && c <= 0xDFFF) return fail("xml.encoding", "a lone surrogate in UTF-16");
    if (c >= 0xD800 && c <= 0xDBFF) {
      if (i + 4 > octets.size()) return fail("xml.encoding", "a lone surrogate in UTF-16");
      const auto low = unit(i + 2);
      if (low < 0xDC00 || low > 0xDFFF) return fail("xml.encoding", "a lone surrogate in UTF-16");
      c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
      i += 2;
    }
    append_utf8(out, c);
  }
  return out;
}

// The octets as UTF-8 without byte order mark; `converted` holds them when they were something else.
Result<std::string_view> decoded(BytesView octets, const Limits& limits, std::string& converted) {
  const bool little = octets.starts_with("\xFF\xFE"), big = octets.starts_with("\xFE\xFF");
  if (little || big) {
    if (!limits.utf16_allowed) return fail("xml.encoding", "UTF-16 is not accepted here, only UTF-8");
    SCHAKEL_TRY(converted, utf8_from_utf16(octets.substr(2), little ? ByteOrder::little : ByteOrder::big));
    const auto declared = declared_encoding(converted);
    if (!declared.empty() && !equals_ignoring_case(declared, "UTF-16")) {
      return fail("xml.encoding", "UTF-16 octets that declare another encoding");
    }
    return std::string_view(converted);
  }
  if (octets.starts_with("\xEF\xBB\xBF")) octets.remove_prefix(3);
  if (!is_valid_utf8(octets)) return fail("xml.encoding", "the octets are not valid UTF-8");
  const auto declared = declared_encoding(octets);
  if (!declared.empty() && !equals_ignoring_case(declared, "UTF-8")) {
    return fail("xml.encoding", "the declared encoding is not UTF-8");
  }
  return octets;
}

bool is_element(const xmlNode* node) {
  return node->type == XML_ELEMENT_NODE;
}

const xmlNode* next_element(const xmlNode* node) {
  while (node != nullptr && !is_element(node)) node = node->next;
  return node;
}

// Texts of a subtree in document order, without recursion.
void append_text(std::string& out, const xmlNode* top) {
  const xmlNode* node = top->children;
  while (node != nullptr) {
    if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) out += view(node->content);
    if (is_element(node) && node->children != nullptr) {
      node = node->children;
      continue;
    }
    while (node->next == nullptr) {
      node = node->parent;
      if (node == top) return;
    }
    node = node->next;
  }
}

std::string attribute_value(const xmlAttr* attribute) {
  const xmlNode* text = attribute->children;
  if (text == nullptr) return {};
  if (text->next == nullptr) return std::string(view(text->content));
  std::string out;
  for (; text != nullptr; text = text->next) out += view(text->content);
  return out;
}

}  // namespace

Result<Document> Document::parse(BytesView octets, const Limits& limits) {
  if (octets.size() > limits.bytes_max) return fail("xml.limit", "the document is larger than " + std::to_string(limits.bytes_max));
  std::string converted;
  SCHAKEL_TRY(const auto text, decoded(octets, limits, converted));
  return parse_text(text, limits, nullptr);
}

Result<Document> Document::parse_text(std::string_view text, const Limits& limits, _xmlDict* names) {
  if (text.find('\0') != std::string_view::npos) return fail("xml.notWellFormed", "a NUL octet");
  SCHAKEL_CHECK(scan(text, limits));

  initialise_once();
  // A context per document: its name table then belongs to the document alone, and documents may travel between threads.
  const Context context(xmlNewParserCtxt());
  if (!context) return fail("xml.limit", "no memory for the parser");
  if (names != nullptr && xmlDictReference(names) == 0) {
    xmlDictFree(context->dict);
    context->dict = names;
  }
  Findings findings;
  context->_private = &findings;
  context->sax->serror = on_error;
  context->sax->startElementNs = on_start_element;
  // HUGE lifts the parser's own limits: ours were enforced by the scan. NOENT: there are no entities but the five of XML itself, and this
  // puts their characters straight into the text. IGNORE_ENC: the octets are UTF-8 by now, whatever was declared.
  constexpr int options = XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_HUGE | XML_PARSE_COMPACT | XML_PARSE_IGNORE_ENC;
  Document document(xmlCtxtReadMemory(context.get(), text.data(), static_cast<int>(text.size()), nullptr, "UTF-8", options));
  if (document.doc_ == nullptr || context->wellFormed == 0 || context->nsWellFormed == 0 ||
      xmlDocGetRootElement(document.doc_) == nullptr) {
    if (findings.message.empty()) findings.message = "not well-formed";
    return fail("xml.notWellFormed", std::move(findings.message), "line " + std::to_string(findings.line));
  }
  if (document.doc_->intSubset != nullptr || document.doc_->extSubset != nullptr) return fail("xml.doctype", "a document type declaration");
  if (findings.xinclude) return fail("xml.doctype", "XInclude is not allowed");
  if (view(document.doc_->version) != "1.0") return fail("xml.notWellFormed", "only XML 1.0 is read");
  return document;
}

Document::Document(Document&& other) noexcept : doc_(std::exchange(other.doc_, nullptr)) {}
Document& Document::operator=(Document&& other) noexcept {
  std::swap(doc_, other.doc_);
  return *this;
}
Document::~Document() {
  if (doc_ != nullptr) xmlFreeDoc(doc_);
}

Element Document::root() const {
  return Element(xmlDocGetRootElement(doc_));
}

std::string_view Element::name() const {
  return view(node_->name);
}
std::string_view Element::namespace_uri() const {
  return node_->ns == nullptr ? std::string_view() : view(node_->ns->href);
}
bool Element::is(std::string_view uri, std::string_view local_name) const {
  return equals(node_->name, local_name) && equals(node_->ns == nullptr ? nullptr : node_->ns->href, uri);
}

std::optional<std::string> Element::attribute(std::string_view uri, std::string_view local_name) const {
  for (const xmlAttr* attribute = node_->properties; attribute != nullptr; attribute = attribute->next) {
    if (equals(attribute->name, local_name) && equals(attribute->ns == nullptr ? nullptr : attribute->ns->href, uri))
      return attribute_value(attribute);
  }
  return std::nullopt;
}

std::optional<std::string> Element::namespace_of(std::string_view prefix) const {
  const std::string name(prefix);
  const auto* found = xmlSearchNs(node_->doc, node_, prefix.empty() ? nullptr : reinterpret_cast<const xmlChar*>(name.c_str()));
  if (found == nullptr) return std::nullopt;
  return std::string(view(found->href));
}

std::string Element::text() const {
  const xmlNode* only = node_->children;
  if (only == nullptr) return {};
  if (only->next == nullptr && only->type == XML_TEXT_NODE) return std::string(view(only->content));
  std::string out;
  append_text(out, node_);
  return out;
}

bool Element::has_comment_or_pi() const {
  for (const xmlNode* node = node_->children; node != nullptr; node = node->next) {
    if (node->type == XML_COMMENT_NODE || node->type == XML_PI_NODE) return true;
  }
  return false;
}

bool Element::has_text() const {
  for (const xmlNode* node = node_->children; node != nullptr; node = node->next) {
    if ((node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) && !trim(view(node->content)).empty()) return true;
  }
  return false;
}

Element Element::first_child() const {
  return Element(const_cast<xmlNode*>(next_element(node_->children)));
}
Element Element::next_sibling() const {
  return Element(const_cast<xmlNode*>(next_element(node_->next)));
}
Element Element::parent() const {
  return node_->parent != nullptr && is_element(node_->parent) ? Element(node_->parent) : Element();
}

Element Element::next_in(Element top) const {
  if (const Element child = first_child()) return child;
  for (Element element = *this; element != top; element = element.parent()) {
    if (const Element sibling = element.next_sibling()) return sibling;
  }
  return {};
}

Element Element::child(std::string_view uri, std::string_view local_name) const {
  for (auto element = first_child(); element; element = element.next_sibling()) {
    if (element.is(uri, local_name)) return element;
  }
  return {};
}
std::vector<Element> Element::children() const {
  std::vector<Element> out;
  for (auto element = first_child(); element; element = element.next_sibling()) out.push_back(element);
  return out;
}
std::vector<Element> Element::children(std::string_view uri, std::string_view local_name) const {
  std::vector<Element> out;
  for (auto element = first_child(); element; element = element.next_sibling()) {
    if (element.is(uri, local_name)) out.push_back(element);
  }
  return out;
}

long Element::line() const {
  return xmlGetLineNo(node_);
}

std::string Element::path() const {
  std::vector<std::string> steps;
  for (const xmlNode* node = node_; node != nullptr && is_element(node); node = node->parent) {
    std::string step = "/";
    if (node->ns != nullptr && node->ns->prefix != nullptr) step.append(view(node->ns->prefix)).append(":");
    step += view(node->name);
    std::size_t position = 1, alike = 0;
    const xmlNode* first = node;
    while (first->prev != nullptr) first = first->prev;
    for (const xmlNode* sibling = first; sibling != nullptr; sibling = sibling->next) {
      if (!is_element(sibling) || view(sibling->name) != view(node->name) ||
          Element(const_cast<xmlNode*>(sibling)).namespace_uri() != Element(const_cast<xmlNode*>(node)).namespace_uri())
        continue;
      ++alike;
      if (sibling == node) position = alike;
    }
    if (alike > 1) step += '[' + std::to_string(position) + ']';
    steps.push_back(std::move(step));
  }
  std::string out;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) out += *step;
  return out;
}

bool is_xml_text(std::string_view text) {
  if (!is_valid_utf8(text)) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') return false;
    // U+FFFE and U+FFFF
    if (c == 0xEF && static_cast<unsigned char>(text[i + 1]) == 0xBF && static_cast<unsigned char>(text[i + 2]) >= 0xBE) return false;
  }
  return true;
}

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      // Written as references, else the reader's parser would make spaces or line feeds of them.
      case '\r':
        out += "&#xD;";
        break;
      case '\n':
        out += "&#xA;";
        break;
      case '\t':
        out += "&#x9;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

Result<std::string> escape_text(std::string_view text) {
  if (!is_xml_text(text)) return fail("xml.character", "the text has a character that XML cannot carry");
  return escaped(text);
}

}  // namespace schakel::xml
