#include "security/certificate.hpp"

#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/oin.hpp"
#include "security/openssl.hpp"
#include "security/signature.hpp"

namespace schakel::security {
namespace {

Error unreadable(std::string detail) {
  return fail("SEC.PKI.ONLEESBAAR", std::move(detail));
}

// The value of the single attribute of that kind; UTF-8. Empty when there is none.
std::string first_text(const X509_NAME* name, int nid, std::size_t* count = nullptr) {
  std::string text;
  std::size_t found = 0;
  for (int at = X509_NAME_get_index_by_NID(name, nid, -1); at >= 0; at = X509_NAME_get_index_by_NID(name, nid, at)) {
    if (++found > 1) continue;
    unsigned char* utf8 = nullptr;
    const int length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (length >= 0) {
      text.assign(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(length));
      OPENSSL_free(utf8);
    }
  }
  if (count != nullptr) *count = found;
  return text;
}

// security.md 3.2, steps 1 to 6.
OinReading read_oin(const X509_NAME* subject, std::size_t organisations) {
  const ASN1_STRING* value = nullptr;
  for (int at = 0; at < X509_NAME_entry_count(subject); ++at) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(subject, at);
    if (OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) != NID_serialNumber) continue;
    if (value != nullptr) return {.refusal = "SEC.OIN.MEERVOUDIG"};
    value = X509_NAME_ENTRY_get_data(entry);
  }
  if (value == nullptr) return {.refusal = "SEC.OIN.ONTBREEKT"};
  const int type = ASN1_STRING_type(value);
  if (type != V_ASN1_PRINTABLESTRING && type != V_ASN1_UTF8STRING) return {.refusal = "SEC.OIN.ONGELDIG"};
  Bytes text = octets_of(value);
  const auto verdict = classify_oin(text).verdict;
  if (verdict == OinVerdict::invalid || organisations > 1) return {.refusal = "SEC.OIN.ONGELDIG"};
  return {.oin = std::move(text), .irregular = verdict == OinVerdict::irregular};
}

PublicKeyFacts key_facts(EVP_PKEY* key) {
  PublicKeyFacts facts;
  if (key == nullptr) return facts;
  facts.bits = EVP_PKEY_get_bits(key);
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      facts.type = KeyType::rsa;
      break;
    case EVP_PKEY_RSA_PSS:
      facts.type = KeyType::rsa_pss;
      break;
    case EVP_PKEY_ED25519:
      facts.type = KeyType::ed25519;
      break;
    case EVP_PKEY_ED448:
      facts.type = KeyType::ed448;
      break;
    case EVP_PKEY_EC: {
      facts.type = KeyType::ec;
      std::array<char, 64> group{};
      std::size_t length = 0;
      if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &length) == 1) {
        const std::string_view name(group.data(), length);
        facts.curve = name == "prime256v1" ? "P-256" : name == "secp384r1" ? "P-384" : name == "secp521r1" ? "P-521" : std::string(name);
      }
      break;
    }
    default:
      break;
  }
  return facts;
}

template <class T>
class Extension {
 public:
  Extension(const X509* certificate, int nid, void (*free)(T*))
      : value_(static_cast<T*>(X509_get_ext_d2i(certificate, nid, &critical_, nullptr)), free) {}
  T* operator->() const { return value_.get(); }
  T* get() const { return value_.get(); }
  explicit operator bool() const { return value_ != nullptr; }
  bool critical() const { return critical_ == 1; }
  // Present but twice, or not decodable: RFC 5280 4.2 forbids both.
  bool broken() const { return value_ == nullptr && critical_ != -1; }

 private:
  int critical_ = -1;
  std::unique_ptr<T, void (*)(T*)> value_;
};

std::string uri_of(const GENERAL_NAME* name) {
  return name->type == GEN_URI ? octets_of(name->d.uniformResourceIdentifier) : Bytes{};
}

void read_names(const GENERAL_NAMES* names, CertificateFields& fields) {
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_DNS) {
      auto text = octets_of(name->d.dNSName);
      (is_host_name(text) ? fields.dns_names : fields.odd_names).push_back(std::move(text));
    } else if (name->type == GEN_IPADD) {
      fields.odd_names.push_back("IP " + to_hex(octets_of(name->d.iPAddress)));
    } else {
      fields.odd_names.push_back("type " + std::to_string(name->type));
    }
  }
}

void read_distribution_points(const CRL_DIST_POINTS* points, CertificateFields& fields) {
  for (int i = 0; i < sk_DIST_POINT_num(points); ++i) {
    const DIST_POINT* point = sk_DIST_POINT_value(points, i);
    // Partial CRLs and CRLs of another issuer are not used (3.3).
    if (point->reasons != nullptr || point->CRLissuer != nullptr || point->distpoint == nullptr || point->distpoint->type != 0) continue;
    const GENERAL_NAMES* names = point->distpoint->name.fullname;
    for (int k = 0; k < sk_GENERAL_NAME_num(names); ++k) {
      auto url = uri_of(sk_GENERAL_NAME_value(names, k));
      if (url.starts_with("http://") || url.starts_with("https://")) fields.crl_urls.push_back(std::move(url));
    }
  }
}

Result<> read_access(const X509* certificate, CertificateFields& fields) {
  const Extension<AUTHORITY_INFO_ACCESS> access(certificate, NID_info_access, AUTHORITY_INFO_ACCESS_free);
  if (access.broken()) return unreadable("authorityInfoAccess cannot be read");
  for (int i = 0; access && i < sk_ACCESS_DESCRIPTION_num(access.get()); ++i) {
    const ACCESS_DESCRIPTION* item = sk_ACCESS_DESCRIPTION_value(access.get(), i);
    auto url = uri_of(item->location);
    if (url.empty()) continue;
    const int method = OBJ_obj2nid(item->method);
    if (method == NID_ad_OCSP)
      fields.ocsp_urls.push_back(std::move(url));
    else if (method == NID_ad_ca_issuers)
      fields.ca_issuer_urls.push_back(std::move(url));
  }
  return {};
}

Result<> read_usages(const X509* certificate, CertificateFields& fields) {
  const Extension<BASIC_CONSTRAINTS> basic(certificate, NID_basic_constraints, BASIC_CONSTRAINTS_free);
  const Extension<ASN1_BIT_STRING> usage(certificate, NID_key_usage, ASN1_BIT_STRING_free);
  const Extension<EXTENDED_KEY_USAGE> extended(certificate, NID_ext_key_usage, EXTENDED_KEY_USAGE_free);
  const Extension<CERTIFICATEPOLICIES> policies(certificate, NID_certificate_policies, CERTIFICATEPOLICIES_free);
  if (basic.broken() || usage.broken() || extended.broken() || policies.broken())
    return unreadable("an extension is present twice or cannot be read");
  if (basic) {
    fields.is_ca = basic->ca != 0;
    if (basic->pathlen != nullptr) fields.path_length = ASN1_INTEGER_get(basic->pathlen);
  }
  if (usage) {
    fields.has_key_usage = true;
    fields.key_usage_critical = usage.critical();
    for (int bit = 0; bit < 9; ++bit) {
      if (ASN1_BIT_STRING_get_bit(usage.get(), bit) == 1) fields.key_usage |= 1U << static_cast<unsigned>(bit);
    }
  }
  fields.has_extended_key_usage = static_cast<bool>(extended);
  for (int i = 0; extended && i < sk_ASN1_OBJECT_num(extended.get()); ++i)
    fields.extended_key_usage.push_back(oid_of(sk_ASN1_OBJECT_value(extended.get(), i)));
  fields.has_policies = static_cast<bool>(policies);
  for (int i = 0; policies && i < sk_POLICYINFO_num(policies.get()); ++i)
    fields.policies.push_back(oid_of(sk_POLICYINFO_value(policies.get(), i)->policyid));
  return {};
}

Result<> read_extensions(X509* certificate, CertificateFields& fields) {
  SCHAKEL_CHECK(read_usages(certificate, fields));
  SCHAKEL_CHECK(read_access(certificate, fields));
  const Extension<GENERAL_NAMES> names(certificate, NID_subject_alt_name, GENERAL_NAMES_free);
  const Extension<CRL_DIST_POINTS> points(certificate, NID_crl_distribution_points, CRL_DIST_POINTS_free);
  const Extension<AUTHORITY_KEYID> authority(certificate, NID_authority_key_identifier, AUTHORITY_KEYID_free);
  const Extension<ASN1_OCTET_STRING> subject(certificate, NID_subject_key_identifier, ASN1_OCTET_STRING_free);
  if (names.broken() || points.broken() || authority.broken() || subject.broken())
    return unreadable("an extension is present twice or cannot be read");
  if (names && static_cast<std::size_t>(sk_GENERAL_NAME_num(names.get())) > certificate_names_max)
    return unreadable("more than 100 alternative names");
  if (names) read_names(names.get(), fields);
  if (points) read_distribution_points(points.get(), fields);
  if (authority && authority->keyid != nullptr) fields.authority_key_id = octets_of(authority->keyid);
  if (subject) fields.subject_key_id = octets_of(subject.get());
  return {};
}

std::string serial_of(const X509* certificate) {
  const BigNumberPtr number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  if (number == nullptr) return {};
  Bytes magnitude(static_cast<std::size_t>(BN_num_bytes(number.get())), '\0');
  BN_bn2bin(number.get(), reinterpret_cast<unsigned char*>(magnitude.data()));
  return to_hex(magnitude);
}

Result<CertificateFields> read_fields(X509* certificate) {
  CertificateFields fields;
  fields.der = der_of(certificate, i2d_X509);
  if (fields.der.empty()) return unreadable("the certificate cannot be encoded");
  if (fields.der.size() > certificate_bytes_max) return unreadable("the certificate is larger than 64 KiB");
  fields.sha256 = sha256_hex(fields.der);
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const X509_NAME* issuer = X509_get_issuer_name(certificate);
  fields.subject = rfc2253(subject);
  fields.issuer = rfc2253(issuer);
  fields.subject_der = der_of(subject, i2d_X509_NAME);
  fields.issuer_der = der_of(issuer, i2d_X509_NAME);
  fields.self_issued = X509_NAME_cmp(subject, issuer) == 0;
  fields.serial = serial_of(certificate);
  fields.version = static_cast<int>(X509_get_version(certificate)) + 1;
  fields.not_before = instant_of(X509_get0_notBefore(certificate));
  fields.not_after = instant_of(X509_get0_notAfter(certificate));
  fields.key = key_facts(X509_get0_pubkey(certificate));
  fields.public_key_der = der_of(X509_get_X509_PUBKEY(certificate), i2d_X509_PUBKEY);
  const X509_ALGOR* algorithm = nullptr;
  X509_get0_signature(nullptr, &algorithm, certificate);
  fields.signature = signature_facts(algorithm);
  fields.common_name = first_text(subject, NID_commonName);
  fields.organisation = first_text(subject, NID_organizationName, &fields.organisations);
  fields.organisational_unit = first_text(subject, NID_organizationalUnitName);
  fields.oin = read_oin(subject, fields.organisations);
  SCHAKEL_CHECK(read_extensions(certificate, fields));
  if (fields.is_ca) fields.authority_id = sha256_hex(fields.subject_der + fields.public_key_der);
  return fields;
}

std::shared_ptr<X509> share(X509* certificate) {
  return {certificate, X509_free};
}

}  // namespace

Result<Certificate> Certificate::from_native(X509* certificate) {
  auto fields = read_fields(certificate);
  ERR_clear_error();
  if (!fields) return fields.error();
  X509_up_ref(certificate);
  return Certificate(share(certificate), std::make_shared<const CertificateFields>(std::move(*fields)));
}

Result<Certificate> Certificate::from_der(BytesView der) {
  if (der.size() > certificate_bytes_max) return unreadable("the certificate is larger than 64 KiB");
  const unsigned char* at = octets(der);
  const X509Ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (certificate == nullptr) return unreadable("not a DER certificate: " + openssl_error());
  if (at != octets(der) + der.size()) return unreadable("octets follow the certificate");
  SCHAKEL_TRY(auto parsed, from_native(certificate.get()));
  if (parsed->der != der) return unreadable("not in distinguished encoding");
  return parsed;
}

Result<std::vector<Certificate>> Certificate::list_from_pem(std::string_view text) {
  const auto in = reader(text);
  std::vector<Certificate> list;
  while (const X509Ptr certificate{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)}) {
    if (list.size() == certificate_list_max) return unreadable("more than 200 certificates");
    SCHAKEL_TRY(auto parsed, from_native(certificate.get()));
    list.push_back(std::move(parsed));
  }
  const unsigned long last = ERR_peek_last_error();
  ERR_clear_error();
  if (ERR_GET_LIB(last) != ERR_LIB_PEM || ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
    return unreadable("certificate " + std::to_string(list.size() + 1) + " in the PEM text is damaged");
  if (list.empty()) return unreadable("no certificate in the PEM text");
  return list;
}

Result<Certificate> Certificate::from_pem(std::string_view text) {
  SCHAKEL_TRY(auto list, list_from_pem(text));
  return std::move(list.front());
}

Result<Certificate> Certificate::from_octets(BytesView bytes) {
  return !bytes.empty() && bytes.front() == '\x30' ? from_der(bytes) : from_pem(bytes);
}

Result<std::vector<Certificate>> Certificate::list_from_pkcs7(BytesView bytes) {
  struct Free {
    void operator()(PKCS7* p7) const { PKCS7_free(p7); }
  };
  const auto in = reader(bytes);
  const std::unique_ptr<PKCS7, Free> p7(!bytes.empty() && bytes.front() == '\x30'
                                            ? d2i_PKCS7_bio(in.get(), nullptr)
                                            : PEM_read_bio_PKCS7(in.get(), nullptr, nullptr, nullptr));
  if (p7 == nullptr) return unreadable("not PKCS#7: " + openssl_error());
  if (!PKCS7_type_is_signed(p7.get()) || p7->d.sign == nullptr || p7->d.sign->cert == nullptr)
    return unreadable("the PKCS#7 file holds no certificates");
  std::vector<Certificate> list;
  for (int i = 0; i < sk_X509_num(p7->d.sign->cert); ++i) {
    if (list.size() == certificate_list_max) return unreadable("more than 200 certificates");
    SCHAKEL_TRY(auto parsed, from_native(sk_X509_value(p7->d.sign->cert, i)));
    list.push_back(std::move(parsed));
  }
  if (list.empty()) return unreadable("the PKCS#7 file holds no certificates");
  return list;
}

std::string Certificate::pem() const {
  const auto out = writer();
  PEM_write_bio_X509(out.get(), native_.get());
  return written(out.get());
}

std::string to_pem(std::span<const Certificate> list) {
  std::string text;
  for (const auto& certificate : list) text += certificate.pem();
  return text;
}

bool is_host_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  bool only_digits_in_last = true;
  std::size_t label = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (c == '.') {
      if (label == 0 || name[i - 1] == '-') return false;
      label = 0;
      only_digits_in_last = true;
      continue;
    }
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!digit && !letter && (c != '-' || label == 0)) return false;
    if (++label > 63) return false;
    only_digits_in_last = only_digits_in_last && digit;
  }
  // A last label of digits only is an address, not a name (RFC 3696 2).
  return label > 0 && name.back() != '-' && !only_digits_in_last;
}

bool is_issued_by(const Certificate& certificate, const Certificate& issuer) {
  return certificate->issuer_der == issuer->subject_der && X509_verify(certificate.native(), X509_get0_pubkey(issuer.native())) == 1;
}

bool names_host(const Certificate& certificate, std::string_view host) {
  return is_host_name(host) &&
         std::ranges::any_of(certificate->dns_names, [&](const auto& name) { return equals_ignoring_case(name, host); });
}

}  // namespace schakel::security
