#include "http/resolver.hpp"

#include <netdb.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>

namespace schakel::http {
namespace {

using Endpoints = std::vector<asio::ip::tcp::endpoint>;
constexpr std::size_t look_ups_max = 8;  // at the same time

// One look-up that may outlive the request that asked for it.
struct LookUp {
  explicit LookUp(asio::any_io_executor executor) : done(std::move(executor)) {}
  asio::steady_timer done;  // cancelled when `finished`
  bool finished = false;
  Endpoints endpoints;
  std::string failure;
};

void look_up(const std::string& host, unsigned short port, LookUp& out) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(host.c_str(), nullptr, &hints, &found); code != 0) {
    out.failure = gai_strerror(code);
    return;
  }
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    asio::ip::tcp::endpoint endpoint;
    if (entry->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), entry->ai_addr, entry->ai_addrlen);
    endpoint.resize(entry->ai_addrlen);
    endpoint.port(port);
    out.endpoints.push_back(endpoint);
  }
  freeaddrinfo(found);
}

}  // namespace

Resolver::Resolver() = default;

Resolver::~Resolver() {
  if (threads_) threads_->join();
}

asio::thread_pool& Resolver::threads() {
  const std::lock_guard lock(mutex_);
  if (!threads_) threads_ = std::make_unique<asio::thread_pool>(look_ups_max);
  return *threads_;
}

Awaitable<Result<Endpoints>> Resolver::resolve(std::string host, unsigned short port, Stream::Time deadline) {
  boost::system::error_code no_literal;
  const auto literal = asio::ip::make_address(host, no_literal);
  if (!no_literal) co_return Endpoints{{literal, port}};

  const auto look_up_state = std::make_shared<LookUp>(asio::make_strand(co_await asio::this_coro::executor));
  look_up_state->done.expires_at(deadline);
  asio::post(threads(), [look_up_state, host, port] {
    look_up(host, port, *look_up_state);
    asio::post(look_up_state->done.get_executor(), [look_up_state] {
      look_up_state->finished = true;
      look_up_state->done.cancel();
    });
  });
  // The caller runs on a strand of its own, so the look-up may end before the wait begins; `finished` is read on the look-up's strand.
  const auto wait = [](std::shared_ptr<LookUp> state) -> Awaitable<bool> {
    if (!state->finished) co_await state->done.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return state->finished;
  };
  const bool finished = co_await asio::co_spawn(look_up_state->done.get_executor(), wait(look_up_state), asio::use_awaitable);
  if (!finished) co_return fail("transport.timeout", "The name " + host + " was not resolved in time.", "before");
  if (look_up_state->endpoints.empty())
    co_return fail("transport.dns", "The name " + host + " cannot be resolved: " + look_up_state->failure, "before");
  co_return std::move(look_up_state->endpoints);
}

}  // namespace schakel::http
