// Reading elements of ds: and xenc: strictly, for what signatures and encryption have in common. Internal to xmlsecurity/.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "xml/document.hpp"

namespace schakel::xmlsecurity {

inline Error malformed(std::string_view code, std::string detail, xml::Element where) {
  return fail(std::string(code), std::move(detail), where.path());
}

// Child elements of one namespace, in the order of the schema. Errors have the code given.
class Sequence {
 public:
  Sequence(xml::Element parent, std::string_view namespace_uri, std::string_view code)
      : parent_(parent), next_(parent.first_child()), namespace_(namespace_uri), code_(code) {}

  xml::Element optional(std::string_view name) {
    if (!next_ || !next_.is(namespace_, name)) return {};
    const xml::Element found = next_;
    next_ = found.next_sibling();
    return found;
  }
  Result<xml::Element> required(std::string_view name) {
    if (const xml::Element found = optional(name)) return found;
    return malformed(code_, std::string(name) + " is missing or not at its place", next_ ? next_ : parent_);
  }
  Result<> end() const {
    if (next_) return malformed(code_, "an element that has no place here", next_);
    return {};
  }

 private:
  xml::Element parent_, next_;
  std::string_view namespace_, code_;
};

// SEC-111: a comment or instruction could split what two readers take for one value.
inline Result<Bytes> octets_of(xml::Element element, std::string_view code) {
  if (element.first_child() || element.has_comment_or_pi()) return malformed(code, "a value that is not plain text", element);
  auto octets = from_base64_lenient(element.text());
  if (!octets || octets->empty()) return malformed(code, "a value that is not base64", element);
  return octets;
}

inline Result<std::string> algorithm_of(xml::Element element, std::string_view code) {
  auto algorithm = element.attribute("", "Algorithm");
  if (!algorithm) return malformed(code, "the attribute Algorithm is missing", element);
  return std::move(*algorithm);
}

}  // namespace schakel::xmlsecurity
