// `schakel serve`: one node in this process, until it is told to stop.
#pragma once

#include <string>

#include "base/config.hpp"
#include "base/result.hpp"

namespace schakel::server {

// Starts a node with the checked settings of the file `config_path`, and handles the signals of an operator: SIGTERM and SIGINT drain it
// (adapter.md 3.11.6), a second one ends it at once; SIGHUP reads `config_path` again (a faulty file changes nothing and is logged).
// Returns after the drain. To be called from the main thread before others exist: every thread inherits its signal mask.
Result<> serve(const std::string& config_path, config::Settings);

}  // namespace schakel::server
