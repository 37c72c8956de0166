import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsExchange;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.xml.XMLConstants;
import javax.xml.transform.Source;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.Schema;
import javax.xml.validation.SchemaFactory;

/**
 * A partner for interoperability runs that is not Schakel: an ebMS2 message handler on the TLS, HTTP and XML security of the JDK, with the ways of ebms-core that ebms.md 1.16 records. It takes the
 * properties and answers the application interface of ebms-core (ebms.md 2.10), so that one driver drives both. It is a model: agreeing with it says nothing certain about ebms-core itself.
 *
 * <p>Usage: java Model -port PORT -configDir FOLDER/ (reads ebms-admin.embedded.properties there; keeps its messages there)
 */
public final class Model {
  private final Properties properties = new Properties();
  private final Store store;
  private final Msh msh;

  private Model(Path folder) throws Exception {
    try (var in = Files.newBufferedReader(folder.resolve("ebms-admin.embedded.properties"))) {
      properties.load(in);
    }
    store = new Store(folder.resolve("store"));
    msh = new Msh(store, new Msh.Setup(tls("client.keystore"), key("signature.keystore"), key("encryption.keystore"), schema(), codes("http.errors.client.recoverable"),
        codes("http.errors.server.unrecoverable"), Duration.ofMillis(Long.parseLong(properties.getProperty("deliveryTaskHandler.default.executionInterval", "1000")))));
  }

  public static void main(String[] arguments) throws Exception {
    var options = new LinkedHashMap<String, String>();
    for (int i = 0; i + 1 < arguments.length; i += 2) options.put(arguments[i], arguments[i + 1]);
    var model = new Model(Path.of(options.get("-configDir")));
    model.serveMessages();
    model.serveApplication(Integer.parseInt(options.get("-port")));
    System.out.println("Server started.");
  }

  private Set<Integer> codes(String name) {
    return Arrays.stream(properties.getProperty(name, "").split(",")).filter(one -> !one.isBlank()).map(one -> Integer.valueOf(one.strip())).collect(Collectors.toSet());
  }

  private KeyStore keyStore(String name) throws Exception {
    var out = KeyStore.getInstance(properties.getProperty(name + ".type"));
    try (var in = Files.newInputStream(Path.of(properties.getProperty(name + ".path")))) {
      out.load(in, password(name));
    }
    return out;
  }

  private char[] password(String name) {
    return properties.getProperty(name + ".password").toCharArray();
  }

  private PrivateKey key(String name) throws Exception {
    var keys = keyStore(name);
    return (PrivateKey) keys.getKey(keys.aliases().nextElement(), password(name));
  }

  private SSLContext tls(String keys) throws Exception {
    var own = KeyManagerFactory.getInstance("PKIX");
    own.init(keyStore(keys), password(keys));
    var trusted = TrustManagerFactory.getInstance("PKIX");
    trusted.init(keyStore("truststore"));
    var context = SSLContext.getInstance("TLS");
    context.init(own.getKeyManagers(), trusted.getTrustManagers(), null);
    return context;
  }

  /** The schemas of ebMS2 where the standards lie at hand (`model.schemas`, a folder); null else. */
  private Schema schema() throws Exception {
    var schemas = properties.getProperty("model.schemas", "");
    if (schemas.isEmpty()) return null;
    var factory = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI);
    factory.setProperty(XMLConstants.ACCESS_EXTERNAL_SCHEMA, "file");
    var sources = List.of("xml.xsd", "xlink.xsd", "xmldsig-core-schema.xsd", "envelope.xsd", "msg-header-2_0.xsd");
    return factory.newSchema(sources.stream().map(name -> new StreamSource(Path.of(schemas, name).toUri().toString())).toArray(Source[]::new));
  }

  // --- the outside door ---------------------------------------------------------------------------------------------------------------

  private void serveMessages() throws Exception {
    var context = tls("keystore");
    var server = HttpsServer.create(new InetSocketAddress(properties.getProperty("ebms.host"), Integer.parseInt(properties.getProperty("ebms.port"))), 64);
    server.setHttpsConfigurator(new HttpsConfigurator(context) {
      @Override
      public void configure(HttpsParameters parameters) {
        var wanted = context.getDefaultSSLParameters();
        wanted.setNeedClientAuth(true);
        wanted.setProtocols(properties.getProperty("https.protocols").split(","));
        wanted.setCipherSuites(properties.getProperty("https.cipherSuites").split(","));
        parameters.setSSLParameters(wanted);
      }
    });
    server.setExecutor(Executors.newFixedThreadPool(16));
    server.createContext(properties.getProperty("ebms.path"), exchange -> {
      var headers = exchange.getRequestHeaders();
      var body = exchange.getRequestBody().readAllBytes();
      var peer = (X509Certificate) ((HttpsExchange) exchange).getSSLSession().getPeerCertificates()[0];
      var reply = msh.receive(headers.getFirst("SOAPAction"), headers.getFirst("Content-Type"), body, peer);
      if (reply.body() != null) exchange.getResponseHeaders().set("SOAPAction", "\"ebXML\"");
      answer(exchange, reply.status(), "text/xml; charset=UTF-8", reply.body());
    });
    server.start();
  }

  private static void answer(HttpExchange exchange, int status, String contentType, byte[] body) throws IOException {
    // Closing the exchange would close the connection with it; ending the body does not.
    if (body != null) exchange.getResponseHeaders().set("Content-Type", contentType);
    exchange.sendResponseHeaders(status, body == null || body.length == 0 ? -1 : body.length);
    if (body == null || body.length == 0) return;
    try (var out = exchange.getResponseBody()) {
      out.write(body);
    }
  }

  // --- the inside door: the application interface of ebms-core (ebms.md 2.10) ----------------------------------------------------------

  private void serveApplication(int port) throws IOException {
    var server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 64);
    server.setExecutor(Executors.newFixedThreadPool(8));
    server.createContext("/service/rest/v19/", exchange -> {
      try {
        var path = Arrays.stream(exchange.getRequestURI().getRawPath().substring("/service/rest/v19/".length()).split("/")).map(Model::decoded).toList();
        var out = route(exchange.getRequestMethod(), path, query(exchange.getRequestURI().getRawQuery()), new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
        if (out == null) answer(exchange, 204, null, null);
        else answer(exchange, 200, out instanceof String ? "text/plain" : "application/json", (out instanceof String text ? text : Json.write(out)).getBytes(StandardCharsets.UTF_8));
      } catch (NoSuchElementException unknown) {
        answer(exchange, 404, "text/plain", String.valueOf(unknown.getMessage()).getBytes(StandardCharsets.UTF_8));
      } catch (IllegalArgumentException | ClassCastException bad) {
        answer(exchange, 400, "text/plain", String.valueOf(bad.getMessage()).getBytes(StandardCharsets.UTF_8));
      } catch (Exception broken) {
        broken.printStackTrace();
        answer(exchange, 500, "text/plain", broken.toString().getBytes(StandardCharsets.UTF_8));
      }
    });
    server.start();
  }

  private static String decoded(String text) {
    return URLDecoder.decode(text, StandardCharsets.UTF_8);
  }

  private static Map<String, List<String>> query(String text) {
    var out = new LinkedHashMap<String, List<String>>();
    for (var pair : text == null ? new String[0] : text.split("&")) {
      var cut = pair.split("=", 2);
      out.computeIfAbsent(decoded(cut[0]), key -> new ArrayList<>()).add(cut.length == 2 ? decoded(cut[1]) : "");
    }
    return out;
  }

  private Object route(String method, List<String> path, Map<String, List<String>> query, String body) throws Exception {
    switch (path.get(0)) {
      case "cpas":
        if (method.equals("GET")) return store.agreements();
        if (method.equals("DELETE")) {
          store.delete(path.get(1));
          return null;
        }
        if (!query.containsKey("overwrite") && store.agreement(new Agreement(body.getBytes(StandardCharsets.UTF_8)).id) != null) throw new IllegalArgumentException("the CPA exists");
        return store.insert(body.getBytes(StandardCharsets.UTF_8));
      case "urlMappings":
        if (method.equals("GET")) return store.mappings();
        if (method.equals("DELETE")) store.map(path.get(1), null);
        else store.map((String) Json.object(Json.read(body)).get("source"), (String) Json.object(Json.read(body)).get("destination"));
        return null;
      case "ebms":
        return messaging(method, path.subList(1, path.size()), query, body);
      default:
        throw new NoSuchElementException("no such resource");
    }
  }

  private Object messaging(String method, List<String> path, Map<String, List<String>> query, String body) throws Exception {
    if (path.get(0).equals("ping")) {
      if (!msh.ping(path.get(1), path.get(3))) throw new IllegalStateException("No response received!");
      return null;
    }
    if (path.get(0).equals("events")) return events(method, path, query);
    if (method.equals("POST")) return msh.send(Json.object(Json.object(Json.read(body)).get("properties")), parts(Json.object(Json.read(body)).get("dataSources")));
    if (path.get(1).equals("unprocessed"))
      return chosen(query).filter(message -> !message.sent && message.state.equals("RECEIVED")).map(message -> message.id).toList();
    var message = store.message(path.get(1));
    if (message == null) throw new NoSuchElementException("No message found with messageId " + path.get(1));
    if (path.size() == 3 && path.get(2).equals("status")) {
      var status = msh.remoteStatus(message.id);
      if (status == null) throw new IllegalStateException("No response received!");
      return Map.of("status", status.equals("NotRecognized") ? "NOT_RECOGNIZED" : status.toUpperCase(Locale.ROOT));
    }
    if (method.equals("PATCH")) {
      process(message);
      return null;
    }
    return describe(message);
  }

  private void process(Store.Message message) {
    if (!message.state.equals("RECEIVED")) return;
    message.state = "PROCESSED";
    message.events.remove("RECEIVED");
    store.save(message);
  }

  private Stream<Store.Message> chosen(Map<String, List<String>> query) {
    var cpa = query.get("cpaId");
    var id = query.get("messageId");
    return store.messages().stream().filter(message -> (cpa == null || cpa.contains(message.cpa)) && (id == null || id.contains(message.id))).sorted(Comparator.comparingLong(message -> message.sequence));
  }

  private Object events(String method, List<String> path, Map<String, List<String>> query) {
    if (method.equals("PATCH")) {
      var message = store.message(path.get(1));
      if (message == null) throw new NoSuchElementException("No event found for messageId " + path.get(1));
      process(message);
      message.events.clear();
      store.save(message);
      return null;
    }
    var types = query.get("eventTypes");
    var out = new ArrayList<Map<String, Object>>();
    chosen(query).forEach(message -> List.copyOf(message.events).stream().filter(type -> types == null || types.contains(type)).forEach(type -> out.add(Map.of("messageId", message.id, "type", type))));
    return out;
  }

  private static List<Mime.Part> parts(Object dataSources) {
    var out = new ArrayList<Mime.Part>();
    for (var one : Json.list(dataSources)) {
      var source = Json.object(one);
      var id = (String) source.get("contentId");
      out.add(new Mime.Part(id == null ? UUID.randomUUID().toString() : id, (String) source.get("contentType"), (String) source.get("name"), Base64.getDecoder().decode((String) source.get("content"))));
    }
    return out;
  }

  private static Map<String, Object> describe(Store.Message message) {
    var properties = new LinkedHashMap<String, Object>();
    properties.put("cpaId", message.cpa);
    properties.put("fromParty", party(message.from, message.fromRole));
    properties.put("toParty", party(message.to, message.toRole));
    properties.put("service", message.serviceText());
    properties.put("action", message.action);
    properties.put("timestamp", message.timestamp.toString());
    properties.put("conversationId", message.conversation);
    properties.put("messageId", message.id);
    properties.put("refToMessageId", message.refTo);
    properties.put("messageStatus", message.state);
    var sources = new ArrayList<Map<String, Object>>();
    for (var part : message.parts) {
      var source = new LinkedHashMap<String, Object>();
      source.put("name", part.name());
      source.put("contentId", part.contentId());
      source.put("contentType", part.contentType());
      source.put("content", Base64.getEncoder().encodeToString(part.content()));
      sources.add(source);
    }
    return Map.of("properties", properties, "dataSources", sources);
  }

  private static Map<String, Object> party(String id, String role) {
    var out = new LinkedHashMap<String, Object>();
    out.put("partyId", id);
    out.put("role", role);
    return out;
  }
}
