// apply -f DIR: tenants, contracts, mappings, mandates and webhooks as files; what is there already is left alone (adapter.md 2.12).
#include <array>
#include <filesystem>
#include <optional>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "cli/declaration.hpp"
#include "cli/nouns.hpp"
#include "cli/settings.hpp"
#include "exchange/store.hpp"
#include "server/setup.hpp"

namespace schakel::cli {
namespace {

struct ApplyOptions : Online {
  std::string folder;
  std::string config;  // only for tenants
  bool dry_run = false;
};

void declare(CLI::App& command, ApplyOptions& options) {
  command.add_option("-f,--folder", options.folder, "folder with *.toml and *.json documents, or one of them")
      ->required()
      ->option_text("PATH");
  command.add_flag("--dry-run", options.dry_run, "only show what would be done");
  command
      .add_option("--config", options.config, "configuration file of the node, for declared tenants: those are written into its database")
      ->option_text("FILE");
  command.footer(
      "Documents hold arrays named tenants, contracts, url-mappings, mandates and webhooks; their members are those of the API:\n"
      "  [[contracts]]\n"
      "  file = \"cpa.xml\"          # beside the document\n"
      "  activate = true\n"
      "  settings = { tls-offloaded = true }\n"
      "  [[webhooks]]\n"
      "  url = \"https://app.example/hook\"\n"
      "  types = [\"message.received\"]\n"
      "  secret-file = \"hook.secret\"  # a new webhook's secret goes there\n"
      "Example:\n  schakel apply -f deploy/voorbeeldstad --dry-run");
}

// The tenant as it is in the database now; nullopt: it is not there.
Outcome<std::optional<server::Tenant>> present_tenant(sql::Database& database, const std::string& slug) {
  std::optional<server::Tenant> found;
  SCHAKEL_CHECK(database.read([&](sql::Transaction& tx) -> Result<> {
    found.reset();
    SCHAKEL_TRY(auto tenants, server::load_tenants(tx));
    for (auto& tenant : tenants)
      if (tenant.slug == slug) found = std::move(tenant);
    return {};
  }));
  return found;
}

Outcome<Json> apply_tenant(Shell& shell, const ApplyOptions& options, const Declaration& declaration) {
  if (options.config.empty())
    return wrong_usage("declared tenants need --config FILE",
                       "they are written into the database of the node; `schakel tenant create` does the same for one");
  auto members = declaration.members;
  std::string key_file;
  if (members.contains("apiKeyFile")) key_file = (std::filesystem::path(declaration.folder) / text_at(members, "apiKeyFile")).string();
  members.erase("apiKeyFile");
  SCHAKEL_TRY(const auto tenant, server::tenant_from_json(members.dump()));
  SCHAKEL_TRY(const auto settings, settings_from(shell, {options.config}));
  Metrics metrics;
  static constexpr std::array words = {"created", "changed", "unchanged"};
  if (!options.dry_run) {
    SCHAKEL_TRY(const auto database, server::open_for_setup(settings, silent_log(), metrics));
    SCHAKEL_TRY(const auto done, server::set_up_tenant(*database, tenant, key_file, shell.random, shell.clock.now()));
    return step(words.at(static_cast<std::size_t>(done.tenant)), declaration, tenant.slug,
                done.key_made ? Json{{"apiKeyFile", true}} : Json::object());
  }
  SCHAKEL_TRY(const auto database, sql::open({.url = settings.database.url, .pool_size = 1}, silent_log(), metrics));
  SCHAKEL_TRY(const auto state, sql::schema_state(*database, exchange::migrations()));
  if (state.current == 0) return step("created", declaration, tenant.slug);
  SCHAKEL_TRY(const auto present, present_tenant(*database, tenant.slug));
  return step(!present ? "created" : *present == tenant ? "unchanged" : "changed", declaration, tenant.slug);
}

Outcome<> apply(Shell& shell, Api& api, const ApplyOptions& options) {
  static constexpr std::array columns = {Column{"DONE", "action"}, Column{"KIND", "kind"}, Column{"WHAT", "name"},
                                         Column{"CHANGES", "changes"}};
  SCHAKEL_TRY(const auto declarations, read_declarations(options.folder));
  Json done = Json::array();
  for (const auto& declaration : declarations) {
    auto done_now = declaration.kind == DeclaredKind::tenant ? apply_tenant(shell, options, declaration)
                                                             : apply_declaration(shell, api, declaration, options.dry_run);
    if (!done_now) {
      // What was done stays done; a second run goes on from there.
      if (!done.empty()) print_list(shell.out, options.format, done, columns);
      auto failure = done_now.error();
      failure.location = declaration.source + (failure.location.empty() ? "" : ": " + failure.location);
      return failure;
    }
    done.push_back(std::move(*done_now));
  }
  print_list(shell.out, options.format, done, columns, "nothing is declared");
  return Exit::ok;
}

}  // namespace

void add_apply_command(Commands& commands) {
  commands.verb<ApplyOptions>(commands.root, "apply",
                              "Bring tenants, contracts, mappings, mandates and webhooks in line with files; repeating it changes nothing",
                              "", declare, apply);
}

}  // namespace schakel::cli
