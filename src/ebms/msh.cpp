#include "ebms/msh.hpp"

#include "ebms/encryption.hpp"
#include "ebms/msh_state.hpp"
#include "ebms/ordering.hpp"
#include "ebms/signing.hpp"

namespace schakel::ebms {

Msh::Msh(Settings settings, Dependencies dependencies)
    : state_(std::make_unique<State>(State{{.settings = std::move(settings), .deps = std::move(dependencies)}})) {}
Msh::~Msh() = default;

namespace {

// What our side of one action needs and does not have (ebms.md 1.9, 1.10).
Result<> check_protection(const Context& context, const cpa::Contracts& contracts, const cpa::LoadedContract& contract,
                          const cpa::Channels& channels, bool we_send, Instant now) {
  if (!needs_signature(channels.profile)) return {};
  const bool encrypted = cpa::is_encrypted(channels.profile);
  if (!context.deps.keys) return fail("contract.actionNotAllowed", "secured profiles need keys, and this node has none");
  if (!context.deps.keys->trusts(contract.environment))
    return fail("contract.actionNotAllowed", "no anchors are configured for the environment " + contract.environment);
  if (we_send) {
    SCHAKEL_CHECK(signing_of(context, contracts, contract, *channels.sender, channels.send, now));
    if (encrypted) SCHAKEL_CHECK(encrypting_of(context, contracts, contract, channels, now));
    return {};
  }
  const cpa::MessagingCharacteristics& agreed = channels.send->characteristics;
  const bool signed_acknowledgment =
      agreed.ack_requested != cpa::Occurrence::never && agreed.ack_signature_requested == cpa::Occurrence::always;
  if (signed_acknowledgment)
    SCHAKEL_CHECK(signing_of_acknowledgment(context, contracts, contract, *channels.receiver, channels.receive, now));
  return encrypted ? can_decrypt(context, contracts, contract, *channels.receiver, channels.receive, now) : Result<>();
}

// The other role under which an action of this one is received.
std::optional<cpa::Channels> channels_of(const cpa::LoadedContract& contract, int sender, const cpa::CollaborationRole& role,
                                         const cpa::ActionBinding& binding) {
  for (const cpa::CollaborationRole& other : contract.agreement.parties[static_cast<std::size_t>(1 - sender)].roles) {
    auto channels = cpa::Contracts::channels(contract, sender, role.role, other.role, role.service, role.service_type, binding.action);
    if (channels) return channels;
  }
  return std::nullopt;
}

}  // namespace

std::vector<Msh::Unprotected> Msh::unprotected_actions(const cpa::LoadedContract& contract) const {
  std::vector<Unprotected> actions;
  const auto contracts = state_->deps.contracts();
  const Instant now = state_->now();
  for (int sender = 0; sender < 2; ++sender) {
    const bool we_send = sender == contract.own_party;
    for (const cpa::CollaborationRole& role : contract.agreement.parties[static_cast<std::size_t>(sender)].roles) {
      for (const cpa::ActionBinding& binding : role.actions) {
        if (!binding.can_send || binding.nested) continue;
        const auto channels = channels_of(contract, sender, role, binding);
        const auto checked = channels ? check_protection(*state_, *contracts, contract, *channels, we_send, now) : Result<>();
        if (!checked) actions.push_back({binding.action, checked.error().detail});
      }
    }
  }
  return actions;
}

Result<> Msh::report_order_gap(sql::Transaction& tx, const exchange::Claimer& claimer, const exchange::Work& work) const {
  return report_gap(tx, *state_, claimer, work);
}

}  // namespace schakel::ebms
