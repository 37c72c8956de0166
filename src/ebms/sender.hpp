// Posts what the Msh wants to send (ebms.md 3.2, 3.3): one work row in, one attempt out, its outcome committed.
//
// Handles work of kinds ebms.send, ebms.signal, ebms.ping and ebms.status. The Msh decides what to send and what the answer means; this
// class only carries it: payloads are streamed from the store, never held whole.
//
// Threads: `run` may run for many rows at once. Borrows what it is given.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "ebms/msh.hpp"
#include "http/client.hpp"
#include "sql/database.hpp"

namespace schakel::ebms {

class Sender {
 public:
  // The client side for a tenant: with the certificate of that SHA-256, or the tenant's default one when it is empty. The error is a local
  // failure of the attempt.
  using Identities = std::function<Result<std::shared_ptr<security::TlsClient>>(const std::string& tenant, const std::string& environment,
                                                                                const std::string& certificate_sha256)>;

  struct Options {
    std::chrono::milliseconds connect_timeout{30'000};  // EB-013
    std::chrono::milliseconds response_timeout{30'000};
  };

  Sender(const Msh&, sql::Database&, http::Client&, Identities, const Clock&, Log&, Options);

  // Fails only when prepare or the final commit cannot be done: then the row is still claimed and the caller puts it back. "work.lost":
  // another node has it.
  http::Awaitable<Result<>> run(exchange::Claimer, exchange::Work) const;

 private:
  http::Awaitable<Outcome> post(const Attempt&) const;

  const Msh& msh_;
  sql::Database& database_;
  http::Client& client_;
  Identities identities_;
  const Clock& clock_;
  Log& log_;
  Options options_;
};

// Retry-After in seconds or as an HTTP date, at most 24 h (README section 7); nullopt for anything else.
std::optional<Duration> retry_after(std::string_view value, Instant now);

}  // namespace schakel::ebms
