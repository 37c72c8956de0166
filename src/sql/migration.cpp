#include <array>

#include "sql/database.hpp"

namespace schakel::sql {
namespace {

// Any number that no other program on this database uses: "schakel" in ASCII.
constexpr std::string_view lock_migrations = "SELECT pg_advisory_xact_lock(32479305829410156)";

Result<> prepare_table(Transaction& tx) {
  if (tx.is_postgres()) SCHAKEL_CHECK(tx.query(lock_migrations));
  SCHAKEL_CHECK(tx.execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL)"));
  return {};
}

Result<std::int64_t> current_version(Transaction& tx) {
  SCHAKEL_TRY(const Rows rows, tx.query("SELECT max(version) FROM schema_version"));
  return rows[0].integer(0);
}

Result<bool> has_table(Transaction& tx) {
  SCHAKEL_TRY(const Rows rows, tx.query(tx.is_postgres() ? "SELECT 1 WHERE to_regclass('schema_version') IS NOT NULL"
                                                         : "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'"));
  return !rows.empty();
}

// Splits at ';' outside of literals.
std::vector<std::string> statements_of(std::string_view text) {
  std::vector<std::string> statements;
  std::string statement;
  bool in_literal = false;
  for (const char c : text) {
    if (c == '\'') in_literal = !in_literal;
    if (c == ';' && !in_literal) {
      statements.push_back(std::move(statement));
      statement.clear();
    } else {
      statement += c;
    }
  }
  statements.push_back(std::move(statement));
  std::erase_if(statements, [](const std::string& s) { return s.find_first_not_of(" \t\r\n") == std::string::npos; });
  return statements;
}

Result<> apply(Transaction& tx, const Migration& migration) {
  const std::string text = !tx.is_postgres()                ? std::string(migration.sql)
                           : migration.sql_postgres.empty() ? postgres_text(migration.sql)
                                                            : std::string(migration.sql_postgres);
  for (const std::string& statement : statements_of(text))
    if (const auto done = tx.execute(std::string_view(statement)); !done)
      return fail(done.error().code,
                  "migration " + std::to_string(migration.version) + " (" + std::string(migration.name) + "): " + done.error().detail);
  SCHAKEL_CHECK(tx.execute("INSERT INTO schema_version (version, name) VALUES ($1, $2)", {migration.version, migration.name}));
  return {};
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
}

std::int64_t newest_of(std::span<const Migration> migrations) {
  return migrations.empty() ? 0 : migrations.back().version;
}

}  // namespace

std::string postgres_text(std::string_view sqlite_text) {
  std::string text(sqlite_text);
  replace_all(text, "INTEGER PRIMARY KEY", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY");
  replace_all(text, "BLOB", "BYTEA");
  replace_all(text, " WITHOUT ROWID", "");
  return text;
}

Result<SchemaState> schema_state(Database& database, std::span<const Migration> migrations) {
  SchemaState state{0, newest_of(migrations)};
  const auto read = database.read([&](Transaction& tx) -> Result<> {
    SCHAKEL_TRY(const bool exists, has_table(tx));
    if (!exists) return {};
    SCHAKEL_TRY(state.current, current_version(tx));
    return {};
  });
  if (!read) return read.error();
  return state;
}

// Each migration in a transaction of its own. Another node that migrates at the same time waits for the lock and then finds the work done.
Result<SchemaState> migrate(Database& database, std::span<const Migration> migrations) {
  SchemaState state{0, newest_of(migrations)};
  const auto step = [&](const Migration* migration) {
    return database.commit([&state, migration](Transaction& tx) -> Result<> {
      SCHAKEL_CHECK(prepare_table(tx));
      SCHAKEL_TRY(state.current, current_version(tx));
      if (!migration || migration->version <= state.current) return {};
      SCHAKEL_CHECK(apply(tx, *migration));
      state.current = migration->version;
      return {};
    });
  };
  SCHAKEL_CHECK(step(nullptr));
  for (const Migration& migration : migrations)
    if (migration.version > state.current) SCHAKEL_CHECK(step(&migration));
  return state;
}

}  // namespace schakel::sql
