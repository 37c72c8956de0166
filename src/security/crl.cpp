#include "security/crl.hpp"

#include <openssl/pem.h>

#include <algorithm>

#include "base/limits.hpp"
#include "security/openssl.hpp"
#include "security/signature.hpp"

namespace schakel::security {
namespace {

Error refused(std::string detail) {
  return fail("SEC.CRL.GEWEIGERD", std::move(detail));
}

struct PointFree {
  void operator()(ISSUING_DIST_POINT* p) const { ISSUING_DIST_POINT_free(p); }
};
struct AuthorityFree {
  void operator()(AUTHORITY_KEYID* p) const { AUTHORITY_KEYID_free(p); }
};

Bytes magnitude(const ASN1_INTEGER* number) {
  const BigNumberPtr value(ASN1_INTEGER_to_BN(number, nullptr));
  if (value == nullptr) return {};
  Bytes bytes(static_cast<std::size_t>(BN_num_bytes(value.get())), '\0');
  BN_bn2bin(value.get(), reinterpret_cast<unsigned char*>(bytes.data()));
  if (bytes.empty()) bytes.push_back('\0');
  return bytes;
}

bool less(const Bytes& a, const Bytes& b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

void read_scope(const ISSUING_DIST_POINT& point, Crl& crl) {
  if (point.indirectCRL != 0) crl.objection = "an indirect CRL";
  if (point.onlysomereasons != nullptr) crl.objection = "a CRL for some reasons only";
  if (point.onlyattr != 0) crl.objection = "a CRL for attribute certificates";
  if (point.onlyuser != 0 && point.onlyCA != 0) crl.objection = "a CRL for nothing";
  crl.scope = point.onlyuser != 0 ? CrlScope::user_certificates : point.onlyCA != 0 ? CrlScope::ca_certificates : CrlScope::all;
  if (point.distpoint == nullptr) return;
  if (point.distpoint->type != 0) {
    crl.objection = "a distribution point relative to the issuer";
    return;
  }
  const GENERAL_NAMES* names = point.distpoint->name.fullname;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_URI) crl.distribution_points.push_back(octets_of(name->d.uniformResourceIdentifier));
  }
  if (crl.distribution_points.empty()) crl.objection = "a distribution point that is no URL";
}

void read_extensions(const X509_CRL* list, Crl& crl) {
  for (int i = 0; i < X509_CRL_get_ext_count(list); ++i) {
    const X509_EXTENSION* extension = X509_CRL_get_ext(list, i);
    const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(const_cast<X509_EXTENSION*>(extension)));
    if (nid == NID_delta_crl)
      crl.objection = "a delta CRL";
    else if (X509_EXTENSION_get_critical(extension) != 0 && nid != NID_issuing_distribution_point && nid != NID_authority_key_identifier &&
             nid != NID_crl_number)
      crl.objection = "an unknown critical extension";
  }
  int critical = -1;
  const std::unique_ptr<ISSUING_DIST_POINT, PointFree> point(
      static_cast<ISSUING_DIST_POINT*>(X509_CRL_get_ext_d2i(list, NID_issuing_distribution_point, &critical, nullptr)));
  if (point != nullptr)
    read_scope(*point, crl);
  else if (critical != -1)
    crl.objection = "an issuingDistributionPoint that cannot be read";
  const std::unique_ptr<AUTHORITY_KEYID, AuthorityFree> authority(
      static_cast<AUTHORITY_KEYID*>(X509_CRL_get_ext_d2i(list, NID_authority_key_identifier, nullptr, nullptr)));
  if (authority != nullptr && authority->keyid != nullptr) crl.authority_key_id = octets_of(authority->keyid);
  const Asn1IntegerPtr number(static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(list, NID_crl_number, nullptr, nullptr)));
  if (number != nullptr) crl.number = magnitude(number.get());
}

Result<> read_entries(X509_CRL* list, Crl& crl) {
  STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(list);
  const int count = sk_X509_REVOKED_num(entries);
  if (count > 0) crl.revoked.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const X509_REVOKED* entry = sk_X509_REVOKED_value(entries, i);
    Revocation revocation{.at = instant_of(X509_REVOKED_get0_revocationDate(entry))};
    for (int k = 0; k < X509_REVOKED_get_ext_count(entry); ++k) {
      const X509_EXTENSION* extension = X509_REVOKED_get_ext(entry, k);
      // certificateIssuer would make it an indirect CRL; anything else critical is unknown to us (RFC 5280 5.3).
      if (X509_EXTENSION_get_critical(extension) != 0) return refused("a revoked entry has a critical extension");
    }
    ASN1_ENUMERATED* reason = static_cast<ASN1_ENUMERATED*>(X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, nullptr, nullptr));
    if (reason != nullptr) {
      revocation.reason = static_cast<int>(ASN1_ENUMERATED_get(reason));
      ASN1_ENUMERATED_free(reason);
    }
    if (revocation.reason == 8) return refused("removeFromCRL stands outside a delta CRL");
    crl.revoked.emplace(to_hex(magnitude(X509_REVOKED_get0_serialNumber(entry))), revocation);
  }
  return {};
}

}  // namespace

bool Crl::covers(const CertificateFields& certificate) const {
  if (scope == CrlScope::user_certificates && certificate.is_ca) return false;
  if (scope == CrlScope::ca_certificates && !certificate.is_ca) return false;
  return distribution_points.empty() || std::ranges::find_first_of(distribution_points, certificate.crl_urls) != distribution_points.end();
}

bool Crl::same_series(const Crl& other) const {
  return issuer_der == other.issuer_der && scope == other.scope && distribution_points == other.distribution_points;
}

namespace {

Result<Bytes> der_of_pem(BytesView pem) {
  const auto in = reader(pem);
  unsigned char* der = nullptr;
  long size = 0;
  if (PEM_bytes_read_bio(&der, &size, nullptr, PEM_STRING_X509_CRL, in.get(), nullptr, nullptr) != 1)
    return refused("not a CRL: " + openssl_error());
  Bytes out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

}  // namespace

Result<CrlPtr> parse_crl(BytesView bytes) {
  if (bytes.size() > limits::crl_bytes_max) return refused("larger than 50 MiB");
  Bytes decoded;
  if (!bytes.starts_with("\x30")) {
    SCHAKEL_TRY(decoded, der_of_pem(bytes));
    bytes = decoded;
  }
  const unsigned char* at = octets(bytes);
  const X509CrlPtr list(d2i_X509_CRL(nullptr, &at, static_cast<long>(bytes.size())));
  if (list == nullptr) return refused("not a CRL: " + openssl_error());
  if (at != octets(bytes) + bytes.size()) return refused("octets follow the list");

  auto crl = std::make_shared<Crl>();
  crl->der = bytes;  // as it came: what another encoder makes of a strange list need not be readable
  crl->sha256 = sha256_hex(crl->der);
  crl->issuer = rfc2253(X509_CRL_get_issuer(list.get()));
  crl->issuer_der = der_of<X509_NAME>(X509_CRL_get_issuer(list.get()), i2d_X509_NAME);
  crl->version = static_cast<int>(X509_CRL_get_version(list.get())) + 1;
  crl->this_update = instant_of(X509_CRL_get0_lastUpdate(list.get()));
  if (const auto* next = X509_CRL_get0_nextUpdate(list.get())) crl->next_update = instant_of(next);
  const X509_ALGOR* algorithm = nullptr;
  X509_CRL_get0_signature(list.get(), nullptr, &algorithm);
  crl->signature = signature_facts(algorithm);
  read_extensions(list.get(), *crl);
  auto entries = read_entries(list.get(), *crl);
  ERR_clear_error();
  if (!entries) return entries.error();
  return CrlPtr(std::move(crl));
}

Result<> check_crl(const Crl& crl, const Certificate& issuer, const Crl* stored, Instant now) {
  if (!crl.objection.empty()) return refused(crl.objection);
  if (crl.version != 2) return refused("version " + std::to_string(crl.version) + ", not 2");
  if (crl.issuer_der != issuer->subject_der) return refused("issued by " + crl.issuer + ", not by " + issuer->subject);
  if (!crl.authority_key_id.empty() && !issuer->subject_key_id.empty() && crl.authority_key_id != issuer->subject_key_id)
    return refused("authorityKeyIdentifier names another key than that of " + issuer->subject);
  if (!issuer->is_ca || !issuer->has_key_usage || (issuer->key_usage & crl_sign) == 0)
    return refused(issuer->subject + " may not sign CRLs");
  if (!crl.signature.allowed) return refused("signed with " + crl.signature.name);
  if (crl.this_update > now + crl_clock_tolerance) return refused("thisUpdate " + to_rfc3339(crl.this_update) + " is in the future");
  if (!crl.next_update) return refused("no nextUpdate");
  if (*crl.next_update <= now) return refused("expired at " + to_rfc3339(*crl.next_update));
  if (stored != nullptr && less(crl.number, stored->number))
    return refused("TERUGGEDRAAID: CRLNumber is lower than that of the stored list");

  const unsigned char* at = octets(crl.der);
  const X509CrlPtr list(d2i_X509_CRL(nullptr, &at, static_cast<long>(crl.der.size())));
  const bool verified = list != nullptr && X509_CRL_verify(list.get(), X509_get0_pubkey(issuer.native())) == 1;
  ERR_clear_error();
  if (!verified) return refused("its signature does not verify with the key of " + issuer->subject);
  return {};
}

CrlState crl_state(const Crl* crl, bool last_fetch_failed, Instant now) {
  if (crl == nullptr) return CrlState::none;
  if (!crl->next_update || now >= *crl->next_update) return CrlState::expired;
  return last_fetch_failed ? CrlState::stale : CrlState::valid;
}

std::string_view to_string(CrlState state) {
  switch (state) {
    case CrlState::none:
      return "none";
    case CrlState::valid:
      return "valid";
    case CrlState::stale:
      return "stale";
    case CrlState::expired:
      break;
  }
  return "expired";
}

Instant next_crl_fetch(Instant last_attempt, int failures, Duration refresh) {
  if (failures <= 0) return last_attempt + refresh;
  constexpr int minutes_max = 15;
  const int minutes = failures > 4 ? minutes_max : 1 << (failures - 1);
  return last_attempt + std::chrono::minutes(minutes);
}

}  // namespace schakel::security
