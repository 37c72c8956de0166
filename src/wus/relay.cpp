#include "wus/relay.hpp"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <optional>

#include "exchange/commit.hpp"
#include "exchange/store.hpp"
#include "http/run.hpp"
#include "wus/addressing.hpp"
#include "wus/message.hpp"
#include "wus/names.hpp"
#include "wus/plain.hpp"

namespace schakel::wus {
namespace {

http::Response empty(unsigned status) {
  http::Response response;
  response.status = status;
  return response;
}

std::string_view peer_oin(const http::Request& request) {
  return request.peer ? std::string_view(request.peer->oin) : std::string_view();
}

bool has_wus_rows(const exchange::Routing& routing) {
  return std::ranges::any_of(routing.all(), [](const auto& entry) {
    return std::ranges::any_of(entry.second.table.routes(), [](const exchange::Route& route) {
      return route.direction == exchange::Direction::inbound && route.mode == exchange::RouteMode::transparent &&
             route.match.protocol == "wus";
    });
  });
}

}  // namespace

struct Relay::Order {
  std::string tenant, environment, route;
  exchange::NextHop hop;
  PeekedHeaders headers;
  std::string from_oin, to_oin;
};

// For the Endpoint when there is neither an order nor a refusal.
struct Relay::Decision {
  std::optional<Order> order;
  std::optional<Error> refusal;
  std::string tenant;
  PeekedHeaders headers;
};

struct Relay::Passage {
  Instant began{};
  Duration took{0};
  std::uint64_t bytes = 0;
  std::string sha256;
  unsigned status = 0;
  std::string code, detail;
};

Relay::Relay(Endpoint& endpoint, const Office& office, Dependencies dependencies, Options options)
    : endpoint_(endpoint), office_(office), deps_(std::move(dependencies)), options_(options) {}

http::Awaitable<http::Response> Relay::handle(http::Request& request, const std::string& tenant) {
  const bool usable = request.method == "POST" && request.peer && request.peer->refusal.empty();
  if (!usable || !has_wus_rows(*deps_.routing())) co_return co_await endpoint_.handle(request, tenant);
  http::Rewound body(*request.body);
  http::BodyReader* const arrived = std::exchange(request.body, &body);
  Decision decision;
  {
    const http::Places::Place looking(places_, "look", exchanges_in_flight_max);
    if (looking.taken())
      decision = co_await look(request, tenant, body);
    else
      decision.refusal = fail("wus.busy", "too many requests in flight");
  }
  http::Response response;
  if (decision.order)
    response = co_await pass(request, std::move(*decision.order), body);
  else if (decision.refusal)
    response = refuse(request, decision.tenant, decision.headers, *decision.refusal);
  else
    response = co_await endpoint_.handle(request, tenant);
  request.body = arrived;
  co_return response;
}

// Reads as far as the end of the Header. On a path of a service of ours, what cannot be understood is the Endpoint's to refuse.
http::Awaitable<Relay::Decision> Relay::look(http::Request& request, const std::string& tenant, http::Rewound& body) {
  Decision decision;
  const bool ours = endpoint_.serves(request.path, tenant);
  const auto content_type = request.headers.count("Content-Type") == 1 ? request.headers.find("Content-Type") : std::nullopt;
  if (media_type(content_type.value_or(""), Mtom::optional) == MediaType::unsupported) co_return decision;
  HeaderPeek peek;
  std::optional<std::size_t> fed;  // octets of the root part that were looked at; absent: it has not begun
  std::optional<Error> problem;
  for (;;) {
    const auto octets = co_await body.look_ahead(peek_bytes_max + http::Rewound::read_bytes);
    if (!octets || octets->empty()) {
      problem = fail("wus.envelope", "the Header does not end");
      break;
    }
    const auto seen = body.seen();
    if (!fed) {
      const auto begin = root_offset(*content_type, seen);
      if (!begin) problem = begin.error();
      if (problem) break;
      if (*begin == std::string_view::npos) {
        if (seen.size() >= peek_bytes_max) problem = fail("wus.envelope", "no root part within the octets that are looked at");
        if (problem) break;
        continue;
      }
      fed = *begin;
    }
    const auto ended = peek.feed(seen.substr(*fed, peek_bytes_max));
    fed = seen.size();
    if (!ended) problem = ended.error();
    if (problem || *ended) break;
  }
  if (problem) {
    if (!ours) decision.refusal = std::move(problem);
    co_return decision;
  }
  co_return decide(request, tenant, peek.headers());
}

Relay::Decision Relay::decide(const http::Request& request, const std::string& host_tenant, const PeekedHeaders& headers) const {
  Decision decision;
  decision.headers = headers;
  const auto to = split_oin(headers.to), from = split_oin(headers.from);
  const auto service = office_.services()->at_path(request.path, host_tenant);
  const bool for_us =
      service && (to.oin.empty() ? service->settings.to_check == false || to.address == uri::anonymous ||
                                       std::ranges::any_of(service->addresses,
                                                           [&](const std::string& address) { return same_address(address, to.address); })
                                 : office_.is_oin_of_tenant(service->tenant, to.oin));
  if (for_us) return decision;

  const auto now = office_.clock.now();
  const auto from_oin = from.oin.empty() ? request.peer->oin : from.oin;
  const exchange::RouteQuery query{.direction = exchange::Direction::inbound,
                                   .protocol = "wus",
                                   .contract_id = {},
                                   .cpa_id = {},
                                   .to_oin = to.oin,
                                   .from_oin = from_oin,
                                   .service = to.address,
                                   .action = headers.action,
                                   .path = request.path};
  const auto routing = deps_.routing();
  std::size_t rows = 0;
  const exchange::Routing::Entry* entry = nullptr;
  const exchange::Route* route = nullptr;
  for (const auto& [tenant, candidate] : routing->all()) {
    if (!host_tenant.empty() && tenant != host_tenant) continue;
    const auto* found = candidate.table.select(query, now);
    if (!found || found->target.kind == exchange::TargetKind::refuse) continue;
    ++rows;
    entry = &candidate;
    route = found;
    decision.tenant = tenant;
  }
  if (rows == 0) {
    // A path of ours: the Endpoint says that the destination is unknown, after it has looked at everything before that.
    if (!service) decision.refusal = fail("wus.destination", "no route leads to wsa:To");
    return decision;
  }
  if (rows > 1) {
    decision.refusal = fail("wus.destination", "more than one organisation here passes on to wsa:To");
    return decision;
  }
  const bool same_environment = request.peer->environment.empty() || request.peer->environment == entry->environment;
  if (!same_environment || !deps_.speaks_for(decision.tenant, from_oin, *request.peer)) {
    decision.refusal = fail("wus.unauthorised", "the TLS identity may not speak for the sender");
    return decision;
  }
  auto hop = entry->table.resolve(*route, now);
  const bool loop = hop && (deps_.is_own_certificate(request.peer->sha256) || deps_.is_own_listener(hop->url));
  if (!hop || loop) {
    decision.refusal = fail("wus.nextHop", loop ? "row " + route->id + " leads to one of our own listeners" : hop.error().detail);
    return decision;
  }
  decision.order.emplace(Order{.tenant = decision.tenant,
                               .environment = entry->environment,
                               .route = route->id,
                               .hop = std::move(*hop),
                               .headers = headers,
                               .from_oin = from_oin,
                               .to_oin = to.oin});
  return decision;
}

// WUS-282: own faults are unsecured, and say who speaks.
http::Response Relay::refuse(const http::Request& request, const std::string& tenant, const PeekedHeaders& headers,
                             const Error& error) const {
  auto fault = fault_of(error);
  const auto host = request.headers.find("Host").value_or("");
  fault.actor = "https://" + std::string(host) + request.path;
  if (!xml::is_xml_text(fault.actor)) fault.actor.clear();
  Addressing addressing;
  addressing.to = uri::anonymous;
  addressing.action = fault.action;
  addressing.message_id = make_message_id(MessageIdFormat::urn_uuid, office_.random);
  addressing.relates_to = headers.message_id.empty() ? std::string(uri::unspecified) : headers.message_id;
  auto response = empty(500);
  response.headers.add("Content-Type", "text/xml; charset=utf-8");
  response.body = plain_envelope(plain_headers(addressing), fault_element(fault));
  if (deps_.audit)
    if (const auto reason = audit_reason_of(error); !reason.empty()) deps_.audit(tenant, request, reason);
  office_.log.warning("wus.relayRefused", {{"messageId", headers.message_id},
                                           {"tenant", tenant},
                                           {"requestId", request.request_id},
                                           {"peerOin", peer_oin(request)},
                                           {"code", error.code},
                                           {"dkCode", fault.dk},
                                           {"detail", error.detail}});
  return response;
}

http::Awaitable<http::Response> Relay::pass(http::Request& request, Order order, http::Rewound& body) {
  const auto refusal = [&](std::string detail) {
    return refuse(request, order.tenant, order.headers, fail("wus.nextHop", std::move(detail)));
  };
  // What is passed on is on record (ADP-500): no database, no exchange.
  if (!office_.database.available()) co_return refusal("the database is not available");
  const http::Places::Place any(places_, "pass", relays_in_flight_max), one(places_, order.hop.url, relays_per_destination_max);
  if (!any.taken() || !one.taken()) co_return refusal("too many exchanges in flight, or too many to the next hop");
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
  outgoing.response_bytes_max = options_.message_bytes_max;
  if (outgoing.url.starts_with("https:")) {
    auto tls = office_.partner_tls(order.tenant);
    if (!tls) co_return refusal(tls.error().code);
    outgoing.tls = std::move(*tls);
  }
  Passage passage;
  passage.began = office_.clock.now();
  auto answer = co_await office_.client.send(std::move(outgoing));
  passage.took = office_.clock.now() - passage.began;
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
    response = refusal("the next hop: " + passage.code);
  }
  if (!measured.broken()) co_await record(request, order, passage);
  co_return response;
}

// The shadow record (adapter.md 3.4.1). When it cannot be written the answer of the end party goes back all the same: it is theirs.
http::Awaitable<> Relay::record(const http::Request& request, const Order& order, const Passage& passage) const {
  const auto now = office_.clock.now();
  exchange::Message message;
  message.id = uuid_v7(office_.random, now);
  message.tenant = order.tenant;
  message.direction = exchange::Direction::inbound;
  message.protocol = "wus";
  message.pattern = "request";
  message.state = exchange::State::forwarded;
  message.from.oin = order.from_oin;
  message.to.oin = order.to_oin;
  message.service = split_oin(order.headers.to).address;
  message.action = order.headers.action;
  message.message_id = order.headers.message_id;
  message.created_at = message.received_at.emplace(passage.began);
  message.final_at = now;
  message.labels = {{"route", order.route}};
  exchange::TrailEvent event;
  event.at = now;
  event.message = message.id;
  event.type = "forwarded";
  event.wire_id = order.headers.message_id;
  event.peer_oin = peer_oin(request);
  event.peer_certificate_sha256 = request.peer->sha256;
  event.peer_address = request.remote_address;
  event.code = passage.code;
  event.detail = "answered " + std::to_string(passage.status) + (passage.sha256.empty() ? "" : ", sha256 " + passage.sha256);
  event.bytes = static_cast<std::int64_t>(passage.bytes);
  event.duration_ms = passage.took.count() / 1000;
  const auto committed = co_await exchange::commit(office_.database, [&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_CHECK(exchange::insert_message(tx, message, {}));
    return exchange::append_trail(tx, order.tenant, office_.node, std::span(&event, 1));
  });
  if (!committed) office_.log.error("wus.relayNotRecorded", {{"messageId", message.message_id}, {"code", committed.error().code}});
  office_.log.info(passage.status > 0 ? "wus.relayed" : "wus.notRelayed", {{"messageId", message.message_id},
                                                                           {"tenant", order.tenant},
                                                                           {"route", order.route},
                                                                           {"requestId", request.request_id},
                                                                           {"peerOin", peer_oin(request)},
                                                                           {"status", passage.status},
                                                                           {"code", passage.code},
                                                                           {"bytes", passage.bytes},
                                                                           {"sha256", passage.sha256},
                                                                           {"durationMs", passage.took.count() / 1000}});
}

}  // namespace schakel::wus
