// version, completion.
#include <array>

#include "cli/completion.hpp"
#include "cli/nouns.hpp"

namespace schakel::cli {
namespace {

struct VersionOptions : Output {};

Outcome<> version(Shell& shell, const VersionOptions& options) {
  static constexpr std::array columns = {Column{"schakel", "version"}, Column{"api", "apiVersion"}, Column{"compiler", "compiler"}};
  const Json facts = {{"version", SCHAKEL_VERSION}, {"apiVersion", "1.0.0"}, {"compiler", __VERSION__}};
  print_record(shell.out, options.format, facts, columns);
  return Exit::ok;
}

struct CompletionOptions {};

}  // namespace

void add_version_commands(Commands& commands) {
  commands.verb<VersionOptions>(commands.root, "version", "Print the version of this program", "schakel version --json", nullptr, version);

  auto& completion = commands.noun("completion", "Completion of commands and options for a shell");
  commands.verb<CompletionOptions>(completion, "bash", "Print the completion script for bash", "source <(schakel completion bash)", nullptr,
                                   [&root = commands.root](Shell& shell, const CompletionOptions&) -> Outcome<> {
                                     shell.out << bash_completion(root);
                                     return Exit::ok;
                                   });
}

}  // namespace schakel::cli
