// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * What a {@link Supervisor} goes by. Times are in nanoseconds; {@link #NEVER} is no limit.
 *
 * @param hosts all there are; those beyond the slots that are needed are spares
 * @param oversubscribe whether fewer hosts may have more ranks than slots
 * @param maxRestarts how many, in all
 * @param startNanos until the first report of a launch
 * @param stallNanos without a new safe point, while there are pulses
 * @param suspectNanos without a pulse, until the hosts are looked at
 * @param silenceNanos without a pulse, though all hosts answer
 * @param dumpNanos for the ranks of a launch that hangs to print where their threads stand
 * @param graceNanos for mpirun to end when asked to
 * @param backoffNanos before a restart after a launch that committed nothing; doubles
 * @param hostWaitNanos for hosts to come back when there are too few
 */
public record RunSettings(
    int ranks,
    List<Host> hosts,
    boolean oversubscribe,
    int maxRestarts,
    long startNanos,
    long stallNanos,
    long suspectNanos,
    long silenceNanos,
    long dumpNanos,
    long graceNanos,
    long backoffNanos,
    long hostWaitNanos) {

  /** No limit. */
  public static final long NEVER = Long.MAX_VALUE;

  /** No restart waits for longer. */
  static final long MOST_BACKOFF_NANOS = TimeUnit.MINUTES.toNanos(1);

  /** How often hosts that are missing are looked for. */
  static final long HOST_PACE_NANOS = TimeUnit.SECONDS.toNanos(5);

  /** The same while a launch runs on others. */
  static final long RETURN_PACE_NANOS = TimeUnit.SECONDS.toNanos(20);

  /** No launch waits for longer for a host that it doesn't need. */
  static final long SPARE_NANOS = TimeUnit.SECONDS.toNanos(2);

  public RunSettings {
    hosts = List.copyOf(hosts);
  }
}
