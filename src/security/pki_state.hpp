// What a TestPki consists of. Internal to pki*.cpp.
#pragma once

#include "security/issuance.hpp"
#include "security/pki.hpp"

namespace schakel::security {

struct TestAuthority {
  std::string id;         // "g4-tls-tsp"
  std::string issuer_id;  // its own for a root
  Certificate certificate;
  PrivateKey key;
  SigningScheme scheme = SigningScheme::pss_sha512;
  std::uint64_t crl_number = 0;
  std::vector<RevokedEntry> revoked{};
  Bytes crl{};
  bool listed = true;  // false: belongs to the bad set, not to intermediates.pem
};

struct TestPki::State {
  TestPkiOptions options;
  std::vector<TestAuthority> authorities;
  std::vector<Record> index;

  Result<PrivateKey> new_key(int bits) const { return options.make_key ? options.make_key(bits) : generate_rsa(bits); }
  int authority_bits() const { return options.fast ? 3072 : 4096; }
  TestAuthority* find(std::string_view id);
  const TestAuthority* find(std::string_view id) const { return const_cast<State*>(this)->find(id); }

  Result<> add_tree(std::string_view generation, std::span<const std::string_view, 3> names, Instant now);
  // `key`: empty makes a new one.
  Result<TestAuthority> make_authority(const std::string& id, const std::string& name, const TestAuthority* issuer, Instant now,
                                       PrivateKey key = {}) const;
  Result<> sign_crl(TestAuthority&, Instant now, Duration life) const;
  // Extensions of a CA or leaf that depend on its issuer only.
  Result<> add_issuer_extensions(Extensions&, const TestAuthority& issuer) const;
  std::vector<Certificate> chain_above(const TestAuthority& issuer) const;  // issuer … domain, without root
};

// The authority that issues a profile.
std::string_view issuing_authority(PkiProfile);
// The leaf of a request as a plan; the bad set changes it before it is signed.
struct LeafPlan {
  Name subject;
  std::string key_usage, extended_key_usage, policies;
  std::vector<std::string> hosts;
  bool qc_statements = true;
};
Result<LeafPlan> plan_leaf(const IssueRequest&);
Result<Certificate> issue_leaf(const TestPki::State&, const TestAuthority& issuer, const LeafPlan&, EVP_PKEY* key, Instant from,
                               Instant until, const std::function<Result<>(Extensions&)>& more = {});
Error invalid_pki(std::string detail);

}  // namespace schakel::security
