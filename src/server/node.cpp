#include "server/node.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "api/api.hpp"
#include "api/dai_door.hpp"
#include "api/jobs.hpp"
#include "api/webhooks.hpp"
#include "base/json_library.hpp"
#include "cpa/certificate_checks.hpp"
#include "cpa/contracts.hpp"
#include "cpa/validate.hpp"
#include "ebms/endpoint.hpp"
#include "ebms/msh.hpp"
#include "ebms/relay.hpp"
#include "ebms/sender.hpp"
#include "exchange/commit.hpp"
#include "facade/facade.hpp"
#include "http/address.hpp"
#include "http/client.hpp"
#include "http/run.hpp"
#include "http/server.hpp"
#include "server/audit_log.hpp"
#include "server/configuration.hpp"
#include "server/crl_archive.hpp"
#include "server/crl_fetch.hpp"
#include "server/emergency.hpp"
#include "server/health.hpp"
#include "server/identities.hpp"
#include "server/inventory.hpp"
#include "server/kept_authorities.hpp"
#include "server/maintenance.hpp"
#include "server/message_keys.hpp"
#include "server/node_lease.hpp"
#include "server/observation.hpp"
#include "server/offloaded_clients.hpp"
#include "server/own_certificates.hpp"
#include "server/own_listeners.hpp"
#include "server/waking_database.hpp"
#include "server/webhook_calls.hpp"
#include "server/work_loop.hpp"
#include "server/wus_parts.hpp"

namespace schakel::server {
namespace {

constexpr Duration configuration_poll = std::chrono::seconds(1);  // CPA-050 and adapter.md 3.11.4 ask for at most 5 s
constexpr Duration clock_poll = std::chrono::seconds(30);
constexpr Duration renewal_retry = std::chrono::minutes(1);  // of certificates, when a token or a listener did not do what it should
constexpr Duration seal_interval = std::chrono::seconds(1);
constexpr std::chrono::seconds resolve_timeout{5};  // of a webhook's name, while its registration waits
constexpr std::chrono::seconds observe_interval{15};
constexpr std::int64_t seal_batch = 500;  // a seal never holds the writer for long

std::string sqlite_path(const std::string& url) {
  if (!url.starts_with("sqlite:") || url == "sqlite::memory:") return {};
  return url.substr(std::string_view("sqlite:").size());
}

}  // namespace

// What coroutines use is declared before the threads that run them, what holds their executor after (http/run.hpp).
struct Node::Parts {
  Parts(config::Checked checked, Environment environment_)
      : settings(std::move(checked.settings)),
        effective(std::move(checked.effective)),
        environment(environment_),
        tokens(settings.pki.pkcs11_module, environment.log, environment.metrics),
        io(std::max(2U, std::thread::hardware_concurrency())),
        blocking(1),
        fetching(1) {}

  config::Settings settings;
  std::vector<config::Effective> effective;
  Environment environment;
  std::atomic<bool> migrated{false}, draining{false}, stopped{false};
  const std::vector<std::string> own_addresses = local_addresses();
  ClockWatch clock_watch;
  security::Pkcs11Module tokens;  // outlived by the keys in it

  std::unique_ptr<FileLock> lock;
  std::unique_ptr<WakingDatabase> database;
  std::unique_ptr<NodeLease> lease;
  std::unique_ptr<ConfigurationCache> configuration;
  std::unique_ptr<DatabaseCrlArchive> crl_archive;
  Trust trust;
  std::unique_ptr<OwnCertificates> own_certificates;
  std::unique_ptr<OffloadedClients> offloaded_clients;
  std::map<std::string, cpa::TrustStoreChecks, std::less<>> certificate_checks;  // by environment
  std::unique_ptr<CrlRefresh> crl_refresh;
  std::unique_ptr<Retention> retention;
  std::unique_ptr<ContractKeeping> contract_keeping;
  std::unique_ptr<AuditLog> audit;
  mutable std::mutex identities_mutex;
  std::shared_ptr<const Identities> identities;
  std::atomic<Instant> renewal_due{Instant::max()};  // a certificate in them becomes active, or a token may be back
  std::unique_ptr<ebms::Msh> msh;
  std::unique_ptr<ebms::Sender> sender;
  std::unique_ptr<ebms::Endpoint> endpoint;
  std::unique_ptr<ebms::Relay> relay;
  std::shared_ptr<MessageKeys> message_keys;
  std::unique_ptr<WusParts> wus;
  std::unique_ptr<api::Webhooks> webhooks;
  std::unique_ptr<WebhookCalls> webhook_calls;
  std::unique_ptr<api::Jobs> jobs;
  std::unique_ptr<api::Api> api;
  std::unique_ptr<facade::Facade> facade;
  std::unique_ptr<api::DaiDoor> dai;
  std::map<std::string, std::shared_ptr<security::TlsServer>, std::less<>> tls_servers;  // by listener
  std::mutex renewal;                                                                    // one at a time: SIGHUP and a change of tenants

  http::IoThreads io, blocking, fetching;  // fetching: what waits for CRLs of others, so that nothing else waits for it
  http::Wakeup configuration_changed{http::make_strand(io.executor())};
  http::Wakeup identities_changed{http::make_strand(io.executor())};
  std::unique_ptr<http::Client> client;
  std::unique_ptr<WorkLoop> work;
  std::map<std::string, std::unique_ptr<http::Server>, std::less<>> listeners;

  Log& log() { return environment.log; }
  const Clock& clock() const { return environment.clock; }

  // --- start ---------------------------------------------------------------------------------------------------------------------

  Result<> start() {
    SCHAKEL_CHECK(listen("ops", [this](http::Request& request) { return ops(request); }));
    SCHAKEL_CHECK(open_database());
    SCHAKEL_CHECK(load_trust());
    make_client();
    make_protocol();
    make_api();
    SCHAKEL_CHECK(make_other_doors());
    make_work();
    SCHAKEL_CHECK(start_listeners());
    lease->start(io.executor());
    database->on_commit([this] { work->wake(); });
    work->start();
    http::spawn(http::make_strand(io.executor()), watch_configuration());
    http::spawn(io.executor(), watch_clock());
    http::spawn(io.executor(), seal());
    http::spawn(io.executor(), observe_all());
    http::spawn(http::make_strand(io.executor()), watch_own_certificates());
    environment.metrics.gauge("build_info", "The program that runs", {{"version", SCHAKEL_VERSION}}).set(1);
    log().info("node.started", {{"node", settings.node.name}, {"environment", settings.node.environment}, {"version", SCHAKEL_VERSION}});
    return {};
  }

  Result<> open_database() {
    const auto path = sqlite_path(settings.database.url);
    if (!path.empty()) {
      SCHAKEL_TRY(lock, FileLock::take(path + ".lock"));
    }
    SCHAKEL_TRY(auto opened, sql::open({.url = settings.database.url, .pool_size = static_cast<std::size_t>(settings.database.pool_size)},
                                       log(), environment.metrics));
    database = std::make_unique<WakingDatabase>(std::move(opened));
    SCHAKEL_TRY(const auto state, sql::schema_state(*database, exchange::migrations()));
    if (state.current > state.newest) return fail("schema.newer", "the database was migrated by a newer release of this program");
    SCHAKEL_CHECK(sql::migrate(*database, exchange::migrations()));
    migrated = true;
    lease = std::make_unique<NodeLease>(
        database->quiet(), clock(), log(), environment.metrics,
        NodeLease::Options{.node = settings.node.name, .heartbeat = settings.cluster.heartbeat, .lease = settings.cluster.lease});
    // Whoever holds the lock of a SQLite file is its only process: a former one is dead.
    return lease->take(lock != nullptr);
  }

  Result<> load_trust() {
    SCHAKEL_TRY(trust, Trust::make(settings));
    for (const std::string environment_name : {"production", "test"})
      if (auto store = trust.of(environment_name)) certificate_checks.emplace(environment_name, std::move(store));
    SCHAKEL_CHECK(keep_authorities(*database, trust, clock().now()));
    configuration = std::make_unique<ConfigurationCache>(*database, log());
    SCHAKEL_CHECK(configuration->load());
    crl_archive = std::make_unique<DatabaseCrlArchive>(database->quiet(), clock());
    const auto& proxied = settings.http_client;
    const auto fetch = crl_fetch(
        settings.crl.proxy.empty() ? CrlProxy{.proxy = proxied.proxy, .no_proxy = proxied.no_proxy} : CrlProxy{.proxy = settings.crl.proxy},
        clock(), log(), environment.metrics);
    own_certificates = std::make_unique<OwnCertificates>(trust, fetch, clock(), log());
    offloaded_clients = std::make_unique<OffloadedClients>(clock());
    crl_refresh =
        std::make_unique<CrlRefresh>(*database, trust, fetch, *crl_archive, fetching.executor(), clock(), log(), environment.metrics);
    set_identities(loaded_identities(*configuration->current()));
    for (const auto& store : trust.all()) store->fetch_missing_with(fetch, crl_archive.get());
    crl_refresh->restore();
    return {};
  }

  void make_client() {
    client = std::make_unique<http::Client>(
        io.executor(),
        http::Client::Options{.connection_age_max = std::chrono::duration_cast<std::chrono::seconds>(settings.tls.max_connection_age),
                              .proxy = settings.http_client.proxy,
                              .no_proxy = settings.http_client.no_proxy},
        clock(), log(), environment.metrics);
  }

  void make_protocol() {
    audit = std::make_unique<AuditLog>(database->quiet(), clock(), log(), settings.node.name);
    ebms::Msh::Dependencies dependencies{
        .clock = clock(), .random = environment.random, .log = log(), .metrics = environment.metrics, .contracts = [this] {
          return configuration->current()->contracts;
        }};
    message_keys = std::make_shared<MessageKeys>([this] { return current_identities(); }, trust);
    dependencies.keys = message_keys;
    dependencies.tenant_of_host = [this](std::string_view host) { return slug_of(host); };
    msh = std::make_unique<ebms::Msh>(ebms::Settings{.node = settings.node.name,
                                                     .accept_status = static_cast<unsigned>(settings.ebms.accept_status),
                                                     .insecure_transport = settings.ebms.insecure_transport,
                                                     .allow_message_order = settings.ebms.allow_message_order},
                                      std::move(dependencies));
    sender = std::make_unique<ebms::Sender>(
        *msh, *database, *client,
        [this](const std::string& tenant, const std::string&, const std::string& sha256) {
          return current_identities()->client(tenant, sha256);
        },
        clock(), log(),
        ebms::Sender::Options{.connect_timeout = milliseconds(settings.http_client.connect_timeout),
                              .response_timeout = milliseconds(settings.http_client.read_timeout)});
    ebms::Endpoint::Options options;
    options.limits.request_max = static_cast<std::size_t>(settings.limits.message_max);
    options.limits.root_max = static_cast<std::size_t>(settings.ebms.root_max);
    options.limits.parts_max = static_cast<std::size_t>(settings.ebms.parts_max);
    options.insecure_transport = settings.ebms.insecure_transport;
    endpoint = std::make_unique<ebms::Endpoint>(*msh, *database, environment.random, clock(), log(), options,
                                                [this](const http::Request& request, std::string_view reason) {
                                                  audit->record(slug_of(request.sni), audit_record(request, "authorisation", reason));
                                                });
    make_relay(options.limits);
    make_wus();
  }

  void make_wus() {
    wus = std::make_unique<WusParts>(WusParts::Dependencies{
        .database = database->quiet(),
        .client = *client,
        .random = environment.random,
        .clock = clock(),
        .log = log(),
        .metrics = environment.metrics,
        .node = settings.node.name,
        .configuration = [this] { return configuration->current(); },
        .identities = [this] { return current_identities(); },
        .keys = *message_keys,
        .is_own_listener = [this](const std::string& url) { return is_own_listener(url); },
        .is_own_certificate = [this](const std::string& sha256) { return is_own_certificate(sha256); },
        .audit = [this](const std::string& slug, const http::Request& request,
                        std::string_view reason) { audit->record(slug, audit_record(request, "authorisation", reason)); },
        .insecure_transport = settings.ebms.insecure_transport,
        .relay = {.keep_hash = settings.transparent.keep == "hash"}});
  }

  void make_relay(const ebms::MimeLimits& limits) {
    relay = std::make_unique<ebms::Relay>(
        *endpoint,
        ebms::Relay::Dependencies{
            .database = database->quiet(),
            .client = *client,
            .random = environment.random,
            .clock = clock(),
            .log = log(),
            .metrics = environment.metrics,
            .contracts = [this] { return configuration->current()->contracts; },
            .tenant_of_host = [this](std::string_view host) { return slug_of(host); },
            .identities = [this](const std::string& tenant, const std::string&,
                                 const std::string& sha256) { return current_identities()->client(tenant, sha256); },
            .is_own_listener = [this](const std::string& url) { return is_own_listener(url); },
            .is_own_certificate = [this](const std::string& sha256) { return is_own_certificate(sha256); },
            .audit = [this](const std::string& slug, const http::Request& request,
                            std::string_view reason) { audit->record(slug, audit_record(request, "authorisation", reason)); }},
        ebms::Relay::Options{.limits = limits,
                             .connect_timeout = milliseconds(settings.http_client.connect_timeout),
                             .response_timeout = milliseconds(settings.http_client.read_timeout),
                             .keep_hash = settings.transparent.keep == "hash",
                             .node = settings.node.name});
  }

  // ADP-412 at run time.
  bool is_own_listener(const std::string& url) const {
    std::vector<OwnListener> own;
    for (const auto& [name, configured] : settings.listeners) {
      if (!configured.enabled) continue;
      own.push_back({configured.address, configured.port, configured.hosts});
      if (name != "external") continue;
      for (const auto& one : configuration->current()->tenants)
        own.back().names.insert(own.back().names.end(), one.hosts.begin(), one.hosts.end());
    }
    return leads_to_listener(url, own, own_addresses);
  }
  bool is_own_certificate(const std::string& sha256) const {
    const auto current = current_identities();
    return std::ranges::any_of(current->certificates(), [&](const Identities::Loaded& loaded) {
      return loaded.key_pair && loaded.key_pair->certificate()->sha256 == sha256;
    });
  }

  // The tenant whose TLS server name was asked for; empty: nobody's, so the installation's.
  std::string slug_of(std::string_view host) const {
    const auto current = configuration->current();
    const auto* found = current->tenant_of_host(host);
    return found ? found->slug : std::string();
  }

  std::optional<api::Tenant> tenant(std::string_view slug) const {
    const auto current = configuration->current();
    const auto* found = current->tenant(slug);
    if (!found) return std::nullopt;
    return api::Tenant{.slug = found->slug, .environment = found->environment, .oins = found->oins};
  }

  // What the judging of a contract asks about mandates, certificates and keys (V37, V43).
  void complete(std::string_view slug, cpa::ValidationOptions& options) const {
    options.message_order = settings.ebms.allow_message_order;
    const auto found = tenant(slug);
    if (!found) return;
    const auto checks = certificate_checks.find(found->environment);
    if (checks != certificate_checks.end()) options.certificates = &checks->second;
    options.mandates = configuration->current()->contracts->mandates_of(slug);
    options.has_private_key = [own = current_identities(), slug = std::string(slug)](const security::Certificate& certificate) {
      return std::ranges::any_of(own->certificates(), [&](const Identities::Loaded& loaded) {
        return loaded.tenant == slug && loaded.key_pair && loaded.key_pair->certificate() == certificate;
      });
    };
  }

  std::vector<std::string> slugs() const {
    std::vector<std::string> result;
    for (const auto& tenant : configuration->current()->tenants) result.push_back(tenant.slug);
    return result;
  }

  void make_api() {
    const auto find_tenant = [this](std::string_view slug) { return tenant(slug); };
    webhooks = std::make_unique<api::Webhooks>(
        api::Webhooks::Settings{.node = settings.node.name,
                                .allowed_networks = settings.webhook.allowed_networks,
                                .delivery_age_max = settings.webhook.delivery_age_max},
        api::Webhooks::Dependencies{
            .clock = clock(), .random = environment.random, .log = log(), .metrics = environment.metrics, .tenant = find_tenant});
    webhook_calls = std::make_unique<WebhookCalls>(
        *webhooks, *database, *client,
        [this](const api::WebhookCall& call) { return current_identities()->web_client(call.tenant, call.tls == "twoSided"); }, clock(),
        milliseconds(settings.webhook.timeout));
    jobs = std::make_unique<api::Jobs>(settings.node.name,
                                       api::Jobs::Dependencies{.database = *database, .clock = clock(), .log = log(), .msh = *msh});
    api = std::make_unique<api::Api>(
        api::Settings{.node = settings.node.name,
                      .require_idempotency_key = settings.api.require_idempotency_key,
                      .message_bytes_max = static_cast<std::size_t>(settings.limits.message_max),
                      .json_bytes_max = static_cast<std::size_t>(settings.limits.json_max),
                      .webhook_allow_http = settings.webhook.allow_http},
        api::Dependencies{
            .database = *database,
            .clock = clock(),
            .random = environment.random,
            .log = log(),
            .metrics = environment.metrics,
            .msh = *msh,
            .webhooks = *webhooks,
            .contracts = [this] { return configuration->current()->contracts; },
            .tenant = find_tenant,
            .resolve = [this](std::string host) { return client->addresses_of(std::move(host), resolve_timeout); },
            .post = [this](api::WebhookCall call) { return webhook_calls->post(std::move(call)); },
            .complete_validation = [this](std::string_view slug, cpa::ValidationOptions& options) { complete(slug, options); },
            .certificates =
                [this](std::string_view slug) { return certificates_json(*current_identities(), *own_certificates, slug, clock().now()); },
            .trust_anchors = [this](std::string_view slug) { return trust_anchors_json(trust, tenant(slug)); },
            .crls = [this](std::string_view slug) { return crls_json(trust, tenant(slug), clock().now()); },
            .settings = [this] { return settings_json(effective); },
            .emergency_plan = [this](std::string slug, std::string sha256) { return plan_emergency(std::move(slug), std::move(sha256)); },
            .activate_certificate = [this](sql::Transaction& transaction, std::string_view slug, std::string_view sha256,
                                           Instant at) -> Result<> {
              const auto own = current_identities();
              const auto* chosen = own->certificate(slug, sha256);
              if (!chosen) return fail("notFound", "no such certificate");
              if (!chosen->problem.empty()) return fail("state.conflict", "the certificate cannot be used: " + chosen->problem);
              return activate_certificate(transaction, slug, chosen->configured, at, clock().now());
            },
            .wus_caller = &wus->caller(),
            .wus_services = [this] { return configuration->current()->services; },
            .configuration_changed = [this] { configuration_changed.notify(); }});
  }

  Result<> make_other_doors() {
    facade::Settings chosen;
    if (settings.ebms.facade_key.given()) {
      SCHAKEL_TRY(chosen.key, settings.ebms.facade_key.read());
    }
    facade = std::make_unique<facade::Facade>(std::move(chosen), *api);
    std::string dai_key;
    if (settings.dai.key.given()) {
      SCHAKEL_TRY(dai_key, settings.dai.key.read());
    }
    dai = std::make_unique<api::DaiDoor>(std::move(dai_key), *api);
    return {};
  }

  void make_work() {
    work = std::make_unique<WorkLoop>(
        io.executor(), database->quiet(), [this] { return lease->draining() ? std::nullopt : lease->claimer(); }, clock(), log(),
        environment.metrics, WorkLoop::Options{});
    for (const char* kind : {"ebms.send", "ebms.signal", "ebms.ping", "ebms.status"})
      work->on_claim(kind, [this](sql::Transaction& transaction, const exchange::Claimer& claimer, const exchange::Work& row) {
        return sender->open(transaction, claimer, row);
      });
    work->on("message.expire", [this](exchange::Claimer claimer, exchange::Work row) {
      return in_unit([this, claimer = std::move(claimer), row = std::move(row)](sql::Transaction& transaction) {
        return msh->expire(transaction, claimer, row);
      });
    });
    work->on("ebms.orderGap", [this](exchange::Claimer claimer, exchange::Work row) {
      return in_unit([this, claimer = std::move(claimer), row = std::move(row)](sql::Transaction& transaction) {
        return msh->report_order_gap(transaction, claimer, row);
      });
    });
    work->on("message.offer", [this](exchange::Claimer claimer, exchange::Work row) {
      return in_unit([this, claimer = std::move(claimer), row = std::move(row)](sql::Transaction& transaction) {
        return webhooks->offer(transaction, claimer, row);
      });
    });
    work->on("webhook.call",
             [this](exchange::Claimer claimer, exchange::Work row) { return webhook_calls->run(std::move(claimer), std::move(row)); });
    work->on(std::string(api::job_work_kind),
             [this](exchange::Claimer claimer, exchange::Work row) { return jobs->run(std::move(claimer), std::move(row)); });
    work->on("crl.refresh",
             [this](exchange::Claimer claimer, exchange::Work row) { return crl_refresh->run(std::move(claimer), std::move(row)); });
    retention = std::make_unique<Retention>(
        database->quiet(), settings.retention, settings.node.name, [this] { return slugs(); }, clock(), log());
    work->on("retention.run",
             [this](exchange::Claimer claimer, exchange::Work row) { return retention->run(std::move(claimer), std::move(row)); });
    contract_keeping = std::make_unique<ContractKeeping>(
        *database, settings.node.name, [this] { return configuration->current()->contracts; },
        [this](std::string slug, std::string id) { return api->activate_scheduled(std::move(slug), std::move(id)); }, clock(), log());
    work->on("contract.keep",
             [this](exchange::Claimer claimer, exchange::Work row) { return contract_keeping->run(std::move(claimer), std::move(row)); });
  }

  // SEC-078: reads the files anew, because the successor may have been put in their place.
  http::Awaitable<Result<api::OrderedJson>> plan_emergency(std::string slug, std::string sha256) {
    Result<api::OrderedJson> plan = fail("notFound", "no such certificate");
    std::function<void()> look = [&] {
      const auto present = current_identities();
      const auto* compromised = present->certificate(slug, sha256);
      if (!compromised) return;
      const auto current = configuration->current();
      auto keys = current->compromised_keys;
      keys.insert(key_sha256(compromised->key_pair->certificate()));
      const auto after = Identities::load(current->tenants, settings, trust, keys, clock(), log(), &tokens);
      plan = emergency_plan(*compromised, *after, *current->contracts, clock().now());
    };
    co_await run_blocking(blocking.executor(), std::move(look));
    co_return plan;
  }

  http::Awaitable<Result<>> in_unit(sql::Unit unit) { co_return co_await exchange::commit(*database, std::move(unit)); }

  // --- listeners -------------------------------------------------------------------------------------------------------------------

  Result<> start_listeners() {
    SCHAKEL_CHECK(ensure_periodic_work(*database, clock().now()));
    SCHAKEL_CHECK(listen("internal", internal()));
    SCHAKEL_CHECK(listen("admin", api->admin()));
    SCHAKEL_CHECK(listen("external", [this](http::Request& request) { return external(request); }));
    return {};
  }

  // The part of the API for applications, the one of ebms-core for those that know no other, and the DAI.
  http::Handler internal() {
    return [ours = api->internal(), theirs = facade->handler(), dais = dai->handler()](http::Request& request) {
      if (facade::Facade::serves(request.path)) return theirs(request);
      return api::DaiDoor::serves(request.path) ? dais(request) : ours(request);
    };
  }

  Result<> listen(std::string_view name, http::Handler handler) {
    const auto& configured = settings.listeners.find(name)->second;
    if (!configured.enabled) return {};
    http::ListenerOptions options;
    options.name = configured.name;
    options.address = configured.address;
    options.port = configured.port;
    options.hosts = configured.hosts;
    options.body_bytes_max = static_cast<std::size_t>(settings.limits.message_max);
    options.connection_age_max = std::chrono::duration_cast<std::chrono::seconds>(settings.tls.max_connection_age);
    options.allowed_networks = configured.allowed_networks;
    options.problem_bodies = name == "internal" || name == "admin";
    if (name == "external") options.allowed_methods = "POST";
    SCHAKEL_CHECK(protect(configured, options));
    auto server =
        std::make_unique<http::Server>(io.executor(), std::move(options), std::move(handler),
                                       http::Environment{environment.clock, environment.random, environment.log, environment.metrics});
    SCHAKEL_CHECK(server->start());
    log().info("listener.started", {{"listener", configured.name}, {"address", configured.address}, {"port", server->port()}});
    listeners.emplace(configured.name, std::move(server));
    return {};
  }

  // Who may connect to a listener, and what it shows them (SEC-001, SEC-051, SEC-066).
  Result<> protect(const config::Listener& configured, http::ListenerOptions& options) {
    for (const auto& network : configured.allowed_networks)
      if (!http::parse_network(network))
        return fail("config.invalid", "listeners." + configured.name + ".allowed-networks: " + network + " is no network");
    if (configured.name == "ops") return {};
    options.audit = [this](const http::SecurityEvent& event) { audit->record(slug_of(event.sni), audit_record(event)); };
    if (configured.name == "external") return protect_external(configured, options);
    if (configured.tls == "none") {
      const auto address = http::parse_address(configured.address);
      if (!address || http::kind_of(*address) != http::AddressKind::loopback)
        log().warning("listener.withoutTls", {{"listener", configured.name}, {"address", configured.address}});
      return {};
    }
    auto tls = tls_settings(settings);
    tls.require_client_certificate = configured.tls == "twoSided";
    tls.sni_strict = false;
    SCHAKEL_TRY(options.tls, make_tls(configured, std::move(tls)));
    return {};
  }

  Result<> protect_external(const config::Listener& configured, http::ListenerOptions& options) {
    if (configured.offload) {
      options.offload = true;
      options.verify_offloaded = [this](const http::OffloadedCertificate& passed, std::string_view host) -> Result<security::PeerIdentity> {
        const auto current = configuration->current();
        const auto* owner = current->tenant_of_host(host);
        const auto store = trust.of(owner ? owner->environment : settings.node.environment);
        if (!store) return fail("SEC.PKI.ANKER", "no anchors are configured for this environment");
        return offloaded_clients->identify(*store, passed);
      };
      if (configured.proxy_certificate.empty()) return {};  // over loopback
      SCHAKEL_TRY(options.proxy_certificates, proxy_certificates(settings.resolve(configured.proxy_certificate)));
    } else if (settings.ebms.insecure_transport) {
      return {};
    }
    SCHAKEL_TRY(options.tls, make_tls(configured, tls_settings(settings)));
    return {};
  }

  Result<std::shared_ptr<security::TlsServer>> make_tls(const config::Listener& configured, security::TlsSettings own) {
    SCHAKEL_TRY(auto shown, servers_of(configured, settings, *current_identities(), trust, &tokens));
    SCHAKEL_TRY(auto server, security::TlsServer::make(std::move(own), std::move(shown), clock()));
    tls_servers[configured.name] = server;
    return server;
  }

  http::Awaitable<http::Response> external(http::Request& request) {
    if (request.path == settings.ebms.path) co_return co_await relay->handle(request);
    if (const auto slug = slug_of(request.sni); wus->serves(request, slug)) co_return co_await wus->handle(request, slug);
    http::Response response;
    response.status = 404;
    co_return response;
  }

  http::Awaitable<http::Response> ops(http::Request& request) {
    http::Response response;
    if (request.method != "GET" && request.method != "HEAD") {
      response.status = 405;
      response.headers.add("Allow", "GET, HEAD");
    } else if (request.path == "/health/live") {
      response = health_response({{.name = "process"}}, SCHAKEL_VERSION);
    } else if (request.path == "/health/startup") {
      response = health_response({migrations_check()}, SCHAKEL_VERSION);
    } else if (request.path == "/health/ready") {
      response = health_response(readiness(), SCHAKEL_VERSION);
    } else if (request.path == "/metrics") {
      response.headers.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
      response.body = environment.metrics.text();
    } else {
      response.status = 404;
    }
    co_return response;
  }

  // --- health ------------------------------------------------------------------------------------------------------------------------

  HealthCheck migrations_check() const {
    if (migrated) return {.name = "migrations"};
    return {.name = "migrations", .status = HealthCheck::Status::fail, .output = "not done yet"};
  }

  std::vector<HealthCheck> readiness() const {
    using Status = HealthCheck::Status;
    const auto judged = [](std::string name, bool good, std::string output, Status otherwise = Status::fail) {
      return good ? HealthCheck{.name = std::move(name)}
                  : HealthCheck{.name = std::move(name), .status = otherwise, .output = std::move(output)};
    };
    std::vector<HealthCheck> checks{migrations_check()};
    checks.push_back(judged("database", migrated && database->available(), "the last contact failed"));
    checks.push_back(judged("lease", migrated && lease && lease->claimer(), "this node holds no lease"));
    const auto own = current_identities();
    checks.push_back(keys_check(own && own->faults() == 0));
    checks.push_back(judged("listeners", listening(), "not every listener is open"));
    checks.push_back(clock_watch.check());
    checks.push_back(judged("draining", !draining && !(lease && lease->draining()), "the node is stopping, or was asked to drain"));
    return checks;
  }

  HealthCheck keys_check(bool usable) const {
    std::string output = usable ? "" : "a certificate of a tenant cannot be used; see the log";
    for (const auto& failing : tokens.failing()) output += (output.empty() ? "" : "; ") + failing;
    return {.name = "keys", .status = output.empty() ? HealthCheck::Status::pass : HealthCheck::Status::warn, .output = output};
  }

  bool listening() const {
    return std::ranges::all_of(std::initializer_list<std::string_view>{"external", "internal", "admin", "ops"}, [&](std::string_view name) {
      return !settings.listeners.find(name)->second.enabled || listeners.contains(name);
    });
  }

  // --- what changes while it runs ------------------------------------------------------------------------------------------------------

  std::shared_ptr<const Identities> current_identities() const {
    const std::lock_guard guard(identities_mutex);
    return identities;
  }
  void set_identities(std::shared_ptr<const Identities> fresh) {
    const auto now = clock().now();
    const auto activation = fresh->next_activation(now).value_or(Instant::max());
    renewal_due = fresh->awaits_token() ? std::min(activation, now + renewal_retry) : activation;
    const std::lock_guard guard(identities_mutex);
    identities = std::move(fresh);
  }

  std::shared_ptr<const Identities> loaded_identities(const Configuration& current) {
    return Identities::load(current.tenants, settings, trust, current.compromised_keys, clock(), log(), &tokens);
  }

  // New certificates for new handshakes; running connections keep theirs (SEC-074).
  void renew_identities() {
    const std::lock_guard one_at_a_time(renewal);
    auto fresh = loaded_identities(*configuration->current());
    for (const auto& [name, server] : tls_servers) {
      auto shown = servers_of(settings.listeners.at(name), settings, *fresh, trust, &tokens);
      const auto replaced = shown ? server->replace(std::move(*shown)) : Result<>(shown.error());
      if (replaced) continue;
      log().error("certificate.notReplaced", {{"listener", name}, {"code", replaced.error().code}, {"detail", replaced.error().detail}});
      return;
    }
    set_identities(std::move(fresh));
    identities_changed.notify();
  }

  // SEC-078: what was made with a key that may be known to others ends, whoever is at the other side.
  void end_connections_of(const std::set<std::string, std::less<>>& keys, const Identities& former) {
    for (const auto& own : former.certificates()) {
      if (!own.key_pair || !keys.contains(key_sha256(own.key_pair->certificate()))) continue;
      const auto& sha256 = own.key_pair->certificate()->sha256;
      log().warning("certificate.takenOutOfUse", {{"tenant", own.tenant}, {"certificate", sha256}});
      for (auto& [name, listener] : listeners) listener->end_connections_of(sha256);
    }
    client->close_idle();
  }

  http::Awaitable<> watch_configuration() {
    while (!stopped) {
      co_await configuration_changed.wait(configuration_poll);
      const auto former = configuration->current();
      const auto changed = co_await configuration->refresh();
      if (!changed) {
        log().warning("configuration.notRead", {{"code", changed.error().code}, {"detail", changed.error().detail}});
        continue;
      }
      if (!*changed) {
        co_await renew_when_due();
        continue;
      }
      const auto current = configuration->current();
      log().info("configuration.loaded", {{"version", current->version}, {"contracts", current->contracts->all().size()}});
      const bool other_tenants = current->tenants != former->tenants;
      const bool other_keys = current->compromised_keys != former->compromised_keys;
      // Named: g++ 12 destroys a lambda that owns something twice when it is made inside a co_await.
      std::function<void()> take_over = [this, other_tenants, other_keys, current] {
        const auto before = current_identities();
        if (other_tenants || other_keys) renew_identities();
        if (other_keys) end_connections_of(current->compromised_keys, *before);
        crl_refresh->restore();
      };
      co_await run_blocking(blocking.executor(), std::move(take_over));
    }
  }

  // A certificate whose time has come is shown to new handshakes, and its predecessor no longer (security.md 3.5).
  http::Awaitable<> renew_when_due() {
    const auto now = clock().now();
    if (now < renewal_due.load()) co_return;
    renewal_due = now + renewal_retry;
    std::function<void()> renew = [this] { renew_identities(); };
    co_await run_blocking(blocking.executor(), std::move(renew));
  }

  http::Awaitable<> watch_own_certificates() {
    while (!stopped) {
      co_await run_blocking(fetching.executor(), [this] { own_certificates->look(*current_identities()); });
      co_await identities_changed.wait(OwnCertificates::judged_every);
    }
  }

  // Beside the writer, and never at a scrape: how often somebody asks costs the database nothing.
  http::Awaitable<> observe_all() {
    while (!stopped) {
      const auto observed = co_await observe(database->quiet(), clock().now(), settings.cluster.lease);
      if (observed)
        show(environment.metrics, *observed);
      else
        log().warning("metrics.notRead", {{"code", observed.error().code}, {"detail", observed.error().detail}});
      show_expiry(environment.metrics, *current_identities(), *configuration->current()->contracts, clock().now());
      co_await http::sleep(observe_interval);
    }
  }

  http::Awaitable<> watch_clock() {
    while (!stopped) {
      std::optional<std::chrono::system_clock::time_point> theirs;
      if (database->is_postgres()) {
        const auto asked = co_await exchange::read(database->quiet(), [&](sql::Transaction& transaction) -> Result<> {
          SCHAKEL_TRY(const auto rows, transaction.query("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"));
          theirs = rows.at(0).instant(0);
          return {};
        });
        if (!asked) theirs.reset();
      }
      if (clock_watch.observe(clock().now(), std::chrono::steady_clock::now(), theirs)) log().error("clock.jumpedBack");
      environment.metrics.gauge("clock_offset_seconds", "Offset of this host's clock to the database's").set(clock_watch.offset_seconds());
      co_await http::sleep(clock_poll);
    }
  }

  // Trail and audit get their places in the chain (docs/decisions/0002-trail-sealing.md, 0005).
  http::Awaitable<> seal() {
    while (!stopped) {
      std::int64_t sealed = 0;
      const auto done = co_await exchange::commit(database->quiet(), [&](sql::Transaction& transaction) -> Result<> {
        SCHAKEL_TRY(const auto events, exchange::seal_trail(transaction, seal_batch));
        SCHAKEL_TRY(const auto records, exchange::seal_audit(transaction, seal_batch));
        sealed = std::max(events, records);
        return {};
      });
      if (!done) log().warning("trail.notSealed", {{"code", done.error().code}, {"detail", done.error().detail}});
      if (!done || sealed < seal_batch) co_await http::sleep(seal_interval);
    }
  }

  // --- stop ------------------------------------------------------------------------------------------------------------------------------

  void drain() {
    draining = true;
    log().info("node.draining", {{"waitMs", settings.node.drain_wait.count() / 1000}});
    std::this_thread::sleep_for(settings.node.drain_wait);
    work->stop();
    for (auto& [name, listener] : listeners)
      if (name != "ops") listener->stop_accepting();
    const auto give_up_at = std::chrono::steady_clock::now() + settings.node.drain_timeout;
    while (std::chrono::steady_clock::now() < give_up_at && (requests_in_flight() > 0 || !work->idle()))
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }

  std::size_t requests_in_flight() const {
    std::size_t count = 0;
    for (const auto& [name, listener] : listeners)
      if (name != "ops") count += listener->requests_in_flight();
    return count;
  }

  void stop() {
    if (stopped.exchange(true)) return;
    if (work) work->stop();
    for (auto& [name, listener] : listeners) listener->close();
    if (lease)
      if (const auto released = lease->release(); !released) log().warning("node.leaseNotReleased", {{"code", released.error().code}});
    // No coroutine runs after this; what the database still completes is posted to contexts that stand still.
    io.stop();
    blocking.stop();
    fetching.stop();
    if (database) database->stop();
    log().info("node.stopped");
  }

  static std::chrono::milliseconds milliseconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
  }
};

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Node::~Node() {
  parts_->stop();
}

Result<std::unique_ptr<Node>> Node::start(config::Checked checked, Environment environment) {
  auto node = std::unique_ptr<Node>(new Node(std::make_unique<Parts>(std::move(checked), environment)));
  SCHAKEL_CHECK(node->parts_->start());
  return node;
}

Result<> Node::reload(config::Settings settings) {
  auto& parts = *parts_;
  if (settings.database.url != parts.settings.database.url || settings.node.name != parts.settings.node.name)
    parts.log().warning("node.restartNeeded", {{"detail", "node.name and database.url change at a restart only"}});
  parts.log().set_level(log_level_from(settings.log.level));
  parts.renew_identities();
  parts.log().info("node.reloaded", {{"logLevel", settings.log.level}});
  return {};
}

void Node::drain() {
  parts_->drain();
}

unsigned short Node::port(std::string_view listener) const {
  const auto found = parts_->listeners.find(listener);
  return found == parts_->listeners.end() ? static_cast<unsigned short>(0) : found->second->port();
}

}  // namespace schakel::server
