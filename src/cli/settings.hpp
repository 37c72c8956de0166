// The configuration of a node, for commands that work beside it.
#pragma once

#include "base/config.hpp"
#include "cli/command.hpp"

namespace schakel::cli {

// Checked settings; a Failure with every fault.
Outcome<config::Settings> settings_from(const Shell&, const ConfigFile&);

}  // namespace schakel::cli
