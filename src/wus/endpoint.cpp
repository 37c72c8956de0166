#include "wus/endpoint.hpp"

#include <algorithm>

#include "exchange/commit.hpp"
#include "exchange/store.hpp"
#include "http/fields.hpp"
#include "http/run.hpp"
#include "wus/backend.hpp"
#include "wus/dai.hpp"
#include "wus/identity.hpp"
#include "wus/message.hpp"
#include "wus/names.hpp"
#include "wus/opening.hpp"
#include "wus/record.hpp"
#include "wus/reservation.hpp"
#include "wus/sealing.hpp"
#include "wus/trail_text.hpp"

namespace schakel::wus {
namespace {

constexpr std::chrono::seconds replay_window_min{600};  // WUS-246
// Of a request without Content-Length, and each time that it turns out larger: what nearly all are below.
constexpr std::size_t unknown_length_reserved = 4 * limits::MiB;

http::Response empty(unsigned status) {
  http::Response response;
  response.status = status;
  return response;
}

http::Response closing(unsigned status) {
  auto response = empty(status);
  response.close = true;
  return response;
}

http::Response try_later(http::Response response = empty(503)) {
  response.headers.add("Retry-After", "60");
  return response;
}

// A header that must stand once, or not at all: two of them are none.
std::optional<std::string_view> only(const http::Headers& headers, std::string_view name) {
  return headers.count(name) == 1 ? headers.find(name) : std::nullopt;
}

std::string_view peer_oin(const http::Request& request) {
  return request.peer ? std::string_view(request.peer->oin) : std::string_view();
}

bool is_valid_payload(const ServiceContract& service, xml::Element payload, Error& why) {
  const auto validate = service.settings.validate;
  if (!service.schema || validate == Validate::off || validate == Validate::response) return true;
  const auto findings = service.schema->validate(payload);
  if (findings.empty()) return true;
  why = fail("wus.payload", findings.front().message, findings.front().path);
  return false;
}

// An answer kept for duplicates=replay: its action, a line end, its body.
Bytes stored_form(const BackendAnswer& answer) {
  return answer.action + "\n" + answer.body;
}
BackendAnswer from_stored(std::string_view stored) {
  const auto end = stored.find('\n');
  BackendAnswer answer;
  answer.action = stored.substr(0, end);
  answer.body = end == std::string_view::npos ? std::string_view() : stored.substr(end + 1);
  answer.is_fault = answer.body.starts_with("<soapenv:Fault");
  return answer;
}

}  // namespace

// One request on its way. `verified`: from here on answers are secured (4.1).
struct Endpoint::Exchange {
  Exchange(http::Request& request_, std::shared_ptr<const ServiceContract> service_, std::string entity_, Instant now)
      : request(request_), service(std::move(service_)), settings(service->settings), entity(std::move(entity_)), began(now) {
    if (request.peer) know_partner(request.peer->oin);
  }

  http::Request& request;
  std::shared_ptr<const ServiceContract> service;
  const Settings& settings;
  // Those for opening what came and securing what goes: of the party at the other end as far as it is known, else of the service.
  const Settings* partner = &settings;
  std::string entity;
  Instant began;

  std::optional<Message> message;
  Addressing addressing;
  Opened opened;
  bool verified = false;
  Error identity;  // code empty: the rules of identity, operation and payload are kept
  CallFacts facts;
  Record record;
  std::optional<exchange::DuplicateKey> duplicate_key;
  std::optional<BackendAnswer> answer;
  std::string response_id;
  bool called = false;  // the back-end
  Phases spent;

  bool secured() const { return settings.profile != Profile::be; }
  void know_partner(std::string_view oin) {
    if (const auto* own = service->settings_of(oin)) partner = own;
  }
};

Endpoint::Endpoint(const Office& office, Options options, Audit audit) : office_(office), options_(options), audit_(std::move(audit)) {}

bool Endpoint::serves(std::string_view path, std::string_view tenant) const {
  return office_.services()->at_path(path, tenant) != nullptr;
}

void Endpoint::audit(const http::Request& request, const ServiceContract& service, std::string_view reason) const {
  if (audit_ && !reason.empty()) audit_(service.tenant, request, reason);
}

http::Awaitable<http::Response> Endpoint::handle(http::Request& request, const std::string& tenant) {
  auto service = office_.services()->at_path(request.path, tenant);
  if (!service) co_return empty(404);
  const bool describes = request.method == "GET" && (request.query_value("wsdl") || request.query_value("xsd"));
  if (request.method != "POST" && !describes) {
    auto response = empty(405);
    response.headers.add("Allow", "POST, GET");
    co_return response;
  }
  // Nothing of the body is read for who has nothing to do here (WUS-243, SEC-065).
  if (request.peer ? !request.peer->refusal.empty() : !options_.insecure_transport) {
    audit(request, *service, request.peer ? std::string_view(request.peer->refusal) : "SEC.TLS.GEEN_CERT");
    co_return closing(403);
  }
  if (request.peer && !may_enter(office_, *service, request.peer->oin)) {
    audit(request, *service, "SEC.OIN.NIET_GEAUTORISEERD");
    co_return closing(403);
  }
  if (describes) co_return description(request, *service);

  const auto& settings = service->settings;
  if (media_type(only(request.headers, "Content-Type").value_or(""), settings.mtom) == MediaType::unsupported) co_return closing(415);
  if (const auto coding = request.headers.find("Content-Encoding"); coding && !equals_ignoring_case(trim(*coding), "identity"))
    co_return closing(415);
  if (request.content_length && *request.content_length > settings.max_size) co_return closing(413);
  Reservation one(in_flight_, options_.in_flight_max), octets(octets_, options_.octets_in_flight_max);
  const auto expected = request.content_length ? static_cast<std::size_t>(*request.content_length) : unknown_length_reserved;
  if (!one.grow(1) || !octets.grow(expected) || !office_.database.available()) co_return try_later();
  ReservingReader body(*request.body, octets, unknown_length_reserved);
  auto entity = co_await http::read_all(body, settings.max_size);
  if (!entity) {
    const auto& code = entity.error().code;
    if (code == "wus.overload") co_return try_later(closing(503));
    co_return closing(code == "http.bodyTooLarge" ? 413 : code == "http.bodyTimeout" ? 408 : 400);
  }
  co_return co_await exchange(request, std::move(service), std::move(*entity));
}

// WUS-050.
http::Response Endpoint::description(const http::Request& request, const ServiceContract& service) const {
  const auto wsdl = request.query_value("wsdl"), xsd = request.query_value("xsd");
  const std::string name(wsdl ? (wsdl->empty() ? std::string_view(service.bundle.main) : *wsdl) : *xsd);
  const auto address = service.addresses.empty() ? std::string() : service.addresses.front();
  auto document = published_document(service.bundle, name, address);
  if (!document) return empty(404);
  http::Response response;
  response.headers.add("Content-Type", "text/xml; charset=utf-8");
  response.body = std::move(*document);
  return response;
}

http::Awaitable<http::Response> Endpoint::exchange(http::Request& request, std::shared_ptr<const ServiceContract> service,
                                                   std::string entity) {
  Exchange exchange(request, std::move(service), std::move(entity), office_.clock.now());
  auto admitted = co_await admit(exchange);
  if (admitted && !exchange.answer) admitted = co_await call_backend(exchange);
  const Error error = admitted ? Error() : admitted.error();
  auto response = respond(exchange, admitted ? nullptr : &error);
  co_await conclude(exchange, response);
  co_return response;
}

// Steps 3 to 18 of 4.1. On success the record stands, durable, or needs no row yet (2W-be).
http::Awaitable<Result<>> Endpoint::admit(Exchange& x) {
  const auto& service = *x.service;
  const auto& settings = x.settings;
  auto& message = x.record.message;
  message.id = uuid_v7(office_.random, x.began);
  message.tenant = service.tenant;
  message.direction = exchange::Direction::inbound;
  message.protocol = "wus";
  message.pattern = "request";
  message.profile = to_string(settings.profile);
  message.state = exchange::State::running;
  message.contract_id = service.id;
  message.service = service.name;
  message.to.oin = service.own_oin;
  message.created_at = message.received_at.emplace(x.began);
  x.record.event("received", x.began);
  x.record.events.back().bytes = static_cast<std::int64_t>(x.entity.size());
  if (x.request.peer) {
    x.record.events.back().peer_oin = x.request.peer->oin;
    x.record.events.back().peer_certificate_sha256 = x.request.peer->sha256;
  }
  x.record.events.back().peer_address = x.request.remote_address;

  SCHAKEL_CO_CHECK(read(x));
  SCHAKEL_CO_TRY(x.addressing, read_addressing(x.message->addressing, Kind::request, settings));
  message.message_id = x.addressing.message_id;
  x.record.events.front().detail = address_text(x.addressing, service.shown_from(x.addressing.from));
  bool unquoted = false;
  SCHAKEL_CO_CHECK(check_soap_action(only(x.request.headers, "SOAPAction"), x.addressing, unquoted));
  SCHAKEL_CO_CHECK(judge_destination(office_, service, x.addressing.to));
  SCHAKEL_CO_CHECK(verify(x));
  for (const auto& deviation : x.opened.deviations)
    office_.log.info("wus.deviation", {{"messageId", message.message_id}, {"service", service.name}, {"detail", deviation}});
  if (unquoted)
    office_.log.info("wus.deviation",
                     {{"messageId", message.message_id}, {"service", service.name}, {"detail", "SOAPAction without quotes"}});

  // Steps 15 to 17 have no effects, so they are judged before the one unit that writes.
  x.facts.addressing = x.addressing;
  x.facts.soap_action = only(x.request.headers, "SOAPAction").value_or("");
  x.facts.peer_oin = peer_oin(x.request);
  if (x.request.peer) x.facts.peer_certificate_sha256 = x.request.peer->sha256;
  x.facts.signer = x.opened.signer;
  x.facts.signer_oin = x.opened.signer_oin;
  x.facts.receiver_oin = split_oin(x.addressing.to).oin.empty() ? service.own_oin : split_oin(x.addressing.to).oin;
  x.facts.created = x.opened.created;
  x.facts.traceparent = only(x.request.headers, "traceparent").value_or("");
  x.identity = judge(x);

  if (!x.secured() && settings.duplicates == Duplicates::pass) {
    if (!x.identity.code.empty()) co_return x.identity;
    co_return Result<>();
  }
  if (x.secured()) {
    SCHAKEL_CO_TRY(x.record.request, co_await keep(office_.database, office_.random, x.began, x.entity,
                                                   std::string(only(x.request.headers, "Content-Type").value_or(""))));
    if (settings.profile == Profile::be_se && settings.evidence_plain) {
      const auto envelope = handed_on(x.message->envelope);
      SCHAKEL_CO_TRY(x.record.decrypted_request,
                     co_await keep(office_.database, office_.random, x.began, envelope, "text/xml; charset=utf-8"));
    }
  }
  co_return co_await take(x);
}

// Steps 3 to 5.
Result<> Endpoint::read(Exchange& x) const {
  const Timed timed(office_.clock, x.spent.parse);
  SCHAKEL_TRY(auto read, read_message(x.entity, only(x.request.headers, "Content-Type").value_or(""), x.settings, Kind::request));
  x.message.emplace(std::move(read));
  return {};
}

// Steps 8 to 13.
Result<> Endpoint::verify(Exchange& x) const {
  const auto& service = *x.service;
  Duration took{0};
  auto opened = [&] {
    const Timed timed(office_.clock, took);
    const OpeningKeys keys{
        .judge = [&](std::span<const security::Certificate> chain) { return office_.judge(service.tenant, chain, x.began); },
        .decryption = x.settings.profile == Profile::be_se ? office_.decryption_keys(service.tenant, x.began)
                                                           : std::vector<std::shared_ptr<const security::KeyPair>>(),
        .known = office_.certificates.get()};
    return open(*x.message, *x.partner, Kind::request, keys, nullptr, x.began, office_.random);
  }();
  if (!opened) {
    office_.measures.not_verified(exchange::Direction::inbound, opened.error().code);
    return opened.error();
  }
  x.opened = std::move(*opened);
  x.verified = x.secured();
  if (x.secured()) x.spent.crypto += took;
  if (x.opened.created) office_.measures.received(x.opened.signer_oin, *x.opened.created, x.began);
  x.know_partner(x.opened.signer_oin);
  log_exception(office_, service, x.record.message.message_id, x.opened.signer_oin, x.opened.excepted_algorithm);
  return {};
}

// Steps 15 to 17: who, which operation, a valid payload.
Error Endpoint::judge(Exchange& x) const {
  const auto& service = *x.service;
  const auto payload = x.message->payload;
  const auto* operation = x.settings.dispatch == Dispatch::action
                              ? service.by_action(x.addressing.action)
                              : service.by_element(std::string(payload.namespace_uri()), payload.name());
  // The sender is judged first (step 15): what exists is no business of who may not call it.
  const Operation unknown{};
  const auto sender = judge_sender(
      office_, service,
      {.tls_oin = std::string(peer_oin(x.request)), .signer_oin = x.opened.signer_oin, .from_oin = split_oin(x.addressing.from).oin},
      operation ? *operation : unknown);
  if (!sender) return sender.error();
  x.facts.sender_oin = *sender;
  x.record.message.from.oin = *sender;
  if (!operation) {
    if (x.settings.dispatch == Dispatch::body) return fail("wus.bodyOfOther", "no operation has this element", payload.path());
    return fail("wus.actionUnknown", "wsa:Action is of no operation of this service");
  }
  x.facts.operation = operation;
  x.record.message.action = operation->name;
  if (!payload.is(operation->input.namespace_uri, operation->input.name))
    return fail("wus.bodyOfOther", "the Body's element is not that of the operation", payload.path());
  Error why;
  if (!is_valid_payload(service, payload, why)) return why;
  return {};
}

// Steps 14 and 18 in one unit: replay memory, duplicates, record with its evidence.
http::Awaitable<Result<>> Endpoint::take(Exchange& x) {
  const auto& service = *x.service;
  const auto& settings = x.settings;
  const auto window = std::max<std::chrono::seconds>(settings.timestamp_ttl + settings.skew_future, replay_window_min);
  const bool wants_memory = settings.duplicates != Duplicates::pass && x.identity.code.empty();
  const Bytes body_digest = wants_memory ? sha256(handed_on(x.message->payload)) : Bytes();
  if (wants_memory)
    x.duplicate_key = exchange::DuplicateKey{
        .tenant = service.tenant, .cpa_id = "wus:" + service.id, .from_party = x.facts.sender_oin, .message_id = x.addressing.message_id};
  Error refusal;
  std::optional<BackendAnswer> stored;
  if (x.secured()) {
    x.record.event("verified", office_.clock.now(), {}, opened_text(x.opened));
    x.record.event("verified", office_.clock.now(), {}, x.opened.basis);
  }
  const auto committed = co_await exchange::commit(office_.database, [&](sql::Transaction& tx) -> Result<> {
    refusal = {};
    stored.reset();
    if (x.secured()) {
      SCHAKEL_TRY(const auto before,
                  exchange::take_duplicate_key(tx,
                                               {.tenant = service.tenant,
                                                .cpa_id = "wus-replay",
                                                .from_party = x.opened.signer ? (*x.opened.signer)->sha256 : "",
                                                .message_id = to_hex(sha256(x.opened.signature_value))},
                                               {.message = x.record.message.id, .header_hash = {}, .response = {}}, x.began + window));
      if (before) refusal = fail("wus.replay", "this very request was accepted before");
    }
    if (refusal.code.empty() && x.duplicate_key) {
      SCHAKEL_TRY(const auto first, exchange::take_duplicate_key(
                                        tx, *x.duplicate_key, {.message = x.record.message.id, .header_hash = body_digest, .response = {}},
                                        x.began + settings.duplicate_window));
      const bool same = first && first->header_hash == body_digest && !first->response.empty();
      if (same && settings.duplicates == Duplicates::replay)
        stored = from_stored(first->response);
      else if (first)
        refusal = fail("wus.duplicateMessageId", "this MessageID was received before");
    }
    return begin_record(tx, x.record, office_.node);
  });
  if (!committed) co_return fail("wus.backendUnavailable", "the exchange could not be recorded: " + committed.error().code);
  x.record.begun = true;
  x.record.events.clear();
  if (refusal.code == "wus.replay") office_.measures.replayed(service.tenant, service.name);
  if (!refusal.code.empty()) {
    x.duplicate_key.reset();
    co_return refusal;
  }
  if (!x.identity.code.empty()) co_return x.identity;
  if (stored) {
    x.duplicate_key.reset();
    x.record.event("duplicateReceived", office_.clock.now());
    x.answer = std::move(stored);
  }
  co_return Result<>();
}

http::Awaitable<Result<>> Endpoint::call_backend(Exchange& x) {
  const auto& service = *x.service;
  auto call = backend_request({.url = service.backend_url,
                               .dai_to = logical_address(service.backend_dai_address, x.facts.receiver_oin),
                               .dai_from = logical_address(service.dai_address_of(x.facts.sender_oin), x.facts.sender_oin)},
                              x.settings, x.facts, *x.message, service.schema.get(), office_.random);
  if (call.headers.find("Schakel-From-Address")) call.headers.set("Schakel-From-Address", service.shown_from(x.addressing.from));
  if (call.url.starts_with("https:")) {
    auto tls = office_.backend_tls(service.tenant);
    if (!tls) co_return fail("wus.backendUnavailable", "no TLS for the back-end: " + tls.error().code);
    call.tls = std::move(*tls);
  }
  const auto began = office_.clock.now();
  x.record.event("offered", began);
  x.called = true;
  const auto response = co_await office_.client.send(std::move(call));
  x.spent.other_side = office_.clock.now() - began;
  SCHAKEL_CO_TRY(x.answer, read_backend_answer(response, x.settings, *x.facts.operation, service.schema.get()));
  for (const auto& warning : x.answer->warnings)
    office_.log.warning("wus.backendFaultDetail", {{"messageId", x.addressing.message_id}, {"service", service.name}, {"detail", warning}});
  co_return Result<>();
}

// Step 20. What was admitted and answered goes back secured; so does every fault after verification (WUS-163).
http::Response Endpoint::respond(Exchange& x, const Error* error) {
  const auto now = office_.clock.now();
  const auto& service = *x.service;
  MessageToMake make;
  make.kind = Kind::response;
  make.addressing.to = uri::anonymous;
  make.addressing.message_id =
      make_message_id(x.settings.message_id_format, office_.random,
                      service.addresses.empty() ? std::string_view() : std::string_view(service.addresses.front()));
  make.addressing.relates_to = x.addressing.message_id.empty() ? std::string(uri::unspecified) : x.addressing.message_id;
  unsigned status = 200;
  std::string code, dk;
  if (error) {
    const auto fault = fault_of(*error);
    make.body = fault_element(fault);
    make.addressing.action = fault.action;
    status = 500;
    code = error->code;
    dk = fault.dk;
  } else {
    make.body = x.answer->body;
    make.addressing.action = x.answer->action;
    make.binary_elements = x.answer->binary_elements;
    if (x.answer->is_fault) status = 500;
  }
  make.mtom = !error && !x.answer->is_fault &&
              (x.settings.mtom == Mtom::required || (x.settings.mtom == Mtom::optional && x.message && x.message->mtom));
  if (x.verified) {
    make.protection = MessageToMake::Protection{
        .signer = office_.signing_key(service.tenant, service.own_oin, now), .recipient = {}, .confirmation = x.opened.signature_value};
    if (x.settings.profile == Profile::be_se) make.protection->recipient = x.opened.signer;
  }
  Duration unsecured{0};
  auto made = [&]() -> Result<MadeMessage> {
    if (make.protection && !make.protection->signer) return fail("wus.signing", "no key to sign with");
    const Timed timed(office_.clock, make.protection ? x.spent.crypto : unsecured);
    return make_message(make, *x.partner, now, office_.random);
  }();
  if (!made) {
    // Without a key nothing can be secured: the fault says that the service is away.
    office_.log.error("wus.notSecured", {{"service", service.name}, {"code", made.error().code}, {"detail", made.error().detail}});
    const auto fault = fault_of(fail("wus.backendUnavailable", made.error().detail));
    make.protection.reset();
    make.mtom = false;
    make.body = fault_element(fault);
    make.addressing.action = fault.action;
    status = 500;
    code = made.error().code;
    dk = fault.dk;
    made = make_message(make, *x.partner, now, office_.random);
  }
  if (make.protection && make.protection->recipient && !xmlsecurity::is_gcm(x.partner->encryption_algorithm))
    log_exception(office_, service, make.addressing.message_id, x.opened.signer_oin, xmlsecurity::uri_of(x.partner->encryption_algorithm));
  http::Response response;
  response.status = status;
  if (made) {
    response.headers.add("Content-Type", made->content_type);
    response.body = std::move(made->entity);
  }
  x.response_id = make.addressing.message_id;
  const auto state = status == 200 ? exchange::State::completed : error && !x.called ? exchange::State::refused : exchange::State::fault;
  x.record.finish(state, now, code, dk.empty() ? (error ? error->detail : "") : dk, "local");
  x.record.event(code.empty() ? "replied" : "rejected", now, code,
                 make.protection ? dk + (dk.empty() ? "" : " ") + secured_text(*make.protection, *x.partner) : dk);
  x.record.events.back().wire_id = x.response_id;
  x.record.events.back().bytes = static_cast<std::int64_t>(response.body.size());
  x.record.events.back().duration_ms = (now - x.began).count() / 1000;
  if (error) audit(x.request, service, audit_reason_of(*error));
  office_.measures.exchanged(x.record.message, x.spent);
  office_.log.write(code.empty() ? LogLevel::info : LogLevel::warning, "wus.exchange",
                    {{"messageId", x.addressing.message_id},
                     {"relatedMessageId", x.response_id},
                     {"service", service.name},
                     {"operation", x.record.message.action},
                     {"tenant", service.tenant},
                     {"profile", to_string(x.settings.profile)},
                     {"requestId", x.request.request_id},
                     {"peerOin", peer_oin(x.request)},
                     {"senderOin", x.record.message.from.oin},
                     {"status", status},
                     {"code", code},
                     {"dkCode", dk},
                     {"detail", error ? std::string_view(error->detail) : std::string_view()},
                     {"bytesIn", x.entity.size()},
                     {"bytesOut", response.body.size()},
                     {"backendMs", x.spent.other_side.count() / 1000},
                     {"durationMs", (now - x.began).count() / 1000}});
  return response;
}

// What went back is evidence in S and SE; with duplicates=replay the answer is kept for the next request with the same MessageID.
http::Awaitable<> Endpoint::conclude(Exchange& x, const http::Response& sent) {
  if (x.secured() && x.verified) {
    auto kept = co_await keep(office_.database, office_.random, office_.clock.now(), sent.body,
                              std::string(sent.headers.find("Content-Type").value_or("")));
    if (kept) x.record.response = std::move(*kept);
  }
  const bool remember = x.duplicate_key && x.answer && x.settings.duplicates == Duplicates::replay;
  const auto committed = co_await exchange::commit(office_.database, [&](sql::Transaction& tx) -> Result<> {
    if (remember) SCHAKEL_CHECK(exchange::set_first_answer(tx, *x.duplicate_key, stored_form(*x.answer)));
    return end_record(tx, x.record, office_.node);
  });
  if (!committed)
    office_.log.error("wus.notRecorded",
                      {{"messageId", x.addressing.message_id}, {"service", x.service->name}, {"code", committed.error().code}});
}

}  // namespace schakel::wus
