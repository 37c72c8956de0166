#include "ebms/sender.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "base/limits.hpp"
#include "exchange/blob_reader.hpp"
#include "exchange/commit.hpp"

namespace schakel::ebms {
namespace {

constexpr Duration retry_after_max = std::chrono::hours(24);
constexpr std::size_t answer_bytes_max = limits::ebms_root_bytes_max;  // an answer is one bare envelope (EB-008)

Outcome failed(const Error& error) {
  Outcome outcome;
  outcome.error_code = error.code;
  outcome.error_detail = error.detail;
  outcome.body_was_sent = error.location == "after";
  outcome.permanent = error.code == "transport.tlsRefused";
  return outcome;
}

bool is_in_memory(const Attempt& attempt) {
  return std::ranges::all_of(attempt.body, [](const exchange::Piece& piece) { return piece.blob.empty(); });
}

}  // namespace

std::optional<Duration> retry_after(std::string_view value, Instant now) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc{} && end == value.data() + value.size() && seconds >= 0)
    return std::min<Duration>(std::chrono::seconds(std::min<std::int64_t>(seconds, 86'400)), retry_after_max);
  std::tm date{};
  const std::string text(value);
  const char* rest = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (!rest || *rest) return std::nullopt;
  const auto at = Instant(std::chrono::seconds(::timegm(&date)));
  return std::clamp<Duration>(at - now, Duration{0}, retry_after_max);
}

Sender::Sender(const Msh& msh, sql::Database& database, http::Client& client, Identities identities, const Clock& clock, Log& log,
               Options options)
    : msh_(msh), database_(database), client_(client), identities_(std::move(identities)), clock_(clock), log_(log), options_(options) {}

http::Awaitable<Result<>> Sender::run(exchange::Claimer claimer, exchange::Work work) const {
  std::optional<Attempt> attempt;
  const auto prepared = co_await exchange::commit(database_, [&](sql::Transaction& transaction) -> Result<> {
    SCHAKEL_TRY(attempt, msh_.prepare(transaction, claimer, work));
    return {};
  });
  if (!prepared) co_return prepared.error();
  if (!attempt) co_return Result<>();

  const auto began = clock_.now();
  auto outcome = co_await post(*attempt);
  outcome.took = clock_.now() - began;
  log_.info("ebms.attempt", {{"message", attempt->message},
                             {"kind", work.kind},
                             {"url", attempt->url},
                             {"status", outcome.status},
                             {"code", outcome.error_code},
                             {"durationMs", outcome.took.count() / 1000}});
  co_return co_await exchange::commit(
      database_, [&](sql::Transaction& transaction) { return msh_.conclude(transaction, claimer, *attempt, outcome); });
}

http::Awaitable<Outcome> Sender::post(const Attempt& attempt) const {
  http::ClientRequest request;
  request.url = attempt.url;
  for (const auto& [name, value] : attempt.headers) request.headers.add(name, value);
  if (attempt.url.starts_with("https:")) {
    auto identity = identities_(attempt.tenant, attempt.environment, attempt.client_certificate_sha256);
    if (!identity) co_return failed(fail("transport.tls", identity.error().code + ": " + identity.error().detail));
    request.tls = std::move(*identity);
  }
  request.expected_oin = attempt.expected_oin;
  request.connect_timeout = options_.connect_timeout;
  request.response_timeout = options_.response_timeout;
  request.response_bytes_max = answer_bytes_max;
  if (is_in_memory(attempt)) {
    request.body.reserve(attempt.body_bytes);
    for (const auto& piece : attempt.body) request.body += piece.octets;
  } else {
    request.stream = [&] { return exchange::read_pieces(database_, attempt.body); };
    request.stream_bytes = attempt.body_bytes;
  }

  auto answer = co_await client_.send(std::move(request));
  if (!answer) co_return failed(answer.error());
  Outcome outcome;
  outcome.status = answer->status;
  outcome.body_was_sent = true;
  outcome.content_type = answer->headers.find("Content-Type").value_or("");
  if (const auto wait = answer->headers.find("Retry-After")) outcome.retry_after = retry_after(trim(*wait), clock_.now());
  outcome.body = std::move(answer->body);
  outcome.peer = std::move(answer->peer);
  co_return outcome;
}

}  // namespace schakel::ebms
