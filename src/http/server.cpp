#include "http/server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <unordered_map>

#include "http/address.hpp"
#include "http/connection.hpp"
#include "http/run.hpp"

namespace schakel::http {
namespace {

using asio::ip::tcp;
constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds accept_pause{100};

std::string text_of(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  return address.to_string();
}

Error bind_failed(const ListenerOptions& options, const std::string& why) {
  return fail("listener.bind",
              "The listener " + options.name + " cannot listen on " + options.address + ":" + std::to_string(options.port) + ": " + why);
}

// Counts connections, and finds them for revocation checks and at the end.
class Registry {
 public:
  Registry(std::size_t total_max, std::size_t per_address_max) : total_max_(total_max), per_address_max_(per_address_max) {}

  // A reason when the connection is over a limit.
  std::optional<std::string> admit(const std::string& address) {
    const std::lock_guard lock(mutex_);
    if (closed_) return "closed";
    if (total_ >= total_max_) return "total";
    auto& count = per_address_[address];
    if (count >= per_address_max_) return "address";
    ++count;
    ++total_;
    return std::nullopt;
  }

  void release(const std::string& address, const Connection* connection) {
    const std::lock_guard lock(mutex_);
    --total_;
    const auto found = per_address_.find(address);
    if (--found->second == 0) per_address_.erase(found);
    connections_.erase(connection);
  }

  struct Entry {
    asio::any_io_executor strand;
    std::weak_ptr<Connection> connection;
  };
  void add(const std::shared_ptr<Connection>& connection, asio::any_io_executor strand) {
    const std::lock_guard lock(mutex_);
    connections_.emplace(connection.get(), Entry{std::move(strand), connection});
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return total_;
  }
  void refuse_new() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  // Runs `action` for every connection, on its strand.
  void for_each(const std::function<void(Connection&)>& action) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, entry] : connections_) {
      asio::post(entry.strand, [weak = entry.connection, action] {
        if (const auto connection = weak.lock()) action(*connection);
      });
    }
  }

 private:
  const std::size_t total_max_, per_address_max_;
  mutable std::mutex mutex_;
  bool closed_ = false;
  std::size_t total_ = 0;
  std::unordered_map<std::string, std::size_t> per_address_;
  std::unordered_map<const Connection*, Entry> connections_;
};

}  // namespace

struct Server::State : std::enable_shared_from_this<Server::State> {
  State(asio::any_io_executor executor_, ListenerOptions options, Handler handler, Environment env)
      : executor(std::move(executor_)),
        strand(asio::make_strand(executor)),
        acceptor(strand),
        revocation_timer(strand),
        registry(options.connections_max, options.connections_per_address_max),
        listener(std::make_shared<Listener>(std::move(options), std::move(handler), env)) {}

  Result<> check_options() const;
  Result<> bind();
  Awaitable<> accept_connections();
  Awaitable<> check_revocations();
  void open(tcp::socket socket, asio::any_io_executor connection_strand);

  asio::any_io_executor executor;
  asio::any_io_executor strand;  // guards the acceptor and the timer
  tcp::acceptor acceptor;
  asio::steady_timer revocation_timer;
  unsigned short port = 0;
  Registry registry;
  std::shared_ptr<Listener> listener;
  std::atomic<bool> stopped = false;
};

// SEC-051: who can reach a listener that believes a header decides who can be anybody.
Result<> Server::State::check_options() const {
  const auto& options = listener->options;
  if (!options.offload) return {};
  if (!options.verify_offloaded) return bind_failed(options, "an offload listener needs a way to verify certificates.");
  boost::system::error_code problem;
  const auto address = asio::ip::make_address(options.address, problem);
  if (!options.tls && (problem || !address.is_loopback()))
    return bind_failed(options, "an offload listener without TLS is for loopback only.");
  if (options.tls && options.proxy_certificates.empty()) return bind_failed(options, "an offload listener needs the proxy's certificate.");
  return {};
}

Result<> Server::State::bind() {
  const auto& options = listener->options;
  boost::system::error_code problem;
  const auto address = asio::ip::make_address(options.address, problem);
  if (problem) return bind_failed(options, "the address is not valid.");
  const tcp::endpoint endpoint(address, options.port);
  acceptor.open(endpoint.protocol(), problem);
  if (!problem) acceptor.set_option(tcp::acceptor::reuse_address(true), problem);
  if (!problem) acceptor.bind(endpoint, problem);
  if (!problem) acceptor.listen(asio::socket_base::max_listen_connections, problem);
  if (problem) return bind_failed(options, problem.message());
  port = acceptor.local_endpoint(problem).port();
  return {};
}

void Server::State::open(tcp::socket socket, asio::any_io_executor connection_strand) {
  boost::system::error_code problem;
  const auto remote = socket.remote_endpoint(problem);
  if (problem) return;
  const std::string address = text_of(remote.address());
  if (const auto& allowed = listener->options.allowed_networks; !allowed.empty() && !is_in_networks(address, allowed)) {
    listener->metrics.count_refused_connection("network");
    SecurityEvent event;
    event.reason = "SEC.HTTP.NETWERK";
    event.address = address;
    event.detail = "The address is in none of the allowed networks.";
    return listener->report(std::move(event));
  }
  if (const auto reason = registry.admit(address)) {
    listener->metrics.count_refused_connection(*reason);
    return;
  }
  const auto connection = std::make_shared<Connection>(listener, std::move(socket), address);
  registry.add(connection, connection_strand);
  asio::co_spawn(
      connection_strand, [connection] { return connection->run(); },
      [self = shared_from_this(), connection, address](const std::exception_ptr& thrown) {
        self->registry.release(address, connection.get());
        if (thrown) std::rethrow_exception(thrown);
      });
}

Awaitable<> Server::State::accept_connections() {
  const auto self = shared_from_this();
  while (!stopped) {
    auto connection_strand = make_strand(executor);
    tcp::socket socket(connection_strand);
    const auto [problem] = co_await acceptor.async_accept(socket, use_tuple);
    if (stopped) break;
    if (problem) {
      // Out of descriptors or memory: others must first let go.
      listener->env.log.warning("listener.acceptFailed", {{"listener", listener->options.name}, {"why", problem.message()}});
      co_await sleep(accept_pause);
      continue;
    }
    open(std::move(socket), std::move(connection_strand));
  }
}

// SEC-028: also a connection that asks for nothing is closed soon after its certificate was revoked.
Awaitable<> Server::State::check_revocations() {
  const auto self = shared_from_this();
  while (!stopped) {
    revocation_timer.expires_after(listener->options.revocation_check_interval);
    const auto [problem] = co_await revocation_timer.async_wait(use_tuple);
    if (problem) break;
    registry.for_each([](Connection& connection) { connection.check_revocation(); });
  }
}

Server::Server(asio::any_io_executor executor, ListenerOptions options, Handler handler, Environment env)
    : state_(std::make_shared<State>(std::move(executor), std::move(options), std::move(handler), env)) {}

Server::~Server() {
  close();
}

Result<> Server::start() {
  SCHAKEL_CHECK(state_->check_options());
  SCHAKEL_CHECK(state_->bind());
  spawn(state_->strand, state_->accept_connections());
  if (state_->listener->options.tls) spawn(state_->strand, state_->check_revocations());
  return {};
}

unsigned short Server::port() const {
  return state_->port;
}

void Server::stop_accepting() {
  state_->listener->draining = true;
  if (state_->stopped.exchange(true)) return;
  asio::post(state_->strand, [state = state_] {
    boost::system::error_code ignored;
    state->acceptor.close(ignored);
    state->revocation_timer.cancel();
  });
}

std::size_t Server::requests_in_flight() const {
  return state_->listener->requests_in_flight;
}

std::size_t Server::connections() const {
  return state_->registry.size();
}

void Server::end_connections_of(const std::string& own_certificate_sha256) {
  state_->registry.for_each([own_certificate_sha256](Connection& connection) { connection.end_if_made_with(own_certificate_sha256); });
}

void Server::close() {
  stop_accepting();
  state_->registry.refuse_new();
  state_->registry.for_each([](Connection& connection) { connection.abort(); });
}

}  // namespace schakel::http
