#include "cli/completion.hpp"

namespace schakel::cli {
namespace {

std::string words_of(const CLI::App& command) {
  std::string words;
  const auto add = [&words](const std::string& word) { words += (words.empty() ? "" : " ") + word; };
  for (const auto* child : command.get_subcommands(nullptr)) add(child->get_name());
  for (const auto* option : command.get_options())
    for (const auto& name : option->get_lnames()) add("--" + name);
  return words;
}

void add_cases(const CLI::App& command, const std::string& path, std::string& script) {
  script += "    \"" + path + "\") words=\"" + words_of(command) + "\" ;;\n";
  for (const auto* child : command.get_subcommands(nullptr)) add_cases(*child, path + " " + child->get_name(), script);
}

}  // namespace

std::string bash_completion(const CLI::App& root) {
  std::string script =
      "# bash completion for schakel; load it with: source <(schakel completion bash)\n"
      "_schakel() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} path=schakel words= i\n"
      "  for ((i = 1; i < COMP_CWORD && i < 3; i++)); do\n"
      "    [[ ${COMP_WORDS[i]} == -* ]] && break\n"
      "    path+=\" ${COMP_WORDS[i]}\"\n"
      "  done\n"
      "  case $path in\n";
  add_cases(root, "schakel", script);
  script +=
      "  esac\n"
      "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
      "}\n"
      "complete -o bashdefault -o default -F _schakel schakel\n";
  return script;
}

}  // namespace schakel::cli
