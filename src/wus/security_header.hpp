// The wsse:Security header as a value: its parts, the timestamp, ids and references to tokens (wus.md 1.5; 4.1 steps 8 to 10). Internal to
// the opening; structure only, nothing here decides trust.
//
// Errors: "wus.security", "wus.timestamp", "wus.expired", "wus.duplicateId".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "wus/service.hpp"
#include "xml/document.hpp"

namespace schakel::wus {

// WUS-027; SEC-112 for tokens.
inline constexpr std::size_t encrypted_keys_max = 8, tokens_max = 10;

// Children of the one Security header, in document order (WUS-100: in any).
struct SecurityHeader {
  xml::Element element;
  xml::Element timestamp;                    // exactly one
  xml::Element signature;                    // exactly one
  std::vector<xml::Element> tokens;          // wsse:BinarySecurityToken
  std::vector<xml::Element> encrypted_keys;  // xenc:EncryptedKey
  std::vector<xml::Element> reference_lists;
  std::vector<xml::Element> confirmations;  // wsse11:SignatureConfirmation

  bool is_encrypting() const { return !encrypted_keys.empty() || !reference_lists.empty(); }
};
Result<SecurityHeader> read_security_header(xml::Element security);

struct Timestamp {
  Instant created;
  std::optional<Instant> expires;
};
// WUS-101, WUS-103
Result<Timestamp> read_timestamp(xml::Element);
// WUS-102
Result<> check_freshness(const Timestamp&, const Settings&, Instant now);

// The elements that ids name which something refers to (WUS-112): wsu:Id, and Id on elements of ds, xenc and xenc11. Ids of the payload's
// own are none.
class Ids {
 public:
  // What ds:Reference, wsse:Reference and xenc:DataReference at or below `element` refer to is wanted.
  void want_references_of(xml::Element element);
  // Looks for the wanted ones in the whole document, anew at every call. Error: one of them stands twice.
  Result<> find_in(xml::Element root);
  // Absent: no element has it, or it was not wanted.
  xml::Element operator[](std::string_view id) const;

 private:
  std::map<std::string, xml::Element, std::less<>> wanted_;
};
// The id in "#id"; nullopt: any other form (WUS-106).
std::optional<std::string_view> id_of_reference(std::string_view uri);

// wsse:SecurityTokenReference: exactly one of the ways to name a token.
struct TokenReference {
  enum class Form { direct, issuer_serial, subject_key_id, thumbprint, other };
  Form form = Form::other;
  std::string uri, value_type;             // direct
  std::string issuer_name, serial_number;  // issuer_serial
  Bytes identifier;                        // subject_key_id, thumbprint
};
Result<TokenReference> read_token_reference(xml::Element);

}  // namespace schakel::wus
