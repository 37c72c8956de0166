// What the patterns (xs:pattern) of a set of schemas may cost. libxml2 tries the ways in which a pattern may match one after the other, and
// gives up after some ten million steps; a value that is made for it can need them all. So at import a pattern has a size, a value has a
// number of patterns, and a list has no items that are costly to judge; and at run time a text under a pattern has a length.
//
// Derivations are followed by name. An element or attribute name that is declared in several ways counts as the costliest of them.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "wus/schema_documents.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

inline constexpr std::size_t pattern_bytes_max = 1000;
inline constexpr std::size_t pattern_choices_max = 64;            // * + ? {n,m} in one pattern: each step may look at all of them
inline constexpr std::size_t costly_patterns_max = 16;            // that one value may be held against
inline constexpr std::size_t costly_attributes_max = 64;          // in all schemas together: attributes of one element are judged at once
inline constexpr std::size_t patterned_text_bytes_max = 1 << 20;  // memory and time of a match grow with it

// Matching it takes time in proportion to the text, whatever the text is: no groups, and in each alternative one choice of how often at
// most. Others are costly.
bool is_cheap_pattern(std::string_view pattern);

class Patterns {
 public:
  // Error "wus.schema", its location "file:line".
  static Result<Patterns> of(const std::vector<SchemaDocument>&);

  // May the text of this element, or of one of its attributes, be held against a pattern?
  bool may_bind_text(xml::Element) const;
  bool may_bind_attribute(std::string_view local_name) const { return attributes_.contains(local_name); }

 private:
  std::set<std::string, std::less<>> elements_, attributes_;  // local names
  bool any_ = false;                                          // xsi:type may name a type that has one
};

}  // namespace schakel::wus
