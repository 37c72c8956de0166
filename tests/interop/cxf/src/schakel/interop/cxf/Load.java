package schakel.interop.cxf;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.apache.wss4j.common.WSEncryptionPart;
import org.apache.wss4j.common.crypto.Crypto;
import org.apache.wss4j.common.crypto.WSProviderConfig;
import org.apache.wss4j.dom.WSConstants;
import org.apache.wss4j.dom.message.WSSecHeader;
import org.apache.wss4j.dom.message.WSSecSignature;
import org.apache.wss4j.dom.message.WSSecTimestamp;

/**
 * A closed loop of signed requests (2W-be-S) over N connections, for {@code bench/peers}. Options: those of {@link Identity}, {@code --url}, {@code --action}, {@code --payload FILE}, {@code --to},
 * {@code --connections}. Reads rounds from standard input, a number of requests each; prints one line of JSON for each.
 *
 * <p>A round is signed before its clock starts, each request with its own MessageID, so that the load costs little beside the service: it sends octets and looks whether the answer is a confirmed response,
 * but does not verify it. {@code loadCpu} is the part of one core that the load itself used: near 1 the service was not what was measured.
 */
final class Load {
  private static final String WSA = "http://www.w3.org/2005/08/addressing";
  private static final List<String> HEADERS = List.of("To", "Action", "MessageID", "From", "ReplyTo");
  private final Options options;
  private final Identity identity;
  private final Crypto crypto;
  private final HttpClient http;

  private Load(Options options) throws Exception {
    this.options = options;
    identity = new Identity(options);
    crypto = identity.crypto();
    http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).sslContext(identity.tls()).build();
    WSProviderConfig.init();
  }

  static void run(Options options) throws Exception {
    var load = new Load(options);
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (var line = lines.readLine(); line != null; line = lines.readLine()) System.out.println(Json.write(load.round(Integer.parseInt(line.trim()))));
  }

  private Map<String, Object> round(int count) throws Exception {
    var requests = new ArrayList<HttpRequest>();
    for (int i = 0; i < count; ++i) requests.add(request(signed()));
    var next = new AtomicInteger();
    var refused = new AtomicInteger();
    var micros = new long[count];
    var threads = new ArrayList<Thread>();
    var cpu = cpuNanos();
    var began = System.nanoTime();
    for (int i = 0; i < options.number("connections", 16); ++i) {
      threads.add(new Thread(() -> {
        for (int at = next.getAndIncrement(); at < count; at = next.getAndIncrement()) {
          var sent = System.nanoTime();
          if (!answered(requests.get(at))) refused.incrementAndGet();
          micros[at] = (System.nanoTime() - sent) / 1000;
        }
      }));
    }
    for (var one : threads) one.start();
    for (var one : threads) one.join();
    var seconds = (System.nanoTime() - began) / 1e9;
    Arrays.sort(micros);
    var out = new LinkedHashMap<String, Object>();
    out.put("rate", count / seconds);
    out.put("refused", refused.get());
    out.put("medianMicroseconds", micros[count / 2]);
    out.put("p99Microseconds", micros[count * 99 / 100]);
    out.put("loadCpu", (cpuNanos() - cpu) / 1e9 / seconds);
    return out;
  }

  private boolean answered(HttpRequest request) {
    try {
      var answer = http.send(request, HttpResponse.BodyHandlers.ofString());
      return answer.statusCode() == 200 && answer.body().contains("SignatureConfirmation");
    } catch (IOException | InterruptedException failed) {
      return false;
    }
  }

  private HttpRequest request(byte[] envelope) {
    return HttpRequest.newBuilder(URI.create(options.need("url")))
        .header("Content-Type", "text/xml; charset=utf-8")
        .header("SOAPAction", "\"\"")
        .POST(HttpRequest.BodyPublishers.ofByteArray(envelope))
        .build();
  }

  private byte[] signed() throws Exception {
    var anonymous = "<wsa:Address>" + WSA + "/anonymous</wsa:Address>";
    var plain = "<soap:Envelope xmlns:soap=\"" + WSConstants.URI_SOAP11_ENV + "\" xmlns:wsa=\"" + WSA + "\"><soap:Header><wsa:To>" + options.get("to", options.need("url")) + "</wsa:To><wsa:Action>"
        + options.need("action") + "</wsa:Action><wsa:MessageID>urn:uuid:" + UUID.randomUUID() + "</wsa:MessageID><wsa:From>" + anonymous + "</wsa:From><wsa:ReplyTo>" + anonymous
        + "</wsa:ReplyTo></soap:Header><soap:Body>" + Files.readString(Path.of(options.need("payload"))) + "</soap:Body></soap:Envelope>";
    var factory = DocumentBuilderFactory.newInstance();
    factory.setNamespaceAware(true);
    var document = factory.newDocumentBuilder().parse(new ByteArrayInputStream(plain.getBytes(StandardCharsets.UTF_8)));

    var security = new WSSecHeader(document);
    security.setMustUnderstand(true);
    security.insertSecurityHeader();
    new WSSecTimestamp(security).build();
    var signature = new WSSecSignature(security);
    signature.setUserInfo(Identity.SELF, identity.password());
    signature.setKeyIdentifierType(WSConstants.BST_DIRECT_REFERENCE);
    signature.setSignatureAlgorithm(WSConstants.RSA_SHA256);
    signature.setDigestAlgo(WSConstants.SHA256);
    for (var one : HEADERS) signature.getParts().add(new WSEncryptionPart(one, WSA, "Element"));
    signature.getParts().add(new WSEncryptionPart("Timestamp", WSConstants.WSU_NS, "Element"));
    signature.getParts().add(new WSEncryptionPart("Body", WSConstants.URI_SOAP11_ENV, "Element"));
    signature.build(crypto);

    var transformer = TransformerFactory.newInstance().newTransformer();
    transformer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
    var out = new ByteArrayOutputStream();
    transformer.transform(new DOMSource(document), new StreamResult(out));
    return out.toByteArray();
  }

  private static long cpuNanos() {
    return ProcessHandle.current().info().totalCpuDuration().orElseThrow().toNanos();
  }
}
