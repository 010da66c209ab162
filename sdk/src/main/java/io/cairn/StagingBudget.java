// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** How much memory a capture may take when the user doesn't say. */
final class StagingBudget {

  private static final long WITHOUT_INFORMATION = 256L << 20;

  private StagingBudget() {}

  /** This rank's share of half the memory that is available on its node, in bytes. */
  static long automatic() {
    long share = LocalRanks.count();
    try {
      for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
        if (line.startsWith("MemAvailable:")) {
          return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024 / 2 / share;
        }
      }
    } catch (IOException e) {
      // No /proc: a modest share, which makes captures slower but works.
    }
    return WITHOUT_INFORMATION;
  }
}
