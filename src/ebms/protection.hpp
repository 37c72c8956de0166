// What the secured profiles need from outside (ebms.md 1.9, 1.10; security.md 3.5 to 3.7): our own keys, and whom we trust. server/
// implements it over the certificates of the tenants; tests over a test PKI.
//
// Without a KeyRing the Msh stays safe: `submit` refuses an action of a secured profile ("contract.actionNotAllowed"),
// `Msh::unprotected_actions` lets the API refuse to activate its contract, and an inbound message that passed every other check is answered
// 503 with an alert in the log: the partner's retries do the rest when the means are there. It is never answered with SecurityFailure (the
// message is not at fault) and never accepted unverified.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "security/keys.hpp"
#include "security/trust.hpp"

namespace schakel::ebms {

// A row of ebms.md 3.5 that a message failed: what the MessageError says.
struct Failure {
  int row = 0;
  std::string error_code;
  std::string location;  // complete: "xpointer(…)" or "cid:…"; empty: none
  std::string description;
};

// Safe from every thread. Does no I/O; every call sees the newest certificates, so they rotate while messages pass (SEC-074).
class KeyRing {
 public:
  virtual ~KeyRing() = default;

  // The tenant's key pair with exactly this certificate, when it may sign now (SEC-077); null: there is none.
  virtual std::shared_ptr<const security::KeyPair> signing_key(std::string_view tenant, BytesView certificate_der, Instant now) const = 0;
  // The key pairs with which the tenant may decrypt now, former ones included (SEC-077).
  virtual std::vector<std::shared_ptr<const security::KeyPair>> decryption_keys(std::string_view tenant, Instant now) const = 0;

  // Whether anchors are configured for an environment.
  virtual bool trusts(std::string_view environment) const = 0;
  // EB-155: path, revocation, usage and policy of a partner's certificate now, and its path at the Timestamp of a message. `chain`: the
  // leaf, then what came with it.
  virtual security::Verdict judge(std::string_view environment, std::span<const security::Certificate> chain, security::Usage, Instant now,
                                  Instant timestamp) const = 0;
};

}  // namespace schakel::ebms
