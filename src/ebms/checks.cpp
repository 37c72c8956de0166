// The checks of ebms.md 3.5, each a function named after what it looks at; codes, paths and texts are those of the table.
#include <algorithm>
#include <set>

#include "ebms/examined.hpp"
#include "ebms/mime.hpp"
#include "ebms/ordering.hpp"

namespace schakel::ebms {

namespace {

constexpr std::string_view kInconsistent = "Inconsistent";

Failure failure(int row, std::string_view code, std::string_view path, std::string_view description) {
  return {row, std::string(code), path.empty() ? std::string() : xpointer(path), std::string(description)};
}

// RFC 3986: a scheme, a colon, something.
bool is_absolute_uri(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) return false;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (!letter(text.front())) return false;
  const auto scheme_char = [&letter](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'; };
  return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon), scheme_char) &&
         text.find_first_of(" \t\r\n") == std::string_view::npos;
}

bool party_ids_are_sound(const std::vector<cpa::PartyId>& ids) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i].type.empty()) {
      if (!is_absolute_uri(ids[i].value)) return false;
      continue;
    }
    for (std::size_t j = 0; j < i; ++j)
      if (ids[j].type == ids[i].type) return false;
  }
  return true;
}

std::optional<Failure> check_version(const MessageHeader& header) {
  if (header.version != "2.0") return failure(1, kInconsistent, "//Header/MessageHeader/@version", "Invalid value.");
  return std::nullopt;
}

std::optional<Failure> check_party_id_form(const MessageHeader& header) {
  if (!party_ids_are_sound(header.from.ids)) return failure(2, kInconsistent, "//Header/MessageHeader/From/PartyId", "Invalid value.");
  if (!party_ids_are_sound(header.to.ids)) return failure(2, kInconsistent, "//Header/MessageHeader/To/PartyId", "Invalid value.");
  return std::nullopt;
}

std::optional<Failure> check_roles(const MessageHeader& header) {
  if (header.from.role.empty()) return failure(3, kInconsistent, "//Header/MessageHeader/From/Role", "Invalid value.");
  if (header.to.role.empty()) return failure(3, kInconsistent, "//Header/MessageHeader/To/Role", "Invalid value.");
  return std::nullopt;
}

std::optional<Failure> check_parties(const Examined& e) {
  const cpa::Agreement& agreement = e.contract->agreement;
  const int from = agreement.party_of(e.envelope.header.from.ids), to = agreement.party_of(e.envelope.header.to.ids);
  if (from < 0) return failure(4, kInconsistent, "//Header/MessageHeader/From/PartyId", "Value not found.");
  const bool ours = to >= 0 && (to == e.contract->own_party || e.contract->settings.allow_loopback);
  if (!ours || to == from) return failure(4, kInconsistent, "//Header/MessageHeader/To/PartyId", "Value not found.");
  return std::nullopt;
}

std::optional<Failure> check_service(const MessageHeader& header) {
  if (header.service_type.empty() && !is_absolute_uri(header.service))
    return failure(5, kInconsistent, "//Header/MessageHeader/Service", "Invalid value.");
  return std::nullopt;
}

std::optional<Failure> check_agreement(const Examined& e) {
  using exchange::ContractState;
  const ContractState state = e.contract->row.state;
  const bool in_use = state != ContractState::draft && state != ContractState::validated;
  const bool agreed = e.contract->agreement.status == "agreed" || e.contract->agreement.status == "signed";
  const bool reliable = e.channels && cpa::is_reliable(e.channels->profile);
  const auto verdict = cpa::Contracts::time_rule(*e.contract, e.envelope.header.timestamp, e.at, e.reliability, reliable);
  if (in_use && agreed && verdict == cpa::Contracts::TimeVerdict::valid) return std::nullopt;
  return failure(6, kInconsistent, "//Header/MessageHeader/CPAId", "Invalid CPA.");
}

std::optional<Failure> check_time_to_live(const Examined& e) {
  const auto& limit = e.envelope.header.time_to_live;
  if (limit && e.at > *limit) return failure(9, "TimeToLiveExpired", "//Header/MessageHeader/MessageData/TimeToLive", "");
  return std::nullopt;
}

bool contradicts(cpa::Occurrence agreed, bool present) {
  return (agreed == cpa::Occurrence::always && !present) || (agreed == cpa::Occurrence::never && present);
}

std::optional<Failure> check_ack_requested(const Context& context, const Examined& e) {
  const cpa::MessagingCharacteristics& agreed = e.channels->send->characteristics;
  const std::vector<AckRequested>& requests = e.envelope.ack_requested;
  if (contradicts(agreed.ack_requested, !requests.empty())) return failure(11, kInconsistent, "//Header/AckRequested", "Wrong value.");
  if (requests.empty()) return std::nullopt;
  for (const AckRequested& request : requests)
    if (request.version != "2.0") return failure(12, kInconsistent, "//Header/AckRequested/@version", "Invalid value.");
  const auto to_party = std::find_if(requests.begin(), requests.end(), [](const AckRequested& r) { return r.targets_to_party_msh(); });
  if (to_party == requests.end() && requests.size() == 1 && requests.front().targets_next_msh())
    return failure(13, "NotSupported", "//Header/AckRequested/@actor", "NextMSH not supported.");
  for (const AckRequested& request : requests)
    if (!request.targets_next_msh() && !request.targets_to_party_msh())
      return failure(14, kInconsistent, "//Header/AckRequested/@actor", "Invalid value.");
  if (to_party == requests.end()) return failure(13, "NotSupported", "//Header/AckRequested/@actor", "NextMSH not supported.");
  const auto wrong = failure(15, kInconsistent, "//Header/AckRequested/@signed", "Wrong value.");
  if (contradicts(agreed.ack_signature_requested, to_party->is_signed)) return wrong;
  // EB-158: a signature that we cannot make.
  if (to_party->is_signed &&
      !signing_of_acknowledgment(context, *e.contracts, *e.contract, *e.channels->receiver, e.channels->receive, e.at))
    return wrong;
  return std::nullopt;
}

std::optional<Failure> check_sync_reply(const Examined& e) {
  const bool present = e.envelope.sync_reply.has_value();
  const bool agreed = is_synchronous(e.channels->send);
  // EB-122: a peer may take the element from its signal channel; then nothing is expected on the connection.
  const bool excused = !present && !is_synchronous(e.sender().signal_channel(""));
  if (present != agreed && !excused) return failure(16, kInconsistent, "//Header/SyncReply", "Wrong value.");
  return std::nullopt;
}

std::optional<Failure> check_sync_reply_form(const Envelope& envelope) {
  if (!envelope.sync_reply) return std::nullopt;
  if (envelope.sync_reply->version != "2.0") return failure(17, kInconsistent, "//Header/SyncReply/@version", "Invalid value.");
  if (envelope.sync_reply->actor != uri::next) return failure(17, kInconsistent, "//Header/SyncReply/@actor", "Wrong value.");
  return std::nullopt;
}

// EB-190, EB-191.
std::optional<Failure> check_message_order(const Context& context, const Examined& e) {
  if (!e.envelope.message_order) return std::nullopt;
  if (!is_ordered(context, *e.channels)) return failure(18, "NotSupported", "//Header/MessageOrder", "MessageOrder not supported.");
  if (e.envelope.sync_reply || e.synchronous) return failure(18, kInconsistent, "//Header/MessageOrder", "Wrong value.");
  return std::nullopt;
}

constexpr std::string_view kCid = "cid:";

// EB-027: exact first, then with percent-escapes undone. -1: no part; -2: more than one.
int part_of(const std::vector<Part>& parts, std::string_view cid) {
  for (const bool decoded : {false, true}) {
    const std::string wanted = decoded ? percent_decoded(cid) : std::string(cid);
    int found = -1;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const bool equal = parts[i].content_id == wanted || (decoded && percent_decoded(parts[i].content_id) == wanted);
      if (!equal) continue;
      if (found >= 0) return -2;
      found = static_cast<int>(i);
    }
    if (found >= 0) return found;
  }
  return -1;
}

Failure unresolvable(std::string_view href) {
  return failure(22, "MimeProblem", "//Body/Manifest/Reference[@href='" + std::string(href) + "']", "URI cannot be resolved.");
}

}  // namespace

std::optional<Failure> check_header(const Examined& e) {
  const MessageHeader& header = e.envelope.header;
  if (auto f = check_version(header)) return f;
  if (auto f = check_party_id_form(header)) return f;
  if (auto f = check_roles(header)) return f;
  if (auto f = check_parties(e)) return f;
  if (auto f = check_service(header)) return f;
  if (auto f = check_agreement(e)) return f;
  if (!e.channels) return failure(7, "ValueNotRecognized", "//Header/MessageHeader/Action", "Value not found.");
  return check_time_to_live(e);
}

std::optional<Failure> check_characteristics(const Context& context, const Examined& e) {
  const cpa::MessagingCharacteristics& agreed = e.channels->send->characteristics;
  if (contradicts(agreed.duplicate_elimination, e.envelope.header.duplicate_elimination))
    return failure(10, kInconsistent, "//Header/MessageHeader/DuplicateElimination", "Wrong value.");
  if (auto f = check_ack_requested(context, e)) return f;
  if (auto f = check_sync_reply(e)) return f;
  if (auto f = check_sync_reply_form(e.envelope)) return f;
  return check_message_order(context, e);
}

std::optional<Failure> check_signature_present(const Examined& e) {
  if (needs_signature(e.channels->profile) && e.envelope.signatures == 0)
    return failure(19, "SecurityFailure", "//Header/Signature", "Signature not found.");
  return std::nullopt;
}

namespace {

// SEC-118, EB-027: a Content-ID names one part, also where nothing refers to it.
std::optional<Failure> check_content_ids(const ReceivedRequest& request) {
  std::set<std::string_view> seen;
  if (!request.root_content_id.empty()) seen.insert(request.root_content_id);
  for (const Part& part : request.parts)
    if (!part.content_id.empty() && !seen.insert(part.content_id).second) return unresolvable(std::string(kCid) + part.content_id);
  return std::nullopt;
}

}  // namespace

std::optional<Failure> resolve_manifest(Examined& e) {
  const std::vector<Part>& parts = e.request.parts;
  const auto ambiguous = check_content_ids(e.request);
  std::vector<bool> named(parts.size(), false);
  std::optional<Failure> found;
  if (e.envelope.manifest) {
    if (e.envelope.manifest->version != "2.0") return failure(21, kInconsistent, "//Body/Manifest/@version", "Invalid value.");
    for (const ManifestReference& reference : e.envelope.manifest->references) {
      if (!std::string_view(reference.href).starts_with(kCid)) return unresolvable(reference.href);
      const int part = part_of(parts, std::string_view(reference.href).substr(kCid.size()));
      if (part == -2 || (part >= 0 && named[static_cast<std::size_t>(part)])) return unresolvable(reference.href);
      if (part == -1) {
        // Row 22 stands before row 23: go on looking for a reference that cannot be resolved at all.
        const auto same = [&reference](const ManifestReference& other) { return other.href == reference.href; };
        if (std::count_if(e.envelope.manifest->references.begin(), e.envelope.manifest->references.end(), same) > 1)
          return unresolvable(reference.href);
        if (!found) found = Failure{23, "MimeProblem", reference.href, "MIME part not found."};
        continue;
      }
      named[static_cast<std::size_t>(part)] = true;
      e.payload_parts.push_back(static_cast<std::size_t>(part));
    }
  }
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (!named[i] && !parts[i].blob.empty()) e.dropped_blobs.push_back(parts[i].blob);
  return ambiguous ? ambiguous : found;
}

std::optional<Failure> check_signal(const Examined& e) {
  const MessageHeader& header = e.envelope.header;
  if (auto f = check_version(header)) return f;
  if (auto f = check_party_id_form(header)) return f;
  if (auto f = check_parties(e)) return f;
  if (auto f = check_agreement(e)) return f;
  if (auto f = check_time_to_live(e)) return f;
  return check_sync_reply_form(e.envelope);
}

Failure unknown_reference() {
  return failure(8, "ValueNotRecognized", "//Header/MessageHeader/MessageData/RefToMessageId", "Value not found.");
}
Failure id_reused() {
  return failure(26, kInconsistent, "//Header/MessageHeader/MessageData/MessageId", "MessageId already used.");
}
Failure conversation_limit() {
  return failure(29, kInconsistent, "//Header/MessageHeader/ConversationId", "Limit reached.");
}

}  // namespace schakel::ebms
