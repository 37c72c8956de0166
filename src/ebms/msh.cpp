#include "ebms/msh.hpp"

#include "ebms/msh_state.hpp"
#include "ebms/ordering.hpp"

namespace schakel::ebms {

Msh::Msh(Settings settings, Dependencies dependencies)
    : state_(std::make_unique<State>(State{{std::move(settings), std::move(dependencies)}})) {}
Msh::~Msh() = default;

std::vector<std::string> Msh::unprotected_actions(const cpa::LoadedContract& contract) const {
  std::vector<std::string> actions;
  for (int sender = 0; sender < 2; ++sender) {
    for (const cpa::CollaborationRole& role : contract.agreement.parties[static_cast<std::size_t>(sender)].roles) {
      for (const cpa::ActionBinding& binding : role.actions) {
        if (!binding.can_send || binding.nested) continue;
        for (const cpa::CollaborationRole& other : contract.agreement.parties[static_cast<std::size_t>(1 - sender)].roles) {
          const auto channels =
              cpa::Contracts::channels(contract, sender, role.role, other.role, role.service, role.service_type, binding.action);
          if (!channels) continue;
          const bool signature = needs_signature(channels->profile) && !(state_->deps.signer && state_->deps.verifier);
          const bool encryption = cpa::is_encrypted(channels->profile) && !state_->deps.cipher;
          if (signature || encryption) actions.push_back(binding.action);
          break;
        }
      }
    }
  }
  return actions;
}

Result<> Msh::report_order_gap(sql::Transaction& tx, const exchange::Claimer& claimer, const exchange::Work& work) const {
  return report_gap(tx, *state_, claimer, work);
}

}  // namespace schakel::ebms
