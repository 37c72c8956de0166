#include "wus/binary_elements.hpp"

#include <algorithm>

namespace schakel::wus {
namespace {

using xml::Element;

bool is_at_or_below(Element element, Element top) {
  while (element && element != top) element = element.parent();
  return static_cast<bool>(element);
}

}  // namespace

std::vector<Element> at_or_below(const std::vector<Element>& elements, Element top) {
  std::vector<Element> out;
  for (const Element element : elements)
    if (is_at_or_below(element, top)) out.push_back(element);
  return out;
}

std::vector<std::size_t> binary_positions(Element payload, const Schema* schema, const std::vector<Element>& came_as_parts) {
  auto out = schema ? schema->binary_elements(payload) : std::vector<std::size_t>();
  if (came_as_parts.empty()) return out;
  // They stand in document order, so one walk meets them one after the other.
  const auto by_type = static_cast<std::ptrdiff_t>(out.size());
  auto next = came_as_parts.begin();
  std::size_t position = 0;
  for (Element at = payload; at && next != came_as_parts.end(); at = at.next_in(payload), ++position) {
    if (at != *next) continue;
    ++next;
    if (!std::binary_search(out.begin(), out.begin() + by_type, position)) out.push_back(position);
  }
  std::ranges::sort(out);
  return out;
}

std::vector<Element> elements_at(Element payload, const std::vector<std::size_t>& positions) {
  std::vector<Element> out;
  auto next = positions.begin();
  std::size_t position = 0;
  for (Element at = payload; at && next != positions.end(); at = at.next_in(payload), ++position) {
    if (position != *next) continue;
    out.push_back(at);
    ++next;
  }
  return out;
}

}  // namespace schakel::wus
