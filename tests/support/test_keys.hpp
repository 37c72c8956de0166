// Own keys and trust for message handlers in tests and in the simulator (ebms/protection.hpp): what server/ does over configuration, here
// over a map. Tests change what is held while messages pass.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebms/protection.hpp"

namespace schakel::testing {

class TestKeys : public ebms::KeyRing {
 public:
  using Pair = std::shared_ptr<const security::KeyPair>;

  explicit TestKeys(std::shared_ptr<const security::TrustStore> trust) : trust_(std::move(trust)) {}

  void hold(const std::string& tenant, Pair pair) { pairs_[tenant].push_back(std::move(pair)); }
  void lose(const std::string& tenant) { pairs_[tenant].clear(); }
  void trust(std::shared_ptr<const security::TrustStore> store) { trust_ = std::move(store); }

  Pair signing_key(std::string_view tenant, BytesView der, Instant) const override {
    for (const auto& pair : held(tenant))
      if (pair->certificate()->der == der) return pair;
    return nullptr;
  }
  std::vector<Pair> decryption_keys(std::string_view tenant, Instant) const override { return held(tenant); }
  bool trusts(std::string_view) const override { return trust_ != nullptr; }
  security::Verdict judge(std::string_view, std::span<const security::Certificate> chain, security::Usage usage, Instant now,
                          Instant timestamp) const override {
    auto verdict = trust_->verify_path(chain, usage, now);
    return verdict.ok() ? trust_->verify_path_without_revocation(chain, usage, timestamp) : verdict;
  }

 private:
  std::vector<Pair> held(std::string_view tenant) const {
    const auto found = pairs_.find(tenant);
    return found == pairs_.end() ? std::vector<Pair>() : found->second;
  }

  std::shared_ptr<const security::TrustStore> trust_;
  std::map<std::string, std::vector<Pair>, std::less<>> pairs_;
};

}  // namespace schakel::testing
