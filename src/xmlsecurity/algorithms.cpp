#include "xmlsecurity/algorithms.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "security/openssl.hpp"
#include "xmlsecurity/fetched.hpp"

namespace schakel::xmlsecurity {
namespace {

template <class Method>
struct Named {
  Method method;
  std::string_view uri;
};
template <class Method>
Named(Method, std::string_view) -> Named<Method>;  // clang 14, which fuzzes, makes none for aggregates

// security.md 2.6
constexpr std::array digest_methods{
    Named{DigestMethod::sha256, "http://www.w3.org/2001/04/xmlenc#sha256"},
    Named{DigestMethod::sha384, "http://www.w3.org/2001/04/xmldsig-more#sha384"},
    Named{DigestMethod::sha512, "http://www.w3.org/2001/04/xmlenc#sha512"},
};
constexpr std::array signature_methods{
    Named{SignatureMethod::rsa_sha256, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"},
    Named{SignatureMethod::rsa_sha384, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"},
    Named{SignatureMethod::rsa_sha512, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"},
    Named{SignatureMethod::rsa_pss_sha256, "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"},
    Named{SignatureMethod::rsa_pss_sha384, "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1"},
    Named{SignatureMethod::rsa_pss_sha512, "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1"},
    Named{SignatureMethod::ecdsa_sha256, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"},
    Named{SignatureMethod::ecdsa_sha384, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"},
    Named{SignatureMethod::ecdsa_sha512, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"},
};
constexpr std::array canonicalisations{
    Named{xml::Canonical::exclusive, "http://www.w3.org/2001/10/xml-exc-c14n#"},
    Named{xml::Canonical::inclusive, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"},
};
// security.md 2.7
constexpr std::array content_ciphers{
    Named{ContentCipher::aes128_gcm, "http://www.w3.org/2009/xmlenc11#aes128-gcm"},
    Named{ContentCipher::aes256_gcm, "http://www.w3.org/2009/xmlenc11#aes256-gcm"},
    Named{ContentCipher::aes128_cbc, "http://www.w3.org/2001/04/xmlenc#aes128-cbc"},
    Named{ContentCipher::aes256_cbc, "http://www.w3.org/2001/04/xmlenc#aes256-cbc"},
    Named{ContentCipher::tripledes_cbc, "http://www.w3.org/2001/04/xmlenc#tripledes-cbc"},
};
constexpr std::array key_transports{
    Named{KeyTransport::rsa_oaep_mgf1p, "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"},
    Named{KeyTransport::rsa_oaep, "http://www.w3.org/2009/xmlenc11#rsa-oaep"},
    Named{KeyTransport::rsa_1_5, "http://www.w3.org/2001/04/xmlenc#rsa-1_5"},
};

template <class Table>
auto method_in(const Table& table, std::string_view uri) -> std::optional<decltype(table[0].method)> {
  const auto found = std::ranges::find(table, uri, [](const auto& entry) { return entry.uri; });
  if (found == table.end()) return std::nullopt;
  return found->method;
}
template <class Table, class Method>
std::string_view uri_in(const Table& table, Method method) {
  return std::ranges::find(table, method, [](const auto& entry) { return entry.method; })->uri;
}

// Never freed: they live as long as the program, and OpenSSL's own clean-up may come first.
EVP_MD* fetch_digest(const char* name) {
  EVP_MD* digest = EVP_MD_fetch(nullptr, name, nullptr);
  if (digest == nullptr) throw std::runtime_error(std::string(name) + " is not available in the crypto library");
  return digest;
}
EVP_CIPHER* fetch_cipher(const char* name) {
  EVP_CIPHER* cipher = EVP_CIPHER_fetch(nullptr, name, nullptr);
  if (cipher == nullptr) throw std::runtime_error(std::string(name) + " is not available in the crypto library");
  return cipher;
}

}  // namespace

std::optional<DigestMethod> digest_method(std::string_view uri) {
  return method_in(digest_methods, uri);
}
std::optional<SignatureMethod> signature_method(std::string_view uri) {
  return method_in(signature_methods, uri);
}
std::optional<xml::Canonical> canonicalisation(std::string_view uri) {
  return method_in(canonicalisations, uri);
}
std::optional<ContentCipher> content_cipher(std::string_view uri) {
  return method_in(content_ciphers, uri);
}
std::optional<KeyTransport> key_transport(std::string_view uri) {
  return method_in(key_transports, uri);
}

std::string_view uri_of(DigestMethod method) {
  return uri_in(digest_methods, method);
}
std::string_view uri_of(SignatureMethod method) {
  return uri_in(signature_methods, method);
}
std::string_view uri_of(xml::Canonical form) {
  return uri_in(canonicalisations, form);
}
std::string_view uri_of(ContentCipher cipher) {
  return uri_in(content_ciphers, cipher);
}
std::string_view uri_of(KeyTransport transport) {
  return uri_in(key_transports, transport);
}

bool may_be_made(SignatureMethod method) {
  return method == SignatureMethod::rsa_sha256 || method == SignatureMethod::rsa_sha384 || method == SignatureMethod::rsa_sha512;
}
bool is_gcm(ContentCipher cipher) {
  return cipher == ContentCipher::aes128_gcm || cipher == ContentCipher::aes256_gcm;
}
bool needs_exception(ContentCipher cipher) {
  return !is_gcm(cipher);
}
std::size_t key_bytes(ContentCipher cipher) {
  switch (cipher) {
    case ContentCipher::aes128_gcm:
    case ContentCipher::aes128_cbc:
      return 16;
    case ContentCipher::tripledes_cbc:
      return 24;
    case ContentCipher::aes256_gcm:
    case ContentCipher::aes256_cbc:
      break;
  }
  return 32;
}

const EVP_MD* fetched(DigestMethod method) {
  static const std::array<EVP_MD*, 3> digests{fetch_digest("SHA256"), fetch_digest("SHA384"), fetch_digest("SHA512")};
  return digests[static_cast<std::size_t>(method)];
}
const EVP_CIPHER* fetched(ContentCipher cipher) {
  static const std::array<EVP_CIPHER*, 5> ciphers{fetch_cipher("AES-128-GCM"), fetch_cipher("AES-256-GCM"), fetch_cipher("AES-128-CBC"),
                                                  fetch_cipher("AES-256-CBC"), fetch_cipher("DES-EDE3-CBC")};
  return ciphers[static_cast<std::size_t>(cipher)];
}

struct Digest::State {
  const EVP_MD* method;
  security::DigestContextPtr context{EVP_MD_CTX_new()};

  void begin() const { expect(EVP_DigestInit_ex2(context.get(), method, nullptr)); }
  static void expect(int ok) {
    if (ok != 1) throw std::runtime_error("the crypto library cannot digest");
  }
};

Digest::Digest(DigestMethod method) : state_(new State{fetched(method)}) {
  state_->begin();
}
Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;

void Digest::write(BytesView octets) {
  State::expect(EVP_DigestUpdate(state_->context.get(), octets.data(), octets.size()));
}

Bytes Digest::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned length = 0;
  State::expect(EVP_DigestFinal_ex(state_->context.get(), out.data(), &length));
  state_->begin();
  return {out.begin(), out.begin() + length};
}

Bytes digest(DigestMethod method, BytesView octets) {
  Digest one(method);
  one.write(octets);
  return one.finish();
}

}  // namespace schakel::xmlsecurity
