#include "ebms/relay.hpp"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "cpa/names.hpp"
#include "ebms/context.hpp"
#include "exchange/commit.hpp"
#include "http/passage.hpp"
#include "http/run.hpp"

namespace schakel::ebms {
namespace {

constexpr std::size_t read_bytes = http::Rewound::read_bytes;
constexpr std::size_t answer_bytes_max = limits::ebms_root_bytes_max;  // an answer is one bare envelope (EB-008)

// --- the decision -----------------------------------------------------------------------------------------------------------------------

// The OINs among the PartyIds, without suffixes (EB-067).
std::vector<std::string> oins_of(const HeaderParty& party) {
  std::vector<std::string> oins;
  for (const auto& id : party.ids)
    if (id.type == cpa::names::oin_type) oins.push_back(id.value.substr(0, id.value.find('_')));
  return oins;
}

// What a mandate must cover: a signal belongs to no action, so it takes one for all of ebMS.
std::string scope_of(const MessageHeader& header) {
  return header.is_signal() ? "ebms" : "ebms/" + header.service + "/" + header.action;
}

bool is_ours(const cpa::Contracts& contracts, std::string_view cpa_id, std::string_view host_tenant) {
  return host_tenant.empty() ? !contracts.by_cpa_id(cpa_id).empty() : contracts.find(host_tenant, cpa_id) != nullptr;
}

struct Chosen {
  std::string_view tenant;
  const exchange::Routing::Entry* entry;
  const exchange::Route* route;
};

// One row of each tenant that passes this message on.
std::vector<Chosen> rows_for(const cpa::Contracts& contracts, const exchange::RouteQuery& query, std::string_view host_tenant,
                             Instant now) {
  std::vector<Chosen> chosen;
  for (const auto& [tenant, entry] : contracts.routing().all()) {
    if (!host_tenant.empty() && tenant != host_tenant) continue;
    const auto* route = entry.table.select(query, now);
    if (route && route->target.kind != exchange::TargetKind::refuse) chosen.push_back({tenant, &entry, route});
  }
  return chosen;
}

// --- the body ---------------------------------------------------------------------------------------------------------------------------

// Payloads that stand before the root part: they are read again from the start, whoever gets them.
class NoSink final : public PartSink {
 public:
  std::string open() override { return "none"; }
  void append(const std::string&, std::int64_t, Bytes) override {}
  void close(const std::string&) override {}
};

http::Response empty(unsigned status) {
  http::Response response;
  response.status = status;
  return response;
}

}  // namespace

RelayDecision decide_relay(const cpa::Contracts& contracts, const MessageHeader& header, const security::PeerIdentity* peer,
                           std::string_view host_tenant, std::string_view path, Instant now) {
  if (is_ours(contracts, header.cpa_id, host_tenant)) return NotRelayed{};
  const auto from = oins_of(header.from), to = oins_of(header.to);
  if (from.empty() || to.size() > 1) return NotRelayed{};
  RelayOrder order{.tenant = {}, .environment = {}, .route = {}, .hop = {}, .header = header, .from_oin = from.front(), .to_oin = {}};
  if (!to.empty()) order.to_oin = to.front();
  const auto rows = rows_for(contracts,
                             {.direction = exchange::Direction::inbound,
                              .contract_id = {},
                              .cpa_id = header.cpa_id,
                              .to_oin = order.to_oin,
                              .from_oin = order.from_oin,
                              .service = header.service,
                              .action = header.action,
                              .path = path},
                             host_tenant, now);
  if (rows.empty()) return NotRelayed{};
  if (rows.size() > 1) return RelayRefusal{{}, fail("CPA_UNKNOWN", "more than one organisation here passes on for this party")};
  const auto& [tenant, entry, route] = rows.front();
  order.tenant = tenant;
  order.environment = entry->environment;
  order.route = route->id;

  // adapter.md 3.5: for each name that the sender gives itself.
  const auto may_say = [&](const std::string& oin) { return contracts.speaks_for(order.tenant, oin, *peer, now, scope_of(header)); };
  const bool other_environment = peer && !peer->environment.empty() && peer->environment != entry->environment;
  if (peer && (other_environment || !std::ranges::all_of(from, may_say)))
    return RelayRefusal{order.tenant, fail("SENDER_NOT_AUTHORIZED", "the TLS identity may not speak for the From party",
                                           other_environment ? "SEC.OIN.NIET_GEAUTORISEERD" : "SEC.OIN.GEEN_MANDAAT")};
  auto hop = entry->table.resolve(*route, now);
  if (!hop) return RelayRefusal{order.tenant, hop.error()};
  order.hop = std::move(*hop);
  return order;
}

// What is told about one exchange afterwards.
struct Relay::Passage {
  Instant began{};
  Duration took{0};
  std::uint64_t bytes = 0;
  std::string sha256;  // hex; empty: not kept, or not whole
  unsigned status = 0;
  std::string code, detail;  // of a transport failure
  bool maybe_delivered = false;
};

Relay::Relay(Endpoint& endpoint, Dependencies dependencies, Options options)
    : endpoint_(endpoint), deps_(std::move(dependencies)), options_(std::move(options)) {}

http::Awaitable<http::Response> Relay::handle(http::Request& request) {
  const bool usable = request.method == "POST" && (!request.peer || request.peer->refusal.empty());
  if (!usable || !deps_.contracts()->routing().has_transparent()) co_return co_await endpoint_.handle(request);
  http::Rewound body(*request.body);
  http::BodyReader* const arrived = std::exchange(request.body, &body);
  RelayDecision decision;
  {
    const http::Places::Place looking(places_, "look", requests_in_flight_max);
    if (looking.taken())
      decision = co_await look(request, body);
    else
      decision = RelayRefusal{{}, fail("ebms.unavailable", "too many requests in flight")};
  }
  http::Response response;
  if (auto* order = std::get_if<RelayOrder>(&decision))
    response = co_await pass(request, std::move(*order), body);
  else if (const auto* refusal = std::get_if<RelayRefusal>(&decision))
    response = refuse(request, *refusal);
  else
    response = co_await endpoint_.handle(request);
  request.body = arrived;
  co_return response;
}

// Reads as far as the root part. A request that cannot be understood is the Endpoint's to refuse; so is one whose root part does not come
// within the size that a root part may have.
http::Awaitable<RelayDecision> Relay::look(http::Request& request, http::Rewound& body) const {
  NoSink sink;
  const auto content_type = request.headers.count("Content-Type") == 1 ? request.headers.find("Content-Type") : std::nullopt;
  auto reader = MimeReader::open(content_type.value_or(""), sink, options_.limits);
  if (!reader) co_return NotRelayed{};
  const auto bytes_max = options_.limits.root_max + options_.limits.part_header_max + read_bytes;
  std::optional<ReceivedRequest> whole;
  while (!reader->root()) {
    if (body.looked_at() >= bytes_max) co_return NotRelayed{};
    const auto octets = co_await body.look_ahead(bytes_max);
    if (!octets) co_return NotRelayed{};
    if (octets->empty()) {
      auto finished = reader->finish();
      if (!finished) co_return NotRelayed{};
      whole = std::move(*finished);
      break;
    }
    if (!reader->feed(*octets)) co_return NotRelayed{};
  }
  const ReceivedRequest& received = whole ? *whole : *reader->root();
  const auto header = read_message_header(received.root, received.root_charset);
  if (!header) co_return NotRelayed{};
  const auto tenant = deps_.tenant_of_host ? deps_.tenant_of_host(request.sni) : std::string();
  auto decision = decide_relay(*deps_.contracts(), *header, request.peer, tenant, request.path, deps_.clock.now());
  const auto* order = std::get_if<RelayOrder>(&decision);
  if (!order) co_return decision;
  const bool from_ourselves = request.peer && deps_.is_own_certificate && deps_.is_own_certificate(request.peer->sha256);
  const bool to_ourselves = deps_.is_own_listener && deps_.is_own_listener(order->hop.url);
  if (from_ourselves || to_ourselves)
    co_return RelayRefusal{order->tenant, fail("routing.loop", "row " + order->route + " leads to one of our own listeners")};
  // Some receivers take the first part whatever `start` says: they would read another header than the one that was judged here.
  if (!reader->root_is_first())
    co_return RelayRefusal{order->tenant, fail("MIME_INVALID", "the root part of a message that is passed on must be the first part")};
  co_return decision;
}

http::Response Relay::refuse(const http::Request& request, const RelayRefusal& refusal) const {
  const auto& error = refusal.error;
  const bool fault = error.code == "SENDER_NOT_AUTHORIZED" || error.code == "CPA_UNKNOWN" || error.code == "MIME_INVALID";
  const Answer answer = fault ? fault_answer(error) : unavailable();
  if (error.code == "SENDER_NOT_AUTHORIZED" && deps_.audit) deps_.audit(refusal.tenant, request, error.location);
  deps_.metrics
      .counter("errors_total", "Errors by code",
               {{"tenant", refusal.tenant}, {"protocol", "ebms"}, {"side", "partner"}, {"code", error.code}})
      .add();
  deps_.log.write(fault ? LogLevel::warning : LogLevel::error, "ebms.relayRefused",
                  {{"tenant", refusal.tenant},
                   {"requestId", request.request_id},
                   {"address", request.remote_address},
                   {"peerOin", request.peer ? std::string_view(request.peer->oin) : std::string_view()},
                   {"peerSerial", request.peer ? std::string_view(request.peer->serial) : std::string_view()},
                   {"status", answer.status},
                   {"code", error.code},
                   {"detail", error.detail}});
  auto response = empty(answer.status);
  if (!answer.content_type.empty()) response.headers.add("Content-Type", answer.content_type);
  if (answer.retry_after) response.headers.add("Retry-After", "60");
  response.body = answer.body;
  return response;
}

http::Awaitable<http::Response> Relay::pass(http::Request& request, RelayOrder order, http::Rewound& body) {
  // What is passed on is on record (ADP-500): no database, no exchange.
  if (!deps_.database.available()) co_return refuse(request, {order.tenant, fail("ebms.unavailable", "the database is not available")});
  const auto destination = destination_of(order.hop.url);
  const http::Places::Place any(places_, "pass", options_.in_flight_max), one(places_, destination, options_.per_destination_max);
  if (!any.taken() || !one.taken())
    co_return refuse(request, {order.tenant, fail("ebms.unavailable", "too many exchanges in flight, or too many to " + destination)});
  http::ReaderOnExecutor here(co_await http::asio::this_coro::executor, body);
  http::Measured measured(here, options_.keep_hash);
  http::ClientRequest outgoing;
  outgoing.url = order.hop.url;
  outgoing.headers = http::entity_headers(request.headers);
  outgoing.stream = [&measured] { return measured.lend(); };
  outgoing.stream_bytes = request.content_length;
  outgoing.expected_oin = order.hop.server_oin;
  outgoing.connect_timeout = options_.connect_timeout;
  outgoing.response_timeout = options_.response_timeout;
  outgoing.response_bytes_max = answer_bytes_max;
  if (outgoing.url.starts_with("https:")) {
    auto identity = deps_.identities(order.tenant, order.environment, {});
    if (!identity) co_return refuse(request, {order.tenant, identity.error()});
    outgoing.tls = std::move(*identity);
  }

  Passage passage;
  passage.began = deps_.clock.now();
  auto answer = co_await deps_.client.send(std::move(outgoing));
  passage.took = deps_.clock.now() - passage.began;
  passage.bytes = measured.bytes();
  passage.sha256 = measured.sha256();
  http::Response response;
  if (answer) {
    passage.status = answer->status;
    response = empty(answer->status);
    response.headers = http::entity_headers(answer->headers);
    for (const char* name : {"Allow", "Retry-After"})
      if (const auto value = answer->headers.find(name)) response.headers.add(name, std::string(*value));
    response.body = std::move(answer->body);
  } else {
    passage.code = answer.error().code;
    passage.detail = answer.error().detail;
    passage.maybe_delivered = answer.error().location == "after";
    // A connection that could not be made is 503; a next hop that took the request, or some of it, and was silent is 504 (3.4.1).
    const bool silent = passage.code == "transport.timeout" && (measured.begun() || passage.maybe_delivered);
    response = empty(silent ? 504 : 503);
  }
  // The server answers for a body that broke on its way to us, whatever stands here.
  if (!measured.broken()) co_await record(request, order, passage);
  log_passage(request, order, passage);
  co_return response;
}

// The shadow record (3.4.1): one Message per message that went by, one event in its trail for each time. When it cannot be written the
// answer of the end party goes back all the same: it is theirs.
http::Awaitable<> Relay::record(const http::Request& request, const RelayOrder& order, const Passage& passage) const {
  if (passage.status == 0 && !passage.maybe_delivered) co_return;
  const auto at = deps_.clock.now();
  const auto& header = order.header;
  const auto party = [](const HeaderParty& named, const std::string& oin) {
    exchange::Party out{.oin = oin, .party_id = {}, .party_id_type = {}, .role = named.role};
    if (!named.ids.empty()) out.party_id = named.ids.front().value, out.party_id_type = named.ids.front().type;
    return out;
  };
  exchange::Message message;
  message.id = uuid_v7(deps_.random, at);
  message.tenant = order.tenant;
  message.direction = exchange::Direction::inbound;
  message.state = exchange::State::forwarded;
  message.cpa_id = header.cpa_id;
  message.from = party(header.from, order.from_oin);
  message.to = party(header.to, order.to_oin);
  message.service = header.service;
  message.service_type = header.service_type;
  message.action = header.action;
  message.conversation_id = header.conversation_id;
  message.message_id = header.message_id;
  message.ref_to_message_id = header.ref_to_message_id;
  if (header.timestamp != Instant{}) message.timestamp = header.timestamp;
  message.expires_at = header.time_to_live;
  message.created_at = passage.began;
  message.received_at = passage.began;
  message.final_at = at;
  message.labels = {{"route", order.route}};
  exchange::Payload body;
  body.message = message.id;
  body.content_type = request.headers.find("Content-Type").value_or("");
  body.size = static_cast<std::int64_t>(passage.bytes);
  body.sha256 = passage.sha256;
  body.purged = true;  // never stored
  exchange::TrailEvent event;
  event.at = at;
  event.type = "forwarded";
  event.wire_id = header.message_id;
  if (request.peer) {
    event.peer_oin = request.peer->oin;
    event.peer_certificate_sha256 = request.peer->sha256;
  }
  event.peer_address = request.remote_address;
  event.code = passage.code;
  event.detail = "to " + destination_of(order.hop.url) + ", answered " + std::to_string(passage.status) +
                 (passage.sha256.empty() ? "" : ", sha256 " + passage.sha256);
  event.bytes = static_cast<std::int64_t>(passage.bytes);
  event.duration_ms = passage.took.count() / 1000;
  const auto committed = co_await exchange::commit(
      deps_.database, [&](sql::Transaction& tx) { return write_record(tx, message, passage.sha256.empty() ? nullptr : &body, event); });
  if (!committed) deps_.log.error("ebms.relayNotRecorded", {{"messageId", header.message_id}, {"code", committed.error().code}});
}

Result<> Relay::write_record(sql::Transaction& tx, exchange::Message message, const exchange::Payload* body,
                             exchange::TrailEvent event) const {
  SCHAKEL_TRY(auto known, exchange::find_inbound(tx, message.tenant, message.message_id));
  const auto former = std::ranges::find_if(known, [&](const exchange::Message& one) {
    return one.state == exchange::State::forwarded && one.cpa_id == message.cpa_id && one.from == message.from;
  });
  event.message = former == known.end() ? message.id : former->id;
  if (former == known.end()) {
    SCHAKEL_CHECK(exchange::insert_message(tx, message, std::span(body, body ? 1 : 0)));
  } else {
    ++former->duplicate_count;
    SCHAKEL_CHECK(exchange::update_message(tx, *former));
  }
  return exchange::append_trail(tx, message.tenant, options_.node, std::span(&event, 1));
}

void Relay::log_passage(const http::Request& request, const RelayOrder& order, const Passage& passage) const {
  deps_.metrics
      .counter("messages_total", "Messages by result",
               {{"tenant", order.tenant},
                {"protocol", "ebms"},
                {"direction", "inbound"},
                {"profile", ""},
                {"result", passage.status == 0 ? "notForwarded" : "forwarded"}})
      .add();
  // adapter.md 3.5: another server than the one that was agreed is an alert, not an outage.
  const bool alert = passage.code == "transport.tlsRefused" && passage.detail.starts_with("SEC.OIN.");
  const auto level = passage.status > 0 ? LogLevel::info : alert ? LogLevel::error : LogLevel::warning;
  if (!deps_.log.enabled(level)) return;
  const auto& header = order.header;
  deps_.log.write(level,
                  passage.status > 0 ? "ebms.relayed"
                  : alert            ? "tls.oinMismatch"
                                     : "ebms.notRelayed",
                  {{"messageId", header.message_id},
                   {"conversationId", header.conversation_id},
                   {"refToMessageId", header.ref_to_message_id},
                   {"cpaId", header.cpa_id},
                   {"service", header.service},
                   {"action", header.action},
                   {"from", first_id(header.from)},
                   {"to", first_id(header.to)},
                   {"tenant", order.tenant},
                   {"route", order.route},
                   {"requestId", request.request_id},
                   {"peerOin", request.peer ? std::string_view(request.peer->oin) : std::string_view()},
                   {"peerSerial", request.peer ? std::string_view(request.peer->serial) : std::string_view()},
                   {"destination", destination_of(order.hop.url)},
                   {"status", passage.status},
                   {"code", passage.code},
                   {"detail", passage.detail},
                   {"bytes", passage.bytes},
                   {"sha256", passage.sha256},
                   {"durationMs", passage.took.count() / 1000}});
}

}  // namespace schakel::ebms
