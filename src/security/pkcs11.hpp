// Private keys in a PKCS#11 token: an HSM, a smart card (SEC-070). The key never leaves the token; what one gets is an OpenSSL handle that
// asks the token to sign and to decrypt.
//
// A `Pkcs11Module` is one library (`pki.pkcs11-module`) with the tokens that it reaches; it is loaded when the first key is asked for. Each
// token is opened once, whatever number of keys is used. Keys go on working after it is gone. Safe from every thread; calls block.
// Errors of all: "SEC.SLEUTEL.PKCS11" with a sentence that says what to do; never a PIN.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "security/keys.hpp"

typedef struct _CK_FUNCTION_LIST CK_FUNCTION_LIST;  // of p11-kit/pkcs11.h

namespace schakel::security {

class Cryptoki;
class Pkcs11Uri;
class Token;

// RFC 7512: "pkcs11:token=schakel;object=tls".
inline bool is_pkcs11_uri(std::string_view text) {
  return text.starts_with("pkcs11:");
}
// Refuses what cannot be a key of ours: no URI, a PIN or a library in it, attributes that are not known.
Result<> check_pkcs11_uri(const std::string&);

class Pkcs11Module {
 public:
  // `path`: of the shared library; empty: none is configured, which is an error when a key is asked for.
  Pkcs11Module(std::string path, Log&, Metrics&);
  // Functions that the caller initialised.
  Pkcs11Module(CK_FUNCTION_LIST*, Log&, Metrics&);
  ~Pkcs11Module();

  // The one RSA private key that the URI names, in the one token that it names. A PIN that a token refused is not given to it again, so
  // that it does not lock itself: another PIN must come.
  Result<PrivateKey> key(const std::string& uri, const std::string& pin);
  // Every X.509 certificate of the token that the URI names, in no order.
  Result<std::vector<Certificate>> certificates(const std::string& uri, const std::string& pin);

  // A sentence for each token whose last use failed; empty: all work.
  std::vector<std::string> failing() const;

 private:
  Result<std::shared_ptr<Token>> open(const Pkcs11Uri&, const std::string& pin);
  Result<std::shared_ptr<Cryptoki>> loaded();
  Result<std::shared_ptr<Token>> token_for(const Pkcs11Uri&);

  const std::string path_;
  Log& log_;
  Metrics& metrics_;
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<Cryptoki> library_;
  std::vector<std::shared_ptr<Token>> tokens_;
};

}  // namespace schakel::security
