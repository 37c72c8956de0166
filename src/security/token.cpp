#include "security/token.hpp"

#include <p11-kit/p11-kit.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace schakel::security {
namespace {

constexpr std::size_t uri_bytes_max = 1024;
constexpr std::size_t sessions_max = 64;  // of one token; more threads wait
constexpr CK_ULONG slots_max = 256, objects_max = 256;
constexpr CK_ULONG attribute_bytes_max = 64 * 1024;
constexpr std::chrono::seconds session_wait_max{10};
constexpr std::chrono::seconds reopen_pause{1};  // a token that is away or ill is not opened anew by every handshake

Error refused(std::string detail) {
  return fail("SEC.SLEUTEL.PKCS11", std::move(detail));
}

std::string text_of(const unsigned char* padded, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(padded), size);
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

bool is_about_pin(CK_RV rv) {
  switch (rv) {
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
    case CKR_PIN_EXPIRED:
    case CKR_PIN_LOCKED:
    case CKR_USER_PIN_NOT_INITIALIZED:
      return true;
    default:
      return false;
  }
}

// The session, the login or the token is gone: a new session may help.
bool is_lost(CK_RV rv, Token::Input input) {
  switch (rv) {
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_SESSION_CLOSED:
    case CKR_USER_NOT_LOGGED_IN:
    case CKR_DEVICE_ERROR:
    case CKR_DEVICE_REMOVED:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
    case CKR_SLOT_ID_INVALID:
    case CKR_KEY_HANDLE_INVALID:
    case CKR_OBJECT_HANDLE_INVALID:
    case CKR_CRYPTOKI_NOT_INITIALIZED:
      return true;
    // Some tokens say this of ciphertext that they do not like; a peer must not be able to make us open the token anew.
    case CKR_GENERAL_ERROR:
    case CKR_FUNCTION_FAILED:
      return input == Token::Input::ours;
    default:
      return false;
  }
}

template <class T>
CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, T& value) {
  return {type, &value, sizeof value};
}
CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, Bytes& value) {
  return {type, value.data(), value.size()};
}

CK_RV find_objects(const CK_FUNCTION_LIST& functions, CK_SESSION_HANDLE session, std::vector<CK_ATTRIBUTE> wanted,
                   std::vector<CK_OBJECT_HANDLE>& found) {
  if (const auto rv = functions.C_FindObjectsInit(session, wanted.data(), wanted.size()); rv != CKR_OK) return rv;
  found.resize(objects_max);
  CK_ULONG count = 0;
  const auto rv = functions.C_FindObjects(session, found.data(), objects_max, &count);
  found.resize(rv == CKR_OK ? std::min(count, objects_max) : 0);
  functions.C_FindObjectsFinal(session);
  return rv;
}

// Empty when the object has no such attribute.
CK_RV read_attribute(const CK_FUNCTION_LIST& functions, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                     Bytes& value) {
  value.clear();
  CK_ATTRIBUTE one{type, nullptr, 0};
  auto rv = functions.C_GetAttributeValue(session, object, &one, 1);
  if (rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE) return CKR_OK;
  if (rv != CKR_OK) return rv;
  if (one.ulValueLen == CK_UNAVAILABLE_INFORMATION || one.ulValueLen > attribute_bytes_max) return CKR_OK;
  value.resize(one.ulValueLen);
  one.pValue = value.data();
  rv = functions.C_GetAttributeValue(session, object, &one, 1);
  value.resize(rv == CKR_OK ? std::min<std::size_t>(one.ulValueLen, value.size()) : 0);
  return rv;
}

// The public half: some tokens keep the exponent with the public key only.
CK_RV read_exponent(const CK_FUNCTION_LIST& functions, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, Bytes modulus, Bytes& exponent) {
  if (const auto rv = read_attribute(functions, session, key, CKA_PUBLIC_EXPONENT, exponent); rv != CKR_OK || !exponent.empty()) return rv;
  CK_OBJECT_CLASS public_key = CKO_PUBLIC_KEY;
  std::vector<CK_OBJECT_HANDLE> found;
  const auto rv = find_objects(functions, session, {attribute(CKA_CLASS, public_key), attribute(CKA_MODULUS, modulus)}, found);
  if (rv != CKR_OK || found.empty()) return rv;
  return read_attribute(functions, session, found.front(), CKA_PUBLIC_EXPONENT, exponent);
}

CK_RV describe_key(const CK_FUNCTION_LIST& functions, CK_SESSION_HANDLE session, Token::Key& key) {
  if (const auto rv = read_attribute(functions, session, key.handle, CKA_MODULUS, key.modulus); rv != CKR_OK) return rv;
  if (const auto rv = read_exponent(functions, session, key.handle, key.modulus, key.exponent); rv != CKR_OK) return rv;
  Bytes always;
  if (const auto rv = read_attribute(functions, session, key.handle, CKA_ALWAYS_AUTHENTICATE, always); rv != CKR_OK) return rv;
  key.authenticate_always = !always.empty() && always.front() != '\0';
  return CKR_OK;
}

std::string pin_advice(CK_RV rv, const std::string& token) {
  const std::string what = "token " + token + ": ";
  switch (rv) {
    case CKR_PIN_LOCKED:
      return what + "the PIN is locked; have the security officer of the token unlock it";
    case CKR_PIN_EXPIRED:
      return what + "the PIN has expired; set a new one on the token and configure it as passphrase";
    case CKR_USER_PIN_NOT_INITIALIZED:
      return what + "no user PIN is set; set one on the token and configure it as passphrase";
    default:
      return what + "the PIN is wrong; it is not tried again until another one is configured as passphrase, or a restart";
  }
}

}  // namespace

// --- URI -----------------------------------------------------------------------------------------------------------------------------

Result<Pkcs11Uri> Pkcs11Uri::parse(const std::string& text) {
  if (text.size() > uri_bytes_max) return refused("the pkcs11: URI is longer than 1024 octets");
  Pkcs11Uri parsed;
  parsed.uri_ = {p11_kit_uri_new(), p11_kit_uri_free};
  if (const int code = p11_kit_uri_parse(text.c_str(), P11_KIT_URI_FOR_ANY, parsed.uri_.get()); code != P11_KIT_URI_OK)
    return refused("the key is no pkcs11: URI (RFC 7512): " + std::string(p11_kit_uri_message(code)));
  auto* uri = parsed.uri_.get();
  if (p11_kit_uri_get_pin_value(uri) || p11_kit_uri_get_pin_source(uri))
    return refused("a PIN does not belong in a pkcs11: URI; configure it as passphrase (file: or env:)");
  if (p11_kit_uri_get_module_name(uri) || p11_kit_uri_get_module_path(uri))
    return refused("the library does not belong in a pkcs11: URI; it is pki.pkcs11-module");
  if (p11_kit_uri_any_unrecognized(uri)) return refused("the pkcs11: URI has an attribute that is not known");
  const auto type = parsed.attribute(CKA_CLASS);
  CK_OBJECT_CLASS is = CKO_PRIVATE_KEY;
  if (type && type->size() == sizeof is) std::memcpy(&is, type->data(), sizeof is);
  if (is != CKO_PRIVATE_KEY) return refused("the pkcs11: URI is of another type than private");
  parsed.text_ = text.substr(0, text.find('?'));
  return parsed;
}

bool Pkcs11Uri::fits(CK_SLOT_ID id, const CK_SLOT_INFO& slot, const CK_TOKEN_INFO& token) const {
  const auto wanted = p11_kit_uri_get_slot_id(uri_.get());
  return (wanted == static_cast<CK_SLOT_ID>(-1) || wanted == id) && p11_kit_uri_match_slot_info(uri_.get(), &slot) == 1 &&
         p11_kit_uri_match_token_info(uri_.get(), &token) == 1;
}

std::optional<Bytes> Pkcs11Uri::attribute(CK_ATTRIBUTE_TYPE type) const {
  const auto* found = p11_kit_uri_get_attribute(uri_.get(), type);
  if (found == nullptr) return std::nullopt;
  return Bytes(static_cast<const char*>(found->pValue), found->ulValueLen);
}

// --- gate ----------------------------------------------------------------------------------------------------------------------------

void Gate::lock_shared() {
  std::unique_lock guard(mutex_);
  changed_.wait(guard, [this] { return !closed_; });
  ++inside_;
}
void Gate::unlock_shared() {
  const std::lock_guard guard(mutex_);
  if (--inside_ == 0) changed_.notify_all();
}
void Gate::lock() {
  std::unique_lock guard(mutex_);
  changed_.wait(guard, [this] { return !closed_; });
  closed_ = true;
  changed_.wait(guard, [this] { return inside_ == 0; });
}
void Gate::unlock() {
  const std::lock_guard guard(mutex_);
  closed_ = false;
  changed_.notify_all();
}

// --- library -------------------------------------------------------------------------------------------------------------------------

Result<std::shared_ptr<Cryptoki>> Cryptoki::load(const std::string& path) {
  auto* functions = p11_kit_module_load(path.c_str(), 0);
  if (functions == nullptr) {
    const char* why = p11_kit_message();
    return refused("the PKCS#11 library " + path + " of pki.pkcs11-module cannot be loaded: " + (why ? why : "no reason given"));
  }
  if (const auto rv = p11_kit_module_initialize(functions); rv != CKR_OK) {
    p11_kit_module_release(functions);
    return refused("the PKCS#11 library " + path + " cannot be started: " + p11_kit_strerror(rv));
  }
  auto library = std::make_shared<Cryptoki>(functions);
  library->owned_ = true;
  return library;
}

Cryptoki::~Cryptoki() {
  if (!owned_) return;
  p11_kit_module_finalize(functions_);
  p11_kit_module_release(functions_);
}

std::vector<Cryptoki::Slot> Cryptoki::slots() const {
  CK_ULONG count = 0;
  if (functions_->C_GetSlotList(CK_TRUE, nullptr, &count) != CKR_OK) return {};
  // One more than now: a token may come in between the two calls.
  std::vector<CK_SLOT_ID> ids(std::min(count + 1, slots_max));
  count = ids.size();
  if (functions_->C_GetSlotList(CK_TRUE, ids.data(), &count) != CKR_OK) return {};
  ids.resize(std::min<std::size_t>(count, ids.size()));
  std::vector<Slot> found;
  for (const auto id : ids) {
    Slot slot{.id = id};
    if (functions_->C_GetSlotInfo(id, &slot.slot) == CKR_OK && functions_->C_GetTokenInfo(id, &slot.token) == CKR_OK &&
        (slot.token.flags & CKF_TOKEN_INITIALIZED) != 0)
      found.push_back(slot);
  }
  return found;
}

void Cryptoki::restart() {
  functions_->C_Finalize(nullptr);
  CK_C_INITIALIZE_ARGS threads{};
  threads.flags = CKF_OS_LOCKING_OK;
  functions_->C_Initialize(&threads);
  ++restarts_;
}

// --- token ---------------------------------------------------------------------------------------------------------------------------

std::string token_name(const CK_TOKEN_INFO& token) {
  return "\"" + text_of(token.label, sizeof token.label) + "\" (serial number " + text_of(token.serialNumber, sizeof token.serialNumber) +
         ")";
}

Token::Token(std::shared_ptr<Cryptoki> cryptoki, const Cryptoki::Slot& slot, Log& log, Metrics& metrics)
    : cryptoki_(std::move(cryptoki)),
      info_(slot.token),
      name_(token_name(info_)),
      log_(log),
      failures_(metrics.counter("token_failures_total", "Uses of a PKCS#11 token that failed because of the token",
                                {{"token", text_of(info_.label, sizeof info_.label)}})),
      slot_(slot.id) {}

Token::~Token() {
  {
    const std::lock_guard alone(cryptoki_->gate());
    close_sessions();
  }
  OPENSSL_cleanse(pin_.data(), pin_.size());
}

bool Token::is(const CK_TOKEN_INFO& other) const {
  const auto same = [](const auto& a, const auto& b) { return std::memcmp(a, b, sizeof a) == 0; };
  return same(info_.label, other.label) && same(info_.manufacturerID, other.manufacturerID) && same(info_.model, other.model) &&
         same(info_.serialNumber, other.serialNumber);
}

Result<> Token::log_in(const std::string& pin) {
  const std::lock_guard alone(cryptoki_->gate());
  if (refused_pins_.contains(pin)) return refused(pin_advice(CKR_PIN_INCORRECT, name_));
  if (is_open() && pin == pin_) return {};
  // Another PIN than the one it is open under: only a new login tells whether it is right.
  const auto rv = open(pin);
  if (rv == CKR_OK) {
    pin_ = pin;
    note(rv);
    return {};
  }
  if (!is_about_pin(rv)) return refused("token " + name_ + " cannot be opened: " + p11_kit_strerror(rv));
  refused_pins_.insert(pin);
  if (!pin_.empty() && pin_ != pin && !refused_pins_.contains(pin_)) (void)open(pin_);
  return refused(pin_advice(rv, name_));
}

bool Token::is_open() const {
  return open_ && restarts_seen_ == cryptoki_->restarts();
}

CK_RV Token::open(const std::string& pin) {
  close_sessions();
  const auto slots = cryptoki_->slots();
  const auto here = std::ranges::find_if(slots, [this](const Cryptoki::Slot& slot) { return is(slot.token); });
  if (here == slots.end()) return CKR_TOKEN_NOT_PRESENT;
  slot_ = here->id;
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  if (const auto rv = functions()->C_OpenSession(slot_, CKF_SERIAL_SESSION, nullptr, nullptr, &session); rv != CKR_OK) return rv;
  std::string secret = pin;
  const auto rv = functions()->C_Login(session, CKU_USER, reinterpret_cast<CK_UTF8CHAR*>(secret.data()), secret.size());
  OPENSSL_cleanse(secret.data(), secret.size());
  if (rv != CKR_OK) {
    functions()->C_CloseSession(session);
    return rv;
  }
  login_session_ = session;
  open_ = true;
  restarts_seen_ = cryptoki_->restarts();
  ++generation_;
  return CKR_OK;
}

void Token::close_sessions() {
  if (is_open()) functions()->C_CloseAllSessions(slot_);
  open_ = false;
  const std::lock_guard guard(pool_mutex_);
  idle_.clear();
  sessions_ = 0;
}

CK_RV Token::take_session(CK_SESSION_HANDLE& session) {
  std::unique_lock guard(pool_mutex_);
  const auto give_up_at = std::chrono::steady_clock::now() + session_wait_max;
  for (;;) {
    if (!idle_.empty()) {
      session = idle_.back();
      idle_.pop_back();
      return CKR_OK;
    }
    if (sessions_ < sessions_max) {
      const auto rv = functions()->C_OpenSession(slot_, CKF_SERIAL_SESSION, nullptr, nullptr, &session);
      if (rv == CKR_OK) ++sessions_;
      if (rv != CKR_SESSION_COUNT || sessions_ == 0) return rv;
    }
    if (returned_.wait_until(guard, give_up_at) == std::cv_status::timeout) return CKR_SESSION_COUNT;
  }
}

void Token::give_back(CK_SESSION_HANDLE session, bool usable) {
  // After a failure the session may still be in the middle of something.
  if (!usable) functions()->C_CloseSession(session);
  const std::lock_guard guard(pool_mutex_);
  usable ? idle_.push_back(session) : void(--sessions_);
  returned_.notify_one();
}

CK_RV Token::attempt(const Operation& operation, std::uint64_t& generation) {
  const std::shared_lock together(cryptoki_->gate());
  generation = generation_;
  if (!is_open()) return CKR_USER_NOT_LOGGED_IN;
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  if (const auto rv = take_session(session); rv != CKR_OK) return rv;
  const auto rv = operation(session);
  give_back(session, rv == CKR_OK);
  return rv;
}

CK_RV Token::reopen(std::uint64_t failed_generation) {
  const std::lock_guard alone(cryptoki_->gate());
  const auto now = std::chrono::steady_clock::now();
  if (is_open() && generation_ != failed_generation) return CKR_OK;  // another thread was first
  if (now < reopen_not_before_ && (last_reopening_ != CKR_OK || is_open())) return last_reopening_;
  auto rv = refused_pins_.contains(pin_) ? CKR_PIN_INCORRECT : open(pin_);
  if (rv != CKR_OK && !is_about_pin(rv)) {
    cryptoki_->restart();
    rv = open(pin_);
  }
  if (is_about_pin(rv)) refused_pins_.insert(pin_);
  last_reopening_ = rv;
  reopen_not_before_ = now + reopen_pause;
  return rv;
}

CK_RV Token::run(const Operation& operation, Input input) {
  std::uint64_t generation = 0;
  auto rv = attempt(operation, generation);
  if (is_lost(rv, input)) {
    failures_.add();
    log_.warning("token.lost", {{"token", name_}, {"problem", p11_kit_strerror(rv)}});
    rv = reopen(generation);
    if (rv == CKR_OK) rv = attempt(operation, generation);
  }
  if (is_about_pin(rv)) stop_using_pin(generation);
  if (rv == CKR_OK || is_lost(rv, input) || is_about_pin(rv)) note(rv);
  return rv;
}

void Token::stop_using_pin(std::uint64_t generation) {
  const std::lock_guard alone(cryptoki_->gate());
  if (generation_ != generation) return;  // it was opened under another one since
  refused_pins_.insert(pin_);
  close_sessions();
}

CK_RV Token::authenticate(CK_SESSION_HANDLE session) const {
  std::string secret = pin_;
  const auto rv = functions()->C_Login(session, CKU_CONTEXT_SPECIFIC, reinterpret_cast<CK_UTF8CHAR*>(secret.data()), secret.size());
  OPENSSL_cleanse(secret.data(), secret.size());
  return rv;
}

void Token::note(CK_RV rv) {
  if (rv != CKR_OK) failures_.add();
  const std::lock_guard guard(failing_mutex_);
  if (rv == CKR_OK && !failing_.empty()) log_.info("token.back", {{"token", name_}});
  failing_ = rv == CKR_OK ? "" : "token " + name_ + ": " + p11_kit_strerror(rv);
}

void Token::report(CK_RV rv) const {
  log_.error("token.failed", {{"token", name_}, {"problem", p11_kit_strerror(rv)}});
}

std::string Token::failing() const {
  const std::lock_guard guard(failing_mutex_);
  return failing_;
}

CK_RV Token::find_in(CK_SESSION_HANDLE session, const std::optional<Bytes>& id, const std::optional<Bytes>& label, Key& key,
                     std::size_t* count) const {
  CK_OBJECT_CLASS private_key = CKO_PRIVATE_KEY;
  CK_KEY_TYPE rsa = CKK_RSA;
  Bytes the_id = id.value_or(""), the_label = label.value_or("");
  std::vector<CK_ATTRIBUTE> wanted{attribute(CKA_CLASS, private_key), attribute(CKA_KEY_TYPE, rsa)};
  if (id) wanted.push_back(attribute(CKA_ID, the_id));
  if (label) wanted.push_back(attribute(CKA_LABEL, the_label));
  std::vector<CK_OBJECT_HANDLE> found;
  if (const auto rv = find_objects(*functions(), session, std::move(wanted), found); rv != CKR_OK) return rv;
  if (count) *count = found.size();
  if (found.size() != 1) return CKR_OK;
  key.handle = found.front();
  return describe_key(*functions(), session, key);
}

Result<Token::Key> Token::find_key(const std::optional<Bytes>& id, const std::optional<Bytes>& label) {
  Key key;
  std::size_t count = 0;
  const auto rv = run([&](CK_SESSION_HANDLE session) { return find_in(session, id, label, key, &count); }, Input::ours);
  if (rv != CKR_OK) return refused("token " + name_ + " cannot be searched: " + p11_kit_strerror(rv));
  if (count == 0)
    return refused("token " + name_ + " has no RSA private key of that object and id; `pkcs11-tool --list-objects` shows what it has");
  if (count > 1) return refused("token " + name_ + " has several RSA private keys that fit: name one by object= or id=");
  if (key.modulus.empty() || key.exponent.empty())
    return refused("token " + name_ + " does not tell the public half of the key: put its public key object there too");
  return key;
}

Result<std::vector<Bytes>> Token::certificates() {
  std::vector<Bytes> all;
  const auto rv = run(
      [&](CK_SESSION_HANDLE session) {
        all.clear();
        CK_OBJECT_CLASS certificate = CKO_CERTIFICATE;
        CK_CERTIFICATE_TYPE x509 = CKC_X_509;
        std::vector<CK_OBJECT_HANDLE> found;
        auto failure =
            find_objects(*functions(), session, {attribute(CKA_CLASS, certificate), attribute(CKA_CERTIFICATE_TYPE, x509)}, found);
        for (std::size_t i = 0; failure == CKR_OK && i < found.size(); ++i) {
          all.emplace_back();
          failure = read_attribute(*functions(), session, found[i], CKA_VALUE, all.back());
        }
        return failure;
      },
      Input::ours);
  if (rv != CKR_OK) return refused("token " + name_ + " cannot be searched: " + p11_kit_strerror(rv));
  return all;
}

}  // namespace schakel::security
