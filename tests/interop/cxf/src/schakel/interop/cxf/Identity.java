package schakel.interop.cxf;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.UUID;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.security.auth.callback.CallbackHandler;
import org.apache.wss4j.common.crypto.Crypto;
import org.apache.wss4j.common.crypto.Merlin;
import org.apache.wss4j.common.ext.WSPasswordCallback;

/**
 * Who this peer is, from PEM files: the key and chain for TLS and for messages, whom it trusts, and the certificate of the partner that requests are encrypted for. Only in memory; the password of the key
 * store is of this process.
 */
final class Identity {
  static final String SELF = "self", PARTNER = "partner";
  private final String password = UUID.randomUUID().toString();
  private final KeyStore keys, trusted;

  /** Options: {@code --key}, {@code --chain} (own certificate first), {@code --trust} (anchors and intermediates), {@code --partner} (optional). */
  Identity(Options options) throws GeneralSecurityException, IOException {
    keys = empty();
    keys.setKeyEntry(SELF, privateKey(Path.of(options.need("key"))), password.toCharArray(), certificates(options.need("chain")).toArray(Certificate[]::new));
    if (options.values().containsKey("partner")) keys.setCertificateEntry(PARTNER, certificates(options.need("partner")).get(0));
    trusted = empty();
    for (var one : certificates(options.need("trust"))) trusted.setCertificateEntry("trusted-" + trusted.size(), one);
  }

  KeyManager[] keyManagers() throws GeneralSecurityException {
    var factory = KeyManagerFactory.getInstance("PKIX");
    factory.init(keys, password.toCharArray());
    return factory.getKeyManagers();
  }

  TrustManager[] trustManagers() throws GeneralSecurityException {
    var factory = TrustManagerFactory.getInstance("PKIX");
    factory.init(trusted);
    return factory.getTrustManagers();
  }

  SSLContext tls() throws GeneralSecurityException {
    var context = SSLContext.getInstance("TLS");
    context.init(keyManagers(), trustManagers(), null);
    return context;
  }

  /** For messages: keys and trust as WSS4J wants them. */
  Crypto crypto() {
    var crypto = new Merlin();
    crypto.setKeyStore(keys);
    crypto.setTrustStore(trusted);
    crypto.setEnablePrivateKeyCaching(true);  // as when it is made from properties; a key store opens its key slowly
    return crypto;
  }

  CallbackHandler passwords() {
    return callbacks -> {
      for (var one : callbacks)
        if (one instanceof WSPasswordCallback wanted) wanted.setPassword(password);
    };
  }

  String password() {
    return password;
  }

  private static KeyStore empty() throws GeneralSecurityException, IOException {
    var store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    return store;
  }

  private static List<Certificate> certificates(String file) throws GeneralSecurityException, IOException {
    return List.copyOf(CertificateFactory.getInstance("X.509").generateCertificates(new ByteArrayInputStream(Files.readAllBytes(Path.of(file)))));
  }

  private static PrivateKey privateKey(Path file) throws GeneralSecurityException, IOException {
    var pem = Files.readString(file).replaceAll("-----[A-Z ]+-----", "");
    return KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(pem)));
  }
}
