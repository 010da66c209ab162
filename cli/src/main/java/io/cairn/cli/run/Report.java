// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What rank 0 says of its launch; see the SDK's {@code io.cairn.report}.
 *
 * @param generation of this launch
 * @param directory of the job, where rank 0 is
 * @param restored the epoch it went on from, such as {@code 2-7}; empty if it began anew
 * @param from that epoch's safe point
 * @param lowest safe points passed by the last rank, -1 if unknown
 * @param highest by the foremost one
 * @param epoch the last one that this launch committed; empty if none
 * @param at that epoch's safe point
 * @param choices how much time passes between two epochs ({@code interval}), and between two that a
 *     tier protects, by its name; where that is known
 */
public record Report(
    Phase phase,
    long generation,
    String directory,
    String restored,
    long from,
    long pulses,
    long lowest,
    long highest,
    String epoch,
    long at,
    Map<String, Choice> choices) {

  /** The time, and why it is that. */
  public record Choice(double seconds, String why) {}

  private static final String CHOICE = "every-";
  private static final int MOST_CHOICES = 8;
  private static final int LONGEST_REASON = 300;

  public Report {
    choices = Collections.unmodifiableMap(new TreeMap<>(choices));
  }

  /** How far the program is. */
  public enum Phase {
    /** Before its main loop; it may be restoring. */
    STARTING,
    /** In its main loop. */
    RUNNING,
    /** It passes no safe point any more. */
    DONE,
    /** Nor is there a pulse. */
    CLOSED;

    /** The agents of all ranks are at work. */
    boolean hasPulse() {
      return this == RUNNING || this == DONE;
    }
  }

  /** Empty if the line makes no sense. */
  public static Optional<Report> parse(String line) {
    Map<String, String> fields = new HashMap<>();
    try {
      for (String field : line.split(" ", -1)) {
        int equals = field.indexOf('=');
        if (equals > 0) {
          fields.put(
              field.substring(0, equals),
              URLDecoder.decode(field.substring(equals + 1), StandardCharsets.UTF_8));
        }
      }
      Phase phase = null;
      for (Phase known : Phase.values()) {
        phase = known.name().equalsIgnoreCase(fields.get("phase")) ? known : phase;
      }
      if (phase == null) {
        return Optional.empty();
      }
      return Optional.of(
          new Report(
              phase,
              number(fields, "generation", 0),
              fields.getOrDefault("directory", ""),
              epoch(fields, "restored"),
              number(fields, "from", 0),
              number(fields, "pulses", 0),
              number(fields, "lowest", -1),
              number(fields, "highest", -1),
              epoch(fields, "epoch"),
              number(fields, "at", 0),
              choices(fields)));
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  private static Map<String, Choice> choices(Map<String, String> fields) {
    Map<String, Choice> choices = new TreeMap<>();
    fields.forEach(
        (name, value) -> {
          int space = value.indexOf(' ');
          if (name.startsWith(CHOICE) && space > 0 && choices.size() < MOST_CHOICES) {
            String why = value.substring(space + 1).replaceAll("[^\\x20-\\x7e]", "?");
            choices.put(
                name.substring(CHOICE.length()).replaceAll("[^a-z]", "?"),
                new Choice(
                    Double.parseDouble(value.substring(0, space)),
                    why.substring(0, Math.min(why.length(), LONGEST_REASON))));
          }
        });
    return choices;
  }

  private static long number(Map<String, String> fields, String name, long otherwise) {
    String value = fields.get(name);
    return value == null ? otherwise : Long.parseLong(value);
  }

  private static String epoch(Map<String, String> fields, String name) {
    String value = fields.getOrDefault(name, "");
    if (!value.matches("|[0-9]{1,18}-[0-9]{1,18}")) {
      throw new IllegalArgumentException(value);
    }
    return value;
  }
}
