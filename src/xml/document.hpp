// One parse per document: hardened libxml2, limits, positions; views that point into the parsed tree.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"

struct _xmlNode;
struct _xmlDoc;
struct _xmlAttr;
struct _xmlDict;

namespace schakel::xml {

struct Limits {
  std::size_t bytes_max = limits::xml_bytes_max;
  std::size_t depth_max = limits::xml_depth_max;
  std::size_t elements_max = limits::xml_nodes_max;
  std::size_t attributes_max = limits::xml_attributes_max;
  bool utf16_allowed = false;        // CPA V01 allows UTF-16; messages do not
  bool instructions_allowed = true;  // processing instructions; SOAP messages have none (WUS-021)
};

// A view of one element; valid while its Document lives. Cheap to copy.
class Element {
 public:
  Element() = default;
  explicit Element(_xmlNode* node) : node_(node) {}
  explicit operator bool() const { return node_ != nullptr; }

  std::string_view name() const;           // local name
  std::string_view namespace_uri() const;  // "" when in none
  bool is(std::string_view namespace_uri, std::string_view name) const;
  std::optional<std::string> attribute(std::string_view namespace_uri, std::string_view name) const;  // "" namespace: unqualified
  // The namespace that a prefix ("": the default one) stands for here; nullopt: none.
  std::optional<std::string> namespace_of(std::string_view prefix) const;
  std::string text() const;        // all text below, comments and CDATA borders skipped (CPA-006)
  bool has_comment_or_pi() const;  // among direct children (SEC-111)
  bool has_text() const;           // other than white space, among direct children
  Element first_child() const;     // elements only
  Element next_sibling() const;
  Element parent() const;
  Element next_in(Element top) const;  // in document order, at or below `top`; absent: there is none
  Element child(std::string_view namespace_uri, std::string_view name) const;  // the first
  std::vector<Element> children() const;
  std::vector<Element> children(std::string_view namespace_uri, std::string_view name) const;
  long line() const;
  std::string path() const;  // an XPath with positions, for findings
  _xmlNode* node() const { return node_; }
  friend bool operator==(const Element&, const Element&) = default;

 private:
  _xmlNode* node_ = nullptr;
};

// Error codes of parse: "xml.notWellFormed", "xml.doctype" (any DOCTYPE, entity declaration or XInclude), "xml.encoding" (not UTF-8,
// declared or real), "xml.limit", "xml.instruction".
class Document {
 public:
  static Result<Document> parse(BytesView octets, const Limits&);
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();

  Element root() const;
  _xmlDoc* get() const { return doc_; }

  // Two changes, by which a received document takes the form that its signature is over: XOP and decryption (content.cpp). Views of what
  // stood below, or was, the element dangle afterwards.
  //
  // The element has this text and nothing else. The text is XML text.
  void set_text(Element, std::string_view text);
  // What stands in the octets takes the place of the element, an element below the root. They are read as content of its parent, as if they
  // had always been there: namespaces in scope there count, and no declaration is added that a canonical form could show. The limits hold
  // for the document as it becomes, but bytes_max for the octets alone. Errors as of parse; then nothing has changed.
  Result<> replace(Element, Bytes content, const Limits&);

 private:
  explicit Document(_xmlDoc* doc) : doc_(doc) {}
  // `text` is UTF-8 without byte order mark; `names`: the name table to share, or null.
  static Result<Document> parse_text(std::string_view text, const Limits&, _xmlDict* names);

  _xmlDoc* doc_;
};

// Text for an element's content or an attribute's value. Characters that XML 1.0 cannot carry are refused: "xml.character".
Result<std::string> escape_text(std::string_view);
std::string escaped(std::string_view);  // for text that is known to be clean: & < > " escaped
bool is_xml_text(std::string_view);

}  // namespace schakel::xml
