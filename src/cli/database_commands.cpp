// db migrate|status|verify, audit verify, tenant create: what works on the configuration and the database itself.
#include <array>

#include "cli/nouns.hpp"
#include "cli/settings.hpp"
#include "exchange/store.hpp"
#include "server/serve.hpp"
#include "server/setup.hpp"

namespace schakel::cli {
namespace {

struct DatabaseTask : Output, ConfigFile {};

// A database with what it needs.
struct Opened {
  std::unique_ptr<Metrics> metrics = std::make_unique<Metrics>();
  std::unique_ptr<sql::Database> database;
};

Outcome<Opened> open_database(const Shell& shell, const ConfigFile& file) {
  SCHAKEL_TRY(const auto settings, settings_from(shell, file));
  Opened opened;
  SCHAKEL_TRY(opened.database, sql::open({.url = settings.database.url, .pool_size = 2}, silent_log(), *opened.metrics));
  return opened;
}

// --- db ------------------------------------------------------------------------------------------------------------------------

constexpr std::array schema_columns = {Column{"schema", "current"}, Column{"newest", "newest"}, Column{"state", "state"}};

Json as_json(const sql::SchemaState& state) {
  const auto* word = state.current == 0             ? "empty"
                     : state.current < state.newest ? "older"
                     : state.current > state.newest ? "newer"
                                                    : "up to date";
  return {{"current", state.current}, {"newest", state.newest}, {"state", word}};
}

Outcome<> migrate(Shell& shell, const DatabaseTask& options) {
  SCHAKEL_TRY(const auto opened, open_database(shell, options));
  SCHAKEL_TRY(const auto state, sql::migrate(*opened.database, exchange::migrations()));
  print_record(shell.out, options.format, as_json(state), schema_columns);
  return Exit::ok;
}

Outcome<> status(Shell& shell, const DatabaseTask& options) {
  SCHAKEL_TRY(const auto opened, open_database(shell, options));
  SCHAKEL_TRY(const auto state, sql::schema_state(*opened.database, exchange::migrations()));
  print_record(shell.out, options.format, as_json(state), schema_columns);
  if (state.current == state.newest) return Exit::ok;
  return Failure(Exit::findings, "", state.current > state.newest ? "the database is of a newer release" : "the database is not up to date",
                 state.current > state.newest ? "use the newer program"
                                              : "`schakel db migrate` brings it up to date; `schakel serve` does so at its start");
}

// --- verify ------------------------------------------------------------------------------------------------------------------------

constexpr std::array verify_columns = {Column{"CHECK", "check"}, Column{"TENANT", "tenant"}, Column{"RECORDS", "records", Align::right},
                                       Column{"VERDICT", "verdict"}};

Json chain_verdict(const char* check, const std::string& tenant, const exchange::ChainVerdict& verdict) {
  return {{"check", check},
          {"tenant", tenant.empty() ? "(installation)" : tenant},
          {"records", verdict.events},
          {"verdict", verdict.first_break ? "broken at " + std::to_string(*verdict.first_break) : "ok"},
          {"ok", !verdict.first_break}};
}

// ADP-502, SEC-104: the chains of trail and audit log, each tenant's.
Outcome<Json> verified_chains(sql::Database& database) {
  Json verdicts = Json::array();
  SCHAKEL_CHECK(database.read([&](sql::Transaction& tx) -> Result<> {
    verdicts = Json::array();
    SCHAKEL_TRY(const auto tenants, server::load_tenants(tx));
    for (const auto& tenant : tenants) {
      SCHAKEL_TRY(const auto trail, exchange::verify_trail(tx, tenant.slug));
      SCHAKEL_TRY(const auto audit, exchange::verify_audit(tx, tenant.slug));
      verdicts.push_back(chain_verdict("trail", tenant.slug, trail));
      verdicts.push_back(chain_verdict("audit log", tenant.slug, audit));
    }
    SCHAKEL_TRY(const auto audit, exchange::verify_audit(tx, ""));
    verdicts.push_back(chain_verdict("audit log", "", audit));
    return {};
  }));
  return verdicts;
}

Outcome<Json> verified_storage(sql::Database& database) {
  Json verdict = {{"check", "storage"}, {"tenant", "(installation)"}, {"verdict", "ok"}, {"ok", true}};
  if (database.is_postgres()) return verdict;  // its pages are checked by the server (data_checksums, amcheck)
  SCHAKEL_CHECK(database.read([&](sql::Transaction& tx) -> Result<> {
    SCHAKEL_TRY(const auto rows, tx.query("PRAGMA integrity_check(1)"));
    if (!rows.empty() && rows[0].text(0) != "ok") {
      verdict["verdict"] = rows[0].text(0);
      verdict["ok"] = false;
    }
    return {};
  }));
  return verdict;
}

Outcome<> report(Shell& shell, Format format, const Json& verdicts) {
  print_list(shell.out, format, verdicts, verify_columns);
  for (const auto& verdict : verdicts)
    if (!verdict.value("ok", false))
      return Failure(Exit::findings, "", "a check failed: " + text_at(verdict, "check") + " of " + text_at(verdict, "tenant"),
                     "keep the database as it is, and compare it with the last backup");
  return Exit::ok;
}

Outcome<> verify(Shell& shell, const DatabaseTask& options) {
  SCHAKEL_TRY(const auto opened, open_database(shell, options));
  SCHAKEL_TRY(auto verdicts, verified_chains(*opened.database));
  SCHAKEL_TRY(auto storage, verified_storage(*opened.database));
  verdicts.push_back(std::move(storage));
  return report(shell, options.format, verdicts);
}

Outcome<> verify_audit(Shell& shell, const DatabaseTask& options) {
  SCHAKEL_TRY(const auto opened, open_database(shell, options));
  SCHAKEL_TRY(const auto verdicts, verified_chains(*opened.database));
  return report(shell, options.format, verdicts);
}

// --- tenant create ---------------------------------------------------------------------------------------------------------------

struct TenantOptions : Output, ConfigFile {
  server::Tenant tenant;
  std::vector<std::string> certificates, keys, purposes, passphrases, active_from;
  std::string first_key_file;
};

void declare_tenant(CLI::App& command, TenantOptions& options) {
  auto& tenant = options.tenant;
  command.add_option("--slug", tenant.slug, "short name: lower-case letters, digits and hyphens")->required()->option_text("NAME");
  command.add_option("--name", tenant.name, "name of the organisation")->required()->option_text("TEXT");
  command.add_option("--environment", tenant.environment, "test or production (default test); never changes afterwards")
      ->option_text("NAME");
  command.add_option("--oin", tenant.oins, "its OIN; may be repeated")->required()->delimiter(',')->option_text("OIN");
  command.add_option("--host", tenant.hosts, "TLS server name that is this tenant's; may be repeated")->delimiter(',')->option_text("NAME");
  command
      .add_option("--certificate", options.certificates,
                  "own certificate with its chain, PEM, below pki.keys; may be repeated; \"\": it is with the key")
      ->option_text("FILE")
      ->group("Certificates");
  command.add_option("--key", options.keys, "the private key of each --certificate, in the same order: a file, or a pkcs11: URI")
      ->option_text("FILE")
      ->group("Certificates");
  command
      .add_option("--purpose", options.purposes,
                  "purposes of each, for instance tls-server,tls-client or signing (default tls-server,tls-client)")
      ->option_text("LIST")
      ->group("Certificates");
  command.add_option("--passphrase", options.passphrases, "where the passphrase of each key is, or its token's PIN: file:PATH or env:NAME")
      ->option_text("REF")
      ->group("Certificates");
  command
      .add_option("--active-from", options.active_from, "when each takes over from the ones before it, RFC 3339; \"\": from the beginning")
      ->option_text("TIME")
      ->group("Certificates");
  command.add_option("--first-key-file", options.first_key_file, "write the first API key to this new file, readable by this user only")
      ->option_text("FILE");
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

Outcome<std::vector<server::OwnCertificate>> certificates_of(const TenantOptions& options) {
  if (options.keys.size() != options.certificates.size()) return wrong_usage("give one --key for each --certificate");
  for (const auto& [name, given] :
       {std::pair{"--purpose", &options.purposes}, {"--passphrase", &options.passphrases}, {"--active-from", &options.active_from}})
    if (!given->empty() && given->size() != options.certificates.size())
      return wrong_usage("give " + std::string(name) + " for every --certificate or for none");
  std::vector<server::OwnCertificate> all;
  for (std::size_t i = 0; i < options.certificates.size(); ++i) {
    auto& certificate = all.emplace_back();
    certificate.certificates = options.certificates[i];
    certificate.key = options.keys[i];
    if (!options.purposes.empty()) certificate.purposes = split(options.purposes[i], ',');
    if (!options.passphrases.empty()) certificate.passphrase.reference = options.passphrases[i];
    if (options.active_from.empty() || options.active_from[i].empty()) continue;
    const auto from = parse_datetime(options.active_from[i]);
    if (!from) return wrong_usage("--active-from is a date and time as 2027-01-15T06:00:00+01:00");
    certificate.active_from = from->instant;
  }
  return all;
}

Outcome<> create_tenant(Shell& shell, const TenantOptions& options) {
  static constexpr std::array columns = {Column{"tenant", "tenant"}, Column{"result", "result"}, Column{"environment", "environment"},
                                         Column{"OINs", "oins"}, Column{"API key", "apiKeyFile"}};
  auto tenant = options.tenant;
  SCHAKEL_TRY(tenant.certificates, certificates_of(options));
  Failure faults(Exit::usage, "request.invalid", "the tenant cannot be like this");
  for (const auto& fault : server::check(tenant)) faults.particulars.push_back(fault.location + ": " + fault.detail);
  if (!faults.particulars.empty()) return faults;
  SCHAKEL_TRY(const auto settings, settings_from(shell, options));
  Metrics metrics;
  SCHAKEL_TRY(const auto database, server::open_for_setup(settings, silent_log(), metrics));
  SCHAKEL_TRY(const auto done, server::set_up_tenant(*database, tenant, options.first_key_file, shell.random, shell.clock.now()));
  static constexpr std::array words = {"created", "changed", "unchanged"};
  Json result = {{"tenant", tenant.slug},
                 {"result", words.at(static_cast<std::size_t>(done.tenant))},
                 {"environment", tenant.environment},
                 {"oins", tenant.oins}};
  if (done.key_made) result["apiKeyFile"] = options.first_key_file;
  print_record(shell.out, options.format, result, columns);
  if (!options.first_key_file.empty() && !done.key_made)
    shell.err << "schakel: the tenant has API keys already; `schakel api-key create` makes another one\n";
  return Exit::ok;
}

// --- serve -----------------------------------------------------------------------------------------------------------------------

struct ServeOptions : ConfigFile {};

Outcome<> serve(Shell& shell, const ServeOptions& options) {
  SCHAKEL_TRY(auto settings, settings_from(shell, options));
  SCHAKEL_CHECK(server::serve(options.config, std::move(settings)));
  return Exit::ok;
}

}  // namespace

void add_database_commands(Commands& commands, CLI::App& audit) {
  commands.verb<ServeOptions>(commands.root, "serve", "Run a node until SIGTERM; SIGHUP reads the configuration again",
                              "schakel serve --config /etc/schakel/schakel.toml", nullptr, serve);
  auto& db = commands.noun("db", "The database of a node");
  commands.verb<DatabaseTask>(db, "migrate", "Make the tables, or bring them up to date", "schakel db migrate --config schakel.toml",
                              nullptr, migrate);
  commands.verb<DatabaseTask>(db, "status", "Show which schema the database has (exit code 5 when it is not this program's)",
                              "schakel db status", nullptr, status);
  commands.verb<DatabaseTask>(db, "verify", "Check storage, and the hash chains of trails and audit logs (exit code 5 when one is broken)",
                              "schakel db verify", nullptr, verify);
  commands.verb<DatabaseTask>(audit, "verify", "Check the hash chains of trails and audit logs; names the first break (exit code 5)",
                              "schakel audit verify --config schakel.toml", nullptr, verify_audit);
  auto& tenant = commands.noun("tenant", "Organisations that this installation works for");
  commands.verb<TenantOptions>(tenant, "create",
                               "Write a tenant into the database, beside a running node or without one, and make its first API key",
                               "schakel tenant create --slug voorbeeldstad --name \"Gemeente Voorbeeldstad\" --oin 00000099000000010000 "
                               "--first-key-file voorbeeldstad.key",
                               declare_tenant, create_tenant);
}

}  // namespace schakel::cli
