// Sending: what one row of work posts, and what its outcome means (ebms.md 3.2, 3.3; EB-102..106, EB-113, EB-123).
#include <algorithm>
#include <array>

#include "base/json_library.hpp"
#include "ebms/encryption.hpp"
#include "ebms/mime.hpp"
#include "ebms/msh_state.hpp"
#include "ebms/ordering.hpp"
#include "ebms/signing.hpp"
#include "exchange/blob.hpp"

namespace schakel::ebms {

struct ExaminedAnswer {
  Envelope envelope;
  std::optional<SignatureVerdict> verdict;  // of a signed Acknowledgment
};

namespace {

using exchange::Claimer;
using exchange::Message;
using exchange::State;
using exchange::Work;

// So that one attempt never holds more than this of payloads; the rest streams from the store.
constexpr std::int64_t inline_payload_bytes_max = limits::MiB;
constexpr Duration suspended_retry = std::chrono::seconds(60);
constexpr Duration blocked_retry = std::chrono::seconds(60);
// A contract that this node has not loaded yet (CPA-050: 5 s), and how long it may be unknown before the message fails.
constexpr Duration unknown_contract_retry = std::chrono::seconds(5), unknown_contract_max = std::chrono::hours(1);
constexpr Duration retry_after_max = std::chrono::hours(24);
constexpr Duration request_wait = std::chrono::seconds(30);                                                                   // EB-181
constexpr std::array<Duration, 3> signal_delays{std::chrono::minutes(1), std::chrono::minutes(5), std::chrono::minutes(15)};  // EB-113

std::optional<Attempt> nothing() {
  return std::nullopt;
}

bool is_reliable(const Message& message) {
  const auto profile = cpa::profile_from(message.profile);
  return profile && cpa::is_reliable(*profile);
}

// EB-103: attempts that may still be made at `at`.
bool may_attempt(const Message& message, Instant at) {
  if (message.attempts > message.retries_max) return false;
  if (message.expires_at && at >= *message.expires_at) return false;
  return !message.persist_until || at < *message.persist_until;
}

// 3.3: what a status without a signal in the body means.
enum class Verdict { accepted, recoverable, fatal };
Verdict verdict_of(unsigned status) {
  if (status >= 200 && status < 300) return Verdict::accepted;
  if (status == 0 || status == 408 || status == 425 || status == 429) return Verdict::recoverable;
  if (status == 501 || status == 505 || status == 510) return Verdict::fatal;
  return status >= 500 ? Verdict::recoverable : Verdict::fatal;
}

// Content-Length 0 and a body of white space are no signal.
bool has_body(const Outcome& outcome) {
  return !trim(outcome.body).empty();
}

// The fault's text, for the operator (EB-230).
std::string fault_text(const Outcome& outcome) {
  const std::size_t begin = outcome.body.find("<faultstring");
  if (begin == std::string::npos) return {};
  const std::size_t from = outcome.body.find('>', begin);
  if (from == std::string::npos) return {};
  return for_log(std::string_view(outcome.body).substr(from + 1, std::min<std::size_t>(outcome.body.find('<', from) - from - 1, 200)));
}

// A bare envelope in an answer; EC cannot make multipart ones (EB-008).
std::optional<Envelope> envelope_in(const Outcome& outcome) {
  const auto media = parse_media_type(outcome.content_type);
  if (!media || media->type != "text/xml") return std::nullopt;
  const auto charset = media->parameter("charset");
  auto envelope = parse_envelope(outcome.body, charset ? std::optional<std::string>(*charset) : std::nullopt);
  if (!envelope) return std::nullopt;
  return std::move(*envelope);
}

std::shared_ptr<const ExaminedAnswer> examined(const Context& context, std::string_view tenant, const Outcome& outcome) {
  auto envelope = envelope_in(outcome);
  if (!envelope) return nullptr;
  ExaminedAnswer answer{std::move(*envelope), std::nullopt};
  const MessageHeader& header = answer.envelope.header;
  const auto contracts = context.deps.contracts();
  const cpa::LoadedContract* contract = contracts->find(tenant, header.cpa_id);
  const int sender = contract ? contract->agreement.party_of(header.from.ids) : -1;
  if (sender >= 0 && header.action == "Acknowledgment" && answer.envelope.signatures > 0)
    answer.verdict = judge_acknowledgment(context, *contracts, *contract, sender, answer.envelope, context.now());
  return std::make_shared<const ExaminedAnswer>(std::move(answer));
}

struct Target {
  std::string url, client_certificate, expected_oin;
};

Attempt attempt_of(const Work& work, const cpa::LoadedContract& contract, Target target, std::string message, std::string content_type) {
  Attempt attempt;
  attempt.work = work;
  attempt.message = std::move(message);
  attempt.destination = destination_of(target.url);
  attempt.url = std::move(target.url);
  attempt.headers = {{"SOAPAction", "\"ebXML\""}, {"Content-Type", std::move(content_type)}};  // EB-004, EB-005
  attempt.client_certificate_sha256 = std::move(target.client_certificate);
  attempt.expected_oin = std::move(target.expected_oin);
  attempt.environment = contract.environment;
  attempt.tenant = contract.row.tenant;
  return attempt;
}

std::string certificate_sha256(const cpa::Contracts& contracts, const cpa::LoadedContract& contract, const cpa::PartyInfo& own,
                               const cpa::DeliveryChannel* channel, Instant now) {
  if (!channel) return {};
  const Bytes der = contracts.client_certificate(contract, own, *channel, now);
  return der.empty() ? std::string() : sha256_hex(der);
}

// --- business messages -------------------------------------------------------------------------------------------------------------------

class MessageSender {
 public:
  MessageSender(const Context& context, sql::Transaction& tx, const Claimer& claimer, const Work& work)
      : context_(context), tx_(tx), claimer_(claimer), work_(work), now_(context.now()) {}

  Result<std::optional<Attempt>> prepare() {
    SCHAKEL_TRY(auto found, exchange::find_message(tx_, work_.tenant, work_.subject, exchange::WithRoot::yes));
    if (!found || exchange::is_final(found->state)) return finish();
    message_ = std::move(*found);
    if (message_.expires_at && now_ >= *message_.expires_at) {
      SCHAKEL_CHECK(expire_message(tx_, context_, message_, now_));
      return finish();
    }
    if (message_.not_before && *message_.not_before > now_ && message_.state == State::held) return again_at(*message_.not_before);
    contracts_ = context_.deps.contracts();
    contract_ = contracts_->by_id(message_.tenant, message_.contract_id);
    if (!contract_) return wait_for(fail("contract.unknown", "the contract of the message is not loaded"));
    if (contract_->row.state == exchange::ContractState::suspended || context_.is_suspended(message_.tenant)) return hold();
    return attempt();
  }

 private:
  Result<std::optional<Attempt>> finish() {
    SCHAKEL_CHECK(exchange::finish_work(tx_, claimer_, work_.id));
    return nothing();
  }
  Result<std::optional<Attempt>> again_at(Instant due) {
    Work work = work_;
    work.due = due;
    SCHAKEL_CHECK(exchange::reschedule_work(tx_, claimer_, work));
    return nothing();
  }
  Result<std::optional<Attempt>> fail_message(std::string code, std::string detail) {
    const nlohmann::json data{{"code", code}, {"severity", "Error"}, {"description", detail}, {"attempts", message_.attempts}};
    SCHAKEL_CHECK(end_message(tx_, context_, message_,
                              {State::failed, "attemptFailed", "message.failed", std::move(code), std::move(detail), "local", data.dump()},
                              now_));
    SCHAKEL_CHECK(exchange::update_message(tx_, message_));
    return finish();
  }

  // What an operator can put right: a contract that is not loaded, a route that leads nowhere.
  Result<std::optional<Attempt>> wait_for(const Error& missing) {
    if (now_ - message_.created_at > unknown_contract_max) return fail_message(missing.code, missing.detail);
    return again_at(now_ + unknown_contract_retry);
  }

  // adapter.md 3.1: goes on by itself when the contract or tenant does.
  Result<std::optional<Attempt>> hold() {
    if (message_.state != State::held) {
      message_.state = State::held;
      message_.state_reason = "suspended";
      TrailWriter trail(context_, now_);
      trail.add(message_.id, "held", "contract.suspended");
      SCHAKEL_CHECK(trail.write(tx_, message_.tenant));
      SCHAKEL_CHECK(exchange::update_message(tx_, message_));
    }
    return again_at(now_ + suspended_retry);
  }

  Result<std::optional<Attempt>> attempt() {
    const bool reliable = is_reliable(message_);
    const int sender = contract_->agreement.party_of({{message_.from.party_id_type, message_.from.party_id}});
    const auto channels = sender < 0 ? std::nullopt
                                     : cpa::Contracts::channels(*contract_, sender, message_.from.role, message_.to.role, message_.service,
                                                                message_.service_type, message_.action);
    if (!channels) return fail_message("contract.actionNotAllowed", "the contract no longer allows this action");
    const Instant timestamp = message_.timestamp.value_or(message_.created_at);
    if (cpa::Contracts::time_rule(*contract_, timestamp, std::max(now_, timestamp), cpa::Contracts::reliability(*channels, timestamp),
                                  reliable) != cpa::Contracts::TimeVerdict::valid)
      return fail_message("contract.expired", "the contract has ended");
    // EB-093: a best-effort message is sent once; the attempt that a crash interrupted was that once.
    if (!reliable && message_.attempts > 0)
      return fail_message("transport.interrupted", "the only attempt of a best-effort message was interrupted");
    if (!may_attempt(message_, now_)) return wait_for_the_end();
    SCHAKEL_TRY(const bool blocked, is_ordered(context_, *channels) ? is_blocked(tx_, message_.id) : Result<bool>(false));
    if (blocked) return wait_for_turn();
    const auto hop = contracts_->next_hop(
        *contract_, *channels->sender, *channels->receiver, message_.service, message_.action,
        contracts_->url(*contract_, *channels->receive, *channels->receiver, message_.ref_to_message_id.empty() ? "request" : "response"),
        now_);
    if (!hop) return wait_for(hop.error());
    ++message_.attempts;
    message_.state = State::sending;
    message_.state_reason.clear();
    message_.next_attempt_at.reset();
    TrailWriter trail(context_, now_);
    trail.add(message_.id, "attemptStarted", {}, destination_of(hop->url)).wire_id = message_.message_id;
    // ADP-409
    if (!hop->trusted && !cpa::is_encrypted(channels->profile))
      trail.add(message_.id, "warned", "route.untrusted", "clear content goes through an intermediary that is not trusted");
    SCHAKEL_CHECK(trail.write(tx_, message_.tenant));
    SCHAKEL_CHECK(exchange::update_message(tx_, message_));
    Target target{hop->url, certificate_sha256(*contracts_, *contract_, *channels->sender, channels->send, now_), hop->server_oin};
    Attempt attempt = attempt_of(work_, *contract_, std::move(target), message_.id, message_.wire_content_type);
    SCHAKEL_CHECK(add_body(attempt));
    return std::optional(std::move(attempt));
  }

  // 3.9: an earlier message of the conversation was not delivered; a resend of it lets this one go on.
  Result<std::optional<Attempt>> wait_for_turn() {
    if (message_.state_reason != waiting_for_turn) {
      message_.state = State::queued;
      message_.state_reason = waiting_for_turn;
      SCHAKEL_CHECK(exchange::update_message(tx_, message_));
    }
    const Instant next = now_ + blocked_retry;
    return again_at(message_.expires_at ? std::min(next, *message_.expires_at) : next);
  }

  // Every attempt is made: what is left is an acknowledgement or the TimeToLive.
  Result<std::optional<Attempt>> wait_for_the_end() {
    if (message_.state != State::sent) {
      message_.state = State::sent;
      message_.next_attempt_at.reset();
      SCHAKEL_CHECK(exchange::update_message(tx_, message_));
    }
    return again_at(message_.expires_at.value_or(now_));
  }

  Result<> add_body(Attempt& attempt) {
    SCHAKEL_TRY(auto payloads, exchange::payloads_of(tx_, message_.id));
    for (exchange::Payload& payload : payloads) {
      if (payload.wire_blob.empty()) continue;
      payload.blob = payload.wire_blob;
      payload.size = payload.wire_size;
      payload.content_type = encrypted_content_type;
    }
    std::vector<Bytes> octets(payloads.size());
    std::int64_t held = 0;
    for (std::size_t i = 0; i < payloads.size(); ++i) {
      if (payloads[i].purged) return fail("payload.purged", "a payload of the message was purged");
      const auto size = payloads[i].size;
      if (size == 0 || size > static_cast<std::int64_t>(limits::payload_in_memory_max) || held + size > inline_payload_bytes_max) continue;
      SCHAKEL_TRY(octets[i], exchange::read_chunk(tx_, payloads[i].blob, 0));
      held += size;
    }
    std::string boundary;
    if (!payloads.empty()) {
      SCHAKEL_TRY(const MediaType media, parse_media_type(message_.wire_content_type));
      boundary = media.parameter("boundary").value_or("");
    }
    attempt.body = multipart_body(boundary, message_.message_id, std::move(message_.root), payloads, std::move(octets));
    attempt.body_bytes = body_bytes(attempt.body);
    return {};
  }

  const Context& context_;
  sql::Transaction& tx_;
  const Claimer& claimer_;
  const Work& work_;
  Instant now_;
  Message message_;
  std::shared_ptr<const cpa::Contracts> contracts_;
  const cpa::LoadedContract* contract_ = nullptr;
};

class MessageConclusion {
 public:
  MessageConclusion(const Context& context, sql::Transaction& tx, const Claimer& claimer, const Attempt& attempt, const Outcome& outcome)
      : context_(context), tx_(tx), claimer_(claimer), attempt_(attempt), outcome_(outcome), now_(context.now()) {}

  Result<> run() {
    SCHAKEL_CHECK(exchange::record_outcome(tx_, attempt_.destination, outcome_.status != 0, now_));
    SCHAKEL_TRY(auto found, exchange::find_message(tx_, attempt_.tenant, attempt_.message));
    if (!found) return exchange::finish_work(tx_, claimer_, attempt_.work.id);
    message_ = std::move(*found);
    reliable_ = is_reliable(message_);
    SCHAKEL_CHECK(classify());
    if (exchange::is_final(message_.state)) return end_work();
    return reliable_ ? conclude_reliable() : conclude_best_effort();
  }

 private:
  // Reads the body, applies a signal in it, writes the trail of the attempt.
  Result<> classify() {
    verdict_ = verdict_of(outcome_.status);
    if (outcome_.status == 0) {
      code_ = outcome_.error_code.empty() ? "transport.failed" : outcome_.error_code;
      detail_ = outcome_.error_detail;
    } else if (verdict_ != Verdict::accepted) {
      code_ = "transport." + std::to_string(outcome_.status);
      detail_ = fault_text(outcome_);
    }
    if (verdict_ == Verdict::accepted) {
      message_.got_2xx = true;
      if (!message_.sent_at) message_.sent_at = now_;
    } else if (outcome_.body_was_sent && outcome_.status == 0) {
      // 3.3: possibly delivered, so a later DeliveryFailure is a Warning.
      message_.got_2xx = true;
    }
    TrailWriter trail(context_, now_);
    auto& event = trail.add(message_.id, verdict_ == Verdict::accepted ? "attemptSucceeded" : "attemptFailed", code_, detail_);
    event.duration_ms = outcome_.took.count() / 1000;
    event.bytes = static_cast<std::int64_t>(attempt_.body_bytes);
    if (outcome_.peer) {
      event.peer_oin = outcome_.peer->oin;
      event.peer_certificate_sha256 = outcome_.peer->sha256;
    }
    SCHAKEL_CHECK(trail.write(tx_, message_.tenant));
    context_.count_attempt(message_.tenant, verdict_ == Verdict::accepted      ? "accepted"
                                            : verdict_ == Verdict::recoverable ? "recoverable"
                                                                               : "fatal");
    context_.deps.log.info("ebms.attempted", {{"messageId", message_.message_id},
                                              {"conversationId", message_.conversation_id},
                                              {"cpaId", message_.cpa_id},
                                              {"service", message_.service},
                                              {"action", message_.action},
                                              {"from", message_.from.party_id},
                                              {"to", message_.to.party_id},
                                              {"tenant", message_.tenant},
                                              {"attempt", message_.attempts},
                                              {"peerOin", outcome_.peer ? std::string_view(outcome_.peer->oin) : std::string_view()},
                                              {"peerSerial", outcome_.peer ? std::string_view(outcome_.peer->serial) : std::string_view()},
                                              {"status", outcome_.status},
                                              {"code", code_}});
    if (exchange::is_final(message_.state)) {
      SCHAKEL_CHECK(exchange::update_message(tx_, message_));
      return {};
    }
    return has_body(outcome_) ? read_answer() : Result<>();
  }

  // An envelope in the body: with a 2xx, or with an error status that carries an ebXML error (adapter.md 3.1).
  Result<> read_answer() {
    const auto answer = outcome_.examined ? outcome_.examined : examined(context_, message_.tenant, outcome_);
    const Envelope* envelope = answer ? &answer->envelope : nullptr;
    const auto contracts = context_.deps.contracts();
    const cpa::LoadedContract* contract = contracts->by_id(message_.tenant, message_.contract_id);
    const bool signal = envelope && contract && envelope->header.is_signal() &&
                        (envelope->header.action == "Acknowledgment" || envelope->header.action == "MessageError");
    const std::string ref = !signal                    ? std::string()
                            : envelope->acknowledgment ? envelope->acknowledgment->ref_to_message_id
                                                       : envelope->header.ref_to_message_id;
    const int sender = contract && envelope ? contract->agreement.party_of(envelope->header.from.ids) : -1;
    if (!signal || ref != message_.message_id || sender < 0) {
      if (verdict_ == Verdict::accepted) {
        verdict_ = Verdict::recoverable;
        code_ = "transport.unexpectedBody";
        detail_ = "the answer holds no signal for this message";
        context_.deps.log.warning("ebms.unexpectedAnswer", {{"messageId", message_.message_id}, {"status", outcome_.status}});
      }
      return {};
    }
    if (verdict_ != Verdict::accepted && envelope->header.action != "MessageError") return {};
    // The connection was to the partner's verified server: that is the authentication of 3.6 step 1.
    SCHAKEL_CHECK(exchange::update_message(tx_, message_));
    const SignalOrigin origin{*contract,
                              sender,
                              now_,
                              outcome_.peer ? outcome_.peer->oin : std::string(),
                              outcome_.peer ? outcome_.peer->sha256 : std::string(),
                              outcome_.peer ? outcome_.peer->serial : std::string(),
                              answer->verdict ? &*answer->verdict : nullptr,
                              false};
    if (envelope->header.action == "Acknowledgment")
      SCHAKEL_CHECK(apply_acknowledgment(tx_, context_, origin, *envelope, outcome_.body));
    else
      SCHAKEL_CHECK(apply_message_error(tx_, context_, origin, *envelope, outcome_.body));
    SCHAKEL_TRY(auto now_stored, exchange::find_message(tx_, message_.tenant, message_.id));
    if (now_stored) message_ = std::move(*now_stored);
    return {};
  }

  // The row may be gone: an acknowledgement that came while the attempt ran has cancelled it (3.2).
  Result<> end_work() {
    auto finished = exchange::finish_work(tx_, claimer_, attempt_.work.id);
    if (!finished && finished.error().code != "work.lost") return finished.error();
    return {};
  }

  Result<> conclude_best_effort() {
    if (verdict_ == Verdict::accepted) {
      SCHAKEL_CHECK(end_message(tx_, context_, message_,
                                {State::delivered, "attemptSucceeded", "message.delivered", {}, {}, {}, R"({"confirmed":false})"}, now_));
      SCHAKEL_CHECK(exchange::update_message(tx_, message_));
      return exchange::finish_work(tx_, claimer_, attempt_.work.id);
    }
    return fail_message();
  }

  Result<> fail_message() {
    const nlohmann::json data{
        {"code", code_}, {"severity", "Error"}, {"description", detail_}, {"httpStatus", outcome_.status}, {"attempts", message_.attempts}};
    SCHAKEL_CHECK(end_message(tx_, context_, message_,
                              {State::failed, "attemptFailed", "message.failed", code_, detail_, "transport", data.dump()}, now_));
    SCHAKEL_CHECK(exchange::update_message(tx_, message_));
    return exchange::finish_work(tx_, claimer_, attempt_.work.id);
  }

  Result<> conclude_reliable() {
    if (verdict_ == Verdict::fatal) return fail_message();
    if (!code_.empty()) message_.last_error = exchange::LastError{code_, detail_, "transport", now_};
    Instant next = now_ + message_.retry_interval.value_or(Duration{0});
    if (outcome_.status == 0 && attempt_.work.probe) {
      --message_.attempts;  // ADP-704: a circuit's probe uses up no retry
      next = now_;
    }
    if (verdict_ != Verdict::accepted && outcome_.retry_after)
      next = std::max(next, now_ + std::min(*outcome_.retry_after, retry_after_max));
    const bool again = may_attempt(message_, next);
    message_.state = verdict_ == Verdict::accepted || !again ? State::sent : State::queued;
    message_.next_attempt_at.reset();
    if (again) message_.next_attempt_at = next;
    SCHAKEL_CHECK(exchange::update_message(tx_, message_));
    Work work = attempt_.work;
    work.attempts = message_.attempts;
    work.destination = attempt_.destination;
    work.due = again ? next : message_.expires_at.value_or(next);
    return exchange::reschedule_work(tx_, claimer_, work);
  }

  const Context& context_;
  sql::Transaction& tx_;
  const Claimer& claimer_;
  const Attempt& attempt_;
  const Outcome& outcome_;
  Instant now_;
  Message message_;
  bool reliable_ = false;
  Verdict verdict_ = Verdict::recoverable;
  std::string code_, detail_;
};

// --- signals -----------------------------------------------------------------------------------------------------------------------------

bool is_request(const exchange::Signal& signal) {
  return signal.action == "Ping" || signal.action == "StatusRequest";
}

// The ConversationId of an envelope that build_envelope wrote, escapes and all: for the log, without a parse.
std::string_view conversation_of(BytesView root) {
  constexpr std::string_view open = "<eb:ConversationId>";
  const std::size_t at = root.find(open);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = root.substr(at + open.size());
  return rest.substr(0, rest.find('<'));
}

// Which party of the contract a signal goes to.
int addressee_of(const cpa::LoadedContract& contract, const exchange::Signal& signal) {
  for (int party = 0; party < 2; ++party)
    if (party_key(contract.agreement.parties[static_cast<std::size_t>(party)]) == signal.party) return party;
  return 1 - contract.own_party;
}

Result<std::optional<Attempt>> prepare_signal(const Context& context, sql::Transaction& tx, const Claimer& claimer, const Work& work) {
  const Instant now = context.now();
  SCHAKEL_TRY(auto signal, exchange::find_signal(tx, work.tenant, work.subject));
  const auto contracts = context.deps.contracts();
  const cpa::LoadedContract* contract = signal ? contracts->by_id(work.tenant, signal->contract_id) : nullptr;
  // The first post of an answer is made even when it is late; its repetitions are not.
  const bool over = signal && signal->send_until && now > *signal->send_until && (work.attempts > 0 || is_request(*signal));
  if (!contract || over || signal->answered_at) {
    SCHAKEL_CHECK(exchange::finish_work(tx, claimer, work.id));
    return nothing();
  }
  const int addressee = addressee_of(*contract, *signal);
  const cpa::PartyInfo& own = contract->agreement.parties[static_cast<std::size_t>(1 - addressee)];
  const auto hop = signal_hop(*contracts, *contract, addressee, signal->action, now);
  Target target{hop.url, certificate_sha256(*contracts, *contract, own, own.signal_channel(signal->action), now), hop.server_oin};
  Attempt attempt = attempt_of(work, *contract, std::move(target), signal->id, "text/xml; charset=UTF-8");
  attempt.body = multipart_body({}, {}, signal->root, {}, {});
  attempt.body_bytes = body_bytes(attempt.body);
  attempt.signal = std::make_shared<exchange::Signal>(std::move(*signal));
  return std::optional(std::move(attempt));
}

// EB-181: whatever comes back on the connection, a Pong or StatusResponse in it is the answer.
Result<> conclude_request(const Context& context, sql::Transaction& tx, const Claimer& claimer, const Attempt& attempt,
                          const Outcome& outcome) {
  const Instant now = context.now();
  SCHAKEL_CHECK(exchange::finish_work(tx, claimer, attempt.work.id));
  // As it is now: the answer may have come on a connection of the partner meanwhile.
  SCHAKEL_TRY(auto found, exchange::find_signal(tx, attempt.tenant, attempt.message));
  if (!found) return {};
  exchange::Signal& signal = *found;
  if (has_body(outcome)) {
    const auto contracts = context.deps.contracts();
    const cpa::LoadedContract* contract = contracts->by_id(signal.tenant, signal.contract_id);
    const auto envelope = envelope_in(outcome);
    if (contract && envelope && (envelope->header.action == "Pong" || envelope->header.action == "StatusResponse"))
      return apply_signal_response(tx, context, {*contract, addressee_of(*contract, signal), now, {}, {}}, *envelope);
  }
  if (signal.answered_at || verdict_of(outcome.status) == Verdict::accepted) return {};
  signal.error = outcome.status == 0 ? outcome.error_code + ": " + for_log(outcome.error_detail)
                                     : "transport." + std::to_string(outcome.status) + ": " + fault_text(outcome);
  return exchange::set_signal_answer(tx, signal);
}

Result<> conclude_signal(const Context& context, sql::Transaction& tx, const Claimer& claimer, const Attempt& attempt,
                         const Outcome& outcome) {
  const Instant now = context.now();
  SCHAKEL_CHECK(exchange::record_outcome(tx, attempt.destination, outcome.status != 0, now));
  const auto& signal = attempt.signal;  // what an acknowledgement or error says does not change
  const bool accepted = verdict_of(outcome.status) == Verdict::accepted;
  context.count_attempt(signal->tenant, accepted ? "accepted" : "recoverable");
  const auto contracts = context.deps.contracts();
  const cpa::LoadedContract* contract = contracts->by_id(signal->tenant, signal->contract_id);
  const std::string from =
      contract ? party_key(contract->agreement.parties[static_cast<std::size_t>(1 - addressee_of(*contract, *signal))]) : std::string();
  context.deps.log.info("ebms.signalPosted", {{"messageId", signal->message_id},
                                              {"conversationId", conversation_of(signal->root)},
                                              {"refToMessageId", signal->ref_to_message_id},
                                              {"cpaId", signal->cpa_id},
                                              {"service", uri::signal_service},
                                              {"action", signal->action},
                                              {"from", from},
                                              {"to", signal->party},
                                              {"tenant", signal->tenant},
                                              {"peerOin", outcome.peer ? std::string_view(outcome.peer->oin) : std::string_view()},
                                              {"peerSerial", outcome.peer ? std::string_view(outcome.peer->serial) : std::string_view()},
                                              {"status", outcome.status},
                                              {"code", outcome.error_code}});
  if (is_request(*signal)) return conclude_request(context, tx, claimer, attempt, outcome);
  if (accepted) return exchange::finish_work(tx, claimer, attempt.work.id);
  Work work = attempt.work;
  const auto tried = static_cast<std::size_t>(work.attempts);
  const bool more = tried < signal_delays.size();
  const Instant next = more ? now + signal_delays[tried] : now;
  if (!more || (signal->send_until && next > *signal->send_until)) {
    // EB-113, EB-136: logged and shown, nothing more; a repetition of the message sends it again.
    context.deps.log.error("ebms.signalUndelivered", {{"messageId", signal->message_id},
                                                      {"refToMessageId", signal->ref_to_message_id},
                                                      {"action", signal->action},
                                                      {"tenant", signal->tenant}});
    if (!signal->message.empty()) {
      TrailWriter trail(context, now);
      trail.add(signal->message, "warned", "ebms.signalUndelivered", signal->action + " could not be posted").wire_id = signal->message_id;
      SCHAKEL_CHECK(trail.write(tx, signal->tenant));
    }
    return exchange::finish_work(tx, claimer, work.id);
  }
  ++work.attempts;
  work.due = next;
  return exchange::reschedule_work(tx, claimer, work);
}

}  // namespace

Result<std::optional<Attempt>> Msh::prepare(sql::Transaction& tx, const Claimer& claimer, const Work& work) const {
  if (work.kind == "ebms.send") return MessageSender(*state_, tx, claimer, work).prepare();
  return prepare_signal(*state_, tx, claimer, work);
}

void Msh::examine(const Attempt& attempt, Outcome& outcome) const {
  if (has_body(outcome)) outcome.examined = examined(*state_, attempt.tenant, outcome);
}

Result<> Msh::conclude(sql::Transaction& tx, const Claimer& claimer, const Attempt& attempt, const Outcome& outcome) const {
  if (attempt.work.kind == "ebms.send") return MessageConclusion(*state_, tx, claimer, attempt, outcome).run();
  return conclude_signal(*state_, tx, claimer, attempt, outcome);
}

Result<> Msh::expire(sql::Transaction& tx, const Claimer& claimer, const Work& work) const {
  SCHAKEL_TRY(auto message, exchange::find_message(tx, work.tenant, work.subject));
  const Instant now = state_->now();
  if (message && !exchange::is_final(message->state) && message->expires_at && now < *message->expires_at) {
    Work later = work;
    later.due = *message->expires_at;
    return exchange::reschedule_work(tx, claimer, later);
  }
  if (message && !exchange::is_final(message->state)) SCHAKEL_CHECK(expire_message(tx, *state_, *message, now));
  auto finished = exchange::finish_work(tx, claimer, work.id);
  if (!finished && finished.error().code != "work.lost") return finished.error();
  return {};
}

Result<std::string> Msh::start_ping(sql::Transaction& tx, std::string_view tenant, std::string_view cpa_id, std::string_view from_party_id,
                                    std::string_view to_party_id) const {
  const auto contracts = state_->deps.contracts();
  const cpa::LoadedContract* contract = contracts->find(tenant, cpa_id);
  if (!contract) return fail("contract.unknown", "no such contract");
  if (contract->row.state == exchange::ContractState::suspended) return fail("contract.suspended", "the contract is suspended");
  if (contract->row.state != exchange::ContractState::active) return fail("contract.expired", "the contract is not active");
  const auto names = [](const cpa::PartyInfo& party, std::string_view wanted) {
    return std::any_of(party.ids.begin(), party.ids.end(),
                       [wanted](const cpa::PartyId& id) { return id.value == wanted || id.type + ":" + id.value == wanted; });
  };
  if (!from_party_id.empty() && !names(contract->own(), from_party_id))
    return fail("tenant.mismatch", "fromPartyId is not a party of this tenant in the contract", "/fromPartyId");
  if (!to_party_id.empty() && !names(contract->partner(), to_party_id))
    return fail("request.invalid", "toPartyId is not the partner in the contract", "/toPartyId");
  const Instant now = state_->now();
  const int addressee = 1 - contract->own_party;
  Envelope ping;
  ping.header.from.ids = contract->own().ids;
  ping.header.to.ids = contract->partner().ids;
  ping.header.cpa_id = contract->agreement.cpa_id;
  ping.header.conversation_id = uuid_v4(state_->deps.random);
  ping.header.service = uri::signal_service;
  ping.header.action = "Ping";
  ping.header.message_id = uuid_v4(state_->deps.random) + "@" + own_host(*contract);
  ping.header.timestamp = std::chrono::floor<std::chrono::milliseconds>(now);
  if (is_synchronous(contract->own().signal_channel("Ping"))) ping.sync_reply = SyncReply{};
  SCHAKEL_TRY(exchange::Signal signal, outbound_signal(*state_, *contract, addressee, ping, now));
  signal.send_until = now + request_wait;
  signal.keep_until = now + std::chrono::days(1);
  SCHAKEL_CHECK(exchange::insert_signal(tx, signal));
  SCHAKEL_CHECK(add_signal_work(tx, *state_, *contracts, *contract, addressee, signal, "ebms.ping", now));
  return signal.message_id;
}

Result<std::string> Msh::start_status_request(sql::Transaction& tx, std::string_view tenant, std::string_view id) const {
  SCHAKEL_TRY(const auto message, exchange::find_message(tx, tenant, id));
  if (!message || message->direction != exchange::Direction::outbound) return fail("notFound", "no such outbound message");
  const auto contracts = state_->deps.contracts();
  const cpa::LoadedContract* contract = contracts->by_id(tenant, message->contract_id);
  if (!contract) return fail("contract.unknown", "the contract of the message is not loaded");
  const Instant now = state_->now();
  const int addressee = contract->agreement.party_of({{message->to.party_id_type, message->to.party_id}});
  if (addressee < 0) return fail("contract.unknown", "the contract no longer names the partner of the message");
  Envelope request;
  request.header.from.ids = contract->agreement.parties[static_cast<std::size_t>(1 - addressee)].ids;
  request.header.to.ids = contract->agreement.parties[static_cast<std::size_t>(addressee)].ids;
  request.header.cpa_id = contract->agreement.cpa_id;
  request.header.conversation_id = message->conversation_id;
  request.header.service = uri::signal_service;
  request.header.action = "StatusRequest";
  request.header.message_id = uuid_v4(state_->deps.random) + "@" + own_host(*contract);
  request.header.timestamp = std::chrono::floor<std::chrono::milliseconds>(now);
  request.status_request = StatusRequest{message->message_id};
  if (is_synchronous(contract->agreement.parties[static_cast<std::size_t>(1 - addressee)].signal_channel("StatusRequest")))
    request.sync_reply = SyncReply{};
  SCHAKEL_TRY(exchange::Signal signal, outbound_signal(*state_, *contract, addressee, request, now));
  signal.message = message->id;
  signal.send_until = now + request_wait;
  signal.keep_until = now + std::chrono::days(1);
  SCHAKEL_CHECK(exchange::insert_signal(tx, signal));
  SCHAKEL_CHECK(add_signal_work(tx, *state_, *contracts, *contract, addressee, signal, "ebms.status", now));
  TrailWriter trail(*state_, now);
  trail.add(message->id, "statusRequested").wire_id = signal.message_id;
  SCHAKEL_CHECK(trail.write(tx, tenant));
  return signal.message_id;
}

Result<Msh::SignalResult> Msh::signal_result(sql::Transaction& tx, std::string_view request_message_id) const {
  SCHAKEL_TRY(const auto signal, exchange::find_outbound_signal(tx, request_message_id));
  if (!signal || !is_request(*signal)) return fail("notFound", "no such request");
  SignalResult result;
  result.answered = signal->answered_at.has_value();
  result.status = signal->answer;
  result.timestamp = signal->answer_timestamp;
  result.error = signal->error;
  if (!result.answered && result.error.empty() && state_->now() > signal->at + request_wait) result.error = "no answer within 30 s";
  return result;
}

}  // namespace schakel::ebms
