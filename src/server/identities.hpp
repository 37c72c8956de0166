// Our own certificates per tenant as live key pairs, and the TLS sides made of them (ADP-205, SEC-005, SEC-074).
//
// An Identities is an immutable snapshot; loading a new one and swapping it is how certificates rotate. Trust stores outlive snapshots: one
// per environment.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/config.hpp"
#include "base/log.hpp"
#include "base/time.hpp"
#include "security/keys.hpp"
#include "security/pkcs11.hpp"
#include "security/tls.hpp"
#include "security/trust.hpp"
#include "server/tenants.hpp"

namespace schakel::server {

// Trust stores of the environments that have anchors configured.
class Trust {
 public:
  // Reads pki.anchors, pki.test-anchors and pki.intermediates. A wrong anchor stops the start (SEC-005).
  static Result<Trust> make(const config::Settings&);

  std::shared_ptr<security::TrustStore> of(std::string_view environment) const;  // null: that environment has no anchors
  std::vector<std::shared_ptr<security::TrustStore>> all() const;

 private:
  std::shared_ptr<security::TrustStore> production_, test_;
};

security::TlsSettings tls_settings(const config::Settings&);
// How a certificate is judged for a purpose of OwnCertificate.
security::Usage usage_of(std::string_view purpose);
// The SHA-256 of a certificate's public key: what stays the same when only the certificate is renewed.
std::string key_sha256(const security::Certificate&);
// What a listener shows: its own certificate when it has one configured, else those of the tenants. Errors: of keys.
class Identities;
Result<std::vector<security::TlsServer::Identity>> servers_of(const config::Listener&, const config::Settings&, const Identities&,
                                                              const Trust&, security::Pkcs11Module* tokens = nullptr);
// SHA-256 of the certificates in a PEM file: the proxies that an offload listener believes (SEC-051).
Result<std::vector<std::string>> proxy_certificates(const std::string& path);

class Identities {
 public:
  // Loads every certificate of every tenant. One that cannot be loaded or used is logged and left out: it must not take the others down;
  // `faults` counts them.
  // `compromised_keys`: SHA-256 of public keys that are not used whatever a tenant says (SEC-078). `tokens`: where keys of "pkcs11:" URIs
  // are.
  using KeySet = std::set<std::string, std::less<>>;
  static std::shared_ptr<const Identities> load(const std::vector<Tenant>&, const config::Settings&, const Trust&,
                                                const KeySet& compromised_keys, const Clock&, Log&,
                                                security::Pkcs11Module* tokens = nullptr);

  std::size_t faults() const { return faults_; }
  const std::vector<Tenant>& tenants() const { return tenants_; }
  const Tenant* tenant(std::string_view slug) const;
  // For the external listener: one per host name set, the default first.
  std::vector<security::TlsServer::Identity> servers(const std::string& default_environment) const;
  // The client side of a tenant: the certificate with this SHA-256, or its default when that is empty or none of its own. Made once per
  // certificate. "SEC.SLEUTEL.GEEN": the tenant has no client certificate. "SEC.PKI.ANKER": no anchors for its environment.
  Result<std::shared_ptr<security::TlsClient>> client(std::string_view tenant, const std::string& certificate_sha256) const;

  // For calls to applications of the tenant (webhooks): the system's CAs count too (TlsClient::make_web). `two_sided`: with the tenant's
  // client certificate; "SEC.SLEUTEL.GEEN" when it has none.
  Result<std::shared_ptr<security::TlsClient>> web_client(std::string_view tenant, bool two_sided) const;

  struct Loaded {
    std::string tenant;
    OwnCertificate configured;
    std::shared_ptr<const security::KeyPair> key_pair;
    std::string problem;  // why it is not used; empty: it is
  };
  const std::vector<Loaded>& certificates() const { return loaded_; }
  // Where it is in its rotation for one of its purposes (security.md 3.5): a usable certificate of the tenant with the same OIN and purpose
  // and a later `active_from` that has come takes over.
  security::RotationState state(const Loaded&, std::string_view purpose, Instant now) const;
  // When the next certificate becomes active; nullopt: none will. Listeners are then to be given their certificates anew.
  std::optional<Instant> next_activation(Instant now) const;
  // A key could not be taken from its token: it is worth trying again, because a token comes back without anybody changing anything here.
  bool awaits_token() const;

  // The key of this own certificate, when it is one for signing that may sign now (SEC-077); null: it is not.
  std::shared_ptr<const security::KeyPair> signing_key(std::string_view tenant, std::string_view certificate_sha256, Instant now) const;
  // The key that signs new messages of the tenant for this OIN: of the active certificates the one that took over last; null: there is
  // none.
  std::shared_ptr<const security::KeyPair> signing_key_of(std::string_view tenant, std::string_view oin, Instant now) const;
  // Every key of the tenant that may decrypt now: also those that are prepared and those that were succeeded less than 30 days ago
  // (EB-175).
  std::vector<std::shared_ptr<const security::KeyPair>> decryption_keys(std::string_view tenant, Instant now) const;

  const Loaded* certificate(std::string_view tenant, std::string_view sha256) const;

 private:
  const Loaded* client_certificate(std::string_view tenant, std::string_view sha256) const;
  security::KeyRights rights(const Loaded&, std::string_view purpose,
                             Instant now) const;  // none when it is not for that purpose, or unusable

  std::vector<Tenant> tenants_;
  std::vector<Loaded> loaded_;
  std::size_t faults_ = 0;
  const Trust* trust_ = nullptr;
  const Clock* clock_ = nullptr;
  security::TlsSettings settings_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<std::string, std::string>, std::shared_ptr<security::TlsClient>> clients_;  // (tenant, SHA-256 or "web…")
};

}  // namespace schakel::server
