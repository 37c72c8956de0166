// Accepted CRLs in the database: they survive a restart and reach the other nodes (SEC-023). Documents of kind "crl"; the key is the id of
// the issuer.
#pragma once

#include "base/time.hpp"
#include "security/trust.hpp"
#include "sql/database.hpp"

namespace schakel::server {

// Blocks: never on an I/O thread or inside a unit, except where a handshake waits for a missing CRL (security.md 3.3).
class DatabaseCrlArchive final : public security::CrlArchive {
 public:
  DatabaseCrlArchive(sql::Database& database, const Clock& clock) : database_(database), clock_(clock) {}

  Result<> save(const security::StoredCrl&) override;
  Result<std::vector<security::StoredCrl>> load() override;

 private:
  sql::Database& database_;
  const Clock& clock_;
};

}  // namespace schakel::server
