// Owners for OpenSSL's objects. Only for security/ and for http/'s streams.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace schakel::security {

template <auto Free>
struct OpensslFree {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
inline void free_x509_stack(STACK_OF(X509) * stack) {
  sk_X509_free(stack);
}
inline void free_x509_stack_deep(STACK_OF(X509) * stack) {
  sk_X509_pop_free(stack, X509_free);
}
inline void free_openssl_bytes(void* bytes) {
  OPENSSL_free(bytes);
}
inline void free_extensions(STACK_OF(X509_EXTENSION) * stack) {
  sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
}

using BioPtr = std::unique_ptr<BIO, OpensslFree<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using KeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, OpensslFree<EVP_PKEY_CTX_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, OpensslFree<EVP_MD_CTX_free>>;
using X509Ptr = std::unique_ptr<X509, OpensslFree<X509_free>>;
using X509CrlPtr = std::unique_ptr<X509_CRL, OpensslFree<X509_CRL_free>>;
using X509ReqPtr = std::unique_ptr<X509_REQ, OpensslFree<X509_REQ_free>>;
using X509NamePtr = std::unique_ptr<X509_NAME, OpensslFree<X509_NAME_free>>;
using X509StackPtr = std::unique_ptr<STACK_OF(X509), OpensslFree<free_x509_stack>>;            // borrows its elements
using X509OwnedStackPtr = std::unique_ptr<STACK_OF(X509), OpensslFree<free_x509_stack_deep>>;  // owns them
using ExtensionsPtr = std::unique_ptr<STACK_OF(X509_EXTENSION), OpensslFree<free_extensions>>;
using X509StorePtr = std::unique_ptr<X509_STORE, OpensslFree<X509_STORE_free>>;
using X509StoreContextPtr = std::unique_ptr<X509_STORE_CTX, OpensslFree<X509_STORE_CTX_free>>;
using Pkcs12Ptr = std::unique_ptr<PKCS12, OpensslFree<PKCS12_free>>;
using Asn1ObjectPtr = std::unique_ptr<ASN1_OBJECT, OpensslFree<ASN1_OBJECT_free>>;
using Asn1OctetsPtr = std::unique_ptr<ASN1_OCTET_STRING, OpensslFree<ASN1_OCTET_STRING_free>>;
using Asn1IntegerPtr = std::unique_ptr<ASN1_INTEGER, OpensslFree<ASN1_INTEGER_free>>;
using Asn1TimePtr = std::unique_ptr<ASN1_TIME, OpensslFree<ASN1_TIME_free>>;
using BigNumberPtr = std::unique_ptr<BIGNUM, OpensslFree<BN_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, OpensslFree<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, OpensslFree<SSL_free>>;

inline const unsigned char* octets(BytesView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
inline Bytes octets_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<std::size_t>(ASN1_STRING_length(text))};
}
// Read-only memory; the bytes must outlive the BIO.
BioPtr reader(BytesView);
BioPtr writer();
Bytes written(BIO*);

// The last error of this thread's queue as a sentence; empties the queue.
std::string openssl_error();

// The DER of anything with an i2d function.
template <class T, class Encode>
Bytes der_of(const T* object, Encode encode) {
  unsigned char* out = nullptr;
  const int length = encode(object, &out);
  if (length <= 0) return {};
  Bytes bytes(reinterpret_cast<char*>(out), static_cast<std::size_t>(length));
  OPENSSL_free(out);
  return bytes;
}

Instant instant_of(const ASN1_TIME*);  // the epoch when it cannot be read
std::time_t seconds_of(Instant);
std::string oid_of(const ASN1_OBJECT*);  // dotted
std::string rfc2253(const X509_NAME*);   // UTF-8, control characters escaped

}  // namespace schakel::security
