// PostgreSQL 15+ through libpq in pipeline mode.
//
// Statements that nobody waits for (BEGIN, SAVEPOINT, `post`) wait in the pipeline and travel with the next statement that has an answer,
// so a unit costs as many round trips as it asks questions. Text and octets travel in binary form, so no octet is escaped; integers as
// decimal text, so that the server gives them the column's type. Results are binary.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sql/connection.hpp"

struct pg_conn;
struct pg_result;

namespace schakel::sql {

class PostgresConnection final : public Connection {
 public:
  // Connects, checks version (15+) and encoding (UTF8), and sets the session: durable commits, time-outs that free locks of a node that
  // hangs.
  static Result<std::unique_ptr<PostgresConnection>> open(const std::string& url, Access);
  ~PostgresConnection() override;
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  using Connection::execute;
  using Connection::post;
  using Connection::query;
  Result<Rows> query(std::string_view sql, std::span<const Param> params) override;
  Result<std::int64_t> execute(std::string_view sql, std::span<const Param> params) override;
  Result<> post(std::string_view sql, std::span<const Param> params) override;
  bool is_postgres() const override { return true; }
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
    std::string name;
    std::size_t params = 0;  // the highest N of $N
  };
  // What the pipeline still owes us an answer to, in order.
  struct Pending {
    bool prepares = false;
    std::string sql = {};  // of a PREPARE: forgotten when it fails
  };
  struct Answer;

  explicit PostgresConnection(pg_conn* connection) : connection_(connection) {}
  Result<> configure(Access);
  Result<> send(std::string_view sql, std::span<const Param> params);
  Result<const Statement*> prepare(std::string_view sql, std::span<const Param> params);
  // Sends what waits and reads every answer; the last one is the result.
  Result<Answer> flush();
  Result<Answer> ask(std::string_view sql, std::span<const Param> params);
  Error failure(const pg_result*);
  Error wrong_count();
  Error broken();

  pg_conn* connection_;
  StatementCache<Statement> statements_;
  std::vector<Pending> pending_;
  std::uint64_t statements_made_ = 0;
  bool read_only_ = false;
};

}  // namespace schakel::sql
