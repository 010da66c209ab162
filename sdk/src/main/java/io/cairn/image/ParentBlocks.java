// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;

/**
 * What is known of the blocks of the image that was committed last, which is the next one's parent:
 * 16 bytes for each. One image after the other is written with it; whatever becomes of one, what is
 * known here afterwards is true. One thread at a time.
 */
public final class ParentBlocks {
  // In the second half of a hash, which so has 127 bits: the block is the last image's own.
  private static final long OWN = 1;

  private final Map<String, Known> sections = new HashMap<>();
  private long lastEpoch = -1;

  /** The blocks of one section. A hash of 0 says that nothing is known. */
  static final class Known {
    private long[] hashes = new long[0];
    private long lengthBytes = -1;
    private long committedBytes = -1;
    private boolean written;

    /** Whether the parent has the section, in the same length. */
    boolean inParent() {
      return committedBytes == lengthBytes;
    }

    private void begin(long length, int blocks) {
      if (length != lengthBytes) {
        // Whatever was there is of no use, nor if this image should be abandoned.
        hashes = hashes.length >= 2 * blocks ? hashes : new long[2 * blocks];
        java.util.Arrays.fill(hashes, 0);
        lengthBytes = length;
      }
      written = true;
    }

    /** Whether it is known what the parent has there. */
    boolean knows(int block) {
      return hashes[2 * block] != 0 || (hashes[2 * block + 1] & ~OWN) != 0;
    }

    boolean isSame(int block, BlockHash hash) {
      return hashes[2 * block] == hash.low()
          && ((hashes[2 * block + 1] ^ hash.high()) & ~OWN) == 0
          && knows(block);
    }

    /** The image that is being written has a block of its own. */
    void own(int block, BlockHash hash) {
      hashes[2 * block] = hash.low();
      hashes[2 * block + 1] = hash.high() | OWN;
    }

    /** The image that is being written has a block of its own, or a part of one, of any content. */
    void own(int block) {
      hashes[2 * block] = 0;
      hashes[2 * block + 1] = OWN;
    }

    private void settle(boolean committed) {
      if (committed) {
        committedBytes = written ? lengthBytes : -1;
      }
      for (int i = 1; i < hashes.length; i += 2) {
        if ((hashes[i] & OWN) != 0) {
          hashes[i - 1] = committed ? hashes[i - 1] : 0;
          hashes[i] = committed ? hashes[i] & ~OWN : 0;
        }
      }
      written = false;
    }
  }

  /**
   * An image begins.
   *
   * @param epoch its epoch
   * @param lastCommitted the last epoch of the launch that is committed
   */
  public void begin(long epoch, OptionalLong lastCommitted) {
    boolean committed = lastCommitted.equals(OptionalLong.of(lastEpoch));
    for (Known known : sections.values()) {
      known.settle(committed);
    }
    lastEpoch = epoch;
  }

  Known section(String title, long lengthBytes, int blockBytes) {
    Known known = sections.computeIfAbsent(title, t -> new Known());
    known.begin(lengthBytes, Math.toIntExact(ImageFormat.blockCount(lengthBytes, blockBytes)));
    return known;
  }
}
