// config check|show: the configuration file without a node (ADP-806).
#include <array>

#include "base/config.hpp"
#include "cli/nouns.hpp"

namespace schakel::cli {
namespace {

struct ConfigOptions : Output, ConfigFile {};

config::Environment overrides(const Shell& shell) {
  return shell.environment;
}

Json faults_of(const config::Checked& checked) {
  Json faults = Json::array();
  for (const auto& fault : checked.faults) faults.push_back({{"location", fault.location}, {"code", fault.code}, {"detail", fault.detail}});
  return faults;
}

Outcome<> check(Shell& shell, const ConfigOptions& options) {
  static constexpr std::array columns = {Column{"WHERE", "location"}, Column{"FAULT", "detail"}};
  const auto checked = config::check_file(options.config, overrides(shell));
  if (options.format != Format::table || !checked.faults.empty())
    print_list(checked.faults.empty()            ? shell.out
               : options.format == Format::table ? shell.err
                                                 : shell.out,
               options.format, faults_of(checked), columns);
  else
    shell.out << options.config << ": no faults\n";
  return checked.faults.empty() ? Exit::ok : Exit::usage;
}

Outcome<> show(Shell& shell, const ConfigOptions& options) {
  static constexpr std::array columns = {Column{"KEY", "key"}, Column{"VALUE", "value"}, Column{"SOURCE", "source"}};
  const auto checked = config::check_file(options.config, overrides(shell));
  Json values = Json::array();
  for (const auto& effective : checked.effective)
    values.push_back({{"key", effective.key}, {"value", effective.value}, {"source", effective.source}});
  print_list(shell.out, options.format, values, columns);
  if (checked.faults.empty()) return Exit::ok;
  Failure failure(Exit::usage, "config.invalid", options.config + " has faults");
  for (const auto& fault : checked.faults) failure.particulars.push_back(fault.location + ": " + fault.detail);
  return failure;
}

}  // namespace

void add_config_commands(Commands& commands) {
  auto& noun = commands.noun("config", "The configuration file");
  commands.verb<ConfigOptions>(noun, "check", "Check the file and the SCHAKEL_… variables; names every fault with its line (exit code 2)",
                               "schakel config check --config /etc/schakel/schakel.toml", nullptr, check);
  commands.verb<ConfigOptions>(noun, "show", "Print every key with its value and where it comes from; secrets as references",
                               "schakel config show --output csv", nullptr, show);
}

}  // namespace schakel::cli
