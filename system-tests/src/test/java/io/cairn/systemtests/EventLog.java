// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.LongStream;

/**
 * What a program's {@link io.cairn.samples.EventLines} told of its epochs, rank by rank, in order.
 */
final class EventLog {

  /**
   * One call of a rank's listener.
   *
   * @param kind {@code cut}, {@code captured}, {@code committed}, {@code abandoned} or {@code
   *     restored}
   */
  record Event(String kind, Map<String, String> values) {

    int rank() {
      return Math.toIntExact(number("rank"));
    }

    long epoch() {
      return number("epoch");
    }

    long number(String name) {
      return Long.parseLong(text(name));
    }

    String text(String name) {
      String value = values.get(name);
      if (value == null) {
        throw new AssertionError("no " + name + " in " + this);
      }
      return value;
    }
  }

  /**
   * Reasons that are no fault: the program is slow, or at its end, or receives too little, or frees
   * a receive just then.
   */
  private static final Pattern HARMLESS =
      Pattern.compile(
          "(?s).*(the program ended after|was truncated by its receive|was agreed when the program"
              + " passed|was held at|they can't be taken off the network"
              + "|MPI_Request_free was called on an active).*");

  private final List<Event> events = new ArrayList<>();

  private EventLog() {}

  static EventLog of(List<String> lines) {
    EventLog log = new EventLog();
    for (String line : lines) {
      String[] words = line.split(" ");
      if (words.length > 2 && words[0].equals("event") && words[2].startsWith("rank=")) {
        log.events.add(parse(line, words));
      }
    }
    return log;
  }

  private static Event parse(String line, String[] words) {
    Map<String, String> values = new LinkedHashMap<>();
    for (int i = 2; i < words.length; i++) {
      int equals = words[i].indexOf('=');
      String name = words[i].substring(0, Math.max(equals, 0));
      if (name.equals("reason")) {
        // The last value, and the only one with spaces.
        values.put(name, line.substring(line.indexOf(" reason=") + " reason=".length()));
        break;
      }
      if (equals > 0) {
        values.put(name, words[i].substring(equals + 1));
      }
    }
    return new Event(words[1], values);
  }

  List<Event> all() {
    return events;
  }

  List<Event> of(String kind) {
    return events.stream().filter(e -> e.kind().equals(kind)).toList();
  }

  /** What one rank was told, epoch by epoch, in the order it was told. */
  List<List<Event>> epochsOfRank(int rank) {
    List<List<Event>> epochs = new ArrayList<>();
    for (Event event : events) {
      if (event.rank() == rank) {
        if (epochs.isEmpty() || epochs.get(epochs.size() - 1).get(0).epoch() != event.epoch()) {
          epochs.add(new ArrayList<>());
        }
        epochs.get(epochs.size() - 1).add(event);
      }
    }
    return epochs;
  }

  /** The highest epoch that any rank was told to be committed, or 0. */
  long newestCommitted() {
    return of("committed").stream().mapToLong(Event::epoch).max().orElse(0);
  }

  /** Sum over all ranks and epochs. */
  long sum(String kind, String value) {
    return of(kind).stream().flatMapToLong(e -> LongStream.of(e.number(value))).sum();
  }

  /**
   * Fails if an epoch was abandoned for a reason that an unfit program or Cairn must have given.
   */
  void requireHarmless() {
    for (String reason : reasons()) {
      if (!isHarmless(reason)) {
        throw new AssertionError("an epoch was abandoned: " + reason);
      }
    }
  }

  static boolean isHarmless(String reason) {
    return HARMLESS.matcher(reason).matches();
  }

  /** Reasons of abandoned epochs, each once. */
  List<String> reasons() {
    return List.copyOf(new TreeSet<>(of("abandoned").stream().map(e -> e.text("reason")).toList()));
  }
}
