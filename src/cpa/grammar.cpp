#include "cpa/grammar.hpp"

#include "cpa/names.hpp"

namespace schakel::cpa {
namespace {

using xml::AttributeRule;
using xml::ChildRule;
using xml::ElementRule;
using xml::Type;

constexpr int unbounded = -1;

AttributeRule required(std::string_view name, Type type = Type::non_empty_string, std::vector<std::string_view> values = {}) {
  return {names::cpa, name, type, true, std::move(values)};
}
AttributeRule optional(std::string_view name, Type type = Type::non_empty_string, std::vector<std::string_view> values = {}) {
  return {names::cpa, name, type, false, std::move(values)};
}
AttributeRule xlink(std::string_view name, Type type, bool is_required, std::vector<std::string_view> values = {}) {
  return {names::xlink, name, type, is_required, std::move(values)};
}
// Unqualified, as in the XML Signature vocabulary.
AttributeRule plain(std::string_view name, Type type, bool is_required = false) {
  return {"", name, type, is_required, {}};
}

ChildRule one(std::string_view name) {
  return {names::cpa, name, 1, 1};
}
ChildRule maybe(std::string_view name) {
  return {names::cpa, name, 0, 1};
}
ChildRule some(std::string_view name) {
  return {names::cpa, name, 1, unbounded};
}
ChildRule any_number(std::string_view name) {
  return {names::cpa, name, 0, unbounded};
}
ChildRule ds(std::string_view name, int min, int max) {
  return {names::ds, name, min, max};
}
ChildRule foreign(int max = unbounded) {
  return {"", "*", 0, max};
}

using Attributes = std::vector<AttributeRule>;
using Children = std::vector<ChildRule>;

ElementRule holds(std::string_view name, Attributes attributes, Children children) {
  ElementRule rule{names::cpa, name};
  rule.attributes = std::move(attributes);
  rule.children = std::move(children);
  return rule;
}
ElementRule empty(std::string_view name, Attributes attributes) {
  return holds(name, std::move(attributes), {});
}
ElementRule text(std::string_view name, Type type, Attributes attributes = {}, std::vector<std::string_view> values = {}) {
  ElementRule rule{names::cpa, name};
  rule.text = type;
  rule.attributes = std::move(attributes);
  rule.text_values = std::move(values);
  return rule;
}
ElementRule choice(std::string_view name, Children children) {
  auto rule = holds(name, {}, std::move(children));
  rule.any_order = true;
  rule.children_min = 1;
  return rule;
}
ElementRule signature_vocabulary(ElementRule rule) {
  rule.namespace_uri = names::ds;
  return rule;
}
ElementRule mixed(ElementRule rule) {
  rule.text = Type::string;
  rule.mixed = true;
  return rule;
}

Attributes simple_link() {
  return {xlink("type", Type::nmtoken, false, {"simple"}), xlink("href", Type::any_uri, true)};
}
Attributes with(Attributes first, Attributes more) {
  first.insert(first.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  return first;
}
Attributes part() {
  return {required("id", Type::id), required("mimetype"), optional("mimeparameters")};
}

std::vector<ElementRule> agreement_rules() {
  return {
      holds("CollaborationProtocolAgreement", {required("cpaid"), required("version")},
            {one("Status"),
             one("Start"),
             one("End"),
             maybe("ConversationConstraints"),
             {names::cpa, "PartyInfo", 2, 2},
             some("SimplePart"),
             some("Packaging"),
             maybe("Signature"),
             any_number("Comment")}),
      empty("Status", {required("value", Type::nmtoken, {"agreed", "signed", "proposed"})}),
      text("Start", Type::date_time),
      text("End", Type::date_time),
      empty("ConversationConstraints", {optional("invocationLimit", Type::int32), optional("concurrentConversations", Type::int32)}),
      holds("Signature", {}, {ds("Signature", 1, 3)}),
      text("Comment", Type::non_empty_string, {{names::xml, "lang", Type::language, false, {}}}),
      holds("PartyInfo",
            {required("partyName"), required("defaultMshChannelId", Type::idref), required("defaultMshPackageId", Type::idref)},
            {some("PartyId"), some("PartyRef"), some("CollaborationRole"), any_number("Certificate"), any_number("SecurityDetails"),
             some("DeliveryChannel"), some("Transport"), some("DocExchange"), any_number("OverrideMshActionBinding")}),
      text("PartyId", Type::non_empty_string, {optional("type", Type::any_uri)}),
      empty("PartyRef", with(simple_link(), {optional("type", Type::any_uri), optional("schemaLocation", Type::any_uri)})),
      empty("OverrideMshActionBinding", {required("action"), required("channelId", Type::idref)}),
  };
}

std::vector<ElementRule> role_rules() {
  const std::vector<std::string_view> levels = {"none", "transient", "persistent", "transient-and-persistent"};
  return {
      holds("CollaborationRole", {},
            {one("ProcessSpecification"), one("Role"), any_number("ApplicationCertificateRef"), maybe("ApplicationSecurityDetailsRef"),
             one("ServiceBinding")}),
      holds("ProcessSpecification", with(simple_link(), {required("name"), required("version"), optional("uuid", Type::any_uri)}),
            {ds("Reference", 0, unbounded)}),
      empty("Role", with(simple_link(), {required("name")})),
      empty("ApplicationCertificateRef", {required("certId", Type::idref)}),
      empty("ApplicationSecurityDetailsRef", {required("securityId", Type::idref)}),
      holds("ServiceBinding", {}, {one("Service"), any_number("CanSend"), any_number("CanReceive")}),
      text("Service", Type::non_empty_string, {optional("type")}),
      holds("CanSend", {}, {one("ThisPartyActionBinding"), maybe("OtherPartyActionBinding"), any_number("CanReceive")}),
      holds("CanReceive", {}, {one("ThisPartyActionBinding"), maybe("OtherPartyActionBinding"), any_number("CanSend")}),
      holds("ThisPartyActionBinding",
            {required("id", Type::id), required("action"), required("packageId", Type::idref), xlink("href", Type::any_uri, false),
             xlink("type", Type::nmtoken, false, {"simple"})},
            {one("BusinessTransactionCharacteristics"), maybe("ActionContext"), some("ChannelId"), foreign()}),
      text("OtherPartyActionBinding", Type::idref),
      text("ChannelId", Type::idref),
      empty("BusinessTransactionCharacteristics",
            {optional("isNonRepudiationRequired", Type::boolean), optional("isNonRepudiationReceiptRequired", Type::boolean),
             optional("isConfidential", Type::name, levels), optional("isAuthenticated", Type::name, levels),
             optional("isTamperProof", Type::name, levels), optional("isAuthorizationRequired", Type::boolean),
             optional("isIntelligibleCheckRequired", Type::boolean), optional("timeToAcknowledgeReceipt", Type::duration),
             optional("timeToAcknowledgeAcceptance", Type::duration), optional("timeToPerform", Type::duration),
             optional("retryCount", Type::integer)}),
      holds("ActionContext",
            {required("binaryCollaboration"), required("businessTransactionActivity"), required("requestOrResponseAction")},
            {maybe("CollaborationActivity"), foreign()}),
      holds("CollaborationActivity", {optional("name")}, {maybe("CollaborationActivity")}),
  };
}

std::vector<ElementRule> channel_rules() {
  const std::vector<std::string_view> occurrence = {"always", "never", "perMessage"};
  return {
      holds("Certificate", {required("certId", Type::id)}, {ds("KeyInfo", 1, 1)}),
      holds("SecurityDetails", {required("securityId", Type::id)}, {maybe("TrustAnchors"), maybe("SecurityPolicy")}),
      holds("TrustAnchors", {}, {some("AnchorCertificateRef")}),
      empty("AnchorCertificateRef", {required("certId", Type::idref)}),
      empty("SecurityPolicy", {}),
      holds("DeliveryChannel",
            {required("channelId", Type::id), required("transportId", Type::idref), required("docExchangeId", Type::idref)},
            {one("MessagingCharacteristics")}),
      empty("MessagingCharacteristics",
            {optional("syncReplyMode", Type::nmtoken, {"mshSignalsOnly", "responseOnly", "signalsAndResponse", "signalsOnly", "none"}),
             optional("ackRequested", Type::nmtoken, occurrence), optional("ackSignatureRequested", Type::nmtoken, occurrence),
             optional("duplicateElimination", Type::nmtoken, occurrence),
             optional("actor", Type::nmtoken, {names::next_actor, names::to_party_actor})}),
  };
}

std::vector<ElementRule> transport_rules() {
  return {
      holds("Transport", {required("transportId", Type::id)}, {maybe("TransportSender"), maybe("TransportReceiver")}),
      holds("TransportSender", {}, {one("TransportProtocol"), any_number("AccessAuthentication"), maybe("TransportClientSecurity")}),
      holds("TransportReceiver", {},
            {one("TransportProtocol"), any_number("AccessAuthentication"), some("Endpoint"), maybe("TransportServerSecurity")}),
      text("TransportProtocol", Type::non_empty_string, {optional("version")}),
      text("AccessAuthentication", Type::nmtoken, {}, {"basic", "digest"}),
      empty("Endpoint",
            {required("uri", Type::any_uri), optional("type", Type::nmtoken, {"login", "request", "response", "error", "allPurpose"})}),
      holds("TransportClientSecurity", {},
            {one("TransportSecurityProtocol"), maybe("ClientCertificateRef"), maybe("ServerSecurityDetailsRef"),
             any_number("EncryptionAlgorithm")}),
      holds("TransportServerSecurity", {},
            {one("TransportSecurityProtocol"), one("ServerCertificateRef"), maybe("ClientSecurityDetailsRef"),
             any_number("EncryptionAlgorithm")}),
      text("TransportSecurityProtocol", Type::non_empty_string, {optional("version")}),
      empty("ClientCertificateRef", {required("certId", Type::idref)}),
      empty("ServerCertificateRef", {required("certId", Type::idref)}),
      empty("ServerSecurityDetailsRef", {required("securityId", Type::idref)}),
      empty("ClientSecurityDetailsRef", {required("securityId", Type::idref)}),
      text("EncryptionAlgorithm", Type::non_empty_string,
           {optional("minimumStrength", Type::integer), optional("oid"), optional("w3c"), optional("enumerationType")}),
  };
}

std::vector<ElementRule> exchange_rules() {
  return {
      holds("DocExchange", {required("docExchangeId", Type::id)}, {maybe("ebXMLSenderBinding"), maybe("ebXMLReceiverBinding")}),
      holds("ebXMLSenderBinding", {required("version")},
            {maybe("ReliableMessaging"), maybe("PersistDuration"), maybe("SenderNonRepudiation"), maybe("SenderDigitalEnvelope"),
             any_number("NamespaceSupported")}),
      holds("ebXMLReceiverBinding", {required("version")},
            {maybe("ReliableMessaging"), maybe("PersistDuration"), maybe("ReceiverNonRepudiation"), maybe("ReceiverDigitalEnvelope"),
             any_number("NamespaceSupported")}),
      holds("ReliableMessaging", {}, {maybe("Retries"), maybe("RetryInterval"), one("MessageOrderSemantics")}),
      text("Retries", Type::integer),
      text("RetryInterval", Type::duration),
      text("MessageOrderSemantics", Type::name, {}, {"Guaranteed", "NotGuaranteed"}),
      text("PersistDuration", Type::duration),
      holds("SenderNonRepudiation", {},
            {one("NonRepudiationProtocol"), one("HashFunction"), some("SignatureAlgorithm"), one("SigningCertificateRef")}),
      holds("ReceiverNonRepudiation", {},
            {one("NonRepudiationProtocol"), one("HashFunction"), some("SignatureAlgorithm"), maybe("SigningSecurityDetailsRef")}),
      text("NonRepudiationProtocol", Type::non_empty_string, {optional("version")}),
      text("HashFunction", Type::non_empty_string),
      text("SignatureAlgorithm", Type::non_empty_string, {optional("oid"), optional("w3c"), optional("enumerationType")}),
      empty("SigningCertificateRef", {required("certId", Type::idref)}),
      empty("SigningSecurityDetailsRef", {required("securityId", Type::idref)}),
      holds("SenderDigitalEnvelope", {},
            {one("DigitalEnvelopeProtocol"), some("EncryptionAlgorithm"), maybe("EncryptionSecurityDetailsRef")}),
      holds("ReceiverDigitalEnvelope", {}, {one("DigitalEnvelopeProtocol"), some("EncryptionAlgorithm"), one("EncryptionCertificateRef")}),
      text("DigitalEnvelopeProtocol", Type::non_empty_string, {optional("version")}),
      empty("EncryptionSecurityDetailsRef", {required("securityId", Type::idref)}),
      empty("EncryptionCertificateRef", {required("certId", Type::idref)}),
      text("NamespaceSupported", Type::any_uri, {required("location", Type::any_uri), optional("version")}),
  };
}

std::vector<ElementRule> packaging_rules() {
  return {
      holds("SimplePart", with(part(), {xlink("role", Type::any_uri, false)}), {any_number("NamespaceSupported")}),
      holds("Packaging", {required("id", Type::id)}, {one("ProcessingCapabilities"), some("CompositeList")}),
      empty("ProcessingCapabilities", {required("parse", Type::boolean), required("generate", Type::boolean)}),
      choice("CompositeList", {any_number("Encapsulation"), any_number("Composite")}),
      holds("Encapsulation", part(), {one("Constituent")}),
      holds("Composite", part(), {some("Constituent")}),
      holds("Constituent",
            {required("idref", Type::idref), optional("excludedFromSignature", Type::boolean),
             optional("minOccurs", Type::non_negative_integer), optional("maxOccurs", Type::non_negative_integer)},
            {maybe("SignatureTransforms"), maybe("EncryptionTransforms")}),
      holds("SignatureTransforms", {}, {ds("Transform", 1, unbounded)}),
      holds("EncryptionTransforms", {}, {ds("Transform", 1, unbounded)}),
  };
}

ElementRule single_choice(ElementRule rule) {
  rule.children_max = 1;
  return rule;
}

std::vector<ElementRule> key_rules() {
  const Attributes id = {plain("Id", Type::id)};
  auto key_info = mixed(choice("KeyInfo", {ds("KeyName", 0, unbounded), ds("KeyValue", 0, unbounded), ds("RetrievalMethod", 0, unbounded),
                                           ds("X509Data", 0, unbounded), ds("PGPData", 0, unbounded), ds("SPKIData", 0, unbounded),
                                           ds("MgmtData", 0, unbounded), foreign()}));
  key_info.attributes = id;
  return {
      std::move(key_info),
      text("KeyName", Type::string),
      text("MgmtData", Type::string),
      single_choice(mixed(choice("KeyValue", {ds("DSAKeyValue", 0, 1), ds("RSAKeyValue", 0, 1), foreign(1)}))),
      holds("RSAKeyValue", {}, {ds("Modulus", 1, 1), ds("Exponent", 1, 1)}),
      text("Modulus", Type::base64),
      text("Exponent", Type::base64),
      holds("DSAKeyValue", {},
            {ds("P", 0, 1), ds("Q", 0, 1), ds("G", 0, 1), ds("Y", 1, 1), ds("J", 0, 1), ds("Seed", 0, 1), ds("PgenCounter", 0, 1)}),
      text("P", Type::base64),
      text("Q", Type::base64),
      text("G", Type::base64),
      text("Y", Type::base64),
      text("J", Type::base64),
      text("Seed", Type::base64),
      text("PgenCounter", Type::base64),
      holds("RetrievalMethod", {plain("URI", Type::any_uri), plain("Type", Type::any_uri)}, {ds("Transforms", 0, 1)}),
      choice("X509Data", {ds("X509IssuerSerial", 0, unbounded), ds("X509SKI", 0, unbounded), ds("X509SubjectName", 0, unbounded),
                          ds("X509Certificate", 0, unbounded), ds("X509CRL", 0, unbounded), foreign()}),
      holds("X509IssuerSerial", {}, {ds("X509IssuerName", 1, 1), ds("X509SerialNumber", 1, 1)}),
      text("X509IssuerName", Type::string),
      text("X509SerialNumber", Type::integer),
      text("X509SKI", Type::base64),
      text("X509SubjectName", Type::string),
      text("X509Certificate", Type::base64),
      text("X509CRL", Type::base64),
      choice("PGPData", {ds("PGPKeyID", 0, 1), ds("PGPKeyPacket", 0, 1), foreign()}),
      text("PGPKeyID", Type::base64),
      text("PGPKeyPacket", Type::base64),
      choice("SPKIData", {ds("SPKISexp", 1, unbounded), foreign()}),
      text("SPKISexp", Type::base64),
  };
}

std::vector<ElementRule> signature_rules() {
  const Attributes id = {plain("Id", Type::id)};
  const Attributes algorithm = {plain("Algorithm", Type::any_uri, true)};
  auto transform = mixed(choice("Transform", {ds("XPath", 0, unbounded), foreign()}));
  transform.attributes = algorithm;
  transform.children_min = 0;
  return {
      holds("Signature", id, {ds("SignedInfo", 1, 1), ds("SignatureValue", 1, 1), ds("KeyInfo", 0, 1), ds("Object", 0, unbounded)}),
      text("SignatureValue", Type::base64, id),
      holds("SignedInfo", id, {ds("CanonicalizationMethod", 1, 1), ds("SignatureMethod", 1, 1), ds("Reference", 1, unbounded)}),
      text("CanonicalizationMethod", Type::anything, algorithm),
      mixed(holds("SignatureMethod", algorithm, {ds("HMACOutputLength", 0, 1), foreign()})),
      text("HMACOutputLength", Type::integer),
      holds("Reference", with(id, {plain("URI", Type::any_uri), plain("Type", Type::any_uri)}),
            {ds("Transforms", 0, 1), ds("DigestMethod", 1, 1), ds("DigestValue", 1, 1)}),
      holds("Transforms", {}, {ds("Transform", 1, unbounded)}),
      std::move(transform),
      text("XPath", Type::string),
      mixed(holds("DigestMethod", algorithm, {foreign()})),
      text("DigestValue", Type::base64),
      text("Object", Type::anything, with(id, {plain("MimeType", Type::string), plain("Encoding", Type::any_uri)})),
  };
}

xml::Grammar make_grammar() {
  std::vector<ElementRule> rules;
  const auto add = [&](std::vector<ElementRule> more) {
    rules.insert(rules.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  };
  add(agreement_rules());
  add(role_rules());
  add(channel_rules());
  add(transport_rules());
  add(exchange_rules());
  add(packaging_rules());
  for (auto* vocabulary : {&key_rules, &signature_rules}) {
    for (auto& rule : vocabulary()) rules.push_back(signature_vocabulary(std::move(rule)));
  }
  return xml::Grammar(std::move(rules));
}

}  // namespace

const xml::Grammar& grammar() {
  static const xml::Grammar made = make_grammar();
  return made;
}

}  // namespace schakel::cpa
