// One connection to a database: the Transaction that units get, with the ends that only a committer may touch.
//
// Owned by one thread at a time. A failed statement is kept as `fault()` until the transaction or savepoint that it spoiled is rolled back.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "sql/database.hpp"

namespace schakel::sql {

enum class Fault {
  none,
  statement,  // one statement failed: roll back to the savepoint and go on
  again,      // serialisation failure or deadlock: nothing is wrong but the moment; run the group again
  gone,       // the database ended the transaction (disk full, I/O error): the group failed
  lost,       // the connection is broken: reconnect
};

class Connection : public Transaction {
 public:
  enum class Access { write, read };

  using Transaction::execute;
  using Transaction::post;
  using Transaction::query;

  virtual Result<> begin(Access) = 0;
  // Durable when it succeeds. With Fault::lost nobody knows; with every other fault nothing was committed (and the caller rolls back).
  virtual Result<> commit() = 0;
  // Leaves no transaction open, or Fault::lost.
  virtual void rollback() = 0;

  // Around each unit of a group of several. `release` fails when a posted statement failed.
  virtual Result<> savepoint() = 0;
  virtual Result<> release() = 0;
  virtual Result<> rollback_to_savepoint() = 0;

  // Asks the database for a sign of life, outside a transaction.
  virtual Result<> ping() = 0;

  Fault fault() const { return fault_; }
  const Error& fault_error() const { return fault_error_; }

 protected:
  Error set_fault(Fault fault, Error error) {
    fault_ = fault;
    fault_error_ = error;
    return error;
  }
  void clear_fault() { fault_ = Fault::none; }

 private:
  Fault fault_ = Fault::none;
  Error fault_error_;
};

// Opens a new connection. Errors: "storage.unavailable", "config.invalid".
using Connector = std::function<Result<std::unique_ptr<Connection>>(Connection::Access)>;

// Prepared statements by their text. Where a text ends tells it apart from the others of its length as well as all of it would.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    constexpr std::size_t told_apart_by = 48;
    return text.size() + std::hash<std::string_view>{}(text.substr(text.size() - std::min(text.size(), told_apart_by)));
  }
};
template <class Statement>
using StatementCache = std::unordered_map<std::string, Statement, TextHash, std::equal_to<>>;

// Far above the number of texts in this program; only filters of searches come in many forms.
inline constexpr std::size_t statements_kept_max = 512;

}  // namespace schakel::sql
