package schakel.interop.cxf;

import java.io.IOException;
import java.security.GeneralSecurityException;
import java.util.HashMap;
import java.util.Map;
import org.apache.cxf.BusFactory;
import org.apache.cxf.configuration.jsse.TLSServerParameters;
import org.apache.cxf.configuration.security.ClientAuthentication;
import org.apache.cxf.jaxws.JaxWsServerFactoryBean;
import org.apache.cxf.message.Message;
import org.apache.cxf.transport.http_jetty.JettyHTTPServerEngineFactory;
import schakel.interop.cxf.Terms.Deviation;
import schakel.interop.cxf.Terms.Profile;

/** The provider: the sample service over two-way TLS, once for every terms at {@link Terms#path()}. Options: those of {@link Identity}, {@code --port}. Prints {@code ready}. */
final class Service {
  private Service() {}

  static void run(Options options) throws GeneralSecurityException, IOException, InterruptedException {
    var identity = new Identity(options);
    var port = options.number("port", 0);
    var tls = new TLSServerParameters();
    tls.setKeyManagers(identity.keyManagers());
    tls.setTrustManagers(identity.trustManagers());
    var authentication = new ClientAuthentication();
    authentication.setWant(true);
    authentication.setRequired(true);
    tls.setClientAuthentication(authentication);
    BusFactory.getDefaultBus().getExtension(JettyHTTPServerEngineFactory.class).setTLSServerParametersForPort("localhost", port, tls);

    var keyReference = options.get("key-ref", "issuerserial");
    for (var profile : Profile.values()) {
      for (var mtom : new boolean[] {false, true}) offer(port, new Terms(profile, mtom, keyReference, Deviation.NONE, false), identity);
      if (profile == Profile.BE) continue;
      for (var deviation : Deviation.values())
        if (deviation != Deviation.NONE) offer(port, new Terms(profile, false, keyReference, deviation, false), identity);
    }
    offer(port, new Terms(Profile.SE, false, keyReference, Deviation.NONE, true), identity);
    System.out.println("ready");
    Thread.currentThread().join();
  }

  private static void offer(int port, Terms terms, Identity identity) {
    var factory = new JaxWsServerFactoryBean();
    factory.setServiceBean(new Register());
    factory.setAddress("https://localhost:" + port + terms.path());
    factory.getFeatures().add(Protection.addressing());
    factory.setProperties(new HashMap<>(Map.of(Message.MTOM_ENABLED, terms.mtom())));
    if (terms.policy()) Policy.install(factory.getFeatures(), factory.getProperties(), identity, true);
    else Protection.install(factory, terms, identity, true);
    factory.create();
  }
}
