// How commands are declared: an Options struct, a function that declares its arguments, and a function that runs.
//
// What an Options struct derives from decides which common arguments the command has: `Output` gives --output and --json, `Connection`
// gives --url and --api-key-file, `ConfigFile` gives --config. A command whose function takes an Api& gets a client of the node.
#pragma once

#include <CLI/CLI.hpp>
#include <concepts>
#include <functional>
#include <memory>
#include <string>

#include "cli/failure.hpp"
#include "cli/output.hpp"
#include "cli/shell.hpp"

namespace schakel::cli {

struct Output {
  Format format = Format::table;
};
struct Connection {
  std::string url;
  std::string ca_file;
  std::string api_key_file;
};
struct ConfigFile {
  std::string config = "schakel.toml";
};
struct Online : Output, Connection {};

void declare_output(CLI::App&, Output&);
void declare_connection(CLI::App&, Connection&);
void declare_config(CLI::App&, ConfigFile&);

// The address and key from arguments, environment and file; a missing key is the node's to refuse. Errors: "usage", "file.unreadable",
// "SEC.SLEUTEL.RECHTEN" when others may read the key file (SEC-071).
Outcome<ApiAccess> access_from(const Shell&, const Connection&);

// The tree while it is built. `chosen` is what the parsed command line runs.
struct Commands {
  CLI::App& root;
  std::function<Outcome<>(Shell&)> chosen;

  // A noun: a group of verbs.
  CLI::App& noun(const std::string& name, const std::string& description);

  // A verb. `example` is a whole command line for the help text.
  template <class Options, class Run>
  CLI::App& verb(CLI::App& noun, const std::string& name, const std::string& description, const std::string& example,
                 void (*declare)(CLI::App&, Options&), Run run) {
    auto& command = add(noun, name, description, example);
    auto options = std::make_shared<Options>();
    if (declare != nullptr) declare(command, *options);
    if constexpr (std::derived_from<Options, Output>) declare_output(command, *options);
    if constexpr (std::derived_from<Options, Connection>) declare_connection(command, *options);
    if constexpr (std::derived_from<Options, ConfigFile>) declare_config(command, *options);
    command.callback([this, options, run] {
      chosen = [options, run](Shell& shell) -> Outcome<> {
        if constexpr (std::invocable<Run, Shell&, Api&, const Options&>) {
          SCHAKEL_TRY(auto access, access_from(shell, *options));
          SCHAKEL_TRY(auto api, shell.connect(access));
          return run(shell, *api, *options);
        } else {
          return run(shell, *options);
        }
      };
    });
    return command;
  }

 private:
  static CLI::App& add(CLI::App& noun, const std::string& name, const std::string& description, const std::string& example);
};

// --- files -----------------------------------------------------------------------------------------------------------------------
// Errors: "file.unreadable", "file.tooLarge". "-" is standard input.
Outcome<std::string> read_file(Shell&, const std::string& path, std::size_t bytes_max);
// Written beside the target and moved into place. "-" or "" is standard output. Errors: "file.exists" without `force`, "file.unwritable".
Outcome<> write_file(Shell&, const std::string& path, std::string_view octets, bool force, bool secret = false);

}  // namespace schakel::cli
