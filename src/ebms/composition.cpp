// Composing a message (composition.hpp): ebms.md 3.2; adapter.md 2.1.4, 2.1.5.
#include "ebms/composition.hpp"

#include <algorithm>
#include <set>

#include "ebms/encryption.hpp"
#include "ebms/mime.hpp"
#include "ebms/signing.hpp"
#include "exchange/blob.hpp"

namespace schakel::ebms {

namespace {

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

class Composition {
 public:
  Composition(const Context& context, sql::Transaction* tx, const SubmitRequest& request) : context_(context), tx_(tx), request_(request) {
    out_.at = context.now();
    out_.contracts = context.deps.contracts();
  }

  Result<Composed> run() {
    SCHAKEL_CHECK(check_request());
    SCHAKEL_CHECK(look_up_reference());
    SCHAKEL_CHECK(select());
    SCHAKEL_CHECK(check_against_contract());
    SCHAKEL_CHECK(name_message());
    SCHAKEL_CHECK(time_message());
    SCHAKEL_CHECK(make_payloads());
    SCHAKEL_CHECK(build());
    return std::move(out_);
  }

 private:
  // The unit, for a step that needs stored state.
  Result<sql::Transaction*> store() {
    if (!tx_) return fail("submit.needsStore", "this request can only be composed in its unit");
    return tx_;
  }

  Result<> check_request() {
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
    SCHAKEL_TRY(const auto tx, store());
    SCHAKEL_TRY(const auto received, exchange::find_inbound(*tx, request_.tenant, request_.ref_to_message_id));
    for (const Message& message : received)
      if (message.state != State::refused) former_cpa_id_ = message.cpa_id;
    if (!former_cpa_id_.empty()) return {};
    SCHAKEL_TRY(const auto sent, exchange::find_outbound(*tx, request_.ref_to_message_id));
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
    SCHAKEL_TRY(const auto tx, store());
    SCHAKEL_TRY(const auto page, exchange::search_messages(*tx, request_.tenant, filter));
    if (!page.messages.empty()) former_cpa_id_ = page.messages.front().cpa_id;
    return {};
  }

  Result<> select() {
    const cpa::Contracts::Wanted wanted{request_.tenant,        request_.contract_id, request_.cpa_id,       request_.from_oin,
                                        request_.from_party_id, request_.from_role,   request_.to_oin,       request_.to_party_id,
                                        request_.to_role,       request_.service,     request_.service_type, request_.action,
                                        former_cpa_id_};
    SCHAKEL_TRY(out_.contract, out_.contracts->select(wanted, out_.at));
    // A loop-back contract has both parties here; From says which one speaks.
    sender_ = out_.contract->own_party;
    const auto& parties = out_.contract->agreement.parties;
    if (out_.contract->settings.allow_loopback && !request_.from_oin.empty() &&
        parties[static_cast<std::size_t>(1 - sender_)].oin() == request_.from_oin &&
        parties[static_cast<std::size_t>(sender_)].oin() != request_.from_oin)
      sender_ = 1 - sender_;
    const auto roles = roles_of(*out_.contract, sender_, request_);
    if (!roles) return fail("contract.actionNotAllowed", "the contract does not let this party send that action");
    out_.roles = *roles;
    service_type_ = service_type_of(parties[static_cast<std::size_t>(sender_)], out_.roles.from, request_.service, request_.service_type);
    out_.channels =
        cpa::Contracts::channels(*out_.contract, sender_, out_.roles.from, out_.roles.to, request_.service, service_type_, request_.action);
    if (!out_.channels) return fail("contract.actionNotAllowed", "the contract does not let this party send that action");
    out_.reliable = cpa::is_reliable(out_.channels->profile);
    return {};
  }

  Result<> check_against_contract() {
    if (is_ordered(context_, *out_.channels) && is_synchronous(out_.channels->send))
      return fail("contract.actionNotAllowed", "the contract asks for message order and synchronous answers, which exclude each other");
    if (needs_signature(out_.channels->profile) && request_.payloads.size() > 29 && !request_.force)
      return fail("payload.notAllowed", "a signed message has at most 29 payloads, because verifiers refuse more than 30 references");
    if (request_.payloads.size() + 1 > limits::ebms_parts_max) return invalid("/payloads", "a message has at most 99 payloads");
    std::int64_t total = 0;
    for (const SubmitPayload& payload : request_.payloads) total += payload.size;
    if (total > out_.contract->settings.large_message_threshold)
      return fail("message.tooLarge", "the payloads have " + std::to_string(total) + " octets, more than the " +
                                          std::to_string(out_.contract->settings.large_message_threshold) +
                                          " of the contract; larger messages go by Grote Berichten");
    return {};
  }

  // EB-065, EB-067.
  Result<> name_message() {
    host_ = own_host(*out_.contract);
    // cpa.md 3.5: in a successor contract a conversation starts anew.
    const bool moved = !former_cpa_id_.empty() && former_cpa_id_ != out_.contract->agreement.cpa_id && request_.cpa_id.empty() &&
                       request_.contract_id.empty();
    out_.header.conversation_id = request_.conversation_id.empty() || moved ? uuid_v4(context_.deps.random) : request_.conversation_id;
    out_.header.message_id = request_.message_id.empty() ? uuid_v4(context_.deps.random) + "@" + host_ : request_.message_id;
    if (out_.header.message_id.find('@') == std::string::npos) out_.header.message_id += "@" + host_;
    SCHAKEL_CHECK(check_id("messageId", out_.header.message_id, true));
    return check_conversations();
  }

  // cpa.md 3.3.
  Result<> check_conversations() {
    const cpa::Agreement& agreement = out_.contract->agreement;
    if (!agreement.invocation_limit && !agreement.concurrent_conversations) return {};
    SCHAKEL_TRY(const auto tx, store());
    SCHAKEL_TRY(const auto counts, exchange::count_conversations(*tx, request_.tenant, out_.contract->row.id, out_.header.conversation_id));
    const bool too_many = agreement.invocation_limit && counts.others >= *agreement.invocation_limit;
    const bool too_many_open = agreement.concurrent_conversations && counts.others_open >= *agreement.concurrent_conversations;
    if (!counts.known && (too_many || too_many_open)) return fail("contract.limitReached", "the contract allows no further conversation");
    return {};
  }

  // EB-070, EB-105.
  Result<> time_message() {
    // A message that starts later carries the time at which it starts, so that its TimeToLive and retries count from there.
    const Instant start = request_.not_before && *request_.not_before > out_.at ? *request_.not_before : out_.at;
    out_.header.timestamp = std::chrono::floor<std::chrono::milliseconds>(start);
    out_.reliability = cpa::Contracts::reliability(*out_.channels, out_.header.timestamp);
    if (cpa::Contracts::time_rule(*out_.contract, out_.header.timestamp, out_.header.timestamp, out_.reliability, out_.reliable) !=
        cpa::Contracts::TimeVerdict::valid)
      return fail("contract.expired", "the contract is not valid at the time of the message");
    if (request_.time_to_live && !out_.reliable) return invalid("/timeToLive", "a best-effort message has no TimeToLive");
    if (request_.time_to_live && *request_.time_to_live > out_.reliability.persist_duration)
      return invalid("/timeToLive", "timeToLive is longer than the PersistDuration of the contract");
    if (out_.reliable) {
      const Duration life = request_.time_to_live
                                ? *request_.time_to_live
                                : (out_.reliability.retries + 1) * out_.reliability.retry_interval + std::chrono::seconds(1);
      out_.header.time_to_live = std::chrono::ceil<std::chrono::milliseconds>(out_.header.timestamp + life);
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
      if (payload.content_id == out_.header.message_id || !ids.insert(payload.content_id).second)
        return invalid(where + "/contentId", "contentId is used twice");
      payload.content_type = given.content_type.empty() ? "application/octet-stream" : given.content_type;
      if (!is_wire_media_type(payload.content_type)) return invalid(where + "/contentType", "contentType is no media type");
      if (given.file_name.size() > 255 || !is_valid_utf8(given.file_name))
        return invalid(where + "/fileName", "fileName is longer than 255 octets or no UTF-8");
      payload.file_name = given.file_name;
      payload.size = given.size;
      payload.sha256 = given.sha256.empty() && given.blob.empty() ? sha256_hex(given.octets) : given.sha256;
      payload.blob = given.blob.empty() ? context_.new_id(out_.at) : given.blob;
      out_.payloads.push_back(std::move(payload));
    }
    return {};
  }

  Result<> build() {
    Envelope envelope;
    out_.header.from = {out_.channels->sender->ids, out_.roles.from};
    out_.header.to = {out_.channels->receiver->ids, out_.roles.to};
    out_.header.cpa_id = out_.contract->agreement.cpa_id;
    out_.header.service = request_.service;
    out_.header.service_type = service_type_;
    out_.header.action = request_.action;
    out_.header.ref_to_message_id = request_.ref_to_message_id;
    out_.header.duplicate_elimination = out_.reliable;
    envelope.header = out_.header;
    if (out_.reliable) {
      const cpa::MessagingCharacteristics& agreed = out_.channels->send->characteristics;
      envelope.ack_requested.push_back({"2.0", std::string(uri::to_party_msh), agreed.ack_signature_requested == cpa::Occurrence::always});
      if (is_synchronous(out_.channels->send)) envelope.sync_reply = SyncReply{};  // EB-121
    }
    if (is_ordered(context_, *out_.channels)) {
      SCHAKEL_TRY(const auto tx, store());
      SCHAKEL_TRY(out_.numbered, next_number(*tx, request_.tenant, out_.header, *out_.channels->sender, request_.copy_of));
      envelope.message_order = out_.numbered->order;
    }
    if (!out_.payloads.empty()) {
      envelope.manifest = Manifest{};
      for (const exchange::Payload& payload : out_.payloads) envelope.manifest->references.push_back({"cid:" + payload.content_id});
    }
    SCHAKEL_TRY(out_.root, build_envelope(envelope));
    SCHAKEL_CHECK(secure());
    if (out_.root.size() > limits::ebms_root_bytes_max) return fail("message.tooLarge", "the envelope is larger than 1 MiB");
    return {};
  }

  // EB-156: sign over the plain payloads, then encrypt.
  Result<> secure() {
    if (!needs_signature(out_.channels->profile)) return {};
    SCHAKEL_TRY(const Signing signing,
                signing_of(context_, *out_.contracts, *out_.contract, *out_.channels->sender, out_.channels->send, out_.at));
    std::vector<SignedPart> parts;
    for (std::size_t i = 0; i < out_.payloads.size(); ++i) {
      SCHAKEL_TRY(Bytes digest, digest_of(i, signing.digest));
      parts.push_back({"cid:" + out_.payloads[i].content_id, std::move(digest)});
    }
    SCHAKEL_TRY(out_.root, sign_envelope(std::move(out_.root), parts, signing));
    out_.protection =
        "signed with certificate " + signing.key->certificate()->sha256 + ", " + std::string(xmlsecurity::uri_of(signing.method));
    return cpa::is_encrypted(out_.channels->profile) ? encrypt() : Result<>();
  }

  Result<Bytes> digest_of(std::size_t i, xmlsecurity::DigestMethod method) {
    if (method == xmlsecurity::DigestMethod::sha256 && !out_.payloads[i].sha256.empty()) return from_hex(out_.payloads[i].sha256);
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
    SCHAKEL_TRY(const auto tx, store());
    std::int64_t done = 0;
    for (std::int64_t chunk = 0; done < given.size; ++chunk) {
      SCHAKEL_TRY(const Bytes octets, exchange::read_chunk(*tx, given.blob, chunk));
      if (octets.empty()) return fail("storage.failed", "a stored payload is shorter than its size");
      done += static_cast<std::int64_t>(octets.size());
      SCHAKEL_CHECK(take(octets));
    }
    return {};
  }

  // EB-170, EB-174. What is made here is sent each time (EB-102).
  Result<> encrypt() {
    SCHAKEL_TRY(const Encrypting encrypting, encrypting_of(context_, *out_.contracts, *out_.contract, *out_.channels, out_.at));
    SCHAKEL_CHECK(check_recipient(context_, *out_.contract, encrypting, out_.at));
    out_.encrypted.resize(out_.payloads.size());
    for (std::size_t i = 0; i < out_.payloads.size(); ++i) SCHAKEL_CHECK(encrypt_payload(i, encrypting));
    const auto algorithm = xmlsecurity::uri_of(encrypting.cipher);
    out_.protection.append("; encrypted for certificate ").append(encrypting.recipient->sha256).append(", ").append(algorithm);
    // SEC-082: CBC is made because an agreement in force names it; each use is a finding.
    if (xmlsecurity::needs_exception(encrypting.cipher))
      context_.deps.log.warning("ebms.algorithmException", {{"messageId", out_.header.message_id},
                                                            {"cpaId", out_.header.cpa_id},
                                                            {"tenant", request_.tenant},
                                                            {"partner", out_.channels->receiver->oin()},
                                                            {"algorithm", algorithm}});
    return {};
  }

  Result<> encrypt_payload(std::size_t i, const Encrypting& encrypting) {
    exchange::Payload& payload = out_.payloads[i];
    SCHAKEL_TRY(auto encryptor, xmlsecurity::Encryptor::make(encryption_to_make(encrypting, payload.content_id, payload.content_type),
                                                             encrypting.recipient, context_.deps.random));
    payload.wire_blob = context_.new_id(out_.at);
    if (request_.payloads[i].blob.empty()) {
      out_.encrypted[i] = encryptor.update(request_.payloads[i].octets);
      out_.encrypted[i] += encryptor.finish();
      payload.wire_size = static_cast<std::int64_t>(out_.encrypted[i].size());
      return {};
    }
    SCHAKEL_TRY(const auto tx, store());
    Bytes waiting;
    std::int64_t chunks = 0;
    const auto write = [&](bool all) -> Result<> {
      while (waiting.size() >= limits::blob_chunk_bytes || (all && !waiting.empty())) {
        const Bytes chunk = waiting.substr(0, limits::blob_chunk_bytes);
        SCHAKEL_CHECK(exchange::write_owned_chunk(*tx, payload.wire_blob, chunks++, chunk));
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

  const Context& context_;
  sql::Transaction* tx_;
  const SubmitRequest& request_;
  int sender_ = 0;
  std::string service_type_, former_cpa_id_, host_;
  Composed out_;
};

}  // namespace

Result<Composed> compose(const Context& context, sql::Transaction* tx, const SubmitRequest& request) {
  return Composition(context, tx, request).run();
}

}  // namespace schakel::ebms
