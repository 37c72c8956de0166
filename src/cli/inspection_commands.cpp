// pki inspect, tls check: findings per rule of security.md (SEC-132).
#include <array>

#include "base/bytes.hpp"
#include "cli/findings.hpp"
#include "cli/nouns.hpp"
#include "cli/tls_probe.hpp"

namespace schakel::cli {
namespace {

using security::Certificate;
using security::Finding;
using security::Usage;

constexpr std::size_t file_bytes_max = 10 * 1024 * 1024;

// --- pki inspect -------------------------------------------------------------------------------------------------------------------

struct InspectOptions : Output, Trust {
  std::string file;
  std::string usage;
};

void declare_inspect(CLI::App& command, InspectOptions& options) {
  command.add_option("FILE", options.file, "certificate, with its chain when it has one: PEM, DER or PKCS#7; - is standard input")
      ->required();
  command
      .add_option("--usage", options.usage,
                  "tls-client, tls-server, signing or encryption (default: tls-server with host names, else tls-client)")
      ->option_text("NAME");
  declare_trust(command, options);
}

Outcome<Usage> usage_of(const std::string& name, const Certificate& certificate) {
  if (name.empty()) return certificate->dns_names.empty() ? Usage::tls_client : Usage::tls_server;
  return usage_from(name);
}

Result<std::vector<Certificate>> certificates_in(BytesView octets) {
  if (octets.find("-----BEGIN CERTIFICATE-----") != BytesView::npos) return Certificate::list_from_pem(octets);
  if (auto one = Certificate::from_octets(octets)) return std::vector<Certificate>{std::move(*one)};
  return Certificate::list_from_pkcs7(octets);
}

Outcome<> inspect(Shell& shell, const InspectOptions& options) {
  static constexpr std::array columns = {Column{"subject", "subject"}, Column{"issuer", "issuer"},        Column{"OIN", "oin"},
                                         Column{"serial", "serial"},   Column{"not before", "notBefore"}, Column{"not after", "notAfter"},
                                         Column{"names", "dnsNames"},  Column{"SHA-256", "sha256"}};
  SCHAKEL_TRY(const auto profile, profile_of(options));
  SCHAKEL_TRY(const auto octets, read_file(shell, options.file, file_bytes_max));
  if (octets.find("PRIVATE KEY-----") != std::string::npos && octets.find("-----BEGIN CERTIFICATE-----") == std::string::npos)
    return wrong_usage(options.file + " holds a private key, not a certificate");
  SCHAKEL_TRY(const auto chain, certificates_in(octets));
  const auto& leaf = chain.front();
  SCHAKEL_TRY(const auto usage, usage_of(options.usage, leaf));
  SCHAKEL_TRY(const auto trust, store_of(shell, options, profile));
  if (options.format == Format::table) {
    print_record(shell.out, options.format,
                 {{"subject", leaf->subject},
                  {"issuer", leaf->issuer},
                  {"oin", leaf->oin.oin},
                  {"serial", leaf->serial},
                  {"notBefore", to_rfc3339(leaf->not_before)},
                  {"notAfter", to_rfc3339(leaf->not_after)},
                  {"dnsNames", leaf->dns_names},
                  {"sha256", leaf->sha256}},
                 columns);
    shell.out << '\n';
  }
  const auto findings =
      trust ? security::grade_chain(chain, usage, *trust, shell.clock.now()) : security::grade_certificate(leaf, usage, profile);
  return report(shell, options.format, findings);
}

// --- tls check ---------------------------------------------------------------------------------------------------------------------

struct CheckOptions : Output, Trust, OwnKey {
  std::string url;
  std::string certificate;
  int timeout_s = 10;
};

void declare_check(CLI::App& command, CheckOptions& options) {
  command.add_option("URL", options.url, "https URL of the server")->required();
  command.add_option("--cert", options.certificate, "client certificate with its chain, PEM")->option_text("FILE");
  declare_own_key(command, options, false);
  command.add_option("--timeout", options.timeout_s, "seconds per connection (default 10)")
      ->check(CLI::Range(1, 300).description(""))
      ->option_text("N");
  declare_trust(command, options);
}

Outcome<std::shared_ptr<const security::KeyPair>> identity_of(const CheckOptions& options, KeySource& keys) {
  if (options.key.empty()) {
    if (!options.certificate.empty()) return wrong_usage("--cert needs --key-file");
    return std::shared_ptr<const security::KeyPair>();
  }
  return keys.pair(options.certificate);
}

void add_probe_findings(const http::Url& url, const Probe& probe, std::vector<Finding>& findings) {
  using security::Grade;
  if (probe.old_versions.empty())
    findings.push_back({"SEC-030", Grade::good, "", "TLS 1.0 and TLS 1.1 are refused"});
  else
    for (const auto& version : probe.old_versions)
      findings.push_back({"SEC-030", Grade::insufficient, "SEC.TLS.VERSIE", version + " is accepted"});
  findings.push_back(probe.asks_client_certificate ? Finding{"SEC-001", Grade::good, "", "a client certificate is asked for"}
                                                   : Finding{"SEC-001", Grade::insufficient, "SEC.TLS.GEEN_CERT",
                                                             "no client certificate is asked for: not a Digikoppeling endpoint"});
  if (url.port != 443 && url.port != 8443)
    findings.push_back({"SEC-039", Grade::phase_out, "", "port " + std::to_string(url.port) + " instead of 443"});
  if (!probe.finished)
    findings.push_back({"SEC-001", Grade::sufficient, "", "the server ended the handshake; with --cert and --key-file it may go on"});
}

Outcome<> check(Shell& shell, const CheckOptions& options) {
  SCHAKEL_TRY(const auto profile, profile_of(options));
  SCHAKEL_TRY(const auto url, http::parse_url(options.url));
  if (!url.is_tls()) return wrong_usage("the URL must begin with https://");
  SCHAKEL_TRY(const auto trust, store_of(shell, options, profile));
  KeySource keys(options);
  SCHAKEL_TRY(const auto identity, identity_of(options, keys));
  SCHAKEL_TRY(const auto probe, probe_tls(url, identity, options.timeout_s));
  auto findings = security::grade_handshake(probe.handshake, url.host);
  add_probe_findings(url, probe, findings);
  const auto& chain = probe.handshake.peer_chain;
  const auto of_certificate = trust ? security::grade_chain(chain, Usage::tls_server, *trust, shell.clock.now())
                                    : security::grade_certificate(chain.front(), Usage::tls_server, profile);
  findings.insert(findings.end(), of_certificate.begin(), of_certificate.end());
  return report(shell, options.format, findings);
}

}  // namespace

void add_inspection_commands(Commands& commands, CLI::App& pki) {
  commands.verb<InspectOptions>(pki, "inspect",
                                "Judge a certificate by every rule of the security standard (exit code 5 for onvoldoende or fout)",
                                "schakel pki inspect pki/ee/tls-00000099000000010000.chain.pem --anchors pki/anchors.pem --intermediates "
                                "pki/intermediates.pem --crl pki/crl/g4-tls-tsp.crl",
                                declare_inspect, inspect);
  auto& tls = commands.noun("tls", "TLS of this or another party");
  commands.verb<CheckOptions>(
      tls, "check", "Connect, and judge versions, suites, certificate and chain (exit code 5 for onvoldoende or fout)",
      "schakel tls check https://localhost:10443/ebms --anchors pki/anchors.pem --intermediates pki/intermediates.pem", declare_check,
      check);
}

}  // namespace schakel::cli
