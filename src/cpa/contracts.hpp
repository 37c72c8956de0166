// The loaded agreements of all tenants, an immutable snapshot with indexes; and every value the MSH reads from a CPA (cpa.md 3.2-3.6;
// ebms.md 3.1).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cpa/agreement.hpp"
#include "exchange/message.hpp"
#include "exchange/routing.hpp"
#include "security/peer.hpp"

namespace schakel::cpa {

// Settings per contract that the CPA does not hold; JSON in exchange::Contract::settings.
enum class SenderAuthentication { oin, exact };
struct ContractSettings {
  SenderAuthentication authentication = SenderAuthentication::oin;
  bool signature_by_oin = false;             // EB-154 policy `oin`
  bool strict_ref_to_message_id = false;     // EB-069
  bool drop_best_effort_duplicates = false;  // EB-093
  bool inclusive_c14n = false;               // EB-152
  bool tls_offloaded = false;                // CPA-060
  bool allow_loopback = false;               // CPA-052
  std::int64_t large_message_threshold = 20'971'520;
  std::string replaces;               // id of the contract this one succeeds (cpa.md 3.5)
  bool partner_installed = false;     // the partner confirmed installation
  std::optional<Instant> valid_from;  // becomes active by itself then (ADP-304), while it is validated
};
Result<ContractSettings> parse_settings(std::string_view json);
std::string to_json(const ContractSettings&);

struct LoadedContract {
  exchange::Contract row;  // `document` is empty here: the store keeps it
  Agreement agreement;
  ContractSettings settings;
  int own_party = 0;        // index in agreement.parties
  std::string environment;  // production | test

  const PartyInfo& own() const { return agreement.parties[static_cast<std::size_t>(own_party)]; }
  const PartyInfo& partner() const { return agreement.parties[static_cast<std::size_t>(1 - own_party)]; }
};

// Everything a message from `sender` to `receiver` with one action needs. Pointers live as long as the Contracts snapshot.
struct Channels {
  const PartyInfo* sender;
  const PartyInfo* receiver;
  const ActionBinding* can_send;     // null for a signal
  const ActionBinding* can_receive;  // null for a signal
  const DeliveryChannel* send;       // S of cpa.md 3.4
  const DeliveryChannel* receive;    // R
  Profile profile = Profile::osb_be;
};

struct Reliability {
  std::int64_t retries = 39;
  Duration retry_interval{};  // from `at`
  Duration persist_duration{};
};

struct Mandate {  // one row of the mandate register (ADP-207): mandatary may act for mandator
  std::string tenant, mandator_oin, mandatary_oin, scope, direction;
  Instant valid_from, valid_to;
  bool active = true;
};

struct UrlMapping {
  std::string tenant, source, destination, cpa_id;
};
struct CertificateMapping {
  std::string tenant, issuer, serial, cpa_id;
  Bytes destination;  // DER
};

// A dated exception to the closed list of encryption algorithms (SEC-083): what one partner may still use towards us.
struct AlgorithmException {
  std::string tenant, partner_oin, protocol, algorithm;  // algorithm: its URI
  std::string reason;
  Instant from, until;  // at most a year (SEC-083)
};
inline constexpr std::chrono::days algorithm_exception_max{366};

class Contracts {
 public:
  Contracts(std::vector<LoadedContract>, std::vector<UrlMapping>, std::vector<CertificateMapping>, std::vector<Mandate>,
            std::vector<AlgorithmException> = {}, exchange::Routing = {});
  Contracts(const Contracts&) = delete;
  Contracts& operator=(const Contracts&) = delete;

  // By the header's CPAId, byte-exact, over all tenants (ADP-204: then To decides); within one tenant.
  std::vector<const LoadedContract*> by_cpa_id(std::string_view cpa_id) const;
  const LoadedContract* find(std::string_view tenant, std::string_view cpa_id) const;
  const LoadedContract* by_id(std::string_view tenant, std::string_view contract_id) const;
  std::span<const LoadedContract> all() const { return contracts_; }
  // Mandates that the tenant recorded, whether they hold now or not.
  std::vector<Mandate> mandates_of(std::string_view tenant) const;

  // cpa.md 3.5. Empty fields of Wanted match everything. Errors: contract.unknown, contract.suspended, contract.notYetValid,
  // contract.expired, contract.actionNotAllowed, contract.ambiguous (its location lists the candidates' ids, separated by commas).
  struct Wanted {
    std::string_view tenant, contract_id, cpa_id, from_oin, from_party_id, from_role, to_oin, to_party_id, to_role, service, service_type,
        action;
    std::string_view former_cpa_id;  // of the conversation or the message referred to
    bool prefer_newest = false;      // ADP-305: the tenant wants the latest Start instead of contract.ambiguous
  };
  Result<const LoadedContract*> select(const Wanted&, Instant now) const;

  // Business message (ebms.md 3.1): nullopt when role+service+action are no CanSend of the sender or no CanReceive of the receiver (check
  // 7). Names compare exactly; an empty role matches every role (whether one must be there is check 3).
  static std::optional<Channels> channels(const LoadedContract&, int sender_party, std::string_view from_role, std::string_view to_role,
                                          std::string_view service, std::string_view service_type, std::string_view action);
  // Signal (cpa.md 3.4): default or override channels of both.
  static Channels signal_channels(const LoadedContract&, int sender_party, std::string_view signal_action);

  static Reliability reliability(const Channels&, Instant at);  // CPA-028 defaults
  // The routing tables of the tenants, of the same moment as the contracts.
  const exchange::Routing& routing() const { return routing_; }
  // EB-200, adapter.md 3.4: where a message of ours to `receiver` goes: along the tenant's row for it, else straight to `direct` (the URL
  // of `url`), to the receiver's own certificate. Errors: "route.none", "routing.loop".
  Result<exchange::NextHop> next_hop(const LoadedContract&, const PartyInfo& sender, const PartyInfo& receiver, std::string_view service,
                                     std::string_view action, std::string direct, Instant now) const;

  // "request", "response" or "error"; then the URL mapping of the tenant.
  std::string url(const LoadedContract&, const DeliveryChannel& receiver_channel, const PartyInfo& receiver,
                  std::string_view purpose) const;
  // ClientCertificateRef of the channel after certificate mapping: DER; empty when the CPA names none.
  Bytes client_certificate(const LoadedContract&, const PartyInfo&, const DeliveryChannel&, Instant now) const;
  Bytes mapped_certificate(const LoadedContract&, BytesView der, Instant now) const;

  // ebms.md 3.1 sender authentication: does this TLS identity speak for that party? The reason when not.
  struct Verdict {
    bool allowed = false;
    std::string reason;  // SEC.OIN.NIET_GEAUTORISEERD, SEC.OIN.GEEN_MANDAAT
  };
  Verdict authenticate(const LoadedContract&, int sender_party, const security::PeerIdentity&, Instant now, std::string_view scope) const;
  // Is `oin` the number of the party, or has it a mandate of the party for this (SEC-064, SEC-085)? What a signature needs: a route that
  // names an intermediary is not enough.
  bool acts_for(const LoadedContract&, const PartyInfo&, std::string_view oin, Instant now, std::string_view scope) const;

  // SEC-083: may the partner use this algorithm now? The exception, or null.
  const AlgorithmException* exception(std::string_view tenant, std::string_view partner_oin, std::string_view protocol,
                                      std::string_view algorithm, Instant now) const;
  // The rule of adapter.md 3.5 for an OIN in a header: it is the TLS identity's own, or a mandate of the tenant covers the scope, or a row
  // of its routing table names the TLS identity as the intermediary.
  bool speaks_for(std::string_view tenant, std::string_view oin, const security::PeerIdentity&, Instant now, std::string_view scope) const;

  // CPA-056.
  enum class TimeVerdict { valid, before_start, after_end };
  static TimeVerdict time_rule(const LoadedContract&, Instant timestamp, Instant receipt, const Reliability&, bool reliable);

 private:
  bool has_mandate(std::string_view tenant, std::string_view mandator, std::string_view mandatary, Instant now,
                   std::string_view scope) const;
  using Index = std::unordered_multimap<std::string, const LoadedContract*>;
  void index(const LoadedContract&);
  // The contracts that could carry a message, before state and time: from the narrowest index that Wanted allows.
  std::vector<const LoadedContract*> possible(const Wanted&) const;
  Error why_none(const Wanted&, const std::vector<const LoadedContract*>& possible, Instant now) const;

  std::vector<LoadedContract> contracts_;
  Index by_cpa_id_;
  Index by_id_;
  Index by_partner_;  // tenant, partner's PartyId or OIN, service, action; also with service and action empty
  Index by_action_;   // tenant, service, action
  std::unordered_map<std::string, std::string> url_mappings_;    // tenant, CPAId or empty, source
  std::unordered_map<std::string, Bytes> certificate_mappings_;  // tenant, CPAId or empty, issuer, serial
  std::unordered_map<std::string, std::size_t> mapped_tenants_;  // tenants that have certificate mappings
  std::unordered_multimap<std::string, Mandate> mandates_;       // tenant, mandator, mandatary
  std::vector<AlgorithmException> exceptions_;                   // few, if any
  exchange::Routing routing_;
};

}  // namespace schakel::cpa
