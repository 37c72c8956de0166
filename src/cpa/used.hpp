// What an agreement really uses: its channels in use and the certificates behind them.
#pragma once

#include <string>
#include <vector>

#include "cpa/agreement.hpp"
#include "security/trust.hpp"

namespace schakel::cpa {

struct UsedChannel {
  const PartyInfo* party;
  const DeliveryChannel* channel;
};
// The default, override and action channels of both parties, each once.
std::vector<UsedChannel> used_channels(const Agreement&);

struct UsedCertificate {
  const PartyInfo* party;
  std::string id;
  security::Usage usage;
  std::vector<std::string> hosts;  // of a server certificate: what clients will ask for
  bool is_tls() const { return usage == security::Usage::tls_client || usage == security::Usage::tls_server; }
};
std::vector<UsedCertificate> certificates_in_use(const Agreement&);

}  // namespace schakel::cpa
