// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.image.FileOperations;
import io.cairn.image.SystemFiles;
import io.cairn.natives.NativeErasureCode;
import io.cairn.store.ErasureCode;
import io.cairn.store.Launch;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Supplier;

/**
 * What the tool gets from outside, so that tests can give it something else.
 *
 * @param out for results
 * @param err for errors and progress
 * @param terminal whether somebody looks at {@code err}
 * @param environment variables
 * @param self this process, for the lock
 * @param erasureCode loads it; throws UnsatisfiedLinkError or UncheckedIOException where native
 *     code can't be loaded
 */
record Surroundings(
    PrintStream out,
    PrintStream err,
    boolean terminal,
    Map<String, String> environment,
    FileOperations files,
    Supplier<Launch> self,
    Supplier<ErasureCode> erasureCode) {
  private static final String DIRECTORY_VARIABLE = "CAIRN_DIR";
  private static final String DEFAULT_DIRECTORY = "cairn-jobs";
  private static final int DEFAULT_COLUMNS = 80;

  /** The system's. */
  static Surroundings system() {
    return new Surroundings(
        new PrintStream(System.out, true, StandardCharsets.UTF_8),
        new PrintStream(System.err, true, StandardCharsets.UTF_8),
        isTerminal(2) && !"dumb".equals(System.getenv("TERM")),
        System.getenv(),
        new SystemFiles(),
        Launch::current,
        NativeErasureCode::new);
  }

  /** Without native code: a terminal's file descriptor is a link to its device. */
  private static boolean isTerminal(int descriptor) {
    try {
      String device = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor)).toString();
      return device.startsWith("/dev/pts/") || device.startsWith("/dev/tty");
    } catch (IOException | UnsupportedOperationException e) {
      return false;
    }
  }

  /** Where jobs are if the command line doesn't say; as for a program. */
  Path defaultDirectory() {
    return Path.of(environment.getOrDefault(DIRECTORY_VARIABLE, DEFAULT_DIRECTORY));
  }

  /** The terminal's width in characters. */
  int columns() {
    try {
      return Integer.parseInt(environment.getOrDefault("COLUMNS", ""));
    } catch (NumberFormatException e) {
      return DEFAULT_COLUMNS;
    }
  }
}
