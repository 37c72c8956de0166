// route: the routing table (adapter.md 3.4).
#include <array>

#include "base/limits.hpp"
#include "cli/nouns.hpp"

namespace schakel::cli {
namespace {

constexpr std::size_t versions_max = 1000;

constexpr std::array route_columns = {Column{"ID", "id"},
                                      Column{"PRIORITY", "priority", Align::right},
                                      Column{"DIRECTION", "direction"},
                                      Column{"TO", "match.toOin"},
                                      Column{"FROM", "match.fromOin"},
                                      Column{"CONTRACT", "match.contractId"},
                                      Column{"SERVICE", "match.service"},
                                      Column{"ACTION", "match.action"},
                                      Column{"MODE", "mode"},
                                      Column{"TARGET", "target.kind"},
                                      Column{"URL", "target.url"},
                                      Column{"OIN", "target.oin"},
                                      Column{"VALID FROM", "validFrom"},
                                      Column{"VALID TO", "validTo"}};
constexpr std::array version_columns = {Column{"VERSION", "version", Align::right}, Column{"CHANGED", "changedAt"}, Column{"BY", "actor"},
                                        Column{"ROWS", "rows", Align::right}};
constexpr std::array evaluation_columns = {Column{"row", "route.id"},
                                           Column{"target", "route.target.kind"},
                                           Column{"next hop", "nextHop.url"},
                                           Column{"server OIN", "nextHop.serverOin"},
                                           Column{"through", "nextHop.through"},
                                           Column{"problem", "problem.code"},
                                           Column{"why", "problem.detail"},
                                           Column{"table version", "version"}};
constexpr std::array rejected_columns = {Column{"ROW", "id"}, Column{"NOT CHOSEN FOR", "reason"}};

struct ListOptions : Online {
  bool versions = false;
  std::int64_t version = 0;
};
void declare_list(CLI::App& command, ListOptions& options) {
  command.add_flag("--versions", options.versions, "the versions that are kept instead");
  command.add_option("--version", options.version, "the rows of an earlier version")->check(CLI::PositiveNumber)->option_text("NUMBER");
}
Outcome<> list_routes(Shell& shell, Api& api, const ListOptions& options) {
  if (options.versions) {
    SCHAKEL_TRY(const auto versions, get_list(api, "/routes/versions", versions_max));
    print_list(shell.out, options.format, versions, version_columns, "no versions");
    return Exit::ok;
  }
  SCHAKEL_TRY(const auto table, get(api, options.version > 0 ? "/routes/versions/" + std::to_string(options.version) : "/routes"));
  print_list(shell.out, options.format, table.at("routes"), route_columns, "no routes");
  return Exit::ok;
}

void say_version(Shell& shell, const Online& options, const Json& table) {
  if (options.format == Format::table)
    shell.out << "version " << text_at(table, "version") << " with " << table.at("routes").size() << " rows is in force\n";
  else
    print_list(shell.out, options.format, table.at("routes"), route_columns);
}

struct SetOptions : Online {
  std::string file;
};
void declare_set(CLI::App& command, SetOptions& options) {
  command.add_option("FILE", options.file, "the whole table as JSON, as `route list --json` prints it; - is standard input")->required();
}
Outcome<> set_routes(Shell& shell, Api& api, const SetOptions& options) {
  SCHAKEL_TRY(const auto text, read_file(shell, options.file, limits::json_bytes_max));
  auto table = Json::parse(text, nullptr, false);
  if (table.is_array()) table = Json{{"routes", std::move(table)}};
  if (!table.is_object() || !table.contains("routes")) return wrong_usage(options.file + " holds no JSON list of routes");
  SCHAKEL_TRY(const auto stored, change(api, "PUT", "/routes", "", Json{{"routes", table["routes"]}}));
  say_version(shell, options, stored);
  return Exit::ok;
}

struct EvaluateOptions : Online {
  std::string direction = "outbound";
  std::vector<std::pair<const char*, std::string>> question{{"toOin", {}},   {"fromOin", {}}, {"contractId", {}}, {"cpaId", {}},
                                                            {"service", {}}, {"action", {}},  {"path", {}},       {"at", {}}};
};
void declare_evaluate(CLI::App& command, EvaluateOptions& options) {
  static constexpr std::array names = {"--to", "--from", "--contract", "--cpa", "--service", "--action", "--path", "--at"};
  command.add_option("--direction", options.direction, "inbound or outbound (default outbound)")->option_text("NAME");
  for (std::size_t i = 0; i < names.size(); ++i)
    command.add_option(names[i], options.question[i].second, i + 1 == names.size() ? "moment, RFC 3339 (default now)" : "of the message")
        ->option_text("TEXT");
}
Outcome<> evaluate(Shell& shell, Api& api, const EvaluateOptions& options) {
  Json question{{"direction", options.direction}};
  for (const auto& [name, value] : options.question)
    if (!value.empty()) question[name] = value;
  SCHAKEL_TRY(const auto verdict, post(api, "/routes/_evaluate", question));
  if (options.format == Format::json) {
    print_record(shell.out, options.format, verdict, evaluation_columns);
    return Exit::ok;
  }
  const bool none = !verdict.contains("route") || verdict.at("route").is_null();
  if (none && options.format == Format::table)
    shell.out << "no row fits\n";
  else
    print_record(shell.out, options.format, verdict, evaluation_columns);
  if (options.format == Format::table) print_list(shell.out, options.format, verdict.at("others"), rejected_columns, "no other rows");
  return none ? Exit::not_found : Exit::ok;
}

struct RollbackOptions : Online {
  std::int64_t version = 0;
};
void declare_rollback(CLI::App& command, RollbackOptions& options) {
  command.add_option("VERSION", options.version, "of `route list --versions`")->required()->check(CLI::PositiveNumber);
}
Outcome<> roll_back(Shell& shell, Api& api, const RollbackOptions& options) {
  SCHAKEL_TRY(const auto table, change(api, "POST", "/routes", "/_rollback", Json{{"version", options.version}}));
  say_version(shell, options, table);
  return Exit::ok;
}

}  // namespace

void add_route_commands(Commands& commands) {
  auto& route = commands.noun("route", "The routing table: intermediaries, and messages of others that we pass on");
  commands.verb<ListOptions>(route, "list", "List the rows in force, or the versions that are kept", "schakel route list --versions",
                             declare_list, list_routes);
  commands.verb<SetOptions>(route, "set", "Replace the whole table; it holds for new messages on every node within 5 seconds",
                            "schakel route set routes.json", declare_set, set_routes);
  commands.verb<EvaluateOptions>(route, "evaluate", "Explain which row a message would take, and why not the others",
                                 "schakel route evaluate --to 00000099000000300000 --service Terugmelding", declare_evaluate, evaluate);
  commands.verb<RollbackOptions>(route, "rollback", "Put an earlier version in force again, as a new version", "schakel route rollback 3",
                                 declare_rollback, roll_back);
}

}  // namespace schakel::cli
