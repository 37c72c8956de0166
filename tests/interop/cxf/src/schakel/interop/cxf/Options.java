package schakel.interop.cxf;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** {@code --name value} pairs; a name that comes again wins. */
record Options(Map<String, String> values) {
  static Options of(List<String> words) {
    if (words.size() % 2 != 0) throw new IllegalArgumentException("an option without a value");
    var values = new HashMap<String, String>();
    for (int i = 0; i < words.size(); i += 2) {
      if (!words.get(i).startsWith("--")) throw new IllegalArgumentException("not an option: " + words.get(i));
      values.put(words.get(i).substring(2), words.get(i + 1));
    }
    return new Options(values);
  }

  String need(String name) {
    var value = values.get(name);
    if (value == null) throw new IllegalArgumentException("--" + name + " is missing");
    return value;
  }

  String get(String name, String otherwise) {
    return values.getOrDefault(name, otherwise);
  }

  int number(String name, int otherwise) {
    return values.containsKey(name) ? Integer.parseInt(values.get(name)) : otherwise;
  }
}
