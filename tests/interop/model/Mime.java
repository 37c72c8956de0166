import java.io.ByteArrayOutputStream;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.regex.Pattern;

/** multipart/related as ebms-core writes and reads it (EB-236, EB-237). */
final class Mime {
  record Part(String contentId, String contentType, String name, byte[] content) implements Serializable {
    Part with(String type, byte[] octets) {
      return new Part(contentId, type, name, octets);
    }
  }

  record Body(String contentType, byte[] octets) {}

  private static final Pattern DISPOSITION = Pattern.compile("^attachment;\\s+filename=\"?([^\"]*)\"?$");
  private static final Pattern BOUNDARY = Pattern.compile("boundary=(?:\"([^\"]*)\"|([^;\\s]*))", Pattern.CASE_INSENSITIVE);

  private Mime() {}

  static Body write(String messageId, byte[] root, List<Part> parts) {
    if (parts.isEmpty()) return new Body("text/xml; charset=UTF-8", root);
    var boundary = "-=" + UUID.randomUUID() + "=-";
    var out = new ByteArrayOutputStream();
    put(out, "--" + boundary + "\r\nContent-Type: text/xml; charset=UTF-8\r\nContent-ID: <" + messageId + ">\r\n\r\n", root);
    for (var part : parts) {
      var text = part.contentType.startsWith("text/") || part.contentType.endsWith("/xml");
      put(out, "\r\n--" + boundary + "\r\nContent-Type: " + part.contentType + "\r\nContent-ID: <" + part.contentId + ">\r\nContent-Disposition: attachment; filename=\"" + part.name + "\"\r\n"
          + (text ? "" : "Content-Transfer-Encoding: binary\r\n") + "\r\n", part.content);
    }
    put(out, "\r\n--" + boundary + "--", new byte[0]);
    return new Body("multipart/related; boundary=\"" + boundary + "\"; type=\"text/xml\"; start=\"<" + messageId + ">\"; start-info=\"text/xml\"", out.toByteArray());
  }

  private static void put(ByteArrayOutputStream out, String head, byte[] content) {
    out.writeBytes(head.getBytes(StandardCharsets.UTF_8));
    out.writeBytes(content);
  }

  /** The parts, the root first; one part for a plain text/xml body. */
  static List<Part> read(String contentType, byte[] body) {
    var type = contentType == null ? "" : contentType.toLowerCase(Locale.ROOT);
    if (type.startsWith("text/xml")) return List.of(new Part(null, contentType, null, body));
    var found = BOUNDARY.matcher(contentType == null ? "" : contentType);
    if (!type.startsWith("multipart/related") || !found.find()) throw new IllegalArgumentException("content type " + contentType);
    var delimiter = ("\r\n--" + (found.group(1) != null ? found.group(1) : found.group(2))).getBytes(StandardCharsets.ISO_8859_1);
    var parts = new ArrayList<Part>();
    int at = starts(body, 0, delimiter, 2) ? delimiter.length - 2 : after(body, 0, delimiter);
    while (!starts(body, at, "--".getBytes(StandardCharsets.ISO_8859_1), 0)) {
      int end = after(body, at, delimiter) - delimiter.length;
      parts.add(part(body, at + 2, end));
      at = end + delimiter.length;
    }
    if (parts.isEmpty()) throw new IllegalArgumentException("no part");
    return parts;
  }

  private static Part part(byte[] body, int begin, int end) {
    var blank = "\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1);
    int content = after(body, begin - 2, blank);
    var headers = new HashMap<String, String>();
    for (var line : new String(body, begin, Math.max(0, content - begin), StandardCharsets.ISO_8859_1).replaceAll("\r\n[ \t]+", " ").split("\r\n")) {
      int colon = line.indexOf(':');
      if (colon > 0) headers.put(line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).strip());
    }
    var octets = Arrays.copyOfRange(body, content, end);
    if ("base64".equalsIgnoreCase(headers.get("content-transfer-encoding"))) octets = Base64.getMimeDecoder().decode(octets);
    var id = headers.get("content-id");
    var disposition = DISPOSITION.matcher(headers.getOrDefault("content-disposition", ""));
    return new Part(id == null ? null : id.replaceAll("^<|>$", ""), headers.get("content-type"), disposition.matches() ? disposition.group(1) : null, octets);
  }

  private static boolean starts(byte[] body, int at, byte[] what, int skip) {
    if (at + what.length - skip > body.length) return false;
    for (int i = skip; i < what.length; ++i)
      if (body[at + i - skip] != what[i]) return false;
    return true;
  }

  /** The position behind the next occurrence. */
  private static int after(byte[] body, int at, byte[] what) {
    for (; at + what.length <= body.length; ++at)
      if (starts(body, at, what, 0)) return at + what.length;
    throw new IllegalArgumentException("the multipart body is cut off");
  }
}
