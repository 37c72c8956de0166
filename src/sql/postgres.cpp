#include "sql/postgres.hpp"

#include <endian.h>
#include <libpq-fe.h>

#include <array>
#include <charconv>
#include <cstring>

namespace schakel::sql {
namespace {

// pg_type.h: part of PostgreSQL's protocol, fixed for ever.
constexpr Oid bool_oid = 16, bytea_oid = 17, name_oid = 19, int8_oid = 20, int2_oid = 21, int4_oid = 23, text_oid = 25, varchar_oid = 1043,
              void_oid = 2278;

// Statements in the pipeline before we read answers: far below what the socket buffers hold of their short answers, so neither side can
// block the other.
constexpr std::size_t pending_max = 64;

// A hanging node's locks end (idle_in_transaction), a lock that is held too long fails one unit instead of all (lock_timeout, below the
// node lease of 15 s). A server whose default is a weaker commit than `on` is raised to it; a stronger one (remote_apply) is left.
constexpr const char* session_settings =
    "SET idle_in_transaction_session_timeout = '30s'; SET lock_timeout = '10s'; SET statement_timeout = '60s'; SET timezone = 'UTC';"
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')";

struct ResultCloser {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, ResultCloser>;

struct OptionsCloser {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

bool starts_with_any(std::string_view state, std::initializer_list<std::string_view> classes) {
  for (const auto prefix : classes)
    if (state.starts_with(prefix)) return true;
  return false;
}

// First line, without values: a DETAIL line would quote rows.
std::string first_line(const char* message) {
  std::string_view text = message ? message : "";
  return std::string(text.substr(0, text.find('\n')));
}

template <class Integer>
Integer big_endian(const char* octets) {
  Integer value;
  std::memcpy(&value, octets, sizeof value);
  if constexpr (sizeof value == 8) return static_cast<Integer>(be64toh(static_cast<std::uint64_t>(value)));
  if constexpr (sizeof value == 4) return static_cast<Integer>(be32toh(static_cast<std::uint32_t>(value)));
  return static_cast<Integer>(be16toh(static_cast<std::uint16_t>(value)));
}

// nullopt: a type that our schema does not use (cast it in the SQL).
std::optional<Row::Value> column_value(const PGresult* result, int row, int column) {
  if (PQgetisnull(result, row, column)) return Row::Value();
  const char* octets = PQgetvalue(result, row, column);
  switch (PQftype(result, column)) {
    case void_oid:
      return Row::Value();
    case int8_oid:
      return big_endian<std::int64_t>(octets);
    case int4_oid:
      return std::int64_t{big_endian<std::int32_t>(octets)};
    case int2_oid:
      return std::int64_t{big_endian<std::int16_t>(octets)};
    case bool_oid:
      return std::int64_t{octets[0] != 0};
    case text_oid:
    case bytea_oid:
    case varchar_oid:
    case name_oid:
      return std::string(octets, static_cast<std::size_t>(PQgetlength(result, row, column)));
    default:
      return std::nullopt;
  }
}

// The highest N of $N outside of literals.
std::size_t parameters_in(std::string_view sql) {
  std::size_t highest = 0;
  bool in_literal = false;
  for (std::size_t i = 0; i < sql.size(); ++i) {
    if (sql[i] == '\'') in_literal = !in_literal;
    if (sql[i] != '$' || in_literal) continue;
    std::size_t number = 0;
    std::from_chars(sql.data() + i + 1, sql.data() + sql.size(), number);
    highest = std::max(highest, number);
  }
  return highest;
}

Oid type_of(const Param::Value& value) {
  if (std::holds_alternative<std::int64_t>(value)) return int8_oid;
  if (std::holds_alternative<std::string_view>(value)) return text_oid;
  if (std::holds_alternative<Blob>(value)) return bytea_oid;
  return 0;  // NULL: the server infers it
}

// The parameters as libpq wants them; integers are written into a buffer here.
class BoundParams {
 public:
  explicit BoundParams(std::span<const Param> params) : numbers_(params.size()) {
    values_.reserve(params.size());
    lengths_.reserve(params.size());
    formats_.reserve(params.size());
    for (std::size_t i = 0; i < params.size(); ++i) {
      const auto& value = params[i].value();
      if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        auto& digits = numbers_[i];
        *std::to_chars(digits.data(), digits.data() + digits.size() - 1, *integer).ptr = '\0';
        add(digits.data(), 0, 0);
      } else if (const auto* text = std::get_if<std::string_view>(&value)) {
        add(text->data() ? text->data() : "", text->size(), 1);
      } else if (const auto* blob = std::get_if<Blob>(&value)) {
        add(blob->bytes.data() ? blob->bytes.data() : "", blob->bytes.size(), 1);
      } else {
        add(nullptr, 0, 0);
      }
    }
  }
  const char* const* values() const { return values_.data(); }
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }

 private:
  void add(const char* value, std::size_t length, int format) {
    values_.push_back(value);
    lengths_.push_back(static_cast<int>(length));
    formats_.push_back(format);
  }

  std::vector<std::array<char, 24>> numbers_;
  std::vector<const char*> values_;
  std::vector<int> lengths_, formats_;
};

// The URL's own keywords win over these.
pg_conn* connect(const std::string& url) {
  static constexpr const char* keywords[] = {"connect_timeout",  "keepalives_idle",  "keepalives_interval",
                                             "keepalives_count", "tcp_user_timeout", "application_name",
                                             "client_encoding",  "dbname",           nullptr};
  const char* values[] = {"5", "5", "2", "3", "10000", "schakel", "UTF8", url.c_str(), nullptr};
  return PQconnectdbParams(keywords, values, 1);
}

}  // namespace

struct PostgresConnection::Answer {
  ResultHandle result;
};

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::open(const std::string& url, Access access) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, OptionsCloser> options(PQconninfoParse(url.c_str(), &message));
  if (message) PQfreemem(message);  // it would quote the URL, password and all
  if (!options) return fail("config.invalid", "the database URL cannot be read", "database.url");
  std::unique_ptr<PostgresConnection> connection(new PostgresConnection(connect(url)));
  if (PQstatus(connection->connection_) != CONNECTION_OK)
    return fail("storage.unavailable", "cannot connect: " + first_line(PQerrorMessage(connection->connection_)));
  SCHAKEL_CHECK(connection->configure(access));
  return connection;
}

PostgresConnection::~PostgresConnection() {
  PQfinish(connection_);
}

Result<> PostgresConnection::configure(Access access) {
  if (PQserverVersion(connection_) < 150000) return fail("config.invalid", "PostgreSQL 15 or newer is needed", "database.url");
  const char* encoding = PQparameterStatus(connection_, "server_encoding");
  if (!encoding || std::string_view(encoding) != "UTF8")
    return fail("config.invalid", "the database must have encoding UTF8", "database.url");
  PQsetNoticeProcessor(
      connection_, [](void*, const char*) {}, nullptr);
  for (const char* sql : {session_settings, access == Access::read ? "SET default_transaction_read_only = on"
                                                                   : "SET default_transaction_isolation = 'read committed'"}) {
    const ResultHandle result(PQexec(connection_, sql));
    const auto status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
      return fail("storage.unavailable", first_line(PQresultErrorMessage(result.get())));
  }
  if (PQenterPipelineMode(connection_) != 1) return broken();
  return {};
}

Error PostgresConnection::broken() {
  pending_.clear();
  return set_fault(Fault::lost, fail("storage.unavailable", "PostgreSQL: " + first_line(PQerrorMessage(connection_))));
}

Error PostgresConnection::wrong_count() {
  return set_fault(Fault::statement, fail("storage.failed", "wrong number of parameters"));
}

Error PostgresConnection::failure(const pg_result* result) {
  const char* field = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string_view state = field ? field : "";
  if (state.empty() || PQstatus(connection_) == CONNECTION_BAD || starts_with_any(state, {"080", "57P"})) return broken();
  const char* constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
  if (state == "40001" || state == "40P01")
    return set_fault(Fault::again, fail("storage.unavailable", "PostgreSQL: serialisation failure or deadlock"));
  if (state == "23505" || state == "23503")
    return set_fault(Fault::statement, fail("storage.conflict", std::string("PostgreSQL: ") + (constraint ? constraint : "")));
  // Out of resources, disk full, read-only server, lock or statement time-out, I/O error.
  const bool outage = starts_with_any(state, {"53", "55", "57", "58", "25006", "25P03"});
  return set_fault(Fault::statement,
                   fail(outage ? "storage.unavailable" : "storage.failed",
                        "PostgreSQL " + std::string(state) + ": " + first_line(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY))));
}

Result<const PostgresConnection::Statement*> PostgresConnection::prepare(std::string_view sql, std::span<const Param> params) {
  if (const auto found = statements_.find(sql); found != statements_.end()) return &found->second;
  if (statements_.size() >= statements_kept_max) {
    statements_.clear();
    SCHAKEL_CHECK(send("DEALLOCATE ALL", {}));
    statements_.clear();
  }
  Statement statement{"s" + std::to_string(++statements_made_), parameters_in(sql)};
  if (params.size() != statement.params) return wrong_count();
  std::vector<Oid> types;
  types.reserve(params.size());
  for (const Param& param : params) types.push_back(type_of(param.value()));
  std::string text(sql);
  if (PQsendPrepare(connection_, statement.name.c_str(), text.c_str(), static_cast<int>(types.size()), types.data()) != 1) return broken();
  pending_.push_back({true, text});
  return &statements_.emplace(std::move(text), std::move(statement)).first->second;
}

Result<> PostgresConnection::send(std::string_view sql, std::span<const Param> params) {
  if (fault() != Fault::none) return fault_error();
  SCHAKEL_TRY(const Statement* statement, prepare(sql, params));
  if (params.size() != statement->params) return wrong_count();
  const BoundParams bound(params);
  if (PQsendQueryPrepared(connection_, statement->name.c_str(), static_cast<int>(params.size()), bound.values(), bound.lengths(),
                          bound.formats(), 1) != 1)
    return broken();
  pending_.push_back({});
  return {};
}

Result<PostgresConnection::Answer> PostgresConnection::flush() {
  if (fault() != Fault::none) return fault_error();
  if (PQpipelineSync(connection_) != 1) return broken();
  Answer last;
  for (const Pending& pending : pending_) {
    ResultHandle result(PQgetResult(connection_));
    if (!result) return broken();
    const auto status = PQresultStatus(result.get());
    const bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!good && pending.prepares) statements_.erase(pending.sql);
    // After the first failure the server skips the rest up to the sync point.
    if (!good && status != PGRES_PIPELINE_ABORTED && fault() == Fault::none) {
      const Error error = failure(result.get());
      if (fault() == Fault::lost) return error;
    }
    last.result = std::move(result);
    if (const ResultHandle end(PQgetResult(connection_)); end) return broken();
  }
  pending_.clear();
  const ResultHandle sync(PQgetResult(connection_));
  if (!sync || PQresultStatus(sync.get()) != PGRES_PIPELINE_SYNC) return broken();
  if (fault() != Fault::none) return fault_error();
  return last;
}

Result<PostgresConnection::Answer> PostgresConnection::ask(std::string_view sql, std::span<const Param> params) {
  SCHAKEL_CHECK(send(sql, params));
  return flush();
}

Result<Rows> PostgresConnection::query(std::string_view sql, std::span<const Param> params) {
  SCHAKEL_TRY(const Answer answer, ask(sql, params));
  const PGresult* result = answer.result.get();
  const int count = PQntuples(result), columns = PQnfields(result);
  Rows rows;
  rows.reserve(static_cast<std::size_t>(count));
  for (int row = 0; row < count; ++row) {
    std::vector<Row::Value> values;
    values.reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns; ++column) {
      auto value = column_value(result, row, column);
      if (!value)
        return set_fault(Fault::statement, fail("storage.failed", std::string("column of an unknown type: ") + PQfname(result, column)));
      values.push_back(std::move(*value));
    }
    rows.emplace_back(std::move(values));
  }
  return rows;
}

Result<std::int64_t> PostgresConnection::execute(std::string_view sql, std::span<const Param> params) {
  SCHAKEL_TRY(const Answer answer, ask(sql, params));
  const std::string_view digits = PQcmdTuples(answer.result.get());
  std::int64_t changed = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), changed);
  return changed;
}

Result<> PostgresConnection::post(std::string_view sql, std::span<const Param> params) {
  SCHAKEL_CHECK(send(sql, params));
  if (pending_.size() >= pending_max) SCHAKEL_CHECK(flush());
  return {};
}

Result<> PostgresConnection::begin(Access access) {
  clear_fault();
  read_only_ = access == Access::read;
  return send(read_only_ ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" : "BEGIN", {});
}

Result<> PostgresConnection::commit() {
  SCHAKEL_TRY(const Answer answer, ask("COMMIT", {}));
  // A transaction that failed unseen answers COMMIT with ROLLBACK.
  if (std::string_view(PQcmdStatus(answer.result.get())) != "COMMIT")
    return set_fault(Fault::gone, fail("storage.unavailable", "PostgreSQL rolled the transaction back"));
  return {};
}

void PostgresConnection::rollback() {
  if (fault() == Fault::lost) return;
  // What was posted before is sent along; its answers do not matter any more, but BEGIN may be among them.
  if (!pending_.empty()) {
    clear_fault();
    flush();
    if (fault() == Fault::lost) return;
  }
  clear_fault();
  if (PQtransactionStatus(connection_) != PQTRANS_IDLE && !ask("ROLLBACK", {})) broken();
}

Result<> PostgresConnection::savepoint() {
  return send("SAVEPOINT unit", {});
}

Result<> PostgresConnection::release() {
  SCHAKEL_CHECK(ask("RELEASE SAVEPOINT unit", {}));
  return {};
}

Result<> PostgresConnection::rollback_to_savepoint() {
  if (!pending_.empty()) {
    clear_fault();
    flush();
    if (fault() == Fault::lost) return fault_error();
  }
  clear_fault();
  SCHAKEL_CHECK(send("ROLLBACK TO SAVEPOINT unit", {}));
  return send("RELEASE SAVEPOINT unit", {});
}

Result<> PostgresConnection::ping() {
  clear_fault();
  SCHAKEL_CHECK(ask("SELECT 1", {}));
  return {};
}

}  // namespace schakel::sql
