// A WUS service as both sides know it: operations, addresses and settings (wus.md 4.6). Immutable once made; safe from every thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "base/time.hpp"
#include "wus/fault.hpp"
#include "xmlsecurity/algorithms.hpp"

namespace schakel::wus {

enum class Profile { be, be_s, be_se };
std::string_view to_string(Profile);  // "2W-be", "2W-be-S", "2W-be-SE"
std::optional<Profile> profile_from(std::string_view);

enum class Dispatch { action, body };
enum class Validate { both, request, response, off };
enum class Mtom { off, optional, required };
enum class KeyReference { issuer_serial, ski, thumbprint, bst };
enum class Duplicates { pass, reject, replay };
enum class BackendMode { xml, soap, dai };
enum class MessageIdFormat { urn_uuid, uuid_at_uri, custom_uuid_at_uri };
enum class LegacyCbc { off, decrypt, both };

struct Operation {
  std::string name;
  ExpandedName input, output;  // elements of the Body
  std::string input_action, output_action;
  struct DeclaredFault {
    std::string name;
    ExpandedName element;  // the child of `detail`
    std::string action;
  };
  std::vector<DeclaredFault> faults;
  bool idempotent = false;  // WUS-261
};

// 4.6, with its defaults.
struct Settings {
  Profile profile = Profile::be;
  Dispatch dispatch = Dispatch::action;
  Validate validate = Validate::both;
  Mtom mtom = Mtom::off;
  std::size_t mtom_threshold = 1024;
  bool soap_action_of_action = false;  // soap_action=action: SOAPAction carries wsa:Action; else ""
  bool to_oin = true;
  bool to_check = true;
  bool require_from = false;
  bool reply_to_passthrough = false;
  bool evidence_plain = false;  // SE: the decrypted envelope is kept beside the octets that came (WUS-321)
  std::vector<ExpandedName> extra_headers;
  Duplicates duplicates = Duplicates::pass;
  std::chrono::seconds duplicate_window{24 * 3600};
  std::chrono::seconds timestamp_ttl{300}, skew_future{300}, skew_past{60};
  xmlsecurity::SignatureMethod signature_algorithm = xmlsecurity::SignatureMethod::rsa_sha256;
  xmlsecurity::DigestMethod digest_algorithm = xmlsecurity::DigestMethod::sha256;
  xmlsecurity::ContentCipher encryption_algorithm = xmlsecurity::ContentCipher::aes256_gcm;
  // Of RSA-OAEP as made; nullopt: SHA-1, no DigestMethod element (oaep_digest=sha1).
  std::optional<xmlsecurity::DigestMethod> oaep_digest = xmlsecurity::DigestMethod::sha256;
  KeyReference key_ref = KeyReference::issuer_serial;
  bool inclusive_prefixes = false;
  MessageIdFormat message_id_format = MessageIdFormat::urn_uuid;
  bool accept_missing_confirmation = false;  // signature_confirmation=accept-missing
  bool accept_indirect_token = false;
  bool allow_missing_key_encipherment = false;
  bool ignore_security_in_be = false;  // security_in_be=ignore
  bool pass_unsecured_detail = false;
  LegacyCbc legacy_cbc = LegacyCbc::off;
  std::optional<Instant> legacy_cbc_until;
  bool legacy_3des = false;
  std::optional<Instant> legacy_3des_until;
  std::chrono::milliseconds backend_timeout{30'000}, timeout{60'000};
  bool retry_idempotent = false;
  std::size_t max_size = 32 * limits::MiB;
  BackendMode backend_mode = BackendMode::xml;
  bool backend_mtom = false;
};

}  // namespace schakel::wus
