// Which Digikoppeling profile an action follows, read from its channels and characteristics (cpa.md 2.3, last paragraph).
#pragma once

#include "cpa/agreement.hpp"

namespace schakel::cpa {

// An action as both parties wrote it. `send` or `receive` may be null when an id dangles.
struct ActionPair {
  const PartyInfo& sender;
  const PartyInfo& receiver;
  const ActionBinding& can_send;
  const ActionBinding& can_receive;
  const DeliveryChannel* send;     // S
  const DeliveryChannel* receive;  // R
};

const Binding* sender_binding(const PartyInfo&, const DeliveryChannel*);
const Binding* receiver_binding(const PartyInfo&, const DeliveryChannel*);

bool is_persistent(std::string_view level);  // persistent or transient-and-persistent
// isNonRepudiationRequired and a SenderNonRepudiation to do it with.
bool is_signed(const ActionPair&);
// isConfidential is persistent, and both parties' channels have a ReceiverDigitalEnvelope.
bool is_encrypted(const ActionPair&);
Profile profile_of(const ActionPair&);

}  // namespace schakel::cpa
