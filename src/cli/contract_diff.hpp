// What differs between two XML contracts, by element and attribute. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace schakel::cli {

struct Difference {
  std::string path;                   // "CollaborationProtocolAgreement/PartyInfo[1]/PartyId[1]", "…/@cpaid"
  std::optional<std::string> before;  // absent: added
  std::optional<std::string> after;   // absent: removed
  friend bool operator==(const Difference&, const Difference&) = default;
};

// In document order. Formatting, comments, order of attributes and prefixes do not count. Errors: those of xml::Document::parse.
Result<std::vector<Difference>> contract_diff(std::string_view before, std::string_view after);

}  // namespace schakel::cli
