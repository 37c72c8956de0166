// Certificate mappings at use time (cpa.md 3.6).
#include "cpa/contracts.hpp"
#include "security/certificate.hpp"

namespace schakel::cpa {
namespace {

std::string key_of(std::string_view tenant, std::string_view cpa_id, std::string_view issuer, std::string_view serial) {
  std::string key;
  for (const auto part : {tenant, cpa_id, issuer, serial}) (key += part) += '\x1f';
  return key;
}

bool is_valid_at(BytesView der, Instant now) {
  const auto certificate = security::Certificate::from_der(der);
  return certificate && (*certificate)->not_before <= now && now <= (*certificate)->not_after;
}

}  // namespace

Bytes Contracts::mapped_certificate(const LoadedContract& contract, BytesView der, Instant now) const {
  if (der.empty() || !mapped_tenants_.contains(contract.row.tenant)) return Bytes(der);
  const auto source = security::Certificate::from_der(der);
  if (!source) return Bytes(der);
  const auto& fields = source->fields();
  auto found = certificate_mappings_.find(key_of(contract.row.tenant, contract.agreement.cpa_id, fields.issuer, fields.serial));
  if (found == certificate_mappings_.end()) {
    found = certificate_mappings_.find(key_of(contract.row.tenant, "", fields.issuer, fields.serial));
  }
  // A destination that has expired is no mapping any more; the expiry warnings (CPA-062) have named it before.
  if (found == certificate_mappings_.end() || !is_valid_at(found->second, now)) return Bytes(der);
  return found->second;
}

}  // namespace schakel::cpa
