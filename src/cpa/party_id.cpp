#include "cpa/party_id.hpp"

#include <algorithm>

#include "base/oin.hpp"

namespace schakel::cpa {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_digit_or_capital(char c) {
  return is_digit(c) || (c >= 'A' && c <= 'Z');
}

bool has_oin_form(std::string_view oin) {
  return oin.size() == 20 && std::all_of(oin.begin(), oin.begin() + 8, is_digit) &&
         std::all_of(oin.begin() + 8, oin.begin() + 17, is_digit_or_capital) && std::all_of(oin.begin() + 17, oin.end(), is_digit);
}

// One or more different letters of O, T and A; P never (CPA-014).
bool is_suffix(std::string_view suffix) {
  if (suffix.empty() || suffix.size() > 3) return false;
  return std::all_of(suffix.begin(), suffix.end(), [&](char c) {
    return std::string_view("OTA").find(c) != std::string_view::npos && std::count(suffix.begin(), suffix.end(), c) == 1;
  });
}

}  // namespace

PartyIdValue read_party_id(std::string_view value) {
  PartyIdValue out;
  const auto underscore = value.find('_');
  const bool has_suffix = underscore != std::string_view::npos;
  out.oin = value.substr(0, underscore);
  if (has_suffix) out.suffix = value.substr(underscore + 1);
  const auto table = oin_prefixes();
  const auto prefix = out.oin.substr(0, 8);
  out.known_prefix = std::any_of(table.begin(), table.end(), [prefix](const OinPrefix& row) { return row.prefix == prefix; });
  out.test_prefix = is_test_oin(out.oin);
  // Within a known register the number must follow its rule; what no register issued is only unusual (V07d).
  out.well_formed = has_oin_form(out.oin) && (!has_suffix || is_suffix(out.suffix)) && (!out.known_prefix || is_oin(out.oin));
  return out;
}

}  // namespace schakel::cpa
