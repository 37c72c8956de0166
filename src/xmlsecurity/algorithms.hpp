// The closed lists of XML signature and encryption algorithms (SEC-080; security.md 2.6, 2.7): what is not listed here does not exist.
//
// A name that is known but forbidden (SHA-1, rsa-sha1 …) is not listed either. Values only; safe from every thread.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "xml/canonical.hpp"

namespace schakel::xmlsecurity {

enum class DigestMethod { sha256, sha384, sha512 };

enum class SignatureMethod {
  rsa_sha256,
  rsa_sha384,
  rsa_sha512,
  rsa_pss_sha256,  // …/2007/05/xmldsig-more#sha256-rsa-MGF1: verified, never made
  rsa_pss_sha384,
  rsa_pss_sha512,
  ecdsa_sha256,  // verified, never made
  ecdsa_sha384,
  ecdsa_sha512,
};

enum class ContentCipher { aes128_gcm, aes256_gcm, aes128_cbc, aes256_cbc, tripledes_cbc };

// rsa_oaep_mgf1p fixes MGF1 to SHA-1; rsa_oaep names its MGF; rsa_1_5 only ever decrypts, under an exception (SEC-083).
enum class KeyTransport { rsa_oaep_mgf1p, rsa_oaep, rsa_1_5 };

// By URI; nullopt: not in the list.
std::optional<DigestMethod> digest_method(std::string_view uri);
std::optional<SignatureMethod> signature_method(std::string_view uri);
std::optional<xml::Canonical> canonicalisation(std::string_view uri);  // without comments only
std::optional<ContentCipher> content_cipher(std::string_view uri);
std::optional<KeyTransport> key_transport(std::string_view uri);

std::string_view uri_of(DigestMethod);
std::string_view uri_of(SignatureMethod);
std::string_view uri_of(xml::Canonical);
std::string_view uri_of(ContentCipher);
std::string_view uri_of(KeyTransport);

bool may_be_made(SignatureMethod);    // column "sign" of 2.6
bool needs_exception(ContentCipher);  // CBC, 3DES (SEC-082, SEC-083)
std::size_t key_bytes(ContentCipher);
bool is_gcm(ContentCipher);

namespace uri {
inline constexpr std::string_view ds = "http://www.w3.org/2000/09/xmldsig#";
inline constexpr std::string_view dsig11 = "http://www.w3.org/2009/xmldsig11#";
inline constexpr std::string_view xenc = "http://www.w3.org/2001/04/xmlenc#";
inline constexpr std::string_view xenc11 = "http://www.w3.org/2009/xmlenc11#";
inline constexpr std::string_view ec = "http://www.w3.org/2001/10/xml-exc-c14n#";
inline constexpr std::string_view enveloped_signature = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
inline constexpr std::string_view xpath = "http://www.w3.org/TR/1999/REC-xpath-19991116";
}  // namespace uri

// A digest that streams: of canonical octets (it is a sink) or of a payload while it passes.
class Digest final : public xml::Sink {
 public:
  explicit Digest(DigestMethod);
  ~Digest() override;
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;
  void write(BytesView) override;
  Bytes finish();  // the object starts anew

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Bytes digest(DigestMethod, BytesView);

}  // namespace schakel::xmlsecurity
