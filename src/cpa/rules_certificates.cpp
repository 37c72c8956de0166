// V37 and V38: the certificates of the channels in use, and the anchors of each party.
#include <algorithm>
#include <map>

#include "base/limits.hpp"
#include "cpa/names.hpp"
#include "cpa/party_id.hpp"
#include "cpa/rules.hpp"

namespace schakel::cpa {
namespace {

using security::Certificate;
using security::Usage;

bool is_mandated(const Subject& subject, std::string_view mandator, std::string_view mandatary) {
  const auto now = subject.options.now;
  return std::any_of(subject.options.mandates.begin(), subject.options.mandates.end(), [&](const Mandate& mandate) {
    return mandate.active && mandate.mandator_oin == mandator && mandate.mandatary_oin == mandatary && mandate.valid_from <= now &&
           now <= mandate.valid_to;
  });
}

void check_holder(const Subject& subject, const UsedCertificate& used, const Certificate& certificate, const std::string& path) {
  std::vector<std::string_view> oins;
  for (const auto& id : used.party->ids) {
    if (id.type == names::oin_type) oins.push_back(read_party_id(id.value).oin);
  }
  const auto& holder = certificate->oin.oin;
  if (oins.empty() || std::find(oins.begin(), oins.end(), holder) != oins.end()) return;
  const bool mandated =
      !holder.empty() && std::any_of(oins.begin(), oins.end(), [&](auto mandator) { return is_mandated(subject, mandator, holder); });
  subject.report.add(mandated ? rules::V37b_mandated : rules::V37b, path,
                     holder.empty() ? "the certificate carries no OIN" : "the OIN of the certificate, " + holder + ", is not the party's");
}

void check_period(const Subject& subject, const UsedCertificate& used, const Certificate& certificate, const std::string& path) {
  const bool offloaded = subject.options.tls_offloaded && used.is_tls();
  if (certificate->not_before > subject.agreement.start.instant || certificate->not_after < subject.agreement.end.instant) {
    subject.report.add(offloaded ? rules::V37c_offloaded : rules::V37c, path,
                       "the certificate does not cover the agreement's Start to End");
  }
  if (subject.options.now < certificate->not_before || subject.options.now > certificate->not_after) {
    subject.report.add(offloaded ? rules::V37d_offloaded : rules::V37d, path, "the certificate has expired or is not valid yet");
  }
}

void check_key(const Subject& subject, const UsedCertificate& used, const Certificate& certificate, const std::string& path) {
  for (const auto& host : used.hosts) {
    if (!security::names_host(certificate, host)) {
      subject.report.add(rules::V37e, path, "the certificate does not name the endpoint's host " + for_log(host));
    }
  }
  const bool is_rsa = certificate->key.type == security::KeyType::rsa || certificate->key.type == security::KeyType::rsa_pss;
  const bool encipher = used.usage == Usage::encryption && is_rsa;
  const unsigned wanted = encipher ? security::key_encipherment : used.usage == Usage::encryption ? 0U : security::digital_signature;
  if (certificate->has_key_usage && (certificate->key_usage & wanted) != wanted) {
    subject.report.add(rules::V37f, path, encipher ? "keyUsage lacks keyEncipherment" : "keyUsage lacks digitalSignature");
  }
  constexpr int rsa_bits_min = 2048;
  if (!certificate->signature.allowed || (is_rsa && certificate->key.bits < rsa_bits_min)) {
    subject.report.add(rules::V37g, path,
                       "signed with " + certificate->signature.name + ", key of " + std::to_string(certificate->key.bits) + " bits");
  }
}

void check_standing(const Subject& subject, const UsedCertificate& used, const Certificate& certificate, const std::string& path) {
  if (subject.options.certificates == nullptr) {
    return subject.report.add(rules::V37j, path, "trust and revocation were not checked: no trust store is at hand");
  }
  const auto standing = subject.options.certificates->standing(certificate, used.usage, subject.options.now);
  if (!standing.chains) {
    subject.report.add(rules::V37h, path, "no path to the trust store of this environment: " + standing.detail);
  } else if (standing.revoked) {
    subject.report.add(rules::V37i, path, "the certificate is revoked");
  } else if (!standing.revocation_known) {
    subject.report.add(rules::V37j, path, "whether the certificate is revoked is not known: " + standing.detail);
  }
}

// Certificates of one agreement, each read once.
class Shelf {
 public:
  const Certificate* find(const PartyInfo& party, const std::string& id) {
    const auto* entry = party.certificate(id);
    if (entry == nullptr || entry->der.empty()) return nullptr;
    auto [at, is_new] = read_.try_emplace(entry);
    if (is_new) {
      if (auto certificate = Certificate::from_der(entry->der)) at->second = *std::move(certificate);
    }
    return at->second ? &*at->second : nullptr;
  }

 private:
  std::map<const CertificateEntry*, std::optional<Certificate>> read_;
};

void check_certificate(const Subject& subject, const UsedCertificate& used, Shelf& shelf) {
  const auto path = subject.path_of(used.id);
  const auto* certificate = shelf.find(*used.party, used.id);
  if (certificate == nullptr) return subject.report.add(rules::V37a, path, "there is no readable X509Certificate");
  if ((*certificate)->is_ca) return subject.report.add(rules::V37a, path, "the first certificate is a CA, not an end entity");
  check_holder(subject, used, *certificate, path);
  check_period(subject, used, *certificate, path);
  check_key(subject, used, *certificate, path);
  check_standing(subject, used, *certificate, path);
  const auto& options = subject.options;
  if (options.own && options.has_private_key) {
    const bool ours = std::any_of(options.own->begin(), options.own->end(), [&](const PartyId& id) { return used.party->has(id); });
    if (ours && !options.has_private_key(*certificate)) {
      subject.report.add(options.activating ? rules::V43_activating : rules::V43_loading, path,
                         "the private key of our certificate is not here");
    }
  }
}

// Does a path of CA certificates of this agreement lead from the certificate to one of the anchors?
bool leads_to(const Certificate& certificate, const std::vector<const Certificate*>& anchors,
              const std::vector<const Certificate*>& authorities) {
  const auto* current = &certificate;
  for (std::size_t step = 0; step < limits::certificate_path_max; ++step) {
    const auto issued = [current](const Certificate* issuer) { return security::is_issued_by(*current, *issuer); };
    if (std::any_of(anchors.begin(), anchors.end(), issued)) return true;
    const auto next = std::find_if(authorities.begin(), authorities.end(), issued);
    if (next == authorities.end() || *next == current) return false;
    current = *next;
  }
  return false;
}

void check_anchors(const Subject& subject, const PartyInfo& party, const std::vector<UsedCertificate>& in_use, Shelf& shelf) {
  std::vector<const Certificate*> anchors, authorities;
  bool any_listed = false;
  for (const auto& [security_id, certificate_ids] : party.trust_anchors) {
    for (const auto& id : certificate_ids) {
      any_listed = true;
      const auto* certificate = shelf.find(party, id);
      if (certificate != nullptr && (*certificate)->is_ca) {
        anchors.push_back(certificate);
      } else {
        subject.report.add(rules::V38, subject.path_of(security_id), "a TrustAnchor is no CA; it is never used as one");
      }
    }
  }
  if (!any_listed) return;
  for (const auto& either : subject.agreement.parties) {
    for (const auto& entry : either.certificates) {
      if (const auto* certificate = shelf.find(either, entry.id); certificate != nullptr && (*certificate)->is_ca)
        authorities.push_back(certificate);
    }
  }
  for (const auto& used : in_use) {
    if (used.party == &party) continue;
    const auto* certificate = shelf.find(*used.party, used.id);
    if (certificate != nullptr && !leads_to(*certificate, anchors, authorities)) {
      subject.report.add(rules::V38, subject.party_path(party), "the TrustAnchors do not verify the other party's certificates");
    }
  }
}

}  // namespace

void check_certificates(const Subject& subject) {
  Shelf shelf;
  const auto in_use = certificates_in_use(subject.agreement);
  for (const auto& used : in_use) check_certificate(subject, used, shelf);
  for (const auto& party : subject.agreement.parties) check_anchors(subject, party, in_use, shelf);
}

}  // namespace schakel::cpa
