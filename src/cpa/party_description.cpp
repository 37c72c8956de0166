
#include "base/json.hpp"
#include "base/json_library.hpp"
#include "base/limits.hpp"
#include "cpa/compose.hpp"
#include "cpa/names.hpp"
#include "security/keys.hpp"

namespace schakel::cpa {
namespace {

using nlohmann::json;
using security::Certificate;

Error invalid(std::string detail, std::string place) {
  return fail("party.invalid", std::move(detail), std::move(place));
}

Result<std::vector<Certificate>> read_certificates(const std::string& text, const std::string& place) {
  const auto refused = [&] { return fail("certificate.privateKeyRefused", "only public certificates are accepted", place); };
  if (security::holds_private_key(text)) return refused();
  if (text.find("-----BEGIN") != std::string::npos) {
    auto list = Certificate::list_from_pem(text);
    if (!list) return invalid("not a certificate: " + list.error().detail, place);
    return list;
  }
  const auto der = from_base64_lenient(text);
  if (!der) return invalid("not a certificate in PEM or base64", place);
  if (security::holds_private_key(*der)) return refused();
  auto certificate = Certificate::from_der(*der);
  if (!certificate) return invalid("not a certificate: " + certificate.error().detail, place);
  return std::vector{*std::move(certificate)};
}

// The first end-entity certificate; the rest are anchors for the other party (CPA-120).
Result<> take_certificate(PartyDescription& out, std::optional<Certificate>& target, const json& value, const std::string& place) {
  if (value.is_null()) return {};
  if (!value.is_string()) return invalid("a certificate must be text", place);
  SCHAKEL_TRY(const auto list, read_certificates(value.get<std::string>(), place));
  for (const auto& certificate : list) {
    if (!certificate->is_ca && !target) {
      target = certificate;
    } else if (certificate->is_ca && std::find(out.authorities.begin(), out.authorities.end(), certificate) == out.authorities.end()) {
      out.authorities.push_back(certificate);
    }
  }
  if (!target) return invalid("there is no end-entity certificate", place);
  return {};
}

Result<> take_text(const json& object, const char* name, std::string& target, bool required) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) {
    if (required) return invalid(std::string(name) + " is missing", std::string("/") + name);
    return {};
  }
  if (!found->is_string()) return invalid(std::string(name) + " must be text", std::string("/") + name);
  target = found->get<std::string>();
  return {};
}

Result<> take_flag(const json& object, const char* name, bool& target) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_boolean()) return invalid(std::string(name) + " must be true or false", std::string("/") + name);
  target = found->get<bool>();
  return {};
}

Result<> take_profiles(const json& object, PartyDescription& out) {
  const auto found = object.find("profiles");
  if (found == object.end() || !found->is_array()) return invalid("profiles must be a list", "/profiles");
  for (const auto& item : *found) {
    const auto profile = item.is_string() ? profile_from(item.get<std::string>()) : std::nullopt;
    if (!profile) return invalid("not a profile: " + for_log(item.dump()), "/profiles");
    out.profiles.push_back(*profile);
  }
  return {};
}

}  // namespace

Result<PartyDescription> parse_party(std::string_view text) {
  if (text.size() > limits::json_bytes_max) return invalid("the description is too large", "");
  std::vector<JsonFault> faults;
  const auto parsed = read_strict_json(text, faults);
  if (!parsed) return invalid(describe(faults.front()), faults.front().pointer);
  const auto& object = *parsed;
  if (!object.is_object()) return invalid("not a JSON object", "");
  PartyDescription out;
  out.party_id_type = names::oin_type;
  SCHAKEL_CHECK(take_text(object, "oin", out.oin, true));
  SCHAKEL_CHECK(take_text(object, "environment", out.environment, true));
  if (out.environment.size() != 1 || std::string_view("OTAP").find(out.environment) == std::string_view::npos) {
    return invalid("the environment is O, T, A or P", "/environment");
  }
  SCHAKEL_CHECK(take_text(object, "name", out.name, false));
  SCHAKEL_CHECK(take_text(object, "partyName", out.party_name, true));
  SCHAKEL_CHECK(take_text(object, "partyId", out.party_id, false));
  if (out.party_id.empty()) out.party_id = out.oin;
  SCHAKEL_CHECK(take_text(object, "partyIdType", out.party_id_type, false));
  SCHAKEL_CHECK(take_text(object, "endpointUrl", out.endpoint_url, true));
  SCHAKEL_CHECK(take_flag(object, "tlsOffloaded", out.tls_offloaded));
  SCHAKEL_CHECK(take_flag(object, "syncReply", out.sync_reply));
  SCHAKEL_CHECK(take_flag(object, "messageOrder", out.message_order));
  SCHAKEL_CHECK(take_profiles(object, out));
  const auto certificates = object.value("certificates", json::object());
  if (!certificates.is_object()) return invalid("certificates must be an object", "/certificates");
  for (const auto& [name, target] : {std::pair("tlsClient", &out.tls_client), std::pair("tlsServer", &out.tls_server),
                                     std::pair("signing", &out.signing), std::pair("encryption", &out.encryption)}) {
    SCHAKEL_CHECK(take_certificate(out, *target, certificates.value(name, json()), std::string("/certificates/") + name));
  }
  return out;
}

}  // namespace schakel::cpa
