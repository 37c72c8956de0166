#include "cpa/used.hpp"

#include <algorithm>
#include <set>

#include "cpa/profile.hpp"
#include "http/url.hpp"

namespace schakel::cpa {
namespace {

std::vector<std::string> hosts_of(const Transport& transport) {
  std::vector<std::string> out;
  for (const auto& endpoint : transport.endpoints) {
    if (const auto url = http::parse_url(endpoint.uri)) out.push_back(url->host);
  }
  return out;
}

}  // namespace

std::vector<UsedChannel> used_channels(const Agreement& agreement) {
  std::vector<UsedChannel> out;
  for (const auto& party : agreement.parties) {
    std::set<std::string_view> ids = {party.default_channel_id};
    for (const auto& [action, id] : party.signal_channels) ids.insert(id);
    for (const auto& role : party.roles) {
      for (const auto& binding : role.actions) {
        if (!binding.nested && !binding.channel_ids.empty()) ids.insert(binding.channel_ids.front());
      }
    }
    for (const auto& channel : party.channels) {
      if (ids.contains(channel.id)) out.push_back({&party, &channel});
    }
  }
  return out;
}

std::vector<UsedCertificate> certificates_in_use(const Agreement& agreement) {
  using security::Usage;
  std::vector<UsedCertificate> out;
  const auto take = [&](const PartyInfo& party, const std::string& id, Usage usage, std::vector<std::string> hosts = {}) {
    const bool known = std::any_of(out.begin(), out.end(), [&](const UsedCertificate& used) {
      return used.party == &party && used.id == id && used.usage == usage && used.hosts == hosts;
    });
    if (!id.empty() && !known) out.push_back({&party, id, usage, std::move(hosts)});
  };
  for (const auto& used : used_channels(agreement)) {
    const auto& party = *used.party;
    if (const auto* transport = party.transport(used.channel->transport_id)) {
      take(party, transport->client_certificate_ref, Usage::tls_client);
      take(party, transport->server_certificate_ref, Usage::tls_server, hosts_of(*transport));
    }
    const auto* sender = sender_binding(party, used.channel);
    if (sender != nullptr && sender->non_repudiation) take(party, sender->non_repudiation->certificate_ref, Usage::signing);
    const auto* receiver = receiver_binding(party, used.channel);
    if (receiver != nullptr && receiver->envelope) take(party, receiver->envelope->certificate_ref, Usage::encryption);
  }
  return out;
}

}  // namespace schakel::cpa
