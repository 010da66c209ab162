// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

import java.time.Duration;
import java.util.Locale;

/**
 * How often a job fails.
 *
 * @param nanos mean time between two failures, above 0
 * @param source where that is known from, for messages
 */
public record MeanTime(long nanos, String source) {

  /** What a job is thought to be like that nothing is known of. */
  static final Duration ASSUMED = Duration.ofHours(24);

  /** The same of the loss of nodes. */
  static final Duration ASSUMED_OF_NODES = Duration.ofDays(7);

  public MeanTime {
    if (nanos <= 0) {
      throw new IllegalArgumentException("mean time between failures: " + nanos + " ns");
    }
  }

  /** What the operator says. */
  public static MeanTime given(Duration time) {
    return new MeanTime(time.toNanos(), "given");
  }

  /**
   * An estimate from what the job has seen, as if one failure in {@link #ASSUMED} had been seen
   * before: a young job has a sensible value, and an old one its own.
   *
   * @param failures launches that did not come to their end
   * @param computedNanos how long all launches have computed
   */
  public static MeanTime estimated(long failures, long computedNanos) {
    return estimated(failures, computedNanos, ASSUMED);
  }

  /** The same for failures in which nodes were lost, as if one in {@link #ASSUMED_OF_NODES}. */
  public static MeanTime estimatedOfNodes(long losses, long computedNanos) {
    return estimated(losses, computedNanos, ASSUMED_OF_NODES);
  }

  private static MeanTime estimated(long failures, long computedNanos, Duration assumed) {
    double seen = (double) assumed.toNanos() + computedNanos;
    return new MeanTime(
        (long) (seen / (failures + 1.0)),
        String.format(
            Locale.ROOT,
            "%d seen in %.1f h, and 1 in %d h assumed",
            failures,
            computedNanos / 3.6e12,
            assumed.toHours()));
  }
}
