// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.UUID;

/**
 * This process, as others shall see it in messages.
 *
 * @param host its node's name
 * @param pid its process id
 * @param started when it started, readable
 * @param random drawn once for this process
 */
public record Launch(String host, long pid, String started, UUID random) {

  /** This process. */
  public static Launch current() {
    ProcessHandle self = ProcessHandle.current();
    Instant started = self.info().startInstant().orElseGet(Instant::now);
    return new Launch(
        hostName(),
        self.pid(),
        started.truncatedTo(ChronoUnit.SECONDS).toString(),
        UUID.randomUUID());
  }

  /** As the kernel has it: a name that no address belongs to is a name, too. */
  private static String hostName() {
    try {
      return Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
    } catch (IOException e) {
      return "unknown";
    }
  }
}
