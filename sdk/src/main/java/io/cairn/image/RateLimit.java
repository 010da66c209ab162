// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;

/**
 * Holds a writer to so many bytes a second: a token bucket of a twentieth of a second. One thread
 * at a time.
 */
public final class RateLimit {
  /** Lets everything pass. */
  public static final RateLimit NONE = new RateLimit(Long.MAX_VALUE, () -> 0, nanos -> {});

  private static final long SECOND = 1_000_000_000;

  /** What may come at once, if nothing came before. */
  static final long BURST_NANOS = SECOND / 20;

  // Pieces that aren't slept through in one go, so that who waits can be told to stop.
  private static final long LONGEST_SLEEP_NANOS = SECOND / 50;
  private static final int LEAST_PIECE_BYTES = 4 << 10;
  private static final int LEAST_SYNC_BYTES = 1 << 20;

  private final long bytesPerSecond;
  private final LongSupplier nanoClock;
  private final LongConsumer sleep;
  private long paidUntil;
  private boolean started;

  /**
   * @param bytesPerSecond 1 or more
   * @param nanoClock a clock in nanoseconds
   * @param sleep returns after so many nanoseconds, or earlier
   */
  RateLimit(long bytesPerSecond, LongSupplier nanoClock, LongConsumer sleep) {
    if (bytesPerSecond < 1) {
      throw new IllegalArgumentException(bytesPerSecond + " bytes per second");
    }
    this.bytesPerSecond = bytesPerSecond;
    this.nanoClock = nanoClock;
    this.sleep = sleep;
  }

  /** So many bytes per second; {@link #NONE} for 0. */
  public static RateLimit of(long bytesPerSecond) {
    return bytesPerSecond == 0
        ? NONE
        : new RateLimit(bytesPerSecond, System::nanoTime, LockSupport::parkNanos);
  }

  private boolean none() {
    return bytesPerSecond == Long.MAX_VALUE;
  }

  /** What a byte takes at least; 0 without a limit. */
  double nanosPerByte() {
    return none() ? 0 : (double) SECOND / bytesPerSecond;
  }

  /** How many of these bytes to write at once. */
  public int piece(int lengthBytes) {
    return (int) Math.min(lengthBytes, Math.max(LEAST_PIECE_BYTES, bytesPerSecond / 20));
  }

  /**
   * After how many bytes to sync: what is left to the kernel would reach the device in one burst at
   * the end.
   */
  public long syncEveryBytes() {
    return none() ? Long.MAX_VALUE : Math.max(LEAST_SYNC_BYTES, bytesPerSecond / 2);
  }

  /**
   * Returns when that many bytes may be written.
   *
   * @param stop whether they needn't be written any more
   */
  public void await(int lengthBytes, BooleanSupplier stop) throws IOException {
    if (none()) {
      return;
    }
    long now = nanoClock.getAsLong();
    if (!started || paidUntil - now < -BURST_NANOS) {
      started = true;
      paidUntil = now - BURST_NANOS;
    }
    while (paidUntil - now > 0) {
      if (stop.getAsBoolean()) {
        throw new IOException("given up while it waited for the bandwidth limit");
      }
      if (Thread.currentThread().isInterrupted()) {
        throw new InterruptedIOException("interrupted while it waited for the bandwidth limit");
      }
      sleep.accept(Math.min(paidUntil - now, LONGEST_SLEEP_NANOS));
      now = nanoClock.getAsLong();
    }
    paidUntil += (long) Math.ceil(lengthBytes * nanosPerByte());
  }
}
