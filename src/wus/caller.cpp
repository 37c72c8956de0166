#include "wus/caller.hpp"

#include <algorithm>
#include <array>

#include "exchange/commit.hpp"
#include "exchange/store.hpp"
#include "http/run.hpp"
#include "wus/binary_elements.hpp"
#include "wus/message.hpp"
#include "wus/names.hpp"
#include "wus/opening.hpp"
#include "wus/record.hpp"
#include "wus/sealing.hpp"
#include "wus/trail_text.hpp"

namespace schakel::wus {
namespace {

constexpr std::chrono::milliseconds connect_timeout{10'000};                         // WUS-261
constexpr std::array retry_after{std::chrono::seconds(1), std::chrono::seconds(5)};  // WUS-261

Error input(std::string detail, std::string location = {}) {
  return fail("WUS-C-INPUT", std::move(detail), std::move(location));
}

// 4.4 for what the transport met.
Error of_transport(const Error& error) {
  const auto& code = error.code;
  const auto as = [&error](std::string_view own) { return fail(std::string(own), error.code + ": " + error.detail); };
  if (code == "transport.tls" || code == "transport.tlsRefused") return as("WUS-C-TLS");
  if (code == "transport.tooLarge") return as("WUS-C-SOAP");
  if (code == "transport.invalid") return as("WUS-C-HTTP");
  const bool connected = error.location == "after" || code == "transport.closed";
  return as(connected ? "WUS-C-TIMEOUT" : "WUS-C-CONNECT");
}

bool may_be_sent_again(const Result<CallOutcome>& outcome, unsigned status) {
  if (outcome) return outcome->fault && outcome->fault->dk_code == "DK0051";
  const auto& code = outcome.error().code;
  if (code == "WUS-C-HTTP") return status == 502 || status == 503 || status == 504;
  return code == "WUS-C-CONNECT" || code == "WUS-C-TIMEOUT";
}

bool validates(const ServiceContract& service, Validate side) {
  return service.schema && (service.settings.validate == Validate::both || service.settings.validate == side);
}

// The fault as it is given on: without its detail when nobody vouches for it (WUS-164).
std::string fault_body(xml::Element fault, bool with_detail) {
  if (with_detail) return handed_on(fault);
  std::vector<xml::Element> omitted;
  for (const auto child : fault.children())
    if (child.name() == "detail") omitted.push_back(child);
  const auto octets = xml::canonicalise(fault, {.omitted = omitted});
  return octets ? std::string(*octets) : std::string();
}

}  // namespace

struct Caller::Attempt {
  Record record;
  MadeMessage made;
  std::shared_ptr<const security::KeyPair> signer;
  std::optional<http::ClientResponse> response;
  std::string verified, basis;  // what came back and why it was trusted, for the trail
  std::string decrypted;        // the envelope that came back, with `evidencePlain`
  Instant began{};
  Phases spent;
};

http::Awaitable<Result<CallOutcome>> Caller::call(Call call) {
  const auto& service = *call.service;
  if (service.role != Role::consumer || service.state != exchange::ContractState::active)
    co_return fail("contract.notActive", "the contract is not active, or not one for calling a service");
  const auto& operation = *call.operation;
  if (!call.message_id.empty() && !is_message_id(call.message_id)) co_return input("the MessageID is no URI of at most 512 characters");
  if (!call.payload.payload.is(operation.input.namespace_uri, operation.input.name))
    co_return input("the payload's root element is not " + to_string(operation.input));
  if (validates(service, Validate::request)) {
    if (const auto findings = service.schema->validate(call.payload.payload); !findings.empty())
      co_return input(findings.front().message, findings.front().path);
  }
  const bool repeatable = service.settings.retry_idempotent && operation.idempotent && call.message_id.empty();
  std::string before;
  for (std::size_t number = 0;; ++number) {
    Attempt attempt;
    attempt.record.message.copy_of = before;  // each attempt is a message of its own, linked (WUS-261)
    auto outcome = co_await this->attempt(call, attempt);
    const auto status = attempt.response ? attempt.response->status : 0;
    if (!repeatable || number >= retry_after.size() || !may_be_sent_again(outcome, status)) co_return outcome;
    before = attempt.record.message.id;
    co_await http::sleep(retry_after[number]);
  }
}

http::Awaitable<Result<CallOutcome>> Caller::attempt(const Call& call, Attempt& attempt) {
  Result<CallOutcome> outcome = fail("WUS-C-CONNECT", "not sent");
  auto sent = co_await send(call, attempt);
  if (sent)
    outcome = read_answer(call, attempt);
  else
    outcome = sent.error();
  co_await conclude(call, attempt, outcome);
  co_return outcome;
}

// Makes the message, keeps it (S, SE), sends it.
http::Awaitable<Result<>> Caller::send(const Call& call, Attempt& attempt) {
  const auto& service = *call.service;
  const auto& settings = service.settings;
  attempt.began = office_.clock.now();
  const auto own_address = service.from_address.empty() ? std::string(uri::anonymous) : with_oin(service.from_address, service.own_oin);
  MessageToMake make;
  make.kind = Kind::request;
  const auto& to = service.to_address.empty() ? service.endpoint : service.to_address;
  make.addressing.to = settings.to_oin ? with_oin(to, call.to_oin.empty() ? service.partner_oin : call.to_oin) : to;
  make.addressing.action = call.operation->input_action;
  make.addressing.message_id =
      call.message_id.empty() ? make_message_id(settings.message_id_format, office_.random, service.from_address) : call.message_id;
  make.addressing.from = own_address;
  make.addressing.reply_to = uri::anonymous;
  make.body = handed_on(call.payload.payload);
  if (settings.mtom != Mtom::off)
    make.binary_elements = binary_positions(call.payload.payload, service.schema.get(), call.payload.binary_elements);
  make.mtom = settings.mtom == Mtom::required || (settings.mtom == Mtom::optional && !make.binary_elements.empty());

  auto& message = attempt.record.message;
  message.id = uuid_v7(office_.random, attempt.began);
  message.tenant = service.tenant;
  message.direction = exchange::Direction::outbound;
  message.protocol = "wus";
  message.pattern = "request";
  message.profile = to_string(settings.profile);
  message.state = exchange::State::running;
  message.contract_id = service.id;
  message.service = service.name;
  message.action = call.operation->name;
  message.from.oin = service.own_oin;
  message.to.oin = call.to_oin.empty() ? service.partner_oin : call.to_oin;
  message.message_id = make.addressing.message_id;
  message.traceparent = call.traceparent;
  message.created_at = message.accepted_at.emplace(attempt.began);
  attempt.record.event("submitted", attempt.began, {}, address_text(make.addressing, make.addressing.from));

  if (settings.profile != Profile::be) {
    attempt.signer = office_.signing_key(service.tenant, service.own_oin, attempt.began);
    if (!attempt.signer) co_return fail("WUS-C-CERT", "there is no own certificate to sign with");
    make.protection = MessageToMake::Protection{.signer = attempt.signer, .recipient = {}, .confirmation = {}};
    if (settings.profile == Profile::be_se) make.protection->recipient = service.partner_certificate;
    if (settings.profile == Profile::be_se && !service.partner_certificate)
      co_return fail("WUS-C-CERT", "the partner's certificate for encryption is not registered");
  }
  auto made = [&] {
    Duration unsecured{0};
    const Timed timed(office_.clock, make.protection ? attempt.spent.crypto : unsecured);
    return make_message(make, settings, attempt.began, office_.random);
  }();
  if (!made) co_return fail("WUS-C-CERT", "the message could not be secured: " + made.error().detail);
  attempt.made = std::move(*made);
  if (make.protection && make.protection->recipient && !xmlsecurity::is_gcm(settings.encryption_algorithm))
    log_exception(office_, service, make.addressing.message_id, service.partner_oin, xmlsecurity::uri_of(settings.encryption_algorithm));

  if (settings.profile != Profile::be || !call.message_id.empty()) {
    if (settings.profile != Profile::be) {
      SCHAKEL_CO_TRY(attempt.record.request,
                     co_await keep(office_.database, office_.random, attempt.began, attempt.made.entity, attempt.made.content_type));
    }
    attempt.record.event("attemptStarted", attempt.began, {}, make.protection ? secured_text(*make.protection, settings) : std::string());
    attempt.record.events.back().bytes = static_cast<std::int64_t>(attempt.made.entity.size());
    const auto committed =
        co_await exchange::commit(office_.database, [&](sql::Transaction& tx) { return begin_record(tx, attempt.record, office_.node); });
    if (!committed && committed.error().code == "storage.conflict") co_return fail("message.duplicateId", "this messageId was used before");
    if (!committed) co_return fail("storage.unavailable", "the call could not be recorded");
    attempt.record.begun = true;
    attempt.record.events.clear();
  }

  http::ClientRequest request;
  request.url = service.endpoint;
  request.headers.add("Content-Type", attempt.made.content_type);
  request.headers.add("SOAPAction", settings.soap_action_of_action ? "\"" + make.addressing.action + "\"" : "\"\"");
  if (!call.traceparent.empty()) request.headers.add("traceparent", call.traceparent);
  request.body = std::move(attempt.made.entity);
  request.expected_oin = service.server_oins.empty() ? service.partner_oin : service.server_oins.front();
  request.connect_timeout = std::min(connect_timeout, settings.timeout);
  request.response_timeout = settings.timeout;
  request.response_bytes_max = settings.max_size;
  if (request.url.starts_with("https:")) {
    auto tls = office_.partner_tls(service.tenant);
    if (!tls) co_return fail("WUS-C-TLS", "no TLS to the partner: " + tls.error().code);
    request.tls = std::move(*tls);
  }
  const auto sent_at = office_.clock.now();
  auto response = co_await office_.client.send(std::move(request));
  attempt.spent.other_side = office_.clock.now() - sent_at;
  if (!response) co_return of_transport(response.error());
  attempt.response.emplace(std::move(*response));
  co_return Result<>();
}

// 4.3, in its order.
Result<CallOutcome> Caller::read_answer(const Call& call, Attempt& attempt) {
  const auto& service = *call.service;
  const auto& settings = service.settings;
  const auto& response = *attempt.response;
  const auto content_type = response.headers.find("Content-Type").value_or("");
  const bool soap = (response.status == 200 || response.status == 500) &&
                    media_type(content_type, Mtom::optional) != MediaType::unsupported && !response.body.empty();
  if (!soap) return fail("WUS-C-HTTP", "the partner answered " + std::to_string(response.status) + " without a SOAP envelope");
  const auto as_client_error = [](const Error& error) {
    return fail(std::string(client_code_of(error)), error.code + ": " + error.detail, error.location);
  };
  auto read = [&] {
    const Timed timed(office_.clock, attempt.spent.parse);
    return read_message(response.body, content_type, settings, Kind::response);
  }();
  if (!read) return as_client_error(read.error());
  auto& message = *read;

  CallOutcome outcome{.record = attempt.record.message.id,
                      .message_id = attempt.record.message.message_id,
                      .addressing = {},
                      .body = {},
                      .attachments = {},
                      .fault = {}};
  // A Fault that nobody signed says no more than that it failed, whatever its addressing (WUS-025, WUS-164).
  const bool bare_fault = message.is_fault && !message.security;
  const bool unsecured_fault = bare_fault && settings.profile != Profile::be;
  if (bare_fault) {
    if (auto addressing = read_addressing(message.addressing, Kind::response, settings)) outcome.addressing = std::move(*addressing);
  } else {
    auto addressing = read_addressing(message.addressing, Kind::response, settings);
    if (!addressing) return as_client_error(addressing.error());
    outcome.addressing = std::move(*addressing);
    if (auto checked = check_response_addressing(outcome.addressing, attempt.record.message.message_id, *call.operation); !checked)
      return as_client_error(checked.error());
    const OpeningKeys keys{
        .judge = [&](std::span<const security::Certificate> chain) { return office_.judge(service.tenant, chain, office_.clock.now()); },
        .decryption = attempt.signer ? std::vector{attempt.signer} : std::vector<std::shared_ptr<const security::KeyPair>>(),
        .known = office_.certificates.get()};
    const Expectation expectation{
        .request_signature_value = attempt.made.signature_value,
        .signer_oins = service.signer_oins.empty() ? std::vector{service.partner_oin} : service.signer_oins,
        .is_own = [&](const security::Certificate& certificate) { return office_.is_own_certificate(certificate->sha256); }};
    const bool secured = settings.profile != Profile::be;
    const auto now = office_.clock.now();
    auto opened = [&] {
      Duration unsecured{0};
      const Timed timed(office_.clock, secured ? attempt.spent.crypto : unsecured);
      return open(message, settings, Kind::response, keys, secured ? &expectation : nullptr, now, office_.random);
    }();
    if (!opened) {
      office_.measures.not_verified(exchange::Direction::outbound, opened.error().code);
      return as_client_error(opened.error());
    }
    if (opened->created) office_.measures.received(opened->signer_oin, *opened->created, now);
    attempt.verified = opened_text(*opened);
    attempt.basis = opened->basis;
    if (settings.profile == Profile::be_se && settings.evidence_plain) attempt.decrypted = handed_on(message.envelope);
    log_exception(office_, service, outcome.message_id, opened->signer_oin, opened->excepted_algorithm);
    for (const auto& deviation : opened->deviations)
      office_.log.info("wus.deviation", {{"messageId", outcome.message_id}, {"service", service.name}, {"detail", deviation}});
  }
  if (message.is_fault) {
    auto fault = read_fault(message.payload);
    if (!fault) return as_client_error(fault.error());
    const bool with_detail = !unsecured_fault || settings.pass_unsecured_detail;
    CallOutcome::PartnerFault told{.code = to_string(fault->code),
                                   .string = fault->string,
                                   .actor = fault->actor,
                                   .dk_code = fault->dk_code,
                                   .detail_xml = {},
                                   .authenticated = !unsecured_fault};
    if (with_detail && fault->detail) told.detail_xml = handed_on(fault->detail);
    outcome.body = fault_body(message.payload, with_detail);
    outcome.fault = std::move(told);
    return outcome;
  }
  const auto& expected = call.operation->output;
  if (!message.payload.is(expected.namespace_uri, expected.name))
    return fail("WUS-C-XSD", "the answer's element is not " + to_string(expected), message.payload.path());
  if (validates(service, Validate::response)) {
    if (const auto findings = service.schema->validate(message.payload); !findings.empty())
      return fail("WUS-C-XSD", findings.front().message, findings.front().path);
  }
  const auto binary = call.attachments_apart
                          ? elements_at(message.payload, binary_positions(message.payload, service.schema.get(), message.binary_elements))
                          : std::vector<xml::Element>();
  auto given = handed_on_apart(message.document, message.payload, binary, settings.mtom_threshold, office_.random);
  outcome.body = std::move(given.text);
  outcome.attachments = std::move(given.attachments);
  return outcome;
}

http::Awaitable<> Caller::conclude(const Call& call, Attempt& attempt, const Result<CallOutcome>& outcome) {
  const auto& service = *call.service;
  const auto now = office_.clock.now();
  const std::string code = !outcome ? outcome.error().code : outcome->fault ? "WUS-C-FAULT" : "";
  // A fault's text may hold anything: only its codes are told (WUS-320).
  const std::string detail = !outcome         ? outcome.error().detail
                             : outcome->fault ? outcome->fault->code + " " + outcome->fault->dk_code
                                              : std::string();
  const auto state = code.empty()              ? exchange::State::completed
                     : code == "WUS-C-TIMEOUT" ? exchange::State::timeout
                     : code == "WUS-C-FAULT"   ? exchange::State::fault
                                               : exchange::State::failed;
  auto& record = attempt.record;
  record.finish(state, now, code, detail, outcome || attempt.response ? "partner" : "transport");
  if (!attempt.basis.empty()) record.event("verified", now, {}, attempt.basis);
  record.event(code.empty() || code == "WUS-C-FAULT" ? "attemptSucceeded" : "attemptFailed", now, code,
               detail.empty() ? attempt.verified : detail);
  if (outcome && !outcome->addressing.message_id.empty()) record.events.back().wire_id = outcome->addressing.message_id;
  if (attempt.response) {
    record.events.back().bytes = static_cast<std::int64_t>(attempt.response->body.size());
    if (attempt.response->peer) {
      record.events.back().peer_oin = attempt.response->peer->oin;
      record.events.back().peer_certificate_sha256 = attempt.response->peer->sha256;
    }
  }
  record.events.back().duration_ms = (now - attempt.began).count() / 1000;
  // A call that was refused before anything was made, or that never got a place in the store, is told to its caller only.
  const bool recorded = code != "message.duplicateId" && code != "storage.unavailable";
  if (recorded) {
    if (attempt.response && service.settings.profile != Profile::be) {
      auto kept = co_await keep(office_.database, office_.random, now, attempt.response->body,
                                std::string(attempt.response->headers.find("Content-Type").value_or("")));
      if (kept) record.response = std::move(*kept);
    }
    if (!attempt.decrypted.empty()) {
      auto kept = co_await keep(office_.database, office_.random, now, attempt.decrypted, "text/xml; charset=utf-8");
      if (kept) record.decrypted_response = std::move(*kept);
    }
    const auto committed =
        co_await exchange::commit(office_.database, [&](sql::Transaction& tx) { return end_record(tx, record, office_.node); });
    if (!committed)
      office_.log.error("wus.notRecorded",
                        {{"messageId", record.message.message_id}, {"service", service.name}, {"code", committed.error().code}});
  }
  office_.measures.exchanged(record.message, attempt.spent);
  office_.log.write(
      code.empty() ? LogLevel::info : LogLevel::warning, "wus.called",
      {{"messageId", record.message.message_id},
       {"service", service.name},
       {"operation", call.operation->name},
       {"tenant", service.tenant},
       {"profile", to_string(service.settings.profile)},
       {"peerOin", attempt.response && attempt.response->peer ? std::string_view(attempt.response->peer->oin) : std::string_view()},
       {"status", attempt.response ? attempt.response->status : 0U},
       {"code", code},
       {"detail", detail},
       {"durationMs", (now - attempt.began).count() / 1000}});
}

}  // namespace schakel::wus
