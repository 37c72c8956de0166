// The Organisatie-identificatienummer: one string of twenty characters that names an organisation (oin.md 2.1, 3.1). Never a number, never
// trimmed.
//
// The prefixes are a table of data that an installation can extend (OIN-002). Pure values; safe from every thread.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

namespace schakel {

enum class OinVerdict {
  valid,      // geldig
  irregular,  // afwijkend: usable, with a finding
  invalid,    // ongeldig
};

enum class OinKind { unknown, main, sub, register_only, test };

// What may stand in the hoofdnummer after a prefix, and how it is cut.
enum class OinDigits {
  nine,             // nine digits + suffix 000
  eight,            // eight digits + suffix 0000 (KVK)
  nine_or_letters,  // nine of 0-9A-Z + suffix 000
  unassigned,       // the prefix is known to be free
};

struct OinPrefix {
  std::string_view prefix;  // eight digits
  std::string_view number;  // "RSIN", "KVK-nummer" …
  OinKind kind;
  OinDigits digits;
};

// Prefixes of OIN Stelsel 2.2.2, and those of the 3.0.0 consultation.
std::span<const OinPrefix> oin_prefixes();

// The parts are views into the string that was classified; empty when it is invalid.
struct OinParts {
  OinVerdict verdict = OinVerdict::invalid;
  OinKind kind = OinKind::unknown;
  std::string_view number;  // the register's name for it; empty for an unknown prefix
  std::string_view prefix, main_number, suffix;
};

// oin.md 3.1. `local` are prefixes that the installation adds; they win over the table.
OinParts classify_oin(std::string_view, std::span<const OinPrefix> local = {});

// Not invalid: usable as an identity.
inline bool is_oin(std::string_view text) {
  return classify_oin(text).verdict != OinVerdict::invalid;
}

// Prefix 00000099: refused in production (OIN-010, SEC-067).
inline bool is_test_oin(std::string_view text) {
  return text.starts_with("00000099");
}

// The check of RSIN and Fi-nummer (oin.md 3.2); for issuing only (OIN-006). Nine digits.
bool passes_eleven_test(std::string_view nine_digits);

}  // namespace schakel
