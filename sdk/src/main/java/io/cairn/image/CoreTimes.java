// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A thread's time on a core, and its time waiting for one, as Linux counts them. Zero, both, where
 * it doesn't.
 *
 * @param onCoreNanos how long it has had a core
 * @param waitedNanos how long it could have run and had none
 */
public record CoreTimes(long onCoreNanos, long waitedNanos) {

  private static final Path OWN = Path.of("/proc/thread-self/schedstat");
  private static final CoreTimes UNKNOWN = new CoreTimes(0, 0);

  /** The calling thread's. */
  public static CoreTimes now() {
    return read(OWN);
  }

  static CoreTimes read(Path file) {
    try {
      String[] fields =
          new String(Files.readAllBytes(file), StandardCharsets.US_ASCII).strip().split(" ", -1);
      return fields.length < 2
          ? UNKNOWN
          : new CoreTimes(Long.parseLong(fields[0]), Long.parseLong(fields[1]));
    } catch (IOException | NumberFormatException e) {
      return UNKNOWN;
    }
  }

  /**
   * How long this thread has kept a core from others since then: the time that it had one, but not
   * more than it waited for one. Where it never waits there is a core to spare; where it shares one
   * it waits for as long as it runs, or longer.
   */
  public long takenSince(CoreTimes before) {
    return Math.max(
        0, Math.min(onCoreNanos - before.onCoreNanos, waitedNanos - before.waitedNanos));
  }
}
