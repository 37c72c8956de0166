// Compares exclusive canonical forms with those that the JDK makes for XML Signature: java Canonical CASES
// A case is four fields, each with its size in four octets before it: a document, the position of an element in it (in document order), a
// PrefixList, the form of that element. Prints "N equal", or the first case that differs.
import com.sun.org.apache.xml.internal.security.c14n.Canonicalizer;
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.Arrays;
import javax.xml.parsers.*;
import org.w3c.dom.*;

public class Canonical {
  static byte[] field(DataInputStream in) throws IOException {
    return in.readNBytes(in.readInt());
  }

  static String text(byte[] octets) {
    return new String(octets, StandardCharsets.UTF_8);
  }

  public static void main(String[] arguments) throws Exception {
    Canonicalizer.registerDefaultAlgorithms();
    DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
    factory.setNamespaceAware(true);
    DocumentBuilder builder = factory.newDocumentBuilder();
    Canonicalizer canonicalizer = Canonicalizer.getInstance(Canonicalizer.ALGO_ID_C14N_EXCL_OMIT_COMMENTS);
    DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(Path.of(arguments[0]))));
    int equal = 0;
    for (; in.available() > 0; ++equal) {
      byte[] octets = field(in);
      Document document = builder.parse(new ByteArrayInputStream(octets));
      int position = Integer.parseInt(text(field(in)));
      String prefixes = text(field(in)).trim();
      byte[] expected = field(in);
      Node apex = document.getElementsByTagNameNS("*", "*").item(position);
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      if (prefixes.isEmpty()) canonicalizer.canonicalizeSubtree(apex, out);
      else canonicalizer.canonicalizeSubtree(apex, prefixes, out);
      if (!Arrays.equals(out.toByteArray(), expected)) {
        System.out.println("case " + equal + " differs: " + text(octets) + "\nat " + position + " with '" + prefixes + "'\nJDK:  " + out + "\nours: " + text(expected));
        return;
      }
    }
    System.out.println(equal + " equal");
  }
}
