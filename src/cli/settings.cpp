#include "cli/settings.hpp"

namespace schakel::cli {

Outcome<config::Settings> settings_from(const Shell& shell, const ConfigFile& file) {
  auto checked = config::check_file(file.config, shell.environment);
  if (checked.faults.empty()) return std::move(checked.settings);
  Failure failure(Exit::usage, "config.invalid", file.config + " has faults");
  for (const auto& fault : checked.faults) failure.particulars.push_back(fault.location + ": " + fault.detail);
  return failure;
}

}  // namespace schakel::cli
