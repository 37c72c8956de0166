// Contracts and the partners in them (cpa.md 2.7, 3.5; adapter.md 1.4). What is particular to kind wsdl: service_contracts.hpp.
#include "api/contract_view.hpp"
#include "api/resources.hpp"
#include "api/service_contracts.hpp"
#include "cpa/store.hpp"
#include "exchange/commit.hpp"
#include "exchange/store.hpp"

namespace schakel::api {
namespace {

using exchange::Contract;
using exchange::ContractState;
using http::Response;

bool is_service(const Contract& contract) {
  return contract.kind == wus::contract_kind;
}

Answer<Contract> found(sql::Transaction& tx, const Visit& visit) {
  SCHAKEL_TRY(auto contract, exchange::find_contract(tx, visit.tenant(), visit.path[0]));
  if (!contract) return not_found();
  return std::move(*contract);
}

Json for_audit(const Contract& contract) {
  return {{is_service(contract) ? "name" : "cpaId", contract.name},
          {"digest", contract.digest},
          {"state", to_string(contract.state)},
          {"settings", Json::parse(contract.settings.empty() ? "{}" : contract.settings, nullptr, false)}};
}

OrderedJson to_json(const Contract& contract) {
  return is_service(contract) ? service_json(contract) : contract_json(contract);
}

Result<std::vector<Contract>> contracts_of(sql::Transaction& tx, std::string_view tenant, std::string_view kind) {
  std::vector<Contract> all;
  for (const auto known : {std::string_view("cpa"), wus::contract_kind}) {
    if (!kind.empty() && kind != known) continue;
    SCHAKEL_TRY(auto some, exchange::all_contracts(tx, known));
    std::ranges::move(some, std::back_inserter(all));
  }
  std::erase_if(all, [&](const Contract& contract) { return contract.tenant != tenant; });
  return all;
}

// --- reading ---------------------------------------------------------------------------------------------------------------------

InTransaction list(const Visit& visit, Faults& faults) {
  Query query(visit.request, faults);
  const Page page = read_page(query);
  const std::string wanted_kind = query.choice("kind", {"cpa", "wsdl", "oas", "gb", "fsc"}), cpa_id = query.text("cpaId");
  const std::string state = query.choice("state", {"draft", "validated", "active", "suspended", "expired", "retired"});
  return [&visit, page, wanted_kind, cpa_id, state](sql::Transaction& tx) -> Answer<Response> {
    std::vector<OrderedJson> all;
    SCHAKEL_TRY(const auto contracts, contracts_of(tx, visit.tenant(), wanted_kind));
    for (const auto& contract : contracts) {
      const bool fits =
          (cpa_id.empty() || (contract.name == cpa_id && !is_service(contract))) && (state.empty() || to_string(contract.state) == state);
      if (fits) all.push_back(to_json(contract));
    }
    return paged(visit, page, all);
  };
}

InTransaction show(const Visit& visit, Faults&) {
  return [&visit](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto contract, found(tx, visit));
    SCHAKEL_TRY(const auto former_versions, exchange::contract_history_count(tx, visit.tenant(), contract.id));
    OrderedJson body = to_json(contract);
    body["formerVersions"] = former_versions;
    return versioned_response(200, body, contract.version);
  };
}

// CPA-111: `<cpaid>.xml`, with nothing in it that means something to a file system.
std::string file_name_of(const Contract& contract) {
  std::string name = contract.name;
  for (char& c : name) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (!fine) c = '_';
  }
  if (name.starts_with('.')) name.front() = '_';
  return name + (is_service(contract) ? ".bundle" : ".xml");
}

// The octets as they were loaded (CPA-005).
InTransaction show_document(const Visit& visit, Faults&) {
  return [&visit](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(auto contract, found(tx, visit));
    Response response;
    response.headers.set("Content-Type", is_service(contract) ? "application/octet-stream" : "application/xml");
    response.headers.set("Content-Disposition", "attachment; filename=\"" + file_name_of(contract) + "\"");
    response.headers.set("Repr-Digest", "sha-256=:" + to_base64(sha256(contract.document)) + ":");
    response.headers.set("ETag", etag(contract.version));
    response.body = std::move(contract.document);
    return response;
  };
}

InTransaction match(const Office& office, const Visit& visit, Faults& faults) {
  Query query(visit.request, faults);
  MatchQuestion question;
  question.from = query.text("from");
  question.from_role = query.text("fromRole");
  question.to = query.text("to");
  question.to_role = query.text("toRole");
  question.service = query.text("service");
  question.action = query.text("action");
  question.cpa_id = query.text("cpaId");
  question.at = query.instant("at").value_or(office.now());
  return [&office, &visit, question](sql::Transaction&) -> Answer<Response> {
    return json_response(200, explain_match(*office.dependencies.contracts(), visit.tenant(), question));
  };
}

// --- validation and import -----------------------------------------------------------------------------------------------------------

// The PartyIds of the tenant as this document writes them: its OINs with whatever suffix (CPA-052).
std::vector<cpa::PartyId> own_ids(const Office& office, const std::string& tenant_name, BytesView document) {
  std::vector<cpa::PartyId> own;
  const auto tenant = office.dependencies.tenant(tenant_name);
  const std::vector<std::string> oins = tenant ? tenant->oins : std::vector<std::string>();
  for (const auto& oin : oins) own.push_back({"urn:osb:oin", oin});
  const auto agreement = cpa::parse(document);
  if (!agreement) return own;
  for (const auto& party : agreement->parties) {
    if (std::find(oins.begin(), oins.end(), party.oin()) != oins.end()) own.insert(own.end(), party.ids.begin(), party.ids.end());
  }
  return own;
}

cpa::JudgedDocument judge_document(const Office& office, const std::string& tenant, Bytes document, const cpa::ContractSettings& settings,
                                   bool activating, std::optional<Instant> when = std::nullopt) {
  cpa::ValidationOptions options;
  const bool production = office.environment_of(tenant) == "production";
  options.mode = production ? cpa::Mode::production : cpa::Mode::test;
  options.production_environment = production;
  options.now = when.value_or(office.now());
  options.activating = activating;
  options.tls_offloaded = settings.tls_offloaded;
  options.allow_loopback = settings.allow_loopback && !production;
  options.own = own_ids(office, tenant, document);
  if (office.dependencies.complete_validation) office.dependencies.complete_validation(tenant, options);
  return cpa::judge(std::move(document), options);
}

// The refusal of the contract's room, with the findings that explain it.
Refusal with_findings(const Error& error, const cpa::Validation& validation) {
  Refusal refusal(error.code, error.detail);
  if (validation.refused()) refusal.members["findings"] = findings_json(validation);
  return refusal;
}

InTransaction validate_agreement(const Office& office, const Visit& visit, Faults&) {
  // Parsing and checking a document needs no database and may take long: it is done outside the unit.
  const auto judged = judge_document(office, visit.tenant(), visit.body, {}, false);
  return [body = validation_json(judged.validation)](sql::Transaction&) -> Answer<Response> { return json_response(200, body); };
}

InTransaction import_agreement(const Office& office, const Visit& visit, Faults& faults) {
  Query query(visit.request, faults);
  const bool overwrite = query.boolean("overwrite").value_or(false);
  auto judged = std::make_shared<cpa::JudgedDocument>(judge_document(office, visit.tenant(), visit.body, {}, false));
  return [&office, &visit, overwrite, judged](sql::Transaction& tx) -> Answer<Response> {
    const auto loaded = cpa::load(tx, visit.tenant(), *judged, overwrite, {}, office.dependencies.random, office.now());
    if (!loaded) return with_findings(loaded.error(), judged->validation);
    const bool is_new = loaded->outcome == cpa::LoadOutcome::created;
    const auto& contract = loaded->contract;
    if (loaded->outcome != cpa::LoadOutcome::unchanged) {
      SCHAKEL_CHECK(audit(tx, office, visit, is_new ? "contract.import" : "contract.replace", contract.id, nullptr, for_audit(contract)));
    }
    OrderedJson body = contract_json(contract);
    body["findings"] = findings_json(judged->validation);
    auto response = versioned_response(is_new ? 201 : 200, body, contract.version);
    response.headers.set("Location", std::string(base_path) + "/contracts/" + contract.id);
    return response;
  };
}

// An agreement comes as XML, the description of a service as a form.
http::Awaitable<Answer<Response>> import(const Office& office, Visit& visit, Faults faults) {
  if (!is_service_upload(visit.request)) {
    auto unit = import_agreement(office, visit, faults);
    if (auto verdict = judge(std::move(faults)); !verdict) co_return verdict.error();
    co_return co_await in_unit(office.dependencies.database, Access::write, std::move(unit));
  }
  Query query(visit.request, faults);
  const bool overwrite = query.boolean("overwrite").value_or(false);
  if (auto verdict = judge(std::move(faults)); !verdict) co_return verdict.error();
  const auto upload = co_await read_service_upload(office, visit);
  if (!upload) co_return upload.error();
  const auto judged = judge_upload(office, visit.tenant(), *upload);
  co_return co_await in_unit(office.dependencies.database, Access::write,
                             [&](sql::Transaction& tx) { return store_upload(tx, office, visit, *upload, judged, overwrite); });
}

http::Awaitable<Answer<Response>> validate_only(const Office& office, Visit& visit, Faults faults) {
  if (!is_service_upload(visit.request)) {
    auto unit = validate_agreement(office, visit, faults);
    co_return co_await in_unit(office.dependencies.database, Access::read, std::move(unit));
  }
  const auto upload = co_await read_service_upload(office, visit);
  if (!upload) co_return upload.error();
  co_return json_response(200, validation_json(judge_upload(office, visit.tenant(), *upload)));
}

// --- life cycle (ADP-304, ADP-307) -------------------------------------------------------------------------------------------------

// What a change of state does in the contract's room.
using Change = std::function<Result<Contract>(sql::Transaction&, const Contract& present)>;

Answer<Response> apply(sql::Transaction& tx, const Office& office, const Visit& visit, std::string_view action, const Change& change) {
  SCHAKEL_TRY(const auto present, found(tx, visit));
  SCHAKEL_CHECK(check_if_match(visit.request, present.version));
  SCHAKEL_TRY(const auto after, change(tx, present));
  SCHAKEL_CHECK(audit(tx, office, visit, "contract." + std::string(action), present.id, for_audit(present), for_audit(after)));
  return versioned_response(200, to_json(after), after.version);
}

// Signed and encrypted profiles need means that this node may not have.
Answer<> check_protection(const Office& office, const Contract& contract, const cpa::ContractSettings& settings,
                          const cpa::Validation& validation) {
  const auto tenant = office.dependencies.tenant(contract.tenant);
  if (!validation.agreement || !tenant) return {};
  cpa::LoadedContract loaded;
  loaded.row = contract;
  loaded.agreement = *validation.agreement;
  loaded.settings = settings;
  loaded.environment = tenant->environment;
  for (std::size_t i = 0; i < loaded.agreement.parties.size(); ++i) {
    if (std::find(tenant->oins.begin(), tenant->oins.end(), loaded.agreement.parties[i].oin()) != tenant->oins.end())
      loaded.own_party = static_cast<int>(i);
  }
  const auto unprotected = office.dependencies.msh.unprotected_actions(loaded);
  if (unprotected.empty()) return {};
  Refusal refusal("state.conflict", "Deze node kan de beveiliging van sommige acties niet leveren: " + unprotected.front().reason);
  refusal.members["actions"] = OrderedJson::array();
  for (const auto& action : unprotected) refusal.members["actions"].push_back({{"action", action.action}, {"reason", action.reason}});
  return refusal;
}

// The document is judged anew, outside the transaction, and only the contract that was judged becomes active.
http::Awaitable<Answer<Response>> activate(const Office& office, Visit& visit, Faults faults) {
  Members members(visit.json, "", faults);
  auto valid_from = members.instant("validFrom");
  members.end();
  if (auto verdict = judge(std::move(faults)); !verdict) co_return verdict.error();
  if (valid_from && *valid_from <= office.now()) valid_from.reset();  // that is now
  std::optional<Contract> contract;
  auto read = co_await in_unit(office.dependencies.database, Access::read, [&](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(contract, found(tx, visit));
    SCHAKEL_CHECK(check_if_match(visit.request, contract->version));
    return no_content();
  });
  if (!read) co_return read.error();
  if (is_service(*contract)) {
    // The time stays in the settings until it comes; activating now takes it away.
    const auto judged = judge_change(office, *contract, {{"validFrom", valid_from ? Json(to_rfc3339(*valid_from)) : Json()}});
    if (!judged) co_return judged.error();
    co_return co_await in_unit(office.dependencies.database, Access::write, [&](sql::Transaction& tx) -> Answer<Response> {
      return apply(tx, office, visit, valid_from ? "schedule" : "activate",
                   [&](sql::Transaction& unit, const Contract& present) -> Result<Contract> {
                     SCHAKEL_TRY(auto changed, wus::change_terms(unit, visit.tenant(), present.id, *judged, present.version, office.now()));
                     if (valid_from) return changed;
                     return wus::activate_service(unit, visit.tenant(), present.id, changed.version, office.now());
                   });
    });
  }
  const auto settings = cpa::parse_settings(contract->settings);
  if (!settings) co_return Refusal(settings.error());
  const auto judged = judge_document(office, visit.tenant(), contract->document, *settings, true, valid_from);
  if (auto protection = check_protection(office, *contract, *settings, judged.validation); !protection) co_return protection.error();
  auto done = co_await in_unit(office.dependencies.database, Access::write, [&](sql::Transaction& tx) -> Answer<Response> {
    return apply(tx, office, visit, valid_from ? "schedule" : "activate", [&](sql::Transaction& unit, const Contract& present) {
      if (valid_from) return cpa::schedule(unit, visit.tenant(), present.id, judged, *valid_from, present.version, office.now());
      return cpa::activate(unit, visit.tenant(), present.id, judged, present.version, office.now());
    });
  });
  if (done || !judged.validation.refused()) co_return done;
  Refusal refusal = done.error();
  refusal.members["findings"] = findings_json(judged.validation);
  co_return refusal;
}

using Transition = Result<Contract> (*)(sql::Transaction&, std::string_view, std::string_view, std::int64_t, Instant);

Plan transition(const Office& office, std::string_view action, Transition of_agreement, Transition of_service) {
  return [&office, action, of_agreement, of_service](const Visit& visit, Faults& faults) -> InTransaction {
    Members(visit.json, "", faults).end();
    return [&office, &visit, action, of_agreement, of_service](sql::Transaction& tx) {
      return apply(tx, office, visit, action, [&](sql::Transaction& unit, const Contract& present) {
        return (is_service(present) ? of_service : of_agreement)(unit, visit.tenant(), present.id, present.version, office.now());
      });
    };
  };
}

// PATCH changes the settings that the document does not hold (cpa::ContractSettings).
InTransaction change(const Office& office, const Visit& visit, Faults& faults) {
  Members members(visit.json, "", faults);
  const Json* settings = members.object("settings", Need::required);
  members.end();
  const Json patch = settings == nullptr ? Json() : *settings;
  return [&office, &visit, patch](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto contract, found(tx, visit));
    if (is_service(contract)) {
      SCHAKEL_TRY(const auto judged, judge_change(office, contract, patch));
      return apply(tx, office, visit, "update", [&](sql::Transaction& unit, const Contract& present) {
        return wus::change_terms(unit, visit.tenant(), present.id, judged, present.version, office.now());
      });
    }
    Json merged = Json::parse(contract.settings.empty() ? "{}" : contract.settings, nullptr, false);
    merged.merge_patch(patch);
    const auto parsed = cpa::parse_settings(merged.dump());
    if (!parsed) {
      Faults wrong;
      add_fault(wrong, "body", "/settings" + parsed.error().location, parsed.error().code, parsed.error().detail);
      return judge(std::move(wrong)).error();
    }
    return apply(tx, office, visit, "update", [&](sql::Transaction& unit, const Contract& present) {
      return cpa::change_settings(unit, visit.tenant(), present.id, *parsed, present.version, office.now());
    });
  };
}

InTransaction remove(const Office& office, const Visit& visit, Faults&) {
  return [&office, &visit](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto contract, found(tx, visit));
    SCHAKEL_CHECK(check_if_match(visit.request, contract.version));
    if (is_service(contract))
      SCHAKEL_CHECK(wus::remove_service(tx, visit.tenant(), contract.id, contract.version, office.now()));
    else
      SCHAKEL_CHECK(cpa::remove(tx, visit.tenant(), contract.id, contract.version, office.now()));
    SCHAKEL_CHECK(audit(tx, office, visit, "contract.delete", contract.id, for_audit(contract), nullptr));
    return no_content();
  };
}

// --- partners ----------------------------------------------------------------------------------------------------------------------

InTransaction list_partners(const Office& office, const Visit& visit, Faults& faults) {
  Query query(visit.request, faults);
  const Page page = read_page(query);
  return [&office, &visit, page](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto circuits, exchange::circuits(tx));
    return paged(visit, page, partners_json(*office.dependencies.contracts(), visit.tenant(), {}, circuits));
  };
}

InTransaction show_partner(const Office& office, const Visit& visit, Faults&) {
  return [&office, &visit](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(const auto circuits, exchange::circuits(tx));
    const auto partners = partners_json(*office.dependencies.contracts(), visit.tenant(), visit.path[0], circuits);
    if (partners.empty()) return not_found();
    return json_response(200, partners.front());
  };
}

// The contract to ping under: the one named, else any active one with the partner.
const cpa::LoadedContract* contract_with(const cpa::Contracts& contracts, const Visit& visit, const std::string& cpa_id) {
  for (const auto& contract : contracts.all()) {
    const bool fits =
        contract.row.tenant == visit.tenant() && contract.row.state == ContractState::active && contract.partner().oin() == visit.path[0];
    if (fits && (cpa_id.empty() || contract.agreement.cpa_id == cpa_id)) return &contract;
  }
  return nullptr;
}

http::Awaitable<Answer<Response>> ping(const Office& office, Visit& visit, Faults faults) {
  Members members(visit.json, "", faults);
  const std::string cpa_id = members.text("cpaId").value_or("");
  members.end();
  if (auto verdict = judge(std::move(faults)); !verdict) co_return verdict.error();
  const auto contracts = office.dependencies.contracts();
  const auto* contract = contract_with(*contracts, visit, cpa_id);
  if (contract == nullptr) co_return not_found();
  std::string id;
  const auto started = co_await in_unit(office.dependencies.database, Access::write, [&](sql::Transaction& tx) -> Answer<Response> {
    SCHAKEL_TRY(id, office.dependencies.msh.start_ping(tx, visit.tenant(), contract->agreement.cpa_id, "", ""));
    SCHAKEL_CHECK(audit(tx, office, visit, "partner.ping", visit.path[0], nullptr, {{"cpaId", contract->agreement.cpa_id}}));
    return no_content();
  });
  if (!started) co_return started.error();
  const Instant began = office.now();
  const auto waited = co_await await_signal(office, id);
  if (!waited) co_return Refusal(waited.error());
  const auto& result = *waited;
  if (result.answered) {
    co_return json_response(
        200, OrderedJson{{"result", "pong"},
                         {"cpaId", contract->agreement.cpa_id},
                         {"messageId", id},
                         {"durationMs", std::chrono::duration_cast<std::chrono::milliseconds>(office.now() - began).count()}});
  }
  if (result.error.empty()) co_return Refusal("call.timeout", "De partner heeft niet op tijd geantwoord.");
  Refusal refusal("call.upstream", "De partner is niet bereikt.");
  refusal.members["reason"] = for_log(result.error);
  co_return refusal;
}

// What the node did by itself, in the audit log.
Result<> audit_own_act(sql::Transaction& tx, const Office& office, const Contract& contract, std::string_view action,
                       std::string_view reason) {
  Json record = {{"kind", "configuration"}, {"result", reason.empty() ? "ok" : "refused"},
                 {"actor", "schakel"},      {"action", action},
                 {"object", contract.id},   {"after", for_audit(contract)}};
  if (!reason.empty()) record["reason"] = reason;
  return exchange::append_audit(tx, contract.tenant, office.settings.node, office.now(),
                                record.dump(-1, ' ', false, Json::error_handler_t::replace));
}

// A contract that may not become active stays validated, without its time: it is not tried again and again.
Result<> give_up_schedule(sql::Transaction& tx, const Office& office, Contract contract, const Error& why) {
  SCHAKEL_TRY(auto settings, cpa::parse_settings(contract.settings));
  settings.valid_from.reset();
  SCHAKEL_TRY(contract, cpa::change_settings(tx, contract.tenant, contract.id, settings, contract.version, office.now()));
  return audit_own_act(tx, office, contract, "contract.activate", why.code);
}

}  // namespace

http::Awaitable<Result<>> activate_scheduled(const Office& office, std::string tenant, std::string id) {
  std::optional<Contract> contract;
  SCHAKEL_CO_CHECK(co_await exchange::read(office.dependencies.database, [&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_TRY(contract, exchange::find_contract(tx, tenant, id));
    return {};
  }));
  if (!contract || contract->state != ContractState::validated) co_return Result<>();
  if (is_service(*contract)) {
    const auto done = co_await exchange::commit(office.dependencies.database, [&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(const auto active, wus::activate_service(tx, tenant, id, contract->version, office.now()));
      return audit_own_act(tx, office, active, "contract.activate", {});
    });
    if (done) office.dependencies.log.info("contract.activated", {{"tenant", tenant}, {"contract", id}});
    if (!done) office.dependencies.log.error("contract.notActivated", {{"tenant", tenant}, {"contract", id}, {"code", done.error().code}});
    // A path that another service has is for an operator to decide; the next look comes in a minute.
    if (done || done.error().code != "state.conflict") co_return done;
    co_return Result<>();
  }
  SCHAKEL_CO_TRY(const auto settings, cpa::parse_settings(contract->settings));
  if (!settings.valid_from || *settings.valid_from > office.now()) co_return Result<>();
  const auto judged = judge_document(office, tenant, contract->document, settings, true);
  std::optional<Error> refused;
  if (auto protection = check_protection(office, *contract, settings, judged.validation); !protection)
    refused = fail(protection.error().code, protection.error().detail);
  if (!refused) {
    const auto done = co_await exchange::commit(office.dependencies.database, [&](sql::Transaction& tx) -> Result<> {
      SCHAKEL_TRY(const auto active, cpa::activate(tx, tenant, id, judged, contract->version, office.now()));
      return audit_own_act(tx, office, active, "contract.activate", {});
    });
    if (done) office.dependencies.log.info("contract.activated", {{"tenant", tenant}, {"contract", id}});
    // Whatever the store cannot do now, and what somebody else changed meanwhile, is for the next time.
    if (done || done.error().code.starts_with("storage.") || done.error().code == "version.conflict") co_return done;
    refused = done.error();
  }
  office.dependencies.log.error("contract.notActivated",
                                {{"tenant", tenant}, {"contract", id}, {"code", refused->code}, {"detail", refused->detail}});
  co_return co_await exchange::commit(office.dependencies.database,
                                      [&](sql::Transaction& tx) { return give_up_schedule(tx, office, *contract, *refused); });
}

void add_contract_routes(std::vector<Route>& routes, const Office& office) {
  const auto plan = [&office](auto function) {
    return Plan([&office, function](const Visit& visit, Faults& faults) { return function(office, visit, faults); });
  };
  const std::vector<std::string_view> pages = {"page", "perPage"};
  routes.push_back(
      {"GET", "/contracts", "contract.read", true, Body::none, {"kind", "cpaId", "state", "page", "perPage"}, Access::read, Plan(list)});
  const auto streaming = [&office](auto function) {
    return Streaming([&office, function](Visit& visit, Faults faults) { return function(office, visit, std::move(faults)); });
  };
  routes.push_back({"POST", "/contracts", "contract.create", false, Body::contract, {"overwrite"}, Access::write, streaming(import)});
  routes.push_back({"POST", "/contracts/_validate", "contract.read", false, Body::contract, {}, Access::read, streaming(validate_only)});
  routes.push_back({"GET",
                    "/contracts/_match",
                    "contract.read",
                    true,
                    Body::none,
                    {"from", "fromRole", "to", "toRole", "service", "action", "cpaId", "at"},
                    Access::read,
                    plan(match)});
  routes.push_back({"GET", "/contracts/{id}", "contract.read", true, Body::none, {}, Access::read, Plan(show)});
  routes.push_back({"PATCH", "/contracts/{id}", "contract.update", false, Body::merge_patch, {}, Access::write, plan(change)});
  routes.push_back({"DELETE", "/contracts/{id}", "contract.delete", false, Body::none, {}, Access::write, plan(remove)});
  routes.push_back({"GET", "/contracts/{id}/document", "contract.read", true, Body::none, {}, Access::read, Plan(show_document), true});
  routes.push_back({"POST",
                    "/contracts/{id}/_activate",
                    "contract.update",
                    false,
                    Body::optional_json,
                    {},
                    Access::write,
                    Streaming([&office](Visit& visit, Faults faults) { return activate(office, visit, std::move(faults)); })});
  routes.push_back({"POST",
                    "/contracts/{id}/_suspend",
                    "contract.update",
                    false,
                    Body::optional_json,
                    {},
                    Access::write,
                    transition(office, "suspend", &cpa::suspend, &wus::suspend_service)});
  routes.push_back({"POST",
                    "/contracts/{id}/_retire",
                    "contract.update",
                    false,
                    Body::optional_json,
                    {},
                    Access::write,
                    transition(office, "retire", &cpa::retire, &wus::retire_service)});
  routes.push_back({"GET", "/partners", "contract.read", false, Body::none, pages, Access::read, plan(list_partners)});
  routes.push_back({"GET", "/partners/{oin}", "contract.read", false, Body::none, {}, Access::read, plan(show_partner)});
  routes.push_back({"POST",
                    "/partners/{oin}/_ping",
                    "contract.act",
                    false,
                    Body::optional_json,
                    {},
                    Access::write,
                    Streaming([&office](Visit& visit, Faults faults) { return ping(office, visit, std::move(faults)); })});
}

}  // namespace schakel::api
