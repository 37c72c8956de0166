package schakel.interop.cxf;

import example.aanbieder.wus.wsdl.inschrijving_v1.IInschrijvingServiceV1;
import example.aanbieder.wus.wsdl.inschrijving_v1.InschrijvingFoutMessage;
import example.aanbieder.wus.xsd.inschrijving_v1.MeldWijziging;
import example.aanbieder.wus.xsd.inschrijving_v1.ObjectFactory;
import example.aanbieder.wus.xsd.inschrijving_v1.VraagInschrijving;
import jakarta.xml.bind.JAXBContext;
import jakarta.xml.bind.JAXBException;
import jakarta.xml.bind.Marshaller;
import jakarta.xml.ws.BindingProvider;
import jakarta.xml.ws.WebServiceException;
import jakarta.xml.ws.soap.SOAPFaultException;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.cxf.configuration.jsse.TLSClientParameters;
import org.apache.cxf.frontend.ClientProxy;
import org.apache.cxf.jaxws.JaxWsProxyFactoryBean;
import org.apache.cxf.message.Message;
import org.apache.cxf.transport.http.HTTPConduit;
import org.apache.cxf.ws.addressing.AddressingProperties;
import org.apache.cxf.ws.addressing.AttributedURIType;
import org.apache.cxf.ws.addressing.EndpointReferenceType;
import org.apache.cxf.ws.addressing.JAXWSAConstants;
import org.apache.wss4j.common.ext.WSSecurityException;

/**
 * The consumer. Options: those of {@link Identity}. Reads calls from standard input, one a line, as options: {@code --url}, {@code --payload FILE} (the element of the Body), those of {@link Terms}, and
 * {@code --to}, {@code --from} (values of WS-Addressing; else the URL and none). Prints one line of JSON for each: {@code outcome} is
 *
 * <ul>
 *   <li>{@code response} with {@code payload};
 *   <li>{@code fault} with {@code faultcode}, {@code faultstring}, {@code detail}: the partner answered so; a declared fault has its {@code declared} code;
 *   <li>{@code refused}: WSS4J refuses the answer, with {@code reason};
 *   <li>{@code failed}: there was no answer, with {@code reason}.
 * </ul>
 *
 * {@code verified} tells whether the answer was secured and WSS4J found it good.
 */
final class Client {
  private final Identity identity;
  private final JAXBContext payloads;
  private final Map<String, IInschrijvingServiceV1> ports = new HashMap<>();  // by URL and terms: their connections stay

  private Client(Identity identity) throws JAXBException {
    this.identity = identity;
    this.payloads = JAXBContext.newInstance(ObjectFactory.class);
  }

  static void run(Options options) throws GeneralSecurityException, IOException, JAXBException {
    var client = new Client(new Identity(options));
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (var line = lines.readLine(); line != null; line = lines.readLine()) System.out.println(Json.write(client.call(Options.of(List.of(line.split(" "))))));
  }

  private Map<String, Object> call(Options options) throws GeneralSecurityException, JAXBException {
    var terms = Terms.of(options);
    var key = options.need("url") + " " + terms;
    if (!ports.containsKey(key)) ports.put(key, port(terms, options.need("url")));
    var port = ports.get(key);
    ClientProxy.getClient(port).getResponseContext().clear();
    var context = ((BindingProvider) port).getRequestContext();
    context.put(JAXWSAConstants.CLIENT_ADDRESSING_PROPERTIES, addressing(options));
    var out = new LinkedHashMap<String, Object>();
    try {
      out.put("payload", written(invoke(port, payloads.createUnmarshaller().unmarshal(new File(options.need("payload"))))));
      out.put("outcome", "response");
    } catch (InschrijvingFoutMessage declared) {
      out.put("outcome", "fault");
      out.put("faultstring", declared.getMessage());
      out.put("declared", declared.getFaultInfo().getCode());
    } catch (WebServiceException failed) {
      describe(failed, out);
    }
    out.put("verified", Protection.verified(ClientProxy.getClient(port).getResponseContext()));
    return out;
  }

  private IInschrijvingServiceV1 port(Terms terms, String url) throws GeneralSecurityException {
    var factory = new JaxWsProxyFactoryBean();
    factory.setServiceClass(IInschrijvingServiceV1.class);
    factory.setAddress(url);
    factory.getFeatures().add(Protection.addressing());
    factory.setProperties(new HashMap<>(Map.of(Message.MTOM_ENABLED, terms.mtom())));
    if (terms.policy()) Policy.install(factory.getFeatures(), factory.getProperties(), identity, false);
    else Protection.install(factory, terms, identity, false);
    var port = (IInschrijvingServiceV1) factory.create();
    var tls = new TLSClientParameters();
    tls.setKeyManagers(identity.keyManagers());
    tls.setTrustManagers(identity.trustManagers());
    ((HTTPConduit) ClientProxy.getClient(port).getConduit()).setTlsClientParameters(tls);
    return port;
  }

  private static Object invoke(IInschrijvingServiceV1 port, Object request) throws InschrijvingFoutMessage {
    if (request instanceof VraagInschrijving question) return port.vraagInschrijving(question);
    return port.meldWijziging((MeldWijziging) request);
  }

  private static AddressingProperties addressing(Options options) {
    var out = new AddressingProperties();
    out.setTo(endpoint(options.get("to", options.need("url"))));
    if (options.values().containsKey("from")) out.setFrom(endpoint(options.need("from")));
    return out;
  }

  private static EndpointReferenceType endpoint(String address) {
    var uri = new AttributedURIType();
    uri.setValue(address);
    var out = new EndpointReferenceType();
    out.setAddress(uri);
    return out;
  }

  private String written(Object element) throws JAXBException {
    var marshaller = payloads.createMarshaller();
    marshaller.setProperty(Marshaller.JAXB_FRAGMENT, true);
    var out = new StringWriter();
    marshaller.marshal(element, out);
    return out.toString();
  }

  /** A SOAPFaultException is also what CXF makes of an answer that it refuses itself: the cause tells. */
  private static void describe(WebServiceException failed, Map<String, Object> out) {
    Throwable root = failed;
    for (; root.getCause() != null && root.getCause() != root; root = root.getCause())
      if (root instanceof WSSecurityException) break;
    if (root instanceof WSSecurityException || !(failed instanceof SOAPFaultException fault) || root instanceof IOException) {
      out.put("outcome", root instanceof WSSecurityException ? "refused" : "failed");
      out.put("reason", root.getClass().getSimpleName() + ": " + root.getMessage());
      return;
    }
    out.put("outcome", "fault");
    out.put("faultcode", fault.getFault().getFaultCodeAsQName().toString());
    out.put("faultstring", fault.getFault().getFaultString());
    if (fault.getFault().getDetail() != null) out.put("detail", fault.getFault().getDetail().getTextContent());
  }
}
