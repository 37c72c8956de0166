#include "cli/contract_diff.hpp"

#include <libxml/tree.h>

#include <algorithm>
#include <map>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "xml/document.hpp"

namespace schakel::cli {
namespace {

// A document as a list of (path, value): attributes, and the text of elements without children.
using Values = std::vector<std::pair<std::string, std::string>>;

std::string_view text_of(const xmlChar* text) {
  return text == nullptr ? std::string_view{} : std::string_view(reinterpret_cast<const char*>(text));
}

void flatten(xml::Element element, const std::string& path, Values& values) {
  std::vector<std::pair<std::string, std::string>> attributes;
  for (const auto* attribute = element.node()->properties; attribute != nullptr; attribute = attribute->next) {
    const auto name = std::string(text_of(attribute->name));
    const auto space = attribute->ns == nullptr ? std::string_view{} : text_of(attribute->ns->href);
    attributes.emplace_back(path + "/@" + name, element.attribute(space, name).value_or(""));
  }
  std::sort(attributes.begin(), attributes.end());
  values.insert(values.end(), attributes.begin(), attributes.end());
  const auto children = element.children();
  if (children.empty()) {
    values.emplace_back(path, std::string(trim(element.text())));
    return;
  }
  std::map<std::string, int, std::less<>> seen;
  for (const auto& child : children) {
    const auto name = std::string(child.name());
    flatten(child, path + "/" + name + "[" + std::to_string(++seen[name]) + "]", values);
  }
}

Result<Values> values_of(std::string_view octets) {
  SCHAKEL_TRY(
      const auto document,
      xml::Document::parse(octets, {.bytes_max = limits::cpa_bytes_max, .depth_max = limits::cpa_depth_max, .utf16_allowed = true}));
  Values values;
  flatten(document.root(), std::string(document.root().name()), values);
  return values;
}

}  // namespace

Result<std::vector<Difference>> contract_diff(std::string_view before_octets, std::string_view after_octets) {
  SCHAKEL_TRY(const auto before, values_of(before_octets));
  SCHAKEL_TRY(const auto after, values_of(after_octets));
  const std::map<std::string_view, std::string_view> after_by_path(after.begin(), after.end());
  const std::map<std::string_view, std::string_view> before_by_path(before.begin(), before.end());
  std::vector<Difference> differences;
  for (const auto& [path, value] : before) {
    const auto found = after_by_path.find(path);
    if (found == after_by_path.end())
      differences.push_back({path, value, std::nullopt});
    else if (found->second != value)
      differences.push_back({path, value, std::string(found->second)});
  }
  for (const auto& [path, value] : after)
    if (!before_by_path.contains(path)) differences.push_back({path, std::nullopt, value});
  return differences;
}

}  // namespace schakel::cli
