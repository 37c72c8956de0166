// Security decisions to the audit log (SEC-103, security.md 2.9): handshakes and requests that were refused. No payload, no secret.
//
// Recording never blocks: entries are committed in the background. An entry that cannot be stored is logged instead. Safe from every
// thread.
#pragma once

#include <string>
#include <string_view>

#include "base/log.hpp"
#include "base/time.hpp"
#include "http/server.hpp"
#include "sql/database.hpp"

namespace schakel::server {

// The record of 2.9 as JSON, without seq, at, node and hashes, which the store adds.
std::string audit_record(const http::SecurityEvent&);
std::string audit_record(const http::Request&, std::string_view kind, std::string_view reason);

class AuditLog {
 public:
  // `database`, `clock` and `log` outlive it.
  AuditLog(sql::Database& database, const Clock& clock, Log& log, std::string node)
      : database_(database), clock_(clock), log_(log), node_(std::move(node)) {}

  void record(std::string_view tenant, std::string record_json);

 private:
  sql::Database& database_;
  const Clock& clock_;
  Log& log_;
  std::string node_;
};

}  // namespace schakel::server
