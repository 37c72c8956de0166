// Tenants (ADP-200): the organisations that this installation works for. They live in the database as documents of kind "tenant"; the key
// is the slug.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.hpp"
#include "base/result.hpp"
#include "exchange/message.hpp"
#include "exchange/store.hpp"
#include "sql/database.hpp"

namespace schakel::server {

// An own certificate: files below `pki.keys`, or a token. Purposes: tls-server, tls-client, signing, encryption (README section 17).
struct OwnCertificate {
  std::string certificates;   // PEM: leaf and chain; empty: with the key
  std::string key;            // PEM or PKCS#12, or the "pkcs11:" URI of a key in a token (SEC-070)
  config::Secret passphrase;  // of the key; the PIN of the token
  std::vector<std::string> purposes = {"tls-server", "tls-client"};
  // Rotation (security.md 3.5): from then on it takes over from the certificates for the same purpose and OIN that are active earlier.
  // Without: active from the beginning, beside the others without.
  std::optional<Instant> active_from = {};

  bool serves(std::string_view purpose) const;
  friend bool operator==(const OwnCertificate& a, const OwnCertificate& b) {
    return a.certificates == b.certificates && a.key == b.key && a.passphrase.reference == b.passphrase.reference &&
           a.purposes == b.purposes && a.active_from == b.active_from;
  }
};

struct Tenant {
  std::string slug, name;
  std::string environment = "test";  // test | production
  std::vector<std::string> oins;
  std::vector<std::string> hosts;            // TLS server names that are this tenant's (ADP-204)
  std::vector<OwnCertificate> certificates;  // the first of a purpose is its default
  friend bool operator==(const Tenant&, const Tenant&) = default;
};

// JSON in and out. Errors: "request.invalid" with a JSON pointer as location; unknown members are refused.
Result<Tenant> tenant_from_json(std::string_view json);
std::string to_json(const Tenant&);
// What is wrong with the values: slug, environment, OINs, names of hosts, purposes.
std::vector<Error> check(const Tenant&);

Result<std::vector<Tenant>> load_tenants(sql::Transaction&);
// Writes a new tenant or changes one. "oin.inUse": another tenant of the environment has the OIN (ADP-201). "tenant.mismatch": the
// environment of a tenant never changes.
enum class Put { created, changed, same };
Result<Put> put_tenant(sql::Transaction&, const Tenant&, Instant now);
// Lets this certificate of the tenant take over at that moment. "notFound": the tenant no longer has it.
Result<> activate_certificate(sql::Transaction&, std::string_view slug, const OwnCertificate&, Instant at, Instant now);

}  // namespace schakel::server
