// ContractSettings as JSON (exchange::Contract::settings).

#include "base/json.hpp"
#include "base/json_library.hpp"
#include "cpa/contracts.hpp"

namespace schakel::cpa {
namespace {

using nlohmann::json;

Error bad_setting(const std::string& name, std::string_view what) {
  return fail("contract.settings", "the setting " + name + " " + std::string(what), "/" + name);
}

Result<> read_setting(ContractSettings& out, const std::string& name, const json& value) {
  const auto flag = [&](bool& target) -> Result<> {
    if (!value.is_boolean()) return bad_setting(name, "must be true or false");
    target = value.get<bool>();
    return {};
  };
  const auto one_of = [&](std::string_view first, std::string_view second, bool& is_second) -> Result<> {
    if (!value.is_string() || (value != first && value != second)) {
      return bad_setting(name, "must be " + std::string(first) + " or " + std::string(second));
    }
    is_second = value == second;
    return {};
  };
  if (name == "authentication") {
    bool exact = false;
    SCHAKEL_CHECK(one_of("oin", "exact", exact));
    out.authentication = exact ? SenderAuthentication::exact : SenderAuthentication::oin;
    return {};
  }
  if (name == "signatureCertificate") return one_of("exact", "oin", out.signature_by_oin);
  if (name == "canonicalization") return one_of("exclusive", "inclusive", out.inclusive_c14n);
  if (name == "strictRefToMessageId") return flag(out.strict_ref_to_message_id);
  if (name == "dropBestEffortDuplicates") return flag(out.drop_best_effort_duplicates);
  if (name == "tlsOffloaded") return flag(out.tls_offloaded);
  if (name == "allowLoopback") return flag(out.allow_loopback);
  if (name == "partnerInstalled") return flag(out.partner_installed);
  if (name == "largeMessageThreshold") {
    if (!value.is_number_integer() || value.get<std::int64_t>() < 1) return bad_setting(name, "must be a number of bytes above 0");
    out.large_message_threshold = value.get<std::int64_t>();
    return {};
  }
  if (name == "replaces") {
    if (!value.is_string()) return bad_setting(name, "must be the id of a contract");
    out.replaces = value.get<std::string>();
    return {};
  }
  if (name == "validFrom") {
    const auto parsed = value.is_string() ? parse_datetime(value.get<std::string>()) : Result<ParsedTime>(fail("time.invalid", ""));
    if (!parsed || !parsed->has_zone) return bad_setting(name, "must be a time with its zone, for instance 2026-05-04T00:00:00Z");
    out.valid_from = parsed->instant;
    return {};
  }
  return bad_setting(name, "is not known");
}

}  // namespace

Result<ContractSettings> parse_settings(std::string_view text) {
  ContractSettings out;
  if (trim(text).empty()) return out;
  std::vector<JsonFault> faults;
  const auto parsed = read_strict_json(text, faults);
  if (!parsed) return fail("contract.settings", describe(faults.front()), faults.front().pointer);
  if (!parsed->is_object()) return fail("contract.settings", "the settings are not a JSON object");
  for (const auto& [name, value] : parsed->items()) SCHAKEL_CHECK(read_setting(out, name, value));
  return out;
}

std::string to_json(const ContractSettings& settings) {
  json out{{"authentication", settings.authentication == SenderAuthentication::exact ? "exact" : "oin"},
           {"signatureCertificate", settings.signature_by_oin ? "oin" : "exact"},
           {"canonicalization", settings.inclusive_c14n ? "inclusive" : "exclusive"},
           {"strictRefToMessageId", settings.strict_ref_to_message_id},
           {"dropBestEffortDuplicates", settings.drop_best_effort_duplicates},
           {"tlsOffloaded", settings.tls_offloaded},
           {"allowLoopback", settings.allow_loopback},
           {"largeMessageThreshold", settings.large_message_threshold},
           {"replaces", settings.replaces},
           {"partnerInstalled", settings.partner_installed}};
  if (settings.valid_from) out["validFrom"] = to_rfc3339(*settings.valid_from);
  return out.dump();
}

}  // namespace schakel::cpa
