#include "security/issuance.hpp"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <array>

namespace schakel::security {
namespace {

constexpr int pss_salt_bytes = 64;
constexpr std::size_t request_bytes_max = 64 * 1024;

Error cannot(std::string_view what) {
  return fail("pki.invalid", std::string(what) + ": " + openssl_error());
}

// Objects made here are signed in one way only.
Result<DigestContextPtr> signing_context(EVP_PKEY* key, SigningScheme scheme) {
  DigestContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  const EVP_MD* digest = scheme == SigningScheme::pss_sha512     ? EVP_sha512()
                         : scheme == SigningScheme::pkcs1_sha256 ? EVP_sha256()
                                                                 : EVP_sha1();
  bool ok = EVP_DigestSignInit(context.get(), &parameters, digest, nullptr, key) == 1;
  if (ok && scheme == SigningScheme::pss_sha512) {
    ok = EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, pss_salt_bytes) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, EVP_sha512()) == 1;
  }
  if (!ok) return cannot("signing");
  return context;
}

Result<X509NamePtr> make_name(const Name& entries) {
  X509NamePtr name(X509_NAME_new());
  for (const auto& entry : entries) {
    const Asn1ObjectPtr type(OBJ_txt2obj(entry.oid.c_str(), 0));
    if (type == nullptr || X509_NAME_add_entry_by_OBJ(name.get(), type.get(), entry.type, octets(entry.value),
                                                      static_cast<int>(entry.value.size()), -1, entry.joins_previous ? -1 : 0) != 1)
      return cannot("attribute " + entry.oid + " of a name");
  }
  return name;
}

X509NamePtr name_of(BytesView der) {
  const unsigned char* at = octets(der);
  return X509NamePtr(d2i_X509_NAME(nullptr, &at, static_cast<long>(der.size())));
}

bool set_time(ASN1_TIME* time, Instant instant) {
  return ASN1_TIME_set(time, seconds_of(instant)) != nullptr;
}

bool set_random_serial(X509* certificate) {
  std::array<unsigned char, 20> serial{};
  if (RAND_bytes(serial.data(), static_cast<int>(serial.size())) != 1) return false;
  // Twenty octets in DER: positive, no leading zero octet.
  serial[0] = static_cast<unsigned char>((serial[0] & 0x7fU) | 0x40U);
  const BigNumberPtr number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  return number != nullptr && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

Asn1IntegerPtr integer_of(std::string_view hex) {
  BIGNUM* number = nullptr;
  const std::string text(hex);
  if (static_cast<std::size_t>(BN_hex2bn(&number, text.c_str())) != text.size()) {
    BN_free(number);
    return nullptr;
  }
  const BigNumberPtr owned(number);
  return Asn1IntegerPtr(BN_to_ASN1_INTEGER(number, nullptr));
}

struct RevokedFree {
  void operator()(X509_REVOKED* entry) const { X509_REVOKED_free(entry); }
};
struct EnumeratedFree {
  void operator()(ASN1_ENUMERATED* value) const { ASN1_ENUMERATED_free(value); }
};
struct AuthorityKeyFree {
  void operator()(AUTHORITY_KEYID* value) const { AUTHORITY_KEYID_free(value); }
};

Result<> add_revoked(X509_CRL* list, const RevokedEntry& plan) {
  std::unique_ptr<X509_REVOKED, RevokedFree> entry(X509_REVOKED_new());
  const Asn1TimePtr at(ASN1_TIME_new());
  const auto serial = integer_of(plan.serial);
  if (serial == nullptr || !set_time(at.get(), plan.at) || X509_REVOKED_set_serialNumber(entry.get(), serial.get()) != 1 ||
      X509_REVOKED_set_revocationDate(entry.get(), at.get()) != 1)
    return cannot("revoked serial number " + plan.serial);
  if (plan.reason != 0) {
    const std::unique_ptr<ASN1_ENUMERATED, EnumeratedFree> reason(ASN1_ENUMERATED_new());
    if (ASN1_ENUMERATED_set(reason.get(), plan.reason) != 1 ||
        X509_REVOKED_add1_ext_i2d(entry.get(), NID_crl_reason, reason.get(), 0, 0) != 1)
      return cannot("reason of a revocation");
  }
  if (X509_CRL_add0_revoked(list, entry.get()) != 1) return cannot("revoked entry");
  (void)entry.release();  // the list owns it now
  return {};
}

Result<> add_crl_extensions(X509_CRL* list, const CrlPlan& plan) {
  const std::unique_ptr<AUTHORITY_KEYID, AuthorityKeyFree> authority(AUTHORITY_KEYID_new());
  authority->keyid = ASN1_OCTET_STRING_new();
  const Asn1IntegerPtr number(ASN1_INTEGER_new());
  if (ASN1_OCTET_STRING_set(authority->keyid, octets(plan.authority_key_id), static_cast<int>(plan.authority_key_id.size())) != 1 ||
      X509_CRL_add1_ext_i2d(list, NID_authority_key_identifier, authority.get(), 0, 0) != 1 ||
      ASN1_INTEGER_set_uint64(number.get(), plan.number) != 1 || X509_CRL_add1_ext_i2d(list, NID_crl_number, number.get(), 0, 0) != 1)
    return cannot("extensions of a CRL");
  return {};
}

}  // namespace

Result<> Extensions::push(X509_EXTENSION* extension) {
  if (extension == nullptr) return cannot("extension");
  if (sk_X509_EXTENSION_push(list_.get(), extension) == 0) {
    X509_EXTENSION_free(extension);
    return cannot("extension");
  }
  return {};
}

Result<> Extensions::add(int nid, const std::string& value) {
  return push(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
}

Result<> Extensions::add_der(const std::string& oid, bool critical, BytesView der) {
  const Asn1ObjectPtr type(OBJ_txt2obj(oid.c_str(), 1));
  const Asn1OctetsPtr value(ASN1_OCTET_STRING_new());
  if (type == nullptr || ASN1_OCTET_STRING_set(value.get(), octets(der), static_cast<int>(der.size())) != 1)
    return cannot("extension " + oid);
  return push(X509_EXTENSION_create_by_OBJ(nullptr, type.get(), critical ? 1 : 0, value.get()));
}

// OpenSSL's own text form of this extension wants a configuration file.
Result<> Extensions::add_policies(std::string_view oids) {
  struct Free {
    void operator()(CERTIFICATEPOLICIES* policies) const { CERTIFICATEPOLICIES_free(policies); }
  };
  const std::unique_ptr<CERTIFICATEPOLICIES, Free> policies(CERTIFICATEPOLICIES_new());
  while (!oids.empty()) {
    const auto comma = oids.find(',');
    const std::string oid(oids.substr(0, comma));
    oids.remove_prefix(comma == std::string_view::npos ? oids.size() : comma + 1);
    POLICYINFO* policy = POLICYINFO_new();
    if (policy == nullptr || sk_POLICYINFO_push(policies.get(), policy) == 0) {
      POLICYINFO_free(policy);
      return cannot("certificatePolicies");
    }
    policy->policyid = OBJ_txt2obj(oid.c_str(), 1);
    if (policy->policyid == nullptr) return cannot("policy " + oid);
  }
  return push(X509V3_EXT_i2d(NID_certificate_policies, 0, policies.get()));
}

Result<> Extensions::add_subject_key_id(EVP_PKEY* key) {
  const auto id = key_id(key);
  const Asn1OctetsPtr value(ASN1_OCTET_STRING_new());
  if (ASN1_OCTET_STRING_set(value.get(), octets(id), static_cast<int>(id.size())) != 1) return cannot("subjectKeyIdentifier");
  return push(X509V3_EXT_i2d(NID_subject_key_identifier, 0, value.get()));
}

Result<> Extensions::add_authority_key_id(BytesView id) {
  const std::unique_ptr<AUTHORITY_KEYID, AuthorityKeyFree> authority(AUTHORITY_KEYID_new());
  authority->keyid = ASN1_OCTET_STRING_new();
  if (ASN1_OCTET_STRING_set(authority->keyid, octets(id), static_cast<int>(id.size())) != 1) return cannot("authorityKeyIdentifier");
  return push(X509V3_EXT_i2d(NID_authority_key_identifier, 0, authority.get()));
}

Result<> Extensions::add_host_names(const std::vector<std::string>& hosts) {
  struct Free {
    void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
  };
  const std::unique_ptr<GENERAL_NAMES, Free> names(GENERAL_NAMES_new());
  for (const auto& host : hosts) {
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    GENERAL_NAME* name = GENERAL_NAME_new();
    if (text == nullptr || name == nullptr || ASN1_STRING_set(text, host.data(), static_cast<int>(host.size())) != 1)
      return cannot("subjectAltName");
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    sk_GENERAL_NAME_push(names.get(), name);
  }
  return push(X509V3_EXT_i2d(NID_subject_alt_name, 0, names.get()));
}

Bytes key_id(EVP_PKEY* key) {
  struct Free {
    void operator()(X509_PUBKEY* p) const { X509_PUBKEY_free(p); }
  };
  X509_PUBKEY* raw = nullptr;
  if (X509_PUBKEY_set(&raw, key) != 1) return {};
  const std::unique_ptr<X509_PUBKEY, Free> wrapped(raw);
  const unsigned char* bits = nullptr;
  int length = 0;
  X509_PUBKEY_get0_param(nullptr, &bits, &length, nullptr, raw);
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(bits, static_cast<std::size_t>(length), digest.data());
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Result<Certificate> issue_certificate(const CertificatePlan& plan, EVP_PKEY* issuer_key, SigningScheme scheme) {
  const X509Ptr certificate(X509_new());
  SCHAKEL_TRY(const auto subject, make_name(plan.subject));
  const auto issuer = plan.issuer_der.empty() ? nullptr : name_of(plan.issuer_der);
  const bool ok = X509_set_version(certificate.get(), X509_VERSION_3) == 1 && set_random_serial(certificate.get()) &&
                  X509_set_subject_name(certificate.get(), subject.get()) == 1 &&
                  X509_set_issuer_name(certificate.get(), issuer == nullptr ? subject.get() : issuer.get()) == 1 &&
                  set_time(X509_getm_notBefore(certificate.get()), plan.not_before) &&
                  set_time(X509_getm_notAfter(certificate.get()), plan.not_after) &&
                  X509_set_pubkey(certificate.get(), plan.public_key) == 1;
  if (!ok) return cannot("certificate");
  for (int i = 0; i < sk_X509_EXTENSION_num(plan.extensions.native()); ++i) {
    if (X509_add_ext(certificate.get(), sk_X509_EXTENSION_value(plan.extensions.native(), i), -1) != 1) return cannot("extension");
  }
  SCHAKEL_TRY(const auto context, signing_context(issuer_key, scheme));
  if (X509_sign_ctx(certificate.get(), context.get()) <= 0) return cannot("signing a certificate");
  return Certificate::from_der(der_of(certificate.get(), i2d_X509));
}

Result<Bytes> issue_crl(const CrlPlan& plan, EVP_PKEY* issuer_key, SigningScheme scheme) {
  const X509CrlPtr list(X509_CRL_new());
  const auto issuer = name_of(plan.issuer_der);
  const Asn1TimePtr from(ASN1_TIME_new()), until(ASN1_TIME_new());
  const bool ok = issuer != nullptr && set_time(from.get(), plan.this_update) && set_time(until.get(), plan.next_update) &&
                  X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) == 1 && X509_CRL_set_issuer_name(list.get(), issuer.get()) == 1 &&
                  X509_CRL_set1_lastUpdate(list.get(), from.get()) == 1 && X509_CRL_set1_nextUpdate(list.get(), until.get()) == 1;
  if (!ok) return cannot("CRL");
  for (const auto& entry : plan.entries) SCHAKEL_CHECK(add_revoked(list.get(), entry));
  X509_CRL_sort(list.get());
  SCHAKEL_CHECK(add_crl_extensions(list.get(), plan));
  SCHAKEL_TRY(const auto context, signing_context(issuer_key, scheme));
  if (X509_CRL_sign_ctx(list.get(), context.get()) <= 0) return cannot("signing a CRL");
  return der_of(list.get(), i2d_X509_CRL);
}

Result<Bytes> make_request(const RequestPlan& plan, EVP_PKEY* key) {
  Name subject{{"C", "NL", V_ASN1_PRINTABLESTRING}, {"O", plan.organisation}};
  if (!plan.organisational_unit.empty()) subject.push_back({"OU", plan.organisational_unit});
  subject.push_back({"CN", plan.common_name});
  subject.push_back({"serialNumber", plan.oin, V_ASN1_PRINTABLESTRING});
  SCHAKEL_TRY(const auto name, make_name(subject));
  const X509ReqPtr request(X509_REQ_new());
  if (X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 || X509_REQ_set_subject_name(request.get(), name.get()) != 1 ||
      X509_REQ_set_pubkey(request.get(), key) != 1)
    return cannot("certificate request");
  if (!plan.hosts.empty()) {
    for (const auto& host : plan.hosts) {
      if (!is_host_name(host)) return fail("pki.invalid", for_log(host) + " is no host name");
    }
    Extensions extensions;
    SCHAKEL_CHECK(extensions.add_host_names(plan.hosts));
    if (X509_REQ_add_extensions(request.get(), extensions.native()) != 1) return cannot("certificate request");
  }
  SCHAKEL_TRY(const auto context, signing_context(key, plan.scheme));
  if (X509_REQ_sign_ctx(request.get(), context.get()) <= 0) return cannot("signing a certificate request");
  return der_of(request.get(), i2d_X509_REQ);
}

Result<PrivateKey> public_key_of_request(BytesView bytes) {
  if (bytes.size() > request_bytes_max) return fail("pki.invalid", "the certificate request is larger than 64 KiB");
  const auto in = reader(bytes);
  const X509ReqPtr request(bytes.starts_with("\x30") ? d2i_X509_REQ_bio(in.get(), nullptr)
                                                     : PEM_read_bio_X509_REQ(in.get(), nullptr, nullptr, nullptr));
  if (request == nullptr) return cannot("not a certificate request");
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || X509_REQ_verify(request.get(), key) != 1) return cannot("the certificate request does not verify with its own key");
  EVP_PKEY_up_ref(key);
  return PrivateKey(key, EVP_PKEY_free);
}

}  // namespace schakel::security
