package schakel.interop.cxf;

import java.util.Map;
import java.util.stream.Collectors;

/** One line of JSON of texts, numbers and truths. */
final class Json {
  private Json() {}

  static String write(Map<String, ?> members) {
    return members.entrySet().stream().map(one -> quoted(one.getKey()) + ": " + (one.getValue() instanceof String text ? quoted(text) : one.getValue())).collect(Collectors.joining(", ", "{", "}"));
  }

  private static String quoted(String text) {
    var out = new StringBuilder("\"");
    for (char one : text.toCharArray())
      if (one == '"' || one == '\\') out.append('\\').append(one);
      else if (one < 0x20) out.append(String.format("\\u%04x", (int) one));
      else out.append(one);
    return out.append('"').toString();
  }
}
