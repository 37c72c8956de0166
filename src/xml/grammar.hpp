// Content models in our own tables: what a schema says, checked in one walk over the parsed tree, which is never changed (EB-042).
//
// A Grammar is made once from declarations (cpa/grammar.cpp, ebms/grammar.cpp) and is immutable afterwards; its checks may run on every
// thread. The walk is linear in the document: child rules are linked to element rules when the Grammar is made.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "xml/document.hpp"

namespace schakel::xml {

struct Violation {
  std::string path;  // XPath of the element
  long line = 0;
  std::string message;  // what was expected, what was found
};

// Simple types of XML Schema that our documents use. Values of all but the two string types are white-space collapsed before they are
// compared (CPA-006).
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
  anything,
  // appended: keep the order above
  name,
  int32,
  non_negative_integer,
  base64,
  language,
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

// An element with neither text nor children is empty: not even white space may stand in it. `text` none with children: white space between
// them. `text` anything without children: whatever stands below is not looked at.
struct ElementRule {
  std::string_view namespace_uri, name;
  Type text = Type::none;
  std::vector<AttributeRule> attributes = {};
  bool other_attributes = false;  // attributes of other namespaces allowed
  std::vector<ChildRule> children = {};
  bool any_order = false;  // children in any order (soap:Header); each rule's min and max hold for the whole element
  std::vector<std::string_view> text_values = {};
  std::string_view parent = {};  // when one name has several models: the local name of the parent this one belongs to
  int children_min = 0;          // with any_order: children at least, of whatever rule
  bool mixed = false;            // text of type `text` among the children
  int children_max = -1;         // with any_order: children at most; -1: unbounded
};

class Grammar {
 public:
  // Strings in the rules must outlive the Grammar (they are literals).
  explicit Grammar(std::vector<ElementRule> rules);
  Grammar(const Grammar&) = delete;
  Grammar& operator=(const Grammar&) = delete;

  // Every violation up to `max` (IDs and IDREFs are checked by the caller: what they must point to is a rule of its own). The attributes
  // xsi:schemaLocation and xsi:noNamespaceSchemaLocation are allowed everywhere and never read; xsi:type and xsi:nil are refused.
  std::vector<Violation> check(Element root, std::size_t max = 20) const;

 private:
  class Walk;
  const ElementRule* find(std::string_view namespace_uri, std::string_view name, std::string_view parent) const;

  std::vector<ElementRule> rules_;
  std::unordered_map<std::string, std::vector<const ElementRule*>> by_name_;  // "{namespace}name"
  std::unordered_map<const ChildRule*, const ElementRule*> model_of_;
};

bool matches(Type, std::string_view text);
// White space at the ends removed, runs of it inside made one space.
std::string collapsed(std::string_view text);

}  // namespace schakel::xml
