package schakel.interop.cxf;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.apache.cxf.feature.Feature;
import org.apache.cxf.rt.security.SecurityConstants;
import org.apache.cxf.ws.policy.WSPolicyFeature;
import org.apache.wss4j.common.ConfigurationConstants;
import org.apache.wss4j.dom.WSConstants;
import org.xml.sax.SAXException;

/** The other way to set CXF for 2W-be-SE: by the WS-SecurityPolicy that a provider publishes with its WSDL (WUS-046). Its algorithm suites must be overridden: they sign with rsa-sha1. */
final class Policy {
  private static final String DOCUMENT = "/policy-2W-be-SE.xml";

  private Policy() {}

  static void install(List<Feature> features, Map<String, Object> properties, Identity identity, boolean server) {
    var feature = new WSPolicyFeature();
    feature.setPolicyElements(List.of(read()));
    features.add(feature);
    properties.put(SecurityConstants.SIGNATURE_CRYPTO, identity.crypto());
    properties.put(SecurityConstants.ENCRYPT_CRYPTO, identity.crypto());
    properties.put(SecurityConstants.CALLBACK_HANDLER, identity.passwords());
    properties.put(SecurityConstants.SIGNATURE_USERNAME, Identity.SELF);
    properties.put(SecurityConstants.ENCRYPT_USERNAME, server ? ConfigurationConstants.USE_REQ_SIG_CERT : Identity.PARTNER);
    properties.put(org.apache.cxf.ws.security.SecurityConstants.CUSTOM_ALG_SUITE_ASYMMETRIC_SIGNATURE, WSConstants.RSA_SHA256);
    properties.put(org.apache.cxf.ws.security.SecurityConstants.CUSTOM_ALG_SUITE_ASYMMETRIC_KEY_ENCRYPTION_ALGORITHM, WSConstants.KEYTRANSPORT_RSAOAEP);
  }

  private static org.w3c.dom.Element read() {
    try (var in = Policy.class.getResourceAsStream(DOCUMENT)) {
      var factory = DocumentBuilderFactory.newInstance();
      factory.setNamespaceAware(true);
      return factory.newDocumentBuilder().parse(in).getDocumentElement();
    } catch (IOException | ParserConfigurationException | SAXException broken) {
      throw new IllegalStateException(broken);
    }
  }
}
