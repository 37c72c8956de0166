// Findings per rule of security.md, the trust they are judged against, and own keys: shared by `pki inspect`, `tls check` and
// `certificate`.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "security/grade.hpp"
#include "security/pkcs11.hpp"

namespace schakel::cli {

struct Trust {
  std::string anchors, intermediates;
  std::vector<std::string> crls;
  std::string profile = "test";
};
void declare_trust(CLI::App&, Trust&);
Outcome<security::TrustProfile> profile_of(const Trust&);
// Null without anchors.
Outcome<std::shared_ptr<security::TrustStore>> store_of(Shell&, const Trust&, security::TrustProfile);

Outcome<security::Usage> usage_from(const std::string& name);

// The first line of a private file; "" for no file (SEC-071).
Outcome<std::string> read_passphrase(const std::string& path);

// Where an own key is: a file, or a token.
struct OwnKey {
  std::string key, passphrase_file, pkcs11_module;
};
void declare_own_key(CLI::App&, OwnKey&, bool required);
void declare_token(CLI::App&, OwnKey&);  // without the key itself
// Outlives the keys that it gives.
class KeySource {
 public:
  explicit KeySource(const OwnKey& own) : own_(own), tokens_(own.pkcs11_module, silent_log(), metrics_) {}
  // `certificates`: file of the certificate with its chain; empty: with the key.
  Outcome<std::shared_ptr<const security::KeyPair>> pair(const std::string& certificates);
  Outcome<security::PrivateKey> key_in_token(const std::string& uri);

 private:
  const OwnKey& own_;
  Metrics metrics_;
  security::Pkcs11Module tokens_;
};

// Prints them. Exit 5 when one is onvoldoende or fout.
Outcome<> report(Shell&, Format, std::span<const security::Finding>);

}  // namespace schakel::cli
