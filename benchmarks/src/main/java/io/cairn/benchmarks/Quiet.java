// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.util.logging.Level;
import java.util.logging.Logger;

/** Keeps Chronicle's remarks on its first use out of the tables, as the SDK does in programs. */
final class Quiet {

  /** Held, because the log manager only keeps weak references. */
  private static final Logger CLEANER_HINT =
      Logger.getLogger(
          "net.openhft.chronicle.core.internal.cleaner.ReflectionBasedByteBufferCleanerService");

  private Quiet() {}

  /** Call before Chronicle is first used. */
  static void ensure() {
    System.setProperty("slf4j.internal.verbosity", "ERROR");
    CLEANER_HINT.setLevel(Level.OFF);
  }
}
