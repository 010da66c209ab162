// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

/**
 * What an image says of itself.
 *
 * @param job the job it belongs to
 * @param epoch the epoch it is part of
 * @param safePoint index of the safe point at which the rank was captured
 * @param rank the rank that was captured
 * @param blockBytes size of a block before it is encoded, the last of a section may be shorter
 */
public record ImageHeader(
    JobIdentity job, EpochId epoch, long safePoint, int rank, int blockBytes) {
  /** The size of blocks unless a test says otherwise. */
  public static final int DEFAULT_BLOCK_BYTES = 512 << 10;

  static final int MIN_BLOCK_BYTES = 64;
  static final int MAX_BLOCK_BYTES = 16 << 20;

  public ImageHeader {
    if (rank < 0 || rank >= job.worldSize()) {
      throw new IllegalArgumentException("rank " + rank + " of " + job.worldSize());
    }
    if (safePoint < 0) {
      throw new IllegalArgumentException("safe point " + safePoint);
    }
    if (blockBytes < MIN_BLOCK_BYTES || blockBytes > MAX_BLOCK_BYTES) {
      throw new IllegalArgumentException("block size " + blockBytes);
    }
  }
}
