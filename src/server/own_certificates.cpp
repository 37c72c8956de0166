#include "server/own_certificates.hpp"

#include <algorithm>
#include <set>

#include "security/crl.hpp"

namespace schakel::server {
namespace {

constexpr std::chrono::seconds fetch_timeout{10};  // security.md 3.3

}  // namespace

std::string OwnCertificates::fetch(const std::string& url) {
  const auto now = clock_.now();
  auto& former = fetched_[url];
  if (former.at != Instant{} && now - former.at < fetched_every && former.problem.empty()) return {};
  const auto list = fetch_(url, fetch_timeout);
  former.at = now;
  former.problem.clear();
  if (!list)
    former.problem = list.error().code + ": " + list.error().detail;
  else if (const auto parsed = security::parse_crl(*list); !parsed)
    former.problem = parsed.error().code + ": " + parsed.error().detail;
  return former.problem;
}

std::vector<CertificateFinding> OwnCertificates::judge(const Identities::Loaded& own, security::TrustStore& trust) {
  std::vector<CertificateFinding> findings;
  std::vector<security::Certificate> chain{own.key_pair->certificate()};
  chain.insert(chain.end(), own.key_pair->chain().begin(), own.key_pair->chain().end());
  for (const auto& purpose : own.configured.purposes) {
    const auto verdict = trust.verify_path_fetching(chain, usage_of(purpose), clock_.now());
    const CertificateFinding finding{verdict.reason, verdict.detail};
    if (!verdict.ok() && std::ranges::find(findings, finding) == findings.end()) findings.push_back(finding);
  }
  std::set<std::string> urls;
  for (const auto& certificate : chain) urls.insert(certificate->crl_urls.begin(), certificate->crl_urls.end());
  for (const auto& url : urls)
    if (const auto problem = fetch(url); !problem.empty()) findings.push_back({"SEC.CRL.ONBEREIKBAAR", url + ": " + problem});
  return findings;
}

void OwnCertificates::look(const Identities& identities) {
  const std::lock_guard looking(looking_);
  std::map<std::string, std::vector<CertificateFinding>> fresh;
  for (const auto& own : identities.certificates()) {
    const auto* tenant = identities.tenant(own.tenant);
    const auto store = tenant ? trust_.of(tenant->environment) : nullptr;
    if (!own.key_pair || !own.problem.empty() || !store) continue;
    const auto& certificate = own.key_pair->certificate();
    auto findings = judge(own, *store);
    for (const auto& finding : findings)
      log_.warning("certificate.finding",
                   {{"tenant", own.tenant}, {"certificate", certificate->sha256}, {"code", finding.code}, {"detail", finding.detail}});
    if (const auto days = security::expiry_warning(certificate->not_after, clock_.now()))
      log_.warning("certificate.expires", {{"tenant", own.tenant}, {"certificate", certificate->sha256}, {"withinDays", *days}});
    fresh[certificate->sha256] = std::move(findings);
  }
  const std::lock_guard lock(mutex_);
  findings_ = std::move(fresh);
}

std::vector<CertificateFinding> OwnCertificates::findings(const std::string& certificate_sha256) const {
  const std::lock_guard lock(mutex_);
  const auto found = findings_.find(certificate_sha256);
  return found == findings_.end() ? std::vector<CertificateFinding>{} : found->second;
}

}  // namespace schakel::server
