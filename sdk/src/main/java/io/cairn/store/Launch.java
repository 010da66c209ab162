// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import java.net.InetAddress;
import java.net.UnknownHostException;
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

  private static String hostName() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      return "unknown";
    }
  }
}
