#include "server/message_keys.hpp"

namespace schakel::server {
namespace {

constexpr Duration judgement_age_max = std::chrono::seconds(10);
constexpr std::size_t judgements_max = 1000;  // certificates of partners that send at the same time

bool is_valid(const security::Certificate& certificate, Instant now) {
  return certificate->not_before <= now && now <= certificate->not_after;
}

}  // namespace

std::shared_ptr<const security::KeyPair> MessageKeys::signing_key(std::string_view tenant, BytesView certificate_der, Instant now) const {
  const auto current = identities_();
  const auto* own = current ? current->certificate(tenant, sha256_hex(certificate_der)) : nullptr;
  if (!own || !own->problem.empty() || !own->configured.serves("signing") || !is_valid(own->key_pair->certificate(), now)) return nullptr;
  return own->key_pair;
}

std::vector<std::shared_ptr<const security::KeyPair>> MessageKeys::decryption_keys(std::string_view tenant, Instant now) const {
  std::vector<std::shared_ptr<const security::KeyPair>> keys;
  const auto current = identities_();
  if (!current) return keys;
  for (const auto& own : current->certificates())
    if (own.tenant == tenant && own.problem.empty() && own.configured.serves("encryption") && is_valid(own.key_pair->certificate(), now))
      keys.push_back(own.key_pair);
  return keys;
}

bool MessageKeys::trusts(std::string_view environment) const {
  return trust_.of(environment) != nullptr;
}

security::Verdict MessageKeys::judge(std::string_view environment, std::span<const security::Certificate> chain, security::Usage usage,
                                     Instant now, Instant timestamp) const {
  const auto store = trust_.of(environment);
  if (!store) return {"SEC.PKI.ANKER", "no anchors are configured for this environment", {}, {}};
  std::string fingerprints;
  for (const auto& certificate : chain) fingerprints += certificate->sha256;
  auto verdict = judge_now(*store, {std::string(environment), std::move(fingerprints), usage}, chain, usage, now);
  // EB-155: valid at the Timestamp too. What was revoked then is revoked now.
  const bool covered = !verdict.ok() || is_valid(chain.front(), timestamp);
  return covered ? verdict : store->verify_path_without_revocation(chain, usage, timestamp);
}

security::Verdict MessageKeys::judge_now(security::TrustStore& store, Key key, std::span<const security::Certificate> chain,
                                         security::Usage usage, Instant now) const {
  const auto generation = store.generation();
  {
    const std::lock_guard lock(mutex_);
    const auto found = judged_.find(key);
    if (found != judged_.end() && found->second.generation == generation && found->second.at <= now &&
        now < found->second.at + judgement_age_max)
      return found->second.verdict;
  }
  auto verdict = store.verify_path(chain, usage, now);
  if (verdict.temporary()) {
    // Its CRLs are fetched with the next refresh; the partner comes again (EB-155).
    store.learn(store.verify_path_without_revocation(chain, usage, now));
    return verdict;
  }
  const std::lock_guard lock(mutex_);
  if (judged_.size() >= judgements_max) judged_.clear();
  judged_[std::move(key)] = {verdict, generation, now};
  return verdict;
}

}  // namespace schakel::server
