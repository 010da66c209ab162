// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** A launch of a job called "job" as a process of its own, which holds the lock if it gets it. */
final class OtherLaunch implements AutoCloseable {
  private final Process process;
  private final StringBuilder text = new StringBuilder();
  private boolean holds;

  OtherLaunch(Path directory) throws IOException {
    process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "io.cairn.testing.LockHolder",
                directory.toString())
            .redirectErrorStream(true)
            .start();
    BufferedReader out =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    String line = out.readLine();
    while (line != null && !holds) {
      holds = line.equals("held");
      text.append(line).append('\n');
      line = holds ? line : out.readLine();
    }
  }

  /** Whether it holds the lock now; else it has ended. */
  boolean holds() {
    return holds;
  }

  /** What it has said. */
  String text() {
    return text.toString();
  }

  /** As the lock's holder is named. */
  String name() {
    return "process " + process.pid();
  }

  @Override
  public void close() throws InterruptedException {
    process.destroyForcibly();
    if (!process.waitFor(30, TimeUnit.SECONDS)) {
      throw new AssertionError(name() + " can't be killed");
    }
  }
}
