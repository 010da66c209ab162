// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Options of one benchmark: {@code --name value}, or {@code --name} alone. */
final class Options {

  private final String usage;
  private final List<String> left;

  Options(String usage, List<String> arguments) {
    this.usage = usage;
    left = new ArrayList<>(arguments);
  }

  boolean flag(String name) {
    return left.remove(name);
  }

  String text(String name, String otherwise) throws UsageException {
    int at = left.indexOf(name);
    if (at < 0) {
      return otherwise;
    }
    if (at + 1 == left.size()) {
      throw new UsageException(name + " needs a value\n" + usage);
    }
    left.remove(at);
    return left.remove(at);
  }

  int integer(String name, int otherwise) throws UsageException {
    return (int) number(name, otherwise);
  }

  /** A number above zero. */
  double number(String name, double otherwise) throws UsageException {
    String text = text(name, Double.toString(otherwise));
    try {
      double value = Double.parseDouble(text);
      if (value > 0) {
        return value;
      }
    } catch (NumberFormatException e) {
      // The message is the same.
    }
    throw new UsageException(name + ": found " + text + ", expected a number above 0\n" + usage);
  }

  Content content(String name, Content otherwise) throws UsageException {
    String text = text(name, otherwise.name());
    try {
      return Content.valueOf(text.toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw new UsageException(
          name + ": found " + text + ", expected zero, half or random\n" + usage);
    }
  }

  /** Nothing must be left that no one asked for. */
  void end() throws UsageException {
    if (!left.isEmpty()) {
      throw new UsageException("unknown option " + left.get(0) + "\n" + usage);
    }
  }
}
