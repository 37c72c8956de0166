#include "server/wus_parts.hpp"

#include <algorithm>

#include "cpa/mandates.hpp"

namespace schakel::server {
namespace {

constexpr std::string_view wus_prefix = "/wus/";  // README section 4

}  // namespace

wus::Office WusParts::office(const Dependencies& given) {
  return {.database = given.database,
          .client = given.client,
          .random = given.random,
          .clock = given.clock,
          .log = given.log,
          .measures = measures_,
          .node = given.node,
          .services = [configuration = given.configuration] { return configuration()->services; },
          .judge =
              [configuration = given.configuration, &keys = given.keys](std::string_view slug, std::span<const security::Certificate> chain,
                                                                        Instant now) {
                const auto current = configuration();
                const auto* tenant = current->tenant(slug);
                return keys.judge(tenant ? tenant->environment : std::string(), chain, security::Usage::signing, now, now);
              },
          .signing_key = [identities = given.identities](std::string_view slug, std::string_view oin,
                                                         Instant now) { return identities()->signing_key_of(slug, oin, now); },
          .decryption_keys = [&keys = given.keys](std::string_view slug, Instant now) { return keys.decryption_keys(slug, now); },
          .is_own_certificate = [own = given.is_own_certificate](std::string_view sha256) { return own(std::string(sha256)); },
          .partner_tls = [identities = given.identities](const std::string& slug) { return identities()->client(slug, {}); },
          .backend_tls = [identities = given.identities](const std::string& slug) { return identities()->web_client(slug, false); },
          .is_intermediary =
              [configuration = given.configuration, &clock = given.clock](std::string_view slug, std::string_view party,
                                                                          std::string_view intermediary) {
                const auto current = configuration();
                const auto* table = current->contracts->routing().table(slug);
                return table != nullptr && table->names_intermediary(party, intermediary, clock.now());
              },
          .has_mandate =
              [configuration = given.configuration, &clock = given.clock](std::string_view slug, std::string_view mandator,
                                                                          std::string_view mandatary, std::string_view scope) {
                const auto mandates = configuration()->contracts->mandates_of(slug);
                return std::ranges::any_of(mandates, [&](const cpa::Mandate& mandate) {
                  return mandate.mandator_oin == mandator && mandate.mandatary_oin == mandatary && cpa::allows(mandate, clock.now(), scope);
                });
              },
          .is_oin_of_tenant =
              [configuration = given.configuration](std::string_view slug, std::string_view oin) {
                const auto current = configuration();
                const auto* tenant = current->tenant(slug);
                return tenant && std::ranges::find(tenant->oins, oin) != tenant->oins.end();
              }};
}

wus::Relay::Dependencies WusParts::relay_dependencies(const Dependencies& given) const {
  return {.routing =
              [configuration = given.configuration] {
                auto contracts = configuration()->contracts;
                const auto* routing = &contracts->routing();
                return std::shared_ptr<const exchange::Routing>(std::move(contracts), routing);
              },
          .speaks_for =
              [configuration = given.configuration, &clock = given.clock](std::string_view slug, std::string_view oin,
                                                                          const security::PeerIdentity& peer) {
                return configuration()->contracts->speaks_for(slug, oin, peer, clock.now(), "wus");
              },
          .is_own_listener = given.is_own_listener,
          .is_own_certificate = given.is_own_certificate,
          .audit = given.audit};
}

WusParts::WusParts(Dependencies given)
    : measures_(given.metrics),
      office_(office(given)),
      caller_(office_),
      endpoint_(office_, {.insecure_transport = given.insecure_transport}, given.audit),
      relay_(endpoint_, office_, relay_dependencies(given), given.relay) {}

bool WusParts::serves(const http::Request& request, const std::string& tenant) const {
  return request.path.starts_with(wus_prefix) || endpoint_.serves(request.path, tenant);
}

}  // namespace schakel::server
