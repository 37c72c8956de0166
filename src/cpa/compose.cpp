#include "cpa/compose.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "cpa/names.hpp"
#include "cpa/party_id.hpp"

namespace schakel::cpa {
namespace {

using security::Certificate;
using namespace std::chrono_literals;

constexpr std::int64_t default_retries = 39;  // CPA-028
constexpr std::string_view default_retry_interval = "PT3H";
constexpr Duration default_persist_duration = 120h;
constexpr CalendarDuration validity_max{120, Duration(0), false};

Error refused(std::string detail, std::string place = {}) {
  return fail("compose.refused", std::move(detail), std::move(place));
}

// --- names and ids

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Every character outside A-Z a-z 0-9 and `also` replaced.
std::string reduced(std::string_view text, std::string_view also, char by) {
  std::string out(text);
  for (char& c : out) {
    if (!is_plain(c) && also.find(c) == std::string_view::npos) c = by;
  }
  return out;
}

std::string nc_name(std::string_view text) {
  auto out = reduced(text, "-._", '_');
  if (out.empty() || !((out.front() >= 'a' && out.front() <= 'z') || (out.front() >= 'A' && out.front() <= 'Z'))) out.insert(0, 1, '_');
  return out;
}

// IDs are unique in the whole document: a name that is taken gets a number.
class Ids {
 public:
  std::string fresh(const std::string& wanted) {
    auto id = wanted;
    for (int number = 2; !taken_.insert(id).second; ++number) id = wanted + "_" + std::to_string(number);
    return id;
  }

 private:
  std::set<std::string> taken_;
};

// --- writing

class Writer {
 public:
  using Attributes = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  void open(std::string_view name, Attributes attributes = {}) {
    start(name, attributes);
    out_ += ">\n";
    open_.emplace_back(name);
  }
  void close() {
    const auto name = open_.back();
    open_.pop_back();
    indent();
    out_.append("</").append(name).append(">\n");
  }
  void empty(std::string_view name, Attributes attributes) {
    start(name, attributes);
    out_ += "/>\n";
  }
  void text(std::string_view name, std::string_view content, Attributes attributes = {}) {
    start(name, attributes);
    out_.append(">").append(xml::escaped(content)).append("</").append(name).append(">\n");
  }
  Bytes take() { return std::move(out_); }

 private:
  void indent() { out_.append(2 * open_.size(), ' '); }
  // An attribute with an empty value is left out, but for xlink:href, which must be there.
  void start(std::string_view name, Attributes attributes) {
    indent();
    out_.append("<").append(name);
    for (const auto& [attribute, value] : attributes) {
      if (value.empty() && attribute != "xlink:href") continue;
      out_.append(" ").append(attribute).append("=\"").append(xml::escaped(value)).append("\"");
    }
  }

  Bytes out_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  std::vector<std::string> open_;
};

// --- what is to be written

struct Binding {
  std::string id, other_id, action, package_id, time_to_perform;
  bool can_send = false;
};
struct Role {
  const SpecifiedRole* specified = nullptr;
  const PartyDescription* party = nullptr;
  std::string prefix;
  std::vector<std::vector<Binding>> services;  // as in the specification
  std::string client_certificate, server_certificate, signing_certificate, encryption_certificate, trust;
  std::vector<std::pair<std::string, Certificate>> certificates;
  std::vector<std::pair<std::string, Certificate>> anchors;
};
struct Package {
  std::string id, mime_type;
};
struct Terms {
  std::int64_t retries = default_retries;
  std::string retry_interval, persist_duration;
  bool order_guaranteed = false;
  std::string sync_reply = "none";
};
struct Plan {
  const ComposeRequest& request;
  Profile profile;
  std::array<Role, 2> roles;  // consumer, provider
  std::vector<Package> packages;
  Terms terms;
  SecurityTerms security;
  Instant start{}, end{};
  std::string cpa_id;
};

// --- planning

Result<Terms> plan_terms(const ComposeRequest& request, const std::array<Role, 2>& roles) {
  Terms out;
  const auto profile = request.specification.profile;
  const auto given = request.reliability ? request.reliability : request.specification.reliability;
  if (!is_reliable(profile)) {
    if (request.reliability) return refused("a best-effort profile has no reliability terms", "/reliability");
    return out;
  }
  const auto both = [&](auto flag) { return roles[0].party->*flag && roles[1].party->*flag; };
  out.retry_interval = default_retry_interval;
  if (given) {
    if (given->signals_in_sync && !both(&PartyDescription::sync_reply))
      return refused("both parties must support synchronous signals", "/reliability/syncReplyMode");
    if (given->order_guaranteed && !both(&PartyDescription::message_order))
      return refused("both parties must support ordered messages", "/reliability/messageOrder");
    out.retries = given->retries.value_or(default_retries);
    if (!given->retry_interval.empty()) out.retry_interval = given->retry_interval;
    out.persist_duration = given->persist_duration;
    out.order_guaranteed = given->order_guaranteed;
    if (given->signals_in_sync) out.sync_reply = "mshSignalsOnly";
  }
  if (out.persist_duration.empty()) {
    const auto interval = parse_xs_duration(out.retry_interval);
    if (!interval || interval->has_calendar_part() || out.retries < 0 || out.retries > 100'000)
      return refused("the retries or their interval make no sense", "/reliability");
    const auto needed = (1 + out.retries) * interval->rest;
    out.persist_duration = needed <= default_persist_duration ? "P5D" : to_xs_duration(needed);
  }
  return out;
}

// Everything outside the parties' own choice that must hold before composing (3.8 step 1).
Result<> check_parties(const ComposeRequest& request, const std::array<Role, 2>& roles) {
  const auto &consumer = *roles[0].party, &provider = *roles[1].party;
  if (provider.oin != request.specification.provider_oin)
    return refused("the provider's OIN is not that of the specification", "/roles/" + roles[1].specified->name);
  if ((consumer.environment == "P") != (provider.environment == "P"))
    return refused("one party is in production, the other is not", "/roles");
  const auto& wanted = request.specification.environment;
  if (!wanted.empty() && (wanted == "P") != (consumer.environment == "P"))
    return refused("the specification is for another environment", "/roles");
  for (const auto& role : roles) {
    const auto& profiles = role.party->profiles;
    const auto place = "/roles/" + role.specified->name;
    if (std::find(profiles.begin(), profiles.end(), request.specification.profile) == profiles.end()) {
      return refused("the party does not support " + std::string(to_string(request.specification.profile)), place + "/profiles");
    }
    if (!role.party->tls_client || !role.party->tls_server)
      return refused("a TLS client and a TLS server certificate are needed", place + "/certificates");
    if (is_signed(request.specification.profile) && !role.party->signing)
      return refused("a signing certificate is needed", place + "/certificates/signing");
    if (is_encrypted(request.specification.profile) && !role.party->encryption) {
      return refused("an encryption certificate is needed", place + "/certificates/encryption");
    }
  }
  return {};
}

Result<std::array<Role, 2>> plan_roles(const ComposeRequest& request) {
  std::array<Role, 2> out;
  out[0].specified = &request.specification.consumer();
  out[1].specified = &request.specification.provider();
  const bool same_names = nc_name(out[0].specified->name) == nc_name(out[1].specified->name);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto found = request.roles.find(out[i].specified->name);
    if (found == request.roles.end()) return refused("no party is assigned to role " + for_log(out[i].specified->name), "/roles");
    out[i].party = &found->second;
    out[i].prefix = (same_names ? (i == 0 ? "A_" : "B_") : "") + nc_name(out[i].specified->name);
  }
  if (request.roles.size() != 2) return refused("a party is assigned to a role that the specification does not have", "/roles");
  return out;
}

void plan_certificates(const ComposeRequest& request, std::array<Role, 2>& roles, Ids& ids) {
  const auto profile = request.specification.profile;
  for (std::size_t i = 0; i < 2; ++i) {
    auto& role = roles[i];
    const auto add = [&](std::string_view name, const Certificate& certificate) {
      auto id = ids.fresh(role.prefix + std::string(name));
      role.certificates.emplace_back(id, certificate);
      return id;
    };
    const bool one_tls = *role.party->tls_client == *role.party->tls_server;
    role.client_certificate = add(one_tls ? "_TlsCert" : "_TlsClientCert", *role.party->tls_client);
    role.server_certificate = one_tls ? role.client_certificate : add("_TlsServerCert", *role.party->tls_server);
    if (is_signed(profile)) role.signing_certificate = add("_SigningCert", *role.party->signing);
    if (is_encrypted(profile)) role.encryption_certificate = add("_EncryptionCert", *role.party->encryption);
    // A party's anchors are the CAs of the *other* party's certificates (CPA-035).
    int number = 0;
    for (const auto& authority : roles[1 - i].party->authorities) {
      role.anchors.emplace_back(ids.fresh(role.prefix + "_Anchor" + std::to_string(++number)), authority);
    }
    if (!role.anchors.empty()) role.trust = ids.fresh(role.prefix + "_Trust");
  }
}

std::string package_for(std::vector<Package>& packages, const std::string& mime_type, bool encrypted, Ids& ids) {
  const auto found = std::find_if(packages.begin(), packages.end(), [&](const Package& package) { return package.mime_type == mime_type; });
  if (found != packages.end()) return found->id;
  packages.push_back({ids.fresh(encrypted ? "EncryptedMessagePackage" : "MessagePackage"), mime_type});
  return packages.back().id;
}

void plan_actions(Plan& plan, Ids& ids) {
  const auto& specification = plan.request.specification;
  for (auto& role : plan.roles) role.services.resize(specification.services.size());
  for (std::size_t s = 0; s < specification.services.size(); ++s) {
    for (const auto& message : specification.services[s].messages) {
      const bool from_consumer = message.from == plan.roles[0].specified->name;
      auto& sender = plan.roles[from_consumer ? 0 : 1];
      auto& receiver = plan.roles[from_consumer ? 1 : 0];
      Binding out;
      out.action = message.action;
      out.package_id = package_for(plan.packages, message.mime_type, is_encrypted(plan.profile), ids);
      out.time_to_perform = plan.request.time_to_perform.empty() ? message.time_to_perform : plan.request.time_to_perform;
      const auto name = nc_name(message.action);
      const auto sends = ids.fresh(sender.prefix + "_S_" + name), receives = ids.fresh(receiver.prefix + "_R_" + name);
      out.can_send = true;
      out.id = sends;
      out.other_id = receives;
      sender.services[s].push_back(out);
      out.can_send = false;
      std::swap(out.id, out.other_id);
      receiver.services[s].push_back(out);
    }
  }
}

// CPA-011, CPA-060
Result<> plan_period(Plan& plan, Instant now) {
  plan.start = plan.request.start.value_or(std::chrono::floor<std::chrono::seconds>(now));
  const auto latest = validity_max.after(plan.start);
  if (plan.request.end) {
    plan.end = *plan.request.end;
  } else {
    plan.end = latest;
    for (const auto& role : plan.roles) {
      for (const auto& [id, certificate] : role.certificates) {
        const bool tls = id == role.client_certificate || id == role.server_certificate;
        if (!(tls && role.party->tls_offloaded)) plan.end = std::min(plan.end, certificate->not_after);
      }
    }
  }
  if (plan.end <= plan.start) return refused("the agreement would end before it starts", "/end");
  return {};
}

Result<> plan_id(Plan& plan, Random& random) {
  const auto& request = plan.request;
  if (!request.cpa_id.empty()) {
    plan.cpa_id = request.cpa_id;
    return {};
  }
  const auto service = reduced(request.specification.services.front().name, "-", '-');
  const auto party_a = reduced(plan.roles[0].party->party_id, "-_", '-'), party_b = reduced(plan.roles[1].party->party_id, "-_", '-');
  const auto version = request.version.empty() ? uuid_v4(random) : request.version;
  switch (request.id_form) {
    case IdForm::best_practice:
      plan.cpa_id = service + "_" + party_a + "_" + party_b + "_" + version;
      break;
    case IdForm::toolkit:
      plan.cpa_id = service + "_" + party_a + "-" + party_b + "_" + version;
      break;
    case IdForm::standard: {
      const bool serial =
          request.version.size() == 4 && std::all_of(version.begin(), version.end(), [](char c) { return c >= '0' && c <= '9'; });
      if (!serial) return refused("this form of id needs a version of four digits", "/cpaVersion");
      plan.cpa_id = party_a + party_b + version;
      break;
    }
  }
  return {};
}

std::string mixed_detail(const std::vector<ServiceSpecification>& parts) {
  std::string out = "the actions follow more than one profile; an agreement has one:";
  for (const auto& part : parts) {
    out += (&part == parts.data() ? " " : "; ") + part.identifying_name + " (" + std::string(to_string(part.profile)) + "):";
    for (const auto& service : part.services) {
      for (const auto& message : service.messages) out += " " + message.action;
    }
  }
  return out;
}

// --- the document, in the order of cpa.md 2.1

std::string process_link(const Plan& plan, std::string_view fragment = {}) {
  return plan.request.specification.process_uri + (fragment.empty() ? "" : "#" + reduced(fragment, "-._", '_'));
}

void write_binding(Writer& out, const Plan& plan, const Role& role, const Binding& binding) {
  const bool is_signed_profile = is_signed(plan.profile), is_encrypted_profile = is_encrypted(plan.profile);
  const std::string_view durable = "transient-and-persistent", passing = "transient";
  out.open(binding.can_send ? "tns:CanSend" : "tns:CanReceive");
  out.open("tns:ThisPartyActionBinding", {{"tns:id", binding.id}, {"tns:action", binding.action}, {"tns:packageId", binding.package_id}});
  out.empty("tns:BusinessTransactionCharacteristics",
            {{"tns:isNonRepudiationRequired", is_signed_profile ? "true" : "false"},
             {"tns:isNonRepudiationReceiptRequired", is_signed_profile && is_reliable(plan.profile) ? "true" : "false"},
             {"tns:isConfidential", is_encrypted_profile ? durable : passing},
             {"tns:isAuthenticated", is_signed_profile ? durable : passing},
             {"tns:isTamperProof", is_signed_profile ? durable : passing},
             {"tns:isAuthorizationRequired", "true"},
             {"tns:isIntelligibleCheckRequired", "false"},
             {"tns:timeToPerform", binding.time_to_perform}});
  out.text("tns:ChannelId", role.prefix + "_Channel_Action");
  out.close();
  out.text("tns:OtherPartyActionBinding", binding.other_id);
  out.close();
}

void write_roles(Writer& out, const Plan& plan, const Role& role) {
  const auto& specification = plan.request.specification;
  for (std::size_t s = 0; s < specification.services.size(); ++s) {
    out.open("tns:CollaborationRole");
    out.empty("tns:ProcessSpecification", {{"tns:name", specification.process_name},
                                           {"tns:version", specification.process_version},
                                           {"xlink:type", "simple"},
                                           {"xlink:href", process_link(plan)},
                                           {"tns:uuid", specification.process_uuid}});
    out.empty("tns:Role",
              {{"tns:name", role.specified->name}, {"xlink:type", "simple"}, {"xlink:href", process_link(plan, role.specified->name)}});
    out.open("tns:ServiceBinding");
    out.text("tns:Service", specification.services[s].name, {{"tns:type", specification.services[s].type}});
    for (const bool sends : {true, false}) {
      for (const auto& binding : role.services[s]) {
        if (binding.can_send == sends) write_binding(out, plan, role, binding);
      }
    }
    out.close();
    out.close();
  }
}

void write_certificate(Writer& out, const std::string& id, const Certificate& certificate) {
  out.open("tns:Certificate", {{"tns:certId", id}});
  out.open("ds:KeyInfo");
  out.open("ds:X509Data");
  out.text("ds:X509Certificate", to_base64(certificate->der));
  out.close();
  out.close();
  out.close();
}

void write_certificates(Writer& out, const Role& role) {
  for (const auto& [id, certificate] : role.certificates) write_certificate(out, id, certificate);
  for (const auto& [id, certificate] : role.anchors) write_certificate(out, id, certificate);
  if (role.anchors.empty()) return;
  out.open("tns:SecurityDetails", {{"tns:securityId", role.trust}});
  out.open("tns:TrustAnchors");
  for (const auto& [id, certificate] : role.anchors) out.empty("tns:AnchorCertificateRef", {{"tns:certId", id}});
  out.close();
  out.close();
}

void write_channels(Writer& out, const Plan& plan, const Role& role) {
  for (const std::string_view name : {"Msh", "Action"}) {
    const bool reliable = name == "Action" && is_reliable(plan.profile);
    const std::string_view always = reliable ? "always" : "never";
    out.open("tns:DeliveryChannel", {{"tns:channelId", role.prefix + "_Channel_" + std::string(name)},
                                     {"tns:transportId", role.prefix + "_Transport"},
                                     {"tns:docExchangeId", role.prefix + "_DocExchange_" + std::string(name)}});
    out.empty("tns:MessagingCharacteristics", {{"tns:syncReplyMode", plan.terms.sync_reply},
                                               {"tns:ackRequested", always},
                                               {"tns:ackSignatureRequested", reliable && is_signed(plan.profile) ? "always" : "never"},
                                               {"tns:duplicateElimination", always},
                                               {"tns:actor", names::to_party_actor}});
    out.close();
  }
}

void write_transport(Writer& out, const Role& role) {
  const auto security = [&](std::string_view reference, const std::string& certificate, std::string_view details) {
    out.text("tns:TransportSecurityProtocol", "TLS", {{"tns:version", "1.2"}});
    out.empty(reference, {{"tns:certId", certificate}});
    if (!role.trust.empty()) out.empty(details, {{"tns:securityId", role.trust}});
    out.close();
  };
  out.open("tns:Transport", {{"tns:transportId", role.prefix + "_Transport"}});
  out.open("tns:TransportSender");
  out.text("tns:TransportProtocol", "HTTP", {{"tns:version", "1.1"}});
  out.open("tns:TransportClientSecurity");
  security("tns:ClientCertificateRef", role.client_certificate, "tns:ServerSecurityDetailsRef");
  out.close();
  out.open("tns:TransportReceiver");
  out.text("tns:TransportProtocol", "HTTP", {{"tns:version", "1.1"}});
  out.empty("tns:Endpoint", {{"tns:uri", role.party->endpoint_url}, {"tns:type", "allPurpose"}});
  out.open("tns:TransportServerSecurity");
  security("tns:ServerCertificateRef", role.server_certificate, "tns:ClientSecurityDetailsRef");
  out.close();
  out.close();
}

void write_namespace(Writer& out) {
  out.text("tns:NamespaceSupported", names::message_header, {{"tns:location", names::message_header}, {"tns:version", "2.0"}});
}

void write_doc_exchange_binding(Writer& out, const Plan& plan, const Role& role, bool business, bool sender) {
  out.open(sender ? "tns:ebXMLSenderBinding" : "tns:ebXMLReceiverBinding", {{"tns:version", "2.0"}});
  if (business && is_reliable(plan.profile)) {
    out.open("tns:ReliableMessaging");
    out.text("tns:Retries", std::to_string(plan.terms.retries));
    out.text("tns:RetryInterval", plan.terms.retry_interval);
    out.text("tns:MessageOrderSemantics", plan.terms.order_guaranteed ? "Guaranteed" : "NotGuaranteed");
    out.close();
    out.text("tns:PersistDuration", plan.terms.persist_duration);
  }
  if (is_signed(plan.profile)) {
    out.open(sender ? "tns:SenderNonRepudiation" : "tns:ReceiverNonRepudiation");
    out.text("tns:NonRepudiationProtocol", names::ds, {{"tns:version", "1.0"}});
    out.text("tns:HashFunction", plan.security.hash_function);
    out.text("tns:SignatureAlgorithm", plan.security.signature_algorithm, {{"tns:w3c", plan.security.signature_algorithm}});
    if (sender) out.empty("tns:SigningCertificateRef", {{"tns:certId", role.signing_certificate}});
    if (!sender && !role.trust.empty()) out.empty("tns:SigningSecurityDetailsRef", {{"tns:securityId", role.trust}});
    out.close();
  }
  if (business && is_encrypted(plan.profile)) {
    out.open(sender ? "tns:SenderDigitalEnvelope" : "tns:ReceiverDigitalEnvelope");
    out.text("tns:DigitalEnvelopeProtocol", "XMLENC", {{"tns:version", "1.0"}});
    out.text("tns:EncryptionAlgorithm", plan.security.encryption_algorithm, {{"tns:w3c", plan.security.encryption_algorithm}});
    if (sender && !role.trust.empty()) out.empty("tns:EncryptionSecurityDetailsRef", {{"tns:securityId", role.trust}});
    if (!sender) out.empty("tns:EncryptionCertificateRef", {{"tns:certId", role.encryption_certificate}});
    out.close();
  }
  write_namespace(out);
  out.close();
}

void write_party(Writer& out, const Plan& plan, const Role& role) {
  out.open("tns:PartyInfo", {{"tns:partyName", role.party->party_name},
                             {"tns:defaultMshChannelId", role.prefix + "_Channel_Msh"},
                             {"tns:defaultMshPackageId", "MshSignalPackage"}});
  out.text("tns:PartyId", role.party->party_id, {{"tns:type", role.party->party_id_type}});
  out.empty("tns:PartyRef", {{"xlink:type", "simple"}, {"xlink:href", ""}});
  write_roles(out, plan, role);
  write_certificates(out, role);
  write_channels(out, plan, role);
  write_transport(out, role);
  for (const bool business : {false, true}) {
    out.open("tns:DocExchange", {{"tns:docExchangeId", role.prefix + (business ? "_DocExchange_Action" : "_DocExchange_Msh")}});
    for (const bool sender : {true, false}) write_doc_exchange_binding(out, plan, role, business, sender);
    out.close();
  }
  out.close();
}

void write_packaging(Writer& out, const Plan& plan) {
  const auto suffix = [](std::size_t i) { return i == 0 ? std::string() : "_" + std::to_string(i + 1); };
  out.open("tns:SimplePart", {{"tns:id", "MsgHdr"}, {"tns:mimetype", "text/xml"}});
  write_namespace(out);
  out.close();
  for (std::size_t i = 0; i < plan.packages.size(); ++i) {
    out.empty("tns:SimplePart", {{"tns:id", "Payload" + suffix(i)}, {"tns:mimetype", plan.packages[i].mime_type}});
  }
  const auto open_package = [&](std::string_view id) {
    out.open("tns:Packaging", {{"tns:id", id}});
    out.empty("tns:ProcessingCapabilities", {{"tns:parse", "true"}, {"tns:generate", "true"}});
    out.open("tns:CompositeList");
  };
  const auto composite = [&](std::string_view id, std::string_view payload) {
    out.open("tns:Composite", {{"tns:id", id}, {"tns:mimetype", "multipart/related"}, {"tns:mimeparameters", "type=text/xml"}});
    out.empty("tns:Constituent", {{"tns:idref", "MsgHdr"}});
    if (!payload.empty()) out.empty("tns:Constituent", {{"tns:idref", payload}, {"tns:minOccurs", "1"}});
    out.close();
    out.close();
    out.close();
  };
  open_package("MshSignalPackage");
  composite("MshSignal", "");
  for (std::size_t i = 0; i < plan.packages.size(); ++i) {
    open_package(plan.packages[i].id);
    auto payload = "Payload" + suffix(i);
    if (is_encrypted(plan.profile)) {
      const auto encrypted = "EncryptedPayload" + suffix(i);
      out.open("tns:Encapsulation", {{"tns:id", encrypted}, {"tns:mimetype", "application/xml"}});
      out.empty("tns:Constituent", {{"tns:idref", payload}});
      out.close();
      payload = encrypted;
    }
    composite("Message" + suffix(i), payload);
  }
}

Bytes write_agreement(const Plan& plan) {
  Writer out;
  out.open("tns:CollaborationProtocolAgreement", {{"xmlns:tns", names::cpa},
                                                  {"xmlns:ds", names::ds},
                                                  {"xmlns:xlink", names::xlink},
                                                  {"tns:cpaid", plan.cpa_id},
                                                  {"tns:version", "2_0b"}});
  out.empty("tns:Status", {{"tns:value", plan.request.proposed ? "proposed" : "agreed"}});
  out.text("tns:Start", to_xs_datetime(plan.start));
  out.text("tns:End", to_xs_datetime(plan.end));
  for (const auto& role : plan.roles) write_party(out, plan, role);
  write_packaging(out, plan);
  if (!plan.request.comment.empty()) out.text("tns:Comment", plan.request.comment);
  out.close();
  return out.take();
}

// --- judging what was made

Validation judge_composed(const Plan& plan, BytesView document, Instant now) {
  ValidationOptions options;
  options.mode = Mode::compose;
  options.now = now;
  options.production_environment = plan.roles[0].party->environment == "P";
  options.tls_offloaded = plan.roles[0].party->tls_offloaded || plan.roles[1].party->tls_offloaded;
  options.message_order = plan.terms.order_guaranteed;
  options.mandates = plan.request.mandates;
  options.certificates = plan.request.certificates;
  auto out = validate(document, options);
  if (plan.request.end_beyond_certificates) {
    for (auto& finding : out.findings) {
      if (finding.code == "V37c") finding.severity = Severity::warning;
    }
  }
  return out;
}

Error refusal(const Validation& validation) {
  std::string out;
  std::string place;
  for (const auto& finding : validation.findings) {
    if (finding.severity != Severity::error) continue;
    if (place.empty()) place = finding.path;
    out.append(out.empty() ? "" : "; ").append(finding.code).append(": ").append(finding.message);
  }
  return fail("contract.invalid", std::move(out), std::move(place));
}

SecurityTerms security_terms(const ServiceSpecification& specification) {
  auto out = specification.security.value_or(SecurityTerms{});
  if (out.hash_function.empty()) out.hash_function = names::sha256;
  if (out.signature_algorithm.empty()) out.signature_algorithm = names::rsa_sha256;
  if (out.encryption_algorithm.empty()) out.encryption_algorithm = names::aes256_gcm;
  return out;
}

// IDs that the document always has.
void reserve(Ids& ids, const std::array<Role, 2>& roles) {
  for (const std::string_view id : {"MsgHdr", "Payload", "MshSignalPackage", "MshSignal", "Message", "EncryptedPayload"})
    ids.fresh(std::string(id));
  for (const auto& role : roles) {
    for (const std::string_view name : {"_Channel_Msh", "_Channel_Action", "_Transport", "_DocExchange_Msh", "_DocExchange_Action"}) {
      ids.fresh(role.prefix + std::string(name));
    }
  }
}

}  // namespace

Result<ComposedAgreement> compose(const ComposeRequest& request, Random& random, Instant now) {
  if (const auto parts = split_by_profile(request.specification); parts.size() > 1)
    return fail("compose.mixedProfiles", mixed_detail(parts));
  Ids ids;
  Plan plan{request, request.specification.profile, {}, {}, {}, security_terms(request.specification), {}, {}, {}};
  SCHAKEL_TRY(plan.roles, plan_roles(request));
  reserve(ids, plan.roles);
  SCHAKEL_CHECK(check_parties(request, plan.roles));
  SCHAKEL_TRY(plan.terms, plan_terms(request, plan.roles));
  plan_certificates(request, plan.roles, ids);
  plan_actions(plan, ids);
  SCHAKEL_CHECK(plan_period(plan, now));
  SCHAKEL_CHECK(plan_id(plan, random));

  ComposedAgreement out;
  out.cpa_id = plan.cpa_id;
  out.document = write_agreement(plan);
  auto validation = judge_composed(plan, out.document, now);
  if (validation.refused()) return refusal(validation);
  out.findings = std::move(validation.findings);
  return out;
}

}  // namespace schakel::cpa
