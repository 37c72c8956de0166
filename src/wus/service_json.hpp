// What a contract of kind "wsdl" says beside its documents, as JSON: the settings of wus.md 4.6 in camelCase, who takes part, and where
// the other side is. It is the `settings` of the contract's row and of the API.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_library.hpp"
#include "base/time.hpp"
#include "wus/service_contract.hpp"

namespace schakel::wus {

inline constexpr std::size_t message_bytes_ceiling = 64 * limits::MiB;  // the most that maxSize may say: what the API takes at once

struct ServiceTerms {
  Role role = Role::provider;
  std::string own_oin;
  Settings settings;
  std::vector<std::string> addresses;   // empty: that of the WSDL
  std::vector<std::string> idempotent;  // names of operations (WUS-261)

  // provider; members `path`, `grants` (each `oin`, `operations` and `daiAddress`), `backend` (`url`, `mode`, `mtom`, `daiAddress`),
  // `fromAddresses` (each `address` and `shownAs`), `partners`: settings for one OIN in the place of those above, only of those that wus.md
  // calls "per partner" and of what is made for one partner
  struct OfPartner {
    nlohmann::json said;
    Settings settings;  // whole: with those that it does not name
  };
  std::string path;
  std::vector<Grant> grants;
  std::string backend_url, backend_dai_address;
  std::vector<FromAddress> from_addresses;
  std::map<std::string, OfPartner, std::less<>> partners;

  // consumer; members of `partner`: `endpoint`, `toAddress`, `fromAddress`, `oin`, `daiAddress`, `serverOins`, `signerOins`, `certificate`
  // (PEM)
  std::string endpoint, to_address, from_address, partner_oin, partner_dai_address;
  std::vector<std::string> server_oins, signer_oins;
  std::optional<security::Certificate> partner_certificate;

  std::optional<Instant> valid_from;  // becomes active by itself then (ADP-304), while it is validated
};

// When terms are offered. A stored contract is read without: what was allowed once stays readable.
struct Offered {
  Instant now;
  bool production = false;
};
inline constexpr std::chrono::days legacy_exception_max{366};  // WUS-172, SEC-083: at most a year ahead

// Every fault at once: "contract.settings" with a JSON Pointer below `pointer`. nullopt when there are any.
std::optional<ServiceTerms> read_terms(const nlohmann::json&, const std::string& pointer, const std::optional<Offered>&,
                                       std::vector<Error>& faults);
std::optional<ServiceTerms> read_terms(std::string_view json, const std::optional<Offered>&, std::vector<Error>& faults);
nlohmann::json terms_json(const ServiceTerms&);

// A setting that departs from the standard for a time (WUS-172, WUS-322, SEC-083).
struct LegacyException {
  std::string setting;      // "legacyCbc", "legacy3des"
  std::string partner_oin;  // empty: of a provider, for whoever has a right on the service
  std::optional<Instant> until;
};
std::vector<LegacyException> exceptions_of(const ServiceTerms&);

}  // namespace schakel::wus
