// SQLite: WAL, synchronous=FULL (a commit is on disk when it returns), foreign keys on.
#pragma once

#include <memory>
#include <string>

#include "sql/connection.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace schakel::sql {

class SqliteConnection final : public Connection {
 public:
  // `path` of a file, or ":memory:". A new file is made readable by its owner only.
  static Result<std::unique_ptr<SqliteConnection>> open(const std::string& path, Access);
  ~SqliteConnection() override;
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  using Connection::execute;
  using Connection::post;
  using Connection::query;
  Result<Rows> query(std::string_view sql, std::span<const Param> params) override;
  Result<std::int64_t> execute(std::string_view sql, std::span<const Param> params) override;
  Result<> post(std::string_view sql, std::span<const Param> params) override;
  bool is_postgres() const override { return false; }
  bool is_read_only() const override { return read_only_; }

  Result<> begin(Access) override;
  Result<> commit() override;
  void rollback() override;
  Result<> savepoint() override;
  Result<> release() override;
  Result<> rollback_to_savepoint() override;
  Result<> ping() override;

 private:
  struct Statement {
    sqlite3_stmt* handle = nullptr;
    std::vector<std::size_t> order;  // order[i]: which parameter is SQLite's (i+1)th
    std::size_t params = 0;          // the highest N of $N
  };

  explicit SqliteConnection(sqlite3* database) : database_(database) {}
  Result<> configure(bool in_memory, Access);
  Result<Statement*> prepare(std::string_view sql);
  Result<Statement*> start(std::string_view sql, std::span<const Param> params);
  Result<> bind(const Statement&, std::span<const Param> params);
  Result<> control(std::string_view sql);
  Error failure(int code);
  void close_statements();

  sqlite3* database_;
  StatementCache<Statement> statements_;
  bool read_only_ = false;
};

}  // namespace schakel::sql
