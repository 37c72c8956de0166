#include "wus/identity.hpp"

#include <algorithm>

#include "wus/addressing.hpp"
#include "wus/names.hpp"

namespace schakel::wus {
namespace {

std::string scope_of(const ServiceContract& service, const Operation* operation) {
  return operation ? "wus/" + service.name + "/" + operation->name : "wus/" + service.name;
}

}  // namespace

bool may_enter(const Office& office, const ServiceContract& service, std::string_view tls_oin) {
  if (service.grants_to(tls_oin, nullptr)) return true;
  return std::ranges::any_of(service.grants, [&](const Grant& grant) {
    return office.is_intermediary(service.tenant, grant.oin, tls_oin) ||
           office.has_mandate(service.tenant, grant.oin, tls_oin, scope_of(service, nullptr));
  });
}

Result<std::string> judge_sender(const Office& office, const ServiceContract& service, const Identities& who, const Operation& operation) {
  const auto& sender = who.signer_oin.empty() ? who.tls_oin : who.signer_oin;
  if (sender != who.tls_oin && !who.tls_oin.empty() && !office.is_intermediary(service.tenant, sender, who.tls_oin))
    return fail("wus.mandate", "the TLS certificate is of another than the signer, and of no intermediary");
  const bool for_another = !who.from_oin.empty() && who.from_oin != sender;
  if (for_another && !office.has_mandate(service.tenant, who.from_oin, sender, scope_of(service, &operation)))
    return fail("wus.mandate", "wsa:From names another party than the sender, without a mandate");
  if (service.grants_to(sender, &operation) || (for_another && service.grants_to(who.from_oin, &operation))) return sender;
  return fail("wus.unauthorised", "the sender has no right on this operation");
}

Result<> judge_destination(const Office& office, const ServiceContract& service, std::string_view to) {
  const auto named = split_oin(to);
  if (!named.oin.empty() && !office.is_oin_of_tenant(service.tenant, named.oin))
    return fail("wus.destination", "wsa:To names the OIN of another party");
  if (!service.settings.to_check || named.address == uri::anonymous) return {};
  const bool ours =
      std::ranges::any_of(service.addresses, [&](const std::string& address) { return same_address(address, named.address); });
  if (!ours) return fail("wus.destination", "wsa:To is no address of this service");
  return {};
}

}  // namespace schakel::wus
