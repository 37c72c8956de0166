// Which elements of a payload may stand in parts of their own (WUS-184): those whose type is xs:base64Binary, and those that came so.
//
// Positions count the elements of the payload in document order, 0 is its root: a canonical form has the same.
#pragma once

#include <cstddef>
#include <vector>

#include "wus/schema.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

// Of these elements the ones that stand at or below `top`, in the same order.
std::vector<xml::Element> at_or_below(const std::vector<xml::Element>&, xml::Element top);

// `schema` may be null: then nothing is known of types. `came_as_parts`: Plain::binary_elements, Message::binary_elements. Ascending.
std::vector<std::size_t> binary_positions(xml::Element payload, const Schema* schema, const std::vector<xml::Element>& came_as_parts);
std::vector<xml::Element> elements_at(xml::Element payload, const std::vector<std::size_t>& positions);

}  // namespace schakel::wus
