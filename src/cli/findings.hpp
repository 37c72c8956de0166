// Findings per rule of security.md, and the trust they are judged against: shared by `pki inspect`, `tls check` and `certificate check`.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "security/grade.hpp"

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

// Prints them. Exit 5 when one is onvoldoende or fout.
Outcome<> report(Shell&, Format, std::span<const security::Finding>);

}  // namespace schakel::cli
