// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.SplittableRandom;

/** What is in the memory that is saved: it decides how much of it has to be written. */
public enum Content {
  /** Nothing: blocks of zeros are named, not stored. */
  ZERO,
  /** Every second 4 KiB random, the others all the same: LZ4 halves it. */
  HALF,
  /** Random bits: no codec makes it smaller. */
  RANDOM;

  private static final int STRIPE_BYTES = 4096;

  /** Fills all that remains, differently for each seed; the length is a multiple of 8. */
  void fill(ByteBuffer target, long seed) {
    ByteBuffer bytes = target.duplicate().order(ByteOrder.nativeOrder());
    SplittableRandom random = new SplittableRandom(seed);
    int begin = bytes.position();
    for (int at = begin; at < bytes.limit(); at += Long.BYTES) {
      boolean noise = this == RANDOM || (this == HALF && ((at - begin) / STRIPE_BYTES) % 2 == 0);
      bytes.putLong(at, noise ? random.nextLong() : this == HALF ? seed : 0);
    }
  }
}
