package schakel.interop.cxf;

import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.cxf.binding.soap.SoapFault;
import org.apache.cxf.binding.soap.SoapMessage;
import org.apache.cxf.interceptor.InterceptorProvider;
import org.apache.cxf.ws.addressing.WSAddressingFeature;
import org.apache.cxf.ws.security.wss4j.CryptoCoverageChecker;
import org.apache.cxf.ws.security.wss4j.CryptoCoverageUtil.CoverageScope;
import org.apache.cxf.ws.security.wss4j.CryptoCoverageUtil.CoverageType;
import org.apache.cxf.ws.security.wss4j.WSS4JInInterceptor;
import org.apache.cxf.ws.security.wss4j.WSS4JOutInterceptor;
import org.apache.wss4j.common.ConfigurationConstants;
import org.apache.wss4j.common.ext.WSSecurityException;
import org.apache.wss4j.dom.WSConstants;
import org.apache.wss4j.dom.action.Action;
import org.apache.wss4j.dom.handler.WSHandlerConstants;
import org.apache.wss4j.dom.handler.WSHandlerResult;
import org.apache.wss4j.dom.message.WSSecTimestamp;
import schakel.interop.cxf.Terms.Deviation;

/** The terms of a call as settings of CXF and WSS4J (wus.md, acceptance row 5): what a partner's programmer would write. */
final class Protection {
  private static final String WSA = "http://www.w3.org/2005/08/addressing";
  private static final Map<String, String> KEY_REFERENCES =
      Map.of("issuerserial", "IssuerSerial", "ski", "SKIKeyIdentifier", "thumbprint", "Thumbprint", "bst", "DirectReference");
  private static final int SECONDS_VALID = 300;

  private Protection() {}

  static WSAddressingFeature addressing() {
    var feature = new WSAddressingFeature();
    feature.setAddressingRequired(true);
    return feature;
  }

  /** Puts the interceptors of the terms in place; without security for 2W-be. */
  static void install(InterceptorProvider side, Terms terms, Identity identity, boolean server) {
    if (!terms.signed()) return;
    var out = new SecuringVerifiedOnly(settings(terms, identity, server));
    side.getOutInterceptors().add(out);
    side.getOutFaultInterceptors().add(out);
    if (terms.deviation() == Deviation.TAMPERED) side.getOutInterceptors().add(new Tampering());
    side.getInInterceptors().add(new WSS4JInInterceptor(settings(terms.honest(), identity, server)));
    side.getInInterceptors().add(new Coverage(terms.encrypted()));
  }

  private static Map<String, Object> settings(Terms terms, Identity identity, boolean server) {
    var out = new HashMap<String, Object>();
    out.put(ConfigurationConstants.ACTION, "Timestamp Signature" + (terms.encrypted() ? " Encrypt" : ""));
    out.put("crypto", identity.crypto());
    for (var use : List.of(ConfigurationConstants.SIG_PROP_REF_ID, ConfigurationConstants.SIG_VER_PROP_REF_ID, ConfigurationConstants.ENC_PROP_REF_ID, ConfigurationConstants.DEC_PROP_REF_ID))
      out.put(use, "crypto");
    out.put(ConfigurationConstants.PW_CALLBACK_REF, identity.passwords());
    out.put(ConfigurationConstants.USER, Identity.SELF);
    out.put(ConfigurationConstants.TTL_TIMESTAMP, Integer.toString(SECONDS_VALID));
    out.put(ConfigurationConstants.ENABLE_SIGNATURE_CONFIRMATION, Boolean.toString(terms.deviation() != Deviation.NO_CONFIRMATION));

    out.put(ConfigurationConstants.SIG_KEY_ID, "DirectReference");
    out.put(ConfigurationConstants.SIG_ALGO, terms.deviation() == Deviation.SHA1 ? WSConstants.RSA_SHA1 : WSConstants.RSA_SHA256);
    out.put(ConfigurationConstants.SIG_DIGEST_ALGO, terms.deviation() == Deviation.SHA1 ? WSConstants.SHA1 : WSConstants.SHA256);
    out.put(ConfigurationConstants.SIGNATURE_PARTS,
        parts(Stream.of("{" + WSConstants.URI_SOAP11_ENV + "}Body", "{" + WSConstants.WSU_NS + "}Timestamp", header("Action"), header("To"), header("MessageID"))
                  .filter(one -> terms.deviation() != Deviation.UNSIGNED_HEADER || !one.endsWith("MessageID"))));
    out.put(ConfigurationConstants.OPTIONAL_SIGNATURE_PARTS, parts(Stream.of(header("From"), header("ReplyTo"), header("FaultTo"), header("RelatesTo"))));

    out.put(ConfigurationConstants.ENCRYPTION_USER, server ? ConfigurationConstants.USE_REQ_SIG_CERT : Identity.PARTNER);
    out.put(ConfigurationConstants.ENC_KEY_ID, KEY_REFERENCES.get(terms.keyReference()));
    out.put(ConfigurationConstants.ENC_SYM_ALGO, WSConstants.AES_256_GCM);
    out.put(ConfigurationConstants.ENC_KEY_TRANSPORT, WSConstants.KEYTRANSPORT_RSAOAEP);
    if (terms.deviation() == Deviation.OLD_TIMESTAMP) out.put(WSS4JOutInterceptor.WSS4J_ACTION_MAP, Map.of(WSConstants.TS, (Action) (handler, token, request) -> {
      var timestamp = new WSSecTimestamp(request.getSecHeader());
      timestamp.setWsTimeSource(() -> Instant.now().minusSeconds(2 * SECONDS_VALID));
      timestamp.setTimeToLive(SECONDS_VALID);
      timestamp.build();
    }));
    return out;
  }

  private static String header(String name) {
    return "{" + WSA + "}" + name;
  }

  private static String parts(Stream<String> names) {
    return names.map(one -> "{Element}" + one).collect(Collectors.joining(";"));
  }

  /** Was the message signed, and did WSS4J find it good? An unsecured fault has a result too, an empty one. */
  static boolean verified(Map<String, Object> message) {
    return message.get(WSHandlerConstants.RECV_RESULTS) instanceof List<?> results
        && results.stream().anyMatch(one -> ((WSHandlerResult) one).getActionResults().containsKey(WSConstants.SIGN));
  }

  /** WSS4J verifies what is signed; this refuses what is not (WUS-105). Unsecured faults stay faults (WUS-164). */
  private static final class Coverage extends CryptoCoverageChecker {
    Coverage(boolean encrypted) {
      super(Map.of("soap", WSConstants.URI_SOAP11_ENV, "wsa", WSA, "wsse", WSConstants.WSSE_NS, "wsu", WSConstants.WSU_NS),
          Stream.concat(Stream.of("Body", "Header/wsa:*", "Header/wsse:Security/wsu:Timestamp").map(one -> new XPathExpression("/soap:Envelope/soap:" + one, CoverageType.SIGNED)),
                    encrypted ? Stream.of(new XPathExpression("/soap:Envelope/soap:Body", CoverageType.ENCRYPTED, CoverageScope.CONTENT)) : Stream.empty())
              .toList());
    }

    @Override
    public void handleMessage(SoapMessage message) {
      if (!verified(message)) return;
      try {
        super.handleMessage(message);
      } catch (SoapFault uncovered) {
        throw new SoapFault(uncovered.getMessage(), new WSSecurityException(WSSecurityException.ErrorCode.INVALID_SECURITY, uncovered), uncovered.getFaultCode());
      }
    }
  }

  /** A fault from before the request was verified goes unsecured (WUS-163): there is nobody yet to confirm to or to encrypt for. */
  private static final class SecuringVerifiedOnly extends WSS4JOutInterceptor {
    SecuringVerifiedOnly(Map<String, Object> settings) {
      super(settings);
    }

    @Override
    public void handleMessage(SoapMessage message) {
      var request = message.getExchange().getInMessage();
      if (isRequestor(message) || verified(request)) super.handleMessage(message);
    }
  }
}
