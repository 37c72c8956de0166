#include "ebms/context.hpp"
#include "base/json_library.hpp"

#include <algorithm>

#include "ebms/ordering.hpp"
#include "ebms/signing.hpp"

namespace schakel::ebms {

using exchange::Direction;
using exchange::Message;
using exchange::State;

void Context::count_message(const Message& message, std::string_view result) const {
  deps.metrics
      .counter("messages_total", "Messages by result",
               {{"tenant", message.tenant},
                {"protocol", "ebms"},
                {"direction", std::string(to_string(message.direction))},
                {"profile", message.profile},
                {"result", std::string(result)}})
      .add();
}

namespace {

// Codes of partners come from outside: as a label only the standard's own (README section 13).
std::string_view label_of(std::string_view side, std::string_view code) {
  static constexpr std::string_view known[] = {
      "ValueNotRecognized", "NotSupported",     "Inconsistent",    "OtherXml",        "DeliveryFailure",
      "TimeToLiveExpired",  "SecurityFailure",  "MimeProblem",     "Unknown",         "SOAPACTION_INVALID",
      "MIME_INVALID",       "XML_INVALID",      "SCHEMA_INVALID",  "CHARSET_INVALID", "CPA_UNKNOWN",
      "ACTION_UNKNOWN",     "VERSION_MISMATCH", "MUST_UNDERSTAND", "SIGNAL_INVALID",  "SENDER_NOT_AUTHORIZED"};
  return side != "partner" || std::find(std::begin(known), std::end(known), code) != std::end(known) ? code : "other";
}

}  // namespace

void Context::count_error(std::string_view tenant, std::string_view side, std::string_view code) const {
  deps.metrics
      .counter(
          "errors_total", "Errors by code",
          {{"tenant", std::string(tenant)}, {"protocol", "ebms"}, {"side", std::string(side)}, {"code", std::string(label_of(side, code))}})
      .add();
}

void Context::count_attempt(std::string_view tenant, std::string_view outcome) const {
  deps.metrics
      .counter("attempts_total", "Attempts to send by outcome",
               {{"tenant", std::string(tenant)}, {"protocol", "ebms"}, {"outcome", std::string(outcome)}})
      .add();
}

exchange::TrailEvent& TrailWriter::add(std::string_view message, std::string_view type, std::string_view code, std::string_view detail) {
  exchange::TrailEvent event;
  event.at = at_;
  event.message = message;
  event.type = type;
  event.code = code;
  event.detail = for_log(detail.substr(0, 500));
  if (event.detail.size() > 500) event.detail.resize(500);
  return events_.emplace_back(std::move(event));
}

Result<> TrailWriter::write(sql::Transaction& tx, std::string_view tenant) {
  if (events_.empty()) return {};
  return exchange::append_trail(tx, tenant, context_.settings.node, events_);
}

std::string party_key(const cpa::PartyInfo& party) {
  if (party.ids.empty()) return {};
  return party.ids.front().type + ":" + party.ids.front().value;
}

std::string certificate_name(BytesView der, std::string_view cert_id) {
  std::string out = "certificate " + for_log(cert_id);
  if (const auto certificate = security::Certificate::from_der(der))
    out += " (" + for_log((*certificate)->subject) + ", serial " + (*certificate)->serial + ", SHA-256 " + (*certificate)->sha256 + ")";
  return out;
}

std::string_view first_id(const HeaderParty& party) {
  return party.ids.empty() ? std::string_view() : std::string_view(party.ids.front().value);
}

exchange::Party message_party(const cpa::PartyInfo& party, std::string_view role) {
  exchange::Party out;
  out.oin = party.oin();
  if (!party.ids.empty()) {
    out.party_id = party.ids.front().value;
    out.party_id_type = party.ids.front().type;
  }
  out.role = role;
  return out;
}

namespace {

struct UrlParts {
  std::string_view scheme, host, port;
};

UrlParts parts_of(std::string_view url) {
  UrlParts parts;
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos) return parts;
  parts.scheme = url.substr(0, colon);
  std::string_view authority = url.substr(colon + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  const std::size_t bracket = authority.rfind(']');
  const std::size_t port = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  parts.host = authority.substr(0, port);
  if (port != std::string_view::npos) parts.port = authority.substr(port + 1);
  return parts;
}

}  // namespace

std::string destination_of(std::string_view url) {
  const UrlParts parts = parts_of(url);
  if (parts.host.empty()) return std::string(url);
  const std::string scheme = to_lower(parts.scheme);
  const std::string_view port = !parts.port.empty() ? parts.port : scheme == "https" ? "443" : "80";
  return scheme + "://" + to_lower(parts.host) + ":" + std::string(port);
}

std::string_view host_of(std::string_view url) {
  return parts_of(url).host;
}

std::string own_host(const cpa::LoadedContract& contract) {
  const cpa::PartyInfo& own = contract.own();
  const cpa::DeliveryChannel* channel = own.signal_channel("");
  const cpa::Transport* transport = channel ? own.transport(channel->transport_id) : nullptr;
  if (transport && !transport->endpoints.empty()) {
    const std::string host = to_lower(host_of(transport->endpoints.front().uri));
    // An IPv6 literal is no dot-atom.
    if (!host.empty() && host.front() != '[') return host;
  }
  return "schakel.invalid";
}

exchange::NextHop signal_hop(const cpa::Contracts& contracts, const cpa::LoadedContract& contract, int addressee, std::string_view action,
                             Instant now) {
  const cpa::PartyInfo& party = contract.agreement.parties[static_cast<std::size_t>(addressee)];
  const cpa::PartyInfo& own = contract.agreement.parties[static_cast<std::size_t>(1 - addressee)];
  const cpa::DeliveryChannel* channel = party.signal_channel(action);
  const std::string_view purpose = action == "MessageError"                        ? "error"
                                   : action == "Ping" || action == "StatusRequest" ? "request"
                                                                                   : "response";
  std::string direct = channel ? contracts.url(contract, *channel, party, purpose) : std::string();
  auto hop = contracts.next_hop(contract, own, party, uri::signal_service, action, std::move(direct), now);
  return hop ? std::move(*hop) : exchange::NextHop{};
}

bool is_synchronous(const cpa::DeliveryChannel* channel) {
  return channel && channel->characteristics.sync_reply != cpa::SyncReplyMode::none;
}

bool needs_signature(cpa::Profile profile) {
  return cpa::is_signed(profile) || cpa::is_encrypted(profile);
}

Result<> record_refusal(sql::Transaction& tx, const Context& context, const SecurityRefusal& refusal, Instant at) {
  const MessageHeader& header = refusal.header;
  const std::string detail = for_log(refusal.fault.detail);
  const nlohmann::json record{
      {"kind", "message"},
      {"result", "refused"},
      {"reason", refusal.fault.reason},
      {"certificate", {{"oin", refusal.peer_oin}, {"serial", refusal.peer_serial}, {"sha256", refusal.peer_sha256}}},
      {"service", for_log(header.service)},
      {"action", for_log(header.action)},
      {"messageId", for_log(header.message_id)},
      {"object", {{"cpaId", for_log(header.cpa_id)}, {"from", for_log(first_id(header.from))}, {"detail", detail}}}};
  SCHAKEL_CHECK(exchange::append_audit(tx, refusal.tenant, context.settings.node, at, record.dump()));
  context.deps.log.warning("ebms.securityRefused", {{"messageId", header.message_id},
                                                    {"cpaId", header.cpa_id},
                                                    {"action", header.action},
                                                    {"tenant", refusal.tenant},
                                                    {"peerOin", refusal.peer_oin},
                                                    {"code", refusal.fault.reason},
                                                    {"detail", detail}});
  return {};
}

Envelope reply_to(const Context& context, const cpa::LoadedContract& contract, const MessageHeader& header, std::string_view action,
                  Instant at) {
  Envelope out;
  out.header.from = header.to;
  out.header.to = header.from;
  out.header.cpa_id = header.cpa_id;
  out.header.conversation_id = header.conversation_id;
  out.header.service = uri::signal_service;
  out.header.action = action;
  out.header.message_id = uuid_v4(context.deps.random) + "@" + own_host(contract);
  out.header.timestamp = at;
  out.header.ref_to_message_id = header.message_id;
  return out;
}

Envelope message_error(const Context& context, const cpa::LoadedContract& contract, const MessageHeader& header, const Failure& failure,
                       Instant at) {
  Envelope out = reply_to(context, contract, header, "MessageError", at);
  ErrorEntry entry;
  entry.error_code = failure.error_code;
  entry.location = failure.location;
  entry.description = failure.description;
  out.error_list = ErrorList{true, {std::move(entry)}};
  return out;
}

Result<exchange::Signal> outbound_signal(const Context& context, const cpa::LoadedContract& contract, int addressee,
                                         const Envelope& envelope, Instant at) {
  exchange::Signal signal;
  SCHAKEL_TRY(signal.root, build_envelope(envelope));
  signal.id = context.new_id(at);
  signal.tenant = contract.row.tenant;
  signal.direction = Direction::outbound;
  signal.contract_id = contract.row.id;
  signal.cpa_id = contract.agreement.cpa_id;
  signal.party = party_key(contract.agreement.parties[static_cast<std::size_t>(addressee)]);
  signal.action = envelope.header.action;
  signal.message_id = envelope.header.message_id;
  signal.ref_to_message_id = envelope.header.ref_to_message_id;
  signal.at = at;
  signal.keep_until = at + std::chrono::days(10);
  return signal;
}

Result<> add_signal_work(sql::Transaction& tx, const Context& context, const cpa::Contracts& contracts, const cpa::LoadedContract& contract,
                         int addressee, const exchange::Signal& signal, std::string_view kind, Instant now) {
  exchange::Work work;
  work.id = context.new_id(now);
  work.tenant = signal.tenant;
  work.kind = kind;
  work.subject = signal.id;
  work.destination = destination_of(signal_hop(contracts, contract, addressee, signal.action, now).url);
  work.due = now;
  return exchange::add_work(tx, work);
}

Result<> emit(sql::Transaction& tx, const Context& context, const Message& message, std::string_view type, std::string data, Instant at) {
  exchange::ApplicationEvent event;
  event.id = context.new_id(at);
  event.tenant = message.tenant;
  event.message = message.id;
  event.type = type;
  event.at = at;
  event.data = std::move(data);
  SCHAKEL_CHECK(exchange::insert_event(tx, event));
  // An inbound message reaches its application by message.offer, webhooks included: one row less on the busiest path.
  if (type == "message.received") return {};
  exchange::Work call;
  call.id = context.new_id(at);
  call.tenant = message.tenant;
  call.kind = "webhook.call";
  call.subject = event.id;
  call.destination = "";
  call.due = at;
  return exchange::add_work(tx, call);
}

Answer signal_answer(const Bytes& root) {
  Answer answer;
  answer.status = 200;
  answer.content_type = "text/xml; charset=UTF-8";
  answer.body = root;
  return answer;
}

Answer fault_answer(const Error& error) {
  Answer answer;
  answer.status = error.code == "CONTENT_TYPE_INVALID" ? 415 : 500;
  answer.content_type = "text/xml; charset=UTF-8";
  answer.body = soap_fault(error);
  return answer;
}

Answer unavailable() {
  Answer answer;
  answer.status = 503;
  answer.retry_after = true;
  return answer;
}

Answer refusal(const Error& error) {
  static constexpr std::string_view tokens[] = {
      "SOAPACTION_INVALID", "CONTENT_TYPE_INVALID", "MIME_INVALID",   "XML_INVALID",    "SCHEMA_INVALID",
      "CHARSET_INVALID",    "CPA_UNKNOWN",          "ACTION_UNKNOWN", "SIGNAL_INVALID", "SENDER_NOT_AUTHORIZED",
      "VERSION_MISMATCH",   "MUST_UNDERSTAND",      "INTERNAL"};
  if (std::find(std::begin(tokens), std::end(tokens), error.code) != std::end(tokens)) return fault_answer(error);
  if (error.code == "http.bodyTooLarge") {
    Answer answer;
    answer.status = 413;
    return answer;
  }
  return unavailable();
}

std::optional<Answer> check_soap_action(std::optional<std::string_view> value) {
  if (value) {
    const std::string_view text = trim(*value);
    if (text == "\"ebXML\"" || text == "ebXML") return std::nullopt;
  }
  return fault_answer(fail("SOAPACTION_INVALID", "SOAPAction must be \"ebXML\""));
}

Result<> end_message(sql::Transaction& tx, const Context& context, Message& message, const Ending& ending, Instant at) {
  message.state = ending.state;
  message.final_at = at;
  message.next_attempt_at.reset();
  message.state_reason = ending.code;
  if (!ending.code.empty()) message.last_error = exchange::LastError{ending.code, ending.detail, ending.source, at};
  if (ending.state == State::delivered) message.delivered_at = at;
  SCHAKEL_CHECK(exchange::cancel_work(tx, "ebms.send", message.id));
  if (message.expires_at) SCHAKEL_CHECK(exchange::cancel_work(tx, "message.expire", message.id));
  TrailWriter trail(context, at);
  trail.add(message.id, ending.trail_type, ending.code, ending.detail).wire_id = message.message_id;
  SCHAKEL_CHECK(trail.write(tx, message.tenant));
  SCHAKEL_CHECK(emit(tx, context, message, ending.event_type, ending.event_data, at));
  if (ending.state != State::delivered) SCHAKEL_CHECK(block_conversation(tx, context, message, at));
  const std::string_view result = ending.state == State::delivered ? "delivered" : ending.state == State::expired ? "expired" : "failed";
  context.count_message(message, result);
  if (!ending.code.empty()) context.count_error(message.tenant, ending.source, ending.code);
  if (message.accepted_at && ending.state == State::delivered && message.confirmed)
    context.deps.metrics
        .histogram("delivery_seconds", "From acceptance to the partner's acknowledgement",
                   {{"tenant", message.tenant}, {"protocol", "ebms"}, {"direction", "outbound"}})
        .observe(std::chrono::duration<double>(at - *message.accepted_at).count());
  context.deps.log.info("ebms.ended", {{"messageId", message.message_id},
                                       {"conversationId", message.conversation_id},
                                       {"cpaId", message.cpa_id},
                                       {"service", message.service},
                                       {"action", message.action},
                                       {"from", message.from.party_id},
                                       {"to", message.to.party_id},
                                       {"tenant", message.tenant},
                                       {"state", to_string(ending.state)},
                                       {"code", ending.code},
                                       {"attempts", message.attempts}});
  return {};
}

Result<> expire_message(sql::Transaction& tx, const Context& context, Message& message, Instant at) {
  // EB-106: nothing is sent for this; the application hears how likely it is that the partner has the message.
  const char* severity = message.got_2xx ? "Warning" : "Error";
  nlohmann::json data{{"deliveryFailure", {{"code", "DeliveryFailure"}, {"severity", severity}}}, {"attempts", message.attempts}};
  if (message.last_error) data["lastError"] = {{"code", message.last_error->code}, {"detail", message.last_error->detail}};
  Ending ending{State::expired,
                "expired",
                "message.expired",
                "DeliveryFailure",
                std::string("no acknowledgement before TimeToLive; severity ") + severity,
                "local",
                data.dump()};
  SCHAKEL_CHECK(end_message(tx, context, message, ending, at));
  return exchange::update_message(tx, message);
}

}  // namespace schakel::ebms
