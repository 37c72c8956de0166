#include "sql/database.hpp"

#include <future>

#include "sql/pool.hpp"
#include "sql/postgres.hpp"
#include "sql/sqlite.hpp"

namespace schakel::sql {
namespace {

const std::string empty_text;

// Runs `start` with a completion that the caller waits for. A completion that is dropped uncalled counts as an outage.
template <class Start>
Result<> wait_for(Start start) {
  auto promise = std::make_shared<std::promise<Result<>>>();
  auto outcome = promise->get_future();
  start([promise](Result<> result) { promise->set_value(std::move(result)); });
  promise.reset();
  try {
    return outcome.get();
  } catch (const std::future_error&) {
    return fail("storage.unavailable", "the database ended before the unit was completed");
  }
}

constexpr std::size_t sqlite_readers_max = 4;
// More writers than this only make groups smaller.
constexpr std::size_t postgres_writers_max = 4;

Result<std::unique_ptr<Database>> open_sqlite(const std::string& path, std::size_t pool_size, Log& log, Metrics& metrics) {
  if (path.empty()) return fail("config.invalid", "the database URL names no file", "database.url");
  SCHAKEL_TRY(auto first, SqliteConnection::open(path, Connection::Access::write));
  const Connector connect = [path](Connection::Access access) -> Result<std::unique_ptr<Connection>> {
    SCHAKEL_TRY(auto connection, SqliteConnection::open(path, access));
    return std::unique_ptr<Connection>(std::move(connection));
  };
  const std::size_t readers = path == ":memory:" ? 0 : std::clamp<std::size_t>(pool_size, 1, sqlite_readers_max);
  return std::unique_ptr<Database>(std::make_unique<Pool>(Pool::Layout{1, readers, false}, connect, std::move(first), log, metrics));
}

Result<std::unique_ptr<Database>> open_postgres(const std::string& url, std::size_t pool_size, Log& log, Metrics& metrics) {
  if (pool_size < 2) return fail("config.invalid", "PostgreSQL needs at least two connections", "database.pool-size");
  SCHAKEL_TRY(auto first, PostgresConnection::open(url, Connection::Access::write));
  const Connector connect = [url](Connection::Access access) -> Result<std::unique_ptr<Connection>> {
    SCHAKEL_TRY(auto connection, PostgresConnection::open(url, access));
    return std::unique_ptr<Connection>(std::move(connection));
  };
  const std::size_t writers = std::clamp<std::size_t>(pool_size / 4, 1, postgres_writers_max);
  return std::unique_ptr<Database>(
      std::make_unique<Pool>(Pool::Layout{writers, pool_size - writers, true}, connect, std::move(first), log, metrics));
}

}  // namespace

std::int64_t Row::integer(std::size_t column) const {
  const auto* value = std::get_if<std::int64_t>(&values_[column]);
  return value ? *value : 0;
}

const std::string& Row::text(std::size_t column) const {
  const auto* value = std::get_if<std::string>(&values_[column]);
  return value ? *value : empty_text;
}

std::string Row::take(std::size_t column) {
  auto* value = std::get_if<std::string>(&values_[column]);
  return value ? std::move(*value) : std::string();
}

std::optional<std::int64_t> Row::optional_integer(std::size_t column) const {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

std::optional<std::string> Row::optional_text(std::size_t column) const {
  if (is_null(column)) return std::nullopt;
  return text(column);
}

std::optional<Instant> Row::optional_instant(std::size_t column) const {
  if (is_null(column)) return std::nullopt;
  return instant(column);
}

Result<> Database::commit(Unit unit) {
  return wait_for([&](Completion done) { submit(std::move(unit), std::move(done)); });
}

Result<> Database::read(Unit unit) {
  return wait_for([&](Completion done) { submit_read(std::move(unit), std::move(done)); });
}

Result<std::unique_ptr<Database>> open(const DatabaseOptions& options, Log& log, Metrics& metrics) {
  constexpr std::string_view sqlite = "sqlite:";
  const std::string_view url = options.url;
  if (url.starts_with(sqlite)) return open_sqlite(std::string(url.substr(sqlite.size())), options.pool_size, log, metrics);
  if (url.starts_with("postgresql://") || url.starts_with("postgres://"))
    return open_postgres(options.url, options.pool_size, log, metrics);
  return fail("config.invalid", "the database URL must begin with sqlite: or postgresql://", "database.url");
}

}  // namespace schakel::sql
