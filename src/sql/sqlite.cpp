#include "sql/sqlite.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstring>

namespace schakel::sql {
namespace {

// How long a connection waits for another process (a backup, the command line) that holds the lock.
constexpr int busy_timeout_ms = 5000;

// A foreign key or unique violation is the caller's to judge; a NOT NULL or CHECK violation is a fault of ours.
bool is_conflict(int extended) {
  return extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY || extended == SQLITE_CONSTRAINT_FOREIGNKEY ||
         extended == SQLITE_CONSTRAINT_ROWID;
}

bool is_outage(int primary) {
  switch (primary) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
    case SQLITE_PROTOCOL:
    case SQLITE_PERM:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return true;
    default:
      return false;
  }
}

Error describe(int extended, const char* message) {
  if (is_conflict(extended)) return fail("storage.conflict", std::string("SQLite: ") + message);
  if (is_outage(extended & 0xff)) return fail("storage.unavailable", std::string("SQLite: ") + message);
  return fail("storage.failed", std::string("SQLite: ") + message);
}

// SQLite counts its memory for whoever asks, under one mutex for all connections; nobody asks. Before the first connection of the process.
void configure_library_once() {
  static const bool done = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK;
  static_cast<void>(done);
}

// Only the owner may read what we store. SQLite gives its -wal and -shm files the mode of the database file.
void create_private(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_EXCL, S_IRUSR | S_IWUSR);
  if (file >= 0) ::close(file);
}

Row::Value column_value(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
      return {};
    case SQLITE_INTEGER:
      return std::int64_t{sqlite3_column_int64(statement, column)};
    default: {
      const void* octets = sqlite3_column_blob(statement, column);
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
      return octets ? std::string(static_cast<const char*>(octets), size) : std::string();
    }
  }
}

int bind_value(sqlite3_stmt* statement, int index, const Param::Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return sqlite3_bind_int64(statement, index, *integer);
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    if (text->find('\0') != std::string_view::npos) return SQLITE_MISMATCH;  // PostgreSQL refuses it too
    return sqlite3_bind_text64(statement, index, text->data() ? text->data() : "", text->size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  if (const auto* blob = std::get_if<Blob>(&value))
    return sqlite3_bind_blob64(statement, index, blob->bytes.data() ? blob->bytes.data() : "", blob->bytes.size(), SQLITE_STATIC);
  return sqlite3_bind_null(statement, index);
}

}  // namespace

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(const std::string& path, Access access) {
  configure_library_once();
  const bool in_memory = path == ":memory:";
  if (!in_memory && access == Access::write) create_private(path);
  sqlite3* database = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &database, flags | (in_memory ? SQLITE_OPEN_MEMORY : 0), nullptr);
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(database));
  if (code != SQLITE_OK) return fail("storage.unavailable", std::string("cannot open the database: ") + sqlite3_errstr(code), path);
  SCHAKEL_CHECK(connection->configure(in_memory, access));
  return connection;
}

SqliteConnection::~SqliteConnection() {
  close_statements();
  sqlite3_close(database_);
}

void SqliteConnection::close_statements() {
  for (auto& [text, statement] : statements_) sqlite3_finalize(statement.handle);
  statements_.clear();
}

Result<> SqliteConnection::configure(bool in_memory, Access access) {
  sqlite3_busy_timeout(database_, busy_timeout_ms);
  SCHAKEL_TRY(Rows mode, query("PRAGMA journal_mode=WAL"));
  if (!in_memory && (mode.empty() || mode[0].text(0) != "wal"))
    return fail("storage.unavailable", "the file system does not allow write-ahead logging");
  // A checkpoint costs two more syncs: every 16 MiB of log, not every 4.
  for (const std::string_view pragma : {"PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON", "PRAGMA temp_store=MEMORY",
                                        "PRAGMA wal_autocheckpoint=4096", "PRAGMA journal_size_limit=67108864"})
    SCHAKEL_CHECK(query(pragma));
  // The writer keeps the upper pages of every tree; there are many readers, and a download must not fill a cache each.
  SCHAKEL_CHECK(query(access == Access::read ? "PRAGMA cache_size=-2048" : "PRAGMA cache_size=-16384"));
  if (access == Access::read) SCHAKEL_CHECK(query("PRAGMA query_only=ON"));
  close_statements();
  return {};
}

Error SqliteConnection::failure(int code) {
  Error error = describe(sqlite3_extended_errcode(database_), sqlite3_errmsg(database_));
  if (code == SQLITE_MISMATCH) error = fail("storage.failed", "a text parameter holds a NUL");
  // SQLite rolls the whole transaction back by itself after some errors (disk full, I/O).
  return set_fault(sqlite3_get_autocommit(database_) ? Fault::gone : Fault::statement, std::move(error));
}

Result<SqliteConnection::Statement*> SqliteConnection::prepare(std::string_view sql) {
  if (const auto found = statements_.find(sql); found != statements_.end()) return &found->second;
  if (statements_.size() >= statements_kept_max) close_statements();
  Statement statement;
  const int code =
      sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement.handle, nullptr);
  if (code != SQLITE_OK) return failure(code);
  const int count = sqlite3_bind_parameter_count(statement.handle);
  for (int i = 1; i <= count; ++i) {
    const char* name = sqlite3_bind_parameter_name(statement.handle, i);
    std::size_t number = 0;
    if (name) std::from_chars(name + 1, name + std::strlen(name), number);
    if (number == 0) {
      sqlite3_finalize(statement.handle);
      return set_fault(Fault::statement, fail("storage.failed", "parameters are written $1, $2 …"));
    }
    statement.order.push_back(number - 1);
    statement.params = std::max(statement.params, number);
  }
  return &statements_.emplace(std::string(sql), std::move(statement)).first->second;
}

Result<> SqliteConnection::bind(const Statement& statement, std::span<const Param> params) {
  if (params.size() != statement.params) return set_fault(Fault::statement, fail("storage.failed", "wrong number of parameters"));
  for (std::size_t i = 0; i < statement.order.size(); ++i) {
    const int code = bind_value(statement.handle, static_cast<int>(i) + 1, params[statement.order[i]].value());
    if (code != SQLITE_OK) return failure(code);
  }
  return {};
}

Result<SqliteConnection::Statement*> SqliteConnection::start(std::string_view sql, std::span<const Param> params) {
  if (fault() != Fault::none) return fault_error();
  SCHAKEL_TRY(Statement * statement, prepare(sql));
  SCHAKEL_CHECK(bind(*statement, params));
  return statement;
}

Result<Rows> SqliteConnection::query(std::string_view sql, std::span<const Param> params) {
  SCHAKEL_TRY(Statement * statement, start(sql, params));
  Rows rows;
  int code;
  while ((code = sqlite3_step(statement->handle)) == SQLITE_ROW) {
    const int columns = sqlite3_column_count(statement->handle);
    std::vector<Row::Value> values;
    values.reserve(static_cast<std::size_t>(columns));
    for (int i = 0; i < columns; ++i) values.push_back(column_value(statement->handle, i));
    rows.emplace_back(std::move(values));
  }
  Result<Rows> result = code == SQLITE_DONE ? Result<Rows>(std::move(rows)) : Result<Rows>(failure(code));
  sqlite3_reset(statement->handle);
  return result;
}

Result<std::int64_t> SqliteConnection::execute(std::string_view sql, std::span<const Param> params) {
  SCHAKEL_TRY(Statement * statement, start(sql, params));
  int code;
  while ((code = sqlite3_step(statement->handle)) == SQLITE_ROW) {
  }
  Result<std::int64_t> result =
      code == SQLITE_DONE ? Result<std::int64_t>(sqlite3_changes64(database_)) : Result<std::int64_t>(failure(code));
  sqlite3_reset(statement->handle);
  return result;
}

Result<> SqliteConnection::post(std::string_view sql, std::span<const Param> params) {
  SCHAKEL_CHECK(execute(sql, params));
  return {};
}

Result<> SqliteConnection::control(std::string_view sql) {
  SCHAKEL_CHECK(execute(sql, std::span<const Param>()));
  return {};
}

Result<> SqliteConnection::begin(Access access) {
  clear_fault();
  read_only_ = access == Access::read;
  auto begun = control(read_only_ ? "BEGIN" : "BEGIN IMMEDIATE");
  if (!begun) set_fault(Fault::gone, begun.error());
  return begun;
}

Result<> SqliteConnection::commit() {
  auto committed = control("COMMIT");
  // Whatever went wrong (a full disk, say), the rollback that follows makes it certain that nothing was kept.
  if (!committed && fault() == Fault::statement) set_fault(Fault::gone, committed.error());
  return committed;
}

void SqliteConnection::rollback() {
  clear_fault();
  if (!sqlite3_get_autocommit(database_)) {
    if (const auto rolled_back = control("ROLLBACK"); !rolled_back) set_fault(Fault::lost, rolled_back.error());
  }
}

Result<> SqliteConnection::savepoint() {
  return control("SAVEPOINT unit");
}

Result<> SqliteConnection::release() {
  return control("RELEASE unit");
}

Result<> SqliteConnection::rollback_to_savepoint() {
  clear_fault();
  SCHAKEL_CHECK(control("ROLLBACK TO unit"));
  return control("RELEASE unit");
}

Result<> SqliteConnection::ping() {
  clear_fault();
  SCHAKEL_CHECK(query("SELECT 1 FROM sqlite_schema LIMIT 1"));
  return {};
}

}  // namespace schakel::sql
