// A throw-away PostgreSQL for tests: one server per test program, in a temporary folder, on a Unix socket only, durable (fsync on); one
// fresh database per test.
//
// The server ends with the program, also when the program is killed (a watcher process holds the other end of a pipe). As root it runs as
// the user `postgres`. Without PostgreSQL the tests fail; SCHAKEL_NO_POSTGRES=1 in the environment skips them instead.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"

namespace schakel::testing {

class Postgres {
 public:
  // The program's server, started by the first call.
  static Result<Postgres*> shared();
  // True when the environment says so.
  static bool switched_off();

  explicit Postgres(std::string folder) : folder_(std::move(folder)) {}
  ~Postgres();
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;

  Result<> start();
  // Creates an empty database and gives its URL.
  Result<std::string> new_database();
  // Ends every connection but that of the caller, as a restart of the server would.
  Result<> end_connections();

 private:
  std::string url_of(const std::string& database) const;
  Result<> administer(const std::string& sql) const;

  std::string folder_;
  int watcher_pipe_ = -1;
  int databases_made_ = 0;
};

}  // namespace schakel::testing
