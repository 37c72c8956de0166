#include "security/rules.hpp"

#include <algorithm>
#include <array>

namespace schakel::security {
namespace {

constexpr std::array accepted_curves = {"P-256", "P-384", "P-521", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"};
constexpr std::string_view server_auth = "1.3.6.1.5.5.7.3.1", client_auth = "1.3.6.1.5.5.7.3.2";

bool has(const std::vector<std::string>& list, std::string_view item) {
  return std::ranges::find(list, item) != list.end();
}

}  // namespace

std::optional<Fault> check_signature_algorithm(const Certificate& certificate) {
  if (certificate->signature.allowed) return std::nullopt;
  return Fault{"SEC.PKI.ALGORITME",
               certificate->subject + " is signed with " + certificate->signature.name + ": " + certificate->signature.objection};
}

std::optional<Fault> check_key(const Certificate& certificate, int rsa_bits_min) {
  const auto& key = certificate->key;
  switch (key.type) {
    case KeyType::rsa:
    case KeyType::rsa_pss:
      if (key.bits >= rsa_bits_min) return std::nullopt;
      return Fault{"SEC.PKI.SLEUTEL", certificate->subject + " has an RSA key of " + std::to_string(key.bits) + " bits, less than " +
                                          std::to_string(rsa_bits_min)};
    case KeyType::ec:
      if (std::ranges::find(accepted_curves, key.curve) != accepted_curves.end()) return std::nullopt;
      return Fault{"SEC.PKI.SLEUTEL", certificate->subject + " has a key on curve " + key.curve};
    case KeyType::ed25519:
    case KeyType::ed448:
      return std::nullopt;
    case KeyType::other:
      break;
  }
  return Fault{"SEC.PKI.SLEUTEL", certificate->subject + " has a key of an unknown kind"};
}

std::optional<Fault> check_key_usage(const Certificate& leaf, Usage usage) {
  const auto wrong = [&](std::string_view what) {
    return Fault{"SEC.PKI.GEBRUIK", "keyUsage of " + leaf->subject + " " + std::string(what)};
  };
  if (!leaf->has_key_usage) return wrong("is missing");
  if (!leaf->key_usage_critical) return wrong("is not critical");
  if ((leaf->key_usage & (non_repudiation | key_cert_sign | crl_sign)) != 0) return wrong("has nonRepudiation, keyCertSign or cRLSign");
  if (usage == Usage::encryption) {
    if ((leaf->key_usage & key_encipherment) == 0) return wrong("lacks keyEncipherment");
  } else if ((leaf->key_usage & digital_signature) == 0) {
    return wrong("lacks digitalSignature");
  }
  return std::nullopt;
}

std::optional<Fault> check_extended_key_usage(std::span<const Certificate> path, Usage usage) {
  if (usage != Usage::tls_client && usage != Usage::tls_server) return std::nullopt;
  const auto purpose = usage == Usage::tls_client ? client_auth : server_auth;
  // The anchor is trusted by configuration; its own extensions restrict nothing (RFC 5280 6.1.1).
  const auto below_anchor = path.size() > 1 ? path.first(path.size() - 1) : path;
  for (const auto& certificate : below_anchor) {
    if (certificate->has_extended_key_usage && !has(certificate->extended_key_usage, purpose))
      return Fault{"SEC.PKI.GEBRUIK",
                   "extendedKeyUsage of " + certificate->subject + " lacks " + (usage == Usage::tls_client ? "clientAuth" : "serverAuth")};
  }
  return std::nullopt;
}

const std::string* matching_policy(std::span<const Certificate> path, std::span<const std::string_view> accepted) {
  if (path.empty()) return nullptr;
  const auto authorities = path.subspan(1);
  for (const auto& oid : path.front()->policies) {
    if (std::ranges::find(accepted, oid) == accepted.end()) continue;
    if (std::ranges::all_of(authorities, [&](const Certificate& ca) { return !ca->has_policies || has(ca->policies, oid); })) return &oid;
  }
  return nullptr;
}

}  // namespace schakel::security
