#include "security/tls_tables.hpp"

#include <algorithm>
#include <array>

#include "base/bytes.hpp"
#include "security/openssl.hpp"

namespace schakel::security {
namespace {

constexpr std::array suites = {
    CipherSuite{"TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", true, Grade::good},
    CipherSuite{"TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", true, Grade::good},
    CipherSuite{"TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", true, Grade::sufficient},
    CipherSuite{"TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_SHA256", true, Grade::sufficient},
    CipherSuite{"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", false, Grade::sufficient},
    CipherSuite{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", false, Grade::sufficient},
    CipherSuite{"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", false, Grade::sufficient},
    CipherSuite{"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", false, Grade::sufficient},
    CipherSuite{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", false, Grade::sufficient},
    CipherSuite{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", false, Grade::sufficient},
    CipherSuite{"TLS_ECDHE_ECDSA_WITH_AES_256_CCM", "ECDHE-ECDSA-AES256-CCM", false, Grade::sufficient},
    CipherSuite{"TLS_ECDHE_ECDSA_WITH_AES_128_CCM", "ECDHE-ECDSA-AES128-CCM", false, Grade::sufficient},
};

constexpr std::array<std::string_view, 11> groups = {
    "X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024", "X25519",         "P-256", "X448", "P-384",
    "P-521",          "brainpoolP256r1",   "brainpoolP384r1",    "brainpoolP512r1"};

constexpr std::array<std::string_view, 14> signatures = {"ecdsa_secp256r1_sha256",
                                                         "ecdsa_secp384r1_sha384",
                                                         "ecdsa_secp521r1_sha512",
                                                         "ed25519",
                                                         "ed448",
                                                         "rsa_pss_rsae_sha512",
                                                         "rsa_pss_rsae_sha384",
                                                         "rsa_pss_rsae_sha256",
                                                         "rsa_pss_pss_sha512",
                                                         "rsa_pss_pss_sha384",
                                                         "rsa_pss_pss_sha256",
                                                         "rsa_pkcs1_sha512",
                                                         "rsa_pkcs1_sha384",
                                                         "rsa_pkcs1_sha256"};

constexpr std::array<std::string_view, 5> phase_out_groups = {"secp224r1", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"};

std::string joined(std::span<const std::string_view> items) {
  std::string list;
  for (const auto item : items) {
    if (!list.empty()) list += ':';
    list += item;
  }
  return list;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// "Uit te faseren" (NCSC appendix B): CBC with a SHA-2 MAC, DHE, ARIA, Camellia, all with forward secrecy; by IANA or OpenSSL name.
bool is_phase_out_suite(std::string_view name) {
  const bool forward_secret = contains(name, "DHE");
  if (!forward_secret || contains(name, "anon") || contains(name, "PSK") || contains(name, "DSS") || contains(name, "NULL") ||
      contains(name, "DES") || contains(name, "RC4") || contains(name, "CCM8") || contains(name, "CCM_8"))
    return false;
  return name.ends_with("SHA256") || name.ends_with("SHA384") || contains(name, "POLY1305") || name.ends_with("CCM");
}

}  // namespace

std::string_view to_string(Grade grade) {
  switch (grade) {
    case Grade::good:
      return "goed";
    case Grade::sufficient:
      return "voldoende";
    case Grade::phase_out:
      return "uit te faseren";
    case Grade::insufficient:
      return "onvoldoende";
    case Grade::error:
      break;
  }
  return "fout";
}

std::string_view to_code(Grade grade) {
  switch (grade) {
    case Grade::good:
      return "good";
    case Grade::sufficient:
      return "sufficient";
    case Grade::phase_out:
      return "phaseOut";
    case Grade::insufficient:
      return "insufficient";
    case Grade::error:
      break;
  }
  return "error";
}

std::span<const CipherSuite> cipher_suites() {
  return suites;
}
std::span<const std::string_view> key_groups() {
  return groups;
}
std::span<const std::string_view> signature_algorithms() {
  return signatures;
}

Grade grade_of_suite(std::string_view name) {
  const auto found = std::ranges::find_if(suites, [&](const CipherSuite& suite) { return suite.iana == name || suite.openssl == name; });
  if (found != suites.end()) return found->grade;
  return is_phase_out_suite(name) ? Grade::phase_out : Grade::insufficient;
}

Grade grade_of_group(std::string_view name) {
  if (contains(name, "MLKEM")) return Grade::good;
  if (equals_ignoring_case(name, "secp256r1") || equals_ignoring_case(name, "prime256v1")) name = "P-256";
  if (equals_ignoring_case(name, "secp384r1")) name = "P-384";
  if (equals_ignoring_case(name, "secp521r1")) name = "P-521";
  if (std::ranges::any_of(groups, [&](auto group) { return equals_ignoring_case(group, name); })) return Grade::sufficient;
  return std::ranges::any_of(phase_out_groups, [&](auto group) { return equals_ignoring_case(group, name); }) ? Grade::phase_out
                                                                                                              : Grade::insufficient;
}

Result<SuiteLists> suite_lists(std::span<const std::string> removed, bool only_tls13) {
  for (const auto& name : removed) {
    if (std::ranges::none_of(suites, [&](const CipherSuite& suite) { return suite.openssl == name || suite.iana == name; }))
      return fail("config.invalid", "tls.removed-suites names " + name + ", which is not in the table of allowed suites (SEC-031)");
  }
  std::vector<std::string_view> tls12, tls13;
  for (const auto& suite : suites) {
    const bool gone = std::ranges::any_of(removed, [&](const auto& name) { return suite.openssl == name || suite.iana == name; });
    if (!gone) (suite.tls13 ? tls13 : tls12).push_back(suite.openssl);
  }
  if (tls13.empty() || (tls12.empty() && !only_tls13))
    return fail("config.invalid", "tls.removed-suites leaves no suite for a TLS version that must be offered (SEC-030)");
  return SuiteLists{joined(tls12), joined(tls13)};
}

std::string supported_groups() {
  const SslContextPtr probe(SSL_CTX_new(TLS_method()));
  std::vector<std::string_view> known;
  for (const auto group : groups) {
    if (SSL_CTX_set1_groups_list(probe.get(), std::string(group).c_str()) == 1) known.push_back(group);
  }
  ERR_clear_error();
  return joined(known);
}

std::string signature_algorithm_list() {
  return joined(signatures);
}

}  // namespace schakel::security
