// The value of a PartyId of type urn:osb:oin: an OIN and an environment suffix (CPA-013, CPA-014; oin.md 3.1).
#pragma once

#include <string_view>

namespace schakel::cpa {

struct PartyIdValue {
  std::string_view oin;       // before the suffix
  std::string_view suffix;    // letters of O, T, A; empty: none
  bool well_formed = false;   // an OIN's form, and no suffix or a right one
  bool known_prefix = false;  // a register of OIN numbers
  bool test_prefix = false;   // 00000099
};

PartyIdValue read_party_id(std::string_view value);

}  // namespace schakel::cpa
