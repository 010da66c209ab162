// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import io.cairn.image.DirectMode;
import io.cairn.image.EncodeMode;
import io.cairn.image.ImageHeader;

/**
 * How much memory a capture may use, in what pieces, and how these are written.
 *
 * @param stagingBudgetBytes most that the staging pool may take; when more is to be saved, capture
 *     goes on as chunks are written, and the pause grows towards the speed of the storage. At least
 *     a few blocks are taken whatever it says
 * @param blockBytes size of a block and of a chunk; {@link ImageHeader#DEFAULT_BLOCK_BYTES} unless
 *     a test says otherwise
 * @param encode how blocks are stored
 * @param bandwidthBytes most that are written in a second; 0 for no limit
 * @param direct whether images go past the page cache
 * @param cores how many this rank has to itself: at most so many threads copy, and with a core left
 *     over the writer begins while there is still something to be copied
 * @param fullEvery one of so many images at least is full, and all others take from their parent
 *     what hasn't changed; 1 if all are full
 */
public record CaptureSettings(
    long stagingBudgetBytes,
    int blockBytes,
    EncodeMode encode,
    long bandwidthBytes,
    DirectMode direct,
    int cores,
    int fullEvery) {

  /** Longer chains aren't to be. */
  public static final int MOST_FULL_EVERY = 1000;

  /** By way of the page cache, with a core for the writer, and of full images only. */
  public CaptureSettings(
      long stagingBudgetBytes, int blockBytes, EncodeMode encode, long bandwidthBytes) {
    this(stagingBudgetBytes, blockBytes, encode, bandwidthBytes, DirectMode.OFF, 2, 1);
  }

  /** Written as fast as can be. */
  public CaptureSettings(long stagingBudgetBytes, int blockBytes) {
    this(stagingBudgetBytes, blockBytes, EncodeMode.AUTO, 0);
  }

  /** With blocks of the usual size, written as fast as can be. */
  public CaptureSettings(long stagingBudgetBytes) {
    this(stagingBudgetBytes, ImageHeader.DEFAULT_BLOCK_BYTES);
  }

  public CaptureSettings {
    if (blockBytes < 64 || blockBytes % 64 != 0) {
      throw new IllegalArgumentException("blocks of " + blockBytes + " bytes");
    }
    if (stagingBudgetBytes < 0) {
      throw new IllegalArgumentException("staging budget of " + stagingBudgetBytes + " bytes");
    }
    if (fullEvery < 1 || fullEvery > MOST_FULL_EVERY) {
      throw new IllegalArgumentException("a full image of " + fullEvery);
    }
    if (bandwidthBytes < 0) {
      throw new IllegalArgumentException("bandwidth of " + bandwidthBytes + " bytes per second");
    }
    if (cores < 1) {
      throw new IllegalArgumentException(cores + " cores");
    }
  }
}
