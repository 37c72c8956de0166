#include "wus/service_contract.hpp"

#include <algorithm>

#include "wus/addressing.hpp"

namespace schakel::wus {

std::string_view to_string(Role role) {
  return role == Role::provider ? "provider" : "consumer";
}

std::string ServiceContract::shown_from(const std::string& address) const {
  const auto named = split_oin(address);
  const auto found = std::ranges::find_if(from_addresses, [&](const FromAddress& one) { return same_address(one.address, named.address); });
  if (found == from_addresses.end()) return address;
  return named.oin.empty() ? found->shown_as : with_oin(found->shown_as, named.oin);
}

const Settings* ServiceContract::settings_of(std::string_view oin) const {
  const auto found = partner_settings.find(oin);
  return found == partner_settings.end() ? nullptr : &found->second;
}

const Operation* ServiceContract::operation(std::string_view wanted) const {
  const auto found = std::ranges::find(operations, wanted, &Operation::name);
  return found == operations.end() ? nullptr : &*found;
}

const Operation* ServiceContract::by_action(std::string_view input_action) const {
  const auto found = std::ranges::find(operations, input_action, &Operation::input_action);
  return found == operations.end() ? nullptr : &*found;
}

const Operation* ServiceContract::by_element(std::string_view namespace_uri, std::string_view local_name) const {
  const auto found = std::ranges::find_if(operations, [&](const Operation& operation) {
    return operation.input.name == local_name && operation.input.namespace_uri == namespace_uri;
  });
  return found == operations.end() ? nullptr : &*found;
}

bool ServiceContract::grants_to(std::string_view oin, const Operation* wanted) const {
  return std::ranges::any_of(grants, [&](const Grant& grant) {
    if (grant.oin != oin) return false;
    return wanted == nullptr || grant.operations.empty() || grant.operations.contains(wanted->name);
  });
}

std::string_view ServiceContract::dai_address_of(std::string_view oin) const {
  const auto found = std::ranges::find_if(grants, [&](const Grant& grant) { return grant.oin == oin && !grant.dai_address.empty(); });
  return found == grants.end() ? std::string_view() : std::string_view(found->dai_address);
}

Services::Services(std::vector<std::shared_ptr<const ServiceContract>> services) : all_(std::move(services)) {
  for (const auto& service : all_) {
    by_id_.emplace(Key{service->tenant, service->id}, service);
    by_name_.emplace(Key{service->tenant, service->name}, service);
    if (service->role == Role::provider && service->state == exchange::ContractState::active) by_path_.emplace(service->path, service);
  }
}

std::shared_ptr<const ServiceContract> Services::at_path(std::string_view path, std::string_view tenant) const {
  std::shared_ptr<const ServiceContract> found;
  const auto [begin, end] = by_path_.equal_range(path);
  for (auto at = begin; at != end; ++at) {
    if (!tenant.empty() && at->second->tenant != tenant) continue;
    if (found) return nullptr;
    found = at->second;
  }
  return found;
}

std::shared_ptr<const ServiceContract> Services::find(std::string_view tenant, std::string_view id) const {
  const auto found = by_id_.find(Key{tenant, id});
  return found == by_id_.end() ? nullptr : found->second;
}

std::shared_ptr<const ServiceContract> Services::by_name(std::string_view tenant, std::string_view name) const {
  const auto found = by_name_.find(Key{tenant, name});
  return found == by_name_.end() ? nullptr : found->second;
}

}  // namespace schakel::wus
