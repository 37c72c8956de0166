// A Database of threads: each owns one connection; writers take waiting units in groups, readers one by one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "sql/group.hpp"

namespace schakel {
class Counter;
class Histogram;
}  // namespace schakel

namespace schakel::sql {

class Pool final : public Database {
 public:
  struct Layout {
    std::size_t writers = 1;
    std::size_t readers = 0;  // 0: reads share the writer's connection (an in-memory database has only one)
    bool postgres = false;
  };
  // `first` is already open, so that an error shows at start-up; the others connect when their thread starts.
  Pool(Layout, Connector, std::unique_ptr<Connection> first, Log&, Metrics&);
  ~Pool() override;

  void submit(Unit unit, Completion done) override;
  void submit_read(Unit unit, Completion done) override;
  bool is_postgres() const override { return layout_.postgres; }
  bool available() const override { return available_.load(std::memory_order_relaxed); }
  void stop() override;

 private:
  struct Queue {
    std::mutex mutex;
    std::condition_variable filled;
    std::deque<Job> jobs;
    bool stopping = false;
  };
  class Worker;

  void enqueue(Queue&, Job);
  // Waits for work; empty: nothing came for a while. nullopt: stopping and all done.
  std::optional<std::vector<Job>> take(Queue&, std::size_t max, bool gather);

  Layout layout_;
  Connector connect_;
  Log& log_;
  Histogram& commit_seconds_;
  Counter& commits_;
  Counter& units_;
  Counter& reruns_;
  std::atomic<bool> available_{true};
  Queue writes_, reads_;
  std::vector<std::thread> threads_;
  std::mutex stop_mutex_;
};

}  // namespace schakel::sql
