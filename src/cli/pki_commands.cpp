// pki init|issue|revoke|crl|negative|serve: the test PKI (SEC-130, SEC-131; security.md 2.8).
#include <array>
#include <charconv>
#include <filesystem>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "cli/findings.hpp"
#include "cli/nouns.hpp"
#include "cli/pki_serving.hpp"
#include "http/run.hpp"
#include "http/server.hpp"
#include "security/keys.hpp"
#include "security/pki.hpp"

namespace schakel::cli {
namespace {

using security::TestPki;

constexpr std::size_t certificate_file_bytes_max = 1024 * 1024;

struct Folder {
  std::string dir = "pki";
};
void declare_folder(CLI::App& command, Folder& folder) {
  command.add_option("--dir", folder.dir, "folder of the test PKI (default pki)")->option_text("FOLDER");
}

std::string in(const Folder& folder, const std::string& name) {
  return (std::filesystem::path(folder.dir) / name).string();
}

Outcome<TestPki> open(const Folder& folder) {
  auto pki = TestPki::open(folder.dir);
  if (pki) return std::move(*pki);
  Failure failure = pki.error();
  if (!std::filesystem::exists(in(folder, "index.json"))) failure.advice = "`schakel pki init --dir " + folder.dir + "` makes a test PKI";
  return failure;
}

// --- init ----------------------------------------------------------------------------------------------------------------------

struct InitOptions : Output, Folder {
  std::string generation = "both";
  std::string base_url = "http://127.0.0.1:8089";
  bool fast = false;
};

void declare_init(CLI::App& command, InitOptions& options) {
  declare_folder(command, options);
  command.add_option("--generation", options.generation, "g4, g1 or both (default both)")->option_text("NAME");
  command
      .add_option("--base-url", options.base_url,
                  "where `pki serve` will answer; it stands in the certificates (default http://127.0.0.1:8089)")
      ->option_text("URL");
  command.add_flag("--fast", options.fast, "CA keys of 3072 instead of 4096 bits");
}

Outcome<> init(Shell& shell, const InitOptions& options) {
  static constexpr std::array columns = {Column{"CA", "id"}, Column{"SUBJECT", "subject"}, Column{"NOT AFTER", "notAfter"}};
  if (std::filesystem::exists(in(options, "index.json")))
    return Failure(Exit::failure, "file.exists", options.dir + " holds a test PKI already",
                   "give another --dir; certificates of a lost PKI cannot be revoked");
  SCHAKEL_TRY(const auto generation, security::parse_pki_generation(options.generation));
  SCHAKEL_TRY(auto pki, TestPki::init({.generation = generation, .base_url = options.base_url, .fast = options.fast, .make_key = {}},
                                      shell.clock.now()));
  std::error_code ignored;  // `save` names the folder when it cannot be written
  std::filesystem::create_directories(options.dir, ignored);
  SCHAKEL_CHECK(pki.save(options.dir));
  Json authorities = Json::array();
  for (const auto& id : pki.authorities()) {
    const auto& authority = pki.authority(id);
    authorities.push_back(
        {{"id", id}, {"subject", authority->subject}, {"notAfter", to_rfc3339(authority->not_after)}, {"sha256", authority->sha256}});
  }
  print_list(shell.out, options.format, authorities, columns);
  if (options.format == Format::table)
    shell.out << "anchors: " << in(options, "anchors.pem") << "  intermediates: " << in(options, "intermediates.pem") << '\n';
  return Exit::ok;
}

// --- issue -----------------------------------------------------------------------------------------------------------------------

struct IssueOptions : Output, Folder {
  std::string profile = "tls";
  security::IssueRequest request;
  std::string csr, p12_pass_file;
};

void declare_issue(CLI::App& command, IssueOptions& options) {
  declare_folder(command, options);
  auto& request = options.request;
  command.add_option("--profile", options.profile, "tls, auth, sign, enc or g1-server (default tls)")->option_text("NAME");
  command.add_option("--oin", request.oin, "OIN of the organisation")->required()->option_text("OIN");
  command.add_option("--org", request.organisation, "name of the organisation")->required()->option_text("NAME");
  command.add_option("--kvk", request.kvk, "its number in the trade register, 8 digits")->required()->option_text("NUMBER");
  command.add_option("--ou", request.organisational_unit, "part of the organisation, for a SubOIN")->option_text("NAME");
  command.add_option("--cn", request.common_name, "common name (default: the organisation)")->option_text("NAME");
  command.add_option("--dns", request.hosts, "host names, separated by commas; needed for tls and g1-server")
      ->delimiter(',')
      ->option_text("NAMES");
  command.add_option("--days", request.days, "days of validity (default 397)")->option_text("N");
  command.add_option("--csr", options.csr, "use the key of this PKCS#10 request")->option_text("FILE");
  command.add_option("--p12-pass-file", options.p12_pass_file, "also write a PKCS#12 file, under the passphrase in this file")
      ->option_text("FILE");
}

Outcome<> issue(Shell& shell, const IssueOptions& options) {
  static constexpr std::array columns = {Column{"name", "name"},
                                         Column{"serial", "serial"},
                                         Column{"subject", "subject"},
                                         Column{"not after", "notAfter"},
                                         Column{"certificate", "certificate"},
                                         Column{"chain", "chain"},
                                         Column{"key", "key"},
                                         Column{"PKCS#12", "pkcs12"}};
  auto request = options.request;
  SCHAKEL_TRY(request.profile, security::parse_pki_profile(options.profile));
  SCHAKEL_TRY(const auto secret, read_passphrase(options.p12_pass_file));
  if (!options.csr.empty()) {
    if (!secret.empty()) return wrong_usage("--p12-pass-file needs the private key, which stays with the maker of the request");
    SCHAKEL_TRY(request.certificate_request, read_file(shell, options.csr, certificate_file_bytes_max));
  }
  SCHAKEL_TRY(auto pki, open(options));
  SCHAKEL_TRY(const auto issued, pki.issue(request, shell.clock.now()));
  SCHAKEL_CHECK(TestPki::save(issued, options.dir, secret));
  SCHAKEL_CHECK(pki.save(options.dir));
  const auto base = in(options, "ee/" + issued.name);
  Json facts = {{"name", issued.name},
                {"serial", issued.certificate->serial},
                {"subject", issued.certificate->subject},
                {"notAfter", to_rfc3339(issued.certificate->not_after)},
                {"certificate", base + ".pem"},
                {"chain", base + ".chain.pem"}};
  if (issued.key_pair != nullptr) facts["key"] = base + ".key";
  if (!secret.empty()) facts["pkcs12"] = base + ".p12";
  print_record(shell.out, options.format, facts, columns);
  return Exit::ok;
}

// --- revoke, crl ---------------------------------------------------------------------------------------------------------------

struct RevokeOptions : Folder {
  std::string certificate, serial, reason;
};

void declare_revoke(CLI::App& command, RevokeOptions& options) {
  declare_folder(command, options);
  auto* certificate = command.add_option("--cert", options.certificate, "the certificate, PEM or DER")->option_text("FILE");
  command.add_option("--serial", options.serial, "or its serial number in hex")->excludes(certificate)->option_text("HEX");
  command
      .add_option("--reason", options.reason,
                  "keyCompromise, cACompromise, affiliationChanged, superseded, cessationOfOperation or privilegeWithdrawn")
      ->required()
      ->option_text("REASON");
}

Outcome<> revoke(Shell& shell, const RevokeOptions& options) {
  if (options.certificate.empty() && options.serial.empty()) return wrong_usage("give --cert FILE or --serial HEX");
  auto serial = options.serial;
  if (serial.empty()) {
    SCHAKEL_TRY(const auto octets, read_file(shell, options.certificate, certificate_file_bytes_max));
    SCHAKEL_TRY(const auto certificate, security::Certificate::from_octets(octets));
    serial = certificate->serial;
  }
  SCHAKEL_TRY(const auto reason, security::parse_revocation_reason(options.reason));
  SCHAKEL_TRY(auto pki, open(options));
  SCHAKEL_CHECK(pki.revoke(serial, reason, shell.clock.now()));
  SCHAKEL_CHECK(pki.save(options.dir));
  shell.out << "revoked " << printable(serial) << "; the new CRL is in " << in(options, "crl") << '\n';
  return Exit::ok;
}

struct CrlOptions : Folder {
  int hours = 48;
  std::string authority;
};

void declare_crl(CLI::App& command, CrlOptions& options) {
  declare_folder(command, options);
  command.add_option("--hours", options.hours, "life of the lists (default 48)")
      ->check(CLI::Range(1, 24 * 366).description(""))
      ->option_text("N");
  command.add_option("--ca", options.authority, "only of this CA, for instance g4-tls-tsp")->option_text("ID");
}

Outcome<> crl(Shell& shell, const CrlOptions& options) {
  SCHAKEL_TRY(auto pki, open(options));
  SCHAKEL_CHECK(pki.renew_crls(shell.clock.now(), std::chrono::hours(options.hours), options.authority));
  SCHAKEL_CHECK(pki.save(options.dir));
  shell.out << "new lists, valid for " << options.hours << " hours, are in " << in(options, "crl") << '\n';
  return Exit::ok;
}

// --- negative --------------------------------------------------------------------------------------------------------------------

struct NegativeOptions : Output, Folder {};

Outcome<> negative(Shell& shell, const NegativeOptions& options) {
  static constexpr std::array columns = {Column{"ID", "id"}, Column{"REFUSED WITH", "expected"}, Column{"WHAT", "description"}};
  SCHAKEL_TRY(auto pki, open(options));
  SCHAKEL_TRY(const auto cases, pki.negative(shell.clock.now()));
  SCHAKEL_CHECK(TestPki::save(cases, options.dir));
  SCHAKEL_CHECK(pki.save(options.dir));
  Json list = Json::array();
  for (const auto& item : cases)
    list.push_back({{"id", item.id}, {"description", item.description}, {"expected", item.expected.empty() ? "valid" : item.expected}});
  print_list(shell.out, options.format, list, columns);
  if (options.format == Format::table) shell.out << "files: " << in(options, "negative") << '\n';
  return Exit::ok;
}

// --- serve -------------------------------------------------------------------------------------------------------------------------

struct ServeOptions : Folder {
  std::string listen = "127.0.0.1:8089";
};

void declare_serve(CLI::App& command, ServeOptions& options) {
  declare_folder(command, options);
  command.add_option("--listen", options.listen, "address and port (default 127.0.0.1:8089)")->option_text("ADDRESS:PORT");
}

Outcome<http::ListenerOptions> listener_of(const std::string& listen) {
  const auto colon = listen.rfind(':');
  unsigned short port = 0;
  const auto text = colon == std::string::npos ? std::string_view{} : std::string_view(listen).substr(colon + 1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return wrong_usage("--listen takes ADDRESS:PORT");
  auto address = listen.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  http::ListenerOptions listener;
  listener.name = "pki";
  listener.address = address;
  listener.port = port;
  listener.body_bytes_max = 0;
  return listener;
}

Outcome<> serve(Shell& shell, const ServeOptions& options) {
  SCHAKEL_TRY(auto listener, listener_of(options.listen));
  SCHAKEL_CHECK(open(options));
  const auto wait_for_stop = shell.hold_stop();
  Metrics metrics;
  http::IoThreads threads(1);
  const auto address = listener.address;
  http::Server server(threads.executor(), std::move(listener), serve_pki(options.dir), {shell.clock, shell.random, silent_log(), metrics});
  SCHAKEL_CHECK(server.start());
  shell.out << "serving CRLs and CA certificates on http://" << address << ':' << server.port() << " until SIGINT or SIGTERM" << std::endl;
  wait_for_stop();
  server.close();
  threads.stop();
  return Exit::ok;
}

}  // namespace

void add_pki_commands(Commands& commands) {
  auto& noun = commands.noun("pki", "A test PKI that looks like PKIoverheid; never for production");
  commands.verb<InitOptions>(noun, "init", "Make roots, CAs and their CRLs", "schakel pki init --dir pki --generation g4 --fast",
                             declare_init, init);
  commands.verb<IssueOptions>(
      noun, "issue", "Issue a certificate with an OIN",
      "schakel pki issue --profile tls --oin 00000099000000010000 --org \"Gemeente Voorbeeldstad\" --kvk 12345678 --dns localhost",
      declare_issue, issue);
  commands.verb<RevokeOptions>(noun, "revoke", "Revoke a certificate and make the new CRL",
                               "schakel pki revoke --cert pki/ee/tls-00000099000000010000.pem --reason keyCompromise", declare_revoke,
                               revoke);
  commands.verb<CrlOptions>(noun, "crl", "Make new CRLs; they live 48 hours", "schakel pki crl --hours 48", declare_crl, crl);
  commands.verb<NegativeOptions>(
      noun, "negative", "Make the set of bad certificates N01 to N32, to see them refused", "schakel pki negative --dir pki",
      [](CLI::App& command, NegativeOptions& options) { declare_folder(command, options); }, negative);
  commands.verb<ServeOptions>(noun, "serve", "Serve CRLs and CA certificates over HTTP, as they are in the folder",
                              "schakel pki serve --listen 127.0.0.1:8089", declare_serve, serve);
  add_inspection_commands(commands, noun);
}

}  // namespace schakel::cli
