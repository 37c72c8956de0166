// The node lease (adapter.md 3.11.1): a row with an epoch, renewed by a heartbeat; without renewal the node is dead and what it held is
// free.
//
// Whoever commits work gives the claimer of this lease, and the store refuses an older epoch (fencing). A node that could not renew stops
// claiming before its lease ends, measured on a clock that nobody can set back. When the database comes back the lease is taken again under
// a new epoch.
//
// Threads: `claimer` is safe from every thread; the rest belongs to the owner.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/time.hpp"
#include "exchange/store.hpp"
#include "http/asio.hpp"
#include "sql/database.hpp"

namespace schakel::server {

class NodeLease {
 public:
  struct Options {
    std::string node;
    Duration heartbeat = std::chrono::seconds(5);
    Duration lease = std::chrono::seconds(15);
  };

  NodeLease(sql::Database&, const Clock&, Log&, Metrics&, Options);
  ~NodeLease();

  // Takes the lease, blocking. A killed process's lease is waited for, at most one lease time; "node.nameInUse" when a live process has the
  // name. `former_is_dead`: the caller knows that no other process can have this name (it holds the lock on the SQLite file), so nothing is
  // waited for.
  Result<> take(bool former_is_dead);
  // Renews each heartbeat until `stop`.
  void start(http::asio::any_io_executor);
  void stop();
  // Frees the lease and everything claimed under it. Blocks.
  Result<> release();

  // nullopt: the lease is not ours, or might not be.
  std::optional<exchange::Claimer> claimer() const;
  // An operator asked this node to finish what it does and take nothing new (`schakel node drain`); seen at the next heartbeat.
  bool draining() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// The lock file beside a SQLite database: one process per database. Held until destruction or the end of the process.
class FileLock {
 public:
  // "node.nameInUse" when another process holds it.
  static Result<std::unique_ptr<FileLock>> take(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace schakel::server
