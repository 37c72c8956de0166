#include "security/pkcs11.hpp"

#include <algorithm>
#include <shared_mutex>

#include "security/token.hpp"
#include "security/token_provider.hpp"

namespace schakel::security {
namespace {

Error refused(std::string detail) {
  return fail("SEC.SLEUTEL.PKCS11", std::move(detail));
}

std::string labels(const std::vector<Cryptoki::Slot>& slots) {
  std::string list;
  for (const auto& slot : slots) list += (list.empty() ? "" : ", ") + token_name(slot.token);
  return list.empty() ? "it shows no token" : "it shows " + list;
}

}  // namespace

Result<> check_pkcs11_uri(const std::string& uri) {
  SCHAKEL_CHECK(Pkcs11Uri::parse(uri));
  return {};
}

Pkcs11Module::Pkcs11Module(std::string path, Log& log, Metrics& metrics) : path_(std::move(path)), log_(log), metrics_(metrics) {}

Pkcs11Module::Pkcs11Module(CK_FUNCTION_LIST* functions, Log& log, Metrics& metrics)
    : log_(log), metrics_(metrics), library_(std::make_shared<Cryptoki>(functions)) {}

Pkcs11Module::~Pkcs11Module() = default;

Result<std::shared_ptr<Cryptoki>> Pkcs11Module::loaded() {
  const std::lock_guard guard(mutex_);
  if (library_) return library_;
  if (path_.empty()) return refused("a key is in a token, but pki.pkcs11-module does not name the PKCS#11 library that reaches it");
  SCHAKEL_TRY(library_, Cryptoki::load(path_));
  return library_;
}

Result<std::shared_ptr<Token>> Pkcs11Module::token_for(const Pkcs11Uri& uri) {
  SCHAKEL_TRY(const auto library, loaded());
  const auto slots = [&] {
    const std::shared_lock together(library->gate());
    return library->slots();
  }();
  std::vector<const Cryptoki::Slot*> fitting;
  for (const auto& slot : slots)
    if (uri.fits(slot.id, slot.slot, slot.token)) fitting.push_back(&slot);
  if (fitting.empty()) return refused("no token fits " + uri.text() + ": " + labels(slots));
  if (fitting.size() > 1) return refused("several tokens fit " + uri.text() + ", add token= or serial=: " + labels(slots));
  const std::lock_guard guard(mutex_);
  const auto known = std::ranges::find_if(tokens_, [&](const auto& token) { return token->is(fitting.front()->token); });
  if (known != tokens_.end()) return *known;
  return tokens_.emplace_back(std::make_shared<Token>(library, *fitting.front(), log_, metrics_));
}

Result<std::shared_ptr<Token>> Pkcs11Module::open(const Pkcs11Uri& uri, const std::string& pin) {
  if (pin.empty()) return refused("the key is in a token: configure the token's PIN as passphrase (file: or env:)");
  SCHAKEL_TRY(auto token, token_for(uri));
  SCHAKEL_CHECK(token->log_in(pin));
  return token;
}

Result<PrivateKey> Pkcs11Module::key(const std::string& text, const std::string& pin) {
  SCHAKEL_TRY(const auto uri, Pkcs11Uri::parse(text));
  SCHAKEL_TRY(auto token, open(uri, pin));
  SCHAKEL_TRY(auto key, TokenKey::find(std::move(token), uri));
  return as_private_key(std::move(key));
}

Result<std::vector<Certificate>> Pkcs11Module::certificates(const std::string& text, const std::string& pin) {
  SCHAKEL_TRY(const auto uri, Pkcs11Uri::parse(text));
  SCHAKEL_TRY(const auto token, open(uri, pin));
  SCHAKEL_TRY(const auto ders, token->certificates());
  std::vector<Certificate> list;
  // Other people's objects may be anything; what is no certificate is not ours.
  for (const auto& der : ders)
    if (auto certificate = Certificate::from_der(der)) list.push_back(std::move(*certificate));
  return list;
}

std::vector<std::string> Pkcs11Module::failing() const {
  const std::lock_guard guard(mutex_);
  std::vector<std::string> list;
  for (const auto& token : tokens_)
    if (auto why = token->failing(); !why.empty()) list.push_back(std::move(why));
  return list;
}

}  // namespace schakel::security
