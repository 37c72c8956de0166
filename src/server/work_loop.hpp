// The work loop: claims due rows of `work` in batches and runs the handler of their kind (design: every promise is a row;
// adapter.md 3.11.2).
//
// A row begins with a unit of its own or, when its kind has an Opening, in the unit that claims it: one commit and one wait less for each.
//
// It wakes at once when a commit on this node made work due (WakingDatabase), when a row becomes due, and each second for what other nodes
// left. A handler ends its row itself (finish or reschedule, with the claim's fence); a handler that fails leaves it claimed, and the loop
// puts it back with a delay. A row whose claim was lost is dropped: another node has it. Without a valid node lease nothing is claimed.
//
// Threads: public functions are safe from every thread. The owner stops the loop and waits for `idle` before it destroys what handlers
// borrow.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/time.hpp"
#include "exchange/store.hpp"
#include "http/asio.hpp"
#include "sql/database.hpp"

namespace schakel::server {

class WorkLoop {
 public:
  using Handler = std::function<http::Awaitable<Result<>>(exchange::Claimer, exchange::Work)>;
  // What is left of a row after its Opening, when that is durable. Empty: nothing, the row was ended.
  using Rest = std::function<http::Awaitable<Result<>>()>;
  // May run more than once, as every unit. When one fails, the rows are claimed again and opened each in a unit of its own.
  using Opening = std::function<Result<Rest>(sql::Transaction&, const exchange::Claimer&, const exchange::Work&)>;
  // The claimer while the node lease is valid; nullopt: claim nothing.
  using Lease = std::function<std::optional<exchange::Claimer>()>;

  struct Options {
    std::size_t in_flight_max = 256;                 // rows at once on this node
    std::chrono::milliseconds poll{1000};            // ebms.md 3.11
    Duration retry_delay = std::chrono::seconds(2);  // for a row whose handler failed; doubles per failure in a row of the same kind
    Duration retry_delay_max = std::chrono::minutes(1);
  };

  WorkLoop(http::asio::any_io_executor, sql::Database&, Lease, const Clock&, Log&, Metrics&, Options);
  ~WorkLoop();
  WorkLoop(const WorkLoop&) = delete;
  WorkLoop& operator=(const WorkLoop&) = delete;

  // Before `start`. A kind without handler is put back for a node that knows it.
  void on(std::string kind, Handler);
  void on_claim(std::string kind, Opening);
  void start();
  // Something may be due.
  void wake();
  // Claims nothing more; handlers that run go on.
  void stop();
  // Nothing runs and nothing will: for shutdown.
  bool idle() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace schakel::server
