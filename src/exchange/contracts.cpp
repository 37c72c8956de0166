#include "exchange/store.hpp"

namespace schakel::exchange {
namespace {

using sql::Blob;
using sql::Row;
using sql::Rows;
using sql::Transaction;

#define SCHAKEL_CONTRACT_SELECT \
  "SELECT id, tenant, kind, state, name, digest, document, version, created_at, changed_at, retired_at, settings FROM contracts "

Contract contract_from(Row& row) {
  Contract c;
  c.id = row.take(0);
  c.tenant = row.take(1);
  c.kind = row.take(2);
  c.state = contract_state_from(row.text(3)).value_or(ContractState::draft);
  c.name = row.take(4);
  c.digest = row.take(5);
  c.document = row.take(6);
  c.version = row.integer(7);
  c.created_at = row.instant(8);
  c.changed_at = row.instant(9);
  c.retired_at = row.optional_instant(10);
  c.settings = row.take(11);
  return c;
}

std::vector<Contract> contracts_from(Rows rows) {
  std::vector<Contract> contracts;
  contracts.reserve(rows.size());
  for (Row& row : rows) contracts.push_back(contract_from(row));
  return contracts;
}

std::optional<Contract> first_of(Rows rows) {
  return rows.empty() ? std::nullopt : std::optional(contract_from(rows[0]));
}

Document document_from(Row& row) {
  return {row.take(0), row.take(1), row.take(2), row.take(3), row.take(4), row.integer(5), row.instant(6)};
}

std::vector<Document> documents_from(Rows rows) {
  std::vector<Document> documents;
  documents.reserve(rows.size());
  for (Row& row : rows) documents.push_back(document_from(row));
  return documents;
}

// In the transaction of every change; the row's lock puts the changes of all nodes in one order.
Result<> configuration_changed(Transaction& tx) {
  return tx.post("UPDATE counters SET value = value + 1 WHERE name = 'configuration'");
}

Result<> keep_in_history(Transaction& tx, const Contract& contract, std::string_view new_digest) {
  return tx.post(
      "INSERT INTO contract_history (tenant, contract, version, digest, document, replaced_at) "
      "SELECT tenant, id, version, digest, document, $4 FROM contracts WHERE tenant = $1 AND id = $2 AND digest <> $3",
      {contract.tenant, contract.id, new_digest, contract.changed_at});
}

}  // namespace

Result<> insert_contract(Transaction& tx, const Contract& c) {
  SCHAKEL_CHECK(tx.execute(
      "INSERT INTO contracts (id, tenant, kind, state, name, digest, document, version, created_at, changed_at, retired_at, settings) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
      {c.id, c.tenant, c.kind, to_string(c.state), c.name, c.digest, Blob{c.document}, c.version, c.created_at, c.changed_at, c.retired_at,
       c.settings}));
  return configuration_changed(tx);
}

Result<> update_contract(Transaction& tx, const Contract& c) {
  SCHAKEL_CHECK(keep_in_history(tx, c, c.digest));
  SCHAKEL_TRY(const std::int64_t changed, tx.execute("UPDATE contracts SET kind = $3, state = $4, name = $5, digest = $6, document = $7, "
                                                     "version = version + 1, changed_at = $8, retired_at = $9, "
                                                     "settings = $10 WHERE tenant = $1 AND id = $2 AND version = $11",
                                                     {c.tenant, c.id, c.kind, to_string(c.state), c.name, c.digest, Blob{c.document},
                                                      c.changed_at, c.retired_at, c.settings, c.version}));
  if (changed != 1) return fail("version.conflict", "the contract was changed by somebody else", c.id);
  return configuration_changed(tx);
}

Result<> delete_contract(Transaction& tx, std::string_view tenant, std::string_view id) {
  SCHAKEL_CHECK(tx.post("DELETE FROM contract_history WHERE tenant = $1 AND contract = $2", {tenant, id}));
  SCHAKEL_CHECK(tx.post("DELETE FROM contracts WHERE tenant = $1 AND id = $2", {tenant, id}));
  return configuration_changed(tx);
}

Result<std::optional<Contract>> find_contract(Transaction& tx, std::string_view tenant, std::string_view id) {
  SCHAKEL_TRY(Rows rows, tx.query(SCHAKEL_CONTRACT_SELECT "WHERE tenant = $1 AND id = $2", {tenant, id}));
  return first_of(std::move(rows));
}

Result<std::optional<Contract>> find_contract_by_name(Transaction& tx, std::string_view tenant, std::string_view kind,
                                                      std::string_view name) {
  SCHAKEL_TRY(Rows rows, tx.query(SCHAKEL_CONTRACT_SELECT "WHERE tenant = $1 AND kind = $2 AND name = $3", {tenant, kind, name}));
  return first_of(std::move(rows));
}

Result<std::vector<Contract>> all_contracts(Transaction& tx, std::string_view kind) {
  SCHAKEL_TRY(Rows rows, tx.query(SCHAKEL_CONTRACT_SELECT "WHERE kind = $1 ORDER BY tenant, id", {kind}));
  return contracts_from(std::move(rows));
}

Result<std::vector<Contract>> contracts_in_state(Transaction& tx, std::string_view kind, ContractState state) {
  SCHAKEL_TRY(Rows rows, tx.query("SELECT id, tenant, kind, state, name, digest, '', version, created_at, changed_at, retired_at, settings "
                                  "FROM contracts WHERE kind = $1 AND state = $2 ORDER BY tenant, id",
                                  {kind, to_string(state)}));
  return contracts_from(std::move(rows));
}

Result<std::int64_t> contract_history_count(Transaction& tx, std::string_view tenant, std::string_view id) {
  SCHAKEL_TRY(const Rows rows, tx.query("SELECT count(*) FROM contract_history WHERE tenant = $1 AND contract = $2", {tenant, id}));
  return rows[0].integer(0);
}

#define SCHAKEL_DOCUMENT_SELECT "SELECT id, tenant, kind, key, body, version, changed_at FROM documents "

Result<> put_document(Transaction& tx, const Document& d) {
  SCHAKEL_CHECK(
      tx.execute("INSERT INTO documents (id, tenant, kind, key, body, version, changed_at) VALUES ($1, $2, $3, $4, $5, 1, $6) "
                 "ON CONFLICT (tenant, kind, key) DO UPDATE SET body = excluded.body, version = documents.version + 1, changed_at = "
                 "excluded.changed_at",
                 {d.id, d.tenant, d.kind, d.key, d.body, d.changed_at}));
  return configuration_changed(tx);
}

Result<std::optional<Document>> find_document(Transaction& tx, std::string_view tenant, std::string_view kind, std::string_view id) {
  static constexpr std::string_view plain = SCHAKEL_DOCUMENT_SELECT "WHERE tenant = $1 AND kind = $2 AND id = $3";
  static constexpr std::string_view locking = SCHAKEL_DOCUMENT_SELECT "WHERE tenant = $1 AND kind = $2 AND id = $3 FOR NO KEY UPDATE";
  SCHAKEL_TRY(Rows rows, tx.query(tx.for_update() ? locking : plain, {tenant, kind, id}));
  if (rows.empty()) return std::optional<Document>();
  return std::optional(document_from(rows[0]));
}

Result<std::vector<Document>> documents(Transaction& tx, std::string_view tenant, std::string_view kind) {
  SCHAKEL_TRY(Rows rows, tx.query(SCHAKEL_DOCUMENT_SELECT "WHERE tenant = $1 AND kind = $2 ORDER BY id", {tenant, kind}));
  return documents_from(std::move(rows));
}

Result<bool> has_documents(Transaction& tx, std::string_view tenant, std::string_view kind) {
  SCHAKEL_TRY(const Rows rows, tx.query("SELECT 1 FROM documents WHERE tenant = $1 AND kind = $2 LIMIT 1", {tenant, kind}));
  return !rows.empty();
}

Result<std::vector<Document>> all_documents(Transaction& tx, std::string_view kind) {
  SCHAKEL_TRY(Rows rows, tx.query(SCHAKEL_DOCUMENT_SELECT "WHERE kind = $1 ORDER BY tenant, id", {kind}));
  return documents_from(std::move(rows));
}

Result<bool> delete_document(Transaction& tx, std::string_view tenant, std::string_view kind, std::string_view id) {
  SCHAKEL_TRY(const std::int64_t deleted,
              tx.execute("DELETE FROM documents WHERE tenant = $1 AND kind = $2 AND id = $3", {tenant, kind, id}));
  if (deleted == 1) SCHAKEL_CHECK(configuration_changed(tx));
  return deleted == 1;
}

Result<std::int64_t> configuration_version(Transaction& tx) {
  SCHAKEL_TRY(const Rows rows, tx.query("SELECT value FROM counters WHERE name = 'configuration'"));
  return rows.empty() ? std::int64_t{0} : rows[0].integer(0);
}

}  // namespace schakel::exchange
