// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** MPI programs in C, and the native libraries as a user of C finds them after a build. */
final class CProgram {

  private static final Path SOURCES = Path.of("src", "test", "c").toAbsolutePath();
  private static final Path INSTALLED =
      Path.of("..", "sdk-native", "target", "install").toAbsolutePath().normalize();
  private static final int TIMEOUT_SECONDS = 120;

  private CProgram() {}

  /** Compiles a source of {@code src/test/c} into a folder. */
  static Path compile(Path folder, String name, String... options) {
    Path program = folder.resolve(name);
    List<String> command =
        new ArrayList<>(
            List.of("mpicc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-pthread", "-Wall"));
    command.addAll(List.of("-Wextra", "-Werror", "-I" + INSTALLED.resolve("include")));
    command.addAll(List.of("-o", program.toString(), SOURCES.resolve(name + ".c").toString()));
    command.addAll(List.of(options));
    String said = Processes.output(command, TIMEOUT_SECONDS);
    if (!said.isEmpty() || !Files.isExecutable(program)) {
      throw new AssertionError("can't compile " + name + ": " + command + "\n" + said);
    }
    return program;
  }

  /** What makes {@code mpirun} load the shim into the ranks. */
  static String[] preload() {
    Path shim = INSTALLED.resolve("lib").resolve("libcairn.so");
    if (!Files.exists(shim)) {
      throw new AssertionError(shim + " doesn't exist: mvn -pl sdk-native process-classes");
    }
    return new String[] {"-x", "LD_PRELOAD=" + shim};
  }

  /** What links the shim before MPI. */
  static String[] link() {
    Path lib = INSTALLED.resolve("lib");
    return new String[] {"-L" + lib, "-lcairn", "-Wl,-rpath," + lib};
  }
}
