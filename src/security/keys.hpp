// A private key with its certificate and chain: what a listener, a client or a signer acts as (SEC-070, SEC-071).
//
// A KeyPair exists only when the key matches the certificate. It is immutable and safe from every thread; the key never leaves it but
// through OpenSSL's handle.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "security/certificate.hpp"

typedef struct evp_pkey_st EVP_PKEY;

namespace schakel::security {

using PrivateKey = std::shared_ptr<EVP_PKEY>;

class KeyPair {
 public:
  // `chain`: the issuers in any order; kept leaf -> TSP -> domain, without the root (SEC-009). Errors: "SEC.SLEUTEL.MISMATCH".
  static Result<std::shared_ptr<const KeyPair>> make(PrivateKey, Certificate, std::vector<Certificate> chain);
  // The first certificate of `certificates_pem` is the leaf, the others its chain. Key: PKCS#8 (encrypted or not) or traditional PEM.
  static Result<std::shared_ptr<const KeyPair>> from_pem(std::string_view certificates_pem, std::string_view key_pem,
                                                         std::string_view passphrase = {});
  static Result<std::shared_ptr<const KeyPair>> from_pkcs12(BytesView, std::string_view passphrase);

  const Certificate& certificate() const { return certificate_; }
  const std::vector<Certificate>& chain() const { return chain_; }  // without the leaf, without a root
  EVP_PKEY* key() const { return key_.get(); }

 private:
  KeyPair(PrivateKey key, Certificate certificate, std::vector<Certificate> chain)
      : key_(std::move(key)), certificate_(std::move(certificate)), chain_(std::move(chain)) {}

  PrivateKey key_;
  Certificate certificate_;
  std::vector<Certificate> chain_;
};

// Where an own key and certificate are.
struct KeyLocation {
  std::string certificates;  // path of the PEM, DER or PKCS#7 file; empty: with the key, in a PKCS#12 file or a token
  std::string key;           // path of a PEM or PKCS#12 file, or a "pkcs11:" URI (RFC 7512)
  std::string passphrase;    // from a secret source, never from a command line; the PIN of a token
};

class Pkcs11Module;  // security/pkcs11.hpp

// Reads the files with the checks of `read_private_file`. `tokens`: where the keys of "pkcs11:" URIs are; null: those are refused.
Result<std::shared_ptr<const KeyPair>> load_key_pair(const KeyLocation&, Pkcs11Module* tokens = nullptr);

// "SEC.SLEUTEL.ONLEESBAAR" for damaged text and for a wrong or missing passphrase (not told apart).
Result<PrivateKey> parse_private_key(BytesView pem_or_der, std::string_view passphrase = {});
// Text or DER that holds private key material, readable or not: PEM, PKCS#1, PKCS#8 and PKCS#12. Who offers it where a certificate is asked
// must be told, and it must go no further (CPA-120).
bool holds_private_key(BytesView pem_or_der);
// PKCS#8 PEM; encrypted (AES-256-CBC, PBKDF2) when the passphrase is not empty.
Result<std::string> private_key_pem(EVP_PKEY*, std::string_view passphrase = {});
Result<PrivateKey> generate_rsa(int bits);

// SEC-071: a file that holds a secret. Refuses, with "SEC.SLEUTEL.RECHTEN", a file or its directory that others may touch (mode & 077) or
// that this process's user does not own; "SEC.SLEUTEL.ONLEESBAAR" when it cannot be read.
Result<Bytes> read_private_file(const std::string& path);
// Writes with mode 0600, atomically and durably; makes no directory.
Result<> write_private_file(const std::string& path, BytesView);

// --- rotation (security.md 3.5) -----------------------------------------------------------------------------------------------------

enum class RotationState { prepared, active, retiring, retired };

// What is stored about an own certificate; the state follows from it and the time.
struct Rotation {
  Instant active_from;                  // actief_vanaf
  std::optional<Instant> succeeded_at;  // when the successor became active
  std::optional<Instant> revoked_at;
  Instant not_after;
};

inline constexpr std::chrono::days retiring_time{30};  // SEC-077

RotationState rotation_state(const Rotation&, Instant now);

struct KeyRights {
  bool serve = false, connect = false, sign = false, decrypt = false;
  friend bool operator==(const KeyRights&, const KeyRights&) = default;
};
KeyRights key_rights(RotationState);
std::string_view to_string(RotationState);

// SEC-072, SEC-073: does this certificate hold the key; is its key a new one?
bool matches(EVP_PKEY*, const Certificate&);
bool same_key(const Certificate&, const Certificate&);

// SEC-076: the smallest of 90, 60, 30, 14, 7, 1 days that `not_after` is within; nullopt: more than 90 days away. 0: expired.
std::optional<int> expiry_warning(Instant not_after, Instant now);

}  // namespace schakel::security
