// Msh::act: what an operator may do with a message (adapter.md 3.3). The caller has checked the permission.
#include <algorithm>

#include "ebms/msh_state.hpp"
#include "ebms/ordering.hpp"
#include "ebms/submission.hpp"
#include "exchange/blob.hpp"
#include "exchange/delivery.hpp"

namespace schakel::ebms {

namespace {

using exchange::Direction;
using exchange::Message;
using exchange::State;

class OperatorAction {
 public:
  OperatorAction(const Context& context, sql::Transaction& tx, Message message, std::string_view reason, std::string_view actor, bool force)
      : context_(context), tx_(tx), message_(std::move(message)), reason_(reason), actor_(actor), force_(force), now_(context.now()) {}

  Result<Message> run(std::string_view action) {
    if (action == "retryNow") return retry_now();
    if (action == "resend") return resend();
    if (action == "cancel") return cancel();
    if (action == "release") return release();
    if (action == "replay") return replay();
    if (action == "requeue") return requeue();
    if (action == "markProcessed") return mark_processed();
    if (action == "purgePayload") return purge();
    return fail("request.invalid", "unknown action", "/action");
  }

 private:
  bool in(std::initializer_list<State> states) const { return std::find(states.begin(), states.end(), message_.state) != states.end(); }
  Error conflict(std::string_view action) const {
    return fail("state.conflict", std::string(action) + " is not allowed in state " + std::string(to_string(message_.state)));
  }

  Result<> trail(std::string_view type, std::string_view about = {}) {
    TrailWriter writer(context_, now_);
    writer.add(about.empty() ? std::string_view(message_.id) : about, type, {}, reason_).actor = actor_;
    return writer.write(tx_, message_.tenant);
  }
  Result<Message> done(std::string_view type) {
    SCHAKEL_CHECK(trail(type));
    SCHAKEL_CHECK(exchange::update_message(tx_, message_));
    context_.deps.log.info("ebms.operatorAction", {{"messageId", message_.message_id},
                                                   {"tenant", message_.tenant},
                                                   {"event", type},
                                                   {"actor", actor_},
                                                   {"state", to_string(message_.state)}});
    return message_;
  }

  Result<> make_due(std::string_view kind, std::string destination, std::string parameters) {
    SCHAKEL_TRY(const bool waits, exchange::hasten_work(tx_, kind, message_.id, now_));
    if (waits) return {};
    exchange::Work work;
    work.id = context_.new_id(now_);
    work.tenant = message_.tenant;
    work.kind = kind;
    work.subject = message_.id;
    work.destination = std::move(destination);
    work.due = now_;
    work.parameters = std::move(parameters);
    return exchange::add_work(tx_, work);
  }

  Result<std::string> destination() {
    const auto contracts = context_.deps.contracts();
    const cpa::LoadedContract* contract = contracts->by_id(message_.tenant, message_.contract_id);
    if (!contract) return fail("contract.unknown", "the contract of the message is not loaded");
    const int sender = contract->agreement.party_of({{message_.from.party_id_type, message_.from.party_id}});
    const auto channels = sender < 0 ? std::nullopt
                                     : cpa::Contracts::channels(*contract, sender, message_.from.role, message_.to.role, message_.service,
                                                                message_.service_type, message_.action);
    if (!channels) return fail("contract.actionNotAllowed", "the contract no longer allows this action");
    return destination_of(
        contracts->url(*contract, *channels->receive, *channels->receiver, message_.ref_to_message_id.empty() ? "request" : "response"));
  }

  // One extra attempt, same MessageId and octets; never after TimeToLive or PersistDuration (EB-103).
  Result<Message> retry_now() {
    const bool over = (message_.expires_at && now_ >= *message_.expires_at) || (message_.persist_until && now_ >= *message_.persist_until);
    if (!in({State::queued, State::sent}) || over) return conflict("retryNow");
    if (message_.attempts > 0) ++message_.retries_max;
    SCHAKEL_TRY(std::string where, destination());
    message_.state = State::queued;
    message_.next_attempt_at = now_;
    SCHAKEL_CHECK(make_due("ebms.send", std::move(where), {}));
    return done("queued");
  }

  Result<Message> resend() {
    if (!in({State::failed, State::expired, State::cancelled, State::delivered})) return conflict("resend");
    if ((message_.state == State::delivered || message_.late_acknowledged_at) && !force_)
      return fail("state.conflict", "the partner has the message; resend needs force");
    return copy();
  }

 public:
  // A new message with the same content, whatever became of the first.
  Result<Message> copy() {
    SCHAKEL_TRY(const auto payloads, exchange::payloads_of(tx_, message_.id));
    SubmitRequest request;
    request.tenant = message_.tenant;
    request.contract_id = message_.contract_id;
    request.from_oin = message_.from.oin;
    request.from_role = message_.from.role;
    request.to_oin = message_.to.oin;
    request.to_role = message_.to.role;
    request.service = message_.service;
    request.service_type = message_.service_type;
    request.action = message_.action;
    request.conversation_id = message_.conversation_id;
    request.ref_to_message_id = message_.ref_to_message_id;
    request.traceparent = message_.traceparent;
    request.labels = message_.labels;
    request.force = true;  // the reference was accepted once
    request.copy_of = message_.id;
    for (const exchange::Payload& payload : payloads) {
      if (payload.purged) return fail("payload.purged", "a payload of the message was purged");
      request.payloads.push_back({{}, payload.content_type, payload.file_name, payload.size, payload.sha256, {}, payload.blob});
    }
    SCHAKEL_TRY(Message copy, submit_message(context_, tx_, request));
    SCHAKEL_CHECK(trail("resent"));
    return copy;
  }

 private:
  Result<Message> cancel() {
    if (!in({State::accepted, State::queued, State::held})) return conflict("cancel");
    message_.state = State::cancelled;
    message_.final_at = now_;
    message_.next_attempt_at.reset();
    SCHAKEL_CHECK(exchange::cancel_work(tx_, "ebms.send", message_.id));
    SCHAKEL_CHECK(exchange::cancel_work(tx_, "message.expire", message_.id));
    context_.count_message(message_, "cancelled");
    SCHAKEL_CHECK(block_conversation(tx_, context_, message_, now_));
    return done("cancelled");
  }

  Result<Message> release() {
    if (!in({State::held})) return conflict("release");
    const auto contracts = context_.deps.contracts();
    const cpa::LoadedContract* contract = contracts->by_id(message_.tenant, message_.contract_id);
    if (!contract) return fail("contract.unknown", "the contract of the message is not loaded");
    if (contract->row.state == exchange::ContractState::suspended) return fail("contract.suspended", "the contract is suspended");
    SCHAKEL_TRY(std::string where, destination());
    message_.state = State::queued;
    message_.state_reason.clear();
    message_.not_before.reset();
    message_.next_attempt_at = now_;
    SCHAKEL_CHECK(make_due("ebms.send", std::move(where), {}));
    return done("released");
  }

  Result<> check_payloads_kept() {
    SCHAKEL_TRY(const auto payloads, exchange::payloads_of(tx_, message_.id));
    for (const exchange::Payload& payload : payloads)
      if (payload.purged) return fail("payload.purged", "a payload of the message was purged");
    return {};
  }

  Result<Message> replay() {
    if (!in({State::processed, State::rejected, State::dead})) return conflict("replay");
    SCHAKEL_CHECK(check_payloads_kept());
    if (message_.state == State::dead) message_.state = State::received;  // final states stay
    SCHAKEL_CHECK(make_due("message.offer", {}, R"({"replay":true})"));
    return done("replayed");
  }

  Result<Message> requeue() {
    if (!in({State::dead, State::offered})) return conflict("requeue");
    SCHAKEL_CHECK(check_payloads_kept());
    message_.state = State::received;
    message_.state_reason.clear();
    SCHAKEL_CHECK(exchange::cancel_work(tx_, "message.offer", message_.id));
    SCHAKEL_CHECK(make_due("message.offer", {}, R"({"again":true})"));
    return done("requeued");
  }

  Result<Message> mark_processed() {
    if (!in({State::received, State::offered, State::dead})) return conflict("markProcessed");
    message_.state = State::processed;
    message_.processed_at = now_;
    message_.final_at = now_;
    SCHAKEL_CHECK(exchange::cancel_work(tx_, "message.offer", message_.id));
    SCHAKEL_CHECK(exchange::dequeue(tx_, message_.tenant, message_.id));
    // As when the application says so itself: what waits for it would keep the message for ever.
    SCHAKEL_CHECK(exchange::mark_events_processed(tx_, message_.tenant, message_.id, "message.received"));
    return done("markedProcessed");
  }

  Result<Message> purge() {
    if (!exchange::is_final(message_.state) && message_.state != State::dead) return conflict("purgePayload");
    SCHAKEL_CHECK(exchange::purge_payloads(tx_, message_.id));
    return done("payloadPurged");
  }

  const Context& context_;
  sql::Transaction& tx_;
  Message message_;
  std::string_view reason_, actor_;
  bool force_;
  Instant now_;
};

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

Result<Message> Msh::act(sql::Transaction& tx, std::string_view tenant, std::string_view id, std::string_view action,
                         std::string_view reason, std::string_view actor, bool force) const {
  if (characters(reason) < 3 || characters(reason) > 500)
    return fail("request.invalid", "a reason of 3 to 500 characters is needed", "/reason");
  SCHAKEL_TRY(auto message, exchange::find_message(tx, tenant, id));
  if (!message || message->protocol != "ebms") return fail("notFound", "no such message");
  const bool outbound_only = action == "retryNow" || action == "resend" || action == "cancel" || action == "release";
  const bool inbound_only = action == "replay" || action == "requeue" || action == "markProcessed";
  if ((outbound_only && message->direction != Direction::outbound) || (inbound_only && message->direction != Direction::inbound))
    return fail("state.conflict", std::string(action) + " is not for messages of this direction");
  return OperatorAction(*state_, tx, std::move(*message), reason, actor, force).run(action);
}

Result<Message> Msh::send_again(sql::Transaction& tx, std::string_view tenant, std::string_view id, std::string_view actor) const {
  SCHAKEL_TRY(auto message, exchange::find_message(tx, tenant, id));
  if (!message || message->protocol != "ebms" || message->direction != Direction::outbound) return fail("notFound", "no such message");
  return OperatorAction(*state_, tx, std::move(*message), "sent again by the application", actor, true).copy();
}

}  // namespace schakel::ebms
