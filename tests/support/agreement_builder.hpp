// Agreements as values, for tests of the core and the simulator: two parties, one service, one action each way, without a line of XML.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cpa/contracts.hpp"
#include "cpa/names.hpp"

namespace schakel::testing {

struct PartySketch {
  std::string oin, role, url;
};

class AgreementBuilder {
 public:
  AgreementBuilder(std::string cpa_id, PartySketch first, PartySketch second) : first_(std::move(first)), second_(std::move(second)) {
    agreement_.cpa_id = std::move(cpa_id);
    agreement_.version = "2_0b";
    agreement_.status = "agreed";
    agreement_.start = parse_datetime("2020-01-01T00:00:00Z").value();
    agreement_.end = parse_datetime("2040-01-01T00:00:00Z").value();
  }

  AgreementBuilder& profile(cpa::Profile profile) {
    profile_ = profile;
    return *this;
  }
  // Of the answers, when it is another than that of the questions.
  AgreementBuilder& answer_profile(cpa::Profile profile) {
    answer_profile_ = profile;
    return *this;
  }
  AgreementBuilder& reliability(std::int64_t retries, Duration interval, Duration persist) {
    retries_ = retries;
    interval_ = interval;
    persist_ = persist;
    return *this;
  }
  AgreementBuilder& service(std::string type, std::string name) {
    service_type_ = std::move(type);
    service_ = std::move(name);
    return *this;
  }
  AgreementBuilder& actions(std::string question, std::string answer) {
    question_ = std::move(question);
    answer_ = std::move(answer);
    return *this;
  }
  AgreementBuilder& synchronous(bool on = true) {
    sync_ = on;
    return *this;
  }

  // With what the parties sign and for what is encrypted to them: one certificate each (DER). Without, secured profiles are agreed that
  // nobody can carry out.
  AgreementBuilder& certificates(Bytes first, Bytes second) {
    certificates_ = {std::move(first), std::move(second)};
    return *this;
  }
  AgreementBuilder& algorithms(std::string hash_function, std::string signature_algorithm) {
    hash_function_ = std::move(hash_function);
    signature_algorithm_ = std::move(signature_algorithm);
    return *this;
  }
  AgreementBuilder& encryption(std::string algorithm) {
    encryption_algorithm_ = std::move(algorithm);
    return *this;
  }
  // 2.9 footnote 1: some agreements of secured profiles want no signed acknowledgements.
  AgreementBuilder& acknowledgment_signatures(cpa::Occurrence occurrence) {
    acknowledgment_signatures_ = occurrence;
    return *this;
  }
  // EB-191: MessageOrderSemantics Guaranteed.
  AgreementBuilder& ordered(bool on = true) {
    ordered_ = on;
    return *this;
  }

  // "question" goes from the first party to the second, "answer" the other way, both under the service "sim:Melding:1:0", unless they were
  // given other names.
  cpa::Agreement build() const {
    auto agreement = agreement_;
    agreement.parties = {party(first_, certificates_.first, question_, answer_, "A", "B"),
                         party(second_, certificates_.second, answer_, question_, "B", "A")};
    return agreement;
  }

  // The agreement as the tenant of party `own` (0 or 1) has loaded it.
  cpa::LoadedContract loaded(std::string tenant, int own) const {
    cpa::LoadedContract contract;
    contract.agreement = build();
    contract.own_party = own;
    contract.environment = "test";
    contract.row.id = agreement_.cpa_id + "-" + tenant;
    contract.row.tenant = std::move(tenant);
    contract.row.name = agreement_.cpa_id;
    contract.row.state = exchange::ContractState::active;
    return contract;
  }

 private:
  static bool is_secured(cpa::Profile profile) { return cpa::is_signed(profile) || cpa::is_encrypted(profile); }
  cpa::Profile profile_of(std::string_view action) const { return action == answer_ && answer_profile_ ? *answer_profile_ : profile_; }
  std::string channel_of(std::string_view action) const { return action == answer_ && answer_profile_ ? "Answer" : "Action"; }

  cpa::ActionBinding action(bool send, const std::string& name, const std::string& own, const std::string& other) const {
    cpa::ActionBinding binding;
    binding.can_send = send;
    binding.id = own + (send ? "_S_" : "_R_") + name;
    binding.action = name;
    binding.package_id = "MessagePackage";
    binding.other_party_binding = other + (send ? "_R_" : "_S_") + name;
    binding.channel_ids = {own + "_Channel_" + channel_of(name)};
    binding.characteristics.confidential = cpa::is_encrypted(profile_of(name)) ? "transient-and-persistent" : "transient";
    binding.characteristics.authenticated = "transient";
    binding.characteristics.tamper_proof = "transient";
    binding.characteristics.non_repudiation = is_secured(profile_of(name));
    binding.characteristics.non_repudiation_receipt = false;
    binding.characteristics.authorization = true;
    binding.characteristics.intelligible_check = false;
    return binding;
  }

  cpa::Binding binding(bool reliable) const {
    cpa::Binding out;
    if (!reliable) return out;
    out.has_reliable_messaging = true;
    out.retries = retries_;
    out.retry_interval = CalendarDuration{0, interval_, false};
    out.persist_duration = CalendarDuration{0, persist_, false};
    out.order_guaranteed = ordered_;
    return out;
  }

  cpa::PartyInfo party(const PartySketch& own, const Bytes& certificate, const std::string& sends, const std::string& receives,
                       const std::string& prefix, const std::string& other_prefix) const {
    cpa::PartyInfo out;
    out.name = "Party " + prefix;
    out.ids = {{"urn:osb:oin", own.oin}};
    out.default_channel_id = prefix + "_Channel_Msh";
    out.default_package_id = "MshSignalPackage";

    cpa::CollaborationRole role;
    role.role = own.role;
    role.process_name = "Melding";
    role.process_version = "1.0";
    role.service = service_;
    role.service_type = service_type_;
    role.actions = {action(true, sends, prefix, other_prefix), action(false, receives, prefix, other_prefix)};
    out.roles = {role};

    const auto channel = [&](const std::string& name, std::optional<cpa::Profile> profile) {
      cpa::DeliveryChannel made;
      made.id = prefix + "_Channel_" + name;
      made.transport_id = prefix + "_Transport";
      made.doc_exchange_id = prefix + "_DocExchange_" + name;
      const auto when = profile && cpa::is_reliable(*profile) ? cpa::Occurrence::always : cpa::Occurrence::never;
      made.characteristics.ack_requested = when;
      made.characteristics.duplicate_elimination = when;
      made.characteristics.ack_signature_requested = profile && cpa::is_reliable(*profile) && is_secured(*profile) && !certificate.empty()
                                                         ? acknowledgment_signatures_
                                                         : cpa::Occurrence::never;
      made.characteristics.sync_reply = sync_ ? cpa::SyncReplyMode::msh_signals_only : cpa::SyncReplyMode::none;
      made.characteristics.sync_reply_text = sync_ ? "mshSignalsOnly" : "none";
      made.characteristics.actor = "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH";
      return made;
    };
    out.channels = {channel("Msh", std::nullopt), channel("Action", profile_)};
    if (answer_profile_) out.channels.push_back(channel("Answer", answer_profile_));

    cpa::Transport transport;
    transport.id = prefix + "_Transport";
    transport.has_sender = transport.has_receiver = true;
    transport.sender_protocol = transport.receiver_protocol = "HTTP";
    transport.sender_protocol_version = transport.receiver_protocol_version = "1.1";
    transport.has_client_security = transport.has_server_security = true;
    transport.client_security_protocol = transport.server_security_protocol = "TLS";
    transport.client_security_version = transport.server_security_version = "1.2";
    transport.endpoints = {{own.url, "allPurpose"}};
    out.transports = {transport};

    cpa::NonRepudiation non_repudiation;
    cpa::DigitalEnvelope envelope;
    if (!certificate.empty()) {
      out.certificates = {{prefix + "_Certificate", certificate}};
      non_repudiation = {std::string(cpa::names::ds), hash_function_, signature_algorithm_, out.certificates.front().id, {}};
      envelope = {std::string(cpa::names::ds), encryption_algorithm_, out.certificates.front().id, {}};
    }
    const bool any_secured = is_secured(profile_) || (answer_profile_ && is_secured(*answer_profile_));
    const auto exchange = [&](const std::string& name, std::optional<cpa::Profile> profile) {
      cpa::DocExchange made;
      made.id = prefix + "_DocExchange_" + name;
      made.sender = made.receiver = binding(profile && cpa::is_reliable(*profile));
      const bool signs = profile ? is_secured(*profile) : any_secured && !certificate.empty();  // signals too (cpa.md 2.3)
      if (signs) made.sender->non_repudiation = made.receiver->non_repudiation = non_repudiation;
      if (profile && cpa::is_encrypted(*profile)) made.sender->envelope = made.receiver->envelope = envelope;
      return made;
    };
    out.doc_exchanges = {exchange("Msh", std::nullopt), exchange("Action", profile_)};
    if (answer_profile_) out.doc_exchanges.push_back(exchange("Answer", answer_profile_));
    return out;
  }

  cpa::Agreement agreement_;
  PartySketch first_, second_;
  std::string service_type_ = "urn:osb:services", service_ = "sim:Melding:1:0", question_ = "question", answer_ = "answer";
  cpa::Profile profile_ = cpa::Profile::osb_rm;
  std::optional<cpa::Profile> answer_profile_;
  std::int64_t retries_ = 39;
  Duration interval_ = std::chrono::hours(3);
  Duration persist_ = std::chrono::hours(120);
  std::pair<Bytes, Bytes> certificates_;
  std::string hash_function_{cpa::names::sha256}, signature_algorithm_{cpa::names::rsa_sha256};
  std::string encryption_algorithm_{cpa::names::aes256_gcm};
  cpa::Occurrence acknowledgment_signatures_ = cpa::Occurrence::always;
  bool sync_ = false, ordered_ = false;
};

}  // namespace schakel::testing
