#include "http/connection.hpp"

#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdio>

#include "base/bytes.hpp"
#include "http/fields.hpp"
#include "http/offload.hpp"

namespace schakel::http {
namespace {

constexpr std::array<std::string_view, 7> counted_methods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
constexpr std::size_t head_read_bytes = 4 * limits::KiB;
constexpr std::size_t stream_step_bytes = 64 * limits::KiB;
// A body that the handler left unread is read to its end when it is small; else the connection ends.
constexpr std::uint64_t drained_bytes_max = 64 * limits::KiB;
constexpr std::size_t request_id_bytes_max = 64;

std::string_view reason_phrase(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      // RFC 9112 4: clients ignore the phrase.
      return status < 400 ? "OK" : "Error";
  }
}

bool is_request_id(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= request_id_bytes_max && std::all_of(text.begin(), text.end(), allowed);
}

// Fields that say how the body travels are ours alone.
bool is_framing_field(std::string_view name) {
  for (const std::string_view own : {"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Date"})
    if (equals_ignoring_case(name, own)) return true;
  return false;
}

bool has_no_body(unsigned status) {
  return status < 200 || status == 204 || status == 304;
}

// Counts a running request as long as it lives.
class InFlight {
 public:
  explicit InFlight(std::atomic<std::size_t>& count) : count_(count) { ++count_; }
  ~InFlight() { --count_; }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  std::atomic<std::size_t>& count_;
};

void put_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

RequestMetrics::RequestMetrics(Metrics& metrics, std::string listener)
    : metrics_(metrics),
      listener_(std::move(listener)),
      seconds_(
          metrics.histogram("http_request_seconds", "Time from the head of a request to the end of its answer", {{"listener", listener_}})),
      handshake_seconds_(metrics.histogram("tls_handshake_seconds", "Time from the connection to the end of its TLS handshake",
                                           {{"listener", listener_}})) {}

void RequestMetrics::count(std::string_view method, unsigned status, double seconds) {
  const auto found = std::find(counted_methods.begin(), counted_methods.end(), method);
  const auto index = static_cast<std::size_t>(found - counted_methods.begin());
  auto& slot = requests_[index][std::min<std::size_t>(status, statuses - 1)];
  Counter* counter = slot.load(std::memory_order_acquire);
  if (counter == nullptr) {
    const std::string label(found == counted_methods.end() ? std::string_view("other") : *found);
    counter = &metrics_.counter("http_requests_total", "Answered requests",
                                {{"listener", listener_}, {"method", label}, {"status", std::to_string(status)}});
    slot.store(counter, std::memory_order_release);
  }
  counter->add();
  seconds_.observe(seconds);
}

void RequestMetrics::count_handshake_failure(const std::string& reason) {
  metrics_.counter("tls_handshake_failures_total", "TLS handshakes that failed", {{"listener", listener_}, {"reason", reason}}).add();
}

void RequestMetrics::count_refused_connection(const std::string& reason) {
  metrics_.counter("http_connections_refused_total", "Connections refused by a limit", {{"listener", listener_}, {"reason", reason}}).add();
}

Listener::Listener(ListenerOptions given, Handler chosen, Environment environment)
    : options(std::move(given)), handler(std::move(chosen)), env(environment), metrics(environment.metrics, options.name) {}

void Listener::report(SecurityEvent event) {
  std::optional<std::uint64_t> count;
  {
    const std::lock_guard lock(mutex_);
    count = failures_.note(event.reason, event.address, env.clock.now());
  }
  if (!count) return;
  event.count = *count;
  event.listener = options.name;
  env.log.warning("security.refused", {{"reason", event.reason},
                                       {"listener", event.listener},
                                       {"address", event.address},
                                       {"detail", event.detail},
                                       {"count", event.count}});
  if (options.audit) options.audit(event);
}

// One request, from its head to its answer.
struct Connection::Exchange {
  Request request;
  BodyFraming framing;
  bool keep_alive = false;
  bool expects_continue = false;
  int minor_version = 1;
  Headers certificate_headers;
  std::optional<security::PeerIdentity> offloaded;
  Stream::Time begin = std::chrono::steady_clock::now();
};

Connection::Connection(std::shared_ptr<Listener> listener, asio::ip::tcp::socket socket, std::string address)
    : listener_(std::move(listener)),
      stream_(std::make_shared<Stream>(std::move(socket))),
      address_(std::move(address)),
      begin_(std::chrono::steady_clock::now()) {}

void Connection::abort() {
  stream_->close();
}

void Connection::check_revocation() {
  if (!listener_->options.tls || !tls_.peer || listener_->options.tls->still_valid(*tls_.peer, tls_.peer_chain)) return;
  revoked_ = true;
  if (idle_) stream_->close();
}

void Connection::end_if_made_with(const std::string& own_certificate_sha256) {
  if (stream_->ssl() == nullptr || listener_->options.tls->own_sha256(stream_->ssl()) != own_certificate_sha256) return;
  ending_ = true;
  if (idle_) stream_->close();
}

void Connection::report(std::string_view reason, std::string_view detail) {
  SecurityEvent event;
  event.reason = reason;
  event.detail = detail;
  event.address = address_;
  event.tls_version = tls_.version;
  event.sni = tls_.sni;
  event.peer = tls_.peer ? &*tls_.peer : nullptr;
  listener_->report(std::move(event));
}

bool Connection::is_too_old() const {
  return std::chrono::steady_clock::now() - begin_ >= listener_->options.connection_age_max;
}

Awaitable<bool> Connection::handshake() {
  auto& tls = *listener_->options.tls;
  if (!stream_->attach_tls(tls.context(), Stream::Role::server)) co_return false;
  stream_->set_deadline(begin_ + listener_->options.handshake_timeout);
  const Io outcome = co_await stream_->handshake();
  if (outcome == Io::ok) {
    listener_->metrics.count_handshake(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count());
    tls_ = tls.result(stream_->ssl());
    co_return true;
  }
  // A load balancer that looks whether the port is open sends nothing; that is no failure to tell anybody about.
  if (stream_->tls_bytes_received() == 0 && outcome != Io::timeout) co_return false;
  const std::string reason = outcome == Io::timeout ? "SEC.HTTP.TRAAG" : tls.failure_reason(stream_->ssl());
  listener_->metrics.count_handshake_failure(reason);
  report(reason, outcome == Io::timeout ? "The TLS handshake did not end in time." : tls.failure_detail(stream_->ssl()));
  if (outcome != Io::timeout) co_await stream_->linger();
  co_return false;
}

// The size of the next head, which stays in the input buffer. Nothing when the connection ended; an error for the client when the octets
// cannot become a head.
Awaitable<Result<std::optional<std::size_t>>> Connection::receive_head() {
  const auto& options = listener_->options;
  if (input_.empty()) {
    stream_->set_deadline(std::chrono::steady_clock::now() + (first_ ? options.header_timeout : options.keep_alive_timeout));
    idle_ = true;
    const Io outcome = co_await stream_->wait_readable();
    idle_ = false;
    if (outcome != Io::ok) co_return std::nullopt;
  }
  first_ = false;
  const auto deadline = std::chrono::steady_clock::now() + options.header_timeout;
  std::size_t searched = 0;
  for (;;) {
    SCHAKEL_CO_TRY(const auto scan, scan_head(input_.view(), searched));
    if (scan.end) co_return scan.end;
    searched = scan.searched;
    SCHAKEL_CO_CHECK(check_partial_head(input_.view()));
    stream_->set_deadline(deadline);
    const auto transfer = co_await stream_->read_some(input_.prepare(head_read_bytes));
    input_.commit(transfer.bytes);
    if (transfer.status == Io::timeout) co_return fail("request.timeout", "The head of the request did not come in time.");
    if (transfer.status != Io::ok) co_return std::nullopt;
  }
}

void Connection::take_headers(Exchange& exchange, const std::vector<FieldView>& fields) {
  bool removed = false;
  for (const auto& [name, value] : fields) {
    if (!is_internal_header(name)) {
      exchange.request.headers.add(std::string(name), std::string(value));
    } else if (listener_->options.offload) {
      exchange.certificate_headers.add(std::string(name), std::string(value));
    } else {
      removed = true;
    }
  }
  if (removed) report("SEC.HTTP.HEADER_VERWIJDERD", "A header that only a proxy or this node may set was removed.");
}

// SEC-040: the name must be one of this listener and, on TLS, of the certificate that the connection was made with.
Result<> Connection::accept_host(std::string_view host) {
  const auto& hosts = listener_->options.hosts;
  if (hosts.empty() || (!served_host_.empty() && equals_ignoring_case(host, served_host_))) return {};
  const bool is_ours = std::any_of(hosts.begin(), hosts.end(), [&](const auto& own) { return equals_ignoring_case(own, host); });
  if (stream_->ssl() == nullptr || listener_->options.offload) {  // behind a proxy the certificate names us as the proxy knows us
    if (!is_ours) return fail("request.invalid", "This host is not served here.");
  } else {
    X509* certificate = SSL_get_certificate(stream_->ssl());
    constexpr unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS;
    if (!is_ours || certificate == nullptr || X509_check_host(certificate, host.data(), host.size(), flags, nullptr) != 1)
      return fail("request.misdirected", "This host is not served on this connection.");
  }
  served_host_ = host;
  return {};
}

Result<> Connection::accept_head(Exchange& exchange, BytesView bytes) {
  Request& request = exchange.request;
  SCHAKEL_TRY(const auto head, parse_request_head(bytes));
  request.method = head.method;
  request.target = head.target;
  exchange.keep_alive = head.keep_alive;
  exchange.expects_continue = head.expects_continue;
  exchange.minor_version = head.minor_version;
  exchange.framing = {head.chunked, head.content_length, false};
  request.content_length = head.content_length;
  take_headers(exchange, head.fields);
  if (const auto id = request.headers.find("X-Request-Id"); id && is_request_id(*id)) request.request_id = *id;
  if (listener_->options.offload) request.sni = tls_.sni = to_lower(head.host);
  SCHAKEL_CHECK(accept_host(head.host));
  SCHAKEL_TRY(auto target, parse_target(head.target));
  request.path = std::move(target.path);
  request.query = std::move(target.query);
  if (head.content_length.value_or(0) > listener_->options.body_bytes_max)
    return fail("message.tooLarge", "The body is larger than is accepted here.");
  return {};
}

// SEC-050, SEC-051: on an offload listener the identity comes from the proxy's header and nothing else.
Result<> Connection::take_identity(Exchange& exchange) {
  const auto& options = listener_->options;
  if (!options.offload) {
    exchange.request.peer = tls_.peer ? &*tls_.peer : nullptr;
    return {};
  }
  if (stream_->ssl() != nullptr) {
    const auto& proxies = options.proxy_certificates;
    if (!tls_.peer || std::find(proxies.begin(), proxies.end(), tls_.peer->sha256) == proxies.end())
      return fail("SEC.TLS.GEEN_CERT", "The connection does not come from a configured proxy.");
  }
  SCHAKEL_TRY(const auto certificate, offloaded_certificate(exchange.certificate_headers));
  SCHAKEL_TRY(exchange.offloaded, options.verify_offloaded(certificate, exchange.request.sni));
  exchange.request.peer = &*exchange.offloaded;
  return {};
}

Response Connection::refusal(const Exchange& exchange, std::string_view code, std::string_view detail) const {
  if (listener_->options.problem_bodies) return problem(code, detail, exchange.request.request_id);
  Response response;
  response.status = status_of(code);
  return response;
}

void Connection::record(const Exchange& exchange, unsigned status) {
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - exchange.begin;
  const Request& request = exchange.request;
  listener_->metrics.count(request.method, status, seconds.count());
  auto& log = listener_->env.log;
  if (!log.enabled(LogLevel::debug)) return;
  log.debug("http.request", {{"listener", listener_->options.name},
                             {"address", address_},
                             {"oin", request.peer != nullptr ? std::string_view(request.peer->oin) : std::string_view()},
                             {"method", request.method},
                             {"path", request.path},
                             {"status", status},
                             {"seconds", seconds.count()},
                             {"requestId", request.request_id}});
}

// What is refused without being an attack: too large, too long, another method, broken off.
void Connection::log_refusal(const Exchange& exchange, std::string_view code) {
  const Request& request = exchange.request;
  listener_->env.log.info("http.refused", {{"listener", listener_->options.name},
                                           {"address", address_},
                                           {"oin", request.peer != nullptr ? std::string_view(request.peer->oin) : std::string_view()},
                                           {"path", request.path},
                                           {"code", code},
                                           {"requestId", request.request_id}});
}

Awaitable<bool> Connection::refuse(Exchange& exchange, const Error& error) {
  if (error.code == "request.invalid" || error.code == "notFound") {
    report("SEC.HTTP.SYNTAX", error.detail);
  } else if (error.code == "request.timeout") {
    report("SEC.HTTP.TRAAG", error.detail);
  } else {
    log_refusal(exchange, error.code);
  }
  Response response = refusal(exchange, error.code, error.detail);
  if (response.status == 405) response.headers.add("Allow", listener_->options.allowed_methods);
  record(exchange, response.status);
  if (co_await send(exchange, response, true) == Io::ok) co_await stream_->linger();
  co_return false;
}

Awaitable<Response> Connection::answer(Request& request) {
  try {
    co_return co_await listener_->handler(request);
  } catch (const std::exception& fault) {
    listener_->env.log.error("http.handlerFailed", {{"requestId", request.request_id}, {"path", request.path}, {"what", fault.what()}});
  }
  Response response;
  if (listener_->options.problem_bodies) response = problem("internal", {}, request.request_id);
  response.status = 500;
  response.close = true;
  co_return response;
}

Awaitable<Io> Connection::send(Exchange& exchange, Response& response, bool close) {
  const bool is_head = exchange.request.method == "HEAD";
  const bool without_body = has_no_body(response.status);
  const bool chunked = response.stream && !response.stream_bytes && exchange.minor_version >= 1;
  std::string head;
  head.reserve(512);
  head.append("HTTP/1.1 ").append(std::to_string(response.status)).append(1, ' ').append(reason_phrase(response.status)).append("\r\n");
  put_field(head, "Date", to_http_date(listener_->env.clock.now()));
  for (const auto& [name, value] : response.headers) {
    // The length of a resource that HEAD did not produce is the handler's to say.
    const bool is_length_of_head = is_head && response.body.empty() && !response.stream && equals_ignoring_case(name, "Content-Length");
    if (is_framing_field(name) && !is_length_of_head) continue;
    if (is_token(name) && is_field_value(value)) {
      put_field(head, name, value);
    } else {
      listener_->env.log.error("http.headerInvalid", {{"name", name}, {"requestId", exchange.request.request_id}});
    }
  }
  if (!without_body) {
    if (chunked) {
      put_field(head, "Transfer-Encoding", "chunked");
    } else if (response.stream_bytes) {
      put_field(head, "Content-Length", std::to_string(*response.stream_bytes));
    } else if (!response.stream && !(is_head && response.body.empty())) {
      put_field(head, "Content-Length", std::to_string(response.body.size()));
    }
  }
  if (close) {
    put_field(head, "Connection", "close");
  } else if (exchange.minor_version == 0) {
    put_field(head, "Connection", "keep-alive");
  }
  head.append("\r\n");
  const bool sends_body = !without_body && !is_head;
  const BytesView body = sends_body && !response.stream ? BytesView(response.body) : BytesView{};
  const Io outcome = co_await stream_->write(head, body, listener_->options.body_idle_timeout);
  if (outcome != Io::ok || !sends_body || !response.stream) co_return outcome;
  co_return co_await send_stream(response, chunked);
}

// A body that fails on the way ends the connection without its end, so that the other side does not take it for complete.
Awaitable<Io> Connection::send_stream(Response& response, bool chunked) {
  const auto idle = listener_->options.body_idle_timeout;
  std::string buffer(stream_step_bytes, '\0');
  std::uint64_t sent = 0;
  for (;;) {
    const auto count = co_await response.stream->read(buffer);
    if (!count) {
      listener_->env.log.warning("http.bodyFailed", {{"code", count.error().code}, {"detail", count.error().detail}});
      co_return Io::failed;
    }
    if (*count == 0) break;
    sent += *count;
    if (response.stream_bytes && sent > *response.stream_bytes) co_return Io::failed;
    const BytesView octets(buffer.data(), *count);
    Io outcome;
    if (chunked) {
      char size[20];
      const int length = std::snprintf(size, sizeof size, "%zx\r\n", *count);
      outcome = co_await stream_->write(BytesView(size, static_cast<std::size_t>(length)), octets, idle);
      if (outcome == Io::ok) outcome = co_await stream_->write("\r\n", {}, idle);
    } else {
      outcome = co_await stream_->write(octets, {}, idle);
    }
    if (outcome != Io::ok) co_return outcome;
  }
  if (response.stream_bytes && sent != *response.stream_bytes) co_return Io::failed;
  if (!chunked) co_return Io::ok;
  co_return co_await stream_->write("0\r\n\r\n", {}, idle);
}

namespace {

// Reads what the handler left: often only the end of a chunked body. False when it is too much to be worth it.
Awaitable<bool> drain(IncomingBody& body) {
  if (body.continue_due() || body.remaining().value_or(0) > drained_bytes_max) co_return false;
  std::array<char, 4096> discarded;
  std::uint64_t total = 0;
  while (!body.finished()) {
    const auto count = co_await body.read(discarded);
    if (!count || (total += *count) > drained_bytes_max) co_return false;
  }
  co_return true;
}

}  // namespace

Awaitable<bool> Connection::finish(Exchange& exchange, IncomingBody& body, Response response) {
  bool close = !exchange.keep_alive || response.close || listener_->draining || revoked_ || ending_ || is_too_old();
  if (!body.failure().empty()) {
    const bool is_slow = body.failure() == "http.bodyTimeout";
    if (is_slow || body.failure() == "http.bodyInvalid") {
      report(is_slow ? "SEC.HTTP.TRAAG" : "SEC.HTTP.SYNTAX", "The body failed.");
    } else {
      log_refusal(exchange, body.failure());
    }
    if (response.status != status_of(body.failure()))
      response = refusal(exchange, body.failure(), "De inhoud van het verzoek is niet ontvangen.");
    close = true;
  } else if (!body.finished() && !close) {
    close = !co_await drain(body);
  }
  // An answer that is not delimited by itself ends with the connection.
  if (response.stream && !response.stream_bytes && exchange.minor_version == 0) close = true;
  const Io outcome = co_await send(exchange, response, close);
  record(exchange, response.status);
  if (outcome != Io::ok) co_return false;
  if (!close) co_return true;
  if (body.finished() && input_.empty()) {
    stream_->shutdown();
  } else {
    co_await stream_->linger();
  }
  co_return false;
}

// True when the connection may carry another request.
Awaitable<bool> Connection::serve_one() {
  const auto received = co_await receive_head();
  if (received && !*received) co_return false;
  Exchange exchange;
  exchange.request.listener = listener_->options.name;
  exchange.request.remote_address = address_;
  exchange.request.tls_version = tls_.version;
  exchange.request.tls_cipher = tls_.cipher;
  exchange.request.sni = tls_.sni;
  const InFlight in_flight(listener_->requests_in_flight);
  Result<> accepted = received ? accept_head(exchange, input_.view().substr(0, **received)) : received.error();
  if (exchange.request.request_id.empty()) exchange.request.request_id = uuid_v4(listener_->env.random);
  if (!accepted) co_return co_await refuse(exchange, accepted.error());
  input_.consume(**received);
  // SEC-028: a certificate that was revoked since the handshake takes no new request.
  if (tls_.peer && (revoked_ || !listener_->options.tls->still_valid(*tls_.peer, tls_.peer_chain))) {
    report("SEC.PKI.INGETROKKEN", "The certificate of this connection is no longer valid.");
    co_return false;
  }
  IncomingBody body(*stream_, input_, exchange.framing, listener_->options.body_bytes_max, {listener_->options.body_idle_timeout});
  if (exchange.expects_continue) body.expect_continue();
  exchange.request.body = &body;
  Response response;
  if (const auto identity = take_identity(exchange)) {
    response = co_await answer(exchange.request);
  } else {
    report(identity.error().code, identity.error().detail);
    response.status = 403;
  }
  co_return co_await finish(exchange, body, std::move(response));
}

Awaitable<> Connection::run() {
  bool open = true;
  if (listener_->options.tls) open = co_await handshake();
  while (open) open = co_await serve_one();
  stream_->close();
}

}  // namespace schakel::http
