#include "cli/findings.hpp"

#include <array>

#include "security/keys.hpp"

namespace schakel::cli {

static constexpr std::size_t file_bytes_max = 10 * 1024 * 1024;

void declare_trust(CLI::App& command, Trust& trust) {
  command.add_option("--anchors", trust.anchors, "also check path and revocation with these roots, PEM")
      ->option_text("FILE")
      ->group("Trust");
  command.add_option("--intermediates", trust.intermediates, "CA certificates below them, PEM")->option_text("FILE")->group("Trust");
  command.add_option("--crl", trust.crls, "CRLs, DER or PEM; may be repeated")->option_text("FILE")->group("Trust");
  command.add_option("--profile", trust.profile, "production or test (default test)")->option_text("NAME")->group("Trust");
}

Outcome<security::TrustProfile> profile_of(const Trust& trust) {
  if (trust.profile == "production") return security::TrustProfile::production;
  if (trust.profile == "test") return security::TrustProfile::test;
  return wrong_usage("--profile is production or test");
}

Outcome<std::shared_ptr<security::TrustStore>> store_of(Shell& shell, const Trust& trust, security::TrustProfile profile) {
  if (trust.anchors.empty()) {
    if (!trust.intermediates.empty() || !trust.crls.empty()) return wrong_usage("--intermediates and --crl need --anchors");
    return std::shared_ptr<security::TrustStore>();
  }
  std::string intermediates;
  SCHAKEL_TRY(const auto anchors, read_file(shell, trust.anchors, file_bytes_max));
  if (!trust.intermediates.empty()) {
    SCHAKEL_TRY(intermediates, read_file(shell, trust.intermediates, file_bytes_max));
  }
  security::TrustStore::Options store_options;
  store_options.profile = profile;
  SCHAKEL_TRY(auto store, security::TrustStore::make(std::move(store_options), anchors, intermediates));
  for (const auto& file : trust.crls) {
    SCHAKEL_TRY(const auto list, read_file(shell, file, file_bytes_max));
    SCHAKEL_CHECK(store->install_crl(list, shell.clock.now()));
  }
  return store;
}

Outcome<> report(Shell& shell, Format format, std::span<const security::Finding> findings) {
  static constexpr std::array columns = {Column{"RULE", "rule"}, Column{"VERDICT", "verdict"}, Column{"REASON", "reason"},
                                         Column{"DETAIL", "detail"}};
  Json list = Json::array();
  for (const auto& finding : findings)
    list.push_back({{"rule", finding.rule},
                    {"grade", security::to_code(finding.grade)},
                    {"verdict", security::to_string(finding.grade)},
                    {"reason", finding.reason},
                    {"detail", finding.detail}});
  print_list(shell.out, format, list, columns);
  const auto worst = security::overall(findings);
  if (format == Format::table) shell.out << "verdict: " << security::to_string(worst) << '\n';
  return worst >= security::Grade::insufficient ? Exit::findings : Exit::ok;
}

Outcome<security::Usage> usage_from(const std::string& name) {
  using security::Usage;
  for (const auto usage : {Usage::tls_client, Usage::tls_server, Usage::signing, Usage::encryption})
    if (name == security::to_string(usage)) return usage;
  return wrong_usage("--usage is tls-client, tls-server, signing or encryption");
}

Outcome<std::string> read_passphrase(const std::string& path) {
  if (path.empty()) return std::string{};
  SCHAKEL_TRY(auto text, security::read_private_file(path));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  if (text.empty()) return Failure(Exit::failure, "file.unreadable", path + " holds no passphrase");
  return text;
}

void declare_own_key(CLI::App& command, OwnKey& own, bool required) {
  command.add_option("--key-file", own.key, "its private key: a PEM or PKCS#12 file, or the pkcs11: URI of a key in a token")
      ->required(required)
      ->option_text("FILE");
  declare_token(command, own);
}

void declare_token(CLI::App& command, OwnKey& own) {
  command.add_option("--passphrase-file", own.passphrase_file, "passphrase of the key, or PIN of the token")->option_text("FILE");
  command.add_option("--pkcs11-module", own.pkcs11_module, "PKCS#11 library that reaches the token")->option_text("FILE");
}

Outcome<std::shared_ptr<const security::KeyPair>> KeySource::pair(const std::string& certificates) {
  SCHAKEL_TRY(const auto passphrase, read_passphrase(own_.passphrase_file));
  SCHAKEL_TRY(auto pair, security::load_key_pair({.certificates = certificates, .key = own_.key, .passphrase = passphrase}, &tokens_));
  return pair;
}

Outcome<security::PrivateKey> KeySource::key_in_token(const std::string& uri) {
  SCHAKEL_TRY(const auto pin, read_passphrase(own_.passphrase_file));
  SCHAKEL_TRY(auto key, tokens_.key(uri, pin));
  return key;
}

}  // namespace schakel::cli
