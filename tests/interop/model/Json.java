import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Just enough JSON for the application interface: objects, arrays, strings, literals. */
final class Json {
  private final String text;
  private int at;

  private Json(String text) {
    this.text = text;
  }

  static Object read(String text) {
    var reader = new Json(text);
    var out = reader.value();
    if (reader.peek() != 0) throw new IllegalArgumentException("JSON: more than one value");
    return out;
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> object(Object value) {
    return value == null ? Map.of() : (Map<String, Object>) value;
  }

  private char peek() {
    while (at < text.length() && Character.isWhitespace(text.charAt(at))) ++at;
    return at < text.length() ? text.charAt(at) : 0;
  }

  private boolean take(char wanted) {
    if (peek() != wanted) return false;
    ++at;
    return true;
  }

  private void expect(char wanted) {
    if (!take(wanted)) throw new IllegalArgumentException("JSON: " + wanted + " expected at " + at);
  }

  private Object value() {
    switch (peek()) {
      case '{': {
        var out = new LinkedHashMap<String, Object>();
        for (expect('{'); !take('}'); take(',')) {
          peek();
          var key = string();
          expect(':');
          out.put(key, value());
        }
        return out;
      }
      case '[': {
        var out = new ArrayList<Object>();
        for (expect('['); !take(']'); take(',')) out.add(value());
        return out;
      }
      case '"':
        return string();
      default: {
        int begin = at;
        while (at < text.length() && ",]} \r\n\t".indexOf(text.charAt(at)) < 0) ++at;
        var word = text.substring(begin, at);
        return switch (word) {
          case "null" -> null;
          case "true" -> true;
          case "false" -> false;
          default -> Double.valueOf(word);
        };
      }
    }
  }

  private String string() {
    expect('"');
    var out = new StringBuilder();
    while (text.charAt(at) != '"') {
      char c = text.charAt(at++);
      if (c != '\\') {
        out.append(c);
        continue;
      }
      char escaped = text.charAt(at++);
      switch (escaped) {
        case 'n' -> out.append('\n');
        case 'r' -> out.append('\r');
        case 't' -> out.append('\t');
        case 'u' -> {
          out.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
          at += 4;
        }
        default -> out.append(escaped);
      }
    }
    ++at;
    return out.toString();
  }

  static String write(Object value) {
    if (value == null) return "null";
    if (value instanceof Map<?, ?> map) {
      var out = new ArrayList<String>();
      map.forEach((key, one) -> out.add(write(key) + ":" + write(one)));
      return "{" + String.join(",", out) + "}";
    }
    if (value instanceof Iterable<?> list) {
      var out = new ArrayList<String>();
      list.forEach(one -> out.add(write(one)));
      return "[" + String.join(",", out) + "]";
    }
    if (value instanceof String string) {
      var out = new StringBuilder("\"");
      for (char c : string.toCharArray())
        if (c == '"' || c == '\\') out.append('\\').append(c);
        else if (c < 0x20) out.append(String.format("\\u%04x", (int) c));
        else out.append(c);
      return out.append('"').toString();
    }
    return value.toString();
  }

  static List<?> list(Object value) {
    return value == null ? List.of() : (List<?>) value;
  }
}
