// Tables 2.3, 2.4 and 2.5 of security.md: the only suites, groups and signature algorithms there are. Data; used by the contexts and by the
// grader.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace schakel::security {

// Quality of a TLS parameter or a certificate property (NCSC 2025-05, SEC-132).
enum class Grade { good, sufficient, phase_out, insufficient, error };  // goed, voldoende, uit te faseren, onvoldoende, fout
std::string_view to_string(Grade);                                      // the Dutch word that the standard uses
std::string_view to_code(Grade);                                        // "good", "sufficient", "phaseOut", "insufficient", "error"

struct CipherSuite {
  std::string_view iana, openssl;
  bool tls13;
  Grade grade;
};
std::span<const CipherSuite> cipher_suites();              // table 2.3, in server order
std::span<const std::string_view> key_groups();            // table 2.4, in order, names of OpenSSL
std::span<const std::string_view> signature_algorithms();  // table 2.5, in order

// NCSC grade of anything a peer may have chosen, by OpenSSL or IANA name; unknown ones are insufficient.
Grade grade_of_suite(std::string_view);
Grade grade_of_group(std::string_view);

// Lists for OpenSSL, colon-separated. Error "config.invalid" for a removed suite that is not in the table, or when a version that is
// offered keeps none.
struct SuiteLists {
  std::string tls12, tls13;
};
Result<SuiteLists> suite_lists(std::span<const std::string> removed, bool only_tls13);
// Groups that this build of the library knows (table 2.4: "drop the group").
std::string supported_groups();
std::string signature_algorithm_list();

}  // namespace schakel::security
