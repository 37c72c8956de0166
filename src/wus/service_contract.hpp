// A stored contract of kind "wsdl" as what it means at run time, and the snapshot of all of them (wus.md 1.11, 1.12; ADP-301).
//
// Immutable once made; safe from every thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exchange/message.hpp"
#include "security/certificate.hpp"
#include "wus/schema.hpp"
#include "wus/service.hpp"
#include "wus/wsdl.hpp"

namespace schakel::wus {

// exchange::Contract::kind (README section 5).
inline constexpr std::string_view contract_kind = "wsdl";

enum class Role { provider, consumer };
std::string_view to_string(Role);

// Who may call which operations of a service that we provide (WUS-243).
struct Grant {
  std::string oin;
  std::set<std::string, std::less<>> operations;  // names; empty: all
  std::string dai_address{};                      // logical address of the sender; empty: of its OIN (dai.hpp)
};

// wsa:From addresses of a party behind a reverse proxy, as people and back-ends should know them; no message is changed (WUS-284).
struct FromAddress {
  std::string address;  // as received, without the OIN parameter
  std::string shown_as;
};

struct ServiceContract {
  std::string id, tenant, name;
  std::string digest;  // of the packed bundle
  exchange::ContractState state = exchange::ContractState::draft;
  std::int64_t version = 1;
  Role role = Role::provider;
  std::string own_oin;  // of the tenant, as which it takes part
  Settings settings;
  std::vector<Operation> operations;
  std::shared_ptr<const Schema> schema;  // may be null
  Bundle bundle;                         // as uploaded
  std::string described_address;         // soap:address of the WSDL; empty: none

  // provider
  std::string path;                    // on the external listener: "/wus/inschrijving-v1"
  std::vector<std::string> addresses;  // values of wsa:To without the OIN parameter; the first one is published
  std::vector<Grant> grants;
  std::vector<FromAddress> from_addresses;
  std::string backend_url;
  std::map<std::string, Settings, std::less<>> partner_settings;  // by OIN: in the place of `settings`
  std::string backend_dai_address;                                // logical address of the back-end; empty: of own_oin

  // consumer
  std::string endpoint;                                      // URL of the partner (or of the intermediary before it)
  std::string to_address;                                    // value of wsa:To; empty: the endpoint
  std::string from_address;                                  // value of wsa:From; empty: anonymous
  std::string partner_oin;                                   // the provider's
  std::string partner_dai_address;                           // its logical address for applications; empty: any of its OIN
  std::vector<std::string> server_oins;                      // allowed in the TLS server certificate; empty: partner_oin
  std::vector<std::string> signer_oins;                      // allowed in the signing certificate; empty: partner_oin
  std::optional<security::Certificate> partner_certificate;  // SE: what requests are encrypted for

  // The address of wsa:From as it is shown, with the OIN that it names.
  std::string shown_from(const std::string& address) const;
  // The settings for this party; null: it has none of its own.
  const Settings* settings_of(std::string_view oin) const;
  const Operation* operation(std::string_view name) const;
  const Operation* by_action(std::string_view input_action) const;
  const Operation* by_element(std::string_view namespace_uri, std::string_view local_name) const;
  // May this OIN call the operation; with a null operation: any of them?
  bool grants_to(std::string_view oin, const Operation*) const;
  // Grant::dai_address of this OIN; empty: none.
  std::string_view dai_address_of(std::string_view oin) const;
};

// Every service of every tenant that is loaded.
class Services {
 public:
  Services() = default;
  explicit Services(std::vector<std::shared_ptr<const ServiceContract>>);

  // An active provider on this path. `tenant`: of the TLS server name; empty: whichever, when one only has it (ADP-204).
  std::shared_ptr<const ServiceContract> at_path(std::string_view path, std::string_view tenant) const;
  std::shared_ptr<const ServiceContract> find(std::string_view tenant, std::string_view id) const;  // in any state
  std::shared_ptr<const ServiceContract> by_name(std::string_view tenant, std::string_view name) const;
  const std::vector<std::shared_ptr<const ServiceContract>>& all() const { return all_; }

 private:
  using Key = std::pair<std::string, std::string>;  // tenant and what is looked for

  std::vector<std::shared_ptr<const ServiceContract>> all_;
  std::map<Key, std::shared_ptr<const ServiceContract>> by_id_, by_name_;
  std::multimap<std::string, std::shared_ptr<const ServiceContract>, std::less<>> by_path_;  // active providers
};

}  // namespace schakel::wus
