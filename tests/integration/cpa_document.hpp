// A CPA document for two parties and one service (cpa.md 2.3, 2.5). A party has one certificate: for TLS, and where the profile wants it
// for signing and encryption.
#pragma once

#include <string>

#include "base/bytes.hpp"
#include "security/certificate.hpp"

namespace schakel::integration {

struct CpaParty {
  std::string name, oin, role, url;
  security::Certificate certificate;
};

struct CpaTerms {
  std::string cpa_id;
  bool reliable = true;      // osb-rm, else osb-be
  bool synchronous = false;  // mshSignalsOnly
  bool sign = false;         // osb-…-s
  bool encrypt = false;      // osb-…-e; signs too
  int retries = 20;
  std::string retry_interval = "PT2S", persist_duration = "PT10M";
  std::string service = "Voorbeeld:Meldingen:1:0";
};

// Action "meld" goes from the first party to the second, "antwoord" the other way.
class CpaDocument {
 public:
  CpaDocument(CpaTerms terms, CpaParty first, CpaParty second)
      : terms_(std::move(terms)), first_(std::move(first)), second_(std::move(second)) {}

  std::string text() const {
    return R"(<?xml version="1.0" encoding="UTF-8"?><tns:CollaborationProtocolAgreement xmlns:tns="http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:xlink="http://www.w3.org/1999/xlink" tns:version="2_0b" tns:cpaid=")" +
           terms_.cpa_id +
           R"("><tns:Status tns:value="agreed"/><tns:Start>2025-01-01T00:00:00Z</tns:Start><tns:End>2034-12-31T23:59:59Z</tns:End>)" +
           party(first_, second_, "meld", "antwoord") + party(second_, first_, "antwoord", "meld") +
           R"(<tns:SimplePart tns:id="MsgHdr" tns:mimetype="text/xml">)" + ns() +
           R"(</tns:SimplePart><tns:SimplePart tns:id="Payload" tns:mimetype="application/octet-stream"/>)" +
           packaging("MshSignalPackage", "MshSignal", "") +
           packaging("MessagePackage", "Message", R"(<tns:Constituent tns:idref="Payload" tns:minOccurs="0"/>)") +
           "</tns:CollaborationProtocolAgreement>";
  }

 private:
  static std::string ns() {
    return R"(<tns:NamespaceSupported tns:location="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd" tns:version="2.0">http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd</tns:NamespaceSupported>)";
  }
  static std::string packaging(const std::string& id, const std::string& composite, const std::string& payload) {
    return "<tns:Packaging tns:id=\"" + id +
           R"("><tns:ProcessingCapabilities tns:parse="true" tns:generate="true"/><tns:CompositeList><tns:Composite tns:id=")" + composite +
           R"(" tns:mimetype="multipart/related" tns:mimeparameters="type=text/xml"><tns:Constituent tns:idref="MsgHdr"/>)" + payload +
           "</tns:Composite></tns:CompositeList></tns:Packaging>";
  }
  bool is_signed() const { return terms_.sign || terms_.encrypt; }
  std::string binding(const std::string& element, const std::string& own, const std::string& direction, const std::string& action,
                      const std::string& other) const {
    const std::string opposite = direction == "S" ? "R" : "S", signed_ = is_signed() ? "true" : "false",
                      receipt = is_signed() && terms_.reliable ? "true" : "false",
                      authentic = is_signed() ? "transient-and-persistent" : "transient",
                      confidential = terms_.encrypt ? "transient-and-persistent" : "transient";
    return "<tns:" + element + "><tns:ThisPartyActionBinding tns:id=\"" + own + "_" + direction + "_" + action + "\" tns:action=\"" +
           action + R"(" tns:packageId="MessagePackage"><tns:BusinessTransactionCharacteristics tns:isNonRepudiationRequired=")" + signed_ +
           "\" tns:isNonRepudiationReceiptRequired=\"" + receipt + "\" tns:isConfidential=\"" + confidential + "\" tns:isAuthenticated=\"" +
           authentic + "\" tns:isTamperProof=\"" + authentic +
           R"(" tns:isAuthorizationRequired="true" tns:isIntelligibleCheckRequired="false" tns:timeToPerform="P2D"/><tns:ChannelId>)" +
           own + "_Action</tns:ChannelId></tns:ThisPartyActionBinding><tns:OtherPartyActionBinding>" + other + "_" + opposite + "_" +
           action + "</tns:OtherPartyActionBinding></tns:" + element + ">";
  }
  static std::string channel(const std::string& id, const std::string& role, const std::string& exchange, const std::string& sync,
                             const std::string& always, const std::string& signed_acknowledgments) {
    return "<tns:DeliveryChannel tns:channelId=\"" + id + "\" tns:transportId=\"" + role + "_Transport\" tns:docExchangeId=\"" + exchange +
           "\"><tns:MessagingCharacteristics tns:syncReplyMode=\"" + sync + "\" tns:ackRequested=\"" + always +
           "\" tns:ackSignatureRequested=\"" + signed_acknowledgments + "\" tns:duplicateElimination=\"" + always +
           "\" tns:actor=\"urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH\"/></tns:DeliveryChannel>";
  }
  std::string non_repudiation(const std::string& side, const std::string& certificate) const {
    if (!is_signed()) return {};
    return "<tns:" + side +
           R"(NonRepudiation><tns:NonRepudiationProtocol tns:version="1.0">http://www.w3.org/2000/09/xmldsig#</tns:NonRepudiationProtocol><tns:HashFunction>http://www.w3.org/2001/04/xmlenc#sha256</tns:HashFunction><tns:SignatureAlgorithm tns:w3c="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256">http://www.w3.org/2001/04/xmldsig-more#rsa-sha256</tns:SignatureAlgorithm>)" +
           (certificate.empty() ? "" : "<tns:SigningCertificateRef tns:certId=\"" + certificate + "\"/>") + "</tns:" + side +
           "NonRepudiation>";
  }
  static std::string digital_envelope(const std::string& side, const std::string& certificate) {
    return "<tns:" + side +
           R"(DigitalEnvelope><tns:DigitalEnvelopeProtocol tns:version="1.0">XMLENC</tns:DigitalEnvelopeProtocol><tns:EncryptionAlgorithm tns:w3c="http://www.w3.org/2009/xmlenc11#aes256-gcm">http://www.w3.org/2009/xmlenc11#aes256-gcm</tns:EncryptionAlgorithm>)" +
           (certificate.empty() ? "" : "<tns:EncryptionCertificateRef tns:certId=\"" + certificate + "\"/>") + "</tns:" + side +
           "DigitalEnvelope>";
  }
  // `business`: of the channel of actions, not of signals.
  std::string exchange(const std::string& id, bool business, const std::string& certificate) const {
    const std::string reliable =
        business && terms_.reliable
            ? "<tns:ReliableMessaging><tns:Retries>" + std::to_string(terms_.retries) + "</tns:Retries><tns:RetryInterval>" +
                  terms_.retry_interval +
                  "</tns:RetryInterval><tns:MessageOrderSemantics>NotGuaranteed</tns:MessageOrderSemantics></tns:ReliableMessaging>"
                  "<tns:PersistDuration>" +
                  terms_.persist_duration + "</tns:PersistDuration>"
            : "";
    const bool encrypts = business && terms_.encrypt;
    return "<tns:DocExchange tns:docExchangeId=\"" + id + "\"><tns:ebXMLSenderBinding tns:version=\"2.0\">" + reliable +
           non_repudiation("Sender", certificate) + (encrypts ? digital_envelope("Sender", "") : "") + ns() +
           "</tns:ebXMLSenderBinding><tns:ebXMLReceiverBinding tns:version=\"2.0\">" + reliable + non_repudiation("Receiver", "") +
           (encrypts ? digital_envelope("Receiver", certificate) : "") + ns() + "</tns:ebXMLReceiverBinding></tns:DocExchange>";
  }
  std::string party(const CpaParty& own, const CpaParty& other, const std::string& sends, const std::string& receives) const {
    const auto& r = own.role;
    const std::string sync = terms_.synchronous ? "mshSignalsOnly" : "none", always = terms_.reliable ? "always" : "never",
                      signed_acknowledgments = terms_.reliable && is_signed() ? "always" : "never";
    return "<tns:PartyInfo tns:partyName=\"" + own.name + "\" tns:defaultMshChannelId=\"" + r +
           "_Msh\" tns:defaultMshPackageId=\"MshSignalPackage\">" + "<tns:PartyId tns:type=\"urn:osb:oin\">" + own.oin +
           "_T</tns:PartyId>" +
           R"(<tns:PartyRef xlink:type="simple" xlink:href="https://www.example/"/><tns:CollaborationRole><tns:ProcessSpecification tns:name="Meldingen" tns:version="1.0" xlink:type="simple" xlink:href="https://www.example/p"/><tns:Role tns:name=")" +
           r + R"(" xlink:type="simple" xlink:href="https://www.example/p#)" + r +
           R"("/><tns:ServiceBinding><tns:Service tns:type="urn:osb:services">)" + terms_.service + "</tns:Service>" +
           binding("CanSend", r, "S", sends, other.role) + binding("CanReceive", r, "R", receives, other.role) +
           "</tns:ServiceBinding></tns:CollaborationRole><tns:Certificate tns:certId=\"" + r +
           "_TlsCert\"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>" + to_base64(own.certificate->der) +
           "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></tns:Certificate>" +
           channel(r + "_Msh", r, r + "_DocMsh", "none", "never", "never") +
           channel(r + "_Action", r, r + "_DocAction", sync, always, signed_acknowledgments) + "<tns:Transport tns:transportId=\"" + r +
           "_Transport\"><tns:TransportSender><tns:TransportProtocol "
           "tns:version=\"1.1\">HTTP</tns:TransportProtocol><tns:TransportClientSecurity>"
           "<tns:TransportSecurityProtocol tns:version=\"1.2\">TLS</tns:TransportSecurityProtocol><tns:ClientCertificateRef tns:certId=\"" +
           r +
           "_TlsCert\"/></tns:TransportClientSecurity></tns:TransportSender><tns:TransportReceiver><tns:TransportProtocol "
           "tns:version=\"1.1\">HTTP</tns:TransportProtocol>"
           "<tns:Endpoint tns:uri=\"" +
           own.url +
           R"(" tns:type="allPurpose"/><tns:TransportServerSecurity><tns:TransportSecurityProtocol tns:version="1.2">TLS</tns:TransportSecurityProtocol><tns:ServerCertificateRef tns:certId=")" +
           r + R"(_TlsCert"/></tns:TransportServerSecurity></tns:TransportReceiver></tns:Transport>)" +
           exchange(r + "_DocMsh", false, r + "_TlsCert") + exchange(r + "_DocAction", true, r + "_TlsCert") + "</tns:PartyInfo>";
  }

  CpaTerms terms_;
  CpaParty first_, second_;
};

}  // namespace schakel::integration
