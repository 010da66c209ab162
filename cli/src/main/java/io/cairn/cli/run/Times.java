// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Lengths of time, as people write them. */
public final class Times {
  private static final Pattern TIME = Pattern.compile("([0-9]{1,9})(ms|s|m|h|d)");

  private Times() {}

  /**
   * Such as {@code 500ms}, {@code 10s}, {@code 5m}, {@code 2h}, or {@code off}, which is {@link
   * RunSettings#NEVER}.
   *
   * @throws IllegalArgumentException if it is none of them
   */
  public static long nanos(String text) {
    if (text.equals("off")) {
      return RunSettings.NEVER;
    }
    Matcher matcher = TIME.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "'" + text + "' is no length of time; expected one such as 500ms, 10s, 5m, 2h or off");
    }
    long number = Long.parseLong(matcher.group(1));
    Duration time =
        switch (matcher.group(2)) {
          case "ms" -> Duration.ofMillis(number);
          case "s" -> Duration.ofSeconds(number);
          case "m" -> Duration.ofMinutes(number);
          case "h" -> Duration.ofHours(number);
          default -> Duration.ofDays(number);
        };
    try {
      return time.toNanos();
    } catch (ArithmeticException e) {
      return RunSettings.NEVER;
    }
  }

  /** Such as {@code 0.3 s}, {@code 12 s} or {@code 1 h 4 m}. */
  public static String show(long nanos) {
    double seconds = nanos / 1e9;
    if (seconds < 10) {
      return "%.1f s".formatted(seconds);
    }
    long whole = Math.round(seconds);
    if (whole < 120) {
      return whole + " s";
    }
    if (whole < 7_200) {
      return "%d m %d s".formatted(whole / 60, whole % 60);
    }
    return "%d h %d m".formatted(whole / 3_600, whole / 60 % 60);
  }
}
