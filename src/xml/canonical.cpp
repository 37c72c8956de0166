#include "xml/canonical.hpp"

#include <libxml/tree.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "xml/namespaces.hpp"

namespace schakel::xml {
namespace {

// Never null: the default namespace's prefix and no namespace's URI are "".
const char* text_of(const xmlChar* text) {
  return text == nullptr ? "" : reinterpret_cast<const char*>(text);
}
bool same(const char* a, const char* b) {
  return a == b || std::strcmp(a, b) == 0;
}
bool is_element(const xmlNode* node) {
  return node != nullptr && node->type == XML_ELEMENT_NODE;
}
bool is_xml_prefix(const xmlNs* ns) {
  return ns != nullptr && same(text_of(ns->prefix), "xml");
}

// Where a character must be escaped (Canonical XML 1.0, 2.3); the NUL at the end stops everywhere.
enum Place : unsigned char { in_text = 1, in_attribute = 2, in_instruction = 4 };
constexpr std::array<unsigned char, 256> escaped_places = [] {
  std::array<unsigned char, 256> places{};
  places[0] = places['\r'] = in_text | in_attribute | in_instruction;
  places['&'] = places['<'] = in_text | in_attribute;
  places['>'] = in_text;
  places['"'] = places['\t'] = places['\n'] = in_attribute;
  return places;
}();
std::string_view escape_of(unsigned char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\t':
      return "&#x9;";
    case '\n':
      return "&#xA;";
    default:
      return "&#xD;";
  }
}

// Gathers small writes, so that the sink sees pieces of some KiB.
class Output {
 public:
  explicit Output(Sink& sink) : sink_(sink) {}

  void write(std::string_view text) {
    written_ += text.size();
    if (text.size() > buffer_.size() - used_) {
      flush();
      if (text.size() > buffer_.size()) return sink_.write(text);
    }
    std::memcpy(buffer_.data() + used_, text.data(), text.size());
    used_ += text.size();
  }
  void write(char c) {
    ++written_;
    if (used_ == buffer_.size()) flush();
    buffer_[used_++] = c;
  }
  void write_escaped(const xmlChar* text, Place place) {
    for (const xmlChar* at = text; at != nullptr;) {
      const xmlChar* begin = at;
      while ((escaped_places[*at] & place) == 0) ++at;
      write({reinterpret_cast<const char*>(begin), static_cast<std::size_t>(at - begin)});
      if (*at == 0) return;
      write(escape_of(*at++));
    }
  }
  std::size_t written() const { return written_; }
  void flush() {
    if (used_ > 0) sink_.write({buffer_.data(), used_});
    used_ = 0;
  }

 private:
  Sink& sink_;
  std::size_t used_ = 0, written_ = 0;
  std::array<char, 4096> buffer_;  // not initialised: only what was written is read
};

struct Binding {
  const char* prefix;
  const char* uri;
};

bool precedes(const xmlAttr* a, const xmlAttr* b) {
  const int order = a->ns == b->ns                               ? 0
                    : a->ns == nullptr || a->ns->href == nullptr ? -1
                    : b->ns == nullptr || b->ns->href == nullptr ? 1
                                                                 : std::strcmp(text_of(a->ns->href), text_of(b->ns->href));
  return order != 0 ? order < 0 : std::strcmp(text_of(a->name), text_of(b->name)) < 0;
}

// One walk over one tree.
class Walk {
 public:
  Walk(const CanonicalOptions& options, Sink& sink) : options_(options), out_(sink) {
    rendered_.reserve(32);
    outer_.reserve(32);
    attributes_.reserve(16);
  }

  Result<> document(const xmlDoc* doc) {
    const xmlNode* root = xmlDocGetRootElement(const_cast<xmlDoc*>(doc));
    bool after_root = false;
    for (const xmlNode* node = doc->children; node != nullptr; node = node->next) {
      if (node == root) {
        SCHAKEL_CHECK(subtree(root));
        after_root = true;
      } else if (node->type == XML_PI_NODE) {
        if (after_root) out_.write('\n');
        instruction(node);
        if (!after_root) out_.write('\n');
      }
    }
    out_.flush();
    return {};
  }

  Result<> element(const xmlNode* apex) {
    SCHAKEL_CHECK(subtree(apex));
    out_.flush();
    return {};
  }

 private:
  Result<> subtree(const xmlNode* apex) {
    const xmlNode* node = apex;
    while (true) {
      // One node writes no more than the document holds, so looking here is enough.
      if (out_.written() > options_.bytes_max) return fail("xml.limit", "a canonical form that is much longer than what it is of");
      if (!is_element(node)) {
        if (!leaf(node)) return refused(node, "a node that has no canonical form");
      } else if (!omitted(node)) {
        if (!start_tag(node, node == apex)) return refused(node, "a relative namespace URI");
        if (node->children != nullptr) {
          node = node->children;
          continue;
        }
        fill(node);
        end_tag(node);
      }
      while (node != apex && node->next == nullptr) {
        node = node->parent;
        end_tag(node);
      }
      if (node == apex) return {};
      node = node->next;
    }
  }

  static Error refused(const xmlNode* node, std::string_view why) {
    const Element place(const_cast<xmlNode*>(is_element(node) ? node : node->parent));
    return fail("xml.canonical", std::string(why), place.path());
  }

  bool omitted(const xmlNode* node) const {
    return std::ranges::any_of(options_.omitted, [&](const Element& element) { return element.node() == node; });
  }

  void fill(const xmlNode* node) {
    for (const Filling& filling : options_.filled) {
      if (filling.element.node() == node) out_.write(filling.text);
    }
  }

  bool leaf(const xmlNode* node) {
    switch (node->type) {
      case XML_TEXT_NODE:
      case XML_CDATA_SECTION_NODE:
        out_.write_escaped(node->content, in_text);
        return true;
      case XML_PI_NODE:
        instruction(node);
        return true;
      case XML_COMMENT_NODE:
        return true;
      default:
        return false;
    }
  }

  void instruction(const xmlNode* node) {
    out_.write("<?");
    out_.write(text_of(node->name));
    if (node->content != nullptr && *node->content != 0) {
      out_.write(' ');
      out_.write_escaped(node->content, in_instruction);
    }
    out_.write("?>");
  }

  void qualified_name(const xmlNs* ns, const xmlChar* name) {
    if (ns != nullptr && ns->prefix != nullptr) {
      out_.write(text_of(ns->prefix));
      out_.write(':');
    }
    out_.write(text_of(name));
  }

  bool start_tag(const xmlNode* node, bool is_apex) {
    const auto outer = rendered_.size();
    outer_.push_back(outer);
    for (const xmlNs* ns = node->nsDef; ns != nullptr; ns = ns->next) {
      if (is_relative_namespace(text_of(ns->href))) return false;
    }
    attributes_.clear();
    for (const xmlAttr* attribute = node->properties; attribute != nullptr; attribute = attribute->next) attributes_.push_back(attribute);
    if (options_.form == Canonical::inclusive) {
      if (is_apex) {
        inherit_xml_attributes(node);
        for (const xmlNode* from = node; from != nullptr; from = above(from)) render_first(from->nsDef, outer);
        std::erase_if(rendered_, [](const Binding& binding) { return *binding.uri == '\0'; });
      } else {
        for (const xmlNs* ns = node->nsDef; ns != nullptr; ns = ns->next) render(ns);
      }
    } else {
      render_listed(node, is_apex);
      if (node->ns == nullptr) {
        render({"", ""});
      } else {
        render(node->ns);
      }
      for (const xmlAttr* attribute : attributes_) {
        if (attribute->ns != nullptr) render(attribute->ns);
      }
    }
    out_.write('<');
    qualified_name(node->ns, node->name);
    return write_namespaces(outer) && (write_attributes(), out_.write('>'), true);
  }

  void end_tag(const xmlNode* node) {
    out_.write("</");
    qualified_name(node->ns, node->name);
    out_.write('>');
    rendered_.resize(outer_.back());
    outer_.pop_back();
  }

  // The element above; above the root of another document, the element that it is going to stand in.
  const xmlNode* above(const xmlNode* node) const {
    if (is_element(node->parent)) return node->parent;
    const xmlNode* context = options_.context.node();
    return context != nullptr && context->doc != node->doc ? context : nullptr;
  }

  // A declaration is written when the nearest written one of its prefix differs; none says that the prefix, or the default, is unbound.
  void render(Binding binding) {
    for (auto last = rendered_.rbegin(); last != rendered_.rend(); ++last) {
      if (!same(last->prefix, binding.prefix)) continue;
      if (!same(last->uri, binding.uri)) rendered_.push_back(binding);
      return;
    }
    if (*binding.uri != '\0') rendered_.push_back(binding);
  }
  void render(const xmlNs* ns) {
    if (!is_xml_prefix(ns)) render({text_of(ns->prefix), text_of(ns->href)});
  }

  // In scope of the apex: the nearest declaration of each prefix, "" too, so that it hides those above.
  void render_first(const xmlNs* ns, std::size_t outer) {
    for (; ns != nullptr; ns = ns->next) {
      const char* prefix = text_of(ns->prefix);
      const bool nearer = std::any_of(rendered_.begin() + static_cast<std::ptrdiff_t>(outer), rendered_.end(),
                                      [&](const Binding& binding) { return same(binding.prefix, prefix); });
      if (!nearer && !is_xml_prefix(ns)) rendered_.push_back({prefix, text_of(ns->href)});
    }
  }

  // The prefixes of the PrefixList are treated as the inclusive form does: what is in scope of the apex, and what changes below it.
  void render_listed(const xmlNode* node, bool is_apex) {
    for (const std::string& prefix : options_.inclusive_prefixes) {
      const xmlNs* found = nullptr;
      for (const xmlNode* from = node; from != nullptr && found == nullptr; from = is_apex ? above(from) : nullptr) {
        for (found = from->nsDef; found != nullptr && prefix != text_of(found->prefix);) found = found->next;
      }
      if (found != nullptr) render(found);
    }
  }

  // The nearest of each name; the inclusive form carries them into the apex (2.4).
  void inherit_xml_attributes(const xmlNode* apex) {
    for (const xmlNode* from = above(apex); from != nullptr; from = above(from)) {
      for (const xmlAttr* attribute = from->properties; attribute != nullptr; attribute = attribute->next) {
        if (!is_xml_prefix(attribute->ns)) continue;
        const bool nearer = std::ranges::any_of(attributes_, [&](const xmlAttr* other) {
          return is_xml_prefix(other->ns) && same(text_of(other->name), text_of(attribute->name));
        });
        if (!nearer) attributes_.push_back(attribute);
      }
    }
  }

  bool write_namespaces(std::size_t outer) {
    const auto first = rendered_.begin() + static_cast<std::ptrdiff_t>(outer);
    std::sort(first, rendered_.end(), [](const Binding& a, const Binding& b) { return std::strcmp(a.prefix, b.prefix) < 0; });
    for (auto binding = first; binding != rendered_.end(); ++binding) {
      if (is_relative_namespace(binding->uri)) return false;
      out_.write(" xmlns");
      if (*binding->prefix != '\0') {
        out_.write(':');
        out_.write(binding->prefix);
      }
      out_.write("=\"");
      out_.write_escaped(reinterpret_cast<const xmlChar*>(binding->uri), in_attribute);
      out_.write('"');
    }
    return true;
  }

  void write_attributes() {
    if (attributes_.size() > 1) std::sort(attributes_.begin(), attributes_.end(), precedes);
    for (const xmlAttr* attribute : attributes_) {
      out_.write(' ');
      qualified_name(attribute->ns, attribute->name);
      out_.write("=\"");
      for (const xmlNode* text = attribute->children; text != nullptr; text = text->next) out_.write_escaped(text->content, in_attribute);
      out_.write('"');
    }
  }

  const CanonicalOptions& options_;
  Output out_;
  std::vector<Binding> rendered_;           // written and not yet out of scope, outermost first
  std::vector<std::size_t> outer_;          // per open element: how many of them are of the elements around it
  std::vector<const xmlAttr*> attributes_;  // of the element at hand
};

class Text final : public Sink {
 public:
  void write(BytesView octets) override { octets_ += octets; }
  Bytes take() { return std::move(octets_); }

 private:
  Bytes octets_;
};

}  // namespace

Result<> canonicalise(Element apex, const CanonicalOptions& options, Sink& sink) {
  return Walk(options, sink).element(apex.node());
}

Result<> canonicalise(const Document& document, const CanonicalOptions& options, Sink& sink) {
  return Walk(options, sink).document(document.get());
}

Result<Bytes> canonicalise(Element apex, const CanonicalOptions& options) {
  Text text;
  SCHAKEL_CHECK(canonicalise(apex, options, text));
  return text.take();
}

}  // namespace schakel::xml
