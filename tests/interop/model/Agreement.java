import java.io.ByteArrayInputStream;
import java.net.URI;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Base64;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** A CPA as ebms-core reads it: the first ChannelId and the first Endpoint count (EB-244). Look-ups: ebms.md 3.1. */
final class Agreement {
  /** A PartyId; text `type:value` in the application interface (ebms.md 2.10). */
  record PartyId(String type, String value) {
    @Override
    public String toString() {
      return type == null ? value : type + ":" + value;
    }
  }

  /** What a delivery channel with its document exchange and transport says. Absent parts are null. */
  record Channel(boolean reliable, boolean ackSigned, boolean deduplicates, boolean sync, String actor, URI endpoint, X509Certificate client, String hash, String signature, X509Certificate signing,
      String cipher, X509Certificate encryption, int retries, Duration interval) {}

  /** One side of an action: the channel and what its characteristics ask for. */
  record Binding(Channel channel, boolean signed, boolean encrypted) {}

  final String id;
  private final Document document;

  Agreement(byte[] octets) throws Exception {
    document = Xml.parse(octets);
    if (!"CollaborationProtocolAgreement".equals(document.getDocumentElement().getLocalName())) throw new IllegalArgumentException("no CPA");
    id = cpa(document.getDocumentElement(), "cpaid");
    if (parties().size() != 2) throw new IllegalArgumentException("a CPA has two parties");
  }

  private static String cpa(Element element, String name) {
    return Xml.attribute(element, Xml.CPA, name);
  }

  private List<Element> parties() {
    return Xml.children(document.getDocumentElement(), Xml.CPA, "PartyInfo");
  }

  boolean inForce(Instant now) {
    var root = document.getDocumentElement();
    var status = cpa(Xml.child(root, Xml.CPA, "Status"), "value");
    return ("agreed".equals(status) || "signed".equals(status)) && !now.isBefore(OffsetDateTime.parse(Xml.text(root, Xml.CPA, "Start")).toInstant())
        && !now.isAfter(OffsetDateTime.parse(Xml.text(root, Xml.CPA, "End")).toInstant());
  }

  static Set<PartyId> ids(Element info) {
    var out = new LinkedHashSet<PartyId>();
    for (var one : Xml.children(info, Xml.CPA, "PartyId")) out.add(new PartyId(cpa(one, "type"), one.getTextContent().strip()));
    return out;
  }

  /** The PartyInfo that holds all these PartyIds; null when none does. */
  Element party(List<PartyId> wanted) {
    for (var info : parties())
      if (!wanted.isEmpty() && ids(info).containsAll(wanted)) return info;
    return null;
  }

  Element party(String idText) {
    for (var info : parties())
      for (var one : ids(info))
        if (one.toString().equals(idText)) return info;
    return null;
  }

  Element other(Element info) {
    return parties().get(parties().get(0) == info ? 1 : 0);
  }

  /** @param canDo CanSend or CanReceive. @return null when that role may not do that. */
  Binding binding(Element info, String canDo, String role, String service, String serviceType, String action) {
    for (var collaboration : Xml.children(info, Xml.CPA, "CollaborationRole")) {
      if (!cpa(Xml.child(collaboration, Xml.CPA, "Role"), "name").equals(role)) continue;
      var bound = Xml.child(collaboration, Xml.CPA, "ServiceBinding");
      var named = Xml.child(bound, Xml.CPA, "Service");
      if (!named.getTextContent().strip().equals(service) || !Objects.equals(cpa(named, "type"), serviceType)) continue;
      for (var able : Xml.children(bound, Xml.CPA, canDo)) {
        var binding = Xml.child(able, Xml.CPA, "ThisPartyActionBinding");
        if (!action.equals(cpa(binding, "action"))) continue;
        var characteristics = Xml.child(binding, Xml.CPA, "BusinessTransactionCharacteristics");
        var channel = channel(info, Xml.text(binding, Xml.CPA, "ChannelId"));
        var secret = cpa(characteristics, "isConfidential");
        var signed = "true".equals(cpa(characteristics, "isNonRepudiationRequired")) && channel.signing != null;
        return new Binding(channel, signed, secret != null && secret.contains("persistent"));
      }
    }
    return null;
  }

  /** The role with which a party takes part in a service; null when it does not. */
  String role(Element info, String service, String serviceType) {
    for (var collaboration : Xml.children(info, Xml.CPA, "CollaborationRole")) {
      var named = Xml.child(collaboration, Xml.CPA, "ServiceBinding", "Service");
      if (named.getTextContent().strip().equals(service) && Objects.equals(cpa(named, "type"), serviceType)) return cpa(Xml.child(collaboration, Xml.CPA, "Role"), "name");
    }
    return null;
  }

  Channel signalChannel(Element info, String action) {
    for (var override : Xml.children(info, Xml.CPA, "OverrideMshActionBinding"))
      if (action.equals(cpa(override, "action"))) return channel(info, cpa(override, "channelId"));
    return channel(info, cpa(info, "defaultMshChannelId"));
  }

  private static Element byId(Element info, String name, String attribute, String id) {
    for (var one : Xml.children(info, Xml.CPA, name))
      if (id.equals(cpa(one, attribute))) return one;
    throw new IllegalArgumentException(name + " " + id + " is not in the CPA");
  }

  private Channel channel(Element info, String id) {
    var channel = byId(info, "DeliveryChannel", "channelId", id);
    var characteristics = Xml.child(channel, Xml.CPA, "MessagingCharacteristics");
    var exchange = byId(info, "DocExchange", "docExchangeId", cpa(channel, "docExchangeId"));
    var transport = byId(info, "Transport", "transportId", cpa(channel, "transportId"));
    var sender = Xml.child(exchange, Xml.CPA, "ebXMLSenderBinding");
    var receiver = Xml.child(exchange, Xml.CPA, "ebXMLReceiverBinding");
    var signs = Xml.child(sender, Xml.CPA, "SenderNonRepudiation");
    var envelope = Xml.child(receiver, Xml.CPA, "ReceiverDigitalEnvelope");
    var reliability = Xml.child(sender, Xml.CPA, "ReliableMessaging");
    return new Channel("always".equals(cpa(characteristics, "ackRequested")), "always".equals(cpa(characteristics, "ackSignatureRequested")), "always".equals(cpa(characteristics, "duplicateElimination")),
        "mshSignalsOnly".equals(cpa(characteristics, "syncReplyMode")), cpa(characteristics, "actor"), URI.create(cpa(Xml.child(transport, Xml.CPA, "TransportReceiver", "Endpoint"), "uri")),
        certificate(info, Xml.child(transport, Xml.CPA, "TransportSender", "TransportClientSecurity", "ClientCertificateRef")), algorithm(signs, "HashFunction"), algorithm(signs, "SignatureAlgorithm"),
        certificate(info, Xml.child(signs, Xml.CPA, "SigningCertificateRef")), algorithm(envelope, "EncryptionAlgorithm"), certificate(info, Xml.child(envelope, Xml.CPA, "EncryptionCertificateRef")),
        reliability == null ? 0 : Integer.parseInt(Xml.text(reliability, Xml.CPA, "Retries")),
        reliability == null ? Duration.ZERO : Duration.parse(Xml.text(reliability, Xml.CPA, "RetryInterval")));
  }

  private static String algorithm(Element parent, String name) {
    var found = Xml.child(parent, Xml.CPA, name);
    var w3c = cpa(found, "w3c");
    return w3c != null ? w3c : found == null ? null : found.getTextContent().strip();
  }

  private static X509Certificate certificate(Element info, Element reference) {
    if (reference == null) return null;
    var holder = byId(info, "Certificate", "certId", cpa(reference, "certId"));
    return certificate(Xml.text(holder, Xml.DS, "KeyInfo", "X509Data", "X509Certificate"));
  }

  static X509Certificate certificate(String base64) {
    try {
      return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(Base64.getMimeDecoder().decode(base64)));
    } catch (CertificateException bad) {
      throw new IllegalArgumentException("a certificate in the CPA cannot be read", bad);
    }
  }
}
