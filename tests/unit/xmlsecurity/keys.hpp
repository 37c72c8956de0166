// Keys with certificates of their own, for tests of values: nothing here is ever trusted.
#pragma once

#include <string>

#include "security/keys.hpp"
#include "security/openssl.hpp"
#include "support/pki.hpp"

namespace schakel::xmlsecurity::test {

struct Identity {
  security::PrivateKey key;
  security::Certificate certificate;
};

inline Identity identity_of(security::PrivateKey key) {
  const security::X509Ptr certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), 0x123456789ABCDEF0);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  auto* name = X509_get_subject_name(certificate.get());
  for (const auto& [field, text] : {std::pair{"C", "NL"}, {"O", "TEST, not for <trust>"}, {"CN", "TEST key"}})
    X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, security::octets(text), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_set_pubkey(certificate.get(), key.get());
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  return {key, security::Certificate::from_native(certificate.get()).value()};
}

inline security::PrivateKey shared(EVP_PKEY* key) {
  return {key, EVP_PKEY_free};
}

// One of each size per program.
inline const Identity& rsa(int bits = 2048) {
  static ::schakel::test::KeyShelf shelf;
  static std::map<int, Identity> made;
  const auto found = made.find(bits);
  return found != made.end() ? found->second : made.emplace(bits, identity_of(shelf.take(bits).value())).first->second;
}
inline const Identity& other_rsa() {
  static const Identity other = identity_of(shared(EVP_RSA_gen(2048)));
  return other;
}
inline const Identity& ec(const std::string& curve) {
  static std::map<std::string, Identity> made;
  const auto found = made.find(curve);
  return found != made.end() ? found->second : made.emplace(curve, identity_of(shared(EVP_EC_gen(curve.c_str())))).first->second;
}

}  // namespace schakel::xmlsecurity::test
