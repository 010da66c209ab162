// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

/**
 * How much longer the writer's computing takes than it would with a core to itself. One thread at a
 * time.
 *
 * <p>Other threads take the core away rarely, but for as long as many blocks take: only over whole
 * images that evens out. So single blocks are measured by the time that they have the core.
 */
final class CoreShare {
  private static final long LEAST_NANOS = 10_000_000;

  private final Recent recent = new Recent();
  private long elapsed;
  private long computed;

  void begin() {
    elapsed = 0;
    computed = 0;
  }

  /** The writer computed for so long, of which it had the core for so long. */
  void took(long elapsedNanos, long coreNanos) {
    elapsed += elapsedNanos;
    computed += coreNanos;
  }

  void finish() {
    if (computed >= LEAST_NANOS) {
      recent.add(current());
    }
  }

  private double current() {
    return Math.max(1, (double) elapsed / computed);
  }

  /** 1 with a core to itself, 2 with half of one. */
  double slowdown() {
    if (!recent.isEmpty()) {
      return recent.median();
    }
    return computed >= LEAST_NANOS ? current() : 1;
  }
}
