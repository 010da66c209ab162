// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import java.util.function.LongSupplier;

/**
 * How many threads copy fastest. One core rarely takes all that memory gives, but a few do: more
 * only take cores from others.
 */
final class CopyThreads {
  /** Nothing that has been measured anywhere gains by more. */
  static final int MOST = 16;

  private static final int TURNS = 3;

  // Twice the threads must save a tenth of the time.
  private static final double LEAST_GAIN = 0.9;

  private CopyThreads() {}

  /** Copies one half of the pool's first chunks to the other, by one thread, two, four, ... */
  static int measure(CopyCrew crew, StagingPool pool, LongSupplier nanoClock) {
    int blocks = Math.min(CopyCrew.MOST_BLOCKS, pool.chunkCount() / 2);
    int most = Math.min(crew.threads(), blocks);
    int best = 1;
    long bestNanos = nanos(crew, pool, blocks, 1, nanoClock);
    for (int threads = 2; best * 2 >= threads && threads <= most; threads *= 2) {
      long nanos = nanos(crew, pool, blocks, threads, nanoClock);
      if (nanos < LEAST_GAIN * bestNanos) {
        best = threads;
        bestNanos = nanos;
      }
    }
    return best;
  }

  private static long nanos(
      CopyCrew crew, StagingPool pool, int blocks, int threads, LongSupplier nanoClock) {
    crew.limit(threads);
    crew.clear();
    int block = pool.chunkBytes();
    for (int i = 0; i < blocks; i++) {
      long at = pool.address() + (long) i * block;
      crew.add(at, at + (long) blocks * block, block);
    }
    long least = Long.MAX_VALUE;
    for (int turn = 0; turn < TURNS; turn++) {
      long begin = nanoClock.getAsLong();
      crew.copy();
      least = Math.min(least, nanoClock.getAsLong() - begin);
    }
    return least;
  }
}
