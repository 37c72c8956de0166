#include "exchange/commit.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>

namespace schakel::exchange {
namespace {

namespace asio = boost::asio;
using Submit = void (sql::Database::*)(sql::Unit, sql::Completion);

http::Awaitable<Result<>> submitted(sql::Database& database, Submit submit, sql::Unit unit) {
  const auto executor = co_await asio::this_coro::executor;
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<>)>(
      [&](auto handler) {
        // A Completion is copyable and a handler is not. The guard keeps the executor's context running while only a database thread holds
        // the handler.
        auto waiting = std::make_shared<decltype(handler)>(std::move(handler));
        auto guard = asio::make_work_guard(executor);
        (database.*submit)(std::move(unit), [waiting = std::move(waiting), guard = std::move(guard)](Result<> result) mutable {
          // Everything that belongs to the executor leaves the database thread with the handler.
          const auto to = guard.get_executor();
          asio::post(to, [waiting = std::move(waiting), guard = std::move(guard), result = std::move(result)]() mutable {
            std::move (*waiting)(std::move(result));
          });
        });
      },
      asio::use_awaitable);
}

}  // namespace

http::Awaitable<Result<>> commit(sql::Database& database, sql::Unit unit) {
  return submitted(database, &sql::Database::submit, std::move(unit));
}

http::Awaitable<Result<>> read(sql::Database& database, sql::Unit unit) {
  return submitted(database, &sql::Database::submit_read, std::move(unit));
}

}  // namespace schakel::exchange
