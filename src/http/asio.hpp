// The one door to Asio: coroutines and executors for rooms that wait. Sockets and TLS stay inside http/*.cpp.
//
// g++ 12 miscompiles `co_await` inside ||, && and ?: (the coroutine's variables end up in the wrong place): give it a statement of its own.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "base/result.hpp"

namespace schakel::http {

namespace asio = boost::asio;
template <class T = void>
using Awaitable = asio::awaitable<T>;

}  // namespace schakel::http

// SCHAKEL_TRY and SCHAKEL_CHECK (base/result.hpp) for coroutines.
#define SCHAKEL_CO_TRY(variable, expression)                                               \
  auto SCHAKEL_JOIN(result_, __LINE__) = (expression);                                     \
  if (!SCHAKEL_JOIN(result_, __LINE__)) co_return SCHAKEL_JOIN(result_, __LINE__).error(); \
  variable = std::move(*SCHAKEL_JOIN(result_, __LINE__))
#define SCHAKEL_CO_CHECK(expression)                                         \
  do {                                                                       \
    if (auto checked_ = (expression); !checked_) co_return checked_.error(); \
  } while (false)
