// A CA of a test's own, for certificates that the test PKI would never make: every field is the test's choice.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "security/issuance.hpp"
#include "support/pki.hpp"

namespace schakel::test {

inline KeyShelf& shelf() {
  static KeyShelf keys;
  return keys;
}
inline security::PrivateKey rsa(int bits = 2048) {
  return shelf().take(bits).value();
}

struct AuthorityPlan {
  std::string name = "Test CA TEST";
  int path_length = -1;
  std::string key_usage = "critical,keyCertSign,cRLSign";
  std::string extended_key_usage{}, policies{};
  std::string crl_url{};
  security::SigningScheme scheme = security::SigningScheme::pkcs1_sha256;
  std::string raw_extension{};  // configuration text of nameConstraints
};

struct LeafWishes {
  std::string oin = "00000099000000001000";
  std::string key_usage = "critical,digitalSignature,keyEncipherment";
  std::string extended_key_usage = "clientAuth,serverAuth";
  std::string policies = "2.16.528.1.1003.1.2.8.6";
  std::vector<std::string> hosts = {"localhost"};
  security::Name subject{};  // empty: C, O, CN, serialNumber
  security::SigningScheme scheme = security::SigningScheme::pkcs1_sha256;
  std::string crl_url{};
};

class OwnAuthority {
 public:
  explicit OwnAuthority(const AuthorityPlan& plan = {}, const OwnAuthority* above = nullptr, Instant now = start())
      : key(rsa()), now_(now), issuer_(above), certificate(make(plan)) {}

  security::Certificate leaf(const LeafWishes& wishes = {}, EVP_PKEY* leaf_key = nullptr) const {
    security::CertificatePlan plan;
    plan.subject = wishes.subject.empty() ? security::Name{{"C", "NL", V_ASN1_PRINTABLESTRING},
                                                           {"O", "Gemeente TEST"},
                                                           {"CN", "TEST"},
                                                           {"serialNumber", wishes.oin, V_ASN1_PRINTABLESTRING}}
                                          : wishes.subject;
    plan.issuer_der = certificate->subject_der;
    static const auto shared_key = rsa(3072);
    plan.public_key = leaf_key == nullptr ? shared_key.get() : leaf_key;
    plan.not_before = now_ - std::chrono::hours(1);
    plan.not_after = now_ + std::chrono::days(30);
    auto& extensions = plan.extensions;
    extensions.add(NID_basic_constraints, "critical,CA:FALSE").value();
    if (!wishes.key_usage.empty()) extensions.add(NID_key_usage, wishes.key_usage).value();
    if (!wishes.extended_key_usage.empty()) extensions.add(NID_ext_key_usage, wishes.extended_key_usage).value();
    if (!wishes.policies.empty()) extensions.add_policies(wishes.policies).value();
    if (!wishes.hosts.empty()) extensions.add_host_names(wishes.hosts).value();
    if (!wishes.crl_url.empty()) extensions.add(NID_crl_distribution_points, "URI:" + wishes.crl_url).value();
    extensions.add_subject_key_id(plan.public_key).value();
    extensions.add_authority_key_id(certificate->subject_key_id).value();
    return security::issue_certificate(plan, key.get(), wishes.scheme).value();
  }

  security::CrlPlan crl_plan(std::uint64_t number = 1) const {
    return {.issuer_der = certificate->subject_der,
            .authority_key_id = certificate->subject_key_id,
            .this_update = std::chrono::floor<std::chrono::seconds>(now_),
            .next_update = std::chrono::floor<std::chrono::seconds>(now_) + std::chrono::hours(48),
            .number = number,
            .entries = {}};
  }
  Bytes crl(const security::CrlPlan& plan) const {
    return security::issue_crl(plan, key.get(), security::SigningScheme::pkcs1_sha256).value();
  }
  Bytes crl(std::uint64_t number = 1) const { return crl(crl_plan(number)); }

  security::PrivateKey key;

 private:
  security::Certificate make(const AuthorityPlan& wishes) const {
    security::CertificatePlan plan;
    plan.subject = {{"C", "NL", V_ASN1_PRINTABLESTRING}, {"O", "Schakel TEST"}, {"CN", wishes.name}};
    if (issuer_ != nullptr) plan.issuer_der = issuer_->certificate->subject_der;
    plan.public_key = key.get();
    plan.not_before = now_ - std::chrono::days(1);
    plan.not_after = now_ + std::chrono::days(365);
    auto& extensions = plan.extensions;
    extensions
        .add(NID_basic_constraints,
             "critical,CA:TRUE" + (wishes.path_length < 0 ? std::string{} : ",pathlen:" + std::to_string(wishes.path_length)))
        .value();
    extensions.add(NID_key_usage, wishes.key_usage).value();
    if (!wishes.extended_key_usage.empty()) extensions.add(NID_ext_key_usage, wishes.extended_key_usage).value();
    if (!wishes.policies.empty()) extensions.add_policies(wishes.policies).value();
    if (!wishes.crl_url.empty()) extensions.add(NID_crl_distribution_points, "URI:" + wishes.crl_url).value();
    if (!wishes.raw_extension.empty()) extensions.add(NID_name_constraints, wishes.raw_extension).value();
    extensions.add_subject_key_id(key.get()).value();
    extensions.add_authority_key_id(issuer_ == nullptr ? security::key_id(key.get()) : issuer_->certificate->subject_key_id).value();
    return security::issue_certificate(plan, issuer_ == nullptr ? key.get() : issuer_->key.get(), wishes.scheme).value();
  }

  Instant now_;
  const OwnAuthority* issuer_;

 public:
  security::Certificate certificate;
};

}  // namespace schakel::test
