// SPDX-License-Identifier: Apache-2.0
package io.cairn.natives;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The shim's table of MPI calls, {@code calls.def}, as a test reads it. */
final class MpiCalls {

  static final Path TABLE = Path.of("..", "sdk-native", "src", "shim", "calls.def");

  private static final Pattern ROW = Pattern.compile("([A-Z_]+)\\((\\w+), .*\\)");
  private static final Pattern TEXT = Pattern.compile(", \"([^\"]*)\"\\)$");

  /** What the shim does with a call. */
  enum Family {
    CAPTURED("captured"),
    COLLECTIVE("counted"),
    NONBLOCKING_COLLECTIVE("counted, vetoes while pending"),
    WINDOW("vetoes while the window is open"),
    FILE_REQUEST("vetoes while the file request is pending"),
    FILE_BEGIN("vetoes until its other half has returned"),
    FILE_END("takes the veto of its other half back"),
    PASSED("passed");

    private final String title;

    Family(String title) {
      this.title = title;
    }

    String title() {
      return title;
    }
  }

  /**
   * One row.
   *
   * @param text how it is captured, why it is passed; empty for the others
   */
  record Call(String symbol, Family family, String text) {

    boolean wrapped() {
      return family != Family.PASSED;
    }
  }

  private MpiCalls() {}

  /** The rows in their order, by symbol. */
  static Map<String, Call> read() throws IOException {
    Map<String, Call> calls = new LinkedHashMap<>();
    int number = 0;
    for (String line : Files.readAllLines(TABLE)) {
      number++;
      if (line.isBlank() || line.startsWith("//") || line.startsWith("#")) {
        continue;
      }
      Matcher row = ROW.matcher(line);
      if (!row.matches()) {
        throw new AssertionError(TABLE + ":" + number + " is not a row: " + line);
      }
      Matcher text = TEXT.matcher(line);
      Call call =
          new Call(
              "MPI_" + row.group(2),
              Family.valueOf(row.group(1)),
              text.find() ? text.group(1) : "");
      if (calls.put(call.symbol(), call) != null) {
        throw new AssertionError(TABLE + ":" + number + " is a second row for " + call.symbol());
      }
    }
    return calls;
  }
}
