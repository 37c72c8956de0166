// Msh::examine: what can be said about a request without the database (ebms.md 3.4 steps 3-8, 10-13).
#include <algorithm>
#include <map>

#include "cpa/profile.hpp"
#include "ebms/encryption.hpp"
#include "ebms/examined.hpp"
#include "ebms/msh_state.hpp"
#include "ebms/opening.hpp"

namespace schakel::ebms {

namespace {

using exchange::ContractState;
using exchange::Direction;

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

}  // namespace

struct Examination::State {
 public:
  State(const Context& context, ReceivedRequest request, const security::PeerIdentity* peer, std::string_view host)
      : context_(context), peer_(peer), host_(host), out_(std::make_shared<Examined>()) {
    out_->request = std::move(request);
    out_->at = context.now();
    if (peer) {
      out_->peer_oin = peer->oin;
      out_->peer_serial = peer->serial;
      out_->peer_sha256 = peer->sha256;
    }
  }

  void begin() {
    if (!peer_accepted() || !parse() || !find_contract() || !authenticate()) return;
    if (out_->envelope.header.is_signal())
      examine_signal();
    else
      examine_message();
  }

  // --- large parts ---------------------------------------------------------------------------------------------------------------------
  const std::string& wanted_blob() const {
    static const std::string nothing;
    return wanted_.empty() ? nothing : out_->request.parts[wanted_.front()].blob;
  }
  void read(BytesView octets, PartSink& sink) {
    if (!wanted_.empty()) guarded([&] { openings_.at(wanted_.front()).take(octets, &sink); });
  }
  void end_of_blob(PartSink& sink) {
    if (wanted_.empty()) return;
    const std::size_t part = wanted_.front();
    wanted_.erase(wanted_.begin());
    guarded([&] { end_opening(part, &sink); });
  }

  std::shared_ptr<const Examined> finish() {
    Examined& e = *out_;
    if (!is_message_) return out_;
    if (!wanted_.empty()) {
      e.undecidable = true;
      context_.deps.log.error("ebms.partNotRead", {{"messageId", e.message.message_id}, {"cpaId", e.message.cpa_id}});
    }
    if (is_secured() && !e.failure && !e.undecidable) guarded([&] { check_protection(); });
    make_payloads();
    if (!e.undecidable) make_response();
    return out_;
  }

 private:
  // Row 28: a broken invariant of ours, met by this message. It would be met again, so the sender hears it instead of trying for days.
  template <class Step>
  void guarded(Step step) {
    try {
      step();
    } catch (const std::bad_alloc&) {
      throw;  // waiting may cure that
    } catch (const std::exception& fault) {
      wanted_.clear();
      out_->failure = Failure{28, "Unknown", "", "An unknown error occurred!"};
      context_.deps.log.error("ebms.internal", {{"messageId", out_->message.message_id},
                                                {"cpaId", out_->message.cpa_id},
                                                {"tenant", out_->message.tenant},
                                                {"detail", for_log(fault.what())}});
    }
  }

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
    if (action == "Acknowledgment" && out_->envelope.signatures > 0)
      out_->verdict = judge_acknowledgment(context_, *out_->contracts, *out_->contract, out_->sender_party, out_->envelope, out_->at);
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
    is_message_ = true;
    guarded([&] {
      run_checks();
      if (!e.failure && is_secured()) open_parts();
    });
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
    m.state = exchange::State::received;
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
    if (e.failure && e.failure->row == 19) e.security_fault = {"SEC.XML.DEKKING", "no ds:Signature in the header", false};
    if (!e.failure && is_secured()) e.failure = read_signature();
    auto manifest = resolve_manifest(e);
    if (!e.failure) e.failure = std::move(manifest);
  }

  // --- rows 20, 24 and 25 ----------------------------------------------------------------------------------------------------------------
  bool is_secured() const { return out_->channels && needs_signature(out_->channels->profile); }

  const cpa::NonRepudiation* agreed_signature() const {
    const cpa::Binding* binding = cpa::sender_binding(*out_->channels->sender, out_->channels->send);
    return binding && binding->non_repudiation ? &*binding->non_repudiation : nullptr;
  }

  std::optional<Failure> read_signature() {
    Examined& e = *out_;
    auto found = find_signature(e.envelope);
    e.signature = std::move(found.signature);
    e.security_fault = std::move(found.fault);
    const cpa::NonRepudiation* agreed = agreed_signature();
    if (!e.signature || !agreed) return std::nullopt;  // row 25
    auto failure = check_methods(*e.signature, *agreed);
    if (failure) e.security_fault = {"SEC.XML.ALGORITME", failure->description + " " + failure->location, false};
    return failure;
  }

  // Row 24. Small parts are opened here and now; large ones as the driver reads them.
  void open_parts() {
    Examined& e = *out_;
    const bool encrypted = cpa::is_encrypted(e.channels->profile);
    if (!context_.deps.keys || !context_.deps.keys->trusts(e.contract->environment)) {
      e.undecidable = true;
      context_.deps.log.error(
          "ebms.protectionMissing",
          {{"messageId", e.message.message_id}, {"cpaId", e.message.cpa_id}, {"profile", e.message.profile}, {"tenant", e.message.tenant}});
      return;
    }
    const cpa::NonRepudiation* agreed = agreed_signature();
    const auto method =
        (agreed ? xmlsecurity::digest_method(agreed->hash_function) : std::nullopt).value_or(xmlsecurity::DigestMethod::sha256);
    if (encrypted) decrypting_ = decrypting_of(context_, *e.contracts, *e.contract, *e.channels, e.at);
    for (const std::size_t index : e.payload_parts) {
      Part& part = e.request.parts[index];
      if (!encrypted && (part.blob.empty() || method == xmlsecurity::DigestMethod::sha256)) continue;
      auto& opening = openings_.try_emplace(index, part, encrypted ? std::optional(decryptor()) : std::nullopt, method).first->second;
      if (!part.blob.empty()) {
        wanted_.push_back(index);
        continue;
      }
      opening.take(part.octets, nullptr);
      end_opening(index, nullptr);
    }
  }

  xmlsecurity::Decryptor decryptor() {
    return {decrypting_.policy, [this](const xmlsecurity::KeyHints& hints) { return key_for(decrypting_, hints); }, context_.deps.random};
  }

  void end_opening(std::size_t index, PartSink* sink) {
    PartOpening& opening = openings_.at(index);
    if (!opening.end(sink)) return unopened_.push_back(index);
    if (!opening.plain()) return;
    Examined& e = *out_;
    const auto used = exceptional_use(opening.plain()->cipher, opening.plain()->transport);
    decrypted_ = xmlsecurity::uri_of(opening.plain()->cipher);
    if (used.empty()) return;
    // SEC-083: each use is a finding.
    context_.deps.log.warning("ebms.algorithmException", {{"messageId", e.message.message_id},
                                                          {"cpaId", e.message.cpa_id},
                                                          {"tenant", e.message.tenant},
                                                          {"partner", e.sender().oin()},
                                                          {"algorithm", used}});
  }

  void check_protection() {
    Examined& e = *out_;
    if (!unopened_.empty()) return refuse_unopened();
    const cpa::NonRepudiation* agreed = agreed_signature();
    if (e.signature && agreed) {
      const auto parts = covered_parts();
      const Signatory signatory{*e.contracts, *e.contract, *e.channels->sender, *agreed,
                                "ebms/" + e.envelope.header.service + "/" + e.envelope.header.action};
      e.verdict = judge_signature(context_, e.envelope, *e.signature, parts, signatory, e.at);
      if (!e.verdict->fault) return note_protection();
      e.security_fault = *e.verdict->fault;
    }
    if (!e.security_fault.temporary) {
      e.failure = invalid_signature();
      return;
    }
    e.undecidable = true;
    context_.deps.log.error("ebms.undecidable", {{"messageId", e.message.message_id},
                                                 {"cpaId", e.message.cpa_id},
                                                 {"tenant", e.message.tenant},
                                                 {"code", e.security_fault.reason},
                                                 {"detail", e.security_fault.detail}});
  }

  // EB-176: one text, whatever it was.
  void refuse_unopened() {
    Examined& e = *out_;
    const auto first = std::ranges::find_if(e.payload_parts, [&](std::size_t index) { return std::ranges::count(unopened_, index) > 0; });
    const auto position = static_cast<std::size_t>(first - e.payload_parts.begin());
    e.failure = Failure{24, "SecurityFailure", e.envelope.manifest->references[position].href, "Decryption failed."};
    const PartOpening& opening = openings_.at(*first);
    e.security_fault = {opening.refuses_algorithm() ? "SEC.XML.ALGORITME" : "SEC.XML.ONTSLEUTELING", opening.reason(), false};
  }

  std::vector<CoveredPart> covered_parts() const {
    std::vector<CoveredPart> all;
    for (std::size_t i = 0; i < out_->payload_parts.size(); ++i) {
      const std::size_t index = out_->payload_parts[i];
      const Part& part = out_->request.parts[index];
      all.push_back({out_->envelope.manifest->references[i].href,
                     [this, index](xmlsecurity::DigestMethod method) { return digest_of(index, method); }, part.octets, part.blob.empty()});
    }
    return all;
  }

  Result<Bytes> digest_of(std::size_t index, xmlsecurity::DigestMethod method) const {
    const Part& part = out_->request.parts[index];
    if (method == xmlsecurity::DigestMethod::sha256) return from_hex(part.sha256);
    if (part.blob.empty()) return xmlsecurity::digest(method, part.octets);
    const auto opening = openings_.find(index);
    if (opening == openings_.end()) return fail("SEC.XML.ALGORITME", "a digest by another method than agreed");
    return opening->second.digest();
  }

  void note_protection() {
    Examined& e = *out_;
    e.protection = "signed by certificate " + e.verdict->certificate_sha256 + ", " + e.signature->signature_algorithm;
    if (!decrypted_.empty()) e.protection.append("; decrypted, ").append(decrypted_);
    if (!e.verdict->other_certificate) return;
    context_.deps.log.info("ebms.otherCertificate", {{"messageId", e.message.message_id},
                                                     {"cpaId", e.message.cpa_id},
                                                     {"tenant", e.message.tenant},
                                                     {"certificate", e.verdict->certificate_sha256},
                                                     {"detail", "certificate differs from CPA"}});
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
      payload.wire_size = part.wire_size;
      if (part.wire_size > 0) payload.wire_blob = part.wire_blob.empty() ? context_.new_id(e.at) : part.wire_blob;
      e.payloads.push_back(std::move(payload));
    }
  }

  void make_response() {
    Examined& e = *out_;
    auto made = response();
    if (!made) {
      e.undecidable = true;
      context_.deps.log.error(
          "ebms.responseNotMade",
          {{"messageId", e.message.message_id}, {"cpaId", e.message.cpa_id}, {"code", made.error().code}, {"detail", made.error().detail}});
    } else if (*made) {
      exchange::Signal& signal = **made;
      signal.message = e.message.id;
      signal.keep_until = e.keep_key_until;
      signal.send_until = e.envelope.header.time_to_live;
      e.response = std::move(signal);
    }
  }

  Result<std::optional<exchange::Signal>> response() {
    const Examined& e = *out_;
    if (e.failure)
      return outbound_signal(context_, *e.contract, e.sender_party,
                             message_error(context_, *e.contract, e.envelope.header, *e.failure, e.at), e.at);
    const auto wanted = std::ranges::find_if(e.envelope.ack_requested, &AckRequested::targets_to_party_msh);
    if (wanted == e.envelope.ack_requested.end()) return std::optional<exchange::Signal>();
    SCHAKEL_TRY(const Envelope acknowledgment, acknowledge(context_, e, wanted->is_signed));
    SCHAKEL_TRY(exchange::Signal signal, outbound_signal(context_, *e.contract, e.sender_party, acknowledgment, e.at));
    if (wanted->is_signed) {
      SCHAKEL_TRY(const Signing signing,
                  signing_of_acknowledgment(context_, *e.contracts, *e.contract, *e.channels->receiver, e.channels->receive, e.at));
      SCHAKEL_TRY(signal.root, sign_envelope(std::move(signal.root), {}, signing));
    }
    return std::optional(std::move(signal));
  }

  const Context& context_;
  const security::PeerIdentity* peer_;
  std::string host_;
  std::shared_ptr<Examined> out_;
  bool is_message_ = false;
  Decrypting decrypting_;
  std::map<std::size_t, PartOpening> openings_;  // by index in request.parts
  std::vector<std::size_t> wanted_, unopened_;   // of those: still to be read, in vain
  std::string decrypted_;                        // the algorithm
};

Examination::Examination(std::unique_ptr<State> state) : state_(std::move(state)) {}
Examination::Examination(Examination&&) noexcept = default;
Examination::~Examination() = default;

const std::string& Examination::wanted_blob() const {
  return state_->wanted_blob();
}

void Examination::read(BytesView octets, PartSink& sink) {
  state_->read(octets, sink);
}

void Examination::end_of_blob(PartSink& sink) {
  state_->end_of_blob(sink);
}

std::shared_ptr<const Examined> Examination::finish() {
  return state_->finish();
}

// EB-158: with the References of the message when it is to be signed.
Result<Envelope> acknowledge(const Context& context, const Examined& e, bool is_signed) {
  Envelope out = reply_to(context, *e.contract, e.envelope.header, "Acknowledgment", e.at);
  Acknowledgment acknowledgment;
  // EB-111: the peer compares the actor with its own AckRequested.
  acknowledgment.actor = std::string(uri::to_party_msh);
  acknowledgment.timestamp = e.at;
  acknowledgment.ref_to_message_id = e.envelope.header.message_id;
  acknowledgment.from = out.header.from.ids;
  if (is_signed && e.signature) {
    SCHAKEL_TRY(acknowledgment.references, copied_references(*e.signature));
  }
  out.acknowledgment = std::move(acknowledgment);
  return out;
}

std::shared_ptr<const Examined> Msh::examine(ReceivedRequest request, const security::PeerIdentity* peer, std::string_view host) const {
  return begin(std::move(request), peer, host).finish();
}

Examination Msh::begin(ReceivedRequest request, const security::PeerIdentity* peer, std::string_view host) const {
  auto state = std::make_unique<Examination::State>(*state_, std::move(request), peer, host);
  state->begin();
  return Examination(std::move(state));
}

const Answer* Msh::immediate(const Examined& e) {
  return e.immediate ? &*e.immediate : nullptr;
}

std::string_view Msh::audit_reason(const Examined& e) {
  return e.audit_reason;
}

}  // namespace schakel::ebms
