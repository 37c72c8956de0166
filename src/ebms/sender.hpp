// Posts what the Msh wants to send (ebms.md 3.2, 3.3): one work row in, one attempt out, its outcome committed.
//
// Handles work of kinds ebms.send, ebms.signal, ebms.ping and ebms.status. The Msh decides what to send and what the answer means; this
// class only carries it: payloads are streamed from the store, never held whole.
//
// Threads: many rows may be sent at once. Borrows what it is given.
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

  // In the unit that claimed the row: what is to be sent is decided and written. What it gives posts it and commits the outcome once the
  // unit is durable; empty: there is nothing to send, and the row is ended. Both fail only by the database: then the row is still claimed
  // and the caller puts it back. "work.lost": another node has it.
  using Rest = std::function<http::Awaitable<Result<>>()>;
  Result<Rest> open(sql::Transaction&, const exchange::Claimer&, const exchange::Work&) const;

 private:
  http::Awaitable<Result<>> carry(exchange::Claimer, std::shared_ptr<const Attempt>) const;
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
