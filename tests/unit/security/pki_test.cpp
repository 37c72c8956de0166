#include "security/pki.hpp"

#include <gtest/gtest.h>

#include "support/pki.hpp"

namespace schakel {
namespace {
using security::Verdict;

struct BadSet {
  Instant now = SystemClock().now();
  test::Pki pki;
  std::vector<security::NegativeCase> cases;
  std::shared_ptr<security::TrustStore> trust;

  BadSet() : cases(pki.authority().negative(now).value()), trust(pki.trust()) {
    for (const auto& item : cases) {
      // Its CAs become known when somebody presents them; then their lists are fetched. An expired list was valid when it was fetched.
      trust->learn(trust->verify_path(item.chain, item.usage, now));
      for (const auto& [name, crl] : item.crls) (void)trust->install_crl(crl, item.id == "N27" ? now - std::chrono::hours(2) : now);
    }
  }
};
BadSet& bad_set() {
  static BadSet set;
  return set;
}

std::string outcome(const security::NegativeCase& item) {
  auto& set = bad_set();
  const auto verdict = set.trust->verify_path(item.chain, item.usage, set.now);
  if (!verdict.ok()) return verdict.reason;
  if (!item.host.empty() && !security::names_host(verdict.path.front(), item.host)) return "SEC.TLS.HOSTNAAM";
  return security::peer_identity(verdict, security::TrustProfile::test).refusal;
}

TEST(TestPki, EveryBadCertificateIsRefusedForItsOwnReason) {
  ASSERT_EQ(bad_set().cases.size(), 32U);
  for (const auto& item : bad_set().cases) EXPECT_EQ(outcome(item), item.expected) << item.id << " " << item.description;
}

}  // namespace
}  // namespace schakel
