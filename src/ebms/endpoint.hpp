// The MSH endpoint on the external listener (EB-001..EB-014; ebms.md 3.4 steps 1, 2 and 15; section 4): HTTP in, the Msh in the middle,
// HTTP out.
//
// Per request: method, TLS identity, SOAPAction, Content-Type; then the body as a stream through MimeReader, large payloads to the store
// while they arrive; then Msh::examine, and Msh::receive inside a group commit. No 2xx leaves before that commit is durable (EB-009).
//
// Threads: `handle` may run for many requests at once. Borrows everything that it is given; the owner outlives the listener.
#pragma once

#include <atomic>
#include <cstddef>
#include <string>

#include "base/log.hpp"
#include "base/random.hpp"
#include "ebms/mime.hpp"
#include "ebms/msh.hpp"
#include "http/message.hpp"
#include "sql/database.hpp"

namespace schakel::ebms {

// Requests whose body is being read or handled. Each holds at most its root part, its small payloads and one batch of chunks; above the
// limit: 503 (EB-014).
inline constexpr std::size_t requests_in_flight_max = 512;

class Endpoint {
 public:
  struct Options {
    MimeReader::Limits limits;
    bool insecure_transport = false;  // plain HTTP in a test environment: requests have no TLS identity
    std::size_t in_flight_max = requests_in_flight_max;
  };
  // Told of each refusal of section 4 that belongs in the audit log: a reason (SEC…), and the request.
  using Audit = std::function<void(const http::Request&, std::string_view reason)>;

  Endpoint(const Msh&, sql::Database&, Random&, const Clock&, Log&, Options, Audit = {});

  http::Awaitable<http::Response> handle(http::Request&);

 private:
  void log_refusal(const http::Request&, std::string_view code, unsigned status, std::string_view detail = {});
  http::Response refuse(const http::Request&, const Error&);
  http::Response try_later(const http::Request&, std::string_view why);
  http::Awaitable<http::Response> receive(http::Request&);
  http::Awaitable<Result<Answer>> store(std::shared_ptr<const Examined>);
  http::Awaitable<> discard(std::vector<std::string> blobs);

  const Msh& msh_;
  sql::Database& database_;
  Random& random_;
  const Clock& clock_;
  Log& log_;
  Options options_;
  Audit audit_;
  std::atomic<std::size_t> in_flight_{0};
};

}  // namespace schakel::ebms
