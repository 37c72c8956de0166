// The nouns of the command line (README section 11), each in a file of its own.
#pragma once

#include "cli/command.hpp"

namespace schakel::cli {

void add_version_commands(Commands&);  // version, completion
void add_config_commands(Commands&);   // config check|show

}  // namespace schakel::cli
