// Who calls: API keys, roles and permissions (ADP-800, ADP-802, adapter.md 2.9).
//
// A key is 256 random bits, shown once and stored as SHA-256. `Keys` is an immutable snapshot of all keys of all tenants, found by that
// hash; the API swaps in a new one when the configuration version has grown, so that a revocation holds on every node within 5 seconds.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/refusal.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "exchange/message.hpp"
#include "http/message.hpp"
#include "sql/database.hpp"

namespace schakel::api {

// `<object>.<verb>`; a permission that ends in ":own" reaches only what the principal made itself.
bool is_permission(std::string_view);
bool is_role(std::string_view);
bool is_platform_role(std::string_view);  // scope: the installation
// The permissions of one role; `payload.read` is in none.
std::set<std::string, std::less<>> permissions_of(std::string_view role);

struct ApiKey {
  std::string id, tenant, name;
  std::string hash;  // SHA-256 of the whole token, hex
  std::vector<std::string> roles;
  std::vector<std::string> permissions;      // beyond the roles: payload.read
  std::vector<std::string> source_networks;  // CIDR; empty: everywhere
  std::string environment = "test";
  std::string created_by;
  Instant created_at;
  std::optional<Instant> expires_at, revoked_at;
  std::int64_t version = 1;
};
Result<ApiKey> api_key_from(const exchange::Document&);
exchange::Document to_document(const ApiKey&);

// "sk_live_" or "sk_test_" and 43 characters of base64url.
std::string make_token(Random&, std::string_view environment);
bool looks_like_token(std::string_view);

// The one credential of a request, from X-Api-Key or Authorization: Bearer. Empty: none; nullopt: several that differ, or a scheme that is
// not known here.
std::optional<std::string> credential_of(const http::Request&);
// The same, or the password of `Authorization: Basic` with any user name (RFC 7617), which is what older applications can be given.
std::optional<std::string> credential_or_password_of(const http::Request&);

struct Principal {
  std::string id;  // of the API key: the actor in trail and audit
  std::string name;
  std::string tenant;
  std::vector<std::string> roles;
  std::set<std::string, std::less<>> permissions;

  bool may(std::string_view permission) const;
  // Has the permission for its own objects only.
  bool only_own(std::string_view permission) const;
};

class Keys {
 public:
  explicit Keys(std::vector<ApiKey>);
  static Result<std::shared_ptr<const Keys>> load(sql::Transaction&);

  const ApiKey* find(std::string_view token) const;
  // `credential`: as credential_of gives it. auth.missing, auth.invalid: the same answer for every reason, which `reason` names for the
  // audit log. The principal lives as long as the snapshot.
  Answer<const Principal*> authenticate(const std::optional<std::string>& credential, std::string_view remote_address, Instant now,
                                        std::string& reason) const;

 private:
  struct Entry {
    ApiKey key;
    Principal principal;
  };
  const Entry* entry_of(std::string_view token) const;
  std::unordered_map<std::string, Entry> by_hash_;
};

// The first key of an installation, for `schakel serve`: made when the tenant has no key at all and written to a new file with mode 0600.
// True: made. Blocks; for start-up. Errors: of the store; "config.invalid" when the file is there already or cannot be written. After an
// error there is no file of ours.
struct FirstKey {
  std::string tenant;
  std::string environment = "test";
  std::string path;  // of the file
  std::vector<std::string> roles = {"platform-admin", "platform-operator", "tenant-admin"};
  std::vector<std::string> permissions;
};
Result<bool> make_first_key(sql::Database&, const FirstKey&, Random&, Instant now);

}  // namespace schakel::api
