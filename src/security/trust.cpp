#include "security/trust.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "base/limits.hpp"
#include "base/oin.hpp"
#include "security/openssl.hpp"
#include "security/rules.hpp"

namespace schakel::security {
namespace {

constexpr std::size_t presented_certificates_max = 10;       // what a peer may send; a path holds at most limits::certificate_path_max
constexpr std::size_t authorities_max = 256;                 // CAs that a store remembers
constexpr std::size_t crl_urls_max = 8;                      // per CA
constexpr Duration crl_refresh_max = std::chrono::hours(4);  // SEC-022
constexpr std::chrono::milliseconds fetch_timeout{10'000};
constexpr std::chrono::milliseconds fetch_timeout_in_handshake{5'000};
constexpr int signature_level = 2;  // OpenSSL's 112 bits: RSA >= 2048, no SHA-1

constexpr std::array pinned = {
    PinnedAuthority{"0257ce27b52408e24ee2c0945640b723c5bc66ddbda4ada58c60357604f0e675", "Staat der Nederlanden Private Root CA - G1",
                    "http://crl.pkioverheid.nl/PrivateRootLatestCRL-G1.crl", true},
    PinnedAuthority{"2eaaf678e645dc26ea82c016ef3960935659cf81b4c44d9b2d0fb1a142666c98", "Staat der Nederlanden Private Services CA - G1",
                    "http://crl.pkioverheid.nl/DomPrivateServicesLatestCRL-G1.crl", false},
    PinnedAuthority{"4411f67d3d7f4f49d34ff8862249de0d6692adc92df0855fb1dd67a169800484", "Staat der Nederlanden - G4 Root Priv G-TLS - 2024",
                    "http://crl.pkioverheid.nl/StaatderNederlandenG4RootPrivGTLS2024.crl", true},
    PinnedAuthority{"a24f6f2fa192dd96ceeaf8d4c380d8663426f95858956a5adff5cfd36b30554f",
                    "Staat der Nederlanden - G4 Intm Priv G-TLS SYS - 2024",
                    "http://crl.pkioverheid.nl/StaatderNederlandenG4IntmPrivGTLSSYS2024.crl", false},
};

// Table 2.2; `test` rows are issued by the TRIAL and by our own test PKI.
struct AcceptedPolicy {
  std::string_view oid;
  bool client, server, signing, encryption;
  bool production, test;
};
constexpr std::array policies = {
    AcceptedPolicy{"2.16.528.1.1003.1.2.8.6", true, true, true, true, true, true},
    AcceptedPolicy{"2.16.528.1.1003.1.2.44.15.35.11", true, true, true, true, true, false},
    AcceptedPolicy{"2.16.528.1.1003.1.2.41.15.35.11", true, true, true, true, false, true},
    AcceptedPolicy{"2.16.528.1.1003.1.2.44.16.25.8", true, false, false, false, true, false},
    AcceptedPolicy{"2.16.528.1.1003.1.2.41.16.25.8", true, false, false, false, false, true},
    AcceptedPolicy{"2.16.528.1.1003.1.2.8.4", false, false, true, false, true, true},
    AcceptedPolicy{"2.16.528.1.1003.1.2.44.16.25.4", false, false, true, false, true, false},
    AcceptedPolicy{"2.16.528.1.1003.1.2.41.16.25.4", false, false, true, false, false, true},
    AcceptedPolicy{"2.16.528.1.1003.1.2.8.5", false, false, false, true, true, true},
    AcceptedPolicy{"2.16.528.1.1003.1.2.44.16.25.7", false, false, false, true, true, false},
    AcceptedPolicy{"2.16.528.1.1003.1.2.41.16.25.7", false, false, false, true, false, true},
};

const PinnedAuthority* find_pin(const Certificate& certificate) {
  const auto found = std::ranges::find(pinned, certificate->sha256, &PinnedAuthority::sha256);
  return found == pinned.end() ? nullptr : &*found;
}

Error bad_anchor(const Certificate& certificate, std::string_view why) {
  return fail("SEC.PKI.ANKER", certificate->subject + " (SHA-256 " + certificate->sha256 + ") " + std::string(why));
}

// SEC-002, SEC-005.
Result<> check_anchor(const Certificate& certificate, const TrustStore::Options& options) {
  if (!certificate->is_ca) return bad_anchor(certificate, "is no CA");
  const bool is_pinned =
      find_pin(certificate) != nullptr || std::ranges::find(options.additional_pins, certificate->sha256) != options.additional_pins.end();
  if (options.profile == TrustProfile::production) {
    if (!is_pinned) return bad_anchor(certificate, "is not an anchor of profile production: its fingerprint is not among the pinned ones");
  } else if (is_pinned || certificate->organisation == "Staat der Nederlanden") {
    return bad_anchor(certificate, "is a production certificate and may not be trusted in profile test");
  }
  return {};
}

std::string_view reason_of(int error) {
  switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "SEC.PKI.ONBEKENDE_CA";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "SEC.PKI.VERLOPEN";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "SEC.PKI.NOG_NIET_GELDIG";
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
      return "SEC.PKI.EXTENSIE";
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
      return "SEC.PKI.SLEUTEL";
    case X509_V_ERR_CA_MD_TOO_WEAK:
    case X509_V_ERR_UNSUPPORTED_SIGNATURE_ALGORITHM:
    case X509_V_ERR_SIGNATURE_ALGORITHM_MISMATCH:
    case X509_V_ERR_SIGNATURE_ALGORITHM_INCONSISTENCY:
      return "SEC.PKI.ALGORITME";
    default:
      return "SEC.PKI.PAD";
  }
}

// The CRLs of one CA and how fetching goes.
struct Source {
  Certificate authority;
  std::vector<std::string> urls{};
  std::vector<CrlPtr> lists{};  // one per series
  Instant last_attempt{};
  bool attempted = false;
  int failures = 0;
  std::string last_error{};

  const Crl* list_for(const CertificateFields& certificate) const {
    const auto found = std::ranges::find_if(lists, [&](const CrlPtr& list) { return list->covers(certificate); });
    return found == lists.end() ? nullptr : found->get();
  }
  bool add_urls(const std::vector<std::string>& more) {
    bool grew = false;
    for (const auto& url : more) {
      if (urls.size() >= crl_urls_max || std::ranges::find(urls, url) != urls.end()) continue;
      urls.push_back(url);
      grew = true;
    }
    return grew;
  }
};

// What changes while the node runs; replaced as a whole.
struct Contents {
  std::map<std::string, Source> sources;                     // by authority_id
  std::unordered_map<std::string, Certificate> authorities;  // by SHA-256: parsed CA certificates
  std::uint64_t generation = 1;
};

}  // namespace

struct TrustStore::State {
  Options options;
  std::vector<Certificate> anchors, intermediates;
  X509StackPtr trusted;  // borrows from `anchors`

  std::mutex writing;           // one writer at a time
  mutable std::mutex swapping;  // guards the pointer only
  std::shared_ptr<const Contents> contents = std::make_shared<Contents>();

  std::mutex fetching;
  CrlFetch fetch_missing;
  CrlArchive* archive = nullptr;

  std::shared_ptr<const Contents> now() const {
    const std::lock_guard lock(swapping);
    return contents;
  }
  // Runs `change` on a copy; installs it when it says so.
  template <class Change>
  void edit(Change change) {
    const std::lock_guard lock(writing);
    auto next = std::make_shared<Contents>(*now());
    if (!change(*next)) return;
    const std::lock_guard swap(swapping);
    contents = std::move(next);
  }

  Source& source(Contents& in, const Certificate& authority) const {
    const auto [at, fresh] = in.sources.try_emplace(authority->authority_id, Source{.authority = authority});
    if (fresh) {
      if (const auto configured = options.crl_urls.find(authority->common_name); configured != options.crl_urls.end())
        at->second.add_urls(configured->second);
      if (const auto* pin = find_pin(authority)) at->second.add_urls({std::string(pin->crl_url)});
      in.authorities.emplace(authority->sha256, authority);
    }
    return at->second;
  }

  void learn_configured_authorities();
  Result<std::optional<StoredCrl>> install(Contents&, const CrlPtr&, Instant now) const;
  Verdict find_path(std::span<const Certificate> chain, Instant when) const;
  Verdict check_revocation(Verdict, Instant when) const;
  Verdict check_policy(Verdict, Usage) const;
};

std::string_view to_string(TrustProfile profile) {
  return profile == TrustProfile::production ? "production" : "test";
}

std::string_view to_string(Usage usage) {
  switch (usage) {
    case Usage::tls_client:
      return "tls-client";
    case Usage::tls_server:
      return "tls-server";
    case Usage::signing:
      return "signing";
    case Usage::encryption:
      break;
  }
  return "encryption";
}

std::span<const PinnedAuthority> production_authorities() {
  return pinned;
}

std::vector<std::string_view> accepted_policies(Usage usage, TrustProfile profile) {
  std::vector<std::string_view> accepted;
  for (const auto& policy : policies) {
    const bool used = usage == Usage::tls_client   ? policy.client
                      : usage == Usage::tls_server ? policy.server
                      : usage == Usage::signing    ? policy.signing
                                                   : policy.encryption;
    if (used && (profile == TrustProfile::production ? policy.production : policy.test)) accepted.push_back(policy.oid);
  }
  return accepted;
}

TrustStore::TrustStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
TrustStore::~TrustStore() = default;

Result<std::shared_ptr<TrustStore>> TrustStore::make(Options options, std::string_view anchors_pem, std::string_view intermediates_pem) {
  if (options.profile == TrustProfile::production && !options.check_policies)
    return fail("config.invalid", "only profile test may switch the check of certificate policies off (SEC-014)");
  if (options.crl_refresh <= Duration::zero() || options.crl_refresh > crl_refresh_max)
    return fail("config.invalid", "crl.refresh must be at most 4 hours (SEC-022)");
  if (options.peer_rsa_min < 2048) return fail("config.invalid", "tls.peer-rsa-min must be at least 2048 (SEC-011)");
  auto state = std::make_unique<State>();
  SCHAKEL_TRY(auto anchors, Certificate::list_from_pem(anchors_pem));
  for (auto& certificate : anchors) {
    SCHAKEL_CHECK(check_anchor(certificate, options));
    (certificate->self_issued ? state->anchors : state->intermediates).push_back(std::move(certificate));
  }
  if (state->anchors.empty()) return fail("SEC.PKI.ANKER", "the anchors hold no root");
  if (!trim(intermediates_pem).empty()) {
    SCHAKEL_TRY(auto more, Certificate::list_from_pem(intermediates_pem));
    for (auto& certificate : more) {
      if (!certificate->is_ca || certificate->self_issued) return bad_anchor(certificate, "is no intermediate CA");
      state->intermediates.push_back(std::move(certificate));
    }
  }
  state->options = std::move(options);
  state->trusted.reset(sk_X509_new_null());
  for (const auto& anchor : state->anchors) sk_X509_push(state->trusted.get(), anchor.native());
  state->learn_configured_authorities();
  return std::shared_ptr<TrustStore>(new TrustStore(std::move(state)));
}

// From the anchors down: every configured CA whose signature verifies needs a CRL, and names where that of its issuer is.
void TrustStore::State::learn_configured_authorities() {
  edit([&](Contents& next) {
    std::vector<Certificate> reached = anchors;
    for (const auto& anchor : anchors) source(next, anchor);
    for (std::size_t i = 0; i < reached.size(); ++i) {
      for (const auto& candidate : intermediates) {
        const bool below =
            candidate->issuer_der == reached[i]->subject_der && X509_verify(candidate.native(), X509_get0_pubkey(reached[i].native())) == 1;
        ERR_clear_error();
        if (!below || std::ranges::find(reached, candidate) != reached.end()) continue;
        source(next, reached[i]).add_urls(candidate->crl_urls);
        source(next, candidate);
        reached.push_back(candidate);
      }
    }
    return true;
  });
}

TrustProfile TrustStore::profile() const {
  return state_->options.profile;
}
const std::vector<Certificate>& TrustStore::anchors() const {
  return state_->anchors;
}
const std::vector<Certificate>& TrustStore::intermediates() const {
  return state_->intermediates;
}
int TrustStore::peer_rsa_min() const {
  return state_->options.peer_rsa_min;
}
std::uint64_t TrustStore::generation() const {
  return state_->now()->generation;
}

Result<Certificate> TrustStore::certificate_of(X509* native) const {
  std::array<unsigned char, 32> digest{};
  unsigned length = 0;
  if (X509_digest(native, EVP_sha256(), digest.data(), &length) == 1) {
    const auto contents = state_->now();
    const auto known = contents->authorities.find(to_hex({reinterpret_cast<const char*>(digest.data()), length}));
    if (known != contents->authorities.end()) return known->second;
  }
  return Certificate::from_native(native);
}

// RFC 5280 by OpenSSL: signatures, validity, basicConstraints, pathLen, keyCertSign, names, constraints, critical extensions (SEC-008).
Verdict TrustStore::State::find_path(std::span<const Certificate> chain, Instant when) const {
  Verdict verdict;
  const auto refuse = [&](std::string_view reason, std::string detail) {
    verdict.reason = reason;
    verdict.detail = std::move(detail);
    return verdict;
  };
  if (chain.empty()) return refuse("SEC.TLS.GEEN_CERT", "no certificate");
  if (chain.size() > presented_certificates_max) return refuse("SEC.PKI.PAD", "more than 10 certificates were presented");
  const auto& leaf = chain.front();

  const X509StackPtr untrusted(sk_X509_new_null());
  for (const auto& certificate : chain.subspan(1)) sk_X509_push(untrusted.get(), certificate.native());
  for (const auto& certificate : intermediates) sk_X509_push(untrusted.get(), certificate.native());
  const X509StoreContextPtr context(X509_STORE_CTX_new());
  if (context == nullptr || X509_STORE_CTX_init(context.get(), nullptr, leaf.native(), untrusted.get()) != 1)
    return refuse("SEC.PKI.PAD", "the path cannot be examined: " + openssl_error());
  X509_STORE_CTX_set0_trusted_stack(context.get(), trusted.get());
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT | X509_V_FLAG_POLICY_CHECK);
  X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(limits::certificate_path_max) - 2);  // certificates between leaf and anchor
  X509_VERIFY_PARAM_set_auth_level(parameters, signature_level);
  X509_VERIFY_PARAM_set_time(parameters, seconds_of(when));
  const bool verified = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  if (!verified) {
    const int error = X509_STORE_CTX_get_error(context.get());
    return refuse(reason_of(error), leaf->subject + ": " + X509_verify_cert_error_string(error) + " at depth " +
                                        std::to_string(X509_STORE_CTX_get_error_depth(context.get())));
  }

  STACK_OF(X509)* found = X509_STORE_CTX_get0_chain(context.get());
  for (int i = 0; i < sk_X509_num(found); ++i) {
    const X509* at = sk_X509_value(found, i);
    for (const auto list : {chain, std::span<const Certificate>(intermediates), std::span<const Certificate>(anchors)}) {
      const auto match = std::ranges::find_if(list, [&](const Certificate& c) { return c.native() == at; });
      if (match == list.end()) continue;
      verdict.path.push_back(*match);
      break;
    }
  }
  // OpenSSL walks the very objects it was given; anything else would be a broken invariant, and then nothing may pass.
  if (verdict.path.size() != static_cast<std::size_t>(sk_X509_num(found)))
    return refuse("SEC.PKI.PAD", "the path holds an unknown certificate");
  return verdict;
}

// SEC-020, SEC-021: every certificate below the anchor, against the list of its issuer. A revocation that is known wins over a list that is
// missing.
Verdict TrustStore::State::check_revocation(Verdict verdict, Instant when) const {
  const auto current = now();
  std::optional<Fault> unavailable;
  for (std::size_t i = 0; i + 1 < verdict.path.size(); ++i) {
    const auto& certificate = verdict.path[i];
    const auto& issuer = verdict.path[i + 1];
    const auto known = current->sources.find(issuer->authority_id);
    const Crl* list = known == current->sources.end() ? nullptr : known->second.list_for(certificate.fields());
    if (list != nullptr) {
      if (const auto* revocation = list->find(certificate->serial)) {
        verdict.reason = "SEC.PKI.INGETROKKEN";
        verdict.detail =
            certificate->subject + " was revoked at " + to_rfc3339(revocation->at) + " (reason " + std::to_string(revocation->reason) + ")";
        return verdict;
      }
    }
    const auto state = crl_state(list, false, when);
    if (state == CrlState::valid) verdict.crls.push_back(list->sha256);
    if (unavailable || state == CrlState::valid) continue;
    unavailable = state == CrlState::none
                      ? Fault{"SEC.CRL.GEEN", "no CRL of " + issuer->subject}
                      : Fault{"SEC.CRL.VERLOPEN", "the CRL of " + issuer->subject + " expired at " + to_rfc3339(*list->next_update)};
  }
  if (unavailable) {
    verdict.reason = unavailable->reason;
    verdict.detail = unavailable->detail;
  }
  return verdict;
}

Verdict TrustStore::State::check_policy(Verdict verdict, Usage usage) const {
  auto accepted = accepted_policies(usage, options.profile);
  accepted.insert(accepted.end(), options.policy_oids.begin(), options.policy_oids.end());
  if (const auto* policy = matching_policy(verdict.path, accepted)) {
    verdict.policy = *policy;
  } else if (options.check_policies) {
    verdict.reason = "SEC.PKI.POLICY";
    verdict.detail = verdict.path.front()->subject + " carries no certificate policy that is accepted for " + std::string(to_string(usage));
  }
  return verdict;
}

std::string basis_text(const Verdict& verdict) {
  if (verdict.path.empty()) return {};
  std::string out = "path=";
  for (std::size_t i = 0; i < verdict.path.size(); ++i) out.append(i > 0 ? "," : "").append(verdict.path[i]->sha256);
  for (std::size_t i = 0; i < verdict.crls.size(); ++i) out.append(i > 0 ? "," : " crls=").append(verdict.crls[i]);
  return out;
}

std::vector<std::string> path_of_basis(std::string_view text) {
  std::vector<std::string> out;
  if (!text.starts_with("path=")) return out;
  text = text.substr(5, text.find(' ') - 5);
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

Verdict TrustStore::verify_path_without_revocation(std::span<const Certificate> chain, Usage usage, Instant when) const {
  auto verdict = state_->find_path(chain, when);
  if (!verdict.ok()) return verdict;
  std::optional<Fault> fault;
  for (std::size_t i = 0; i < verdict.path.size() && !fault; ++i) {
    if (i + 1 < verdict.path.size()) fault = check_signature_algorithm(verdict.path[i]);
    if (!fault) fault = check_key(verdict.path[i], state_->options.peer_rsa_min);
  }
  if (!fault) fault = check_key_usage(verdict.path.front(), usage);
  if (!fault) fault = check_extended_key_usage(verdict.path, usage);
  if (fault) {
    verdict.reason = fault->reason;
    verdict.detail = fault->detail;
  }
  return verdict;
}

Verdict TrustStore::verify_path(std::span<const Certificate> chain, Usage usage, Instant when) const {
  auto verdict = verify_path_without_revocation(chain, usage, when);
  if (verdict.ok()) verdict = state_->check_revocation(std::move(verdict), when);
  if (verdict.ok()) verdict = state_->check_policy(std::move(verdict), usage);
  return verdict;
}

void TrustStore::learn(const Verdict& verdict) {
  if (verdict.path.size() < 2) return;
  const auto current = state_->now();
  const auto news = [&](std::size_t i) {
    const auto known = current->sources.find(verdict.path[i + 1]->authority_id);
    if (known == current->sources.end()) return true;
    const auto& urls = known->second.urls;
    return urls.size() < crl_urls_max &&
           std::ranges::any_of(verdict.path[i]->crl_urls, [&](const auto& url) { return std::ranges::find(urls, url) == urls.end(); });
  };
  bool any = false;
  for (std::size_t i = 0; i + 1 < verdict.path.size() && !any; ++i) any = news(i);
  if (!any) return;
  state_->edit([&](Contents& next) {
    for (std::size_t i = 0; i + 1 < verdict.path.size(); ++i) {
      if (next.sources.size() >= authorities_max && !next.sources.contains(verdict.path[i + 1]->authority_id)) continue;
      state_->source(next, verdict.path[i + 1]).add_urls(verdict.path[i]->crl_urls);
    }
    return true;
  });
}

Result<std::optional<StoredCrl>> TrustStore::State::install(Contents& next, const CrlPtr& crl, Instant now) const {
  Error last = fail("SEC.CRL.GEWEIGERD", "issued by " + crl->issuer + ", which is no known CA");
  for (auto& [id, source] : next.sources) {
    if (source.authority->subject_der != crl->issuer_der) continue;
    const auto series = std::ranges::find_if(source.lists, [&](const CrlPtr& list) { return list->same_series(*crl); });
    const Crl* stored = series == source.lists.end() ? nullptr : series->get();
    if (auto accepted = check_crl(*crl, source.authority, stored, now); !accepted) {
      last = accepted.error();
      continue;
    }
    source.failures = 0;
    source.last_error.clear();
    if (stored != nullptr && stored->sha256 == crl->sha256) return std::optional<StoredCrl>{};
    if (stored == nullptr)
      source.lists.push_back(crl);
    else
      *series = crl;
    ++next.generation;
    return std::optional(StoredCrl{id, crl->sha256, crl->der});
  }
  return last;
}

Result<bool> TrustStore::install_crl(BytesView bytes, Instant now) {
  SCHAKEL_TRY(auto crl, parse_crl(bytes));
  Result<bool> outcome = false;
  state_->edit([&](Contents& next) {
    auto installed = state_->install(next, crl, now);
    if (!installed) {
      outcome = installed.error();
      return false;
    }
    outcome = installed->has_value();
    return true;
  });
  return outcome;
}

std::vector<CrlSource> TrustStore::crl_sources(Instant now) const {
  std::vector<CrlSource> list;
  const auto contents = state_->now();
  for (const auto& [id, source] : contents->sources) {
    CrlSource entry;
    entry.issuer = source.authority->subject;
    entry.issuer_id = id;
    entry.urls = source.urls;
    entry.failures = source.failures;
    entry.last_error = source.last_error;
    entry.next_fetch = source.attempted ? next_crl_fetch(source.last_attempt, source.failures, state_->options.crl_refresh) : Instant{};
    for (const auto& crl : source.lists) {
      const auto state = crl_state(crl.get(), source.failures > 0, now);
      if (entry.state == CrlState::none || state > entry.state) entry.state = state;
      entry.entries += crl->revoked.size();
      if (!entry.next_update || *crl->next_update < *entry.next_update) {
        entry.next_update = crl->next_update;
        entry.this_update = crl->this_update;
      }
    }
    list.push_back(std::move(entry));
  }
  return list;
}

Result<std::optional<StoredCrl>> TrustStore::fetched(const std::string& issuer_id, const Result<Bytes>& bytes, Instant now) {
  Result<CrlPtr> crl = bytes ? parse_crl(*bytes) : Result<CrlPtr>(bytes.error());
  Result<std::optional<StoredCrl>> outcome = std::optional<StoredCrl>{};
  state_->edit([&](Contents& next) {
    const auto at = next.sources.find(issuer_id);
    if (at == next.sources.end()) {
      outcome = fail("SEC.CRL.GEWEIGERD", "no known CA " + issuer_id);
      return false;
    }
    at->second.last_attempt = now;
    at->second.attempted = true;
    outcome = crl ? state_->install(next, *crl, now) : Result<std::optional<StoredCrl>>(crl.error());
    if (outcome) return true;
    ++at->second.failures;
    at->second.last_error = outcome.error().detail;
    return true;
  });
  return outcome;
}

std::size_t TrustStore::refresh(const CrlFetch& fetch, CrlArchive* archive, Instant now, bool force) {
  std::size_t renewed = 0;
  for (const auto& source : crl_sources(now)) {
    if (source.urls.empty() || (!force && source.next_fetch > now)) continue;
    for (const auto& url : source.urls) {
      const auto outcome = fetched(source.issuer_id, fetch(url, fetch_timeout), now);
      if (!outcome || !*outcome) continue;
      ++renewed;
      if (archive != nullptr) (void)archive->save(**outcome);  // the list is in use; another node or the next round saves it
    }
  }
  return renewed;
}

Result<std::size_t> TrustStore::restore(CrlArchive& archive, Instant now) {
  SCHAKEL_TRY(auto lists, archive.load());
  std::size_t count = 0;
  for (const auto& stored : lists) {
    const auto installed = install_crl(stored.der, now);
    if (installed && *installed) ++count;
  }
  return count;
}

void TrustStore::fetch_missing_with(CrlFetch fetch, CrlArchive* archive) {
  const std::lock_guard lock(state_->fetching);
  state_->fetch_missing = std::move(fetch);
  state_->archive = archive;
}

Verdict TrustStore::verify_path_fetching(std::span<const Certificate> chain, Usage usage, Instant when) {
  auto verdict = verify_path(chain, usage, when);
  learn(verdict);
  if (verdict.reason != "SEC.CRL.GEEN") return verdict;
  const std::lock_guard lock(state_->fetching);
  if (!state_->fetch_missing) return verdict;
  const auto sources = crl_sources(when);
  for (std::size_t i = 1; i < verdict.path.size(); ++i) {
    const auto source = std::ranges::find(sources, verdict.path[i]->authority_id, &CrlSource::issuer_id);
    // The back-off of 3.3 also holds here, so that nobody can make handshakes wait again and again.
    if (source == sources.end() || source->state != CrlState::none || source->urls.empty() || source->next_fetch > when) continue;
    const auto outcome = fetched(source->issuer_id, state_->fetch_missing(source->urls.front(), fetch_timeout_in_handshake), when);
    if (outcome && *outcome && state_->archive != nullptr) (void)state_->archive->save(**outcome);
  }
  return verify_path(chain, usage, when);
}

PeerIdentity peer_identity(const Verdict& verdict, TrustProfile profile) {
  if (verdict.path.empty()) {
    PeerIdentity nobody;
    nobody.refusal = verdict.reason.empty() ? "SEC.TLS.GEEN_CERT" : verdict.reason;
    return nobody;
  }
  const auto& leaf = verdict.path.front();
  PeerIdentity peer{.oin = leaf->oin.oin,
                    .refusal = verdict.reason.empty() ? leaf->oin.refusal : verdict.reason,
                    .organisation = leaf->organisation,
                    .subject = leaf->subject,
                    .issuer = leaf->issuer,
                    .serial = leaf->serial,
                    .sha256 = leaf->sha256,
                    .der = leaf->der,
                    .policy = verdict.policy,
                    .not_after = leaf->not_after,
                    .environment = std::string(to_string(profile))};
  if (peer.refusal.empty() && profile == TrustProfile::production && is_test_oin(peer.oin)) peer.refusal = "SEC.OIN.TEST";
  // No one may act on an OIN that was refused.
  if (!peer.refusal.empty()) peer.oin.clear();
  return peer;
}

Result<PeerIdentity> identify_client(TrustStore& trust, std::span<const Bytes> chain, Instant now) {
  if (chain.size() > presented_certificates_max) return fail("SEC.PKI.PAD", "more than 10 certificates were presented");
  std::vector<Certificate> certificates;
  for (const auto& der : chain) {
    SCHAKEL_TRY(auto certificate, Certificate::from_der(der));
    certificates.push_back(std::move(certificate));
  }
  const auto verdict = trust.verify_path_fetching(certificates, Usage::tls_client, now);
  if (!verdict.ok() && verdict.reason != "SEC.PKI.POLICY") return fail(verdict.reason, verdict.detail);
  return peer_identity(verdict, trust.profile());
}

}  // namespace schakel::security
