// Running coroutines: the threads that do so, and the few waits that rooms need.
#pragma once

#include <memory>
#include <vector>

#include "base/time.hpp"
#include "http/asio.hpp"
#include "http/message.hpp"

namespace schakel::http {

// An io_context with its threads. Declare what its coroutines use before it (stores, clock, log) and what holds its executor after it
// (servers, clients), so that each outlives its users. An exception that leaves a coroutine is a broken invariant and ends the program.
class IoThreads {
 public:
  explicit IoThreads(unsigned threads);  // at least one
  ~IoThreads();                          // stop()
  IoThreads(const IoThreads&) = delete;
  IoThreads& operator=(const IoThreads&) = delete;

  asio::any_io_executor executor();
  // Ends the threads after the handlers that run now, and destroys the coroutines that wait for sockets and timers. Those that wait for
  // something else (a database) are destroyed with this object. Not from one of the threads. A second call does nothing.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// An executor on which only one handler runs at a time.
asio::any_io_executor make_strand(const asio::any_io_executor&);

// Starts a coroutine that nobody awaits.
void spawn(const asio::any_io_executor&, Awaitable<>);

// Waits; the caller's executor runs other things meanwhile.
Awaitable<> sleep(Duration);

// Runs all of them at the same time on the caller's executor; goes on when the last has ended. An exception ends the program.
Awaitable<> when_all(std::vector<Awaitable<>>);

// A body for readers on other executors: a connection is used on its own strand only, so each read runs there. The source outlives it.
class ReaderOnExecutor final : public BodyReader {
 public:
  ReaderOnExecutor(asio::any_io_executor home, BodyReader& source) : home_(std::move(home)), source_(source) {}
  Awaitable<Result<std::size_t>> read(std::span<char> buffer) override;

 private:
  asio::any_io_executor home_;
  BodyReader& source_;
};

// Wakes one waiting coroutine: the pump of a scheduler waits for "something is due or half a second went by". A notice that comes while
// nobody waits is kept, several are one. `notify` is safe from every thread.
class Wakeup {
 public:
  explicit Wakeup(asio::any_io_executor);
  ~Wakeup();
  void notify();
  // True when notified, false when `timeout` passed. One waiter at a time.
  Awaitable<bool> wait(Duration timeout);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace schakel::http
