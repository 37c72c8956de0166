#include "wus/service_store.hpp"

#include <algorithm>

namespace schakel::wus {
namespace {

using exchange::Contract;
using exchange::ContractState;

// Terms that only the description can refuse.
void check_against(const Wsdl& wsdl, const ServiceTerms& terms, std::vector<Error>& faults) {
  const auto refuse = [&](std::string pointer, std::string detail) {
    faults.push_back(fail("contract.settings", std::move(detail), std::move(pointer)));
  };
  const auto is_known = [&](const std::string& name) {
    return std::ranges::find(wsdl.operations, name, &Operation::name) != wsdl.operations.end();
  };
  if (!std::ranges::all_of(terms.idempotent, is_known)) refuse("/operations", "names an operation that the WSDL does not have");
  for (std::size_t i = 0; i < terms.grants.size(); ++i)
    if (!std::ranges::all_of(terms.grants[i].operations, is_known))
      refuse("/grants/" + std::to_string(i) + "/operations", "names an operation that the WSDL does not have");
  if (terms.role == Role::consumer && terms.endpoint.empty() && wsdl.address.empty())
    refuse("/partner/endpoint", "is missing, and the WSDL has no address");
  if (terms.role == Role::provider && terms.settings.to_check && terms.addresses.empty() && wsdl.address.empty())
    refuse("/addresses", "are missing, and the WSDL has none");
}

JudgedService judged(const Bundle& bundle, Bytes octets, std::string_view text, const Offered& offered) {
  JudgedService out;
  out.terms = read_terms(text, offered, out.faults);
  out.import = import_wsdl(bundle, !out.terms || out.terms->role == Role::provider);
  if (out.terms && out.import.wsdl) check_against(*out.import.wsdl, *out.terms, out.faults);
  out.digest = sha256_hex(octets);
  out.octets = std::move(octets);
  return out;
}

Error invalid(const JudgedService& judged) {
  std::string reasons;
  const auto add = [&](const std::string& reason) { reasons.append(reasons.empty() ? "" : ", ").append(reason); };
  for (const auto& finding : judged.import.findings)
    if (finding.severity == Severity::error) add(finding.rule);
  for (const auto& fault : judged.faults) add(fault.location);
  return fail("contract.invalid", "the service is refused: " + reasons);
}

Result<Contract> found(sql::Transaction& tx, std::string_view tenant, std::string_view id, std::int64_t version) {
  SCHAKEL_TRY(auto contract, exchange::find_contract(tx, tenant, id));
  if (!contract || contract->kind != contract_kind) return fail("contract.unknown", "there is no contract with this id");
  if (version != 0 && contract->version != version) return fail("version.conflict", "the contract was changed since it was read");
  return *std::move(contract);
}

Result<Contract> updated(sql::Transaction& tx, Contract contract, Instant now) {
  contract.changed_at = now;
  SCHAKEL_CHECK(exchange::update_contract(tx, contract));
  ++contract.version;
  return contract;
}

Result<Contract> moved(sql::Transaction& tx, Contract contract, ContractState state, Instant now) {
  contract.state = state;
  if (state == ContractState::retired) contract.retired_at = now;
  return updated(tx, std::move(contract), now);
}

Error wrong_state(const Contract& contract, std::string_view wanted) {
  return fail("state.conflict", "a contract that is " + std::string(to_string(contract.state)) + " cannot be " + std::string(wanted));
}

Result<ServiceTerms> stored_terms(const Contract& contract) {
  std::vector<Error> faults;
  auto terms = read_terms(contract.settings, std::nullopt, faults);
  if (!terms) return faults.front();
  return *std::move(terms);
}

// Two active providers of a tenant on one path: nobody could say which one a request is for.
Result<> check_path(sql::Transaction& tx, const Contract& contract, const ServiceTerms& terms) {
  if (terms.role != Role::provider) return {};
  SCHAKEL_TRY(const auto active, exchange::contracts_in_state(tx, contract_kind, ContractState::active));
  for (const auto& other : active) {
    if (other.tenant != contract.tenant || other.id == contract.id) continue;
    const auto others = stored_terms(other);
    if (others && others->role == Role::provider && others->path == terms.path)
      return fail("state.conflict", "the path is that of the active contract " + other.name);
  }
  return {};
}

Result<PutService> replace(sql::Transaction& tx, Contract contract, const JudgedService& judged, bool overwrite, Instant now) {
  if (!overwrite)
    return fail("state.conflict",
                "the contract exists with other documents: stored SHA-256 " + contract.digest + ", offered " + judged.digest);
  if (contract.state == ContractState::retired) return fail("state.conflict", "a retired contract is not replaced");
  if (contract.state == ContractState::active) SCHAKEL_CHECK(check_path(tx, contract, *judged.terms));
  contract.document = judged.octets;
  contract.digest = judged.digest;
  contract.settings = terms_json(*judged.terms).dump();
  SCHAKEL_TRY(auto stored, updated(tx, std::move(contract), now));
  return PutService{std::move(stored), PutOutcome::replaced};
}

}  // namespace

JudgedService judge_service(const Bundle& bundle, std::string_view terms, const Offered& offered) {
  return judged(bundle, pack(bundle), terms, offered);
}

JudgedService judge_service(const Contract& contract, std::string_view terms, const Offered& offered) {
  const auto bundle = unpack(contract.document);
  return judged(bundle ? *bundle : Bundle(), contract.document, terms, offered);
}

Result<PutService> put_service(sql::Transaction& tx, std::string_view tenant, std::string_view name, const JudgedService& judged,
                               bool overwrite, Random& random, Instant now) {
  if (judged.refused()) return invalid(judged);
  const std::string own_name(name.empty() ? std::string_view(judged.import.wsdl->name) : name);
  SCHAKEL_TRY(auto existing, exchange::find_contract_by_name(tx, tenant, contract_kind, own_name));
  if (existing && existing->digest == judged.digest) return PutService{*std::move(existing), PutOutcome::unchanged};
  if (existing) return replace(tx, *std::move(existing), judged, overwrite, now);

  Contract contract;
  contract.id = uuid_v7(random, now);
  contract.tenant = tenant;
  contract.kind = contract_kind;
  contract.state = ContractState::validated;
  contract.name = own_name;
  contract.digest = judged.digest;
  contract.document = judged.octets;
  contract.created_at = contract.changed_at = now;
  contract.settings = terms_json(*judged.terms).dump();
  SCHAKEL_CHECK(exchange::insert_contract(tx, contract));
  return PutService{std::move(contract), PutOutcome::created};
}

Result<Contract> activate_service(sql::Transaction& tx, std::string_view tenant, std::string_view id, std::int64_t version, Instant now) {
  SCHAKEL_TRY(auto contract, found(tx, tenant, id, version));
  if (contract.state != ContractState::validated && contract.state != ContractState::suspended) return wrong_state(contract, "activated");
  SCHAKEL_TRY(auto terms, stored_terms(contract));
  SCHAKEL_CHECK(check_path(tx, contract, terms));
  terms.valid_from.reset();
  contract.settings = terms_json(terms).dump();
  return moved(tx, std::move(contract), ContractState::active, now);
}

Result<Contract> suspend_service(sql::Transaction& tx, std::string_view tenant, std::string_view id, std::int64_t version, Instant now) {
  SCHAKEL_TRY(auto contract, found(tx, tenant, id, version));
  if (contract.state != ContractState::active) return wrong_state(contract, "suspended");
  return moved(tx, std::move(contract), ContractState::suspended, now);
}

Result<Contract> retire_service(sql::Transaction& tx, std::string_view tenant, std::string_view id, std::int64_t version, Instant now) {
  SCHAKEL_TRY(auto contract, found(tx, tenant, id, version));
  if (contract.state == ContractState::retired) return wrong_state(contract, "retired");
  return moved(tx, std::move(contract), ContractState::retired, now);
}

Result<Contract> change_terms(sql::Transaction& tx, std::string_view tenant, std::string_view id, const JudgedService& judged,
                              std::int64_t version, Instant now) {
  SCHAKEL_TRY(auto contract, found(tx, tenant, id, version));
  if (contract.digest != judged.digest) return fail("version.conflict", "the documents were changed since the terms were judged");
  if (judged.refused()) return invalid(judged);
  if (contract.state == ContractState::active) SCHAKEL_CHECK(check_path(tx, contract, *judged.terms));
  contract.settings = terms_json(*judged.terms).dump();
  return updated(tx, std::move(contract), now);
}

Result<> remove_service(sql::Transaction& tx, std::string_view tenant, std::string_view id, std::int64_t version, Instant now) {
  SCHAKEL_TRY(const auto contract, found(tx, tenant, id, version));
  SCHAKEL_TRY(const auto open, exchange::count_open_messages(tx, tenant, id, now));
  if (open > 0) return fail("contract.inUse", std::to_string(open) + " messages under the contract are not finished");
  return exchange::delete_contract(tx, tenant, contract.id);
}

namespace {

// The description, read anew or taken from the contract as it was.
Result<> describe(ServiceContract& service, const Contract& row, const ServiceTerms& terms, const ServiceContract* former) {
  if (former && former->digest == row.digest && former->role == terms.role) {
    service.bundle = former->bundle;
    service.operations = former->operations;
    service.schema = former->schema;
    service.described_address = former->described_address;
    return {};
  }
  SCHAKEL_TRY(service.bundle, unpack(row.document));
  auto import = import_wsdl(service.bundle, terms.role == Role::provider);
  if (!import.ok()) return fail("contract.invalid", "the description is refused");
  service.operations = std::move(import.wsdl->operations);
  service.schema = std::move(import.wsdl->schema);
  service.described_address = std::move(import.wsdl->address);
  return {};
}

}  // namespace

Result<std::shared_ptr<const ServiceContract>> make_service(const Contract& row, const ServiceContract* former) {
  SCHAKEL_TRY(auto terms, stored_terms(row));
  auto service = std::make_shared<ServiceContract>();
  SCHAKEL_CHECK(describe(*service, row, terms, former));
  service->id = row.id;
  service->tenant = row.tenant;
  service->name = row.name;
  service->digest = row.digest;
  service->state = row.state;
  service->version = row.version;
  service->role = terms.role;
  service->own_oin = std::move(terms.own_oin);
  service->settings = std::move(terms.settings);
  for (auto& operation : service->operations)
    operation.idempotent = std::ranges::find(terms.idempotent, operation.name) != terms.idempotent.end();
  service->path = std::move(terms.path);
  service->addresses = std::move(terms.addresses);
  if (service->addresses.empty() && !service->described_address.empty()) service->addresses.push_back(service->described_address);
  service->grants = std::move(terms.grants);
  service->backend_url = std::move(terms.backend_url);
  service->from_addresses = std::move(terms.from_addresses);
  for (auto& [oin, partner] : terms.partners) service->partner_settings.emplace(oin, std::move(partner.settings));
  service->backend_dai_address = std::move(terms.backend_dai_address);
  service->endpoint = terms.endpoint.empty() ? service->described_address : std::move(terms.endpoint);
  service->to_address = std::move(terms.to_address);
  service->from_address = std::move(terms.from_address);
  service->partner_oin = std::move(terms.partner_oin);
  service->partner_dai_address = std::move(terms.partner_dai_address);
  service->server_oins = std::move(terms.server_oins);
  service->signer_oins = std::move(terms.signer_oins);
  service->partner_certificate = std::move(terms.partner_certificate);
  return std::shared_ptr<const ServiceContract>(std::move(service));
}

}  // namespace schakel::wus
