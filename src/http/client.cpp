#include "http/client.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <mutex>
#include <unordered_map>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "http/address.hpp"
#include "http/body.hpp"
#include "http/resolver.hpp"
#include "http/run.hpp"
#include "http/stream.hpp"
#include "http/syntax.hpp"
#include "http/url.hpp"
#include "security/tls.hpp"

namespace schakel::http {
namespace {

using asio::ip::tcp;
using Time = Stream::Time;

constexpr std::size_t stream_step_bytes = 64 * limits::KiB;
constexpr std::size_t head_read_bytes = 4 * limits::KiB;
constexpr int interim_responses_max = 10;
// An answer that was sent before the request was complete has already arrived when writing fails.
constexpr std::chrono::seconds early_response_timeout{1};

Time now() {
  return std::chrono::steady_clock::now();
}

Error before(const char* code, std::string detail) {
  return fail(code, std::move(detail), "before");
}

// The reasons that a later attempt cannot mend (security.md 3.1).
bool is_permanent(std::string_view reason) {
  return reason == "SEC.PKI.VERLOPEN" || reason == "SEC.PKI.INGETROKKEN" || reason == "SEC.TLS.HOSTNAAM" || reason.starts_with("SEC.OIN.");
}

Error tls_error(const std::string& reason, const std::string& detail) {
  return before(is_permanent(reason) ? "transport.tlsRefused" : "transport.tls", reason + ": " + detail);
}

// A connection to one destination.
struct Link {
  asio::any_io_executor strand;
  std::shared_ptr<Stream> stream;
  InputBuffer input;
  Time made = now();
  Time idle_since{};
  bool used = false;
  std::shared_ptr<const security::PeerIdentity> peer{};  // of a connection over TLS
};

struct Outcome {
  Result<ClientResponse> response;
  bool reusable = false;
  bool nothing_written = false;
};

bool carries_body(const ClientRequest& request) {
  return request.stream || !request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
}

bool is_chunked(const ClientRequest& request) {
  return request.stream && !request.stream_bytes;
}

bool is_own_field(std::string_view name) {
  for (const std::string_view own : {"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Expect", "Upgrade", "TE"})
    if (equals_ignoring_case(name, own)) return true;
  return false;
}

bool is_forwarded(const ClientRequest& request, const Url& url, const std::string& proxy) {
  return request.proxy_forwards && !proxy.empty() && !url.is_tls() && !request.guard_address;
}

Result<std::string> request_head(const ClientRequest& request, const Url& url, bool forwarded) {
  if (!is_token(request.method)) return before("transport.invalid", "The method is not a token.");
  std::string head;
  head.reserve(512);
  head.append(request.method).append(1, ' ');
  if (forwarded) head.append(url.scheme).append("://").append(url.host_header());
  head.append(url.target).append(" HTTP/1.1\r\nHost: ").append(url.host_header()).append("\r\n");
  for (const auto& [name, value] : request.headers) {
    if (is_own_field(name)) continue;
    if (!is_token(name) || !is_field_value(value)) return before("transport.invalid", "The header " + for_log(name) + " is not valid.");
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (is_chunked(request))
    head.append("Transfer-Encoding: chunked\r\n");
  else if (carries_body(request))
    head.append("Content-Length: ").append(std::to_string(request.stream ? *request.stream_bytes : request.body.size())).append("\r\n");
  head.append("\r\n");
  return head;
}

Error write_error(Io outcome) {
  if (outcome == Io::timeout) return before("transport.timeout", "The other side did not take the request in time.");
  return before("transport.closed", "The connection broke while the request was sent.");
}

// What stands before the octets of a chunk: the end of the one before it, and the size (RFC 9112 7.1).
std::string chunk_size_line(std::size_t count, bool first) {
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), count, 16).ptr;
  return (first ? "" : "\r\n") + std::string(digits.data(), end) + "\r\n";
}

// Everything of the request, or the error with location "before".
Awaitable<Result<>> write_request(Stream& stream, const ClientRequest& request, const std::string& head) {
  if (!request.stream) {
    const Io outcome = co_await stream.write(head, request.body, request.response_timeout);
    if (outcome != Io::ok) co_return write_error(outcome);
    co_return Result<>();
  }
  if (const Io outcome = co_await stream.write(head, {}, request.response_timeout); outcome != Io::ok) co_return write_error(outcome);
  const auto source = request.stream();
  std::string buffer(stream_step_bytes, '\0');
  std::uint64_t sent = 0;
  for (;;) {
    auto count = co_await source->read(buffer);
    if (!count) co_return Error(count.error().code, count.error().detail, "before");
    if (*count == 0) break;
    const auto frame = is_chunked(request) ? chunk_size_line(*count, sent == 0) : std::string();
    sent += *count;
    if (request.stream_bytes && sent > *request.stream_bytes) break;
    const Io outcome = co_await stream.write(frame, BytesView(buffer.data(), *count), request.response_timeout);
    if (outcome != Io::ok) co_return write_error(outcome);
  }
  if (request.stream_bytes && sent != *request.stream_bytes)
    co_return before("transport.invalid", "The body does not have the length that was announced.");
  if (!is_chunked(request)) co_return Result<>();
  const Io ended = co_await stream.write(sent == 0 ? "0\r\n\r\n" : "\r\n0\r\n\r\n", {}, request.response_timeout);
  if (ended != Io::ok) co_return write_error(ended);
  co_return Result<>();
}

// A head that is complete in `input`, and its size.
Awaitable<Result<std::size_t>> receive_head(Stream& stream, InputBuffer& input, Time deadline) {
  std::size_t searched = 0;
  stream.set_deadline(deadline);
  for (;;) {
    const auto scan = scan_head(input.view(), searched);
    if (!scan || (!scan->end && !check_partial_head(input.view())))
      co_return fail("transport.invalid", "The answer is not valid HTTP.", "after");
    if (scan->end) co_return *scan->end;
    searched = scan->searched;
    const auto transfer = co_await stream.read_some(input.prepare(head_read_bytes));
    input.commit(transfer.bytes);
    if (transfer.status == Io::timeout) co_return fail("transport.timeout", "No answer came in time.", "after");
    if (transfer.status == Io::ok) continue;
    // With TLS 1.3 a server refuses our certificate after our side of the handshake has ended.
    if (stream.alert_received()) co_return before("transport.tls", "SEC.TLS.ALERT: The other side refused the TLS connection.");
    co_return fail("transport.closed", "The connection was closed before the answer was complete.", "after");
  }
}

Error body_error(const Error& error) {
  const auto code = error.code == "http.bodyTooLarge"  ? "transport.tooLarge"
                    : error.code == "http.bodyTimeout" ? "transport.timeout"
                    : error.code == "http.bodyInvalid" ? "transport.invalid"
                                                       : "transport.closed";
  return fail(code, "The answer could not be read: " + error.detail, "after");
}

Awaitable<Result<>> read_body(IncomingBody& body, const ClientRequest& request, std::string& out) {
  if (body.remaining().value_or(0) > 0) out.reserve(std::min<std::size_t>(*body.remaining(), request.response_bytes_max));
  std::array<char, 8192> step;
  for (;;) {
    const auto count = co_await body.read(step);
    if (!count) co_return body_error(count.error());
    if (*count == 0 && body.finished()) co_return Result<>();
    const std::size_t room = request.response_bytes_max - out.size();
    out.append(step.data(), std::min(*count, room));
    if (*count <= room) continue;
    if (request.cut_response) co_return Result<>();
    co_return body_error(fail("http.bodyTooLarge", "It is too large."));
  }
}

struct Answer {
  ClientResponse response;
  bool reusable = false;
};

Awaitable<Result<Answer>> read_answer(Link& link, const ClientRequest& request, Time deadline) {
  for (int interim = 0; interim <= interim_responses_max; ++interim) {
    SCHAKEL_CO_TRY(const std::size_t size, co_await receive_head(*link.stream, link.input, deadline));
    auto head = parse_response_head(link.input.view().substr(0, size));
    if (!head) co_return Error(head.error().code, head.error().detail, "after");
    Answer answer;
    answer.response.status = head->status;
    for (const auto& [name, value] : head->fields) answer.response.headers.add(std::string(name), std::string(value));
    link.input.consume(size);
    if (head->status == 101) co_return fail("transport.invalid", "The other side changed the protocol.", "after");
    if (head->status < 200) continue;

    const bool without_body = request.method == "HEAD" || head->status == 204 || head->status == 304;
    BodyFraming framing;
    if (!without_body) framing = {head->chunked, head->content_length, !head->chunked && !head->content_length};
    // The reader's own limit is not used: `read_body` knows whether to cut.
    IncomingBody body(*link.stream, link.input, framing, UINT64_MAX, {request.response_timeout, deadline});
    SCHAKEL_CO_CHECK(co_await read_body(body, request, answer.response.body));
    answer.reusable = head->keep_alive && !framing.until_close && body.finished() && link.input.empty();
    co_return answer;
  }
  co_return fail("transport.invalid", "The other side sent too many interim answers.", "after");
}

// One request on one connection; runs on the connection's strand.
Awaitable<Outcome> exchange(Link& link, const ClientRequest& request, const std::string& head) {
  const auto written_before = link.stream->bytes_written();
  const auto written = co_await write_request(*link.stream, request, head);
  if (!written) {
    const bool nothing_written = link.stream->bytes_written() == written_before;
    if (written.error().code != "transport.closed" || nothing_written) co_return Outcome{written.error(), false, nothing_written};
    auto early = co_await read_answer(link, request, now() + early_response_timeout);
    if (!early) co_return Outcome{written.error()};
    early->response.peer = link.peer;
    co_return Outcome{std::move(early->response)};
  }
  auto answer = co_await read_answer(link, request, now() + request.response_timeout);
  if (!answer) co_return Outcome{answer.error()};
  answer->response.peer = link.peer;
  co_return Outcome{std::move(answer->response), answer->reusable};
}

// Connections are shared only by requests that would have made the same one: same place, same own identity, same demands on the peer, same
// rule for addresses.
std::string destination_of(const ClientRequest& request, const Url& url, const std::string& proxy) {
  std::string key = url.scheme + "://" + url.host + ":" + std::to_string(url.port);
  if (url.is_tls()) key += " " + request.tls->identity_sha256() + " " + request.expected_oin;
  key += (is_forwarded(request, url, proxy) ? " of " : " via ") + proxy;
  if (request.guard_address) {
    key += " guarded";
    for (const auto& network : request.allowed_networks) key += " " + network;
  }
  return key;
}

bool is_excepted(const std::vector<std::string>& no_proxy, const std::string& host) {
  return is_in_networks(host, no_proxy) || std::any_of(no_proxy.begin(), no_proxy.end(), [&](const std::string& entry) {
           const auto suffix = entry.starts_with("*.") ? entry.substr(1) : entry;
           return entry == "*" || equals_ignoring_case(entry, host) || (suffix.starts_with('.') && host.ends_with(to_lower(suffix)));
         });
}

}  // namespace

struct Client::State : std::enable_shared_from_this<Client::State> {
  State(asio::any_io_executor executor_, Options options_, const Clock& clock_, Log& log_, Metrics& metrics)
      : executor(std::move(executor_)),
        options(std::move(options_)),
        clock(clock_),
        log(log_),
        opened(metrics.counter("http_client_connections_total", "Connections that the HTTP client made")),
        reused(metrics.counter("http_client_reuses_total", "Requests on a kept-alive connection")),
        handshake_seconds(metrics.histogram("http_client_handshake_seconds", "Time of TLS handshakes of the HTTP client")),
        sweep_timer(asio::make_strand(executor)) {}

  std::shared_ptr<Link> take_idle(const std::string& destination);
  void keep(const std::string& destination, std::shared_ptr<Link> link);
  void sweep(bool everything);
  void schedule_sweep();

  std::string proxy_for(const ClientRequest&, const Url&) const;
  Awaitable<Result<>> reach(Link&, const ClientRequest&, const Url&, const std::string& proxy);
  Awaitable<Result<>> connect_to(Link&, const std::vector<tcp::endpoint>&, Time deadline);
  Awaitable<Result<>> connect_through(Link&, const Url& proxy, const std::string& target, Time deadline);
  Awaitable<Result<>> secure(Link&, const ClientRequest&, const Url&, Time deadline);
  bool is_usable(Link&, const ClientRequest&, const Url&) const;

  const asio::any_io_executor executor;
  const Options options;
  const Clock& clock;
  Log& log;
  Counter& opened;
  Counter& reused;
  Histogram& handshake_seconds;
  Resolver resolver;

  std::mutex mutex;  // guards what follows
  std::unordered_map<std::string, std::vector<std::shared_ptr<Link>>> idle;
  bool ended = false;
  bool sweep_scheduled = false;
  asio::steady_timer sweep_timer;
};

std::shared_ptr<Link> Client::State::take_idle(const std::string& destination) {
  const std::lock_guard lock(mutex);
  const auto found = idle.find(destination);
  if (found == idle.end()) return nullptr;
  // The most recently used one is the least likely to have been closed.
  auto link = std::move(found->second.back());
  found->second.pop_back();
  if (found->second.empty()) idle.erase(found);
  return link;
}

void Client::State::keep(const std::string& destination, std::shared_ptr<Link> link) {
  link->idle_since = now();
  link->stream->set_deadline(Time::max());
  const std::lock_guard lock(mutex);
  auto& links = idle[destination];
  if (ended || links.size() >= options.idle_connections_per_destination) {
    if (links.empty()) idle.erase(destination);
    return;
  }
  links.push_back(std::move(link));
  schedule_sweep();
}

// With the mutex held.
void Client::State::schedule_sweep() {
  if (std::exchange(sweep_scheduled, true)) return;
  sweep_timer.expires_after(options.idle_timeout / 2);
  sweep_timer.async_wait([weak = weak_from_this()](const boost::system::error_code& problem) {
    if (const auto self = weak.lock(); self && !problem) self->sweep(false);
  });
}

void Client::State::sweep(bool everything) {
  std::vector<std::shared_ptr<Link>> dropped;
  const std::lock_guard lock(mutex);
  for (auto entry = idle.begin(); entry != idle.end();) {
    std::erase_if(entry->second, [&](auto& link) {
      if (!everything && now() - link->idle_since < options.idle_timeout) return false;
      dropped.push_back(std::move(link));
      return true;
    });
    entry = entry->second.empty() ? idle.erase(entry) : std::next(entry);
  }
  sweep_scheduled = false;
  if (!idle.empty()) schedule_sweep();
  for (auto& link : dropped) asio::post(link->strand, [link] { link->stream->shutdown(); });
}

std::string Client::State::proxy_for(const ClientRequest& request, const Url& url) const {
  const std::string& proxy = request.proxy ? *request.proxy : options.proxy;
  if (proxy.empty() || is_excepted(options.no_proxy, url.host)) return {};
  return proxy;
}

Awaitable<Result<>> Client::State::connect_to(Link& link, const std::vector<tcp::endpoint>& endpoints, Time deadline) {
  Error last = before("transport.connect", "There is no address to connect to.");
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    // Each address has its share of the time, so that a dead one leaves some for the next.
    const auto share = (deadline - now()) / static_cast<std::int64_t>(endpoints.size() - i);
    link.stream = std::make_shared<Stream>(tcp::socket(link.strand));
    link.stream->set_deadline(now() + share);
    const Io outcome = co_await link.stream->connect(endpoints[i]);
    if (outcome == Io::ok) co_return Result<>();
    last = outcome == Io::timeout ? before("transport.timeout", "No connection was made in time.")
                                  : before("transport.connect", "The connection was refused or the network is unreachable.");
  }
  co_return last;
}

// ADP-908
Awaitable<Result<>> Client::State::connect_through(Link& link, const Url& proxy, const std::string& target, Time deadline) {
  SCHAKEL_CO_TRY(const auto endpoints, co_await resolver.resolve(proxy.host, proxy.port, deadline));
  SCHAKEL_CO_CHECK(co_await connect_to(link, endpoints, deadline));
  const std::string head = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\n";
  const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now());
  if (const Io outcome = co_await link.stream->write(head, {}, patience); outcome != Io::ok) co_return write_error(outcome);
  const auto size = co_await receive_head(*link.stream, link.input, deadline);
  if (!size) co_return before(size.error().code == "transport.timeout" ? "transport.timeout" : "transport.proxy", size.error().detail);
  const auto answer = parse_response_head(link.input.view().substr(0, *size));
  if (!answer || answer->status / 100 != 2)
    co_return before("transport.proxy",
                     "The proxy refused the connection" + (answer ? " with status " + std::to_string(answer->status) + "." : "."));
  link.input.consume(*size);
  if (!link.input.empty()) co_return before("transport.proxy", "The proxy sent more than its answer.");
  co_return Result<>();
}

Awaitable<Result<>> Client::State::secure(Link& link, const ClientRequest& request, const Url& url, Time deadline) {
  auto& tls = *request.tls;
  if (!link.stream->attach_tls(tls.context(), Stream::Role::client)) co_return before("transport.tls", "TLS cannot be started.");
  SSL* ssl = link.stream->ssl();
  if (const auto prepared = tls.prepare(ssl, url.host); !prepared) co_return tls_error(prepared.error().code, prepared.error().detail);
  link.stream->set_deadline(deadline);
  const auto began = now();
  const Io outcome = co_await link.stream->handshake();
  if (outcome == Io::timeout) co_return before("transport.timeout", "The TLS handshake did not end in time.");
  if (outcome != Io::ok) co_return tls_error(tls.failure_reason(ssl), tls.failure_detail(ssl));
  handshake_seconds.observe(std::chrono::duration<double>(now() - began).count());
  auto checked = tls.check(ssl, url.host, request.expected_oin);
  if (!checked) {
    link.stream->shutdown();
    co_return tls_error(checked.error().code, checked.error().detail);
  }
  if (checked->peer) link.peer = std::make_shared<const security::PeerIdentity>(std::move(*checked->peer));
  co_return Result<>();
}

// A new connection, as far as the first octet of the request.
Awaitable<Result<>> Client::State::reach(Link& link, const ClientRequest& request, const Url& url, const std::string& proxy) {
  const Time deadline = now() + request.connect_timeout;
  std::vector<tcp::endpoint> endpoints;
  if (proxy.empty() || request.guard_address) {
    SCHAKEL_CO_TRY(endpoints, co_await resolver.resolve(url.host, url.port, deadline));
  }
  if (request.guard_address) {
    // All of them: a name with one good and one bad address is a trap. What was judged is what is connected to.
    for (const auto& endpoint : endpoints) {
      const auto address = parse_address(endpoint.address().to_string());
      if (!address || !may_connect(*address, request.allowed_networks))
        co_return before("transport.blockedAddress", "The address of " + url.host + " may not be reached.");
    }
  }
  if (proxy.empty()) {
    SCHAKEL_CO_CHECK(co_await connect_to(link, endpoints, deadline));
  } else {
    const auto through = parse_url(proxy);
    if (!through || through->is_tls()) co_return before("transport.invalid", "The address of the proxy is not valid.");
    if (is_forwarded(request, url, proxy)) {
      SCHAKEL_CO_TRY(const auto proxy_endpoints, co_await resolver.resolve(through->host, through->port, deadline));
      SCHAKEL_CO_CHECK(co_await connect_to(link, proxy_endpoints, deadline));
      opened.add();
      co_return Result<>();
    }
    Url target = url;
    if (request.guard_address) target.host = endpoints.front().address().to_string();
    target.port_written = true;
    SCHAKEL_CO_CHECK(co_await connect_through(link, *through, target.host_header(), deadline));
  }
  opened.add();
  if (url.is_tls()) co_return co_await secure(link, request, url, deadline);
  co_return Result<>();
}

bool Client::State::is_usable(Link& link, const ClientRequest& request, const Url& url) const {
  if (now() - link.idle_since >= options.idle_timeout || now() - link.made >= options.connection_age_max || link.stream->is_stale())
    return false;
  if (!url.is_tls()) return true;
  // SEC-028: the server's certificate may have been revoked since the handshake.
  const auto checked = request.tls->check(link.stream->ssl(), url.host, request.expected_oin);
  return checked && checked->peer && request.tls->still_valid(*checked->peer, checked->peer_chain);
}

Client::Client(asio::any_io_executor executor, Options options, const Clock& clock, Log& log, Metrics& metrics)
    : state_(std::make_shared<State>(std::move(executor), std::move(options), clock, log, metrics)) {}

Client::~Client() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ended = true;
    state_->sweep_timer.cancel();
  }
  close_idle();
}

void Client::close_idle() {
  state_->sweep(true);
}

Awaitable<Result<std::vector<std::string>>> Client::addresses_of(std::string host, std::chrono::milliseconds timeout) {
  const auto state = state_;
  SCHAKEL_CO_TRY(const auto endpoints, co_await state->resolver.resolve(std::move(host), 0, now() + timeout));
  std::vector<std::string> addresses;
  for (const auto& endpoint : endpoints) addresses.push_back(endpoint.address().to_string());
  co_return addresses;
}

Awaitable<Result<ClientResponse>> Client::send(ClientRequest request) {
  const auto state = state_;
  auto url = parse_url(request.url);
  if (!url) co_return before("transport.invalid", url.error().detail);
  if (url->is_tls() && !request.tls) co_return before("transport.invalid", "A request over TLS needs an identity and anchors.");
  const auto proxy = state->proxy_for(request, *url);
  SCHAKEL_CO_TRY(const auto head, request_head(request, *url, is_forwarded(request, *url, proxy)));
  const auto destination = destination_of(request, *url, proxy);

  // Both run on the connection's strand.
  const auto try_idle = [&](std::shared_ptr<Link> link) -> Awaitable<std::optional<Outcome>> {
    if (!state->is_usable(*link, request, *url)) co_return std::nullopt;
    state->reused.add();
    co_return co_await exchange(*link, request, head);
  };
  const auto try_new = [&](std::shared_ptr<Link> link) -> Awaitable<Outcome> {
    if (const auto reached = co_await state->reach(*link, request, *url, proxy); !reached) co_return Outcome{reached.error()};
    co_return co_await exchange(*link, request, head);
  };
  const auto let_go = [&](std::shared_ptr<Link> link, bool reusable) {
    if (reusable) return state->keep(destination, std::move(link));
    if (link->stream) asio::post(link->strand, [link] { link->stream->shutdown(); });
  };

  while (auto link = state->take_idle(destination)) {
    auto outcome = co_await asio::co_spawn(link->strand, try_idle(link), asio::use_awaitable);
    let_go(link, outcome && outcome->reusable);
    if (!outcome) continue;
    // EB-104: a connection that was closed before any octet was written is replaced, once.
    if (!outcome->response && outcome->nothing_written) break;
    co_return std::move(outcome->response);
  }
  const auto link = std::make_shared<Link>();
  link->strand = make_strand(state->executor);
  auto outcome = co_await asio::co_spawn(link->strand, try_new(link), asio::use_awaitable);
  let_go(link, outcome.reusable);
  co_return std::move(outcome.response);
}

}  // namespace schakel::http
