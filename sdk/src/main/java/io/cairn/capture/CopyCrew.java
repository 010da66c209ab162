// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import io.cairn.image.Threads;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Threads that copy blocks together, the application's own among them: it gives out a round of
 * blocks, copies with the others, and waits for the last one. Allocates nothing once it is made.
 */
final class CopyCrew implements AutoCloseable {
  /** Blocks of a round: enough that waking the others is nothing beside the copy. */
  static final int MOST_BLOCKS = 64;

  // Beyond the blocks of any round: whoever is late finds nothing to do.
  private static final int CLOSED_ROUND = 1 << 30;

  // A waiting application's thread looks this often before it lets others have its core.
  private static final int SPINS = 4_000;
  private static final long WAIT_NANOS = 20_000;

  private final Pages pages;
  private final Thread[] helpers;
  private final long[] sources = new long[MOST_BLOCKS];
  private final long[] destinations = new long[MOST_BLOCKS];
  private final int[] lengths = new int[MOST_BLOCKS];
  private final AtomicInteger next = new AtomicInteger(CLOSED_ROUND);
  private final AtomicInteger done = new AtomicInteger();
  private final AtomicInteger round = new AtomicInteger();
  private volatile boolean closed;
  private volatile Throwable failure;
  private int count;
  private int active;

  /**
   * @param threads that copy, the caller of {@link #copy} included
   */
  CopyCrew(Pages pages, int threads) {
    this.pages = pages;
    helpers = new Thread[threads - 1];
    active = helpers.length;
    for (int i = 0; i < helpers.length; i++) {
      helpers[i] = new Thread(this::help, "cairn-copy-" + (i + 1));
      helpers[i].setDaemon(true);
      helpers[i].start();
    }
  }

  /** How many threads copy. */
  int threads() {
    return active + 1;
  }

  /** Lets only so many of them copy from now on. */
  void limit(int threads) {
    active = Math.min(helpers.length, threads - 1);
  }

  /** Adds a block to the round. */
  void add(long source, long destination, int lengthBytes) {
    sources[count] = source;
    destinations[count] = destination;
    lengths[count] = lengthBytes;
    count++;
  }

  int count() {
    return count;
  }

  int lengthBytes(int block) {
    return lengths[block];
  }

  /** Copies the round; when this returns, or throws, no thread uses its memory any more. */
  void copy() {
    if (count == 1 || active == 0) {
      for (int i = 0; i < count; i++) {
        pages.dump(sources[i], destinations[i], lengths[i]);
      }
      return;
    }
    failure = null;
    done.set(0);
    next.set(0); // publishes the round
    round.incrementAndGet();
    for (int i = 0; i < active && i < count - 1; i++) {
      LockSupport.unpark(helpers[i]);
    }
    take();
    for (int i = 0; done.get() < count; i++) {
      if (i < SPINS) {
        Thread.onSpinWait();
      } else {
        LockSupport.parkNanos(this, WAIT_NANOS);
      }
    }
    next.set(CLOSED_ROUND);
    if (failure != null) {
      throw new IllegalStateException("a block could not be copied: " + failure, failure);
    }
  }

  /** Begins a new round. */
  void clear() {
    count = 0;
  }

  private void take() {
    for (int i = next.getAndIncrement(); i < count; i = next.getAndIncrement()) {
      try {
        pages.dump(sources[i], destinations[i], lengths[i]);
      } catch (Throwable e) {
        failure = e;
      }
      done.incrementAndGet();
    }
  }

  private void help() {
    int seen = 0;
    while (!closed) {
      int now = round.get();
      if (now == seen) {
        LockSupport.park(this);
      } else {
        seen = now;
        take();
      }
    }
  }

  @Override
  public void close() {
    closed = true;
    for (Thread helper : helpers) {
      LockSupport.unpark(helper);
    }
    Threads.awaitEnd(List.of(helpers));
  }
}
