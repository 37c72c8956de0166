// Making certificates, CRLs and certificate requests: `certificate csr` (SEC-072) and the test PKI are built with it. Nothing here keeps
// state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "security/certificate.hpp"
#include "security/keys.hpp"
#include "security/openssl.hpp"

namespace schakel::security {

enum class SigningScheme {
  pss_sha512,    // G4: MGF1-SHA-512, salt 64
  pkcs1_sha256,  // G1
  pkcs1_sha1,    // only to make a bad certificate
};

// One attribute of a distinguished name.
struct NameEntry {
  std::string oid;  // or OpenSSL's short name: "C", "O", "CN", "serialNumber" …
  std::string value;
  int type = V_ASN1_UTF8STRING;
  bool joins_previous = false;  // same RDN as the entry before (multi-valued)
};
using Name = std::vector<NameEntry>;

// Extensions in order. Values are OpenSSL's configuration syntax or DER.
class Extensions {
 public:
  Result<> add(int nid, const std::string& value);  // "critical,CA:TRUE"
  Result<> add_der(const std::string& oid, bool critical, BytesView der);
  Result<> add_policies(std::string_view oids);  // separated by commas
  Result<> add_subject_key_id(EVP_PKEY*);
  Result<> add_authority_key_id(BytesView key_id);
  Result<> add_host_names(const std::vector<std::string>&);  // octets as they are
  const STACK_OF(X509_EXTENSION) * native() const { return list_.get(); }

 private:
  Result<> push(X509_EXTENSION*);
  ExtensionsPtr list_{sk_X509_EXTENSION_new_null()};
};

Bytes key_id(EVP_PKEY*);  // SHA-1 of the key, RFC 5280 4.2.1.2 method 1

struct CertificatePlan {
  Name subject;
  Bytes issuer_der;  // empty: self-signed
  EVP_PKEY* public_key = nullptr;
  Instant not_before{}, not_after{};
  Extensions extensions;
};
// With a fresh serial number of 20 random octets.
Result<Certificate> issue_certificate(const CertificatePlan&, EVP_PKEY* issuer_key, SigningScheme);

struct RevokedEntry {
  std::string serial;  // hex
  Instant at{};
  int reason = 0;
};
struct CrlPlan {
  Bytes issuer_der;
  Bytes authority_key_id;
  Instant this_update{}, next_update{};
  std::uint64_t number = 1;
  std::vector<RevokedEntry> entries;
};
Result<Bytes> issue_crl(const CrlPlan&, EVP_PKEY* issuer_key, SigningScheme);

// SEC-072, 2.11: C=NL, O, OU when given, CN, serialNumber, and the dNSNames as requested extension. DER.
struct RequestPlan {
  std::string organisation, organisational_unit, common_name, oin;
  std::vector<std::string> hosts;
  SigningScheme scheme = SigningScheme::pss_sha512;
};
Result<Bytes> make_request(const RequestPlan&, EVP_PKEY*);
// The public key of a PKCS#10 (DER or PEM) whose own signature verifies.
Result<PrivateKey> public_key_of_request(BytesView);

}  // namespace schakel::security
