#include "server/identities.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace schakel::server {
namespace {

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail("config.invalid", "the file cannot be read", path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Result<std::shared_ptr<security::TrustStore>> trust_store(const config::Settings& settings, security::TrustProfile profile,
                                                          const std::string& anchors_path) {
  if (anchors_path.empty()) return std::shared_ptr<security::TrustStore>();
  SCHAKEL_TRY(const auto anchors, read_file(settings.resolve(anchors_path)));
  std::string intermediates;
  if (!settings.pki.intermediates.empty()) {
    SCHAKEL_TRY(intermediates, read_file(settings.resolve(settings.pki.intermediates)));
  }
  security::TrustStore::Options options;
  options.profile = profile;
  options.policy_oids = settings.pki.policy_oids;
  options.peer_rsa_min = static_cast<int>(settings.tls.peer_rsa_min);
  options.crl_refresh = settings.crl.refresh;
  for (const auto& [issuer, url] : settings.crl.urls) options.crl_urls[issuer] = {url};
  return security::TrustStore::make(std::move(options), anchors, intermediates);
}

Result<std::shared_ptr<const security::KeyPair>> key_pair(security::KeyLocation location, const config::Secret& passphrase,
                                                          security::Pkcs11Module* tokens) {
  if (passphrase.given()) {
    SCHAKEL_TRY(location.passphrase, passphrase.read());
  }
  return security::load_key_pair(location, tokens);
}

security::KeyLocation location_of(const OwnCertificate& certificate, const config::Settings& settings) {
  const auto path = [&](const std::string& name) {
    if (name.empty() || name.front() == '/' || security::is_pkcs11_uri(name)) return name;
    return settings.resolve(settings.pki.keys + "/" + name);
  };
  return {.certificates = path(certificate.certificates), .key = path(certificate.key), .passphrase = {}};
}

// SEC-017, the part that needs no CRL: path, validity, usage, and that the OIN is one of the tenant's.
std::string problem_of(const security::KeyPair& own, const OwnCertificate& configured, const Tenant& tenant,
                       const security::TrustStore& trust, Instant now) {
  std::vector<security::Certificate> chain{own.certificate()};
  chain.insert(chain.end(), own.chain().begin(), own.chain().end());
  for (const auto& purpose : configured.purposes) {
    const auto verdict = trust.verify_path_without_revocation(chain, usage_of(purpose), now);
    if (!verdict.ok()) return verdict.reason + ": " + verdict.detail;
  }
  const auto& oin = own.certificate()->oin;
  if (oin.oin.empty()) return oin.refusal;
  if (std::ranges::find(tenant.oins, oin.oin) == tenant.oins.end())
    return "SEC.OIN.NIET_EIGEN: the certificate's OIN is none of the tenant's";
  return {};
}

}  // namespace

Result<Trust> Trust::make(const config::Settings& settings) {
  Trust trust;
  SCHAKEL_TRY(trust.production_, trust_store(settings, security::TrustProfile::production, settings.pki.anchors));
  SCHAKEL_TRY(trust.test_, trust_store(settings, security::TrustProfile::test, settings.pki.test_anchors));
  return trust;
}

std::shared_ptr<security::TrustStore> Trust::of(std::string_view environment) const {
  return environment == "production" ? production_ : test_;
}

std::vector<std::shared_ptr<security::TrustStore>> Trust::all() const {
  std::vector<std::shared_ptr<security::TrustStore>> stores;
  for (const auto& store : {production_, test_})
    if (store) stores.push_back(store);
  return stores;
}

security::TlsSettings tls_settings(const config::Settings& settings) {
  security::TlsSettings tls;
  tls.min = settings.tls.min;
  tls.require_ems = settings.tls.require_ems;
  tls.sni_strict = settings.tls.sni_strict;
  tls.resumption = settings.tls.resumption;
  tls.peer_rsa_min = static_cast<int>(settings.tls.peer_rsa_min);
  return tls;
}

security::Usage usage_of(std::string_view purpose) {
  if (purpose == "tls-server") return security::Usage::tls_server;
  if (purpose == "signing") return security::Usage::signing;
  if (purpose == "encryption") return security::Usage::encryption;
  return security::Usage::tls_client;
}

std::string key_sha256(const security::Certificate& certificate) {
  return sha256_hex(certificate->public_key_der);
}

Result<std::vector<security::TlsServer::Identity>> servers_of(const config::Listener& listener, const config::Settings& settings,
                                                              const Identities& identities, const Trust& trust,
                                                              security::Pkcs11Module* tokens) {
  if (listener.certificate.empty() && !security::is_pkcs11_uri(listener.key)) return identities.servers(settings.node.environment);
  SCHAKEL_TRY(auto pair, key_pair({.certificates = settings.resolve(listener.certificate),
                                   .key = security::is_pkcs11_uri(listener.key) ? listener.key : settings.resolve(listener.key),
                                   .passphrase = {}},
                                  listener.passphrase, tokens));
  return std::vector<security::TlsServer::Identity>{
      {.hosts = {}, .key_pair = std::move(pair), .trust = trust.of(settings.node.environment), .production = settings.production()}};
}

Result<std::vector<std::string>> proxy_certificates(const std::string& path) {
  SCHAKEL_TRY(const auto pem, read_file(path));
  SCHAKEL_TRY(const auto certificates, security::Certificate::list_from_pem(pem));
  std::vector<std::string> digests;
  for (const auto& certificate : certificates) digests.push_back(certificate->sha256);
  return digests;
}

std::shared_ptr<const Identities> Identities::load(const std::vector<Tenant>& tenants, const config::Settings& settings, const Trust& trust,
                                                   const KeySet& compromised_keys, const Clock& clock, Log& log,
                                                   security::Pkcs11Module* tokens) {
  auto identities = std::make_shared<Identities>();
  identities->tenants_ = tenants;
  identities->trust_ = &trust;
  identities->clock_ = &clock;
  identities->settings_ = tls_settings(settings);
  for (const auto& tenant : tenants) {
    const auto store = trust.of(tenant.environment);
    for (const auto& certificate : tenant.certificates) {
      Loaded loaded{.tenant = tenant.slug, .configured = certificate, .key_pair = nullptr, .problem = {}};
      if (auto pair = key_pair(location_of(certificate, settings), certificate.passphrase, tokens); !pair)
        loaded.problem = pair.error().code + ": " + pair.error().detail;
      else
        loaded.key_pair = std::move(*pair);
      if (loaded.problem.empty() && compromised_keys.contains(key_sha256(loaded.key_pair->certificate())))
        loaded.problem = "SEC.SLEUTEL.GECOMPROMITTEERD: this key was taken out of use by an emergency rotation";
      if (loaded.problem.empty())
        loaded.problem =
            store ? problem_of(*loaded.key_pair, certificate, tenant, *store, clock.now()) : "SEC.PKI.ANKER: no anchors are configured";
      if (!loaded.problem.empty()) {
        ++identities->faults_;
        log.error("certificate.notUsed", {{"tenant", tenant.slug},
                                          {"file", certificate.certificates.empty() ? certificate.key : certificate.certificates},
                                          {"problem", loaded.problem}});
      } else if (store) {
        // Our own chain's CRLs are fetched ahead too: the peer needs them (SEC-025).
        std::vector<security::Certificate> chain{loaded.key_pair->certificate()};
        chain.insert(chain.end(), loaded.key_pair->chain().begin(), loaded.key_pair->chain().end());
        store->learn(store->verify_path_without_revocation(chain, security::Usage::tls_client, clock.now()));
      }
      identities->loaded_.push_back(std::move(loaded));
    }
  }
  return identities;
}

const Tenant* Identities::tenant(std::string_view slug) const {
  const auto found = std::ranges::find(tenants_, slug, &Tenant::slug);
  return found == tenants_.end() ? nullptr : &*found;
}

std::vector<security::TlsServer::Identity> Identities::servers(const std::string& default_environment) const {
  std::vector<security::TlsServer::Identity> servers;
  for (const auto& loaded : loaded_) {
    if (!rights(loaded, "tls-server", clock_->now()).serve) continue;
    const auto* owner = tenant(loaded.tenant);
    security::TlsServer::Identity identity{.hosts = owner->hosts,
                                           .key_pair = loaded.key_pair,
                                           .trust = trust_->of(owner->environment),
                                           .production = owner->environment == "production"};
    servers.push_back(std::move(identity));
  }
  // Of two certificates for one name the one configured first is shown.
  const bool production = default_environment == "production";
  std::ranges::stable_partition(servers, [production](const auto& identity) { return identity.production == production; });
  // A handshake without a known name gets the first certificate of the node's own environment.
  if (!servers.empty()) {
    auto fallback = servers.front();
    fallback.hosts.clear();
    servers.push_back(std::move(fallback));
  }
  return servers;
}

const Identities::Loaded* Identities::certificate(std::string_view slug, std::string_view sha256) const {
  const auto found = std::ranges::find_if(loaded_, [&](const Loaded& loaded) {
    return loaded.tenant == slug && loaded.key_pair && loaded.key_pair->certificate()->sha256 == sha256;
  });
  return found == loaded_.end() ? nullptr : &*found;
}

const Identities::Loaded* Identities::client_certificate(std::string_view slug, std::string_view sha256) const {
  const Loaded* chosen = nullptr;
  for (const auto& loaded : loaded_) {
    if (loaded.tenant != slug || !rights(loaded, "tls-client", clock_->now()).connect) continue;
    if (!chosen || loaded.key_pair->certificate()->sha256 == sha256) chosen = &loaded;
  }
  return chosen;
}

security::RotationState Identities::state(const Loaded& own, std::string_view purpose, Instant now) const {
  const auto& certificate = own.key_pair->certificate();
  security::Rotation rotation{.active_from = own.configured.active_from.value_or(Instant{}),
                              .succeeded_at = std::nullopt,
                              .revoked_at = std::nullopt,
                              .not_after = certificate->not_after};
  for (const auto& other : loaded_) {
    const bool may_succeed = other.tenant == own.tenant && other.problem.empty() && other.configured.serves(purpose) &&
                             other.key_pair->certificate()->oin.oin == certificate->oin.oin;
    const auto from = other.configured.active_from;
    if (!may_succeed || !from || *from <= rotation.active_from) continue;
    rotation.succeeded_at = std::min(rotation.succeeded_at.value_or(*from), *from);
  }
  return security::rotation_state(rotation, now);
}

security::KeyRights Identities::rights(const Loaded& loaded, std::string_view purpose, Instant now) const {
  if (!loaded.problem.empty() || !loaded.configured.serves(purpose)) return {};
  return security::key_rights(state(loaded, purpose, now));
}

std::optional<Instant> Identities::next_activation(Instant now) const {
  std::optional<Instant> next;
  for (const auto& loaded : loaded_)
    if (const auto from = loaded.configured.active_from; from && *from > now) next = std::min(next.value_or(*from), *from);
  return next;
}

bool Identities::awaits_token() const {
  return std::ranges::any_of(loaded_, [](const Loaded& loaded) { return loaded.problem.starts_with("SEC.SLEUTEL.PKCS11"); });
}

std::shared_ptr<const security::KeyPair> Identities::signing_key(std::string_view slug, std::string_view sha256, Instant now) const {
  const auto* own = certificate(slug, sha256);
  return own && rights(*own, "signing", now).sign ? own->key_pair : nullptr;
}

std::shared_ptr<const security::KeyPair> Identities::signing_key_of(std::string_view slug, std::string_view oin, Instant now) const {
  const Loaded* chosen = nullptr;
  for (const auto& loaded : loaded_) {
    if (loaded.tenant != slug || !loaded.key_pair || loaded.key_pair->certificate()->oin.oin != oin) continue;
    if (!rights(loaded, "signing", now).sign || state(loaded, "signing", now) != security::RotationState::active) continue;
    if (!chosen || chosen->configured.active_from < loaded.configured.active_from) chosen = &loaded;
  }
  return chosen ? chosen->key_pair : nullptr;
}

std::vector<std::shared_ptr<const security::KeyPair>> Identities::decryption_keys(std::string_view slug, Instant now) const {
  std::vector<std::shared_ptr<const security::KeyPair>> keys;
  for (const auto& loaded : loaded_)
    if (loaded.tenant == slug && rights(loaded, "encryption", now).decrypt) keys.push_back(loaded.key_pair);
  return keys;
}

Result<std::shared_ptr<security::TlsClient>> Identities::web_client(std::string_view slug, bool two_sided) const {
  const auto* owner = tenant(slug);
  if (!owner) return fail("SEC.SLEUTEL.GEEN", "no such tenant");
  const auto* own = two_sided ? client_certificate(slug, {}) : nullptr;
  if (two_sided && !own) return fail("SEC.SLEUTEL.GEEN", "the tenant has no usable client certificate");
  const std::lock_guard lock(mutex_);
  auto& made = clients_[{std::string(slug), two_sided ? "web two-sided" : "web"}];
  if (!made) {
    SCHAKEL_TRY(made, security::TlsClient::make_web(settings_, own ? own->key_pair : nullptr, trust_->of(owner->environment), {}, *clock_));
  }
  return made;
}

Result<std::shared_ptr<security::TlsClient>> Identities::client(std::string_view slug, const std::string& certificate_sha256) const {
  const auto* owner = tenant(slug);
  if (!owner) return fail("SEC.SLEUTEL.GEEN", "no such tenant");
  const auto* chosen = client_certificate(slug, certificate_sha256);
  if (!chosen) return fail("SEC.SLEUTEL.GEEN", "the tenant has no usable client certificate");
  const std::lock_guard lock(mutex_);
  auto& made = clients_[{std::string(slug), chosen->key_pair->certificate()->sha256}];
  if (!made) {
    SCHAKEL_TRY(made, security::TlsClient::make(settings_, chosen->key_pair, trust_->of(owner->environment),
                                                owner->environment == "production", *clock_));
  }
  return made;
}

}  // namespace schakel::server
