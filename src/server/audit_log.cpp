#include "server/audit_log.hpp"

#include "base/bytes.hpp"
#include "base/json_library.hpp"
#include "exchange/store.hpp"

namespace schakel::server {
namespace {

using Json = nlohmann::ordered_json;

Json certificate(const security::PeerIdentity& peer) {
  return {{"oin", peer.oin},
          {"subject", for_log(peer.subject)},
          {"issuer", for_log(peer.issuer)},
          {"serial", peer.serial},
          {"sha256", peer.sha256},
          {"policy", peer.policy},
          {"notAfter", to_rfc3339(peer.not_after)}};
}

std::string written(const Json& record) {
  return record.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string audit_record(const http::SecurityEvent& event) {
  Json record{{"kind", "tls"}, {"result", "refused"}, {"reason", event.reason}, {"listener", event.listener}, {"address", event.address}};
  if (!event.tls_version.empty() || !event.sni.empty()) record["tls"] = {{"version", event.tls_version}, {"sni", for_log(event.sni)}};
  if (event.peer) record["certificate"] = certificate(*event.peer);
  if (!event.detail.empty()) record["detail"] = for_log(event.detail);
  if (event.count > 1) record["count"] = event.count;
  return written(record);
}

std::string audit_record(const http::Request& request, std::string_view kind, std::string_view reason) {
  Json record{
      {"kind", kind}, {"result", "refused"}, {"reason", reason}, {"listener", request.listener}, {"address", request.remote_address}};
  if (!request.tls_version.empty())
    record["tls"] = {{"version", request.tls_version}, {"suite", request.tls_cipher}, {"sni", for_log(request.sni)}};
  if (request.peer) record["certificate"] = certificate(*request.peer);
  record["action"] = request.method + " " + for_log(request.path);
  return written(record);
}

void AuditLog::record(std::string_view tenant, std::string record_json) {
  database_.submit([tenant = std::string(tenant), node = node_, at = clock_.now(), record = std::move(record_json)](
                       sql::Transaction& transaction) { return exchange::append_audit(transaction, tenant, node, at, record); },
                   [&log = log_](Result<> stored) {
                     if (!stored) log.error("audit.notStored", {{"code", stored.error().code}, {"detail", stored.error().detail}});
                   });
}

}  // namespace schakel::server
