// contract compose: a CPA from a service specification and two parties, without a node (cpa.md 2.6, 2.7a, 3.8).
#include <array>
#include <filesystem>

#include "base/limits.hpp"
#include "cli/findings.hpp"
#include "cli/nouns.hpp"
#include "cpa/compose.hpp"

namespace schakel::cli {
namespace {

struct ComposeOptions : Output, Trust {
  std::string specification, start, end, cpa_id, version, comment, out;
  std::vector<std::string> parties;
  bool proposed = false, end_beyond_certificates = false, force = false;
};

void declare(CLI::App& command, ComposeOptions& options) {
  command.add_option("--specification", options.specification, "service specification, XML or JSON")->required()->option_text("FILE");
  command
      .add_option("--party", options.parties, "the party in a role; twice. The file is JSON; a certificate in it may be \"file:NAME.pem\"")
      ->required()
      ->expected(1, 2)
      ->option_text("ROLE=FILE");
  command.add_option("--start", options.start, "first moment, RFC 3339 (default tomorrow)")->option_text("TIME");
  command.add_option("--end", options.end, "end, RFC 3339 (default from the certificates)")->option_text("TIME");
  command.add_option("--cpa-id", options.cpa_id, "CPA id (default: made from service and parties)")->option_text("TEXT");
  command.add_option("--version", options.version, "last part of a made CPA id (default: a UUID)")->option_text("TEXT");
  command.add_option("--comment", options.comment, "a comment in the document")->option_text("TEXT");
  command.add_flag("--proposed", options.proposed, "status proposed instead of agreed");
  command.add_flag("--end-beyond-certificates", options.end_beyond_certificates, "the end may be later than that of a certificate");
  declare_trust(command, options);
  command.add_option("--out", options.out, "write the CPA to this file (- is standard output)")->required()->option_text("FILE");
  command.add_flag("--force", options.force, "write over an existing file");
}

Outcome<Instant> moment(const std::string& text, const char* option) {
  const auto time = parse_datetime(text);
  if (!time || !time->has_zone) return wrong_usage(std::string(option) + " is a time with a zone, such as 2027-01-01T00:00:00Z");
  return time->instant;
}

// "file:NAME" in `certificates` becomes the content of the file, which is beside the party's file.
Outcome<std::string> with_certificates(Shell& shell, const std::string& path, std::string text) {
  auto party = Json::parse(text, nullptr, false);
  if (!party.is_object() || !party.contains("certificates") || !party["certificates"].is_object())
    return text;  // parse_party says what is wrong
  bool changed = false;
  for (auto& [purpose, certificate] : party["certificates"].items()) {
    if (!certificate.is_string() || !certificate.get_ref<const std::string&>().starts_with("file:")) continue;
    const auto file = std::filesystem::path(path).parent_path() / certificate.get_ref<const std::string&>().substr(5);
    SCHAKEL_TRY(auto pem, read_file(shell, file.string(), limits::MiB));
    certificate = std::move(pem);
    changed = true;
  }
  return changed ? party.dump() : std::move(text);
}

Outcome<std::map<std::string, cpa::PartyDescription>> roles_of(Shell& shell, const ComposeOptions& options) {
  std::map<std::string, cpa::PartyDescription> roles;
  for (const auto& argument : options.parties) {
    const auto equals = argument.find('=');
    if (equals == std::string::npos || equals == 0) return wrong_usage("--party takes ROLE=FILE");
    const auto path = argument.substr(equals + 1);
    SCHAKEL_TRY(auto text, read_file(shell, path, limits::MiB));
    SCHAKEL_TRY(const auto json, with_certificates(shell, path, std::move(text)));
    auto party = cpa::parse_party(json);
    if (!party) {
      Failure failure = party.error();
      failure.location = path + (failure.location.empty() ? "" : " " + failure.location);
      return failure;
    }
    if (!roles.emplace(argument.substr(0, equals), std::move(*party)).second) return wrong_usage("--party names a role twice");
  }
  if (roles.size() != 2) return wrong_usage("give --party twice, once for each role");
  return roles;
}

Outcome<> compose(Shell& shell, const ComposeOptions& options) {
  static constexpr std::array columns = {Column{"CODE", "code"}, Column{"SEVERITY", "severity"}, Column{"WHERE", "path"},
                                         Column{"FINDING", "message"}};
  SCHAKEL_TRY(const auto text, read_file(shell, options.specification, limits::cpa_bytes_max));
  SCHAKEL_TRY(auto specification, cpa::parse_specification(text));
  SCHAKEL_TRY(auto roles, roles_of(shell, options));
  cpa::ComposeRequest request{
      .specification = std::move(specification), .roles = std::move(roles), .cpa_id = options.cpa_id, .version = options.version};
  if (!options.start.empty()) {
    SCHAKEL_TRY(request.start, moment(options.start, "--start"));
  }
  if (!options.end.empty()) {
    SCHAKEL_TRY(request.end, moment(options.end, "--end"));
  }
  request.comment = options.comment;
  request.proposed = options.proposed;
  SCHAKEL_TRY(const auto profile, profile_of(options));
  SCHAKEL_TRY(const auto trust, store_of(shell, options, profile));
  const cpa::TrustStoreChecks checks(trust);
  if (trust) request.certificates = &checks;
  request.end_beyond_certificates = options.end_beyond_certificates;
  SCHAKEL_TRY(const auto composed, cpa::compose(request, shell.random, shell.clock.now()));
  SCHAKEL_CHECK(write_file(shell, options.out, composed.document, options.force));
  if (options.out == "-") return Exit::ok;
  Json findings = Json::array();
  for (const auto& finding : composed.findings)
    findings.push_back(
        {{"code", finding.code}, {"severity", cpa::to_string(finding.severity)}, {"path", finding.path}, {"message", finding.message}});
  if (options.format == Format::json) {
    print_record(shell.out, options.format, {{"cpaId", composed.cpa_id}, {"file", options.out}, {"findings", findings}}, {});
    return Exit::ok;
  }
  if (options.format == Format::csv || !findings.empty()) print_list(shell.out, options.format, findings, columns);
  if (options.format == Format::table) shell.out << printable(composed.cpa_id) << "  " << options.out << '\n';
  return Exit::ok;
}

}  // namespace

void add_compose_command(Commands& commands, CLI::App& contract) {
  commands.verb<ComposeOptions>(
      contract, "compose", "Make a CPA from a service specification and two parties, without a node",
      "schakel contract compose --specification meldingen.xml --party Melder=voorbeeldstad.json --party Register=lv.json --out cpa.xml",
      declare, compose);
}

}  // namespace schakel::cli
