#include "cpa/store.hpp"

#include <algorithm>
#include <array>

#include "base/json_library.hpp"
#include "cpa/used.hpp"
#include "http/url.hpp"

namespace schakel::cpa {
namespace {

using exchange::Contract;
using exchange::ContractState;
using nlohmann::json;
using std::chrono::days;

constexpr std::string_view kind = "cpa";
constexpr std::string_view used_id_kind = "cpaId";

// The record that an id was used: found by a name of its own, so that ids which differ in case meet (CPA-007).
std::string used_id_key(std::string_view cpa_id) {
  return sha256_hex(to_lower(cpa_id));
}
std::string used_id_row(std::string_view tenant, std::string_view cpa_id) {
  return "cpaid-" + sha256_hex(std::string(tenant) + '\x1f' + to_lower(cpa_id));
}

Result<> check_unused(sql::Transaction& tx, std::string_view tenant, std::string_view cpa_id, std::string_view digest, bool overwrite) {
  SCHAKEL_TRY(const auto used, exchange::find_document(tx, tenant, used_id_kind, used_id_row(tenant, cpa_id)));
  if (!used) return {};
  const auto body = json::parse(used->body, nullptr, false);
  if (!body.is_object() || body.value("cpaId", "") != cpa_id) {
    return fail("state.conflict", "an id that differs only in upper and lower case is in use");
  }
  if (body.value("digest", "") != digest && !overwrite) {
    return fail("state.conflict", "the id was used before for another document, SHA-256 " + body.value("digest", ""));
  }
  return {};
}

Result<> remember_id(sql::Transaction& tx, std::string_view tenant, std::string_view cpa_id, std::string_view digest, Instant now) {
  exchange::Document used;
  used.id = used_id_row(tenant, cpa_id);
  used.tenant = tenant;
  used.kind = used_id_kind;
  used.key = used_id_key(cpa_id);
  used.body = json{{"cpaId", cpa_id}, {"digest", digest}}.dump();
  used.changed_at = now;
  return exchange::put_document(tx, used);
}

bool may_be_active(const Agreement& agreement, Instant now) {
  return agreement.status != "proposed" && now <= agreement.end.instant;
}

Error invalid(const Validation& validation) {
  std::string codes;
  for (const auto& finding : validation.findings) {
    if (finding.severity == Severity::error) codes.append(codes.empty() ? "" : ", ").append(finding.code);
  }
  return fail("contract.invalid", "the agreement is refused: " + codes);
}

Result<LoadedDocument> replace(sql::Transaction& tx, Contract contract, const JudgedDocument& judged, bool overwrite, Instant now) {
  if (!overwrite) {
    return fail("state.conflict",
                "the contract exists with other content: stored SHA-256 " + contract.digest + ", offered " + judged.digest);
  }
  if (contract.state == ContractState::retired) return fail("state.conflict", "a retired contract is not replaced");
  const bool stays = (contract.state == ContractState::active || contract.state == ContractState::suspended) &&
                     may_be_active(*judged.validation.agreement, now);
  if (!stays) contract.state = ContractState::validated;
  contract.document = judged.octets;
  contract.digest = judged.digest;
  contract.changed_at = now;
  SCHAKEL_CHECK(exchange::update_contract(tx, contract));
  ++contract.version;
  SCHAKEL_CHECK(remember_id(tx, contract.tenant, contract.name, judged.digest, now));
  return LoadedDocument{std::move(contract), LoadOutcome::replaced};
}

Result<Contract> found(sql::Transaction& tx, std::string_view tenant, std::string_view id, std::int64_t version) {
  SCHAKEL_TRY(auto contract, exchange::find_contract(tx, tenant, id));
  if (!contract || contract->kind != kind) return fail("contract.unknown", "there is no contract with this id");
  if (version != 0 && contract->version != version) return fail("version.conflict", "the contract was changed since it was read");
  return *std::move(contract);
}

Result<Contract> moved(sql::Transaction& tx, Contract contract, ContractState state, Instant now) {
  contract.state = state;
  contract.changed_at = now;
  if (state == ContractState::retired) contract.retired_at = now;
  SCHAKEL_CHECK(exchange::update_contract(tx, contract));
  ++contract.version;
  return contract;
}

Error wrong_state(const Contract& contract, std::string_view wanted) {
  return fail("state.conflict", "a contract that is " + std::string(to_string(contract.state)) + " cannot be " + std::string(wanted));
}

}  // namespace

JudgedDocument judge(Bytes octets, const ValidationOptions& options) {
  JudgedDocument out;
  out.digest = sha256_hex(octets);
  out.validation = validate(octets, options);
  out.octets = std::move(octets);
  return out;
}

Result<LoadedDocument> load(sql::Transaction& tx, std::string_view tenant, const JudgedDocument& judged, bool overwrite,
                            const ContractSettings& settings, Random& random, Instant now) {
  if (judged.validation.refused() || !judged.validation.agreement) return invalid(judged.validation);
  const auto& cpa_id = judged.validation.agreement->cpa_id;
  SCHAKEL_TRY(auto existing, exchange::find_contract_by_name(tx, tenant, kind, cpa_id));
  if (existing && existing->digest == judged.digest) return LoadedDocument{*std::move(existing), LoadOutcome::unchanged};
  if (existing) return replace(tx, *std::move(existing), judged, overwrite, now);
  SCHAKEL_CHECK(check_unused(tx, tenant, cpa_id, judged.digest, overwrite));

  Contract contract;
  contract.id = uuid_v7(random, now);
  contract.tenant = tenant;
  contract.kind = kind;
  contract.state = ContractState::validated;
  contract.name = cpa_id;
  contract.digest = judged.digest;
  contract.document = judged.octets;
  contract.created_at = contract.changed_at = now;
  contract.settings = to_json(settings);
  SCHAKEL_CHECK(exchange::insert_contract(tx, contract));
  SCHAKEL_CHECK(remember_id(tx, tenant, cpa_id, judged.digest, now));
  return LoadedDocument{std::move(contract), LoadOutcome::created};
}

namespace {

// What a verdict made for activation must say, for the contract as it is stored.
Result<> may_become_active(const Contract& contract, const JudgedDocument& judged, Instant when) {
  if (contract.digest != judged.digest) return fail("version.conflict", "the document was changed since it was judged");
  if (!judged.validation.agreement) return invalid(judged.validation);
  if (when > judged.validation.agreement->end.instant) return fail("contract.expired", "the agreement has ended");
  if (judged.validation.agreement->status == "proposed") return fail("state.conflict", "a proposed agreement cannot be active");
  if (judged.validation.refused()) {
    auto error = invalid(judged.validation);
    return fail("state.conflict", std::move(error.detail));
  }
  return {};
}

}  // namespace

Result<Contract> activate(sql::Transaction& tx, std::string_view tenant, std::string_view id, const JudgedDocument& judged,
                          std::int64_t version, Instant now) {
  SCHAKEL_TRY(auto contract, found(tx, tenant, id, version));
  if (contract.state != ContractState::validated && contract.state != ContractState::suspended) return wrong_state(contract, "activated");
  SCHAKEL_CHECK(may_become_active(contract, judged, now));
  SCHAKEL_TRY(auto settings, parse_settings(contract.settings));
  settings.valid_from.reset();
  contract.settings = to_json(settings);
  return moved(tx, std::move(contract), ContractState::active, now);
}

Result<Contract> schedule(sql::Transaction& tx, std::string_view tenant, std::string_view id, const JudgedDocument& judged,
                          Instant valid_from, std::int64_t version, Instant now) {
  SCHAKEL_TRY(auto contract, found(tx, tenant, id, version));
  if (contract.state != ContractState::validated) return wrong_state(contract, "scheduled");
  SCHAKEL_CHECK(may_become_active(contract, judged, valid_from));
  SCHAKEL_TRY(auto settings, parse_settings(contract.settings));
  settings.valid_from = valid_from;
  contract.settings = to_json(settings);
  return moved(tx, std::move(contract), ContractState::validated, now);
}

Result<Contract> expire(sql::Transaction& tx, std::string_view tenant, std::string_view id, Instant now) {
  SCHAKEL_TRY(auto contract, found(tx, tenant, id, 0));
  if (contract.state != ContractState::active && contract.state != ContractState::suspended) return wrong_state(contract, "expired");
  SCHAKEL_TRY(const auto agreement, parse(contract.document));
  if (now <= agreement.end.instant) return fail("state.conflict", "the agreement has not ended");
  return moved(tx, std::move(contract), ContractState::expired, now);
}

Result<Contract> suspend(sql::Transaction& tx, std::string_view tenant, std::string_view id, std::int64_t version, Instant now) {
  SCHAKEL_TRY(auto contract, found(tx, tenant, id, version));
  if (contract.state != ContractState::active) return wrong_state(contract, "suspended");
  return moved(tx, std::move(contract), ContractState::suspended, now);
}

Result<Contract> retire(sql::Transaction& tx, std::string_view tenant, std::string_view id, std::int64_t version, Instant now) {
  SCHAKEL_TRY(auto contract, found(tx, tenant, id, version));
  if (contract.state == ContractState::retired) return wrong_state(contract, "retired");
  return moved(tx, std::move(contract), ContractState::retired, now);
}

Result<> remove(sql::Transaction& tx, std::string_view tenant, std::string_view id, std::int64_t version, Instant now) {
  SCHAKEL_TRY(const auto contract, found(tx, tenant, id, version));
  SCHAKEL_TRY(const auto open, exchange::count_open_messages(tx, tenant, id, now));
  if (open > 0) return fail("contract.inUse", std::to_string(open) + " messages under the contract are not finished");
  return exchange::delete_contract(tx, tenant, contract.id);
}

Result<Contract> change_settings(sql::Transaction& tx, std::string_view tenant, std::string_view id, const ContractSettings& settings,
                                 std::int64_t version, Instant now) {
  SCHAKEL_TRY(auto contract, found(tx, tenant, id, version));
  contract.settings = to_json(settings);
  contract.changed_at = now;
  SCHAKEL_CHECK(exchange::update_contract(tx, contract));
  ++contract.version;
  return contract;
}

Result<> check_mapping(const UrlMapping& mapping, bool production) {
  if (mapping.source.empty()) return fail("mapping.invalid", "the source is empty", "/source");
  const auto url = http::parse_url(mapping.destination);
  if (!url) return fail("mapping.invalid", "the destination is not an absolute URL", "/destination");
  if (!url->is_tls() && production) return fail("mapping.invalid", "the destination must be https", "/destination");
  if (mapping.source == mapping.destination) return fail("mapping.invalid", "a URL is not mapped to itself", "/destination");
  return {};
}

Result<CertificateMapping> make_mapping(std::string_view tenant, BytesView source_der, BytesView destination_der, std::string_view cpa_id,
                                        Instant now) {
  const auto source = security::Certificate::from_der(source_der);
  if (!source) return fail("mapping.invalid", "the source is not a certificate", "/source");
  const auto destination = security::Certificate::from_der(destination_der);
  if (!destination) return fail("mapping.invalid", "the destination is not a certificate", "/destination");
  const auto &from = source->fields(), &to = destination->fields();
  if (*source == *destination) return fail("mapping.invalid", "a certificate is not mapped to itself", "/destination");
  if (from.oin.oin.empty() || from.oin.oin != to.oin.oin)
    return fail("mapping.invalid", "the certificates have different OINs", "/destination");
  if (now < to.not_before || now > to.not_after) return fail("mapping.invalid", "the destination is not valid now", "/destination");
  // Whatever the source could be used for, the destination must do: no key usage at all allows everything.
  const bool weaker = to.has_key_usage && ((from.has_key_usage ? from.key_usage : to.key_usage) & ~to.key_usage) != 0;
  if (to.is_ca || weaker) return fail("mapping.invalid", "the destination is not good for the same purposes", "/destination");
  return CertificateMapping{std::string(tenant), from.issuer, from.serial, std::string(cpa_id), Bytes(destination_der)};
}

Result<> check_conversation(const Agreement& agreement, const Conversations& conversations) {
  if (conversations.known) return {};
  if (agreement.invocation_limit && conversations.distinct >= *agreement.invocation_limit) {
    return fail("contract.limitReached",
                "the contract allows " + std::to_string(*agreement.invocation_limit) + " conversations; it needs renewal");
  }
  if (agreement.concurrent_conversations && conversations.open >= *agreement.concurrent_conversations) {
    return fail("contract.limitReached",
                "the contract allows " + std::to_string(*agreement.concurrent_conversations) + " conversations at a time");
  }
  return {};
}

std::optional<ExpiryWarning> expiry_warning(const LoadedContract& contract, Instant now, std::optional<Instant> last_warned) {
  if (contract.row.state != ContractState::active) return std::nullopt;
  ExpiryWarning out{"agreement", contract.agreement.end.instant, 0};
  for (const auto& used : certificates_in_use(contract.agreement)) {
    if (used.is_tls() && contract.settings.tls_offloaded) continue;
    const auto* entry = used.party->certificate(used.id);
    const auto certificate = entry == nullptr ? Result<security::Certificate>(fail("", "")) : security::Certificate::from_der(entry->der);
    if (certificate && (*certificate)->not_after < out.ends) out = {used.id, (*certificate)->not_after, 0};
  }
  constexpr std::array steps = {days(90), days(60), days(30), days(14), days(7), days(1)};
  const auto left = out.ends - now;
  if (left > steps.front()) return std::nullopt;
  // The moment at which the latest warning fell due: the last step passed, or since the last day the same hour each day.
  Instant due = out.ends - steps.front();
  for (const auto step : steps) {
    if (left <= step) due = out.ends - step;
  }
  if (left <= steps.back()) due += std::chrono::floor<days>(now - due);
  if (last_warned && *last_warned >= due) return std::nullopt;
  out.days = std::chrono::floor<days>(left).count();
  return out;
}

}  // namespace schakel::cpa
