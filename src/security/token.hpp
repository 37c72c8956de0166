// A PKCS#11 token as Schakel uses it (SEC-070): RSA private keys that sign and decrypt inside it. Internal to security/; `pkcs11.hpp` is
// what others see.
//
// Safe from every thread: operations run at the same time, each in a session of its own. When a session, the login or the token is lost,
// the operation opens the token anew and tries once more; a PIN that the token refused is never given to it again.
#pragma once

#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "security/openssl.hpp"

namespace schakel::security {

// RFC 7512. Which library, and which PIN, never come from a URI: those would let whoever configures a tenant load code or print a secret.
class Pkcs11Uri {
 public:
  // Error "SEC.SLEUTEL.PKCS11"; its text never holds the URI, which could hold a PIN.
  static Result<Pkcs11Uri> parse(const std::string&);

  bool fits(CK_SLOT_ID, const CK_SLOT_INFO&, const CK_TOKEN_INFO&) const;
  std::optional<Bytes> id() const { return attribute(CKA_ID); }
  std::optional<Bytes> label() const { return attribute(CKA_LABEL); }
  const std::string& text() const { return text_; }

 private:
  std::optional<Bytes> attribute(CK_ATTRIBUTE_TYPE) const;
  std::shared_ptr<P11KitUri> uri_;
  std::string text_;
};

// Many at once, or one alone; whoever wants to be alone is not overtaken by those who come later.
class Gate {
 public:
  void lock_shared();
  void unlock_shared();
  void lock();
  void unlock();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int inside_ = 0;
  bool closed_ = false;
};

// The functions of one PKCS#11 library, initialised.
class Cryptoki {
 public:
  static Result<std::shared_ptr<Cryptoki>> load(const std::string& path);
  // Functions that are somebody else's to initialise and to end.
  explicit Cryptoki(CK_FUNCTION_LIST* functions) : functions_(functions) {}
  ~Cryptoki();
  Cryptoki(const Cryptoki&) = delete;
  Cryptoki& operator=(const Cryptoki&) = delete;

  const CK_FUNCTION_LIST* operator->() const { return functions_; }
  struct Slot {
    CK_SLOT_ID id = 0;
    CK_SLOT_INFO slot{};
    CK_TOKEN_INFO token{};
  };
  std::vector<Slot> slots() const;  // with an initialised token in them

  // Held shared while the library works, exclusively by who opens a token anew.
  Gate& gate() { return gate_; }
  // Some libraries find a token that came back only after this. Every session of every token is gone. With the gate held exclusively.
  void restart();
  std::uint64_t restarts() const { return restarts_; }

 private:
  CK_FUNCTION_LIST* functions_;
  bool owned_ = false;
  Gate gate_;
  std::uint64_t restarts_ = 0;  // guarded by gate_
};

std::string token_name(const CK_TOKEN_INFO&);  // label and serial number

class Token {
 public:
  // Whose octets an operation works on: a decryption can fail because of what the peer sent, a signature only because of the token.
  enum class Input { ours, peers };
  using Operation = std::function<CK_RV(CK_SESSION_HANDLE)>;

  Token(std::shared_ptr<Cryptoki>, const Cryptoki::Slot&, Log&, Metrics&);
  ~Token();
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;

  bool is(const CK_TOKEN_INFO&) const;
  const std::string& name() const { return name_; }
  // Opens it, or checks that it is open under this PIN. "SEC.SLEUTEL.PKCS11".
  Result<> log_in(const std::string& pin);

  struct Key {
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    Bytes modulus, exponent;           // big-endian
    bool authenticate_always = false;  // the PIN again before each use
  };
  // The one RSA private key with this CKA_ID and CKA_LABEL, as far as given. "SEC.SLEUTEL.PKCS11": none, several, or not RSA.
  Result<Key> find_key(const std::optional<Bytes>& id, const std::optional<Bytes>& label);
  // The same inside an operation. CKR_OK and an invalid handle: none or several.
  CK_RV find_in(CK_SESSION_HANDLE, const std::optional<Bytes>& id, const std::optional<Bytes>& label, Key&,
                std::size_t* count = nullptr) const;
  Result<std::vector<Bytes>> certificates();  // DER; at most `objects_max`

  // Runs it in a session; see the top of this file. The handle of a key is good in one generation only.
  CK_RV run(const Operation&, Input);
  std::uint64_t generation() const { return generation_; }  // inside an operation
  CK_RV authenticate(CK_SESSION_HANDLE) const;              // CKU_CONTEXT_SPECIFIC, inside an operation
  const CK_FUNCTION_LIST* functions() const { return cryptoki_->operator->(); }

  void report(CK_RV) const;     // to the log
  std::string failing() const;  // why its last use failed; empty: it works

 private:
  CK_RV attempt(const Operation&, std::uint64_t& generation);
  CK_RV reopen(std::uint64_t failed_generation);
  CK_RV open(const std::string& pin);
  bool is_open() const;
  void stop_using_pin(std::uint64_t generation);
  void close_sessions();
  CK_RV take_session(CK_SESSION_HANDLE&);
  void give_back(CK_SESSION_HANDLE, bool usable);
  void note(CK_RV);

  std::shared_ptr<Cryptoki> cryptoki_;
  CK_TOKEN_INFO info_;
  std::string name_;
  Log& log_;
  Counter& failures_;

  // Guarded by the gate.
  CK_SLOT_ID slot_;
  std::string pin_;
  std::set<std::string> refused_pins_;
  bool open_ = false;
  std::uint64_t generation_ = 0, restarts_seen_ = 0;
  CK_SESSION_HANDLE login_session_ = CK_INVALID_HANDLE;  // stays open: the last one to close would end the login
  std::chrono::steady_clock::time_point reopen_not_before_{};
  CK_RV last_reopening_ = CKR_OK;

  std::mutex pool_mutex_;
  std::condition_variable returned_;
  std::vector<CK_SESSION_HANDLE> idle_;
  std::size_t sessions_ = 0;

  mutable std::mutex failing_mutex_;
  std::string failing_;
};

enum class TokenHash { sha1, sha256, sha384, sha512 };

struct PssParameters {
  TokenHash hash, mask;
  std::size_t salt_bytes;
};
struct OaepParameters {
  TokenHash hash, mask;
  Bytes label;
};

// A private key that stays in its token. Errors of all: "SEC.SLEUTEL.PKCS11".
class TokenKey {
 public:
  static Result<std::shared_ptr<const TokenKey>> find(std::shared_ptr<Token>, const Pkcs11Uri&);

  const BIGNUM* modulus() const { return modulus_.get(); }
  const BIGNUM* exponent() const { return exponent_.get(); }
  std::size_t bytes() const { return static_cast<std::size_t>(BN_num_bytes(modulus_.get())); }

  Result<Bytes> sign_pkcs1(BytesView digest_info) const;  // RFC 8017 8.2; the DigestInfo is the caller's
  Result<Bytes> sign_pss(BytesView digest, const PssParameters&) const;
  Result<Bytes> decrypt_oaep(BytesView, const OaepParameters&) const;
  // The padded block, as long as the modulus. PKCS#1 v1.5 padding is for the caller to remove in constant time (EB-173): tokens tell.
  Result<Bytes> decrypt_raw(BytesView) const;

 private:
  TokenKey(std::shared_ptr<Token> token, const Pkcs11Uri& uri, const Token::Key& key);
  CK_RV handle_in(CK_SESSION_HANDLE, CK_OBJECT_HANDLE&) const;
  Result<Bytes> sign(CK_MECHANISM, BytesView) const;
  CK_RV decrypt(CK_MECHANISM, BytesView encrypted, Bytes& plain) const;
  Error failed(std::string_view what, CK_RV) const;

  std::shared_ptr<Token> token_;
  Pkcs11Uri uri_;
  BigNumberPtr modulus_, exponent_;
  bool authenticate_always_;
  mutable std::mutex mutex_;
  mutable CK_OBJECT_HANDLE handle_;             // guarded by mutex_
  mutable std::uint64_t handle_generation_;     // guarded by mutex_
  mutable std::atomic<bool> oaep_here_{false};  // the token has no OAEP at all: the padding is removed here
};

}  // namespace schakel::security
