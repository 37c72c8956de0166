// What a signature covers: the one XPath filter of ebMS2 (MSG 4.1.3) in the spellings that are allowed, evaluated as it is written, and
// which elements it may leave out (ebms.md 3.8 steps 4 and 5). Private to src/ebms.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xml/document.hpp"

namespace schakel::ebms {

// not(ancestor-or-self::node()[@P:actor=L1]|ancestor-or-self::node()[@P:actor=L2])
struct ActorFilter {
  struct Operand {
    std::string prefix;         // empty: none is written
    std::string namespace_uri;  // of the attribute: SOAP 1.1, or "" without a prefix
    std::string actor;
  };
  std::array<Operand, 2> operands;
};

// The filter that the signature of 2.5 carries.
std::string_view own_actor_filter();

// Reads the content of a ds:XPath element; prefixes are looked up in its context. nullopt: anything else than the allowed filter.
std::optional<ActorFilter> read_actor_filter(xml::Element ds_xpath);

// The elements that the filter leaves out with all below them, in document order.
std::vector<xml::Element> left_out_by(const ActorFilter&, xml::Element root);

// Only eb:SyncReply, an AckRequested for the next MSH, and header blocks that are none of ours may stand outside the signature.
bool may_be_left_out(xml::Element, xml::Element soap_header);

}  // namespace schakel::ebms
