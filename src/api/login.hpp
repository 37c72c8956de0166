// Login at the doors that take API keys, and the audit records of those who are refused (ADP-800, ADP-802, SEC-103..105).
//
// Holds the snapshot of keys: read anew when the configuration has changed, at most two seconds after it did. Threads: safe from every
// thread.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "api/keys.hpp"
#include "api/refusal.hpp"
#include "http/asio.hpp"

namespace schakel::api {

struct Office;  // api/resources.hpp

// Who makes a request, with the snapshot that holds it.
class Caller {
 public:
  Caller(std::shared_ptr<const Keys> keys, const Principal& principal) : keys_(std::move(keys)), principal_(&principal) {}
  const Principal& operator*() const { return *principal_; }
  const Principal* operator->() const { return principal_; }

 private:
  std::shared_ptr<const Keys> keys_;
  const Principal* principal_;
};

class Login {
 public:
  explicit Login(const Office& office) : office_(office) {}
  Login(const Login&) = delete;
  Login& operator=(const Login&) = delete;

  // Whose key `credential` is: see credential_of. Errors: auth.missing, auth.invalid, storage.unavailable.
  http::Awaitable<Answer<Caller>> authenticate(const http::Request&, std::optional<std::string> credential);
  // At the doors of applications that know no API keys: also as the password of Basic, and without any credentials with the key `otherwise`
  // (empty: they are refused). A 401 has the challenge that HTTP clients know how to meet.
  http::Awaitable<Answer<Caller>> authenticate_application(const http::Request&, const std::string& otherwise);
  // auth.forbidden when the principal has not this permission, not even for what it made itself. Empty: everybody has it.
  http::Awaitable<Answer<>> authorise(const http::Request&, const Principal&, std::string_view permission);
  // The refusal of a request with a token in its target, whatever the token is worth: every log on its way knows it. A real key is revoked
  // (REST-005, REST-067, adapter.md section 4). nullopt: there is none.
  http::Awaitable<std::optional<Refusal>> refuse_token_in_target(const http::Request&);
  // The next request reads the keys anew.
  void forget();

 private:
  http::Awaitable<Result<std::shared_ptr<const Keys>>> keys_now();
  http::Awaitable<> tell_refused(const http::Request&, std::string_view tenant, std::string_view actor, std::string_view kind,
                                 std::string_view reason);
  bool is_told_now(const std::string& what);

  const Office& office_;
  std::mutex mutex_;  // of what follows
  std::shared_ptr<const Keys> keys_;
  std::int64_t keys_version_ = -1;
  Instant keys_checked_{};
  bool keys_stale_ = true;
  std::unordered_map<std::string, Instant> told_;
};

}  // namespace schakel::api
