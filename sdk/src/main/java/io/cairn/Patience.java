// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * The pauses of a thread that asks again and again: none at first, because most answers come soon,
 * then longer and longer ones, so that a rank without work leaves the core to others. The longest
 * bounds how late an answer is seen.
 */
final class Patience {

  private static final long EAGER_NANOS = TimeUnit.MICROSECONDS.toNanos(50);
  private static final long SHORTEST_NANOS = TimeUnit.MICROSECONDS.toNanos(10);
  private static final long LONGEST_NANOS = TimeUnit.MICROSECONDS.toNanos(200);

  private final long begunNanos = System.nanoTime();
  private long pauseNanos = SHORTEST_NANOS;
  private boolean interrupted;

  /** Lets others run. */
  @SuppressWarnings("ThreadPriorityCheck") // a sender may wait for this very core
  void pause() {
    if (System.nanoTime() - begunNanos < EAGER_NANOS) {
      Thread.yield();
      return;
    }
    // An interrupt is the program's business, and would make every pause end at once.
    interrupted |= Thread.interrupted();
    LockSupport.parkNanos(pauseNanos);
    pauseNanos = Math.min(LONGEST_NANOS, pauseNanos + pauseNanos / 2);
  }

  /** Gives an interrupt back that came meanwhile. */
  void end() {
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
