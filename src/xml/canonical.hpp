// Canonical XML 1.0 (W3C 2001) and Exclusive XML Canonicalization 1.0 (W3C 2002), both without comments, written to a sink as they are
// made.
//
// One implementation for ebMS2 and WUS. It walks the parsed tree once, builds no node-set, copies no text that needs no escaping, and never
// changes the document. Pure functions, safe from every thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "xml/document.hpp"

namespace schakel::xml {

enum class Canonical { exclusive, inclusive };

// Takes canonical octets as they come: a digest, a string.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void write(BytesView) = 0;
};

// The text of an element that stands empty in the tree, because it was too long to be worth parsing. It is written as it is: no '&', '<',
// '>' or carriage return in it.
struct Filling {
  Element element;
  BytesView text;
};

struct CanonicalOptions {
  Canonical form = Canonical::exclusive;
  // PrefixList of InclusiveNamespaces (exclusive form only); "" stands for #default.
  std::span<const std::string> inclusive_prefixes{};
  // Elements that are left out with everything below them: an enveloped signature, what a filter removed. Looked at for every element, so
  // keep it short or sorted by whoever calls.
  std::span<const Element> omitted{};
  // More octets than this are an error: namespaces that are rendered again and again can make much of little.
  std::size_t bytes_max = static_cast<std::size_t>(-1);
  // Looked at for every element without content.
  std::span<const Filling> filled{};
  // For a piece that is parsed alone and will stand as a child of this element of another document: what is in scope here counts as in
  // scope of the piece's root.
  Element context{};
};

// The element and all below it. Namespaces in scope from its ancestors count as the form says; so do xml: attributes of ancestors in the
// inclusive form. Errors: "xml.canonical" (relative namespace URI),
// "xml.limit".
Result<> canonicalise(Element, const CanonicalOptions&, Sink&);
// The whole document (a Reference with URI="" and no comments): processing instructions before and after the root element too.
Result<> canonicalise(const Document&, const CanonicalOptions&, Sink&);
// For short pieces.
Result<Bytes> canonicalise(Element, const CanonicalOptions& = {});

}  // namespace schakel::xml
