import java.time.Instant;
import java.util.List;
import java.util.Objects;
import org.w3c.dom.Element;

/** What a MessageError reports: the table of ebms.md 3.5, with bare paths as ebms-core writes them. */
record Refusal(String code, String location, String description) {
  private static final String HEADER = "//Header/MessageHeader";

  /** The checks 1 to 20. @param known tells whether a RefToMessageId is held (EB-233). @return null when all pass. */
  static Refusal ofHeader(Envelope.Header header, Agreement agreement, Element from, Element to, Agreement.Binding binding, boolean known) {
    if (!"2.0".equals(header.version())) return new Refusal("Inconsistent", HEADER + "/@version", "Invalid value.");
    for (var one : List.of(header.from(), header.to()))
      for (var id : one)
        if (id.type() == null && !id.value().contains(":")) return new Refusal("Inconsistent", HEADER + (one == header.from() ? "/From/PartyId" : "/To/PartyId"), "Invalid value.");
    if (header.fromRole() == null) return new Refusal("Inconsistent", HEADER + "/From/Role", "Invalid value.");
    if (header.toRole() == null) return new Refusal("Inconsistent", HEADER + "/To/Role", "Invalid value.");
    if (to == null || to == from) return new Refusal("Inconsistent", HEADER + "/To/PartyId", "Value not found.");
    if (!agreement.inForce(Instant.now())) return new Refusal("Inconsistent", HEADER + "/@cpaid", "Invalid CPA.");
    if (binding == null || agreement.binding(to, "CanReceive", header.toRole(), header.service(), header.serviceType(), header.action()) == null)
      return new Refusal("ValueNotRecognized", HEADER + "/Action", "Value not found.");
    if (header.refTo() != null && !known) return new Refusal("ValueNotRecognized", HEADER + "/MessageData/RefToMessageId", "Value not found.");
    if (header.timeToLive() != null && Envelope.time(header.timeToLive()).toInstant().isBefore(Instant.now())) return new Refusal("TimeToLiveExpired", HEADER + "/MessageData/TimeToLive", "Expired.");
    return ofTerms(header, agreement, from, binding);
  }

  private static Refusal ofTerms(Envelope.Header header, Agreement agreement, Element from, Agreement.Binding binding) {
    var channel = binding.channel();
    var requested = header.block("AckRequested");
    if (header.deduplicates() != channel.deduplicates()) return new Refusal("Inconsistent", HEADER + "/DuplicateElimination", "Wrong value.");
    if ((requested != null) != channel.reliable()) return new Refusal("Inconsistent", "//Header/AckRequested", "Wrong value.");
    if (requested != null) {
      var actor = Xml.attribute(requested, Xml.SOAP, "actor");
      if (actor != null && actor.endsWith(":nextMSH")) return new Refusal("NotSupported", "//Header/AckRequested/@actor", "NextMSH not supported.");
      if (!Envelope.TO_PARTY.equals(actor)) return new Refusal("Inconsistent", "//Header/AckRequested/@actor", "Invalid value.");
      if (!String.valueOf(channel.ackSigned()).equals(Xml.attribute(requested, Xml.EB, "signed"))) return new Refusal("Inconsistent", "//Header/AckRequested/@signed", "Wrong value.");
    }
    if ((header.block("SyncReply") != null) != channel.sync()) return new Refusal("Inconsistent", "//Header/SyncReply", "Wrong value.");
    if (header.block("MessageOrder") != null) return new Refusal("NotSupported", "//Header/MessageOrder", "MessageOrder not supported.");
    if (binding.signed() && Protection.signature(header.soapHeader()) == null) return new Refusal("SecurityFailure", "//Header/Signature", "Signature not found.");
    return null;
  }

  static Refusal missing(String href) {
    return new Refusal("MimeProblem", href, "MIME part not found.");
  }

  static Refusal undecryptable(String contentId) {
    return new Refusal("SecurityFailure", "cid:" + contentId, "Decryption failed.");
  }

  static Refusal signature(String description) {
    return new Refusal("SecurityFailure", "//Header/Signature", Objects.requireNonNull(description));
  }
}
