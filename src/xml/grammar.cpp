#include "xml/grammar.hpp"

#include <libxml/tree.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

namespace schakel::xml {
namespace {

constexpr std::string_view xsi_namespace = "http://www.w3.org/2001/XMLSchema-instance";

std::string_view view(const xmlChar* text) {
  return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
}

std::string key_of(std::string_view namespace_uri, std::string_view name) {
  std::string key;
  key.reserve(namespace_uri.size() + name.size() + 2);
  key.append("{").append(namespace_uri).append("}").append(name);
  return key;
}

bool is_any(const ChildRule& rule) {
  return rule.name == "*";
}

// Texts that a document carries are shown shortened: a message is for a person, and never a copy of the document.
std::string shown(std::string_view text) {
  constexpr std::size_t max = 60;
  if (text.size() <= max) return for_log(text);
  return for_log(text.substr(0, max)) + "...";
}

std::string_view type_name(Type type) {
  switch (type) {
    case Type::none:
      return "no text";
    case Type::string:
    case Type::anything:
      return "text";
    case Type::non_empty_string:
      return "text that is not empty";
    case Type::token:
      return "a token";
    case Type::nmtoken:
      return "an NMTOKEN";
    case Type::ncname:
      return "an NCName";
    case Type::id:
      return "an ID";
    case Type::idref:
      return "an IDREF";
    case Type::any_uri:
      return "a URI";
    case Type::date_time:
      return "a dateTime";
    case Type::duration:
      return "a duration";
    case Type::integer:
      return "an integer";
    case Type::boolean:
      return "a boolean";
    case Type::enumeration:
      return "one of the listed values";
    case Type::name:
      return "a Name";
    case Type::int32:
      return "a 32-bit integer";
    case Type::non_negative_integer:
      return "an integer of at least 0";
    case Type::base64:
      return "base64";
    case Type::language:
      return "a language code";
  }
  return "a value";
}

bool fits(Type type, const std::vector<std::string_view>& values, std::string_view text) {
  if (!matches(type, text)) return false;
  if (values.empty()) return true;
  const auto value = type == Type::string || type == Type::non_empty_string ? text : trim(text);
  return std::find(values.begin(), values.end(), value) != values.end();
}

}  // namespace

Grammar::Grammar(std::vector<ElementRule> rules) : rules_(std::move(rules)) {
  for (const auto& rule : rules_) by_name_[key_of(rule.namespace_uri, rule.name)].push_back(&rule);
  for (const auto& rule : rules_) {
    for (const auto& child : rule.children) {
      if (is_any(child)) continue;
      const auto* model = find(child.namespace_uri, child.name, rule.name);
      if (model == nullptr)
        throw std::logic_error("grammar: no rule for the child " + std::string(child.name) + " of " + std::string(rule.name));
      model_of_.emplace(&child, model);
    }
  }
}

const ElementRule* Grammar::find(std::string_view namespace_uri, std::string_view name, std::string_view parent) const {
  const auto found = by_name_.find(key_of(namespace_uri, name));
  if (found == by_name_.end()) return nullptr;
  const ElementRule* global = nullptr;
  for (const auto* rule : found->second) {
    if (!rule->parent.empty() && rule->parent == parent) return rule;
    if (rule->parent.empty()) global = rule;
  }
  return global;
}

// One check: an explicit stack of elements, so that depth costs no stack.
class Grammar::Walk {
 public:
  Walk(const Grammar& grammar, std::size_t max) : grammar_(grammar), max_(max) {}

  std::vector<Violation> run(Element root) {
    const auto* rule = grammar_.find(root.namespace_uri(), root.name(), {});
    if (rule == nullptr) {
      add(root, "the element " + std::string(root.name()) + " is not known here");
      return std::move(violations_);
    }
    pending_.push_back({root, rule});
    while (!pending_.empty() && violations_.size() < max_) {
      const auto [element, model] = pending_.back();
      pending_.pop_back();
      if (model != nullptr) {
        check_attributes(element, *model);
        check_content(element, *model);
      } else {
        look_for_known(element);
      }
    }
    return std::move(violations_);
  }

 private:
  struct Pending {
    Element element;
    const ElementRule* rule;  // nullptr: below a wildcard, only known elements are checked
  };

  void add(Element element, std::string message) {
    if (violations_.size() < max_) violations_.push_back({element.path(), element.line(), std::move(message)});
  }

  // Processed lax: an element that the grammar knows is checked wherever it stands.
  void look_for_known(Element element) {
    for (auto child = element.first_child(); child; child = child.next_sibling()) push_lax(child);
  }
  void push_lax(Element element) { pending_.push_back({element, grammar_.find(element.namespace_uri(), element.name(), {})}); }

  void check_attributes(Element element, const ElementRule& rule) {
    std::size_t required_found = 0;
    for (const xmlAttr* attribute = element.node()->properties; attribute != nullptr; attribute = attribute->next) {
      const auto uri = attribute->ns == nullptr ? std::string_view() : view(attribute->ns->href);
      const auto name = view(attribute->name);
      const auto found = std::find_if(rule.attributes.begin(), rule.attributes.end(),
                                      [&](const AttributeRule& a) { return a.name == name && a.namespace_uri == uri; });
      if (found == rule.attributes.end()) {
        const bool location = uri == xsi_namespace && (name == "schemaLocation" || name == "noNamespaceSchemaLocation");
        const bool other = rule.other_attributes && !uri.empty() && uri != rule.namespace_uri && uri != xsi_namespace;
        if (!location && !other)
          add(element, "the attribute " + shown(name) + (uri.empty() ? " (in no namespace)" : "") + " is not allowed");
        continue;
      }
      required_found += found->required ? 1U : 0U;
      const xmlNode* text = attribute->children;
      if (text == nullptr || text->next == nullptr) {
        check_value(element, *found, text == nullptr ? std::string_view() : view(text->content));
      } else {
        check_value(element, *found, *element.attribute(uri, name));
      }
    }
    const auto required = std::count_if(rule.attributes.begin(), rule.attributes.end(), [](const AttributeRule& a) { return a.required; });
    if (required_found == static_cast<std::size_t>(required)) return;
    for (const auto& attribute : rule.attributes) {
      if (attribute.required && !element.attribute(attribute.namespace_uri, attribute.name)) {
        add(element, "the attribute " + std::string(attribute.name) + " is missing");
      }
    }
  }

  void check_value(Element element, const AttributeRule& rule, std::string_view value) {
    if (fits(rule.type, rule.values, value)) return;
    add(element,
        "the attribute " + std::string(rule.name) + " must be " + std::string(type_name(rule.type)) + ", not '" + shown(value) + "'");
  }

  void check_content(Element element, const ElementRule& rule) {
    if (rule.children.empty() && rule.text == Type::anything) return;
    check_text(element, rule);
    if (rule.children.empty()) {
      if (const auto child = element.first_child()) add(child, "no element is allowed in " + std::string(rule.name));
    } else if (rule.any_order) {
      check_any_order(element, rule);
    } else {
      check_sequence(element, rule);
    }
  }

  void check_text(Element element, const ElementRule& rule) {
    if (!rule.children.empty() && !rule.mixed) {
      if (has_text_between(element)) add(element, "no text is allowed in " + std::string(rule.name));
      return;
    }
    if (!rule.children.empty()) return;
    const xmlNode* only = element.node()->children;
    const bool one_text = only == nullptr || (only->next == nullptr && only->type == XML_TEXT_NODE);
    const std::string gathered = one_text ? std::string() : element.text();
    const std::string_view text = one_text ? (only == nullptr ? std::string_view() : view(only->content)) : gathered;
    if (rule.text == Type::none) {
      if (!text.empty()) add(element, std::string(rule.name) + " must be empty");
    } else if (!fits(rule.text, rule.text_values, text)) {
      add(element, std::string(rule.name) + " must be " + std::string(type_name(rule.text)) + ", not '" + shown(text) + "'");
    }
  }

  static bool has_text_between(Element element) {
    for (const xmlNode* node = element.node()->children; node != nullptr; node = node->next) {
      if (node->type == XML_CDATA_SECTION_NODE) return true;
      if (node->type == XML_TEXT_NODE && !trim(view(node->content)).empty()) return true;
    }
    return false;
  }

  static bool accepts(const ElementRule& owner, const ChildRule& rule, Element child) {
    const auto uri = child.namespace_uri();
    if (is_any(rule)) return !uri.empty() && uri != owner.namespace_uri;
    return child.name() == rule.name && uri == rule.namespace_uri;
  }

  void push(const ChildRule& rule, Element child) {
    if (is_any(rule)) {
      push_lax(child);
    } else {
      pending_.push_back({child, grammar_.model_of_.find(&rule)->second});
    }
  }

  void check_sequence(Element element, const ElementRule& owner) {
    auto rule = owner.children.begin();
    int count = 0;
    const auto first_pushed = pending_.size();
    for (auto child = element.first_child(); child; child = child.next_sibling()) {
      while (rule != owner.children.end() && !(accepts(owner, *rule, child) && (rule->max < 0 || count < rule->max))) {
        if (count < rule->min) return add(child, "expected " + std::string(rule->name) + ", found " + shown(child.name()));
        ++rule;
        count = 0;
      }
      if (rule == owner.children.end()) return add(child, "the element " + shown(child.name()) + " is not allowed here");
      ++count;
      push(*rule, child);
    }
    for (; rule != owner.children.end(); ++rule, count = 0) {
      if (count < rule->min) return add(element, "the element " + std::string(rule->name) + " is missing");
    }
    // The stack turns the order round: findings should come in document order.
    std::reverse(pending_.begin() + static_cast<std::ptrdiff_t>(first_pushed), pending_.end());
  }

  void check_any_order(Element element, const ElementRule& owner) {
    std::vector<int> counts(owner.children.size(), 0);
    int total = 0;
    const auto first_pushed = pending_.size();
    for (auto child = element.first_child(); child; child = child.next_sibling(), ++total) {
      const auto rule =
          std::find_if(owner.children.begin(), owner.children.end(), [&](const ChildRule& r) { return accepts(owner, r, child); });
      if (rule == owner.children.end()) return add(child, "the element " + shown(child.name()) + " is not allowed here");
      auto& count = counts[static_cast<std::size_t>(rule - owner.children.begin())];
      if (rule->max >= 0 && ++count > rule->max) return add(child, "too many " + shown(child.name()));
      if (rule->max < 0) ++count;
      push(*rule, child);
    }
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] < owner.children[i].min) add(element, "the element " + std::string(owner.children[i].name) + " is missing");
    }
    if (total < owner.children_min) add(element, "an element is missing");
    if (owner.children_max >= 0 && total > owner.children_max) add(element, "too many elements");
    std::reverse(pending_.begin() + static_cast<std::ptrdiff_t>(first_pushed), pending_.end());
  }

  const Grammar& grammar_;
  std::size_t max_;
  std::vector<Pending> pending_;
  std::vector<Violation> violations_;
};

std::vector<Violation> Grammar::check(Element root, std::size_t max) const {
  return Walk(*this, max).run(root);
}

}  // namespace schakel::xml
