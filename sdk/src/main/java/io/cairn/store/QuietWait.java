// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/**
 * Waiting by asking: the pauses grow from 50 us to 1 ms, so that a background thread that waits
 * costs the application no core.
 */
public final class QuietWait {
  private static final long FIRST_NANOS = TimeUnit.MICROSECONDS.toNanos(50);
  private static final long LONGEST_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

  private QuietWait() {}

  /**
   * Returns when it is done.
   *
   * @param what what is waited for and where, in words, for the exception
   * @throws TransportException if it isn't done by the deadline, or if the thread is interrupted,
   *     which it stays
   */
  public static void until(BooleanSupplier isDone, Duration deadline, Supplier<String> what) {
    long start = System.nanoTime();
    long pause = FIRST_NANOS;
    while (!isDone.getAsBoolean()) {
      if (Thread.currentThread().isInterrupted()) {
        throw new TransportException(
            "interrupted after %d ms in %s".formatted(millisSince(start), what.get()));
      }
      if (System.nanoTime() - start > deadline.toNanos()) {
        throw new TransportException(
            "waited for %d ms in %s, at most %d ms are allowed; has a rank failed, or been stopped?"
                .formatted(millisSince(start), what.get(), deadline.toMillis()));
      }
      LockSupport.parkNanos(pause);
      pause = Math.min(2 * pause, LONGEST_NANOS);
    }
  }

  private static long millisSince(long start) {
    return TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
  }
}
