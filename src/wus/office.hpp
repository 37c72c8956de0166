// What the WUS endpoint and caller need from outside. server/ gives it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "http/client.hpp"
#include "security/certificate_cache.hpp"
#include "security/keys.hpp"
#include "security/trust.hpp"
#include "sql/database.hpp"
#include "wus/measures.hpp"
#include "wus/service_contract.hpp"

namespace schakel::wus {

// Borrowed; the owner outlives the endpoint and the caller. The functions are safe from every thread, do no I/O, and see the newest
// configuration and certificates at each call.
struct Office {
  sql::Database& database;
  http::Client& client;
  Random& random;
  const Clock& clock;
  Log& log;
  Measures& measures;
  std::string node = "a";
  // Those of partners come again with every message.
  std::shared_ptr<security::CertificateCache> certificates = std::make_shared<security::CertificateCache>();

  std::function<std::shared_ptr<const Services>()> services = {};
  // Path, revocation and usage of a signing certificate now, by the trust of the tenant's environment (WUS-109).
  std::function<security::Verdict(std::string_view tenant, std::span<const security::Certificate> chain, Instant now)> judge = {};
  // The tenant's key pair for signing now, for this OIN; null: there is none.
  std::function<std::shared_ptr<const security::KeyPair>(std::string_view tenant, std::string_view oin, Instant now)> signing_key = {};
  std::function<std::vector<std::shared_ptr<const security::KeyPair>>(std::string_view tenant, Instant now)> decryption_keys = {};
  std::function<bool(std::string_view sha256)> is_own_certificate = {};
  // TLS to partners, and to our own back-ends.
  std::function<Result<std::shared_ptr<security::TlsClient>>(const std::string& tenant)> partner_tls = {};
  std::function<Result<std::shared_ptr<security::TlsClient>>(const std::string& tenant)> backend_tls = {};
  // The routing table names `intermediary` as the way to `party`; a mandate lets `mandatary` act for `mandator` (WUS-243).
  std::function<bool(std::string_view tenant, std::string_view party, std::string_view intermediary)> is_intermediary = {};
  std::function<bool(std::string_view tenant, std::string_view mandator, std::string_view mandatary, std::string_view scope)> has_mandate =
      {};
  std::function<bool(std::string_view tenant, std::string_view oin)> is_oin_of_tenant = {};
};

// A cipher was used that only a dated exception allows: told each time (SEC-083). `algorithm`: its URI; empty: none was.
inline void log_exception(const Office& office, const ServiceContract& service, std::string_view message_id, std::string_view partner_oin,
                          std::string_view algorithm) {
  if (algorithm.empty()) return;
  office.log.warning("wus.algorithmException",
                     {{"messageId", message_id}, {"service", service.name}, {"partnerOin", partner_oin}, {"algorithm", algorithm}});
}

}  // namespace schakel::wus
