// certificate csr|check: tools for own real certificates, without a node (SEC-017, SEC-072; security.md 2.11); activate (3.5) and
// emergency-rotate (SEC-078).
#include <array>
#include <fstream>

#include "cli/findings.hpp"
#include "cli/nouns.hpp"
#include "security/issuance.hpp"
#include "security/keys.hpp"

namespace schakel::cli {
namespace {

constexpr int key_bits = 3072;  // security.md 2.11

// --- csr -------------------------------------------------------------------------------------------------------------------------

struct CsrOptions : Output, OwnKey {
  security::RequestPlan plan{};
  std::string key_file, out;
  bool g1 = false;
};

void declare_csr(CLI::App& command, CsrOptions& options) {
  auto& plan = options.plan;
  command.add_option("--org", plan.organisation, "name of the organisation")->required()->option_text("NAME");
  command.add_option("--ou", plan.organisational_unit, "part of it, for a SubOIN")->option_text("NAME");
  command.add_option("--oin", plan.oin, "its OIN; stands in subject.serialNumber")->required()->option_text("OIN");
  command.add_option("--cn", plan.common_name, "common name (default: the first host name)")->option_text("NAME");
  command.add_option("--dns", plan.hosts, "host names, separated by commas")->delimiter(',')->option_text("NAMES");
  auto* file = command.add_option("--key-file", options.key_file, "write the new private key to this new file")->option_text("FILE");
  command.add_option("--key", options.key, "instead: the pkcs11: URI of a new key that is in a token already")
      ->excludes(file)
      ->option_text("URI");
  declare_token(command, options);
  command.add_option("--out", options.out, "write the request to this file (default: standard output)")->option_text("FILE");
  command.add_flag("--g1", options.g1, "sign with sha256WithRSA instead of RSASSA-PSS");
}

std::string pem_of(BytesView der) {
  const auto text = to_base64(der);
  std::string pem = "-----BEGIN CERTIFICATE REQUEST-----\n";
  for (std::size_t at = 0; at < text.size(); at += 64) pem += text.substr(at, 64) + "\n";
  return pem + "-----END CERTIFICATE REQUEST-----\n";
}

Outcome<security::PrivateKey> new_key(const CsrOptions& options) {
  if (std::ifstream(options.key_file))
    return Failure(Exit::failure, "file.exists", options.key_file + " exists already",
                   "PKIoverheid requires a new key for every certificate: give another file");
  SCHAKEL_TRY(auto key, security::generate_rsa(key_bits));
  return key;
}

Outcome<> save(EVP_PKEY* key, const CsrOptions& options) {
  SCHAKEL_TRY(const auto passphrase, read_passphrase(options.passphrase_file));
  SCHAKEL_TRY(const auto key_pem, security::private_key_pem(key, passphrase));
  SCHAKEL_CHECK(security::write_private_file(options.key_file, key_pem));
  return Exit::ok;
}

Outcome<> csr(Shell& shell, const CsrOptions& options) {
  auto plan = options.plan;
  if (plan.common_name.empty() && !plan.hosts.empty()) plan.common_name = plan.hosts.front();
  if (plan.common_name.empty()) return wrong_usage("give --cn or --dns");
  plan.scheme = options.g1 ? security::SigningScheme::pkcs1_sha256 : security::SigningScheme::pss_sha512;
  if (options.key.empty() == options.key_file.empty()) return wrong_usage("give --key-file for a new key, or --key for one in a token");
  KeySource keys(options);
  SCHAKEL_TRY(const auto key, options.key.empty() ? new_key(options) : keys.key_in_token(options.key));
  SCHAKEL_TRY(const auto request, security::make_request(plan, key.get()));
  if (options.key.empty()) SCHAKEL_CHECK(save(key.get(), options));
  return write_file(shell, options.out, pem_of(request), false);
}

// --- check -----------------------------------------------------------------------------------------------------------------------

struct CheckOptions : Output, Trust, OwnKey {
  std::string certificate, usage = "tls-server";
  std::vector<std::string> hosts;
};

void declare_check(CLI::App& command, CheckOptions& options) {
  command.add_option("FILE", options.certificate, "the certificate with its chain, PEM")->required();
  declare_own_key(command, options, true);
  command.add_option("--host", options.hosts, "host names under which it is published, separated by commas")
      ->delimiter(',')
      ->option_text("NAMES");
  command.add_option("--usage", options.usage, "tls-client, tls-server, signing or encryption (default tls-server)")->option_text("NAME");
  declare_trust(command, options);
}

Outcome<> check(Shell& shell, const CheckOptions& options) {
  SCHAKEL_TRY(const auto usage, usage_from(options.usage));
  SCHAKEL_TRY(const auto profile, profile_of(options));
  if (options.anchors.empty()) return wrong_usage("give the roots with --anchors");
  SCHAKEL_TRY(const auto trust, store_of(shell, options, profile));
  KeySource keys(options);
  SCHAKEL_TRY(const auto own, keys.pair(options.certificate));
  return report(shell, options.format, security::check_own(*own, options.hosts, usage, *trust, shell.clock.now()));
}

// --- activate (security.md 3.5) ----------------------------------------------------------------------------------------------------

struct ActivateOptions : Online {
  std::string certificate, at;
};
void declare_activate(CLI::App& command, ActivateOptions& options) {
  command.add_option("SHA-256", options.certificate, "the certificate that takes over (`schakel certificate list`)")->required();
  command.add_option("--at", options.at, "from this moment, RFC 3339 (default: now)")->option_text("TIME");
}
Outcome<> activate(Shell& shell, Api& api, const ActivateOptions& options) {
  static constexpr std::array columns = {Column{"SHA-256", "sha256"}, Column{"ACTIVE FROM", "activeFromAt"}};
  Json body = Json::object();
  if (!options.at.empty()) body["at"] = options.at;
  SCHAKEL_TRY(const auto done, post(api, "/certificates/" + percent_encoded(options.certificate) + "/_activate", body));
  print_record(shell.out, options.format, done, columns);
  if (options.format == Format::table) shell.out << "The ones before it sign and serve no more from then on; they decrypt for 30 days.\n";
  return Exit::ok;
}

// --- emergency-rotate (SEC-078) ----------------------------------------------------------------------------------------------------

constexpr std::array report_columns = {Column{"TELL", "to"},   Column{"NAME", "name"},     Column{"OIN", "oin"},
                                       Column{"CPA", "cpaId"}, Column{"SERIAL", "serial"}, Column{"WHAT", "what"}};

struct EmergencyOptions : Online {
  std::string certificate, reason;
};
void declare_emergency(CLI::App& command, EmergencyOptions& options) {
  command.add_option("SHA-256", options.certificate, "the certificate whose key may be known to others (`schakel certificate list`)")
      ->required();
  command.add_option("--reason", options.reason, "what happened; goes to the audit log")->required()->option_text("TEXT");
}
Outcome<> rotate_in_emergency(Shell& shell, Api& api, const EmergencyOptions& options) {
  auto plan = post(api, "/certificates/" + percent_encoded(options.certificate) + "/_rotate", Json{{"reason", options.reason}});
  if (!plan) {
    auto failure = plan.error();
    if (failure.code == "state.conflict")
      failure.advice = "`schakel certificate csr` makes a new key; `schakel tenant create` adds its files";
    return failure;
  }
  if (options.format == Format::json) {
    print_record(shell.out, options.format, *plan, report_columns);
    return Exit::ok;
  }
  if (options.format == Format::table) {
    shell.out << "The key is out of use; its connections are being closed. Taking over:\n";
    for (const auto& successor : plan->value("successors", Json::array()))
      shell.out << "  " << printable(text_at(successor, "purpose")) << "  " << printable(text_at(successor, "sha256")) << "\n";
    shell.out << "To report now:\n";
  }
  print_list(shell.out, options.format, plan->value("report", Json::array()), report_columns);
  return Exit::ok;
}

}  // namespace

void add_certificate_tools(Commands& commands, CLI::App& noun) {
  commands.verb<CsrOptions>(noun, "csr", "Make a private key and a certificate request with the OIN",
                            "schakel certificate csr --org \"Gemeente Voorbeeldstad\" --oin 00000099000000010000 --dns "
                            "dk.voorbeeldstad.example --key-file dk.key --out dk.csr",
                            declare_csr, csr);
  commands.verb<CheckOptions>(
      noun, "check", "Judge an own certificate with its key before it is used (exit code 5 for onvoldoende or fout)",
      "schakel certificate check dk.chain.pem --key-file dk.key --host dk.voorbeeldstad.example --anchors roots.pem", declare_check, check);
  commands.verb<ActivateOptions>(noun, "activate", "Let a certificate take over from the ones before it, now or later",
                                 "schakel certificate activate 9c1e0f… --at 2027-01-15T06:00:00+01:00", declare_activate, activate);
  commands.verb<EmergencyOptions>(noun, "emergency-rotate", "Stop using a key that may be known to others, at once, and say whom to tell",
                                  "schakel certificate emergency-rotate 9c1e0f… --reason \"the laptop with the key was stolen\"",
                                  declare_emergency, rotate_in_emergency);
}

}  // namespace schakel::cli
