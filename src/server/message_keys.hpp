// The keys with which messages are signed and decrypted, and the judgement of partners' certificates (ebms/protection.hpp), over the
// tenants' certificates and the trust stores.
//
// Looks at the newest snapshot at every call, so a rotation takes effect with the next message. A judgement is kept for some seconds, as
// long as no CRL changes: one partner's certificate comes with every message. Safe from every thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>

#include "ebms/protection.hpp"
#include "server/identities.hpp"

namespace schakel::server {

class MessageKeys final : public ebms::KeyRing {
 public:
  using Snapshot = std::function<std::shared_ptr<const Identities>()>;
  MessageKeys(Snapshot identities, const Trust& trust) : identities_(std::move(identities)), trust_(trust) {}

  std::shared_ptr<const security::KeyPair> signing_key(std::string_view tenant, BytesView certificate_der, Instant now) const override;
  std::vector<std::shared_ptr<const security::KeyPair>> decryption_keys(std::string_view tenant, Instant now) const override;
  bool trusts(std::string_view environment) const override;
  security::Verdict judge(std::string_view environment, std::span<const security::Certificate> chain, security::Usage, Instant now,
                          Instant timestamp) const override;

 private:
  struct Judged {
    security::Verdict verdict;
    std::uint64_t generation = 0;  // of the trust store
    Instant at{};
  };
  // Environment, fingerprints of the chain, usage.
  using Key = std::tuple<std::string, std::string, security::Usage>;

  security::Verdict judge_now(security::TrustStore&, Key, std::span<const security::Certificate> chain, security::Usage, Instant now) const;

  Snapshot identities_;
  const Trust& trust_;
  mutable std::mutex mutex_;
  mutable std::map<Key, Judged> judged_;
};

}  // namespace schakel::server
