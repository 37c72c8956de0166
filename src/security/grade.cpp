#include "security/grade.hpp"

#include <algorithm>

#include "security/keys.hpp"
#include "security/rules.hpp"

namespace schakel::security {
namespace {

constexpr int rsa_bits_sufficient = 3072, rsa_bits_phase_out = 2048;

Finding fine(std::string rule, std::string detail, Grade grade = Grade::good) {
  return {std::move(rule), grade, {}, std::move(detail)};
}
Finding wrong(std::string rule, std::string reason, std::string detail) {
  return {std::move(rule), Grade::error, std::move(reason), std::move(detail)};
}
Finding of(std::string rule, const std::optional<Fault>& fault, std::string otherwise) {
  return fault ? wrong(std::move(rule), fault->reason, fault->detail) : fine(std::move(rule), std::move(otherwise));
}

Finding grade_key(const Certificate& certificate) {
  const auto& key = certificate->key;
  if (key.type == KeyType::rsa || key.type == KeyType::rsa_pss) {
    const auto text = "RSA key of " + std::to_string(key.bits) + " bits";
    if (key.bits >= rsa_bits_sufficient) return fine("SEC-011", text, Grade::sufficient);
    if (key.bits >= rsa_bits_phase_out) return fine("SEC-011", text + ": to be phased out", Grade::phase_out);
    return {"SEC-011", Grade::insufficient, "SEC.PKI.SLEUTEL", text};
  }
  if (const auto fault = check_key(certificate, rsa_bits_phase_out)) return {"SEC-011", Grade::insufficient, fault->reason, fault->detail};
  return fine("SEC-011", key.curve.empty() ? "EdDSA key" : "key on curve " + key.curve, Grade::sufficient);
}

Finding grade_oin(const Certificate& certificate, TrustProfile profile) {
  const auto& oin = certificate->oin;
  if (!oin.refusal.empty()) return wrong("SEC-007", oin.refusal, "subject.serialNumber holds no usable OIN");
  if (profile == TrustProfile::production && oin.oin.starts_with("00000099"))
    return wrong("SEC-067", "SEC.OIN.TEST", "test OIN " + oin.oin + " in production");
  return oin.irregular ? fine("SEC-007", "OIN " + oin.oin + " is irregular", Grade::sufficient) : fine("SEC-007", "OIN " + oin.oin);
}

Finding grade_policy(const Certificate& certificate, Usage usage, TrustProfile profile) {
  const auto accepted = accepted_policies(usage, profile);
  const auto* policy = matching_policy(std::span(&certificate, 1), accepted);
  if (policy == nullptr)
    return wrong("SEC-014", "SEC.PKI.POLICY", "no certificate policy that is accepted for " + std::string(to_string(usage)));
  return fine("SEC-014", "policy " + *policy);
}

void grade_names(const Certificate& certificate, std::vector<Finding>& findings) {
  if (certificate->dns_names.empty()) findings.push_back(wrong("SEC-015", "SEC.TLS.HOSTNAAM", "a server certificate without dNSName"));
  for (const auto& odd : certificate->odd_names)
    findings.push_back(fine("SEC-015", "alternative name that is never matched: " + for_log(odd), Grade::phase_out));
  if (certificate->odd_names.empty() && !certificate->dns_names.empty())
    findings.push_back(fine("SEC-015", std::to_string(certificate->dns_names.size()) + " dNSNames"));
}

std::string rule_of(std::string_view reason) {
  if (reason == "SEC.PKI.ONBEKENDE_CA") return "SEC-002";
  if (reason == "SEC.PKI.INGETROKKEN") return "SEC-020";
  if (reason.starts_with("SEC.CRL.")) return "SEC-021";
  if (reason == "SEC.PKI.ALGORITME") return "SEC-010";
  if (reason == "SEC.PKI.SLEUTEL") return "SEC-011";
  if (reason == "SEC.PKI.POLICY") return "SEC-014";
  if (reason == "SEC.PKI.GEBRUIK") return "SEC-013";
  return "SEC-008";
}

}  // namespace

Grade overall(std::span<const Finding> findings) {
  Grade worst = Grade::good;
  for (const auto& finding : findings) worst = std::max(worst, finding.grade);
  return worst;
}

std::vector<Finding> grade_certificate(const Certificate& certificate, Usage usage, TrustProfile profile) {
  std::vector<Finding> findings;
  findings.push_back(of("SEC-010", check_signature_algorithm(certificate), certificate->signature.name));
  findings.push_back(grade_key(certificate));
  findings.push_back(of("SEC-012", check_key_usage(certificate, usage), "keyUsage fits"));
  findings.push_back(of("SEC-013", check_extended_key_usage(std::span(&certificate, 1), usage), "extendedKeyUsage fits"));
  findings.push_back(grade_policy(certificate, usage, profile));
  findings.push_back(grade_oin(certificate, profile));
  if (usage == Usage::tls_server) grade_names(certificate, findings);
  return findings;
}

std::vector<Finding> grade_chain(std::span<const Certificate> chain, Usage usage, const TrustStore& trust, Instant now) {
  if (chain.empty()) return {wrong("SEC-001", "SEC.TLS.GEEN_CERT", "no certificate")};
  auto findings = grade_certificate(chain.front(), usage, trust.profile());
  const auto verdict = trust.verify_path(chain, usage, now);
  const bool seen =
      std::ranges::any_of(findings, [&](const Finding& finding) { return finding.reason == verdict.reason && !verdict.reason.empty(); });
  if (verdict.ok())
    findings.push_back(fine("SEC-008", "path of " + std::to_string(verdict.path.size()) + " certificates, none revoked"));
  else if (!seen)
    findings.push_back(wrong(rule_of(verdict.reason), verdict.reason, verdict.detail));
  for (std::size_t i = 1; i < verdict.path.size(); ++i) {
    auto key = grade_key(verdict.path[i]);
    if (key.grade <= Grade::sufficient) continue;
    key.detail = verdict.path[i]->subject + ": " + key.detail;
    findings.push_back(std::move(key));
  }
  return findings;
}

std::vector<Finding> grade_handshake(const HandshakeResult& handshake, std::string_view host) {
  std::vector<Finding> findings;
  const auto version = handshake.version == "TLSv1.3"   ? Grade::good
                       : handshake.version == "TLSv1.2" ? Grade::sufficient
                                                        : Grade::insufficient;
  findings.push_back({"SEC-030", version, version == Grade::insufficient ? "SEC.TLS.VERSIE" : "", handshake.version});
  const auto suite = grade_of_suite(handshake.cipher);
  findings.push_back({"SEC-031", suite, suite > Grade::sufficient ? "SEC.TLS.SUITE" : "", handshake.cipher});
  const auto group = handshake.group.empty() ? Grade::insufficient : grade_of_group(handshake.group);
  findings.push_back({"SEC-032", group, group > Grade::sufficient ? "SEC.TLS.SUITE" : "",
                      handshake.group.empty() ? "no key exchange with forward secrecy" : handshake.group});
  const bool weak_hash =
      handshake.signature.ends_with("SHA1") || handshake.signature.ends_with("MD5") || handshake.signature.ends_with("SHA224");
  findings.push_back({"SEC-033", weak_hash ? Grade::insufficient : Grade::good, weak_hash ? "SEC.TLS.SUITE" : "", handshake.signature});
  findings.push_back(handshake.extended_master_secret
                         ? fine("SEC-035", "Extended Master Secret")
                         : Finding{"SEC-035", Grade::insufficient, "SEC.TLS.EMS", "no Extended Master Secret"});
  if (handshake.resumed) findings.push_back(fine("SEC-036", "the session was resumed", Grade::phase_out));
  if (!host.empty()) {
    const bool named = !handshake.peer_chain.empty() && names_host(handshake.peer_chain.front(), host);
    findings.push_back(named ? fine("SEC-015", "the certificate names " + for_log(host))
                             : wrong("SEC-015", "SEC.TLS.HOSTNAAM", "the certificate does not name " + for_log(host)));
  }
  return findings;
}

std::vector<Finding> check_own(const KeyPair& own, std::span<const std::string> published_hosts, Usage usage, const TrustStore& trust,
                               Instant now) {
  std::vector<Certificate> chain{own.certificate()};
  chain.insert(chain.end(), own.chain().begin(), own.chain().end());
  auto findings = grade_chain(chain, usage, trust, now);
  for (const auto& host : published_hosts) {
    if (!names_host(own.certificate(), host))
      findings.push_back(wrong("SEC-017", "SEC.TLS.HOSTNAAM", "the certificate does not name the published host " + for_log(host)));
  }
  if (const auto days = expiry_warning(own.certificate()->not_after, now); days && *days > 0)
    findings.push_back(fine("SEC-076", "expires within " + std::to_string(*days) + " days, at " + to_rfc3339(own.certificate()->not_after),
                            Grade::phase_out));
  return findings;
}

std::string_view report_word(std::span<const Finding> findings) {
  switch (overall(findings)) {
    case Grade::good:
    case Grade::sufficient:
      return "ok";
    case Grade::phase_out:
      return "warning";
    case Grade::insufficient:
    case Grade::error:
      break;
  }
  return "error";
}

}  // namespace schakel::security
