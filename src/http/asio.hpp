// The one door to Asio: coroutines and executors for rooms that wait. Sockets, TLS and Beast stay inside http/*.cpp.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "base/result.hpp"

namespace schakel::http {

namespace asio = boost::asio;
template <class T = void>
using Awaitable = asio::awaitable<T>;

}  // namespace schakel::http
