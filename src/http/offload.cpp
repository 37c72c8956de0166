#include "http/offload.hpp"

#include <array>

#include "base/bytes.hpp"
#include "base/limits.hpp"

namespace schakel::http {
namespace {

Error no_certificate(const char* detail) {
  return fail("SEC.TLS.GEEN_CERT", detail);
}

// RFC 8941 3.3.5: a byte sequence is base64 between colons.
Result<std::string> byte_sequence(std::string_view text) {
  text = trim(text);
  if (text.size() < 3 || text.front() != ':' || text.back() != ':') return no_certificate("A certificate header is no byte sequence.");
  auto octets = from_base64(text.substr(1, text.size() - 2));
  if (!octets) return no_certificate("A certificate header is not base64.");
  return octets;
}

Result<OffloadedCertificate> from_rfc_9440(std::string_view leaf, std::optional<std::string_view> chain) {
  OffloadedCertificate certificate;
  SCHAKEL_TRY(certificate.der, byte_sequence(leaf));
  std::string_view rest = chain.value_or(std::string_view{});
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    SCHAKEL_TRY(auto der, byte_sequence(rest.substr(0, comma)));
    certificate.chain.push_back(std::move(der));
    if (certificate.chain.size() > limits::certificate_path_max) return no_certificate("The certificate chain is too long.");
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  return certificate;
}

Result<std::string> url_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    const auto octet = from_hex(text.substr(i + 1, 2));
    if (!octet || octet->size() != 1) return no_certificate("The certificate header is not URL-encoded.");
    decoded.append(*octet);
    i += 2;
  }
  return decoded;
}

// One or more PEM certificates, the client's first.
Result<OffloadedCertificate> from_pem(std::string_view encoded) {
  constexpr std::string_view begin = "-----BEGIN CERTIFICATE-----";
  constexpr std::string_view end = "-----END CERTIFICATE-----";
  SCHAKEL_TRY(const auto pem, url_decode(encoded));
  OffloadedCertificate certificate;
  std::string_view rest = trim(pem);
  while (!rest.empty()) {
    const auto stop = rest.find(end);
    if (!rest.starts_with(begin) || stop == std::string_view::npos) return no_certificate("The certificate header is no PEM.");
    auto der = from_base64_lenient(rest.substr(begin.size(), stop - begin.size()));
    if (!der || der->empty()) return no_certificate("The certificate header is no PEM.");
    if (certificate.der.empty()) {
      certificate.der = std::move(*der);
    } else {
      certificate.chain.push_back(std::move(*der));
    }
    if (certificate.chain.size() > limits::certificate_path_max) return no_certificate("The certificate chain is too long.");
    rest = trim(rest.substr(stop + end.size()));
  }
  if (certificate.der.empty()) return no_certificate("The certificate header is empty.");
  return certificate;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

}  // namespace

bool is_internal_header(std::string_view name) {
  return starts_with_ignoring_case(name, "Schakel-") || starts_with_ignoring_case(name, "Client-Cert") ||
         equals_ignoring_case(name, "X-SSL-Client-Cert");
}

Result<OffloadedCertificate> offloaded_certificate(const Headers& headers) {
  for (const auto name : {"Client-Cert", "Client-Cert-Chain", "X-SSL-Client-Cert"})
    if (headers.count(name) > 1) return no_certificate("A certificate header is repeated.");
  if (const auto leaf = headers.find("Client-Cert")) return from_rfc_9440(*leaf, headers.find("Client-Cert-Chain"));
  if (const auto pem = headers.find("X-SSL-Client-Cert")) return from_pem(*pem);
  return no_certificate("The proxy passed no client certificate.");
}

}  // namespace schakel::http
