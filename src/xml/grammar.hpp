// Content models in our own tables: what a schema says, checked in one walk over the parsed tree, which is never changed (EB-042).
//
// A Grammar is made once from declarations (cpa/grammar.cpp, ebms/grammar.cpp) and is immutable afterwards.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "xml/document.hpp"

namespace schakel::xml {

struct Violation {
  std::string path;  // XPath of the element
  long line = 0;
  std::string message;  // what was expected, what was found
};

// Simple types of XML Schema that our documents use.
enum class Type {
  none,
  string,
  non_empty_string,
  token,
  nmtoken,
  ncname,
  id,
  idref,
  any_uri,
  date_time,
  duration,
  integer,
  boolean,
  enumeration,
  anything
};

struct AttributeRule {
  std::string_view namespace_uri, name;
  Type type = Type::string;
  bool required = false;
  std::vector<std::string_view> values = {};  // of an enumeration, or one fixed value
};

struct ChildRule {
  std::string_view namespace_uri, name;  // name "*": any element of another namespace than the owner's (##other), processed lax
  int min = 1;
  int max = 1;  // -1: unbounded
};

struct ElementRule {
  std::string_view namespace_uri, name;
  Type text = Type::none;  // none: only white space between children
  std::vector<AttributeRule> attributes;
  bool other_attributes = false;  // attributes of other namespaces allowed
  std::vector<ChildRule> children;
  bool any_order = false;  // children in any order (soap:Header)
  std::vector<std::string_view> text_values = {};
  std::string_view parent = {};  // when one name has several models: the local name of the parent this one belongs to
};

class Grammar {
 public:
  explicit Grammar(std::vector<ElementRule> rules);
  // Every violation up to `max` (IDs and IDREFs are checked by the caller: what they must point to is a rule of its own).
  std::vector<Violation> check(Element root, std::size_t max = 20) const;

 private:
  std::vector<ElementRule> rules_;
};

bool matches(Type, std::string_view text);

}  // namespace schakel::xml
