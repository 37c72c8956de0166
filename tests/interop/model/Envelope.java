import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** Envelopes as ebms-core writes them: no XML declaration, pretty-printed (EB-237), times with the local offset (EB-238). */
final class Envelope {
  static final String SIGNALS = "urn:oasis:names:tc:ebxml-msg:service";
  static final String TO_PARTY = "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH";
  static final String NEXT = "http://schemas.xmlsoap.org/soap/actor/next";
  static final String SYNC_REPLY = "    <eb:SyncReply eb:version=\"2.0\" soap:mustUnderstand=\"1\" soap:actor=\"" + NEXT + "\"/>\n";
  private static final String HEADER_ATTRIBUTES = " eb:version=\"2.0\" soap:mustUnderstand=\"1\"";

  /** Who writes to whom about what. */
  record Address(Agreement agreement, Element from, String fromRole, Element to, String toRole, String conversation, String service, String serviceType, String action) {
    /** A signal answering what came from `from`. */
    Address answer(String signal) {
      return new Address(agreement, to, toRole, from, fromRole, conversation, SIGNALS, null, signal);
    }
  }

  /** A MessageHeader as read. Absent parts are null. */
  record Header(Element soapHeader, Element body, String version, List<Agreement.PartyId> from, String fromRole, List<Agreement.PartyId> to, String toRole, String cpa, String conversation,
      String service, String serviceType, String action, String id, String refTo, String timeToLive, boolean deduplicates) {
    static Header of(Document envelope) {
      var soapHeader = Xml.child(envelope.getDocumentElement(), Xml.SOAP, "Header");
      var header = Xml.child(soapHeader, Xml.EB, "MessageHeader");
      var data = Xml.child(header, Xml.EB, "MessageData");
      if (header == null || data == null) throw new IllegalArgumentException("no MessageHeader");
      return new Header(soapHeader, Xml.child(envelope.getDocumentElement(), Xml.SOAP, "Body"), Xml.attribute(header, Xml.EB, "version"), ids(header, "From"), Xml.text(header, Xml.EB, "From", "Role"),
          ids(header, "To"), Xml.text(header, Xml.EB, "To", "Role"), Xml.text(header, Xml.EB, "CPAId"), Xml.text(header, Xml.EB, "ConversationId"), Xml.text(header, Xml.EB, "Service"),
          Xml.attribute(Xml.child(header, Xml.EB, "Service"), Xml.EB, "type"), Xml.text(header, Xml.EB, "Action"), Xml.text(data, Xml.EB, "MessageId"), Xml.text(data, Xml.EB, "RefToMessageId"),
          Xml.text(data, Xml.EB, "TimeToLive"), Xml.child(header, Xml.EB, "DuplicateElimination") != null);
    }

    private static List<Agreement.PartyId> ids(Element header, String side) {
      var out = new ArrayList<Agreement.PartyId>();
      for (var id : Xml.children(Xml.child(header, Xml.EB, side), Xml.EB, "PartyId")) out.add(new Agreement.PartyId(Xml.attribute(id, Xml.EB, "type"), id.getTextContent().strip()));
      return out;
    }

    boolean isSignal() {
      return SIGNALS.equals(service);
    }

    Element block(String name) {
      return Xml.child(soapHeader, Xml.EB, name);
    }
  }

  private Envelope() {}

  static String newId() {
    return UUID.randomUUID() + "@model.example";
  }

  static OffsetDateTime now() {
    return OffsetDateTime.now().truncatedTo(ChronoUnit.MILLIS);
  }

  /** xs:dateTime with any offset; none means UTC (EB-068). */
  static OffsetDateTime time(String text) {
    return OffsetDateTime.parse(text.matches(".*(Z|[+-]\\d\\d:\\d\\d)$") ? text : text + "Z").withOffsetSameInstant(ZoneOffset.UTC);
  }

  private static String party(String side, Element info, String role) {
    var out = new StringBuilder("      <eb:" + side + ">\n");
    for (var id : Agreement.ids(info)) out.append("        <eb:PartyId" + (id.type() == null ? "" : " eb:type=\"" + Xml.escape(id.type()) + "\"") + ">" + Xml.escape(id.value()) + "</eb:PartyId>\n");
    if (role != null) out.append("        <eb:Role>" + Xml.escape(role) + "</eb:Role>\n");
    return out.append("      </eb:" + side + ">\n").toString();
  }

  private static String wrap(Address address, String id, OffsetDateTime now, String refTo, Duration life, boolean deduplicates, String blocks, String body) {
    return "<soap:Envelope xmlns:soap=\"" + Xml.SOAP + "\" xmlns:eb=\"" + Xml.EB + "\" xmlns:xlink=\"" + Xml.XLINK + "\">\n  <soap:Header>\n    <eb:MessageHeader" + HEADER_ATTRIBUTES + ">\n"
        + party("From", address.from, address.fromRole) + party("To", address.to, address.toRole) + "      <eb:CPAId>" + Xml.escape(address.agreement.id) + "</eb:CPAId>\n      <eb:ConversationId>"
        + Xml.escape(address.conversation) + "</eb:ConversationId>\n      <eb:Service" + (address.serviceType == null ? "" : " eb:type=\"" + Xml.escape(address.serviceType) + "\"") + ">"
        + Xml.escape(address.service) + "</eb:Service>\n      <eb:Action>" + Xml.escape(address.action) + "</eb:Action>\n      <eb:MessageData>\n        <eb:MessageId>" + Xml.escape(id)
        + "</eb:MessageId>\n        <eb:Timestamp>" + now + "</eb:Timestamp>\n" + (refTo == null ? "" : "        <eb:RefToMessageId>" + Xml.escape(refTo) + "</eb:RefToMessageId>\n")
        + (life == null ? "" : "        <eb:TimeToLive>" + now.plus(life) + "</eb:TimeToLive>\n") + "      </eb:MessageData>\n" + (deduplicates ? "      <eb:DuplicateElimination/>\n" : "")
        + "    </eb:MessageHeader>\n" + blocks + "  </soap:Header>\n" + (body.isEmpty() ? "  <soap:Body/>\n" : "  <soap:Body>\n" + body + "  </soap:Body>\n") + "</soap:Envelope>";
  }

  /** A business message. TimeToLive is exactly (Retries + 1) x RetryInterval, in osb-rm only (EB-238). */
  static String business(Address address, String id, OffsetDateTime now, String refTo, Agreement.Channel channel, boolean syncReply, List<Mime.Part> parts) {
    var blocks = (syncReply ? SYNC_REPLY : "")
        + (channel.reliable() ? "    <eb:AckRequested" + HEADER_ATTRIBUTES + " soap:actor=\"" + TO_PARTY + "\" eb:signed=\"" + channel.ackSigned() + "\"/>\n" : "");
    var body = new StringBuilder();
    for (var part : parts) body.append("      <eb:Reference xlink:type=\"simple\" xlink:href=\"cid:" + part.contentId() + "\"/>\n");
    var manifest = parts.isEmpty() ? "" : "    <eb:Manifest eb:version=\"2.0\">\n" + body + "    </eb:Manifest>\n";
    return wrap(address, id, now, refTo, channel.reliable() ? channel.interval().multipliedBy(channel.retries() + 1L) : null, channel.deduplicates(), blocks, manifest);
  }

  static String acknowledgment(Address address, String refTo, String actor) {
    var now = now();
    var from = new StringBuilder("        <eb:From>");
    for (var id : Agreement.ids(address.from)) from.append("<eb:PartyId eb:type=\"" + Xml.escape(id.type()) + "\">" + Xml.escape(id.value()) + "</eb:PartyId>");
    return wrap(address, newId(), now, refTo, null, false, "    <eb:Acknowledgment" + HEADER_ATTRIBUTES + " soap:actor=\"" + actor + "\">\n        <eb:Timestamp>" + now
        + "</eb:Timestamp>\n        <eb:RefToMessageId>" + Xml.escape(refTo) + "</eb:RefToMessageId>\n" + from + "</eb:From>\n    </eb:Acknowledgment>\n", "");
  }

  static String error(Address address, String refTo, Refusal refusal) {
    return wrap(address, newId(), now(), refTo, null, false, "    <eb:ErrorList" + HEADER_ATTRIBUTES + " eb:highestSeverity=\"Error\">\n      <eb:Error eb:codeContext=\"" + SIGNALS + ":errors\" eb:errorCode=\""
        + refusal.code() + "\" eb:severity=\"Error\" eb:location=\"" + Xml.escape(refusal.location()) + "\">\n        <eb:Description xml:lang=\"en-US\">" + Xml.escape(refusal.description())
        + "</eb:Description>\n      </eb:Error>\n    </eb:ErrorList>\n", "");
  }

  static String ping(Address address, String id, boolean syncReply) {
    return wrap(address, id, now(), null, null, false, syncReply ? SYNC_REPLY : "", "");
  }

  static String pong(Address address, String refTo) {
    return wrap(address, newId(), now(), refTo, null, false, "", "");
  }

  static String statusRequest(Address address, String id, String about, boolean syncReply) {
    return wrap(address, id, now(), null, null, false, syncReply ? SYNC_REPLY : "",
        "    <eb:StatusRequest eb:version=\"2.0\">\n      <eb:RefToMessageId>" + Xml.escape(about) + "</eb:RefToMessageId>\n    </eb:StatusRequest>\n");
  }

  static String statusResponse(Address address, String refTo, String about, String status, String time) {
    return wrap(address, newId(), now(), refTo, null, false, "", "    <eb:StatusResponse eb:version=\"2.0\" eb:messageStatus=\"" + status + "\">\n      <eb:RefToMessageId>" + Xml.escape(about)
        + "</eb:RefToMessageId>\n" + (time == null ? "" : "      <eb:Timestamp>" + time + "</eb:Timestamp>\n") + "    </eb:StatusResponse>\n");
  }

  static byte[] octets(String envelope) {
    return envelope.getBytes(StandardCharsets.UTF_8);
  }
}
