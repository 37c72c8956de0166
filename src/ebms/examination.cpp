// Msh::examine: what can be said about a request without the database (ebms.md 3.4 steps 3-8, 10-13).
#include <algorithm>

#include "ebms/examined.hpp"
#include "ebms/msh_state.hpp"

namespace schakel::ebms {

namespace {

using exchange::ContractState;
using exchange::Direction;
using exchange::State;

constexpr Duration clock_difference_max = std::chrono::minutes(5);  // ebms.md 3.11: above it a warning, no refusal

bool is_signal_action(std::string_view action) {
  return action == "Acknowledgment" || action == "MessageError" || action == "Ping" || action == "Pong" || action == "StatusRequest" ||
         action == "StatusResponse";
}

// ADP-204: the tenant of the server name; else, when several tenants have this CPA, the one that To names.
const cpa::LoadedContract* contract_of(const cpa::Contracts& contracts, const MessageHeader& header, std::string_view host_tenant) {
  if (!host_tenant.empty()) return contracts.find(host_tenant, header.cpa_id);
  const auto candidates = contracts.by_cpa_id(header.cpa_id);
  if (candidates.empty()) return nullptr;
  for (const cpa::LoadedContract* contract : candidates)
    if (contract->agreement.party_of(header.to.ids) == contract->own_party) return contract;
  for (const cpa::LoadedContract* contract : candidates)
    if (contract->agreement.party_of(header.from.ids) == 1 - contract->own_party) return contract;
  return candidates.front();
}

// Which party of the agreement speaks; -1 when none of its PartyIds is known (cpa.md 3.2 step 2). Some of several known: that party is
// authenticated, and row 4 answers.
int sender_of(const cpa::Agreement& agreement, const std::vector<cpa::PartyId>& ids) {
  const int whole = agreement.party_of(ids);
  if (whole >= 0) return whole;
  for (int party = 0; party < 2; ++party)
    for (const cpa::PartyId& id : ids)
      if (agreement.parties[static_cast<std::size_t>(party)].has(id)) return party;
  return -1;
}

class Examiner {
 public:
  Examiner(const Context& context, ReceivedRequest request, const security::PeerIdentity* peer, std::string_view host)
      : context_(context), peer_(peer), host_(host), out_(std::make_shared<Examined>()) {
    out_->request = std::move(request);
    out_->at = context.now();
    if (peer) {
      out_->peer_oin = peer->oin;
      out_->peer_serial = peer->serial;
      out_->peer_sha256 = peer->sha256;
    }
  }

  std::shared_ptr<const Examined> run() {
    if (!peer_accepted() || !parse() || !find_contract() || !authenticate()) return out_;
    if (out_->envelope.header.is_signal())
      examine_signal();
    else
      examine_message();
    return out_;
  }

 private:
  bool stop(Answer answer) {
    out_->immediate = std::move(answer);
    return false;
  }
  bool fault(Error error) {
    context_.count_error(out_->contract ? out_->contract->row.tenant : "", "partner", error.code);
    auto answer = fault_answer(error);
    const MessageHeader& header = out_->envelope.header;
    context_.deps.log.warning("ebms.fault", {{"messageId", header.message_id},
                                             {"conversationId", header.conversation_id},
                                             {"cpaId", header.cpa_id},
                                             {"service", header.service},
                                             {"action", header.action},
                                             {"from", first_id(header.from)},
                                             {"to", first_id(header.to)},
                                             {"peerOin", out_->peer_oin},
                                             {"peerSerial", out_->peer_serial},
                                             {"status", answer.status},
                                             {"code", error.code},
                                             {"detail", error.detail},
                                             {"location", error.location}});
    return stop(std::move(answer));
  }

  // README section 4: a certificate without usable OIN is 403 before anything else.
  bool peer_accepted() {
    if (!peer_ || peer_->refusal.empty()) return true;
    Answer answer;
    answer.status = 403;
    return stop(std::move(answer));
  }

  bool parse() {
    auto envelope = parse_envelope(out_->request.root, out_->request.root_charset, &out_->audit_reason);
    if (!envelope) return fault(envelope.error());
    out_->envelope = std::move(*envelope);
    const Envelope& e = out_->envelope;
    // 3.6: an ErrorList of severity Error never stands with business content.
    if (!e.header.is_signal() && e.error_list && e.error_list->highest_is_error)
      return fault(fail("SCHEMA_INVALID", "an ErrorList of severity Error in a business message"));
    return true;
  }

  bool find_contract() {
    const MessageHeader& header = out_->envelope.header;
    const std::string tenant = context_.deps.tenant_of_host ? context_.deps.tenant_of_host(host_) : std::string();
    out_->contracts = context_.deps.contracts();
    out_->contract = contract_of(*out_->contracts, header, tenant);
    if (!out_->contract) {
      if (!tenant.empty() && !out_->contracts->by_cpa_id(header.cpa_id).empty())
        context_.deps.log.warning("tenant.mismatch", {{"tenant", tenant}, {"cpaId", header.cpa_id}, {"host", host_}});
      return fault(fail("CPA_UNKNOWN", "CPA " + header.cpa_id + " not found"));
    }
    out_->suspended = out_->contract->row.state == ContractState::suspended || context_.is_suspended(out_->contract->row.tenant);
    return true;
  }

  bool authenticate() {
    const MessageHeader& header = out_->envelope.header;
    out_->sender_party = sender_of(out_->contract->agreement, header.from.ids);
    if (!peer_ && context_.settings.insecure_transport) {
      // Without TLS there is nobody to name; row 4 answers an unknown From to the partner (EB-001).
      if (out_->sender_party < 0) out_->sender_party = 1 - out_->contract->own_party;
      return true;
    }
    std::string reason = "SEC.OIN.NIET_GEAUTORISEERD";
    if (out_->sender_party >= 0 && peer_) {
      for (const std::string& scope : scopes()) {
        const auto verdict = out_->contracts->authenticate(*out_->contract, out_->sender_party, *peer_, out_->at, scope);
        if (verdict.allowed) return true;
        reason = verdict.reason;
      }
    }
    out_->unauthorised = fail("SENDER_NOT_AUTHORIZED", "the TLS identity may not speak for the From party of CPA " + header.cpa_id, reason);
    return false;
  }

  // What a mandate must cover (ADP-207). Who may act for a party in one of its actions may also send the signals of the contract.
  std::vector<std::string> scopes() const {
    const MessageHeader& header = out_->envelope.header;
    if (!header.is_signal()) return {"ebms/" + header.service + "/" + header.action};
    std::vector<std::string> all{"ebms"};
    for (const cpa::CollaborationRole& role : out_->sender().roles)
      for (const cpa::ActionBinding& action : role.actions) all.push_back("ebms/" + role.service + "/" + action.action);
    return all;
  }

  void examine_signal() {
    const std::string& action = out_->envelope.header.action;
    if (!is_signal_action(action)) {
      fault(fail("ACTION_UNKNOWN", "Action " + action + " of the message service is unknown"));
      return;
    }
    out_->synchronous = is_synchronous(out_->sender().signal_channel(action)) || out_->envelope.sync_reply.has_value();
    if (action != "Ping" && action != "StatusRequest") return;
    out_->failure = check_signal(*out_);
    if (!out_->failure && action == "StatusRequest" && !out_->envelope.status_request)
      out_->failure = Failure{0, "", "", "there is no StatusRequest element"};
    if (out_->failure) fault(fail("SIGNAL_INVALID", action + ": " + out_->failure->location + " " + out_->failure->description));
  }

  void examine_message() {
    const MessageHeader& header = out_->envelope.header;
    Examined& e = *out_;
    e.channels = cpa::Contracts::channels(*e.contract, e.sender_party, header.from.role, header.to.role, header.service,
                                          header.service_type, header.action);
    if (e.channels) e.reliability = cpa::Contracts::reliability(*e.channels, header.timestamp);
    if (header.timestamp > e.at + clock_difference_max)
      context_.deps.log.warning("ebms.timestampAhead",
                                {{"messageId", header.message_id}, {"cpaId", header.cpa_id}, {"peerOin", e.peer_oin}});
    decide_answer_path();
    decide_duplicates();
    make_message();
    run_checks();
    make_payloads();
    if (!e.undecidable) make_response();
  }

  void decide_answer_path() {
    Examined& e = *out_;
    const bool present = e.envelope.sync_reply.has_value();
    if (!e.channels) {
      e.synchronous = present;
      return;
    }
    e.synchronous = is_synchronous(e.channels->send);
    if (!present && !is_synchronous(e.sender().signal_channel(""))) e.synchronous = false;
  }

  // EB-107: only where DuplicateElimination applies; EB-093: or where the contract drops doubles.
  void decide_duplicates() {
    Examined& e = *out_;
    const MessageHeader& header = e.envelope.header;
    const bool always = e.channels && e.channels->send->characteristics.duplicate_elimination == cpa::Occurrence::always;
    const bool dropped = e.channels && !cpa::is_reliable(e.channels->profile) && e.contract->settings.drop_best_effort_duplicates;
    e.eliminate_duplicates = header.duplicate_elimination || always || dropped;
    e.key = {e.contract->row.tenant, header.cpa_id, party_key(e.sender()), header.message_id};
    Duration keep = std::max<Duration>(e.reliability.persist_duration, (e.reliability.retries + 1) * e.reliability.retry_interval);
    if (header.time_to_live) keep = std::max<Duration>(keep, *header.time_to_live - header.timestamp);
    e.keep_key_until = e.at + std::max<Duration>(keep + std::chrono::hours(24), std::chrono::days(10));
  }

  void make_message() {
    Examined& e = *out_;
    const MessageHeader& header = e.envelope.header;
    exchange::Message& m = e.message;
    m.id = context_.new_id(e.at);
    m.tenant = e.contract->row.tenant;
    m.direction = Direction::inbound;
    m.state = State::received;
    if (e.channels) m.profile = cpa::to_string(e.channels->profile);
    m.contract_id = e.contract->row.id;
    m.cpa_id = header.cpa_id;
    m.from = message_party(e.sender(), header.from.role);
    m.to = message_party(e.contract->agreement.parties[static_cast<std::size_t>(1 - e.sender_party)], header.to.role);
    m.service = header.service;
    m.service_type = header.service_type;
    m.action = header.action;
    m.conversation_id = header.conversation_id;
    m.message_id = header.message_id;
    m.ref_to_message_id = header.ref_to_message_id;
    m.timestamp = header.timestamp;
    m.expires_at = header.time_to_live;
    m.persist_until = header.timestamp + e.reliability.persist_duration;
    m.created_at = e.at;
    m.received_at = e.at;
    m.root = e.request.root;
    if (auto hash = header_hash(e.envelope)) m.header_hash = std::move(*hash);
  }

  void run_checks() {
    Examined& e = *out_;
    e.failure = check_header(e);
    if (!e.failure) e.failure = check_characteristics(context_, e);
    if (!e.failure) e.failure = check_signature_present(e);
    auto manifest = resolve_manifest(e);
    if (!e.failure) e.failure = std::move(manifest);
    if (!e.failure && needs_signature(e.channels->profile)) check_protection();
  }

  // Rows 20, 24, 25.
  void check_protection() {
    Examined& e = *out_;
    const bool encrypted = cpa::is_encrypted(e.channels->profile);
    if (!context_.deps.verifier || (encrypted && !context_.deps.cipher)) {
      e.undecidable = true;
      context_.deps.log.error(
          "ebms.protectionMissing",
          {{"messageId", e.message.message_id}, {"cpaId", e.message.cpa_id}, {"profile", e.message.profile}, {"tenant", e.message.tenant}});
      return;
    }
    if (encrypted && !decrypt()) return;
    auto verdict = context_.deps.verifier->verify(e.envelope, digests(), *e.contract, *e.channels, e.at);
    if (!verdict) {
      e.undecidable = true;
      context_.deps.log.error("ebms.undecidable",
                              {{"messageId", e.message.message_id}, {"code", verdict.error().code}, {"tenant", e.message.tenant}});
      return;
    }
    e.failure = std::move(*verdict);
  }

  bool decrypt() {
    Examined& e = *out_;
    for (std::size_t i = 0; i < e.payload_parts.size(); ++i) {
      Part& part = e.request.parts[e.payload_parts[i]];
      auto plain = context_.deps.cipher->decrypt(part.octets, *e.contract, *e.channels);
      if (!plain) {
        e.failure = Failure{24, "SecurityFailure", e.envelope.manifest->references[i].href, "Decryption failed."};
        return false;
      }
      part.octets = std::move(plain->octets);
      part.content_type = std::move(plain->content_type);
      part.size = static_cast<std::int64_t>(part.octets.size());
      part.sha256 = sha256_hex(part.octets);
    }
    return true;
  }

  std::vector<PayloadDigest> digests() const {
    std::vector<PayloadDigest> all;
    for (std::size_t i = 0; i < out_->payload_parts.size(); ++i) {
      const Part& part = out_->request.parts[out_->payload_parts[i]];
      all.push_back({out_->envelope.manifest->references[i].href, part.content_type, part.sha256, part.octets, part.blob});
    }
    return all;
  }

  void make_payloads() {
    Examined& e = *out_;
    for (const std::size_t index : e.payload_parts) {
      const Part& part = e.request.parts[index];
      exchange::Payload payload;
      payload.message = e.message.id;
      payload.index = static_cast<std::int64_t>(e.payloads.size());
      payload.content_id = part.content_id;
      payload.content_type = part.content_type;
      payload.file_name = part.file_name;
      payload.size = part.size;
      payload.sha256 = part.sha256;
      payload.blob = part.blob.empty() ? context_.new_id(e.at) : part.blob;
      e.payloads.push_back(std::move(payload));
    }
  }

  void make_response() {
    Examined& e = *out_;
    std::optional<Envelope> response;
    if (e.failure) {
      response = message_error(context_, *e.contract, e.envelope.header, *e.failure, e.at);
    } else if (const auto wanted = std::find_if(e.envelope.ack_requested.begin(), e.envelope.ack_requested.end(),
                                                [](const AckRequested& a) { return a.targets_to_party_msh(); });
               wanted != e.envelope.ack_requested.end()) {
      response = acknowledge(context_, e);
    }
    if (!response) return;
    auto signal = outbound_signal(context_, *e.contract, e.sender_party, *response, e.at);
    if (!signal) return;
    signal->message = e.message.id;
    signal->keep_until = e.keep_key_until;
    signal->send_until = e.envelope.header.time_to_live;
    e.response = std::move(*signal);
  }

  const Context& context_;
  const security::PeerIdentity* peer_;
  std::string_view host_;
  std::shared_ptr<Examined> out_;
};

}  // namespace

Envelope acknowledge(const Context& context, const Examined& e) {
  Envelope out = reply_to(context, *e.contract, e.envelope.header, "Acknowledgment", e.at);
  Acknowledgment acknowledgment;
  // EB-111: the peer compares the actor with its own AckRequested.
  acknowledgment.actor = std::string(uri::to_party_msh);
  acknowledgment.timestamp = e.at;
  acknowledgment.ref_to_message_id = e.envelope.header.message_id;
  acknowledgment.from = out.header.from.ids;
  out.acknowledgment = std::move(acknowledgment);
  return out;
}

std::shared_ptr<const Examined> Msh::examine(ReceivedRequest request, const security::PeerIdentity* peer, std::string_view host) const {
  return Examiner(*state_, std::move(request), peer, host).run();
}

const Answer* Msh::immediate(const Examined& e) {
  return e.immediate ? &*e.immediate : nullptr;
}

std::string_view Msh::audit_reason(const Examined& e) {
  return e.audit_reason;
}

}  // namespace schakel::ebms
