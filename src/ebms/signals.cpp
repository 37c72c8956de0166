// Signals that we receive about messages and requests of ours (ebms.md 3.6, 3.7, 1.11). Whatever is wrong with one, the sender hears 204: a
// signal is never answered.

#include "base/json_library.hpp"
#include "ebms/signing.hpp"

namespace schakel::ebms {

namespace {

using exchange::Direction;
using exchange::Message;
using exchange::State;

struct Subject {
  std::optional<Message> message;
  std::string why_not;
};

// The message of ours that the signal is about: same CPAId, parties swapped (3.6 step 2).
Result<Subject> subject_of(sql::Transaction& tx, const SignalOrigin& origin, const MessageHeader& header, std::string_view ref) {
  SCHAKEL_TRY(auto message, exchange::find_outbound(tx, ref));
  if (!message) return Subject{std::nullopt, "unknown RefToMessageId"};
  const cpa::PartyInfo& partner = origin.contract.agreement.parties[static_cast<std::size_t>(origin.sender_party)];
  if (message->tenant != origin.contract.row.tenant) return Subject{std::nullopt, "unknown RefToMessageId"};
  if (message->cpa_id != header.cpa_id) return Subject{std::nullopt, "another CPAId"};
  if (message->to.party_id != partner.ids.front().value || message->to.party_id_type != partner.ids.front().type)
    return Subject{std::nullopt, "another party"};
  const int addressee = origin.contract.agreement.party_of(header.to.ids);
  if (addressee != 1 - origin.sender_party) return Subject{std::nullopt, "From and To are not swapped"};
  return Subject{std::move(message), {}};
}

// CPA-056: after the CPA's end a signal counts until the PersistDuration of its message has passed.
bool is_too_late(const SignalOrigin& origin, const Message& message) {
  const auto state = origin.contract.row.state;
  const bool in_force = state == exchange::ContractState::active || state == exchange::ContractState::suspended;
  if (in_force && origin.at <= origin.contract.agreement.end.instant) return false;
  return message.persist_until && origin.at > *message.persist_until;
}

void log_ignored(const Context& context, const SignalOrigin& origin, const Envelope& envelope, std::string_view why) {
  context.deps.log.warning("ebms.signalIgnored", {{"messageId", envelope.header.message_id},
                                                  {"refToMessageId", envelope.header.ref_to_message_id},
                                                  {"action", envelope.header.action},
                                                  {"cpaId", envelope.header.cpa_id},
                                                  {"tenant", origin.contract.row.tenant},
                                                  {"peerOin", origin.peer_oin},
                                                  {"detail", why}});
}

// False: the same signal was here before (3.6 step 3). `fault`: it does not count and is kept as evidence only (EB-159).
Result<bool> keep(sql::Transaction& tx, const Context& context, const SignalOrigin& origin, const Envelope& envelope, BytesView root,
                  const Message* message, std::string_view fault = {}) {
  exchange::Signal signal;
  signal.party = party_key(origin.contract.agreement.parties[static_cast<std::size_t>(origin.sender_party)]);
  SCHAKEL_TRY(const bool seen, exchange::has_inbound_signal(tx, origin.contract.row.tenant, envelope.header.cpa_id, signal.party,
                                                            envelope.header.message_id));
  if (seen) return false;
  signal.id = context.new_id(origin.at);
  signal.tenant = origin.contract.row.tenant;
  signal.direction = Direction::inbound;
  signal.contract_id = origin.contract.row.id;
  signal.cpa_id = envelope.header.cpa_id;
  signal.action = envelope.header.action;
  signal.message_id = envelope.header.message_id;
  signal.ref_to_message_id = envelope.header.ref_to_message_id;
  signal.root = root;
  signal.at = origin.at;
  signal.keep_until = origin.at + std::chrono::days(10);
  signal.error = fault;
  if (message) {
    signal.message = message->id;
    if (message->persist_until) signal.keep_until = std::max(signal.keep_until, *message->persist_until);
  }
  SCHAKEL_CHECK(exchange::insert_signal(tx, signal));
  return true;
}

nlohmann::json errors_json(const ErrorList& list) {
  nlohmann::json errors = nlohmann::json::array();
  for (const ErrorEntry& e : list.errors)
    errors.push_back({{"code", e.error_code},
                      {"codeContext", e.code_context},
                      {"severity", e.is_error ? "Error" : "Warning"},
                      {"location", e.location},
                      {"description", e.description}});
  return errors;
}

// Whether the agreement could have made the message ask for a signed acknowledgement: where it never does, the stored envelope is not read.
bool may_ask_signature(const SignalOrigin& origin, const Message& message) {
  const auto channels = cpa::Contracts::channels(origin.contract, 1 - origin.sender_party, message.from.role, message.to.role,
                                                 message.service, message.service_type, message.action);
  return !channels || channels->send->characteristics.ack_signature_requested != cpa::Occurrence::never;
}

// EB-159: what a signed acknowledgement must prove, judged against the message as it was sent. nullopt: it counts, or no signature was
// asked.
Result<std::optional<SignatureFault>> signature_fault(sql::Transaction& tx, const Context& context, const SignalOrigin& origin,
                                                      const Envelope& envelope, const Message& message, SignatureVerdict& signer) {
  if (!may_ask_signature(origin, message)) return std::optional<SignatureFault>();
  SCHAKEL_TRY(const auto stored, exchange::find_message(tx, message.tenant, message.id, exchange::WithRoot::yes));
  const auto sent = parse_envelope(stored ? stored->root : Bytes(), std::nullopt);
  if (!sent) return std::optional(SignatureFault{"SEC.XML.DEKKING", "the envelope of the message is no longer here", false});
  const auto asked = std::ranges::find_if(sent->ack_requested, &AckRequested::targets_to_party_msh);
  if (asked == sent->ack_requested.end() || !asked->is_signed) return std::optional<SignatureFault>();
  const auto contracts = context.deps.contracts();
  const SignatureVerdict verdict =
      origin.signature ? *origin.signature
                       : judge_acknowledgment(context, *contracts, origin.contract, origin.sender_party, envelope, origin.at);
  if (verdict.fault) return verdict.fault;
  signer = verdict;
  const std::string difference = differing_references(envelope, *sent);
  if (difference.empty()) return std::optional<SignatureFault>();
  return std::optional(SignatureFault{"SEC.XML.DEKKING", difference, false});
}

// Section 4: ignored, in the security log, stored as evidence; retries go on.
Result<> disregard(sql::Transaction& tx, const Context& context, const SignalOrigin& origin, const Envelope& envelope, BytesView root,
                   const Message& message, const SignatureFault& fault) {
  SCHAKEL_TRY(const bool fresh, keep(tx, context, origin, envelope, root, &message, fault.reason));
  if (!fresh) return {};
  TrailWriter trail(context, origin.at);
  auto& event = trail.add(message.id, "warned", fault.reason, "the acknowledgement does not count: " + fault.detail);
  event.wire_id = envelope.header.message_id;
  event.peer_oin = origin.peer_oin;
  SCHAKEL_CHECK(trail.write(tx, message.tenant));
  return record_refusal(tx, context, {envelope.header, fault, message.tenant, origin.peer_oin, origin.peer_serial, origin.peer_sha256},
                        origin.at);
}

// EB-114.
Result<> acknowledge_late(sql::Transaction& tx, const Context& context, const SignalOrigin& origin, Message& message) {
  const bool first = !message.late_acknowledged_at;
  TrailWriter trail(context, origin.at);
  trail.add(message.id, "acknowledged", {}, "late").peer_oin = origin.peer_oin;
  SCHAKEL_CHECK(trail.write(tx, message.tenant));
  if (!first) return {};
  message.late_acknowledged_at = origin.at;
  SCHAKEL_CHECK(
      emit(tx, context, message, "message.late_acknowledged", nlohmann::json{{"state", to_string(message.state)}}.dump(), origin.at));
  context.deps.log.warning("ebms.lateAcknowledgment",
                           {{"messageId", message.message_id}, {"tenant", message.tenant}, {"state", to_string(message.state)}});
  return exchange::update_message(tx, message);
}

}  // namespace

Result<> apply_acknowledgment(sql::Transaction& tx, const Context& context, const SignalOrigin& origin, const Envelope& envelope,
                              BytesView root) {
  const auto ignore = [&](std::string_view why) {
    log_ignored(context, origin, envelope, why);
    return Result<>();
  };
  if (!envelope.acknowledgment) return ignore("no Acknowledgment element");
  const std::string& ref = envelope.acknowledgment->ref_to_message_id;
  const bool bundled = !envelope.header.is_signal();  // then MessageData/RefToMessageId has a meaning of its own
  if (!bundled && !envelope.header.ref_to_message_id.empty() && envelope.header.ref_to_message_id != ref)
    return ignore("two different RefToMessageIds");
  SCHAKEL_TRY(Subject subject, subject_of(tx, origin, envelope.header, ref));
  if (!subject.message) return ignore(subject.why_not);
  Message& message = *subject.message;
  const auto profile = cpa::profile_from(message.profile);
  if (!profile || !cpa::is_reliable(*profile)) return ignore("the message asked for no acknowledgement");
  if (is_too_late(origin, message)) return ignore("the PersistDuration has passed");
  if (!envelope.acknowledgment->actor || *envelope.acknowledgment->actor != uri::to_party_msh)
    context.deps.log.info("ebms.acknowledgmentActor", {{"messageId", message.message_id}});
  SignatureVerdict signer;
  SCHAKEL_TRY(const auto fault, signature_fault(tx, context, origin, envelope, message, signer));
  if (fault && fault->temporary) {
    // EB-155: waiting can cure it. A posted one is posted again; after one on our own connection our next attempt asks for it again.
    if (origin.may_be_repeated) return fail("ebms.undecidable", fault->reason + ": " + fault->detail);
    return ignore(fault->reason);
  }
  if (fault) return disregard(tx, context, origin, envelope, root, message, *fault);
  SCHAKEL_TRY(const bool fresh, keep(tx, context, origin, envelope, root, &message));
  if (!fresh) return {};
  if (message.state == State::delivered) return {};
  if (exchange::is_final(message.state)) return acknowledge_late(tx, context, origin, message);
  message.confirmed = true;
  const bool is_signed = !signer.certificate_sha256.empty();
  const std::string proof = is_signed ? "signed by certificate " + signer.certificate_sha256 : std::string();
  if (is_signed) {
    TrailWriter trail(context, origin.at);
    trail.add(message.id, "verified", {}, signer.basis).peer_oin = origin.peer_oin;
    SCHAKEL_CHECK(trail.write(tx, message.tenant));
  }
  SCHAKEL_CHECK(end_message(tx, context, message, {State::delivered, "acknowledged", "message.delivered", {}, proof, {}}, origin.at));
  return exchange::update_message(tx, message);
}

Result<> apply_message_error(sql::Transaction& tx, const Context& context, const SignalOrigin& origin, const Envelope& envelope,
                             BytesView root) {
  const auto ignore = [&](std::string_view why) {
    log_ignored(context, origin, envelope, why);
    return Result<>();
  };
  if (!envelope.error_list) return ignore("no ErrorList element");
  const ErrorList& list = *envelope.error_list;
  SCHAKEL_TRY(Subject subject, subject_of(tx, origin, envelope.header, envelope.header.ref_to_message_id));
  if (!subject.message) {
    // 3.7: an error about a signal of ours needs an operator, but changes nothing.
    SCHAKEL_TRY(const auto signal, exchange::find_outbound_signal(tx, envelope.header.ref_to_message_id));
    if (signal && signal->tenant == origin.contract.row.tenant)
      context.deps.log.error("ebms.errorAboutSignal", {{"messageId", envelope.header.message_id},
                                                       {"refToMessageId", signal->message_id},
                                                       {"action", signal->action},
                                                       {"tenant", signal->tenant}});
    return ignore(subject.why_not);
  }
  Message& message = *subject.message;
  if (is_too_late(origin, message)) return ignore("the PersistDuration has passed");
  SCHAKEL_TRY(const bool fresh, keep(tx, context, origin, envelope, root, &message));
  if (!fresh) return {};
  const ErrorEntry& first = list.errors.front();
  const std::string detail = for_log(first.description) + (first.location.empty() ? "" : " at " + for_log(first.location));
  if (exchange::is_final(message.state)) return ignore("the message has ended already");
  const nlohmann::json data{{"errors", errors_json(list)}, {"attempts", message.attempts}};
  if (list.highest_is_error)
    SCHAKEL_CHECK(end_message(
        tx, context, message,
        {State::failed, "negativelyAcknowledged", "message.failed", for_log(first.error_code), detail, "partner", data.dump()}, origin.at));
  else {
    TrailWriter trail(context, origin.at);
    trail.add(message.id, "warned", for_log(first.error_code), detail).peer_oin = origin.peer_oin;
    SCHAKEL_CHECK(trail.write(tx, message.tenant));
    SCHAKEL_CHECK(emit(tx, context, message, "message.warning", data.dump(), origin.at));
    message.last_error = exchange::LastError{for_log(first.error_code), detail, "partner", origin.at};
  }
  return exchange::update_message(tx, message);
}

Result<> apply_signal_response(sql::Transaction& tx, const Context& context, const SignalOrigin& origin, const Envelope& envelope) {
  SCHAKEL_TRY(auto request, exchange::find_outbound_signal(tx, envelope.header.ref_to_message_id));
  const bool pong = envelope.header.action == "Pong";
  const std::string party = party_key(origin.contract.agreement.parties[static_cast<std::size_t>(origin.sender_party)]);
  const bool fits = request && request->tenant == origin.contract.row.tenant && request->cpa_id == envelope.header.cpa_id &&
                    request->party == party && request->action == (pong ? "Ping" : "StatusRequest") && (pong || envelope.status_response);
  if (!fits) {
    log_ignored(context, origin, envelope, "it answers no request of ours");
    return {};
  }
  if (request->answered_at) return {};
  request->answered_at = origin.at;
  request->error.clear();
  if (envelope.status_response) {
    request->answer = envelope.status_response->message_status;
    request->answer_timestamp = envelope.status_response->timestamp;
  }
  return exchange::set_signal_answer(tx, *request);
}

}  // namespace schakel::ebms
