#include "api/keys.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "base/bytes.hpp"
#include "exchange/store.hpp"
#include "http/address.hpp"

namespace schakel::api {
namespace {

constexpr std::size_t token_characters = 43;  // 256 bits in base64url
constexpr std::string_view own_suffix = ":own";

constexpr std::string_view objects[] = {"message", "payload", "contract", "route",  "certificate", "key",     "mandate", "webhook",
                                        "queue",   "tenant",  "user",     "apiKey", "quota",       "usage",   "alert",   "notice",
                                        "archive", "audit",   "node",     "config", "compliance",  "register"};
constexpr std::string_view verbs[] = {"read", "create", "update", "delete", "act", "export", "approve"};

// What a role may: objects and verbs, each "a,b,c" or "*".
struct Grant {
  std::string_view objects, verbs;
};
struct Role {
  std::string_view name;
  bool platform;
  std::span<const Grant> grants;
};

constexpr Grant platform_admin[] = {{"tenant,node,config,user,apiKey,quota", "*"}};
constexpr Grant platform_operator[] = {{"node", "read,update,act"}, {"alert", "*"}, {"message,config", "read"}};
constexpr Grant tenant_admin[] = {
    {"message,contract,route,certificate,key,mandate,webhook,queue,user,apiKey,alert,notice,archive,compliance,register", "*"},
    {"tenant", "read,update,export"},
    {"quota,usage,audit,config,node", "read,export"},
    {"payload", "delete"}};
constexpr Grant tenant_operator[] = {{"message", "read,act"}, {"queue", "*"}, {"webhook,alert", "read"}, {"contract", "read,act"}};
constexpr Grant security_officer[] = {{"certificate,key,mandate", "*"}, {"user", "read,approve"}};
constexpr Grant contract_manager[] = {{"contract,route,register", "*"}, {"mandate,certificate", "read"}};
constexpr Grant integrator[] = {{"message", "create,read,update"}, {"queue", "*"}, {"contract", "read"}, {"webhook", "own"}};
constexpr Grant auditor[] = {
    {"message", "read,export"},
    {"contract,route,certificate,mandate,webhook,queue,tenant,user,apiKey,quota,usage,alert,notice,archive,node,config,compliance,register",
     "read"},
    {"audit", "read,export"}};
constexpr Grant viewer[] = {{"message,contract,route,certificate,mandate,webhook,queue,alert,notice,register", "read"}};
constexpr Grant billing[] = {{"usage", "*"}, {"quota", "read"}};

constexpr Role role_table[] = {{"platform-admin", true, platform_admin},
                               {"platform-operator", true, platform_operator},
                               {"tenant-admin", false, tenant_admin},
                               {"tenant-operator", false, tenant_operator},
                               {"security-officer", false, security_officer},
                               {"contract-manager", false, contract_manager},
                               {"integrator", false, integrator},
                               {"auditor", false, auditor},
                               {"viewer", false, viewer},
                               {"billing", false, billing}};

const Role* role_of(std::string_view name) {
  const auto found = std::find_if(std::begin(role_table), std::end(role_table), [&](const Role& role) { return role.name == name; });
  return found == std::end(role_table) ? nullptr : &*found;
}

template <class Visit>
void each(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const auto end = std::min(list.find(','), list.size());
    visit(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

void add_grant(std::set<std::string, std::less<>>& out, std::string_view object, std::string_view verb_list) {
  const auto add = [&](std::string_view verb, std::string_view suffix) {
    out.insert(std::string(object) + "." + std::string(verb) + std::string(suffix));
  };
  if (verb_list == "*" || verb_list == "own") {
    for (const auto verb : verbs) add(verb, verb_list == "own" ? own_suffix : "");
    return;
  }
  each(verb_list, [&](std::string_view verb) { add(verb, ""); });
}

std::optional<Instant> optional_instant(const Json& body, const char* name) {
  if (!body.contains(name)) return std::nullopt;
  const auto parsed = parse_datetime(body.value(name, std::string()));
  // An end that cannot be read has come.
  return parsed ? parsed->instant : Instant{};
}

Refusal unauthorised(std::string_view code, std::string detail) {
  Refusal refusal{std::string(code), std::move(detail)};
  refusal.headers.set("WWW-Authenticate", "Bearer realm=\"schakel\"");
  return refusal;
}

std::string last_error() {
  return std::error_code(errno, std::generic_category()).message();
}

// Closes what was opened.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

// A new file that only its owner can read, on disk when this returns.
Result<> write_secret_file(const std::string& path, std::string_view text) {
  const File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
  if (file.get() < 0) return fail("config.invalid", "de eerste API-sleutel kan niet worden geschreven naar " + path + ": " + last_error());
  const auto written = ::write(file.get(), text.data(), text.size());
  if (!std::cmp_equal(written, text.size()) || ::fsync(file.get()) != 0) {
    Error error = fail("config.invalid", "de eerste API-sleutel kan niet worden geschreven naar " + path + ": " + last_error());
    ::unlink(path.c_str());
    return error;
  }
  return {};
}

}  // namespace

bool is_permission(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return false;
  const auto in = [](auto& list, std::string_view value) { return std::find(std::begin(list), std::end(list), value) != std::end(list); };
  return in(objects, text.substr(0, dot)) && in(verbs, text.substr(dot + 1));
}

bool is_role(std::string_view name) {
  return role_of(name) != nullptr;
}

bool is_platform_role(std::string_view name) {
  const Role* role = role_of(name);
  return role != nullptr && role->platform;
}

std::set<std::string, std::less<>> permissions_of(std::string_view name) {
  std::set<std::string, std::less<>> out;
  const Role* role = role_of(name);
  if (role == nullptr) return out;
  for (const auto& grant : role->grants) each(grant.objects, [&](std::string_view object) { add_grant(out, object, grant.verbs); });
  return out;
}

Result<ApiKey> api_key_from(const exchange::Document& document) {
  const Json body = Json::parse(document.body, nullptr, false);
  if (!body.is_object()) return fail("storage.failed", "een API-sleutel is onleesbaar: " + document.id);
  ApiKey key;
  key.id = document.id;
  key.tenant = document.tenant;
  key.hash = document.key;
  key.version = document.version;
  key.name = body.value("name", "");
  key.roles = body.value("roles", std::vector<std::string>{});
  key.permissions = body.value("permissions", std::vector<std::string>{});
  key.source_networks = body.value("sourceNetworks", std::vector<std::string>{});
  key.environment = body.value("environment", "test");
  key.created_by = body.value("createdBy", "");
  const auto created = parse_datetime(body.value("createdAt", std::string()));
  key.created_at = created ? created->instant : Instant{};
  key.expires_at = optional_instant(body, "expiresAt");
  key.revoked_at = optional_instant(body, "revokedAt");
  return key;
}

exchange::Document to_document(const ApiKey& key) {
  OrderedJson body{{"name", key.name},
                   {"roles", key.roles},
                   {"permissions", key.permissions},
                   {"sourceNetworks", key.source_networks},
                   {"environment", key.environment},
                   {"createdBy", key.created_by},
                   {"createdAt", to_rfc3339(key.created_at)}};
  if (key.expires_at) body["expiresAt"] = to_rfc3339(*key.expires_at);
  if (key.revoked_at) body["revokedAt"] = to_rfc3339(*key.revoked_at);
  exchange::Document document;
  document.id = key.id;
  document.tenant = key.tenant;
  document.kind = "apiKey";
  document.key = key.hash;
  document.body = body.dump();
  document.version = key.version;
  document.changed_at = key.revoked_at.value_or(key.created_at);
  return document;
}

std::string make_token(Random& random, std::string_view environment) {
  std::array<unsigned char, 32> octets{};
  random.fill(octets);
  return (environment == "production" ? "sk_live_" : "sk_test_") +
         to_base64url({reinterpret_cast<const char*>(octets.data()), octets.size()});
}

bool looks_like_token(std::string_view text) {
  if (!text.starts_with("sk_live_") && !text.starts_with("sk_test_")) return false;
  return text.size() == 8 + token_characters;
}

bool Principal::may(std::string_view permission) const {
  return permissions.contains(permission);
}

bool Principal::only_own(std::string_view permission) const {
  return !may(permission) && permissions.contains(std::string(permission) + std::string(own_suffix));
}

static Principal principal_of(const ApiKey& key) {
  Principal principal;
  principal.id = key.id;
  principal.name = key.name;
  principal.tenant = key.tenant;
  principal.roles = key.roles;
  for (const auto& role : key.roles) principal.permissions.merge(permissions_of(role));
  principal.permissions.insert(key.permissions.begin(), key.permissions.end());
  return principal;
}

Keys::Keys(std::vector<ApiKey> keys) {
  for (auto& key : keys) {
    std::string hash = key.hash;
    Principal principal = principal_of(key);
    by_hash_.emplace(std::move(hash), Entry{std::move(key), std::move(principal)});
  }
}

Result<std::shared_ptr<const Keys>> Keys::load(sql::Transaction& tx) {
  SCHAKEL_TRY(const auto documents, exchange::all_documents(tx, "apiKey"));
  std::vector<ApiKey> keys;
  for (const auto& document : documents) {
    SCHAKEL_TRY(auto key, api_key_from(document));
    keys.push_back(std::move(key));
  }
  return std::shared_ptr<const Keys>(std::make_shared<const Keys>(std::move(keys)));
}

const Keys::Entry* Keys::entry_of(std::string_view token) const {
  if (!looks_like_token(token)) return nullptr;
  // Looking up by the hash gives an attacker nothing to time.
  const auto found = by_hash_.find(sha256_hex(token));
  return found == by_hash_.end() ? nullptr : &found->second;
}

const ApiKey* Keys::find(std::string_view token) const {
  const Entry* entry = entry_of(token);
  return entry == nullptr ? nullptr : &entry->key;
}

std::optional<std::string> credential_of(const http::Request& request) {
  std::vector<std::string> found;
  for (const auto& [name, value] : request.headers) {
    if (equals_ignoring_case(name, "X-Api-Key")) found.emplace_back(trim(value));
    if (!equals_ignoring_case(name, "Authorization")) continue;
    const std::string_view text = trim(value);
    if (text.size() < 7 || !equals_ignoring_case(text.substr(0, 7), "Bearer ")) return std::nullopt;
    found.emplace_back(trim(text.substr(7)));
  }
  if (found.empty()) return std::string();
  if (!std::all_of(found.begin(), found.end(), [&](const auto& one) { return !one.empty() && one == found.front(); })) return std::nullopt;
  return found.front();
}

std::optional<std::string> credential_or_password_of(const http::Request& request) {
  constexpr std::string_view scheme = "Basic ";
  const auto given = request.headers.find("Authorization");
  const bool is_basic = given && given->size() > scheme.size() && equals_ignoring_case(given->substr(0, scheme.size()), scheme);
  if (!is_basic) return credential_of(request);
  if (request.headers.count("Authorization") > 1 || request.headers.find("X-Api-Key")) return std::nullopt;
  const auto pair = from_base64(trim(given->substr(scheme.size())));
  const auto colon = pair ? pair->find(':') : std::string::npos;
  if (colon == std::string::npos || colon + 1 == pair->size()) return std::nullopt;
  return pair->substr(colon + 1);
}

Answer<const Principal*> Keys::authenticate(const std::optional<std::string>& credential, std::string_view remote_address, Instant now,
                                            std::string& reason) const {
  if (credential && credential->empty()) {
    reason = "missing";
    return unauthorised("auth.missing", "Geef een API-sleutel in X-Api-Key of Authorization.");
  }
  const Entry* entry = credential ? entry_of(*credential) : nullptr;
  if (entry == nullptr) {
    reason = "unknown";
  } else if (entry->key.revoked_at) {
    reason = "revoked";
  } else if (entry->key.expires_at && *entry->key.expires_at <= now) {
    reason = "expired";
  } else if (!entry->key.source_networks.empty() && !http::is_in_networks(remote_address, entry->key.source_networks)) {
    reason = "sourceNetwork";
  } else {
    return &entry->principal;
  }
  return unauthorised("auth.invalid", "De inloggegevens zijn niet geldig.");
}

Result<bool> make_first_key(sql::Database& database, const FirstKey& first, Random& random, Instant now) {
  bool needed = false;
  const auto look = [&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_TRY(const auto present, exchange::documents(tx, first.tenant, "apiKey"));
    needed = present.empty();
    return {};
  };
  SCHAKEL_CHECK(database.read(look));
  if (!needed) return false;
  const std::string token = make_token(random, first.environment);
  ApiKey key;
  key.id = uuid_v7(random, now);
  key.tenant = first.tenant;
  key.name = "first";
  key.hash = sha256_hex(token);
  key.roles = first.roles;
  key.permissions = first.permissions;
  key.environment = first.environment;
  key.created_by = "schakel serve";
  key.created_at = now;
  // The file first: a key that nobody knows is of no use, a file without a key is removed again.
  SCHAKEL_CHECK(write_secret_file(first.path, token + "\n"));
  const auto stored = database.commit([&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(look(tx));
    return needed ? exchange::put_document(tx, to_document(key)) : Result<>{};
  });
  if (stored && needed) return true;
  ::unlink(first.path.c_str());
  if (!stored) return stored.error();
  return false;
}

}  // namespace schakel::api
