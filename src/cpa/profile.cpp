#include "cpa/profile.hpp"

namespace schakel::cpa {
namespace {

const DocExchange* doc_exchange(const PartyInfo& party, const DeliveryChannel* channel) {
  return channel == nullptr ? nullptr : party.doc_exchange(channel->doc_exchange_id);
}

}  // namespace

const Binding* sender_binding(const PartyInfo& party, const DeliveryChannel* channel) {
  const auto* exchange = doc_exchange(party, channel);
  return exchange != nullptr && exchange->sender ? &*exchange->sender : nullptr;
}
const Binding* receiver_binding(const PartyInfo& party, const DeliveryChannel* channel) {
  const auto* exchange = doc_exchange(party, channel);
  return exchange != nullptr && exchange->receiver ? &*exchange->receiver : nullptr;
}

bool is_persistent(std::string_view level) {
  return level == "persistent" || level == "transient-and-persistent";
}

bool is_signed(const ActionPair& pair) {
  const auto* binding = sender_binding(pair.sender, pair.send);
  return pair.can_send.characteristics.non_repudiation.value_or(false) && binding != nullptr && binding->non_repudiation;
}

bool is_encrypted(const ActionPair& pair) {
  const auto* own = receiver_binding(pair.sender, pair.send);
  const auto* other = receiver_binding(pair.receiver, pair.receive);
  return is_persistent(pair.can_send.characteristics.confidential) && own != nullptr && own->envelope && other != nullptr &&
         other->envelope;
}

Profile profile_of(const ActionPair& pair) {
  const bool reliable = pair.send != nullptr && pair.send->characteristics.ack_requested != Occurrence::never;
  if (is_encrypted(pair)) return reliable ? Profile::osb_rm_e : Profile::osb_be_e;
  if (is_signed(pair)) return reliable ? Profile::osb_rm_s : Profile::osb_be_s;
  return reliable ? Profile::osb_rm : Profile::osb_be;
}

}  // namespace schakel::cpa
