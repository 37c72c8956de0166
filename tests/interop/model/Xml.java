import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.TransformerException;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.xml.sax.SAXException;

/** The few things that a message handler does with XML. */
final class Xml {
  static final String SOAP = "http://schemas.xmlsoap.org/soap/envelope/";
  static final String EB = "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd";
  static final String XLINK = "http://www.w3.org/1999/xlink";
  static final String DS = "http://www.w3.org/2000/09/xmldsig#";
  static final String XENC = "http://www.w3.org/2001/04/xmlenc#";
  static final String CPA = "http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd";

  private Xml() {}

  static Document parse(byte[] octets) throws SAXException, IOException {
    try {
      var factory = DocumentBuilderFactory.newInstance();
      factory.setNamespaceAware(true);
      factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
      factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
      factory.setFeature("http://apache.org/xml/features/dom/defer-node-expansion", false);  // a deferred document changes while it is read: not for several threads
      var builder = factory.newDocumentBuilder();
      builder.setErrorHandler(null);
      return builder.parse(new ByteArrayInputStream(octets));
    } catch (ParserConfigurationException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  static byte[] write(Node node) {
    try {
      var transformer = TransformerFactory.newInstance().newTransformer();
      transformer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
      var out = new ByteArrayOutputStream();
      transformer.transform(new DOMSource(node), new StreamResult(out));
      return out.toByteArray();
    } catch (TransformerException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  static List<Element> children(Node parent, String namespace, String name) {
    var out = new ArrayList<Element>();
    for (var node = parent == null ? null : parent.getFirstChild(); node != null; node = node.getNextSibling())
      if (node instanceof Element element && namespace.equals(element.getNamespaceURI()) && name.equals(element.getLocalName())) out.add(element);
    return out;
  }

  /** The element at the end of a path of first children; null when there is none. */
  static Element child(Node parent, String namespace, String... path) {
    Node at = parent;
    for (var name : path) {
      var found = children(at, namespace, name);
      if (found.isEmpty()) return null;
      at = found.get(0);
    }
    return (Element) at;
  }

  static String text(Node parent, String namespace, String... path) {
    var found = child(parent, namespace, path);
    return found == null ? null : found.getTextContent().strip();
  }

  /** A qualified attribute; null when absent. */
  static String attribute(Element element, String namespace, String name) {
    return element != null && element.hasAttributeNS(namespace, name) ? element.getAttributeNS(namespace, name) : null;
  }

  static String escape(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
  }
}
