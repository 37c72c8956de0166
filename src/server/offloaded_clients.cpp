#include "server/offloaded_clients.hpp"

#include "base/bytes.hpp"

namespace schakel::server {
namespace {

constexpr std::size_t remembered_max = 8192;
constexpr std::chrono::seconds remembered_for{30};  // SEC-028 asks for at most 60 s

}  // namespace

Result<security::PeerIdentity> OffloadedClients::identify(security::TrustStore& trust, const http::OffloadedCertificate& passed) {
  std::string key(security::to_string(trust.profile()));
  key += sha256(passed.der);
  for (const auto& issuer : passed.chain) key += sha256(issuer);
  const auto now = clock_.now();
  const auto generation = trust.generation();
  {
    const std::lock_guard lock(mutex_);
    const auto found = verdicts_.find(key);
    if (found != verdicts_.end() && found->second.crl_generation == generation && now < found->second.good_until) return found->second.peer;
  }
  std::vector<Bytes> chain{passed.der};
  chain.insert(chain.end(), passed.chain.begin(), passed.chain.end());
  SCHAKEL_TRY(auto peer, security::identify_client(trust, chain, now));
  const std::lock_guard lock(mutex_);
  if (verdicts_.size() >= remembered_max) verdicts_.clear();
  verdicts_[key] = {peer, generation, std::min<Instant>(now + remembered_for, peer.not_after)};
  return peer;
}

}  // namespace schakel::server
