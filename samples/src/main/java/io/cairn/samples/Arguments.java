// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Arguments of the form {@code --name value}. */
final class Arguments {

  private final String usage;
  private final Map<String, String> values = new LinkedHashMap<>();

  /**
   * Reads the arguments.
   *
   * @param usage what to say when an argument is wrong
   * @param names the names that are known
   */
  Arguments(String usage, List<String> names, String[] args) {
    this.usage = usage;
    for (int i = 0; i < args.length; i += 2) {
      String name = args[i].startsWith("--") ? args[i].substring(2) : "";
      if (!names.contains(name)) {
        throw wrong("unknown argument '" + args[i] + "'");
      }
      if (i + 1 == args.length) {
        throw wrong(args[i] + " needs a value");
      }
      values.put(name, args[i + 1]);
    }
  }

  int integer(String name, int fallback, int min) {
    String text = values.get(name);
    if (text == null) {
      return fallback;
    }
    try {
      int value = Integer.parseInt(text);
      if (value >= min) {
        return value;
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw wrong("--%s %s: expected a whole number from %d on".formatted(name, text, min));
  }

  double real(String name, double fallback) {
    String text = values.get(name);
    if (text == null) {
      return fallback;
    }
    try {
      double value = Double.parseDouble(text);
      if (value > 0 && value < Double.POSITIVE_INFINITY) {
        return value;
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw wrong("--%s %s: expected a number above zero".formatted(name, text));
  }

  /** The text given, or null. */
  String text(String name) {
    return values.get(name);
  }

  IllegalArgumentException wrong(String message) {
    return new IllegalArgumentException(message + System.lineSeparator() + usage);
  }

  /** Ends the process with exit code 2 and a message without a stack trace. */
  static void refuse(IllegalArgumentException e) {
    System.err.println(e.getMessage());
    System.exit(2);
  }
}
