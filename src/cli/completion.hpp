// A completion script for bash, made from the tree of commands. Pure.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace schakel::cli {

std::string bash_completion(const CLI::App& root);

}  // namespace schakel::cli
