#include "cli/program.hpp"

#include <algorithm>
#include <exception>
#include <sstream>

#include "cli/nouns.hpp"

namespace schakel::cli {
namespace {

void add_all(Commands& commands) {
  auto& audit = commands.noun("audit", "The audit log");
  add_database_commands(commands, audit);
  add_version_commands(commands);
  add_config_commands(commands);
  add_message_commands(commands);
  add_contract_commands(commands);
  add_operation_commands(commands, audit);
  add_route_commands(commands);
  add_wus_commands(commands);
  add_pki_commands(commands);
  add_apply_command(commands);
}

bool looks_secret(std::string_view argument) {
  return argument.find("sk_live_") != std::string_view::npos || argument.find("sk_test_") != std::string_view::npos ||
         argument.find("whsec_") != std::string_view::npos || argument.find("PRIVATE KEY") != std::string_view::npos;
}

// Options that other programs have for secrets.
bool asks_for_secret(std::string_view option) {
  static constexpr std::string_view names[] = {"--api-key", "--apikey",     "--key", "--token",  "--password",
                                               "--pass",    "--passphrase", "--pin", "--secret", "--p12-pass"};
  return std::find(std::begin(names), std::end(names), option) != std::end(names);
}

// Values are never repeated: they may be secrets.
Failure unexpected(const std::vector<std::string>& extras) {
  for (const auto& argument : extras) {
    const auto option = argument.substr(0, argument.find('='));
    if (asks_for_secret(option))
      return wrong_usage(option + " does not exist: a secret on the command line is seen by every user of this machine",
                         "set SCHAKEL_API_KEY or give --api-key-file FILE; other secrets are given as files too");
  }
  std::string names;
  for (const auto& argument : extras) {
    if (!names.empty() && !argument.starts_with('-')) continue;
    names += (names.empty() ? "" : ", ") + (looks_secret(argument) ? std::string("***") : argument.substr(0, argument.find('=')));
  }
  return wrong_usage("not expected here: " + names, "the command with --help shows what it takes");
}

std::string without_secrets(std::string text, const std::vector<std::string>& arguments) {
  for (const auto& argument : arguments)
    if (looks_secret(argument))
      for (auto at = text.find(argument); at != std::string::npos; at = text.find(argument)) text.replace(at, argument.size(), "***");
  return text;
}

int report(Shell& shell, const Failure& failure) {
  shell.err << describe(failure);
  return static_cast<int>(failure.exit);
}

int parse_error(Shell& shell, const CLI::App& root, const CLI::ParseError& error, const std::vector<std::string>& arguments) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {  // --help
    std::ostringstream ignored;
    return root.exit(error, shell.out, ignored);
  }
  // An unknown word is the cause, also where CLI11 first misses a command.
  if (const auto extras = root.remaining(true); !extras.empty()) return report(shell, unexpected(extras));
  return report(shell,
                wrong_usage(without_secrets(error.what(), arguments), "the command with --help shows what it takes, with an example"));
}

Outcome<> run_chosen(const Commands& commands, Shell& shell) {
  try {
    return commands.chosen(shell);
  } catch (const Json::exception&) {
    // Commands read members of the node's answers as the API promises them; a wrong form is the one thing that they leave to this place.
    return Failure(Exit::failure, "transport.invalid", "the node's answer has another form than this program expects",
                   "check that --url is a Schakel node of the same release (`schakel version`)");
  }
}

}  // namespace

int run(const std::vector<std::string>& arguments, Shell& shell) {
  CLI::App root("Schakel: Digikoppeling in one program. `schakel serve` runs a node; the other commands operate it.", "schakel");
  root.require_subcommand(1);
  root.footer("Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 not allowed, 5 findings");
  Commands commands{root, {}};
  add_all(commands);
  try {
    if (arguments.empty()) {
      shell.err << root.help();
      return static_cast<int>(Exit::usage);
    }
    root.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them in reverse
  } catch (const CLI::ParseError& error) {
    return parse_error(shell, root, error, arguments);
  }
  const auto outcome = run_chosen(commands, shell);
  shell.out.flush();
  if (outcome && !shell.out) return report(shell, Failure(Exit::failure, "file.unwritable", "standard output cannot be written"));
  return outcome ? static_cast<int>(*outcome) : report(shell, outcome.error());
}

}  // namespace schakel::cli
