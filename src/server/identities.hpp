// Our own certificates per tenant as live key pairs, and the TLS sides made of them (ADP-205, SEC-005, SEC-074).
//
// An Identities is an immutable snapshot; loading a new one and swapping it is how certificates rotate. Trust stores outlive snapshots: one
// per environment.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/config.hpp"
#include "base/log.hpp"
#include "base/time.hpp"
#include "security/keys.hpp"
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

class Identities {
 public:
  // Loads every certificate of every tenant. One that cannot be loaded or used is logged and left out: it must not take the others down;
  // `faults` counts them.
  static std::shared_ptr<const Identities> load(const std::vector<Tenant>&, const config::Settings&, const Trust&, const Clock&, Log&);

  std::size_t faults() const { return faults_; }
  const std::vector<Tenant>& tenants() const { return tenants_; }
  const Tenant* tenant(std::string_view slug) const;
  // For the external listener: one per host name set, the default first.
  std::vector<security::TlsServer::Identity> servers(const std::string& default_environment) const;
  // The client side of a tenant: the certificate with this SHA-256, or its default when that is empty or none of its own. Made once per
  // certificate. "SEC.SLEUTEL.GEEN": the tenant has no client certificate. "SEC.PKI.ANKER": no anchors for its environment.
  Result<std::shared_ptr<security::TlsClient>> client(std::string_view tenant, const std::string& certificate_sha256) const;

  struct Loaded {
    std::string tenant;
    OwnCertificate configured;
    std::shared_ptr<const security::KeyPair> key_pair;
    std::string problem;  // why it is not used; empty: it is
  };
  const std::vector<Loaded>& certificates() const { return loaded_; }

 private:
  std::vector<Tenant> tenants_;
  std::vector<Loaded> loaded_;
  std::size_t faults_ = 0;
  const Trust* trust_ = nullptr;
  const Clock* clock_ = nullptr;
  security::TlsSettings settings_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<std::string, std::string>, std::shared_ptr<security::TlsClient>> clients_;  // (tenant, SHA-256)
};

}  // namespace schakel::server
