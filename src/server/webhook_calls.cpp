#include "server/webhook_calls.hpp"

#include "exchange/commit.hpp"

namespace schakel::server {

WebhookCalls::WebhookCalls(const api::Webhooks& webhooks, sql::Database& database, http::Client& client, TlsFor tls_for, const Clock& clock,
                           std::chrono::milliseconds timeout)
    : webhooks_(webhooks), database_(database), client_(client), tls_for_(std::move(tls_for)), clock_(clock), timeout_(timeout) {}

http::Awaitable<Result<>> WebhookCalls::run(exchange::Claimer claimer, exchange::Work work) const {
  std::optional<api::WebhookCall> call;
  SCHAKEL_CO_CHECK(co_await exchange::commit(database_, [&](sql::Transaction& transaction) -> Result<> {
    SCHAKEL_TRY(call, webhooks_.prepare(transaction, claimer, work));
    return {};
  }));
  if (!call) co_return Result<>();
  const auto outcome = co_await post(*call);  // `conclude` needs the call too
  co_return co_await exchange::commit(
      database_, [&](sql::Transaction& transaction) { return webhooks_.conclude(transaction, claimer, *call, outcome); });
}

http::Awaitable<api::WebhookOutcome> WebhookCalls::post(api::WebhookCall call) const {
  api::WebhookOutcome outcome;
  http::ClientRequest request;
  request.url = call.url;
  request.headers = call.headers;
  request.body = std::move(call.body);
  request.connect_timeout = timeout_;
  request.response_timeout = timeout_;
  request.response_bytes_max = api::webhook_response_bytes_max;
  request.cut_response = true;   // adapter.md section 4: a 2xx counts, however long its body
  request.guard_address = true;  // ADP-108: at every connect, after resolution
  request.allowed_networks = call.allowed_networks;
  if (call.url.starts_with("https:")) {
    auto tls = tls_for_(call);
    if (!tls) {
      outcome.error_code = "transport.tls";
      outcome.error_detail = tls.error().detail;
      co_return outcome;
    }
    request.tls = std::move(*tls);
  }
  const auto began = clock_.now();
  const auto answer = co_await client_.send(std::move(request));
  outcome.took = clock_.now() - began;
  if (!answer) {
    outcome.error_code = answer.error().code;
    outcome.error_detail = answer.error().detail;
    co_return outcome;
  }
  outcome.status = answer->status;
  if (const auto wait = answer->headers.find("Retry-After")) outcome.retry_after = api::read_retry_after(*wait, clock_.now());
  co_return outcome;
}

}  // namespace schakel::server
