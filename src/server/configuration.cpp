#include "server/configuration.hpp"

#include <algorithm>

#include "api/routing_json.hpp"
#include "base/json_library.hpp"
#include "exchange/commit.hpp"
#include "wus/service_store.hpp"

namespace schakel::server {
namespace {

using Json = nlohmann::json;

// Which party of the agreement is the tenant (CPA-052): the one with one of its OINs. -1: none or both.
int own_party(const cpa::Agreement& agreement, const Tenant& tenant) {
  int own = -1;
  for (std::size_t i = 0; i < agreement.parties.size(); ++i) {
    const auto oin = agreement.parties[i].oin();
    if (oin.empty() || std::ranges::find(tenant.oins, oin) == tenant.oins.end()) continue;
    if (own >= 0) return -1;
    own = static_cast<int>(i);
  }
  return own;
}

bool is_loaded(exchange::ContractState state) {
  // Suspended and retired contracts let acknowledgements, retries and duplicate tests finish (CPA-053).
  return state == exchange::ContractState::active || state == exchange::ContractState::suspended ||
         state == exchange::ContractState::retired || state == exchange::ContractState::expired;
}

Result<cpa::LoadedContract> loaded(exchange::Contract row, const Tenant& tenant, const Configuration* former) {
  cpa::LoadedContract contract;
  const auto* before = former && former->contracts ? former->contracts->by_id(row.tenant, row.id) : nullptr;
  if (before && before->row.digest == row.digest) {
    contract.agreement = before->agreement;
  } else {
    SCHAKEL_TRY(contract.agreement, cpa::parse(row.document));
  }
  SCHAKEL_TRY(contract.settings, cpa::parse_settings(row.settings));
  contract.own_party = own_party(contract.agreement, tenant);
  if (contract.own_party < 0) return fail("contract.invalid", "not exactly one party of the agreement is the tenant");
  contract.environment = tenant.environment;
  row.document.clear();
  contract.row = std::move(row);
  return contract;
}

std::string text(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// The bodies of the documents of one kind; what is no JSON object is logged and left out.
Result<std::vector<std::pair<exchange::Document, Json>>> bodies(sql::Transaction& transaction, std::string_view kind, Log& log) {
  SCHAKEL_TRY(auto documents, exchange::all_documents(transaction, kind));
  std::vector<std::pair<exchange::Document, Json>> result;
  for (auto& document : documents) {
    auto json = Json::parse(document.body, nullptr, false);
    if (json.is_object())
      result.emplace_back(std::move(document), std::move(json));
    else
      log.error("configuration.unreadable", {{"kind", kind}, {"id", document.id}});
  }
  return result;
}

Result<std::vector<cpa::UrlMapping>> url_mappings(sql::Transaction& transaction, Log& log) {
  SCHAKEL_TRY(const auto documents, bodies(transaction, "urlMapping", log));
  std::vector<cpa::UrlMapping> mappings;
  for (const auto& [document, json] : documents)
    mappings.push_back({.tenant = document.tenant,
                        .source = text(json, "source"),
                        .destination = text(json, "destination"),
                        .cpa_id = text(json, "cpaId")});
  return mappings;
}

Result<std::vector<cpa::CertificateMapping>> certificate_mappings(sql::Transaction& transaction, Log& log) {
  SCHAKEL_TRY(const auto documents, bodies(transaction, "certificateMapping", log));
  std::vector<cpa::CertificateMapping> mappings;
  for (const auto& [document, json] : documents) {
    auto der = from_base64(text(json, "destination"));
    if (!der) {
      log.error("configuration.unreadable", {{"kind", "certificateMapping"}, {"id", document.id}});
      continue;
    }
    mappings.push_back({.tenant = document.tenant,
                        .issuer = text(json, "issuer"),
                        .serial = text(json, "serial"),
                        .cpa_id = text(json, "cpaId"),
                        .destination = std::move(*der)});
  }
  return mappings;
}

Result<std::vector<cpa::Mandate>> mandates(sql::Transaction& transaction, Log& log) {
  SCHAKEL_TRY(const auto documents, bodies(transaction, "mandate", log));
  std::vector<cpa::Mandate> mandates;
  for (const auto& [document, json] : documents) {
    const auto from = parse_datetime(text(json, "validFrom"));
    const auto to = parse_datetime(text(json, "validTo"));
    if (!from) {
      log.error("configuration.unreadable", {{"kind", "mandate"}, {"id", document.id}});
      continue;
    }
    mandates.push_back({.tenant = document.tenant,
                        .mandator_oin = text(json, "mandatorOin"),
                        .mandatary_oin = text(json, "mandataryOin"),
                        .scope = text(json, "scope"),
                        .direction = text(json, "direction"),
                        .valid_from = from->instant,
                        .valid_to = to ? to->instant : Instant::max(),
                        .active = text(json, "status") == "active"});
  }
  return mandates;
}

Result<std::vector<cpa::AlgorithmException>> algorithm_exceptions(sql::Transaction& transaction, Log& log) {
  SCHAKEL_TRY(const auto documents, bodies(transaction, "algorithmException", log));
  std::vector<cpa::AlgorithmException> exceptions;
  for (const auto& [document, json] : documents) {
    const auto from = parse_datetime(text(json, "from"));
    const auto until = parse_datetime(text(json, "until"));
    if (!from || !until) {
      log.error("configuration.unreadable", {{"kind", "algorithmException"}, {"id", document.id}});
      continue;
    }
    exceptions.push_back({.tenant = document.tenant,
                          .partner_oin = text(json, "partnerOin"),
                          .protocol = text(json, "protocol"),
                          .algorithm = text(json, "algorithm"),
                          .reason = text(json, "reason"),
                          .from = from->instant,
                          .until = until->instant});
  }
  return exceptions;
}

// Services that did not change keep what was made of them: compiling a schema takes longer than everything else here.
Result<std::shared_ptr<const wus::Services>> loaded_services(sql::Transaction& transaction, const Configuration& configuration,
                                                             const Configuration* former, Log& log) {
  SCHAKEL_TRY(auto rows, exchange::all_contracts(transaction, wus::contract_kind));
  std::vector<std::shared_ptr<const wus::ServiceContract>> loaded;
  for (const auto& row : rows) {
    if (!configuration.tenant(row.tenant)) continue;
    const auto before = former ? former->services->find(row.tenant, row.id) : nullptr;
    auto service = wus::make_service(row, before.get());
    if (service)
      loaded.push_back(std::move(*service));
    else
      log.error("contract.notLoaded",
                {{"tenant", row.tenant}, {"contract", row.id}, {"code", service.error().code}, {"detail", service.error().detail}});
  }
  return std::make_shared<const wus::Services>(std::move(loaded));
}

// ADP-413: the table of each tenant that has one.
Result<exchange::Routing> routing(sql::Transaction& transaction, const Configuration& configuration, Log& log) {
  SCHAKEL_TRY(const auto documents, exchange::all_documents(transaction, exchange::routes_document));
  exchange::Routing tables;
  for (const auto& document : documents) {
    const auto* tenant = configuration.tenant(document.tenant);
    auto routes = api::stored_routes(document.body);
    if (!routes) log.error("configuration.unreadable", {{"kind", document.kind}, {"id", document.id}, {"detail", routes.error().detail}});
    if (tenant && routes) tables.add(tenant->slug, {tenant->environment, exchange::RoutingTable(std::move(*routes))});
  }
  return tables;
}

}  // namespace

const Tenant* Configuration::tenant(std::string_view slug) const {
  const auto found = std::ranges::find(tenants, slug, &Tenant::slug);
  return found == tenants.end() ? nullptr : &*found;
}

const Tenant* Configuration::tenant_of_host(std::string_view host) const {
  const auto found = std::ranges::find_if(tenants, [&](const Tenant& tenant) {
    return std::ranges::any_of(tenant.hosts, [&](const std::string& own) { return equals_ignoring_case(own, host); });
  });
  return found == tenants.end() ? nullptr : &*found;
}

Result<std::shared_ptr<const Configuration>> Configuration::load(sql::Transaction& transaction, const Configuration* former, Log& log) {
  auto configuration = std::make_shared<Configuration>();
  // Read first: what changes while we read is read again at the next poll.
  SCHAKEL_TRY(configuration->version, exchange::configuration_version(transaction));
  SCHAKEL_TRY(configuration->tenants, load_tenants(transaction));
  SCHAKEL_TRY(auto rows, exchange::all_contracts(transaction, "cpa"));
  std::vector<cpa::LoadedContract> contracts;
  for (auto& row : rows) {
    const auto* tenant = configuration->tenant(row.tenant);
    if (!tenant || !is_loaded(row.state)) continue;
    const auto id = row.id;
    if (auto contract = loaded(std::move(row), *tenant, former))
      contracts.push_back(std::move(*contract));
    else
      log.error("contract.notLoaded",
                {{"tenant", tenant->slug}, {"contract", id}, {"code", contract.error().code}, {"detail", contract.error().detail}});
  }
  SCHAKEL_TRY(configuration->services, loaded_services(transaction, *configuration, former, log));
  SCHAKEL_TRY(const auto keys, exchange::all_documents(transaction, "compromisedKey"));
  for (const auto& key : keys) configuration->compromised_keys.insert(key.key);
  SCHAKEL_TRY(auto urls, url_mappings(transaction, log));
  SCHAKEL_TRY(auto certificates, certificate_mappings(transaction, log));
  SCHAKEL_TRY(auto register_, mandates(transaction, log));
  SCHAKEL_TRY(auto exceptions, algorithm_exceptions(transaction, log));
  SCHAKEL_TRY(auto tables, routing(transaction, *configuration, log));
  configuration->contracts = std::make_shared<const cpa::Contracts>(std::move(contracts), std::move(urls), std::move(certificates),
                                                                    std::move(register_), std::move(exceptions), std::move(tables));
  return std::shared_ptr<const Configuration>(std::move(configuration));
}

ConfigurationCache::ConfigurationCache(sql::Database& database, Log& log) : database_(database), log_(log) {}

Result<> ConfigurationCache::load() {
  return database_.read([&](sql::Transaction& transaction) -> Result<> {
    SCHAKEL_TRY(auto loaded, Configuration::load(transaction, nullptr, log_));
    swap(std::move(loaded));
    return {};
  });
}

std::shared_ptr<const Configuration> ConfigurationCache::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void ConfigurationCache::swap(std::shared_ptr<const Configuration> configuration) {
  const std::lock_guard lock(mutex_);
  current_ = std::move(configuration);
}

http::Awaitable<Result<bool>> ConfigurationCache::refresh() {
  const auto former = current();
  std::shared_ptr<const Configuration> fresh;
  const auto read = co_await exchange::read(database_, [&](sql::Transaction& transaction) -> Result<> {
    fresh.reset();
    SCHAKEL_TRY(const auto version, exchange::configuration_version(transaction));
    if (former && version == former->version) return {};
    SCHAKEL_TRY(fresh, Configuration::load(transaction, former.get(), log_));
    return {};
  });
  if (!read) co_return read.error();
  if (!fresh) co_return false;
  swap(std::move(fresh));
  co_return true;
}

}  // namespace schakel::server
