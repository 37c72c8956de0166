// Names to addresses. Private to http/.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http/asio.hpp"
#include "http/stream.hpp"

namespace boost::asio {
class thread_pool;
}

namespace schakel::http {

// getaddrinfo on a few threads of its own: Asio's resolver has one thread, on which one slow name server would hold up every destination.
class Resolver {
 public:
  Resolver();
  ~Resolver();  // waits for look-ups that run

  // At least one endpoint. Errors: "transport.dns", "transport.timeout". Literals need no look-up.
  Awaitable<Result<std::vector<asio::ip::tcp::endpoint>>> resolve(std::string host, unsigned short port, Stream::Time deadline);

 private:
  asio::thread_pool& threads();

  std::mutex mutex_;
  std::unique_ptr<asio::thread_pool> threads_;  // made with the first look-up
};

}  // namespace schakel::http
