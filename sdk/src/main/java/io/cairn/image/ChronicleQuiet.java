// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * Keeps Chronicle's first use from printing lines on every rank: SLF4J's remark that it found no
 * logger, and a hint about a cleaner that Cairn doesn't use. Whatever the user has configured wins.
 */
public final class ChronicleQuiet {

  private static final String SLF4J_VERBOSITY = "slf4j.internal.verbosity";

  /** Held, because the log manager only keeps weak references. */
  private static final Logger CLEANER_HINT =
      Logger.getLogger(
          "net.openhft.chronicle.core.internal.cleaner.ReflectionBasedByteBufferCleanerService");

  static {
    if (System.getProperty(SLF4J_VERBOSITY) == null) {
      System.setProperty(SLF4J_VERBOSITY, "ERROR");
    }
    if (CLEANER_HINT.getLevel() == null) {
      CLEANER_HINT.setLevel(Level.OFF);
    }
  }

  private ChronicleQuiet() {}

  /** Call before Chronicle is first used; later calls cost nothing. */
  public static void ensure() {
    // The static initialiser has done it.
  }
}
