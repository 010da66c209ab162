// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.Optional;

/** Figures for people. */
final class Units {
  private static final String[] BINARY = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss", Locale.ROOT).withZone(ZoneOffset.UTC);

  private Units() {}

  /** Such as {@code 1.4 GiB}. */
  static String bytes(long bytes) {
    if (bytes < 1024) {
      return bytes + " B";
    }
    double value = bytes / 1024.0;
    int unit = 0;
    while (value >= 1024) {
      value /= 1024;
      unit++;
    }
    return "%.1f %s".formatted(value, BINARY[unit]);
  }

  /** In UTC, as in logs of other places. */
  static String time(Optional<Instant> time) {
    return time.map(TIME::format).orElse("-");
  }

  /** Such as {@code 1 image} or {@code 2 images}. */
  static String count(long count, String one) {
    return count + " " + one + (count == 1 ? "" : "s");
  }
}
