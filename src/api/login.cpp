#include "api/login.hpp"

#include "api/resources.hpp"
#include "exchange/commit.hpp"

namespace schakel::api {
namespace {

using http::Awaitable;
using http::Request;

constexpr Duration keys_age_max = std::chrono::seconds(2);        // of ADP-802's 5 s
constexpr Duration failure_told_every = std::chrono::minutes(1);  // SEC-105
constexpr std::size_t failures_kept_max = 10'000;

std::optional<std::string> token_in_target(const Request& request) {
  constexpr std::size_t token_bytes = 51;
  for (const std::string_view prefix : {"sk_live_", "sk_test_"}) {
    for (auto at = request.target.find(prefix); at != std::string::npos; at = request.target.find(prefix, at + 1))
      return request.target.substr(at, token_bytes);
  }
  static constexpr std::string_view names[] = {"access_token", "accessToken", "apiKey", "api_key", "apikey",       "api-key",
                                               "x-api-key",    "X-Api-Key",   "key",    "token",   "authorization"};
  for (const auto& [name, value] : request.query) {
    if (std::find(std::begin(names), std::end(names), name) != std::end(names)) return value;
  }
  return std::nullopt;
}

}  // namespace

Awaitable<Result<std::shared_ptr<const Keys>>> Login::keys_now() {
  const Instant now = office_.now();
  std::int64_t known = -1;
  {
    const std::lock_guard lock(mutex_);
    if (keys_ && !keys_stale_ && now - keys_checked_ < keys_age_max && now >= keys_checked_) co_return keys_;
    if (keys_ && !keys_stale_) known = keys_version_;
  }
  std::int64_t version = 0;
  std::shared_ptr<const Keys> fresh;
  const auto read = co_await exchange::read(office_.dependencies.database, [&](sql::Transaction& tx) -> Result<> {
    fresh.reset();
    SCHAKEL_TRY(version, exchange::configuration_version(tx));
    if (version == known) return {};
    SCHAKEL_TRY(fresh, Keys::load(tx));
    return {};
  });
  if (!read) co_return read.error();
  const std::lock_guard lock(mutex_);
  if (fresh) {
    keys_ = fresh;
    keys_version_ = version;
  }
  keys_checked_ = now;
  keys_stale_ = false;
  co_return keys_;
}

void Login::forget() {
  const std::lock_guard lock(mutex_);
  keys_stale_ = true;
}

Awaitable<Answer<Caller>> Login::authenticate(const Request& request, std::optional<std::string> credential) {
  auto known = co_await keys_now();
  if (!known) co_return Refusal("storage.unavailable", "De opslag is nu niet beschikbaar.");
  std::string reason;
  const auto principal = (*known)->authenticate(credential, request.remote_address, office_.now(), reason);
  if (principal) co_return Caller(std::move(*known), **principal);
  co_await tell_refused(request, "", "", "authentication", reason);
  co_return principal.error();
}

Awaitable<Answer<Caller>> Login::authenticate_application(const Request& request, const std::string& otherwise) {
  auto credential = credential_or_password_of(request);
  if (credential && credential->empty()) credential = otherwise;
  auto caller = co_await authenticate(request, std::move(credential));
  if (caller) co_return std::move(*caller);
  Refusal refusal = caller.error();
  if (http::status_of(refusal.code) == 401) refusal.headers.set("WWW-Authenticate", "Basic realm=\"schakel\", charset=\"UTF-8\"");
  co_return refusal;
}

Awaitable<Answer<>> Login::authorise(const Request& request, const Principal& principal, std::string_view permission) {
  if (permission.empty() || principal.may(permission) || principal.only_own(permission)) co_return Answer<>{};
  co_await tell_refused(request, principal.tenant, principal.id, "authorisation", permission);
  co_return Refusal("auth.forbidden", "Hiervoor is het recht " + std::string(permission) + " nodig.");
}

Awaitable<std::optional<Refusal>> Login::refuse_token_in_target(const Request& request) {
  const auto token = token_in_target(request);
  if (!token) co_return std::nullopt;
  auto known = co_await keys_now();
  const ApiKey* key = known ? (*known)->find(*token) : nullptr;
  if (key != nullptr && !key->revoked_at) {
    ApiKey revoked = *key;
    revoked.revoked_at = office_.now();
    const auto done = co_await exchange::commit(office_.dependencies.database,
                                                [&](sql::Transaction& tx) { return exchange::put_document(tx, to_document(revoked)); });
    if (done) {
      office_.dependencies.log.error("apiKey.revoked", {{"apiKey", revoked.id}, {"reason", "urlToken"}});
      forget();
    }
  }
  const std::string tenant = key == nullptr ? std::string() : key->tenant, actor = key == nullptr ? std::string() : key->id;
  co_await tell_refused(request, tenant, actor, "authentication", "urlToken");
  Faults faults;
  add_fault(faults, "query", "", "credentials", "inloggegevens horen in een kopregel, nooit in een adres");
  co_return judge(std::move(faults)).error();
}

bool Login::is_told_now(const std::string& what) {
  const Instant now = office_.now();
  const std::lock_guard lock(mutex_);
  if (told_.size() >= failures_kept_max) told_.clear();
  const auto [entry, is_new] = told_.try_emplace(what, now);
  if (!is_new && now - entry->second < failure_told_every) return false;
  entry->second = now;
  return true;
}

// Refused logins and permissions in the audit log: the first of an address, then one a minute.
Awaitable<> Login::tell_refused(const Request& request, std::string_view tenant, std::string_view actor, std::string_view kind,
                                std::string_view reason) {
  const auto& known = office_.dependencies;
  known.log.warning("api.refused",
                    {{"kind", kind}, {"reason", reason}, {"address", request.remote_address}, {"requestId", request.request_id}});
  if (!is_told_now(request.remote_address + " " + std::string(reason) + " " + std::string(actor))) co_return;
  Json record = {
      {"kind", kind}, {"result", "refused"}, {"reason", reason}, {"listener", request.listener}, {"address", request.remote_address}};
  if (!actor.empty()) record["actor"] = actor;
  record["action"] = request.method;
  record["object"] = for_log(request.path);
  const std::string text = record.dump(-1, ' ', false, Json::error_handler_t::replace);
  const Instant now = office_.now();
  const auto done = co_await exchange::commit(
      known.database, [&](sql::Transaction& tx) { return exchange::append_audit(tx, tenant, office_.settings.node, now, text); });
  if (!done) known.log.error("audit.failed", {{"code", done.error().code}});
}

}  // namespace schakel::api
