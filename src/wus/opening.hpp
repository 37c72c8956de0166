// The receiver's side of WS-Security (wus.md 1.5 to 1.8; 4.1 steps 8 to 13, 4.3): profile, freshness, algorithms, token, decryption,
// signature, coverage, confirmation.
//
// Pure: octets, settings, keys, trust and a time in; a verdict out. Nothing of the message may be used before `open` succeeded; then Body,
// Timestamp and every wsa: header are the very elements that were digested (WUS-105).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "security/certificate_cache.hpp"
#include "security/keys.hpp"
#include "security/trust.hpp"
#include "wus/message.hpp"

namespace schakel::wus {

// Whom to trust and our own keys. `judge`: path, revocation, usage `signing` and OIN at the time of receipt (WUS-109); chain: leaf first.
struct OpeningKeys {
  std::function<security::Verdict(std::span<const security::Certificate> chain)> judge;
  // Key pairs with which we may decrypt now. A response is decrypted with the key pair that signed its request only (WUS-148).
  std::vector<std::shared_ptr<const security::KeyPair>> decryption;
  // Certificates of messages that came before, so that they are not parsed again; null: there are none.
  security::CertificateCache* known = nullptr;
};

struct Opened {
  std::optional<security::Certificate> signer;  // S, SE
  std::string signer_oin;
  std::string basis;      // what the verdict about the signer rests on, for the trail (security::basis_text)
  Bytes signature_value;  // decoded: for the confirmation and for the replay memory
  std::optional<Instant> created, expires;
  std::string signature_algorithm, digest_algorithm, cipher_algorithm, transport_algorithm;  // URIs, for the trail
  // URI of a cipher that only a dated exception allows (WUS-172): each use is told (SEC-083). Empty: none.
  std::string excepted_algorithm;
  std::vector<std::string> deviations;  // accepted but to be logged (WUS-108, WUS-145)
};

// What a response must confirm and by whom it may be signed (WUS-160..162).
struct Expectation {
  Bytes request_signature_value;
  std::vector<std::string> signer_oins;
  std::function<bool(const security::Certificate&)> is_own;  // reflection
};

// Decrypts in place: afterwards Message::body and payload are the plain ones, and limits of WUS-027 hold for them. `expectation`: of a
// response; null for a request, in which a SignatureConfirmation is refused. A Fault without Security in S or SE is not opened here: its
// caller decides (WUS-164). Errors: tokens of fault_table; for decryption one text whatever went wrong (WUS-150).
Result<Opened> open(Message&, const Settings&, Kind, const OpeningKeys&, const Expectation*, Instant now, Random&);

}  // namespace schakel::wus
