// A database: SQLite (one node) or PostgreSQL 15+ (a cluster), behind one SQL text with $1, $2 … parameters.
//
// Writes go in as *units*: functions that run inside a transaction. Units that wait at the same time are committed together (group commit):
// up to limits::commit_group_max units run in one database transaction, one commit makes all of them durable, and only then their
// completions run. A unit that fails is rolled back alone. A unit may run more than once (a group in which a unit failed, or that met a
// serialisation failure or a lost connection before commit, is run again), so it must have no effects but through its Transaction and
// variables that it sets anew on every run.
//
// Threads: a Database is safe from every thread. A Transaction belongs to the call that it is given to.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace schakel {
class Log;
class Metrics;
}  // namespace schakel

namespace schakel::sql {

// Octets bound for a BLOB / bytea column (text is a plain string_view).
struct Blob {
  BytesView bytes;
};

// A parameter. Views must stay valid during the call. Instants are stored as integer microseconds since 1970 (UTC).
class Param {
 public:
  Param(std::nullptr_t) {}
  Param(std::int64_t v) : value_(v) {}
  Param(int v) : value_(std::int64_t{v}) {}
  Param(std::size_t v) : value_(static_cast<std::int64_t>(v)) {}
  Param(bool v) : value_(std::int64_t{v ? 1 : 0}) {}
  Param(std::string_view v) : value_(v) {}
  Param(const std::string& v) : value_(std::string_view(v)) {}
  Param(const char* v) : value_(std::string_view(v)) {}
  Param(Blob v) : value_(v) {}
  Param(Instant v) : value_(static_cast<std::int64_t>(v.time_since_epoch().count())) {}
  template <class T>
  Param(const std::optional<T>& v) {
    if (v) *this = Param(*v);
  }

  using Value = std::variant<std::monostate, std::int64_t, std::string_view, Blob>;
  const Value& value() const { return value_; }

 private:
  Value value_;
};

// One row of a result: columns by position. Reading a NULL as a number gives 0, as text "", as optional nullopt.
class Row {
 public:
  using Value = std::variant<std::monostate, std::int64_t, std::string>;
  explicit Row(std::vector<Value> values) : values_(std::move(values)) {}

  bool is_null(std::size_t column) const { return std::holds_alternative<std::monostate>(values_[column]); }
  std::int64_t integer(std::size_t column) const;
  bool boolean(std::size_t column) const { return integer(column) != 0; }
  const std::string& text(std::size_t column) const;  // also octets
  std::string take(std::size_t column);               // moves text or octets out
  Instant instant(std::size_t column) const { return Instant(Duration(integer(column))); }
  std::optional<std::int64_t> optional_integer(std::size_t column) const;
  std::optional<std::string> optional_text(std::size_t column) const;
  std::optional<Instant> optional_instant(std::size_t column) const;
  std::size_t size() const { return values_.size(); }

 private:
  std::vector<Value> values_;
};
using Rows = std::vector<Row>;

using Params = std::initializer_list<Param>;

// Error codes of every call: "storage.unavailable" (lost, locked, full: try later), "storage.conflict" (unique or foreign key),
// "storage.failed" (a fault in our SQL). After the first failed statement every further call of the unit fails with the same error, on both
// databases, and so does the unit: return the error, do not work around it.
//
// Isolation: SQLite runs one unit at a time. PostgreSQL runs units of several writers at once, READ COMMITTED: a unit that reads a row to
// change it takes the row's lock while it reads (`for_update`), or changes it in one statement.
class Transaction {
 public:
  virtual ~Transaction() = default;
  // Prepared statements are kept by the text of `sql`; texts that are put together must come in few forms (values are parameters, never
  // text). Text parameters hold no NUL.
  virtual Result<Rows> query(std::string_view sql, std::span<const Param> params) = 0;
  // Rows changed.
  virtual Result<std::int64_t> execute(std::string_view sql, std::span<const Param> params) = 0;
  // `execute` for a caller that needs no count: PostgreSQL is not waited for. A failure shows at a later call or when the unit ends.
  virtual Result<> post(std::string_view sql, std::span<const Param> params) = 0;

  Result<Rows> query(std::string_view sql, Params params = {}) { return query(sql, std::span(params.begin(), params.size())); }
  Result<std::int64_t> execute(std::string_view sql, Params params = {}) { return execute(sql, std::span(params.begin(), params.size())); }
  Result<> post(std::string_view sql, Params params = {}) { return post(sql, std::span(params.begin(), params.size())); }

  // True on PostgreSQL: for the few places where the texts must differ (FOR UPDATE SKIP LOCKED).
  virtual bool is_postgres() const = 0;
  // True in a unit of submit_read.
  virtual bool is_read_only() const = 0;
  // True where a read must lock what it will change: a writing unit on PostgreSQL.
  bool for_update() const { return is_postgres() && !is_read_only(); }
};

using Unit = std::function<Result<>(Transaction&)>;
using Completion = std::function<void(Result<>)>;

class Database {
 public:
  virtual ~Database() = default;

  // Runs `unit` in a group commit; `done` is called once, on a database thread, after the commit is durable or with the error.
  // "storage.unavailable" at once, on the caller's thread, when limits::commit_queue_max units wait or after stop(). No lock is held while
  // `done` runs.
  virtual void submit(Unit unit, Completion done) = 0;
  // Runs `unit` on a reader connection in a read-only snapshot; `done` as above. Reads never wait for writes.
  virtual void submit_read(Unit unit, Completion done) = 0;

  // The same, blocking the caller: for start-up, tools and tests, never on an I/O thread or inside a unit or completion.
  Result<> commit(Unit unit);
  Result<> read(Unit unit);

  virtual bool is_postgres() const = 0;
  // True while the last contact with the database succeeded (for /health/ready).
  virtual bool available() const = 0;
  // Ends the threads after the units that were submitted; later submits fail with "storage.unavailable". The destructor stops too.
  virtual void stop() = 0;
};

struct DatabaseOptions {
  std::string url;             // "sqlite:path", "sqlite::memory:" or "postgresql://…"
  std::size_t pool_size = 16;  // connections (PostgreSQL); SQLite: one writer and up to four readers
};

// Opens and checks the database; does not migrate. Errors: "storage.unavailable", "config.invalid".
Result<std::unique_ptr<Database>> open(const DatabaseOptions&, Log&, Metrics&);

// Migrations: an ordered list of texts, run once each under a lock, recorded in the table schema_version. A schema newer than the list is
// left alone.
struct Migration {
  std::int64_t version;
  std::string_view name;
  std::string_view
      sql;  // statements separated by ';' (a literal may hold one). PostgreSQL gets the same text through `postgres_text`, unless…
  std::string_view sql_postgres = {};  // …this is not empty
};
struct SchemaState {
  std::int64_t current;  // 0: empty database
  std::int64_t newest;   // the newest this program knows
};
// The only differences between the two dialects in a schema: BLOB -> BYTEA; INTEGER PRIMARY KEY (SQLite counts up) -> BIGINT GENERATED
// ALWAYS AS IDENTITY PRIMARY KEY; WITHOUT ROWID -> nothing.
std::string postgres_text(std::string_view sqlite_text);
Result<SchemaState> migrate(Database&, std::span<const Migration>);
Result<SchemaState> schema_state(Database&, std::span<const Migration>);

}  // namespace schakel::sql
