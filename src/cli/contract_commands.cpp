// contract validate|diff (tools) and import|activate|suspend|retire|delete|list|show (the node's API; cpa.md 2.7, 3.1).
#include <array>

#include "base/limits.hpp"
#include "cli/contract_diff.hpp"
#include "cli/nouns.hpp"
#include "cli/service_upload.hpp"
#include "cpa/validate.hpp"

namespace schakel::cli {
namespace {

constexpr std::size_t list_items_max = 10'000;
constexpr std::array finding_columns = {Column{"CODE", "code"}, Column{"SEVERITY", "severity"}, Column{"WHERE", "path"},
                                        Column{"FINDING", "message"}};
constexpr std::array contract_columns = {Column{"ID", "id"},        Column{"KIND", "kind"},      Column{"CPA", "cpaId"},
                                         Column{"SERVICE", "name"}, Column{"STATE", "state"},    Column{"START", "startAt"},
                                         Column{"END", "endAt"},    Column{"PARTIES", "parties"}};
constexpr std::array contract_fields = {Column{"id", "id"},
                                        Column{"kind", "kind"},
                                        Column{"CPA id", "cpaId"},
                                        Column{"name", "name"},
                                        Column{"role", "role"},
                                        Column{"profiles", "profiles"},
                                        Column{"state", "state"},
                                        Column{"status", "status"},
                                        Column{"start", "startAt"},
                                        Column{"end", "endAt"},
                                        Column{"parties", "parties"},
                                        Column{"SHA-256", "digest"},
                                        Column{"settings", "settings"}};

// Parties by OIN, else by PartyId: the API gives objects.
Json with_readable_parties(Json contract) {
  if (!contract.contains("parties") || !contract["parties"].is_array()) return contract;
  Json names = Json::array();
  for (const auto& party : contract["parties"]) {
    const auto oin = text_at(party, "oin");
    names.push_back(oin.empty() ? text_at(party, "partyIds") : oin);
  }
  contract["parties"] = std::move(names);
  return contract;
}

// --- validate ------------------------------------------------------------------------------------------------------------------

struct ValidateOptions : Output {
  std::string file;
  std::string mode = "production";
  bool activating = false, tls_offloaded = false, message_order = false;
};

void declare_validate(CLI::App& command, ValidateOptions& options) {
  command.add_option("FILE", options.file, "the CPA; - is standard input")->required();
  command.add_option("--mode", options.mode, "production, test or compose: which severities count (default production)")
      ->option_text("NAME");
  command.add_flag("--activating", options.activating, "also what only matters when it becomes active");
  command.add_flag("--tls-offloaded", options.tls_offloaded, "TLS ends before the node");
  command.add_flag("--message-order", options.message_order, "guaranteed order is allowed here");
}

Outcome<cpa::Mode> mode_of(const std::string& name) {
  if (name == "production") return cpa::Mode::production;
  if (name == "test") return cpa::Mode::test;
  if (name == "compose") return cpa::Mode::compose;
  return wrong_usage("--mode is production, test or compose");
}

Json as_json(const cpa::Finding& finding) {
  return {{"code", finding.code}, {"severity", cpa::to_string(finding.severity)}, {"path", finding.path}, {"message", finding.message}};
}

Outcome<> validate(Shell& shell, const ValidateOptions& options) {
  SCHAKEL_TRY(const auto mode, mode_of(options.mode));
  // One octet more than allowed, so that the rule and not the reading judges the size.
  SCHAKEL_TRY(const auto document, read_file(shell, options.file, limits::cpa_bytes_max + 1));
  const auto verdict = cpa::validate(document, {.mode = mode,
                                                .now = shell.clock.now(),
                                                .activating = options.activating,
                                                .tls_offloaded = options.tls_offloaded,
                                                .message_order = options.message_order,
                                                .own = std::nullopt});
  Json findings = Json::array();
  for (const auto& finding : verdict.findings) findings.push_back(as_json(finding));
  print_list(shell.out, options.format, findings, finding_columns, "no findings");
  if (options.format == Format::table)
    shell.out << printable(options.file) << (verdict.refused() ? ": refused" : ": accepted") << " (" << options.mode << ")\n";
  return verdict.refused() ? Exit::findings : Exit::ok;
}

// --- the API ---------------------------------------------------------------------------------------------------------------------

// A contract's own id, a cpaid, or the name of a service.
Outcome<std::string> contract_path(Api& api, const std::string& text) {
  SCHAKEL_TRY(const auto found, get_list(api, Query().add("cpaId", text).on("/contracts"), 2));
  if (found.size() == 1) return "/contracts/" + percent_encoded(text_at(found[0], "id"));
  SCHAKEL_TRY(const auto services, get_list(api, Query().add("kind", "wsdl").on("/contracts"), list_items_max));
  for (const auto& service : services)
    if (text_at(service, "name") == text) return "/contracts/" + percent_encoded(text_at(service, "id"));
  return "/contracts/" + percent_encoded(text);
}

struct ListOptions : Online {
  std::string kind, cpa_id;
};
void declare_list(CLI::App& command, ListOptions& options) {
  command.add_option("--kind", options.kind, "cpa, wsdl, oas, gb or fsc")->option_text("NAME");
  command.add_option("--cpa", options.cpa_id, "CPA id")->option_text("TEXT");
}
Outcome<> list(Shell& shell, Api& api, const ListOptions& options) {
  SCHAKEL_TRY(auto contracts,
              get_list(api, Query().add("kind", options.kind).add("cpaId", options.cpa_id).on("/contracts"), list_items_max));
  if (options.format != Format::json)
    for (auto& contract : contracts) contract = with_readable_parties(std::move(contract));
  print_list(shell.out, options.format, contracts, contract_columns, "no contracts");
  return Exit::ok;
}

struct ShowOptions : Online {
  std::string id;
  bool document = false;
};
void declare_show(CLI::App& command, ShowOptions& options) {
  command.add_option("ID", options.id, "own id or CPA id")->required();
  command.add_flag("--document", options.document, "print the document itself, as it was loaded");
}
Outcome<> show(Shell& shell, Api& api, const ShowOptions& options) {
  SCHAKEL_TRY(const auto path, contract_path(api, options.id));
  if (options.document) {
    SCHAKEL_TRY(const auto document, call(api, {.path = path + "/document"}));
    shell.out << document.body;
    return Exit::ok;
  }
  SCHAKEL_TRY(auto contract, get(api, path));
  print_record(shell.out, options.format, options.format == Format::json ? contract : with_readable_parties(contract), contract_fields);
  return Exit::ok;
}

struct ImportOptions : Online {
  std::string file, settings, name;
  std::vector<std::string> documents;
  bool overwrite = false, activate = false;
};
void declare_import(CLI::App& command, ImportOptions& options) {
  command.add_option("FILE", options.file, "the CPA (- is standard input), or the WSDL with the binding")->required();
  command.add_option("DOCUMENT", options.documents, "further documents of a WSDL: what it imports and includes");
  command.add_option("--settings", options.settings, "settings of the service, JSON; makes this an import of a WSDL")->option_text("FILE");
  command.add_option("--name", options.name, "name of the service's contract (default: that of the WSDL)")->option_text("TEXT");
  command.add_flag("--overwrite", options.overwrite, "replace the contract that has the same CPA id or name");
  command.add_flag("--activate", options.activate, "make it active at once");
}
Outcome<> import(Shell& shell, Api& api, const ImportOptions& options) {
  const std::string path = options.overwrite ? "/contracts?overwrite=true" : "/contracts";
  ApiRequest request;
  if (options.settings.empty()) {
    if (!options.documents.empty()) return wrong_usage("further documents belong to a WSDL, which needs --settings");
    SCHAKEL_TRY(auto document, read_file(shell, options.file, limits::cpa_bytes_max));
    request = {.method = "POST", .path = path, .body = std::move(document), .content_type = "application/xml"};
  } else {
    std::vector<std::string> documents{options.file};
    documents.insert(documents.end(), options.documents.begin(), options.documents.end());
    SCHAKEL_TRY(request, service_upload(shell, path, options.name, documents, options.settings));
  }
  SCHAKEL_TRY(const auto response, call(api, request));
  SCHAKEL_TRY(auto contract, parse_body(response));
  if (options.activate && text_at(contract, "state") != "active") {
    SCHAKEL_TRY(contract, change(api, "POST", "/contracts/" + percent_encoded(text_at(contract, "id")), "/_activate", Json()));
  }
  print_record(shell.out, options.format, options.format == Format::json ? contract : with_readable_parties(contract), contract_fields);
  return Exit::ok;
}

struct OneOptions : Online {
  std::string id;
};
void declare_one(CLI::App& command, OneOptions& options) {
  command.add_option("ID", options.id, "own id or CPA id")->required();
}
Outcome<> transition(Shell& shell, Api& api, const OneOptions& options, const std::string& operation) {
  SCHAKEL_TRY(const auto path, contract_path(api, options.id));
  SCHAKEL_TRY(auto contract, change(api, "POST", path, operation, Json()));
  print_record(shell.out, options.format, options.format == Format::json ? contract : with_readable_parties(contract), contract_fields);
  return Exit::ok;
}
struct ActivateOptions : OneOptions {
  std::string valid_from;
};
void declare_activate(CLI::App& command, ActivateOptions& options) {
  declare_one(command, options);
  command.add_option("--valid-from", options.valid_from, "become active by itself at this moment, RFC 3339 (default now)")
      ->option_text("TIME");
}
Outcome<> activate(Shell& shell, Api& api, const ActivateOptions& options) {
  SCHAKEL_TRY(const auto path, contract_path(api, options.id));
  const auto body = options.valid_from.empty() ? Json() : Json{{"validFrom", options.valid_from}};
  SCHAKEL_TRY(auto contract, change(api, "POST", path, "/_activate", body));
  print_record(shell.out, options.format, options.format == Format::json ? contract : with_readable_parties(contract), contract_fields);
  return Exit::ok;
}
Outcome<> remove_contract(Shell& shell, Api& api, const OneOptions& options) {
  SCHAKEL_TRY(const auto path, contract_path(api, options.id));
  SCHAKEL_CHECK(remove(api, path));
  shell.out << printable(options.id) << " deleted\n";
  return Exit::ok;
}

// --- diff ------------------------------------------------------------------------------------------------------------------------

struct DiffOptions : Online {
  std::string before, after;
};
void declare_diff(CLI::App& command, DiffOptions& options) {
  command.add_option("BEFORE", options.before, "a file, or the id of a contract of the node")->required();
  command.add_option("AFTER", options.after, "a file, or the id of a contract of the node")->required();
}
Outcome<std::string> document_of(Shell& shell, const DiffOptions& options, const std::string& name) {
  if (auto file = read_file(shell, name, limits::cpa_bytes_max); file || file.error().code != "file.unreadable") return file;
  SCHAKEL_TRY(const auto access, access_from(shell, options));
  SCHAKEL_TRY(const auto api, shell.connect(access));
  SCHAKEL_TRY(const auto path, contract_path(*api, name));
  SCHAKEL_TRY(auto response, call(*api, {.path = path + "/document"}));
  return std::move(response.body);
}
// Exit 5 when they differ, as `diff` has 1.
Outcome<> diff(Shell& shell, const DiffOptions& options) {
  static constexpr std::array columns = {Column{"CHANGE", "change"}, Column{"WHERE", "path"}, Column{"BEFORE", "before"},
                                         Column{"AFTER", "after"}};
  SCHAKEL_TRY(const auto before, document_of(shell, options, options.before));
  SCHAKEL_TRY(const auto after, document_of(shell, options, options.after));
  SCHAKEL_TRY(const auto differences, contract_diff(before, after));
  Json list = Json::array();
  for (const auto& one : differences)
    list.push_back({{"change", one.before ? one.after ? "changed" : "removed" : "added"},
                    {"path", one.path},
                    {"before", one.before.value_or("")},
                    {"after", one.after.value_or("")}});
  print_list(shell.out, options.format, list, columns, "no differences");
  return list.empty() ? Exit::ok : Exit::findings;
}

void add_transition(Commands& commands, CLI::App& noun, const std::string& name, const std::string& description) {
  commands.verb<OneOptions>(
      noun, name, description, "schakel contract " + name + " cpa-voorbeeld-0001", declare_one,
      [operation = "/_" + name](Shell& shell, Api& api, const OneOptions& options) { return transition(shell, api, options, operation); });
}

}  // namespace

void add_contract_commands(Commands& commands) {
  auto& noun = commands.noun("contract", "Service contracts: CPAs and descriptions of WUS services (WSDL)");
  commands.verb<ValidateOptions>(noun, "validate", "Check a CPA by the rules V01 to V46, without a node (exit code 5 when it is refused)",
                                 "schakel contract validate cpa.xml --mode test", declare_validate, validate);
  add_compose_command(commands, noun);
  commands.verb<DiffOptions>(noun, "diff",
                             "Show what differs between two CPAs: files or contracts of the node (exit code 5 when they differ)",
                             "schakel contract diff cpa-voorbeeld-0001 new.xml", declare_diff, diff);
  commands.verb<ListOptions>(noun, "list", "List contracts", "schakel contract list --kind cpa", declare_list, list);
  commands.verb<ShowOptions>(noun, "show", "Show a contract, or its document", "schakel contract show cpa-voorbeeld-0001 --document",
                             declare_show, show);
  commands.verb<ImportOptions>(noun, "import", "Load a CPA or a WSDL into the node; findings of severity error refuse it (exit code 5)",
                               "schakel contract import cpa.xml --activate", declare_import, import);
  commands.verb<ActivateOptions>(noun, "activate", "Make a contract active, now or later",
                                 "schakel contract activate cpa-voorbeeld-0001 --valid-from 2027-01-01T00:00:00+01:00", declare_activate,
                                 activate);
  add_transition(commands, noun, "suspend", "Stop traffic of a contract for a while");
  add_transition(commands, noun, "retire", "Stop new traffic of a contract; running retries and acknowledgements end");
  commands.verb<OneOptions>(noun, "delete", "Delete a contract whose messages are final", "schakel contract delete cpa-voorbeeld-0001",
                            declare_one, remove_contract);
}

}  // namespace schakel::cli
