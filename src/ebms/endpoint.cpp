#include "ebms/endpoint.hpp"

#include <array>

#include "exchange/blob.hpp"
#include "exchange/commit.hpp"

namespace schakel::ebms {
namespace {

// Octets of payload that one request holds before it waits for their commit: fewer commits per large payload, a bounded memory per request
// (EB-031).
constexpr std::size_t batch_bytes_max = 8 * limits::blob_chunk_bytes;
constexpr std::size_t read_bytes = 64 * limits::KiB;

http::Response empty(unsigned status) {
  http::Response response;
  response.status = status;
  return response;
}

http::Response to_response(const Answer& answer) {
  auto response = empty(answer.status);
  if (!answer.content_type.empty()) response.headers.add("Content-Type", answer.content_type);
  if (answer.retry_after) response.headers.add("Retry-After", "60");
  if (answer.status == 200 && !answer.body.empty()) response.headers.add("SOAPAction", "\"ebXML\"");  // EB-004, EB-008
  response.body = answer.body;
  return response;
}

// A header that must stand once, or not at all: two of them are none.
std::optional<std::string_view> only(const http::Headers& headers, std::string_view name) {
  return headers.count(name) == 1 ? headers.find(name) : std::nullopt;
}

// What the connection is told when its body cannot be read (section 4): the connection is of no use afterwards.
http::Response unreadable(const Error& error) {
  auto response = empty(error.code == "http.bodyTooLarge" ? 413 : error.code == "http.bodyTimeout" ? 408 : 400);
  response.close = true;
  return response;
}

// Chunks on their way to the store.
class Chunks final : public PartSink {
 public:
  struct Chunk {
    std::string blob;
    std::int64_t number;
    Bytes octets;
  };

  explicit Chunks(Random& random, const Clock& clock) : random_(random), clock_(clock) {}

  std::string open() override { return uuid_v7(random_, clock_.now()); }
  void append(const std::string& blob, std::int64_t number, Bytes octets) override {
    bytes_ += octets.size();
    waiting_.push_back({blob, number, std::move(octets)});
  }
  void close(const std::string&) override {}

  bool full() const { return bytes_ >= batch_bytes_max; }
  bool empty() const { return waiting_.empty(); }
  std::vector<Chunk> take() {
    bytes_ = 0;
    return std::exchange(waiting_, {});
  }

 private:
  Random& random_;
  const Clock& clock_;
  std::vector<Chunk> waiting_;
  std::size_t bytes_ = 0;
};

http::Awaitable<Result<>> write(sql::Database& database, std::vector<Chunks::Chunk> chunks, Instant now) {
  co_return co_await exchange::commit(database, [&](sql::Transaction& transaction) -> Result<> {
    for (const auto& chunk : chunks) SCHAKEL_CHECK(exchange::write_chunk(transaction, chunk.blob, chunk.number, chunk.octets, now));
    return {};
  });
}

// Large parts of a secured message once more, chunk by chunk (EB-031).
http::Awaitable<Result<>> read_parts(sql::Database& database, const Clock& clock, Examination& examination, Chunks& chunks) {
  while (!examination.wanted_blob().empty()) {
    const std::string blob = examination.wanted_blob();
    for (std::int64_t number = 0;; ++number) {
      Bytes octets;
      const auto found = co_await exchange::read(database, [&](sql::Transaction& transaction) -> Result<> {
        SCHAKEL_TRY(octets, exchange::read_chunk(transaction, blob, number));
        return {};
      });
      if (!found) co_return found.error();
      if (octets.empty()) break;
      examination.read(octets, chunks);
      if (!chunks.full()) continue;
      if (auto written = co_await write(database, chunks.take(), clock.now()); !written) co_return written.error();
    }
    examination.end_of_blob(chunks);
  }
  if (chunks.empty()) co_return Result<>();
  co_return co_await write(database, chunks.take(), clock.now());
}

// Counts one request as long as it lives.
class InFlight {
 public:
  explicit InFlight(std::atomic<std::size_t>& count) : count_(count), before_(count.fetch_add(1)) {}
  ~InFlight() { count_.fetch_sub(1); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
  bool over(std::size_t limit) const { return before_ >= limit; }

 private:
  std::atomic<std::size_t>& count_;
  std::size_t before_;
};

}  // namespace

Endpoint::Endpoint(const Msh& msh, sql::Database& database, Random& random, const Clock& clock, Log& log, Options options, Audit audit)
    : msh_(msh), database_(database), random_(random), clock_(clock), log_(log), options_(options), audit_(std::move(audit)) {}

http::Awaitable<http::Response> Endpoint::handle(http::Request& request) {
  if (request.method != "POST") {
    auto response = empty(405);
    response.headers.add("Allow", "POST");
    co_return response;
  }
  // README section 4: without a usable OIN nothing of the body is read.
  if (request.peer ? !request.peer->refusal.empty() : !options_.insecure_transport) {
    if (audit_) audit_(request, request.peer ? std::string_view(request.peer->refusal) : "SEC.TLS.GEEN_CERT");
    auto response = empty(403);
    response.close = true;
    co_return response;
  }
  const InFlight counted(in_flight_);
  if (counted.over(options_.in_flight_max)) co_return try_later(request, "too many requests in flight");
  if (!database_.available()) co_return try_later(request, "the database is not available");
  if (const auto fault = check_soap_action(only(request.headers, "SOAPAction"))) {
    log_refusal(request, "SOAPACTION_INVALID", fault->status);
    co_return to_response(*fault);
  }
  co_return co_await receive(request);
}

void Endpoint::log_refusal(const http::Request& request, std::string_view code, unsigned status, std::string_view detail) {
  log_.info("ebms.refused", {{"requestId", request.request_id},
                             {"address", request.remote_address},
                             {"peerOin", request.peer ? std::string_view(request.peer->oin) : std::string_view()},
                             {"peerSerial", request.peer ? std::string_view(request.peer->serial) : std::string_view()},
                             {"status", status},
                             {"code", code},
                             {"detail", detail}});
}

// What needs no look into the envelope.
http::Response Endpoint::refuse(const http::Request& request, const Error& error) {
  const Answer answer = refusal(error);
  log_refusal(request, error.code, answer.status, error.detail);
  auto response = to_response(answer);
  if (answer.status == 413) response.close = true;  // section 4; what is left of the body is not read
  return response;
}

http::Response Endpoint::try_later(const http::Request& request, std::string_view why) {
  const Answer answer = unavailable();
  log_.warning("ebms.unavailable", {{"requestId", request.request_id},
                                    {"peerOin", request.peer ? std::string_view(request.peer->oin) : std::string_view()},
                                    {"status", answer.status},
                                    {"detail", why}});
  return to_response(answer);
}

http::Awaitable<http::Response> Endpoint::receive(http::Request& request) {
  Chunks chunks(random_, clock_);
  auto reader = MimeReader::open(only(request.headers, "Content-Type").value_or(""), chunks, options_.limits);
  if (!reader) co_return refuse(request, reader.error());

  std::array<char, read_bytes> buffer;
  Result<> fed;
  for (;;) {
    const auto octets = co_await request.body->read(buffer);
    if (!octets) {
      co_await discard(reader->blobs());
      co_return unreadable(octets.error());
    }
    if (*octets == 0) break;
    fed = reader->feed(BytesView(buffer.data(), *octets));
    if (!fed) break;
    if (!chunks.full()) continue;
    if (auto written = co_await write(database_, chunks.take(), clock_.now()); !written) co_return try_later(request, written.error().code);
  }
  auto received = fed ? reader->finish() : Result<ReceivedRequest>(fed.error());
  if (!received) {
    co_await discard(reader->blobs());
    co_return refuse(request, received.error());
  }
  if (!chunks.empty()) {
    if (auto written = co_await write(database_, chunks.take(), clock_.now()); !written) co_return try_later(request, written.error().code);
  }

  auto examination = msh_.begin(std::move(*received), request.peer, request.sni);
  if (!examination.wanted_blob().empty()) {
    if (auto read = co_await read_parts(database_, clock_, examination, chunks); !read) {
      co_await discard(reader->blobs());
      co_return try_later(request, read.error().code);
    }
  }
  const auto examined = examination.finish();
  if (const auto reason = Msh::audit_reason(*examined); audit_ && !reason.empty()) audit_(request, reason);
  if (const auto* immediate = Msh::immediate(*examined)) {
    co_await discard(reader->blobs());
    co_return to_response(*immediate);
  }
  const auto answer = co_await store(examined);
  if (answer) co_return to_response(*answer);
  log_.error("ebms.notStored", {{"requestId", request.request_id}, {"code", answer.error().code}, {"detail", answer.error().detail}});
  co_return to_response(unavailable());
}

http::Awaitable<Result<Answer>> Endpoint::store(std::shared_ptr<const Examined> examined) {
  Answer answer;
  const auto committed = co_await exchange::commit(database_, [&](sql::Transaction& transaction) -> Result<> {
    SCHAKEL_TRY(answer, msh_.receive(transaction, *examined));
    return {};
  });
  if (!committed) co_return committed.error();
  co_return answer;
}

// Octets of a request that was refused. When this fails they are orphans, and purged as such.
http::Awaitable<void> Endpoint::discard(std::vector<std::string> blobs) {
  if (blobs.empty()) co_return;
  const auto discarded = co_await exchange::commit(database_, [&](sql::Transaction& transaction) -> Result<> {
    for (const auto& blob : blobs) SCHAKEL_CHECK(exchange::delete_blob(transaction, blob));
    return {};
  });
  if (!discarded) log_.warning("ebms.orphans", {{"code", discarded.error().code}, {"blobs", blobs.size()}});
}

}  // namespace schakel::ebms
