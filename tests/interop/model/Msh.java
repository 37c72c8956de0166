import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.xml.transform.dom.DOMSource;
import javax.xml.validation.Schema;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.xml.sax.SAXException;

/** The message handler: receiving, sending, signals. What it does the way ebms-core does it names the row of ebms.md 1.16. */
final class Msh {
  /** An HTTP answer; no body: empty. */
  record Reply(int status, byte[] body) {}

  /** How the handler is set up. `schema` may be null: then nothing is validated. */
  record Setup(SSLContext tls, PrivateKey signing, PrivateKey decryption, Schema schema, Set<Integer> recoverable, Set<Integer> unrecoverable, Duration pace) {}

  private static final Reply ACCEPTED = new Reply(204, null), BROKEN = new Reply(500, null);
  private final Store store;
  private final Setup setup;
  private final HttpClient client;
  private final ExecutorService workers = Executors.newFixedThreadPool(16);
  private final Set<String> inFlight = ConcurrentHashMap.newKeySet();
  private final Map<String, CompletableFuture<Envelope.Header>> awaited = new ConcurrentHashMap<>();

  Msh(Store store, Setup setup) {
    this.store = store;
    this.setup = setup;
    // HTTP/2 is asked for by ALPN and bodies go chunked, as the JDK's client does by itself (EB-006).
    client = HttpClient.newBuilder().sslContext(setup.tls).sslParameters(new SSLParameters(null, new String[] {"TLSv1.2"})).connectTimeout(Duration.ofSeconds(30))
        .followRedirects(HttpClient.Redirect.NEVER).build();
    Executors.newSingleThreadScheduledExecutor(task -> {
      var thread = new Thread(task, "delivery");
      thread.setDaemon(true);
      return thread;
    }).scheduleWithFixedDelay(this::deliverDue, 0, setup.pace.toMillis(), TimeUnit.MILLISECONDS);
  }

  // --- receiving --------------------------------------------------------------------------------------------------------------------

  private static Reply fault(String text) {
    return new Reply(500, Envelope.octets("<soap:Envelope xmlns:soap=\"" + Xml.SOAP + "\"><soap:Body><soap:Fault><faultcode>soap:Client</faultcode><faultstring>" + Xml.escape(text)
        + "</faultstring></soap:Fault></soap:Body></soap:Envelope>"));
  }

  /** EB-230: what cannot be read is answered 500 with nothing; an unknown CPA or a wrong certificate with a Fault. */
  Reply receive(String soapAction, String contentType, byte[] octets, X509Certificate peer) {
    if (soapAction == null || !soapAction.replace("\"", "").equals("ebXML")) return fault("Unable to process message! SOAPAction=" + soapAction);
    try {
      var parts = Mime.read(contentType, octets);
      var envelope = valid(parts.get(0).content());
      var header = Envelope.Header.of(envelope);
      var agreement = store.agreement(header.cpa());
      if (agreement == null) return fault("CPA " + header.cpa() + " not found!");
      var from = agreement.party(header.from());
      if (from == null || !mayUse(agreement, from, header, peer)) return fault("Invalid SSL Client Certificate!");
      if (header.isSignal()) return signal(agreement, from, header, null);
      return business(agreement, from, header, envelope, parts);
    } catch (Exception bad) {
      System.err.println("refused: " + bad);
      return BROKEN;
    }
  }

  private Document valid(byte[] root) throws Exception {
    var envelope = Xml.parse(root);
    if (setup.schema != null) setup.schema.newValidator().validate(new DOMSource(envelope));
    return envelope;
  }

  private static boolean mayUse(Agreement agreement, Element from, Envelope.Header header, X509Certificate peer) {
    var binding = header.isSignal() ? null : agreement.binding(from, "CanSend", header.fromRole(), header.service(), header.serviceType(), header.action());
    var channel = binding == null ? agreement.signalChannel(from, header.action()) : binding.channel();
    return channel.client() != null && channel.client().equals(peer);
  }

  private synchronized Reply business(Agreement agreement, Element from, Envelope.Header header, Document envelope, List<Mime.Part> parts) throws Exception {
    var to = agreement.other(from);
    var binding = agreement.binding(from, "CanSend", header.fromRole(), header.service(), header.serviceType(), header.action());
    boolean sync = binding == null ? header.block("SyncReply") != null : binding.channel().sync();
    var known = store.message(header.id());
    if (known != null) {  // EB-232: the MessageId alone counts, over all CPAs and both directions
      if (!known.cpa.equals(header.cpa()) || known.sent) return BROKEN;
      System.err.println("duplicate: " + header.id());
      return answer(known.answer, sync, agreement, from);
    }
    var address = new Envelope.Address(agreement, from, header.fromRole(), to, header.toRole(), header.conversation(), header.service(), header.serviceType(), header.action());
    var message = new Store.Message();
    message.id = header.id();
    message.cpa = header.cpa();
    message.from = header.from().get(0).toString();
    message.fromRole = header.fromRole();
    message.to = header.to().get(0).toString();
    message.toRole = header.toRole();
    message.service = header.service();
    message.serviceType = header.serviceType();
    message.action = header.action();
    message.conversation = header.conversation();
    message.refTo = header.refTo();
    message.timestamp = Instant.now();
    message.root = Xml.write(envelope);
    var plain = new ArrayList<Mime.Part>();
    var refusal = Refusal.ofHeader(header, agreement, from, agreement.party(header.to()), binding, store.message(header.refTo()) != null);
    if (refusal == null) refusal = open(header, parts, binding, agreement.binding(to, "CanReceive", header.toRole(), header.service(), header.serviceType(), header.action()), plain);
    message.state = refusal == null ? "RECEIVED" : "FAILED";
    if (refusal != null) {
      System.err.println("refused: " + header.id() + ": " + refusal);
      message.answer = Envelope.octets(Envelope.error(address.answer("MessageError"), message.id, refusal));
    } else {
      message.parts = plain;
      message.events.add("RECEIVED");
      if (header.block("AckRequested") != null) message.answer = acknowledgment(address, header);
    }
    store.save(message);
    return answer(message.answer, sync, agreement, from);
  }

  /** Resolves the Manifest, decrypts, verifies: the checks 21 to 25 of ebms.md 3.5. */
  private Refusal open(Envelope.Header header, List<Mime.Part> parts, Agreement.Binding sender, Agreement.Binding receiver, List<Mime.Part> plain) {
    for (var reference : Xml.children(Xml.child(header.body(), Xml.EB, "Manifest"), Xml.EB, "Reference")) {
      var href = Xml.attribute(reference, Xml.XLINK, "href");
      var found = parts.stream().filter(part -> ("cid:" + part.contentId()).equals(href)).findFirst();
      if (found.isEmpty()) return Refusal.missing(href);
      try {
        plain.add(receiver.encrypted() ? Protection.decrypt(found.get(), setup.decryption) : found.get());
      } catch (Exception bad) {
        System.err.println("decryption: " + bad);
        return Refusal.undecryptable(found.get().contentId());
      }
    }
    if (!sender.signed()) return null;
    var fault = Protection.fault(Protection.signature(header.soapHeader()), plain, sender.channel());
    return fault == null ? null : Refusal.signature(fault);
  }

  private byte[] acknowledgment(Envelope.Address received, Envelope.Header header) throws Exception {
    var channel = received.agreement().signalChannel(received.to(), "Acknowledgment");
    var octets = Envelope.octets(Envelope.acknowledgment(received.answer("Acknowledgment"), header.id(), Envelope.TO_PARTY));
    if (!"true".equals(Xml.attribute(header.block("AckRequested"), Xml.EB, "signed"))) return octets;
    var document = Xml.parse(octets);
    var block = Xml.child(Xml.child(document.getDocumentElement(), Xml.SOAP, "Header"), Xml.EB, "Acknowledgment");
    for (var reference : references(header.soapHeader())) block.appendChild(document.importNode(reference, true));
    document = Xml.parse(Xml.write(document));  // the copies need declarations of their prefixes before they are signed
    Protection.sign(document, List.of(), signing(channel, received, header), setup.signing);
    return Xml.write(document);
  }

  /** The signing certificate of the signal channel, else of the channel that received (EB-158). */
  private static Agreement.Channel signing(Agreement.Channel signals, Envelope.Address received, Envelope.Header header) {
    if (signals.signing() != null) return signals;
    return received.agreement().binding(received.to(), "CanReceive", header.toRole(), header.service(), header.serviceType(), header.action()).channel();
  }

  private static List<Element> references(Element soapHeader) {
    return Xml.children(Xml.child(Protection.signature(soapHeader), Xml.DS, "SignedInfo"), Xml.DS, "Reference");
  }

  private Reply answer(byte[] signal, boolean sync, Agreement agreement, Element to) {
    if (signal == null) return ACCEPTED;
    if (sync) return new Reply(200, signal);
    workers.submit(() -> post(agreement.signalChannel(to, "Acknowledgment"), new Mime.Body("text/xml; charset=UTF-8", signal)));  // EB-243: once, no retry
    return ACCEPTED;
  }

  // --- signals ------------------------------------------------------------------------------------------------------------------------

  /** @param inResponseTo the message on whose connection the signal came; null when it came by a POST of its own. */
  private synchronized Reply signal(Agreement agreement, Element from, Envelope.Header header, Store.Message inResponseTo) {
    boolean sync = header.block("SyncReply") != null;
    var address = new Envelope.Address(agreement, from, header.fromRole(), agreement.other(from), header.toRole(), header.conversation(), header.service(), null, header.action());
    switch (header.action()) {
      case "Ping":
        return answer(Envelope.octets(Envelope.pong(address.answer("Pong"), header.id())), sync, agreement, from);
      case "StatusRequest":
        return answer(Envelope.octets(statusOf(address, header)), sync, agreement, from);
      case "Pong", "StatusResponse": {
        var waits = header.refTo() == null ? null : awaited.get(header.refTo());
        if (waits != null) waits.complete(header);
        return ACCEPTED;
      }
      case "Acknowledgment", "MessageError":
        break;
      default:
        return BROKEN;
    }
    var message = store.message(header.refTo());
    if (message == null || !message.sent || !message.cpa.equals(header.cpa()) || agreement.party(message.to) != from) return ACCEPTED;  // EB-234: kept and ignored
    if (inResponseTo == null && message.sync) return BROKEN;  // EB-235
    if (!"CREATED".equals(message.state)) return ACCEPTED;  // EB-242: late
    if (header.action().equals("MessageError")) {
      var error = Xml.child(header.block("ErrorList"), Xml.EB, "Error");
      finish(message, "DELIVERY_FAILED", "FAILED", Xml.attribute(error, Xml.EB, "errorCode") + " " + Xml.attribute(error, Xml.EB, "location"));  // EB-243: whatever the severity
    } else if (acknowledges(agreement, from, header, message)) {
      finish(message, "DELIVERED", "DELIVERED", null);
    }
    return ACCEPTED;
  }

  /** EB-234, and EB-159 for signed ones. */
  private boolean acknowledges(Agreement agreement, Element from, Envelope.Header header, Store.Message message) {
    var block = header.block("Acknowledgment");
    if (!agreement.signalChannel(from, "Acknowledgment").actor().equals(Xml.attribute(block, Xml.SOAP, "actor"))) return ignored(header, "its actor is not the signal channel's");
    var binding = agreement.binding(agreement.party(message.from), "CanSend", message.fromRole, message.service, message.serviceType, message.action);
    if (!binding.channel().ackSigned()) return true;
    var signature = Protection.signature(header.soapHeader());
    if (signature == null) return ignored(header, "it is not signed");
    var channel = agreement.signalChannel(from, "Acknowledgment");
    if (channel.signing() == null) channel = agreement.binding(from, "CanReceive", message.toRole, message.service, message.serviceType, message.action).channel();
    var fault = Protection.fault(signature, List.of(), channel);
    if (fault != null) return ignored(header, fault);
    try {
      var sent = references(Xml.child(Xml.parse(message.root).getDocumentElement(), Xml.SOAP, "Header"));
      return Protection.sameReferences(sent, Xml.children(block, Xml.DS, "Reference")) || ignored(header, "its References are not those that were sent");
    } catch (SAXException | IOException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  private static boolean ignored(Envelope.Header header, String why) {
    System.err.println("ignored: " + header.action() + " " + header.id() + ": " + why);
    return false;
  }

  private String statusOf(Envelope.Address address, Envelope.Header header) {
    var about = Xml.text(header.body(), Xml.EB, "StatusRequest", "RefToMessageId");
    var message = store.message(about);
    var answer = address.answer("StatusResponse");
    if (message == null || message.sent) return Envelope.statusResponse(answer, header.id(), about, "NotRecognized", null);
    if (!message.cpa.equals(header.cpa()) || address.agreement().party(message.from) != address.from()) return Envelope.statusResponse(answer, header.id(), about, "UnAuthorized", null);
    return Envelope.statusResponse(answer, header.id(), about, "PROCESSED".equals(message.state) ? "Processed" : "Received", message.timestamp.toString());
  }

  // --- sending ------------------------------------------------------------------------------------------------------------------------

  /** The properties of sendMessage (ebms.md 2.10). @return the MessageId. */
  synchronized String send(Map<String, Object> properties, List<Mime.Part> parts) throws Exception {
    var agreement = store.agreement((String) properties.get("cpaId"));
    if (agreement == null) throw new IllegalArgumentException("No CPA found for " + properties.get("cpaId"));
    var from = agreement.party((String) properties.get("fromPartyId"));
    if (from == null) throw new IllegalArgumentException("No party found for " + properties.get("fromPartyId"));
    var to = agreement.other(from);
    var text = (String) properties.get("service");
    int cut = text.startsWith("urn:osb:services:") ? "urn:osb:services".length() : -1;
    var message = new Store.Message();
    message.serviceType = cut < 0 ? null : text.substring(0, cut);
    message.service = text.substring(cut + 1);
    message.action = (String) properties.get("action");
    message.fromRole = (String) properties.get("fromRole");
    message.toRole = agreement.role(to, message.service, message.serviceType);
    var binding = agreement.binding(from, "CanSend", message.fromRole, message.service, message.serviceType, message.action);
    if (binding == null) throw new IllegalArgumentException("No CanSend action found for " + message.fromRole + ", " + text + ", " + message.action);
    var asked = (String) properties.get("messageId");
    message.sent = true;
    message.id = asked == null ? Envelope.newId() : asked;
    message.cpa = agreement.id;
    message.from = (String) properties.get("fromPartyId");
    message.to = Agreement.ids(to).iterator().next().toString();
    message.conversation = properties.get("conversationId") == null ? UUID.randomUUID().toString() : (String) properties.get("conversationId");
    message.refTo = (String) properties.get("refToMessageId");
    message.parts = parts;
    message.reliable = binding.channel().reliable();
    message.sync = binding.channel().reliable() && agreement.signalChannel(from, "Acknowledgment").sync();  // EB-122: the element comes from the signal channel
    message.state = "CREATED";
    var now = Envelope.now();
    message.timestamp = now.toInstant();
    message.timeToLive = message.timestamp.plus(binding.channel().interval().multipliedBy(binding.channel().retries() + 1L));
    message.next = message.timestamp;
    var address = new Envelope.Address(agreement, from, message.fromRole, to, message.toRole, message.conversation, message.service, message.serviceType, message.action);
    message.root = Envelope.octets(Envelope.business(address, message.id, now, message.refTo, binding.channel(), message.sync, parts));
    if (binding.signed()) {
      var document = Xml.parse(message.root);
      Protection.sign(document, parts, binding.channel(), setup.signing);
      message.root = Xml.write(document);
    }
    valid(message.root);
    store.save(message);
    return message.id;
  }

  private void deliverDue() {
    try {
      for (var message : store.messages())
        if (message.sent && "CREATED".equals(message.state) && !message.next.isAfter(Instant.now()) && inFlight.add(message.id)) workers.submit(() -> deliver(message));
    } catch (RuntimeException broken) {
      broken.printStackTrace();
    }
  }

  private void deliver(Store.Message message) {
    try {
      var agreement = store.agreement(message.cpa);
      var from = agreement.party(message.from);
      var sender = agreement.binding(from, "CanSend", message.fromRole, message.service, message.serviceType, message.action).channel();
      if (message.reliable && Instant.now().isAfter(message.timeToLive)) {
        finish(message, "EXPIRED", "EXPIRED", null);
        return;
      }
      if (message.reliable && message.attempts > sender.retries()) {
        synchronized (this) {
          message.next = message.timeToLive.plusMillis(1);
        }
        return;
      }
      var receiver = agreement.binding(agreement.other(from), "CanReceive", message.toRole, message.service, message.serviceType, message.action);
      var parts = new ArrayList<Mime.Part>();
      for (var part : message.parts) parts.add(receiver.encrypted() ? Protection.encrypt(part, receiver.channel()) : part);  // EB-241: anew on each attempt
      conclude(message, agreement, sender, post(receiver.channel(), Mime.write(message.id, message.root, parts)));
    } catch (Exception broken) {
      finish(message, "DELIVERY_FAILED", "FAILED", broken.toString());
    } finally {
      inFlight.remove(message.id);
    }
  }

  /** EB-231, EB-235, EB-242. @param response null when no answer came. */
  private synchronized void conclude(Store.Message message, Agreement agreement, Agreement.Channel sender, HttpResponse<byte[]> response) throws Exception {
    if (!"CREATED".equals(message.state)) return;
    ++message.attempts;
    message.next = Instant.now().plus(sender.interval());
    int status = response == null ? 0 : response.statusCode();
    boolean good = status >= 200 && status < 300, empty = response == null || response.body().length == 0;
    if (good && !empty && message.sync) {
      var header = Envelope.Header.of(valid(response.body()));
      signal(agreement, agreement.party(header.from()), header, message);
    } else if (good && empty && !message.reliable) {
      finish(message, "DELIVERED", "DELIVERED", null);
      return;
    } else if (!good || !empty || message.sync) {
      System.err.println("attempt: " + message.id + ": HTTP " + status + (empty ? "" : " " + new String(response.body(), 0, Math.min(300, response.body().length))));
      boolean recoverable = status == 0 || setup.recoverable.contains(status) || good || (status >= 500 && !setup.unrecoverable.contains(status));
      if (!message.reliable || !recoverable) finish(message, "DELIVERY_FAILED", "FAILED", "HTTP " + status);
    }
    store.save(message);
  }

  private synchronized void finish(Store.Message message, String state, String event, String error) {
    if (!"CREATED".equals(message.state)) return;
    message.state = state;
    message.events.add(event);
    message.error = error;
    System.err.println("sent: " + message.id + " is " + state + (error == null ? "" : ": " + error));
    store.save(message);
  }

  /** @return null when no answer came. */
  private HttpResponse<byte[]> post(Agreement.Channel channel, Mime.Body body) {
    var target = URI.create(store.mapped(channel.endpoint().toString()));
    var request = HttpRequest.newBuilder(target).timeout(Duration.ofSeconds(30)).header("Content-Type", body.contentType()).header("SOAPAction", "\"ebXML\"")
        .POST(BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body.octets()))).build();
    try {
      return client.send(request, BodyHandlers.ofByteArray());
    } catch (IOException broken) {
      System.err.println("post: " + target + ": " + broken);
      return null;
    } catch (InterruptedException ended) {
      Thread.currentThread().interrupt();
      return null;
    }
  }

  // --- ping and status ----------------------------------------------------------------------------------------------------------------

  /** @return the Pong or StatusResponse; null when none came within 30 s (EB-244). */
  private Envelope.Header ask(Agreement agreement, Element from, String action, String id, Function<Envelope.Address, String> make) throws Exception {
    var to = agreement.other(from);
    var answered = new CompletableFuture<Envelope.Header>();
    awaited.put(id, answered);
    try {
      var address = new Envelope.Address(agreement, from, null, to, null, UUID.randomUUID().toString(), Envelope.SIGNALS, null, action);
      var response = post(agreement.signalChannel(to, action), new Mime.Body("text/xml; charset=UTF-8", Envelope.octets(make.apply(address))));
      if (response == null || response.statusCode() / 100 != 2) return null;
      if (response.body().length > 0) return Envelope.Header.of(valid(response.body()));
      return answered.completeOnTimeout(null, 30, TimeUnit.SECONDS).get();
    } finally {
      awaited.remove(id);
    }
  }

  boolean ping(String cpaId, String fromParty) throws Exception {
    var agreement = store.agreement(cpaId);
    var from = agreement.party(fromParty);
    var id = Envelope.newId();
    var answer = ask(agreement, from, "Ping", id, address -> Envelope.ping(address, id, agreement.signalChannel(from, "Ping").sync()));
    return answer != null && answer.action().equals("Pong") && id.equals(answer.refTo());
  }

  /** @return the messageStatus that the other side gave; null when it gave none. */
  String remoteStatus(String messageId) throws Exception {
    var message = store.message(messageId);
    var agreement = store.agreement(message.cpa);
    var from = agreement.party(message.from);
    var id = Envelope.newId();
    var answer = ask(agreement, from, "StatusRequest", id, address -> Envelope.statusRequest(address, id, messageId, agreement.signalChannel(from, "StatusRequest").sync()));
    return answer == null ? null : Xml.attribute(Xml.child(answer.body(), Xml.EB, "StatusResponse"), Xml.EB, "messageStatus");
  }
}
