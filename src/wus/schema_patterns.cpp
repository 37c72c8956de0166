#include "wus/schema_patterns.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "wus/names.hpp"
#include "wus/qualified_name.hpp"

namespace schakel::wus {
namespace {

// --- one pattern (XML Schema Part 2, appendix F)
// ------------------------------------------------------------------------------------------

struct Shape {
  std::size_t choices = 0;         // quantifiers that leave open how often
  std::size_t branch_choices = 0;  // the most in one alternative
  bool has_group = false;
};

// The end of the escape or class expression that begins at `at`.
std::size_t end_of_escape(std::string_view pattern, std::size_t at) {
  const bool names_category = pattern.substr(at + 1, 1) == "p" || pattern.substr(at + 1, 1) == "P";
  const auto brace = names_category ? pattern.find('}', at) : std::string_view::npos;
  return std::min(pattern.size(), brace == std::string_view::npos ? at + 2 : brace + 1);
}
std::size_t end_of_class(std::string_view pattern, std::size_t at) {
  std::size_t depth = 0;
  while (at < pattern.size()) {
    if (pattern[at] == '\\') {
      at = end_of_escape(pattern, at);
      continue;
    }
    if (pattern[at] == '[') ++depth;
    if (pattern[at] == ']' && --depth == 0) return at + 1;
    ++at;
  }
  return at;
}

// "{n}" leaves nothing open; "{n,}" and "{n,m}" do.
bool leaves_open(std::string_view quantifier) {
  const auto comma = quantifier.find(',');
  return quantifier.front() != '{' || (comma != std::string_view::npos &&
                                       quantifier.substr(1, comma - 1) != quantifier.substr(comma + 1, quantifier.size() - comma - 2));
}

Shape shape_of(std::string_view pattern) {
  Shape shape;
  std::size_t in_branch = 0;
  for (std::size_t at = 0; at < pattern.size();) {
    auto end = at + 1;
    switch (pattern[at]) {
      case '\\':
        end = end_of_escape(pattern, at);
        break;
      case '[':
        end = end_of_class(pattern, at);
        break;
      case '(':
        shape.has_group = true;
        break;
      case '|':
        in_branch = 0;
        break;
      case '{':
        end = std::min(pattern.size(), pattern.find('}', at)) + 1;
        [[fallthrough]];
      case '?':
      case '*':
      case '+':
        if (!leaves_open(pattern.substr(at, end - at))) break;
        ++shape.choices;
        shape.branch_choices = std::max(shape.branch_choices, ++in_branch);
        break;
      default:
        break;
    }
    at = end;
  }
  return shape;
}

// --- who is held against what
// -------------------------------------------------------------------------------------------------------------

enum class Kind { type, element, attribute, item };  // item: what a list is of
using Key = std::tuple<Kind, ExpandedName>;

struct Subject {
  Key key;
  std::string place;
  bool has_pattern = false;
  std::size_t costly = 0;  // patterns, its own and those of what it refers to; counted no further than matters
  std::set<Key> refers_to{};
};

constexpr std::size_t counted_max = costly_attributes_max + 1;

class Survey {
 public:
  Result<> read(const std::vector<SchemaDocument>& documents) {
    for (const auto& document : documents)
      for (const auto& as : document.namespaces) SCHAKEL_CHECK(read_below({document, as}, document.document.root()));
    add_up();
    return check();
  }
  const std::map<Key, Subject>& subjects() const { return subjects_; }

 private:
  struct Place {
    const SchemaDocument& document;
    const std::string& as;  // the namespace that its declarations belong to
    std::string of(xml::Element element) const { return document.name + ":" + std::to_string(element.line()); }
  };

  // Declarations at any depth; of types those with a name.
  Result<> read_below(const Place& place, xml::Element parent) {
    for (auto child = parent.first_child(); child; child = child.next_sibling()) {
      if (child.namespace_uri() != ns::xsd || child.is(ns::xsd, "annotation")) continue;
      if (const auto name = child.attribute("", "name")) SCHAKEL_CHECK(read_declaration(place, child, *name));
      SCHAKEL_CHECK(read_below(place, child));
    }
    return {};
  }

  Result<> read_declaration(const Place& place, xml::Element declaration, const std::string& name) {
    const auto kind = declaration.name();
    if (kind == "simpleType" || kind == "complexType") return read_type(place, declaration, {Kind::type, {place.as, name}});
    if (kind != "element" && kind != "attribute") return {};
    // By local name: which are qualified makes no difference that is worth its code.
    const Key key{kind == "element" ? Kind::element : Kind::attribute, {"", name}};
    refer(place, declaration, "type", Kind::type, key);
    if (const auto head = declaration.attribute("", "substitutionGroup"))
      if (const auto named = qualified_name(declaration, *head))
        subject(place, declaration, key).refers_to.insert({Kind::element, {"", named->name}});
    for (const auto* inner : {"simpleType", "complexType"})
      if (const auto type = declaration.child(ns::xsd, inner)) SCHAKEL_CHECK(read_type(place, type, key));
    return {};
  }

  // What binds the text of a type: patterns, bases, members and items, at every depth but that of other declarations.
  Result<> read_type(const Place& place, xml::Element type, const Key& key) {
    subject(place, type, key);
    for (auto child = type.first_child(); child; child = child.next_sibling()) {
      const bool is_other = child.is(ns::xsd, "element") || child.is(ns::xsd, "attribute") || child.is(ns::xsd, "annotation");
      if (is_other || child.namespace_uri() != ns::xsd) continue;
      if (child.is(ns::xsd, "pattern")) {
        SCHAKEL_CHECK(read_pattern(place, child, key));
      } else if (child.is(ns::xsd, "list")) {
        const Key item{Kind::item, {place.of(child), std::to_string(++lists_)}};
        refer(place, child, "itemType", Kind::type, item);
        SCHAKEL_CHECK(read_type(place, child, item));
        subject(place, type, key).refers_to.insert(item);
      } else {
        refer(place, child, "base", Kind::type, key);
        refer(place, child, "memberTypes", Kind::type, key);
        SCHAKEL_CHECK(read_type(place, child, key));
      }
    }
    return {};
  }

  Result<> read_pattern(const Place& place, xml::Element pattern, const Key& key) {
    const auto text = pattern.attribute("", "value").value_or("");
    if (text.size() > pattern_bytes_max)
      return fail("wus.schema", "a pattern is longer than " + std::to_string(pattern_bytes_max) + " octets", place.of(pattern));
    if (shape_of(text).choices > pattern_choices_max)
      return fail("wus.schema", "a pattern leaves more than " + std::to_string(pattern_choices_max) + " repetitions open",
                  place.of(pattern));
    auto& bound = subject(place, pattern, key);
    bound.has_pattern = true;
    if (!is_cheap_pattern(text)) bound.costly = std::min(bound.costly + 1, counted_max);
    return {};
  }

  Subject& subject(const Place& place, xml::Element element, const Key& key) {
    return subjects_.try_emplace(key, Subject{key, place.of(element)}).first->second;
  }

  // The types that an attribute of this element names.
  void refer(const Place& place, xml::Element element, std::string_view attribute, Kind kind, const Key& from) {
    const auto names = element.attribute("", attribute);
    if (!names) return;
    auto& referrer = subject(place, element, from);
    std::string_view rest = *names;
    while (!(rest = trim(rest)).empty()) {
      const auto end = std::min(rest.size(), rest.find_first_of(" \t\r\n"));
      auto name = qualified_name(element, rest.substr(0, end));
      rest.remove_prefix(end);
      if (!name) continue;
      // In a schema without target namespace that is included by one with: unqualified names follow it.
      if (name->namespace_uri.empty() && place.document.target_namespace.empty()) name->namespace_uri = place.as;
      const Key to{kind, *name};
      if (to != from) referrer.refers_to.insert(to);  // a type that redefines itself
    }
  }

  // Adds to each subject what it refers to, at every remove. Counts only grow, and only so far.
  void add_up() {
    std::map<Key, std::vector<Subject*>> users;
    std::vector<std::pair<Key, std::size_t>> told;  // who has a pattern, and by how many costly ones it grew
    for (auto& [key, subject] : subjects_) {
      for (const auto& to : subject.refers_to) users[to].push_back(&subject);
      if (subject.has_pattern) told.emplace_back(key, subject.costly);
    }
    while (!told.empty()) {
      const auto [key, more] = std::move(told.back());
      told.pop_back();
      for (auto* user : users[key]) {
        const auto growth = std::min(more, counted_max - user->costly);
        if (user->has_pattern && growth == 0) continue;
        user->has_pattern = true;
        user->costly += growth;
        told.emplace_back(user->key, growth);
      }
    }
  }

  Result<> check() const {
    std::size_t of_attributes = 0;
    for (const auto& [key, subject] : subjects_) {
      const auto kind = std::get<Kind>(key);
      if (kind == Kind::item && subject.costly > 0)
        return fail("wus.schema", "a list has items with a pattern that may take long to match: groups, or more than one open repetition",
                    subject.place);
      if (subject.costly > costly_patterns_max)
        return fail("wus.schema",
                    "values of one type are held against more than " + std::to_string(costly_patterns_max) +
                        " patterns that may take long to match",
                    subject.place);
      if (kind == Kind::attribute && (of_attributes += subject.costly) > costly_attributes_max)
        return fail("wus.schema",
                    "attributes have more than " + std::to_string(costly_attributes_max) + " patterns that may take long to match",
                    subject.place);
    }
    return {};
  }

  std::map<Key, Subject> subjects_;
  std::size_t lists_ = 0;
};

}  // namespace

bool is_cheap_pattern(std::string_view pattern) {
  const auto shape = shape_of(pattern);
  return !shape.has_group && shape.branch_choices <= 1;
}

Result<Patterns> Patterns::of(const std::vector<SchemaDocument>& documents) {
  Survey survey;
  SCHAKEL_CHECK(survey.read(documents));
  Patterns out;
  for (const auto& [key, subject] : survey.subjects()) {
    if (!subject.has_pattern) continue;
    const auto& [kind, name] = key;
    out.any_ = true;
    if (kind == Kind::element) out.elements_.insert(name.name);
    if (kind == Kind::attribute) out.attributes_.insert(name.name);
  }
  return out;
}

bool Patterns::may_bind_text(xml::Element element) const {
  return elements_.contains(element.name()) || (any_ && element.attribute(ns::xsi, "type"));
}

}  // namespace schakel::wus
