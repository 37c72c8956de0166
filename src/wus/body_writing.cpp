#include "wus/body_writing.hpp"

#include <libxml/tree.h>

#include <algorithm>
#include <array>

#include "wus/mtom.hpp"
#include "wus/names.hpp"
#include "wus/xop_writing.hpp"

namespace schakel::wus {
namespace {

using xml::Element;

constexpr std::array<bool, 256> plain_characters = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x7F; ++c) plain[c] = true;
  plain['\t'] = plain['\n'] = true;
  plain['<'] = plain['>'] = plain['&'] = false;
  return plain;
}();
bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return plain_characters[static_cast<unsigned char>(c)]; });
}

// The octet after the '>' of the tag that begins at `at`; npos: it has no end.
std::size_t after_tag(std::string_view xml, std::size_t at) {
  char quote = 0;
  for (; at < xml.size(); ++at) {
    const char c = xml[at];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '>') {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

// The octet after markup that is no start tag; npos: it has no end.
std::size_t after_other(std::string_view xml, std::size_t at) {
  const auto rest = xml.substr(at);
  const std::string_view end = rest.starts_with("<!--")        ? "-->"
                               : rest.starts_with("<![CDATA[") ? "]]>"
                               : rest.starts_with("<?")        ? "?>"
                                                               : ">";
  const auto found = xml.find(end, at + (end == "-->" ? 4 : 2));
  return found == std::string_view::npos ? found : found + end.size();
}

// The next node of a subtree in document order, or null.
const xmlNode* next_below(const xmlNode* node, const xmlNode* top) {
  if (node->type == XML_ELEMENT_NODE && node->children != nullptr) return node->children;
  while (node != top && node->next == nullptr) node = node->parent;
  return node == top ? nullptr : node->next;
}

const xmlNs* declaration(const xmlNode* node, std::string_view prefix) {
  for (const xmlNs* ns = node->nsDef; ns != nullptr; ns = ns->next)
    if (ns->prefix != nullptr && prefix == reinterpret_cast<const char*>(ns->prefix)) return ns;
  return nullptr;
}

bool is_base64_part(BodyText::Cut& cut, std::string_view text, std::size_t threshold) {
  if (auto strict = from_base64(text)) {
    cut.octets = std::move(*strict);
  } else if (auto lenient = from_base64_lenient(text)) {
    cut.octets = std::move(*lenient);
    cut.canonical = to_base64(cut.octets);
  }
  return !cut.octets.empty() && cut.octets.size() >= threshold;
}

}  // namespace

std::vector<PlainText> plain_texts(std::string_view xml, std::span<const std::size_t> positions, std::size_t bytes_min) {
  std::vector<PlainText> out;
  std::size_t elements = 0;
  for (auto at = xml.find('<'); at != std::string_view::npos; at = xml.find('<', at)) {
    const char kind = at + 1 < xml.size() ? xml[at + 1] : '\0';
    if (kind == '/' || kind == '!' || kind == '?') {
      at = after_other(xml, at);
      continue;
    }
    const auto element = elements++;
    const auto begin = after_tag(xml, at);
    if (begin == std::string_view::npos) break;
    at = begin;
    if (xml[begin - 2] == '/') continue;
    const auto end = xml.find('<', begin);
    if (end == std::string_view::npos || end == begin || xml.substr(end, 2) != "</") continue;
    if (end - begin < bytes_min && !std::ranges::binary_search(positions, element)) continue;
    if (is_plain(xml.substr(begin, end - begin))) out.push_back({element, begin, end});
  }
  return out;
}

BodyText::BodyText(const MessageToMake& make, bool optimise, std::size_t mtom_threshold, std::size_t uncut_bytes_max) : text_(make.body) {
  const std::span<const std::size_t> positions =
      optimise ? std::span<const std::size_t>(make.binary_elements) : std::span<const std::size_t>();
  if (positions.empty() && text_.size() <= uncut_bytes_max) return;
  std::size_t parts = 1;  // the root; what would be more than receivers take stays inline (WUS-027)
  for (const PlainText& found : plain_texts(text_, positions, uncut_bytes_max + 1)) {
    Cut cut{.at = found, .is_part = false, .octets = {}, .canonical = {}};
    if (parts < parts_max && std::ranges::binary_search(positions, found.element))
      cut.is_part = is_base64_part(cut, text_.substr(found.begin, found.end - found.begin), mtom_threshold);
    if (cut.is_part) {
      ++parts;
    } else {
      if (found.end - found.begin <= uncut_bytes_max) continue;
      cut.octets = {};
      cut.canonical = {};
    }
    cuts_.push_back(std::move(cut));
  }
}

std::string BodyText::without_cuts() const {
  std::size_t size = text_.size();
  for (const Cut& cut : cuts_) size -= cut.at.end - cut.at.begin;
  std::string out;
  out.reserve(size);
  std::size_t at = 0;
  for (const Cut& cut : cuts_) {
    out += text_.substr(at, cut.at.begin - at);
    at = cut.at.end;
  }
  return out += text_.substr(at);
}

Result<> BodyText::bind(Element soap_body) {
  const auto refused = [](std::string_view why) { return fail("wus.envelope", "the content of Body " + std::string(why)); };
  const xmlNode* root = soap_body.node()->children;
  if (root == nullptr || root->type != XML_ELEMENT_NODE || root->next != nullptr) return refused("is not exactly one element");
  if (root->ns == nullptr) return refused("is in no namespace");
  root_ = soap_body.first_child();
  elements_.clear();
  std::size_t position = 0;
  for (const xmlNode* node = root; node != nullptr; node = next_below(node, root)) {
    if (node->type == XML_PI_NODE) return refused("has a processing instruction");
    if (node->type != XML_ELEMENT_NODE) continue;
    const auto next = elements_.size();
    if (next < cuts_.size() && cuts_[next].at.element == position) {
      if (node->children != nullptr) return refused("is not well-formed");
      elements_.emplace_back(const_cast<xmlNode*>(node));
      cuts_[next].content_type = part_media_type(elements_.back());
    }
    ++position;
  }
  if (elements_.size() != cuts_.size()) return refused("is not well-formed");
  return {};
}

std::vector<xml::Filling> BodyText::fillings() const {
  std::vector<xml::Filling> out;
  for (std::size_t i = 0; i < cuts_.size(); ++i) {
    const auto& [at, is_part, octets, canonical, type] = cuts_[i];
    out.push_back({elements_[i], canonical.empty() ? text_.substr(at.begin, at.end - at.begin) : std::string_view(canonical)});
  }
  return out;
}

std::string BodyText::outer_declarations() const {
  const xmlNode* root = root_.node();
  std::vector<const xmlNs*> outer, used;
  for (const xmlNode* above = root->parent; above != nullptr && above->type == XML_ELEMENT_NODE; above = above->parent)
    for (const xmlNs* ns = above->nsDef; ns != nullptr; ns = ns->next) outer.push_back(ns);
  const auto use = [&](const xmlNs* ns) {
    if (std::ranges::find(outer, ns) != outer.end() && std::ranges::find(used, ns) == used.end()) used.push_back(ns);
  };
  for (const xmlNode* node = root; node != nullptr; node = next_below(node, root)) {
    if (node->type != XML_ELEMENT_NODE) continue;
    use(node->ns);
    for (const xmlAttr* attribute = node->properties; attribute != nullptr; attribute = attribute->next) use(attribute->ns);
  }
  // A faultcode is a QName in a text: no tree shows that it uses a prefix (fault_element).
  if (root_.is(ns::soapenv, "Fault")) {
    for (const std::string_view prefix : {"soapenv", "wsa"})
      if (declaration(root, prefix) == nullptr) {
        const auto found = std::ranges::find_if(
            outer, [&](const xmlNs* ns) { return ns->prefix != nullptr && prefix == reinterpret_cast<const char*>(ns->prefix); });
        if (found != outer.end()) use(*found);
      }
  }
  std::string out;
  for (const xmlNs* ns : used) {
    out.append(" xmlns:").append(reinterpret_cast<const char*>(ns->prefix)).append("=\"");
    out.append(xml::escaped(reinterpret_cast<const char*>(ns->href))).append("\"");
  }
  return out;
}

}  // namespace schakel::wus
