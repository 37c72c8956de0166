// The bad set of security.md 2.8.4: certificates that must be refused, each for one reason, and three that must not (N13, N23, N31).
#include <algorithm>

#include "security/pki_state.hpp"

namespace schakel::security {
namespace {

constexpr std::string_view oin = "00000099000000009000";
constexpr std::string_view host = "negative.test";

IssueRequest usual_request() {
  return {.profile = PkiProfile::tls,
          .oin = std::string(oin),
          .organisation = "Schakel TEST Negatief",
          .kvk = "90000009",
          .hosts = {std::string(host)}};
}

NameEntry* find_entry(Name& name, std::string_view attribute) {
  const auto found = std::ranges::find(name, attribute, &NameEntry::oid);
  return found == name.end() ? nullptr : &*found;
}

// Makes the cases one by one. The keys are shared between cases that do not need their own: making keys is the slow part.
class BadSet {
 public:
  BadSet(TestPki::State& state, TestAuthority& tsp, Instant now) : state_(state), tsp_(tsp), now_(now) {}

  Result<std::vector<NegativeCase>> make() {
    SCHAKEL_TRY(key_, state_.new_key(3072));
    SCHAKEL_TRY(authority_key_, state_.new_key(state_.authority_bits()));
    SCHAKEL_TRY(plan_, plan_leaf(usual_request()));
    SCHAKEL_CHECK(times_and_revocation());
    SCHAKEL_CHECK(other_roots());
    SCHAKEL_CHECK(numbers());
    SCHAKEL_CHECK(usages());
    SCHAKEL_CHECK(names());
    SCHAKEL_CHECK(algorithms());
    SCHAKEL_CHECK(lists());
    std::ranges::sort(cases_, {}, &NegativeCase::id);
    return std::move(cases_);
  }

 private:
  using Change = std::function<void(LeafPlan&)>;
  struct Kind {
    std::string id, description, expected;
    Usage usage = Usage::tls_client;
    std::string host{};
  };

  Result<Certificate> leaf(const TestAuthority& issuer, const LeafPlan& plan, EVP_PKEY* key,
                           const std::function<Result<>(Extensions&)>& more = {}) const {
    return issue_leaf(state_, issuer, plan, key, now_ - std::chrono::minutes(1), now_ + std::chrono::days(90), more);
  }

  NegativeCase& keep(Kind kind, Certificate certificate, std::vector<Certificate> above, PrivateKey key = {}) {
    std::vector<Certificate> chain{std::move(certificate)};
    chain.insert(chain.end(), above.begin(), above.end());
    cases_.push_back({.id = std::move(kind.id),
                      .description = std::move(kind.description),
                      .expected = std::move(kind.expected),
                      .usage = kind.usage,
                      .host = std::move(kind.host),
                      .chain = std::move(chain),
                      .key = key == nullptr ? key_ : std::move(key),
                      .crls = {}});
    return cases_.back();
  }

  // The usual leaf with one thing changed.
  Result<> changed(Kind kind, const Change& change, const std::function<Result<>(Extensions&)>& more = {}) {
    LeafPlan plan = plan_;
    if (change) change(plan);
    SCHAKEL_TRY(auto certificate, leaf(tsp_, plan, key_.get(), more));
    keep(std::move(kind), std::move(certificate), state_.chain_above(tsp_));
    return {};
  }

  // A CA of the bad set: known to `serve`, not to intermediates.pem.
  Result<TestAuthority*> extra_authority(const std::string& id, const std::string& name, const TestAuthority& issuer) {
    SCHAKEL_TRY(auto made, state_.make_authority(id, name, &issuer, now_, authority_key_));
    made.listed = false;
    std::erase_if(state_.authorities, [&](const TestAuthority& authority) { return authority.id == id; });
    state_.authorities.push_back(std::move(made));
    return &state_.authorities.back();
  }

  Result<> times_and_revocation() {
    SCHAKEL_TRY(auto expired, issue_leaf(state_, tsp_, plan_, key_.get(), now_ - std::chrono::days(3), now_ - std::chrono::days(1)));
    keep({"N01", "expired", "SEC.PKI.VERLOPEN"}, std::move(expired), state_.chain_above(tsp_));
    SCHAKEL_TRY(auto future, issue_leaf(state_, tsp_, plan_, key_.get(), now_ + std::chrono::days(1), now_ + std::chrono::days(2)));
    keep({"N02", "not yet valid", "SEC.PKI.NOG_NIET_GELDIG"}, std::move(future), state_.chain_above(tsp_));
    SCHAKEL_TRY(auto revoked, leaf(tsp_, plan_, key_.get()));
    tsp_.revoked.push_back({.serial = revoked->serial, .at = now_, .reason = 1});
    keep({"N03", "revoked (keyCompromise)", "SEC.PKI.INGETROKKEN"}, std::move(revoked), state_.chain_above(tsp_));
    return state_.sign_crl(tsp_, now_, TestPki::crl_life);
  }

  Result<> other_roots() {
    // The same names, other keys.
    TestPki::State rogue;
    rogue.options = state_.options;
    std::vector<TestAuthority> levels;
    for (const auto* id : {"g4-tls-root", "g4-tls-domain", "g4-tls-tsp"}) {
      const auto& original = *state_.find(id);
      SCHAKEL_TRY(auto made, rogue.make_authority(id, original.certificate->common_name, levels.empty() ? nullptr : &levels.back(), now_,
                                                  authority_key_));
      levels.push_back(std::move(made));
    }
    SCHAKEL_TRY(auto stranger, leaf(levels[2], plan_, key_.get()));
    keep({"N05", "other root with equal names", "SEC.PKI.ONBEKENDE_CA"}, std::move(stranger),
         {levels[2].certificate, levels[1].certificate});

    CertificatePlan alone;
    alone.subject = plan_.subject;
    alone.public_key = key_.get();
    alone.not_before = now_ - std::chrono::minutes(1);
    alone.not_after = now_ + std::chrono::days(90);
    SCHAKEL_CHECK(alone.extensions.add(NID_basic_constraints, "critical,CA:FALSE"));
    SCHAKEL_CHECK(alone.extensions.add(NID_key_usage, plan_.key_usage));
    SCHAKEL_CHECK(alone.extensions.add(NID_ext_key_usage, plan_.extended_key_usage));
    SCHAKEL_CHECK(alone.extensions.add_policies(plan_.policies));
    SCHAKEL_CHECK(alone.extensions.add_subject_key_id(key_.get()));
    SCHAKEL_CHECK(alone.extensions.add_authority_key_id(key_id(key_.get())));
    SCHAKEL_CHECK(alone.extensions.add_host_names(plan_.hosts));
    SCHAKEL_TRY(auto self_signed, issue_certificate(alone, key_.get(), SigningScheme::pss_sha512));
    keep({"N06", "self-signed leaf", "SEC.PKI.ONBEKENDE_CA"}, std::move(self_signed), {});
    return {};
  }

  Result<> number(std::string id, std::string description, std::string expected, const std::string& value,
                  int type = V_ASN1_PRINTABLESTRING) {
    return changed({std::move(id), std::move(description), std::move(expected)}, [&](LeafPlan& plan) {
      auto* entry = find_entry(plan.subject, "serialNumber");
      entry->value = value;
      entry->type = type;
    });
  }

  Result<> numbers() {
    SCHAKEL_CHECK(changed({"N07", "no serialNumber", "SEC.OIN.ONTBREEKT"},
                          [](LeafPlan& plan) { std::erase_if(plan.subject, [](const NameEntry& e) { return e.oid == "serialNumber"; }); }));
    SCHAKEL_CHECK(number("N08", "serialNumber of 19 digits", "SEC.OIN.ONGELDIG", std::string(oin.substr(1))));
    SCHAKEL_CHECK(number("N09", "serialNumber of 20 letters", "SEC.OIN.ONGELDIG", "ABCDEFGHIJKLMNOPQRST"));
    SCHAKEL_CHECK(changed({"N10", "two serialNumber attributes with different OINs", "SEC.OIN.MEERVOUDIG"}, [](LeafPlan& plan) {
      plan.subject.push_back({"serialNumber", "00000099000000008000", V_ASN1_PRINTABLESTRING});
    }));
    SCHAKEL_CHECK(changed({"N11", "OIN only in CN", "SEC.OIN.ONTBREEKT"}, [](LeafPlan& plan) {
      std::erase_if(plan.subject, [](const NameEntry& e) { return e.oid == "serialNumber"; });
      find_entry(plan.subject, "CN")->value = oin;
    }));
    SCHAKEL_CHECK(number("N12", "serialNumber with leading space", "SEC.OIN.ONGELDIG", " " + std::string(oin)));
    return number("N13", "UTF8String OIN (valid)", "", std::string(oin), V_ASN1_UTF8STRING);
  }

  Result<> usages() {
    SCHAKEL_CHECK(changed({"N14", "person profile: nonRepudiation, another policy OID", "SEC.PKI.GEBRUIK"}, [](LeafPlan& plan) {
      plan.key_usage = "critical,digitalSignature,nonRepudiation";
      plan.policies = "2.16.528.1.1003.1.2.5.1";
    }));
    SCHAKEL_CHECK(changed({"N15", "no certificatePolicies", "SEC.PKI.POLICY"}, [](LeafPlan& plan) { plan.policies.clear(); }));
    SCHAKEL_CHECK(changed({"N16", "EKU serverAuth only, used as TLS client", "SEC.PKI.GEBRUIK"},
                          [](LeafPlan& plan) { plan.extended_key_usage = "serverAuth"; }));
    SCHAKEL_CHECK(changed({"N17", "EKU emailProtection only", "SEC.PKI.GEBRUIK"},
                          [](LeafPlan& plan) { plan.extended_key_usage = "emailProtection"; }));
    SCHAKEL_CHECK(changed({"N32", "keyUsage keyEncipherment only", "SEC.PKI.GEBRUIK"},
                          [](LeafPlan& plan) { plan.key_usage = "critical,keyEncipherment"; }));

    SCHAKEL_TRY(auto pretender, leaf(tsp_, plan_, key_.get()));
    const TestAuthority as_ca{.id = "g4-tls-n18", .issuer_id = tsp_.id, .certificate = pretender, .key = key_};
    SCHAKEL_TRY(auto below, leaf(as_ca, plan_, key_.get()));
    std::vector<Certificate> above{pretender};
    for (const auto& certificate : state_.chain_above(tsp_)) above.push_back(certificate);
    keep({"N18", "leaf used as CA", "SEC.PKI.ONBEKENDE_CA"}, std::move(below), std::move(above));
    return {};
  }

  Result<> names() {
    const auto named = [&](std::string id, std::string description, std::string expected, std::vector<std::string> hosts,
                           std::string wanted) {
      return changed({std::move(id), std::move(description), std::move(expected), Usage::tls_server, std::move(wanted)},
                     [&](LeafPlan& plan) { plan.hosts = hosts; });
    };
    SCHAKEL_CHECK(named("N19", "wildcard SAN", "SEC.TLS.HOSTNAAM", {"*.negative.test"}, "www.negative.test"));
    SCHAKEL_CHECK(changed({"N20", "host only in CN", "SEC.TLS.HOSTNAAM", Usage::tls_server, std::string(host)}, [](LeafPlan& plan) {
      plan.hosts = {"other.test"};
      find_entry(plan.subject, "CN")->value = host;
    }));
    SCHAKEL_CHECK(changed(
        {"N21", "IP SAN", "SEC.TLS.HOSTNAAM", Usage::tls_server, "127.0.0.1"}, [](LeafPlan& plan) { plan.hosts.clear(); },
        [](Extensions& extensions) { return extensions.add(NID_subject_alt_name, "IP:127.0.0.1"); }));
    SCHAKEL_CHECK(named("N30", "NUL byte in SAN", "SEC.TLS.HOSTNAAM", {std::string("negative.test\0.evil.test", 23)}, std::string(host)));
    return named("N31", "duplicate SAN with other case (valid)", "", {"negative.test", "NEGATIVE.test"}, std::string(host));
  }

  Result<> algorithms() {
    for (const auto& [id, bits, expected] : {std::tuple{"N22", 1024, "SEC.PKI.SLEUTEL"}, std::tuple{"N23", 2048, ""}}) {
      SCHAKEL_TRY(auto key, state_.new_key(bits));
      SCHAKEL_TRY(auto certificate, leaf(tsp_, plan_, key.get()));
      keep({id, "RSA-" + std::to_string(bits) + (bits == 2048 ? " (valid unless tls.peer-rsa-min is higher)" : ""), expected},
           std::move(certificate), state_.chain_above(tsp_), key);
    }
    TestAuthority old_fashioned = tsp_;
    old_fashioned.scheme = SigningScheme::pkcs1_sha1;
    SCHAKEL_TRY(auto weak, leaf(old_fashioned, plan_, key_.get()));
    keep({"N24", "signed with SHA-1", "SEC.PKI.ALGORITME"}, std::move(weak), state_.chain_above(tsp_));
    return changed({"N25", "unknown critical extension", "SEC.PKI.EXTENSIE"}, {},
                   [](Extensions& extensions) { return extensions.add_der("1.2.3.4.5.6.7", true, BytesView("\x05\x00", 2)); });
  }

  Result<> below_extra(Kind kind, const std::string& name, const TestAuthority& issuer,
                       const std::function<Result<>(TestAuthority&, NegativeCase&)>& prepare) {
    std::string number = kind.id;
    std::ranges::transform(number, number.begin(), [](char c) { return c == 'N' ? 'n' : c; });
    SCHAKEL_TRY(auto* const authority, extra_authority("g4-tls-tsp-" + number, name, issuer));
    SCHAKEL_TRY(auto certificate, leaf(*authority, plan_, key_.get()));
    auto& made = keep(std::move(kind), std::move(certificate), state_.chain_above(*authority));
    SCHAKEL_CHECK(prepare(*authority, made));
    if (!authority->crl.empty()) made.crls.emplace(authority->id + ".crl", authority->crl);
    return {};
  }

  Result<> lists() {
    // By value: the list of authorities grows below.
    const TestAuthority domain = *state_.find("g4-tls-domain");
    const TestAuthority tsp = tsp_;
    const auto revoke_in_domain = [&](TestAuthority& authority, NegativeCase&) -> Result<> {
      SCHAKEL_CHECK(state_.sign_crl(authority, now_, TestPki::crl_life));
      auto& issuer = *state_.find("g4-tls-domain");
      issuer.revoked.push_back({.serial = authority.certificate->serial, .at = now_, .reason = 2});
      return state_.sign_crl(issuer, now_, TestPki::crl_life);
    };
    SCHAKEL_CHECK(below_extra({"N04", "revoked TSP CA (in the domain CRL)", "SEC.PKI.INGETROKKEN"},
                              "Schakel TEST TSP N04 - G4 PKIo Priv G-TLS SYS - 2026", domain, revoke_in_domain));
    SCHAKEL_CHECK(
        below_extra({"N26", "pathLen violated: a CA below a TSP CA", "SEC.PKI.PAD"}, "Schakel TEST TSP N26 - G4 PKIo Priv G-TLS SYS - 2026",
                    tsp, [&](TestAuthority& authority, NegativeCase&) { return state_.sign_crl(authority, now_, TestPki::crl_life); }));
    SCHAKEL_CHECK(below_extra({"N27", "CRL expired an hour ago (SEC.CRL.GEEN when it was never in use)", "SEC.CRL.VERLOPEN"},
                              "Schakel TEST TSP N27 - G4 PKIo Priv G-TLS SYS - 2026", domain, [&](TestAuthority& authority, NegativeCase&) {
                                return state_.sign_crl(authority, now_ - TestPki::crl_life - std::chrono::hours(1), TestPki::crl_life);
                              }));
    SCHAKEL_CHECK(below_extra({"N28", "CRL signed by another key", "SEC.CRL.GEEN"}, "Schakel TEST TSP N28 - G4 PKIo Priv G-TLS SYS - 2026",
                              domain, [&](TestAuthority& authority, NegativeCase&) {
                                TestAuthority forger = authority;
                                forger.key = key_;
                                auto signed_list = state_.sign_crl(forger, now_, TestPki::crl_life);
                                authority.crl = forger.crl;
                                return signed_list;
                              }));
    return below_extra({"N29", "no CRL served", "SEC.CRL.GEEN"}, "Schakel TEST TSP N29 - G4 PKIo Priv G-TLS SYS - 2026", domain,
                       [](TestAuthority&, NegativeCase&) { return Result<>{}; });
  }

  TestPki::State& state_;
  TestAuthority& tsp_;
  Instant now_;
  PrivateKey key_, authority_key_;
  LeafPlan plan_;
  std::vector<NegativeCase> cases_;
};

}  // namespace

Result<std::vector<NegativeCase>> TestPki::negative(Instant now) {
  if (state_->find("g4-tls-tsp") == nullptr) return invalid_pki("the bad set needs generation g4");
  // References to CAs must survive the five that are added.
  state_->authorities.reserve(state_->authorities.size() + 8);
  return BadSet(*state_, *state_->find("g4-tls-tsp"), now).make();
}

}  // namespace schakel::security
