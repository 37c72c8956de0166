#include "server/crl_archive.hpp"

#include "base/json_library.hpp"
#include "exchange/store.hpp"

namespace schakel::server {
namespace {

constexpr std::string_view document_kind = "crl";

}  // namespace

Result<> DatabaseCrlArchive::save(const security::StoredCrl& crl) {
  exchange::Document document{.id = crl.issuer_id,
                              .tenant = "",
                              .kind = std::string(document_kind),
                              .key = crl.issuer_id,
                              .body = nlohmann::json{{"sha256", crl.sha256}, {"der", to_base64(crl.der)}}.dump(),
                              .version = 1,
                              .changed_at = clock_.now()};
  return database_.commit([&](sql::Transaction& transaction) -> Result<> {
    SCHAKEL_TRY(const auto former, exchange::find_document(transaction, "", document_kind, crl.issuer_id));
    document.version = former ? former->version + 1 : 1;
    return exchange::put_document(transaction, document);
  });
}

Result<std::vector<security::StoredCrl>> DatabaseCrlArchive::load() {
  std::vector<exchange::Document> documents;
  SCHAKEL_CHECK(database_.read([&](sql::Transaction& transaction) -> Result<> {
    SCHAKEL_TRY(documents, exchange::all_documents(transaction, document_kind));
    return {};
  }));
  std::vector<security::StoredCrl> crls;
  for (const auto& document : documents) {
    const auto json = nlohmann::json::parse(document.body, nullptr, false);
    if (!json.is_object()) return fail("storage.failed", "a stored CRL cannot be read", document.id);
    SCHAKEL_TRY(auto der, from_base64(json.value("der", "")));
    crls.push_back({.issuer_id = document.key, .sha256 = json.value("sha256", ""), .der = std::move(der)});
  }
  return crls;
}

}  // namespace schakel::server
