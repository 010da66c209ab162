// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import io.cairn.api.NearNames;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Reads hostfiles, which are Open MPI's with a word more.
 *
 * <pre>
 * Hostfile --> Line*
 * Line     --> (Host (" " Setting)*)? ("#" Comment)?
 * Setting  --> "slots=" Number | "max_slots=" Number | "weight=" Decimal
 * </pre>
 *
 * A host without {@code slots} has one; one that is named twice has the slots of both lines.
 */
public final class Hostfile {
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.:@-]*");
  private static final List<String> SETTINGS = List.of("slots", "max_slots", "weight");
  private static final int MOST_SLOTS = 100_000;

  private Hostfile() {}

  /** What is wrong with a hostfile. */
  public static final class BadHostfileException extends Exception {
    private static final long serialVersionUID = 1L;

    BadHostfileException(String message) {
      super(message);
    }
  }

  /**
   * The hosts in the order of the file.
   *
   * @param file its name, for messages
   */
  public static List<Host> parse(String file, List<String> lines) throws BadHostfileException {
    Map<String, Host> hosts = new LinkedHashMap<>();
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i);
      int comment = line.indexOf('#');
      String text = (comment < 0 ? line : line.substring(0, comment)).strip();
      if (!text.isEmpty()) {
        Host host = host(file + " line " + (i + 1) + ": ", text);
        hosts.merge(
            host.name(),
            host,
            (a, b) -> new Host(a.name(), a.slots() + b.slots(), Math.max(a.weight(), b.weight())));
      }
    }
    if (hosts.isEmpty()) {
      throw new BadHostfileException(
          file + " names no host; expected lines such as: node1 slots=4");
    }
    return new ArrayList<>(hosts.values());
  }

  private static Host host(String where, String text) throws BadHostfileException {
    String[] words = text.replaceAll("\\s*=\\s*", "=").split("\\s+", -1);
    if (!NAME.matcher(words[0]).matches()) {
      throw new BadHostfileException(
          where + "'" + words[0] + "' is no host name; expected a line such as: node1 slots=4");
    }
    int slots = 1;
    double weight = 1;
    for (int i = 1; i < words.length; i++) {
      int equals = words[i].indexOf('=');
      String name = equals < 0 ? words[i] : words[i].substring(0, equals);
      String value = equals < 0 ? "" : words[i].substring(equals + 1);
      switch (name) {
        case "slots" -> slots = number(where, name, value);
        case "max_slots" -> number(where, name, value);
        case "weight" -> weight = weight(where, value);
        default -> {
          List<String> near = NearNames.of(name, SETTINGS);
          throw new BadHostfileException(
              "%sunknown setting '%s'%s (known: %s)"
                  .formatted(
                      where,
                      name,
                      near.isEmpty() ? "" : "; did you mean " + String.join(" or ", near) + "?",
                      String.join(", ", SETTINGS)));
        }
      }
    }
    return new Host(words[0], slots, weight);
  }

  private static int number(String where, String name, String value) throws BadHostfileException {
    try {
      int number = Integer.parseInt(value);
      if (number >= 1 && number <= MOST_SLOTS) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Told below.
    }
    throw new BadHostfileException(
        "%s%s=%s: expected a whole number from 1 to %d".formatted(where, name, value, MOST_SLOTS));
  }

  private static double weight(String where, String value) throws BadHostfileException {
    try {
      double number = Double.parseDouble(value);
      if (number > 0 && number <= 1_000) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Told below.
    }
    throw new BadHostfileException(
        "%sweight=%s: expected a number above 0, up to 1000".formatted(where, value));
  }
}
