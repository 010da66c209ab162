// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;

/** Where benchmarks write: below {@value #VARIABLE}, or else below the current directory. */
final class Directories {

  static final String VARIABLE = "BENCHMARK_DIR";

  private Directories() {}

  /** Not in the system's temporary directory, which may be in memory. */
  static Path base() {
    return Path.of(System.getenv().getOrDefault(VARIABLE, "")).toAbsolutePath();
  }

  static Path create() throws IOException {
    return Files.createTempDirectory(Files.createDirectories(base()), "cairn-benchmark-");
  }

  static void delete(Path directory) throws IOException {
    try (Stream<Path> paths = Files.walk(directory)) {
      paths.sorted(Comparator.reverseOrder()).forEach(Directories::deleteOne);
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private static void deleteOne(Path path) {
    try {
      Files.delete(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
