// Judges a WUS envelope with the JDK's own XML Signature and ciphers: java VerifyWus.java MESSAGE CERTIFICATE [KEY]
// Prints "valid N" (N references) or the reason why not. KEY (PKCS#8 PEM) decrypts the Body first.
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.*;
import java.security.cert.*;
import java.security.spec.*;
import java.util.*;
import javax.crypto.Cipher;
import javax.crypto.spec.*;
import javax.xml.crypto.dsig.*;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.parsers.*;
import org.w3c.dom.*;

public class VerifyWus {
  static final String WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
  static final String XENC = "http://www.w3.org/2001/04/xmlenc#";

  static Document parse(byte[] octets) throws Exception {
    DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
    factory.setNamespaceAware(true);
    return factory.newDocumentBuilder().parse(new ByteArrayInputStream(octets));
  }

  static byte[] cipherValue(Element parent) {
    Element data = (Element) parent.getElementsByTagNameNS(XENC, "CipherData").item(0);
    return Base64.getMimeDecoder().decode(data.getTextContent());
  }

  static String decrypt(Document document, PrivateKey key) throws Exception {
    Element encryptedKey = (Element) document.getElementsByTagNameNS(XENC, "EncryptedKey").item(0);
    Element data = (Element) document.getElementsByTagNameNS(XENC, "EncryptedData").item(0);
    NodeList digests = encryptedKey.getElementsByTagNameNS(XMLSignature.XMLNS, "DigestMethod");
    String digest = digests.getLength() == 0 ? "SHA-1" : "SHA-256";
    Cipher unwrap = Cipher.getInstance("RSA/ECB/OAEPPadding");
    unwrap.init(Cipher.DECRYPT_MODE, key, new OAEPParameterSpec(digest, "MGF1", MGF1ParameterSpec.SHA1, PSource.PSpecified.DEFAULT));
    byte[] content = unwrap.doFinal(cipherValue(encryptedKey)), octets = cipherValue(data);
    Cipher open = Cipher.getInstance("AES/GCM/NoPadding");
    open.init(Cipher.DECRYPT_MODE, new SecretKeySpec(content, "AES"), new GCMParameterSpec(128, octets, 0, 12));
    return new String(open.doFinal(octets, 12, octets.length - 12), StandardCharsets.UTF_8);
  }

  static void registerIds(Element element) {
    if (element.hasAttributeNS(WSU, "Id")) element.setIdAttributeNS(WSU, "Id", true);
    for (Node child = element.getFirstChild(); child != null; child = child.getNextSibling())
      if (child instanceof Element) registerIds((Element) child);
  }

  public static void main(String[] arguments) throws Exception {
    String text = Files.readString(Path.of(arguments[0]));
    if (arguments.length > 2) {
      String pem = Files.readString(Path.of(arguments[2])).replaceAll("-----[^-]*-----", "");
      PrivateKey key = KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(pem)));
      String plain = decrypt(parse(text.getBytes(StandardCharsets.UTF_8)), key);
      String end = "</xenc:EncryptedData>";
      text = text.substring(0, text.indexOf("<xenc:EncryptedData")) + plain + text.substring(text.indexOf(end) + end.length());
    }
    Document document = parse(text.getBytes(StandardCharsets.UTF_8));
    registerIds(document.getDocumentElement());
    java.security.cert.Certificate certificate;
    try (InputStream in = Files.newInputStream(Path.of(arguments[1]))) {
      certificate = CertificateFactory.getInstance("X.509").generateCertificate(in);
    }
    Node signature = document.getElementsByTagNameNS(XMLSignature.XMLNS, "Signature").item(0);
    DOMValidateContext context = new DOMValidateContext(certificate.getPublicKey(), signature);
    XMLSignature read = XMLSignatureFactory.getInstance("DOM").unmarshalXMLSignature(context);
    boolean valid = read.validate(context);
    System.out.println(valid ? "valid " + read.getSignedInfo().getReferences().size() : "not valid");
  }
}
