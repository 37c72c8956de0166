package schakel.interop.cxf;

import java.util.Arrays;
import java.util.Locale;

/** How one side of a call secures and writes its messages. */
record Terms(Profile profile, boolean mtom, String keyReference, Deviation deviation, boolean policy) {
  /** Digikoppeling 2W-be, 2W-be-S, 2W-be-SE (WUS-001). */
  enum Profile {
    BE, S, SE
  }

  /** What is done wrong on purpose, to see it refused. */
  enum Deviation {
    NONE,
    /** Created ten minutes ago (WUS-102). */
    OLD_TIMESTAMP,
    /** wsa:MessageID is not signed (WUS-104). */
    UNSIGNED_HEADER,
    /** rsa-sha1 and SHA-1 digests (WUS-170, WUS-171). */
    SHA1,
    /** The Body, or its ciphertext, is changed after it was secured (WUS-110, WUS-150). */
    TAMPERED,
    /** A service that answers without SignatureConfirmation (WUS-160). */
    NO_CONFIRMATION,
  }

  /** Options: {@code --profile be|s|se}, {@code --mtom true}, {@code --key-ref issuerserial|ski|thumbprint|bst}, {@code --deviation old-timestamp|...},
   * {@code --policy true} (se only: set by {@link Policy}). */
  static Terms of(Options options) {
    return new Terms(named(Profile.class, options.get("profile", "be")), Boolean.parseBoolean(options.get("mtom", "false")), options.get("key-ref", "issuerserial"),
        named(Deviation.class, options.get("deviation", "none")), Boolean.parseBoolean(options.get("policy", "false")));
  }

  boolean signed() {
    return profile != Profile.BE;
  }

  boolean encrypted() {
    return profile == Profile.SE;
  }

  /** The same terms, kept. */
  Terms honest() {
    return new Terms(profile, mtom, keyReference, Deviation.NONE, policy);
  }

  /** The path of the endpoint that {@link Service} offers on these terms: {@code /se-mtom}, {@code /se-policy}, {@code /s-old-timestamp}. */
  String path() {
    return "/" + name(profile) + (mtom ? "-mtom" : "") + (policy ? "-policy" : "") + (deviation == Deviation.NONE ? "" : "-" + name(deviation));
  }

  private static String name(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static <T extends Enum<T>> T named(Class<T> type, String name) {
    return Arrays.stream(type.getEnumConstants()).filter(one -> name(one).equals(name)).findFirst().orElseThrow(() -> new IllegalArgumentException("no such " + type.getSimpleName() + ": " + name));
  }
}
