// One running node: the composition root (docs/architecture.md "What runs where"). Makes every object from the settings, starts the
// listeners and the work loop, reloads, drains and stops.
//
// Order of life: database, lease, trust, configuration; then the protocol; then listeners. `drain` takes it down the other way round
// (adapter.md 3.11.6).
#pragma once

#include <memory>
#include <string_view>

#include "base/config.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/time.hpp"

namespace schakel::server {

class Node {
 public:
  struct Environment {
    const Clock& clock;
    Random& random;
    Log& log;
    Metrics& metrics;
  };

  // Blocks until the node is ready. Errors: "storage.unavailable", "schema.newer", "node.nameInUse", "SEC.PKI.ANKER", "listener.bind",
  // "config.invalid".
  // `checked` has no faults.
  static Result<std::unique_ptr<Node>> start(config::Checked checked, Environment);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // SIGHUP: takes new certificates and log.level; no connection is lost. Settings that need a restart are named in the log. Blocks.
  Result<> reload(config::Settings);
  // SIGTERM: not ready at once; waits node.drain-wait; stops accepting; ends what runs, at most node.drain-timeout; releases the lease.
  // Blocks.
  void drain();

  // The bound port of a listener; 0 when it is off.
  unsigned short port(std::string_view listener) const;

 private:
  struct Parts;
  explicit Node(std::unique_ptr<Parts>);
  std::unique_ptr<Parts> parts_;
};

}  // namespace schakel::server
