// The program: arguments in, exit code out.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/shell.hpp"

namespace schakel::cli {

// `arguments` without the program's name. Help goes to `shell.out`; a Failure is printed on `shell.err`. Never throws for what a user can
// do wrong. Secrets are taken from files and variables only: an argument that looks like one is refused and not repeated (SEC-071).
int run(const std::vector<std::string>& arguments, Shell& shell);

}  // namespace schakel::cli
