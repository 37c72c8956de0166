// Carries webhook calls: what api::Webhooks prepares is posted, and its outcome given back (work of kind webhook.call).
#pragma once

#include <functional>
#include <memory>

#include "api/webhooks.hpp"
#include "base/log.hpp"
#include "http/client.hpp"
#include "sql/database.hpp"

namespace schakel::server {

// Threads: `run` and `post` may run many at once. Borrows what it is given.
class WebhookCalls {
 public:
  // The client side for https: trust in the public web's CAs or the tenant's certificate, by the webhook's setting (ADP-113).
  using TlsFor = std::function<Result<std::shared_ptr<security::TlsClient>>(const api::WebhookCall&)>;

  WebhookCalls(const api::Webhooks&, sql::Database&, http::Client&, TlsFor, const Clock&, std::chrono::milliseconds timeout);

  http::Awaitable<Result<>> run(exchange::Claimer, exchange::Work) const;
  // By value: the call must live as long as the coroutine.
  http::Awaitable<api::WebhookOutcome> post(api::WebhookCall) const;

 private:
  const api::Webhooks& webhooks_;
  sql::Database& database_;
  http::Client& client_;
  TlsFor tls_for_;
  const Clock& clock_;
  std::chrono::milliseconds timeout_;
};

}  // namespace schakel::server
