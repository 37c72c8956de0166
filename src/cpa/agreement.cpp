#include "cpa/agreement.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "cpa/grammar.hpp"
#include "cpa/names.hpp"
#include "cpa/reading.hpp"
#include "xml/grammar.hpp"

namespace schakel::cpa {
namespace {

constexpr std::array profile_names = {std::string_view("osb-be"),   std::string_view("osb-rm"),   std::string_view("osb-be-s"),
                                      std::string_view("osb-rm-s"), std::string_view("osb-be-e"), std::string_view("osb-rm-e")};

template <class Item>
const Item* by_id(const std::vector<Item>& items, std::string_view id) {
  const auto found = std::find_if(items.begin(), items.end(), [id](const Item& item) { return item.id == id; });
  return found == items.end() ? nullptr : &*found;
}

// One element of a CPA, read by name: attributes and children are in the namespace of CPPA. A value that the grammar allows but that no
// clock or counter can hold is kept as the reading's fault.
class Reader {
 public:
  explicit Reader(std::string& fault) : fault_(fault) {}

  static std::string value(xml::Element element, std::string_view name) {
    const auto found = element.attribute(names::cpa, name);
    return found ? std::string(trim(*found)) : std::string();
  }
  static std::string text(xml::Element element) { return std::string(trim(element.text())); }
  static xml::Element child(xml::Element element, std::string_view name) { return element.child(names::cpa, name); }
  static std::vector<xml::Element> children(xml::Element element, std::string_view name) { return element.children(names::cpa, name); }
  // Text of a child; empty when there is none.
  static std::string text_of(xml::Element element, std::string_view name) {
    const auto found = child(element, name);
    return found ? text(found) : std::string();
  }
  static std::string certificate_ref(xml::Element element, std::string_view name) {
    const auto found = child(element, name);
    return found ? value(found, "certId") : std::string();
  }
  static std::string security_ref(xml::Element element, std::string_view name) {
    const auto found = child(element, name);
    return found ? value(found, "securityId") : std::string();
  }

  std::optional<bool> boolean(xml::Element element, std::string_view name) {
    const auto text_value = value(element, name);
    if (text_value.empty()) return std::nullopt;
    return text_value == "true" || text_value == "1";
  }
  std::optional<std::int64_t> integer(std::string text_value, xml::Element at) {
    if (text_value.empty()) return std::nullopt;
    constexpr std::int64_t magnitude_max = 1'000'000'000;
    const bool negative = text_value.front() == '-';
    if (negative || text_value.front() == '+') text_value.erase(0, 1);
    std::int64_t number = 0;
    for (const char c : text_value) {
      number = number * 10 + (c - '0');
      if (c < '0' || c > '9' || number > magnitude_max) return wrong<std::int64_t>(at, "a number out of range");
    }
    return negative ? -number : number;
  }
  std::optional<CalendarDuration> duration(const std::string& text_value, xml::Element at) {
    if (text_value.empty()) return std::nullopt;
    const auto parsed = parse_xs_duration(text_value);
    if (!parsed) return wrong<CalendarDuration>(at, "a duration out of range");
    return *parsed;
  }
  ParsedTime time(xml::Element element) {
    const auto parsed = parse_datetime(text(element));
    if (!parsed) wrong<int>(element, "a time out of range");
    return parsed ? *parsed : ParsedTime{};
  }

 private:
  template <class T>
  std::optional<T> wrong(xml::Element at, std::string_view what) {
    if (fault_.empty()) fault_ = at.path() + ": " + std::string(what);
    return std::nullopt;
  }

  std::string& fault_;
};

Occurrence occurrence_from(std::string_view text) {
  return text == "always" ? Occurrence::always : text == "never" ? Occurrence::never : Occurrence::per_message;
}

MessagingCharacteristics read_characteristics(xml::Element element) {
  MessagingCharacteristics out;
  out.sync_reply_text = Reader::value(element, "syncReplyMode");
  if (out.sync_reply_text.empty()) out.sync_reply_text = "none";
  out.sync_reply = out.sync_reply_text == "none"             ? SyncReplyMode::none
                   : out.sync_reply_text == "mshSignalsOnly" ? SyncReplyMode::msh_signals_only
                                                             : SyncReplyMode::other;
  out.ack_requested = occurrence_from(Reader::value(element, "ackRequested"));
  out.ack_signature_requested = occurrence_from(Reader::value(element, "ackSignatureRequested"));
  out.duplicate_elimination = occurrence_from(Reader::value(element, "duplicateElimination"));
  out.actor = Reader::value(element, "actor");
  return out;
}

DeliveryChannel read_channel(xml::Element element) {
  DeliveryChannel out;
  out.id = Reader::value(element, "channelId");
  out.transport_id = Reader::value(element, "transportId");
  out.doc_exchange_id = Reader::value(element, "docExchangeId");
  out.characteristics = read_characteristics(Reader::child(element, "MessagingCharacteristics"));
  return out;
}

void read_sender(Transport& out, xml::Element sender) {
  out.has_sender = true;
  const auto protocol = Reader::child(sender, "TransportProtocol");
  out.sender_protocol = Reader::text(protocol);
  out.sender_protocol_version = Reader::value(protocol, "version");
  if (Reader::child(sender, "AccessAuthentication")) out.has_access_authentication = true;
  const auto security = Reader::child(sender, "TransportClientSecurity");
  if (!security) return;
  out.has_client_security = true;
  const auto security_protocol = Reader::child(security, "TransportSecurityProtocol");
  out.client_security_protocol = Reader::text(security_protocol);
  out.client_security_version = Reader::value(security_protocol, "version");
  out.client_certificate_ref = Reader::certificate_ref(security, "ClientCertificateRef");
  out.server_security_details_ref = Reader::security_ref(security, "ServerSecurityDetailsRef");
}

void read_receiver(Transport& out, xml::Element receiver) {
  out.has_receiver = true;
  const auto protocol = Reader::child(receiver, "TransportProtocol");
  out.receiver_protocol = Reader::text(protocol);
  out.receiver_protocol_version = Reader::value(protocol, "version");
  if (Reader::child(receiver, "AccessAuthentication")) out.has_access_authentication = true;
  for (const auto endpoint : Reader::children(receiver, "Endpoint")) {
    auto type = Reader::value(endpoint, "type");
    out.endpoints.push_back({Reader::value(endpoint, "uri"), type.empty() ? "allPurpose" : std::move(type)});
  }
  const auto security = Reader::child(receiver, "TransportServerSecurity");
  if (!security) return;
  out.has_server_security = true;
  const auto security_protocol = Reader::child(security, "TransportSecurityProtocol");
  out.server_security_protocol = Reader::text(security_protocol);
  out.server_security_version = Reader::value(security_protocol, "version");
  out.server_certificate_ref = Reader::certificate_ref(security, "ServerCertificateRef");
  out.client_security_details_ref = Reader::security_ref(security, "ClientSecurityDetailsRef");
}

Transport read_transport(xml::Element element) {
  Transport out;
  out.id = Reader::value(element, "transportId");
  if (const auto sender = Reader::child(element, "TransportSender")) read_sender(out, sender);
  if (const auto receiver = Reader::child(element, "TransportReceiver")) read_receiver(out, receiver);
  return out;
}

// The `w3c` attribute of an algorithm wins over its text (cpa.md 2.1); the first algorithm is used.
std::string read_algorithm(xml::Element parent, std::string_view name) {
  const auto algorithm = Reader::child(parent, name);
  if (!algorithm) return {};
  auto w3c = Reader::value(algorithm, "w3c");
  return w3c.empty() ? Reader::text(algorithm) : w3c;
}

NonRepudiation read_non_repudiation(xml::Element element) {
  NonRepudiation out;
  out.protocol = Reader::text_of(element, "NonRepudiationProtocol");
  out.hash_function = Reader::text_of(element, "HashFunction");
  out.signature_algorithm = read_algorithm(element, "SignatureAlgorithm");
  out.certificate_ref = Reader::certificate_ref(element, "SigningCertificateRef");
  out.security_details_ref = Reader::security_ref(element, "SigningSecurityDetailsRef");
  return out;
}

DigitalEnvelope read_envelope(xml::Element element) {
  DigitalEnvelope out;
  out.protocol = Reader::text_of(element, "DigitalEnvelopeProtocol");
  out.encryption_algorithm = read_algorithm(element, "EncryptionAlgorithm");
  out.certificate_ref = Reader::certificate_ref(element, "EncryptionCertificateRef");
  out.security_details_ref = Reader::security_ref(element, "EncryptionSecurityDetailsRef");
  return out;
}

Binding read_binding(Reader& reader, xml::Element element, std::string_view non_repudiation, std::string_view envelope) {
  Binding out;
  if (const auto reliable = Reader::child(element, "ReliableMessaging")) {
    out.has_reliable_messaging = true;
    out.retries = reader.integer(Reader::text_of(reliable, "Retries"), reliable);
    out.retry_interval = reader.duration(Reader::text_of(reliable, "RetryInterval"), reliable);
    out.order_guaranteed = Reader::text_of(reliable, "MessageOrderSemantics") == "Guaranteed";
  }
  out.persist_duration = reader.duration(Reader::text_of(element, "PersistDuration"), element);
  if (const auto found = Reader::child(element, non_repudiation)) out.non_repudiation = read_non_repudiation(found);
  if (const auto found = Reader::child(element, envelope)) out.envelope = read_envelope(found);
  return out;
}

DocExchange read_doc_exchange(Reader& reader, xml::Element element) {
  DocExchange out;
  out.id = Reader::value(element, "docExchangeId");
  if (const auto sender = Reader::child(element, "ebXMLSenderBinding"))
    out.sender = read_binding(reader, sender, "SenderNonRepudiation", "SenderDigitalEnvelope");
  if (const auto receiver = Reader::child(element, "ebXMLReceiverBinding"))
    out.receiver = read_binding(reader, receiver, "ReceiverNonRepudiation", "ReceiverDigitalEnvelope");
  return out;
}

TransactionCharacteristics read_transaction(Reader& reader, xml::Element element) {
  TransactionCharacteristics out;
  out.non_repudiation = reader.boolean(element, "isNonRepudiationRequired");
  out.non_repudiation_receipt = reader.boolean(element, "isNonRepudiationReceiptRequired");
  out.authorization = reader.boolean(element, "isAuthorizationRequired");
  out.intelligible_check = reader.boolean(element, "isIntelligibleCheckRequired");
  out.confidential = Reader::value(element, "isConfidential");
  out.authenticated = Reader::value(element, "isAuthenticated");
  out.tamper_proof = Reader::value(element, "isTamperProof");
  out.time_to_perform = reader.duration(Reader::value(element, "timeToPerform"), element);
  out.has_time_to_acknowledge =
      element.attribute(names::cpa, "timeToAcknowledgeReceipt") || element.attribute(names::cpa, "timeToAcknowledgeAcceptance");
  out.has_retry_count = element.attribute(names::cpa, "retryCount").has_value();
  return out;
}

ActionBinding read_action(Reader& reader, xml::Element element, bool nested) {
  ActionBinding out;
  out.can_send = element.name() == "CanSend";
  out.nested = nested;
  const auto binding = Reader::child(element, "ThisPartyActionBinding");
  out.id = Reader::value(binding, "id");
  out.action = Reader::value(binding, "action");
  out.package_id = Reader::value(binding, "packageId");
  out.characteristics = read_transaction(reader, Reader::child(binding, "BusinessTransactionCharacteristics"));
  for (const auto channel : Reader::children(binding, "ChannelId")) out.channel_ids.push_back(Reader::text(channel));
  out.other_party_binding = Reader::text_of(element, "OtherPartyActionBinding");
  return out;
}

// CanSend and CanReceive below `parent`, and what is nested in them: flat, marked. Depth is bounded by the parser.
void read_actions(Reader& reader, std::vector<ActionBinding>& out, xml::Element parent, bool nested) {
  for (auto element = parent.first_child(); element; element = element.next_sibling()) {
    if (!element.is(names::cpa, "CanSend") && !element.is(names::cpa, "CanReceive")) continue;
    out.push_back(read_action(reader, element, nested));
    read_actions(reader, out, element, true);
  }
}

CollaborationRole read_role(Reader& reader, xml::Element element) {
  CollaborationRole out;
  const auto process = Reader::child(element, "ProcessSpecification");
  out.process_name = Reader::value(process, "name");
  out.process_version = Reader::value(process, "version");
  out.role = Reader::value(Reader::child(element, "Role"), "name");
  const auto binding = Reader::child(element, "ServiceBinding");
  const auto service = Reader::child(binding, "Service");
  out.service = Reader::text(service);
  out.service_type = Reader::value(service, "type");
  read_actions(reader, out.actions, binding, false);
  return out;
}

CertificateEntry read_certificate(xml::Element element) {
  CertificateEntry out;
  out.id = Reader::value(element, "certId");
  for (const auto x509_data : element.child(names::ds, "KeyInfo").children(names::ds, "X509Data")) {
    const auto certificate = x509_data.child(names::ds, "X509Certificate");
    if (!certificate) continue;
    if (auto der = from_base64_lenient(certificate.text())) out.der = std::move(*der);
    break;
  }
  return out;
}

PartyInfo read_party(Reader& reader, xml::Element element) {
  PartyInfo out;
  out.name = Reader::value(element, "partyName");
  out.default_channel_id = Reader::value(element, "defaultMshChannelId");
  out.default_package_id = Reader::value(element, "defaultMshPackageId");
  for (auto child = element.first_child(); child; child = child.next_sibling()) {
    const auto name = child.name();
    if (name == "PartyId") {
      out.ids.push_back({Reader::value(child, "type"), Reader::text(child)});
    } else if (name == "CollaborationRole") {
      out.roles.push_back(read_role(reader, child));
    } else if (name == "Certificate") {
      out.certificates.push_back(read_certificate(child));
    } else if (name == "SecurityDetails") {
      auto& anchors = out.trust_anchors[Reader::value(child, "securityId")];
      if (const auto list = Reader::child(child, "TrustAnchors")) {
        for (const auto anchor : Reader::children(list, "AnchorCertificateRef")) anchors.push_back(Reader::value(anchor, "certId"));
      }
    } else if (name == "DeliveryChannel") {
      out.channels.push_back(read_channel(child));
    } else if (name == "Transport") {
      out.transports.push_back(read_transport(child));
    } else if (name == "DocExchange") {
      out.doc_exchanges.push_back(read_doc_exchange(reader, child));
    } else if (name == "OverrideMshActionBinding") {
      out.signal_channels.emplace(Reader::value(child, "action"), Reader::value(child, "channelId"));
    }
  }
  return out;
}

}  // namespace

std::string_view to_string(Profile profile) {
  return profile_names[static_cast<std::size_t>(profile)];
}
std::optional<Profile> profile_from(std::string_view text) {
  for (std::size_t i = 0; i < profile_names.size(); ++i) {
    if (profile_names[i] == text) return static_cast<Profile>(i);
  }
  return std::nullopt;
}
bool is_reliable(Profile profile) {
  return profile == Profile::osb_rm || profile == Profile::osb_rm_s || profile == Profile::osb_rm_e;
}
bool is_signed(Profile profile) {
  return profile != Profile::osb_be && profile != Profile::osb_rm;
}
bool is_encrypted(Profile profile) {
  return profile == Profile::osb_be_e || profile == Profile::osb_rm_e;
}

const DeliveryChannel* PartyInfo::channel(std::string_view id) const {
  return by_id(channels, id);
}
const Transport* PartyInfo::transport(std::string_view id) const {
  return by_id(transports, id);
}
const DocExchange* PartyInfo::doc_exchange(std::string_view id) const {
  return by_id(doc_exchanges, id);
}
const CertificateEntry* PartyInfo::certificate(std::string_view id) const {
  return by_id(certificates, id);
}

const DeliveryChannel* PartyInfo::signal_channel(std::string_view signal_action) const {
  if (!signal_action.empty() && !signal_channels.empty()) {
    const auto found = signal_channels.find(std::string(signal_action));
    if (found != signal_channels.end()) return channel(found->second);
  }
  return channel(default_channel_id);
}

bool PartyInfo::has(const PartyId& id) const {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

std::string PartyInfo::oin() const {
  const auto found = std::find_if(ids.begin(), ids.end(), [](const PartyId& id) { return id.type == names::oin_type; });
  return found == ids.end() ? std::string() : found->value.substr(0, found->value.find('_'));
}

int Agreement::party_of(const std::vector<PartyId>& wanted) const {
  bool some_known = false;
  for (std::size_t i = 0; i < parties.size(); ++i) {
    const auto known = std::count_if(wanted.begin(), wanted.end(), [&](const PartyId& id) { return parties[i].has(id); });
    if (known > 0 && known == static_cast<std::ptrdiff_t>(wanted.size())) return static_cast<int>(i);
    some_known = some_known || known > 0;
  }
  return some_known ? -2 : -1;
}

Result<Agreement> read(xml::Element root) {
  std::string fault;
  Reader reader(fault);
  Agreement out;
  out.cpa_id = root.attribute(names::cpa, "cpaid").value_or("");
  out.version = Reader::value(root, "version");
  out.status = Reader::value(Reader::child(root, "Status"), "value");
  out.start = reader.time(Reader::child(root, "Start"));
  out.end = reader.time(Reader::child(root, "End"));
  if (const auto constraints = Reader::child(root, "ConversationConstraints")) {
    out.invocation_limit = reader.integer(Reader::value(constraints, "invocationLimit"), constraints);
    out.concurrent_conversations = reader.integer(Reader::value(constraints, "concurrentConversations"), constraints);
  }
  for (const auto party : Reader::children(root, "PartyInfo")) out.parties.push_back(read_party(reader, party));
  out.has_signature = static_cast<bool>(Reader::child(root, "Signature"));
  if (!fault.empty()) return fail("cpa.invalid", fault);
  return out;
}

Result<Agreement> parse(BytesView document) {
  const auto parsed = xml::Document::parse(document, document_limits());
  if (!parsed) return fail("cpa.invalid", parsed.error().detail, parsed.error().location);
  if (const auto violations = grammar().check(parsed->root(), 1); !violations.empty()) {
    return fail("cpa.invalid", violations.front().message, violations.front().path);
  }
  return read(parsed->root());
}

xml::Limits document_limits() {
  xml::Limits limits;
  limits.bytes_max = limits::cpa_bytes_max;
  limits.depth_max = limits::cpa_depth_max;
  limits.utf16_allowed = true;
  return limits;
}

}  // namespace schakel::cpa
