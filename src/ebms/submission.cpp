// Msh::submit: a request of an application becomes a stored message and the promise to send it (ebms.md 3.2; adapter.md 2.1.4, 2.1.5).
#include <algorithm>
#include <set>

#include "ebms/encryption.hpp"
#include "ebms/mime.hpp"
#include "ebms/msh_state.hpp"
#include "ebms/ordering.hpp"
#include "ebms/signing.hpp"
#include "ebms/submission.hpp"
#include "exchange/blob.hpp"

namespace schakel::ebms {

namespace {

using exchange::Direction;
using exchange::Message;
using exchange::State;

Error invalid(std::string location, std::string detail) {
  return fail("request.invalid", std::move(detail), std::move(location));
}

// EB-065, EB-067: text for an envelope of at most 255 characters without control characters.
Result<> check_id(std::string_view name, std::string_view text, bool message_id) {
  const std::string where = "/" + std::string(name);
  if (!xml::is_xml_text(text)) return invalid(where, std::string(name) + " holds characters that XML cannot carry");
  std::size_t characters = 0;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if ((u & 0xc0) != 0x80) ++characters;
    if (u < 0x20 || u == 0x7f) return invalid(where, std::string(name) + " holds a control character");
    if (message_id && (c == ' ' || c == '<' || c == '>' || u >= 0x80))
      return invalid(where, std::string(name) + " must be an RFC 5322 msg-id without brackets");
  }
  if (characters > limits::ebms_text_chars_max) return invalid(where, std::string(name) + " is longer than 255 characters");
  return {};
}

// A header value that a part may carry: a media type, printable ASCII.
bool is_wire_media_type(std::string_view text) {
  if (text.empty() || text.size() > 255) return false;
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; })) return false;
  return parse_media_type(text).has_value();
}

struct Roles {
  std::string from, to;
};

// The roles under which `sender` may send this: one per party and CPA (EB-060).
std::optional<Roles> roles_of(const cpa::LoadedContract& contract, int sender, const SubmitRequest& request) {
  const auto role = [&](const cpa::PartyInfo& party, bool sends, std::string_view wanted) -> const std::string* {
    for (const cpa::CollaborationRole& r : party.roles) {
      if (r.service != request.service || (!request.service_type.empty() && r.service_type != request.service_type) ||
          (!wanted.empty() && r.role != wanted))
        continue;
      for (const cpa::ActionBinding& binding : r.actions)
        if (binding.can_send == sends && binding.action == request.action && !binding.nested) return &r.role;
    }
    return nullptr;
  };
  const auto& parties = contract.agreement.parties;
  const std::string* from = role(parties[static_cast<std::size_t>(sender)], true, request.from_role);
  const std::string* to = role(parties[static_cast<std::size_t>(1 - sender)], false, request.to_role);
  if (!from || !to) return std::nullopt;
  return Roles{*from, *to};
}

std::string service_type_of(const cpa::PartyInfo& party, std::string_view role, std::string_view service, std::string_view type) {
  for (const cpa::CollaborationRole& r : party.roles)
    if (r.role == role && r.service == service && (type.empty() || r.service_type == type)) return r.service_type;
  return {};
}

class Submission {
 public:
  Submission(const Context& context, sql::Transaction& tx, const SubmitRequest& request)
      : context_(context), tx_(tx), request_(request), now_(context.now()), contracts_(context.deps.contracts()) {}

  Result<Message> run() {
    SCHAKEL_CHECK(check_request());
    SCHAKEL_CHECK(look_up_reference());
    SCHAKEL_CHECK(select());
    SCHAKEL_CHECK(check_against_contract());
    SCHAKEL_CHECK(name_message());
    SCHAKEL_CHECK(time_message());
    SCHAKEL_CHECK(make_payloads());
    SCHAKEL_CHECK(build());
    return store();
  }

 private:
  Result<> check_request() {
    if (context_.is_suspended(request_.tenant)) return fail("tenant.suspended", "the tenant is suspended");
    if (request_.service.empty() || request_.action.empty())
      return invalid(request_.service.empty() ? "/service" : "/action", "service and action are needed");
    SCHAKEL_CHECK(check_id("conversationId", request_.conversation_id, false));
    SCHAKEL_CHECK(check_id("messageId", request_.message_id, true));
    SCHAKEL_CHECK(check_id("refToMessageId", request_.ref_to_message_id, false));
    if (request_.time_to_live && *request_.time_to_live <= Duration{0}) return invalid("/timeToLive", "timeToLive must be more than zero");
    return {};
  }

  // EB-069, cpa.md 3.5: the message that this one answers.
  Result<> look_up_reference() {
    if (request_.ref_to_message_id.empty()) return look_up_conversation();
    SCHAKEL_TRY(const auto received, exchange::find_inbound(tx_, request_.tenant, request_.ref_to_message_id));
    for (const Message& message : received)
      if (message.state != State::refused) former_cpa_id_ = message.cpa_id;
    if (!former_cpa_id_.empty()) return {};
    SCHAKEL_TRY(const auto sent, exchange::find_outbound(tx_, request_.ref_to_message_id));
    if (sent && sent->tenant == request_.tenant) {
      former_cpa_id_ = sent->cpa_id;
    } else if (!request_.force) {
      return invalid("/refToMessageId", "refToMessageId names no message that is known here");
    }
    return {};
  }

  Result<> look_up_conversation() {
    if (request_.conversation_id.empty() || !request_.cpa_id.empty() || !request_.contract_id.empty()) return {};
    exchange::MessageFilter filter;
    filter.conversation_id = request_.conversation_id;
    filter.limit = 1;
    SCHAKEL_TRY(const auto page, exchange::search_messages(tx_, request_.tenant, filter));
    if (!page.messages.empty()) former_cpa_id_ = page.messages.front().cpa_id;
    return {};
  }

  Result<> select() {
    const cpa::Contracts::Wanted wanted{request_.tenant,        request_.contract_id, request_.cpa_id,       request_.from_oin,
                                        request_.from_party_id, request_.from_role,   request_.to_oin,       request_.to_party_id,
                                        request_.to_role,       request_.service,     request_.service_type, request_.action,
                                        former_cpa_id_};
    SCHAKEL_TRY(contract_, contracts_->select(wanted, now_));
    // A loop-back contract has both parties here; From says which one speaks.
    sender_ = contract_->own_party;
    const auto& parties = contract_->agreement.parties;
    if (contract_->settings.allow_loopback && !request_.from_oin.empty() &&
        parties[static_cast<std::size_t>(1 - sender_)].oin() == request_.from_oin &&
        parties[static_cast<std::size_t>(sender_)].oin() != request_.from_oin)
      sender_ = 1 - sender_;
    const auto roles = roles_of(*contract_, sender_, request_);
    if (!roles) return fail("contract.actionNotAllowed", "the contract does not let this party send that action");
    roles_ = *roles;
    service_type_ = service_type_of(parties[static_cast<std::size_t>(sender_)], roles_.from, request_.service, request_.service_type);
    channels_ = cpa::Contracts::channels(*contract_, sender_, roles_.from, roles_.to, request_.service, service_type_, request_.action);
    if (!channels_) return fail("contract.actionNotAllowed", "the contract does not let this party send that action");
    reliable_ = cpa::is_reliable(channels_->profile);
    return {};
  }

  Result<> check_against_contract() {
    if (is_ordered(context_, *channels_) && is_synchronous(channels_->send))
      return fail("contract.actionNotAllowed", "the contract asks for message order and synchronous answers, which exclude each other");
    if (needs_signature(channels_->profile) && request_.payloads.size() > 29 && !request_.force)
      return fail("payload.notAllowed", "a signed message has at most 29 payloads, because verifiers refuse more than 30 references");
    if (request_.payloads.size() + 1 > limits::ebms_parts_max) return invalid("/payloads", "a message has at most 99 payloads");
    std::int64_t total = 0;
    for (const SubmitPayload& payload : request_.payloads) total += payload.size;
    if (total > contract_->settings.large_message_threshold)
      return fail("message.tooLarge", "the payloads have " + std::to_string(total) + " octets, more than the " +
                                          std::to_string(contract_->settings.large_message_threshold) +
                                          " of the contract; larger messages go by Grote Berichten");
    return {};
  }

  // EB-065, EB-067.
  Result<> name_message() {
    host_ = own_host(*contract_);
    // cpa.md 3.5: in a successor contract a conversation starts anew.
    const bool moved =
        !former_cpa_id_.empty() && former_cpa_id_ != contract_->agreement.cpa_id && request_.cpa_id.empty() && request_.contract_id.empty();
    header_.conversation_id = request_.conversation_id.empty() || moved ? uuid_v4(context_.deps.random) : request_.conversation_id;
    header_.message_id = request_.message_id.empty() ? uuid_v4(context_.deps.random) + "@" + host_ : request_.message_id;
    if (header_.message_id.find('@') == std::string::npos) header_.message_id += "@" + host_;
    SCHAKEL_CHECK(check_id("messageId", header_.message_id, true));
    if (!request_.message_id.empty()) {
      SCHAKEL_TRY(const auto existing, exchange::find_outbound(tx_, header_.message_id));
      if (existing)
        return fail("message.duplicateId", "a message with this messageId exists",
                    existing->tenant == request_.tenant ? existing->id : std::string());
    }
    return check_conversations();
  }

  // cpa.md 3.3.
  Result<> check_conversations() {
    const cpa::Agreement& agreement = contract_->agreement;
    if (!agreement.invocation_limit && !agreement.concurrent_conversations) return {};
    SCHAKEL_TRY(const auto counts, exchange::count_conversations(tx_, request_.tenant, contract_->row.id, header_.conversation_id));
    const bool too_many = agreement.invocation_limit && counts.others >= *agreement.invocation_limit;
    const bool too_many_open = agreement.concurrent_conversations && counts.others_open >= *agreement.concurrent_conversations;
    if (!counts.known && (too_many || too_many_open)) return fail("contract.limitReached", "the contract allows no further conversation");
    return {};
  }

  // EB-070, EB-105.
  Result<> time_message() {
    // A message that starts later carries the time at which it starts, so that its TimeToLive and retries count from there.
    const Instant start = request_.not_before && *request_.not_before > now_ ? *request_.not_before : now_;
    header_.timestamp = std::chrono::floor<std::chrono::milliseconds>(start);
    reliability_ = cpa::Contracts::reliability(*channels_, header_.timestamp);
    if (cpa::Contracts::time_rule(*contract_, header_.timestamp, header_.timestamp, reliability_, reliable_) !=
        cpa::Contracts::TimeVerdict::valid)
      return fail("contract.expired", "the contract is not valid at the time of the message");
    if (request_.time_to_live && !reliable_) return invalid("/timeToLive", "a best-effort message has no TimeToLive");
    if (request_.time_to_live && *request_.time_to_live > reliability_.persist_duration)
      return invalid("/timeToLive", "timeToLive is longer than the PersistDuration of the contract");
    if (reliable_) {
      const Duration life = request_.time_to_live ? *request_.time_to_live
                                                  : (reliability_.retries + 1) * reliability_.retry_interval + std::chrono::seconds(1);
      header_.time_to_live = std::chrono::ceil<std::chrono::milliseconds>(header_.timestamp + life);
    }
    return {};
  }

  // EB-026, EB-028.
  Result<> make_payloads() {
    std::set<std::string, std::less<>> ids;
    for (std::size_t i = 0; i < request_.payloads.size(); ++i) {
      const SubmitPayload& given = request_.payloads[i];
      const std::string where = "/payloads/" + std::to_string(i);
      exchange::Payload payload;
      payload.index = static_cast<std::int64_t>(i);
      payload.content_id = given.content_id.empty() ? uuid_v4(context_.deps.random) + "@" + host_ : given.content_id;
      if (payload.content_id.find('@') == std::string::npos) payload.content_id += "@" + host_;
      if (!is_wire_content_id(payload.content_id))
        return invalid(where + "/contentId", "contentId must be x@host of letters, digits and . _ -");
      if (payload.content_id == header_.message_id || !ids.insert(payload.content_id).second)
        return invalid(where + "/contentId", "contentId is used twice");
      payload.content_type = given.content_type.empty() ? "application/octet-stream" : given.content_type;
      if (!is_wire_media_type(payload.content_type)) return invalid(where + "/contentType", "contentType is no media type");
      if (given.file_name.size() > 255 || !is_valid_utf8(given.file_name))
        return invalid(where + "/fileName", "fileName is longer than 255 octets or no UTF-8");
      payload.file_name = given.file_name;
      payload.size = given.size;
      payload.sha256 = given.sha256.empty() && given.blob.empty() ? sha256_hex(given.octets) : given.sha256;
      payload.blob = given.blob.empty() ? context_.new_id(now_) : given.blob;
      payloads_.push_back(std::move(payload));
    }
    return {};
  }

  Result<> build() {
    Envelope envelope;
    header_.from = {channels_->sender->ids, roles_.from};
    header_.to = {channels_->receiver->ids, roles_.to};
    header_.cpa_id = contract_->agreement.cpa_id;
    header_.service = request_.service;
    header_.service_type = service_type_;
    header_.action = request_.action;
    header_.ref_to_message_id = request_.ref_to_message_id;
    header_.duplicate_elimination = reliable_;
    envelope.header = header_;
    if (reliable_) {
      const cpa::MessagingCharacteristics& agreed = channels_->send->characteristics;
      envelope.ack_requested.push_back({"2.0", std::string(uri::to_party_msh), agreed.ack_signature_requested == cpa::Occurrence::always});
      if (is_synchronous(channels_->send)) envelope.sync_reply = SyncReply{};  // EB-121
    }
    if (is_ordered(context_, *channels_)) {
      SCHAKEL_TRY(numbered_, next_number(tx_, request_.tenant, header_, *channels_->sender, request_.copy_of));
      envelope.message_order = numbered_->order;
    }
    if (!payloads_.empty()) {
      envelope.manifest = Manifest{};
      for (const exchange::Payload& payload : payloads_) envelope.manifest->references.push_back({"cid:" + payload.content_id});
    }
    SCHAKEL_TRY(root_, build_envelope(envelope));
    SCHAKEL_CHECK(secure());
    if (root_.size() > limits::ebms_root_bytes_max) return fail("message.tooLarge", "the envelope is larger than 1 MiB");
    return {};
  }

  // EB-156: sign over the plain payloads, then encrypt.
  Result<> secure() {
    if (!needs_signature(channels_->profile)) return {};
    SCHAKEL_TRY(const Signing signing, signing_of(context_, *contracts_, *contract_, *channels_->sender, channels_->send, now_));
    std::vector<SignedPart> parts;
    for (std::size_t i = 0; i < payloads_.size(); ++i) {
      SCHAKEL_TRY(Bytes digest, digest_of(i, signing.digest));
      parts.push_back({"cid:" + payloads_[i].content_id, std::move(digest)});
    }
    SCHAKEL_TRY(root_, sign_envelope(std::move(root_), parts, signing));
    protection_ = "signed with certificate " + signing.key->certificate()->sha256 + ", " + std::string(xmlsecurity::uri_of(signing.method));
    return cpa::is_encrypted(channels_->profile) ? encrypt() : Result<>();
  }

  Result<Bytes> digest_of(std::size_t i, xmlsecurity::DigestMethod method) {
    if (method == xmlsecurity::DigestMethod::sha256 && !payloads_[i].sha256.empty()) return from_hex(payloads_[i].sha256);
    xmlsecurity::Digest digest(method);
    SCHAKEL_CHECK(each_piece(i, [&](BytesView octets) {
      digest.write(octets);
      return Result<>();
    }));
    return digest.finish();
  }

  // The octets of a payload in order: from memory, or chunk by chunk from the store (EB-031).
  Result<> each_piece(std::size_t i, const std::function<Result<>(BytesView)>& take) {
    const SubmitPayload& given = request_.payloads[i];
    if (given.blob.empty()) return take(given.octets);
    std::int64_t done = 0;
    for (std::int64_t chunk = 0; done < given.size; ++chunk) {
      SCHAKEL_TRY(const Bytes octets, exchange::read_chunk(tx_, given.blob, chunk));
      if (octets.empty()) return fail("storage.failed", "a stored payload is shorter than its size");
      done += static_cast<std::int64_t>(octets.size());
      SCHAKEL_CHECK(take(octets));
    }
    return {};
  }

  // EB-170, EB-174. What is made here is sent each time (EB-102).
  Result<> encrypt() {
    SCHAKEL_TRY(const Encrypting encrypting, encrypting_of(context_, *contracts_, *contract_, *channels_, now_));
    SCHAKEL_CHECK(check_recipient(context_, *contract_, encrypting, now_));
    for (std::size_t i = 0; i < payloads_.size(); ++i) SCHAKEL_CHECK(encrypt_payload(i, encrypting));
    const auto algorithm = xmlsecurity::uri_of(encrypting.cipher);
    protection_.append("; encrypted for certificate ").append(encrypting.recipient->sha256).append(", ").append(algorithm);
    // SEC-082: CBC is made because an agreement in force names it; each use is a finding.
    if (xmlsecurity::needs_exception(encrypting.cipher))
      context_.deps.log.warning("ebms.algorithmException", {{"messageId", header_.message_id},
                                                            {"cpaId", header_.cpa_id},
                                                            {"tenant", request_.tenant},
                                                            {"partner", channels_->receiver->oin()},
                                                            {"algorithm", algorithm}});
    return {};
  }

  Result<> encrypt_payload(std::size_t i, const Encrypting& encrypting) {
    exchange::Payload& payload = payloads_[i];
    SCHAKEL_TRY(auto encryptor, xmlsecurity::Encryptor::make(encryption_to_make(encrypting, payload.content_id, payload.content_type),
                                                             encrypting.recipient, context_.deps.random));
    payload.wire_blob = context_.new_id(now_);
    Bytes waiting;
    std::int64_t chunks = 0;
    const auto write = [&](bool all) -> Result<> {
      while (waiting.size() >= limits::blob_chunk_bytes || (all && !waiting.empty())) {
        const Bytes chunk = waiting.substr(0, limits::blob_chunk_bytes);
        SCHAKEL_CHECK(exchange::write_owned_chunk(tx_, payload.wire_blob, chunks++, chunk));
        payload.wire_size += static_cast<std::int64_t>(chunk.size());
        waiting.erase(0, chunk.size());
      }
      return {};
    };
    SCHAKEL_CHECK(each_piece(i, [&](BytesView octets) {
      waiting += encryptor.update(octets);
      return write(false);
    }));
    waiting += encryptor.finish();
    return write(true);
  }

  Result<Message> store() {
    Message message = make_message();
    for (std::size_t i = 0; i < payloads_.size(); ++i) {
      payloads_[i].message = message.id;
      const SubmitPayload& given = request_.payloads[i];
      if (given.blob.empty()) SCHAKEL_CHECK(write_octets(payloads_[i].blob, given.octets));
    }
    if (auto inserted = exchange::insert_message(tx_, message, payloads_); !inserted) {
      // The id is unique per installation: another unit of this very moment may have taken it.
      if (inserted.error().code == "storage.conflict") return fail("message.duplicateId", "a message with this messageId exists");
      return inserted.error();
    }
    if (numbered_) SCHAKEL_CHECK(add_ordered(tx_, *numbered_, message.id));
    SCHAKEL_TRY(const auto hop, contracts_->next_hop(*contract_, *channels_->sender, *channels_->receiver, message.service, message.action,
                                                     contracts_->url(*contract_, *channels_->receive, *channels_->receiver,
                                                                     message.ref_to_message_id.empty() ? "request" : "response"),
                                                     now_));
    SCHAKEL_CHECK(add_work("ebms.send", message, destination_of(hop.url), message.not_before.value_or(now_)));
    if (message.expires_at) SCHAKEL_CHECK(add_work("message.expire", message, {}, *message.expires_at));
    TrailWriter trail(context_, now_);
    trail.add(message.id, "submitted").wire_id = message.message_id;
    if (!protection_.empty()) trail.add(message.id, "secured", {}, protection_);
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

  Result<> write_octets(const std::string& blob, BytesView octets) {
    for (std::int64_t chunk = 0; !octets.empty(); ++chunk) {
      SCHAKEL_CHECK(exchange::write_owned_chunk(tx_, blob, chunk, octets.substr(0, limits::blob_chunk_bytes)));
      octets.remove_prefix(std::min(limits::blob_chunk_bytes, octets.size()));
    }
    return {};
  }

  Result<> add_work(std::string_view kind, const Message& message, std::string destination, Instant due) {
    exchange::Work work;
    work.id = context_.new_id(now_);
    work.tenant = message.tenant;
    work.kind = kind;
    work.subject = message.id;
    work.destination = std::move(destination);
    work.due = due;
    return exchange::add_work(tx_, work);
  }

  Message make_message() {
    Message m;
    m.id = context_.new_id(now_);
    m.tenant = request_.tenant;
    m.direction = Direction::outbound;
    m.profile = cpa::to_string(channels_->profile);
    m.state = State::queued;
    m.contract_id = contract_->row.id;
    m.cpa_id = header_.cpa_id;
    m.from = message_party(*channels_->sender, roles_.from);
    m.to = message_party(*channels_->receiver, roles_.to);
    m.service = header_.service;
    m.service_type = header_.service_type;
    m.action = header_.action;
    m.conversation_id = header_.conversation_id;
    m.message_id = header_.message_id;
    m.ref_to_message_id = header_.ref_to_message_id;
    m.timestamp = header_.timestamp;
    m.expires_at = header_.time_to_live;
    m.persist_until = header_.timestamp + reliability_.persist_duration;
    m.retries_max = reliable_ ? reliability_.retries : 0;
    if (reliable_) m.retry_interval = reliability_.retry_interval;
    m.created_at = now_;
    m.accepted_at = now_;
    m.next_attempt_at = now_;
    if (request_.not_before && *request_.not_before > now_) {
      m.state = State::held;
      m.state_reason = "notBefore";
      m.not_before = request_.not_before;
      m.next_attempt_at = request_.not_before;
    }
    m.traceparent = request_.traceparent;
    m.labels = request_.labels;
    m.copy_of = request_.copy_of;
    m.root = root_;
    m.wire_content_type =
        payloads_.empty() ? "text/xml; charset=UTF-8" : multipart_content_type(make_boundary(context_.deps.random), header_.message_id);
    return m;
  }

  const Context& context_;
  sql::Transaction& tx_;
  const SubmitRequest& request_;
  Instant now_;
  std::shared_ptr<const cpa::Contracts> contracts_;
  const cpa::LoadedContract* contract_ = nullptr;
  int sender_ = 0;
  Roles roles_;
  std::string service_type_, former_cpa_id_, host_;
  std::optional<cpa::Channels> channels_;
  bool reliable_ = false;
  cpa::Reliability reliability_;
  MessageHeader header_;
  std::vector<exchange::Payload> payloads_;
  std::optional<Numbered> numbered_;
  Bytes root_;
  std::string protection_;  // how it was secured: for the trail
};

}  // namespace

Result<Message> submit_message(const Context& context, sql::Transaction& tx, const SubmitRequest& request) {
  return Submission(context, tx, request).run();
}

Result<Message> Msh::submit(sql::Transaction& tx, const SubmitRequest& request) const {
  return submit_message(*state_, tx, request);
}

}  // namespace schakel::ebms
