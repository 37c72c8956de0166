package schakel.interop.cxf;

import java.io.FileOutputStream;
import java.io.FileDescriptor;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** A WUS partner on Apache CXF and WSS4J. Usage: {@code Peer service|client|load --name value ...}; see {@link Service}, {@link Client}, {@link Load}. */
public final class Peer {
  private Peer() {}

  public static void main(String[] words) throws Exception {
    System.setOut(new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8));
    var options = Options.of(Arrays.asList(words).subList(1, words.length));
    switch (words[0]) {
      case "service" -> Service.run(options);
      case "client" -> Client.run(options);
      case "load" -> Load.run(options);
      default -> throw new IllegalArgumentException("no such role: " + words[0]);
    }
  }
}
