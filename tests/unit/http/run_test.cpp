#include "http/run.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <thread>

using namespace schakel;
using namespace schakel::http;
using namespace std::chrono_literals;

namespace {

template <class T>
T run(IoThreads& threads, Awaitable<T> task) {
  return asio::co_spawn(threads.executor(), std::move(task), asio::use_future).get();
}

TEST(Run, a_spawned_coroutine_runs_on_the_threads) {
  IoThreads threads(2);
  std::promise<std::thread::id> ran;
  spawn(threads.executor(), [](std::promise<std::thread::id>& promise) -> Awaitable<> {
    promise.set_value(std::this_thread::get_id());
    co_return;
  }(ran));
  EXPECT_TRUE(ran.get_future().get() != std::this_thread::get_id());
}

TEST(Run, when_all_waits_for_the_slowest_and_runs_them_together) {
  IoThreads threads(2);
  std::atomic<int> ended = 0;
  const auto task = [](std::atomic<int>& count, Duration duration) -> Awaitable<> {
    co_await sleep(duration);
    ++count;
  };
  const auto begin = std::chrono::steady_clock::now();
  run(threads, [](auto make, std::atomic<int>& count) -> Awaitable<> {
    std::vector<Awaitable<>> tasks;
    for (int i = 0; i < 20; ++i) tasks.push_back(make(count, 50ms));
    co_await when_all(std::move(tasks));
  }(task, ended));
  EXPECT_EQ(ended, 20);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 500ms);
}

TEST(Run, when_all_of_nothing_ends_at_once) {
  IoThreads threads(1);
  run(threads, when_all({}));
}

TEST(Run, a_wakeup_keeps_a_notice_that_came_early) {
  IoThreads threads(1);
  Wakeup wakeup(threads.executor());
  wakeup.notify();
  wakeup.notify();
  EXPECT_TRUE(run(threads, wakeup.wait(10s)));
  EXPECT_FALSE(run(threads, wakeup.wait(1ms))) << "two notices are one";
}

TEST(Run, a_wakeup_ends_a_wait) {
  IoThreads threads(2);
  Wakeup wakeup(threads.executor());
  auto waiting = asio::co_spawn(threads.executor(), wakeup.wait(30s), asio::use_future);
  EXPECT_EQ(waiting.wait_for(20ms), std::future_status::timeout);
  wakeup.notify();
  EXPECT_TRUE(waiting.get());
}

// What a waiting coroutine holds is given back while that of which it is a part still exists.
TEST(Run, stopping_destroys_what_waits_and_may_be_repeated) {
  IoThreads threads(1);
  const auto held = std::make_shared<int>(0);
  std::promise<void> waits;
  spawn(threads.executor(), [](std::shared_ptr<int> mine, std::promise<void>& started) -> Awaitable<> {
    started.set_value();
    co_await sleep(1h);
    ++*mine;
  }(held, waits));
  waits.get_future().wait();
  threads.stop();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(*held, 0);
  threads.stop();
}

}  // namespace
