#include "base/oin.hpp"

#include <algorithm>

namespace schakel {
namespace {

constexpr std::array prefixes = {
    OinPrefix{"00000001", "RSIN", OinKind::main, OinDigits::nine},
    OinPrefix{"00000002", "Fi-nummer", OinKind::main, OinDigits::nine},
    OinPrefix{"00000003", "KVK-nummer", OinKind::main, OinDigits::eight},
    OinPrefix{"00000004", "subnummer", OinKind::sub, OinDigits::nine},
    OinPrefix{"00000005", "vrij", OinKind::unknown, OinDigits::unassigned},
    OinPrefix{"00000006", "Logius OIN Hoofdnummer", OinKind::main, OinDigits::nine},
    OinPrefix{"00000007", "BRIN", OinKind::register_only, OinDigits::nine_or_letters},
    OinPrefix{"00000008", "Buitenlandse nummers", OinKind::sub, OinDigits::nine},
    OinPrefix{"00000009", "UZI", OinKind::register_only, OinDigits::nine_or_letters},
    OinPrefix{"00000010", "TRR-BD", OinKind::main, OinDigits::nine},
    OinPrefix{"00000011", "Dezi zorgverzekeraars", OinKind::register_only, OinDigits::nine_or_letters},
    OinPrefix{"00000099", "test", OinKind::test, OinDigits::nine},
};

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_capital(char c) {
  return c >= 'A' && c <= 'Z';
}
bool all_digits(std::string_view text) {
  return std::ranges::all_of(text, is_digit);
}
bool all_zeros(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

const OinPrefix* find(std::span<const OinPrefix> table, std::string_view prefix) {
  const auto found = std::ranges::find(table, prefix, &OinPrefix::prefix);
  return found == table.end() ? nullptr : &*found;
}

}  // namespace

std::span<const OinPrefix> oin_prefixes() {
  return prefixes;
}

OinParts classify_oin(std::string_view text, std::span<const OinPrefix> local) {
  if (text.size() != 20 || !std::ranges::all_of(text, [](char c) { return is_digit(c) || is_capital(c); })) return {};
  const auto prefix = text.substr(0, 8);
  if (!all_digits(prefix) || !prefix.starts_with("000000") || prefix == "00000000") return {};

  const OinPrefix* rule = find(local, prefix);
  if (rule == nullptr) rule = find(prefixes, prefix);
  const OinDigits digits = rule == nullptr ? OinDigits::unassigned : rule->digits;
  const std::size_t main_length = digits == OinDigits::eight ? 8 : 9;
  const auto main_number = text.substr(8, main_length);
  const auto suffix = text.substr(8 + main_length);
  const bool letters_allowed = digits == OinDigits::nine_or_letters || digits == OinDigits::unassigned;
  if (!all_digits(suffix) || (!letters_allowed && !all_digits(main_number)) || all_zeros(main_number)) return {};

  const bool regular = digits != OinDigits::unassigned && all_zeros(suffix);
  return {.verdict = regular ? OinVerdict::valid : OinVerdict::irregular,
          .kind = rule == nullptr ? OinKind::unknown : rule->kind,
          .number = rule == nullptr ? std::string_view{} : rule->number,
          .prefix = prefix,
          .main_number = main_number,
          .suffix = suffix};
}

bool passes_eleven_test(std::string_view nine_digits) {
  if (nine_digits.size() != 9 || !all_digits(nine_digits) || all_zeros(nine_digits)) return false;
  constexpr std::array weights = {9, 8, 7, 6, 5, 4, 3, 2, -1};
  int sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] * (nine_digits[i] - '0');
  return sum % 11 == 0;
}

}  // namespace schakel
