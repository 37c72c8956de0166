#include "server/kept_authorities.hpp"

#include "base/json_library.hpp"
#include "exchange/store.hpp"

namespace schakel::server {

Result<> keep_authorities(sql::Database& database, const Trust& trust, Instant now) {
  return database.commit([&](sql::Transaction& tx) -> Result<> {
    for (const auto& store : trust.all()) {
      for (const auto* list : {&store->anchors(), &store->intermediates()}) {
        for (const auto& certificate : *list) {
          SCHAKEL_TRY(const auto kept, exchange::find_document(tx, "", exchange::kept_certificate_kind, certificate->sha256));
          if (kept) continue;
          SCHAKEL_CHECK(exchange::put_document(
              tx, {.id = certificate->sha256,
                   .tenant = "",
                   .kind = std::string(exchange::kept_certificate_kind),
                   .key = certificate->sha256,
                   .body = nlohmann::json{{"subject", certificate->subject}, {"der", to_base64(certificate->der)}}.dump(),
                   .version = 1,
                   .changed_at = now}));
        }
      }
    }
    return {};
  });
}

}  // namespace schakel::server
