// An X.509 certificate as a value: parsed once, its fields plain, shared without copying.
//
// Parsing takes any octets and never throws; errors have the code "SEC.PKI.ONLEESBAAR". Nothing here decides trust: that is trust.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

typedef struct x509_st X509;

namespace schakel::security {

inline constexpr std::size_t certificate_bytes_max = 64 * 1024;  // real ones are 1 to 3 KiB
inline constexpr std::size_t certificate_list_max = 200;         // in one PEM file
inline constexpr std::size_t certificate_names_max = 100;        // dNSNames (SAN), the PKIoverheid maximum

enum class KeyType { rsa, rsa_pss, ec, ed25519, ed448, other };

struct PublicKeyFacts {
  KeyType type = KeyType::other;
  int bits = 0;
  std::string curve;  // "P-256", "P-384", "P-521", "brainpoolP256r1" …
};

// How a certificate or CRL is signed (SEC-010).
struct SignatureFacts {
  std::string name{};       // "sha256WithRSAEncryption", "RSASSA-PSS SHA-512", "ecdsa-with-SHA256" …
  bool allowed = false;     // in the list of SEC-010
  std::string objection{};  // why not
};

// keyUsage bits, as RFC 5280 numbers them.
enum KeyUsageBit : unsigned {
  digital_signature = 1U << 0,
  non_repudiation = 1U << 1,
  key_encipherment = 1U << 2,
  data_encipherment = 1U << 3,
  key_agreement = 1U << 4,
  key_cert_sign = 1U << 5,
  crl_sign = 1U << 6,
};

// The OIN in subject.serialNumber, read exactly as security.md 3.2.
struct OinReading {
  std::string oin{};       // empty when refused
  std::string refusal{};   // "SEC.OIN.ONTBREEKT", "SEC.OIN.MEERVOUDIG", "SEC.OIN.ONGELDIG" or empty
  bool irregular = false;  // usable, a finding (OIN-003)
};

struct CertificateFields {
  Bytes der;
  std::string sha256;             // lower-case hex
  std::string subject, issuer;    // RFC 2253, for people
  Bytes subject_der, issuer_der;  // for comparing
  std::string serial;             // lower-case hex, no sign
  int version = 0;                // 3
  Instant not_before, not_after;
  PublicKeyFacts key;
  Bytes public_key_der;  // SubjectPublicKeyInfo
  SignatureFacts signature;

  std::string common_name, organisation, organisational_unit;
  std::size_t organisations = 0;  // how many O there are
  OinReading oin;

  bool is_ca = false;  // basicConstraints cA
  std::optional<long> path_length;
  bool has_key_usage = false, key_usage_critical = false;
  unsigned key_usage = 0;
  bool has_extended_key_usage = false;
  std::vector<std::string> extended_key_usage;  // OIDs
  bool has_policies = false;
  std::vector<std::string> policies;   // OIDs
  std::vector<std::string> dns_names;  // as they stand, only well-formed host names without wildcard
  std::vector<std::string> odd_names;  // every other entry of subjectAltName, described
  std::vector<std::string> crl_urls, ca_issuer_urls, ocsp_urls;
  Bytes authority_key_id, subject_key_id;
  bool self_issued = false;  // subject = issuer
  std::string authority_id;  // of a CA: SHA-256 of subject and key, hex; the owner of its CRLs
};

// Immutable and cheap to copy. Safe from every thread.
class Certificate {
 public:
  // Exactly one certificate, no octet after it.
  static Result<Certificate> from_der(BytesView);
  // The first CERTIFICATE block of the text.
  static Result<Certificate> from_pem(std::string_view);
  // DER when it looks like it, else PEM.
  static Result<Certificate> from_octets(BytesView);
  // All CERTIFICATE blocks, in order; at least one. A block that cannot be read is an error.
  static Result<std::vector<Certificate>> list_from_pem(std::string_view);
  // PKCS#7 (.p7b, DER or PEM): the certificates in it (SEC-072).
  static Result<std::vector<Certificate>> list_from_pkcs7(BytesView);
  // Shares the object.
  static Result<Certificate> from_native(X509*);

  const CertificateFields* operator->() const { return fields_.get(); }
  const CertificateFields& fields() const { return *fields_; }
  X509* native() const { return native_.get(); }  // never change it
  std::string pem() const;

  friend bool operator==(const Certificate& a, const Certificate& b) { return a->sha256 == b->sha256; }

 private:
  Certificate(std::shared_ptr<X509> native, std::shared_ptr<const CertificateFields> fields)
      : native_(std::move(native)), fields_(std::move(fields)) {}

  std::shared_ptr<X509> native_;
  std::shared_ptr<const CertificateFields> fields_;
};

std::string to_pem(std::span<const Certificate>);

// SEC-015, RFC 9525: the host equals a dNSName, ignoring ASCII case. No wildcard, no common name, no address.
bool names_host(const Certificate&, std::string_view host);
// The issuer's name and key fit: the signature of the certificate verifies with them.
bool is_issued_by(const Certificate&, const Certificate& issuer);
// Letters, digits, hyphens and dots in labels of 1 to 63; not an IPv4 address.
bool is_host_name(std::string_view);

}  // namespace schakel::security
