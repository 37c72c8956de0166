import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Messages, events, agreements and URL mappings in a folder, so that they survive a restart. One file each, written whole. */
final class Store {
  /** A business message, sent or received. Guarded by itself. */
  static final class Message implements Serializable {
    private static final long serialVersionUID = 1;
    boolean sent;
    String id, cpa, from, fromRole, to, toRole, service, serviceType, action, conversation, refTo, state;
    Instant timestamp, timeToLive;
    byte[] root;
    List<Mime.Part> parts = List.of();
    /** The signal that answered a received message; repeated for duplicates. */
    byte[] answer;
    boolean reliable, sync;
    int attempts;
    Instant next;
    List<String> events = new ArrayList<>();
    String error;
    long sequence;

    String serviceText() {
      return serviceType == null ? service : serviceType + ":" + service;
    }
  }

  private final Path folder;
  private final Map<String, Message> messages = new ConcurrentHashMap<>();
  private final Map<String, Agreement> agreements = new ConcurrentHashMap<>();
  private final Map<String, String> mappings = new ConcurrentHashMap<>();
  private long sequence;

  Store(Path folder) throws Exception {
    this.folder = Files.createDirectories(folder);
    try (var files = Files.list(folder)) {
      for (var file : files.toList()) {
        if (file.toString().endsWith(".cpa")) put(new Agreement(Files.readAllBytes(file)));
        if (file.toString().endsWith(".map"))
          for (var one : ((Map<?, ?>) read(file, Map.class)).entrySet()) mappings.put((String) one.getKey(), (String) one.getValue());
        if (file.toString().endsWith(".message")) {
          var message = read(file, Message.class);
          messages.put(message.id, message);
          sequence = Math.max(sequence, message.sequence);
        }
      }
    }
  }

  private static <T> T read(Path file, Class<T> type) throws Exception {
    try (var in = new ObjectInputStream(Files.newInputStream(file))) {
      return type.cast(in.readObject());
    }
  }

  private void write(String name, Object value) {
    try {
      var temporary = Files.createTempFile(folder, name, ".new");
      try (var out = new ObjectOutputStream(Files.newOutputStream(temporary))) {
        out.writeObject(value);
      }
      Files.move(temporary, folder.resolve(name), StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException broken) {
      throw new IllegalStateException(broken);
    }
  }

  Message message(String id) {
    return id == null ? null : messages.get(id);
  }

  Collection<Message> messages() {
    return messages.values();
  }

  synchronized void save(Message message) {
    if (message.sequence == 0) message.sequence = ++sequence;
    messages.put(message.id, message);
    write(message.sequence + ".message", message);
  }

  Agreement agreement(String id) {
    return agreements.get(id);
  }

  Collection<String> agreements() {
    return agreements.keySet();
  }

  private void put(Agreement agreement) {
    agreements.put(agreement.id, agreement);
  }

  private String file(String id) {
    return Integer.toHexString(id.hashCode()) + ".cpa";
  }

  String insert(byte[] octets) throws Exception {
    var agreement = new Agreement(octets);
    Files.write(folder.resolve(file(agreement.id)), octets);
    put(agreement);
    return agreement.id;
  }

  void delete(String id) throws IOException {
    agreements.remove(id);
    Files.deleteIfExists(folder.resolve(file(id)));
  }

  String mapped(String url) {
    return mappings.getOrDefault(url, url);
  }

  Map<String, String> mappings() {
    return mappings;
  }

  synchronized void map(String from, String to) {
    if (to == null) mappings.remove(from);
    else mappings.put(from, to);
    write("urls.map", new HashMap<>(mappings));
  }
}
