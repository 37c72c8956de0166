#include "http/run.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <thread>

namespace schakel::http {
namespace {

constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);

}  // namespace

namespace {

// Destroys what waits before it is destroyed itself.
struct Context : asio::io_context {
  using asio::io_context::io_context;
  void drop_waiting() { shutdown(); }
};

}  // namespace

struct IoThreads::State {
  explicit State(unsigned count) : context(std::make_unique<Context>(static_cast<int>(count))), work(asio::make_work_guard(*context)) {
    for (unsigned i = 0; i < count; ++i) threads.emplace_back([this]() noexcept { context->run(); });
  }
  std::unique_ptr<Context> context;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::vector<std::thread> threads;
};

IoThreads::IoThreads(unsigned threads) : state_(std::make_unique<State>(std::max(threads, 1U))) {}

IoThreads::~IoThreads() {
  stop();
}

asio::any_io_executor IoThreads::executor() {
  return state_->context->get_executor();
}

void IoThreads::stop() {
  if (state_->threads.empty()) return;
  state_->work.reset();
  state_->context->stop();
  for (auto& thread : state_->threads) thread.join();
  state_->threads.clear();
  state_->context->drop_waiting();
}

asio::any_io_executor make_strand(const asio::any_io_executor& executor) {
  return asio::make_strand(executor);
}

void spawn(const asio::any_io_executor& executor, Awaitable<> task) {
  asio::co_spawn(executor, std::move(task), [](const std::exception_ptr& thrown) {
    if (thrown) std::rethrow_exception(thrown);
  });
}

Awaitable<> sleep(Duration duration) {
  asio::steady_timer timer(co_await asio::this_coro::executor, duration);
  co_await timer.async_wait(use_tuple);
}

Awaitable<> when_all(std::vector<Awaitable<>> tasks) {
  const auto strand = asio::make_strand(co_await asio::this_coro::executor);
  asio::steady_timer all_done(strand, asio::steady_timer::time_point::max());
  std::size_t running = tasks.size();
  if (running == 0) co_return;
  const auto executor = co_await asio::this_coro::executor;
  for (auto& task : tasks) {
    asio::co_spawn(executor, std::move(task), asio::bind_executor(strand, [&](const std::exception_ptr& thrown) {
                     if (thrown) std::rethrow_exception(thrown);
                     if (--running == 0) all_done.cancel();
                   }));
  }
  // On the strand, so that the last task cannot end between the test and the wait.
  const auto wait = [](asio::steady_timer& timer, const std::size_t& count) -> Awaitable<> {
    if (count > 0) co_await timer.async_wait(use_tuple);
  };
  co_await asio::co_spawn(strand, wait(all_done, running), asio::use_awaitable);
}

Awaitable<Result<std::size_t>> ReaderOnExecutor::read(std::span<char> buffer) {
  co_return co_await asio::co_spawn(home_, source_.read(buffer), asio::use_awaitable);
}

struct Wakeup::State {
  explicit State(asio::any_io_executor executor) : strand(asio::make_strand(std::move(executor))), timer(strand) {}
  asio::strand<asio::any_io_executor> strand;
  asio::steady_timer timer;
  bool notified = false;
  std::atomic<bool> on_its_way{false};  // a notice that has not reached the strand yet: further ones need not follow it
};

Wakeup::Wakeup(asio::any_io_executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

Wakeup::~Wakeup() = default;

void Wakeup::notify() {
  if (state_->on_its_way.exchange(true)) return;
  asio::post(state_->strand, [state = state_] {
    state->on_its_way = false;
    state->notified = true;
    state->timer.cancel();
  });
}

Awaitable<bool> Wakeup::wait(Duration timeout) {
  const auto on_strand = [](std::shared_ptr<State> state, Duration limit) -> Awaitable<bool> {
    if (!state->notified) {
      state->timer.expires_after(limit);
      co_await state->timer.async_wait(use_tuple);
    }
    co_return std::exchange(state->notified, false);
  };
  co_return co_await asio::co_spawn(state_->strand, on_strand(state_, timeout), asio::use_awaitable);
}

}  // namespace schakel::http
