// Database units for coroutines: the calling coroutine waits, its thread does not.
//
// The coroutine goes on, on its own executor, after the group commit is durable or the unit has failed. The unit runs on a database thread,
// so whatever it refers to must be used by nobody else until then; a coroutine's own variables are.
#pragma once

#include "http/asio.hpp"
#include "sql/database.hpp"

namespace schakel::exchange {

http::Awaitable<Result<>> commit(sql::Database&, sql::Unit);
// On a reader connection, in a read-only snapshot.
http::Awaitable<Result<>> read(sql::Database&, sql::Unit);

}  // namespace schakel::exchange
