// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.util.Locale;

/**
 * Whether the blocks of one section are worth LZ4: they are if compressing takes less time than
 * writing what it saves. Kept from image to image. One thread at a time.
 *
 * <pre>
 * UNKNOWN -> LZ4 | RAW   [tried, after the first blocks]
 * LZ4 &lt;-> RAW            [decide, when the other one is better by a margin]
 * </pre>
 */
final class SectionCodec {
  /** All of these blocks are tried before anything is decided. */
  static final int FIRST_TRIES = 4;

  /** The other choice must be better by this factor. */
  static final double MARGIN = 1.25;

  // While raw, a block is tried now and then: the rarer, the longer it stays that way.
  static final int FIRST_PAUSE = 16;
  static final int LONGEST_PAUSE = 128;

  // What is saved is an average over about so many blocks, the time one over more of them, as it is
  // the noisier one. So it begins with the shortest time, and no time counts more than twofold.
  private static final int SAVED_MEMORY = 8;
  private static final int TIME_MEMORY = 16;
  private static final double MOST_TIMES = 2;

  private final String name;
  private final EncodeMode mode;
  private long tries;
  private double nanosPerByte;
  private double savedShare;
  private boolean lz4;
  private int pause = FIRST_PAUSE;
  private int untried;

  private long blocks;
  private long shrunk;
  private boolean told;
  private boolean toldLz4;

  /**
   * @param name of the section, for messages
   */
  SectionCodec(String name, EncodeMode mode) {
    this.name = name;
    this.mode = mode;
    lz4 = mode == EncodeMode.SMALL;
  }

  /** A new image begins with its first block. */
  void begin() {
    blocks = 0;
    shrunk = 0;
  }

  /** Whether the next block, which isn't all zero, shall be compressed. */
  boolean tries(double worthOfByte) {
    blocks++;
    if (mode != EncodeMode.AUTO) {
      return lz4;
    }
    if (tries < FIRST_TRIES) {
      return true;
    }
    decide(worthOfByte);
    if (lz4 || untried >= pause) {
      return true;
    }
    untried++;
    return false;
  }

  /**
   * A block was compressed.
   *
   * @param storedLength what is stored of it; its own length if that wasn't worth it
   * @param coreNanos what it took, together with what it saved or not
   * @param worthOfByte time on a core that it is worth to store a byte less
   */
  void tried(int rawLength, int storedLength, long coreNanos, double worthOfByte) {
    shrunk += storedLength < rawLength ? 1 : 0;
    tries++;
    double time = (double) coreNanos / rawLength;
    if (tries <= FIRST_TRIES) {
      nanosPerByte = tries == 1 ? time : Math.min(time, nanosPerByte);
    } else {
      nanosPerByte += (Math.min(time, MOST_TIMES * nanosPerByte) - nanosPerByte) / TIME_MEMORY;
    }
    double weight = 1.0 / Math.min(tries, SAVED_MEMORY);
    savedShare += weight * ((double) (rawLength - storedLength) / rawLength - savedShare);
    if (mode != EncodeMode.AUTO || tries < FIRST_TRIES) {
      return;
    }
    boolean before = lz4;
    decide(worthOfByte);
    untried = 0;
    boolean confirmed = !lz4 && !before && tries > FIRST_TRIES;
    pause = confirmed ? Math.min(2 * pause, LONGEST_PAUSE) : FIRST_PAUSE;
  }

  private void decide(double worthOfByte) {
    double gain = savedShare * worthOfByte;
    if (lz4 ? gain * MARGIN < nanosPerByte : gain > nanosPerByte * MARGIN) {
      lz4 = !lz4;
      untried = 0;
      pause = FIRST_PAUSE;
    }
  }

  /** Time on a core that it takes to store a byte, or is worth to store none. */
  double storingNanos(double worthOfByte) {
    return lz4 ? nanosPerByte + (1 - savedShare) * worthOfByte : worthOfByte;
  }

  /** Whether its blocks are compressed, now and then excepted. */
  boolean lz4() {
    return lz4;
  }

  /** Whether there is something new to be said of it since this was last asked. */
  boolean hasNews() {
    if (blocks == 0 || (mode == EncodeMode.AUTO && tries < FIRST_TRIES)) {
      return false;
    }
    boolean news = !told || toldLz4 != lz4;
    told = true;
    toldLz4 = lz4;
    return news;
  }

  /** What was chosen for the last image's blocks, and why. */
  String describe(double storeNanosPerByte, double slowdown) {
    if (mode == EncodeMode.FAST) {
      return name + ": stored as it is, as cairn.encode=fast says";
    }
    String text =
        String.format(
            Locale.ROOT,
            "%s: %s, %d of %d blocks smaller by LZ4, which takes %.2f GB/s and saves %.0f%%",
            name,
            lz4 ? "LZ4" : "stored as it is",
            shrunk,
            blocks,
            1 / Math.max(nanosPerByte * slowdown, 1e-3),
            100 * savedShare);
    return text
        + (mode == EncodeMode.SMALL
            ? " (cairn.encode=small)"
            : String.format(
                Locale.ROOT,
                "; the store takes %.2f GB/s, the writer has %.0f%% of a core",
                1 / Math.max(storeNanosPerByte, 1e-3),
                100 / slowdown));
  }
}
