package schakel.interop.cxf;

import jakarta.xml.soap.SOAPException;
import jakarta.xml.soap.SOAPMessage;
import org.apache.cxf.binding.soap.SoapMessage;
import org.apache.cxf.binding.soap.interceptor.AbstractSoapInterceptor;
import org.apache.cxf.phase.Phase;
import org.w3c.dom.Node;

/** Changes the last text of the Body, plain or ciphertext, after WSS4J has secured it. */
final class Tampering extends AbstractSoapInterceptor {
  Tampering() {
    super(Phase.POST_PROTOCOL_ENDING);  // between WSS4J and the writing of the message
  }

  @Override
  public void handleMessage(SoapMessage message) {
    try {
      var text = lastText(message.getContent(SOAPMessage.class).getSOAPBody());
      var value = text.getNodeValue();
      text.setNodeValue((value.charAt(0) == '1' ? '2' : '1') + value.substring(1));
    } catch (SOAPException broken) {
      throw new IllegalStateException(broken);
    }
  }

  private static Node lastText(Node node) {
    for (var child = node.getLastChild(); child != null; child = child.getPreviousSibling()) {
      if (child.getNodeType() == Node.TEXT_NODE && !child.getNodeValue().isBlank()) return child;
      var below = lastText(child);
      if (below != null) return below;
    }
    return null;
  }
}
