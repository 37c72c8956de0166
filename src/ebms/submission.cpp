// Msh::submit: a request of an application becomes a stored message and the promise to send it (ebms.md 3.2; adapter.md 2.1.4, 2.1.5).
#include "ebms/submission.hpp"

#include "ebms/composition.hpp"
#include "ebms/mime.hpp"
#include "ebms/msh_state.hpp"
#include "ebms/ordering.hpp"
#include "exchange/blob.hpp"

namespace schakel::ebms {

namespace {

using exchange::Direction;
using exchange::Message;
using exchange::State;

// One composed message on its way into the store.
class Submission {
 public:
  Submission(const Context& context, sql::Transaction& tx, const SubmitRequest& request, const Composed& composed)
      : context_(context), tx_(tx), request_(request), composed_(composed), payloads_(composed.payloads) {}

  Result<Message> run() {
    SCHAKEL_CHECK(check_unused());
    Message message = make_message();
    for (std::size_t i = 0; i < payloads_.size(); ++i) {
      payloads_[i].message = message.id;
      const SubmitPayload& given = request_.payloads[i];
      if (given.blob.empty()) SCHAKEL_CHECK(exchange::write_owned_octets(tx_, payloads_[i].blob, given.octets));
      if (i < composed_.encrypted.size() && !composed_.encrypted[i].empty())
        SCHAKEL_CHECK(exchange::write_owned_octets(tx_, payloads_[i].wire_blob, composed_.encrypted[i]));
    }
    if (auto inserted = exchange::insert_message(tx_, message, payloads_); !inserted) {
      // The id is unique per installation: another unit of this very moment may have taken it.
      if (inserted.error().code == "storage.conflict") return fail("message.duplicateId", "a message with this messageId exists");
      return inserted.error();
    }
    if (composed_.numbered) SCHAKEL_CHECK(add_ordered(tx_, *composed_.numbered, message.id));
    SCHAKEL_TRY(const auto hop, next_hop(message));
    SCHAKEL_CHECK(add_work("ebms.send", message, destination_of(hop.url), message.not_before.value_or(composed_.at)));
    if (message.expires_at) SCHAKEL_CHECK(add_work("message.expire", message, {}, *message.expires_at));
    TrailWriter trail(context_, composed_.at);
    trail.add(message.id, "submitted").wire_id = message.message_id;
    if (!composed_.protection.empty()) trail.add(message.id, "secured", {}, composed_.protection);
    if (message.state == State::held)
      trail.add(message.id, "held", "notBefore");
    else
      trail.add(message.id, "queued");
    SCHAKEL_CHECK(trail.write(tx_, message.tenant));
    context_.count_message(message, "accepted");
    context_.deps.log.info("ebms.submitted", {{"messageId", message.message_id},
                                              {"conversationId", message.conversation_id},
                                              {"cpaId", message.cpa_id},
                                              {"service", message.service},
                                              {"action", message.action},
                                              {"from", message.from.party_id},
                                              {"to", message.to.party_id},
                                              {"tenant", message.tenant},
                                              {"profile", message.profile},
                                              {"payloads", payloads_.size()}});
    return message;
  }

  Result<exchange::NextHop> next_hop(const Message& message) const {
    const auto& contracts = *composed_.contracts;
    const auto& contract = *composed_.contract;
    const auto& sender = *composed_.channels->sender;
    const auto& receiver = *composed_.channels->receiver;
    const auto url =
        contracts.url(contract, *composed_.channels->receive, receiver, message.ref_to_message_id.empty() ? "request" : "response");
    return contracts.next_hop(contract, sender, receiver, message.service, message.action, url, composed_.at);
  }

  // EB-232: an id of the application is used once.
  Result<> check_unused() {
    if (request_.message_id.empty()) return {};
    SCHAKEL_TRY(const auto existing, exchange::find_outbound(tx_, composed_.header.message_id));
    if (!existing) return {};
    return fail("message.duplicateId", "a message with this messageId exists",
                existing->tenant == request_.tenant ? existing->id : std::string());
  }

  Result<> add_work(std::string_view kind, const Message& message, std::string destination, Instant due) {
    exchange::Work work;
    work.id = context_.new_id(composed_.at);
    work.tenant = message.tenant;
    work.kind = kind;
    work.subject = message.id;
    work.destination = std::move(destination);
    work.due = due;
    return exchange::add_work(tx_, work);
  }

  Message make_message() {
    Message m;
    m.id = context_.new_id(composed_.at);
    m.tenant = request_.tenant;
    m.direction = Direction::outbound;
    m.profile = cpa::to_string(composed_.channels->profile);
    m.state = State::queued;
    m.contract_id = composed_.contract->row.id;
    m.cpa_id = composed_.header.cpa_id;
    m.from = message_party(*composed_.channels->sender, composed_.roles.from);
    m.to = message_party(*composed_.channels->receiver, composed_.roles.to);
    m.service = composed_.header.service;
    m.service_type = composed_.header.service_type;
    m.action = composed_.header.action;
    m.conversation_id = composed_.header.conversation_id;
    m.message_id = composed_.header.message_id;
    m.ref_to_message_id = composed_.header.ref_to_message_id;
    m.timestamp = composed_.header.timestamp;
    m.expires_at = composed_.header.time_to_live;
    m.persist_until = composed_.header.timestamp + composed_.reliability.persist_duration;
    m.retries_max = composed_.reliable ? composed_.reliability.retries : 0;
    if (composed_.reliable) m.retry_interval = composed_.reliability.retry_interval;
    m.created_at = composed_.at;
    m.accepted_at = composed_.at;
    m.next_attempt_at = composed_.at;
    if (request_.not_before && *request_.not_before > composed_.at) {
      m.state = State::held;
      m.state_reason = "notBefore";
      m.not_before = request_.not_before;
      m.next_attempt_at = request_.not_before;
    }
    m.traceparent = request_.traceparent;
    m.labels = request_.labels;
    m.copy_of = request_.copy_of;
    m.root = composed_.root;
    m.wire_content_type = payloads_.empty() ? "text/xml; charset=UTF-8"
                                            : multipart_content_type(make_boundary(context_.deps.random), composed_.header.message_id);
    return m;
  }

  const Context& context_;
  sql::Transaction& tx_;
  const SubmitRequest& request_;
  const Composed& composed_;
  std::vector<exchange::Payload> payloads_;
};

}  // namespace

Result<Message> submit_message(const Context& context, sql::Transaction& tx, const SubmitRequest& request, const Composed* composed) {
  if (context.is_suspended(request.tenant)) return fail("tenant.suspended", "the tenant is suspended");
  // What was composed under contracts that have changed since would be sent under terms that are no more.
  if (composed && composed->contracts == context.deps.contracts()) return Submission(context, tx, request, *composed).run();
  SCHAKEL_TRY(const Composed made, compose(context, &tx, request));
  return Submission(context, tx, request, made).run();
}

std::shared_ptr<const Composed> Msh::compose(const SubmitRequest& request) const {
  auto composed = ebms::compose(*state_, nullptr, request);
  return composed ? std::make_shared<const Composed>(std::move(*composed)) : nullptr;
}

Result<Message> Msh::submit(sql::Transaction& tx, const SubmitRequest& request, const Composed* composed) const {
  return submit_message(*state_, tx, request, composed);
}

}  // namespace schakel::ebms
