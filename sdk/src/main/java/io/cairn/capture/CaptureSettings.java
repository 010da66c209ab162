// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import io.cairn.image.ImageHeader;

/**
 * How much memory a capture may use, and in what pieces.
 *
 * @param stagingBudgetBytes most that the staging pool may take; when more is to be saved, capture
 *     goes on as chunks are written, and the pause grows towards the speed of the storage. At least
 *     a few blocks are taken whatever it says
 * @param blockBytes size of a block and of a chunk; {@link ImageHeader#DEFAULT_BLOCK_BYTES} unless
 *     a test says otherwise
 */
public record CaptureSettings(long stagingBudgetBytes, int blockBytes) {

  /** With blocks of the usual size. */
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
  }
}
