// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.util.Locale;

/**
 * Whether the blocks of one section are worth to be hashed and compared with the parent's: they are
 * if that takes less time than storing those that turn out to be the same. Kept from image to
 * image. One thread at a time.
 *
 * <p>Where it isn't worth it, a few blocks are hashed all the same, and show when that changes.
 */
final class SectionComparison {
  /** Where it isn't worth it, one of so many blocks is hashed. */
  static final int SAMPLE = 16;

  // As for LZ4: the other choice must be better by this factor, and averages forget.
  private static final double MARGIN = SectionCodec.MARGIN;
  private static final int MEMORY = 16;
  private static final double MOST_TIMES = 2;

  private final EncodeMode mode;
  private boolean all = true;
  private long hashed;
  private double nanosPerByte;

  // Of the image that is being written.
  private long compared;
  private long same;

  private boolean told;
  private boolean toldAll;
  private long lastCompared;
  private long lastSame;

  SectionComparison(EncodeMode mode) {
    this.mode = mode;
  }

  void begin() {
    compared = 0;
    same = 0;
  }

  /** Whether a block, which isn't all zero, shall be hashed. */
  boolean hashes(long number) {
    return mode != EncodeMode.FAST && (all || number % SAMPLE == 0);
  }

  /** A block was hashed, which took so long on a core. */
  void hashed(int lengthBytes, long coreNanos) {
    double time = (double) coreNanos / lengthBytes;
    hashed++;
    if (hashed == 1) {
      nanosPerByte = time;
    } else {
      nanosPerByte += (Math.min(time, MOST_TIMES * nanosPerByte) - nanosPerByte) / MEMORY;
    }
  }

  /** A block was compared with the parent's. */
  void compared(boolean isSame) {
    compared++;
    same += isSame ? 1 : 0;
  }

  /**
   * The image is durable.
   *
   * @param storingNanos time on a core that it is worth not to store a byte
   */
  void finish(double storingNanos) {
    if (compared == 0) {
      return;
    }
    lastCompared = compared;
    lastSame = same;
    if (mode != EncodeMode.AUTO) {
      return;
    }
    double gain = storingNanos * same / compared;
    if (all ? gain * MARGIN < nanosPerByte : gain > nanosPerByte * MARGIN) {
      all = !all;
    }
  }

  /** Whether there is something new to be said of it since this was last asked. */
  boolean hasNews() {
    if (lastCompared == 0) {
      return false;
    }
    boolean news = !told || toldAll != all;
    told = true;
    toldAll = all;
    return news;
  }

  /** What was found, and why that is worth it or not. */
  String describe(double slowdown) {
    return String.format(
        Locale.ROOT,
        "%d of %d blocks that were compared are as in the parent image, which takes %.2f GB/s: %s",
        lastSame,
        lastCompared,
        1 / Math.max(nanosPerByte * slowdown, 1e-3),
        all ? "all are compared" : "one of " + SAMPLE + " is compared");
  }

  boolean all() {
    return all;
  }
}
