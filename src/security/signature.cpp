#include "security/signature.hpp"

#include <openssl/rsa.h>

#include "security/openssl.hpp"

namespace schakel::security {
namespace {

bool is_allowed_hash(int nid) {
  return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
}

struct PssFree {
  void operator()(RSA_PSS_PARAMS* parameters) const { RSA_PSS_PARAMS_free(parameters); }
};

// RFC 4055: hash and MGF1 hash must be the same and written out; the default of both is SHA-1.
SignatureFacts pss_facts(const X509_ALGOR* algorithm) {
  SignatureFacts facts{.name = "RSASSA-PSS"};
  const std::unique_ptr<RSA_PSS_PARAMS, PssFree> parameters(
      algorithm->parameter != nullptr && algorithm->parameter->type == V_ASN1_SEQUENCE
          ? static_cast<RSA_PSS_PARAMS*>(ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(RSA_PSS_PARAMS), algorithm->parameter))
          : nullptr);
  if (parameters == nullptr || parameters->hashAlgorithm == nullptr || parameters->maskGenAlgorithm == nullptr) {
    facts.objection = "RSASSA-PSS without explicit parameters means SHA-1";
    return facts;
  }
  const int hash = OBJ_obj2nid(parameters->hashAlgorithm->algorithm);
  const char* name = OBJ_nid2sn(hash);
  facts.name = std::string("RSASSA-PSS ") + (name == nullptr ? "?" : name);
  const ASN1_TYPE* mask_parameter = parameters->maskGenAlgorithm->parameter;
  struct Free {
    void operator()(X509_ALGOR* a) const { X509_ALGOR_free(a); }
  };
  const std::unique_ptr<X509_ALGOR, Free> mask_hash(
      OBJ_obj2nid(parameters->maskGenAlgorithm->algorithm) == NID_mgf1 && mask_parameter != nullptr &&
              mask_parameter->type == V_ASN1_SEQUENCE
          ? static_cast<X509_ALGOR*>(ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(X509_ALGOR), mask_parameter))
          : nullptr);
  if (!is_allowed_hash(hash))
    facts.objection = "hash below SHA-256";
  else if (mask_hash == nullptr || OBJ_obj2nid(mask_hash->algorithm) != hash)
    facts.objection = "MGF1 with another hash";
  else
    facts.allowed = true;
  return facts;
}

}  // namespace

SignatureFacts signature_facts(const X509_ALGOR* algorithm) {
  const int nid = OBJ_obj2nid(algorithm->algorithm);
  if (nid == NID_rsassaPss) {
    auto facts = pss_facts(algorithm);
    ERR_clear_error();
    return facts;
  }
  const char* name = OBJ_nid2ln(nid);
  SignatureFacts facts{.name = nid == NID_undef || name == nullptr ? oid_of(algorithm->algorithm) : std::string(name)};
  switch (nid) {
    case NID_sha256WithRSAEncryption:
    case NID_sha384WithRSAEncryption:
    case NID_sha512WithRSAEncryption:
    case NID_ecdsa_with_SHA256:
    case NID_ecdsa_with_SHA384:
    case NID_ecdsa_with_SHA512:
    case NID_ED25519:
    case NID_ED448:
      facts.allowed = true;
      break;
    default:
      facts.objection = "not in the list of SEC-010";
      break;
  }
  return facts;
}

}  // namespace schakel::security
