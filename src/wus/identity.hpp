// Who sends, for whom, and may it (WUS-242, WUS-243): the identity rules of a provider. Pure.
#pragma once

#include "wus/office.hpp"

namespace schakel::wus {

struct Identities {
  std::string tls_oin;     // of the TLS client certificate; empty without TLS
  std::string signer_oin;  // S, SE
  std::string from_oin;    // of wsa:From; empty: none
};

// Before the body is read: may this TLS identity have something to do here at all? Else HTTP 403 (SEC-065).
bool may_enter(const Office&, const ServiceContract&, std::string_view tls_oin);
// The sender: the signer in S and SE, else the TLS identity. Errors: "wus.unauthorised", "wus.mandate".
Result<std::string> judge_sender(const Office&, const ServiceContract&, const Identities&, const Operation&);
// WUS-242. Errors: "wus.destination".
Result<> judge_destination(const Office&, const ServiceContract&, std::string_view to);

}  // namespace schakel::wus
