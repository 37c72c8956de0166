// Msh::receive: steps 9 to 15 of ebms.md 3.4, inside the unit that makes them durable.
#include <algorithm>

#include "base/json_library.hpp"
#include "ebms/examined.hpp"
#include "ebms/msh_state.hpp"
#include "ebms/ordering.hpp"
#include "exchange/blob.hpp"
#include "exchange/delivery.hpp"

namespace schakel::ebms {

namespace {

using exchange::FirstAnswer;
using exchange::Message;
using exchange::State;

class Receiver {
 public:
  Receiver(const Context& context, sql::Transaction& tx, const Examined& e) : context_(context), tx_(tx), e_(e) {}

  Result<Answer> run() {
    auto answer = receive();
    if (!answer) note("ebms.postponed", answer.error().code);
    log(answer ? answer->status : unavailable().status);
    return answer;
  }

 private:
  Result<Answer> receive() {
    if (e_.unauthorised) return refuse_stranger();
    if (e_.envelope.header.is_signal()) return receive_signal();
    return receive_message();
  }
  Answer accepted() const {
    Answer answer;
    answer.status = context_.settings.accept_status;
    return answer;
  }

  // SENDER_NOT_AUTHORIZED: an audit record and a counter, never a Message (README section 4).
  Result<Answer> refuse_stranger() {
    const MessageHeader& header = e_.envelope.header;
    const nlohmann::json record{{"kind", "authorisation"},
                                {"result", "refused"},
                                {"reason", e_.unauthorised->location},
                                {"certificate", {{"oin", e_.peer_oin}, {"serial", e_.peer_serial}, {"sha256", e_.peer_sha256}}},
                                {"service", for_log(header.service)},
                                {"action", for_log(header.action)},
                                {"messageId", for_log(header.message_id)},
                                {"object", {{"cpaId", for_log(header.cpa_id)}, {"from", for_log(first_id(header.from))}}}};
    SCHAKEL_CHECK(exchange::append_audit(tx_, e_.contract->row.tenant, context_.settings.node, e_.at, record.dump()));
    context_.count_error(e_.contract->row.tenant, "partner", e_.unauthorised->code);
    note("ebms.senderRefused", e_.unauthorised->location);
    return fault_answer(*e_.unauthorised);
  }

  // --- business messages -----------------------------------------------------------------------------------------------------------
  Result<Answer> receive_message() {
    if (e_.eliminate_duplicates) {
      SCHAKEL_TRY(const auto first,
                  exchange::take_duplicate_key(tx_, e_.key, FirstAnswer{e_.message.id, e_.message.header_hash, {}}, e_.keep_key_until));
      if (first) return first->header_hash == e_.message.header_hash ? repeat(*first) : refuse_reuse();
    }
    // An Error rolls everything back, the key too: a later repetition is new again.
    if (e_.suspended) return fail("contract.suspended", "the contract or its tenant is suspended");
    if (e_.undecidable) return fail("ebms.undecidable", "the message cannot be verified or decrypted now");
    SCHAKEL_TRY(const auto failure, stored_failure());
    if (failure) return refuse(*failure);
    if (e_.envelope.message_order) {
      SCHAKEL_TRY(placement_, place(tx_, context_, e_.message.tenant, e_.envelope.header, *e_.envelope.message_order, e_.sender(), e_.at));
      if (placement_->refusal) return refuse(*placement_->refusal);
    }
    return accept();
  }

  // Rows 8 and 29 look at the store; they stand between the rows that do not.
  Result<std::optional<Failure>> stored_failure() {
    const int row = e_.failure ? e_.failure->row : 1000;
    const MessageHeader& header = e_.envelope.header;
    if (row > 8 && e_.contract->settings.strict_ref_to_message_id && !header.ref_to_message_id.empty()) {
      SCHAKEL_TRY(const bool known, is_known(header.ref_to_message_id));
      if (!known) return std::optional<Failure>(unknown_reference());
    }
    const cpa::Agreement& agreement = e_.contract->agreement;
    if (row > 18 && (agreement.invocation_limit || agreement.concurrent_conversations)) {
      SCHAKEL_TRY(const auto counts, exchange::count_conversations(tx_, e_.message.tenant, e_.message.contract_id, header.conversation_id));
      const bool too_many = agreement.invocation_limit && counts.others >= *agreement.invocation_limit;
      const bool too_many_open = agreement.concurrent_conversations && counts.others_open >= *agreement.concurrent_conversations;
      if (!counts.known && (too_many || too_many_open)) return std::optional<Failure>(conversation_limit());
    }
    return e_.failure;
  }

  Result<bool> is_known(std::string_view message_id) {
    SCHAKEL_TRY(const auto sent, exchange::find_outbound(tx_, message_id));
    if (sent && sent->tenant == e_.message.tenant) return true;
    SCHAKEL_TRY(const auto received, exchange::find_inbound(tx_, e_.message.tenant, message_id));
    return !received.empty();
  }

  // EB-108: the first answer again, octet for octet; or one made now when there was none.
  Result<Answer> repeat(const FirstAnswer& first) {
    SCHAKEL_TRY(auto message, exchange::find_message(tx_, e_.message.tenant, first.message));
    TrailWriter trail(context_, e_.at);
    add_peer(trail.add(first.message, "duplicateReceived"));
    SCHAKEL_CHECK(trail.write(tx_, e_.message.tenant));
    if (message) {
      ++message->duplicate_count;
      SCHAKEL_CHECK(exchange::update_message(tx_, *message));
    }
    SCHAKEL_CHECK(drop_all_blobs());
    context_.deps.metrics.counter("duplicates_total", "Repetitions of a message", {{"tenant", e_.message.tenant}, {"protocol", "ebms"}})
        .add();
    note("ebms.duplicate");
    SCHAKEL_TRY(auto response, exchange::find_response_to(tx_, e_.message.tenant, first.message));
    const bool make = !response && e_.response && e_.response->action == "Acknowledgment";
    if (!response && !make) return accepted();
    if (make) {
      response = e_.response;
      response->message = first.message;
      SCHAKEL_CHECK(exchange::insert_signal(tx_, *response));
    }
    if (e_.synchronous) return signal_answer(response->root);
    SCHAKEL_TRY(const bool waiting, exchange::hasten_work(tx_, "ebms.signal", response->id, e_.at));
    if (!waiting)
      SCHAKEL_CHECK(add_signal_work(tx_, context_, *e_.contracts, *e_.contract, e_.sender_party, *response, "ebms.signal", e_.at));
    return accepted();
  }

  // EB-110: not stored as a message; the partner hears it, and so does the operator.
  Result<Answer> refuse_reuse() {
    const Failure failure = id_reused();
    SCHAKEL_CHECK(drop_all_blobs());
    context_.count_error(e_.message.tenant, "partner", failure.error_code);
    note("ebms.messageIdReused", failure.error_code);
    SCHAKEL_TRY(exchange::Signal signal, outbound_signal(context_, *e_.contract, e_.sender_party,
                                                         message_error(context_, *e_.contract, e_.envelope.header, failure, e_.at), e_.at));
    signal.send_until = e_.envelope.header.time_to_live;
    return respond(signal);
  }

  Result<Answer> refuse(const Failure& failure) {
    Message message = e_.message;
    message.state = State::refused;
    message.state_reason = failure.error_code;
    message.final_at = e_.at;
    message.last_error = exchange::LastError{failure.error_code, failure.description + " " + failure.location, "partner", e_.at};
    std::vector<exchange::Payload> payloads = e_.payloads;
    for (exchange::Payload& payload : payloads) {  // EB-138: hashes stay, octets go
      payload.blob.clear();
      payload.wire_blob.clear();
      payload.purged = true;
    }
    SCHAKEL_CHECK(exchange::insert_message(tx_, message, payloads));
    SCHAKEL_CHECK(drop_all_blobs());
    TrailWriter trail(context_, e_.at);
    add_peer(trail.add(message.id, "received"));
    trail.add(message.id, "rejected", failure.error_code, failure.description + " " + failure.location);
    SCHAKEL_CHECK(trail.write(tx_, message.tenant));
    if (e_.failure && e_.failure->row == failure.row && !e_.security_fault.reason.empty())
      SCHAKEL_CHECK(record_refusal(
          tx_, context_, {e_.envelope.header, e_.security_fault, message.tenant, e_.peer_oin, e_.peer_serial, e_.peer_sha256}, e_.at));
    context_.count_message(message, "refused");
    context_.count_error(message.tenant, "partner", failure.error_code);
    note("ebms.refused", failure.error_code);
    // Rows that were found in the store have no answer made before.
    if (e_.failure && e_.response && e_.failure->row == failure.row) return respond(*e_.response);
    SCHAKEL_TRY(exchange::Signal signal, outbound_signal(context_, *e_.contract, e_.sender_party,
                                                         message_error(context_, *e_.contract, e_.envelope.header, failure, e_.at), e_.at));
    signal.message = message.id;
    signal.keep_until = e_.keep_key_until;
    signal.send_until = e_.envelope.header.time_to_live;
    return respond(signal);
  }

  Result<Answer> accept() {
    Message message = e_.message;
    if (!e_.eliminate_duplicates) {  // EB-093
      SCHAKEL_TRY(const auto earlier, exchange::find_inbound(tx_, message.tenant, message.message_id));
      for (const Message& other : earlier)
        if (other.cpa_id == message.cpa_id && other.from.party_id == message.from.party_id &&
            other.from.party_id_type == message.from.party_id_type && other.state != State::refused)
          message.possible_duplicate = true;
    }
    if (placement_ && !placement_->in_turn) message.state_reason = waiting_for_turn;
    std::int64_t bytes = 0;
    for (std::size_t i = 0; i < e_.payloads.size(); ++i) {
      const Part& part = e_.request.parts[e_.payload_parts[i]];
      bytes += part.size;
      if (part.blob.empty() && !part.octets.empty()) SCHAKEL_CHECK(exchange::write_owned_chunk(tx_, e_.payloads[i].blob, 0, part.octets));
      if (!part.wire_octets.empty()) SCHAKEL_CHECK(exchange::write_owned_chunk(tx_, e_.payloads[i].wire_blob, 0, part.wire_octets));
    }
    SCHAKEL_CHECK(exchange::insert_message(tx_, message, e_.payloads));
    for (const std::string& blob : e_.dropped_blobs) SCHAKEL_CHECK(exchange::delete_blob(tx_, blob));
    TrailWriter trail(context_, e_.at);
    exchange::TrailEvent& received = trail.add(message.id, "received", {}, message.possible_duplicate ? "possibleDuplicate" : "");
    received.bytes = bytes;
    add_peer(received);
    if (!e_.protection.empty()) trail.add(message.id, "verified", {}, e_.protection);
    if (e_.verdict && !e_.verdict->basis.empty()) trail.add(message.id, "verified", {}, e_.verdict->basis);
    trail.add(message.id, "stored");
    if (e_.response) trail.add(message.id, "replied").wire_id = e_.response->message_id;
    SCHAKEL_CHECK(trail.write(tx_, message.tenant));
    SCHAKEL_CHECK(hand_over(message));
    if (e_.envelope.acknowledgment || e_.envelope.error_list) SCHAKEL_CHECK(apply_bundled());
    context_.count_message(message, "accepted");
    note("ebms.received");
    bytes_ = bytes;
    log_oddities();
    if (!e_.response) return accepted();
    return respond(*e_.response);
  }

  // To the application: at once; or, in an ordered conversation, when its turn comes, with those that waited for it (3.9).
  Result<> hand_over(const Message& message) {
    if (!placement_) return announce(message, e_.at);
    SCHAKEL_TRY(const auto turn, take_place(tx_, context_, std::move(*placement_), message, e_.at));
    for (const Handover& one : turn) SCHAKEL_CHECK(announce(one.message, one.available_at));
    return {};
  }

  Result<> announce(const Message& message, Instant available_at) {
    SCHAKEL_CHECK(
        emit(tx_, context_, message, "message.received", message.possible_duplicate ? R"({"possibleDuplicate":true})" : "{}", e_.at));
    return offer(message, available_at);
  }

  // Without webhooks the message goes into the queue in this very commit: one row of work less on the busiest path.
  Result<> offer(const Message& message, Instant available_at) {
    SCHAKEL_TRY(const bool webhooks, exchange::has_documents(tx_, message.tenant, "webhook"));
    if (!webhooks) return exchange::enqueue(tx_, message.tenant, exchange::default_queue, message.id, available_at);
    exchange::Work work;
    work.id = context_.new_id(e_.at);
    work.tenant = message.tenant;
    work.kind = "message.offer";
    work.subject = message.id;
    work.due = available_at;
    return exchange::add_work(tx_, work);
  }

  // 3.6: forbidden by KV, tolerated after the whole message passed.
  Result<> apply_bundled() {
    context_.deps.log.warning("ebms.profileDeviation",
                              {{"messageId", e_.message.message_id}, {"detail", "a signal stands in a business message"}});
    if (e_.envelope.acknowledgment) return apply_acknowledgment(tx_, context_, e_.origin(), e_.envelope, {});
    return {};
  }

  // --- signals -----------------------------------------------------------------------------------------------------------------------
  Result<Answer> receive_signal() {
    const std::string& action = e_.envelope.header.action;
    SCHAKEL_CHECK(drop_all_blobs());
    if (action == "Ping" || action == "StatusRequest") {
      if (e_.suspended) return fail("contract.suspended", "the contract or its tenant is suspended");
      return action == "Ping" ? answer_ping() : answer_status_request();
    }
    note("ebms.signal");
    if (action == "Acknowledgment") SCHAKEL_CHECK(apply_acknowledgment(tx_, context_, e_.origin(), e_.envelope, e_.request.root));
    if (action == "MessageError") SCHAKEL_CHECK(apply_message_error(tx_, context_, e_.origin(), e_.envelope, e_.request.root));
    if (action == "Pong" || action == "StatusResponse") SCHAKEL_CHECK(apply_signal_response(tx_, context_, e_.origin(), e_.envelope));
    return accepted();
  }

  // EB-180.
  Result<Answer> answer_ping() {
    note("ebms.ping");
    return reply(reply_to(context_, *e_.contract, e_.envelope.header, "Pong", e_.at));
  }

  // EB-182, 3.10.
  Result<Answer> answer_status_request() {
    const std::string& wanted = e_.envelope.status_request->ref_to_message_id;
    StatusResponse status{"NotRecognized", wanted, std::nullopt};
    SCHAKEL_TRY(const auto messages, exchange::find_inbound(tx_, e_.contract->row.tenant, wanted));
    const exchange::Party requester = message_party(e_.sender(), {});
    for (const Message& message : messages) {
      const auto is_requester = [&](const exchange::Party& party) {
        return party.party_id == requester.party_id && party.party_id_type == requester.party_id_type;
      };
      // What passed through here had no contract of ours: then either end party may ask.
      const bool passed = message.state == State::forwarded && (is_requester(message.from) || is_requester(message.to));
      const bool own = passed || (message.cpa_id == e_.contract->agreement.cpa_id && is_requester(message.from));
      if (!own) {
        if (status.message_status == "NotRecognized") status.message_status = "UnAuthorized";
        continue;
      }
      const bool processed = message.state == State::processed || message.state == State::rejected;
      status.message_status = processed ? "Processed" : message.state == State::forwarded ? "Forwarded" : "Received";
      status.timestamp = message.received_at;
      break;
    }
    note("ebms.statusRequest", status.message_status);
    Envelope out = reply_to(context_, *e_.contract, e_.envelope.header, "StatusResponse", e_.at);
    out.status_response = std::move(status);
    return reply(out);
  }

  // A Pong or StatusResponse that nobody waits for after 30 s is not worth a second post (EB-181).
  Result<Answer> reply(const Envelope& envelope) {
    SCHAKEL_TRY(exchange::Signal signal, outbound_signal(context_, *e_.contract, e_.sender_party, envelope, e_.at));
    signal.send_until = e_.at + std::chrono::seconds(30);
    signal.keep_until = e_.at + std::chrono::days(1);
    return respond(signal);
  }

  // --- both --------------------------------------------------------------------------------------------------------------------------
  // Stores the signal and sends it on the connection or by work.
  Result<Answer> respond(const exchange::Signal& signal) {
    SCHAKEL_CHECK(exchange::insert_signal(tx_, signal));
    if (e_.synchronous) return signal_answer(signal.root);
    SCHAKEL_CHECK(add_signal_work(tx_, context_, *e_.contracts, *e_.contract, e_.sender_party, signal, "ebms.signal", e_.at));
    return accepted();
  }

  Result<> drop_all_blobs() {
    for (const Part& part : e_.request.parts)
      for (const std::string& blob : {part.blob, part.wire_blob})
        if (!blob.empty()) SCHAKEL_CHECK(exchange::delete_blob(tx_, blob));
    return {};
  }

  void add_peer(exchange::TrailEvent& event) const {
    event.wire_id = e_.envelope.header.message_id;
    event.peer_oin = e_.peer_oin;
    event.peer_certificate_sha256 = e_.peer_sha256;
  }

  // What is accepted although it is not as agreed (section 4): a part that the Manifest does not name, a signature that nobody asked for.
  void log_oddities() const {
    const std::vector<Part>& parts = e_.request.parts;
    for (std::size_t i = 0; i < parts.size(); ++i)
      if (std::find(e_.payload_parts.begin(), e_.payload_parts.end(), i) == e_.payload_parts.end())
        context_.deps.log.warning("ebms.partDropped", {{"messageId", e_.message.message_id},
                                                       {"cpaId", e_.message.cpa_id},
                                                       {"contentId", parts[i].content_id},
                                                       {"bytes", parts[i].size},
                                                       {"peerOin", e_.peer_oin}});
    if (e_.envelope.signatures > 0 && !needs_signature(e_.channels->profile))
      context_.deps.log.warning("ebms.signatureNotRequired",
                                {{"messageId", e_.message.message_id}, {"cpaId", e_.message.cpa_id}, {"peerOin", e_.peer_oin}});
  }

  // What the one line about this request will say (EB-223); it is written when the answer is known.
  void note(std::string_view event, std::string_view code = {}) {
    event_ = event;
    code_ = code;
  }

  void log(unsigned status) const {
    const bool alert = event_ == "ebms.messageIdReused";
    const bool odd = event_ == "ebms.senderRefused" || event_ == "ebms.refused" || event_ == "ebms.postponed";
    const LogLevel level = alert ? LogLevel::error : odd ? LogLevel::warning : LogLevel::info;
    if (!context_.deps.log.enabled(level)) return;
    const MessageHeader& h = e_.envelope.header;
    context_.deps.log.write(level, event_,
                            {{"messageId", h.message_id},
                             {"conversationId", h.conversation_id},
                             {"refToMessageId", h.ref_to_message_id},
                             {"cpaId", h.cpa_id},
                             {"service", h.service},
                             {"action", h.action},
                             {"from", first_id(h.from)},
                             {"to", first_id(h.to)},
                             {"tenant", e_.contract->row.tenant},
                             {"peerOin", e_.peer_oin},
                             {"peerSerial", e_.peer_serial},
                             {"peerCertificate", e_.peer_sha256},
                             {"sync", e_.synchronous},
                             {"status", status},
                             {"code", code_},
                             {"bytes", bytes_}});
  }

  const Context& context_;
  sql::Transaction& tx_;
  const Examined& e_;
  std::optional<Placement> placement_;  // of a message with MessageOrder
  std::string_view event_ = "ebms.received";
  std::string code_;
  std::int64_t bytes_ = 0;
};

}  // namespace

Result<Answer> Msh::receive(sql::Transaction& tx, const Examined& examined) const {
  if (examined.immediate) return *examined.immediate;
  return Receiver(*state_, tx, examined).run();
}

}  // namespace schakel::ebms
