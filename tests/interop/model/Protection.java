import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.spec.MGF1ParameterSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PSource;
import javax.crypto.spec.SecretKeySpec;
import javax.xml.crypto.OctetStreamData;
import javax.xml.crypto.URIDereferencer;
import javax.xml.crypto.URIReferenceException;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.crypto.dsig.spec.XPathFilterParameterSpec;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** XML signatures by the JDK (secure validation on) and XML encryption, in ebms-core's ways: EB-239, EB-240, EB-241. */
final class Protection {
  private static final XMLSignatureFactory SIGNATURES = XMLSignatureFactory.getInstance("DOM");
  private static final String INCLUSIVE = CanonicalizationMethod.INCLUSIVE;
  private static final String RSA_1_5 = Xml.XENC + "rsa-1_5", OAEP_MGF1P = Xml.XENC + "rsa-oaep-mgf1p", OAEP_11 = "http://www.w3.org/2009/xmlenc11#rsa-oaep";
  private static final String NOT_FOR_NEXT = "not(ancestor-or-self::node()[@soap:actor=\"urn:oasis:names:tc:ebxml-msg:actor:nextMSH\"]|"
      + "ancestor-or-self::node()[@soap:actor=\"http://schemas.xmlsoap.org/soap/actor/next\"])";
  private static final SecureRandom RANDOM = new SecureRandom();

  private Protection() {}

  /** Reads an attachment where a Reference says `cid:`; the rest is the JDK's. */
  private static URIDereferencer attachments(List<Mime.Part> parts) {
    var standard = SIGNATURES.getURIDereferencer();
    return (reference, context) -> {
      if (reference.getURI() == null || !reference.getURI().startsWith("cid:")) return standard.dereference(reference, context);
      for (var part : parts)
        if (reference.getURI().equals("cid:" + part.contentId())) return new OctetStreamData(new ByteArrayInputStream(part.content()));
      throw new URIReferenceException("no attachment " + reference.getURI());
    };
  }

  static void sign(Document envelope, List<Mime.Part> parts, Agreement.Channel channel, PrivateKey key) throws Exception {
    var digest = SIGNATURES.newDigestMethod(channel.hash(), null);
    var transforms = List.of(SIGNATURES.newTransform(Transform.ENVELOPED, (TransformParameterSpec) null),
        SIGNATURES.newTransform(Transform.XPATH, new XPathFilterParameterSpec(NOT_FOR_NEXT, Map.of())), SIGNATURES.newTransform(INCLUSIVE, (TransformParameterSpec) null));
    var references = new ArrayList<Reference>();
    references.add(SIGNATURES.newReference("", digest, transforms, null, null));
    for (var part : parts) references.add(SIGNATURES.newReference("cid:" + part.contentId(), digest));
    var info = SIGNATURES.newSignedInfo(SIGNATURES.newCanonicalizationMethod(INCLUSIVE, (C14NMethodParameterSpec) null), SIGNATURES.newSignatureMethod(channel.signature(), null), references);
    var keys = SIGNATURES.getKeyInfoFactory();
    var hint = keys.newKeyInfo(List.of(keys.newKeyValue(channel.signing().getPublicKey()), keys.newX509Data(List.of(channel.signing()))));
    var context = new DOMSignContext(key, Xml.child(envelope.getDocumentElement(), Xml.SOAP, "Header"));
    context.setURIDereferencer(attachments(parts));
    context.putNamespacePrefix(Xml.DS, "ds");
    SIGNATURES.newXMLSignature(info, hint).sign(context);
  }

  static Element signature(Element header) {
    return Xml.child(header, Xml.DS, "Signature");
  }

  /** EB-240: the CPA's certificate and algorithms count. @return what is wrong; null when the signature is good. */
  static String fault(Element signature, List<Mime.Part> parts, Agreement.Channel channel) {
    try {
      var context = new DOMValidateContext(channel.signing().getPublicKey(), signature);
      context.setURIDereferencer(attachments(parts));
      context.setProperty("org.jcp.xml.dsig.secureValidation", true);
      var read = SIGNATURES.unmarshalXMLSignature(context);
      if (!read.getSignedInfo().getSignatureMethod().getAlgorithm().equals(channel.signature())) return "Invalid SignatureMethod.";
      for (var reference : read.getSignedInfo().getReferences())
        if (!reference.getDigestMethod().getAlgorithm().equals(channel.hash())) return "Invalid DigestMethod.";
      return read.validate(context) ? null : "Invalid Signature!";
    } catch (Exception bad) {
      return "Invalid Signature! " + bad;
    }
  }

  /** A signed acknowledgment holds the digests that were sent, in number and value (EB-159). */
  static boolean sameReferences(List<Element> sent, List<Element> acknowledged) {
    if (sent.size() != acknowledged.size()) return false;
    for (int i = 0; i < sent.size(); ++i)
      if (!sent.get(i).getAttribute("URI").equals(acknowledged.get(i).getAttribute("URI"))
          || !Objects.equals(Xml.text(sent.get(i), Xml.DS, "DigestValue"), Xml.text(acknowledged.get(i), Xml.DS, "DigestValue"))) return false;
    return true;
  }

  // --- encryption ---------------------------------------------------------------------------------------------------------------------

  private static int keyBytes(String algorithm) {
    return switch (algorithm.substring(algorithm.indexOf('#') + 1)) {
      case "aes128-cbc", "aes128-gcm" -> 16;
      case "aes256-cbc", "aes256-gcm" -> 32;
      default -> throw new IllegalArgumentException("content algorithm " + algorithm);
    };
  }

  /** EB-241: CBC, rsa-1_5, Type Element, Id = Content-ID, the subject as KeyName. */
  static Mime.Part encrypt(Mime.Part part, Agreement.Channel receiver) throws GeneralSecurityException {
    if (!receiver.cipher().endsWith("-cbc")) throw new IllegalArgumentException("cannot encrypt with " + receiver.cipher());
    var key = new byte[keyBytes(receiver.cipher())];
    var iv = new byte[16];
    RANDOM.nextBytes(key);
    RANDOM.nextBytes(iv);
    var padded = Arrays.copyOf(part.content(), (part.content().length / 16 + 1) * 16);
    padded[padded.length - 1] = (byte) (padded.length - part.content().length);
    var content = Cipher.getInstance("AES/CBC/NoPadding");
    content.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"), new IvParameterSpec(iv));
    var out = new ByteArrayOutputStream();
    out.writeBytes(iv);
    out.writeBytes(content.doFinal(padded));
    var transport = Cipher.getInstance("RSA/ECB/PKCS1Padding");
    transport.init(Cipher.ENCRYPT_MODE, receiver.encryption().getPublicKey());
    var base64 = Base64.getMimeEncoder();
    var xml = "<xenc:EncryptedData xmlns:xenc=\"" + Xml.XENC + "\" Id=\"" + part.contentId() + "\" MimeType=\"" + Xml.escape(part.contentType()) + "\" Type=\"" + Xml.XENC + "Element\">"
        + "<xenc:EncryptionMethod Algorithm=\"" + receiver.cipher() + "\"/><ds:KeyInfo xmlns:ds=\"" + Xml.DS + "\"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm=\"" + RSA_1_5
        + "\"/><ds:KeyInfo><ds:KeyName>" + Xml.escape(receiver.encryption().getSubjectX500Principal().getName()) + "</ds:KeyName></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>"
        + base64.encodeToString(transport.doFinal(key)) + "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>"
        + base64.encodeToString(out.toByteArray()) + "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>";
    return part.with("application/xml", xml.getBytes(StandardCharsets.UTF_8));
  }

  private static byte[] cipherValue(Element holder) {
    return Base64.getMimeDecoder().decode(Xml.text(holder, Xml.XENC, "CipherData", "CipherValue"));
  }

  static Mime.Part decrypt(Mime.Part part, PrivateKey key) throws Exception {
    var data = Xml.parse(part.content()).getDocumentElement();
    if (!"EncryptedData".equals(data.getLocalName()) || !Xml.XENC.equals(data.getNamespaceURI())) throw new GeneralSecurityException("not encrypted");
    var wrapped = Xml.child(Xml.child(data, Xml.DS, "KeyInfo"), Xml.XENC, "EncryptedKey");
    var method = Xml.child(wrapped, Xml.XENC, "EncryptionMethod");
    var transport = Cipher.getInstance(method.getAttribute("Algorithm").equals(RSA_1_5) ? "RSA/ECB/PKCS1Padding" : "RSA/ECB/OAEPPadding");
    if (method.getAttribute("Algorithm").equals(RSA_1_5)) transport.init(Cipher.DECRYPT_MODE, key);
    else transport.init(Cipher.DECRYPT_MODE, key, oaep(method));
    var secret = new SecretKeySpec(transport.doFinal(cipherValue(wrapped)), "AES");
    var algorithm = Xml.child(data, Xml.XENC, "EncryptionMethod").getAttribute("Algorithm");
    if (secret.getEncoded().length != keyBytes(algorithm)) throw new GeneralSecurityException("the key does not fit " + algorithm);
    var type = data.hasAttribute("MimeType") ? data.getAttribute("MimeType") : "application/octet-stream";
    return part.with(type, content(algorithm, secret, cipherValue(data)));
  }

  private static OAEPParameterSpec oaep(Element method) throws GeneralSecurityException {
    var algorithm = method.getAttribute("Algorithm");
    if (!algorithm.equals(OAEP_MGF1P) && !algorithm.equals(OAEP_11)) throw new GeneralSecurityException("key transport " + algorithm);
    var label = Xml.child(method, Xml.DS, "DigestMethod");
    var mask = Xml.child(method, "http://www.w3.org/2009/xmlenc11#", "MGF");
    return new OAEPParameterSpec(hash(label), "MGF1", new MGF1ParameterSpec(hash(mask)), PSource.PSpecified.DEFAULT);
  }

  private static String hash(Element named) {
    var name = named == null ? "sha1" : named.getAttribute("Algorithm").replaceAll(".*#(mgf1)?", "");
    return "SHA-" + name.substring(3);
  }

  private static byte[] content(String algorithm, SecretKeySpec key, byte[] octets) throws GeneralSecurityException {
    boolean gcm = algorithm.endsWith("-gcm");
    int iv = gcm ? 12 : 16;
    var cipher = Cipher.getInstance(gcm ? "AES/GCM/NoPadding" : "AES/CBC/NoPadding");
    cipher.init(Cipher.DECRYPT_MODE, key, gcm ? new GCMParameterSpec(128, octets, 0, iv) : new IvParameterSpec(octets, 0, iv));
    var plain = cipher.doFinal(octets, iv, octets.length - iv);
    return gcm ? plain : Arrays.copyOf(plain, plain.length - (plain[plain.length - 1] & 0xff));
  }
}
